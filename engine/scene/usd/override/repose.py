"""Transforms of a world as xformOps: every prim stands where the world has it, whatever its ancestors did.

Instances, lights and cameras of a world are placed on their own, while prims follow their parents. So what the world
moved gets a transform, and what lies below it and did not move gets one that takes the parent's motion back.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pxr import Sdf, Tf, Usd, UsdGeom, UsdSkel

from engine.scene.notes import Notes
from engine.scene.units import StageUnits
from engine.scene.usd.override.edits import STAGE, Copy, Edits

Matrix = NDArray[np.float64]  # [4, 4], USD's: rows are the axes and the origin, in stage units

IN_STAGE = Usd.TraverseInstanceProxies(Usd.PrimDefaultPredicate)
IN_PROTOTYPE = Usd.TraverseInstanceProxies(Usd.PrimIsActive & Usd.PrimIsLoaded & ~Usd.PrimIsAbstract)


def usd_matrix(world: NDArray[np.float64], units: StageUnits) -> Matrix:
    """Return USD's local-to-world of a pose [3, 4] in metres, Z up; undoes `StageUnits.world_from_local`."""
    turned = units.world_from_stage.T @ world
    matrix = np.eye(4)
    matrix[:3, :3] = turned[:, :3].T
    matrix[3, :3] = turned[:, 3] / units.meters_per_unit
    return matrix


class Poses:
    """Where prims stand in the world that is written."""

    def __init__(self, time: Usd.TimeCode, edits: Edits, notes: Notes) -> None:
        self._cache = UsdGeom.XformCache(time)
        self._edits = edits
        self._notes = notes
        self._wanted: dict[Sdf.Path, tuple[Usd.Prim, Matrix | None]] = {}
        self._authored: dict[tuple[Sdf.Path, Sdf.Path], Matrix] = {}

    def before(self, prim: Usd.Prim) -> Matrix:
        """Return the local-to-world of a prim in the scene."""
        return np.array(self._cache.GetLocalToWorldTransform(prim))

    def inside(self, prim: Usd.Prim, top: Usd.Prim) -> Matrix:
        """Return the transform from a prim to the space of `top`, which is above it or the prim itself."""
        if prim == top:
            return np.eye(4)
        return np.array(self._cache.ComputeRelativeTransform(prim, top)[0])

    def want(self, prim: Usd.Prim, world: Matrix | None) -> None:
        """Ask for a prim of the stage to stand at `world`; None: where it stood, even if its parent moves."""
        if world is not None or prim.GetPath() not in self._wanted:
            self._wanted[prim.GetPath()] = (prim, world)

    def author(self) -> None:
        """Author what was asked for, parents first."""
        for path in sorted(self._wanted):
            prim, world = self._wanted[path]
            try:
                if world is not None:
                    self._move(prim, world, STAGE)
                elif self._is_below_moved(prim):
                    self._move(prim, self.before(prim), STAGE)
            except (Tf.ErrorException, np.linalg.LinAlgError):
                self._notes.add("error", path, "its transform cannot be used; it was not moved")

    def author_part(self, prim: Usd.Prim, copy: Copy, parent: Matrix, world: Matrix) -> None:
        """Author a prim of a fork; `parent` is where its parent stands."""
        self._author(prim, copy, world @ np.linalg.inv(parent), reset=False)

    def _is_below_moved(self, prim: Usd.Prim) -> bool:
        return any((STAGE.path, path) in self._authored for path in prim.GetPath().GetPrefixes())

    def _move(self, prim: Usd.Prim, world: Matrix, copy: Copy) -> None:
        if not prim.IsA(UsdGeom.Xformable):  # a Scope or untyped prim has no transform: what is in it moves instead
            motion = np.linalg.inv(self.before(prim)) @ world
            for child in prim.GetFilteredChildren(IN_STAGE):
                self._move(child, self.before(child) @ motion, copy)
            return
        if prim.GetParent() and _is_posed_by_skeleton(prim):
            self._notes.add("error", prim.GetPath(), "its skeleton poses it; it was not moved on its own")
            return
        parent = self.after(prim.GetParent(), copy)
        self._authored[(copy.path, prim.GetPath())] = world
        usable = np.isfinite(parent).all() and np.linalg.matrix_rank(parent[:3, :3]) == 3
        local = world @ np.linalg.inv(parent) if usable else world
        self._author(prim, copy, local, reset=not usable)

    def after(self, prim: Usd.Prim, copy: Copy = STAGE) -> Matrix:
        """Return where a prim stands in the new world."""
        if prim.IsPseudoRoot():
            return np.eye(4)
        authored = self._authored.get((copy.path, prim.GetPath()))
        if authored is not None:
            return authored
        if not any((copy.path, path) in self._authored for path in prim.GetPath().GetPrefixes()):
            return self.before(prim)
        local, resets = self._cache.GetLocalTransformation(prim)
        return np.array(local) if resets else np.array(local) @ self.after(prim.GetParent(), copy)

    def _author(self, prim: Usd.Prim, copy: Copy, local: Matrix, *, reset: bool) -> None:
        self._edits.of(prim, copy).transform(local, reset=reset)


def _is_posed_by_skeleton(prim: Usd.Prim) -> bool:
    """Return whether a skinned mesh takes its place from a skeleton, so that its own transform does nothing."""
    if not UsdSkel.BindingAPI(prim).GetJointIndicesAttr().HasAuthoredValue():
        return False
    return bool(UsdSkel.Root.Find(prim))
