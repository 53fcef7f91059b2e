"""Memory of a launch: images and hits of all its pixels, and what shading a slice of them needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import DTypeLike

from engine import gpu
from engine.annotators import ANNOTATIONS
from engine.recipe import Rig
from engine.render.annotations import WARP_OF
from engine.render.exposure import blurs
from engine.render.worlds import SceneOnDevice

LANES, WARP_THREADS = 8, 32  # pixels that lie together on the CPU and on CUDA: OMM_GROUP of native/point.cpp
BYTES_PX = 64  # hits, edges and images of a pixel
SCRATCH_BYTES_PX = 640  # what shading a pixel needs; only the pixels of a slice have it
DEPTH_SENSOR_BYTES_PX = 20  # and of one that a depth camera sees
PLACEMENT_BYTES, NEAREST_BYTES = 256, 4  # of a placement of a row: pose, look, tree; of an instance of a labelled view
KEYPOINT_BYTES = 24  # of a keypoint of a view
LAYER_BYTES_PX = 160  # and of a pixel with surfaces behind surfaces


@dataclass(frozen=True)
class Image:
    """One output of a view: what a pixel, or an instance, holds on the device and on the host."""

    dtype: Any
    scalar: DTypeLike
    channels: tuple[int, ...]  # of a pixel on the host
    trailing: tuple[int, ...] = ()  # axes that are none of `dtype`
    of_sweeps: bool = False  # [sweep, beam, return, ...]
    of_views: bool = False  # [view, ...]
    of_keypoints: bool = False  # [view, keypoint, ...]

    def shape(
        self, base: SceneOnDevice, rig: Rig, views: int, last: tuple[int, ...], sweeps: tuple[int, ...] = ()
    ) -> tuple[int, ...]:
        """Return the shape of some views; `last` is `channels` on the host, `trailing` on the device.

        `sweeps`: how many there are, beams of one and returns of a beam.
        """
        if self.of_sweeps:
            return (*sweeps, *last)
        if self.of_keypoints:
            return (views, len(base.scene.keypoints.instance), *last)
        pixels = () if self.of_views else (rig.height, rig.width)
        return (views, *pixels, *last)


IMAGES: Mapping[str, Image] = MappingProxyType({
    "rgb": Image(wp.uint8, np.uint8, (3,), (3,)),
    "rgb_linear": Image(wp.vec3, np.float32, (3,)),
    "depth_m": Image(wp.float32, np.float32, ()),
    "normal": Image(wp.vec3, np.float32, (3,)),
    "instance": Image(wp.int32, np.int32, ()),
    "metered_ev": Image(wp.float32, np.float32, (), of_views=True),
    "keypoint": Image(wp.vec3, np.float32, (3,), of_keypoints=True),
    "depth_sensor_m": Image(wp.float32, np.float32, ()),
    "lidar_value": Image(wp.float32, np.float32, (7,), (7,), of_sweeps=True),
    "lidar_id": Image(wp.int32, np.int32, (2,), (2,), of_sweeps=True),
    **{name: Image(WARP_OF[np.dtype(a.scalar)], a.scalar, a.channels, a.channels) for name, a in ANNOTATIONS.items()},
})  # fmt: skip


@dataclass(frozen=True)
class Buffers:
    """Images and hits of all pixels of a launch."""

    hit: Any
    edge: Any
    labels: Any  # kernels.resolve.LabelImages
    color: Any  # kernels.film.ColorImages
    seen: Any = None  # kernels.depth_sensor.Seen; None: no depth camera
    cloud: Any = None  # kernels.lidar.Cloud; None: no LiDAR
    metered: Any = None  # kernels.sensor_meter.Metered; None: there is no sensor
    keypoints: Any = None  # kernels.keypoint.Keypoints; None: not asked for
    holders: Mapping[str, Any] = field(default_factory=dict)  # of annotations, see engine/render/annotations.py

    def set_image(self, name: str, image: wp.array) -> None:
        """Have an image written to some memory."""
        if name == "depth_m" and self.seen is not None:
            self.seen.depth_m = image
        if name == "depth_sensor_m":
            self.seen.measured_m = image
        elif name.startswith("lidar_"):
            setattr(self.cloud, name.removeprefix("lidar_"), image)
        elif name in self.holders:
            setattr(self.holders[name], name, image)
        elif name == "keypoint":
            self.keypoints.value = image
        elif name == "metered_ev":
            self.metered.ev = image
        elif name in ("rgb", "rgb_linear"):
            setattr(self.color, "linear" if name == "rgb_linear" else "rgb", image)
        else:
            setattr(self.labels, name, image)


@dataclass(frozen=True)
class Scratch:
    """What one slice needs while it is shaded."""

    radiance: Any
    hits: Any  # kernels.sample.HitBuffers
    points: Any  # kernels.point.Points
    rays: Any  # kernels.shade.ShadowRays
    layers: Any  # kernels.passage.Layers; None: no ray passes anything
    layer_points: Any  # of the layers behind the first
    paths: PathScratch | None = None  # None: no path is traced


@dataclass(frozen=True)
class PathScratch:
    """What paths of light need while a slice is shaded."""

    rays: tuple[Any, Any]  # kernels.path.Paths, of a vertex and of its next
    hit: Any
    ends: Any  # kernels.path.Ends


def new_image(name: str, base: SceneOnDevice, rig: Rig, views: int, sweeps: tuple[int, ...] = ()) -> wp.array:
    """Return memory of an image of all views, or of all sweeps."""
    image = IMAGES[name]
    return wp.empty(image.shape(base, rig, views, image.trailing, sweeps), dtype=image.dtype, device=base.device)


def new_seen(base: SceneOnDevice, rig: Rig, views: int, key: tuple[int, int]) -> Any:
    """Return kernels.depth_sensor.Seen of all views without its images; `key` is that of its random numbers."""
    seen = gpu.depth_sensor.Seen()
    seen.key.low, seen.key.high = key
    seen.surface = wp.empty((views, rig.height, rig.width), dtype=wp.vec4, device=base.device)
    return seen


def new_buffers(base: SceneOnDevice, rig: Rig, views: int, *, shaded: bool, marks_edges: bool) -> Buffers:
    """Return the memory of a launch except the images of `IMAGES`; those that nobody needs stay empty."""
    device, pixels = base.device, views * rig.height * rig.width
    shape, nothing = (views, rig.height, rig.width), (0, 0, 0)
    labels, color = gpu.resolve.LabelImages(), gpu.film.ColorImages()
    labels.normal = color.linear = wp.empty(nothing, dtype=wp.vec3, device=device)
    color.rgb = wp.empty((0, 0, 0, 0), dtype=wp.uint8, device=device)
    labels.material = wp.empty(shape if marks_edges else nothing, dtype=wp.int32, device=device)
    is_open = shaded and base.opens_view
    labels.mixed = wp.empty(shape if is_open else nothing, dtype=wp.uint8, device=device)
    hit = wp.empty(pixels, dtype=gpu.trace.Hit, device=device)
    edge = wp.zeros(pixels if shaded else 0, dtype=wp.uint8, device=device)
    return Buffers(hit, edge, labels, color)


def new_scratch(base: SceneOnDevice, rig: Rig, buffers: Buffers, count: int) -> Scratch:
    """Return what shading `count` pixels at a time needs."""
    device, lights = base.device, min(base.lights.count, gpu.shade.MAX_LIGHT_SLOTS)
    group = LANES if wp.get_device(device).is_cpu else WARP_THREADS
    count = -(-count // group) * group  # lanes beyond the last pixel write, too
    hits, rays = gpu.sample.HitBuffers(), gpu.shade.ShadowRays()
    hits.center, hits.edge = buffers.hit, buffers.edge
    hits.sample = wp.empty(count, dtype=gpu.trace.Hit, device=device)
    hits.offset_px = wp.empty(count, dtype=wp.vec2, device=device)
    hits.shot = wp.zeros(count if blurs(rig) else 0, dtype=wp.vec3, device=device)
    if traces_paths := rig.quality == "path":
        lights = min(lights, 1)  # a path asks one light a vertex
    slots, rays.light_slots = lights + 1, lights
    rays.light_stride = 2 if rig.spp % 2 == 0 and not traces_paths else 1
    rays.has_ambient = int(not traces_paths)
    rays.count = wp.empty(0, dtype=wp.int32, device=device)
    rays.group, rays.slot_floats = group, count * gpu.shade.RAY_FLOATS
    rays.value = wp.empty(slots * rays.slot_floats, dtype=wp.float32, device=device)
    points = _new_points(count, group, device)
    radiance = wp.empty(count, dtype=wp.vec3, device=device)
    if traces_paths:
        return Scratch(radiance, hits, points, rays, None, None, new_path_scratch(base, count, group))
    if base.opacities is None:
        return Scratch(radiance, hits, points, rays, None, None)
    layers, behind = gpu.passage.Layers(), count if base.opens_view else 0
    layers.transmission = wp.empty(behind, dtype=wp.float32, device=device)
    layers.weight = wp.empty(behind, dtype=wp.float32, device=device)
    layers.radiance = wp.zeros(behind, dtype=wp.vec3, device=device)
    layers.open_rays = wp.zeros(1, dtype=wp.int32, device=device)
    layers.turn = wp.zeros(1, dtype=wp.int32, device=device)
    return Scratch(radiance, hits, points, rays, layers, _new_points(behind, group, device))


def new_path_scratch(base: SceneOnDevice, count: int, group: int) -> PathScratch:
    """Return what paths of `count` pixels at a time need."""
    device, ends = base.device, gpu.path.Ends()
    both = []
    for _ in range(2):
        paths = gpu.path.Paths()
        paths.group = group
        paths.value = wp.zeros(count * gpu.path.PATH_FLOATS, dtype=wp.float32, device=device)
        paths.count = wp.zeros(1, dtype=wp.int32, device=device)
        both.append(paths)
    opens = count if base.opens_view else 0
    ends.glass.through = wp.zeros(opens, dtype=wp.float32, device=device)
    ends.glass.eta = wp.zeros(opens, dtype=wp.float32, device=device)
    ends.point = _new_points(count, group, device)
    ends.arrived = wp.zeros(count, dtype=wp.vec3, device=device)
    return PathScratch((both[0], both[1]), wp.zeros(count, dtype=gpu.trace.Hit, device=device), ends)


def _new_points(count: int, group: int, device: str) -> Any:
    """Return kernels.point.Points of `count` pixels."""
    points = gpu.point.Points()
    points.group = group
    points.value = wp.empty(count * gpu.point.POINT_FLOATS, dtype=wp.float32, device=device)
    return points
