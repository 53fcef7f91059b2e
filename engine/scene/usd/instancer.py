"""Where every drawn prim goes: itself, or once for each element of the PointInstancers around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Sdf, Tf, Usd, UsdGeom

from engine.scene.error import SceneError
from engine.scene.usd.drawn.color import COLOR, OPACITY
from engine.scene.usd.elements import Elements, read_elements
from engine.scene.usd.inherit import Chain
from engine.scene.usd.semantics import Label
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.walk import Leaf, Root, Subtree, Walker

NO_SUCH_OP = "xformOpOrder names an op that does not exist; prim left out"
MAX_NESTING = 16
IDENTITY = np.eye(4)
_local_to_world = UsdGeom.XformCache.GetLocalToWorldTransform
MAX_INNER_LIGHTS = 1000  # lights in prototypes, all elements together


class Spread(NamedTuple):
    """A drawn prim with all its places."""

    leaf: Leaf
    matrix: NDArray[np.float64]  # [place, 4, 4], USD's local-to-world
    owner: list[int]  # [place], index into Owners
    color: NDArray[np.float32] | None = None  # [place, 4], displayColor and displayOpacity of the elements of
    # PointInstancers, linear; NaN where the prim's own count; None: nowhere


class InnerLight(NamedTuple):
    """A light in a prototype, at one of the elements."""

    leaf: Leaf
    matrix: NDArray[np.float64]  # [4, 4], USD's local-to-world
    path: str  # of the element, and below it


class PointSpread(NamedTuple):
    """A keypoint with all its places."""

    leaf: Leaf
    position: NDArray[np.float64]  # [place, 3], world, stage units
    owner: list[int]  # [place], index into Owners


class Owners:
    """The instances found so far."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}
        self.path: list[str] = []
        self.label: list[Label | None] = []
        self.matrix: list[NDArray[np.float64]] = []  # [4, 4] each, USD's local-to-world

    def add(self, path: str, label: Label | None, matrix: NDArray[np.float64]) -> int:
        """Return the index of the instance of a path; the first one to ask decides what it is."""
        index = self._index.setdefault(path, len(self.path))
        if index == len(self.path):
            self.path.append(path)
            self.label.append(label)
            self.matrix.append(matrix)
        return index

    def find(self, path: str) -> int | None:
        """Return the index of an instance that was added before."""
        return self._index.get(path)


@dataclass(frozen=True)
class _Expansion:
    """A PointInstancer with what its prototypes draw."""

    elements: Elements
    prototypes: list[Subtree | None]


@dataclass(frozen=True)
class _Stand:
    """Places that something below them takes on."""

    world: NDArray[np.float64]  # [place, 4, 4]
    names: list[str]  # [place], path of the instance
    color: NDArray[np.float32] | None  # [place, 4], see `Spread.color`
    stop: Chain | None  # where the primvars of the instancer begin, which `color` stands for


class Placer:
    """Expands subtrees of one stage."""

    def __init__(self, opened: OpenStage, walker: Walker) -> None:
        self._opened = opened
        self._walker = walker
        self._cache = UsdGeom.XformCache(opened.time)
        self._expansions: dict[Sdf.Path, _Expansion | None] = {}
        self._count: dict[Sdf.Path, int] = {}
        self.owners = Owners()
        self.spreads: list[Spread] = []
        self.inner_lights: list[InnerLight] = []
        self.keypoints: list[PointSpread] = []

    def world(self, leaf: Leaf) -> NDArray[np.float64] | None:
        """Return USD's local-to-world [4, 4] of a prim, or None with a note when its transform is unusable."""
        try:
            return np.array(self._cache.GetLocalToWorldTransform(leaf.prim))
        except Tf.ErrorException:
            self._opened.notes.add("error", leaf.path, NO_SUCH_OP)
            return None

    def place(self, subtree: Subtree) -> None:
        """Fill `spreads` and `owners` from the stage.

        Raises:
            SceneError: If the instancers would unfold into too many placements; nothing was unfolded then.
        """
        total = len(subtree.gprims) + sum(self._placement_count(leaf, ()) for leaf in subtree.instancers)
        if total > self._opened.options.max_placements:
            raise SceneError(
                f"scene '{self._opened.path}': PointInstancers unfold into {total} placements, the limit is "
                f"{self._opened.options.max_placements}; use fewer elements or raise max_placements"
            )
        self._place_once(subtree.gprims)
        for leaf in subtree.instancers:
            matrix = self.world(leaf)
            if matrix is not None:
                self._expand(leaf, _Stand(matrix[None], [leaf.path], None, None))
        for leaf in subtree.keypoints:
            matrix, state = self.world(leaf), leaf.state
            root = state.root or state.native or state.branch
            if matrix is not None:
                self._add_keypoint(leaf, matrix[None], ["" if root is None else root.path])

    def _add_keypoint(self, leaf: Leaf, matrix: NDArray[np.float64], names: list[str]) -> None:
        """Add the places [place, 4, 4] of a keypoint, which belong to instances of these names."""
        owner = [self.owners.find(name) for name in names]
        there = [i for i, each in enumerate(owner) if each is not None]
        if not there:
            self._opened.notes.add("skipped", leaf.path, "a keypoint of no instance that is drawn")
        self.keypoints.append(PointSpread(leaf, matrix[there, 3, :3], [each for each in owner if each is not None]))

    def _place_once(self, leaves: list[Leaf]) -> None:
        """Place prims where they stand themselves, and their instances; matrices are converted together."""
        standing, owners, matrices = [], [], []
        found: dict[int, Gf.Matrix4d] = {}
        for leaf in leaves:
            try:
                matrices.append(_local_to_world(self._cache, leaf.prim))
            except Tf.ErrorException:
                self._opened.notes.add("error", leaf.path, NO_SUCH_OP)
                continue
            standing.append(leaf)
            owners.append(self._owner(leaf, found))
        for leaf, matrix, owner in zip(standing, _joined(list(matrices))[:, None], owners, strict=True):
            self.spreads.append(Spread(leaf, matrix, [owner]))
        frames = _joined(list(found.values()))
        for index, frame, usable in zip(found, frames, _span_space(frames), strict=True):
            self.owners.matrix[index] = frame if usable else np.eye(4)

    def _owner(self, leaf: Leaf, found: dict[int, Gf.Matrix4d]) -> int:
        """Return the instance of a prim; the matrix of a new one goes to `found`."""
        state = leaf.state
        root = state.root or state.native or state.branch or Root(leaf.path, leaf.prim, state.described())
        known = self.owners.find(root.path)
        if known is not None:
            return known
        index = self.owners.add(root.path, root.label, IDENTITY)
        try:
            found[index] = _local_to_world(self._cache, root.prim)
        except Tf.ErrorException:
            found[index] = Gf.Matrix4d(1.0)  # its own xformOps are broken; what is drawn below it resets them
        return index

    def _expand(self, leaf: Leaf, stand: _Stand) -> None:
        """Add the places of an instancer that stands itself at several places."""
        expansion = self._read(leaf)
        if expansion is None:
            return
        elements = expansion.elements
        outer = _shown(stand, leaf.state.primvars, ())
        for index, subtree in enumerate(expansion.prototypes):
            chosen = np.flatnonzero(elements.prototype == index)
            if subtree is None or len(chosen) == 0:
                continue
            own = None if elements.color is None else elements.color[chosen]
            inner = _Stand(
                world=(elements.matrix[chosen] @ stand.world[:, None]).reshape(-1, 4, 4),
                names=[name + elements.suffix[i] for name in stand.names for i in chosen],
                color=_combined(outer, own, len(stand.names), len(chosen)),
                stop=leaf.state.primvars,
            )
            self._expand_prototype(subtree, elements.prims[index], inner)

    def _expand_prototype(self, subtree: Subtree, top: Usd.Prim, stand: _Stand) -> None:
        top_path = top.GetPath().pathString
        names, world = stand.names, stand.world
        label = subtree.root.described() or next((leaf.state.described() for leaf in subtree.gprims), None)
        for leaf in subtree.gprims:
            local = self._relative(leaf.prim, top, leaf.path)
            if local is None:
                continue
            root = leaf.state.root
            if root is None:
                owner = [self.owners.add(name, label, matrix) for name, matrix in zip(names, world, strict=True)]
            else:
                inner = self._relative(root.prim, top, root.path)
                inner_world = world if inner is None else inner @ world
                below = root.path.removeprefix(top_path)
                pairs = zip(names, inner_world, strict=True)
                owner = [self.owners.add(name + below, root.label, matrix) for name, matrix in pairs]
            self.spreads.append(Spread(leaf, local @ world, owner, _shown(stand, leaf.state.primvars, leaf.names)))
        for leaf in subtree.keypoints:
            local, root = self._relative(leaf.prim, top, leaf.path), leaf.state.root
            if local is not None:
                below = "" if root is None else root.path.removeprefix(top_path)
                self._add_keypoint(leaf, local @ world, [name + below for name in names])
        for leaf in subtree.lights:
            self._expand_light(leaf, top, stand)
        for leaf in subtree.instancers:
            local = self._relative(leaf.prim, top, leaf.path)
            if local is not None:
                below = leaf.path.removeprefix(top_path)
                self._expand(leaf, replace(stand, world=local @ world, names=[name + below for name in names]))

    def _expand_light(self, leaf: Leaf, top: Usd.Prim, stand: _Stand) -> None:
        local = self._relative(leaf.prim, top, leaf.path)
        if local is None:
            return
        if len(self.inner_lights) + len(stand.names) > MAX_INNER_LIGHTS:
            what = (
                f"light inside a PointInstancer's prototype: {len(stand.names)} more would be over {MAX_INNER_LIGHTS}"
            )
            self._opened.notes.add("skipped", leaf.path, what)
            return
        below = leaf.path.removeprefix(top.GetPath().pathString)
        for name, matrix in zip(stand.names, local @ stand.world, strict=True):
            self.inner_lights.append(InnerLight(leaf, matrix, name + below))

    def _relative(self, prim: Usd.Prim, top: Usd.Prim, path: str) -> NDArray[np.float64] | None:
        if prim == top:
            return np.eye(4)
        try:
            return np.array(self._cache.ComputeRelativeTransform(prim, top)[0])
        except Tf.ErrorException:
            self._opened.notes.add("error", path, NO_SUCH_OP)
            return None

    def _placement_count(self, leaf: Leaf, outer: tuple[Sdf.Path, ...]) -> int:
        """Return how many placements an instancer unfolds into, without unfolding it."""
        path = leaf.prim.GetPath()
        if path in outer or len(outer) > MAX_NESTING:
            raise SceneError(
                f"scene '{self._opened.path}': PointInstancer {path} contains itself or is nested more than "
                f"{MAX_NESTING} deep; break the cycle of prototypes"
            )
        if path not in self._count:
            expansion = self._read(leaf)
            total = 0
            for index, subtree in enumerate(expansion.prototypes if expansion else []):
                if expansion is None or subtree is None:
                    continue
                nested = sum(self._placement_count(inner, (*outer, path)) for inner in subtree.instancers)
                uses = int(np.count_nonzero(expansion.elements.prototype == index))
                total += uses * (len(subtree.gprims) + nested)
            self._count[path] = total
        return self._count[path]

    def _read(self, leaf: Leaf) -> _Expansion | None:
        path = leaf.prim.GetPath()
        if path not in self._expansions:
            elements = read_elements(self._opened, leaf)
            prototypes = self._prototypes(leaf, elements.prims) if elements else []
            self._expansions[path] = _Expansion(elements, prototypes) if elements else None
        return self._expansions[path]

    def _prototypes(self, leaf: Leaf, prims: list[Usd.Prim]) -> list[Subtree | None]:
        subtrees: list[Subtree | None] = []
        for prim in prims:
            if not prim:
                self._opened.notes.add("error", leaf.path, "a prototype of the PointInstancer does not exist")
                subtrees.append(None)
                continue
            subtree = self._walker.prototype(prim, leaf.state)
            for what, leaves in (("camera", subtree.cameras), ("anchor", subtree.anchors)):
                for each in leaves:
                    self._opened.notes.add("skipped", each.path, f"{what} inside a PointInstancer's prototype")
            subtrees.append(subtree)
        return subtrees


def _joined(matrices: list[Gf.Matrix4d]) -> NDArray[np.float64]:
    """Return matrices as one array [matrix, 4, 4]."""
    return np.frombuffer(b"".join(matrices), np.float64).reshape(-1, 4, 4)


def _span_space(matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return [matrix]: whether it is finite and its axes span space; what is clearly so is not decomposed."""
    usable = np.asarray(np.isfinite(matrix).all(axis=(1, 2)))
    volume = np.abs(np.linalg.det(np.where(usable[:, None, None], matrix[:, :3, :3], 0.0)))
    for index in np.flatnonzero(usable & ~((volume > 1e-6) & (volume < 1e6))):
        usable[index] = np.linalg.matrix_rank(matrix[index, :3, :3]) == 3
    return usable


def _shown(stand: _Stand, chain: Chain | None, names: Sequence[str]) -> NDArray[np.float32] | None:
    """Return the elements' colour [place, 4] without what a prim with these primvars, or one above it, says itself."""
    if stand.color is None:
        return None
    own = list(names)
    while chain is not None and chain is not stand.stop:
        own += chain.names
        chain = chain.above
    color = stand.color
    for name, part in ((COLOR, slice(0, 3)), (OPACITY, slice(3, 4))):
        if name in own:
            color = color.copy()
            color[:, part] = np.nan
    return None if np.isnan(color).all() else color


def _combined(
    outer: NDArray[np.float32] | None, own: NDArray[np.float32] | None, outer_count: int, count: int
) -> NDArray[np.float32] | None:
    """Return the colour [place, 4] of `count` elements at every outer place; the elements' own comes first."""
    repeated = None if outer is None else np.repeat(outer, count, axis=0)
    if own is None:
        return repeated
    tiled = np.tile(own, (outer_count, 1))
    return tiled if repeated is None else np.where(np.isnan(tiled), repeated, tiled)
