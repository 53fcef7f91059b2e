"""`python -m engine.dataset` as a program of a shell: what it does when nobody reads on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.dataset.__main__ import PIPE_CLOSED
from tests.contract.source import ROOT
from tests.engine.toy_dataset import make_toy, toy_plan


@pytest.mark.parametrize("command", ["info", "verify", "validate"])
def test_a_reader_that_has_enough_ends_the_command_without_a_word(tmp_path: Path, command: str) -> None:
    """`validate DIR | head` is what anybody types; what closed is the pipe, no file of the dataset."""
    make_toy(tmp_path, range(2), toy_plan())
    reading, writing = os.pipe()
    os.close(reading)
    run = [sys.executable, "-m", "engine.dataset", command, str(tmp_path)]
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(run, check=False, cwd=ROOT, stdout=closed, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (PIPE_CLOSED, "")
