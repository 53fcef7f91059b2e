"""Mesh prims: what decides their triangles."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from engine.scene.mesh import build_mesh
from engine.scene.mesh_source import MeshSource
from engine.scene.polygons import Polygons, clean_polygons
from engine.scene.usd import OpenStage
from engine.scene.usd_drawn import Drawn, MeshRequest
from engine.scene.usd_inherit import Chain, inherited_primvar
from engine.scene.usd_primvar import (
    corner_values,
    read_array,
    read_primvar,
    st_attribute,
)
from engine.scene.usd_subdivision import subdivision_of
from engine.scene.usd_walk import Leaf


def read_mesh(opened: OpenStage, leaf: Leaf, request: MeshRequest) -> Drawn | None:
    """Return what a Mesh prim draws, or None with a note when nothing is drawn."""
    source = read_source(opened, leaf, request)
    return None if source is None else Drawn(source.digest(), partial(build_mesh, source))


def read_source(opened: OpenStage, leaf: Leaf, request: MeshRequest) -> MeshSource | None:
    """Return everything that decides the triangles of a Mesh prim, or None with a note when nothing is drawn."""
    polygons = _polygons(opened, leaf)
    if polygons is None:
        return None
    prim = leaf.prim
    scheme = prim.GetAttribute("subdivisionScheme").Get()
    cage, steps = subdivision_of(opened, leaf, polygons, scheme)
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
    name = "primvars:displayColor"
    chain = leaf.state.primvars
    source = inherited_primvar(Chain(chain, leaf.prim, leaf.names) if name in leaf.names else chain, name)
    if source is None:
        return None
    primvar = read_primvar(source, name, opened.time, (3,), opened.notes)
    if primvar is None or len(primvar.values) == 0:
        return None
    return primvar.values[0]


def _slots(polygons: Polygons, request: MeshRequest) -> NDArray[np.int32]:
    """Return the slot of every kept face."""
    slot = np.zeros(polygons.authored_face_count, np.int32)
    for index, faces in enumerate(request.slot_faces, start=1):
        slot[faces[(faces >= 0) & (faces < len(slot))]] = index
    return slot[polygons.face]
