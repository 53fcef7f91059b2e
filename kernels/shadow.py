"""Shadow rays: which of the light that was prepared for a point arrives."""

import warp as wp

from .camera import Ray
from .geometry import Trees
from .point import ORIGIN_FIELD, ROW_FIELD, Points, point_index
from .shade import DISTANCE_FIELD, RADIANCE_FIELD, SHORT_OF_LIGHT, ShadowRays, ray_index, vector_at
from .trace import is_blocked


@wp.kernel(enable_backward=False)
def trace_shadow(trees: Trees, point: Points, rays: ShadowRays, out_radiance: wp.array[wp.vec3]):
    """Add the light of every shadow ray that nothing blocks."""
    i = wp.tid()
    radiance = out_radiance[i]
    ray = Ray()
    ray.origin = vector_at(point.value, point_index(point, i, ORIGIN_FIELD), point.group)
    row = wp.cast(point.value[point_index(point, i, ROW_FIELD)], wp.int32)
    for slot in range(rays.light_slots + 1):
        at = ray_index(rays, slot, i)
        distance = rays.value[at + DISTANCE_FIELD * rays.group]
        if distance > 0.0:
            ray.direction = vector_at(rays.value, at, rays.group)
            if not is_blocked(trees, row, ray, distance * SHORT_OF_LIGHT):
                radiance += vector_at(rays.value, at + RADIANCE_FIELD * rays.group, rays.group)
    out_radiance[i] = radiance
