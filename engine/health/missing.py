"""The command lines that make what a coverage report misses.

World i of a recipe and seed is the same in any dataset. So a dataset of the very recipe that a slice asks for is
gone on with, by a larger `count=`; anything else goes into a folder of its own, under a seed that no dataset has yet.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.collect.intent import read_intent
from engine.config import compose
from engine.dataset.manifest import read_manifest
from engine.errors import UserError
from engine.health.coverage import Counted, Share, SliceCover, share_of
from engine.provenance import source_sha256
from engine.recipe import Recipe, without_assets
from engine.write.begin import HEADER, MANIFEST, RECIPE
from engine.write.record import read_header

CERTAINTY = 0.9  # chance that the command makes enough
MEASURED = "measured"
FEWEST_WORLDS = 16  # from which on the doubt about a measured share is reckoned with; below, asking again is cheaper
ASSUMED_SHARE = 0.5  # where nobody says and nothing was measured
HOPELESS_FRAMES = 64  # that none of which satisfies a slice


@dataclass(frozen=True)
class Command:
    """One run of the generator."""

    slices: tuple[str, ...]
    words: tuple[str, ...]
    worlds: int  # that it adds

    def __str__(self) -> str:
        return shlex.join(self.words)


@dataclass(frozen=True)
class Missing:
    """What a slice needs."""

    name: str
    purity: Share | None  # of datasets of its own recipe
    share: float | None  # that the number of worlds was reckoned with
    share_from: str
    note: str  # why there is no command, or why a dataset of the recipe is not gone on with


@dataclass(frozen=True)
class _Rendered:
    """A dataset that can be gone on with, perhaps."""

    out: Path
    recipe: Recipe  # without assets
    count: int
    closed: str  # why it cannot be; "": the same program made all worlds below `count`
    frames_per_world: int


def commands(
    covers: Sequence[SliceCover], target: Path, config_dir: Path | None = None
) -> tuple[tuple[Missing, ...], tuple[Command, ...]]:
    """Return what every slice needs, and the runs that make it; slices of one recipe share a run.

    Args:
        covers: Of `engine.health.coverage.cover`.
        target: Folder for datasets that do not exist yet.
        config_dir: Folder with groups of your own, like the option of engine.run.
    Raises:
        UserError: If the overrides of a slice are no recipe.
    """
    folders = [each.out for each in covers[0].counted] if covers else []
    rendered = _rendered(folders)
    seed = 1 + max((each.recipe.seed for each in rendered), default=-1) + _seeds_of_others(folders)
    found: list[Missing] = []
    runs: dict[tuple[str, ...], Command] = {}
    for each in covers:
        missing, command = _of_slice(each, rendered, target, config_dir, seed)
        found.append(missing)
        if command is None:
            continue
        key = tuple(word for word in command.words if not word.startswith(("count=", "out=")))
        if key in runs:  # the same worlds serve both
            largest = max(runs[key], command, key=lambda run: run.worlds)
            command = replace(largest, slices=(*runs[key].slices, *command.slices))
        runs[key] = command
    return tuple(found), tuple(runs.values())


def _of_slice(
    each: SliceCover, rendered: list[_Rendered], target: Path, config_dir: Path | None, seed: int
) -> tuple[Missing, Command | None]:
    wanted = each.wanted
    if not wanted.run:
        return Missing(wanted.name, None, None, "", "" if each.met else "no suite or run says how to make it"), None
    try:
        recipe, _ = compose(*wanted.run, config_dir=config_dir)
    except UserError as error:
        raise UserError(f"slices.{wanted.name}: run: {error}") from error
    own = [one for one in rendered if replace(one.recipe, seed=recipe.seed) == recipe]
    counted = [count for count in each.counted if any(count.out == one.out for one in own)]
    purity = share_of(counted) if counted else None
    if each.met:
        return Missing(wanted.name, purity, None, "", ""), None
    share, source = _share(counted, wanted.share)
    if share is None:
        return Missing(wanted.name, purity, None, source, f"{source}; change its run"), None
    per_world = own[0].frames_per_world if own else recipe.rig.steps * max(len(recipe.rig.cameras), 1)
    seen = sum(count.worlds for count in counted) if source.startswith(MEASURED) else 0
    worlds = max(
        worlds_needed(wanted_now, share, seen) for wanted_now in (-(-each.missing // per_world), each.missing_groups)
    )
    base = next((one for one in own if not one.closed), None)
    folder = () if config_dir is None else ("--config-dir", str(config_dir))
    words = ("python", "-m", "engine.run", *folder, *wanted.run)
    if base is not None:
        words += (f"seed={base.recipe.seed}", f"count={base.count + worlds}", f"out={base.out}")
    else:
        words += (f"seed={seed}", f"count={worlds}", f"out={_free(target / wanted.name)}")
    note = f"{own[0].out.name} is of its recipe, but {own[0].closed}" if own and base is None else ""
    return Missing(wanted.name, purity, share, source, note), Command((wanted.name,), words, worlds)


def _share(counted: Sequence[Counted], stated: float | None) -> tuple[float | None, str]:
    """Return what share of new frames will be of a slice, and where that comes from."""
    measured = share_of(counted)
    if measured.have:
        return (measured.have + 0.5) / (measured.frames + 1.0), f"{MEASURED} on {measured.frames} frames"  # Jeffreys
    if measured.frames >= HOPELESS_FRAMES:
        return None, f"none of {measured.frames} frames of its recipe satisfies it"
    if stated is not None:
        return stated, "stated"
    return ASSUMED_SHARE, "assumed"


def worlds_needed(successes: int, share: float, measured: int = 0) -> int:
    """Return the fewest worlds of which so many succeed with a chance of 90 %.

    Args:
        successes: Wanted.
        share: Chance of each world.
        measured: Worlds that it was measured on: the share is in doubt as after so many (beta-binomial); 0: it is not.
    """
    from scipy.stats import betabinom, binom

    if successes <= 0:
        return 0
    weight = measured + 1.0

    def chance(worlds: int) -> float:
        if measured < FEWEST_WORLDS or share >= 1.0:
            return float(binom.sf(successes - 1, worlds, share))
        return float(betabinom.sf(successes - 1, worlds, share * weight, (1.0 - share) * weight))

    low, high = successes, successes
    while chance(high) < CERTAINTY:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if chance(middle) < CERTAINTY:
            low = middle + 1
        else:
            high = middle
    return high


def _rendered(folders: Sequence[Path]) -> list[_Rendered]:
    found = []
    for out in folders:
        intent = read_intent(out / RECIPE)
        if not isinstance(intent, Recipe):
            continue
        header, job = read_header(out / HEADER), read_manifest(out / MANIFEST).job
        closed = "other sources of the program made it" if header.source_sha256 != source_sha256() else ""
        closed = closed if job.worlds is None else "worlds= chose its worlds"
        frames_per_world = header.steps * len(header.cameras)
        found.append(_Rendered(out, without_assets(intent), job.count, closed, frames_per_world))
    return found


def _seeds_of_others(folders: Sequence[Path]) -> int:
    """Return how far to stay from low seeds, which mixtures and selections may hold without saying so."""
    manifests = [read_manifest(out / MANIFEST) for out in folders]
    ids = sorted(one.dataset_id for one in manifests if one.parents and one.origin != "real")
    return 1000 + int(hashlib.sha256("".join(ids).encode()).hexdigest()[:6], 16) if ids else 0


def _free(folder: Path) -> Path:
    """Return a folder that does not exist."""
    candidate, number = folder, 2
    while candidate.exists():
        candidate, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return candidate
