"""Normals, masks, boxes and amodal counts of the referee scenes against the arrays that Blender's Cycles stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from engine.draft import Draft
from engine.frames import Frames
from engine.labels.config import LabelConfig
from engine.labels.extract import labels_from_frames
from engine.labels.model import Labels
from engine.render import Outputs, Renderer
from engine.rig import authored_draft, rig_cameras
from engine.scene import load_scene
from engine.scene.model import Scene
from tests.judge.test_referee_depth import AS_RENDERED, reference_ids, stored
from tests.kernels.scenes import rig

pytestmark = pytest.mark.judge

OUTPUTS = Outputs(
    rgb=False, rgb_linear=False, depth=True, normal=True, instance=True, labels=LabelConfig(margin=0.25)
)  # fmt: skip
NORMAL_COS = 0.98  # Cycles interpolates normals of a cage refined three times, ours are those of the limit surface
SMOOTH_SHARE = 0.99  # of the pixels that both see; the rest lies at creases, where half a pixel turns a normal
BUMPED = {"Brick", "Rubber", "PaintedMetal"}  # Cycles' normals include what these materials add to them
FEW_PX = 12  # an instance's outline may differ by so many pixels, or by a hundredth of them


def labelled(scene: Scene, shape: tuple[int, ...]) -> tuple[Frames, Labels]:
    """Return one frame of the scene's own camera, and its labels as the renderer reduced them."""
    setup = rig(size_px=(shape[1], shape[0]), spp=1, quality="labels")
    cameras = rig_cameras(scene, setup)
    draft: Draft = authored_draft(scene, setup, cameras, np.zeros(1, np.int64), np.zeros(1, np.int32))
    renderer = Renderer(scene, setup, OUTPUTS, seed=0, device="cpu")
    try:
        frames = renderer.render(draft)
    finally:
        renderer.close()
    return frames, labels_from_frames(frames, scene.instances.class_id)


def box_of(mask: NDArray[np.bool_]) -> list[int]:
    y, x = np.nonzero(mask)
    return [int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1]


@pytest.mark.parametrize("name", AS_RENDERED)
def test_masks_and_boxes_are_those_of_the_ids_that_cycles_stored(shared_dir: Path, name: str) -> None:
    """Every object that Cycles sees has a row, whose mask and tight box are the reference's but for single pixels."""
    file = shared_dir / "referee" / name
    _, ids, facts = stored(file.parent)
    scene = load_scene(file)
    _, labels = labelled(scene, ids.shape)
    of_reference = reference_ids(scene, facts)[labels.instance]
    assert set(of_reference) == set(np.unique(ids)) - {0}
    assert labels.amodal is not None
    for row, number in enumerate(of_reference):
        seen = ids == number
        count = int(seen.sum())
        few = FEW_PX + 0.01 * count
        decoded = coco_mask.decode({"size": list(ids.shape), "counts": labels.rle[row]}).astype(bool)
        assert np.count_nonzero(decoded != seen) <= few, scene.instances.path[labels.instance[row]]
        assert abs(int(labels.visible_px[row]) - count) <= few
        assert labels.box_px[row].tolist() == box_of(decoded)
        if count > 10 * FEW_PX:
            assert np.abs(labels.box_px[row] - box_of(seen)).max() <= 1
        assert labels.amodal.in_frame_px[row] >= labels.visible_px[row]


@pytest.mark.parametrize("name", AS_RENDERED)
def test_normals_are_those_of_cycles(shared_dir: Path, name: str) -> None:
    """World normals of the pixel centres, where both see the same object."""
    file = shared_dir / "referee" / name
    _, ids, facts = stored(file.parent)
    reference = np.load(file.parent / "normal.npy").astype(np.float64)
    scene = load_scene(file)
    frames, _ = labelled(scene, ids.shape)
    assert frames.normal is not None
    assert frames.instance is not None
    plain = [int(number) for number, fact in facts.items() if BUMPED.isdisjoint(fact["materials"])]
    same = (reference_ids(scene, facts)[frames.instance[0]] == ids) & np.isin(ids, plain)
    cos = np.sum(frames.normal[0] * reference, axis=-1)[same]
    assert np.median(cos) > 0.99999
    assert np.mean(cos > NORMAL_COS) >= SMOOTH_SHARE
