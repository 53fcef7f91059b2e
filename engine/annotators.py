"""Annotators: images of the pixel centres beside depth, normals and ids, and which output of a recipe asks for them.

An output is what a recipe names; it may have several images. docs/formats.md says what each image means.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import DTypeLike


class EdgeBit(IntEnum):
    """Bits of the image `edge`: what lies between a pixel and one of its four neighbours; kernels number them alike."""

    INSTANCE = 1  # two instances meet, or one ends before nothing
    DEPTH = 2  # an occlusion inside one instance: its surfaces do not meet there
    CREASE = 4  # a surface bends by more than 30 degrees


@dataclass(frozen=True)
class Annotation:
    """One image of `Frames.annotations`, [view, y, x, ...]."""

    output: str  # of the recipe
    scalar: DTypeLike
    channels: tuple[int, ...] = ()


# What patterns do to a surface, in the order of the channels of `effect`; the last three are those of defects.
EFFECTS = ("finish", "rust", "stain", "dust", "wear", "scratch", "dent", "crack")

ANNOTATIONS: Mapping[str, Annotation] = MappingProxyType({
    "range_m": Annotation("range", np.float32),  # from the camera's centre, +inf: nothing
    "normal_camera": Annotation("normal_camera", np.float32, (3,)),  # `normal` in the camera's frame, 0: nothing
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
    "defect": Annotation("defect", np.int32),  # slot of the defect that covers it (engine/defect.py), -1: none
    "near_miss": Annotation("defect", np.int32),  # likewise of what only looks like one
    "shadow": Annotation("shadow", np.float32),  # share of the light of lights that is blocked
    "shadow_lit": Annotation("shadow", np.uint8),  # 1: some light could arrive, 0: none
    "material": Annotation("material", np.int32),  # that it wears there, -1: nothing
    "position": Annotation("position", np.float32, (3,)),  # in the world [m], NaN: nothing
    "uv": Annotation("uv", np.float32, (2,)),  # first set, v up, NaN: nothing, or its mesh has none
    "nocs": Annotation("nocs", np.float32, (3,)),  # in the object's box, 0 to 1, NaN: nothing
    "edge": Annotation("edge", np.uint8),  # EdgeBit
})  # fmt: skip


def bytes_of(annotations: Iterable[str]) -> int:
    """Return what annotation images need for a pixel."""
    chosen = [ANNOTATIONS[name] for name in annotations]
    return sum(np.dtype(each.scalar).itemsize * math.prod(each.channels) for each in chosen)


def images_of(outputs: Iterable[str]) -> tuple[str, ...]:
    """Return the annotation images that some outputs of a recipe have."""
    wanted = set(outputs)
    return tuple(name for name, annotation in ANNOTATIONS.items() if annotation.output in wanted)
