"""Labels, measured: `python -m bench.labels [--device cpu|cuda:0] [--scene own] [--seconds S] [--no-store]`.

A 640x480 frame of the scene of our own (bench/eye_scene.py: a floor, posts, 450 crates and a wrinkled ball of 80
thousand triangles) that sees 200 instances or more, at quality `labels`, whose images are depth and instance ids. Three
renderers take turns in one run, warm: images alone, images and visible labels (masks, boxes, pixels, distances), and
all of that with whole silhouettes (amodal masks, boxes and the three counts) in a window of 3 x 3 frames. A time is
that of a whole call, poses and trees included. What labels cost is the difference to images alone; `reference` is the
same visible labels made by NumPy of the images.

Targets, of the best turns: `visible_over_frame` at most 1, `amodal_over_frame` at most 4, and both 50 times less than
the 5 s of BlenderProc's writer for such a frame, which is written in Python (`blenderproc_over_amodal`). `*_cpu` is of
the processor seconds of all threads, which other users of the cores hardly change.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from contextlib import ExitStack, closing
from typing import Any

from bench.eye_clock import clocked, logged_launches, take_turns
from bench.eye_growth import LABELS
from bench.eye_scene import draft_of, eye_rig, own_subject
from bench.report import report
from engine.config import compose
from engine.device import resolve_device
from engine.draft import Draft
from engine.factory import build_factory, load_recipe_scene
from engine.labels.config import LabelConfig
from engine.labels.extract import labels_from_frames
from engine.recipe import Rig
from engine.render import Renderer
from engine.scene.model import Scene

OWN, SIZE_PX = "own", (640, 480)
INSTANCES = 500  # of the scene, of which a view sees LEAST_INSTANCES or more
LEAST_INSTANCES = 200
BLENDERPROC_S = 5.0  # of a frame of that size, the lower end of what its users report
IMAGES = dataclasses.replace(LABELS, normal=False)
OUTPUTS = {
    "frame": IMAGES,
    "visible": dataclasses.replace(IMAGES, labels=LabelConfig(amodal=False)),
    "amodal": dataclasses.replace(IMAGES, labels=LabelConfig(amodal=True, margin=1.0)),
}


def own_stage() -> tuple[Scene, Rig, Draft]:
    """Return the scene of our own and a world of it."""
    subject, rig = own_subject(1, instances=INSTANCES), eye_rig(*SIZE_PX, quality="labels")
    return subject.scene, rig, draft_of(subject, rig, [0])


def shipped_stage(name: str) -> tuple[Scene, Rig, Draft]:
    """Return a shipped scene and its first world."""
    recipe, job = compose(f"+scene={name}", f"rig.width={SIZE_PX[0]}", f"rig.height={SIZE_PX[1]}")
    recipe, stage = load_recipe_scene(recipe, job)
    factory = build_factory(recipe, stage, device="cpu", threads=1)
    factory.renderer.close()
    return stage, dataclasses.replace(recipe.rig, quality="labels"), factory.draft([0])


def measure(device: str, *, budget_s: float, name: str = OWN, threads: int | None = None) -> dict[str, Any]:
    """Return times [s] and ratios of a scene."""
    stage, rig, draft = own_stage() if name == OWN else shipped_stage(name)
    with ExitStack() as stack:
        steps: dict[str, Any] = {}
        renderers = {
            key: stack.enter_context(closing(Renderer(stage, rig, outputs, seed=0, device=device, threads=threads)))
            for key, outputs in OUTPUTS.items()
        }
        for key, renderer in renderers.items():
            frames = renderer.render(draft)
            steps[key] = lambda renderer=renderer: clocked(lambda: renderer.render(draft))
        labels = frames.labels
        assert labels is not None
        if name == OWN and len(labels.view) < LEAST_INSTANCES:
            raise RuntimeError(f"the view sees {len(labels.view)} instances, not {LEAST_INSTANCES}")
        images = dataclasses.replace(frames, labels=None)
        class_id = stage.instances.class_id
        steps["reference"] = lambda: clocked(lambda: labels_from_frames(images, class_id))
        timings = take_turns(steps, rounds=7, budget_s=budget_s)
        launches = _launches(renderers["amodal"], draft) if device == "cpu" else {}
    assert labels.amodal is not None
    full_mpx = 1e-6 * float(labels.amodal.full_px.sum())
    rows: dict[str, Any] = {"subject": name, "instances": len(labels.view), "full_mpx": full_mpx}
    for suffix, field in (("", "best_s"), ("_median", "median_s"), ("_cpu", "cpu_s")):
        found = {key: getattr(timing, field) for key, timing in timings.items()}
        visible_s, amodal_s = found["visible"] - found["frame"], found["amodal"] - found["frame"]
        rows |= {f"{key}_s{suffix}": value for key, value in found.items()}
        rows |= {f"visible_over_frame{suffix}": visible_s / found["frame"]}
        rows |= {f"amodal_over_frame{suffix}": amodal_s / found["frame"]}
        rows |= {f"blenderproc_over_amodal{suffix}": BLENDERPROC_S / amodal_s}
    return rows | {"launches_s": launches}


def _launches(renderer: Renderer, draft: Any) -> dict[str, float]:
    """Return the processor time of every kernel of one frame [s]."""
    with logged_launches() as log:
        renderer.render(draft)
    return log.cpu_s()


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(prog="python -m bench.labels", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the turns go on")
    parser.add_argument(
        "--scene", default=OWN, help="own, or a shipped scene such as warehouse: no target is for those"
    )
    parser.add_argument("--no-store", action="store_true", help="append nothing to bench/results/")
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    rows = measure(device, budget_s=arguments.seconds, name=arguments.scene)
    launches = rows.pop("launches_s")
    for name, seconds in launches.items():
        print(f"{name:<32} {1e3 * seconds:8.2f} ms")
    print(json.dumps({"launches_ms": {name: round(1e3 * seconds, 3) for name, seconds in launches.items()}}))
    report("labels", device, rows, store=not arguments.no_store)


if __name__ == "__main__":
    main()
