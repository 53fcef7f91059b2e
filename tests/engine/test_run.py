"""The command: exit codes, one line a failure, where a dataset lands, re-runs, multirun, signals, workers."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import resume
from engine.device import resolve_device
from engine.errors import Stopped, UserError, WorkersFailed, WriteFailed
from engine.progress import Progress
from engine.recipe import MOST_WORLDS, AssetRef, Job
from engine.run import _generate
from engine.sweep import NotPrivate, make_private
from engine.workers import _raise_worst, run_on_all, worker_commands
from tests.engine.test_recipe import RECIPE

ROOT = Path(__file__).parents[2]
STAGE = """#usda 1.0
(
    defaultPrim = "World"
    metersPerUnit = 1
    upAxis = "Z"
)
def Xform "World"
{
    def Cube "Box"
    {
        double size = 1
    }
    def Camera "Camera"
    {
        double3 xformOp:translate = (0, 0, 5)
        uniform token[] xformOpOrder = ["xformOp:translate"]
    }
    def DistantLight "Sun"
    {
        float inputs:intensity = 3
    }
}
"""
SMALL = ["+scene=mine", "count=2", "rig.width=32", "rig.height=24", "rig.spp=1", "device=cpu"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with a scene of the user's own: one box under a sun."""
    scene = tmp_path / "my_conf" / "scene"
    scene.mkdir(parents=True)
    (scene / "mine.yaml").write_text("usd: mine.usda\n")
    (scene / "mine.usda").write_text(STAGE)
    return tmp_path


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Return what the command did, run as a user would in this folder."""
    command = [sys.executable, "-m", "engine.run", *arguments]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(command, cwd=folder, env=variables, text=True, capture_output=True, timeout=120, check=False)


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-c", code], env=variables, text=True, capture_output=True, check=False)


def said(result: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith("ommatidia: ")]


def test_a_dataset_is_made_once_and_then_found_again(folder: Path):
    """Its folder is stable, nothing else is left behind, and the second run needs neither Warp nor USD."""
    arguments = ["--config-dir", "my_conf", *SMALL]
    first = run(folder, *arguments)
    assert first.returncode == 0, first.stderr
    out = next((folder / "out").iterdir())
    recipe_id = json.loads((out / "manifest.json").read_text())["recipe_id"]
    assert out.name == f"mine-{recipe_id[:8]}"
    (line,) = said(first)
    assert re.fullmatch(
        rf"ommatidia: 2 frames of 2 worlds in [\d.]+ s; look at {out.relative_to(folder)}/contact_sheet.png, "
        rf"facts in {out.relative_to(folder)}/manifest.json",
        line,
    )
    assert (out / "contact_sheet.png").is_file()
    assert sorted(p.name for p in folder.iterdir()) == ["my_conf", "out"]
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    code = (
        "import os, sys\n"
        "from engine.run import main\n"
        f"os.chdir({str(folder)!r})\n"
        f"code = main({arguments!r})\n"
        "assert not {'warp', 'pxr'} & set(sys.modules), 'a finished dataset loaded Warp or USD'\n"
        "sys.exit(code)\n"
    )
    again = python(code)
    assert again.returncode == 0, again.stderr
    assert "2 frames of 2 worlds were there already" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_changed_content_makes_another_dataset_and_never_touches_the_first(folder: Path):
    """The stage changes under the same recipe: another id, another folder; with `out=` given, it is refused."""
    arguments = ["--config-dir", "my_conf", *SMALL, "count=1"]
    assert run(folder, *arguments).returncode == 0
    (first,) = (folder / "out").iterdir()
    stage = folder / "my_conf/scene/mine.usda"
    stage.write_text(STAGE.replace("double size = 1", "double size = 2"))
    other = run(folder, *arguments)
    assert other.returncode == 0, other.stderr
    assert len(list((folder / "out").iterdir())) == 2
    refused = run(folder, *arguments, f"out={first.relative_to(folder)}")
    assert refused.returncode == 3
    assert len(refused.stderr.splitlines()) == 1
    reseeded = run(folder, *arguments, f"out={first.relative_to(folder)}", "seed=9")
    assert reseeded.returncode == 3
    assert "holds a dataset of another recipe" in reseeded.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        ([], 2, r"no scene chosen; add \+scene=NAME, one of: .*warehouse.*"),
        (["+scene=moon"], 2, r"unknown scene 'moon'; known: .*warehouse.*"),
        (["+scene=warehouse", "nn=3"], 2, "unknown key 'nn'; known keys: scene, rig, .*"),
        (["--config-dir", "nope", "+scene=mine"], 2, "Additional config directory '.*nope' not found"),
        (["+scene=warehouse", "device=all"], 2, "device=all needs a CUDA device and none is visible; .*"),
        (["+scene=warehouse", "seed=0,1"], 2, r"seed=0,1: add -m for a dataset each; a list is seed=\[0,1\]"),
        (["+scene=warehouse", "scene=5"], 2, "a choice is the name of a file in conf/, such as .*"),
        (["+scene=warehouse", "-m", "--cfg", "job"], 2, "-m cannot go with --cfg or --info; .*"),
        (["--plugin", "no_such_module", "+scene=warehouse"], 2, "plug-in 'no_such_module' is not installed .*"),
        (["--plugin"], 2, "--plugin needs the name of a module, .*"),
    ],
)
def test_a_command_that_cannot_be_done_is_one_line(tmp_path: Path, arguments: list[str], code: int, line: str):
    result = run(tmp_path, *arguments, CUDA_VISIBLE_DEVICES="")
    assert result.returncode == code
    assert re.fullmatch(f"ommatidia: {line}\n", result.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_corrupt_stage_is_one_line(folder: Path):
    (folder / "my_conf/scene/mine.usda").write_text("#usda 1.0\ndef Xform {")
    result = run(folder, "--config-dir", "my_conf", *SMALL)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert len(said(result)) == 1


def test_a_multirun_makes_a_dataset_for_each_seed_and_goes_on_after_a_failure(folder: Path):
    """Options may stand between the overrides."""
    result = run(folder, *SMALL, "-m", "count=1", "--config-dir", "my_conf", "seed=0,-1,1")
    assert result.returncode == 2
    assert [line.split(";")[0].split(" in ")[0] for line in said(result)] == [
        "ommatidia: 1 frame of 1 world",
        "ommatidia: 1 frame of 1 world",
        "ommatidia: seed must be",
    ]
    assert len(list((folder / "out").glob("mine-*"))) == 2


def test_a_multirun_through_submitit_makes_the_same_datasets(folder: Path):
    """Each job in a process of the launcher's."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="the extra `slurm` is not installed")
    result = run(folder, "-m", "--config-dir", "my_conf", *SMALL, "count=1", "cluster=local", "seed=0,1")
    assert result.returncode == 0, result.stderr
    made = {path.name for path in (folder / "out").glob("mine-*")}
    assert len(made) == 2
    assert stat.S_IMODE((folder / "out/.sweep").stat().st_mode) == 0o700  # the jobs load pickles from there
    direct = run(folder, "--config-dir", "my_conf", *SMALL, "count=1", "seed=1")
    assert direct.returncode == 0
    assert "were there already" in direct.stderr


def test_the_folder_of_a_sweep_is_made_for_its_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """None that others may write to, that is another user's or that leads elsewhere; nothing existing is changed."""
    fresh, opened, link = tmp_path / "a/fresh", tmp_path / "opened", tmp_path / "link"
    make_private(fresh)
    make_private(fresh)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o700
    link.symlink_to(fresh)
    with pytest.raises(NotPrivate, match="link is not a folder of this user"):
        make_private(link)
    opened.mkdir()
    opened.chmod(0o775)
    with pytest.raises(NotPrivate, match=r"others may write to .*opened"):
        make_private(opened)
    assert stat.S_IMODE(opened.stat().st_mode) == 0o775
    monkeypatch.setattr("engine.sweep.os.geteuid", lambda: fresh.stat().st_uid + 1)
    with pytest.raises(NotPrivate, match="fresh is not a folder of this user"):
        make_private(fresh)


def test_a_sweep_into_a_folder_that_is_not_ours_launches_nothing(folder: Path):
    (folder / "link").symlink_to(folder / "my_conf")
    result = run(folder, "-m", "--config-dir", "my_conf", *SMALL, OMMATIDIA_SWEEP_DIR="link")
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("ommatidia: link is not a folder of this user, ")
    assert not (folder / "out").exists()


def test_slurm_where_there_is_none_is_one_line(folder: Path):
    """The command of the documentation, on a machine that cannot launch it."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="the extra `slurm` is not installed")
    command = ["-m", "+scene=warehouse", "cluster=slurm", "workers=8", "worker=range(8)", "out=w"]
    result = run(folder, *command, PATH="/nowhere")
    assert result.returncode == 2
    assert result.stderr.startswith("ommatidia: cluster=slurm needs Slurm's srun, which is not here; ")
    assert len(result.stderr.splitlines()) == 1


def test_a_stop_signal_before_the_work_is_exit_75(folder: Path):
    """The handlers stand before the heavy imports: a TERM that comes while they load is not lost."""
    command = [sys.executable, "-m", "engine.run", "--config-dir", "my_conf", *SMALL]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=folder, env=variables, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not _handles(process.pid, signal.SIGTERM) and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGTERM)
        _, said_last = process.communicate(timeout=60)
    assert process.returncode == 75, said_last
    assert "the same command goes on" in said_last


def test_the_command_imports_only_the_standard_library_before_its_handlers_stand():
    code = "import sys, engine.run\nprint(sorted({'numpy', 'hydra', 'omegaconf', 'warp', 'pxr'} & set(sys.modules)))"
    assert python(code).stdout == "[]\n"


def test_a_second_interrupt_does_not_wait():
    code = """
import os, signal
from engine import signals
signals.install()
os.kill(os.getpid(), signal.SIGINT)
print(signals.stop_requested())
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""
    assert python(code).stdout == "True\ninterrupted\n"


def test_a_handler_that_was_there_is_called_after_the_flag():
    code = """
import os, signal
from engine import signals
signal.signal(signal.SIGUSR2, lambda *_: print("before us", signals.stop_requested()))
signals.install()
os.kill(os.getpid(), signal.SIGUSR2)
"""
    assert python(code).stdout == "before us True\n"


def test_the_handlers_of_submitit_are_left_alone():
    code = """
import signal
from engine import signals
signals.install()
print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
"""
    assert python(code, SUBMITIT_EXECUTOR="local").stdout == "True\n"
    assert python(code).stdout == "False\n"


JOB = Job(None, Path("a.usda"), 64, None, "all", 0, 1, 2, 16)
COMMAND = ("+scene=x", "out=/data/x", "device=all", "worker=1", "workers=2", "a=1")


def test_each_gpu_gets_its_share_of_the_same_command():
    """Worker 1 of 2 on a machine with 3 GPUs is workers 3, 4 and 5 of 6."""
    commands = worker_commands(JOB, COMMAND, 3, [Path("/my_conf")])
    given = ["--config-dir", "/my_conf", "+scene=x", "out=/data/x", "a=1"]
    start = [sys.executable, "-m", "engine.run", *given, "device=cuda:0"]
    assert commands == [[*start, f"worker={i}", "workers=6"] for i in (3, 4, 5)]


def test_all_devices_runs_one_worker_a_gpu_and_completes_the_dataset(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """With two pretended GPUs and a stand-in for the command that says what it was given."""
    script = folder / "worker.py"
    script.write_text(
        "import os, sys\nopen('seen-' + os.environ['CUDA_VISIBLE_DEVICES'], 'w').write(' '.join(sys.argv))\n"
    )
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    monkeypatch.setattr("engine.workers.COMMAND", (str(script),))
    run_on_all(dataclasses.replace(JOB, worker=0, workers=1), COMMAND)
    assert (folder / "seen-4").read_text().split()[-3:] == ["device=cuda:0", "worker=0", "workers=2"]
    assert (folder / "seen-7").read_text().split()[-3:] == ["device=cuda:0", "worker=1", "workers=2"]


def test_no_gpu_at_all_is_a_clear_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UserError, match="device=all needs a CUDA device and none is visible"):
        run_on_all(JOB, COMMAND)


@pytest.mark.parametrize(
    ("codes", "error"),
    [([0, 74, 75], WriteFailed), ([0, 75], Stopped), ([0, -9], WorkersFailed), ([2, 0], WorkersFailed)],
)
def test_the_worst_worker_decides_the_exit_code(codes: list[int], error: type[Exception]):
    with pytest.raises(error):
        _raise_worst(codes)
    _raise_worst([0, 0])


def test_a_file_of_another_size_is_known_to_be_changed_without_reading_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The second asset is one byte too long: not even the first, which has its size, is hashed."""
    (tmp_path / "dock.usda").write_bytes(b"a" * 123)
    (tmp_path / "big.bin").write_bytes(b"b" * 10)
    assets = (*RECIPE.assets, AssetRef("big.bin", "cd" * 32, 9))
    monkeypatch.setattr(resume, "_sha256", lambda file: pytest.fail(f"{file} was hashed"))
    job = dataclasses.replace(JOB, usd=tmp_path / "dock.usda")
    assert not resume._unchanged(dataclasses.replace(RECIPE, assets=assets), job, tmp_path)


def test_a_dataset_with_fewer_worlds_than_asked_is_unfinished_whatever_the_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A hundred million worlds are compared as a number, never as a set of numbers."""
    monkeypatch.setattr("engine.write.record.read_header", lambda *_: None)
    monkeypatch.setattr("engine.write.begin.check_same", lambda *_, **__: None)
    monkeypatch.setattr("engine.dataset.finalise.find_complete", lambda *_: pytest.fail("worlds became a set"))
    assert resume._finished(tmp_path, RECIPE, dataclasses.replace(JOB, count=MOST_WORLDS)) is None


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("Failed to allocate 9000000000 bytes on device 'cuda:0'")]
)
def test_too_little_memory_is_a_line_with_the_repair(error: Exception, monkeypatch: pytest.MonkeyPatch):
    """Whether the host or the device has none; any other RuntimeError stays what it is."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("engine.factory.generate", fail)
    with pytest.raises(UserError, match=r"^out of memory.*; take batch=1, fewer worlds \(count\) or a smaller rig"):
        _generate(RECIPE, JOB)
    error = RuntimeError("a real bug")
    with pytest.raises(RuntimeError, match="a real bug"):
        _generate(RECIPE, JOB)


def test_all_devices_are_for_the_command_line():
    with pytest.raises(UserError, match=r"^device=all is for the command line: one process per GPU; give cuda:N$"):
        resolve_device("all")


def test_progress_without_a_terminal_is_a_plain_line_a_period():
    stream = io.StringIO()
    with Progress(stream=stream, period_s=0.0) as progress:
        progress.begin(100, done_frames=40)
        progress.update(10)
    (line,) = stream.getvalue().splitlines()
    assert re.fullmatch(r"50/100 frames, [\d.]+ frames/s, \d+ s left", line)
    quiet = io.StringIO()
    with Progress(stream=quiet, period_s=30.0) as progress:
        progress.begin(100)
        for _ in range(100):
            progress.update(1)
    assert quiet.getvalue() == ""


def test_progress_counts_the_speed_of_this_run_only(monkeypatch: pytest.MonkeyPatch):
    """40 frames were there; 10 more in 5 s are 2 frames/s, and the other 50 take 25 s."""
    now = [100.0]
    monkeypatch.setattr("engine.progress.time.monotonic", lambda: now[0])
    progress = Progress(stream=io.StringIO())
    progress.begin(100, done_frames=40)
    now[0] = 105.0
    progress.update(10)
    assert progress.line() == "50/100 frames, 2.0 frames/s, 25 s left"


def _handles(pid: int, number: signal.Signals) -> bool:
    """Return whether a process catches a signal, as Linux tells in /proc."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    caught = int(re.search(r"SigCgt:\s*([0-9a-f]+)", status)[1], 16)
    return bool(caught >> (number - 1) & 1)
