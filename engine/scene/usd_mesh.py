"""Mesh prims and implicit shapes: what decides their triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pxr import Usd

from engine.scene import primitives
from engine.scene.mesh import MeshSource
from engine.scene.model import Mesh
from engine.scene.polygons import Polygons, clean_polygons
from engine.scene.subdivide import Cage
from engine.scene.usd import OpenStage
from engine.scene.usd_primvar import (
    corner_values,
    read_array,
    read_primvar,
    st_attribute,
)
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
        cage, steps = _cage(opened, leaf, polygons), _steps(opened, leaf, len(polygons.indices))
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
    elif len(corner) and (corner.min() < 0 or corner.max() >= count or not np.isfinite(corner_sharpness).all()):
        opened.notes.add("repaired", leaf.path, "sharp corners do not fit the points or are not finite; left out")
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
    if (
        not np.isfinite(sharpness).all()
        or lengths.sum() != len(indices)
        or lengths.min() < 2
        or indices.min() < 0
        or indices.max() >= point_count
    ):
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
