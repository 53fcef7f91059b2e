"""The child process: whatever happens to it, the program gets a scene or one line, and nothing is left behind."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine._layout import scenes_folder
from engine.config import compose
from engine.errors import Stopped
from engine.factory import scene_options
from engine.scene import SceneError, SceneOptions, load_scene
from engine.scene.store import sandbox
from tests.engine.bad_files import GOOD, many_elements
from tests.engine.scene_stage import SQUARE, write_stage
from tests.engine.test_scene_arrays import assert_same

CHILD = SceneOptions(sandbox="true", sandbox_seconds=60.0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for scenes whose children are hostile, and for their temporary files."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(sandbox, "MODULE", "tests.engine.hostile_child")
    return tmp_path


def line(folder: Path, act: str, options: SceneOptions = CHILD) -> str:
    """Return what is said of a scene whose child does something."""
    path = folder / f"{act}.usda"
    path.write_text(GOOD)
    with pytest.raises(SceneError) as caught:
        load_scene(path, options)
    assert list((folder / "temporary").iterdir()) == []
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value) or act == "look"
    return str(caught.value)


ENDS = {
    "abort": "crashed while reading it (SIGABRT)",
    "trace": "the loader failed: ValueError: something new",
    "grandchild": "the loader failed: exit code 3",
    "flood": "answered nonsense",
    "greedy": "needs more than 16 GiB of memory; raise scene.sandbox_memory_gib",
    "disk": "the loader failed: OSError",
    "nonsense": "answered nonsense",
    "pipe": "left no arrays",
    "link": "left no arrays",
    "noise": "unusable arrays",
}


@pytest.mark.parametrize("act", ENDS)
def test_every_end_of_a_child_is_one_line(folder: Path, act: str) -> None:
    """Crashes, limits, lies: a SceneError that says what happened."""
    assert ENDS[act] in line(folder, act)


def test_a_child_that_takes_too_long_is_ended(folder: Path) -> None:
    """At the limit, not later, and the line names the option."""
    begun = time.monotonic()
    assert "took more than 1 s" in line(folder, "sleep", SceneOptions(sandbox="true", sandbox_seconds=1.0))
    assert time.monotonic() - begun < 5.0


def test_a_child_sees_its_folders_and_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No secrets in the environment, no open files, no other folder, no network, a session of its own."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with (folder / "open").open("w") as stream:
        os.set_inheritable(stream.fileno(), True)
        seen = json.loads(line(folder, "look"))
    assert set(seen["environment"]) <= {
        *("HOME", "LANG", "LC_CTYPE", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "OPENBLAS_NUM_THREADS"),
        *("OPENIMAGEIO_THREADS", "PXR_WORK_THREAD_LIMIT", "PYTHONPATH", "TMPDIR"),
    }
    assert seen["descriptors"] == [0, 1, 2]
    assert seen["session"]
    if seen["confined"]:  # the kernel has Landlock
        assert (seen["inside"], seen["outside"], seen["writes"], seen["writes own"]) == (True, False, False, True)
        assert seen["network"] in (errno.EACCES, errno.ECONNREFUSED)


def test_memory_is_bounded(tmp_path: Path) -> None:
    """A scene that unfolds into more than the limit is one line that names it."""
    with pytest.raises(SceneError, match=r"more than 2 GiB of memory; raise scene\.sandbox_memory_gib"):
        load_scene(many_elements(tmp_path), SceneOptions(sandbox="true", sandbox_memory_gib=2.0))


def test_a_child_gives_the_same_scene(tmp_path: Path) -> None:
    """Bit for bit, with options that are not the default."""
    path = write_stage(tmp_path, f'def Mesh "m" {{ {SQUARE} }}')
    here = SceneOptions(class_map={"/m": "box"}, time=2.0, purposes=("default",), roots=(tmp_path,), sandbox="false")
    there = SceneOptions(**{**vars(here), "sandbox": "true"})
    assert_same(load_scene(path, there), load_scene(path, here))


def test_a_stop_signal_ends_the_child(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is asked to stop while it reads a scene does so at once."""
    path = folder / "sleep.usda"
    path.write_text(GOOD)
    monkeypatch.setattr(sandbox, "stop_requested", lambda: True)
    with pytest.raises(Stopped):
        load_scene(path, CHILD)
    assert list((folder / "temporary").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_child_does_not_outlive_the_program(folder: Path, number: signal.Signals) -> None:
    """Ctrl-C cleans up; after a kill nobody can, but the child is gone."""
    path = folder / "sleep.usda"
    path.write_text(GOOD)
    code = (
        "import signal, sys\nfrom engine.scene import SceneOptions, load_scene\n"
        "from engine.scene.store import sandbox\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # what runs in the background ignores it
        "sandbox.MODULE = 'tests.engine.hostile_child'\n"
        "load_scene(sys.argv[1], SceneOptions(sandbox='true'))"
    )
    temporary = folder / "temporary"
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    program = subprocess.Popen([sys.executable, "-c", code, str(path)], env=environment, stderr=subprocess.DEVNULL)
    child = wait_for(lambda: children(program.pid))
    time.sleep(1.0)  # until the child sleeps
    program.send_signal(number)
    program.wait(10.0)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() and not is_zombie(pid) for pid in child))
    if number == signal.SIGINT:
        assert list(temporary.iterdir()) == []


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_for(condition: object, seconds: float = 10.0) -> list[int]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()  # type: ignore[operator]
        if found:
            return found if isinstance(found, list) else []
        time.sleep(0.05)
    raise AssertionError("did not happen")


def test_commands_read_foreign_scenes_in_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The preview does so by default, and one line on standard error is all that a bad file makes."""
    from engine.preview import main

    monkeypatch.setenv("OMMATIDIA_SANDBOX", "auto")
    seen: list[Path] = []
    read = sandbox.read_in_child
    monkeypatch.setattr(sandbox, "read_in_child", lambda path, options: (seen.append(path), read(path, options))[1])
    bad = tmp_path / "bad.usda"
    bad.write_text(GOOD.replace("}", ""))
    assert main([str(bad), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 2
    assert seen == [bad]
    lines = capsys.readouterr().err.strip().splitlines()
    assert len([text for text in lines if text.startswith("ommatidia: ")]) == 1
    assert main([str(bad), "--out", str(tmp_path / "out"), "--device", "cpu", "--trust", str(tmp_path)]) == 2
    assert seen == [bad]


def test_how_a_scene_is_loaded_is_no_part_of_the_recipe() -> None:
    """The id is the same with every cache, sandbox, limit and trusted folder; the job has them."""
    plain, _ = compose("+scene=tabletop")
    keys = ("scene.cache=false", "scene.sandbox=true", "scene.sandbox_seconds=5", "scene.trusted_roots=[/data]")
    recipe, job = compose("+scene=tabletop", *keys, "scene.roots=[/data]", "scene.cache_gib=1")
    assert recipe.id == plain.id
    assert job.overrides == ("+scene=tabletop",)
    options = scene_options(recipe, job)
    assert (options.cache, options.sandbox, options.sandbox_seconds) == (False, "true", 5.0)
    assert options.trusted_roots == options.roots == (Path("/data"),)


def test_which_scenes_are_read_in_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default all but the shipped ones and those in folders that are named; a link counts where it leads."""
    monkeypatch.delenv("OMMATIDIA_SANDBOX", raising=False)
    auto = SceneOptions(sandbox="auto")
    link = tmp_path / "link.usda"
    link.symlink_to(scenes_folder() / "tabletop.usda")
    assert not sandbox.is_sandboxed(scenes_folder() / "tabletop.usda", auto)
    assert not sandbox.is_sandboxed(link, auto)
    assert sandbox.is_sandboxed(tmp_path / "a.usda", auto)
    assert not sandbox.is_sandboxed(tmp_path / "a.usda", SceneOptions(sandbox="auto", trusted_roots=(tmp_path,)))
    assert sandbox.is_sandboxed(scenes_folder() / "tabletop.usda", SceneOptions(sandbox="true"))
    assert not sandbox.is_sandboxed(tmp_path / "a.usda", SceneOptions(sandbox="false"))
    monkeypatch.setenv("OMMATIDIA_SANDBOX", "false")
    assert not sandbox.is_sandboxed(tmp_path / "a.usda", auto)
    assert sandbox.is_sandboxed(tmp_path / "a.usda", SceneOptions(sandbox="true"))
    monkeypatch.setenv("OMMATIDIA_SANDBOX", "perhaps")
    with pytest.raises(SceneError, match="write auto, true or false"):
        sandbox.is_sandboxed(tmp_path / "a.usda", auto)
