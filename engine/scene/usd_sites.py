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
from engine.scene.usd_edits import STAGE, Copy, Edits

TOKEN = re.compile(r"\[(-?\d+)\]|([^\[\]]+)")
FORK = "ommatidia_fork_"
ORTHOGONAL = 1.0e-6  # cosine between axes above which an element would need a shear
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

    def move(self, elements: tuple[Element, ...], local: NDArray[np.float64]) -> bool:
        """Put the last of some nested elements at `local` [4, 4] of its instancer; False where that needs a shear."""
        instancer = self._read(elements[-1].instancer, self.copy(elements[:-1]))
        prototype = UsdGeom.Xformable(self.prototype(elements[-1]))
        own = np.array(prototype.GetLocalTransformation(self._time)) if prototype else np.eye(4)
        matrix = np.linalg.inv(own) @ local
        axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=1, keepdims=True)
        if np.abs(axes @ axes.T - np.eye(3)).max() > ORTHOGONAL:
            return False
        instancer.placed[elements[-1].index] = matrix
        self._moved[elements] = local
        return True

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
        """Write all elements as position, rotation and scale in float32; half floats would turn them visibly."""
        edit = self._edits.of(instancer.prim, instancer.copy)
        usd, types = UsdGeom.PointInstancer(instancer.prim), Sdf.ValueTypeNames
        mode, mask = UsdGeom.PointInstancer.ExcludeProtoXform, UsdGeom.PointInstancer.IgnoreMask
        matrices = np.array(usd.ComputeInstanceTransformsAtTime(self._time, self._time, mode, mask), np.float64)
        matrices = matrices.reshape(-1, 4, 4)
        for index, matrix in instancer.placed.items():
            matrices[index] = matrix
        scale = np.linalg.norm(matrices[:, :3, :3], axis=2)
        scale[np.linalg.det(matrices[:, :3, :3]) < 0.0] *= -1.0  # a mirror is three mirrors and a rotation
        turn = matrices[:, :3, :3] / np.where(scale == 0.0, 1.0, scale)[:, :, None]
        turn[(scale == 0.0).any(axis=1)] = np.eye(3)  # flat: nothing of it is drawn
        quaternions = [Gf.Quatf(Gf.Matrix3d(*each.ravel()).ExtractRotation().GetQuat()) for each in turn]
        edit.set("positions", types.Point3fArray, _vectors(matrices[:, 3, :3]))
        edit.set("orientationsf", types.QuatfArray, quaternions)
        edit.set("scales", types.Float3Array, _vectors(scale))
        for name in MOTION:
            if instancer.prim.GetAttribute(name).HasAuthoredValue():
                edit.set(name, types.Vector3fArray, Sdf.ValueBlock())


def _vectors(values: NDArray[np.float64]) -> list[Gf.Vec3f]:
    return [Gf.Vec3f(*row) for row in values.tolist()]
