"""Points as spheres: one shared sphere with a placement for each, or one mesh of octahedra where they are many."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.scene.geometry import primitives
from engine.scene.geometry.polygons import FARTHEST
from engine.scene.model import Mesh
from engine.scene.usd.drawn.color import COLOR, OPACITY
from engine.scene.usd.drawn.primvar import read_array, read_primvar
from engine.scene.usd.drawn.reader import Drawn, MeshRequest
from engine.scene.usd.inherit import inherited_primvar
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.walk import Leaf

MAX_SPHERES = 20_000  # placements of one prim; more points become octahedra of one mesh
MAX_OCTAHEDRA = 500_000  # 8 triangles each; of more points every n-th is drawn
THIN = 1.0 / 500.0  # width over the diagonal of the prim's box, where no widths are authored
SPHERE_SIDES, SPHERE_RINGS = 24, 12  # chord error 0.9 % of the radius
OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
OCTANTS = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])


@dataclass(frozen=True)
class PointSource:
    """What decides the octahedra of a Points prim, in stage units."""

    point: NDArray[np.float64]  # [point, 3]
    radius: NDArray[np.float64]  # [point]
    color: NDArray[np.float32] | None  # [point, 3]
    opacity: NDArray[np.float32] | None  # [point, 1]

    def digest(self) -> bytes:
        """Return a hash of everything."""
        content = hashlib.blake2b(repr([name for name, v in vars(self).items() if v is not None]).encode())
        for value in vars(self).values():
            content.update(b"" if value is None else np.ascontiguousarray(value).tobytes())
        return content.digest()


def read_points(opened: OpenStage, leaf: Leaf, request: MeshRequest) -> Drawn | None:
    """Return what a Points prim draws, or None with a note."""
    points = read_array(leaf.prim, "points", opened.time)
    if points is None or len(points) == 0:
        opened.notes.add("skipped", leaf.path, "Points without points at this time")
        return None
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype.kind != "f":
        opened.notes.add("error", leaf.path, "points have the wrong type; left out")
        return None
    points = points.astype(np.float64)
    count = len(points)
    finite = (np.abs(points) < FARTHEST).all(axis=1)
    if not finite.any():
        opened.notes.add("error", leaf.path, "no point is finite and within reach; left out")
        return None
    radius = _radius(opened, leaf, points[finite], count)
    keep = finite & (radius > 0.0)
    if not keep.all():
        opened.notes.add("repaired", leaf.path, f"{int((~keep).sum())} points without a place or a width were left out")
    color = _each(opened, leaf, COLOR, 3, count) if COLOR in request.varies else None
    opacity = _each(opened, leaf, OPACITY, 1, count) if OPACITY in request.varies else None
    chosen = np.flatnonzero(keep)
    if len(chosen) == 0:
        return None
    if len(chosen) <= MAX_SPHERES:
        opened.notes.add("converted", leaf.path, f"{len(chosen)} points drawn as spheres")
        return _spheres(points[chosen], radius[chosen], _taken(color, chosen), _taken(opacity, chosen))
    stride = -(-len(chosen) // MAX_OCTAHEDRA)
    chosen = chosen[::stride]
    some = f", every {stride}. one" if stride > 1 else ""
    opened.notes.add("approximated", leaf.path, f"{len(chosen)} points drawn as octahedra{some}")
    source = PointSource(points[chosen], radius[chosen], _taken(color, chosen), _taken(opacity, chosen))
    return Drawn(source.digest(), partial(build_octahedra, source))


def _taken(values: NDArray[np.float32] | None, chosen: NDArray[np.int64]) -> NDArray[np.float32] | None:
    return None if values is None else values[chosen]


def _spheres(
    points: NDArray[np.float64],
    radius: NDArray[np.float64],
    color: NDArray[np.float32] | None,
    opacity: NDArray[np.float32] | None,
) -> Drawn:
    copies = np.zeros((len(points), 4, 4))
    copies[:, [0, 1, 2], [0, 1, 2]] = radius[:, None]
    copies[:, 3, :3] = points
    copies[:, 3, 3] = 1.0
    tint = None
    if color is not None or opacity is not None:
        tint = np.ones((len(points), 4), np.float32)
        tint[:, :3] = 1.0 if color is None else color
        tint[:, 3:] = 1.0 if opacity is None else opacity
    return Drawn("unit sphere of Points", _build_sphere, copies, tint)


def _build_sphere(name: str, meters_per_unit: float) -> Mesh:
    """Return the sphere of radius 1 stage unit."""
    shape = primitives.sphere(1.0, sides=SPHERE_SIDES, rings=SPHERE_RINGS)
    return primitives.as_mesh(shape, name, meters_per_unit, two_sided=False)


def build_octahedra(source: PointSource, name: str, meters_per_unit: float) -> Mesh:
    """Return one octahedron around every point, in metres."""
    count = len(source.point)
    point = source.point[:, None] + source.radius[:, None, None] * OCTAHEDRON
    triangle = (6 * np.arange(count)[:, None, None] + OCTANTS).reshape(-1, 3)
    owner = np.repeat(np.arange(count), 8)
    color = None if source.color is None else np.repeat(source.color[owner, None], 3, axis=1)
    opacity = None if source.opacity is None else np.repeat(source.opacity[owner], 3, axis=1)
    return Mesh(
        name=name,
        points_m=(point.reshape(-1, 3) * meters_per_unit).astype(np.float32),
        triangle=triangle.astype(np.int32),
        normal=None,
        uv=None,
        color=None if color is None else np.ascontiguousarray(color, np.float32),
        slot=np.zeros(len(triangle), np.int32),
        two_sided=False,
        opacity=None if opacity is None else np.ascontiguousarray(opacity, np.float32),
    )


def _radius(opened: OpenStage, leaf: Leaf, finite: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return half the width of every point; a thin one, with a note, where no widths are authored."""
    name = next((n for n in ("primvars:widths", "widths") if n in leaf.names), None)
    widths = None if name is None else _each(opened, leaf, name, 1, count)
    if widths is not None:
        return 0.5 * widths[:, 0].astype(np.float64)
    width = float(np.linalg.norm(np.ptp(finite, axis=0))) * THIN or 1.0
    opened.notes.add("approximated", leaf.path, f"no usable widths: {width:.3g} stage units were used")
    return np.full(count, 0.5 * width)


def _each(opened: OpenStage, leaf: Leaf, name: str, components: int, count: int) -> NDArray[np.float32] | None:
    """Return a primvar [point, component], or None with a note when its length does not fit."""
    source = leaf.prim if name in leaf.names else inherited_primvar(leaf.state.primvars, name)
    primvar = None if source is None else read_primvar(source, name, opened.time, (components,), opened.notes)
    if primvar is None:
        return None
    values = primvar.values
    if len(values) == count:
        return values
    if len(values) == 1 or primvar.interpolation in ("constant", "uniform"):
        return np.broadcast_to(values[0], (count, components))
    opened.notes.add("skipped", leaf.path, f"{name} has {len(values)} values for {count} points")
    return None
