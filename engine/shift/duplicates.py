"""Near duplicates: pictures that look the same, within a dataset and from one to another.

Hashes find candidates, which are then compared: pictures without much in them have hashes that say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import UserError
from engine.shift.hashes import NearPairs, near_pairs
from engine.shift.page import figure, page, thumbnail
from engine.shift.pictures import IMAGE, Clock, Pictures, read_columns, read_frames, read_rgb

Array = NDArray[np.float64]

THRESHOLD_BITS = 6
COPY_PX = 64  # side of the copies that candidates are compared by
ALIKE = 0.95  # correlation of the copies
ALIKE_IN_DETAIL = 0.8  # of what is left of them without slow shading, which different pictures share
DETAIL_SIGMA_PX = 6.0
FLAT_STD = 1.5 / 255  # of the detail: less is noise, of which nothing follows
CANDIDATES = 20_000  # pairs that are compared at most, nearest first
SHOWN = 100  # pairs on the page


@dataclass(frozen=True)
class Pair:
    """Two pictures that look the same."""

    first: str  # dataset
    first_frame: int
    second: str
    second_frame: int
    bits: int  # in which the hashes differ
    similarity: float  # correlation of detail; 1 for equal files
    crosses: bool  # from one dataset to another: a leak
    one_group: bool = False  # both of one surface, drive or world: alike by nature, and no split parts them


@dataclass(frozen=True)
class Searched:
    """Two datasets, or one with itself, and how many pairs were found between them."""

    first: str
    second: str
    candidates: int  # by hash
    compared: int  # of them
    duplicates: int
    undecided: int  # too flat to compare


@dataclass(frozen=True)
class DuplicateReport:
    """What was found."""

    datasets: dict[str, str]  # name -> dataset_id
    holdout: str  # name, "" if none
    threshold_bits: int
    searched: tuple[Searched, ...]
    pairs: tuple[Pair, ...]
    schema: Literal["duplicates/1"] = "duplicates/1"

    @property
    def telling(self) -> tuple[Pair, ...]:
        """The pairs that are not of one group: what a split could tear apart, or a dataset leak."""
        return tuple(pair for pair in self.pairs if not pair.one_group)

    @property
    def leaks(self) -> int:
        """How many pairs cross datasets."""
        return sum(pair.crosses for pair in self.pairs)


def find_duplicates(
    sets: Sequence[Pictures],
    holdout: Pictures | None,
    bits: int,
    clock: Clock | None = None,
    *,
    within: bool = True,
) -> DuplicateReport:
    """Return the near duplicates within datasets, and between any two.

    Args:
        sets: Datasets; pairs within each are listed, too.
        holdout: Another, of which nothing is looked for within itself.
        bits: In which the hashes of a pair differ at most.
        clock: Told of pairs that were compared.
        within: False looks for pairs between datasets alone.
    Raises:
        UserError: If a dataset has no hashes, or two have one name.
    """
    everything = [*sets, *([holdout] if holdout is not None else [])]
    names = _names(everything)
    hashes = [_hashes(pictures) for pictures in everything]
    near_of = {
        (one, two): near_pairs(hashes[one], None if one == two else hashes[two], bits, limit=CANDIDATES)
        for one, two in combinations_with_replacement(range(len(everything)), 2)
        if one != two or (within and everything[one] is not holdout)
    }
    if clock is not None:
        clock.begin(sum(len(near) for near in near_of.values()))
    searched: list[Searched] = []
    pairs: list[Pair] = []
    for (one, two), near in near_of.items():
        found = _compare(everything[one], everything[two], near, clock.update if clock is not None else lambda _: None)
        alike = [(row, value) for row, value in enumerate(found) if value]
        pairs += [
            Pair(names[one], int(everything[one].frame_id[near.first[row]]), names[two],
                 int(everything[two].frame_id[near.second[row]]), int(near.bits[row]), value, one != two,
                 one == two and bool(everything[one].group[near.first[row]] == everything[one].group[near.second[row]]))
            for row, value in alike
        ]  # fmt: skip
        undecided = sum(value is None for value in found)
        searched.append(Searched(names[one], names[two], near.found, len(near), len(alike), undecided))
    pairs.sort(key=lambda pair: (not pair.crosses, pair.one_group, pair.bits, -pair.similarity))
    return DuplicateReport(
        {name: pictures.dataset_id for name, pictures in zip(names, everything, strict=True)},
        names[-1] if holdout is not None else "", bits, tuple(searched), tuple(pairs),
    )  # fmt: skip


def duplicates_page(report: DuplicateReport, sets: Sequence[Pictures]) -> bytes:
    """Return a page with the pairs side by side, those that cross datasets first; without those of one group."""
    of_name = dict(zip(_names(sets), sets, strict=True))
    shown = report.telling[:SHOWN]
    wanted: dict[str, set[int]] = {name: set() for name in of_name}
    for pair in shown:
        wanted[pair.first].add(pair.first_frame)
        wanted[pair.second].add(pair.second_frame)
    pictures = {
        (name, frame.id): thumbnail(read_rgb(frame, 240), (frame.width, frame.height))
        for name, frame_ids in wanted.items()
        for frame in read_frames(of_name[name], frame_ids)
    }
    body = [f"<h1>Near duplicates</h1><p>{report.leaks} of {len(report.pairs)} pairs cross datasets.</p>"]
    for pair in shown:
        css = "yes" if pair.crosses else ""
        body.append(
            f'<p class="{css}">{pair.bits} bits apart, detail alike to {pair.similarity:.2f}</p>'
            + figure(pictures[pair.first, pair.first_frame], f"{pair.first}, frame {pair.first_frame}")
            + figure(pictures[pair.second, pair.second_frame], f"{pair.second}, frame {pair.second_frame}")
        )
    return page("Near duplicates", body)


def similarity(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> float | None:
    """Return how much the detail of two copies [y, x] correlates; 0 where they differ, None where they are flat."""
    from scipy.ndimage import gaussian_filter

    whole = [copy.astype(np.float64) / 255.0 for copy in (one, two)]
    detail = [copy - gaussian_filter(copy, DETAIL_SIGMA_PX) for copy in whole]
    if _correlation(*whole) < ALIKE and min(copy.std() for copy in whole) > FLAT_STD:
        return 0.0
    if min(part.std() for part in detail) < FLAT_STD:
        return None
    alike = _correlation(*detail)
    return alike if alike >= ALIKE_IN_DETAIL else 0.0


def _correlation(one: Array, two: Array) -> float:
    a, b = one - one.mean(), two - two.mean()
    return float((a * b).sum() / (np.sqrt((a**2).sum() * (b**2).sum()) + 1.0e-12))


def _compare(one: Pictures, two: Pictures, near: NearPairs, update: Callable[[int], None]) -> list[float | None]:
    """Return the similarity of every pair; see `similarity`."""
    copies = _copies(one, np.unique(near.first)), _copies(two, np.unique(near.second))
    found: list[float | None] = []
    for first, second in zip(near.first.tolist(), near.second.tolist(), strict=True):
        (digest, copy), (other_digest, other) = copies[0][first], copies[1][second]
        found.append(1.0 if digest is not None and digest == other_digest else similarity(copy, other))
        update(1)
    return found


def _copies(pictures: Pictures, rows: NDArray[np.int64]) -> dict[int, tuple[bytes | None, NDArray[np.uint8]]]:
    row_of = dict(zip(pictures.frame_id[rows].tolist(), rows.tolist(), strict=True))
    found = {}
    for frame in read_frames(pictures, row_of):
        picture = Image.fromarray(read_rgb(frame, 4 * COPY_PX)).convert("L")
        copy = np.asarray(picture.resize((COPY_PX, COPY_PX), Image.Resampling.BOX))
        found[row_of[frame.id]] = frame.row.get(f"{IMAGE}_sha256"), copy
    return found


def _hashes(pictures: Pictures) -> NDArray[np.uint64]:
    table = read_columns(pictures.out, "frames", ("phash",))
    if "phash" not in table.column_names:
        raise UserError(f"{pictures.out} has no column phash; make it anew with this version")
    if table["phash"].null_count:
        raise UserError(f"{pictures.out}: {table['phash'].null_count} frames have no phash; make it anew")
    hashes: NDArray[np.uint64] = table["phash"].to_numpy().astype(np.uint64)
    return hashes


def _names(sets: Sequence[Pictures]) -> list[str]:
    """Return a name for every dataset: that of its folder, with its id where two are called the same."""
    names = [pictures.name for pictures in sets]
    named = [
        name if names.count(name) == 1 else f"{name} ({p.dataset_id})" for name, p in zip(names, sets, strict=True)
    ]
    if len(set(named)) < len(named):
        raise UserError(f"{next(n for n in named if named.count(n) > 1)} is named twice; name others beside it")
    return named
