"""`trials.jsonl`: every run of the objective, a line each, as soon as it is known. The search resumes from it alone.

The first line says what is tuned, by which command and seed; a log of other questions is not continued. A last line
that a crash cut short is dropped, and its run made again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from engine.budget.tuning import Tuning
from engine.errors import UserError
from engine.plain import from_plain, to_plain
from engine.write.files import refusals_named

SCHEMA, FILE = "tuning/1", "trials.jsonl"
Kind = Literal["trial", "winner", "baseline"]


@dataclass(frozen=True)
class Trial:
    """A run of the objective."""

    kind: Kind  # of the search; the winner again; the recipe without overrides
    trial: int  # whose parameters they are, counted from 0; -1: of none
    seed: int
    parameters: dict[str, float]
    overrides: tuple[str, ...]
    value: float | None  # None: it failed
    error: str
    wall_s: float
    time: str  # UTC, ISO 8601, when it ended


class TrialLog:
    """The log of one tuning, read once and appended to."""

    def __init__(self, out: Path, tuning: Tuning, words: Sequence[str], seed: int) -> None:
        """Begin a log in `out`, or continue the one that is there.

        Raises:
            UserError: If it is damaged, or of another question.
        """
        self.out, self._path = out, out / FILE
        head = {"schema": SCHEMA, "tuning": to_plain(tuning), "command": list(words), "seed": seed}
        self.trials: list[Trial] = []
        with refusals_named(self._path):
            out.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"{self._path} is being written by another process; wait, or choose another --out"
            ) from error
        if self._path.stat().st_size:
            self.trials = _read(self._path, head)
        if not self._path.stat().st_size:
            self._write(head)

    @property
    def searched(self) -> list[Trial]:
        """The trials of the search, in order."""
        return [one for one in self.trials if one.kind == "trial"]

    def find(self, kind: Kind, trial: int, seed: int) -> Trial | None:
        """Return a run that was made and gave a value."""
        known = (one for one in self.trials if (one.kind, one.trial, one.seed) == (kind, trial, seed))
        return next((one for one in known if one.value is not None), None)

    def close(self) -> None:
        """Let other processes continue it."""
        self._file.close()

    def append(self, trial: Trial) -> None:
        """Add a run, durably."""
        self._write(to_plain(trial))
        self.trials.append(trial)

    def _write(self, plain: Mapping[str, Any]) -> None:
        with refusals_named(self._path):
            self._file.write(json.dumps(plain, ensure_ascii=False) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())


def _read(path: Path, head: Mapping[str, Any]) -> list[Trial]:
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    lines = whole.splitlines()
    if lines:
        found = _line(path, 0, lines[0])
        for key, value in head.items():
            if not isinstance(found, dict) or found.get(key) != value:
                raise UserError(
                    f"{path} belongs to another tuning: its {key} is not that of this command; choose another --out"
                )
    trials = [_trial(path, number, line) for number, line in enumerate(lines[1:], 1)]
    searched = [one.trial for one in trials if one.kind == "trial"]
    if searched != list(range(len(searched))):
        raise UserError(f"{path}: its trials are numbered {searched}; a line is missing or doubled, begin anew")
    if len(whole) < len(data):
        with refusals_named(path):
            os.truncate(path, len(whole))
    return trials


def _trial(path: Path, number: int, line: bytes) -> Trial:
    where = f"{path}: line {number + 1}"
    trial = from_plain(Trial, _line(path, number, line), where)
    return replace(trial, parameters=dict(trial.parameters))


def _line(path: Path, number: int, line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: line {number + 1} is damaged ({error}); remove the line, or begin anew") from error
