"""Worlds placed a second: `python -m bench.place [--worlds 1000] [--items 300] [--store]`.

Items are scattered over a floor, one after the other, until none overlap: whole randomisation, from the random numbers
to the poses in a draft. `kernel_vs_numpy` is the ratio to the same in plain NumPy (tests/engine/scatter_reference.py,
whose places are equal to the bit), which is timed on `--numpy-worlds`, as columns are. Then the same items on the
triangles of the floor by exact boxes, as blue noise, in a volume by convex hulls, and in columns.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.report import report
from engine.draft import Draft
from engine.randomize.place import clutter
from engine.registry import RANDOMIZERS, Entry
from engine.scene.model import Scene
from tests.engine.randomize_scene import CORNERS, anchor, at, randomized
from tests.engine.scatter_reference import scatter_in_numpy
from tests.engine.test_placing import BOX_SIDES, SURFACE, VOLUME, solid_scene
from tests.engine.test_randomize_layout import SCATTER
from tests.engine.test_stack import STACK

FLOOR_M = 14.0  # square; 300 items of 0.4 m x 0.3 m cover 18 % of it
PILES = 60  # columns of at most 5


def main() -> None:
    """Measure and print; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.place", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--numpy-worlds", type=int, default=100)
    parser.add_argument("--store", action="store_true", help="append the result to bench/results/")
    arguments = parser.parse_args()
    scene = _scene(arguments.items)
    many, few = range(arguments.worlds), range(arguments.numpy_worlds)
    items: dict[str, Any] = {"items": "/Item/*", "count": float(arguments.items)}
    entries = {
        "scatter": {**SCATTER, **items},
        "surface_box": {**SURFACE, **items, "carriers": "/Floor"},
        "blue_noise": {**SURFACE, **items, "carriers": "/Floor", "distance_m": 0.5},
        "volume_hull": {**VOLUME, **items},
        "stack": {**STACK, "items": "/Item/*"},
    }
    rows: dict[str, Any] = {"worlds": arguments.worlds, "items": arguments.items, "load": os.getloadavg()[0]}
    for name, entry in entries.items():
        randomized(scene, {"x": entry}, range(2))  # the kernel is loaded
        worlds = few if name == "stack" else many
        draft, seconds, cpu_s = _timed(lambda entry=entry, worlds=worlds: randomized(scene, {"x": entry}, worlds))
        rows[f"{name}_worlds_per_s"] = len(worlds) / seconds
        rows[f"{name}_worlds_per_cpu_s"] = len(worlds) / cpu_s
        rows[f"{name}_placed"] = float(draft.visible[:, 2:].sum() / len(worlds))
        if name == "scatter":
            rows["scatter_s_for_1000_worlds"] = seconds / len(many) * 1000
            rows["scatter_cpu_s_for_1000_worlds"] = cpu_s / len(many) * 1000
    kernel = RANDOMIZERS.get("scatter")
    RANDOMIZERS._entries["scatter"] = Entry("scatter", clutter.Scatter, scatter_in_numpy)
    reference, seconds, _ = _timed(lambda: randomized(scene, {"x": entries["scatter"]}, few))
    RANDOMIZERS._entries["scatter"] = kernel
    own = randomized(scene, {"x": entries["scatter"]}, few)
    rows["numpy_worlds_per_s"] = len(few) / seconds
    rows["kernel_vs_numpy"] = rows["scatter_worlds_per_s"] / rows["numpy_worlds_per_s"]
    rows["equal_to_numpy"] = bool(np.array_equal(own.world_from_instance, reference.world_from_instance))
    report("place", "cpu", rows, store=arguments.store)


def _timed(run: Callable[[], Draft]) -> tuple[Draft, float, float]:
    """Return the draft, and the seconds and the seconds of all threads of the best of three."""
    best, best_cpu = np.inf, np.inf
    for _ in range(3):
        begun, begun_cpu = time.perf_counter(), time.process_time()
        draft = run()
        best, best_cpu = min(best, time.perf_counter() - begun), min(best_cpu, time.process_time() - begun_cpu)
    return draft, best, best_cpu


def _scene(count: int) -> Scene:
    """Return cartons, a floor, a volume over it and places for columns."""
    carton = CORNERS * [0.4, 0.3, 0.2]
    shapes = {f"/Item/{i:03d}": (carton, BOX_SIDES) for i in range(count)}
    shapes["/Floor"] = (CORNERS * [FLOOR_M, FLOOR_M, 0.1], BOX_SIDES)
    middle = at(0, 0, 0.2)
    piles = [anchor(f"/Pile/{i}", "pile", at(2.0 * i, 40, 0), (0, 0, 0)) for i in range(PILES)]
    return solid_scene(
        shapes, anchor("/F", "floor", middle, (FLOOR_M, FLOOR_M, 0)), anchor("/A", "air", middle, (6, 6, 4)), *piles
    )


if __name__ == "__main__":
    main()
