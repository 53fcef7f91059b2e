"""Shadow rays: which of the light that was prepared for a point arrives."""

import warp as wp

from .camera import Ray
from .geometry import Trees
from .point import Point
from .shade import SHORT_OF_LIGHT, ShadowRays
from .trace import is_blocked


@wp.kernel(enable_backward=False)
def trace_shadow(trees: Trees, point: wp.array[Point], rays: ShadowRays, out_radiance: wp.array[wp.vec3]):
    """Add the light of every shadow ray that nothing blocks."""
    i = wp.tid()
    radiance = out_radiance[i]
    ray = Ray()
    ray.origin = point[i].origin_m
    for slot in range(rays.light_slots + 1):
        distance = rays.distance_m[slot, i]
        if distance > 0.0:
            ray.direction = rays.direction[slot, i]
            if not is_blocked(trees, point[i].row, ray, distance * SHORT_OF_LIGHT):
                radiance += rays.radiance[slot, i]
    out_radiance[i] = radiance
