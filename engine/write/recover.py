"""Read the commit log, and roll forward what a crash left between a commit record and its files."""

from __future__ import annotations

from pathlib import Path

from engine.write.files import TEMPORARY, Inside, abandoned, hash_file, host_tag, inside, make_folder, remove_tree, sync
from engine.write.merge import COMMITS
from engine.write.names import name_commit
from engine.write.record import Commit, FileFact, read_commit


class CommitLog:
    """The commit records of a dataset. A record never changes, so each is read once."""

    def __init__(self, out: Path) -> None:
        self._folder = out / COMMITS
        self._commits: dict[str, Commit] = {}

    def commits(self) -> list[Commit]:
        """Return all records that exist now, sorted by id."""
        names = sorted(path.name for path in self._folder.glob("*.json"))
        for name in names:
            if name not in self._commits:
                self._commits[name] = read_commit(self._folder / name)
        return [self._commits[name] for name in names]

    def worlds(self) -> set[int]:
        """Return the worlds that exist now."""
        return {world for commit in self.commits() for world in commit.worlds}

    def next_id(self, cell: int, worlds: set[int]) -> str:
        """Return the id under which these worlds of a cell may be committed.

        If some of them exist already it is the id of their commit, so that publishing fails. Else it is the first free
        one: whoever commits to the cell meanwhile takes that name, and publishing fails as well.
        """
        taken = set()
        for commit in self.commits():
            if commit.id.startswith(f"{cell:08d}-"):
                if worlds & set(commit.worlds):
                    return commit.id
                taken.add(commit.id)
        return next(name for n in range(len(taken) + 1) if (name := name_commit(cell, n)) not in taken)


def move_files(folder: Path, out: Path, commit: Commit) -> None:
    """Move the synced files of a committed shard from its temporary folder to their places."""
    changed: set[Path] = set()
    place_of = Inside(out)
    for fact in commit.files:
        place = place_of(fact.path)
        if place.parent not in changed:
            make_folder(place.parent, out=out)
        try:
            (folder / fact.path).rename(place)
        except FileNotFoundError:
            if not _in_place(place, fact):  # else a helper rolled us forward meanwhile
                raise
        changed.add(place.parent)
    for parent in sorted(changed):
        sync(parent)


def recover(out: Path) -> None:
    """Roll forward committed shards whose files are not in place yet, and remove what dead processes left.

    Safe while others work: a folder goes only if its owner was dead before the records were read, so that no record
    can name it afterwards.
    """
    temporary = out / TEMPORARY
    if not temporary.is_dir():
        return
    host = host_tag()
    found = sorted(temporary.iterdir())
    dead = [path for path in found if abandoned(path, host)]
    for folder in found:
        commit = _commit_of(folder, out)
        if commit is not None:
            _roll_forward(folder, out, commit)
    for path in dead:
        remove_tree(path)


def misplaced_files(out: Path, commits: list[Commit]) -> list[FileFact]:
    """Return the committed files that are missing or have another size."""
    place_of = Inside(out)
    return [fact for commit in commits for fact in commit.files if not _in_place(place_of(fact.path), fact)]


def _commit_of(folder: Path, out: Path) -> Commit | None:
    """Return the commit whose files a temporary folder holds, by its name `<id>-<hash>.<host>.<pid>.<random>`."""
    commit_id, _, digest = folder.name.split(".", 1)[0].rpartition("-")
    path = out / COMMITS / f"{commit_id}.json"
    if not commit_id or not folder.is_dir() or not path.is_file():
        return None
    commit = read_commit(path)
    return commit if commit.content_sha256.startswith(digest) else None


def _roll_forward(folder: Path, out: Path, commit: Commit) -> None:
    changed = set()
    for fact in commit.files:
        place, waiting = inside(out, fact.path), inside(folder, fact.path)
        if _in_place(place, fact):
            continue
        make_folder(place.parent, out=out)
        try:
            # After a power cut a twin's folder may hold less than its name says; the record's own owner synced first.
            if hash_file(waiting) != fact.sha256:
                continue
            sync(waiting)
            waiting.rename(place)
        except FileNotFoundError:  # its owner, or another helper, moved it meanwhile
            continue
        changed.add(place.parent)
    for parent in sorted(changed):
        sync(parent)


def _in_place(place: Path, fact: FileFact) -> bool:
    try:
        return place.stat().st_size == fact.bytes
    except (FileNotFoundError, NotADirectoryError):
        return False
