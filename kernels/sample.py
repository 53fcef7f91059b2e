"""Sub-pixel samples: rgb integrates them over the pixel's area, a box filter one pixel wide.

Points on lights come from one low-discrepancy sequence that runs through the pixels along a shuffled Z-order curve,
with a random shift per frame. Neighbours thus sample a light at different places, and the noise is fine-grained
(Ahmed and Wonka, "Screen-space blue-noise diffusion of Monte Carlo sampling error", SIGGRAPH Asia 2020). The sequence
is Roberts' R_3: multiples of inverse powers of a generalised golden ratio, as 32-bit fractions.

A pixel whose four neighbours lie on its own smooth surface reuses the hit of its centre for all samples; its textures
are filtered by their footprint, and only the points on lights differ.
"""

import warp as wp

from .camera import Ray, Views, camera_ray, pixel_of
from .geometry import Trees
from .random import RandomKey, uniform4, unit_float, vec4u
from .trace import Hit, trace_closest

vec3u = wp.types.vector(length=3, dtype=wp.uint32)

JITTER_DIMENSION = wp.constant(0)  # dimensions of a pixel's counter: sub-pixel position,
LIGHT_DIMENSION = 1  # shift of the points on lights and shuffle of the curve, drawn per view by the host,
AMBIENT_DIMENSION = 2  # shift of the directions of the ambient term, likewise
R2_X = wp.constant(0.7548776662466927)  # Roberts' R2 sequence: 1 / plastic number and its square
R2_Y = wp.constant(0.5698402909980532)
# Masks of neighbouring groups of bits, for reversing them.
BYTES_ODD = wp.constant(wp.uint32(0xFF00FF00))
BYTES_EVEN = wp.constant(wp.uint32(0x00FF00FF))
NIBBLES_ODD = wp.constant(wp.uint32(0xF0F0F0F0))
NIBBLES_EVEN = wp.constant(wp.uint32(0x0F0F0F0F))
PAIRS_ODD = wp.constant(wp.uint32(0xCCCCCCCC))
PAIRS_EVEN = wp.constant(wp.uint32(0x33333333))
BITS_ODD = wp.constant(wp.uint32(0xAAAAAAAA))
BITS_EVEN = wp.constant(wp.uint32(0x55555555))
R3_WORDS = vec3u(wp.uint32(3518319155), wp.uint32(2882110345), wp.uint32(2360945575))  # the R_3 sequence


@wp.struct
class Sampling:
    """Which sub-pixel sample a launch computes, for pixels `first + i`."""

    first: int
    sample: int
    sample_count: int
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
def spread_bits(x: wp.uint32) -> wp.uint32:
    """Return the lower 16 bits with a zero between neighbours."""
    x = x & wp.uint32(0x0000FFFF)
    x = (x | (x << wp.uint32(8))) & wp.uint32(0x00FF00FF)
    x = (x | (x << wp.uint32(4))) & wp.uint32(0x0F0F0F0F)
    x = (x | (x << wp.uint32(2))) & wp.uint32(0x33333333)
    return (x | (x << wp.uint32(1))) & wp.uint32(0x55555555)


@wp.func
def reverse_bits(x: wp.uint32) -> wp.uint32:
    """Return the 32 bits in the opposite order."""
    x = (x >> wp.uint32(16)) | (x << wp.uint32(16))
    x = ((x & BYTES_ODD) >> wp.uint32(8)) | ((x & BYTES_EVEN) << wp.uint32(8))
    x = ((x & NIBBLES_ODD) >> wp.uint32(4)) | ((x & NIBBLES_EVEN) << wp.uint32(4))
    x = ((x & PAIRS_ODD) >> wp.uint32(2)) | ((x & PAIRS_EVEN) << wp.uint32(2))
    return ((x & BITS_ODD) >> wp.uint32(1)) | ((x & BITS_EVEN) << wp.uint32(1))


@wp.func
def scrambled(x: wp.uint32, seed: wp.uint32) -> wp.uint32:
    """Return an index shuffled so that aligned blocks of 2^k indices stay together (Owen scrambling in base 2).

    Source: Burley, "Practical hash-based Owen scrambling", JCGT 9(4), 2020; the hash is Laine and Karras', EGSR 2011,
    with Vegdahl's constants.
    """
    h = reverse_bits(x)
    h = h ^ (h * wp.uint32(0x3D20ADEA))
    h = h + seed
    h = h * ((seed >> wp.uint32(16)) | wp.uint32(1))
    h = h ^ (h * wp.uint32(0x05526C56))
    h = h ^ (h * wp.uint32(0x53A22864))
    return reverse_bits(h)


@wp.func
def sequence_index(views: Views, pixel: wp.vec3i, sampling: Sampling) -> wp.uint32:
    """Return the place of a pixel's sample in the sequence that runs through the image."""
    along_curve = spread_bits(wp.uint32(pixel[2])) | (spread_bits(wp.uint32(pixel[1])) << wp.uint32(1))
    shuffled = scrambled(along_curve, views.light_shift[pixel[0]][3])
    return shuffled * wp.uint32(sampling.sample_count) + wp.uint32(sampling.sample)


@wp.func
def sequence_point(n: wp.uint32, shift: vec4u) -> wp.vec3:
    """Return three numbers in [0, 1): point `n` of the sequence, shifted on the torus."""
    return wp.vec3(
        unit_float(shift[0] + n * R3_WORDS[0]),
        unit_float(shift[1] + n * R3_WORDS[1]),
        unit_float(shift[2] + n * R3_WORDS[2]),
    )


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
