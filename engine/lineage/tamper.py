"""Is a dataset what it was, as far as it can tell by itself? The chain of its ledger, its manifest, its content root.

Whoever can write all files can also make a new chain and a new manifest that fit each other. So the last hash and the
root are evidence only if a copy is kept elsewhere, and then they are compared with that copy.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.dataset.manifest import CHECKSUMS, Manifest, content_root, dataset_id, is_content, read_manifest
from engine.errors import UserError
from engine.lineage.ledger import GENESIS, LEDGER, entry_hash
from engine.write.begin import MANIFEST
from engine.write.files import hash_file, inside
from engine.write.record import FileFact

KEYS = {"time", "who", "event", "facts", "previous", "hash"}
COMPLETE = "complete"  # the event of a dataset that was completed; its facts name the content root


@dataclass(frozen=True)
class Line:
    """A line of the ledger that can be read. `number` counts from 1."""

    number: int
    plain: dict[str, Any]

    @property
    def hash(self) -> str:
        """The hash that it states."""
        return str(self.plain["hash"])

    @property
    def previous(self) -> str:
        """The hash that it states for the line before."""
        return str(self.plain["previous"])


@dataclass(frozen=True)
class Chain:
    """A ledger, and what is wrong with it."""

    lines: tuple[Line, ...]
    faults: tuple[str, ...]

    @property
    def head(self) -> str:
        """The hash of the last line."""
        return self.lines[-1].hash if self.lines else GENESIS


def read_chain(data: bytes) -> Chain:
    """Return the lines of a ledger and a sentence for each that is changed, moved, added, or misses one before it."""
    lines, faults = [], {}
    for number, text in enumerate(data.splitlines(), start=1):
        plain = _parse(text)
        if plain is None:
            faults[number] = "is not a line of a ledger: damaged, or written by something else"
            continue
        lines.append(Line(number, plain))
        if entry_hash(plain) != plain["hash"]:
            faults[number] = "was changed: it does not have the hash that it states"
    if data and not data.endswith(b"\n"):
        faults.setdefault(data.count(b"\n") + 1, "is cut short")
    for number, what in _misplaced(lines):
        faults.setdefault(number, what)
    return Chain(tuple(lines), tuple(f"{LEDGER} line {number} {what}" for number, what in sorted(faults.items())))


def check_head(chain: Chain, kept: str) -> tuple[str | None, str]:
    """Return a fault, or None, and what can be said about the ledger and a hash of it that was kept elsewhere."""
    for line in chain.lines:
        if line.hash == kept:
            since = len(chain.lines) - chain.lines.index(line) - 1
            return None, f"the kept hash is that of line {line.number}; {since} lines were added since"
    what = "it was cut off before that line, or made anew"
    return f"{LEDGER} has no line with the kept hash {kept[:12]}: {what}", ""


def check_dataset(out: Path, chain: Chain, *, deep: bool) -> tuple[Manifest | None, list[str]]:
    """Return the manifest, None if it cannot be read, and what contradicts it.

    Args:
        out: The dataset folder.
        chain: Its ledger, whose last `complete` names the content root, too.
        deep: Hash every file; otherwise hashes are those of the checksums, sizes those on disk.
    """
    try:
        manifest = read_manifest(out / MANIFEST)
    except (UserError, OSError) as error:
        return None, [f"{MANIFEST}: {error}"]
    faults = list(_contradictions(out, manifest, deep=deep))
    completed = [line.plain["facts"] for line in chain.lines if line.plain["event"] == COMPLETE]
    if completed and completed[-1].get("content_root") != manifest.content_root:
        noted = str(completed[-1].get("content_root"))[:12]
        faults.append(f"{MANIFEST}: its content_root is {manifest.content_root[:12]}, the ledger noted {noted}")
    return manifest, faults


def _contradictions(out: Path, manifest: Manifest, *, deep: bool) -> Iterator[str]:
    path = out / CHECKSUMS
    if not path.is_file():
        yield f"{CHECKSUMS} is missing"
        return
    if hash_file(path) != manifest.checksums.sha256:
        yield f"{CHECKSUMS} was changed: the manifest names another sha256"
    facts = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        stated, _, name = line.partition("  ")
        try:
            place = inside(out, name)
            facts.append(FileFact(name, hash_file(place) if deep else stated, place.stat().st_size))
        except FileNotFoundError:
            yield f"{name} is missing"
        except (UserError, ValueError, OSError) as error:
            yield f"{name[:80]}: {error}"
        else:
            if facts[-1].sha256 != stated:
                yield f"{name} was changed: sha256 {facts[-1].sha256[:12]} instead of {stated[:12]}"
    if content_root(fact for fact in facts if is_content(fact.path)) != manifest.content_root:
        what = "files" if deep else "checksums and sizes"
        yield f"{MANIFEST}: its content_root is not that of the {what}"
    if dataset_id(manifest.recipe_id, manifest.taxonomy_id, manifest.content_root) != manifest.dataset_id:
        yield f"{MANIFEST}: its dataset_id does not follow from its other ids"


def _parse(text: bytes) -> dict[str, Any] | None:
    try:
        plain = json.loads(text)
        if not isinstance(plain, dict) or plain.keys() != KEYS or not isinstance(plain["facts"], dict):
            return None
        entry_hash(plain)  # what canonical JSON cannot spell was never written
    except (ValueError, RecursionError):
        return None
    return plain


def _misplaced(lines: list[Line]) -> Iterator[tuple[int, str]]:
    """Yield line numbers and what is wrong with their places.

    Lines and those that name them as the one before make trees. A root that is not the first line ever misses what it
    names. Of several that follow one line, that with the longest tail is the chain; the others were added. What is left
    should stand in the file in this order; the fewest lines that do not are those that were moved.
    """
    by_hash: dict[str, Line] = {}
    for line in lines:
        if (first := by_hash.setdefault(line.hash, line)) is not line:
            yield line.number, f"was added: it is a copy of line {first.number}"
    following: dict[str, list[Line]] = {}
    for line in by_hash.values():
        following.setdefault(line.previous, []).append(line)
    roots = [line for line in by_hash.values() if line.previous not in by_hash]
    chain: list[Line] = []
    for root in sorted(roots, key=lambda line: (line.previous != GENESIS, line.number)):
        if root.previous != GENESIS:
            yield root.number, "does not follow: the line that it names before it was dropped or made anew"
        elif chain:
            yield root.number, "was added: the ledger has a first line already"
        tail = _longest(root, following)
        chain += tail
    on_chain = {line.number for line in chain}
    for line in by_hash.values():
        if line.number not in on_chain:
            yield line.number, "was added: another line follows the one before it"
    for number in _out_of_order([line.number for line in chain]):
        yield number, "was moved"


def _longest(root: Line, following: dict[str, list[Line]]) -> list[Line]:
    """Return the longest path down from a root. Hashes make circles impossible unless they are forged; those end."""
    order, seen, waiting = [], {root.hash}, [root]
    while waiting:
        order.append(line := waiting.pop())
        for child in following.get(line.hash, []):
            if child.hash not in seen:
                seen.add(child.hash)
                waiting.append(child)
    best: dict[str, tuple[int, Line | None]] = {}
    for line in reversed(order):
        below = [after for after in following.get(line.hash, []) if after.hash in best]
        after = max(below, key=lambda one: (best[one.hash][0], -one.number), default=None)
        best[line.hash] = (1 + (best[after.hash][0] if after else 0), after)
    path: list[Line] = []
    step: Line | None = root
    while step is not None:
        path.append(step)
        step = best[step.hash][1]
    return path


def _out_of_order(numbers: list[int]) -> list[int]:
    """Return the fewest numbers without which the others rise."""
    ends: list[int] = []  # of the rising runs of every length, the lowest end
    lengths = []
    for number in numbers:
        place = bisect_left(ends, number)
        ends[place : place + 1] = [number]
        lengths.append(place + 1)
    kept, wanted, above = set(), len(ends), None
    for number, length in zip(reversed(numbers), reversed(lengths), strict=True):
        if length == wanted and (above is None or number < above):
            kept.add(number)
            wanted, above = wanted - 1, number
    return [number for number in numbers if number not in kept]
