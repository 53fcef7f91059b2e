"""The annotator of shadows: what its launches are, in place of those of shadow rays and beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import warp as wp

from engine import gpu
from engine.render.program import Program

if TYPE_CHECKING:
    from engine.render.stages import Target

SHADOW_IMAGES = ("shadow", "shadow_lit")  # of kernels/annotate_shadow.py


def new_shadow_images(device: str) -> Any:
    """Return kernels.annotate_shadow.ShadowImages without memory."""
    images = gpu.annotate_shadow.ShadowImages()
    images.shadow = wp.empty((0, 0, 0), dtype=wp.float32, device=device)
    images.shadow_lit = wp.empty((0, 0, 0), dtype=wp.uint8, device=device)
    return images


class ShadowWatch:
    """Keeps how much of the light of a slice's pixels arrives."""

    def __init__(self, target: Target, images: Any, slice_px: int) -> None:
        self._target, self._images, self._slice_px = target, images, slice_px
        device = target.overflow.device
        self._light, self._sum = (wp.zeros(slice_px, dtype=wp.vec2, device=device) for _ in range(2))

    def record_begin(self, program: Program) -> None:
        """Record what comes before the first sample."""
        program.launch(gpu.annotate_shadow.clear_light, self._slice_px, [self._target.span, self._sum])

    def record_end(self, program: Program) -> None:
        """Record what comes after the last sample."""
        inputs = [self._target.views, self._target.span, self._sum, self._images]
        program.launch(gpu.annotate_shadow.write_shadow, self._slice_px, inputs)

    def record_trace(self, program: Program, span: Any, points: Any, rays: Any, radiance: wp.array) -> None:
        """Record shadow rays that something opaque blocks or nothing; the arguments are those of `trace_shadow`."""
        inputs = [self._target.worlds.geometry.trees, span, points, rays, radiance, self._light]
        program.launch(gpu.annotate_shadow.trace_watched_shadow, -(-self._slice_px // span.run), inputs)

    def record_pass(self, program: Program, span: Any, points: Any, rays: Any, arriving: Any) -> None:
        """Record shadow rays that may pass what is in their way; the arguments are those of `pass_shadow`."""
        worlds, watched = self._target.worlds, gpu.annotate_shadow_passage.Watched()
        watched.arriving, watched.light = arriving, self._light
        inputs = [worlds.geometry, worlds.opacities, worlds.lights.link, span, points, rays, watched]
        program.launch(gpu.annotate_shadow_passage.pass_watched_shadow, self._slice_px, inputs)

    def record_sum(self, program: Program, bounce: Any = None) -> None:
        """Record the sum over samples; `bounce` says which pixels rays belong to, None: each to its own."""
        if bounce is None:
            inputs = [self._target.span, self._light, self._sum]
            program.launch(gpu.annotate_shadow.add_light, self._slice_px, inputs)
        else:
            program.launch(gpu.annotate_shadow.add_path_light, self._slice_px, [bounce, self._light, self._sum])


def shadow_watch(target: Target, slice_px: int) -> ShadowWatch | None:
    """Return what keeps the light of a slice, None: nobody asks for it."""
    images = next((target.buffers.holders[name] for name in SHADOW_IMAGES if name in target.buffers.holders), None)
    return None if images is None else ShadowWatch(target, images, slice_px)
