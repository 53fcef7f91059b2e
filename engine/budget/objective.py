"""Runs the command that measures a recipe: its last line says how good it is, `{"value": 0.71}`.

The command comes from the person at the keyboard and is run without a shell. In its words, `{seed}` is the seed of this
run and `{out}` a new folder of its own; a word `{overrides}` becomes one word for each override, at the end if there is
none. It should generate by these overrides, train the cheap learner and measure it on *validation*: thirty looks at the
test set would fit the test set. A locked holdout among its words is refused.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.collect.holdout import find_lock
from engine.collect.refs import dataset_path
from engine.errors import UserError
from engine.write.begin import HEADER
from engine.write.files import remove_tree

OVERRIDES, SEED, OUT = "{overrides}", "{seed}", "{out}"
LONGEST_SAID = 200  # characters of an error


@dataclass(frozen=True)
class Objective:
    """A command, and how long it may take."""

    words: tuple[str, ...]
    timeout_s: float | None

    def measure(self, folder: Path, overrides: Sequence[str], seed: int) -> tuple[float | None, str]:
        """Run the command; return its value, or None and what went wrong.

        Args:
            folder: Of this run; what a run that was interrupted left there goes away. Output goes into `command.log`.
            overrides: Of the recipe.
            seed: Of this run.
        """
        remove_tree(folder)
        folder.mkdir(parents=True)
        words = command_line(self.words, folder, overrides, seed)
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
                timeout=self.timeout_s,
            )  # fmt: skip
        except OSError as error:
            raise UserError(f"{words[0]} cannot be run: {error.strerror}") from error
        except subprocess.TimeoutExpired:
            return None, f"it took longer than {self.timeout_s:g} s"
        (folder / "command.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["it said nothing"]
            return None, f"it ended with {done.returncode}: {last[0][:LONGEST_SAID]}"
        return read_value(done.stdout)


def command_line(words: Sequence[str], folder: Path, overrides: Sequence[str], seed: int) -> list[str]:
    """Return the words of a command with all places filled."""
    given = list(words) if OVERRIDES in words else [*words, OVERRIDES]
    filled: list[str] = []
    for word in given:
        if word == OVERRIDES:
            filled += overrides
        else:
            filled.append(word.replace(SEED, str(seed)).replace(OUT, str(folder)))
    return filled


def read_value(said: str) -> tuple[float | None, str]:
    """Return the value in the last line of an output, or None and what is wrong with it."""
    last = (said.strip().splitlines() or [""])[-1]
    try:
        value = json.loads(last)["value"]
    except (ValueError, KeyError, TypeError, RecursionError):
        value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None, f'its last line is not {{"value": NUMBER}} but: {last[:LONGEST_SAID]!r}'
    return float(value), ""


def refuse_holdouts(words: Sequence[str]) -> None:
    """Refuse a command that names a dataset which is locked as a test set.

    Raises:
        UserError: If it does.
    """
    for word in words:
        for text in (word, word.partition("=")[2]):
            place = _dataset(text)
            held = None if place is None else find_lock(place)
            if held is not None:
                raise UserError(
                    f"the command names {text}, which is locked as {held.name}: tuning by a test set fits the test "
                    "set; name validation data"
                )


def _dataset(text: str) -> Path | None:
    try:
        place = dataset_path(Path(text)) if text else None
        return place if place is not None and (place / HEADER).is_file() else None
    except (UserError, OSError, ValueError):  # an address with an @, a name that is too long, a zero byte
        return None
