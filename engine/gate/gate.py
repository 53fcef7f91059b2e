"""The gate: its checks in order, each on record as it comes, and the verdict.

A hard check that fails ends it. What is written: `gate.json` after every check (its verdict is null until the end), a
line of the batch's ledger for every check, and one for the verdict with the hash of the report that it rests on.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfc8785

from engine.evaluate.slices import ALL
from engine.gate.arms import WITH, identity, train_arms
from engine.gate.check import ADMIT, HOLD, PAGE, REJECT, REPORT, SCHEMA, Check, plain
from engine.gate.distribution import check_distribution
from engine.gate.integrity import check_integrity, check_licences, check_privacy, check_taxonomy
from engine.gate.page import gate_page
from engine.gate.parts import parts_of
from engine.gate.purity import check_coverage, check_purity
from engine.gate.repeats import PixelHashes, check_judges, check_known, check_training, check_within, judges_of
from engine.gate.request import Request, check_apart, manifest_of, named
from engine.gate.rule import MOST_HOLDS, Decision
from engine.gate.suites import check_suite, open_suites
from engine.gate.utility import decided, judge, plain_gains, utility_check
from engine.lineage.ledger import append, read_entries
from engine.shift.pictures import open_pictures
from engine.train.trainer import Trainer
from engine.write.files import hash_file
from engine.write.reports import check_place, write_json, write_report

KEPT_CHECKS = "checks"  # folder below `out`
EVENT = "gate"  # of the ledger, for a check
Say = Callable[[str], None]


class Record:
    """What has been found so far, on disk and in the ledger of the batch."""

    def __init__(self, request: Request, say: Say) -> None:
        self._request, self._say, self._began = request, say, time.monotonic()
        self.checks: list[Check] = []
        self.report: dict[str, Any] = {
            "schema": SCHEMA, "time": datetime.now(UTC).isoformat(timespec="seconds"), "verdict": None, "reasons": [],
            "target": request.target, "protected": list(request.protected), "batch": named(request.batch),
            "against": [named(folder) for folder in request.against], "holdout": named(request.holdout),
            "tests": [named(folder) for folder in request.tests], "figure": request.utility.metric,
            "delta": request.utility.delta, "seeds": list(range(request.utility.seeds)),
            "trainer": request.utility.trainer, "settings": dict(request.utility.settings),
            "task": request.utility.task, "inputs": inputs_of(request), "checks": [], "gains": {}, "slices": {},
            "arms": [], "needed": "", "seconds": 0.0,
        }  # fmt: skip

    def say(self, line: str) -> None:
        """Tell a person, with the time since the beginning."""
        self._say(f"{time.monotonic() - self._began:7.1f} s  {line}")

    def add(self, check: Check) -> bool:
        """Take a check in; return whether it stops the batch."""
        self.checks.append(check)
        self.report["checks"].append(check.to_json())
        self.save()
        append(self._request.batch, EVENT, gate=check.gate, name=check.name, verdict=check.verdict, hard=check.hard,
               words=check.words, inputs=self.report["inputs"])  # fmt: skip
        self.say(f"{check.gate} {check.name}: {check.verdict}, {check.words}")
        return check.stops

    def save(self) -> None:
        """Write the report as it is."""
        self.report["seconds"] = round(time.monotonic() - self._began, 1)
        write_json(self._request.out / REPORT, self.report)


def run_gate(request: Request, trainer: Trainer, say: Say) -> dict[str, Any]:
    """Ask the gate; return its report, which is also in `out`, and whose verdict is in the ledger of the batch.

    Args:
        request: What is asked.
        trainer: What trains the arms of G5.
        say: Told of every check and arm.
    Raises:
        UserError: If the question cannot be asked: a dataset is missing, or stands on two sides of it.
        WriteFailed: If the disk refuses.
    """
    for name in (REPORT, PAGE):
        check_place(request.out / name)
    check_apart(request)
    record = Record(request, say)
    stopped = any(record.add(check) for check in _checks_before(request))
    if stopped:
        last = record.checks[-1]
        return _end(request, record, Decision(REJECT, (f"{last.gate} {last.name}: {last.words}",)))
    suites = open_suites(request.store, request.suites) if request.store is not None else []
    pairs = train_arms(request, trainer, record.say, [bench.dataset for bench in suites])
    study = judge(request, pairs)
    decision = decided(request, study)
    record.report |= {"gains": plain_gains(study), "slices": study.slices, "arms": study.arms}
    record.report |= {"group_by": study.group_by, "needed": decision.needed}
    stopped = record.add(utility_check(request, study, decision))
    for number, bench in enumerate(() if stopped else suites, start=1):
        check = check_suite(bench, [arm for arm, _ in pairs], number)
        record.add(check)
        decision = with_suite(decision, check)
    return _end(request, record, held_often(request, decision))


def _checks_before(request: Request) -> Iterator[Check]:
    """Yield the checks that need no model."""
    yield check_integrity(request.batch)
    yield check_taxonomy(request.batch, (*request.against, request.holdout))
    yield check_privacy(request.batch, request.accepted)
    parts = parts_of(request.batch)
    yield check_licences(parts, request.scenes, request.accepted)
    batch, judges = open_pictures(request.batch), judges_of(request.holdout, request.tests)
    hashes = PixelHashes()
    check_training(request.against, judges, hashes)
    yield check_within(batch, request.most_repeated)
    yield check_judges(batch, judges, hashes)
    yield check_known(batch, request.against, request.most_repeated, hashes)
    if request.target == ALL:
        yield Check("G3", "purity", "skipped", True, "the target is everything")
    else:
        yield check_purity(request.batch, request.target, request.slices[request.target], request.asked)
    yield check_coverage(parts, request.asked)
    real = (*request.against, request.holdout)
    yield check_distribution(request.batch, real, request.crops, request.out / KEPT_CHECKS)


def inputs_of(request: Request) -> str:
    """Return a hash of all that decides a verdict; a question that is asked again has the same."""
    told = {
        "arm": identity(request, request.utility.seeds, WITH, ()), "target": request.target,
        "protected": list(request.protected), "metric": request.utility.metric, "delta": request.utility.delta,
        "slices": {name: own.where for name, own in request.slices.items()}, "replicates": request.utility.replicates,
        "group": request.group, "suites": list(request.suites),
        "tests": [manifest_of(folder).content_root for folder in request.tests],
    }  # fmt: skip
    return hashlib.sha256(rfc8785.dumps(plain(told))).hexdigest()[:16]


def with_suite(decision: Decision, check: Check) -> Decision:
    """Return the decision after what a suite says: a failed one rejects, an open one holds what would be admitted."""
    reason = f"suite {check.words}"
    if check.verdict == "fail":
        return replace(decision, verdict=REJECT, reasons=(reason, *decision.reasons))
    if check.facts["word"] == "open" and decision.verdict == ADMIT:
        return replace(decision, verdict=HOLD, reasons=(reason, *decision.reasons))
    return decision


def held_often(request: Request, decision: Decision) -> Decision:
    """Return the decision, a hold being a rejection where the batch was held twice before, with other evidence."""
    if decision.verdict != HOLD:
        return decision
    before = earlier_holds(request.batch, inputs_of(request))
    if before < MOST_HOLDS:
        return decision
    why = f"it was held {before} times before; what {MOST_HOLDS} holds do not settle is rejected"
    return replace(decision, verdict=REJECT, reasons=(why, *decision.reasons))


def earlier_holds(batch: Path, inputs: str) -> int:
    """Return how often the ledger of a batch says that it was held, on other evidence than this."""
    held = {str(entry.facts.get("inputs")) for entry in read_entries(batch) if entry.event == HOLD}
    return len(held - {inputs})


def _end(request: Request, record: Record, decision: Decision) -> dict[str, Any]:
    report = record.report
    report["verdict"], report["reasons"] = decision.verdict, list(decision.reasons)
    record.save()
    write_report(request.out / PAGE, [gate_page(report)])
    own = {name: report["gains"].get(name, {}).get(report["figure"]) for name in (request.target, ALL)}
    append(
        request.batch, decision.verdict, evidence=hash_file(request.out / REPORT), inputs=report["inputs"],
        reasons=report["reasons"], target=request.target, figure=report["figure"], gains=own,
        seeds=len(report["seeds"]), against=[one["dataset_id"] for one in report["against"]],
        holdout=report["holdout"]["dataset_id"], trainer=report["trainer"], report=request.out.name,
    )  # fmt: skip
    record.say(f"{decision.verdict}: {'; '.join(decision.reasons)}")
    if decision.needed:
        record.say(decision.needed)
    return report
