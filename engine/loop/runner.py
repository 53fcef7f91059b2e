"""Runs stages in their order: what is there and has the same inputs stays, everything else is made.

Every stage is begun on record before its first command, so that a loop that was killed knows at its next start what
is half done. A stage begins anew with empty folders, unless its commands go on by themselves and its inputs are those
of before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.loop.execute import Execute, execute
from engine.loop.stage import DONE, CircleEnds, Stage, spoken
from engine.loop.state import Past, State, read_state, write_state
from engine.write.files import refusals_named, remove_tree

LOGS = "log"
FAILED = "failed"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Ended:
    """How far a circle came."""

    stage: str  # name of the last one
    answer: str  # done, an answer that ends the circle, or failed
    words: str  # of a failure, or of why there is nothing more to do
    names: tuple[str, ...]  # of the stages that are done, in order

    @property
    def is_closed(self) -> bool:
        """Whether every stage was done."""
        return self.answer == DONE


def run_stages(
    out: Path, stages: Iterable[Callable[[], Stage]], say: Say, *, program: str, run: Execute = execute
) -> Ended:
    """Run stages until one ends the circle or fails; the caller holds the lock.

    Args:
        out: Folder of the loop, for its state and logs.
        stages: What makes the next stage, once all before it are done.
        say: Told what is run and what it says.
        program: Which program it is: another one makes everything anew.
        run: Runs a command; its exit code and processor seconds.
    Raises:
        UserError: If an input is not there or the state is unreadable.
    """
    state = read_state(out)
    names: list[str] = []
    ended: Ended | None = None
    for number, make in enumerate(stages, 1):
        try:
            stage = make()
        except CircleEnds as end:
            say(f"[{number}] {end}")
            return Ended(names[-1] if names else "", end.answer, str(end), tuple(names))
        key = stage.key(program)
        past = state.stages.get(stage.name)
        if past is not None and past.key == key and past.answer and stage.missing() is None:
            say(f"[{number}] {stage.name}: as before, {past.answer} ({past.wall_s:.0f} s then)")
        else:
            say(f"[{number}] {stage.name}: {stage.about}")
            past = _begun(out, stage, key, past)
            state = _with(out, state, stage, past)
            past, words = _worked(out, stage, past, say, run)
            state = _with(out, state, stage, past)
            if past.answer == "":
                return Ended(stage.name, FAILED, words, tuple(names))
            say(f"[{number}] {stage.name}: {past.answer}, {past.wall_s:.0f} s, {past.cpu_s:.0f} s of processors")
        names.append(stage.name)
        ended = Ended(stage.name, DONE, "", tuple(names))
        if past.answer in stage.ends:
            return replace(ended, answer=past.answer)
    if ended is None:
        raise ValueError("a circle without stages")
    return ended


def log_of(out: Path, name: str) -> Path:
    """Return where the words of a stage are kept."""
    return out / LOGS / f"{name}.log"


def _begun(out: Path, stage: Stage, key: str, past: Past | None) -> Past:
    """Return the record of a stage that begins, with its folders as it needs them."""
    is_same = past is not None and past.key == key
    if not (is_same and stage.goes_on):
        for folder in stage.folders:
            with refusals_named(folder):
                remove_tree(folder)
    now = time.time()
    commands = tuple(spoken(command) for command in stage.commands)
    if past is None or not is_same or past.answer:
        log_of(out, stage.name).unlink(missing_ok=True)
        return Past(key, commands, now)
    return replace(past, starts=past.starts + 1, wall_s=past.wall_s + _until_killed(out, stage, past), started=now)


def _until_killed(out: Path, stage: Stage, past: Past) -> float:
    """Return for how long the start before went on: until its last word."""
    log = log_of(out, stage.name)
    return max(log.stat().st_mtime - past.started, 0.0) if log.is_file() else 0.0


def _worked(out: Path, stage: Stage, past: Past, say: Say, run: Execute) -> tuple[Past, str]:
    """Return the record of a stage that came to its end, and words where it failed: then its answer is empty."""
    began, cpu_s, code = time.monotonic(), 0.0, 0
    log = log_of(out, stage.name)
    with refusals_named(log):
        log.parent.mkdir(parents=True, exist_ok=True)
    for command in stage.commands:
        say(f"$ {spoken(command)}")
        code, seconds = run(command, log, say)
        cpu_s += seconds
        if code not in stage.answers:
            break
    answer, words = stage.answers.get(code, ""), ""
    if not answer:
        words = f"{stage.name}: `{spoken(command)}` ended with {code}; what it said is in {log}"
    elif (gone := stage.missing()) is not None and answer not in stage.ends:
        answer, words = "", f"{stage.name}: `{spoken(command)}` left no {gone}; what it said is in {log}"
    wall_s = past.wall_s + time.monotonic() - began
    return replace(past, answer=answer, code=code, wall_s=wall_s, cpu_s=past.cpu_s + cpu_s), words


def _with(out: Path, state: State, stage: Stage, past: Past) -> State:
    state = replace(state, stages={**state.stages, stage.name: past})
    write_state(out, state)
    return state
