"""The command survives what machines do to it: kills at any moment, stop signals, twins, a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.contract.source import ROOT

COMMAND = (
    "+scene=tabletop", "count=8", "rig.width=64", "rig.height=48", "rig.spp=1", "shard_worlds=2", "device=cpu",
)  # fmt: skip
STOPPED = 75
DISK_REFUSED = 74

pytestmark = pytest.mark.slow


def start(out: Path) -> subprocess.Popen[str]:
    """Start the command in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "engine.run", *COMMAND, f"out={out}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end; return exit code and output."""
    output, _ = process.communicate(timeout=120)
    return process.returncode, output


def tree(out: Path) -> dict[str, bytes]:
    """Return every file of a dataset but logs and work in progress."""
    files = (file for file in sorted(out.rglob("*")) if file.is_file())
    named = {str(file.relative_to(out)): file for file in files}
    return {name: file.read_bytes() for name, file in named.items() if not name.startswith((".tmp", "log"))}


def wait_for_commits(out: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until a number of shards are committed, or the process ends."""
    while len(list((out / "commit").glob("*.json"))) < count and process.poll() is None:
        time.sleep(0.002)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The dataset of an uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "out"
    code, output = finish(start(out))
    assert code == 0, output
    return tree(out)


@pytest.mark.parametrize("commits", [0, 1, 3, 4])
def test_the_same_command_goes_on_after_a_kill(whole: dict[str, bytes], tmp_path: Path, commits: int) -> None:
    """Killed while the first shard, a later one or the index is being written."""
    out = tmp_path / "out"
    process = start(out)
    wait_for_commits(out, commits, process)
    os.killpg(process.pid, signal.SIGKILL)
    finish(process)
    code, output = finish(start(out))
    assert code == 0, output
    assert tree(out) == whole


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR2])
def test_a_signal_stops_at_a_shard_boundary(whole: dict[str, bytes], tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "out"
    process = start(out)
    wait_for_commits(out, 1, process)
    os.killpg(process.pid, number)
    code, output = finish(process)
    assert code in (STOPPED, 0), output
    assert "Traceback" not in output
    assert finish(start(out))[0] == 0
    assert tree(out) == whole


def test_twins_make_one_dataset(whole: dict[str, bytes], tmp_path: Path) -> None:
    twins = [start(tmp_path / "out") for _ in range(2)]
    for process in twins:
        code, output = finish(process)
        assert code == 0, output
    assert tree(tmp_path / "out") == whole


def test_a_complete_dataset_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert finish(start(out))[0] == 0
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file()}
    code, output = finish(start(out))
    assert code == 0
    assert "were there already" in output
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file()} == before


def test_a_limit_on_file_sizes_is_one_line_and_code_74(tmp_path: Path) -> None:
    """As a full disk: every write beyond 4 KiB fails."""
    limited = f"ulimit -f 4; exec {sys.executable} -m engine.run {' '.join(COMMAND)} out={tmp_path / 'out'}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", limited], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == DISK_REFUSED, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out" / "manifest.json").exists()
