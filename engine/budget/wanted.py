"""What a report says that is missing: every slice with the gap between its figure and the target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.budget.facts import Facts, read_facts
from engine.errors import UserError
from engine.evaluate.evaluate import Figure
from engine.evaluate.report import INSUFFICIENT, REPORT, SCHEMA
from engine.evaluate.slices import ALL, LARGEST_RISK
from engine.write.files import hash_file

MAKER = "python -m engine.evaluate DATASET PREDICTIONS --slices FILE"
SHARES = ("recall", "precision", "AP", "AP50")  # figures in [0, 1] of which more is better


@dataclass(frozen=True)
class Wanted:
    """A slice of a report."""

    name: str
    risk_weight: float
    groups: int
    min_support: int
    figure: Figure | None  # None: insufficient, or no interval
    why_unknown: str = ""


@dataclass(frozen=True)
class Needs:
    """A report, as far as a budget asks."""

    folder: Path
    sha256: str
    dataset_id: str
    figure: str
    target: float
    is_target_given: bool  # else it is the figure of the whole set
    slices: tuple[Wanted, ...]

    def gap(self, wanted: Wanted) -> float | None:
        """Return how far a slice is from the target, 0 where it is beyond; None where that is unknown."""
        return None if wanted.figure is None else max(self.target - wanted.figure.value, 0.0)


def read_needs(folder: Path, figure: str, target: float | None) -> Needs:
    """Return what the report in a folder says about a figure of its slices.

    Args:
        folder: What `engine.evaluate --out` was; its dataset need not be there.
        figure: One of SHARES.
        target: What every slice should reach; None: the figure of the whole set.
    Raises:
        UserError: If there is no report, it is damaged, or it has no slices; file and key are named.
    """
    if target is not None and not 0.0 < target <= 1.0:
        raise UserError(f"--target must be in (0, 1], got {target:g}")
    facts = read_facts(folder / REPORT, SCHEMA, MAKER)
    entries = {one.text("name"): one for one in facts.items("slices")}
    own = tuple(_wanted(one, figure) for name, one in entries.items() if name != ALL)
    if not own:
        raise UserError(
            f"{facts.path} has no slices but '{ALL}': there is nothing to choose between; add --slices FILE"
        )
    if target is not None:
        return Needs(folder, hash_file(facts.path), facts.text("dataset_id"), figure, target, True, own)
    whole = _wanted(entries[ALL], figure).figure if ALL in entries else None
    if whole is None:
        raise UserError(f"{facts.path} has no {figure} with an interval of the whole set; give --target")
    return Needs(folder, hash_file(facts.path), facts.text("dataset_id"), figure, whole.value, False, own)


def _wanted(facts: Facts, figure: str) -> Wanted:
    risk = facts.number("risk_weight")
    if not 0.0 <= risk <= LARGEST_RISK:
        raise facts.refuse("risk_weight", f"a number in 0..{LARGEST_RISK:g}")
    support = facts.text("name"), risk, facts.count("groups"), facts.count("min_support", 1)
    figures = facts.facts("figures")
    if not figures.data:
        groups = f"{support[2]} group{'' if support[2] == 1 else 's'}"
        return Wanted(*support, None, f"{INSUFFICIENT}: {groups}, min_support {support[3]}")
    own = figures.facts(figure)
    value, low, high = (own.number_or_none(key) for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return Wanted(*support, None, f"no {figure} with an interval")
    for key in ("value", "low", "high"):
        if not 0.0 <= own.number(key) <= 1.0:
            raise own.refuse(key, "a share in [0, 1]")
    return Wanted(*support, Figure(value, low, high))
