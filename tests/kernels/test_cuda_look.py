"""CUDA shows paths, patterns, lenses and skies as the CPU does, but for rounding."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.materials import preset
from engine.defect import DefectKind
from engine.draft import Draft
from engine.frames import Frames
from engine.lens.fit import fit_lens
from engine.optics import LensConfig
from engine.recipe import Rig
from engine.render import Renderer
from engine.scene.model import Light, LightKind, Material, Scene
from tests.kernels.marked import FLOOR, LOOKS, marked_draft, record
from tests.kernels.scenes import ALL, camera, draft_of, look_at, pose, quad, rig, scene, sphere
from tests.kernels.test_render import LAMP
from tests.kernels.worn import above, bare, even_light, worn_draft

pytestmark = pytest.mark.gpu
CUDA, BLOCK_PX = "cuda:0", 8
DOME = Light("/dome", LightKind.DOME, np.eye(3, 4), (0.0, 0.0), 0.0, (0.3,) * 3)
CAMERA = camera(look_at((1.5, -2.0, 2.5), (0, 0, 0.4)))
BALLS = {
    "metal": Material("metal", base_color=(0.9, 0.6, 0.3), metallic=1.0, roughness=0.3),
    "coated": Material("coated", base_color=(0.2, 0.5, 0.8), clearcoat=1.0, clearcoat_roughness=0.1),
    "glass": Material("glass", opacity=0.0, ior=1.5, roughness=0.1),
    "veil": Material("veil", base_color=(0.2, 0.5, 0.8), opacity=0.5, presence=True),
}
LENSES = {
    "brown_conrady": LensConfig("brown_conrady", (-0.28, 0.09, 0.0006, -0.0004), fov_deg=100.0),
    "kannala_brandt": LensConfig("kannala_brandt", (-0.018, 0.004, -0.0021, 0.0003), fov_deg=200.0, max_fov_deg=200.0),
    "equirectangular": LensConfig("equirectangular", (), fov_deg=360.0),
}


def stage_of(ball: Material) -> Scene:
    return scene([(quad(6.0), pose()), (sphere(0.5), pose(at=(0.2, 0.1, 0.6)))], lights=(LAMP, DOME), materials=(ball,))


def on_both(stage: Scene, setup: Rig, draft: Draft) -> tuple[Frames, Frames]:
    """Return the frames of the CPU and of CUDA."""
    here, there = (Renderer(stage, setup, ALL, seed=3, device=device).render(draft) for device in ("cpu", CUDA))
    return here, there


def blocks(frames: Frames) -> NDArray[np.float64]:
    """Return means of blocks of pixels: bounces amplify the last bits of floats."""
    assert frames.rgb_linear is not None
    count, height, width, _ = frames.rgb_linear.shape
    shape = (count, height // BLOCK_PX, BLOCK_PX, width // BLOCK_PX, BLOCK_PX, 3)
    return np.asarray(frames.rgb_linear.astype(np.float64).reshape(shape).mean(axis=(2, 4)))


def assert_labels_alike(here: Frames, there: Frames) -> None:
    assert here.instance is not None
    assert there.instance is not None
    assert here.depth_m is not None
    assert there.depth_m is not None
    same = here.instance == there.instance
    assert same.mean() >= 1.0 - 5e-4
    finite = same & np.isfinite(here.depth_m)
    assert there.depth_m[finite] == pytest.approx(here.depth_m[finite], rel=1e-4)


@pytest.mark.parametrize("quality", ["direct", "path"])
@pytest.mark.parametrize("ball", ["coated", "veil"])
def test_both_devices_annotate_the_same_surfaces_and_shadows(ball: str, quality: str) -> None:
    """But for few pixels: at edges of layers, and where a shadow ray grazes something."""
    names = ("albedo", "roughness", "metallic", "effect", "shadow", "shadow_lit")
    stage, setup = stage_of(BALLS[ball]), rig(size_px=(96, 64), spp=4, quality=quality)
    layers = {"rust": 0.3, "stain": 0.2, "dust": 0.3, "wear": 0.4}
    draft = worn_draft(stage, setup, CAMERA, {"worn": preset("weathered", layers=layers)})
    outputs = dataclasses.replace(ALL, annotations=names)
    here, there = (Renderer(stage, setup, outputs, seed=3, device=device).render(draft) for device in ("cpu", CUDA))
    for name in names:
        scale = 255.0 if name == "effect" else 1.0
        apart = np.abs(here.annotations[name].astype(np.float64) - there.annotations[name]) / scale
        assert (apart > 0.01).mean() < 0.01
        assert here.annotations[name].any() or name == "metallic"


@pytest.mark.parametrize("ball", BALLS)
def test_both_devices_trace_the_same_paths(ball: str) -> None:
    setup = dataclasses.replace(rig(size_px=(96, 64), spp=16, quality="path"), bounces=5)
    stage = stage_of(BALLS[ball])
    here, there = on_both(stage, setup, draft_of(stage, setup, CAMERA, [0, 1]))
    assert_labels_alike(here, there)
    assert blocks(there) == pytest.approx(blocks(here), rel=0.05, abs=5e-3)
    assert blocks(there).mean() == pytest.approx(blocks(here).mean(), rel=2e-3)


@pytest.mark.parametrize("name", LENSES)
def test_both_devices_bend_rays_alike(name: str) -> None:
    setup = rig(size_px=(96, 64), spp=2)
    stage = stage_of(BALLS["metal"])
    draft = draft_of(stage, setup, CAMERA, [0, 1])
    fit_lens(draft, np.array([0]), LENSES[name], (96, 64), where="lens")
    here, there = on_both(stage, setup, draft)
    assert_labels_alike(here, there)
    assert blocks(there) == pytest.approx(blocks(here), rel=0.02, abs=2e-3)


@pytest.mark.parametrize("quality", ["direct", "path"])
def test_both_devices_dress_surfaces_alike(quality: str) -> None:
    layers = {"rust": 0.2, "stain": 0.1, "dust": 0.3, "wear": 0.5}
    stage = stage_of(BALLS["metal"])
    setup = rig(size_px=(64, 48), spp=4, quality=quality)
    draft = worn_draft(stage, setup, CAMERA, bare("concrete", layers=layers, bump_m=1.0e-4), worlds=(0, 1))
    here, there = on_both(stage, setup, draft)
    assert blocks(there) == pytest.approx(blocks(here), rel=0.05, abs=5e-3)


def test_defects_are_those_of_the_cpu() -> None:
    """All kinds at once, each a world: images to rounding in blocks, and all but few pixels of the masks."""
    kinds = [kind for kind in DefectKind if kind is not DefectKind.NONE]
    shape = {"length_m": 0.05, "width_m": 0.03, "depth_m": 0.002, "count": 6, "irregularity": 0.5}
    rows = [[record(kind, **shape, color=(0.5, 0.1, 0.0))] for kind in kinds]
    draft = marked_draft(FLOOR, 64, above(0.08), rows)
    setup = even_light(64)
    here, there = (Renderer(FLOOR, setup, LOOKS, seed=3, device=device).render(draft) for device in ("cpu", CUDA))
    for name in ("defect", "near_miss"):
        assert (here.annotations[name] != there.annotations[name]).mean() < 1.0e-3
    assert np.abs(blocks(here) - blocks(there)).max() < 2.0e-3
