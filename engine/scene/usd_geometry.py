"""Meshes and placements of a stage: every drawn prim read once, equal meshes kept once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pxr import Usd, UsdGeom

from engine.scene.model import Mesh, Placements
from engine.scene.usd import OpenStage
from engine.scene.usd_drawn import Drawn, MeshRequest
from engine.scene.usd_implicit import read_implicit
from engine.scene.usd_instancer import Spread
from engine.scene.usd_material import NOT_TRANSPARENT, MaterialTable, Surface
from engine.scene.usd_mesh import inherited_color, read_mesh
from engine.scene.usd_walk import DRAWN, IMPLICIT, Leaf

Reader = Callable[[OpenStage, Leaf, MeshRequest], Drawn | None]  # None: nothing is drawn, and a note says why
READERS: dict[str, Reader] = {"Mesh": read_mesh, **dict.fromkeys(IMPLICIT, read_implicit)}
assert READERS.keys() == set(DRAWN)
SINGULAR = 1.0e-9  # volume of the three axes over that of a box with such edges, below which a placement is flat


@dataclass
class _Rows:
    """Placements while they are collected."""

    mesh: list[int]
    owner: list[int]
    first_slot: list[int]
    matrix: list[NDArray[np.float64]]  # [place, 3, 4] each
    slot_material: list[int]
    prim: list[str]


class GeometryTable:
    """Meshes and placements; equal meshes and equal rows of materials are kept once."""

    def __init__(self, opened: OpenStage, materials: MaterialTable) -> None:
        self._opened = opened
        self._materials = materials
        self._mesh_of_request: dict[object, tuple[int | None, Drawn | None]] = {}
        self._mesh_of_content: dict[Hashable, int | None] = {}
        self._first_slot: dict[tuple[int, ...], int] = {}
        self._rows = _Rows([], [], [], [], [], [])
        self.meshes: list[Mesh] = []

    def build(self, spreads: list[Spread]) -> tuple[Placements, list[Mesh]]:
        """Return the placements (whose instances are still indices of owners) and the meshes."""
        subsets = [material_subsets(spread.leaf.prim, self._opened.time) for spread in spreads]
        prims = [spread.leaf.prim for spread in spreads]
        inner = [prim for group in subsets for prim, _ in group]
        bound = self._materials.bound(prims + inner)
        own, rest = bound[: len(prims)], iter(bound[len(prims) :])
        for spread, material, group in zip(spreads, own, subsets, strict=True):
            surfaces = [self._materials.surface(material)] + [self._materials.surface(next(rest)) for _ in group]
            self._add(spread, surfaces, [faces for _, faces in group])
        rows = self._rows
        placements = Placements(
            mesh=np.array(rows.mesh, np.int32),
            instance=np.array(rows.owner, np.int32),
            first_slot=np.array(rows.first_slot, np.int32),
            slot_material=np.array(rows.slot_material, np.int32),
            world_from_mesh=np.concatenate(rows.matrix) if rows.matrix else np.zeros((0, 3, 4)),
            prim=tuple(rows.prim),
        )
        return placements, self.meshes

    def _add(self, spread: Spread, surfaces: list[Surface | None], faces: list[NDArray[np.int64]]) -> None:
        leaf = spread.leaf
        world = self._opened.units.world_from_local(spread.matrix)
        usable = np.asarray(np.isfinite(world).all(axis=(1, 2)))
        axes = world[usable, :, :3]
        usable[usable] = np.abs(np.linalg.det(axes)) > SINGULAR * np.linalg.norm(axes, axis=1).prod(axis=1)
        if not usable.all():
            self._opened.notes.add("skipped", leaf.path, "its transform is singular or not finite")
        if not usable.any():
            return
        mesh, drawn = self._mesh(leaf, surfaces, faces)
        if mesh is None or drawn is None:
            return
        first_slot = self._slots(leaf, surfaces)
        rows = self._rows
        owner = [owner for owner, keep in zip(spread.owner, usable, strict=True) if keep]
        if drawn.copies is None:
            world = world[usable]
        else:
            copies = drawn.copies @ spread.matrix[usable][:, None]
            world = self._opened.units.world_from_local(copies.reshape(-1, 4, 4))
            owner = np.repeat(owner, len(drawn.copies)).tolist()
        count = len(world)
        rows.mesh += [mesh] * count
        rows.prim += [leaf.path] * count
        rows.first_slot += [first_slot] * count
        rows.owner += owner
        rows.matrix.append(world)

    def _mesh(
        self, leaf: Leaf, surfaces: list[Surface | None], faces: list[NDArray[np.int64]]
    ) -> tuple[int | None, Drawn | None]:
        uv = tuple(surface.uv if surface else None for surface in surfaces)
        prim = leaf.prim.GetPrimInPrototype() if leaf.prim.IsInstanceProxy() else leaf.prim
        constant = None if "primvars:displayColor" in leaf.names else inherited_color(self._opened, leaf)
        color = None if constant is None else constant.tobytes()
        key = (prim.GetPath(), uv, color, len(faces))
        if key not in self._mesh_of_request:
            self._mesh_of_request[key] = self._read(leaf, MeshRequest(tuple(faces), uv))
        return self._mesh_of_request[key]

    def _read(self, leaf: Leaf, request: MeshRequest) -> tuple[int | None, Drawn | None]:
        """Return the index of a prim's mesh and its copies; a prim with the same arrays as an earlier one shares it."""
        drawn = READERS[leaf.kind](self._opened, leaf, request)
        if drawn is None:
            return None, None
        if drawn.key not in self._mesh_of_content:
            mesh = drawn.build(leaf.path, self._opened.units.meters_per_unit)
            self._mesh_of_content[drawn.key] = None if mesh is None else len(self.meshes)
            if mesh is not None:
                self.meshes.append(mesh)
        index = self._mesh_of_content[drawn.key]
        if index is None:
            self._opened.notes.add("skipped", leaf.path, f"{leaf.kind} without a drawn face")
        return index, drawn

    def _slots(self, leaf: Leaf, surfaces: list[Surface | None]) -> int:
        """Return where the materials of a placement begin in `slot_material`."""
        indices = []
        for surface in surfaces:
            if surface is not None:
                indices.append(self._materials.index(surface, leaf.prim))
            else:
                indices.append(self._stand_in(leaf))
        key = tuple(indices)
        if key not in self._first_slot:
            self._first_slot[key] = len(self._rows.slot_material)
            self._rows.slot_material += indices
        return self._first_slot[key]

    def _stand_in(self, leaf: Leaf) -> int:
        """Return the material of a prim without a usable one: its displayColor and displayOpacity, else grey."""
        if "material:binding" in leaf.names and not self._materials.bound([leaf.prim])[0]:
            self._opened.notes.add("error", leaf.path, "its material does not exist; displayColor is used")
        has_color = "primvars:displayColor" in leaf.names or inherited_color(self._opened, leaf) is not None
        opacity = 1.0
        if "primvars:displayOpacity" in leaf.names:
            value = leaf.prim.GetAttribute("primvars:displayOpacity").Get(self._opened.time)
            if value is not None and len(value) == 1:
                opacity = float(value[0])
            elif value is not None:
                self._opened.notes.add("approximated", leaf.path, "displayOpacity that varies over the mesh is ignored")
        if opacity < 1.0:
            self._opened.notes.add("approximated", leaf.path, NOT_TRANSPARENT)
        if not has_color and opacity == 1.0:
            return 0
        material = self._materials.display_color(leaf.path, opacity)
        return self._materials.intern(material)


def material_subsets(prim: Usd.Prim, time: Usd.TimeCode) -> list[tuple[Usd.Prim, NDArray[np.int64]]]:
    """Return the face subsets of a mesh that may bind a material, in namespace order, with their faces."""
    if prim.GetTypeName() != "Mesh":
        return []
    found = []
    for child in prim.GetFilteredChildren(Usd.TraverseInstanceProxies()):
        if child.GetTypeName() != "GeomSubset":
            continue
        subset = UsdGeom.Subset(child)
        binds = child.HasRelationship("material:binding") or subset.GetFamilyNameAttr().Get() == "materialBind"
        indices = subset.GetIndicesAttr().Get(time)
        if binds and subset.GetElementTypeAttr().Get() == "face" and indices is not None and len(indices):
            found.append((child, np.array(indices, np.int64)))
    return found
