"""Masks of CUDA's kernels are those of the CPU's, and those that CuPy makes by the code that is NumPy's reference."""

from __future__ import annotations

import numpy as np
import pytest
import warp as wp

from engine.labels.rle import masks_of, runs_of
from engine.render.growing import Growing
from engine.render.masks import MaskReducer
from engine.render.spread import Crew
from tests.kernels.test_masks import assert_same, pictures, reduced

pytestmark = pytest.mark.gpu
CUDA = "cuda:0"


@pytest.mark.parametrize("name", pictures())
def test_masks_of_the_device_are_those_of_the_cpu(name: str) -> None:
    """To the bit, distances included: they are the least of whole numbers, in whatever order."""
    image = pictures()[name]
    most_id = int(image.max())
    depth_m = np.random.default_rng(0).uniform(0.5, 90.0, image.shape).astype(np.float32)
    reducer = MaskReducer(len(image), np.arange(1, most_id + 2, dtype=np.int32), Growing(CUDA))
    ids, depths = wp.array(image, dtype=int, device=CUDA), wp.array(depth_m, dtype=float, device=CUDA)
    expected = reduced(image, depth_m, most_id=most_id)
    for _ in range(2):
        assert_same(reducer.run(ids, depths, Crew(CUDA, 1, None)), expected)


@pytest.mark.parametrize("name", pictures())
def test_cupy_makes_the_masks_that_numpy_makes(name: str) -> None:
    cupy = pytest.importorskip("cupy")
    for image in pictures()[name]:
        instance, masks = masks_of(runs_of(image)[0])
        on_device, same = masks_of(runs_of(cupy.asarray(image), cupy)[0], cupy)
        assert cupy.asnumpy(on_device).tolist() == instance.tolist()
        assert same == masks
