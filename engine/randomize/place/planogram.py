"""Planogram: blocks of facings of product lines on shop shelves, with what goes wrong there.

Boards are anchors: x along the board, the front edge at -y, the box's height what is clear above. A product line is the
folder of its instances in the stage, a department the folder of the line. All items of a line have places of one size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, LENGTH_RANGE_M, Law, check_support
from engine.randomize.place.facing import FACINGS_MOST, ROWS_MOST, Block, Chances, Facings, face, poses_of
from engine.randomize.place.placing import Items, items_of, put_down, standing_place
from engine.randomize.place.product_lines import Lines, Stock, lines_of
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Anchor, Scene

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

BLOCKS_MOST = 10  # on a board; a board that is full needs fewer
NEAR = 2.0  # a line of the bay's department comes before all others


@dataclass(frozen=True)
class Faults:
    """Shares of facings with which something is wrong; at most one thing at a time, in this order."""

    missing: Law  # sold out
    misplaced: Law  # the front item is one of another line, where one fits
    turned: Law  # the front item shows another side; alone in its facing unless it is round
    fallen: Law  # the front item lies, alone in its facing
    pushed_back: Law  # all stand at the back

    def __post_init__(self) -> None:
        for name in ("missing", "misplaced", "turned", "fallen", "pushed_back"):
            check_support(name, getattr(self, name), 0.0, 1.0)


@dataclass(frozen=True)
class OnRail:
    """Instances that hang before a board's front edge: price tags, promotion signs."""

    items: Glob
    share: Law  # of blocks that have one
    out_m: float  # from the front edge to the middle of the item's foot
    drop_m: float  # from the board down to the item's foot

    def __post_init__(self) -> None:
        check_support("share", self.share, 0.0, 1.0)


@dataclass(frozen=True)
class Planogram:
    """Instances onto boards, block by block; whatever is left over is hidden. Nothing interpenetrates."""

    STAGE: ClassVar[Stage] = Stage.PLACE
    items: Glob  # instances; `/Shop/<department>/<line>/<item>`
    counterfeits: Glob | None  # those among them that are no genuine ones
    boards: str  # kind of the anchors
    block_m: Law  # width of a block of one line
    rows: Law  # items one behind the other in a facing, as far as they fit
    gap_m: float  # between facings, and between rows
    front_m: Law  # from the front edge to the first item of a facing
    yaw_deg: Law  # as far as the gap lets an item turn
    department: Law  # share of bays that keep to a department while it lasts; a bay is the folder of its boards
    counterfeit: Law  # share of items that are counterfeits, while they last
    faults: Faults
    tags: OnRail | None
    wobblers: OnRail | None

    def __post_init__(self) -> None:
        check_support("block_m", self.block_m, 0.01, 100.0)
        check_support("rows", self.rows, 1, ROWS_MOST)
        check_support("front_m", self.front_m, *LENGTH_RANGE_M)
        check_support("yaw_deg", self.yaw_deg, *ANGLE_RANGE_DEG)
        for name in ("department", "counterfeit"):
            check_support(name, getattr(self, name), 0.0, 1.0)
        if not 0.0 < self.gap_m < 1.0:
            raise ValueError(f"gap_m must be above 0 and below 1, got {self.gap_m:g}")


@RANDOMIZERS.register("planogram", Planogram)
def planogram(params: Planogram, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Stock boards from the left to the right, lower boards first."""
    items = items_of(scene, draw.bounds, select.instances(scene, params.items, draw.where("items")))
    fakes = (
        None
        if params.counterfeits is None
        else select.instances(scene, params.counterfeits, draw.where("counterfeits"))
    )
    boards = select.anchors(scene, params.boards, draw.where("boards"))
    lines = lines_of(scene, items, fakes, draw)
    draft.visible[:, items.instance] = False
    plan = _Plan.drawn(params, boards, lines, draw)
    stock = Stock(lines, draw.uniform("order", count=len(items.instance)))
    held: list[tuple[Ints, Ints]] = []  # rows and instances, in the order of placing
    counts = {name: np.zeros(len(draft.world), np.int32) for name in (*Facings.COUNTED, "counterfeits", "starved")}
    rails = [
        _Rail(rail, name, scene, draft, draw, len(boards) * BLOCKS_MOST)
        for name, rail in (("tags", params.tags), ("wobblers", params.wobblers))
        if rail is not None
    ]
    for number, board in enumerate(boards):
        start_m = np.zeros(len(draft.world))
        for k in range(BLOCKS_MOST):
            slot = number * BLOCKS_MOST + k
            block = plan.block(slot, board, start_m, stock)
            if not block.count.any():
                break
            facings = face(block, stock, plan.chances(slot), params.gap_m)
            for name in Facings.COUNTED:
                counts[name] += getattr(facings, name).sum(axis=1).astype(np.int32)
            counts["starved"] += facings.starved
            row, item, place = poses_of(facings, block, board)
            put_down(items, item, place, row, draft)
            counts["counterfeits"] += np.bincount(row[lines.fake[item]], minlength=len(draft.world)).astype(np.int32)
            held.append((row, item))
            for rail in rails:
                rail.hang(slot, board, block, draft)
            start_m = np.where(block.count > 0, block.end_m + params.gap_m, start_m)
            plan.line[:, slot], plan.facings[:, slot] = np.where(block.count > 0, block.line, -1), block.count
    draw.record("line", np.asarray((*lines.names, ""))[plan.line])
    draw.record("facings", plan.facings)
    for name, values in counts.items():
        draw.record(name, values)
    draw.record(
        "placed", sum((np.bincount(row, minlength=len(draft.world)) for row, _ in held), start=0 * counts["starved"])
    )


@dataclass
class _Plan:
    """What a planogram draws, and what came of it for every block."""

    params: Planogram
    draw: Draw
    near: NDArray[np.bool_]  # [row, bay, line], of the department that the bay keeps to
    bay: Ints  # [board]
    shares: Array  # [row, 6], see Chances
    line: Ints  # [row, block], -1: none
    facings: Ints  # [row, block]

    @staticmethod
    def drawn(params: Planogram, boards: tuple[Anchor, ...], lines: Lines, draw: Draw) -> _Plan:
        """Return what is drawn for whole worlds and bays; blocks are drawn one by one."""
        bay_of = [board.path.rpartition("/")[0] for board in boards]
        bays = sorted(set(bay_of))
        keeps = draw.uniform("keeps", count=len(bays)) < draw.law("department", params.department)[:, None]
        favourite = (draw.uniform("favourite", count=len(bays)) * (max(lines.department) + 1)).astype(np.int64)
        near = keeps[:, :, None] & (favourite[:, :, None] == np.asarray(lines.department)[None, None])
        faults = params.faults
        laws = {
            "missing": faults.missing,
            "misplaced": faults.misplaced,
            "turned": faults.turned,
            "fallen": faults.fallen,
            "pushed_back": faults.pushed_back,
            "counterfeit": params.counterfeit,
        }
        shares = np.stack([draw.law(f"{key}_share", law) for key, law in laws.items()], axis=1)
        none = np.full((len(near), len(boards) * BLOCKS_MOST), -1, np.int64)
        return _Plan(
            params, draw, near, np.array([bays.index(bay) for bay in bay_of], np.int64), shares, none, none * 0
        )

    def chances(self, slot: int) -> Chances:
        """Return what is drawn for the facings of a block."""
        shape = (-1, FACINGS_MOST, ROWS_MOST)
        one, each = {"count": FACINGS_MOST, "dimension": slot}, {"count": FACINGS_MOST * ROWS_MOST, "dimension": slot}
        alone = [self.draw.uniform(key, **one) for key in ("fault", "side", "push", "stray")]
        alone += [
            self.draw.sample("front_m", self.params.front_m, **one),
            self.draw.sample("rows", self.params.rows, **one),
        ]
        items = [self.draw.uniform(key, **each) for key in ("fake", "jitter")]
        items.append(self.draw.sample("yaw_deg", self.params.yaw_deg, **each))
        return Chances(self.shares, *alone, *(values.reshape(shape) for values in items))

    def block(self, slot: int, board: Anchor, start_m: Array, stock: Stock) -> Block:
        """Return the next block of a board in every row; `count` is 0 where nothing fits."""
        lines, gap_m = stock.lines, self.params.gap_m
        liking = self.draw.uniform("liking", count=len(lines.names), dimension=slot)
        liking = liking + NEAR * self.near[:, self.bay[slot // BLOCKS_MOST]]
        wanted_m = self.draw.sample("block_m", self.params.block_m, dimension=slot)
        left_m = board.size_m[0] - start_m
        fits = (lines.size_m[:, 2] <= board.size_m[2]) & (lines.size_m[:, 1] <= board.size_m[1])
        fits = fits[None] & (lines.size_m[None, :, 0] <= left_m[:, None]) & (stock.left() > 0)
        line = np.argmax(np.where(fits, liking, -1.0), axis=1)
        size_m = lines.size_m[line]
        pitch_m = size_m[:, 0] + gap_m
        room_m = np.minimum(np.maximum(wanted_m, size_m[:, 0]), left_m)
        count = np.minimum(np.floor((room_m + gap_m) / pitch_m + 1e-9).astype(np.int64), FACINGS_MOST)
        count = np.minimum(count, stock.left()[np.arange(len(line)), line])
        count = np.where(fits.any(axis=1), count, 0)
        return Block(
            line, count, start_m, start_m + np.maximum(count, 1) * pitch_m - gap_m, size_m, np.asarray(board.size_m)
        )


class _Rail:
    """A pool of instances of which blocks get one each."""

    def __init__(self, rail: OnRail, name: str, scene: Scene, draft: Draft, draw: Draw, blocks: int) -> None:
        self._rail = rail
        self._items: Items = items_of(
            scene, draw.bounds, select.instances(scene, rail.items, draw.where(f"{name}.items"))
        )
        self._order = np.argsort(draw.uniform(f"{name}_order", count=len(self._items.instance)), axis=1, kind="stable")
        self._wants = draw.uniform(f"{name}_wanted", count=blocks) < draw.law(f"{name}_share", rail.share)[:, None]
        self._where = draw.uniform(f"{name}_place", count=blocks)
        self._used = np.zeros(len(draft.world), np.int64)
        draft.visible[:, self._items.instance] = False

    def hang(self, slot: int, board: Anchor, block: Block, draft: Draft) -> None:
        """Hang one before the block where one is wanted and left."""
        wide_m = self._items.size_m[:, 0].max()
        room_m = block.end_m - block.start_m - wide_m
        rows = np.flatnonzero(
            self._wants[:, slot] & (block.count > 0) & (self._used < self._order.shape[1]) & (room_m >= 0.0)
        )
        item = self._order[rows, self._used[rows]]
        self._used[rows] += 1
        x_m = block.start_m[rows] - 0.5 * board.size_m[0] + 0.5 * wide_m + self._where[rows, slot] * room_m[rows]
        out_m = np.full(len(rows), -0.5 * board.size_m[1] - self._rail.out_m)
        foot_m = np.stack([x_m, out_m, np.full(len(rows), -self._rail.drop_m)], axis=-1)
        put_down(self._items, item, standing_place(board.world_from_anchor, np.zeros(len(rows)), foot_m), rows, draft)
