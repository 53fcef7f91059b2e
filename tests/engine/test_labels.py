"""Masks, boxes and counts agree with pycocotools, byte for byte."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from engine.frames import FrameKeys, Frames
from engine.labels.extract import labels_from_frames
from engine.labels.rle import masks_of, runs_of


def frames_of(instance: np.ndarray, depth_m: np.ndarray) -> Frames:
    views = len(instance)
    number = np.arange(views)
    keys = FrameKeys(number, number, number, np.zeros((views, 3, 3)), np.zeros((views, 3, 4)))
    return Frames(keys, None, None, depth_m, None, instance)


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (64, 48), (480, 640)])
@pytest.mark.parametrize("instances", [1, 3, 90])
def test_masks_are_the_bytes_that_pycocotools_writes(shape: tuple[int, int], instances: int) -> None:
    rng = np.random.default_rng(instances)
    coarse = rng.integers(0, instances + 1, (shape[0] // 6 + 1, shape[1] // 6 + 1))
    image = np.kron(coarse, np.ones((6, 6), int))[: shape[0], : shape[1]].astype(np.int32)
    image[rng.random(shape) < 0.05] = 0
    runs, _ = runs_of(image)
    seen, masks = masks_of(runs)
    assert seen.tolist() == [i for i in np.unique(image) if i > 0]
    for instance, counts in zip(seen, masks, strict=True):
        assert counts == coco_mask.encode(np.asfortranarray((image == instance).astype(np.uint8)))["counts"]


def test_a_mask_that_fills_the_image_has_no_closing_run() -> None:
    _, masks = masks_of(runs_of(np.ones((4, 3), np.int32))[0])
    assert masks == (coco_mask.encode(np.ones((4, 3), np.uint8, order="F"))["counts"],)


def test_boxes_areas_and_distances_are_those_of_the_pixels() -> None:
    rng = np.random.default_rng(5)
    instance = rng.integers(0, 6, (3, 12, 9)).astype(np.int32)
    instance[2] = 0
    depth = rng.uniform(1.0, 9.0, instance.shape).astype(np.float32)
    class_id = np.array([0, 4, 4, 0, 2, 9], np.int32)
    labels = labels_from_frames(frames_of(instance, depth), class_id)
    expected = [(v, i) for v in range(3) for i in range(1, 6) if (instance[v] == i).any()]
    assert list(zip(labels.view.tolist(), labels.instance.tolist(), strict=True)) == expected
    for row, (view, i) in enumerate(expected):
        y, x = np.nonzero(instance[view] == i)
        assert labels.box_px[row].tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
        assert labels.visible_px[row] == len(x)
        assert labels.distance_m[row] == depth[view][instance[view] == i].min()
        assert labels.class_id[row] == class_id[i]


def test_an_empty_view_has_no_rows() -> None:
    frames = frames_of(np.zeros((1, 4, 4), np.int32), np.full((1, 4, 4), np.inf, np.float32))
    assert len(labels_from_frames(frames, np.zeros(1, np.int32)).view) == 0


def test_labels_without_depth_are_refused() -> None:
    with pytest.raises(ValueError, match="depth_m"):
        labels_from_frames(
            Frames(frames_of(np.zeros((1, 2, 2), np.int32), np.zeros((1, 2, 2))).keys, *[None] * 5), np.zeros(1)
        )
