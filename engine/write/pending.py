"""A commit before it exists: its files under `.tmp/`, then the record, then the files at their places."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path, PurePosixPath

import pyarrow as pa

from engine.write.begin import MANIFEST
from engine.write.files import TEMPORARY, publish_new, remove_tree, sync, temporary_path, unpublish, write_early
from engine.write.merge import COMMITS, rows_path
from engine.write.record import Commit, FileFact, json_bytes, read_commit
from engine.write.recover import move_files
from engine.write.rows import sorted_rows
from engine.write.tables import parquet_bytes

Placer = Callable[[Path, Path], bool]  # (source, place) -> whether the content was on the disk before


class Outcome(Enum):
    """How a shard ended."""

    COMMITTED = "committed"
    EQUAL = "equal"  # a twin committed the same bytes
    LOST = "lost"  # someone committed other worlds or bytes under this id; ours are dropped


class PendingCommit:
    """The files of one commit on their way; steps 2 and 3 of the head of engine/write/shard.py."""

    def __init__(self, out: Path, commit_id: str) -> None:
        self.out, self.id = out, commit_id
        self._files: list[FileFact] = []
        self._placed: set[str] = set()  # what other folders hold as well, so that it is on the disk already
        self._folder = temporary_path(out, commit_id)
        self._published = False

    @property
    def files(self) -> tuple[FileFact, ...]:
        """What was put into it, sorted by path."""
        return tuple(sorted(self._files, key=lambda fact: fact.path))

    def write(self, fact: FileFact, data: bytes) -> None:
        """Add a file with this content."""
        write_early(self._new(fact), data)

    def place(self, fact: FileFact, put: Placer, source: Path) -> None:
        """Add a file that lies elsewhere, by what `put(source, place)` makes of it: a link or a copy."""
        if put(source, self._new(fact)):
            self._placed.add(fact.path)

    def write_rows(self, name: str, parts: Iterable[pa.Table]) -> None:
        """Add a table of the index, sorted."""
        data = parquet_bytes(sorted_rows(list(parts), name))
        self.write(FileFact(rows_path(self.id, name), hashlib.sha256(data).hexdigest(), len(data)), data)

    def publish(self, commit: Commit) -> Outcome:
        """Put the record of these files on the disk, and the files at their places."""
        self._settle(commit)
        path = self.out / COMMITS / f"{self.id}.json"
        if not path.exists():
            unpublish(self.out / MANIFEST)  # what it says is no longer all there is
        self._published = True  # before the fact: after a failure inside, only `recover` can tell
        outcome = Outcome.COMMITTED
        if not publish_new(self.out, path, json_bytes(commit)):
            equal = read_commit(path).content_sha256 == commit.content_sha256
            outcome = Outcome.EQUAL if equal else Outcome.LOST
        if outcome is not Outcome.LOST:
            move_files(self._folder, self.out, commit)
        self._published = False
        return outcome

    def close(self) -> None:
        """Drop what was not committed."""
        if not self._published:
            remove_tree(self._folder)

    def _new(self, fact: FileFact) -> Path:
        path = self._folder / fact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._files.append(fact)
        return path

    def _settle(self, commit: Commit) -> None:
        """Give the folder the name that `recover` looks for, and sync all that is in it."""
        if not commit.files:
            return
        named = temporary_path(self.out, f"{commit.id}-{commit.content_sha256[:16]}")
        self._folder.rename(named)
        self._folder = named
        for fact in commit.files:
            if fact.path not in self._placed:
                sync(named / fact.path)
        nearest = {PurePosixPath(fact.path).parent for fact in commit.files}
        folders = {named / folder for path in nearest for folder in (path, *path.parents)}
        for folder in sorted(folders, key=lambda p: len(p.parts), reverse=True):
            sync(folder)
        sync(self.out / TEMPORARY)
