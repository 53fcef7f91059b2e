"""What a report judged, as rows with an outcome each: misses, false alarms of pictures, or low scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.discover.bins import Coded
from engine.discover.columns import Left, Wanted, choose
from engine.errors import UserError
from engine.evaluate.slices import SEEN, SEEN_DEFECTS
from engine.evaluate.stored import StoredReport
from engine.evaluate.truth import read_truth
from engine.query import open_index

Kind = Literal["misses", "alarms", "low_confidence"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LOW_SHARE = 0.25  # of the found instances: scores that are low where nobody says which are
PICTURES = "FROM frames f JOIN worlds w USING (world, step)"
INSTANCES = f"{PICTURES} JOIN seen i ON i.frame_id = f.frame_id"

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Options:
    """What is searched for, and how."""

    of: Kind = "misses"
    most: int = 3  # conjuncts
    support: int = 20  # groups of the discovery half
    rate: float = 0.1  # of false discoveries among those that go on to the confirmation half
    columns: tuple[str, ...] = ()  # patterns of names; empty: all
    seed: int = 0  # of the halves
    below: float | None = None  # low_confidence: scores that are low; None: the lowest quarter

    def __post_init__(self) -> None:
        if self.of not in KINDS:
            raise UserError(f"--of {self.of}: one of {', '.join(KINDS)}")
        if self.most not in (1, 2, 3):
            raise UserError(f"--most must be 1, 2 or 3, got {self.most}")
        if self.support < 5:
            raise UserError(f"--support must be at least 5 groups, got {self.support}; fewer say nothing of others")
        if not 0.0 < self.rate <= 0.5:
            raise UserError(f"--rate must be above 0 and at most 0.5, got {self.rate:g}")
        if self.seed < 0:
            raise UserError(f"--seed must be 0 or more, got {self.seed}")


@dataclass(frozen=True)
class Rows:
    """Rows sorted by group; the arrays are [row]."""

    outcome: Floats  # 1: failed, 0: not; of alarms their number
    group: NDArray[np.int64]  # 0, 1, ...
    discovery: Flags  # of the half that is searched
    columns: list[Coded]
    left: list[Left]
    of_instances: bool
    low_score: float | None  # low_confidence: scores up to it are low


def read_rows(report: StoredReport, options: Options) -> Rows:
    """Return what a report judged, with the columns of its dataset.

    Raises:
        UserError: If there is nothing to judge, or a column that was asked for is not there.
    """
    truth = read_truth(report.dataset, report.group_by)
    connection = open_index(report.dataset, "discover slices")
    group_of = dict(zip(truth.frame_id.tolist(), truth.group.tolist(), strict=True))
    low: float | None = None
    if options.of == "alarms":
        joined = f"{PICTURES} ORDER BY f.frame_id"
        keys, outcome = truth.frame_id[:, None], _alarms(report, truth.frame_id)
    else:
        names = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
        connection.execute(SEEN_DEFECTS if "defects" in names else SEEN)
        joined = f"{INSTANCES} ORDER BY f.frame_id, i.is_defect, i.truth_id"
        keys, outcome, low = _instances(report, options)
    if not len(keys):
        raise UserError(f"{report.folder} has nothing to search: the dataset shows no instance")
    named = "f.frame_id" if options.of == "alarms" else "f.frame_id, i.is_defect, i.truth_id"
    found = connection.execute(f"SELECT {named} {joined}").fetchnumpy()
    place = _places(keys, np.stack([np.asarray(own, np.int64) for own in found.values()], axis=1), report)
    group = np.unique([group_of[frame] for frame in keys[:, 0].tolist()], return_inverse=True)[1].astype(np.int64)
    order = np.lexsort((place, group))
    discovery = first_half(group, options.seed)[order]
    wanted = Wanted(place[order], group[order], discovery, options.support, report.group_by, options.columns)
    columns, left = choose(connection, joined, wanted)
    return Rows(outcome[order], group[order], discovery, columns, left, options.of != "alarms", low)


def first_half(group: NDArray[np.int64], seed: int) -> Flags:
    """Return which rows are of the half that is searched: half of the groups, by the seed and their number alone."""
    count = int(group.max(initial=-1)) + 1
    random = np.random.Generator(np.random.Philox(key=[seed, count]))
    chosen = np.zeros(count, np.bool_)
    chosen[random.permutation(count)[: (count + 1) // 2]] = True
    return chosen[group]


def _instances(report: StoredReport, options: Options) -> tuple[NDArray[np.int64], Floats, float | None]:
    """Return keys and outcomes of the instances, and which score is low."""
    rows = report.matches().filter(pc.invert(report.matches()["is_crowd"]))
    score = rows["score"].to_numpy().astype(np.float64)
    found = rows["found"].to_numpy() & (np.nan_to_num(score, nan=-np.inf) >= report.score)
    keys = np.stack([rows[name].to_numpy().astype(np.int64) for name in ("frame_id", "is_defect", "truth_id")], axis=1)
    if options.of == "misses":
        return keys, (~found).astype(np.float64), None
    if not found.any():
        raise UserError(f"{report.folder}: no instance was found, so that no score is low; search --of misses")
    keys, score = keys[found], score[found]
    low = float(np.quantile(score, LOW_SHARE, method="lower")) if options.below is None else options.below
    return keys, (score <= low).astype(np.float64), low


def _alarms(report: StoredReport, frame_id: NDArray[np.int64]) -> Floats:
    """Return how many predictions found nothing, by picture."""
    rows = report.predictions()
    false = rows["truth_id"].is_null().to_numpy() & ~rows["ignored"].to_numpy()
    false &= rows["score"].to_numpy() >= report.score
    at = np.searchsorted(frame_id, rows["frame_id"].to_numpy()[false])
    return np.bincount(at, minlength=len(frame_id)).astype(np.float64)


def _places(keys: NDArray[np.int64], known: NDArray[np.int64], report: StoredReport) -> NDArray[np.int64]:
    """Return the row of every key in the joined table."""
    row_of: dict[tuple[Any, ...], int] = {tuple(key): row for row, key in enumerate(known.tolist())}
    try:
        return np.array([row_of[tuple(key)] for key in keys.tolist()], np.int64)
    except KeyError as error:
        raise UserError(
            f"{report.dataset}: the index does not have what the report judged, {error}; evaluate again"
        ) from error
