"""Where the time of the main job goes: `python -m bench.job [--scene warehouse] [--worlds 16] [--store]`.

Rendering alone, its primary rays with depth, normals and ids alone, labels alone, encoding alone (one thread, every
writer of the default set), then the whole job with its encoding beside the rendering. `written_over_rendered` is the
speed of the job without its loading, as a share of rendering alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.report import report
from engine.config import compose
from engine.device import resolve_device
from engine.factory import Factory, build_factory, generate, load_recipe_scene
from engine.labels.extract import labels_from_frames
from engine.provenance import provenance_of
from engine.recipe import Job, Recipe
from engine.write.plan import FrameWriter, plan_dataset
from engine.write.view import View


def seconds(work: Callable[[], object], *, repeats: int) -> float:
    """Return the shortest of several runs [s]."""
    best = float("inf")
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best


def encode_all(writer: FrameWriter, views: list[View]) -> None:
    """Encode all views with one writer."""
    for view in views:
        writer.function(writer.params, view)


def encode_seconds(factory: Factory, device: str, worlds: list[int], *, repeats: int) -> dict[str, float]:
    """Return how long each per-frame writer needs for a frame on one thread [s]."""
    _, frames, _ = factory.make(worlds)
    names = tuple(camera.name for camera in factory.cameras)
    plan = plan_dataset(factory.recipe, factory.scene, names, provenance_of(device), shard_worlds=len(worlds))
    count = len(frames.keys.world)

    def pick(images: object, view: int) -> object:
        return None if images is None else images[view]  # type: ignore[index]

    views = []
    for i in range(count):
        images = {name: pick(getattr(frames, name), i) for name in ("rgb", "depth_m", "normal", "instance")}
        views.append(View(stem=f"{i:06}", classes=plan.classes, **images))  # type: ignore[arg-type]
    return {
        writer.name: seconds(partial(encode_all, writer, views), repeats=repeats) / count
        for writer in plan.writers.frame
    }


def job_seconds(recipe: Recipe, job: Job) -> float:
    """Return the time of the whole job into a fresh folder [s], loading included."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        generate(recipe, dataclasses.replace(job, out=Path(folder) / "out"))
        return time.perf_counter() - begun


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m bench.job", description=__doc__.split("\n")[0])
    parser.add_argument("--scene", default="warehouse")
    parser.add_argument("--worlds", type=int, default=16)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--store", action="store_true", help="append the result to bench/results/")
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    recipe, job = compose(f"+scene={arguments.scene}", f"count={arguments.worlds}", f"device={device}")
    begun = time.perf_counter()
    recipe, scene = load_recipe_scene(recipe, job)
    loaded = time.perf_counter()
    factory = build_factory(recipe, scene, device=device)
    built = time.perf_counter()
    worlds = list(range(arguments.worlds))
    batch = worlds[:8]
    draft = factory.draft(batch)
    frames = factory.renderer.render(draft)
    count = len(frames.keys.world)
    draft_s = seconds(lambda: factory.draft(batch), repeats=arguments.repeats) / count
    render_s = seconds(lambda: factory.renderer.render(draft), repeats=arguments.repeats) / count
    class_id = scene.instances.class_id
    labels_s = seconds(lambda: labels_from_frames(frames, class_id), repeats=arguments.repeats) / count
    encode_s = encode_seconds(factory, device, batch, repeats=arguments.repeats)
    bare = dataclasses.replace(recipe, rig=dataclasses.replace(recipe.rig, quality="labels"))
    tracer = build_factory(bare, scene, device=device).renderer
    tracer.render(draft)
    primary_s = seconds(lambda: tracer.render(draft), repeats=arguments.repeats) / count
    job_s = job_seconds(recipe, job)
    frames_of_job = arguments.worlds * recipe.rig.steps * len(factory.cameras)
    rows = {
        "scene": arguments.scene,
        "size_px": f"{recipe.rig.width}x{recipe.rig.height}",
        "spp": recipe.rig.spp,
        "load_s": loaded - begun,
        "kernels_and_trees_s": built - loaded,
        "draft_ms": 1e3 * draft_s,
        "render_ms": 1e3 * render_s,
        "labels_ms": 1e3 * labels_s,
        "primary_ms": 1e3 * primary_s,
        "primary_mrays_per_s": 1e-6 * recipe.rig.width * recipe.rig.height / primary_s,
        **{f"encode_{name}_ms": 1e3 * value for name, value in encode_s.items()},
        "rendered_per_s": 1 / render_s,
        "encoded_per_s_and_core": 1 / sum(encode_s.values()),
        "job_s": job_s,
        "written_per_s": frames_of_job / job_s,
        "written_over_rendered": frames_of_job * render_s / (job_s - (built - begun)),
    }
    report("job", device, rows, store=arguments.store)


if __name__ == "__main__":
    main()
