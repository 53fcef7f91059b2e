"""What is wrong with a dataset: one line each, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

REMAKE_VIEWS = "delete manifest.json and run the same command again: it is made anew from the shards"
REMAKE_RECORDS = "restore it from a copy; it cannot be derived from the other files"
NOT_OURS = "move it out of the dataset folder"
UNLINK = "put what it leads to in its place, if that is the dataset's, or remove it"
GO_ON = "run the same command again: it goes on from what is committed"


@dataclass(frozen=True)
class Fault:
    """A file, what is wrong in it, and the way to repair it."""

    file: str  # relative to the dataset
    what: str
    repair: str
    rule: str | None = None  # of engine.validate, where it was found by one of its checks

    def __str__(self) -> str:
        return f"{self.file}: {self.what} -> {self.repair}"


def remake_shard(commit_id: str) -> str:
    """Return how the worlds of one commit are made anew."""
    return f"delete commit/{commit_id}.json and manifest.json and run the same command again: its worlds are made anew"
