"""Memory of a launch: images and hits of all its pixels, and what shading a slice of them needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import warp as wp

from engine import gpu
from engine.recipe import Rig
from engine.worlds import SceneOnDevice

LANES, WARP_THREADS = 8, 32  # pixels that lie together on the CPU and on CUDA: OMM_GROUP of native/point.cpp
BYTES_PX = 64  # hits, edges and images of a pixel
SCRATCH_BYTES_PX = 640  # what shading a pixel needs; on the CPU only the pixels of a slice have it
LAYER_BYTES_PX = 160  # and of a pixel with surfaces behind surfaces


@dataclass(frozen=True)
class Buffers:
    """Images and hits of all pixels of a launch."""

    hit: Any
    edge: Any
    overflow: Any  # [slice], rays that met more surfaces than are followed
    labels: Any  # kernels.resolve.LabelImages
    color: Any  # kernels.film.ColorImages


@dataclass(frozen=True)
class Scratch:
    """What one slice needs while it is shaded."""

    radiance: Any
    hits: Any  # kernels.sample.HitBuffers
    points: Any  # kernels.point.Points
    rays: Any  # kernels.shade.ShadowRays
    layers: Any  # kernels.passage.Layers; None: no ray passes anything
    layer_points: Any  # of the layers behind the first


def new_buffers(base: SceneOnDevice, rig: Rig, views: int, *, slices: int, shaded: bool, linear: bool) -> Buffers:
    """Return the memory of a launch; images that nobody asked for are empty."""
    shape, device = (views, rig.height, rig.width), base.device
    pixels = views * rig.height * rig.width
    labels, color = gpu.resolve.LabelImages(), gpu.film.ColorImages()
    labels.depth_m = wp.empty(shape, dtype=wp.float32, device=device)
    labels.normal = wp.empty(shape, dtype=wp.vec3, device=device)
    labels.instance = wp.empty(shape, dtype=wp.int32, device=device)
    nothing = (0, 0, 0)
    labels.material = wp.empty(shape if shaded else nothing, dtype=wp.int32, device=device)
    is_open = shaded and base.opens_view
    labels.mixed = wp.empty(shape if is_open else nothing, dtype=wp.uint8, device=device)
    if shaded:
        color.rgb = wp.empty((*shape, 3), dtype=wp.uint8, device=device)
        color.linear = wp.empty(shape if linear else (0, 0, 0), dtype=wp.vec3, device=device)
    hit = wp.empty(pixels, dtype=gpu.trace.Hit, device=device)
    edge = wp.zeros(pixels if shaded else 0, dtype=wp.uint8, device=device)
    overflow = wp.zeros(slices, dtype=wp.int32, device=device)
    return Buffers(hit, edge, overflow, labels, color)


def new_scratch(base: SceneOnDevice, rig: Rig, buffers: Buffers, count: int) -> Scratch:
    """Return what shading `count` pixels at a time needs."""
    device, lights = base.device, min(base.lights.count, gpu.shade.MAX_LIGHT_SLOTS)
    group = LANES if wp.get_device(device).is_cpu else WARP_THREADS
    count = -(-count // group) * group  # lanes beyond the last pixel write, too
    hits, rays = gpu.sample.HitBuffers(), gpu.shade.ShadowRays()
    hits.center, hits.edge = buffers.hit, buffers.edge
    hits.sample = wp.empty(count, dtype=gpu.trace.Hit, device=device)
    hits.offset_px = wp.empty(count, dtype=wp.vec2, device=device)
    slots, rays.light_slots = lights + 1, lights
    rays.light_stride = 2 if rig.spp % 2 == 0 else 1
    rays.group, rays.slot_floats = group, count * gpu.shade.RAY_FLOATS
    rays.value = wp.empty(slots * rays.slot_floats, dtype=wp.float32, device=device)
    points = _new_points(count, group, device)
    radiance = wp.empty(count, dtype=wp.vec3, device=device)
    if base.opacities is None:
        return Scratch(radiance, hits, points, rays, None, None)
    layers, behind = gpu.passage.Layers(), count if base.opens_view else 0
    layers.transmission = wp.empty(behind, dtype=wp.float32, device=device)
    layers.weight = wp.empty(behind, dtype=wp.float32, device=device)
    layers.radiance = wp.zeros(behind, dtype=wp.vec3, device=device)
    layers.open_rays = wp.zeros(1, dtype=wp.int32, device=device)
    return Scratch(radiance, hits, points, rays, layers, _new_points(behind, group, device))


def _new_points(count: int, group: int, device: str) -> Any:
    """Return kernels.point.Points of `count` pixels."""
    points = gpu.point.Points()
    points.group = group
    points.value = wp.empty(count * gpu.point.POINT_FLOATS, dtype=wp.float32, device=device)
    return points
