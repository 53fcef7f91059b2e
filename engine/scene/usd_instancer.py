"""Where every drawn prim goes: itself, or once for each element of the PointInstancers around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pxr import Sdf, Tf, Usd, UsdGeom

from engine.scene.error import SceneError
from engine.scene.usd import OpenStage
from engine.scene.usd_semantics import Label
from engine.scene.usd_walk import Leaf, Root, Subtree, Walker

MAX_NESTING = 16
PER_ELEMENT = (
    "positions",
    "orientations",
    "orientationsf",
    "scales",
    "velocities",
    "accelerations",
    "angularVelocities",
)


@dataclass(frozen=True)
class Spread:
    """A drawn prim with all its places."""

    leaf: Leaf
    matrix: NDArray[np.float64]  # [place, 4, 4], USD's local-to-world
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
class _Elements:
    """A PointInstancer at the time."""

    matrix: NDArray[np.float64]  # [element, 4, 4], instancer from prototype's own space
    prototype: NDArray[np.int64]  # [element]
    suffix: list[str]  # [element], `[id]`
    prototypes: list[Subtree | None]
    prims: list[Usd.Prim]  # of each prototype


class Placer:
    """Expands subtrees of one stage."""

    def __init__(self, opened: OpenStage, walker: Walker) -> None:
        self._opened = opened
        self._walker = walker
        self._cache = UsdGeom.XformCache(opened.time)
        self._elements: dict[Sdf.Path, _Elements | None] = {}
        self._count: dict[Sdf.Path, int] = {}
        self.owners = Owners()
        self.spreads: list[Spread] = []

    def world(self, leaf: Leaf) -> NDArray[np.float64] | None:
        """Return USD's local-to-world [4, 4] of a prim, or None with a note when its transform is unusable."""
        try:
            return np.array(self._cache.GetLocalToWorldTransform(leaf.prim))
        except Tf.ErrorException:
            self._opened.notes.add("error", leaf.path, "xformOpOrder names an op that does not exist; prim left out")
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
        for leaf in subtree.gprims:
            matrix = self.world(leaf)
            if matrix is not None:
                self.spreads.append(Spread(leaf, matrix[None], [self._owner(leaf)]))
        for leaf in subtree.instancers:
            matrix = self.world(leaf)
            if matrix is not None:
                self._expand(leaf, matrix[None], [leaf.path])

    def _owner(self, leaf: Leaf) -> int:
        state = leaf.state
        root = state.root or state.native or state.branch or Root(leaf.path, leaf.prim, state.described())
        known = self.owners.find(root.path)
        if known is not None:
            return known
        try:
            matrix = np.array(self._cache.GetLocalToWorldTransform(root.prim))
        except Tf.ErrorException:
            matrix = np.eye(4)  # its own xformOps are broken; what is drawn below it resets them
        usable = np.isfinite(matrix).all() and _keeps_dimensions(matrix[:3, :3])
        return self.owners.add(root.path, root.label, matrix if usable else np.eye(4))

    def _expand(self, leaf: Leaf, base: NDArray[np.float64], names: list[str]) -> None:
        """Add the places of an instancer that stands itself at `base` [k, 4, 4] under `names` [k]."""
        elements = self._read(leaf)
        if elements is None:
            return
        for index, subtree in enumerate(elements.prototypes):
            chosen = np.flatnonzero(elements.prototype == index)
            if subtree is None or len(chosen) == 0:
                continue
            world = (elements.matrix[chosen] @ base[:, None]).reshape(-1, 4, 4)
            element_names = [name + elements.suffix[i] for name in names for i in chosen]
            self._expand_prototype(subtree, elements.prims[index], world, element_names)

    def _expand_prototype(self, subtree: Subtree, top: Usd.Prim, world: NDArray[np.float64], names: list[str]) -> None:
        top_path = top.GetPath().pathString
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
            self.spreads.append(Spread(leaf, local @ world, owner))
        for leaf in subtree.instancers:
            local = self._relative(leaf.prim, top, leaf.path)
            if local is not None:
                below = leaf.path.removeprefix(top_path)
                self._expand(leaf, local @ world, [name + below for name in names])

    def _relative(self, prim: Usd.Prim, top: Usd.Prim, path: str) -> NDArray[np.float64] | None:
        if prim == top:
            return np.eye(4)
        try:
            return np.array(self._cache.ComputeRelativeTransform(prim, top)[0])
        except Tf.ErrorException:
            self._opened.notes.add("error", path, "xformOpOrder names an op that does not exist; prim left out")
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
            elements = self._read(leaf)
            total = 0
            for index, subtree in enumerate(elements.prototypes if elements else []):
                if elements is None or subtree is None:
                    continue
                nested = sum(self._placement_count(inner, (*outer, path)) for inner in subtree.instancers)
                total += int(np.count_nonzero(elements.prototype == index)) * (len(subtree.gprims) + nested)
            self._count[path] = total
        return self._count[path]

    def _read(self, leaf: Leaf) -> _Elements | None:
        path = leaf.prim.GetPath()
        if path not in self._elements:
            self._elements[path] = self._read_elements(leaf)
        return self._elements[path]

    def _read_elements(self, leaf: Leaf) -> _Elements | None:
        usd, time, notes = UsdGeom.PointInstancer(leaf.prim), self._opened.time, self._opened.notes
        prototype = np.array(usd.GetProtoIndicesAttr().Get(time) or [], np.int64)
        targets = usd.GetPrototypesRel().GetForwardedTargets()
        if len(prototype) > self._opened.options.max_placements:
            raise SceneError(
                f"scene '{self._opened.path}': PointInstancer {leaf.path} has {len(prototype)} elements, the limit is "
                f"{self._opened.options.max_placements}; use fewer elements or raise max_placements"
            )
        if len(prototype) == 0 or not targets:
            notes.add("skipped", leaf.path, "PointInstancer without elements or prototypes at this time")
            return None
        for name in PER_ELEMENT:
            values = leaf.prim.GetAttribute(name).Get(time) if name in leaf.names else None
            if values is not None and len(values) not in (0, len(prototype)):
                # USD would read past the end of the array.
                notes.add("error", leaf.path, f"{name} of the PointInstancer do not fit protoIndices; left out")
                return None
        include = UsdGeom.PointInstancer.IncludeProtoXform
        ignore = UsdGeom.PointInstancer.IgnoreMask
        try:
            transforms = usd.ComputeInstanceTransformsAtTime(time, time, include, ignore)
        except Tf.ErrorException:
            transforms = []
        if len(transforms) != len(prototype):
            notes.add("error", leaf.path, "PointInstancer's positions, orientations or scales do not fit protoIndices")
            return None
        matrix = np.array(transforms, np.float64).reshape(-1, 4, 4)
        keep = (prototype >= 0) & (prototype < len(targets))
        if not keep.all():
            notes.add("repaired", leaf.path, "elements whose protoIndices name no prototype were left out")
        mask = usd.ComputeMaskAtTime(time)
        if len(mask):
            keep &= np.array(mask, bool)
        self._note_primvars(leaf)
        prims = [leaf.prim.GetStage().GetPrimAtPath(target) for target in targets]
        return _Elements(
            matrix,
            np.where(keep, prototype, -1),
            _suffixes(usd, time, len(prototype)),
            self._prototypes(leaf, prims),
            prims,
        )

    def _prototypes(self, leaf: Leaf, prims: list[Usd.Prim]) -> list[Subtree | None]:
        subtrees: list[Subtree | None] = []
        for prim in prims:
            if not prim:
                self._opened.notes.add("error", leaf.path, "a prototype of the PointInstancer does not exist")
                subtrees.append(None)
                continue
            subtree = self._walker.prototype(prim, leaf.state)
            if subtree.lights:
                self._opened.notes.add("skipped", subtree.lights[0].path, "light inside a PointInstancer's prototype")
            subtrees.append(subtree)
        return subtrees

    def _note_primvars(self, leaf: Leaf) -> None:
        for name in leaf.names:
            if not name.startswith("primvars:") or name.endswith(":indices"):
                continue
            if leaf.prim.GetAttribute(name).GetMetadata("interpolation") not in (None, "constant"):
                self._opened.notes.add("skipped", leaf.path, f"{name} that varies over the elements")


def _keeps_dimensions(axes: NDArray[np.float64]) -> bool:
    """Return whether three axes span space; what is clearly so is not decomposed."""
    (a, b, c), (d, e, f), (g, h, i) = axes.tolist()
    volume = abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))
    return 1e-6 < volume < 1e6 or bool(np.linalg.matrix_rank(axes) == 3)


def _suffixes(usd: UsdGeom.PointInstancer, time: Usd.TimeCode, count: int) -> list[str]:
    ids = usd.GetIdsAttr().Get(time)
    if ids is None or len(ids) != count or len(set(ids)) != count:
        ids = range(count)
    return [f"[{i}]" for i in ids]
