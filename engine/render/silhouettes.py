"""Silhouettes of a batch: launches that walk along the rays of all pixels of a window and count every instance."""

from __future__ import annotations

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.render.arrays import to_device
from engine.render.program import Program
from engine.render.stages import Stages, Target
from engine.render.views import span_of
from engine.scene.model import Scene

WORD_BITS = 32
CUDA_SLICE_PX = 1 << 20  # a ray has bits of its own there: 128 bytes where a thousand instances have several meshes


def window_pixels(stages: Stages, views: int) -> int:
    """Return the pixels of the windows of some views; 0: silhouettes are not asked for."""
    margin_px = stages.silhouette_margin_px
    return 0 if margin_px is None else views * (stages.rig.width + 2 * margin_px) * (stages.rig.height + 2 * margin_px)


class SilhouettePrograms:
    """The launches of a slice of the windows' pixels, recorded; which pixels it has is set before each run."""

    def __init__(self, stages: Stages, target: Target, slice_px: int) -> None:
        """Record launches for slices of up to `slice_px` pixels."""
        base, rig, margin_px = stages.base, stages.rig, stages.silhouette_margin_px
        assert margin_px is not None
        window = gpu.silhouette.Window()
        window.width, window.height, window.margin_px = rig.width + 2 * margin_px, rig.height + 2 * margin_px, margin_px
        self._span = span_of(0, slice_px, base.device)
        threads = -(-slice_px // self._span.run)
        bit = np.arange(base.instance_count, dtype=np.int32)[base.scene.placements.instance]
        if not base.opens_view:  # a placement is met once a ray
            bit = shared_bits(base.scene)
        seen = gpu.silhouette.Seen()
        seen.bit = to_device(bit, wp.int32, base.device)
        words = -(-(int(bit.max(initial=-1)) + 1) // WORD_BITS)
        seen.word = wp.zeros((threads, words), dtype=wp.uint32, device=base.device)
        seen.overflow = target.overflow
        self.clear, self.count = Program(base.device), Program(base.device)
        table = target.buffers.silhouettes
        views = int(target.views.row.shape[0])
        self.clear.launch(gpu.silhouette.clear_silhouettes, (views, base.instance_count), [table])
        shared = [target.worlds.geometry, target.views]
        if base.opens_view:
            arguments = [*shared, target.worlds.opacities, window, self._span, seen, table]
            self.count.launch(gpu.silhouette_passage.pass_silhouettes, threads, arguments)
        else:
            self.count.launch(gpu.silhouette.count_silhouettes, threads, [*shared, window, self._span, seen, table])

    def set_span(self, first: int, count: int) -> None:
        """Have the next run of `count` work on pixels `first` to `first + count` of the windows."""
        self._span.first, self._span.count = first, count


def shared_bits(scene: Scene) -> NDArray[np.int32]:
    """Return a number for every instance with several placements, [placement]; -1 for an instance's only one."""
    instance = scene.placements.instance
    count = np.bincount(instance, minlength=1)
    number = np.cumsum(count > 1) - 1
    bits: NDArray[np.int32] = np.where(count > 1, number, -1)[instance].astype(np.int32)
    return bits
