"""A square with defects, for tests: records, drafts and images of them, and what coverage should be in float64."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.defect import DefectKind, Defects, add_defects, new_defects, set_reach
from engine.draft import DefectSlot, Draft
from engine.render import Outputs, Renderer
from engine.rig import authored_draft
from engine.scene.model import Camera, Scene
from tests.kernels.scenes import IDENTITY, quad, scene
from tests.kernels.worn import GREY, above, even_light

Array = NDArray[np.float64]

FLOOR = scene([(quad(0.4), IDENTITY)], materials=(GREY,))
BLACK = {"color": (0.0, 0.0, 0.0), "opacity": 1.0}
PLAIN = {
    "center_m": (0.0, 0.0, 0.0), "along": (1.0, 0.0, 0.0), "normal": (0.0, 0.0, 1.0), "length_m": 0.05,
    "width_m": 0.004, "depth_m": 0.0, "severity": 1.0, "color": (-1.0,) * 3, "opacity": 1.0, "roughness": -1.0,
    "metallic": -1.0, "irregularity": 0.0, "softness": 0.0, "rim": 0.0, "seed": 7, "placement": 0, "count": 0,
}  # fmt: skip
MASKS = Outputs(rgb=False, rgb_linear=False, depth=False, normal=False, instance=False,
                annotations=("defect", "near_miss"))  # fmt: skip
EFFECTS = dataclasses.replace(MASKS, annotations=("effect", "defect"))
LOOKS = dataclasses.replace(MASKS, rgb_linear=True)


def record(kind: DefectKind, **values: Any) -> dict[str, Any]:
    """Return the values of a record: of a plain one, with these changes."""
    return {**PLAIN, "kind": kind, **values}


def marked_draft(stage: Scene, size_px: int, cam: Camera, rows: list[list[dict[str, Any]]]) -> Draft:
    """Return a draft whose row r has these records on instance 1."""
    setup = even_light(size_px)
    draft = authored_draft(stage, setup, (cam,), np.arange(len(rows)), np.zeros(len(rows), np.int32))
    slots = max(len(row) for row in rows)
    defects, bearer = new_defects(draft, slots), np.zeros((len(rows), slots), np.int32)
    for r, row in enumerate(rows):
        for k, values in enumerate(row):
            one = Defects(defects.record[r, k : k + 1])
            for name, value in values.items():
                one.set(name, value)
            bearer[r, k] = 1
    set_reach(defects)
    add_defects(draft, defects, instance=bearer, slots=(DefectSlot("test", 0, 0, ""),) * slots)
    return draft


def images(
    rows: list[list[dict[str, Any]]], *, width_m: float = 0.08, size_px: int = 64, threads: int = 1,
    outputs: Outputs = LOOKS, stage: Scene = FLOOR, cam: Camera | None = None,
) -> dict[str, NDArray[Any]]:  # fmt: skip
    """Return the images `linear`, `defect` and `near_miss` [row, y, x] of rows of records, seen from above."""
    cam = above(width_m) if cam is None else cam
    renderer = Renderer(stage, even_light(size_px), outputs, seed=0, device="cpu", threads=threads)
    frames = renderer.render(marked_draft(stage, size_px, cam, rows))
    renderer.close()
    return {"linear": frames.rgb_linear, **frames.annotations}  # type: ignore[dict-item]


def places(width_m: float, size_px: int) -> tuple[Array, Array, float]:
    """Return x and y [y, x] of the pixels' centres of a camera above, and how wide a pixel is [m]."""
    pixel = width_m / size_px
    x = (np.arange(size_px) + 0.5) * pixel - 0.5 * width_m
    return *np.meshgrid(x, -x), pixel


def within(d: Array, a: Array | float, softness: float, f: Array | float) -> Array:
    """Return the mean over a box of a profile that is 1 and falls over a share of its half width, by 2001 samples."""
    shift = (np.arange(2001) + 0.5) / 2001 - 0.5
    at = np.abs(d[..., None] + shift * np.asarray(f)[..., None])
    wide = np.maximum(np.asarray(a)[..., None], 1.0e-15)
    fade = np.maximum(wide * softness, wide * 1.0e-3)
    return np.asarray(np.clip((wide - at) / fade, 0.0, 1.0).mean(axis=-1))
