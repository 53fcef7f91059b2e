"""What a comparison found, as plain data: the JSON of `shift` (schema shift/1), and its lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["told apart", "not told apart", "no power"]


@dataclass(frozen=True)
class Measure:
    """A number, and where it lies for two halves of the reference."""

    value: float | None
    null_low: float | None
    null_high: float | None
    beyond: bool  # outside of what halves of the reference explain, to the side of a difference
    power: bool  # false: halves of the reference differ so much that the number says nothing


@dataclass(frozen=True)
class CueResult:
    """One cue, or `all` of them."""

    cue: str
    verdict: Verdict
    words: str
    auc: Measure
    mmd2: Measure
    precision: Measure
    recall: Measure
    density: Measure
    coverage: Measure


@dataclass(frozen=True)
class CueShare:
    """What a cue contributes to telling apart."""

    cue: str
    alone: float  # share of AUC - 0.5 that the cue reaches by itself
    auc_without: float  # of the other cues
    lost_without: float  # share of AUC - 0.5 that is lost without it
    shuffled: float  # what the AUC loses when the cue is shuffled: permutation importance


@dataclass(frozen=True)
class Removal:
    """The AUC of all cues after something was taken out of the pixels of both."""

    name: str
    what: str
    auc: float


@dataclass(frozen=True)
class KindResult:
    """Crops of one kind."""

    kind: str
    crops: int  # of the compared dataset
    reference_crops: int  # from which the halves are drawn
    groups: int
    reference_groups: int
    classes: tuple[str, ...]  # around whose instances, as many of each; () for random crops
    cues: tuple[CueResult, ...]
    strongest: str  # "" unless told apart
    shares: tuple[CueShare, ...]
    removals: tuple[Removal, ...]
    note: str


@dataclass(frozen=True)
class ColumnResult:
    """A measured column: do its values come from one distribution?"""

    column: str
    distance: float  # Kolmogorov-Smirnov
    p: float  # by Holm, of all columns
    differs: bool
    median: float
    reference_median: float
    groups: int
    reference_groups: int


@dataclass(frozen=True)
class Worst:
    """A frame in which an artefact shows."""

    frame_id: int
    value: float
    box: tuple[float, float, float, float] | None = None  # where in it: x, y, width, height [px]


@dataclass(frozen=True)
class ArtefactResult:
    """A named artefact."""

    name: str
    found: bool
    power: bool
    statistic: float | None
    null_low: float | None
    null_high: float | None
    words: str
    worst: tuple[Worst, ...]


@dataclass(frozen=True)
class Compared:
    """A dataset of a comparison."""

    name: str
    dataset_id: str
    frames: int
    groups: int
    group_by: str


@dataclass(frozen=True)
class ShiftReport:
    """All of it."""

    dataset: Compared
    reference: Compared
    seed: int
    side_px: int
    kinds: tuple[KindResult, ...]
    columns: tuple[ColumnResult, ...]
    artefacts: tuple[ArtefactResult, ...]
    schema: Literal["shift/1"] = "shift/1"

    def told_apart(self) -> list[str]:
        """Return what tells them apart, as `crops: cue`."""
        return [
            f"{kind.kind}: {cue.cue}" for kind in self.kinds for cue in kind.cues if cue.verdict == "told apart"
        ] + [f"columns: {column.column}" for column in self.columns if column.differs]

    def highest_auc(self) -> float:
        """Return the highest AUC that has power; 0.5 if none."""
        return max(
            (c.auc.value for k in self.kinds for c in k.cues if c.auc.power and c.auc.value is not None), default=0.5
        )


def lines(report: ShiftReport) -> Iterator[str]:
    """Yield the report as lines for a terminal."""
    yield f"{_named(report.dataset)} against {_named(report.reference)}"
    for kind in report.kinds:
        around = f" around {', '.join(kind.classes)}" if kind.classes else ""
        yield f"{kind.crops} {kind.kind} crops{around}, {kind.groups} groups against {kind.reference_groups}"
        if kind.note:
            yield f"  {kind.note}"
        for cue in kind.cues:
            yield f"  {cue.words}"
            yield f"    MMD2 {_against(cue.mmd2, 4)}; " + ", ".join(
                f"{name} {_against(getattr(cue, name), 2)}" for name in ("precision", "recall", "density", "coverage")
            )
        yield from (f"  {line}" for line in _explained(kind))
    for column in report.columns:
        word = "differs" if column.differs else "does not differ"
        yield (
            f"column {column.column} {word} (KS {column.distance:.2f}, p {column.p:.2g}; median {column.median:.3g} "
            f"against {column.reference_median:.3g})"
        )
    for artefact in report.artefacts:
        yield f"{artefact.name}: {artefact.words}"


def _explained(kind: KindResult) -> Iterator[str]:
    if not kind.strongest:
        return
    strongest = next(share for share in kind.shares if share.cue == kind.strongest)
    yield (
        f"strongest cue: {kind.strongest}; alone it reaches {strongest.alone:.0%} of the difference, "
        f"without it {strongest.lost_without:.0%} is gone (AUC {strongest.auc_without:.2f} is left)"
    )
    for removal in kind.removals:
        yield f"after {removal.what}: AUC {removal.auc:.2f}"


def _named(compared: Compared) -> str:
    return f"{compared.name} ({compared.frames} frames, {compared.groups} groups by {compared.group_by})"


def _against(measure: Measure, digits: int) -> str:
    if measure.value is None:
        return "none"
    null = f"{measure.null_low:.{digits}f} to {measure.null_high:.{digits}f}"
    return f"{measure.value:.{digits}f} ({null if measure.power else 'no power'})"
