"""How time and memory grow: with worlds, pixels, instances and triangles, on the scene of our own, at spp 1."""

from __future__ import annotations

import dataclasses
import gc
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import warp as wp

from bench.eye_clock import ReplayClock, Turn, clocked, logged_launches, take_turns
from bench.eye_scene import Subject, draft_of, eye_rig, own_subject
from engine.draft import Draft
from engine.render import Outputs, Renderer
from engine.render.worlds import upload_scene, upload_worlds

LABELS = Outputs(rgb=False, rgb_linear=False, depth=True, normal=True, instance=True)
SHADED = Outputs(rgb=True, rgb_linear=False, depth=True, normal=True, instance=True)
MEMORY_WORLDS = 17  # one, and sixteen more
REFIT_TURNS = 5


class Eye:
    """A subject warm in a renderer, ready to render worlds again and again."""

    def __init__(
        self, subject: Subject, size_px: tuple[int, int], *, quality: str, device: str, threads: int | None = None
    ) -> None:
        """Upload the subject; `build_s` is how long that took, trees included."""
        self.subject, self.device = subject, device
        self.rig = eye_rig(*size_px, quality=quality)
        outputs = LABELS if quality == "labels" else SHADED
        begun = time.perf_counter()
        self.renderer = Renderer(subject.scene, self.rig, outputs, seed=0, device=device, threads=threads)
        self.build_s = time.perf_counter() - begun
        self._clock: ReplayClock | None = None
        self._clocked: Draft | None = None

    def close(self) -> None:
        """End the renderer."""
        self.renderer.close()

    def draft(self, worlds: Sequence[int]) -> Draft:
        """Return some worlds as a draft."""
        return draft_of(self.subject, self.rig, list(worlds))

    def whole(self, draft: Draft) -> Turn:
        """Return the time of a whole render: poses, trees of the worlds, buffers, pixels, and copies from a GPU."""
        return clocked(lambda: self.renderer.render(draft))

    def pixels(self, draft: Draft) -> Turn:
        """Return the time of the launches that make pixels; on a GPU of the whole graph, without copies to the host."""
        if not wp.get_device(self.device).is_cpu:
            if self._clock is None or self._clocked is not draft:
                self._clock, self._clocked = ReplayClock(self.renderer.replay(draft), self.device), draft
            return self._clock.step()
        with logged_launches() as log:
            turn = clocked(lambda: self.renderer.render(draft))
        return log.pixels() if log.launches else turn


def growth(device: str, *, quick: bool) -> dict[str, list[dict[str, float]]]:
    """Return a table for each thing that can grow; the other sizes stay as in the comparison scene."""
    square, budget_s = (128, 128), 0.3 if quick else 2.0
    tables: dict[str, list[dict[str, float]]] = {}

    def add(table: str, subject: Subject, size_px: tuple[int, int], worlds: int) -> None:
        point = _point(subject, size_px, worlds, device, budget_s)
        if table == "triangles":
            point["refit_s"] = refit_s(subject, size_px, device)
        value = {"worlds": worlds, "side_px": size_px[0], "instances": subject.instance_count,
                 "triangles": subject.triangle_count}[table]  # fmt: skip
        tables.setdefault(table, []).append({table: value, **point})
        gc.collect()

    many = own_subject(256)
    for worlds in (1, 4, 16, 64, 256):
        add("worlds", many, square, worlds)
    single = own_subject(1)
    for side in (64, 128, 256, 512) if quick else (64, 128, 256, 512, 1024, 2048):
        add("side_px", single, (side, side), 1)
    for instances in (16, 64, 256, 1024, 4096):
        add("instances", own_subject(1, instances=instances), square, 1)
    for power in range(3, 7 if quick else 8):
        add("triangles", own_subject(1, instances=16, detail_triangles=10**power), square, 1)
    return tables


def _point(
    subject: Subject, size_px: tuple[int, int], worlds: int, device: str, budget_s: float
) -> dict[str, float]:  # fmt: skip
    """Return times of one subject at one size; ns are wall time a pixel, `cpu` the processor's of all threads."""
    pixels = worlds * size_px[0] * size_px[1]
    out: dict[str, float] = {}
    for quality in ("labels", "direct"):
        with closing(Eye(subject, size_px, quality=quality, device=device)) as eye:
            draft = eye.draft(range(worlds))
            eye.whole(draft)
            steps = {"pixels": lambda eye=eye, draft=draft: eye.pixels(draft),
                     "whole": lambda eye=eye, draft=draft: eye.whole(draft)}  # fmt: skip
            found = take_turns(steps, rounds=3, budget_s=budget_s)
            out |= {f"{quality}_{name}_ns_per_px": 1e9 * timing.best_s / pixels for name, timing in found.items()}
            out[f"{quality}_cpu_ns_per_px"] = 1e9 * found["whole"].cpu_s / pixels
            out[f"{quality}_build_s"] = eye.build_s
    return out


def refit_s(subject: Subject, size_px: tuple[int, int], device: str) -> float:
    """Return how long a renderer takes to follow all meshes of a subject when their points move, the best of some."""
    growing = [
        tuple(dataclasses.replace(mesh, points_m=mesh.points_m * scale) for mesh in subject.scene.meshes)
        for scale in np.linspace(1.0, 1.1, 1 + REFIT_TURNS, dtype=np.float32)
    ]
    with closing(Eye(subject, size_px, quality="labels", device=device)) as eye:
        scenes = [dataclasses.replace(subject.scene, meshes=meshes) for meshes in growing]
        turns = [clocked(lambda scene=scene: eye.renderer.move(scene)) for scene in scenes]
    return min(turn.wall_s for turn in turns[1:])  # before the first one meshes are made ready to move


def world_scaling(subject: Subject, device: str, *, worlds: int, budget_s: float) -> dict[str, float]:
    """Return the time of some worlds rendered at once over that of each alone, by wall and by processor."""
    with closing(Eye(subject, (128, 128), quality="direct", device=device)) as eye:
        together, alone = eye.draft(range(worlds)), [eye.draft([world]) for world in range(worlds)]
        for draft in (together, *alone):
            eye.whole(draft)
        steps = {"together": lambda: eye.whole(together)}
        steps |= {f"alone_{i}": lambda draft=draft: eye.whole(draft) for i, draft in enumerate(alone)}
        found = take_turns(steps, rounds=3, budget_s=budget_s)
    once = found.pop("together")
    return {
        f"world_scaling_{worlds}": once.best_s / math.fsum(timing.best_s for timing in found.values()),
        f"world_scaling_{worlds}_cpu": once.cpu_s / math.fsum(timing.cpu_s for timing in found.values()),
    }


def memory(subject: Subject, device: str) -> dict[str, float]:
    """Return what one more world costs beside the buffers of its pixels [bytes], on the device and as a draft."""
    rig = eye_rig(128, 128)
    base = upload_scene(subject.scene, rig, device=device, shaded=True)
    drafts = [draft_of(subject, rig, list(range(count))) for count in (1, MEMORY_WORLDS)]
    one, more = (_bytes_of(upload_worlds(base, draft)) for draft in drafts)
    host = [sum(v.nbytes for v in vars(draft).values() if hasattr(v, "nbytes")) for draft in drafts]
    return {
        "bytes_per_world": (more - one) / (MEMORY_WORLDS - 1),
        "host_bytes_per_world": (host[1] - host[0]) / (MEMORY_WORLDS - 1),
        "bytes_shared": one - (more - one) / (MEMORY_WORLDS - 1),
    }


def _bytes_of(root: object) -> int:
    """Return the bytes of all device arrays that an object holds, each counted once; a shared row counts as one row."""
    arrays = {array.ptr: array for array in _arrays(root)}
    return sum(_array_bytes(array) for array in arrays.values())


def _array_bytes(array: Any) -> int:
    count = math.prod(size for size, stride in zip(array.shape, array.strides, strict=True) if stride != 0)
    return count * wp.types.type_size_in_bytes(array.dtype)


def _arrays(value: object) -> Iterator[Any]:
    if isinstance(value, wp.array):
        if value.ptr:
            yield value
    elif hasattr(value, "_cls"):
        for name in value._cls.vars:
            yield from _arrays(getattr(value, name))
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _arrays(getattr(value, field.name))
