"""Philox4x32-10 on the device; `engine/randomize/philox.py` is its reference on the host.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

import warp as wp

from .native_source import native

CONSTANTS = {
    "MULTIPLIER_0": 0xD2511F53, "MULTIPLIER_1": 0xCD9E8D57, "ROUNDS": 10,
    "WEYL_0": 0x9E3779B9, "WEYL_1": 0xBB67AE85,  # golden ratio, sqrt(3) - 1
}  # fmt: skip
UNIT_24_BIT = wp.constant(1.0 / 16777216.0)  # 2^-24: every float32 in [0, 1) reached this way is exact

vec4u = wp.types.vector(length=4, dtype=wp.uint32)


@wp.struct
class RandomKey:
    """A stream: the words of `stream_key(seed, name)`."""

    low: wp.uint32
    high: wp.uint32


@wp.func_native(
    native("philox", constants=CONSTANTS)
    + """
    unsigned int c[4] = {counter[0], counter[1], counter[2], counter[3]};
    philox(c, key.low, key.high);
    return wp::vec_t<4, wp::uint32>(c[0], c[1], c[2], c[3]);
"""
)
def philox(counter: vec4u, key: RandomKey) -> vec4u:
    """Return four random words."""


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
