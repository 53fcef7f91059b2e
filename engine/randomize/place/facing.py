"""Facings: the items of one block of a shelf, one behind the other, and what is wrong with them. Boxes never overlap.

A facing is as wide as its item and holds whole boxes: what is turned by a quarter or lies is alone in its facing, what
turns a little stays within the gap, and what is misplaced fits into the place of one item.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.randomize.place.product_lines import Stock
from engine.randomize.pose import compose
from engine.scene.model import Anchor

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FACINGS_MOST, ROWS_MOST = 12, 3
COUNTERFEIT = 5  # its place among the shares, after those of the faults


@dataclass(frozen=True)
class Block:
    """Facings of one line next to each other, in every row of a draft; lengths from the board's left end."""

    line: Ints  # [row]
    count: Ints  # [row], facings
    start_m: Array  # [row]
    end_m: Array  # [row]
    size_m: Array  # [row, 3], of one item's place
    board_m: Array  # [3]


@dataclass(frozen=True)
class Chances:
    """What is drawn for one block; numbers in 0..1 where no unit says otherwise."""

    shares: Array  # [row, 6], drawn for the world: of the five faults, of counterfeits
    fault: Array  # [row, facing]
    side: Array  # that a turned item shows
    push: Array
    stray: Array
    front_m: Array
    rows: Array  # of items
    fake: Array  # [row, facing, row of items]
    jitter: Array
    yaw_deg: Array


@dataclass(frozen=True)
class Facings:
    """What stands in a block: items with their places, and faults by facing."""

    COUNTED: ClassVar[tuple[str, ...]] = ("missing", "misplaced", "turned", "fallen", "pushed_back")
    item: Ints  # [row, facing, row of items], -1: none
    x_m: Array  # middle of the footprint, from the board's left end
    y_m: Array  # from its front edge
    yaw_rad: Array
    lies: Bools  # on its back, top to the front
    item_m: Array  # [row, facing, row of items, 3], size of the item's place
    missing: Bools  # [row, facing]
    misplaced: Bools
    turned: Bools
    fallen: Bools
    pushed_back: Bools
    starved: NDArray[np.int32]  # [row], items that were wanted when none was left


def face(block: Block, stock: Stock, chances: Chances, gap_m: float) -> Facings:
    """Return the facings of a block, whose items are taken from the stock."""
    lines, size_m = stock.lines, block.size_m
    there = np.arange(FACINGS_MOST)[None] < block.count[:, None]
    ends = np.cumsum(chances.shares[:, :COUNTERFEIT], axis=1)[:, :, None]
    kind = (chances.fault[:, None] >= ends).sum(axis=1)  # which of the faults, 5: none
    missing, misplaced, turned, fallen, pushed = (there & (kind == k) for k in range(5))
    round_ = lines.round[block.line][:, None]
    deep_m = block.board_m[1]
    front_m = np.maximum(chances.front_m, 0.0)
    fallen &= (size_m[:, 2] <= deep_m)[:, None] & (size_m[:, 1] <= block.board_m[2])[:, None]
    side = 1 + (chances.side * 3.0).astype(np.int64)  # quarter turns
    side = np.where((size_m[:, 0] > deep_m)[:, None] | (size_m[:, 1] > size_m[:, 0])[:, None], 2, side)
    quarter = turned & ~round_ & (side != 2)
    own_depth_m = np.where(fallen, size_m[:, 2:3], np.where(quarter, size_m[:, 0:1], size_m[:, 1:2]))
    front_m = np.minimum(front_m, deep_m - own_depth_m)
    pitch_m = size_m[:, 1:2] + gap_m
    rows = np.minimum(np.floor(chances.rows), np.floor((deep_m - front_m + gap_m) / pitch_m + 1e-9))
    rows = np.where(fallen | quarter, 1, np.maximum(rows, 1)).astype(np.int64)
    wanted = (there & ~missing)[..., None] & (np.arange(ROWS_MOST) < rows[..., None])
    wanted[:, :, 0] &= ~misplaced
    flat = (len(block.line), FACINGS_MOST * ROWS_MOST)
    fake = chances.fake < chances.shares[:, COUNTERFEIT, None, None]
    front_first = wanted.transpose(0, 2, 1).reshape(flat)
    item = stock.take(block.line, front_first, fake.transpose(0, 2, 1).reshape(flat))
    starved = (front_first & (item < 0)).sum(axis=1).astype(np.int32)
    item = item.reshape(len(block.line), ROWS_MOST, FACINGS_MOST).transpose(0, 2, 1).copy()
    item_m = np.broadcast_to(size_m[:, None, None], (*item.shape, 3)).copy()
    misplaced &= _stray(item, item_m, misplaced, block, stock, chances.stray)

    used_m = rows * pitch_m - gap_m
    slack_m = np.maximum(deep_m - front_m - np.where(fallen | quarter, own_depth_m, used_m), 0.0)
    front_m = front_m + np.where(pushed, slack_m * (0.5 + 0.5 * chances.push), 0.0)
    y_m = front_m[..., None] + np.arange(ROWS_MOST) * pitch_m[..., None] + 0.5 * item_m[..., 1]
    alone = (fallen | quarter)[..., None] & (np.arange(ROWS_MOST) == 0)
    y_m = np.where(alone, (front_m + 0.5 * own_depth_m)[..., None], y_m)
    step_m = size_m[:, 0:1] + gap_m
    x_m = (block.start_m[:, None] + 0.5 * size_m[:, 0:1] + np.arange(FACINGS_MOST) * step_m)[..., None]

    most = np.arcsin(np.minimum(gap_m / np.maximum(item_m[..., 0], item_m[..., 1]), 1.0))
    most = np.where(alone | fallen[..., None], 0.0, most)
    yaw_rad = np.clip(np.deg2rad(chances.yaw_deg), -most, most)
    spare_m = np.maximum(size_m[:, 0:1, None] - item_m[..., 0], 0.0)
    x_m = x_m + (chances.jitter - 0.5) * spare_m
    first = (np.arange(ROWS_MOST) == 0)[None, None]
    whole_turn = np.where(round_[..., None], 2.0 * np.pi * chances.side[..., None], side[..., None] * (0.5 * np.pi))
    yaw_rad = yaw_rad + np.where(turned[..., None] & first, whole_turn, 0.0)
    lies = fallen[..., None] & first & (item >= 0)
    seen = item[:, :, 0] >= 0
    return Facings(
        item, x_m, y_m, yaw_rad, lies, item_m, missing, misplaced, turned & seen, fallen & seen, pushed & seen, starved
    )


def _stray(item: Ints, item_m: Array, asked: Bools, block: Block, stock: Stock, chance: Array) -> Bools:
    """Put an item of another line into the front place of facings that ask for it; return where there was one."""
    lines = stock.lines
    got = np.zeros_like(asked)
    for facing in range(FACINGS_MOST):
        rows = np.flatnonzero(asked[:, facing])
        if not len(rows):
            continue
        fits = (lines.size_m[None] <= block.size_m[rows][:, None] * (1.0, 1.0, np.inf)).all(axis=2)
        fits &= (lines.size_m[:, 2] <= block.board_m[2])[None] & (stock.left()[rows] > 0)
        fits[np.arange(len(rows)), block.line[rows]] = False
        number = np.floor(chance[rows, facing] * fits.sum(axis=1)).astype(np.int64)
        other = np.argmax(np.cumsum(fits, axis=1) > number[:, None], axis=1)
        wanted = np.zeros((len(asked), 1), np.bool_)
        wanted[rows, 0] = fits.any(axis=1)
        line = block.line.copy()
        line[rows] = other
        taken = stock.take(line, wanted, np.zeros_like(wanted))[:, 0]
        found = rows[taken[rows] >= 0]
        item[found, facing, 0] = taken[found]
        item_m[found, facing, 0] = lines.size_m[line[found]]
        got[found, facing] = True
    return got


def poses_of(facings: Facings, block: Block, board: Anchor) -> tuple[Ints, Ints, Array]:
    """Return row, item and the pose of each foot [3, 4] in the world, of everything that stands in a block."""
    row, facing, behind = np.nonzero(facings.item >= 0)
    at = (row, facing, behind)
    lies, size_m = facings.lies[at], facings.item_m[at]
    x_m = np.broadcast_to(facings.x_m, facings.item.shape)[at] - 0.5 * block.board_m[0]
    y_m = facings.y_m[at] - 0.5 * block.board_m[1]
    cos, sin = np.cos(facings.yaw_rad[at]), np.sin(facings.yaw_rad[at])
    place = np.zeros((len(row), 3, 4))
    place[:, 0, 0], place[:, 0, 1], place[:, 1, 0], place[:, 1, 1], place[:, 2, 2] = cos, -sin, sin, cos, 1.0
    # What lies is turned about x by a quarter, top to the front, and rests on its back half a depth below its middle.
    place[lies, :, :3] = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    place[:, 0, 3] = x_m
    place[:, 1, 3] = y_m + np.where(lies, 0.5 * size_m[:, 2], 0.0)
    place[:, 2, 3] = np.where(lies, 0.5 * size_m[:, 1], 0.0)
    return row, facings.item[at], compose(board.world_from_anchor, place)
