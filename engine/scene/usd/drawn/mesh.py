"""Mesh prims: what decides their triangles."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pxr import Usd

from engine.scene.geometry.mesh import build_mesh
from engine.scene.geometry.mesh_source import MeshSource
from engine.scene.geometry.polygons import Polygons, clean_polygons
from engine.scene.usd.drawn.color import COLOR, OPACITY
from engine.scene.usd.drawn.primvar import USUAL_ST, corner_values, read_array, read_primvar, st_attribute
from engine.scene.usd.drawn.reader import Drawn, MeshRequest
from engine.scene.usd.drawn.subdivision import subdivision_of
from engine.scene.usd.inherit import inherited_primvar
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.walk import Leaf

FREE = "faceVarying"  # interpolation of values that differ at every corner


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
    kinds: dict[str, str] = {}
    fitted = partial(_fitted, opened, leaf, polygons, kinds)
    normal = None
    name = next((n for n in ("primvars:normals", "normals") if n in leaf.names), None)
    if name is not None and scheme not in ("loop", "catmullClark"):  # subdivision surfaces ignore authored normals
        normal = fitted("normal", name, (3,))
    slot = _slots(opened, leaf, polygons, request)
    slot_of_corner = np.repeat(slot, polygons.counts)
    uv = _uv(opened, leaf, request.slot_uv, slot_of_corner, partial(fitted, "uv"))
    uv2 = None
    if any(request.slot_uv2):
        uv2 = _uv(opened, leaf, request.slot_uv2, slot_of_corner, partial(fitted, "uv2"))
    return MeshSource(
        polygons=polygons,
        normal=normal,
        uv=uv,
        color=fitted("color", COLOR, (3,)) if COLOR in request.varies else None,
        slot=slot,
        cage=cage,
        steps=steps,
        left_handed=prim.GetAttribute("orientation").Get() == "leftHanded",
        two_sided=bool(prim.GetAttribute("doubleSided").Get()),
        uv2=uv2,
        opacity=fitted("opacity", OPACITY, (1,)) if OPACITY in request.varies else None,
        interpolation=kinds,
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
    opened: OpenStage,
    leaf: Leaf,
    polygons: Polygons,
    kinds: dict[str, str],
    field: str,
    name: str,
    components: tuple[int, ...],
) -> NDArray[np.float32] | None:
    """Return a primvar at every corner, or None with a note when its length does not fit.

    Without one of its own, a prim gets the constant one of an ancestor. `kinds` receives the interpolation; values of
    several kinds in one field count as faceVarying.
    """
    source: Usd.Prim | None = leaf.prim
    if name not in leaf.names:
        source = inherited_primvar(leaf.state.primvars, name)
    primvar = None if source is None else read_primvar(source, name, opened.time, components, opened.notes)
    if primvar is None:
        return None
    values = corner_values(primvar, polygons)
    if values is None:
        opened.notes.add(
            "skipped", leaf.path, f"{name} has {len(primvar.values)} values, not what {primvar.interpolation} needs"
        )
        return None
    kinds[field] = primvar.interpolation if kinds.get(field, primvar.interpolation) == primvar.interpolation else FREE
    return values


def _uv(
    opened: OpenStage,
    leaf: Leaf,
    slot_uv: tuple[str | None, ...],
    slot_of_corner: NDArray[np.int32],
    fitted: Callable[[str, tuple[int, ...]], NDArray[np.float32] | None],
) -> NDArray[np.float32] | None:
    """Return the texture coordinates at every corner; each slot's own set where materials read different ones."""
    by_name: dict[str, NDArray[np.float32] | None] = {}
    chosen: list[NDArray[np.float32] | None] = []
    for wanted in slot_uv:
        name, exact = _st(leaf, wanted)
        if not exact and wanted is not None:
            found = f"; {name} was used" if name else " and there is no other"
            opened.notes.add(
                "repaired" if name else "skipped",
                leaf.path,
                f"the material reads primvar '{wanted}', which is missing{found}",
            )
        if name is not None and name not in by_name:
            by_name[name] = fitted(name, (2, 3))
        chosen.append(by_name[name] if name is not None else None)
    first = next((uv for uv in chosen if uv is not None), None)
    if first is None or len(by_name) < 2:
        return first
    uv = np.array(first)
    for index, values in enumerate(chosen):
        if values is not None:
            uv[slot_of_corner == index] = values[slot_of_corner == index]
    return uv


def _st(leaf: Leaf, wanted: str | None) -> tuple[str | None, bool]:
    """Return the attribute of the texture coordinates, own or inherited, and whether it is the wanted one."""
    chain = leaf.state.primvars
    own = wanted is not None and f"primvars:{wanted}" in leaf.names
    if wanted is not None and not own and inherited_primvar(chain, f"primvars:{wanted}") is not None:
        return f"primvars:{wanted}", True
    name, exact = st_attribute(leaf.prim, leaf.names, wanted)
    if name is None and chain is not None:
        name = next((each for each in USUAL_ST if inherited_primvar(chain, each) is not None), None)
    return name, exact


def _slots(opened: OpenStage, leaf: Leaf, polygons: Polygons, request: MeshRequest) -> NDArray[np.int32]:
    """Return the slot of every kept face."""
    slot = np.zeros(polygons.authored_face_count, np.int32)
    for index, faces in enumerate(request.slot_faces, start=1):
        there = (faces >= 0) & (faces < len(slot))
        if not there.all():
            opened.notes.add("repaired", leaf.path, "faces of a GeomSubset that the mesh does not have were left out")
        slot[faces[there]] = index
    return slot[polygons.face]
