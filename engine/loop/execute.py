"""Runs one command of the product as a process of its own, says what it says, and ends it if the loop ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1  # of prctl(2): the signal that a process gets when the one that started it is gone
Say = Callable[[str], None]
Execute = Callable[[Sequence[str], Path, Say], tuple[int, float]]  # a command, its log -> exit code, processor seconds


def execute(command: Sequence[str], log: Path, say: Say) -> tuple[int, float]:
    """Run `python -m` with these words; return its exit code and the processor seconds of it and what it started.

    Args:
        command: A module and its arguments.
        log: File that its words are added to.
        say: Told every line as it comes.
    """
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, text=True, errors="replace", env={**os.environ, "PYTHONPATH": path},
        preexec_fn=_die_with_the_loop,  # noqa: PLW1509 - the loop has no threads
    )  # fmt: skip
    assert process.stdout is not None
    try:
        with log.open("a", encoding="utf-8") as file, process.stdout:
            for line in process.stdout:
                file.write(line)
                file.flush()
                say(f"    {line.rstrip()}")
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def _die_with_the_loop() -> None:
    """Ask Linux to end this process when the loop is killed, so that no orphan writes into what is made anew."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
