"""The eye, measured: `python -m bench.eye [--device cpu|cuda:0] [--quick] [--peers-python PYTHON]`.

On the peers' comparison scene (250 instances, 83 thousand triangles, two suns that cast shadows, four textures, every
world different) ours and theirs take turns in one run, warm, each in its own process. First depth and ids must be
theirs; where they are not, there is no ratio. Then start, memory and growth.

What is equal: scene, cameras, image size, one ray through a pixel's centre for depth and ids, two shadow rays where a
surface faces both suns, textures, an ambient term without rays, spp 1. What differs:
- `primary`: Open3D is handed rays and returns distance, ids, barycentric weights and face normals of a scene without
  instances; we compute the rays and return planar depth, ids and interpolated normals of instances. Neither's time
  holds building trees. It runs on the CPU alone, with as many threads as we.
- `shaded`: a whole call on both sides: poses, trees over the instances, pixels. Our surfaces have a GGX lobe on top of
  Lambert's and 16-bit textures filtered trilinearly; Newton's and mujoco_warp's are Lambert. mujoco_warp has no
  normals, takes boxes and the floor as primitives and not as triangles, and Newton lights all worlds by the suns of the
  first. Colours are therefore compared by eye, not here. Shadow rays start 2e-5 m or more off the surface, each in its
  own way. Colours of ours at edges come from a ray of their own, anywhere in the pixel, theirs from its centre.
- Threads: on the CPU Newton and mujoco_warp run on one, as they are made, and we on all; `*_1_thread` is against ours
  on one.
- On a GPU ours is one graph clocked by events and leaves its images there, as theirs do.

Everybody renders again and again for 50 ms, then the next one does; a turn's time is the mean of its frames. A ratio is
the peer's time over ours, of the best turns and the smallest over the sizes; `*_median` is of medians.
`*_cpu` is of the processor seconds of all threads, which other users of the cores hardly change: what a core is worth,
however many of them each uses. Null: not measured.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.eye_clock import Timing, logged_launches, take_turns
from bench.eye_growth import Eye, growth, memory, world_scaling
from bench.eye_scene import Subject, comparison_subject, own_subject
from bench.eye_start import measure_start
from bench.peers import PROGRAMS, Images, Peer, PeerMissingError, Work, differences, start_peer
from bench.report import line_of, store_line
from engine.device import resolve_device
from engine.draft import Draft
from engine.frames import Frames

SIZES = ((1, 128, 128), (16, 128, 128), (1, 320, 240))  # worlds, width, height
CUDA_SIZES = ((256, 128, 128), (1024, 64, 64))
VERSUS = {  # ratio: whose time over which of ours
    "primary_vs_open3d": ("open3d", "primary"),
    "labels_vs_open3d": ("open3d", "labels"),
    "shaded_vs_newton": ("newton", "shaded"),
    "shaded_vs_mujoco_warp": ("mujoco_warp", "shaded"),
    "shaded_vs_newton_1_thread": ("newton", "shaded_1_thread"),
    "shaded_vs_mujoco_warp_1_thread": ("mujoco_warp", "shaded_1_thread"),
}


@dataclass(frozen=True)
class Setup:
    """What the command line asked for."""

    device: str
    quick: bool
    store: bool
    folder: Path | None  # of the peers' programs
    python: Path | None  # of the peers
    threads: int


def main() -> None:
    """Measure, print and store; the last line is one JSON object."""
    setup, only, scene = _setup()
    result: dict[str, Any] = {"quick": setup.quick, "threads": setup.threads, "load_before": os.getloadavg()[0]}
    worlds = max(count for count, _, _ in _sizes(setup))
    subject = own_subject(worlds) if setup.folder is None else comparison_subject(setup.folder, worlds)
    if "compare" in only:
        result |= compare_all(setup, subject)
    if "launches" in only and setup.device == "cpu":
        _section(setup, "launches", launches(subject, setup.device))
    if "start" in only:
        start = measure_start(scene, setup.device, repeats=2 if setup.quick else 5)
        _section(setup, "start", start)
        result |= {key: start[key] for key in ("cold_labels_s", "cold_direct_s", "imports_s")}
        result["warm_over_imports_s"] = start["warm_direct_over_imports_s"]
    if "growth" in only:
        result |= memory(subject, setup.device)
        result |= world_scaling(subject, setup.device, worlds=16, budget_s=3.0 if setup.quick else 20.0)
        _section(setup, "growth", growth(setup.device, quick=setup.quick))
    line = line_of("eye", setup.device, {**result, "load_after": os.getloadavg()[0]})
    _table("ratios and totals", [{"what": key, "value": value} for key, value in result.items()])
    if setup.store:
        store_line(setup.device, line)
    print(line)
    if result.get("disagreements"):
        sys.exit(1)


def _setup() -> tuple[Setup, tuple[str, ...], str]:
    parser = argparse.ArgumentParser(prog="python -m bench.eye", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--quick", action="store_true", help="ends within five minutes on two cores")
    parser.add_argument("--peers-python", type=Path, default=os.environ.get("OMMATIDIA_PEERS_PYTHON"),
                        help="the Python with the other renderers; default: $OMMATIDIA_PEERS_PYTHON")  # fmt: skip
    parser.add_argument("--no-store", action="store_true", help="append nothing to bench/results/")
    parser.add_argument("--start-scene", default="tabletop", help="shipped scene of the cold and warm starts")
    sections = ("compare", "launches", "start", "growth")
    parser.add_argument("--only", nargs="+", choices=sections, default=sections, help="sections to measure")
    arguments = parser.parse_args()
    shared = os.environ.get("OMMATIDIA_SHARED")
    folder = Path(shared) / "peers" if shared else None
    if folder is not None and not (folder / "scene.py").is_file():
        folder = None
    python = None if arguments.peers_python is None else Path(arguments.peers_python)
    device = resolve_device(arguments.device)
    threads = len(os.sched_getaffinity(0))
    setup = Setup(device, arguments.quick, not arguments.no_store, folder, python, threads)
    return setup, tuple(arguments.only), arguments.start_scene


def _sizes(setup: Setup) -> tuple[tuple[int, int, int], ...]:
    return SIZES if setup.device == "cpu" else (*SIZES, *CUDA_SIZES)


def compare_all(setup: Setup, subject: Subject) -> dict[str, Any]:
    """Return the smallest ratio of every kind over the sizes, and what kept others from being measured."""
    rows, missing, disagreements = [], {}, []
    for worlds, width, height in _sizes(setup):
        work = Work(setup.device, worlds, width, height, setup.threads)
        row, gone, differ = compare(setup, subject, work)
        rows.append(row)
        missing |= gone
        disagreements += differ
    _table("Mpix/s, best turns", [{"size": row["size"], **row["mpix_per_s"]} for row in rows])
    for suffix, title in (("", "best turns"), ("_median", "medians"), ("_cpu", "processor seconds")):
        _table(f"ratios, {title}", [{"size": r["size"], **{name: r[name + suffix] for name in VERSUS}} for r in rows])
    _section(setup, "compare", {"subject": subject.name, "rows": rows, "missing": missing, "differ": disagreements})
    out: dict[str, Any] = {"subject": subject.name, "missing": missing, "disagreements": disagreements}
    for key in (name + suffix for name in VERSUS for suffix in ("", "_median", "_cpu")):
        found = [row[key] for row in rows]
        out[key] = None if None in found else min(found)
    return out


def compare(setup: Setup, subject: Subject, work: Work) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Return times and ratios of one size, why peers are missing, and where they see something else than we."""
    size = (work.width, work.height)
    pixels = work.worlds * work.width * work.height
    missing: dict[str, str] = {}
    wrong: dict[str, list[str]] = {}
    with ExitStack() as stack:
        peers: dict[str, Peer] = {}
        for name in PROGRAMS:
            try:
                peers[name] = stack.enter_context(start_peer(name, work, python=setup.python, folder=setup.folder))
            except PeerMissingError as error:
                missing[name] = str(error)
        for name, peer in list(peers.items()):
            try:
                peer.wait_ready()
            except PeerMissingError as error:
                missing[name] = str(error)
                del peers[name]
        flat = stack.enter_context(closing(Eye(subject, size, quality="labels", device=setup.device)))
        lit = stack.enter_context(closing(Eye(subject, size, quality="direct", device=setup.device)))
        draft = flat.draft(range(work.worlds))
        ours = images_of(flat.renderer.render(draft), draft)
        lit.renderer.render(draft)
        steps = {"primary": partial(flat.pixels, draft), "labels": partial(flat.whole, draft)}
        steps["shaded"] = partial(lit.whole if setup.device == "cpu" else lit.pixels, draft)
        if setup.device == "cpu":
            one = stack.enter_context(closing(Eye(subject, size, quality="direct", device=setup.device, threads=1)))
            one.renderer.render(draft)
            steps["shaded_1_thread"] = partial(one.whole, draft)
        steps |= {name: peer.step for name, peer in peers.items()}
        timings = take_turns(steps, rounds=5, budget_s=8.0 if setup.quick else 40.0)
        for name, peer in peers.items():
            wrong[name] = differences(ours, peer.finish(), PROGRAMS[name])
    row: dict[str, Any] = {"size": f"{work.worlds}x{work.width}x{work.height}"}
    row["mpix_per_s"] = {name: 1e-6 * pixels / timing.best_s for name, timing in timings.items()}
    agreeing = {name: timing for name, timing in timings.items() if not wrong.get(name)}
    row |= _ratios(agreeing)
    row["turns"] = {name: timing.row(pixels) for name, timing in timings.items()}
    return row, missing, [f"{row['size']} {name}: {text}" for name, texts in wrong.items() for text in texts]


def images_of(frames: Frames, draft: Draft) -> Images:
    """Return our images as the peers measure: distance along the ray, ids from 0."""
    assert frames.depth_m is not None
    assert frames.instance is not None
    y, x = np.mgrid[: frames.depth_m.shape[1], : frames.depth_m.shape[2]] + 0.5
    views = []
    for focal, center in zip(draft.focal_px.reshape(-1, 2), draft.center_px.reshape(-1, 2), strict=True):
        views.append(np.sqrt(((x - center[0]) / focal[0]) ** 2 + ((y - center[1]) / focal[1]) ** 2 + 1.0))
    hit = np.isfinite(frames.depth_m)
    distance = np.where(hit, frames.depth_m, 0.0) * np.array(views)
    return Images(distance.astype(np.float32), frames.instance - 1, frames.normal)


def _ratios(timings: dict[str, Timing]) -> dict[str, float | None]:
    out: dict[str, float | None] = {}
    for name, (peer, own) in VERSUS.items():
        theirs, ours = timings.get(peer), timings.get(own)
        for suffix, field in (("", "best_s"), ("_median", "median_s"), ("_cpu", "cpu_s")):
            both = theirs is not None and ours is not None
            out[name + suffix] = getattr(theirs, field) / getattr(ours, field) if both else None
    return out


def launches(subject: Subject, device: str) -> dict[str, Any]:
    """Return the processor time of every kernel on one thread of the CPU [ns a pixel], the least of 16 frames."""
    out: dict[str, Any] = {}
    for worlds, width, height in SIZES:
        for quality in ("labels", "direct"):
            ns = 1e9 / (worlds * width * height)
            best: dict[str, float] = {}
            with closing(Eye(subject, (width, height), quality=quality, device=device, threads=1)) as eye:
                draft = eye.draft(range(worlds))
                eye.renderer.render(draft)
                for _ in range(16):
                    begun = time.thread_time()
                    with logged_launches() as log:
                        eye.renderer.render(draft)
                    took = time.thread_time() - begun
                    found = log.cpu_s()
                    found |= {"host": took - math.fsum(found.values()), "total": took}
                    best = {name: min(seconds * ns, best.get(name, math.inf)) for name, seconds in found.items()}
            title = f"{quality} {worlds}x{width}x{height}"
            _table(f"{title}, ns a pixel on one thread", [{"launch": k, "ns": v} for k, v in best.items()])
            out[title] = best
    return out


def _section(setup: Setup, name: str, rows: dict[str, Any]) -> None:
    if name == "growth":
        for table, points in rows.items():
            _table(f"growth with {table}, ns a pixel and s", points)
    if setup.store:
        store_line(setup.device, line_of(f"eye.{name}", setup.device, rows))
    elif name == "start":
        print(json.dumps(rows))


def _table(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows as columns; what is itself a table is left to the results file."""
    columns = [key for key in rows[0] if not isinstance(rows[0][key], dict | list)]
    cells = [columns] + [[_cell(row[key]) for key in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    print(f"\n{title}")
    for line in cells:
        print(
            "  ".join(
                cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(line, widths))
            )
        )


def _cell(value: object) -> str:
    if value is None:
        return "not measured"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
