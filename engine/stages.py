"""The stages of a launch, kernel after kernel, for a run of pixels: rays, labels, then light and colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import warp as wp

from engine import gpu
from engine.buffers import Buffers, Scratch
from engine.recipe import Rig
from engine.views import span_of
from engine.worlds import SceneOnDevice, Worlds


@dataclass(frozen=True)
class Stages:
    """What all launches of a renderer have in common."""

    base: SceneOnDevice
    rig: Rig
    slice_px: int  # pixels that a launch has at most
    key: Any  # kernels.random.RandomKey of the pixels
    srgb: Any  # kernels.film.SrgbTable; None at quality `labels`

    @property
    def _centers_only(self) -> bool:
        """Whether rgb is what the pixels' centres see: one sample goes there, and then no pixel is an edge."""
        return self.rig.spp == 1 and not self.base.opens_view

    def _launch(self, kernel: Any, count: int, arguments: list[Any]) -> None:
        wp.launch(kernel, count, arguments, device=self.base.device, record_tape=False)

    def _launch_runs(self, kernel: Any, span: Any, arguments: list[Any]) -> None:
        """Launch a kernel whose threads have `span.run` pixels each."""
        self._launch(kernel, -(-span.count // span.run), arguments)

    def trace(self, worlds: Worlds, views: Any, buffers: Buffers, first: int, count: int) -> None:
        """Write the hits and the labels of pixels `first` to `first + count`."""
        geometry, labels, span = worlds.geometry, buffers.labels, span_of(first, count, self.base.device)
        if not self.base.opens_view:
            self._launch_runs(gpu.trace.trace_primary, span, [geometry.trees, views, span, buffers.hit])
        else:
            overflow = self._overflow(buffers, first)
            inputs = [geometry, views, worlds.opacities, first, buffers.hit, labels.mixed, overflow]
            self._launch(gpu.passage.pass_primary, count, inputs)
        self._launch_runs(gpu.resolve.resolve_labels, span, [geometry, views, span, buffers.hit, buffers.labels])

    def _overflow(self, buffers: Buffers, first: int) -> wp.array:
        """Return the counter of a slice: threads on the CPU do not share one."""
        index = first // self.slice_px
        return buffers.overflow[index : index + 1]

    def shade(self, worlds: Worlds, views: Any, buffers: Buffers, own: Scratch, first: int, count: int) -> None:
        """Write the colours of pixels `first` to `first + count`."""
        geometry, lights = worlds.geometry, worlds.lights
        span = span_of(first, count, self.base.device)
        if not self._centers_only:
            self._launch_runs(gpu.resolve.mark_edges, span, [views, buffers.labels, span, buffers.edge])
        own.radiance.zero_()
        sampling = gpu.sample.Sampling()
        sampling.span, sampling.sample_count, sampling.key = span, self.rig.spp, self.key
        if own.layers is not None:
            own.layers.overflow = self._overflow(buffers, first)
        for sample in range(self.rig.spp):
            sampling.sample = sample
            if self.base.opens_view:
                self._shade_layers(worlds, views, buffers, own, sampling, count)
                continue
            if not self._centers_only:
                self._launch_runs(gpu.sample.trace_samples, span, [geometry.trees, views, sampling, own.hits])
            inputs = [geometry, views, worlds.materials, sampling, own.hits, own.points]
            self._launch_runs(gpu.point.find_points, span, inputs)
            inputs = [views, lights, sampling, own.points, own.rays, own.radiance]
            self._launch_runs(gpu.shade.light_points, span, inputs)
            self._trace_shadows(worlds, own, own.points, own.radiance, span)
        inputs = [views, span, self.rig.spp, self.srgb, own.radiance, buffers.color]
        self._launch_runs(gpu.film.develop, span, inputs)

    def _trace_shadows(self, worlds: Worlds, own: Scratch, points: Any, radiance: Any, span: Any) -> None:
        if not self.base.opens_shadow:
            inputs = [worlds.geometry.trees, span, points, own.rays, radiance]
            self._launch_runs(gpu.shadow.trace_shadow, span, inputs)
            return
        inputs = [worlds.geometry, worlds.opacities, worlds.lights.link, points, own.rays, radiance]
        self._launch(gpu.shadow_passage.pass_shadow, span.count, [*inputs, own.layers.overflow])

    def _shade_layers(
        self, worlds: Worlds, views: Any, buffers: Buffers, own: Scratch, sampling: Any, count: int
    ) -> None:
        """Add one sample of every pixel: surface after surface along its ray, until no ray goes on."""
        geometry, lights, opacities, layers = worlds.geometry, worlds.lights, worlds.opacities, own.layers
        for layer in range(gpu.passage.MAX_LAYERS):
            layers.index = own.hits.layer = layer
            points = own.points if layer == 0 else own.layer_points
            inputs = [geometry, views, opacities, sampling, layers, own.hits]
            self._launch(gpu.passage.pass_samples, count, inputs)
            inputs = [geometry, views, worlds.materials, sampling, own.hits, points]
            self._launch_runs(gpu.point.find_points, sampling.span, inputs)
            inputs = [geometry, views, opacities, sampling, own.hits, points, layers]
            self._launch(gpu.passage.fade_points, count, inputs)
            inputs = [views, lights, sampling, points, own.rays, layers.radiance]
            self._launch_runs(gpu.shade.light_points, sampling.span, inputs)
            self._trace_shadows(worlds, own, points, layers.radiance, sampling.span)
            layers.open_rays.zero_()
            is_last = int(layer == gpu.passage.MAX_LAYERS - 1)
            self._launch(gpu.passage.add_layer, count, [is_last, layers, layers, own.radiance])
            if not layers.open_rays.numpy()[0]:
                return
