"""Pure suites: worlds that satisfy a condition are looked for, and these alone are made.

Worlds are tried in order from 0, in a folder beside the dataset that is gone afterwards. World i is the same in any
dataset, so those that are chosen depend on the recipe, its seed and the condition, not on how many are tried at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from engine.errors import UserError
from engine.recipe import Job, Recipe
from engine.suite.check import check_suite
from engine.suite.config import Suite
from engine.write.files import refusals_named

BATCH_WORLDS = 32  # tried before they are counted; what is on the disk meanwhile
MOST_TRIES = 20  # worlds for each that is wanted, at most, if nothing else is said
FEWEST_TRIES = 256  # but so many


def most_worlds(wanted: int) -> int:
    """Return how many worlds are tried for some at most, if nothing else is said."""
    return max(MOST_TRIES * wanted, FEWEST_TRIES)


def scout(
    name: str, suite: Suite, run: tuple[Recipe, Job], wanted: int, most: int, say: Callable[[str], None]
) -> tuple[int, ...]:
    """Return the first `wanted` worlds all of whose frames satisfy a suite.

    Args:
        name: Of the suite, for errors.
        suite: What frames must show.
        run: Its recipe and job; `out` of the job must be set.
        wanted: How many worlds.
        most: After how many worlds the search ends.
        say: Is told how far it is.
    Raises:
        UserError: If `most` worlds hold fewer.
    """
    from engine.factory import generate

    recipe, job = run
    out = _checked(job, wanted, most)
    found: list[int] = []
    tried = 0
    with refusals_named(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-scout-", dir=out.parent) as folder:
            while len(found) < wanted and tried < most:
                worlds = tuple(range(tried, min(tried + BATCH_WORLDS, most)))
                part = replace(job, out=Path(folder) / f"{tried}", worlds=worlds)
                found += check_suite(name, suite, generate(recipe, part).out).satisfying
                tried = worlds[-1] + 1
                say(f"{name}: {len(found)} of {tried} worlds satisfy it, {wanted} are wanted")
    if len(found) < wanted:
        raise UserError(
            f"{name}: {len(found)} of the first {tried} worlds satisfy it in all their frames, {wanted} are wanted; "
            f"ask for fewer, or let more be tried: --most {_round_up(tried * wanted / max(len(found), 1) * 1.5)}"
        )
    return tuple(found[:wanted])


def _checked(job: Job, wanted: int, most: int) -> Path:
    """Return where the dataset goes.

    Raises:
        UserError: If the job is not one that can be scouted.
    """
    if job.out is None:
        raise UserError("--pure needs out=DIR")
    if wanted < 1 or most < wanted:
        raise UserError(f"--pure must be at least 1 and at most --most, got {wanted} and {most}")
    if job.worlds is not None:
        raise UserError("--pure chooses the worlds itself; leave out worlds=")
    if job.workers > 1:
        raise UserError("--pure looks for worlds in one process; leave out workers= and worker=")
    return job.out


def _round_up(worlds: float) -> int:
    """Return a rounder number that is no smaller."""
    return int(-(-worlds // 64) * 64)
