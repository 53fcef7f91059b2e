"""Solids: bevelled boxes, extrusions with holes, lathed and swept bodies. Lengths in metres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from scenes_usd.author.polygon import inset, triangulated
from scenes_usd.author.shape import CREASE_DEG, Floats, Shape, moved, shape_from_faces


def box(size_m: Sequence[float], *, bevel_m: float = 0.0) -> Shape:
    """Return a box centred in x and y that stands on z = 0, its twelve edges cut at 45 degrees by ``bevel_m``."""
    half = np.array(size_m, dtype=np.float64) / 2.0
    signs = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], dtype=np.float64)
    if bevel_m <= 0.0:
        quads = [(0, 4, 6, 2), (1, 3, 7, 5), (0, 1, 5, 4), (2, 6, 7, 3), (0, 2, 3, 1), (4, 5, 7, 6)]
        return moved(shape_from_faces(signs * half, quads), z_m=half[2])
    points = np.empty((8, 3, 3))
    for axis in range(3):
        points[:, axis] = signs * (half - bevel_m)
        points[:, axis, axis] = signs[:, axis] * half[axis]
    flat = points.reshape(24, 3)
    faces: list[tuple[int, ...]] = []
    for axis, (u, v) in enumerate(((1, 2), (2, 0), (0, 1))):
        for side in (-1, 1):
            ring = [(side, a, b) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
            faces.append(tuple(_corner(axis, u, v, corner) * 3 + axis for corner in ring[::side]))
    for axis, (u, v) in enumerate(((1, 2), (2, 0), (0, 1))):
        for a in (-1, 1):
            for b in (-1, 1):
                low, high = _corner(axis, u, v, (-1, a, b)), _corner(axis, u, v, (1, a, b))
                quad = (low * 3 + u, high * 3 + u, high * 3 + v, low * 3 + v)
                faces.append(quad[:: -a * b])
    for corner in range(8):
        faces.append(tuple(corner * 3 + k for k in range(3))[:: int(np.prod(signs[corner]))])
    return moved(shape_from_faces(flat, faces), z_m=half[2])


def _corner(axis: int, u: int, v: int, signs: tuple[int, int, int]) -> int:
    """Return the number of the box corner with these signs along ``axis``, ``u`` and ``v``."""
    return sum(1 << k for k, sign in zip((axis, u, v), signs, strict=True) if sign > 0)


def rounded_box(size_m: Sequence[float], radius_m: float, *, segments: int = 2) -> Shape:
    """Return a box standing on z = 0 with round edges, ``2 * segments`` facets along each quarter round."""
    half = np.array(size_m, dtype=np.float64) / 2.0
    step = radius_m * np.tan(np.arange(segments + 1) * np.pi / 4.0 / segments)
    points: list[Floats] = []
    faces: list[tuple[int, ...]] = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for side in (-1.0, 1.0):
            us, vs = (np.concatenate([-(half[k] - radius_m + step)[::-1], half[k] - radius_m + step]) for k in (u, v))
            grid = np.empty((len(us), len(vs), 3))
            grid[..., axis], grid[..., u], grid[..., v] = side * half[axis], us[:, None], vs[None, :]
            inner = np.clip(grid, -(half - radius_m), half - radius_m)
            away = grid - inner
            base, width = sum(len(p) for p in points), len(vs)
            points.append((inner + radius_m * away / np.linalg.norm(away, axis=2, keepdims=True)).reshape(-1, 3))
            for i in range(len(us) - 1):
                for j in range(width - 1):
                    k = base + i * width + j
                    faces.append((k, k + width, k + width + 1, k + 1)[:: int(side)])
    return moved(welded(np.concatenate(points), faces), z_m=half[2])


def welded(points_m: Floats, faces: Sequence[Sequence[int]], *, crease_deg: float = CREASE_DEG) -> Shape:
    """Return the faces over points merged where they agree to a micrometre, without faces that collapse."""
    _, first, inverse = np.unique(np.round(points_m, 6), axis=0, return_index=True, return_inverse=True)
    kept = []
    for face in faces:
        ring = [int(inverse.reshape(-1)[i]) for i in face]
        ring = [point for k, point in enumerate(ring) if point != ring[k - 1]]
        if len(ring) >= 3:
            kept.append(ring)
    return shape_from_faces(points_m[first], kept, crease_deg=crease_deg)


def extrusion(
    outline_m: ArrayLike,
    height_m: float,
    *,
    bevel_m: float | Sequence[float] = 0.0,
    holes_m: Sequence[ArrayLike] = (),
    crease_deg: float = CREASE_DEG,
) -> Shape:
    """Return a prism over a counter-clockwise outline in x, y from z = 0 to ``height_m``, with holes of any sense.

    ``bevel_m`` cuts the edges of both caps, those of the holes included, at 45 degrees; one value, or one for the
    outline and one for each hole.
    """
    loops = [np.asarray(outline_m, dtype=np.float64)]
    for hole in holes_m:
        ring = np.asarray(hole, dtype=np.float64)
        loops.append(ring[::-1] if _area(ring) > 0.0 else ring)
    bevels = [float(b) for b in np.broadcast_to(np.asarray(bevel_m, dtype=np.float64), (len(loops),))]
    rings: list[list[Floats]] = [[], [], [], []] if any(bevels) else [[], []]
    for loop, bevel in zip(loops, bevels, strict=True):
        cut = np.column_stack([inset(loop, bevel), np.zeros(len(loop))])
        full = np.column_stack([loop, np.zeros(len(loop))])
        inner = [(full, bevel), (full, height_m - bevel)] if any(bevels) else []
        for level, (ring, z) in enumerate([(cut, 0.0), *inner, (cut, height_m)]):
            rings[level].append(ring + np.array([0.0, 0.0, z]))
    points, total = np.concatenate([np.concatenate(level) for level in rings]), sum(len(loop) for loop in loops)
    faces: list[tuple[int, ...]] = []
    start = 0
    for loop, bevel in zip(loops, bevels, strict=True):
        flat = len(rings) == 4 and bevel == 0.0  # its bevel rings coincide with the caps'
        for i in range(len(loop)):
            a, b = start + i, start + (i + 1) % len(loop)
            for level in (1,) if flat else range(len(rings) - 1):
                low, high = level * total, (level + 1) * total
                faces.append((low + a, low + b, high + b, high + a))
        start += len(loop)
    caps = triangulated([inset(loop, bevel) for loop, bevel in zip(loops, bevels, strict=True)])
    top = (len(rings) - 1) * total
    faces += [(a, c, b) for a, b, c in caps] + [(top + a, top + b, top + c) for a, b, c in caps]
    if len(rings) == 4 and not all(bevels):
        return welded(points, faces, crease_deg=crease_deg)
    return shape_from_faces(points, faces, crease_deg=crease_deg)


def loft(rings_m: Sequence[ArrayLike], *, crease_deg: float = CREASE_DEG) -> Shape:
    """Return a closed body through rings of equally many points, counter-clockwise from above, the end ones flat.

    The rings are walked upwards on the outside, and may turn down again into the body, as those of a bowl do.
    """
    rings = [np.asarray(ring, dtype=np.float64) for ring in rings_m]
    count = len(rings[0])
    faces: list[tuple[int, ...]] = []
    for level in range(len(rings) - 1):
        low, high = level * count, (level + 1) * count
        faces += [(low + i, low + (i + 1) % count, high + (i + 1) % count, high + i) for i in range(count)]
    top = (len(rings) - 1) * count
    faces += [(a, c, b) for a, b, c in triangulated([rings[0][:, :2]])]
    faces += [(top + a, top + b, top + c) for a, b, c in triangulated([rings[-1][:, :2]])]
    return shape_from_faces(np.concatenate(rings), faces, crease_deg=crease_deg)


def _area(ring_m: Floats) -> float:
    x, y = ring_m.T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def lathe(profile_m: ArrayLike, segments: int, *, crease_deg: float = CREASE_DEG, sweep_deg: float = 360.0) -> Shape:
    """Return a body of revolution about z; profile points are (radius, z), walked upwards on the outside."""
    profile = np.asarray(profile_m, dtype=np.float64)
    closed = sweep_deg >= 360.0
    angle = np.radians(sweep_deg) * np.arange(segments if closed else segments + 1) / segments
    turns = len(angle)
    points = np.stack(
        [
            np.outer(profile[:, 0], np.cos(angle)),
            np.outer(profile[:, 0], np.sin(angle)),
            np.outer(profile[:, 1], np.ones(turns)),
        ],
        axis=2,
    ).reshape(-1, 3)
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(profile, axis=0), axis=1))])
    reach = float(profile[:, 0].max())
    loop = len(profile) - 1 if np.array_equal(profile[0], profile[-1]) else len(profile)
    faces, uv = [], []
    for i in range(len(profile) - 1):
        for j in range(segments):
            k = (j + 1) % turns
            ring = [(i, j, j), (i, k, j + 1), (i + 1, k, j + 1), (i + 1, j, j)]
            if profile[i, 0] == 0.0:
                ring = ring[:1] + ring[2:]
            elif profile[i + 1, 0] == 0.0:
                ring = ring[:3]
            faces.append([(0 if profile[row, 0] == 0.0 else column) + row % loop * turns for row, column, _ in ring])
            uv += [(np.radians(sweep_deg) * turn / segments * reach, along[row]) for row, _, turn in ring]
    return _compacted(points, faces, np.array(uv), crease_deg)


def _compacted(points_m: Floats, faces: Sequence[Sequence[int]], uv_m: Floats, crease_deg: float) -> Shape:
    """Return the shape without points that no face uses."""
    used = sorted({i for face in faces for i in face})
    number = {old: new for new, old in enumerate(used)}
    return shape_from_faces(points_m[used], [[number[i] for i in f] for f in faces], uv_m=uv_m, crease_deg=crease_deg)


def sweep(
    path_m: ArrayLike,
    section_m: ArrayLike,
    *,
    up: Sequence[float] | None = None,
    closed: bool = False,
    caps: bool = True,
) -> Shape:
    """Return a counter-clockwise section carried along a path; section x lies across the path, y towards ``up``
    (default: z, or x for a path that starts along z).
    """
    path, section = np.asarray(path_m, dtype=np.float64), np.asarray(section_m, dtype=np.float64)
    ahead = np.roll(path, -1, axis=0) - path if closed else np.diff(path, axis=0, append=path[-1:])
    behind = path - np.roll(path, 1, axis=0) if closed else np.diff(path, axis=0, prepend=path[:1])
    tangent = _unit(_unit(ahead) + _unit(behind))
    stretch = 1.0 / np.maximum(np.linalg.norm(_unit(ahead) + _unit(behind), axis=1) / 2.0, 0.5)
    stretch[[0, -1]] = stretch[[0, -1]] if closed else 1.0
    upright = (1.0, 0.0, 0.0) if abs(tangent[0, 2]) > 0.9 else (0.0, 0.0, 1.0)
    frames, normal = [], np.asarray(upright if up is None else up, dtype=np.float64)
    for t in tangent:
        normal = normal - t * np.dot(t, normal)
        normal = normal / np.linalg.norm(normal)
        frames.append((np.cross(t, normal), normal))
    rings = [
        p + np.outer(section[:, 0], side) + np.outer(section[:, 1], rise)
        for p, (side, rise) in zip(path, frames, strict=True)
    ]
    rings = [_mitred(ring, p, b, s) for ring, p, b, s in zip(rings, path, _bend(ahead, behind), stretch, strict=True)]
    points, m, n = np.concatenate(rings), len(section), len(path)
    around = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.roll(section, -1, axis=0) - section, axis=1))])
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0, append=path[:1]), axis=1))])
    faces: list[tuple[int, ...]] = []
    uv: list[tuple[float, float]] = []
    for i in range(n if closed else n - 1):
        for j in range(m):
            k, following = (j + 1) % m, (i + 1) % n
            faces.append((i * m + j, following * m + j, following * m + k, i * m + k))
            uv += [
                (length[i], around[j]),
                (length[i + 1], around[j]),
                (length[i + 1], around[j + 1]),
                (length[i], around[j + 1]),
            ]
    if caps and not closed:
        for base, order in ((0, 1), ((n - 1) * m, -1)):
            for triangle in triangulated([section]):
                ring = triangle[::order]
                faces.append(tuple(base + k for k in ring))
                uv += [(float(section[k][0]), float(section[k][1])) for k in ring]
    return shape_from_faces(points, faces, uv_m=np.array(uv))


def _unit(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _bend(ahead: Floats, behind: Floats) -> Floats:
    """Return the unit direction in which the path bends at each point, zero where it runs straight."""
    bend = _unit(ahead) - _unit(behind)
    return np.where(np.linalg.norm(bend, axis=1, keepdims=True) > 1e-9, _unit(bend), 0.0)


def _mitred(ring_m: Floats, centre_m: Floats, bend: Floats, stretch: float) -> Floats:
    """Return the ring stretched along the bend, so that a swept section keeps its width through a corner."""
    away = ring_m - centre_m
    return centre_m + away + np.outer(away @ bend, bend) * (stretch - 1.0)


def tube(path_m: ArrayLike, radius_m: float, *, segments: int = 10, closed: bool = False) -> Shape:
    """Return a round tube along a path."""
    return sweep(path_m, circle(radius_m, segments), up=(0.123, 0.456, 0.881), closed=closed)


def circle(radius_m: float, segments: int, *, x_m: float = 0.0, y_m: float = 0.0) -> Floats:
    """Return a counter-clockwise circle of points [segments, 2]."""
    angle = 2.0 * np.pi * np.arange(segments) / segments
    return np.column_stack([x_m + radius_m * np.cos(angle), y_m + radius_m * np.sin(angle)])
