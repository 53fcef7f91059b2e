"""Runs one command of the product as a process of its own, says what it says, and ends it if the loop ends.

A loop that is killed takes its command with it (Linux). What that command had started itself outlives it and is ended
by the next loop of the same folder: every process of a loop carries the folder in its environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PR_SET_PDEATHSIG = 1  # of prctl(2): the signal that a process gets when the one that started it is gone
MARK = "OMMATIDIA_LOOP"  # in the environment of every command: the folder of its loop
PATIENCE_S = 10.0  # for a process that was asked to end
Say = Callable[[str], None]
Execute = Callable[[Sequence[str], Path, Say], tuple[int, float]]  # a command, its log -> exit code, processor seconds


def execute(command: Sequence[str], log: Path, say: Say) -> tuple[int, float]:
    """Run `python -m` with these words; return its exit code and the processor seconds of it and what it started.

    Args:
        command: A module and its arguments.
        log: File that its words are added to, two folders below that of the loop.
        say: Told every line as it comes.
    """
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, text=True, errors="replace",
        env={**os.environ, "PYTHONPATH": path, MARK: mark_of(log.parent.parent)},
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


def mark_of(out: Path) -> str:
    """Return what processes of the loop in a folder are known by."""
    return str(out.resolve())


def end_leftovers(out: Path) -> int:
    """End what an earlier loop of the folder left running, and return how many processes that were; holds its lock."""
    found = _marked(out)
    for number in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
    end = time.monotonic() + PATIENCE_S
    while (left := _marked(out)) and time.monotonic() < end:
        time.sleep(0.05)
    for number in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    return len(found)


def _marked(out: Path) -> list[int]:
    """Return the processes of this user that carry the mark of a folder; none where there is no /proc."""
    wanted, found = f"{MARK}={mark_of(out)}".encode(), []
    for place in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in place.read_bytes().split(b"\0") and int(place.parent.name) != os.getpid():
                found.append(int(place.parent.name))
    return found


def _die_with_the_loop() -> None:
    """Ask Linux to end this process when the loop is killed, so that no orphan writes into what is made anew."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
