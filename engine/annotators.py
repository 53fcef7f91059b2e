"""Annotators: images of the pixel centres beside depth, normals and ids, and which output of a recipe asks for them.

An output is what a recipe names; it may have several images. docs/formats.md says what each image means.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import DTypeLike


@dataclass(frozen=True)
class Annotation:
    """One image of `Frames.annotations`, [view, y, x, ...]."""

    output: str  # of the recipe
    scalar: DTypeLike
    channels: tuple[int, ...] = ()


# What patterns do to a surface, in the order of the channels of `effect`; the last three are kept for layers to come.
EFFECTS = ("finish", "rust", "stain", "dust", "wear", "scratch", "dent", "crack")

ANNOTATIONS: Mapping[str, Annotation] = MappingProxyType({
    "part": Annotation("part", np.int32),  # placement that the ray met, -1: nothing
    "flow_forward_px": Annotation("flow", np.float32, (2,)),  # right and down, to the next step; NaN: none
    "flow_forward_state": Annotation("flow", np.uint8),  # engine.flow_state.FlowState
    "flow_backward_px": Annotation("flow", np.float32, (2,)),  # to the step before
    "flow_backward_state": Annotation("flow", np.uint8),
    "scene_flow_forward_m": Annotation("scene_flow", np.float32, (3,)),  # world, NaN: none
    "scene_flow_backward_m": Annotation("scene_flow", np.float32, (3,)),
    "albedo": Annotation("albedo", np.float32, (3,)),  # linear base colour, before any light; 0: nothing
    "roughness": Annotation("roughness", np.float32),  # square root of GGX alpha; 0: nothing
    "metallic": Annotation("metallic", np.float32),
    "effect": Annotation("effect", np.uint8, (len(EFFECTS),)),  # share that each of EFFECTS covers, 255: all
    "shadow": Annotation("shadow", np.float32),  # share of the light of lights that is blocked
    "shadow_lit": Annotation("shadow", np.uint8),  # 1: some light could arrive, 0: none
})  # fmt: skip


def bytes_of(annotations: Iterable[str]) -> int:
    """Return what annotation images need for a pixel."""
    chosen = [ANNOTATIONS[name] for name in annotations]
    return sum(np.dtype(each.scalar).itemsize * math.prod(each.channels) for each in chosen)


def images_of(outputs: Iterable[str]) -> tuple[str, ...]:
    """Return the annotation images that some outputs of a recipe have."""
    wanted = set(outputs)
    return tuple(name for name, annotation in ANNOTATIONS.items() if annotation.output in wanted)
