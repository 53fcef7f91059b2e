"""Batches that were gated: what they were for, how many frames they had, and what their slice gained by them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine.budget.facts import Facts, read_facts
from engine.errors import UserError
from engine.evaluate.intervals import Z_90
from engine.evaluate.slices import ALL
from engine.write.files import hash_file

SCHEMA, FILE, MAKER = "gate/1", "gate.json", "python -m engine.gate"
ADMIT, HOLD, REJECT = "admit", "hold", "reject"
FINEST_NOISE = 0.005  # of a figure, one sigma: a bootstrap in which nothing moved is no proof of a gain to the digit
FRAMES = 1000.0  # gains are told per this many


@dataclass(frozen=True)
class Gain:
    """A gain with its 90 % interval."""

    value: float
    low: float
    high: float

    def per_1000(self, frames: int) -> Gain:
        """Return the gain per 1,000 frames of a batch of so many."""
        scale = FRAMES / frames
        return Gain(self.value * scale, self.low * scale, self.high * scale)

    @property
    def noise(self) -> float:
        """One sigma of the measurement, from the width of the interval as if it were a normal one's."""
        return (self.high - self.low) / (2.0 * Z_90)


@dataclass(frozen=True)
class Gated:
    """One answer of the gate about one batch."""

    path: Path
    sha256: str
    time: datetime
    target: str  # the slice that it was for; ALL: for none
    dataset_id: str
    frames: int
    verdict: str
    gain: Gain | None  # of the target, in the figure that is asked; None: it could not be measured
    note: str = ""  # why not


def read_history(paths: Sequence[Path], figure: str) -> list[Gated]:
    """Return what the gate said, oldest first.

    Args:
        paths: Of gate.json files, or of the folders that hold them.
        figure: recall, AP50, ...
    Raises:
        UserError: If one is damaged, tells nothing of the figure, or is given twice; file and key are named.
    """
    gated = [_read(path / FILE if path.is_dir() else path, figure) for path in paths]
    seen: dict[str, Path] = {}
    for one in gated:
        if one.sha256 in seen:
            raise UserError(f"--history {one.path} is the same answer as {seen[one.sha256]}; name it once")
        seen[one.sha256] = one.path
    return sorted(gated, key=lambda one: (one.time, one.sha256))


def latest_of_batches(gated: Iterable[Gated]) -> list[Gated]:
    """Return the last answer about every batch: a batch that was measured again is no second batch."""
    last: dict[tuple[str, str], Gated] = {}
    for one in gated:
        last[one.target, one.dataset_id] = one
    return sorted(last.values(), key=lambda one: (one.time, one.sha256))


def holds_in_a_row(gated: Sequence[Gated]) -> int:
    """Return how often the gate has said hold since it last said anything else; of one target, oldest first."""
    holds = 0
    for one in gated:
        holds = holds + 1 if one.verdict == HOLD else 0
    return holds


def _read(path: Path, figure: str) -> Gated:
    facts = read_facts(path, SCHEMA, MAKER)
    target = ALL if facts.data.get("target", "") is None else facts.text("target")
    batch = facts.facts("batch")
    if facts.data.get("verdict", "") is None:
        raise UserError(f"{path}: verdict: null, the gate did not finish; run it to the end, or leave the file out")
    gain, note = _gain(facts, target, figure)
    return Gated(
        path, hash_file(path), _time(facts), target, batch.text("dataset_id"), batch.count("frames", 1),
        facts.text("verdict", (ADMIT, HOLD, REJECT)), gain, note,
    )  # fmt: skip


def _gain(facts: Facts, target: str, figure: str) -> tuple[Gain | None, str]:
    gains = facts.facts("gains")
    if not gains.data or (target == ALL and ALL not in gains.data):  # refused before anything was trained, or no target
        return None, "the gate measured no gain of it"
    figures = gains.facts(target)
    if figure not in figures.data:
        if not figures.data or any(figure in own for own in gains.data.values() if isinstance(own, dict)):
            return None, "insufficient: the gate could not measure it"
        known = ", ".join(sorted(figures.data))
        raise UserError(
            f"{facts.path}: gains.{target} has no '{figure}', only {known}; choose one of them with --figure"
        )
    own = figures.facts(figure)
    value, low, high = (own.number_or_none(key) for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return None, "insufficient: the gate could not measure it"
    if not low <= high:  # a bootstrap may leave the value itself outside
        raise own.refuse("low", f"a number that is not above high, {high:g}")
    if high - low < 2.0 * Z_90 * FINEST_NOISE:
        half = Z_90 * FINEST_NOISE
        return Gain(value, min(low, value - half), max(high, value + half)), ""
    return Gain(value, low, high), ""


def _time(facts: Facts) -> datetime:
    try:
        time = datetime.fromisoformat(facts.text("time"))
    except ValueError as error:
        raise facts.refuse("time", "a time in ISO 8601, such as 2026-01-31T12:00:00+00:00") from error
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
