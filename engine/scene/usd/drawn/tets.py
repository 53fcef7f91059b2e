"""TetMesh prims: the triangles of their surface."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from pxr import Tf, UsdGeom

from engine.scene.geometry.mesh import build_mesh
from engine.scene.geometry.mesh_source import MeshSource
from engine.scene.geometry.polygons import clean_polygons
from engine.scene.usd.drawn.color import COLOR, OPACITY
from engine.scene.usd.drawn.primvar import corner_values, read_array, read_primvar
from engine.scene.usd.drawn.reader import Drawn, MeshRequest
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.walk import Leaf


def read_tets(opened: OpenStage, leaf: Leaf, request: MeshRequest) -> Drawn | None:
    """Return the surface of a TetMesh: the authored one, else the faces that belong to one tetrahedron only."""
    points = read_array(leaf.prim, "points", opened.time)
    faces = _surface(opened, leaf)
    if points is None or faces is None or len(points) == 0 or len(faces) == 0:
        opened.notes.add("skipped", leaf.path, "TetMesh without points or a surface at this time")
        return None
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype.kind != "f":
        opened.notes.add("error", leaf.path, "points have the wrong type; TetMesh left out")
        return None
    counts = np.full(len(faces), 3)
    polygons, reasons = clean_polygons(points.astype(np.float32, copy=False), counts, faces.ravel(), None)
    for reason in reasons:
        opened.notes.add("repaired", leaf.path, reason)
    if len(polygons.counts) == 0:
        opened.notes.add("skipped", leaf.path, "TetMesh without a usable face")
        return None
    opened.notes.add("converted", leaf.path, "the surface of the TetMesh is drawn")
    values: dict[str, NDArray[np.float32] | None] = {"color": None, "opacity": None, "normal": None}
    wanted = [("color", COLOR, 3)] * (COLOR in request.varies) + [("opacity", OPACITY, 1)] * (OPACITY in request.varies)
    wanted += [("normal", n, 3) for n in ("normals", "primvars:normals") if n in leaf.names]
    for field, name, components in wanted:
        primvar = read_primvar(leaf.prim, name, opened.time, (components,), opened.notes)
        if primvar is not None:
            values[field] = corner_values(primvar, polygons)
    source = MeshSource(
        polygons=polygons,
        normal=values["normal"],
        uv=None,
        color=values["color"],
        opacity=values["opacity"],
        slot=np.zeros(len(polygons.counts), np.int32),
        cage=None,
        steps=0,
        left_handed=leaf.prim.GetAttribute("orientation").Get() == "leftHanded",
        two_sided=bool(leaf.prim.GetAttribute("doubleSided").Get()),
    )
    return Drawn(source.digest(), partial(build_mesh, source))


def _surface(opened: OpenStage, leaf: Leaf) -> NDArray[np.int64] | None:
    """Return the triangles [face, 3] of the surface."""
    faces = read_array(leaf.prim, "surfaceFaceVertexIndices", opened.time)
    if faces is not None and faces.ndim == 2 and faces.shape[1] == 3 and faces.dtype.kind in "iu":
        return faces.astype(np.int64)
    tets = read_array(leaf.prim, "tetVertexIndices", opened.time)
    if tets is None or tets.ndim != 2 or tets.shape[1] != 4 or tets.dtype.kind not in "iu":
        return None
    try:
        found = UsdGeom.TetMesh.ComputeSurfaceFaces(UsdGeom.TetMesh(leaf.prim), opened.time)
    except Tf.ErrorException:
        return None
    return np.array(found, np.int64).reshape(-1, 3)
