"""The whole comparison of a dataset with a reference: crops by cue, measured columns, artefacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.errors import UserError
from engine.shift.artefacts import FRAMES, artefacts, look_at
from engine.shift.columns import compare_columns
from engine.shift.compare import STEPS, compare_crops
from engine.shift.crops import CropPlan, Kind, cut_crops, instance_classes
from engine.shift.pictures import Clock, Pictures
from engine.shift.report import ArtefactResult, Compared, KindResult, ShiftReport
from engine.shift.scores import check_learner

Which = Literal["random", "instance", "both"]
SMALLEST_SIDE_PX = 16
FEWEST_CROPS = 20
PART = 20  # what a step of the comparison counts for in the progress, in crops


@dataclass(frozen=True)
class ShiftPlan:
    """What to compare."""

    crops: Which = "both"
    count: int = 500
    side_px: int = 64
    seed: int = 0
    classes: tuple[str, ...] = ()  # around whose instances; (): those that both datasets have
    artefacts: bool = True
    artefact_frames: int = FRAMES

    def __post_init__(self) -> None:
        if self.count < FEWEST_CROPS:
            raise UserError(f"--n {self.count}: compare at least {FEWEST_CROPS} crops")
        if self.side_px < SMALLEST_SIDE_PX:
            raise UserError(f"--side {self.side_px}: crops have at least {SMALLEST_SIDE_PX} px")

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds of crops."""
        return ("random", "instance") if self.crops == "both" else (self.crops,)


def compare_datasets(dataset: Pictures, reference: Pictures, plan: ShiftPlan, clock: Clock) -> ShiftReport:
    """Return what tells a dataset from a reference.

    Raises:
        UserError: If pictures are missing or too small, or the classifier is not installed.
    """
    check_learner()
    for pictures in (dataset, reference):
        if not (pictures.size.min(axis=1) >= plan.side_px).any():
            raise UserError(f"{pictures.out} has no picture of {plan.side_px} px a side; choose a lower --side")
    looked = min(plan.artefact_frames, len(dataset.frame_id)) + min(plan.artefact_frames, len(reference.frame_id))
    clock.begin(len(plan.kinds) * (3 * plan.count + STEPS * PART) + (looked if plan.artefacts else 0))
    kinds = tuple(_compare_kind(dataset, reference, kind, plan, clock) for kind in plan.kinds)
    columns = compare_columns(dataset, reference)
    found: tuple[ArtefactResult, ...] = ()
    if plan.artefacts:
        both = instance_classes(dataset) & instance_classes(reference)  # borders of other things are no fair match
        facts = [
            look_at(p, plan.seed, clock.update, frames=plan.artefact_frames, classes=both or None)
            for p in (dataset, reference)
        ]
        found = artefacts(facts[0], facts[1], plan.seed)
    return ShiftReport(
        _compared(dataset), _compared(reference), plan.seed, plan.side_px, kinds, columns, found
    )  # fmt: skip


def _compare_kind(dataset: Pictures, reference: Pictures, kind: Kind, plan: ShiftPlan, clock: Clock) -> KindResult:
    classes: tuple[str, ...] | None = None
    note = ""
    if kind == "instance":
        own, other = instance_classes(dataset), instance_classes(reference)
        classes = tuple(sorted(own & other & set(plan.classes) if plan.classes else own & other))
        if not classes:
            named = f" of {', '.join(plan.classes)}" if plan.classes else ""
            note = f"no class{named} has instances in both: {_listed(own)} here, {_listed(other)} in the reference"
            clock.update(3 * plan.count + STEPS * PART)
            return KindResult(kind, 0, 0, 0, 0, (), (), "", (), (), note)
    crops = cut_crops(dataset, CropPlan(kind, plan.count, plan.side_px, plan.seed, classes), clock.update)
    pool = cut_crops(reference, CropPlan(kind, 2 * plan.count, plan.side_px, plan.seed, classes), clock.update)
    return compare_crops(kind, crops, pool, plan.seed, lambda steps: clock.update(steps * PART))


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _compared(pictures: Pictures) -> Compared:
    return Compared(pictures.name, pictures.dataset_id, len(pictures.frame_id), pictures.groups, pictures.group_by)
