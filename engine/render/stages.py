"""The stages of a launch, kernel after kernel, for a slice of pixels: rays, labels, then light and colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import warp as wp

from engine import gpu
from engine.labels.config import LabelConfig
from engine.recipe import Rig
from engine.render.annotations import NORMAL_READERS, OUTLINE_IMAGE, record_annotations, record_outlines
from engine.render.arrays import copied
from engine.render.augment import AugmentOnDevice
from engine.render.buffers import Buffers, Scratch
from engine.render.denoise import Denoiser
from engine.render.depth_sensor import DepthModel
from engine.render.exposure import blurs, shot_shares
from engine.render.lidar import MountedLidar
from engine.render.paths import PathPrograms
from engine.render.program import Program
from engine.render.sensor import SensorOnDevice
from engine.render.shadow_annotations import shadow_watch
from engine.render.worlds import SceneOnDevice, Worlds


@dataclass(frozen=True)
class Stages:
    """What all launches of a renderer have in common."""

    base: SceneOnDevice
    rig: Rig
    shaded: bool
    key: Any  # kernels.random.RandomKey of the pixels
    srgb: Any  # kernels.film.SrgbTable; None at quality `labels`
    depth: DepthModel | None = None  # a depth camera
    depth_key: tuple[int, int] = (0, 0)  # of its random numbers
    lidar: MountedLidar | None = None
    sensor: SensorOnDevice | None = None  # None: the ideal one
    denoiser: Denoiser | None = None
    annotations: tuple[str, ...] = ()  # images of engine.annotators.ANNOTATIONS
    keypoint_tolerance_m: float | None = None  # None: keypoints are not asked for
    labels: LabelConfig | None = None  # reduced on the device; None: not asked for
    augment: AugmentOnDevice | None = None  # None: pictures stay as they are

    @property
    def marks_edges(self) -> bool:
        """Return whether pixels across an edge get rays of their own, and not the one through their centre."""
        return self.shaded and (self.rig.spp > 1 or self.base.opens_view or blurs(self.rig))

    @property
    def reads_neighbours(self) -> bool:
        """Return whether what follows tracing looks at pixels that another slice may have traced."""
        return self.marks_edges or self.depth is not None or OUTLINE_IMAGE in self.annotations

    @property
    def reads_normals(self) -> bool:
        """Return whether what follows labels needs their normals, whoever else asks for them."""
        return self.marks_edges or any(name in NORMAL_READERS for name in self.annotations)


@dataclass(frozen=True)
class Target:
    """What the launches of a slice read and write."""

    worlds: Worlds
    views: Any  # kernels.camera.Views
    buffers: Buffers
    scratch: Scratch | None  # None: nothing is shaded
    overflow: wp.array  # [1], rays that met more surfaces than are followed
    span: Any  # kernels.camera.Span
    light: wp.array | None = None  # [view, y, x], radiance for the sensor or the denoiser; None: neither
    albedo: wp.array | None = None  # [view, y, x], for the denoiser


class SlicePrograms:
    """The launches of a slice, recorded; which pixels it has is set before each run."""

    def __init__(self, stages: Stages, target: Target, slice_px: int) -> None:
        """Record launches for slices of up to `slice_px` pixels."""
        self._stages, self._target, self._slice_px = stages, target, slice_px
        self._spans = [target.span]
        self._watch = shadow_watch(target, slice_px) if stages.shaded else None
        self.trace, self.shade = Program(stages.base.device), Program(stages.base.device)
        self._sample = Program(stages.base.device)
        self.develop = Program(stages.base.device)  # once whole images are denoised
        self._record_trace()
        record_outlines(self.shade, target, self._threads)
        if stages.depth is not None:
            self._record_depth(stages.depth)
        if stages.shaded:
            self._record_shade()

    def set_span(self, first: int, count: int) -> None:
        """Have the next runs work on pixels `first` to `first + count`."""
        for span in self._spans:
            span.first, span.count = first, count

    @property
    def _threads(self) -> int:
        """Return how many threads a slice needs whose threads have `span.run` pixels each."""
        return -(-self._slice_px // self._target.span.run)

    def _runs(self, program: Program, kernel: Any, arguments: list[Any]) -> None:
        """Record a kernel whose threads have `span.run` pixels each."""
        program.launch(kernel, self._threads, arguments)

    def _record_trace(self) -> None:
        at, program = self._target, self.trace
        geometry, buffers = at.worlds.geometry, at.buffers
        self._runs(program, gpu.trace.trace_primary, [geometry.trees, at.views, at.span, buffers.hit])
        if self._stages.base.opens_view:
            opacities, mixed = at.worlds.opacities, buffers.labels.mixed
            inputs = [geometry, at.views, opacities, at.span, buffers.hit, mixed, at.overflow]
            self._runs(program, gpu.passage.pass_primary, inputs)
        self._runs(program, gpu.resolve.resolve_labels, [geometry, at.views, at.span, buffers.hit, buffers.labels])
        record_annotations(program, at, self._stages.base, self._threads)

    def _record_depth(self, model: DepthModel) -> None:
        """Record what a depth camera sees, and after it what it measures, which depends on neighbours."""
        at, seen = self._target, self._target.buffers.seen
        geometry, materials, hit = at.worlds.geometry, at.worlds.materials, at.buffers.hit
        inputs = [geometry, at.views, materials, at.span, hit, model.mirror_alpha, seen]
        self._runs(self.trace, gpu.depth_sensor.sense_surfaces, inputs)
        if model.flight is not None:
            self._runs(self.shade, gpu.depth_sensor.measure_flight, [at.views, at.span, model.flight, seen])
            return
        inputs = [geometry.trees, at.views, at.span, model.triangulation, seen]
        self._runs(self.shade, gpu.depth_sensor.triangulate, inputs)

    def _record_shade(self) -> None:
        stages, at, program = self._stages, self._target, self.shade
        own = at.scratch
        assert own is not None
        if stages.marks_edges:
            inputs = [at.views, at.buffers.labels, at.span, at.buffers.edge]
            self._runs(program, gpu.resolve.mark_edges, inputs)
        program.call(own.radiance.zero_)
        if self._watch is not None:
            self._watch.record_begin(program)
        if at.albedo is not None:
            program.launch(gpu.albedo.clear_albedo, self._slice_px, [at.views, at.span, at.albedo])
        sampling = gpu.sample.Sampling()
        sampling.span, sampling.sample_count, sampling.key = at.span, stages.rig.spp, stages.key
        self._spans.append(sampling.span)
        self._record_sample(sampling)
        program.call(lambda: self._run_samples(sampling))
        if self._watch is not None:
            self._watch.record_end(program)
        if at.light is None:
            inputs = [at.views, at.span, stages.rig.spp, stages.srgb, own.radiance, at.buffers.color]
            self._runs(program, gpu.film.develop, inputs)
        else:
            inputs = [at.views, at.span, stages.rig.spp, own.radiance, at.light, at.buffers.color]
            self._runs(program, gpu.sensor.keep_radiance, inputs)
        if stages.denoiser is not None and stages.sensor is None:
            inputs = [at.views, at.span, stages.srgb, at.light, at.buffers.color]
            self._runs(self.develop, gpu.film.develop_image, inputs)

    def _record_sample(self, sampling: Any) -> None:
        """Record one sub-pixel sample, whose number is set before each run."""
        stages, at, program = self._stages, self._target, self._sample
        own = at.scratch
        assert own is not None
        paths = None if own.paths is None else PathPrograms(stages, at, self._slice_px, program, self._watch)
        if paths is not None and stages.base.opens_view:
            paths.record_from_camera(sampling)
            return
        if stages.base.opens_view:
            self._record_layers(own, sampling)
            self._record_albedo(sampling, own.points)
            return
        if stages.marks_edges:
            inputs = [at.worlds.geometry.trees, at.views, sampling, own.hits]
            self._runs(program, gpu.sample.trace_samples, inputs)
        self._find_points(program, sampling, own.hits, own.points)
        self._light_points(program, sampling, own.points, own.radiance)
        self._record_albedo(sampling, own.points)
        if paths is not None:
            paths.record_bounces(sampling)

    def _run_samples(self, sampling: Any) -> None:
        for sample in range(sampling.sample_count):
            sampling.sample = sample
            sampling.shot_share = wp.vec3(*shot_shares(sample, sampling.sample_count))
            self._sample.run()

    def _record_albedo(self, sampling: Any, points: Any) -> None:
        """Record what a denoiser wants to know of the present sample."""
        at = self._target
        if at.albedo is not None:
            inputs = [at.views, sampling, points, at.albedo]
            self._sample.launch(gpu.albedo.add_albedo, self._slice_px, inputs)

    def _find_points(self, program: Program, sampling: Any, hits: Any, points: Any) -> None:
        at = self._target
        inputs = [at.worlds.geometry, at.views, at.worlds.materials, sampling, hits, points]
        self._runs(program, gpu.point.find_points, inputs)
        if at.worlds.defects is not None:
            inputs = [at.worlds.geometry, at.views, at.worlds.lying, sampling, hits, points]
            self._runs(program, gpu.defect.mark_points, inputs)
        elif at.worlds.patterns is not None:
            inputs = [at.worlds.geometry, at.views, at.worlds.patterns, sampling, hits, points]
            self._runs(program, gpu.pattern.dress_points, inputs)

    def _light_points(
        self, program: Program, sampling: Any, points: Any, radiance: wp.array, *, first: bool = True
    ) -> None:  # fmt: skip
        """Record the light of points; shadows are those on the first surface of a ray."""
        at, watch = self._target, self._watch if first else None
        assert at.scratch is not None
        rays, worlds = at.scratch.rays, at.worlds
        self._runs(program, gpu.shade.light_points, [at.views, worlds.lights, sampling, points, rays, radiance])
        if not self._stages.base.opens_shadow and watch is not None:
            watch.record_trace(program, at.span, points, rays, radiance)
            watch.record_sum(program)
            return
        if not self._stages.base.opens_shadow:
            inputs = [worlds.geometry.trees, at.span, points, rays, radiance]
            self._runs(program, gpu.shadow.trace_shadow, inputs)
            return
        arriving = gpu.shadow_passage.Arriving()
        arriving.radiance, arriving.overflow = radiance, at.overflow
        if watch is not None:
            watch.record_pass(program, at.span, points, rays, arriving)
            watch.record_sum(program)
            return
        inputs = [worlds.geometry, worlds.opacities, worlds.lights.link, at.span, points, rays]
        self._runs(program, gpu.shadow_passage.settle_shadow, [*inputs, radiance])
        self._runs(program, gpu.shadow_passage.pass_shadow, [*inputs, arriving])

    def _record_layers(self, own: Scratch, sampling: Any) -> None:
        """Record one sample of every pixel: surface after surface along its ray, until no ray goes on."""
        own.layers.overflow = self._target.overflow
        program, behind = self._sample, Program(self._stages.base.device)
        program.call(own.layers.turn.zero_)
        self._record_layer(program, own, sampling, first=True)
        self._record_layer(behind, own, sampling, first=False)
        program.call(lambda: wp.capture_while(own.layers.open_rays, behind.run))

    def _record_layer(self, program: Program, own: Scratch, sampling: Any, *, first: bool) -> None:
        at, layers, hits = self._target, copied(own.layers), copied(own.hits)
        layers.index = hits.layer = 0 if first else 1
        points = own.points if first else own.layer_points
        geometry, views, opacities = at.worlds.geometry, at.views, at.worlds.opacities
        if first:
            self._runs(program, gpu.sample.trace_samples, [geometry.trees, views, sampling, hits])
        inputs = [geometry, views, opacities, sampling, layers, hits]
        self._runs(program, gpu.passage.pass_samples, inputs)
        self._find_points(program, sampling, hits, points)
        inputs = [geometry, views, opacities, sampling, hits, points, layers]
        self._runs(program, gpu.passage.fade_points, inputs)
        self._light_points(program, sampling, points, layers.radiance, first=first)
        program.call(layers.open_rays.zero_)
        self._runs(program, gpu.passage.add_layer, [at.span, layers, layers, own.radiance])
        program.launch(gpu.passage.turn_layer, 1, [layers])
