"""verdict.json: what people made of an audit, one after the other, each bound to the page, report and data it is about.

A verdict names the hash of the one before it and has one of its own, so that one which was changed or left out later is
seen. It holds as long as page, report and datasets are what they were; then it is stale: look again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import rfc8785

from engine.audit.report import AUDIT, PAGE, SCHEMA, dataset_facts, report_facts
from engine.errors import UserError, WriteFailed, near_matches
from engine.lineage.ledger import GENESIS, append
from engine.plain import from_plain, to_plain
from engine.write.files import TEMPORARY, hash_file, publish, refusals_named, remove_tree
from engine.write.record import json_bytes, read_json, read_stored

VERDICTS = "verdict.json"
EVENT = "audit.verdict"  # in the ledger of the synthetic dataset
LONGEST = 4_000  # characters of a text
ROLES = ("report", "synthetic", "real")
Judgement = Literal["fit", "unfit", "unsure"]


@dataclass(frozen=True)
class Verdict:
    """What a person said, when, and of what."""

    time: str  # UTC, ISO 8601
    by: str
    verdict: Judgement
    why: str
    about: dict[str, str]  # hashes and ids of page, audit, report and datasets
    previous: str  # hash of the verdict before
    failures: dict[str, str] = field(default_factory=dict)  # what was said of single ones, by id
    hash: str = ""

    def sealed(self) -> str:
        """Return the sha256 of its canonical JSON (RFC 8785) without its own hash."""
        plain = {name: value for name, value in to_plain(self).items() if name != "hash"}
        return hashlib.sha256(rfc8785.dumps(plain)).hexdigest()


@dataclass(frozen=True)
class Places:
    """Where things lie now; None: where they were."""

    report: Path | None = None
    dataset: Path | None = None
    synthetic: Path | None = None
    real: Path | None = None


def read_audit(folder: Path) -> dict[str, Any]:
    """Return the audit.json of a folder.

    Raises:
        UserError: If there is none.
    """
    return read_stored(folder / AUDIT, SCHEMA, "python -m engine.audit page")


def read_verdicts(folder: Path) -> list[Verdict]:
    """Return the verdicts of an audit, the first first.

    Raises:
        UserError: If one was changed, or one before it left out.
    """
    path = folder / VERDICTS
    if not path.is_file():
        return []
    data = read_json(path)
    if (
        not isinstance(data, dict)
        or data.get("schema") != "audit-verdict/1"
        or not isinstance(data.get("verdicts"), list)
    ):
        raise UserError(f"{path} is not of the schema audit-verdict/1")
    verdicts = [from_plain(Verdict, one, f"{path.name}.verdicts[{n}]") for n, one in enumerate(data["verdicts"])]
    previous = GENESIS
    for number, one in enumerate(verdicts, 1):
        if one.previous != previous or one.hash != one.sealed():
            raise UserError(f"{path}: verdict {number} was changed, or one before it left out; put back what was there")
        previous = one.hash
    return verdicts


def changes_of(folder: Path, about: Mapping[str, str], places: Places) -> list[str]:
    """Return what is not any more as a verdict says, in words; none: it holds.

    Raises:
        UserError: If the audit is not there.
    """
    now = state_of(folder, places)
    return [
        f"{name} {'is gone' if now[name] == '' else 'changed'}" for name in about if now.get(name, "") != about[name]
    ]


def state_of(folder: Path, places: Places) -> dict[str, str]:
    """Return hashes and ids of everything that a verdict is about; empty where it is not there.

    Raises:
        UserError: If the audit is not there.
    """
    facts = read_audit(folder)
    page = folder / PAGE
    state = {"audit": hash_file(folder / AUDIT), "page": hash_file(page) if page.is_file() else ""}
    where = places.report or Path(facts["report"]["path"])
    state |= {f"report {name}": value or "" for name, value in report_facts(where)["files"].items()}
    given = {"report": places.dataset, "synthetic": places.synthetic, "real": places.real}
    for role in ROLES:
        known = facts["datasets"][role]
        place = given[role]
        if place is None and role == "real" and known["path"] == facts["datasets"]["report"]["path"]:
            place = places.dataset
        state[f"{role} dataset"] = _identity(place or Path(known["path"]))
    return state


def judge(
    folder: Path, by: str, verdict: Judgement, why: str, failures: Mapping[str, str], places: Places
) -> Verdict:  # fmt: skip
    """Add a verdict to an audit, and a line to the ledger of the synthetic dataset; return it.

    Raises:
        UserError: If a text is missing or too long, an id is none of the audit, or the audit is not of what lies there.
        WriteFailed: If the disk refuses.
    """
    facts = read_audit(folder)
    for name, text in (("--by", by), ("--why", why), *((f"--failure {key}", text) for key, text in failures.items())):
        if not text.strip() or len(text) > LONGEST:
            raise UserError(f"{name}: say something, in at most {LONGEST} characters")
    known = [one["id"] for one in facts["failures"]]
    for key in failures:
        if key not in known:
            near = near_matches(key, tuple(known))
            raise UserError(f"--failure {key}: no failure of this audit; near: {near}")
    about = state_of(folder, places)
    odd = [name for name, value in about.items() if value != _told(facts, folder, name)]
    if odd:
        raise UserError(f"{folder} is stale: {odd[0]} is not what the page shows; make it again and look again")
    with _alone(folder):
        before = read_verdicts(folder)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        previous = before[-1].hash if before else GENESIS
        made = Verdict(now, by.strip(), verdict, why.strip(), about, previous, dict(failures))
        made = Verdict(**{**to_plain(made), "hash": made.sealed()})
        plain = {"schema": "audit-verdict/1", "verdicts": [to_plain(one) for one in (*before, made)]}
        try:
            publish(folder, folder / VERDICTS, [json_bytes(plain)])
        finally:
            remove_tree(folder / TEMPORARY)
    synthetic = places.synthetic or Path(facts["datasets"]["synthetic"]["path"])
    _note(synthetic, folder, made)
    return made


def _note(synthetic: Path, folder: Path, made: Verdict) -> None:
    said = {"verdict": made.verdict, "by": made.by, "why": made.why, "hash": made.hash}
    about = {
        "audit": str(folder.absolute()),
        "page": made.about["page"],
        "report": made.about["report dataset"].partition(" ")[0],
    }
    try:
        append(synthetic, EVENT, **said, **about)
    except (UserError, WriteFailed) as error:
        raise WriteFailed(
            f"the verdict is in {folder / VERDICTS}, and not in the ledger of {synthetic}: {error}"
        ) from error


def _told(facts: Mapping[str, Any], folder: Path, name: str) -> str:
    """Return what an audit says of itself."""
    if name == "audit":
        return hash_file(folder / AUDIT)
    if name == "page":
        return str(facts["page_sha256"])
    role, _, what = name.partition(" ")
    return _joined(facts["datasets"][role]) if what == "dataset" else str(facts["report"]["files"][what] or "")


def _identity(place: Path) -> str:
    try:
        return _joined(dataset_facts(place))
    except (UserError, OSError):
        return ""


def _joined(facts: Mapping[str, Any]) -> str:
    return " ".join(str(facts[name]) for name in ("dataset_id", "content_root", "manifest_sha256", "checksums_sha256"))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process adds a verdict."""
    with refusals_named(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
