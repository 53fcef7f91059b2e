"""Drawing, measured: `python -m bench.draw [--scene warehouse] [--worlds N] [--no-store]`.

Worlds per second that laws draw on the host, of two recipes. The shipped scene: all laws of its rules, and whole
worlds, which also place, tint and aim (`randomize_worlds_s`). The crowd: three values
for each of 300 instances, 900,000 in 1,000 worlds, by a uniform, a beta and a conditional law.

The bound of a draw is what its numbers cost: Philox alone, for as many values (`philox_s`). `draw_over_philox` is how
many times that the draws take, laws, groups and records included; `draw_share` is their share of whole worlds. All of
it is NumPy on one thread, and times are processor seconds, which other users of the cores hardly change.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.report import report
from engine.config import compose
from engine.draft import Draft
from engine.factory import load_recipe_scene
from engine.plain import from_plain
from engine.randomize import apply
from engine.randomize.draw import Draw
from engine.randomize.law import Law
from engine.randomize.laws.columns import law_columns
from engine.randomize.philox import uniform
from engine.recipe import Recipe
from engine.rig import authored_draft, rig_cameras

ROUNDS = 5
INSTANCES = 300
CROWD: dict[str, Any] = {
    "uniform": {"law": "uniform", "low": 0, "high": 360},
    "beta": {"law": "beta", "alpha": 2, "beta": 5, "low": 0, "high": 1},
    "conditional": {
        "law": "conditional",
        "by": "crowd.uniform",
        "cases": [{"high": 180, "then": {"law": "normal", "mean": 0, "std": 1}}],
        "otherwise": {"law": "log_uniform", "low": 1, "high": 10},
    },
}


def measure(scene: str, worlds: int) -> dict[str, Any]:
    """Return times [s], worlds per second and ratios."""
    recipe, job = compose(f"+scene={scene}", "recipe=geometry", "device=cpu")
    recipe, stage = load_recipe_scene(recipe, job)
    cameras = rig_cameras(stage, recipe.rig)
    plan = apply.plan(recipe, stage, cameras)
    batch = 50  # worlds a draft, so that memory stays small; cost is a row's
    ids = [np.arange(first, min(first + batch, worlds)) for first in range(0, worlds, batch)]

    def whole() -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        for world in ids:
            draft = authored_draft(stage, recipe.rig, cameras, world, np.zeros(len(world), np.int32))
            apply.randomize(plan, draft)
            shapes = {name: values.shape for name, values in draft.drawn.items()}
        return shapes

    shapes = whole()
    laws = {
        f"{entry.name}.{column.key}": column.law
        for entry in plan.randomizers
        for column in law_columns(entry.params)
        if f"p.{entry.name}.{column.key}" in shapes
    }
    counts = {key: shapes[f"p.{key}"][1] if len(shapes[f"p.{key}"]) == 2 else 1 for key in laws}
    empty = [_empty_draft(world) for world in ids]
    found = {"scene": scene, "worlds": worlds, "laws": len(laws), "values_per_world": sum(counts.values())}
    rows = _rows(lambda: _draw_all(laws, counts, empty, recipe), counts, ids)
    whole_s = _best(whole)
    rows |= {
        "randomize_s": whole_s,
        "randomize_worlds_s": worlds / whole_s,
        "draw_share": rows["draw_s"] / whole_s,
    }
    crowd = {f"crowd.{key}": from_plain(Law, data, key) for key, data in CROWD.items()}  # type: ignore[arg-type]
    many = dict.fromkeys(crowd, INSTANCES)
    of_crowd = _rows(lambda: _draw_all(crowd, many, empty, recipe), many, ids)
    return found | rows | {f"crowd_{name}": value for name, value in of_crowd.items()}


def _rows(step: Callable[[], None], counts: dict[str, int], ids: list[Any]) -> dict[str, Any]:
    worlds = sum(len(world) for world in ids)
    draw_s = _best(step)
    philox_s = _best(lambda: [_numbers(key, count, world) for world in ids for key, count in counts.items()])
    return {
        "draw_s": draw_s,
        "philox_s": philox_s,
        "draw_worlds_s": worlds / draw_s,
        "draw_over_philox": draw_s / philox_s,
        "values_s": worlds * sum(counts.values()) / draw_s,
    }


def _numbers(key: str, count: int, world: Any) -> Any:
    return uniform(0, key, world[:, None], 0, np.arange(count)[None, :])


def _draw_all(laws: dict[str, Law], counts: dict[str, int], drafts: list[Draft], recipe: Recipe) -> None:
    """Draw and record every law of some drafts, as their randomisers do."""
    for draft in drafts:
        draft.drawn.clear()
        for column, law in laws.items():
            name, _, key = column.partition(".")
            draw = Draw(recipe.seed, name, draft, recipe.rig, (), None, laws=laws)  # type: ignore[arg-type]
            draw.law(key, law, count=counts[column])


def _empty_draft(world: Any) -> Draft:
    """Return rows without a scene: what laws need."""
    import dataclasses

    none = np.zeros((len(world), 0))
    parts = {field.name: none for field in dataclasses.fields(Draft) if field.name not in ("world", "step", "drawn")}
    return Draft(world=world, step=np.zeros(len(world), np.int32), **parts)  # type: ignore[arg-type]


def _best(step: Callable[[], Any]) -> float:
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        step()
        times.append(time.process_time() - begun)
    return min(times)


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(prog="python -m bench.draw", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scene", default="warehouse", help="a shipped scene")
    parser.add_argument("--worlds", type=int, default=1000, help="how many are drawn (%(default)s)")
    parser.add_argument("--no-store", action="store_true", help="append nothing to bench/results/")
    arguments = parser.parse_args()
    rows = measure(arguments.scene, arguments.worlds)
    report("draw", "cpu", json.loads(json.dumps(rows)), store=not arguments.no_store)


if __name__ == "__main__":
    main()
