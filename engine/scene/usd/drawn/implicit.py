"""Implicit shapes: what decides their triangles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from engine.scene.geometry import primitives
from engine.scene.model import Mesh
from engine.scene.usd.drawn.color import COLOR, OPACITY
from engine.scene.usd.drawn.primvar import read_primvar
from engine.scene.usd.drawn.reader import Drawn, MeshRequest
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.value import Values
from engine.scene.usd.walk import Leaf

SIZES = {  # attributes of implicit gprims
    "Cube": ("size",),
    "Sphere": ("radius",),
    "Plane": ("width", "length"),
    "Cone": ("height", "radius"),
    "Cylinder": ("height", "radius"),
    "Cylinder_1": ("height", "radiusBottom", "radiusTop"),
    "Capsule": ("height", "radius"),
    "Capsule_1": ("height", "radiusBottom", "radiusTop"),
}


@dataclass(frozen=True)
class ImplicitSource:
    """What decides the triangles of an implicit gprim, in stage units."""

    kind: str
    axis: str
    sizes: tuple[float, ...]  # in the order of `SIZES`
    two_sided: bool
    color: tuple[float, ...] | None = None  # the mean of one that varies
    opacity: float | None = None


def read_implicit(opened: OpenStage, leaf: Leaf, request: MeshRequest) -> Drawn | None:
    """Return what an implicit gprim draws, or None with a note when its size is unusable."""
    prim = leaf.prim
    values = Values(opened, prim)
    sizes = tuple(values.number(name, 0.0) for name in SIZES[leaf.kind])
    axis = values.text("axis", "Z")
    if max(sizes) <= 0.0 or min(sizes) < 0.0 or axis not in ("X", "Y", "Z"):
        opened.notes.add("skipped", leaf.path, f"{leaf.kind} with an unusable size or axis")
        return None
    if any(request.slot_uv):
        opened.notes.add("approximated", leaf.path, f"{leaf.kind} has no texture coordinates: natural ones are used")
    color, opacity = _mean(opened, leaf, COLOR, 3, request), _mean(opened, leaf, OPACITY, 1, request)
    two_sided = bool(prim.GetAttribute("doubleSided").Get())
    source = ImplicitSource(leaf.kind, axis, sizes, two_sided, color, None if opacity is None else opacity[0])
    return Drawn(source, partial(build_implicit, source))


def build_implicit(source: ImplicitSource, name: str, meters_per_unit: float) -> Mesh:
    """Return the triangles of an implicit gprim in metres."""
    return primitives.as_mesh(
        _shape(source),
        name,
        meters_per_unit,
        two_sided=source.two_sided,
        color=source.color,
        opacity=source.opacity,
    )


def _mean(opened: OpenStage, leaf: Leaf, name: str, components: int, request: MeshRequest) -> tuple[float, ...] | None:
    """Return the mean of a primvar that varies: USD does not say where on an implicit shape its values belong."""
    if name not in request.varies:
        return None
    primvar = read_primvar(leaf.prim, name, opened.time, (components,), opened.notes)
    if primvar is None:
        return None
    opened.notes.add("approximated", leaf.path, f"{name} that varies over a {leaf.kind}: its mean is used")
    return tuple(primvar.values.mean(axis=0).tolist())


def _shape(source: ImplicitSource) -> primitives.Shape:
    kind, sizes, axis = source.kind, source.sizes, source.axis
    if kind == "Cube":
        return primitives.cube(sizes[0])
    if kind == "Sphere":
        return primitives.sphere(sizes[0])
    if kind == "Plane":
        return primitives.plane(sizes[0], sizes[1], axis)
    if kind == "Cone":
        return primitives.cylinder((sizes[1], 0.0), sizes[0], axis)
    radii = (sizes[1], sizes[2] if kind.endswith("_1") else sizes[1])
    if kind.startswith("Cylinder"):
        return primitives.cylinder(radii, sizes[0], axis)
    return primitives.capsule(radii, sizes[0], axis)
