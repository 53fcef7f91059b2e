"""Meshes and placements of a stage: every drawn prim read once, equal meshes kept once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pxr import Usd, UsdGeom

from engine.scene.error import SceneError
from engine.scene.geometry.mesh_pool import MeshPool
from engine.scene.geometry.polygons import FARTHEST
from engine.scene.model import Mesh, Placements
from engine.scene.usd.drawn.batch import RawMesh, RawReader, Twins, build_raw_meshes
from engine.scene.usd.drawn.color import NOTHING, Display, DisplayTable
from engine.scene.usd.drawn.curves import read_curves
from engine.scene.usd.drawn.implicit import read_implicit
from engine.scene.usd.drawn.mesh import read_mesh
from engine.scene.usd.drawn.points import read_points
from engine.scene.usd.drawn.primvar import UNLIKE_ST
from engine.scene.usd.drawn.reader import Drawn, MeshRequest
from engine.scene.usd.drawn.slots import Slots
from engine.scene.usd.drawn.tets import read_tets
from engine.scene.usd.elements import with_elements
from engine.scene.usd.inherit import Chain
from engine.scene.usd.instancer import Spread
from engine.scene.usd.kept import Kept
from engine.scene.usd.look.bind import Bindings
from engine.scene.usd.look.material import MaterialTable, Surface
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.walk import DRAWN, IMPLICIT, Leaf

Reader = Callable[[OpenStage, Leaf, MeshRequest], Drawn | None]  # None: nothing is drawn, and a note says why
READERS: dict[str, Reader] = {
    "Mesh": read_mesh,
    "TetMesh": read_tets,
    "BasisCurves": read_curves,
    "NurbsCurves": read_curves,
    "Points": read_points,
    **dict.fromkeys(IMPLICIT, read_implicit),
}
assert READERS.keys() == DRAWN
SINGULAR = 1.0e-9  # volume of the three axes over that of a box with such edges, below which a placement is flat


class _Use(NamedTuple):
    """A drawn prim where it stands, with its looks."""

    spread: Spread
    standing: NDArray[np.bool_] | None  # [place], False: left out; None: all stand
    world: NDArray[np.float64]  # [place, 3, 4], of all places
    surfaces: tuple[Surface | None, ...]  # [slot]
    faces: tuple[NDArray[np.int64], ...]  # of slots 1, 2, ...
    display: Display


class _Found(NamedTuple):
    """What a prim draws."""

    mesh: int | None
    drawn: Drawn | None = None  # None: just the mesh


class GeometryTable:
    """Meshes and placements; equal meshes and equal rows of materials are kept once."""

    def __init__(
        self, opened: OpenStage, materials: MaterialTable, with_subsets: set[str], kept: Kept | None = None
    ) -> None:
        """Read drawn prims; `with_subsets` are the paths of those that have GeomSubsets, `kept` what frames share."""
        self._kept = kept
        self._opened = opened
        self._materials = materials
        self._with_subsets = with_subsets
        self._bindings = Bindings(opened, materials)
        self._displays = DisplayTable(opened)
        self._slots = Slots(materials)
        self._raw = RawReader(opened)
        self._twins = Twins()
        self._index_of_key: dict[Hashable, int | None] = {}
        self._has_instances = bool(opened.stage.GetPrototypes())
        self._pool = MeshPool()

    def build(self, spreads: list[Spread]) -> tuple[Placements, list[Mesh]]:
        """Return the placements (whose instances are still indices of owners) and the meshes."""
        uses = self._uses(spreads)
        mesh, first_slot, owner, prim, tints = [], [], [], [], []
        matrix: list[NDArray[np.float64]] = [np.zeros((0, 3, 4))]
        for use, (index, drawn) in zip(uses, self._found(uses), strict=True):
            if index is None:
                continue
            world, owners, tint = self._places(use, drawn)
            count, leaf = len(world), use.spread.leaf
            mesh += [index] * count
            first_slot += [self._slots.of(leaf, use.surfaces, use.display)] * count
            owner += owners
            prim += [leaf.path] * count
            matrix.append(world)
            tints.append(tint)
        placements = Placements(
            mesh=np.array(mesh, np.int32),
            instance=np.array(owner, np.int32),
            first_slot=np.array(first_slot, np.int32),
            slot_material=np.array(self._slots.material, np.int32),
            world_from_mesh=np.concatenate(matrix),
            color=_all_tints(tints, matrix[1:]),
            prim=tuple(prim),
        )
        return placements, self._pool.meshes

    def _places(
        self, use: _Use, drawn: Drawn | None
    ) -> tuple[NDArray[np.float64], list[int], NDArray[np.float64] | None]:
        """Return the transform [place, 3, 4], the owner and the tint [place or 1, 4] of all that a use places."""
        spread, world, owners = use.spread, use.world, use.spread.owner
        if use.standing is None and use.display is NOTHING and (drawn is None or drawn.copies is None):
            return world, owners, None
        tint = None if use.display is NOTHING else np.array([use.display.constant])
        standing = slice(None) if use.standing is None else use.standing
        if spread.color is not None:
            chosen = spread.color[standing]
            tint = np.where(np.isnan(chosen), np.array([use.display.constant]), chosen)
        if use.standing is not None:
            world = world[use.standing]
            owners = [each for each, keep in zip(owners, use.standing, strict=True) if keep]
        if drawn is not None and drawn.copies is not None:
            self._check_count(spread, len(drawn.copies))
            copies = drawn.copies @ spread.matrix[standing][:, None]
            world = self._opened.units.world_from_local(copies.reshape(-1, 4, 4))
            if drawn.copy_color is not None:
                tint = np.tile(drawn.copy_color, (len(owners), 1))
            elif tint is not None and len(tint) > 1:
                tint = np.repeat(tint, len(drawn.copies), axis=0)
            owners = np.repeat(owners, len(drawn.copies)).tolist()
        return world, owners, tint

    def _check_count(self, spread: Spread, copies: int) -> None:
        total, limit = copies * len(spread.owner), self._opened.options.max_placements
        if total > limit:
            raise SceneError(
                f"scene '{self._opened.path}': {spread.leaf.path} unfolds into {total} placements, the limit is "
                f"{limit}; use fewer points or elements, or raise max_placements"
            )

    def _uses(self, spreads: list[Spread]) -> list[_Use]:
        """Return the prims that stand somewhere, with what they are bound to."""
        world = self._opened.units.world_from_local(np.concatenate([np.zeros((0, 4, 4)), *(s.matrix for s in spreads)]))
        standing = _standing(world)
        all_stand = bool(standing.all())
        kept: list[tuple[Spread, NDArray[np.bool_] | None, NDArray[np.float64]]] = []
        end = 0
        for spread in spreads:
            begin, end = end, end + len(spread.matrix)
            here = None if all_stand or standing[begin:end].all() else standing[begin:end]
            if here is not None:
                self._opened.notes.add("skipped", spread.leaf.path, "its transform is singular or not finite")
            if here is None or here.any():
                kept.append((spread, here, world[begin:end]))
        subsets = [self._subsets(spread.leaf) for spread, _, _ in kept]
        own = self._bindings.bound([spread.leaf for spread, _, _ in kept])
        inner = iter(self._materials.bound([prim for group in subsets for prim, _ in group]))
        surface_of: dict[int, Surface | None] = {id(None): None}
        uses = []
        for (spread, stands, places), material, group in zip(kept, own, subsets, strict=True):
            if id(material) not in surface_of:
                surface_of[id(material)] = self._materials.surface(material)
            surfaces: tuple[Surface | None, ...] = (surface_of[id(material)],)
            faces: tuple[NDArray[np.int64], ...] = ()
            if group:
                surfaces += tuple(self._materials.surface(next(inner)) for _ in group)
                faces = tuple(faces for _, faces in group)
            display = with_elements(self._displays.of(spread.leaf), spread.color)
            uses.append(_Use(spread, stands, places, surfaces, faces, display))
        return uses

    def _subsets(self, leaf: Leaf) -> list[tuple[Usd.Prim, NDArray[np.int64]]]:
        return material_subsets(leaf.prim, self._opened.time) if leaf.path in self._with_subsets else []

    def _found(self, uses: list[_Use]) -> list[_Found]:
        """Return what every prim draws. Prims of one prototype are read once, equal ordinary meshes built once."""
        number_of_request: dict[Hashable, int] = {}
        numbers: list[int] = []
        firsts: list[_Use] = []
        for use in uses:
            number = number_of_request.setdefault(self._request_key(use), len(firsts))
            if number == len(firsts):
                firsts.append(use)
            numbers.append(number)
        twins: list[int | None] = []
        names: list[str] = []
        kept = [self._known(use) for use in firsts]
        for use, known in zip(firsts, kept, strict=True):
            raw = self._read_raw(use) if known is None else None
            twins.append(None if raw is None else self._twins.add(raw))
            if twins[-1] == len(names):
                names.append(use.spread.leaf.path)
        built = build_raw_meshes(self._twins.all(), names, self._opened.units.meters_per_unit)
        found = []
        for use, twin, known in zip(firsts, twins, kept, strict=True):
            mesh = None if twin is None else built[twin]
            if known is not None:
                kept_mesh, drawn = known
                found.append(_Found(None if kept_mesh is None else self._pool.add(kept_mesh), drawn))
                continue
            found.append(self._read(use) if mesh is None else _Found(self._pool.add(mesh)))
            self._keep(use, found[-1])
        return [found[number] for number in numbers]

    def _known(self, use: _Use) -> tuple[Mesh | None, Drawn | None] | None:
        """Return what a prim draws at all times, if that was read for another time."""
        return None if self._kept is None else self._kept.meshes.get(self._request_key(use))

    def _keep(self, use: _Use, found: _Found) -> None:
        if self._kept is None:
            return
        key = self._request_key(use)
        inherits = key[-1] is not None  # texture coordinates, from prims that were not looked at
        if not inherits and self._kept.may_keep(use.spread.leaf.prim):
            mesh = None if found.mesh is None else self._pool.meshes[found.mesh]
            self._kept.meshes[key] = (mesh, found.drawn)

    def _request_key(self, use: _Use) -> tuple[Hashable, ...]:
        """Return something that uses have in common whose triangles must be equal."""
        leaf = use.spread.leaf
        path: Hashable = leaf.path
        if self._has_instances and leaf.prim.IsInstanceProxy():
            path = leaf.prim.GetPrimInPrototype().GetPath()
        sets = [(surface.uv, surface.uv2) if surface else None for surface in use.surfaces]
        chain = leaf.state.primvars
        return path, *sets, use.display.varies, chain if chain is not None and _passes_sets(chain) else None

    def _read_raw(self, use: _Use) -> RawMesh | None:
        if use.spread.leaf.kind != "Mesh" or use.faces:
            return None
        surface = use.surfaces[0]
        sets = (None, None) if surface is None else (surface.uv, surface.uv2)
        return self._raw.read(use.spread.leaf, sets, use.display)

    def _read(self, use: _Use) -> _Found:
        """Return what a prim draws; one with the same arrays as an earlier one gets that one's mesh."""
        leaf = use.spread.leaf
        request = MeshRequest(
            slot_faces=use.faces,
            slot_uv=tuple(surface.uv if surface else None for surface in use.surfaces),
            slot_uv2=tuple(surface.uv2 if surface else None for surface in use.surfaces),
            varies=use.display.varies,
        )
        drawn = READERS[leaf.kind](self._opened, leaf, request)
        if drawn is None:
            return _Found(None)
        if drawn.key not in self._index_of_key:
            mesh = drawn.build(leaf.path, self._opened.units.meters_per_unit)
            self._index_of_key[drawn.key] = None if mesh is None else self._pool.add(mesh)
        index = self._index_of_key[drawn.key]
        if index is None:
            self._opened.notes.add("skipped", leaf.path, f"{leaf.kind} without a drawn face")
        return _Found(index, drawn)


def _all_tints(
    tints: list[NDArray[np.float64] | None], matrix: list[NDArray[np.float64]]
) -> NDArray[np.float32] | None:
    """Return [placement, 4], or None where all are white."""
    if all(tint is None for tint in tints):
        return None
    white = np.ones((1, 4))
    rows = [
        np.broadcast_to(white if tint is None else tint, (len(world), 4))
        for tint, world in zip(tints, matrix, strict=True)
    ]
    out = np.concatenate(rows).astype(np.float32)
    return None if (out == 1.0).all() else out


def _passes_sets(chain: Chain | None) -> bool:
    """Return whether a prim may inherit texture coordinates."""
    while chain is not None:
        if any(name.startswith("primvars:") and name not in UNLIKE_ST for name in chain.names):
            return True
        chain = chain.above
    return False


def _standing(world: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return [place]: whether a matrix [place, 3, 4] is sensible and keeps the three dimensions of what it moves."""
    standing = np.asarray((np.abs(world) < FARTHEST).all(axis=(1, 2)))
    axes = world[standing, :, :3]
    standing[standing] = np.abs(np.linalg.det(axes)) > SINGULAR * np.linalg.norm(axes, axis=1).prod(axis=1)
    return standing


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
