"""Mesh prims and implicit shapes: what decides their triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.scene import primitives
from engine.scene.mesh import MeshSource
from engine.scene.model import Mesh
from engine.scene.polygons import Polygons, clean_polygons
from engine.scene.usd import OpenStage
from engine.scene.usd_primvar import (
    corner_values,
    read_array,
    read_primvar,
    st_attribute,
)
from engine.scene.usd_subdivision import cage_of, steps_of
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
class MeshRequest:
    """What decides the arrays of a mesh besides the prim itself."""

    slot_faces: tuple[NDArray[np.int64], ...]  # faces of slots 1, 2, ...; every other face is in slot 0
    slot_uv: tuple[str | None, ...]  # [slot], primvar that the slot's material reads; None: any


def read_source(opened: OpenStage, leaf: Leaf, request: MeshRequest) -> MeshSource | None:
    """Return everything that decides the triangles of a Mesh prim, or None with a note when nothing is drawn."""
    polygons = _polygons(opened, leaf)
    if polygons is None:
        return None
    prim = leaf.prim
    scheme = prim.GetAttribute("subdivisionScheme").Get()
    cage, steps = None, 0
    if scheme == "catmullClark" and opened.options.subdivision_level > 0:
        cage, steps = cage_of(opened, leaf, polygons), steps_of(opened, leaf, len(polygons.indices))
    elif scheme in ("loop", "catmullClark"):
        opened.notes.add("approximated", leaf.path, f"subdivision scheme {scheme}: the cage itself is drawn")
    normal = None
    name = next((n for n in ("primvars:normals", "normals") if n in leaf.names), None)
    if name is not None and scheme not in ("loop", "catmullClark"):  # subdivision surfaces ignore authored normals
        normal = _fitted(opened, leaf, name, polygons, (3,))
    return MeshSource(
        polygons=polygons,
        normal=normal,
        uv=_uv(opened, leaf, polygons, request),
        color=_color(opened, leaf, polygons),
        slot=_slots(polygons, request),
        cage=cage,
        steps=steps,
        left_handed=prim.GetAttribute("orientation").Get() == "leftHanded",
        two_sided=bool(prim.GetAttribute("doubleSided").Get()),
    )


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


@dataclass(frozen=True)
class ImplicitSource:
    """What decides the triangles of an implicit gprim, in stage units."""

    kind: str
    axis: str
    sizes: tuple[float, ...]  # in the order of `SIZES`
    color: tuple[float, ...] | None
    two_sided: bool


def read_implicit(opened: OpenStage, leaf: Leaf) -> ImplicitSource | None:
    """Return what decides an implicit gprim's triangles, or None with a note when its size is unusable."""
    prim = leaf.prim
    values = Values(opened, prim)
    sizes = tuple(values.number(name, 0.0) for name in SIZES[leaf.kind])
    axis = values.text("axis", "Z")
    if max(sizes) <= 0.0 or min(sizes) < 0.0 or axis not in ("X", "Y", "Z"):
        opened.notes.add("skipped", leaf.path, f"{leaf.kind} with an unusable size or axis")
        return None
    color = inherited_color(opened, leaf)
    if color is None and "primvars:displayColor" in leaf.names:
        opened.notes.add("skipped", leaf.path, "displayColor that varies over an implicit shape")
    two_sided = bool(prim.GetAttribute("doubleSided").Get())
    return ImplicitSource(leaf.kind, axis, sizes, None if color is None else tuple(color.tolist()), two_sided)


def build_implicit(source: ImplicitSource, name: str, meters_per_unit: float) -> Mesh:
    """Return the triangles of an implicit gprim in metres."""
    shape = _shape(source)
    count = len(shape.triangle)
    color = None
    if source.color is not None:
        color = np.ascontiguousarray(np.broadcast_to(np.array(source.color, np.float32), (count, 3, 3)))
    return Mesh(
        name=name,
        points_m=(shape.points * meters_per_unit).astype(np.float32),
        triangle=shape.triangle,
        normal=shape.normal,
        uv=None,
        color=color,
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
