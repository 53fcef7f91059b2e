"""Meshes and implicit shapes as triangles in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pxr import Usd

from engine.scene import primitives
from engine.scene.model import Mesh
from engine.scene.polygons import Polygons, clean_polygons
from engine.scene.subdivide import Cage, smooth_normals, subdivide
from engine.scene.triangulate import triangulate
from engine.scene.usd import OpenStage
from engine.scene.usd_primvar import (
    corner_values,
    read_array,
    read_primvar,
    st_attribute,
)
from engine.scene.usd_walk import Leaf


@dataclass(frozen=True)
class MeshRequest:
    """What decides the arrays of a mesh besides the prim itself."""

    slot_faces: tuple[NDArray[np.int64], ...]  # faces of slots 1, 2, ...; every other face is in slot 0
    slot_uv: tuple[str | None, ...]  # [slot], primvar that the slot's material reads; None: any


@dataclass
class _Corners:
    """What a mesh carries at its corners while it is built, in the order of the faces."""

    normal: NDArray[np.float32] | None
    uv: NDArray[np.float32] | None
    color: NDArray[np.float32] | None
    slot: NDArray[np.int32]  # [face]


def read_mesh(opened: OpenStage, leaf: Leaf, request: MeshRequest) -> Mesh | None:
    """Return the triangles of a drawn prim, or None with a note when there are none."""
    if leaf.kind != "Mesh":
        return _implicit(opened, leaf)
    polygons = _polygons(opened, leaf)
    if polygons is None:
        return None
    scheme = leaf.prim.GetAttribute("subdivisionScheme").Get()
    if scheme == "catmullClark" and opened.options.subdivision_level > 0:
        polygons, corners = _subdivided(opened, leaf, polygons, request)
    else:
        if scheme == "loop" or (scheme == "catmullClark" and opened.options.subdivision_level == 0):
            opened.notes.add("approximated", leaf.path, f"subdivision scheme {scheme}: the cage itself is drawn")
        corners = _corners(opened, leaf, polygons, request, with_normals=scheme not in ("loop", "catmullClark"))
    return _triangles(opened, leaf, polygons, corners)


def _polygons(opened: OpenStage, leaf: Leaf) -> Polygons | None:
    """Return the checked faces of a Mesh prim, or None with a note."""
    prim, time, notes = leaf.prim, opened.time, opened.notes
    points = read_array(prim, "points", time)
    counts = read_array(prim, "faceVertexCounts", time)
    indices = read_array(prim, "faceVertexIndices", time)
    if points is None or counts is None or indices is None or len(points) == 0 or len(counts) == 0:
        notes.add("skipped", leaf.path, "mesh without points or faces at this time")
        return None
    typed = points.ndim == 2 and points.shape[1] == 3 and points.dtype.kind == "f"
    if not typed or counts.dtype.kind not in "iu" or indices.dtype.kind not in "iu":
        notes.add(
            "error", leaf.path, "points, faceVertexCounts or faceVertexIndices have the wrong type; mesh left out"
        )
        return None
    holes = read_array(prim, "holeIndices", time) if "holeIndices" in leaf.names else None
    try:
        polygons, reasons = clean_polygons(points.astype(np.float32, copy=False), counts, indices, holes)
    except ValueError as error:
        notes.add("error", leaf.path, f"{error}; mesh left out")
        return None
    for reason in reasons:
        notes.add("repaired", leaf.path, reason)
    if len(polygons.counts) == 0:
        notes.add("skipped", leaf.path, "mesh without a usable face")
        return None
    return polygons


def _corners(
    opened: OpenStage, leaf: Leaf, polygons: Polygons, request: MeshRequest, *, with_normals: bool
) -> _Corners:
    """Return what the corners of the cage carry."""
    normal = None
    name = next((n for n in ("primvars:normals", "normals") if n in leaf.names), None)
    if with_normals and name is not None:
        normal = _fitted(opened, leaf, name, polygons, (3,))
    return _Corners(
        normal=normal,
        uv=_uv(opened, leaf, polygons, request),
        color=_color(opened, leaf, polygons),
        slot=_slots(polygons, request),
    )


def _fitted(
    opened: OpenStage, leaf: Leaf, name: str, polygons: Polygons, components: tuple[int, ...]
) -> NDArray[np.float32] | None:
    """Return a primvar at every corner, or None with a note when its length does not fit."""
    primvar = read_primvar(leaf.prim, name, opened.time, components, opened.notes)
    if primvar is None:
        return None
    values = corner_values(primvar, polygons)
    if values is None:
        opened.notes.add(
            "skipped", leaf.path, f"{name} has {len(primvar.values)} values, not what {primvar.interpolation} needs"
        )
    return values


def _uv(opened: OpenStage, leaf: Leaf, polygons: Polygons, request: MeshRequest) -> NDArray[np.float32] | None:
    """Return the texture coordinates at every corner; each slot's own set where materials read different ones."""
    by_name: dict[str, NDArray[np.float32] | None] = {}
    chosen: list[NDArray[np.float32] | None] = []
    for wanted in request.slot_uv:
        name, exact = st_attribute(leaf.prim, leaf.names, wanted)
        if not exact and wanted is not None:
            found = f"; {name} was used" if name else " and there is no other"
            opened.notes.add(
                "repaired" if name else "skipped",
                leaf.path,
                f"the material reads primvar '{wanted}', which is missing{found}",
            )
        if name is not None and name not in by_name:
            by_name[name] = _fitted(opened, leaf, name, polygons, (2, 3))
        chosen.append(by_name[name] if name is not None else None)
    first = next((uv for uv in chosen if uv is not None), None)
    if first is None or len(by_name) < 2:
        return first
    slot = np.repeat(_slots(polygons, request), polygons.counts)
    uv = np.array(first)
    for index, values in enumerate(chosen):
        if values is not None:
            uv[slot == index] = values[slot == index]
    return uv


def _color(opened: OpenStage, leaf: Leaf, polygons: Polygons) -> NDArray[np.float32] | None:
    if "primvars:displayColor" in leaf.names:
        return _fitted(opened, leaf, "primvars:displayColor", polygons, (3,))
    constant = inherited_color(opened, leaf)
    return None if constant is None else np.broadcast_to(constant, (len(polygons.indices), 3))


def inherited_color(opened: OpenStage, leaf: Leaf) -> NDArray[np.float32] | None:
    """Return the constant displayColor [3] that a prim has itself or from an ancestor."""
    source = leaf.state.color
    if source is None:
        return None
    primvar = read_primvar(source, "primvars:displayColor", opened.time, (3,), opened.notes)
    if primvar is None or primvar.interpolation != "constant" or len(primvar.values) == 0:
        return None
    return primvar.values[0]


def _slots(polygons: Polygons, request: MeshRequest) -> NDArray[np.int32]:
    """Return the slot of every kept face."""
    slot = np.zeros(polygons.authored_face_count, np.int32)
    for index, faces in enumerate(request.slot_faces, start=1):
        slot[faces[(faces >= 0) & (faces < len(slot))]] = index
    return slot[polygons.face]


def _subdivided(opened: OpenStage, leaf: Leaf, polygons: Polygons, request: MeshRequest) -> tuple[Polygons, _Corners]:
    """Return the refined quads on the limit surface with their corners; authored normals are ignored, as USD asks."""
    cage = _cage(opened, leaf, polygons)
    steps = _steps(opened, leaf, len(polygons.indices))
    refined = subdivide(cage, steps)
    points = refined.stencil @ polygons.points.astype(np.float64)
    flat = _corners(opened, leaf, polygons, request, with_normals=False)
    uv, color = (
        None if values is None else (refined.corner_stencil @ values).astype(np.float32)
        for values in (flat.uv, flat.color)
    )
    quad_count = len(refined.quads)
    hole = polygons.hole[refined.face]
    if cage.boundary == "none":
        hole = hole | _touches_boundary(polygons)[refined.face]
    fine = Polygons(
        points=points.astype(np.float32),
        counts=np.full(quad_count, 4),
        indices=refined.quads.ravel(),
        face=np.arange(quad_count),
        corner=np.arange(4 * quad_count),
        hole=hole,
        authored_face_count=quad_count,
        authored_corner_count=4 * quad_count,
    )
    normal = smooth_normals(points, refined).reshape(-1, 3)
    if leaf.prim.GetAttribute("orientation").Get() == "leftHanded":
        normal = -normal
    return fine, _Corners(normal, uv, color, flat.slot[refined.face])


def _steps(opened: OpenStage, leaf: Leaf, corner_count: int) -> int:
    """Return how often a cage is subdivided: as chosen, less for a dense cage, at least once."""
    wanted = opened.options.subdivision_level
    steps = wanted
    while steps > 1 and corner_count * 4 ** (steps - 1) > opened.options.subdivision_max_faces:
        steps -= 1
    if steps < wanted:
        opened.notes.add("approximated", leaf.path, f"dense cage: subdivided {steps} times instead of {wanted}")
    return steps


def _cage(opened: OpenStage, leaf: Leaf, polygons: Polygons) -> Cage:
    """Return the control mesh with its creases and corners; what does not fit the points is left out with a note."""
    prim, time = leaf.prim, opened.time
    count = len(polygons.points)
    crease, crease_sharpness = _creases(prim, time, count)
    corner = read_array(prim, "cornerIndices", time)
    corner_sharpness = read_array(prim, "cornerSharpnesses", time)
    if corner is None or corner_sharpness is None or len(corner) != len(corner_sharpness):
        corner = corner_sharpness = None
    elif len(corner) and (corner.min() < 0 or corner.max() >= count):
        opened.notes.add("repaired", leaf.path, "cornerIndices outside the points; sharp corners left out")
        corner = corner_sharpness = None
    if crease is None and "creaseIndices" in leaf.names and prim.GetAttribute("creaseIndices").Get(time):
        opened.notes.add("repaired", leaf.path, "creases do not fit together or the points; left out")
    return Cage(
        point_count=count,
        counts=polygons.counts,
        indices=polygons.indices,
        boundary=str(prim.GetAttribute("interpolateBoundary").Get(time) or "edgeAndCorner"),
        crease=crease,
        crease_sharpness=crease_sharpness,
        corner=None if corner is None else corner.astype(np.int64),
        corner_sharpness=None if corner_sharpness is None else corner_sharpness.astype(np.float64),
    )


def _creases(
    prim: Usd.Prim, time: Usd.TimeCode, point_count: int
) -> tuple[NDArray[np.int64] | None, NDArray[np.float64] | None]:
    """Return the edges [crease, 2] and sharpnesses of crease chains, or None twice."""
    indices = read_array(prim, "creaseIndices", time)
    lengths = read_array(prim, "creaseLengths", time)
    sharpness = read_array(prim, "creaseSharpnesses", time)
    if indices is None or lengths is None or sharpness is None or len(indices) == 0:
        return None, None
    if lengths.sum() != len(indices) or lengths.min() < 2 or indices.min() < 0 or indices.max() >= point_count:
        return None, None
    inside = np.ones(len(indices), bool)
    inside[np.cumsum(lengths) - 1] = False  # the last point of a chain begins no edge
    start = np.flatnonzero(inside)
    edge = np.stack([indices[start], indices[start + 1]], axis=-1).astype(np.int64)
    if len(sharpness) == len(lengths):
        return edge, np.repeat(sharpness, lengths - 1).astype(np.float64)
    if len(sharpness) == len(edge):
        return edge, sharpness.astype(np.float64)
    return None, None


def _touches_boundary(polygons: Polygons) -> NDArray[np.bool_]:
    """Return [face]: whether a face has a point on the boundary; `interpolateBoundary = none` does not draw these."""
    following = np.arange(len(polygons.indices)) + 1
    last = np.cumsum(polygons.counts) - 1
    following[last] = last - polygons.counts + 1
    ends = np.sort(np.stack([polygons.indices, polygons.indices[following]], axis=-1), axis=1)
    edge, use = np.unique(ends, axis=0, return_counts=True)
    on_boundary = np.zeros(len(polygons.points), bool)
    on_boundary[edge[use == 1]] = True
    face_of = np.repeat(np.arange(len(polygons.counts)), polygons.counts)
    return np.bincount(face_of, on_boundary[polygons.indices], len(polygons.counts)) > 0


def _triangles(opened: OpenStage, leaf: Leaf, polygons: Polygons, corners: _Corners) -> Mesh | None:
    corner, face = triangulate(polygons.points, polygons.counts, polygons.indices)
    if polygons.hole.any():
        drawn = ~polygons.hole[face]
        corner, face = corner[drawn], face[drawn]
    if len(corner) == 0:
        opened.notes.add("skipped", leaf.path, "mesh without a drawn face")
        return None
    if leaf.prim.GetAttribute("orientation").Get() == "leftHanded":
        corner = corner[:, ::-1]
    points, triangle = _used_points(polygons.points, polygons.indices[corner])
    return Mesh(
        name=leaf.path,
        points_m=(points.astype(np.float64) * opened.units.meters_per_unit).astype(np.float32),
        triangle=triangle.astype(np.int32),
        normal=None if corners.normal is None else _unit_normals(corners.normal[corner]),
        uv=None if corners.uv is None else np.ascontiguousarray(corners.uv[corner], np.float32),
        color=None if corners.color is None else np.ascontiguousarray(corners.color[corner], np.float32),
        slot=corners.slot[face],
        two_sided=bool(leaf.prim.GetAttribute("doubleSided").Get()),
    )


def _used_points(
    points: NDArray[np.float32], triangle: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the points that triangles use, and the triangles in their numbers; the others may not even be finite."""
    used = np.zeros(len(points), bool)
    used[triangle] = True
    if used.all():
        return points, triangle
    return points[used], (np.cumsum(used) - 1)[triangle]


def _unit_normals(normal: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return unit normals; None when one has no direction, so that the faces' own are used."""
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    if not (length > 1e-12).all():
        return None
    return (normal / length).astype(np.float32)


def _implicit(opened: OpenStage, leaf: Leaf) -> Mesh | None:
    """Return the triangles of an implicit gprim."""
    shape = _shape(leaf.prim, leaf.kind, opened.time)
    if shape is None or len(shape.triangle) == 0 or not np.isfinite(shape.points).all():
        opened.notes.add("skipped", leaf.path, f"{leaf.kind} with an unusable size")
        return None
    constant = inherited_color(opened, leaf)
    count = len(shape.triangle)
    return Mesh(
        name=leaf.path,
        points_m=(shape.points * opened.units.meters_per_unit).astype(np.float32),
        triangle=shape.triangle,
        normal=shape.normal,
        uv=None,
        color=None if constant is None else np.ascontiguousarray(np.broadcast_to(constant, (count, 3, 3))),
        slot=np.zeros(count, np.int32),
        two_sided=bool(leaf.prim.GetAttribute("doubleSided").Get()),
    )


def _shape(prim: Usd.Prim, kind: str, time: Usd.TimeCode) -> primitives.Shape | None:
    def value(name: str) -> float:
        return float(prim.GetAttribute(name).Get(time))

    axis = str(prim.GetAttribute("axis").Get(time)) if prim.GetAttribute("axis") else "Z"
    if axis not in ("X", "Y", "Z"):
        return None
    if kind == "Cube":
        return primitives.cube(value("size"))
    if kind == "Sphere":
        return primitives.sphere(value("radius"))
    if kind == "Plane":
        return primitives.plane(value("width"), value("length"), axis)
    if kind == "Cone":
        return primitives.cylinder((value("radius"), 0.0), value("height"), axis)
    radii = (value("radiusBottom"), value("radiusTop")) if kind.endswith("_1") else (value("radius"),) * 2
    if kind.startswith("Cylinder"):
        return primitives.cylinder((radii[0], radii[1]), value("height"), axis)
    return primitives.capsule((radii[0], radii[1]), value("height"), axis)
