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

import numpy as np
import warp as wp

from engine import gpu
from engine.buffers import (
    BYTES_PX,
    LAYER_BYTES_PX,
    SCRATCH_BYTES_PX,
    Buffers,
    Scratch,
    new_buffers,
    new_scratch,
)
from engine.device_color import srgb_table
from engine.draft import Draft
from engine.errors import UserError
from engine.frames import FrameKeys, Frames, Lenses
from engine.randomize.philox import stream_key
from engine.recipe import Rig
from engine.scene.model import Scene
from engine.stages import Stages
from engine.views import upload_views
from engine.worlds import SceneOnDevice, upload_scene, upload_worlds

SLICE_PX = 8192  # on the CPU: the buffers of a slice stay in the second-level cache
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
        key = gpu.random.RandomKey()
        key.low, key.high = self._words
        self._on_cpu = wp.get_device(device).is_cpu
        self._slice_px = SLICE_PX if self._on_cpu else LARGEST_LAUNCH_PX
        self._thread_count = (threads or len(os.sched_getaffinity(0))) if self._on_cpu else 1
        self._pool = ThreadPoolExecutor(self._thread_count) if self._thread_count > 1 else None
        load_kernels(rig.quality, device=device)
        self._base: SceneOnDevice = upload_scene(scene, rig, device=device, shaded=self.shaded)
        srgb = srgb_table(device) if self.shaded else None
        self._stages = Stages(self._base, rig, self._slice_px, key, srgb)
        self.lost_rays = 0  # rays that met more surfaces than are followed, in all frames so far
        needs = ((self._base.opens_view, VIEW_MODULE), (self._base.opens_shadow, SHADOW_MODULE))
        if modules := tuple(name for is_needed, name in needs if is_needed):
            gpu.load(modules, device=device, threads=len(os.sched_getaffinity(0)))

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def render(self, draft: Draft) -> Frames:
        """Return the frames of every row and camera of a draft, view-major: view = row * cameras + camera."""
        worlds = upload_worlds(self._base, draft)
        views = upload_views(draft, self.rig, self._words, self.device)
        view_count = len(draft.world) * draft.world_from_camera.shape[1]
        self._check_size(view_count)
        pixels = view_count * self.rig.width * self.rig.height
        slices, linear = -(-pixels // self._slice_px), self.outputs.rgb_linear
        buffers = new_buffers(self._base, self.rig, view_count, slices=slices, shaded=self.shaded, linear=linear)
        self._over_slices(pixels, lambda first, count: self._stages.trace(worlds, views, buffers, first, count))
        if self.shaded:
            scratch: SimpleQueue[Scratch] = SimpleQueue()
            for _ in range(self._thread_count):
                scratch.put(new_scratch(self._base, self.rig, buffers, min(pixels, self._slice_px)))

            def shade(first: int, count: int) -> None:
                own = scratch.get()
                try:
                    self._stages.shade(worlds, views, buffers, own, first, count)
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

    def _over_slices(self, pixels: int, work: Callable[[int, int], None]) -> None:
        step = self._slice_px
        slices = [(first, min(step, pixels - first)) for first in range(0, pixels, step)]
        if self._pool is None:
            for first, count in slices:
                work(first, count)
        else:
            for _ in self._pool.map(lambda part: work(*part), slices):
                pass

    def _frames(self, draft: Draft, buffers: Buffers) -> Frames:
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
