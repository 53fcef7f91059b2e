"""Philox4x32-10 on the device; `engine/randomize/philox.py` is its reference on the host.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

import warp as wp

MULTIPLIER_0 = wp.constant(wp.uint32(0xD2511F53))
MULTIPLIER_1 = wp.constant(wp.uint32(0xCD9E8D57))
WEYL_0 = wp.constant(wp.uint32(0x9E3779B9))  # golden ratio
WEYL_1 = wp.constant(wp.uint32(0xBB67AE85))  # sqrt(3) - 1
ROUNDS = wp.constant(10)
UNIT_24_BIT = wp.constant(1.0 / 16777216.0)  # 2^-24: every float32 in [0, 1) reached this way is exact

vec4u = wp.types.vector(length=4, dtype=wp.uint32)


@wp.struct
class RandomKey:
    """A stream: the words of `stream_key(seed, name)`."""

    low: wp.uint32
    high: wp.uint32


@wp.func
def multiply_high(a: wp.uint32, b: wp.uint32) -> wp.uint32:
    """Return the upper 32 bits of a product."""
    return wp.uint32((wp.uint64(a) * wp.uint64(b)) >> wp.uint64(32))


@wp.func
def philox(counter: vec4u, key: RandomKey) -> vec4u:
    """Return four random words."""
    c0 = counter[0]
    c1 = counter[1]
    c2 = counter[2]
    c3 = counter[3]
    k0 = key.low
    k1 = key.high
    for _ in range(ROUNDS):
        high_0 = multiply_high(MULTIPLIER_0, c0)
        low_0 = MULTIPLIER_0 * c0
        high_1 = multiply_high(MULTIPLIER_1, c2)
        low_1 = MULTIPLIER_1 * c2
        c0 = high_1 ^ c1 ^ k0
        c1 = low_1
        c2 = high_0 ^ c3 ^ k1
        c3 = low_0
        k0 = k0 + WEYL_0
        k1 = k1 + WEYL_1
    return vec4u(c0, c1, c2, c3)


@wp.func
def unit_float(word: wp.uint32) -> float:
    """Return a number in [0, 1) from the upper 24 bits of a word."""
    return float(word >> wp.uint32(8)) * UNIT_24_BIT


@wp.func
def uniform4(world: int, frame: int, index: int, dimension: int, key: RandomKey) -> wp.vec4:
    """Return four uniform numbers of a counter; `frame` is step * cameras + camera."""
    words = philox(vec4u(wp.uint32(world), wp.uint32(frame), wp.uint32(index), wp.uint32(dimension)), key)
    return wp.vec4(unit_float(words[0]), unit_float(words[1]), unit_float(words[2]), unit_float(words[3]))


@wp.kernel(enable_backward=False)
def fill_uniform(world: wp.array[int], index: int, key: RandomKey, out_value: wp.array[wp.vec4]):
    """Write four uniform numbers for every world: the kernel that tests compare with the host's reference."""
    i = wp.tid()
    out_value[i] = uniform4(world[i], 0, index, 0, key)
