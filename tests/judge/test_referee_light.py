"""Light on the referee scenes is that of Blender's Cycles, but for what Blender's exporter changes.

What it changes, and is undone here: the environment is turned (its pole lies along Y on a stage whose up is Z), and a
sun has half its angle, at the same radiance a quarter of its strength. What it cannot express: Cycles fades a spot over
another range of angles than UsdLux, so that the rim of its cone differs.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.render import Outputs, Renderer
from engine.rig import authored_draft, rig_cameras
from engine.scene import load_scene
from engine.scene.model import Light, LightKind, Scene
from tests.kernels.scenes import rig

pytestmark = pytest.mark.judge

SPP, BLOCK_PX = 24, 32
LINEAR = Outputs(rgb=False, rgb_linear=True, depth=False, normal=False, instance=False)
DOME_AXES = np.array([[0.0, -1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])  # of Blender's world


def rendered(scene: Scene, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return linear radiance [y, x, 3] at quality `path`."""
    setup = rig(size_px=(shape[1], shape[0]), spp=SPP, quality="path")
    cameras = rig_cameras(scene, setup)
    draft = authored_draft(scene, setup, cameras, np.zeros(1, np.int64), np.zeros(1, np.int32))
    linear = Renderer(scene, setup, LINEAR, seed=0, device="cpu").render(draft).rgb_linear
    assert linear is not None
    return linear[0].astype(np.float64)


def as_authored(light: Light) -> Light:
    """Return a light as it was in Blender."""
    if light.kind == LightKind.DOME:
        return dataclasses.replace(light, world_from_light=DOME_AXES)
    return dataclasses.replace(light, half_angle_rad=2.0 * light.half_angle_rad)


def ratios(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ratio of the means of every block of 32 x 32 pixels."""

    def blocks(image: NDArray[np.float64]) -> NDArray[np.float64]:
        rows, columns = (size // BLOCK_PX for size in image.shape[:2])
        out = image.mean(axis=-1).reshape(rows, BLOCK_PX, columns, BLOCK_PX).mean(axis=(1, 3))
        return np.asarray(out, np.float64)

    return blocks(ours) / blocks(theirs)


def test_an_outdoor_scene_with_textures_is_as_bright_as_in_cycles(shared_dir: Path) -> None:
    folder = shared_dir / "referee" / "textured_pbr"
    theirs = np.load(folder / "cycles_linear.npy").astype(np.float64)[..., :3]
    scene = load_scene(folder / "scene_uvfixed.usda")
    ours = rendered(dataclasses.replace(scene, lights=tuple(map(as_authored, scene.lights))), theirs.shape)
    ratio = ratios(ours, theirs)
    assert ours.mean() == pytest.approx(theirs.mean(), rel=0.03)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.03)
    assert (np.abs(ratio - 1.0) < 0.05).mean() > 0.7
    assert (np.abs(ratio - 1.0) < 0.1).mean() > 0.95


def test_a_scene_with_lamps_is_as_bright_as_in_cycles_away_from_the_rim_of_the_spot(shared_dir: Path) -> None:
    folder = shared_dir / "referee" / "instancing_mods"
    theirs = np.load(folder / "cycles_linear.npy").astype(np.float64)[..., :3]
    ratio = ratios(rendered(load_scene(folder / "scene_tess.usdc"), theirs.shape), theirs)
    assert np.median(ratio) == pytest.approx(1.0, abs=0.01)
    assert (np.abs(ratio - 1.0) < 0.05).mean() > 0.8
