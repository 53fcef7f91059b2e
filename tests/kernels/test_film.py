"""From radiance to 8-bit codes."""

from __future__ import annotations

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.render.arrays import to_device
from engine.render.color import linear_of_srgb, srgb_table
from engine.render.views import span_of

SIDE_PX = 1024


def developed(radiance: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the codes of SIDE_PX x SIDE_PX linear numbers."""
    views = gpu.camera.Views()
    views.width = views.height = SIDE_PX
    views.exposure = to_device(np.ones(1, np.float32), wp.float32, "cpu")
    out = gpu.film.ColorImages()
    out.rgb = wp.zeros((1, SIDE_PX, SIDE_PX, 3), dtype=wp.uint8, device="cpu")
    out.linear = wp.zeros((1, SIDE_PX, SIDE_PX), dtype=wp.vec3, device="cpu")
    colors = to_device(np.repeat(radiance[:, None], 3, axis=1), wp.vec3, "cpu")
    span = span_of(0, len(radiance), "cpu")
    inputs = [views, span, 1, srgb_table("cpu"), colors, out]
    wp.launch(gpu.film.develop, -(-len(radiance) // span.run), inputs, device="cpu")
    assert np.array_equal(out.rgb.numpy()[..., 0], out.rgb.numpy()[..., 2])
    kept, codes = out.linear.numpy().reshape(-1, 3)[:, 0], out.rgb.numpy().reshape(-1, 3)[:, 0]
    order = np.argsort(kept, kind="stable")  # pixels come in tiles
    return codes[order]


def test_codes_are_srgb_rounded_exactly() -> None:
    """IEC 61966-2-1 in float64, over a million floats from 0 to 1, and at both sides of every border."""
    bits = np.linspace(0, np.float32(1.0).view(np.uint32), SIDE_PX**2 - 1024, dtype=np.uint32)
    border = linear_of_srgb((np.arange(1, 256) - 0.5) / 255).astype(np.float32)
    sides = [border, np.nextafter(border, np.float32(0)), np.nextafter(border, np.float32(2)), border * 2.0]
    values = np.sort(np.concatenate([bits.view(np.float32), *sides, np.array([-1.0, -1e-30, 1e30, 2.0], np.float32)]))
    clipped = np.clip(values.astype(np.float64), 0.0, 1.0)
    coded = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1.0 / 2.4) - 0.055) * 255.0
    codes = developed(values).astype(np.float64)
    assert np.abs(codes - coded).max() < 0.5 + 1e-4  # the two pieces of the standard meet with a gap of 1e-6
    clear = np.abs(coded - np.floor(coded) - 0.5) > 1e-4
    assert np.array_equal(codes[clear], np.floor(coded[clear] + 0.5))


def test_what_is_no_number_is_some_code() -> None:
    assert len(developed(np.full(SIDE_PX**2, np.nan, np.float32))) == SIDE_PX**2
