"""Which boxes of others are kept as they are, and which are nonsense: they are not cut, since labels are facts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from engine.errors import UserError
from engine.formats.record import Box, Instance

SLACK_PX = 1.0  # by which a box may leave the picture without being counted: tools round
REACH = 1.0  # of the picture's size, by which a box may leave it: whole objects that the border cuts do


def sound_instances(
    instances: Sequence[Instance], size: tuple[int, int], place: Callable[[Instance], str], *, skip_damaged: bool
) -> tuple[tuple[Instance, ...], int, int]:
    """Return the instances that are kept, how many are left out, and how many leave the picture by more than a pixel.

    Args:
        instances: Of a picture.
        size: Width and height of the picture [px].
        place: Says where a label stands.
        skip_damaged: Leave out what is no box; otherwise it is an error.
    Raises:
        UserError: If a box is nonsense.
    """
    kept, left_out, outside = [], 0, 0
    for instance in instances:
        why = nonsense(instance.box, size)
        if why and not skip_damaged:
            box = ", ".join(f"{value:g}" for value in instance.box)
            raise UserError(f"{place(instance)}: the box [{box}] (x, y, width, height) {why}; correct or remove it")
        if why:
            left_out += 1
            continue
        outside += leaves(instance.box, size)
        kept.append(instance)
    return tuple(kept), left_out, outside


def nonsense(box: Box, size: tuple[int, int]) -> str:
    """Return why something is no box of a picture of (width, height), "" if it is one."""
    x, y, width, height = box
    if not all(map(math.isfinite, box)):
        return "holds no finite number"
    if width <= 0.0 or height <= 0.0:
        return "has no area"
    if x >= size[0] or y >= size[1] or x + width <= 0.0 or y + height <= 0.0:
        return f"lies outside of the picture, which is {size[0]}x{size[1]}"
    over = max(-x / size[0], -y / size[1], (x + width) / size[0] - 1.0, (y + height) / size[1] - 1.0)
    if over > REACH:
        return f"leaves the picture, which is {size[0]}x{size[1]}, by more than its size"
    return ""


def leaves(box: Box, size: tuple[int, int]) -> bool:
    """Return whether a box leaves the picture by more than a pixel."""
    x, y, width, height = box
    return min(x, y) < -SLACK_PX or x + width > size[0] + SLACK_PX or y + height > size[1] + SLACK_PX
