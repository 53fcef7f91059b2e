"""G4: which cue tells the batch from real pictures. It names what could be mended, and decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.gate.check import Check
from engine.gate.request import manifest_of
from engine.shift.pictures import Pictures, open_pictures
from engine.shift.report import CueResult, KindResult
from engine.shift.shift import SMALLEST_SIDE_PX, ShiftPlan, compare_datasets
from engine.write.record import read_json
from engine.write.reports import write_json

SIDE_PX = 64


class Silent:
    """A clock that nobody looks at."""

    def begin(self, total_frames: int) -> None:
        """Start."""

    def update(self, frames: int) -> None:
        """Add."""


def check_distribution(batch: Path, real: Sequence[Path], crops: int, keep: Path) -> Check:
    """Return which cues tell the batch from a reference, beyond what tells halves of the reference apart.

    Args:
        batch: The folder.
        real: Where to look for a reference: the first dataset that has real pictures, else the last.
        crops: Of either kind; 0: nothing is compared.
        keep: Folder that has what was found before, and gets what is found now.
    """
    if not crops:
        return Check("G4", "distribution", "skipped", False, "left out by --crops 0")
    reference = next((folder for folder in real if manifest_of(folder).origin != "synthetic"), real[-1])
    both = "-".join(manifest_of(folder).dataset_id for folder in (batch, reference))
    kept = keep / f"distribution-{both}-{crops}.json"
    if kept.is_file():
        said = read_json(kept)
        return Check("G4", "distribution", "note", False, str(said["words"]), said["facts"])
    check = _compared(batch, reference, crops)
    if check.verdict == "note":
        write_json(kept, check.to_json())
    return check


def _compared(batch: Path, reference: Path, crops: int) -> Check:
    try:
        pictures = open_pictures(batch), open_pictures(reference)
        side = min(SIDE_PX, *(_side(one) for one in pictures))
        plan = ShiftPlan("both", crops, max(side, SMALLEST_SIDE_PX), 0, artefacts=False)
        report = compare_datasets(*pictures, plan, Silent())
    except UserError as error:
        return Check("G4", "distribution", "skipped", False, str(error), {"reference": reference.name})
    kinds = {kind.kind: _kind(kind) for kind in report.kinds}
    told = [
        f"{cue.cue}{' around instances' if kind.kind == 'instance' else ''} ({cue.auc.value:.2f})"
        for kind in report.kinds
        for cue in kind.cues[1:]
        if cue.verdict == "told apart"
    ]
    powerless = all(cue.verdict == "no power" for kind in report.kinds for cue in kind.cues)
    words = f"told apart by {', '.join(told)}" if told else "no cue was found that tells them apart"
    if powerless:
        words = "no power: too few groups to say what tells them apart"
    facts = {"reference": report.reference.name, "reference_id": report.reference.dataset_id, "side_px": plan.side_px,
             "told_apart": report.told_apart(), "kinds": kinds}  # fmt: skip
    return Check("G4", "distribution", "note", False, words, facts)


def _side(pictures: Pictures) -> int:
    return int(pictures.size.min())


def _kind(kind: KindResult) -> dict[str, Any]:
    return {
        "crops": kind.crops, "groups": kind.groups, "reference_groups": kind.reference_groups, "note": kind.note,
        "strongest": kind.strongest, "cues": {cue.cue: _cue(cue) for cue in kind.cues},
    }  # fmt: skip


def _cue(cue: CueResult) -> dict[str, Any]:
    found: dict[str, Any] = {"verdict": cue.verdict}
    for name in ("auc", "mmd2"):
        measure = getattr(cue, name)
        found[name] = {"value": measure.value, "null_low": measure.null_low, "null_high": measure.null_high}
    return found
