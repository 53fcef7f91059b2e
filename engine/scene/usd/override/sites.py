"""Which prim an instance of the scene is, and how the elements of a PointInstancer are given a look of their own.

The path of an instance is that of a prim, with `[id]` after each PointInstancer on the way: `/Trees[7]/trunk` is the
prim `trunk` of the prototype that element 7 of `/Trees` shows. Elements share prototypes, so what changes inside one
is authored in a *fork*: a prim below the instancer that references the prototype, which that element then shows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Sdf, Usd, UsdGeom

from engine.scene.error import SceneError
from engine.scene.usd.override.edits import STAGE, Copy, Edits

TOKEN = re.compile(r"\[(-?\d+)\]|([^\[\]]+)")
FORK = "ommatidia_fork_"
ORTHOGONAL = 1.0e-6  # cosine between axes above which they are sheared
MOTION = ("velocities", "accelerations", "angularVelocities")


@dataclass(frozen=True)
class Element:
    """One element of a PointInstancer, by index."""

    instancer: Usd.Prim
    index: int


@dataclass(frozen=True)
class Site:
    """Where an instance stands: `prim` of the scene, seen through the elements around it, outermost first."""

    prim: Usd.Prim  # for an element itself: its prototype
    elements: tuple[Element, ...]
    is_element: bool  # the instance is the last of `elements`, not a prim inside it


@dataclass
class _Instancer:
    """A PointInstancer as authored at the time, and what becomes of it."""

    prim: Usd.Prim
    copy: Copy
    ids: list[int]
    targets: list[Sdf.Path]
    prototype: NDArray[np.int64]
    forks: dict[int, Sdf.Path] = field(default_factory=dict)  # index -> prototype of its own
    hidden: set[int] = field(default_factory=set)  # ids
    placed: dict[int, NDArray[np.float64]] = field(default_factory=dict)  # index -> [4, 4], instancer from prototype


class Sites:
    """The instances of one stage."""

    def __init__(self, stage: Usd.Stage, time: Usd.TimeCode, edits: Edits) -> None:
        self._stage = stage
        self._time = time
        self._edits = edits
        self._instancers: dict[tuple[Sdf.Path, Sdf.Path], _Instancer] = {}
        self._forks: dict[tuple[Element, ...], Copy] = {(): STAGE}
        self._matrices: dict[Sdf.Path, NDArray[np.float64]] = {}
        self._moved: dict[tuple[Element, ...], NDArray[np.float64]] = {}

    def find(self, path: str) -> Site:
        """Return the site of an instance.

        Raises:
            SceneError: If there is none: the file is not the one that the scene was loaded from.
        """
        prim = self._stage.GetPseudoRoot()
        elements: list[Element] = []
        after_id = False
        for number, text in TOKEN.findall(path):
            if text:
                prim = self._stage.GetPrimAtPath(prim.GetPath().AppendPath(text.lstrip("/")) if elements else text)
            elif prim:
                instancer = self._read(prim, STAGE)
                if int(number) not in instancer.ids:
                    break
                index = instancer.ids.index(int(number))
                elements.append(Element(prim, index))
                prim = self._stage.GetPrimAtPath(instancer.targets[int(instancer.prototype[index])])
            after_id = bool(number)
            if not prim:
                break
        else:
            return Site(prim, tuple(elements), after_id)
        raise SceneError(f"instance '{path}' is not on the stage any more; load the scene again")

    def copy(self, elements: tuple[Element, ...]) -> Copy:
        """Return where prims seen through these elements are authored, forking prototypes as needed."""
        if elements not in self._forks:
            outer = self.copy(elements[:-1])
            instancer = self._read(elements[-1].instancer, outer)
            index = elements[-1].index
            source = instancer.targets[int(instancer.prototype[index])]
            path = outer.place(instancer.prim.GetPath()).AppendChild(f"{FORK}{index}")
            made = self._edits.at(path)
            made.type_name, made.reference, made.instanceable = "", source, False
            self._edits.of(instancer.prim, outer)
            instancer.forks[index] = path
            self._forks[elements] = Copy(source, path)
        return self._forks[elements]

    def hide(self, elements: tuple[Element, ...]) -> None:
        """Hide the last of some nested elements."""
        instancer = self._read(elements[-1].instancer, self.copy(elements[:-1]))
        instancer.hidden.add(instancer.ids[elements[-1].index])

    def prototype(self, element: Element) -> Usd.Prim:
        """Return the prototype that an element shows."""
        instancer = self._read(element.instancer, STAGE)
        return self._stage.GetPrimAtPath(instancer.targets[int(instancer.prototype[element.index])])

    def fork(self, elements: tuple[Element, ...]) -> Sdf.Path | None:
        """Return the prototype of its own that the last of some nested elements got, if it did."""
        return self._forks[elements].path if elements in self._forks else None

    def matrix(self, elements: tuple[Element, ...]) -> NDArray[np.float64]:
        """Return where the last of some nested elements stands in its instancer, its prototype's own place included."""
        if elements in self._moved:
            return self._moved[elements]
        path = elements[-1].instancer.GetPath()
        if path not in self._matrices:
            usd, mask = UsdGeom.PointInstancer(elements[-1].instancer), UsdGeom.PointInstancer.IgnoreMask
            mode = UsdGeom.PointInstancer.IncludeProtoXform
            matrices = usd.ComputeInstanceTransformsAtTime(self._time, self._time, mode, mask)
            self._matrices[path] = np.array(matrices, np.float64).reshape(-1, 4, 4)
        place: NDArray[np.float64] = self._matrices[path][elements[-1].index]
        return place

    def move(self, elements: tuple[Element, ...], local: NDArray[np.float64]) -> None:
        """Put the last of some nested elements at `local` [4, 4] of its instancer, its prototype's own place included.

        An element is a position, a rotation and a scale; where that is not enough, its fork gets a matrix. Rotations in
        half floats are one case: they are not quite of length 1, which USD turns into a little shear.
        """
        element = elements[-1]
        instancer = self._read(element.instancer, self.copy(elements[:-1]))
        top = self.prototype(element)
        prototype = UsdGeom.Xformable(top)
        own = np.array(prototype.GetLocalTransformation(self._time)) if prototype else np.eye(4)
        before = np.linalg.inv(own) @ self.matrix(elements)
        matrix = np.linalg.inv(own) @ local
        self._moved[elements] = local
        axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=1, keepdims=True)
        if np.abs(axes @ axes.T - np.eye(3)).max() <= ORTHOGONAL:
            instancer.placed[element.index] = matrix
            return
        fork = self._edits.at(self.copy(elements).path)
        if not prototype:
            fork.type_name = "Xform"
        fork.transform(local @ np.linalg.inv(before), reset=False)

    def author(self) -> None:
        """Author what became of the instancers."""
        for instancer in self._instancers.values():
            if instancer.forks or instancer.hidden or instancer.placed:
                self._author(instancer)

    def _read(self, prim: Usd.Prim, copy: Copy) -> _Instancer:
        key = (prim.GetPath(), copy.path)
        if key not in self._instancers:
            usd = UsdGeom.PointInstancer(prim)
            prototype = np.array(usd.GetProtoIndicesAttr().Get(self._time) or [], np.int64) if usd else np.zeros(0, int)
            ids = usd.GetIdsAttr().Get(self._time) if usd else None
            fits = ids is not None and len(ids) == len(prototype) == len(set(ids))
            targets = list(usd.GetPrototypesRel().GetForwardedTargets()) if usd else []
            known = [int(number) for number in ids or ()] if fits else list(range(len(prototype)))
            self._instancers[key] = _Instancer(prim, copy, known, targets, prototype)
        return self._instancers[key]

    def _author(self, instancer: _Instancer) -> None:
        edit = self._edits.of(instancer.prim, instancer.copy)
        types = Sdf.ValueTypeNames
        if instancer.forks:
            prototype = instancer.prototype.copy()
            forked = sorted(instancer.forks)
            prototype[forked] = np.arange(len(forked)) + len(instancer.targets)
            own = [instancer.copy.place(target) for target in instancer.targets]
            edit.targets("prototypes", [*own, *(instancer.forks[index] for index in forked)])
            edit.set("protoIndices", types.IntArray, prototype.tolist())
        if instancer.hidden:
            before = UsdGeom.PointInstancer(instancer.prim).GetInvisibleIdsAttr().Get(self._time) or []
            edit.set("invisibleIds", types.Int64Array, sorted({*map(int, before), *instancer.hidden}))
        if instancer.placed:
            self._author_places(instancer)

    def _author_places(self, instancer: _Instancer) -> None:
        """Write elements as position, rotation and scale in float32; those that stay keep theirs to the bit."""
        edit = self._edits.of(instancer.prim, instancer.copy)
        usd, types = UsdGeom.PointInstancer(instancer.prim), Sdf.ValueTypeNames
        count, time = len(instancer.prototype), self._time
        turns = usd.GetOrientationsfAttr().Get(time) or usd.GetOrientationsAttr().Get(time)
        quaternions = [Gf.Quatf(turn) for turn in turns or [Gf.Quatf(1.0)] * count]
        positions = np.array(usd.GetPositionsAttr().Get(time), np.float64)
        given = usd.GetScalesAttr().Get(time)
        scales = np.array(given, np.float64) if given else np.ones((count, 3))
        moving = [name for name in MOTION if instancer.prim.GetAttribute(name).HasAuthoredValue()]
        if moving:  # the arrays alone are not where the elements are at this time
            mode, mask = UsdGeom.PointInstancer.ExcludeProtoXform, UsdGeom.PointInstancer.IgnoreMask
            places = np.array(usd.ComputeInstanceTransformsAtTime(time, time, mode, mask), np.float64)
            instancer.placed = {**dict(enumerate(places.reshape(-1, 4, 4))), **instancer.placed}
        for index, matrix in instancer.placed.items():
            positions[index] = matrix[3, :3]
            scales[index], quaternions[index] = _scale_and_turn(matrix[:3, :3])
        edit.set("positions", types.Point3fArray, _vectors(positions))
        edit.set("orientationsf", types.QuatfArray, quaternions)
        edit.set("scales", types.Float3Array, _vectors(scales))
        for name in moving:
            edit.set(name, types.Vector3fArray, Sdf.ValueBlock())


def _scale_and_turn(axes: NDArray[np.float64]) -> tuple[NDArray[np.float64], Gf.Quatf]:
    """Return the scale and the rotation after it that make these axes [3, 3]; a mirror is three mirrors and a turn."""
    scale = np.linalg.norm(axes, axis=1)
    if (scale == 0.0).any():  # flat: nothing of it is drawn
        return scale, Gf.Quatf(1.0)
    if np.linalg.det(axes) < 0.0:
        scale = -scale
    turn = Gf.Matrix3d(*(axes / scale[:, None]).ravel().tolist())
    return scale, Gf.Quatf(turn.ExtractRotation().GetQuat())


def _vectors(values: NDArray[np.float64]) -> list[Gf.Vec3f]:
    return [Gf.Vec3f(*row) for row in values.tolist()]
