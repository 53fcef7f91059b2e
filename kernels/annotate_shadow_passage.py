"""Which share of the direct light of every pixel is blocked, in scenes where light may pass what is in its way."""

import warp as wp

from .camera import Ray, Span
from .geometry import Geometry
from .opacity import Opacities
from .point import ORIGIN_FIELD, ROW_FIELD, Points, point_index
from .shade import DISTANCE_FIELD, LINK_FIELD, RADIANCE_FIELD, SHORT_OF_LIGHT, ShadowRays, ray_index, vector_at
from .shadow_passage import Arriving, Blocking, arriving_share

LUMINANCE = wp.constant(wp.vec3(0.2126, 0.7152, 0.0722))  # of linear sRGB


@wp.struct
class Watched:
    """Where light goes that arrives, and how much of it there is."""

    arriving: Arriving
    light: wp.array[wp.vec2]  # [i], luminance of lights without shadows and with them


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def pass_watched_shadow(
    geometry: Geometry, opacities: Opacities, link: wp.array2d[wp.uint8], span: Span, point: Points,
    rays: ShadowRays, out_light: Watched,
):  # fmt: skip
    """Do what `pass_shadow` does, and write the luminance of lights without shadows and with them."""
    i = wp.tid()
    if i >= span.count or (rays.count.shape[0] > 0 and i >= rays.count[0]):
        return
    radiance = out_light.arriving.radiance[i]
    light = wp.vec2(0.0, 0.0)
    ray = Ray()
    ray.origin = vector_at(point.value, point_index(point, i, ORIGIN_FIELD), point.group)
    row = wp.cast(point.value[point_index(point, i, ROW_FIELD)], wp.int32)
    blocking = Blocking()
    blocking.link = link
    for slot in range(rays.light_slots + 1):
        at = ray_index(rays, slot, i)
        distance = rays.value[at + DISTANCE_FIELD * rays.group]
        if distance > 0.0:
            ray.direction = vector_at(rays.value, at, rays.group)
            blocking.group = wp.cast(rays.value[at + LINK_FIELD * rays.group], wp.int32)
            share = arriving_share(geometry, opacities, blocking, row, ray, distance * SHORT_OF_LIGHT)
            if share < 0.0:
                wp.atomic_add(out_light.arriving.overflow, 0, 1)
            sent = vector_at(rays.value, at + RADIANCE_FIELD * rays.group, rays.group)
            radiance += sent * wp.max(share, 0.0)
            if slot < rays.light_slots:
                size = wp.dot(sent, LUMINANCE)
                light += wp.vec2(size, size * wp.max(share, 0.0))
    out_light.arriving.radiance[i] = radiance
    out_light.light[i] = light
