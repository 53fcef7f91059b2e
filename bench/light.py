"""Light, measured: `python -m bench.light [--quick] [--only frames checks mitsuba features film] [--store]`.

- `frames`: processor seconds of all threads for a 640x480 frame of the warehouse on a warm renderer, the least of some
  runs and the median over worlds: quality `direct` at 1 sample and quality `path` at 16 (8 bounces). Beside them a
  context, measured elsewhere on two cores: Blender's Cycles took 24 processor seconds for a comparable scene of 464
  objects, 640x480, 16 samples.
- `checks`: `furnace_error`, the most by which a white ball of any roughness and metalness differs from the white
  furnace around it.
- `mitsuba`: pictures and time to equal noise against Mitsuba's path tracer (bench/light_mitsuba.py). Needs the package
  mitsuba (`make judge`); without it these are null, unless --require-peers makes that a failure.
- `features`: what each light, shadow, texture, material and sensor step adds to a pixel (bench/light_features.py), on
  one thread of the CPU.
- `film`: `film_vs_opaque`, what the warehouse takes with its transparent film over what it takes with the same film
  made opaque, in turns (bench/light_film.py).

Prints tables; the last line is one JSON object. Null: not measured.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np

from bench import light_mitsuba
from bench.eye_clock import Timing, clocked, logged_launches
from bench.light_features import feature_costs
from bench.light_film import film_costs
from bench.light_room import FURNACE_PX, dark_rig, furnace, ring_means, stage_draft
from bench.report import line_of, store_line
from engine.config import compose
from engine.factory import build_factory, load_recipe_scene
from engine.render import Outputs, Renderer

SECTIONS = ("frames", "checks", "mitsuba", "features", "film")
CYCLES_CPU_S = 24.0  # of a comparable frame at 16 samples, bpy 5.0.1 on two cores: context, not compared in the run
FRAMES = {"direct": ("quality=direct", "rig.spp=1"), "path16": ("quality=path", "rig.spp=16")}
DIRECT_RUNS = 5  # of a world; they are short
GOALS = {"direct": 100.0, "path16": 2.5}  # times cheaper than that
LINEAR = Outputs(rgb=False, rgb_linear=True, depth=False, normal=False, instance=False)
KEYS = ("furnace_error", "mitsuba_mean_error", "mitsuba_worst_block_error", "direct_cpu_s", "path16_cpu_s",
        "noise_material_ns", "shadow_ray_ns", "direct_vs_cycles", "path16_vs_cycles", "mitsuba_equal_noise_room",
        "mitsuba_equal_noise_hall", "mitsuba_variant", "film_vs_opaque")  # fmt: skip


def frame_costs(size_px: tuple[int, int], *, worlds: int) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """Return the time of a frame of the warehouse and the processor time of its kernels [s].

    Each is the least of the runs of a world, and of those the median over the worlds.
    """
    rows: dict[str, float] = {}
    kernels: dict[str, dict[str, float]] = {}
    for name, overrides in FRAMES.items():
        size = (f"rig.width={size_px[0]}", f"rig.height={size_px[1]}")
        recipe, job = compose("+scene=warehouse", "device=cpu", *overrides, *size)
        recipe, scene = load_recipe_scene(recipe, job)
        factory = build_factory(recipe, scene, device="cpu")
        turns: list[Timing] = []
        logs: list[dict[str, float]] = []
        runs = DIRECT_RUNS if name == "direct" else 2
        with closing(factory.renderer) as renderer:
            renderer.render(factory.draft([0]))
            for world in range(worlds):
                draft = factory.draft([world])
                found, best = [], dict[str, float]()
                for _ in range(runs):
                    with logged_launches() as log:
                        found.append(clocked(partial(renderer.render, draft)))
                    best = {kernel: min(s, best.get(kernel, s)) for kernel, s in log.cpu_s().items()}
                turns.append(Timing(tuple(found)))
                logs.append(best)
        rows[f"{name}_cpu_s"] = statistics.median(turn.cpu_s for turn in turns)
        rows[f"{name}_wall_s"] = statistics.median(turn.best_s for turn in turns)
        kernels[name] = {kernel: statistics.median(log[kernel] for log in logs) for kernel in logs[0]}
    return rows, kernels


def furnace_error(*, spp: int, steps: int) -> float:
    """Return the most by which rings of a white ball differ from 1, over roughness x metalness."""
    worst = 0.0
    for roughness in np.linspace(0.1, 1.0, steps):
        for metallic in np.linspace(0.0, 1.0, 3):
            scene, camera = furnace(float(roughness), float(metallic))
            rig = dark_rig(FURNACE_PX, FURNACE_PX, spp=spp)
            with closing(Renderer(scene, rig, LINEAR, seed=0, device="cpu")) as renderer:
                image = renderer.render(stage_draft(scene, rig, camera)).rgb_linear
            assert image is not None
            worst = max(worst, *(abs(mean - 1.0) for mean in ring_means(image[0])))
    return worst


def mitsuba_rows(*, quick: bool, side_px: int = 96) -> dict[str, Any]:
    """Return what the last line says of Mitsuba; says so where it is not installed."""
    if not light_mitsuba.is_here():
        print("Mitsuba is not installed: nothing is compared with it; `make judge` installs it")
        return {}
    found = light_mitsuba.compare_all(quick=quick, side_px=side_px)
    for name, row in found.items():
        print_rows(f"against Mitsuba: {name}", row)
    return {
        "mitsuba_mean_error": max(row["mean_error"] for row in found.values()),
        "mitsuba_worst_block_error": max(row["worst_block_error"] for row in found.values()),
        "mitsuba_variant": found["room"]["variant"],
        **{f"mitsuba_equal_noise_{name}": row["equal_noise_cpu"] for name, row in found.items()},
        "mitsuba": found,
    }


def print_rows(title: str, rows: dict[str, Any]) -> None:
    """Print names and values."""
    print(f"\n{title}")
    for name, value in rows.items():
        print(f"  {name:<36}  {value:.4g}" if isinstance(value, float) else f"  {name:<36}  {value}")


def measure(only: tuple[str, ...], *, quick: bool) -> dict[str, Any]:
    """Return what was measured; what was not is null."""
    out: dict[str, Any] = dict.fromkeys(KEYS)
    if "frames" in only:
        rows, kernels = frame_costs((640, 480), worlds=3 if quick else 8)
        out |= rows
        for name, goal in GOALS.items():
            ratio = CYCLES_CPU_S / rows[f"{name}_cpu_s"]
            out[f"{name}_vs_cycles"] = ratio
            cost = f"{rows[f'{name}_cpu_s']:.3g} CPU-s a frame"
            title = f"{name}: {cost}, {ratio:.3g} times cheaper than Cycles' {CYCLES_CPU_S:g} (goal {goal:g})"
            print_rows(
                title, {key: s for key, s in sorted(kernels[name].items(), key=lambda item: -item[1]) if s > 1e-4}
            )
        out["kernels"] = kernels
    if "checks" in only:
        out["furnace_error"] = furnace_error(spp=256 if quick else 1024, steps=4 if quick else 10)
        print_rows("white furnace", {"furnace_error": out["furnace_error"]})
    if "mitsuba" in only:
        out |= mitsuba_rows(quick=quick)
    if "features" in only:
        features = feature_costs(quick=quick)
        print_rows("added to a pixel, one thread", features)
        out |= {key: features[key] for key in ("noise_material_ns", "shadow_ray_ns")} | {"features": features}
    if "film" in only:
        film = film_costs((640, 480), worlds=4 if quick else 8)
        out |= film
        print_rows("film that is transparent, and opaque", {k: v for k, v in film.items() if isinstance(v, float)})
    return out


def main() -> None:
    """Measure, print and store; the last line is one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.light", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="ends within four minutes on two cores")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="sections to measure")
    parser.add_argument("--require-peers", action="store_true", help="fail where Mitsuba is not installed")
    parser.add_argument("--store", action="store_true", help="append the result to bench/results/")
    arguments = parser.parse_args()
    if arguments.require_peers and not light_mitsuba.is_here():
        sys.exit("Mitsuba is not installed; `make judge` installs it")
    before = os.getloadavg()[0]
    result = measure(tuple(arguments.only), quick=arguments.quick)
    facts = {"quick": arguments.quick, "threads": len(os.sched_getaffinity(0)), "load_before": before}
    line = line_of("light", "cpu", {**facts, **result, "load_after": os.getloadavg()[0]})
    if arguments.store:
        store_line("cpu", line)
    print(line)


if __name__ == "__main__":
    main()
