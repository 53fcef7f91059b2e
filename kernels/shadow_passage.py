"""Shadow rays that may pass what is in their way: the share of the light that arrives is a product over surfaces.

Most rays meet nothing, or something opaque. Those are settled first, as in scenes where everything is opaque; only
pixels with a ray that is left walk from surface to surface.
"""

import warp as wp

from .camera import Ray, Span
from .geometry import Geometry
from .light import ALL_PLACEMENTS
from .native_source import native
from .opacity import (
    MAX_CROSSED,
    Opacities,
    OpacityKind,
    facing,
    is_same_crossing,
    material_of,
    next_hit,
    sheet_reflectance,
    start_at,
    stopped_share,
)
from .point import ORIGIN_FIELD, ROW_FIELD, Points, point_index
from .shade import DISTANCE_FIELD, LINK_FIELD, RADIANCE_FIELD, SHORT_OF_LIGHT, ShadowRays, ray_index, vector_at
from .shadow import CONSTANTS, RAYS
from .trace import MISS

ARRIVES = wp.constant(-1.0)  # for the distance of a ray: nothing is in its way
SETTLED = wp.constant(-2.0)  # for that of a pixel's first ray: the light of all its rays is counted
SETTLING = {**CONSTANTS, "ALL_PLACEMENTS": int(ALL_PLACEMENTS), "ARRIVES": float(ARRIVES), "SETTLED": float(SETTLED)}


@wp.struct
class Blocking:
    """What may stop a ray at all."""

    group: int  # row of `link`, or ALL_PLACEMENTS
    link: wp.array2d[wp.uint8]  # [set, placement]


@wp.struct
class Arriving:
    """Where light goes that arrives."""

    radiance: wp.array[wp.vec3]  # [i], added to
    overflow: wp.array[int]  # [1], rays that met more surfaces than are followed


@wp.func
def arriving_share(
    geometry: Geometry, opacities: Opacities, blocking: Blocking, row: int, ray: Ray, t_max: float
) -> float:  # fmt: skip
    """Return the share of light that arrives along a ray; below 0: it has more surfaces than are followed.

    The first question is for any hit: most rays meet nothing, or something opaque, and need no order.
    """
    share = float(1.0)
    after = start_at(0.0)
    any_hit = int(1)
    crossed = int(0)
    while crossed < MAX_CROSSED and share > 0.0:
        hit = next_hit(geometry.trees, row, ray, after, t_max, any_hit)
        if hit.placement == MISS:
            return share
        if is_same_crossing(geometry, after, hit):
            after = hit
            continue
        stopped = float(0.0)
        if blocking.group == ALL_PLACEMENTS or blocking.link[blocking.group, hit.placement] != wp.uint8(0):
            material = material_of(geometry, opacities, row, hit)
            stopped = stopped_share(geometry, opacities, material, hit, wp.vec2(0.0, 0.0))
            if opacities.solid.shape[0] > 0 and opacities.kind[material] == int(OpacityKind.TRANSPARENT):
                # paths carry what a body of glass bends; through a sheet light goes straight on
                reflected = sheet_reflectance(opacities.ior[material], facing(geometry, row, ray, hit))
                passed = wp.where(opacities.solid[hit.placement] != 0, 0.0, (1.0 - stopped) * (1.0 - reflected))
                stopped = 1.0 - passed
        if stopped >= 1.0:
            return 0.0
        if any_hit == 0:
            share *= 1.0 - stopped
            after = hit
            crossed += 1
        any_hit = 0
    return wp.where(share > 0.0, -1.0, 0.0)


@wp.func_native(native(*RAYS, "shadow_settle", constants=SETTLING))
def settle_run(
    geometry: Geometry, opacities: Opacities, link: wp.array2d[wp.uint8], part: Span, point: Points,
    out_rays: ShadowRays, out_radiance: wp.array[wp.vec3],
):  # fmt: skip
    """Settle what needs no walk of the pixels of a part; see native/shadow_settle.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def settle_shadow(
    geometry: Geometry, opacities: Opacities, link: wp.array2d[wp.uint8], span: Span, point: Points,
    out_rays: ShadowRays, out_radiance: wp.array[wp.vec3],
):  # fmt: skip
    """Add the light of pixels whose rays meet nothing or something opaque; `link` is Lights.link."""
    part = Span()
    part.first = wp.tid() * span.run
    part.count = wp.min(span.run, span.count - part.first)
    settle_run(geometry, opacities, link, part, point, out_rays, out_radiance)


@wp.func
def pass_rays(
    geometry: Geometry, opacities: Opacities, link: wp.array2d[wp.uint8], point: Points, rays: ShadowRays, i: int,
    out_light: Arriving,
):  # fmt: skip
    """Add the light of the rays of a pixel, unless they are settled."""
    if rays.value[ray_index(rays, 0, i) + DISTANCE_FIELD * rays.group] == SETTLED:
        return
    radiance = out_light.radiance[i]
    ray = Ray()
    ray.origin = vector_at(point.value, point_index(point, i, ORIGIN_FIELD), point.group)
    row = wp.cast(point.value[point_index(point, i, ROW_FIELD)], wp.int32)
    blocking = Blocking()
    blocking.link = link
    for slot in range(rays.light_slots + 1):
        at = ray_index(rays, slot, i)
        distance = rays.value[at + DISTANCE_FIELD * rays.group]
        share = wp.where(distance == ARRIVES, 1.0, 0.0)
        if distance > 0.0:
            ray.direction = vector_at(rays.value, at, rays.group)
            blocking.group = wp.cast(rays.value[at + LINK_FIELD * rays.group], wp.int32)
            share = arriving_share(geometry, opacities, blocking, row, ray, distance * SHORT_OF_LIGHT)
            if share < 0.0:
                wp.atomic_add(out_light.overflow, 0, 1)
        if share > 0.0:
            radiance += vector_at(rays.value, at + RADIANCE_FIELD * rays.group, rays.group) * share
    out_light.radiance[i] = radiance


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def pass_shadow(
    geometry: Geometry, opacities: Opacities, link: wp.array2d[wp.uint8], span: Span, point: Points,
    rays: ShadowRays, out_light: Arriving,
):  # fmt: skip
    """Add the light of pixels that `settle_shadow` left, of every ray as far as it arrives."""
    count = span.count
    if rays.count.shape[0] > 0:
        count = wp.min(count, rays.count[0])
    first = wp.tid() * span.run
    for i in range(first, wp.min(first + span.run, count)):
        pass_rays(geometry, opacities, link, point, rays, i, out_light)
