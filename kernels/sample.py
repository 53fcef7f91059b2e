"""Sub-pixel samples: rgb integrates them over the pixel's area, a box filter one pixel wide.

Points on lights come from one low-discrepancy sequence that runs through the pixels along a shuffled Z-order curve,
with a random shift per frame. Neighbours thus sample a light at different places, and the noise is fine-grained
(Ahmed and Wonka, "Screen-space blue-noise diffusion of Monte Carlo sampling error", SIGGRAPH Asia 2020). The sequence
is Roberts' R_3: multiples of inverse powers of a generalised golden ratio, as 32-bit fractions (native/sequence.cpp).

A pixel whose four neighbours lie on its own smooth surface reuses the hit of its centre for all samples; its textures
are filtered by their footprint, and only the points on lights differ.
"""

import warp as wp

from .camera import Ray, Span, Views, camera_ray, pixel_of
from .geometry import Trees
from .random import RandomKey, uniform4
from .trace import Hit, trace_closest

JITTER_DIMENSION = wp.constant(0)  # dimensions of a pixel's counter: sub-pixel position,
LIGHT_DIMENSION = 1  # shift of the points on lights and shuffle of the curve, drawn per view by the host,
AMBIENT_DIMENSION = 2  # shift of the directions of the ambient term, likewise
R2_X = wp.constant(0.7548776662466927)  # Roberts' R2 sequence: 1 / plastic number and its square
R2_Y = wp.constant(0.5698402909980532)


@wp.struct
class Sampling:
    """Which sub-pixel sample of which pixels a launch computes."""

    span: Span
    sample: int
    sample_count: int
    key: RandomKey


@wp.struct
class HitBuffers:
    """Hits of pixel centres, all of the launch's views, and of the present sample where it lies across an edge."""

    layer: int  # 0: the first surface of a ray; others have a sample's hit for every pixel, or GONE
    center: wp.array[Hit]  # [pixel]
    edge: wp.array[wp.uint8]  # [pixel]
    sample: wp.array[Hit]  # [i], valid where edge is set, as the next
    offset_px: wp.array[wp.vec2]  # [i], of the sample in its pixel


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
def sample_offset(views: Views, pixel: wp.vec3i, sampling: Sampling) -> wp.vec2:
    """Return where a sub-pixel sample lies in its pixel."""
    r = random_of(views, pixel, JITTER_DIMENSION, sampling.key)
    return shifted(wp.vec2(r[0], r[1]), sampling.sample)


@wp.func
def ray_through(views: Views, pixel: wp.vec3i, offset_px: wp.vec2) -> Ray:
    """Return the ray of a sub-pixel sample."""
    return camera_ray(views, pixel[0], float(pixel[2]) + offset_px[0], float(pixel[1]) + offset_px[1])


@wp.kernel(enable_backward=False)
def trace_samples(trees: Trees, views: Views, sampling: Sampling, out_hits: HitBuffers):
    """Write the hit of the present sub-pixel sample for pixels that lie across an edge."""
    i = wp.tid()
    if out_hits.edge[sampling.span.first + i] == wp.uint8(0):
        return
    pixel = pixel_of(views, sampling.span.first + i)
    offset_px = sample_offset(views, pixel, sampling)
    out_hits.offset_px[i] = offset_px
    out_hits.sample[i] = trace_closest(trees, views.row[pixel[0]], ray_through(views, pixel, offset_px))
