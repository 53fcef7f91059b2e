"""Sub-pixel samples: rgb integrates them over the pixel's area, a box filter one pixel wide.

Points on lights come from one low-discrepancy sequence that runs through the pixels along a shuffled Z-order curve,
with a random shift per frame. Neighbours thus sample a light at different places, and the noise is fine-grained
(Ahmed and Wonka, "Screen-space blue-noise diffusion of Monte Carlo sampling error", SIGGRAPH Asia 2020). The sequence
is Roberts' R_3: multiples of inverse powers of a generalised golden ratio, as 32-bit fractions (native/sequence.cpp).

A pixel whose four neighbours lie on its own smooth surface reuses the hit of its centre for all samples; its textures
are filtered by their footprint, and only the points on lights differ.
"""

import warp as wp

from .camera import Ray, Span, Views, has_blur, sample_ray
from .geometry import Trees
from .native_source import native
from .random import CONSTANTS as PHILOX
from .random import RandomKey, philox, vec4u
from .trace import FAR_M, Hit

JITTER_DIMENSION = 0  # dimensions of a pixel's counter: sub-pixel position,
LIGHT_DIMENSION = wp.constant(1)  # shift of the points on lights and shuffle of the curve, drawn per view,
AMBIENT_DIMENSION = wp.constant(2)  # shift of the directions of the ambient term, likewise
SHOT_DIMENSION = 3  # place on the lens and moment of the exposure
R2_X = 0.7548776662466927  # Roberts' R2 sequence: 1 / plastic number and its square
R2_Y = 0.5698402909980532
CONSTANTS = {
    **PHILOX, "JITTER_DIMENSION": JITTER_DIMENSION, "SHOT_DIMENSION": SHOT_DIMENSION,
    "R2_X": R2_X, "R2_Y": R2_Y, "FAR_M": float(FAR_M),
}  # fmt: skip


@wp.struct
class Sampling:
    """Which sub-pixel sample of which pixels a launch computes."""

    span: Span
    sample: int
    sample_count: int
    shot_share: wp.vec3  # of the lens's area, of a turn about its axis and of the exposure, before the pixel's shift
    key: RandomKey


@wp.struct
class HitBuffers:
    """Hits of pixel centres, all of the launch's views, and of the present sample where it lies across an edge."""

    layer: int  # 0: the first surface of a ray; others have a sample's hit for every pixel, or GONE
    center: wp.array[Hit]  # [pixel]
    edge: wp.array[wp.uint8]  # [pixel]
    sample: wp.array[Hit]  # [i], valid where edge is set, as the next
    offset_px: wp.array[wp.vec2]  # [i], of the sample in its pixel
    shot: wp.array[wp.vec3]  # [i], where on the lens, in shares of its radius, and when [s] it is; empty: nothing blurs


@wp.func_native(
    native("lanes", "lens", "camera", "philox", "offset", constants=CONSTANTS)
    + """
    float out[2];
    sample_offset(views, pixel[0], pixel[1], pixel[2], sampling.sample, sampling.key, out);
    return wp::vec2(out[0], out[1]);
"""
)
def sample_offset(views: Views, pixel: wp.vec3i, sampling: Sampling) -> wp.vec2:
    """Return where a sub-pixel sample lies in its pixel."""


@wp.func_native(
    native("lanes", "lens", "camera", "philox", "offset", constants=CONSTANTS)
    + """
    float out[3];
    sample_shot(views, pixel[0], pixel[1], pixel[2], sampling, out);
    return wp::vec3(out[0], out[1], out[2]);
"""
)
def shot_of_blur(views: Views, pixel: wp.vec3i, sampling: Sampling) -> wp.vec3:
    """Return where on the lens and when a sample is; see native/offset.cpp."""


@wp.func
def sample_shot(views: Views, pixel: wp.vec3i, sampling: Sampling) -> wp.vec3:
    """Return where on the lens, in shares of its radius, and when [s] a sub-pixel sample is."""
    if has_blur(views):
        return shot_of_blur(views, pixel, sampling)
    return wp.vec3(0.0, 0.0, 0.0)


@wp.func
def ray_through(views: Views, pixel: wp.vec3i, offset_px: wp.vec2, shot: wp.vec3) -> Ray:
    """Return the ray of a sub-pixel sample."""
    return sample_ray(views, pixel[0], float(pixel[2]) + offset_px[0], float(pixel[1]) + offset_px[1], shot)


@wp.func_native(
    native("lanes", "lens", "camera", "traverse", "traverse_group", "philox", "offset", "samples", constants=CONSTANTS)
)
def sample_run(trees: Trees, views: Views, sampling: Sampling, out_hits: HitBuffers, thread: int):
    """Write the hits of a run of pixels; see native/samples.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def trace_samples(trees: Trees, views: Views, sampling: Sampling, out_hits: HitBuffers):
    """Write the hits of the present sub-pixel sample for pixels that lie across an edge."""
    sample_run(trees, views, sampling, out_hits, wp.tid())


@wp.kernel(enable_backward=False)
def shift_views(key: RandomKey, out_views: Views):
    """Write the random words that shift the points of every view on lights and its ambient directions."""
    view = wp.tid()
    world = wp.uint32(out_views.world[view])
    frame = wp.uint32(out_views.frame[view])
    out_views.light_shift[view] = philox(vec4u(world, frame, wp.uint32(0), wp.uint32(LIGHT_DIMENSION)), key)
    out_views.ambient_shift[view] = philox(vec4u(world, frame, wp.uint32(0), wp.uint32(AMBIENT_DIMENSION)), key)
