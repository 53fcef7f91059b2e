"""An audit: every failure with what is nearest to it, around it and as a whole picture, and how it differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.audit.cut import OF_INSTANCES, SIZES, Cuts, Measured, Place, instances_of, measure, spread
from engine.audit.failures import ALARM, Chosen, Failure, choose_failures
from engine.audit.hints import Hint, hints
from engine.audit.nearest import Neighbour, Yardstick, nearest, usual_distance
from engine.audit.standing import Standing, standings
from engine.collect.groups import WORLD
from engine.collect.mixture import ORIGIN
from engine.errors import UserError
from engine.evaluate.stored import StoredReport, read_report
from engine.shift.cues import CUES
from engine.shift.pictures import Pictures, column_names, only, open_pictures, read_columns

AROUND, WHOLE = "around", "whole"
Key = tuple[int, bool, int]  # frame, whether a defect, number there
Say = Callable[[str], None]


@dataclass(frozen=True)
class AuditPlan:
    """What to look at."""

    most: int = 24  # failures
    per_group: int = 2  # of them in one group
    side_px: int = 64  # of crops
    pool: int = 200  # synthetic and real pictures, and instances of each class, that failures are compared with
    neighbours: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {
            "most": (1, 200), "per_group": (1, 200), "side_px": (16, 512), "pool": (1, 20_000), "neighbours": (1, 8),
            "seed": (0, 2**31),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                option = {"side_px": "side"}.get(name, name).replace("_", "-")
                raise UserError(f"--{option} must be in {low}..{high}, got {getattr(self, name)}")


@dataclass(frozen=True)
class Near:
    """A neighbour, and where it is."""

    place: Place
    distance: float
    by_cue: dict[str, float]
    farthest: str
    found: bool | None  # an instance of the report's own dataset that the model found, or missed; None: of neither


@dataclass(frozen=True)
class Level:
    """A failure looked at around its place, or as a whole picture."""

    kind: str  # AROUND | WHOLE
    place: Place
    synthetic: tuple[Near, ...]
    real: tuple[Near, ...]  # of other groups
    usual: float | None  # how far 99 % of the synthetic crops are from their nearest ones at most
    columns: tuple[Standing, ...]
    reading: tuple[str, ...]  # in words

    @property
    def outside(self) -> tuple[Standing, ...]:
        """The columns that lie outside of all synthetic values."""
        return tuple(one for one in self.columns if one.outside)


@dataclass(frozen=True)
class Row:
    """A failure with both."""

    failure: Failure
    levels: tuple[Level, Level]


@dataclass(frozen=True)
class Audit:
    """Everything that the page shows."""

    report: StoredReport
    failing: Pictures
    synthetic: Pictures
    real: Pictures
    plan: AuditPlan
    chosen: Chosen
    rows: tuple[Row, ...]
    hints: tuple[Hint, ...]
    notes: tuple[str, ...]


def audit(
    folder: Path, synthetic_at: Path, real_at: Path | None, plan: AuditPlan, *, dataset: Path | None = None,
    say: Say = lambda _: None,
) -> Audit:  # fmt: skip
    """Return the audit of a report.

    Args:
        folder: The report.
        synthetic_at: The dataset that the model learned from, or is to learn from.
        real_at: Where the nearest real pictures are looked for; None: in the dataset of the report.
        plan: What to look at.
        dataset: Where the dataset of the report lies now; None: where it was.
        say: Is told what goes on.
    Raises:
        UserError: If one of them cannot be read, or has no picture large enough.
    """
    report = read_report(folder, dataset)
    notes: list[str] = []
    failing = open_pictures(report.dataset, group=report.group_by)
    failing = _of_origin(failing, "real", notes, "failures")
    synthetic = _of_origin(
        open_pictures(synthetic_at, group=_rendered_by(synthetic_at)), "synthetic", notes, "synthetic pictures"
    )
    real = failing
    if real_at is not None and real_at.resolve() != report.dataset.resolve():
        real = _of_origin(open_pictures(real_at, group=report.group_by), "real", notes, "real pictures")
    for pictures in (failing, synthetic, real):
        if not (pictures.size.min(axis=1) >= plan.side_px).any():
            raise UserError(f"{pictures.out} has no picture of {plan.side_px} px a side; choose a lower --side")
    chosen = choose_failures(
        report, failing, most=plan.most, per_group=plan.per_group, side_px=plan.side_px
    )  # fmt: skip
    say(f"{chosen.missed} missed, {chosen.alarms} false alarms; {len(chosen.failures)} are looked at")
    places = [one.place for one in chosen.failures]
    own = measure(failing, places, {place.frame_id for place in places}, plan.side_px)
    classes = {place.class_name for place in places}
    say(f"measuring {synthetic.name} and {real.name}")
    pools = Pools(_pool(synthetic, classes, plan), _pool(real, classes, plan), plan)
    found = _found_of(report) if real is failing else {}
    hashes = {} if real is failing else _hashes(real)
    own_hashes = {} if real is failing else _hashes(failing)
    frame_row = {place.frame_id: row for row, place in enumerate(own.whole.places)}
    rows = []
    for number, failure in enumerate(chosen.failures):
        own_hash = own_hashes.get(failure.place.frame_id)
        copies = {frame for frame, value in hashes.items() if value == own_hash}
        whole = frame_row[failure.place.frame_id]
        levels = (
            pools.level(AROUND, failure, (own.around, number), copies, found),
            pools.level(WHOLE, failure, (own.whole, whole), copies, {}),
        )
        rows.append(Row(failure, levels))
    told = (
        *hints("instances", pools.synthetic.around, pools.real.around, plan.seed),
        *hints("ground", pools.synthetic.ground, pools.real.ground, plan.seed),
    )
    return Audit(report, failing, synthetic, real, plan, chosen, tuple(rows), told, tuple(notes))


class Pools:
    """What failures are compared with."""

    def __init__(self, synthetic: Measured, real: Measured, plan: AuditPlan) -> None:
        self.synthetic, self.real = synthetic, real
        self._plan = plan
        self._usual = cache(self._usual_of)

    def level(
        self, kind: str, failure: Failure, own: tuple[Cuts, int], copies: set[int], found: dict[Key, bool]
    ) -> Level:
        """Return a failure beside its neighbours.

        Args:
            kind: AROUND or WHOLE.
            failure: The failure.
            own: Where its numbers are: cuts and row.
            copies: Frames of the real pool that are the same picture.
            found: Of instances of the real pool, whether the model found them.
        """
        cuts, row = own
        one = {cue: values[row] for cue, values in cuts.cues.items()}
        class_name = failure.place.class_name if kind == AROUND else ""
        with_ground = kind == AROUND and failure.kind == ALARM
        synthetic, real = (self._cuts(part, kind, class_name, with_ground) for part in (self.synthetic, self.real))
        of_class = [row for row, place in enumerate(self.synthetic.around.places) if place.class_name == class_name]
        yardstick = Yardstick.of((synthetic, real))
        without = (real.group == failure.group) | np.isin([p.frame_id for p in real.places], sorted(copies))
        count = self._plan.neighbours
        near = nearest(yardstick, one, synthetic, count=count)
        beside = nearest(yardstick, one, real, count=count, without=without)
        usual = self._usual(kind, class_name, with_ground)
        is_there = bool(of_class) or kind == WHOLE
        of_sizes = () if is_there else (*SIZES, *OF_INSTANCES)
        values = {name: float(column[row]) for name, column in cuts.columns.items() if name not in of_sizes}
        columns = standings(values, synthetic, real, without)
        first = None if not near else {cue: numbers[near[0].row] for cue, numbers in synthetic.cues.items()}
        difference = "" if first is None else yardstick.words(first, one, near[0].farthest)
        said = () if is_there else (f"the synthetic has no {class_name}; any class is compared",)
        return Level(
            kind, cuts.places[row], _near(near, synthetic, {}), _near(beside, real, found), usual, columns,
            (*said, *_reading(near, beside, usual, difference)),
        )  # fmt: skip

    def _usual_of(self, kind: str, class_name: str, with_ground: bool) -> float | None:
        synthetic, real = (self._cuts(part, kind, class_name, with_ground) for part in (self.synthetic, self.real))
        return usual_distance(Yardstick.of((synthetic, real)), synthetic)

    def _cuts(self, part: Measured, kind: str, class_name: str, with_ground: bool) -> Cuts:
        """Return what a failure is compared with: pictures, or instances of a class, of any where it has none."""
        if kind == WHOLE:
            return part.whole
        rows = [row for row, place in enumerate(part.around.places) if place.class_name == class_name]
        around = part.around.take(rows or [*range(len(part.around))])
        return _joined(around, part.ground) if with_ground else around


def _pool(pictures: Pictures, classes: set[str], plan: AuditPlan) -> Measured:
    """Return instances of some classes, or of all where one has none, and pictures; of as many groups as can be."""
    group_of = dict(zip(pictures.frame_id.tolist(), pictures.group.tolist(), strict=True))
    seen = instances_of(pictures, plan.side_px)
    known = {place.class_name for place in seen}
    wanted = sorted(classes & known)
    parts = [[place for place in seen if place.class_name == name] for name in wanted]
    if classes - known:
        parts.append(seen)
    chosen: dict[Place, None] = {}
    for number, part in enumerate(parts):
        rows = spread([group_of[p.frame_id] for p in part], plan.pool, pictures.dataset_id, plan.seed, f"part {number}")
        chosen |= dict.fromkeys(part[row] for row in rows)
    large = pictures.size.min(axis=1) >= plan.side_px
    frames, groups = pictures.frame_id[large], pictures.group[large]
    rows = spread(groups.tolist(), plan.pool, pictures.dataset_id, plan.seed, "pictures")
    return measure(pictures, list(chosen), frames[rows].tolist(), plan.side_px)


def _joined(one: Cuts, other: Cuts) -> Cuts:
    return Cuts(
        (*one.places, *other.places), np.concatenate([one.group, other.group]),
        {cue: np.concatenate([one.cues[cue], other.cues[cue]]) for cue in CUES},
        {name: np.concatenate([one.columns[name], other.columns[name]]) for name in one.columns},
    )  # fmt: skip


def _near(found: Sequence[Neighbour], pool: Cuts, seen: dict[Key, bool]) -> tuple[Near, ...]:
    rows = []
    for one in found:
        place = pool.places[one.row]
        key = place.frame_id, place.is_defect, place.number
        rows.append(Near(place, one.distance, dict(one.by_cue), one.farthest, seen.get(key) if place.number else None))
    return tuple(rows)


def _reading(near: Sequence[Neighbour], beside: Sequence[Neighbour], usual: float | None, difference: str) -> list[str]:
    """Return what the numbers say."""
    if not near:
        return ["there is nothing synthetic to compare with"]
    first = near[0]
    words = f"nearest synthetic at {first.distance:.2f}"
    words += f", nearest real at {beside[0].distance:.2f}" if beside else ", no real one of another group"
    words += f"; farthest by {first.farthest} ({first.by_cue[first.farthest]:.2f})"
    said = [words + (f": the synthetic has {difference}" if difference else "")]
    if usual is not None and first.distance > usual:
        said.append(f"farther from the synthetic than 99 % of them are from each other ({usual:.2f})")
    return said


def _rendered_by(dataset: Path) -> str | None:
    """Return what makes synthetic frames of a mixture independent: their world, for they have no other group."""
    return WORLD if ORIGIN in column_names(dataset, "frames") and _has(dataset, "synthetic") else None


def _has(dataset: Path, origin: str) -> bool:
    return bool(pc.any(pc.equal(read_columns(dataset, "frames", (ORIGIN,))[ORIGIN], origin)).as_py())


def _of_origin(pictures: Pictures, wanted: str, notes: list[str], what: str) -> Pictures:
    """Return the frames of one origin; all of them, with a note, where there is none of it."""
    if ORIGIN in column_names(pictures.out, "frames"):
        said = read_columns(pictures.out, "frames", (ORIGIN,))[ORIGIN]
        keep: NDArray[np.bool_] = pc.equal(said, wanted).fill_null(wanted == "synthetic").to_numpy(zero_copy_only=False)
    else:
        keep = np.full(len(pictures.frame_id), pictures.real == (wanted == "real"))
    if keep.all():
        return pictures
    if keep.any():
        return only(pictures, keep)
    notes.append(f"no picture of {pictures.name} is {wanted}: its own stand for the {what}")
    return pictures


def _found_of(report: StoredReport) -> dict[Key, bool]:
    return {
        (row["frame_id"], row["is_defect"], row["truth_id"]): row["score"] is not None and row["score"] >= report.score
        for row in report.matches().to_pylist()
        if not row["is_crowd"]
    }


def _hashes(pictures: Pictures) -> dict[int, bytes]:
    table = read_columns(pictures.out, "frames", ("frame_id", "image_sha256"))
    if "image_sha256" not in table.column_names:
        return {}
    return dict(zip(table["frame_id"].to_pylist(), table["image_sha256"].to_pylist(), strict=True))
