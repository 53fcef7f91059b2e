"""`python -m engine.dataset validate DIR`: check the labels of a COCO, YOLO, KITTI or BOP folder, ours or anybody's."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from engine.errors import UserError
from engine.validate.detect import PRESENT, check, formats_of
from engine.validate.finding import Finding, Findings
from engine.validate.folder import Folder, require_folder
from engine.validate.rules import RULES, Severity

HELP = "check the labels of any COCO, YOLO, KITTI or BOP folder by arithmetic"
SHOWN_PER_RULE = 20
PROGRESS_PERIOD_S = 10.0


@dataclass
class Counter:
    """Says on standard error how many items were looked at, when that takes long."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    items: int = 0
    said_s: float = field(default_factory=time.monotonic)

    def __call__(self, items: int) -> None:
        """Count items."""
        self.items += items
        if time.monotonic() - self.said_s >= PROGRESS_PERIOD_S:
            self.said_s = time.monotonic()
            self.stream.write(f"{self.items} items looked at\n")
            self.stream.flush()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder to check")
    parser.add_argument("--format", choices=("auto", *PRESENT), default="auto", help="default: whatever is found")
    parser.add_argument("--images", type=Path, default=None, help="folder of the images, if it lies elsewhere")
    parser.add_argument("--json", action="store_true", help="findings as one JSON object")
    parser.add_argument(
        "--max", type=int, default=SHOWN_PER_RULE, metavar="N", help="show N findings of each rule (%(default)s)"
    )
    parser.add_argument("--strict", action="store_true", help="warnings count as faults")
    parser.add_argument(
        "--ap", action="store_true", help="COCO: also ask pycocotools for the AP of labels with themselves"
    )


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 if nothing is wrong, 1 if something is. Raises UserError where there is no dataset."""
    if arguments.max < 0:
        raise UserError(f"--max {arguments.max}: name how many findings of each rule are shown, from 0")
    root = require_folder(arguments.dataset)
    images = None if arguments.images is None else require_folder(arguments.images)
    folder = Folder(root, images, Counter())
    formats = formats_of(folder) if arguments.format == "auto" else (arguments.format,)
    if not formats or not PRESENT[formats[0]](folder):
        known = ", ".join(PRESENT) if arguments.format == "auto" else arguments.format
        raise UserError(f"{root} holds no dataset of {known}; name its folder, and --format if it has another shape")
    findings = Findings(arguments.max)
    try:
        for finding in findings.add(check(folder, formats, with_precision=arguments.ap)):
            if not arguments.json:
                say(f"{finding.severity.value.upper()} {finding}")
    except OSError as error:
        raise UserError(
            f"{error.filename or root} cannot be read: {error.strerror}; make it readable, or copy it"
        ) from error
    errors, warnings = findings.total(Severity.ERROR), findings.total(Severity.WARNING)
    if arguments.json:
        say(_as_json(findings, formats))
    else:
        _say_summary(findings, formats, say)
    return 1 if errors or (arguments.strict and warnings) else 0


def _say_summary(findings: Findings, formats: tuple[str, ...], say: Callable[[str], None]) -> None:
    for rule, count in sorted(findings.counts.items()):
        if count > findings.kept_per_rule:
            say(f"{count - findings.kept_per_rule} more of {rule}")
    errors, warnings = findings.total(Severity.ERROR), findings.total(Severity.WARNING)
    by_rule = ", ".join(f"{rule} {count}" for rule, count in sorted(findings.counts.items()))
    verdict = f"{errors} errors, {warnings} warnings" if by_rule else "ok"
    say(f"{verdict}: {' + '.join(formats)}{f' ({by_rule})' if by_rule else ''}")


def _as_json(findings: Findings, formats: tuple[str, ...]) -> str:
    return json.dumps(
        {
            "formats": formats,
            "errors": findings.total(Severity.ERROR),
            "warnings": findings.total(Severity.WARNING),
            "counts": dict(sorted(findings.counts.items())),
            "findings": [_plain(finding) for finding in findings.kept],
        }
    )


def _plain(finding: Finding) -> dict[str, str]:
    names = ("file", "where", "rule", "value", "expected")
    meaning = {"severity": finding.severity.value, "meaning": RULES[finding.rule].meaning}
    return {name: getattr(finding, name) for name in names} | meaning
