"""Rendering a batch: primary rays, labels of the pixel centres, then light, in launches that share nothing but buffers.

On the CPU a launch runs on one thread but releases the interpreter, so that slices of the pixels go over a thread pool;
every pixel belongs to one slice, and results do not depend on the slices or the number of threads.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np
import warp as wp

from engine import gpu
from engine.device_arrays import rows_to_device, to_device
from engine.device_color import srgb_table
from engine.draft import Draft
from engine.errors import UserError
from engine.frames import FrameKeys, Frames, Lenses
from engine.randomize.philox import philox, stream_key
from engine.recipe import Rig
from engine.scene.model import Scene
from engine.worlds import SceneOnDevice, Worlds, upload_scene, upload_worlds

SLICE_PX = 8192  # on the CPU: the buffers of a slice stay in the second-level cache
BYTES_PX = 64  # hits, edges and images of a pixel
SCRATCH_BYTES_PX = 640  # what shading a pixel needs; on the CPU only the pixels of a slice have it
LAYER_BYTES_PX = 160  # and of a pixel with surfaces behind surfaces
LARGEST_LAUNCH_PX = 2**31 - 1  # threads are numbered with 32 bits
LABEL_MODULES = ("geometry", "top", "trace", "resolve")
LIGHT_MODULES = ("shade", "shadow", "point", "sample", "film")
VIEW_MODULE, SHADOW_MODULE = "passage", "shadow_passage"  # of scenes where rays may pass surfaces


@dataclass(frozen=True)
class Outputs:
    """Which images leave the renderer."""

    rgb: bool
    rgb_linear: bool
    depth: bool
    normal: bool
    instance: bool


@dataclass(frozen=True)
class _Buffers:
    """Images and hits of all pixels of a launch."""

    hit: Any
    edge: Any
    overflow: Any  # [slice], rays that met more surfaces than are followed
    labels: Any  # kernels.resolve.LabelImages
    color: Any  # kernels.film.ColorImages


@dataclass(frozen=True)
class _Scratch:
    """What one slice needs while it is shaded."""

    radiance: Any
    hits: Any  # kernels.point.HitBuffers
    points: Any
    rays: Any  # kernels.shade.ShadowRays
    layers: Any  # kernels.passage.Layers; None: no ray passes anything
    layer_points: Any  # of the layers behind the first


def load_kernels(quality: str, *, device: str, passing: bool = False) -> None:
    """Load the kernels of a quality; the first time a version runs on a machine they are compiled, once.

    Those of scenes where rays pass surfaces come only with `passing`; a Renderer loads them where they are needed.
    """
    threads = len(os.sched_getaffinity(0))
    gpu.load(("bvh",), device="cpu", threads=1)
    modules = (*(LIGHT_MODULES if quality != "labels" else ()), *LABEL_MODULES)
    gpu.load((*modules, *((VIEW_MODULE, SHADOW_MODULE) if passing else ())), device=device, threads=threads)


class Renderer:
    """A scene kept warm on one device; `render` turns drafts into frames."""

    def __init__(
        self, scene: Scene, rig: Rig, outputs: Outputs, *, seed: int, device: str, threads: int | None = None
    ) -> None:
        """Upload the scene and load the kernels; the first time a version runs they are compiled.

        Args:
            scene: What is rendered.
            rig: Image size, samples and quality.
            outputs: Images to return.
            seed: Key of every random number that a pixel uses.
            device: `cpu` or `cuda:N`.
            threads: Threads on the CPU; None: one for every core this process may use.
        """
        self.rig, self.outputs, self.device = rig, outputs, device
        self.shaded = rig.quality != "labels" and (outputs.rgb or outputs.rgb_linear)
        self._words = stream_key(seed, "render.direct")
        self._key = gpu.random.RandomKey()
        self._key.low, self._key.high = self._words
        self._on_cpu = wp.get_device(device).is_cpu
        self._thread_count = (threads or len(os.sched_getaffinity(0))) if self._on_cpu else 1
        self._pool = ThreadPoolExecutor(self._thread_count) if self._thread_count > 1 else None
        load_kernels(rig.quality, device=device)
        self._base: SceneOnDevice = upload_scene(scene, rig, device=device, shaded=self.shaded)
        self._srgb = srgb_table(device) if self.shaded else None
        self.lost_rays = 0  # rays that met more surfaces than are followed, in all frames so far
        needs = ((self._base.opens_view, VIEW_MODULE), (self._base.opens_shadow, SHADOW_MODULE))
        if modules := tuple(name for is_needed, name in needs if is_needed):
            gpu.load(modules, device=device, threads=len(os.sched_getaffinity(0)))

    @property
    def _centers_only(self) -> bool:
        """Whether rgb is what the pixels' centres see: one sample goes there, and then no pixel is an edge."""
        return self.rig.spp == 1 and not self._base.opens_view

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def render(self, draft: Draft) -> Frames:
        """Return the frames of every row and camera of a draft, view-major: view = row * cameras + camera."""
        worlds = upload_worlds(self._base, draft)
        views = self._views(draft)
        view_count = len(draft.world) * draft.world_from_camera.shape[1]
        self._check_size(view_count)
        buffers = self._buffers(view_count)
        pixels = view_count * self.rig.width * self.rig.height
        self._over_slices(pixels, lambda first, count: self._trace(worlds, views, buffers, first, count))
        if self.shaded:
            scratch: SimpleQueue[_Scratch] = SimpleQueue()
            for _ in range(self._thread_count):
                scratch.put(self._scratch(buffers, min(pixels, self._slice_px(pixels))))

            def shade(first: int, count: int) -> None:
                own = scratch.get()
                try:
                    self._shade(worlds, views, buffers, own, first, count)
                finally:
                    scratch.put(own)

            self._over_slices(pixels, shade)
        if self._base.opacities is not None:
            self._count_lost(int(buffers.overflow.numpy().sum()))
        return self._frames(draft, buffers)

    def _count_lost(self, rays: int) -> None:
        """Add to the rays that met more surfaces than are followed; say so the first time."""
        if rays and not self.lost_rays:
            lit, crossed = gpu.passage.MAX_LAYERS, int(gpu.opacity.MAX_CROSSED)
            reason = (
                f"rays met more than {lit} transparent surfaces or {crossed} surfaces in all; what lies behind is lost"
            )
            warnings.warn(f"{rays} {reason}", stacklevel=3)
        self.lost_rays += rays

    def _check_size(self, views: int) -> None:
        """Refuse a launch that the memory or 32-bit pixel numbers cannot hold.

        Raises:
            UserError: With the size, and what to do.
        """
        pixels = views * self.rig.width * self.rig.height
        device = wp.get_device(self.device)
        room = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if self._on_cpu else device.free_memory
        scratch = SCRATCH_BYTES_PX + (LAYER_BYTES_PX if self._base.opens_view else 0)
        need = pixels * (BYTES_PX + (scratch if self.shaded and not self._on_cpu else 0))
        if pixels > LARGEST_LAUNCH_PX or need > room:
            size = f"{views} views of {self.rig.width}x{self.rig.height} px"
            raise UserError(
                f"{size} need {need / 2**30:.1f} GiB in one launch, {room / 2**30:.1f} GiB are there and "
                f"{LARGEST_LAUNCH_PX} px is the most; take batch=1 or a smaller rig"
            )

    def _slice_px(self, pixels: int) -> int:
        return SLICE_PX if self._on_cpu else pixels

    def _over_slices(self, pixels: int, work: Callable[[int, int], None]) -> None:
        step = self._slice_px(pixels)
        slices = [(first, min(step, pixels - first)) for first in range(0, pixels, step)]
        if self._pool is None:
            for first, count in slices:
                work(first, count)
        else:
            for _ in self._pool.map(lambda part: work(*part), slices):
                pass

    def _launch(self, kernel: Any, count: int, arguments: list[Any]) -> None:
        wp.launch(kernel, count, arguments, device=self.device, record_tape=False)

    def _trace(self, worlds: Worlds, views: Any, buffers: _Buffers, first: int, count: int) -> None:
        geometry, labels = worlds.geometry, buffers.labels
        if not self._base.opens_view:
            self._launch(gpu.trace.trace_primary, count, [geometry.trees, views, first, buffers.hit])
        else:
            overflow = self._overflow(buffers, first)
            inputs = [geometry, views, worlds.opacities, first, buffers.hit, labels.mixed, overflow]
            self._launch(gpu.passage.pass_primary, count, inputs)
        self._launch(gpu.resolve.resolve_labels, count, [geometry, views, first, buffers.hit, buffers.labels])

    def _overflow(self, buffers: _Buffers, first: int) -> wp.array:
        """Return the counter of a slice: threads on the CPU do not share one."""
        index = first // SLICE_PX if self._on_cpu else 0
        return buffers.overflow[index : index + 1]

    def _shade(self, worlds: Worlds, views: Any, buffers: _Buffers, own: _Scratch, first: int, count: int) -> None:
        geometry, lights = worlds.geometry, worlds.lights
        if not self._centers_only:
            self._launch(gpu.resolve.mark_edges, count, [views, buffers.labels, first, buffers.edge])
        own.radiance.zero_()
        sampling = gpu.sample.Sampling()
        sampling.first, sampling.sample_count, sampling.key = first, self.rig.spp, self._key
        if own.layers is not None:
            own.layers.overflow = self._overflow(buffers, first)
        for sample in range(self.rig.spp):
            sampling.sample = sample
            if self._base.opens_view:
                self._shade_layers(worlds, views, buffers, own, sampling, count)
                continue
            if not self._centers_only:
                inputs = [geometry.trees, views, sampling, buffers.edge, own.hits.sample]
                self._launch(gpu.sample.trace_samples, count, inputs)
            inputs = [geometry, views, worlds.materials, lights, sampling, own.hits, own.points]
            self._launch(gpu.point.find_points, count, inputs)
            inputs = [views, lights, sampling, own.points, own.rays, own.radiance]
            self._launch(gpu.shade.light_points, count, inputs)
            self._trace_shadows(worlds, own, own.points, own.radiance, count)
        linear = int(self.outputs.rgb_linear)
        self._launch(
            gpu.film.develop, count, [views, first, self.rig.spp, linear, self._srgb, own.radiance, buffers.color]
        )

    def _trace_shadows(self, worlds: Worlds, own: _Scratch, points: Any, radiance: Any, count: int) -> None:
        if not self._base.opens_shadow:
            self._launch(gpu.shadow.trace_shadow, count, [worlds.geometry.trees, points, own.rays, radiance])
            return
        inputs = [worlds.geometry, worlds.opacities, worlds.lights.link, points, own.rays, radiance]
        self._launch(gpu.shadow_passage.pass_shadow, count, [*inputs, own.layers.overflow])

    def _shade_layers(
        self, worlds: Worlds, views: Any, buffers: _Buffers, own: _Scratch, sampling: Any, count: int
    ) -> None:
        """Add one sample of every pixel: surface after surface along its ray, until no ray goes on."""
        geometry, lights, opacities, layers = worlds.geometry, worlds.lights, worlds.opacities, own.layers
        for layer in range(gpu.passage.MAX_LAYERS):
            layers.index = own.hits.layer = layer
            points = own.points if layer == 0 else own.layer_points
            inputs = [geometry, views, opacities, sampling, buffers.edge, layers, own.hits.sample]
            self._launch(gpu.passage.pass_samples, count, inputs)
            inputs = [geometry, views, worlds.materials, lights, sampling, own.hits, points]
            self._launch(gpu.point.find_points, count, inputs)
            inputs = [geometry, views, opacities, sampling, own.hits, points, layers]
            self._launch(gpu.passage.fade_points, count, inputs)
            self._launch(gpu.shade.light_points, count, [views, lights, sampling, points, own.rays, layers.radiance])
            self._trace_shadows(worlds, own, points, layers.radiance, count)
            layers.open_rays.zero_()
            is_last = int(layer == gpu.passage.MAX_LAYERS - 1)
            self._launch(gpu.passage.add_layer, count, [is_last, layers, layers, own.radiance])
            if not layers.open_rays.numpy()[0]:
                return

    def _views(self, draft: Draft) -> Any:
        rows, cameras = draft.world_from_camera.shape[:2]
        device, count = self.device, rows * cameras
        row, camera = np.divmod(np.arange(count, dtype=np.int32), np.int32(cameras))
        views = gpu.camera.Views()
        views.width, views.height = self.rig.width, self.rig.height
        views.row = to_device(row, wp.int32, device)
        views.world = to_device(draft.world[row].astype(np.uint32).view(np.int32), wp.int32, device)
        views.frame = to_device((draft.step[row] * cameras + camera).astype(np.int32), wp.int32, device)
        pose = draft.world_from_camera.reshape(count, 3, 4).astype(np.float32)
        views.world_from_camera = to_device(pose, gpu.transform.mat34, device)
        views.focal_px = to_device(draft.focal_px.reshape(count, 2).astype(np.float32), wp.vec2, device)
        views.center_px = to_device(draft.center_px.reshape(count, 2).astype(np.float32), wp.vec2, device)
        views.orthographic = to_device(draft.orthographic.reshape(count).astype(np.int32), wp.int32, device)
        if self.rig.clip:
            clip_m = draft.clip_m.reshape(count, 2).astype(np.float32)
            views.clip_m = to_device(clip_m, wp.vec2, device)
        stops = draft.exposure_ev + self.rig.exposure_ev
        exposure = (draft.exposure * np.exp2(stops)).reshape(count).astype(np.float32)
        counter = (draft.world[row], draft.step[row] * cameras + camera, 0)
        for name in ("light", "ambient"):
            words = philox((*counter, getattr(gpu.sample, f"{name.upper()}_DIMENSION")), self._words)
            setattr(views, f"{name}_shift", to_device(words, gpu.random.vec4u, device))
        views.exposure = rows_to_device(exposure, wp.float32, device)
        return views

    def _buffers(self, views: int) -> _Buffers:
        shape, device = (views, self.rig.height, self.rig.width), self.device
        pixels = views * self.rig.height * self.rig.width
        labels, color = gpu.resolve.LabelImages(), gpu.film.ColorImages()
        labels.depth_m = wp.empty(shape, dtype=wp.float32, device=device)
        labels.normal = wp.empty(shape, dtype=wp.vec3, device=device)
        labels.instance = wp.empty(shape, dtype=wp.int32, device=device)
        nothing = (0, 0, 0)
        labels.material = wp.empty(shape if self.shaded else nothing, dtype=wp.int32, device=device)
        is_open = self.shaded and self._base.opens_view
        labels.mixed = wp.empty(shape if is_open else nothing, dtype=wp.uint8, device=device)
        if self.shaded:
            color.rgb = wp.empty((*shape, 3), dtype=wp.uint8, device=device)
            color.linear = wp.empty(shape if self.outputs.rgb_linear else (0, 0, 0), dtype=wp.vec3, device=device)
        hit = wp.empty(pixels, dtype=gpu.trace.Hit, device=device)
        edge = wp.zeros(pixels if self.shaded else 0, dtype=wp.uint8, device=device)
        overflow = wp.zeros(-(-pixels // SLICE_PX), dtype=wp.int32, device=device)
        return _Buffers(hit, edge, overflow, labels, color)

    def _scratch(self, buffers: _Buffers, count: int) -> _Scratch:
        device, lights = self.device, min(self._base.lights.count, gpu.shade.MAX_LIGHT_SLOTS)
        hits, rays = gpu.point.HitBuffers(), gpu.shade.ShadowRays()
        hits.center, hits.edge = buffers.hit, buffers.edge
        hits.sample = wp.empty(count, dtype=gpu.trace.Hit, device=device)
        slots, rays.light_slots = lights + 1, lights
        rays.light_stride = 2 if self.rig.spp % 2 == 0 else 1
        rays.direction = wp.empty((slots, count), dtype=wp.vec3, device=device)
        rays.distance_m = wp.empty((slots, count), dtype=wp.float32, device=device)
        rays.radiance = wp.empty((slots, count), dtype=wp.vec3, device=device)
        linked = any(light.shading is not None for light in self._base.scene.lights)
        rays.link = wp.empty((slots, count) if linked else (0, 0), dtype=wp.int32, device=device)
        points = wp.empty(count, dtype=gpu.point.Point, device=device)
        radiance = wp.empty(count, dtype=wp.vec3, device=device)
        if self._base.opacities is None:
            return _Scratch(radiance, hits, points, rays, None, None)
        layers, behind = gpu.passage.Layers(), count if self._base.opens_view else 0
        layers.transmission = wp.empty(behind, dtype=wp.float32, device=device)
        layers.weight = wp.empty(behind, dtype=wp.float32, device=device)
        layers.radiance = wp.zeros(behind, dtype=wp.vec3, device=device)
        layers.open_rays = wp.zeros(1, dtype=wp.int32, device=device)
        layer_points = wp.empty(behind, dtype=gpu.point.Point, device=device)
        return _Scratch(radiance, hits, points, rays, layers, layer_points)

    def _frames(self, draft: Draft, buffers: _Buffers) -> Frames:
        labels, color, want = buffers.labels, buffers.color, self.outputs
        return Frames(
            keys=frame_keys(draft),
            rgb=color.rgb.numpy() if self.shaded and want.rgb else None,
            rgb_linear=color.linear.numpy() if self.shaded and want.rgb_linear else None,
            depth_m=labels.depth_m.numpy() if want.depth else None,
            normal=labels.normal.numpy() if want.normal else None,
            instance=labels.instance.numpy() if want.instance else None,
        )


def frame_keys(draft: Draft) -> FrameKeys:
    """Return which frame every view of a draft is, view-major: view = row * cameras + camera."""
    rows, cameras = draft.world_from_camera.shape[:2]
    k = np.zeros((rows * cameras, 3, 3))
    k[:, (0, 1), (0, 1)] = draft.focal_px.reshape(-1, 2)
    k[:, (0, 1), (2, 2)] = draft.center_px.reshape(-1, 2)
    k[:, 2, 2] = 1.0
    return FrameKeys(
        world=np.repeat(draft.world, cameras),
        step=np.repeat(draft.step, cameras),
        camera=np.tile(np.arange(cameras, dtype=np.int32), rows),
        k=k,
        world_from_camera=draft.world_from_camera.reshape(-1, 3, 4).copy(),
        lenses=Lenses(
            exposure=(draft.exposure * np.exp2(draft.exposure_ev)).reshape(-1),
            f_stop=draft.f_stop.reshape(-1).copy(),
            focus_distance_m=draft.focus_distance_m.reshape(-1).copy(),
            shutter_s=draft.shutter_s.reshape(-1, 2).copy(),
        ),
    )
