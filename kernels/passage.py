"""Rays of the camera through cut-outs and transparent surfaces: the hit that is labelled, then layers of light.

A scene that has no such surface never loads these kernels. In one that has, pixels whose centre's ray meets something
between fully there and fully absent are edges: each of their samples is composited front to back along its own ray.
Light is linear in what a surface sends out, so that every layer is lit like an opaque surface and then weighted.
"""

import warp as wp

from .camera import Span, Views, camera_ray, label_row, pixel_of, row_at
from .geometry import Geometry
from .opacity import (
    MAX_CROSSED,
    Opacities,
    OpacityKind,
    clip_range,
    ends_walk,
    is_labelled,
    is_same_crossing,
    material_of,
    next_hit,
    opacity_at,
    start_at,
    stopped_share,
)
from .point import DIFFUSE_FIELD, GONE, Points, point_index
from .sample import HitBuffers, Sampling, ray_through
from .surface import ANISOTROPY_SHARE, footprint_of
from .trace import MISS, Hit

MAX_LAYERS = wp.constant(64)  # surfaces of one ray that are lit; what lies behind them is lost, and counted
MIXED = wp.constant(0.005)  # of opacity: a pixel whose mean is so near to 0 or 1 has no hole and no rim inside


@wp.struct
class Layers:
    """What is left of the light behind each sample's present surface."""

    index: int  # 0: the first surface; 1: any behind it
    turn: wp.array[int]  # [1], which surface it is
    transmission: wp.array[float]  # [i], share that the surfaces so far let through; 0: the ray has ended
    weight: wp.array[float]  # [i], of the present surface's light
    radiance: wp.array[wp.vec3]  # [i], light of the present surface
    open_rays: wp.array[int]  # [1], not 0: some ray goes on
    overflow: wp.array[int]  # [1], rays that had more layers than are lit, or crossed more surfaces than are followed


@wp.func
def is_mixed(geometry: Geometry, opacities: Opacities, material: int, hit: Hit, footprint: wp.vec2) -> bool:
    """Return whether a pixel sees a surface that is neither fully there nor fully absent all over it."""
    kind = opacities.kind[material]
    if kind == int(OpacityKind.OPAQUE):
        return False
    mean = opacity_at(geometry, opacities, material, hit, footprint)
    if mean > 1.0 - MIXED:
        return False
    return kind == int(OpacityKind.TRANSPARENT) or mean > MIXED


@wp.func
def pass_center(
    geometry: Geometry, views: Views, opacities: Opacities, i: int, out_hit: wp.array[Hit],
    out_mixed: wp.array3d[wp.uint8], out_overflow: wp.array[int],
):  # fmt: skip
    """Write what `pass_primary` does for a pixel of the launch."""
    pixel = pixel_of(views, i)
    view = pixel[0]
    row = label_row(views, view, float(pixel[1]) + 0.5)
    limits_m = clip_range(views, view)
    if ends_walk(geometry, opacities, row, limits_m, out_hit[i]):
        if out_mixed.shape[0] > 0:
            out_mixed[view, pixel[1], pixel[2]] = wp.uint8(0)
        return
    ray = camera_ray(views, view, float(pixel[2]) + 0.5, float(pixel[1]) + 0.5)
    mixed = bool(False)
    crossed = int(0)
    hit = start_at(limits_m[0])
    while crossed < MAX_CROSSED:
        last = hit
        hit = next_hit(geometry.trees, row, ray, last, limits_m[1], 0)
        if hit.placement == MISS:
            break
        if is_same_crossing(geometry, last, hit):
            continue
        material = material_of(geometry, opacities, row, hit)
        if not mixed:
            mixed = is_mixed(geometry, opacities, material, hit, footprint_of(geometry, views, view, ray, hit, 1.0))
        if is_labelled(geometry, opacities, material, hit):
            break
        crossed += 1
    if crossed == MAX_CROSSED:
        hit.placement = MISS
        wp.atomic_add(out_overflow, 0, 1)
    out_hit[i] = hit
    if out_mixed.shape[0] > 0:
        out_mixed[view, pixel[1], pixel[2]] = wp.uint8(wp.where(mixed, 1, 0))


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def pass_primary(
    geometry: Geometry, views: Views, opacities: Opacities, span: Span, out_hit: wp.array[Hit],
    out_mixed: wp.array3d[wp.uint8], out_overflow: wp.array[int],
):  # fmt: skip
    """Write the first labelled hit of the ray through the centre of every pixel, and whether rgb needs more.

    `out_hit` has the nearest hits, which are those wherever they lie on something opaque.
    """
    first = wp.tid() * span.run
    for i in range(first, wp.min(first + span.run, span.count)):
        pass_center(geometry, views, opacities, span.first + i, out_hit, out_mixed, out_overflow)


@wp.func
def pass_sample(
    geometry: Geometry, views: Views, opacities: Opacities, sampling: Sampling, i: int, out_layers: Layers,
    out_hits: HitBuffers,
):  # fmt: skip
    """Write what `pass_samples` does for a pixel of the span."""
    is_edge = out_hits.edge[sampling.span.first + i] != wp.uint8(0)
    if out_layers.index == 0:
        out_layers.transmission[i] = 1.0
    hit = out_hits.sample[i]
    if out_layers.index != 0 and (not is_edge or out_layers.transmission[i] <= 0.0):
        hit.placement = GONE
        out_hits.sample[i] = hit
        return
    if not is_edge:
        return  # find_points takes the hit of the centre
    pixel = pixel_of(views, sampling.span.first + i)
    limits_m = clip_range(views, pixel[0])
    shot = wp.vec3(0.0, 0.0, 0.0)
    if out_hits.shot.shape[0] > 0:
        shot = out_hits.shot[i]
    row = row_at(views, pixel[0], shot[2])
    if out_layers.index == 0:
        if ends_walk(geometry, opacities, row, limits_m, hit):
            return
        hit = start_at(limits_m[0])
    ray = ray_through(views, pixel, out_hits.offset_px[i], shot)
    crossed = int(0)
    while crossed < MAX_CROSSED:
        last = hit
        hit = next_hit(geometry.trees, row, ray, last, limits_m[1], 0)
        if hit.placement == MISS:
            break
        if is_same_crossing(geometry, last, hit):
            continue
        material = material_of(geometry, opacities, row, hit)
        if opacities.kind[material] == int(OpacityKind.TRANSPARENT):
            break  # also where its opacity is 0: its gloss is there
        footprint = footprint_of(geometry, views, pixel[0], ray, hit, ANISOTROPY_SHARE)
        if stopped_share(geometry, opacities, material, hit, footprint) > 0.0:
            break
        crossed += 1
    if crossed == MAX_CROSSED:
        hit.placement = MISS
        wp.atomic_add(out_layers.overflow, 0, 1)
    out_hits.sample[i] = hit


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def pass_samples(
    geometry: Geometry, views: Views, opacities: Opacities, sampling: Sampling, out_layers: Layers,
    out_hits: HitBuffers,
):  # fmt: skip
    """Write the next surface that the present sample's ray must light, for pixels that lie across an edge.

    Before the first one `out_hits` has the nearest hits and where samples lie, by `trace_samples`.
    """
    span = sampling.span
    first = wp.tid() * span.run
    for i in range(first, wp.min(first + span.run, span.count)):
        pass_sample(geometry, views, opacities, sampling, i, out_layers, out_hits)


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def fade_points(
    geometry: Geometry, views: Views, opacities: Opacities, sampling: Sampling, hits: HitBuffers,
    out_point: Points, out_layers: Layers,
):  # fmt: skip
    """Write the weight of the present surface and what it lets through; dim the diffuse part of a transparent one."""
    span = sampling.span
    first = wp.tid() * span.run
    for i in range(first, wp.min(first + span.run, span.count)):
        transmission = out_layers.transmission[i]
        out_layers.weight[i] = transmission
        out_layers.transmission[i] = 0.0
        if transmission <= 0.0 or (out_layers.index == 0 and hits.edge[sampling.span.first + i] == wp.uint8(0)):
            continue
        hit = hits.sample[i]
        if hit.placement == MISS:
            continue
        pixel = pixel_of(views, sampling.span.first + i)
        shot = wp.vec3(0.0, 0.0, 0.0)
        if hits.shot.shape[0] > 0:
            shot = hits.shot[i]
        row = row_at(views, pixel[0], shot[2])
        material = material_of(geometry, opacities, row, hit)
        kind = opacities.kind[material]
        if kind == int(OpacityKind.OPAQUE) or kind == int(OpacityKind.CUTOUT):
            continue
        ray = ray_through(views, pixel, hits.offset_px[i], shot)
        footprint = footprint_of(geometry, views, pixel[0], ray, hit, ANISOTROPY_SHARE)
        opacity = opacity_at(geometry, opacities, material, hit, footprint)
        out_layers.transmission[i] = transmission * (1.0 - opacity)
        if kind == int(OpacityKind.PRESENCE):
            out_layers.weight[i] = transmission * opacity
        else:
            for channel in range(3):
                at = point_index(out_point, i, DIFFUSE_FIELD + channel)
                out_point.value[at] = out_point.value[at] * opacity


@wp.kernel(enable_backward=False)
def add_layer(span: Span, layers: Layers, out_layers: Layers, out_radiance: wp.array[wp.vec3]):
    """Add the light of the present surface to the pixel's, and say whether any ray goes on."""
    first = wp.tid() * span.run
    for i in range(first, wp.min(first + span.run, span.count)):
        out_radiance[i] = out_radiance[i] + layers.radiance[i] * layers.weight[i]
        out_layers.radiance[i] = wp.vec3(0.0, 0.0, 0.0)
        if layers.transmission[i] > 0.0:
            wp.atomic_max(out_layers.open_rays, 0, 1)
            if layers.turn[0] == MAX_LAYERS - 1:
                wp.atomic_add(out_layers.overflow, 0, 1)


@wp.kernel(enable_backward=False)
def turn_layer(out_layers: Layers):
    """Go on to the next surface, unless this was the last one that is lit; a kernel of one thread."""
    turn = out_layers.turn[0] + 1
    out_layers.turn[0] = turn
    if turn == MAX_LAYERS:
        out_layers.open_rays[0] = 0
