"""Sub-pixel samples: rgb integrates them over the pixel's area, a box filter one pixel wide.

A pixel whose 3 x 3 neighbourhood is one smooth surface reuses the hit of its centre for all samples; its textures are
filtered by their footprint, and only the points on lights differ.
"""

import warp as wp

from .camera import Ray, Views, camera_ray, pixel_of
from .geometry import Trees
from .random import RandomKey, uniform4
from .trace import Hit, trace_closest

JITTER_DIMENSION = wp.constant(0)  # dimensions of a pixel's counter: sub-pixel position,
LIGHT_DIMENSION = wp.constant(1)  # points on lights
R2_X = wp.constant(0.7548776662466927)  # Roberts' R2 sequence: 1 / plastic number and its square
R2_Y = wp.constant(0.5698402909980532)


@wp.struct
class Sampling:
    """Which sub-pixel sample a launch computes, for pixels `first + i`."""

    first: int
    sample: int
    key: RandomKey


@wp.func
def random_of(views: Views, pixel: wp.vec3i, dimension: int, key: RandomKey) -> wp.vec4:
    """Return four uniform numbers that belong to a pixel of a frame."""
    return uniform4(views.world[pixel[0]], views.frame[pixel[0]], pixel[1] * views.width + pixel[2], dimension, key)


@wp.func
def shifted(offset: wp.vec2, sample: int) -> wp.vec2:
    """Return point `sample` of the R2 sequence, shifted on the torus."""
    x = offset[0] + R2_X * float(sample)
    y = offset[1] + R2_Y * float(sample)
    return wp.vec2(x - wp.floor(x), y - wp.floor(y))


@wp.func
def sample_ray(views: Views, pixel: wp.vec3i, sampling: Sampling) -> Ray:
    """Return the ray of a sub-pixel sample."""
    r = random_of(views, pixel, JITTER_DIMENSION, sampling.key)
    u = shifted(wp.vec2(r[0], r[1]), sampling.sample)
    return camera_ray(views, pixel[0], float(pixel[2]) + u[0], float(pixel[1]) + u[1])


@wp.kernel(enable_backward=False)
def trace_samples(trees: Trees, views: Views, sampling: Sampling, edge: wp.array[wp.uint8], out_hit: wp.array[Hit]):
    """Write the hit of the present sub-pixel sample for pixels that lie across an edge."""
    i = wp.tid()
    if edge[sampling.first + i] == wp.uint8(0):
        return
    pixel = pixel_of(views, sampling.first + i)
    out_hit[i] = trace_closest(trees, views.row[pixel[0]], sample_ray(views, pixel, sampling))
