"""The elements of a PointInstancer at a time: where they stand, what they show, how they are called."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pxr import Tf, Usd, UsdGeom

from engine.scene.error import SceneError
from engine.scene.usd.drawn.color import COLOR, OPACITY, Display
from engine.scene.usd.drawn.primvar import read_primvar
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.walk import Leaf

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
class Elements:
    """What an instancer says, before its prototypes are looked at."""

    matrix: NDArray[np.float64]  # [element, 4, 4], instancer from prototype's own space
    prototype: NDArray[np.int64]  # [element], -1: not drawn
    suffix: list[str]  # [element], `[id]`
    color: NDArray[np.float32] | None  # [element, 4], linear displayColor and displayOpacity, NaN: none; None: none
    prims: list[Usd.Prim]  # of each prototype


def read_elements(opened: OpenStage, leaf: Leaf) -> Elements | None:
    """Return the elements, or None with a note when nothing can be drawn.

    Raises:
        SceneError: If there are more elements than the scene may have placements.
    """
    usd, time, notes = UsdGeom.PointInstancer(leaf.prim), opened.time, opened.notes
    prototype = np.array(usd.GetProtoIndicesAttr().Get(time) or [], np.int64)
    targets = usd.GetPrototypesRel().GetForwardedTargets()
    count = len(prototype)
    if count > opened.options.max_placements:
        raise SceneError(
            f"scene '{opened.path}': PointInstancer {leaf.path} has {count} elements, the limit is "
            f"{opened.options.max_placements}; use fewer elements or raise max_placements"
        )
    if count == 0 or not targets:
        notes.add("skipped", leaf.path, "PointInstancer without elements or prototypes at this time")
        return None
    keep = (prototype >= 0) & (prototype < len(targets))
    matrix = _matrices(opened, leaf, count, whole=bool(keep.all()))
    if matrix is None:
        return None
    prims = [leaf.prim.GetStage().GetPrimAtPath(target) for target in targets]
    if not keep.all():
        notes.add("repaired", leaf.path, "elements whose protoIndices name no prototype were left out")
        for index, prim in enumerate(prims):
            if xformable := UsdGeom.Xformable(prim):
                matrix[prototype == index] = (
                    np.array(xformable.GetLocalTransformation(time)) @ matrix[prototype == index]
                )
    mask = usd.ComputeMaskAtTime(time)
    if len(mask):
        keep &= np.array(mask, bool)
    return Elements(
        matrix=matrix,
        prototype=np.where(keep, prototype, -1),
        suffix=_suffixes(opened, leaf, usd, count),
        color=_colors(opened, leaf, count),
        prims=prims,
    )


def with_elements(display: Display, color: NDArray[np.float32] | None) -> Display:
    """Return how a prim is coloured that may take its colour from elements; `color` as in `Spread.color`."""
    if color is None:
        return display
    has_color, has_opacity = bool((color[:, 0] >= 0.0).any()), bool((color[:, 3] >= 0.0).any())  # not NaN
    return replace(display, has_color=display.has_color or has_color, has_opacity=display.has_opacity or has_opacity)


def _matrices(opened: OpenStage, leaf: Leaf, count: int, *, whole: bool) -> NDArray[np.float64] | None:
    """Return [element, 4, 4]; velocities between samples are USD's.

    The prototypes' own transforms are in it where all indices are valid (`whole`): USD computes none otherwise.
    """
    usd, time, notes = UsdGeom.PointInstancer(leaf.prim), opened.time, opened.notes
    for name in PER_ELEMENT:
        values = leaf.prim.GetAttribute(name).Get(time) if name in leaf.names else None
        if values is not None and len(values) not in (0, count):
            # USD would read past the end of the array.
            notes.add("error", leaf.path, f"{name} of the PointInstancer do not fit protoIndices; left out")
            return None
    include = UsdGeom.PointInstancer.IncludeProtoXform if whole else UsdGeom.PointInstancer.ExcludeProtoXform
    ignore = UsdGeom.PointInstancer.IgnoreMask
    try:
        transforms = usd.ComputeInstanceTransformsAtTime(time, time, include, ignore)
    except Tf.ErrorException:
        transforms = []
    if len(transforms) != count:
        notes.add("error", leaf.path, "PointInstancer's positions, orientations or scales do not fit protoIndices")
        return None
    return np.array(transforms, np.float64).reshape(-1, 4, 4)


def _colors(opened: OpenStage, leaf: Leaf, count: int) -> NDArray[np.float32] | None:
    """Return displayColor and displayOpacity [element, 4] where they vary over the elements; NaN where they do not."""
    colors = np.full((count, 4), np.nan, np.float32)
    for name in leaf.names:
        if not name.startswith("primvars:") or name.endswith(":indices"):
            continue
        if leaf.prim.GetAttribute(name).GetMetadata("interpolation") in (None, "constant"):
            continue  # handed down to the prototypes
        part = {COLOR: slice(0, 3), OPACITY: slice(3, 4)}.get(name)
        if part is None:
            opened.notes.add("skipped", leaf.path, f"{name} that varies over the elements")
            continue
        primvar = read_primvar(leaf.prim, name, opened.time, (part.stop - part.start,), opened.notes)
        if primvar is not None and len(primvar.values) == count:
            colors[:, part] = primvar.values
        elif primvar is not None:
            opened.notes.add("skipped", leaf.path, f"{name} has {len(primvar.values)} values for {count} elements")
    return None if np.isnan(colors).all() else colors


def _suffixes(opened: OpenStage, leaf: Leaf, usd: UsdGeom.PointInstancer, count: int) -> list[str]:
    """Return `[id]` of every element; its index where ids are missing, too few or not unique."""
    ids = usd.GetIdsAttr().Get(opened.time)
    if ids is not None and len(ids) and (len(ids) != count or len(set(ids)) != count):
        opened.notes.add("repaired", leaf.path, "ids of the PointInstancer do not fit or repeat; indices were used")
        ids = None
    return [f"[{i}]" for i in (ids if ids is not None and len(ids) else range(count))]
