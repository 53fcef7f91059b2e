"""Splits without leakage: what belongs together is never in two of them.

By frame or world, a number is enough: n times the golden ratio, plus a number of the seed, modulo 1, falls into one of
the intervals that the fractions are. The fractional parts of n phi spread as evenly as any sequence does, so that
fractions are met to a few groups; and no world moves when others are added. By asset or by a column, groups are first
collected, then dealt out, the largest first, each to the split that lacks most.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass

from engine.errors import UserError
from engine.formats.record import Frame

GOLDEN_64 = 0x9E3779B97F4A7C15  # 2^64 / golden ratio, odd
WORD = 2**64
KEPT = "keep"  # as --split: the splits that the data came in
SPLIT_COLUMN = "split"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
TOLERANCE = 1.0e-6  # of the sum of fractions
ALL = (("train", 1.0),)


@dataclass(frozen=True)
class SplitPlan:
    """What was asked for."""

    fractions: tuple[tuple[str, float], ...] = ALL
    by: str = "frame"  # frame, world, asset, or a column of the index
    seed: int = 0
    only_class: str = ""  # by asset: only assets of this class count
    is_kept: bool = False  # every frame stays in the split that its column `split` names

    def __post_init__(self) -> None:
        if self.only_class and self.by != "asset":
            raise UserError(f"--split-class {self.only_class} needs --split-by asset")

    @property
    def names(self) -> tuple[str, ...]:
        """The splits."""
        return tuple(name for name, _ in self.fractions)


def parse_fractions(text: str) -> tuple[tuple[str, float], ...]:
    """Return the splits in `train=0.8,val=0.2`.

    Raises:
        UserError: If a name or fraction is bad, or they do not add up to 1.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, separator, value = (word.strip() for word in part.partition("="))
        try:
            fraction = float(value)
        except ValueError:
            fraction = math.nan
        if not separator or not NAME.fullmatch(name) or name in found or not 0.0 < fraction <= 1.0:
            raise UserError(f"--split {text}: '{part}' is not name=fraction with a new name and a fraction in 0..1")
        found[name] = fraction
    if abs(sum(found.values()) - 1.0) > TOLERANCE:
        raise UserError(f"--split {text}: the fractions add up to {sum(found.values()):g}, not to 1")
    return tuple(found.items())


def kept_fractions(splits: Iterable[str | None]) -> tuple[tuple[str, float], ...]:
    """Return the splits that data came in with their shares, by the split of every frame.

    Raises:
        UserError: If a frame has none, or the name of one cannot be a folder.
    """
    counts = Counter(splits)
    for name in counts:
        if name is None or not NAME.fullmatch(name):
            raise UserError(f"--split {KEPT}: a frame is in the split {name!r}; give fractions instead")
    total = sum(counts.values())
    return tuple((str(name), count / total) for name, count in sorted(counts.items(), key=lambda pair: str(pair[0])))


def by_number(plan: SplitPlan, number: int) -> str:
    """Return the split of a frame or world by its number."""
    offset = int.from_bytes(hashlib.sha256(f"split:{plan.seed}".encode()).digest()[:8], "big")
    place = (number * GOLDEN_64 + offset) % WORD / WORD
    end = 0.0
    for name, fraction in plan.fractions:
        end += fraction
        if place < end:
            return name
    return plan.fractions[-1][0]


def deal(plan: SplitPlan, sizes: Mapping[Hashable, int]) -> dict[Hashable, str]:
    """Return the split of every group, given how many frames each has; the order of `sizes` does not matter."""
    total = sum(sizes.values())
    lacks = {name: fraction * total for name, fraction in plan.fractions}
    dealt: dict[Hashable, str] = {}
    for group in sorted(sizes, key=lambda group: (-sizes[group], _digest(plan.seed, group))):
        name = max(lacks, key=lambda name: lacks[name])  # of equals the first
        dealt[group] = name
        lacks[name] -= sizes[group]
    return dealt


def _digest(seed: int, group: Hashable) -> bytes:
    return hashlib.sha256(f"{seed}:{group!r}".encode()).digest()


class Groups:
    """Frames that must stay together because they share something: union-find over what they show."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}
        self._of_frame: dict[int, Hashable] = {}

    def add(self, frame_id: int, shown: Iterable[Hashable]) -> None:
        """Put a frame together with all others that show one of the same things."""
        root: Hashable = None
        for thing in shown:
            other = self._root(("thing", thing))
            if root is None:
                root = other
            elif root != other:
                low, high = sorted((root, other), key=repr)  # the same root in any order of frames
                self._parent[high] = root = low
        self._of_frame[frame_id] = ("frame", frame_id) if root is None else root

    def of_frames(self) -> dict[int, Hashable]:
        """Return the group of every frame."""
        return {frame: self._root(group) for frame, group in self._of_frame.items()}

    def _root(self, thing: Hashable) -> Hashable:
        self._parent.setdefault(thing, thing)
        while self._parent[thing] != thing:
            self._parent[thing] = self._parent[self._parent[thing]]
            thing = self._parent[thing]
        return thing


def splitter(plan: SplitPlan, split_of_frame: Mapping[int, str] | None) -> Callable[[Frame], str]:
    """Return what says the split of a frame: a table by its id, or its number or that of its world."""
    if split_of_frame is not None:
        return lambda frame: split_of_frame[frame.id]
    if plan.by == "world":
        return lambda frame: by_number(plan, frame.world)
    return lambda frame: by_number(plan, frame.id)


def split_groups(plan: SplitPlan, group_of: Mapping[int, Hashable]) -> dict[int, str]:
    """Return the split of every frame, given its group.

    Raises:
        UserError: If there are fewer groups than splits.
    """
    sizes = Counter(group_of.values())
    if len(sizes) < len(plan.fractions):
        if plan.by == "asset":
            of_class = f" of class {plan.only_class}" if plan.only_class else ""
            raise UserError(
                f"--split-by asset: the frames make {len(sizes)} group(s) that share assets{of_class}, so they "
                f"cannot be split into {len(plan.fractions)}; name a class with --split-class, or split by world"
            )
        raise UserError(
            f"--split-by {plan.by}: it has {len(sizes)} value(s), fewer than the {len(plan.fractions)} splits; "
            "choose another column, or split by world"
        )
    dealt = deal(plan, sizes)
    return {frame: dealt[group] for frame, group in group_of.items()}


def check_filled(plan: SplitPlan, counts: Mapping[str, int]) -> None:
    """Refuse splits without a frame.

    Raises:
        UserError: If there is one.
    """
    empty = [name for name in plan.names if not counts.get(name)]
    if empty:
        raise UserError(
            f"--split: {', '.join(empty)} would have no frame of {sum(counts.values())}; make more worlds, or choose "
            f"other fractions, another --seed, or another --split-by than {plan.by}"
        )
