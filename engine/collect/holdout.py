"""A dataset that is locked: a test set whose content cannot change silently, and every read of which is on record.

`log/holdout.json` says what was locked, the ledger when and by whom; as long as its last word is `holdout.lock`, every
command that reads pictures or labels comes by `opened`, which checks every byte against the lock and writes a line. A
benchmark is its content: other content has another id. Who can write the folder can also remove both; the proof is
the id in a place of your own.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.errors import UserError, WriteFailed
from engine.lineage.ledger import Entry, append, read_entries
from engine.plain import from_plain, to_plain
from engine.write.begin import HEADER, LOG, MANIFEST
from engine.write.files import hash_file, inside, publish
from engine.write.record import json_bytes, read_json
from engine.write.threads import thread_count

RECORD = f"{LOG}/holdout.json"
LOCKED, UNLOCKED, READ = "holdout.lock", "holdout.unlock", "holdout.read"
CHECKSUMS = "CHECKSUMS.sha256"  # names every file but itself and the manifest
LABELS = ("labels/", "index/", "commit/", "taxonomy.json")
LONGEST_COMMAND = 300  # characters in the ledger
REMEDY = "put back the copy that you locked, or unlock with a reason and lock it as a new benchmark"


@dataclass(frozen=True)
class Lock:
    """What `log/holdout.json` holds."""

    name: str  # what it was locked as
    dataset_id: str
    content_root: str
    labels_sha256: str  # over path and hash of every file of labels
    checksums_sha256: str  # of CHECKSUMS.sha256, which names every file
    manifest_sha256: str
    schema: Literal["holdout/1"] = "holdout/1"

    @property
    def benchmark_id(self) -> str:
        """What results are reported against: other content is another benchmark."""
        text = f"{self.name}|{self.content_root}|{self.labels_sha256}"
        return "bm_" + hashlib.sha256(text.encode()).hexdigest()[:16]


def lock(dataset: Path, name: str, why: str = "") -> Lock:
    """Lock a complete dataset whose files are as its manifest says.

    Raises:
        UserError: If it is locked already, not complete, or changed.
    """
    held = find_lock(dataset)
    if held is not None:
        raise UserError(f"{dataset} is locked already as {held.name}, {held.benchmark_id}; unlock it first")
    _check_bytes(dataset, f"{dataset} cannot be locked: ", "; `python -m engine.dataset verify` says what else")
    made = describe(dataset, name)
    publish(dataset, dataset / RECORD, [json_bytes(made)])
    facts = {"lock": hash_file(dataset / RECORD), "benchmark": made.benchmark_id, "name": name, "why": why}
    append(dataset, LOCKED, **facts)
    return made


def unlock(dataset: Path, why: str) -> Lock:
    """Unlock a dataset; the record stays, and so does the line that says who did it and why.

    Raises:
        UserError: If it is not locked, or no reason is given.
    """
    if not why.strip():
        raise UserError("say why the holdout is unlocked: --why TEXT")
    held = find_lock(dataset)
    if held is None:
        raise UserError(f"{dataset} is not locked")
    append(dataset, UNLOCKED, benchmark=held.benchmark_id, name=held.name, why=why)
    return held


def find_lock(dataset: Path) -> Lock | None:
    """Return the lock of a dataset, None: it is not locked.

    Raises:
        UserError: If the ledger says that it is locked, and the record is gone or another.
    """
    last = None
    for entry in _entries(dataset):
        if entry.event in (LOCKED, UNLOCKED):
            last = entry
    path = dataset / RECORD
    if last is None and path.is_file():
        raise UserError(f"{path} is there, and the ledger has no line of it: one of them was changed; {REMEDY}")
    if last is None or last.event == UNLOCKED:
        return None
    if not path.is_file() or hash_file(path) != last.facts.get("lock"):
        raise UserError(
            f"{dataset} is locked as {last.facts.get('benchmark')}, and {RECORD} is gone or changed; {REMEDY}"
        )
    return from_plain(Lock, read_json(path), path.name)


def opened(dataset: Path, why: str = "") -> None:
    """Note that a locked dataset is read, and refuse if it is not what was locked; of others nothing happens.

    Every command that reads pictures or labels of a dataset calls it, once; `open_dataset` and `open_index` do.

    Args:
        dataset: The folder.
        why: What the reader does with it.
    Raises:
        UserError: If the content differs from the lock.
        WriteFailed: If the ledger cannot be written: a read that is not on record is none.
    """
    if not (dataset / LOG).is_dir() or not (dataset / HEADER).is_file():
        return
    held = find_lock(dataset)
    if held is None:
        return
    check_lock(dataset, held)
    command = " ".join([Path(sys.argv[0]).stem or "python", *sys.argv[1:]])[:LONGEST_COMMAND]
    try:
        append(dataset, READ, benchmark=held.benchmark_id, command=command, why=why)
    except WriteFailed as error:
        raise WriteFailed(f"{dataset} is a locked holdout, every read of which is noted: {error}") from error


def check_lock(dataset: Path, held: Lock) -> None:
    """Refuse a dataset that is not what was locked.

    Raises:
        UserError: If a byte of it differs.
    """
    what = f"the holdout {held.benchmark_id}"
    try:
        found = describe(dataset, held.name)
    except UserError as error:
        raise UserError(f"{dataset} is not {what} any more: {error}; {REMEDY}") from error
    if found != held:
        odd = [name for name, value in to_plain(held).items() if getattr(found, name) != value]
        raise UserError(f"{dataset} is not {what} any more: its {odd[0]} differs; {REMEDY}")
    _check_bytes(dataset, f"{dataset} is not {what} any more: ", f"; {REMEDY}")


def describe(dataset: Path, name: str) -> Lock:
    """Return what a lock of a complete dataset says now; files are taken at the word of CHECKSUMS.sha256.

    Raises:
        UserError: If it is not complete.
    """
    manifest, checksums = dataset / MANIFEST, dataset / CHECKSUMS
    if not manifest.is_file() or not checksums.is_file():
        raise UserError(f"{dataset} is not complete: it has no {MANIFEST} or {CHECKSUMS}")
    data = read_json(manifest)
    labels = "".join(f"{path}\0{digest}\n" for path, digest in _listed(dataset) if path.startswith(LABELS))
    return Lock(
        name, str(data.get("dataset_id")), str(data.get("content_root")), hashlib.sha256(labels.encode()).hexdigest(),
        hash_file(checksums), hash_file(manifest),
    )  # fmt: skip


def _listed(dataset: Path) -> list[tuple[str, str]]:
    lines = (dataset / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    return [(path, digest) for digest, _, path in (line.partition("  ") for line in lines)]


def _check_bytes(dataset: Path, before: str, after: str) -> None:
    """Refuse if a file of the dataset has other bytes than CHECKSUMS.sha256 says; the error stands between the two."""
    if not (dataset / CHECKSUMS).is_file():
        raise UserError(f"{before}it is not complete, without {CHECKSUMS}{after}")
    listed = _listed(dataset)
    with ThreadPoolExecutor(thread_count()) as pool:
        for (path, digest), found in zip(listed, pool.map(lambda one: _hash(dataset, one[0]), listed), strict=True):
            if found != digest:
                raise UserError(f"{before}{path} {'is gone' if found is None else 'has changed'}{after}")


def _hash(dataset: Path, path: str) -> str | None:
    place = inside(dataset, path)
    return hash_file(place) if place.is_file() else None


def _entries(dataset: Path) -> Iterable[Entry]:
    try:
        yield from read_entries(dataset)
    except (ValueError, TypeError, KeyError, json.JSONDecodeError) as error:
        raise UserError(f"{dataset / LOG}/ledger.jsonl cannot be read: {error}; it was changed or cut short") from error
