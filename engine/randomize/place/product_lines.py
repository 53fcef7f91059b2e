"""Product lines: items that are alike, and what of them is left in each world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.randomize.draw import Draw
from engine.randomize.place.placing import Items
from engine.scene.model import Scene

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ROUND_SLACK = 1.02  # a footprint is round if its corners reach no farther than its sides by more


@dataclass(frozen=True)
class Lines:
    """Items by line; a line's place has the largest size of its items."""

    names: tuple[str, ...]  # [line], paths of their folders
    department: tuple[int, ...]  # [line], folders of those
    size_m: Array  # [line, 3]
    round: Bools  # [line], whether its items turn about the vertical in place
    line_of_item: Ints  # [item]
    fake: Bools  # [item]


def lines_of(scene: Scene, items: Items, fakes: Ints | None, draw: Draw) -> Lines:
    """Return the lines that instances belong to by their paths.

    Raises:
        UserError: If an instance stands in no folder of a department, or none of a line is genuine.
    """
    paths = [scene.instances.path[i] for i in items.instance]
    folder = [path.rpartition("/")[0] for path in paths]
    names = tuple(sorted(set(folder)))
    for name in names:
        if name.count("/") < 2:
            raise UserError(f"{draw.where('items')}: {name} is no line; items lie in <department>/<line>/<item>")
    above = [name.rpartition("/")[0] for name in names]
    kinds = sorted(set(above))
    line = np.array([names.index(f) for f in folder], np.int64)
    fake = np.zeros(len(paths), np.bool_) if fakes is None else np.isin(items.instance, fakes)
    size_m = np.zeros((len(names), 3))
    np.maximum.at(size_m, line, items.size_m)
    for number, name in enumerate(names):
        if fake[line == number].all():
            raise UserError(f"{draw.where('counterfeits')}: {name} has counterfeits only; a line needs a genuine item")
    reach_m = _reach_m(scene, items)
    widest = np.zeros(len(names))
    np.maximum.at(widest, line, reach_m)
    turns = 2.0 * widest <= ROUND_SLACK * np.minimum(size_m[:, 0], size_m[:, 1])
    return Lines(names, tuple(kinds.index(a) for a in above), size_m, turns, line, fake)


def _reach_m(scene: Scene, items: Items) -> Array:
    """Return how far each item reaches from the vertical through the middle of its footprint, as authored."""
    row_of = {int(instance): row for row, instance in enumerate(items.instance)}
    poses = scene.instances.world_from_instance
    reach_m = np.zeros(len(items.instance))
    for placement, mesh in enumerate(scene.placements.mesh):
        instance = int(scene.placements.instance[placement])
        if instance not in row_of:
            continue
        row = row_of[instance]
        foot = poses[instance, :, 3] - items.stood_from_instance[row, :, 3]
        matrix = scene.placements.world_from_mesh[placement]
        points = scene.meshes[mesh].points_m.astype(np.float64) @ matrix[:, :3].T + matrix[:, 3]
        if len(points):
            reach_m[row] = max(reach_m[row], float(np.hypot(*(points - foot)[:, :2].T).max()))
    return reach_m


class Stock:
    """What is left of every line in every row: genuine items and counterfeits, each in a random order."""

    def __init__(self, lines: Lines, rank: Array) -> None:
        self.lines = lines
        count = len(lines.names)
        self._used = np.zeros((2, len(rank), count), np.int64)  # [fake, row, line]
        self._total = np.array(
            [np.bincount(lines.line_of_item[lines.fake == fake], minlength=count) for fake in (False, True)]
        )
        self._first = np.concatenate([np.zeros((2, 1), np.int64), np.cumsum(self._total, axis=1)[:, :-1]], axis=1)
        self._order = []
        for fake in (False, True):
            own = np.flatnonzero(lines.fake == fake)
            by_line = np.argsort(lines.line_of_item[own][None] + rank[:, own], axis=1, kind="stable")
            self._order.append(own[by_line] if len(own) else np.zeros((len(rank), 0), np.int64))

    def left(self) -> Ints:
        """Return how many genuine items there still are, [row, line]."""
        return np.asarray(self._total[0][None] - self._used[0])

    def take(self, line: Ints, wanted: Bools, fake: Bools) -> Ints:
        """Return an item for each wanted place [row, place], -1 where none is left.

        A counterfeit is taken where `fake` says so and one is left, else a genuine item.
        """
        rows = np.arange(len(line))
        spare = self._total[1][line] - self._used[1][rows, line]
        is_fake = wanted & fake
        is_fake &= np.cumsum(is_fake, axis=1) <= spare[:, None]
        item = np.full(wanted.shape, -1, np.int64)
        for kind, asked in ((1, is_fake), (0, wanted & ~is_fake)):
            number = np.cumsum(asked, axis=1) - 1 + self._used[kind][rows, line][:, None]
            got = asked & (number < self._total[kind][line][:, None])
            row, place = np.nonzero(got)
            item[row, place] = self._order[kind][row, self._first[kind][line[row]] + number[row, place]]
            self._used[kind][rows, line] += got.sum(axis=1)
        return item
