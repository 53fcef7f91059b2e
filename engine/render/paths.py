"""The launches of quality `path`: from the surfaces that the camera sees on, bounce after bounce."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine import gpu
from engine.render.arrays import copied
from engine.render.views import span_of

if TYPE_CHECKING:
    from engine.render.buffers import PathScratch, Scratch
    from engine.render.program import Program
    from engine.render.shadow_annotations import ShadowWatch
    from engine.render.stages import Stages, Target


class PathPrograms:
    """Records the bounces of one sub-pixel sample."""

    def __init__(
        self, stages: Stages, target: Target, slice_px: int, program: Program, watch: ShadowWatch | None
    ) -> None:  # fmt: skip
        self._stages, self._target, self._program, self._watch = stages, target, program, watch
        assert target.scratch is not None
        assert target.scratch.paths is not None
        self._scratch: Scratch = target.scratch
        self._own: PathScratch = target.scratch.paths
        self._slice_px, self._run = slice_px, target.span.run

    def record_bounces(self, sampling: Any) -> None:
        """Record what follows once the points that the camera sees are lit."""
        at, own, first = self._target, self._own, self._own.rays[0]
        self._program.call(first.count.zero_)
        if self._stages.rig.bounces == 0:
            return
        self._launch(gpu.path.begin_paths, [at.views, sampling, self._scratch.points, own.ends.glass, first])
        for depth in range(1, self._stages.rig.bounces + 1):
            self._record_vertex(sampling, depth)

    def record_from_camera(self, sampling: Any) -> None:
        """Record a sample of a scene whose surfaces let light through: its paths begin at the camera."""
        first = self._own.rays[0]
        self._program.call(first.count.zero_)
        arguments = [self._target.views, sampling, first]
        self._program.launch(gpu.path_passage.begin_camera_paths, self._slice_px, arguments)
        for depth in range(self._stages.rig.bounces + 1):
            self._record_vertex(sampling, depth)

    def _record_vertex(self, sampling: Any, depth: int) -> None:
        stages, at, own, scratch = self._stages, self._target, self._own, self._scratch
        worlds = at.worlds
        first = 0 if stages.base.opens_view else 1
        paths, following = own.rays if (depth - first) % 2 == 0 else own.rays[::-1]
        bounce = gpu.path.Bounce()
        bounce.depth, bounce.is_last = depth, int(depth == stages.rig.bounces)
        bounce.clamp_radiance = stages.rig.clamp_radiance if depth > 0 else 0.0
        bounce.run, bounce.paths = self._run, paths
        if stages.base.opens_view:
            inputs = [worlds.geometry, at.views, worlds.opacities, sampling, bounce, own.hit, at.overflow]
            self._program.launch(gpu.path_passage.pass_paths, self._slice_px, inputs)
        else:
            self._launch(gpu.path.trace_paths, [worlds.geometry.trees, bounce, own.hit])
        inputs = [worlds.geometry, worlds.materials, bounce, own.hit, own.ends.point]
        self._launch(gpu.path_point.find_path_points, inputs)
        if worlds.defects is not None:
            inputs = [worlds.geometry, worlds.lying, bounce, own.hit, own.ends.point]
            self._launch(gpu.path_defect.mark_path_points, inputs)
        elif worlds.patterns is not None:
            inputs = [worlds.geometry, worlds.patterns, bounce, own.hit, own.ends.point]
            self._launch(gpu.path_pattern.dress_path_points, inputs)
        if at.albedo is not None and depth == 0:
            inputs = [at.views, sampling, bounce, own.ends, at.albedo]
            self._program.launch(gpu.albedo.add_path_albedo, self._slice_px, inputs)
        if stages.base.opens_view:
            inputs = [worlds.geometry, worlds.opacities, paths, own.hit, own.ends.point, own.ends.glass]
            self._program.launch(gpu.path_passage.find_glass, self._slice_px, inputs)
        inputs = [at.views, worlds.lights, sampling, bounce, scratch.rays, own.ends]
        self._launch(gpu.path_light.light_path_points, inputs)
        self._record_shadows(bounce)
        self._program.call(following.count.zero_)
        inputs = [at.views, sampling, bounce, own.ends, following, scratch.radiance]
        self._launch(gpu.path.next_paths, inputs)

    def _record_shadows(self, bounce: Any) -> None:
        """Record the shadow rays of a vertex: of as many points as there are paths."""
        watch = self._watch if bounce.depth == 0 else None
        at, own, worlds = self._target, self._own, self._target.worlds
        rays = copied(self._scratch.rays)
        rays.count = bounce.paths.count
        span = span_of(0, self._slice_px, self._stages.base.device)
        if not self._stages.base.opens_shadow and watch is not None:
            watch.record_trace(self._program, span, own.ends.point, rays, own.ends.arrived)
            watch.record_sum(self._program, bounce)
            return
        if not self._stages.base.opens_shadow:
            inputs = [worlds.geometry.trees, span, own.ends.point, rays, own.ends.arrived]
            self._launch(gpu.shadow.trace_shadow, inputs)
            return
        arriving = gpu.shadow_passage.Arriving()
        arriving.radiance, arriving.overflow = own.ends.arrived, at.overflow
        if watch is not None:
            watch.record_pass(self._program, span, own.ends.point, rays, arriving)
            watch.record_sum(self._program, bounce)
            return
        inputs = [worlds.geometry, worlds.opacities, worlds.lights.link, span, own.ends.point, rays]
        self._launch(gpu.shadow_passage.settle_shadow, [*inputs, own.ends.arrived])
        self._launch(gpu.shadow_passage.pass_shadow, [*inputs, arriving])

    def _launch(self, kernel: Any, arguments: list[Any]) -> None:
        """Record a kernel whose threads have `run` rays each."""
        self._program.launch(kernel, -(-self._slice_px // self._run), arguments)
