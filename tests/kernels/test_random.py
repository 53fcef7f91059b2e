"""The random numbers of kernels are those of the host's reference, and those of the paper."""

from __future__ import annotations

import numpy as np
import pytest
import warp as wp

from engine import gpu
from engine.randomize.philox import philox, stream_key, uniform
from engine.render.buffers import LANES

# Known answers of Philox4x32-10 from the authors' Random123 library: counter, key, output.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_known_answers(
    counter: tuple[int, ...], key: tuple[int, int], expected: tuple[int, ...]
) -> None:
    assert philox(counter, key).tolist() == list(expected)  # type: ignore[arg-type]


def test_kernels_draw_what_the_host_draws() -> None:
    world = np.array([0, 1, 7, 2**31 - 1, -1], np.int32)  # -1: world 2^32 - 1, as the same 32 bits
    key = gpu.random.RandomKey()
    key.low, key.high = stream_key(0, "test")
    out = wp.empty(len(world), dtype=wp.vec4, device="cpu")
    wp.launch(gpu.random.fill_uniform, len(world), [wp.array(world, device="cpu"), 5, key, out], device="cpu")
    words = philox((world.view(np.uint32), 0, 5, 0), stream_key(0, "test"))
    assert np.array_equal(out.numpy(), (words >> 8).astype(np.float32) * np.float32(2.0**-24))


def test_a_draw_does_not_depend_on_what_is_drawn_beside_it() -> None:
    alone = uniform(3, "camera.x", 41, 2, 1, 0)
    together = uniform(3, "camera.x", np.arange(100), 2, 1, 0)
    assert alone == together[41]


def test_streams_and_seeds_are_unrelated() -> None:
    world = np.arange(20_000)
    draws = [uniform(seed, name, world) for seed, name in ((0, "a"), (0, "b"), (1, "a"))]
    for i, first in enumerate(draws):
        for second in draws[i + 1 :]:
            assert abs(np.corrcoef(first, second)[0, 1]) < 0.03


def test_a_world_beyond_32_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="world"):
        uniform(0, "a", 2**32)


def test_shuffled_indices_keep_blocks_together() -> None:
    """Owen scrambling in base 2: a permutation that maps every aligned block of 2^k indices onto another."""
    count = 256
    out = wp.empty(count, dtype=wp.uint32, device="cpu")
    wp.launch(shuffle, count // LANES, [12345, out], device="cpu")
    shuffled = out.numpy()
    for size in (2, 4, 16, 64):
        blocks = shuffled.reshape(-1, size) // size
        assert (blocks == blocks[:, :1]).all()
    assert len(set(shuffled.tolist())) == count
    assert not np.array_equal(np.sort(shuffled), shuffled)


@wp.func_native(
    gpu.native_source.native("lanes", "lens", "camera", "sequence")
    + """
    const U places = scrambled((U)(omm::lanes() + group * OMM_WIDTH), (U)omm::splat_int(seed));
    for (int l = 0; l < OMM_WIDTH; ++l) out.data[group * OMM_WIDTH + l] = (unsigned int)omm::get_int((I)places, l);
"""
)
def scrambled_group(group: int, seed: int, out: wp.array[wp.uint32]):
    """Write the shuffled places of a group of indices."""


@wp.kernel(enable_backward=False)
def shuffle(seed: int, out_index: wp.array[wp.uint32]):
    """Write the shuffled place of every index."""
    scrambled_group(wp.tid(), seed, out_index)
