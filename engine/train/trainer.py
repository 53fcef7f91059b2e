"""Runs a trainer: our own in this process, or any command, which is given the path of a plan and nothing else."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

from engine.errors import UserError
from engine.train.plan import TrainingPlan, write_plan

LAST_LINES = 12  # of what a trainer said, in the error

Trainer = Callable[[TrainingPlan, Path], None]  # follows a plan whose paths are relative to the folder


def command_words(command: str) -> list[str]:
    """Return the words of a trainer's command.

    Raises:
        UserError: If it is empty or a quote is not closed.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"--trainer {command}: {error}; quote words as in a shell") from error
    if not words:
        raise UserError("--trainer is empty; give a command such as 'python my_trainer.py'")
    return words


def command_trainer(command: str) -> Trainer:
    """Return a trainer that runs a command with the path of `training.json` as its last argument.

    The command comes from the person at the keyboard, never from data; it is split as by a shell and run without.

    Raises:
        UserError: If it is empty, or, when run, if it fails or leaves predictions out.
    """
    words = command_words(command)

    def train(plan: TrainingPlan, folder: Path) -> None:
        path = write_plan(folder, plan)
        for one in plan.predict:
            (folder / one.out).unlink(missing_ok=True)  # of an earlier attempt
        try:
            done = subprocess.run([*words, str(path)], capture_output=True, text=True, errors="replace", check=False)
        except OSError as error:
            raise UserError(f"--trainer: {words[0]} cannot be run: {error.strerror}") from error
        (folder / "trainer.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        if done.returncode:
            said = "\n".join((done.stdout + done.stderr).splitlines()[-LAST_LINES:])
            raise UserError(f"--trainer: {command} ended with {done.returncode} on {path}:\n{said}")
        missing = [one.out for one in plan.predict if not (folder / one.out).is_file()]
        if missing:
            raise UserError(f"--trainer: {command} wrote no {missing[0]} in {folder}, which {path.name} asks for")

    return train
