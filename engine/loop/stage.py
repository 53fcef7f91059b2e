"""A stage: one or more commands, what decides them, what they leave, and what their exit codes mean."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rfc8785

from engine.dataset.manifest import read_manifest
from engine.errors import UserError
from engine.write.begin import MANIFEST
from engine.write.files import hash_file

Command = tuple[str, ...]  # a module and its arguments, as after `python -m`
DONE = "done"


class CircleEnds(Exception):  # noqa: N818 - an answer, no error
    """There is nothing for the next stage to do, and that is an answer."""

    def __init__(self, answer: str, words: str) -> None:
        super().__init__(words)
        self.answer = answer


@dataclass(frozen=True)
class Stage:
    """One step of a circle. Paths are as they are typed: relative to where the loop is started."""

    name: str  # letters, digits and -; each once
    about: str  # the question that it answers
    commands: tuple[Command, ...]
    inputs: tuple[Path, ...] = ()  # files, datasets and folders that decide it, beside its commands
    outputs: tuple[Path, ...] = ()  # what must be there afterwards
    folders: tuple[Path, ...] = ()  # what is its own, and is removed before it begins anew
    goes_on: bool = False  # its commands find what they made before they were stopped
    answers: Mapping[int, str] = field(
        default_factory=lambda: {0: DONE}
    )  # exit code -> answer; another code is a failure
    ends: frozenset[str] = frozenset()  # answers after which there is nothing more to do

    def key(self, program: str) -> str:
        """Return the hash of all that decides what the stage makes.

        Raises:
            UserError: If an input is not there.
        """
        facts = {"commands": self.commands, "inputs": [content_of(path) for path in self.inputs], "program": program}
        return hashlib.sha256(rfc8785.dumps(_lists(facts))).hexdigest()

    def missing(self) -> Path | None:
        """Return an output that is not there, or None."""
        return next((path for path in self.outputs if not path.exists()), None)


def content_of(path: Path) -> str:
    """Return what a dataset, file or folder holds, as a hash; times of writing do not count for datasets.

    Raises:
        UserError: If there is nothing.
    """
    if (path / MANIFEST).is_file():
        manifest = read_manifest(path / MANIFEST)
        return f"{manifest.dataset_id} {manifest.content_root}"
    if path.is_file():
        return hash_file(path)
    if not path.is_dir():
        raise UserError(f"{path} is not there; an earlier stage should have made it")
    files = sorted(one for one in path.rglob("*") if one.is_file())
    lines = (f"{one.relative_to(path).as_posix()} {hash_file(one)}\n" for one in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def spoken(command: Sequence[str]) -> str:
    """Return a command as it is typed."""
    import shlex

    return shlex.join(["python", "-m", *command])


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value
