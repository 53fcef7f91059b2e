"""Procedural materials as a draft holds them: a record each; what becomes of it is in kernels/pattern.py."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.draft import NO_PATTERN, PATTERN_FLOATS, Draft

OWN_COLOR = (-1.0, -1.0, -1.0)  # in place of a colour: that of the material that is there
LAYERS = ("rust", "stain", "dust", "wear")
COLUMNS = {  # where values begin in a record; layout: kernels/native/pattern.cpp
    "kind": 0, "scale_m": 1, "strength": 2, "bump_m": 3, "color_a": 4, "color_b": 7, "roughness_low": 10,
    "roughness_high": 11, "rust": 12, "stain": 13, "dust": 14, "wear": 15, "direction": 16, "layer_scale_m": 19,
    "wear_width_m": 20,
}  # fmt: skip


class PatternKind(IntEnum):
    """What a surface is made of; the members of kernels.pattern.PatternKind, which a test holds together."""

    NONE = 0
    CARDBOARD = 1
    PAINTED_METAL = 2
    BRUSHED_METAL = 3
    CAST_METAL = 4
    CONCRETE = 5
    ASPHALT = 6
    WOOD = 7
    PLASTIC_FILM = 8
    FABRIC = 9
    GROUND_CERAMIC = 10


PATTERN_NAMES = tuple(kind.name.lower() for kind in PatternKind)


@dataclass(frozen=True)
class Slots:
    """Records of some patterns that are being filled in, one for each of the things that will wear them."""

    record: NDArray[np.float32]  # [row, slot, 24]

    def set(self, name: str, values: ArrayLike) -> None:
        """Set a value of all records; it is spread over rows and slots, a colour or direction has a last axis of 3."""
        column, values = COLUMNS[name], np.asarray(values)
        if name == "kind":
            self.record.view(np.int32)[..., column] = values
        elif name in ("color_a", "color_b", "direction"):
            self.record[..., column : column + 3] = values
        else:
            self.record[..., column] = values


def new_slots(draft: Draft, count: int) -> Slots:
    """Return empty records for `count` things in every row of a draft."""
    return Slots(np.zeros((len(draft.world), count, PATTERN_FLOATS), np.float32))


def wear_slots(
    draft: Draft, slots: Slots, *, instances: NDArray[np.int64], materials: NDArray[np.int64], worn: NDArray[np.bool_]
) -> None:
    """Have instances and materials wear patterns, in place.

    Args:
        draft: What is changed.
        slots: One for every instance, then one for every material.
        instances: Which wear one.
        materials: Which wear one, on all instances without a pattern of their own.
        worn: Whether a thing wears its pattern, [row, slot]; others keep what they had.
    """
    first = draft.pattern.shape[1]
    draft.pattern = np.concatenate([draft.pattern, slots.record], axis=1)
    slot = np.where(worn, first + np.arange(slots.record.shape[1], dtype=np.int32), NO_PATTERN)
    split = len(instances)
    for target, index, own in (
        (draft.pattern_of_instance, instances, slot[:, :split]),
        (draft.pattern_of_material, materials, slot[:, split:]),
    ):
        target[:, index] = np.where(own != NO_PATTERN, own, target[:, index])
