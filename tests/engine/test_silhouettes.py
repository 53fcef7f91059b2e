"""Silhouettes of whole scenes are those of every instance rendered alone, and datasets hold what they say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from engine.config import compose
from engine.factory import build_factory, load_recipe_scene
from engine.rig import authored_draft, rig_cameras
from engine.scene import load_scene
from tests.kernels.alone import alone, assert_alone, assert_row, whole
from tests.kernels.scenes import rig

CAMERA_SIDE = (64, 48)


@pytest.mark.parametrize("lens", ["as_authored", "fisheye"])
def test_instances_of_the_warehouse_are_whole(lens: str) -> None:
    """Racks, walls around the camera and cut pallets of randomised worlds; of the most hidden and of the largest."""
    recipe, job = compose("+scene=warehouse", "rig.width=64", "rig.height=48", f"lens={lens}", "quality=direct")
    recipe, stage = load_recipe_scene(recipe, job)
    setup = dataclasses.replace(recipe.rig, quality="labels", spp=1)
    factory = build_factory(recipe, stage, device="cpu", threads=1)
    draft = factory.draft([3, 4])
    draft.center_px[:] = np.round(draft.center_px * 2.0) / 2.0  # so that a shift by whole pixels is exact
    factory.renderer.close()
    frames, labels = whole(stage, draft, setup)
    assert frames.instance is not None
    assert labels.amodal is not None
    hidden = np.argsort(labels.visible_px / labels.amodal.full_px)
    rows = sorted({*hidden[:8].tolist(), *np.argsort(labels.amodal.full_px)[-4:].tolist()})
    assert labels.amodal.is_cut[rows].any() == (lens == "as_authored")  # a fisheye's image ends inside the window
    for row in rows:
        masks = alone(stage, draft, setup, int(labels.instance[row]), 1.0)
        assert_row(labels, row, masks[labels.view[row]], frames.instance[labels.view[row]], 1.0)


@pytest.mark.parametrize(
    "name", ["03_intentvfx_simpleAsset/scenes/simpleAssetScene.usd", "09_arnold_nestedInstances/data/test.usda"]
)
def test_instances_of_other_peoples_scenes_are_whole(shared_dir: Path, name: str) -> None:
    """Thousands of instances, of instancers within instancers."""
    stage = load_scene(shared_dir / "usd" / name)
    setup = dataclasses.replace(rig(size_px=CAMERA_SIDE, quality="labels"), cameras=("auto",))
    draft = authored_draft(stage, setup, rig_cameras(stage, setup), np.zeros(1, np.int64), np.zeros(1, np.int32))
    draft.center_px[:] = np.round(draft.center_px * 2.0) / 2.0
    labels = assert_alone(stage, draft, setup, most=6)
    assert len(labels.view) > 50
