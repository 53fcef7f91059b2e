"""Implicit shapes: what decides their triangles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from engine.scene import primitives
from engine.scene.model import Mesh
from engine.scene.usd import OpenStage
from engine.scene.usd_drawn import Drawn, MeshRequest
from engine.scene.usd_value import Values
from engine.scene.usd_walk import Leaf

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


def read_implicit(opened: OpenStage, leaf: Leaf, request: MeshRequest) -> Drawn | None:
    """Return what an implicit gprim draws, or None with a note when its size is unusable."""
    prim = leaf.prim
    values = Values(opened, prim)
    sizes = tuple(values.number(name, 0.0) for name in SIZES[leaf.kind])
    axis = values.text("axis", "Z")
    if max(sizes) <= 0.0 or min(sizes) < 0.0 or axis not in ("X", "Y", "Z"):
        opened.notes.add("skipped", leaf.path, f"{leaf.kind} with an unusable size or axis")
        return None
    for name in request.varies:
        opened.notes.add("skipped", leaf.path, f"{name} that varies over an implicit shape")
    two_sided = bool(prim.GetAttribute("doubleSided").Get())
    source = ImplicitSource(leaf.kind, axis, sizes, two_sided)
    return Drawn(source, partial(build_implicit, source))


def build_implicit(source: ImplicitSource, name: str, meters_per_unit: float) -> Mesh:
    """Return the triangles of an implicit gprim in metres."""
    shape = _shape(source)
    count = len(shape.triangle)
    return Mesh(
        name=name,
        points_m=(shape.points * meters_per_unit).astype(np.float32),
        triangle=shape.triangle,
        normal=shape.normal,
        uv=None,
        color=None,
        slot=np.zeros(count, np.int32),
        two_sided=source.two_sided,
    )


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
