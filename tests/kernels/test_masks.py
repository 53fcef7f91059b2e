"""Masks reduced by kernels are the bytes that pycocotools writes, and what NumPy makes of the same images."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import warp as wp
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from engine.frames import FrameKeys, Frames
from engine.labels.extract import labels_from_frames
from engine.labels.model import Labels
from engine.render.growing import Growing
from engine.render.masks import MaskReducer
from engine.render.spread import Crew


def reduced(image: NDArray[np.int32], depth_m: NDArray[np.float32], *, most_id: int, threads: int = 1) -> Labels:
    """Return the labels of images [view, y, x]; the class of an instance is its id plus 1."""
    class_id = np.arange(1, most_id + 2, dtype=np.int32)
    reducer = MaskReducer(len(image), class_id, Growing("cpu"))
    with ThreadPoolExecutor(max(threads - 1, 1)) as pool:
        crew = Crew("cpu", threads, pool if threads > 1 else None)
        arrays = (wp.array(values, dtype=kind, device="cpu") for values, kind in ((image, int), (depth_m, float)))
        return reducer.run(*arrays, crew)


def by_numpy(image: NDArray[np.int32], depth_m: NDArray[np.float32], *, most_id: int) -> Labels:
    number = np.arange(len(image))
    keys = FrameKeys(number, number, number, np.zeros((len(image), 3, 3)), np.zeros((len(image), 3, 4)))
    frames = Frames(keys, None, None, depth_m, None, image)
    return labels_from_frames(frames, np.arange(1, most_id + 2, dtype=np.int32))


def assert_same(first: Labels, second: Labels) -> None:
    for name in ("view", "instance", "class_id", "visible_px", "box_px", "distance_m"):
        a, b = getattr(first, name), getattr(second, name)
        assert a.dtype == b.dtype, name
        assert np.array_equal(a, b), name
    assert first.rle == second.rle


def blocks(shape: tuple[int, int, int], ids: int, seed: int) -> NDArray[np.int32]:
    """Return views of blocks of ids with holes."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, ids + 1, (shape[0], shape[1] // 6 + 1, shape[2] // 6 + 1))
    image = np.kron(coarse, np.ones((1, 6, 6), int))[:, : shape[1], : shape[2]].astype(np.int32)
    image[rng.random(shape) < 0.05] = 0
    return image


def pictures() -> dict[str, NDArray[np.int32]]:
    """Return images that masks may fail on."""
    y, x = np.mgrid[:37, :41]
    rng = np.random.default_rng(1)
    dots = np.zeros((2, 37, 41), np.int32)
    dots[0, 0, 0], dots[0, -1, -1], dots[1, 36, 3], dots[1, 0, 4] = 1, 2, 3, 3
    return {
        "empty": np.zeros((2, 7, 5), np.int32),
        "full": np.full((1, 7, 5), 3, np.int32),
        "one pixel, nothing": np.zeros((1, 1, 1), np.int32),
        "one pixel": np.ones((1, 1, 1), np.int32),
        "one row": (np.arange(50, dtype=np.int32) // 7 % 3)[None, None],
        "one column": (np.arange(50, dtype=np.int32) // 7 % 3)[None, :, None],
        "dots": dots,
        "columns": np.tile((x % 3).astype(np.int32), (2, 1, 1)),
        "rows": np.tile((y % 3).astype(np.int32), (2, 1, 1)),
        "whole columns": np.tile((x // 9 % 2 + 1).astype(np.int32), (1, 1, 1)),
        "long runs": np.repeat(np.arange(1, 8, dtype=np.int32), 217)[:1517].reshape(1, 41, 37).transpose(0, 2, 1),
        "noise": rng.integers(0, 5, (3, 37, 41)).astype(np.int32),
        "many ids": rng.integers(0, 2000, (2, 37, 41)).astype(np.int32),
        "huge ids": rng.choice(np.array([0, 1, 70_000, 3_999_999], np.int32), (2, 37, 41)),
        "blocks": blocks((3, 64, 48), 30, 4),
        "large": blocks((1, 480, 640), 200, 5),
    }


@pytest.mark.parametrize("name", pictures())
def test_masks_areas_and_boxes_are_those_of_pycocotools(name: str) -> None:
    image = pictures()[name]
    most_id = int(image.max())
    depth_m = np.random.default_rng(0).uniform(0.5, 90.0, image.shape).astype(np.float32)
    depth_m[image == 0] = np.inf
    labels = reduced(image, depth_m, most_id=most_id)
    seen = [(view, i) for view in range(len(image)) for i in np.unique(image[view]).tolist() if i]
    assert list(zip(labels.view.tolist(), labels.instance.tolist(), strict=True)) == seen
    for row, (view, i) in enumerate(seen):
        mask = coco_mask.encode(np.asfortranarray((image[view] == i).astype(np.uint8)))
        assert labels.rle[row] == mask["counts"]
        assert labels.visible_px[row] == coco_mask.area(mask)
        box = labels.box_px[row]
        assert [*box[:2], *(box[2:] - box[:2])] == coco_mask.toBbox(mask).tolist()
        assert labels.distance_m[row] == depth_m[view][image[view] == i].min()
        assert labels.class_id[row] == i + 1


@pytest.mark.parametrize("name", ["noise", "blocks", "huge ids", "empty", "large"])
def test_numpy_makes_the_same_labels_of_the_images(name: str) -> None:
    """With any number of threads."""
    image = pictures()[name]
    most_id = int(image.max())
    depth_m = np.random.default_rng(0).uniform(0.5, 90.0, image.shape).astype(np.float32)
    expected = by_numpy(image, depth_m, most_id=most_id)
    for threads in (1, 3):
        assert_same(reduced(image, depth_m, most_id=most_id, threads=threads), expected)


def test_a_reducer_is_used_again_with_what_it_has() -> None:
    """A batch that sees much, one that sees little, and the first again: memory is left over, nothing else."""
    depth_m = np.ones((2, 37, 41), np.float32)
    much, little = (pictures()[name] for name in ("many ids", "dots"))
    reducer, crew = MaskReducer(2, np.zeros(2000, np.int32), Growing("cpu")), Crew("cpu", 1, None)
    results = [
        reducer.run(wp.array(image, dtype=int, device="cpu"), wp.array(depth_m, device="cpu"), crew)
        for image in (much, little, much)
    ]
    assert_same(results[0], results[2])
    assert results[1].instance.tolist() == [1, 2, 3]
