"""The loop's stages: made once, again if what decides them changed, and never past an answer that says no."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.loop.circle import Circle
from engine.loop.execute import execute
from engine.loop.report import verdict_of
from engine.loop.runner import Ended, log_of, run_stages
from engine.loop.stage import CircleEnds, Stage, content_of
from engine.loop.state import locked, read_state
from engine.loop.tiles import TileCircle, dealt

ROOT = Path(__file__).resolve().parents[2]


class Stub:
    """Commands `copy FROM TO` and `code N`, and which of them were run."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def __call__(self, command: Sequence[str], log: Path, say: Callable[[str], None]) -> tuple[int, float]:
        self.ran.append(" ".join(Path(word).name for word in command))
        with log.open("a") as file:
            file.write("said\n")
        if command[0] == "code":
            return int(command[1]), 0.5
        place = Path(command[2])
        place.parent.mkdir(parents=True, exist_ok=True)
        assert not list(place.parent.iterdir()) or place.parent.name == "kept", "it did not begin with an empty folder"
        place.write_text(Path(command[1]).read_text() + "+")
        return 0, 0.5


def copying(out: Path, name: str, source: Path) -> Stage:
    """Return a stage that copies a file into a folder of its own."""
    made = out / name / "made"
    return Stage(name, "?", (("copy", str(source), str(made)),), (source,), (made,), (out / name,))


def run(out: Path, stages: Sequence[Stage], stub: Stub, *, program: str = "p") -> Ended:
    """Run stages, each made when it is its turn."""
    return run_stages(out, [lambda stage=one: stage for one in stages], lambda line: None, program=program, run=stub)


@pytest.fixture
def chain(tmp_path: Path) -> tuple[Path, list[Stage]]:
    """Return a loop of three stages, each made of the one before."""
    (tmp_path / "given").write_text("x")
    out = tmp_path / "loop"
    first = copying(out, "first", tmp_path / "given")
    second = copying(out, "second", out / "first/made")
    return out, [first, second, copying(out, "third", out / "second/made")]


def test_a_loop_that_is_done_does_nothing_again(chain: tuple[Path, list[Stage]]) -> None:
    """The second start runs no command, keeps answers and times, and comes to the same end."""
    out, stages = chain
    stub = Stub()
    once = run(out, stages, stub)
    assert once.is_closed
    assert once.names == ("first", "second", "third")
    assert len(stub.ran) == 3
    before = read_state(out)
    assert run(out, stages, stub) == once
    assert len(stub.ran) == 3
    assert read_state(out) == before
    assert all(past.cpu_s == 0.5 for past in before.stages.values())


def test_a_stage_runs_again_if_its_inputs_changed(chain: tuple[Path, list[Stage]], tmp_path: Path) -> None:
    """With another content everything behind it is made anew; with the same content in a new file, nothing is."""
    out, stages = chain
    stub = Stub()
    run(out, stages, stub)
    (tmp_path / "given").write_text("x")
    run(out, stages, stub)
    assert len(stub.ran) == 3
    (tmp_path / "given").write_text("y")
    run(out, stages, stub)
    assert len(stub.ran) == 6
    assert (out / "third/made").read_text() == "y+++"


def test_another_program_and_another_command_make_everything_anew(chain: tuple[Path, list[Stage]]) -> None:
    """What an earlier program made is not taken for this one's; a lost output is made again, alone."""
    out, stages = chain
    stub = Stub()
    run(out, stages, stub)
    run(out, stages, stub, program="q")
    assert len(stub.ran) == 6
    (out / "second/made").unlink()
    run(out, stages, stub, program="q")
    assert stub.ran[6:] == ["copy made made"]  # the third has the same input as before


def test_a_failure_ends_the_loop_and_is_tried_again(chain: tuple[Path, list[Stage]]) -> None:
    """A code without a meaning, or a missing output: nothing after it runs, and the next start begins there."""
    out, stages = chain
    stub = Stub()
    broken = Stage("second", "?", (("code", "7"),), (), (), (out / "second",))
    ended = run(out, [stages[0], broken, stages[2]], stub)
    assert (ended.stage, ended.answer, ended.names) == ("second", "failed", ("first",))
    assert "ended with 7" in ended.words
    assert str(log_of(out, "second")) in ended.words
    silent = Stage("second", "?", (("code", "0"),), (), (out / "second/made",), (out / "second",))
    assert "left no" in run(out, [stages[0], silent, stages[2]], stub).words
    assert run(out, stages, stub).is_closed
    assert stub.ran == ["copy given made", "code 7", "code 0", "copy made made", "copy made made"]


def test_an_answer_that_says_no_ends_the_circle_and_stays(chain: tuple[Path, list[Stage]]) -> None:
    """A gate that holds: no stage after it, and no second gate that might say yes by chance."""
    out, stages = chain
    stub = Stub()
    gate = Stage("gate", "?", (("code", "3"),), answers={0: "admit", 3: "hold"}, ends=frozenset({"hold"}))
    for _ in range(2):
        ended = run(out, [stages[0], gate, stages[1]], stub)
        assert (ended.stage, ended.answer, ended.is_closed) == ("gate", "hold", False)
    assert stub.ran == ["copy given made", "code 3"]
    assert read_state(out).stages["gate"].code == 3


def test_a_circle_ends_where_a_stage_has_nothing_to_do(chain: tuple[Path, list[Stage]]) -> None:
    """No slice is confirmed: the reason is the answer."""
    out, stages = chain

    def nothing() -> Stage:
        raise CircleEnds("nothing found", "no slice is confirmed")

    ended = run_stages(out, [lambda: stages[0], nothing], lambda line: None, program="p", run=Stub())
    assert (ended.stage, ended.answer, ended.words) == ("first", "nothing found", "no slice is confirmed")


def test_two_loops_do_not_work_in_one_folder(tmp_path: Path) -> None:
    """The second says who is there, and may begin when the first has gone."""
    refused = pytest.raises(UserError, match=rf"another loop works in .* \(process {os.getpid()}\)")
    with locked(tmp_path), refused, locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_a_state_of_something_else_is_refused(tmp_path: Path) -> None:
    """A file of that name that no loop wrote is not written over."""
    (tmp_path / "state.json").write_text(json.dumps({"schema": "other/1"}))
    with pytest.raises(UserError, match="loop-state/1"):
        run(tmp_path, [], Stub())


SLOW = """
import os, subprocess, sys, time, pathlib
if len(sys.argv) == 2:
    sys.exit(subprocess.run([sys.executable, __file__, *sys.argv[1:], "inner"]).returncode)
folder = pathlib.Path(sys.argv[1]); folder.mkdir(parents=True, exist_ok=True)
done = len(list(folder.iterdir()))
print("goes on from", done, flush=True)
for number in range(done, 4):
    (folder / str(number)).write_text("")
    time.sleep(float(os.environ["PACE_S"]))
"""
LOOP = """
import sys, pathlib
from engine.loop.runner import run_stages
from engine.loop.stage import Stage
from engine.loop.execute import end_leftovers
from engine.loop.state import locked
out = pathlib.Path(sys.argv[1])
made = out / "made"
stage = Stage("slow", "?", (("slow", str(made)),), (), (made / "3",), (made,), goes_on=True)
with locked(out):
    print("ended", end_leftovers(out), flush=True)
    print(run_stages(out, [lambda: stage], print, program="p").answer, flush=True)
"""


def test_a_loop_that_is_killed_goes_on(tmp_path: Path) -> None:
    """SIGKILL in the middle of a command: the next start ends what is left of it, and goes on from its half."""
    (tmp_path / "slow.py").write_text(SLOW)
    out = tmp_path / "loop"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    command = [sys.executable, "-c", LOOP, str(out)]
    first = subprocess.Popen(command, env=environment | {"PACE_S": "5"}, stdout=subprocess.PIPE, text=True)
    until((out / "made/0").is_file)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    there = len(list((out / "made").iterdir()))
    second = subprocess.run(command, env=environment | {"PACE_S": "0"}, capture_output=True, text=True, check=False)
    assert second.stdout.split()[-1] == "done", second.stdout + second.stderr
    assert second.stdout.startswith("ended 1\n"), "what the command had started was not ended"
    assert f"goes on from {there}" in log_of(out, "slow").read_text()
    past = read_state(out).stages["slow"]
    assert past.starts == 2


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition, at most half a minute."""
    end = time.monotonic() + 30.0
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_command_is_run_by_this_python_and_measured(tmp_path: Path) -> None:
    """Words of both streams in their order, the exit code, and processor time of the child alone."""
    (tmp_path / "burn.py").write_text(
        "import sys, time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"
        "print('out'); print('err', file=sys.stderr); sys.exit(3)\n"
    )
    said: list[str] = []
    environment, before = os.environ.get("PYTHONPATH"), os.environ.copy()
    os.environ["PYTHONPATH"] = str(tmp_path)
    try:
        code, cpu_s = execute(("burn",), tmp_path / "log", said.append)
    finally:
        os.environ.pop("PYTHONPATH")
        if environment is not None:
            os.environ["PYTHONPATH"] = before["PYTHONPATH"]
    assert (code, [line.strip() for line in said]) == (3, ["out", "err"])
    assert 0.3 <= cpu_s < 5.0
    assert (tmp_path / "log").read_text() == "out\nerr\n"


@pytest.mark.parametrize(
    ("interval", "figure", "verdict"),
    [
        ((0.01, 0.05), "recall", "better"),
        ((-0.01, 0.05), "recall", "not worse"),
        ((-0.03, 0.05), "recall", "open"),
        ((-0.09, -0.03), "recall", "worse"),
        ((-0.09, -0.01), "recall", "open"),
        ((-0.09, -0.01), "false_alarms", "better"),
        ((0.03, 0.09), "false_alarms", "worse"),
        ((None, None), "recall", "open"),
    ],
)
def test_a_figure_is_not_worse_only_if_its_bound_says_so(
    interval: tuple[float | None, float | None], figure: str, verdict: str
) -> None:
    """Better above 0, not worse above -delta, worse below it, and otherwise the data do not say."""
    difference: Mapping[str, float | None] = dict(zip(("low", "high"), interval, strict=True))
    assert verdict_of(difference, figure, 0.02) == verdict


def test_surfaces_are_dealt_out_by_what_they_show() -> None:
    """Every surface is in one part, each set of classes is spread over all, and the order of pictures is nothing."""
    shown = (
        {n: {"free"} for n in range(30)}
        | {n: {"crack", "free"} for n in range(40, 43)}
        | {50: {"break"}, 51: {"break"}}
    )
    parts = dealt(shown)
    assert sorted(n for part in parts for n in part) == sorted(shown)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert [sum(n in range(40, 43) for n in part) for part in parts] == [1, 1, 1]
    assert sorted(sum(n >= 50 for n in part) for part in parts) == [0, 1, 1]
    assert dealt(dict(reversed(shown.items()))) == parts


def test_what_is_a_dataset_is_known_by_its_content(tmp_path: Path) -> None:
    """A folder by the bytes and names of its files, a file by its bytes; nothing is an error that names it."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x").write_text("1")
    before = content_of(tmp_path / "a")
    os.utime(tmp_path / "a/x", (0, 0))
    assert content_of(tmp_path / "a") == before
    (tmp_path / "a/x").rename(tmp_path / "a/y")
    assert content_of(tmp_path / "a") != before
    with pytest.raises(UserError, match="gone is not there"):
        content_of(tmp_path / "gone")


def test_both_circles_begin_with_commands_that_the_product_has(tmp_path: Path) -> None:
    """Stages that need nothing of others: their modules can be run, and each makes what it says."""
    for circle in (Circle(tmp_path / "a"), TileCircle(tmp_path / "b", real=tmp_path)):
        stage = circle.stages()[0]()
        assert all(find_spec(command[0]) for command in stage.commands)
        assert stage.missing() == circle.at("base" if circle.planted else "real") / "manifest.json"
        assert stage.folders == (stage.outputs[0].parent,)
