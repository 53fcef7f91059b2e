"""Rendering batches: drafts in, frames out, on the host or on the device.

What a batch needs is kept for the next one of the same layout: memory, recorded launches, on CUDA a graph. Drafts that
do not fit are rendered in parts; what a view shows does not depend on that.
"""

from __future__ import annotations

import dataclasses
import math
import os
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import warp as wp

from engine import gpu
from engine.annotators import ANNOTATIONS, bytes_of
from engine.draft import Draft, rows_of
from engine.errors import UserError
from engine.frames import DeviceFrames, FrameKeys, Frames
from engine.labels.config import LabelConfig
from engine.labels.model import joined_labels
from engine.randomize.philox import stream_key
from engine.recipe import Rig
from engine.render.batch import BatchValues, Rendered, batch_values
from engine.render.batch_cpu import CpuBatch
from engine.render.batch_cuda import SLICE_PX, CudaBatch, Streams
from engine.render.buffers import (
    BYTES_PX,
    DEPTH_SENSOR_BYTES_PX,
    IMAGES,
    KEYPOINT_BYTES,
    LAYER_BYTES_PX,
    NEAREST_BYTES,
    PLACEMENT_BYTES,
    SCRATCH_BYTES_PX,
)
from engine.render.color import srgb_table
from engine.render.denoise import denoiser_of
from engine.render.depth_sensor import STREAM as DEPTH_STREAM
from engine.render.depth_sensor import depth_model
from engine.render.exposure import moment_count
from engine.render.flow import reads_steps, with_neighbors
from engine.render.host_memory import HostMemory, device_view
from engine.render.kernel_modules import load_kernels, load_pattern_kernels, load_scene_kernels
from engine.render.keypoints import keypoint_count
from engine.render.keys import frame_keys
from engine.render.lidar import RETURN_BYTES, MountedLidar
from engine.render.motion import Motion, Mover
from engine.render.sensor import SENSOR_BYTES_PX, upload_sensor
from engine.render.shadow_annotations import SHADOW_IMAGES
from engine.render.stages import Stages
from engine.render.surface_annotations import needs_materials
from engine.render.worlds import upload_scene
from engine.scene.model import Scene
from engine.sensors.depth import DepthSensor
from engine.sensors.lidar import Lidar
from engine.sensors.model import Sensor

LARGEST_LAUNCH_PX = 2**31 - 1  # threads are numbered with 32 bits
KEPT_LAYOUTS = 4  # whose memory is kept
ROOM_SHARE = 0.4  # of the memory that is there when a renderer begins, for one batch; two are under way on CUDA


@dataclass(frozen=True)
class Outputs:
    """Which images leave the renderer, and what makes `rgb` of light."""

    rgb: bool
    rgb_linear: bool
    depth: bool
    normal: bool
    instance: bool
    depth_sensor: DepthSensor | None = None  # what a depth camera measures beside the perfect depth
    lidar: Lidar | None = None  # a sweep for every world and step
    lidar_camera: int = 0  # that it sits at
    sensor: Sensor | None = None  # of every camera; None: the ideal one
    annotations: tuple[str, ...] = ()  # names of engine.annotators.ANNOTATIONS
    keypoint_tolerance_m: float | None = None  # keypoints, seen through so much of their own instance; None: none
    labels: LabelConfig | None = None  # reduced on the device, beside any images; None: none

    @property
    def shadow(self) -> bool:
        """Return whether shadows are asked for, which come with light only."""
        return any(name in SHADOW_IMAGES for name in self.annotations)

    def images(self, *, shaded: bool) -> tuple[str, ...]:
        """Return the names of the images, which are fields of `Frames`."""
        wanted = {"rgb": self.rgb and shaded, "rgb_linear": self.rgb_linear and shaded, "depth_m": self.depth,
                  "normal": self.normal, "instance": self.instance,
                  "depth_sensor_m": self.depth_sensor is not None,
                  "lidar_value": self.lidar is not None, "lidar_id": self.lidar is not None}  # fmt: skip
        return (*(name for name, is_wanted in wanted.items() if is_wanted), *self.annotations)


class Pending:
    """Frames that are being rendered."""

    def __init__(self, keys: FrameKeys, parts: list[Callable[[], Rendered]]) -> None:
        self._keys, self._parts = keys, parts
        self._frames: Frames | None = None

    def wait(self) -> Frames:
        """Return the frames once they are there; their arrays are nobody else's."""
        if self._frames is None:
            parts = [part() for part in self._parts]
            self._parts, images = [], [part.images for part in parts]
            tables = [part.labels for part in parts if part.labels is not None]
            labels = joined_labels(tables, [part.views for part in parts]) if tables else None
            joined = {name: np.concatenate([part[name] for part in images]) if len(images) > 1 else images[0][name]
                      for name in images[0]}  # fmt: skip
            keys = dataclasses.replace(self._keys, metered_ev=joined.get("metered_ev"))
            annotations = {name: image for name, image in joined.items() if name in ANNOTATIONS}
            named = {name: joined.get(name) for name in Frames.image_names()}
            self._frames = Frames(keys, **named, annotations=annotations, labels=labels)
        return self._frames


class Renderer:
    """A scene kept warm on one device; `render` turns drafts into frames. Use it from one thread at a time."""

    def __init__(
        self,
        scene: Scene,
        rig: Rig,
        outputs: Outputs,
        *,
        seed: int,
        device: str,
        threads: int | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Upload the scene and load the kernels; the first time a version runs they are compiled.

        Args:
            scene: What is rendered.
            rig: Image size, samples and quality.
            outputs: Images to return.
            seed: Key of every random number that a pixel uses.
            device: `cpu` or `cuda:N`.
            threads: Threads on the CPU; None: one for every core this process may use.
            say: Is told what kernels are being compiled.
        """
        self.rig, self.outputs, self.device = rig, outputs, device
        self.shaded = rig.quality != "labels" and (outputs.rgb or outputs.rgb_linear or outputs.shadow)
        if outputs.shadow and not self.shaded:
            raise UserError("quality=labels computes no light, but shadow is asked for; take quality=direct")
        key = gpu.random.RandomKey()
        key.low, key.high = stream_key(seed, "render.direct")
        self._moments = moment_count(rig)
        self._is_cpu = wp.get_device(device).is_cpu
        self._threads = (threads or len(os.sched_getaffinity(0))) if self._is_cpu else 1
        self._pool = ThreadPoolExecutor(self._threads - 1) if self._threads > 1 else None  # beside the caller's
        load_kernels(rig.quality, device=device, say=say)
        senses = outputs.depth_sensor is not None or outputs.lidar is not None or needs_materials(outputs.annotations)
        base = upload_scene(scene, rig, device=device, shaded=self.shaded or senses)
        table = srgb_table(device) if self.shaded else None
        chip = None
        if outputs.sensor is not None and outputs.rgb and self.shaded and not outputs.sensor.is_ideal:
            chip = upload_sensor(outputs.sensor, rig, seed=seed, device=device)
        self._stages = Stages(
            base, rig, self.shaded, key, table,
            depth=None if outputs.depth_sensor is None else depth_model(outputs.depth_sensor),
            depth_key=stream_key(seed, DEPTH_STREAM),
            lidar=None if outputs.lidar is None else MountedLidar(outputs.lidar, outputs.lidar_camera, seed),
            sensor=chip, denoiser=denoiser_of(rig, device) if self.shaded else None, annotations=outputs.annotations,
            keypoint_tolerance_m=outputs.keypoint_tolerance_m,
            labels=outputs.labels,
        )  # fmt: skip
        self.lost_rays = 0  # rays that met more surfaces than are followed, in all frames so far
        load_scene_kernels(self._stages, say=say)
        self._say, self._loaded = say, set[bool]()  # kernels of patterns: alone, or with defects
        metered = ("metered_ev",) if chip is not None and chip.meter.is_on else ()
        points = ("keypoint",) if keypoint_count(self._stages) else ()
        self._images = (*outputs.images(shaded=self.shaded), *metered, *points)
        self._memory = HostMemory(pinned=not self._is_cpu)
        self._streams = None if self._is_cpu else Streams(device)
        self._cpu: OrderedDict[object, CpuBatch] = OrderedDict()
        self._cuda: OrderedDict[object, list[CudaBatch]] = OrderedDict()
        self._largest_px = self._room_px()
        self._mover = Mover()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def render(self, draft: Draft) -> Frames:
        """Return the frames of every row and camera of a draft, view-major: view = row * cameras + camera.

        Raises:
            UserError: If a single view does not fit the memory, or a tree the traversal's stack.
        """
        return self.start(draft).wait()

    def start(self, draft: Draft) -> Pending:
        """Begin to render a draft as `render` does.

        On CUDA the host goes on at once, with labels once these are reduced; `wait` for it before a second draft after
        this one is started, or that start waits. On the CPU the frames are there when this returns.
        """
        parts = [self._start(values) for values in self._parts(draft)]
        return Pending(frame_keys(draft, self.rig), parts)

    def render_on_device(self, draft: Draft) -> DeviceFrames:
        """Return the frames of a draft as arrays of the device, which the caller owns; the host does not wait on CUDA.

        Rays that are lost are counted on the CPU only: on CUDA that would mean to wait. Labels are not made.

        Raises:
            UserError: If they do not fit the memory at once.
        """
        return self._on_both(draft, (), reduces=False)[0]

    def render_on_both(self, draft: Draft, on_host: tuple[str, ...]) -> tuple[DeviceFrames, Pending]:
        """Return the frames of a draft as `render_on_device` does, and those images `on_host` for the host as well.

        On the CPU both are the same memory, and the host's frames have all images. Labels, where they are asked
        for, come with the host's frames; for them the host waits, on CUDA too.

        Raises:
            UserError: If they do not fit the memory at once.
        """
        return self._on_both(draft, on_host, reduces=self.outputs.labels is not None)

    def _on_both(self, draft: Draft, on_host: tuple[str, ...], *, reduces: bool) -> tuple[DeviceFrames, Pending]:
        parts = list(self._parts(draft))
        if len(parts) > 1:
            raise UserError(f"{self._size(draft)} do not fit the memory of {self.device} at once; take a smaller batch")
        (values,) = parts
        keys, arrays = frame_keys(draft, self.rig), {}
        if self._is_cpu:
            finish = self._start(values, reduces=reduces)
            arrays = {name: device_view(image, IMAGES[name].dtype) for name, image in finish().images.items()}
        else:
            batch = self._cuda_batch(values)
            batch.start(values, reduces=reduces)
            finish = self._counted(batch.copy_out(self._memory, on_host))
            arrays = batch.copy_on_device()
        names = (*Frames.image_names(), "metered_ev")
        named = {name: arrays.get(name) for name in names}
        annotations = {name: image for name, image in arrays.items() if name in ANNOTATIONS}
        return DeviceFrames(keys, **named, annotations=annotations), Pending(keys, [finish])

    def replay(self, draft: Draft) -> Callable[[], None]:
        """Return what renders a draft again, on Warp's present stream and without copies out: to measure it.

        Raises:
            UserError: On the CPU, or if the draft does not fit the memory at once.
        """
        (values,) = self._parts(draft)
        if self._is_cpu:
            raise UserError("only a CUDA device replays; render again on the CPU")
        batch = self._cuda_batch(values)
        batch.start(values, reduces=False)
        return batch.replay

    def move(self, scene: Scene) -> Motion:
        """Show the scene as it is at another time; drafts are to be those of this scene from now on.

        Meshes that are the same object are left alone. Where points and normals moved, trees are refitted in place, and
        what is kept for batches stays. Where more than that differs, or a tree has become bad, it is built anew, which
        gives up what is kept. On CUDA this waits for what is being rendered.

        Raises:
            UserError: If the scenes differ in more than meshes, poses and what a draft holds; nothing has moved.
        """
        with wp.ScopedStream(None if self._streams is None else self._streams.render, sync_exit=True):
            base, motion = self._mover.move(self._stages.base, scene)
            if motion.rebuilt or "nocs" in self.outputs.annotations:  # programs hold the arrays from before
                wp.synchronize_device(self.device)
                self._cpu.clear()
                self._cuda.clear()
            self._stages = dataclasses.replace(self._stages, base=base)
        return motion

    def _start(self, values: BatchValues, *, reduces: bool = True) -> Callable[[], Rendered]:
        """Begin to render a part and return what waits for it."""
        if self._is_cpu:
            rendered = self._cpu_batch(values).render(values, self._memory, self._pool, reduces=reduces)
            self._count_lost(rendered.lost_rays)
            return lambda: rendered
        batch = self._cuda_batch(values)
        batch.start(values)
        return self._counted(batch.copy_out(self._memory, self._images))

    def _counted(self, finish: Callable[[], Rendered]) -> Callable[[], Rendered]:
        """Return what waits for a part and counts the rays that were lost."""

        def wait() -> Rendered:
            rendered = finish()
            self._count_lost(rendered.lost_rays)
            return rendered

        return wait

    def _load_patterns(self, values: BatchValues) -> None:
        """Load the kernels of patterns, or of defects, before the first batch that has one."""
        if (values.has_defects or values.has_patterns) and values.has_defects not in self._loaded:
            load_pattern_kernels(self._stages, marked=values.has_defects, say=self._say)
            self._loaded.add(values.has_defects)

    def _cpu_batch(self, values: BatchValues) -> CpuBatch:
        self._load_patterns(values)
        batch = self._cpu.pop(values.layout, None) or CpuBatch(self._stages, values, self._images, self._threads)
        self._cpu[values.layout] = batch
        if len(self._cpu) > KEPT_LAYOUTS:
            self._cpu.popitem(last=False)
        return batch

    def _cuda_batch(self, values: BatchValues) -> CudaBatch:
        """Return the one of a layout's two batches that was used less recently."""
        assert self._streams is not None
        self._load_patterns(values)
        pair = self._cuda.pop(values.layout, [])
        self._cuda[values.layout] = pair
        if len(self._cuda) > KEPT_LAYOUTS:
            wp.synchronize_device(self.device)
            self._cuda.popitem(last=False)
        if len(pair) < 2:
            pair.append(CudaBatch(self._stages, values, self._images, self._streams))
            return pair[-1]
        pair.reverse()
        return pair[-1]

    def _parts(self, draft: Draft) -> Iterator[BatchValues]:
        """Yield the values of parts that fit, in the order of their views.

        Raises:
            UserError: If a single view does not fit.
        """
        rows, cameras = draft.world_from_camera.shape[:2]
        self._check_window()
        most = min(self._largest_px // self._view_px(), LARGEST_LAUNCH_PX // self._stages.base.instance_count)
        if most < 1:
            need = self._view_px() * BYTES_PX / 2**30
            raise UserError(
                f"a view of {self.rig.width}x{self.rig.height} px needs {need:.1f} GiB; {self.device} has room for "
                f"{self._largest_px / 1e6:.0f} million pixels at a time; take a smaller rig.width and rig.height"
            )
        step = max(1, most // cameras)
        for first in range(0, rows, step):
            part, shown = slice(first, first + step), slice(None)
            if step < rows and reads_steps(self._stages.annotations):
                part, shown = with_neighbors(part, rows)
            values = draft if step >= rows else rows_of(draft, part)
            for camera in range(0, cameras, most):
                yield batch_values(self._stages, values, slice(camera, camera + most), shown)

    def _check_window(self) -> None:
        """Raise a UserError if the pixels of the window around a frame cannot be numbered."""
        config = self.outputs.labels
        if config is not None and config.amodal:
            width, height = (side + 2 * round(config.margin * side) for side in (self.rig.width, self.rig.height))
            if width * height > LARGEST_LAUNCH_PX:
                raise UserError(f"a window of {width}x{height} px is too large; take a smaller labels.margin")

    def _view_px(self) -> int:
        """Return the pixels of a view, and as many more as have room where its world and its labels are."""
        base = self._stages.base
        instance_bytes = 0 if self.outputs.labels is None else NEAREST_BYTES
        placed = self._moments * base.geometry.trees.placement_count
        beside = base.instance_count * instance_bytes + placed * PLACEMENT_BYTES
        if self.outputs.depth_sensor is not None:
            beside += self.rig.width * self.rig.height * DEPTH_SENSOR_BYTES_PX
        if self._stages.lidar is not None:
            beside += math.prod(self._stages.lidar.shape) * RETURN_BYTES
        beside += keypoint_count(self._stages) * KEYPOINT_BYTES
        return self.rig.width * self.rig.height + beside // BYTES_PX

    def _room_px(self) -> int:
        """Return the most pixels that a batch may have."""
        if self._is_cpu:
            room, scratch = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), 0
        else:
            room = wp.get_device(self.device).free_memory
            scratch = SCRATCH_BYTES_PX + (LAYER_BYTES_PX if self._stages.base.opens_view else 0) if self.shaded else 0
        free, each = int(ROOM_SHARE * room), BYTES_PX + (0 if self._stages.sensor is None else SENSOR_BYTES_PX)
        each += bytes_of(self.outputs.annotations)
        small = free // (each + scratch)  # every pixel with scratch memory of its own
        return min(LARGEST_LAUNCH_PX, small if small < SLICE_PX else (free - SLICE_PX * scratch) // each)

    def _size(self, draft: Draft) -> str:
        rows, cameras = draft.world_from_camera.shape[:2]
        return f"{rows * cameras} views of {self.rig.width}x{self.rig.height} px"

    def _count_lost(self, rays: int) -> None:
        """Add to the rays that met more surfaces than are followed; say so the first time."""
        if rays and not self.lost_rays:
            lit, crossed = int(gpu.passage.MAX_LAYERS), int(gpu.opacity.MAX_CROSSED)
            reason = (
                f"rays met more than {lit} transparent surfaces or {crossed} surfaces in all; what lies behind is lost"
            )
            warnings.warn(f"{rays} {reason}", stacklevel=4)
        self.lost_rays += rays
