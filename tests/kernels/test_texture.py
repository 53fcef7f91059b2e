"""Textures are read where they should be, and filtered by the footprint of a pixel."""

from __future__ import annotations

import numpy as np
import pytest

from engine import gpu
from engine.render.atlas import mip_levels
from engine.scene.model import Light, LightKind, Material, Texture, TextureInput, Wrap
from tests.kernels.scenes import IDENTITY, camera, look_at, quad, render, rig, scene

DOME = Light("/dome", LightKind.DOME, IDENTITY, (0.0, 0.0), 0.0, (1.0,) * 3)
PLAIN = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def textured(pixels: np.ndarray, *, wrap: Wrap = Wrap.REPEAT, uv_from_st: tuple[float, ...] = PLAIN) -> tuple:
    """Return a Lambert material that shows an image [y, x] of grey values, and its texture."""
    rgba = np.ones((*pixels.shape, 4), np.float32)
    rgba[..., :3] = pixels[..., None]
    driven = TextureInput(0, 0, (1.0,) * 4, (0.0,) * 4, uv_from_st)  # type: ignore[arg-type]
    material = Material("textured", ior=1.0, roughness=1.0, textures={"base_color": driven})
    return (material,), (Texture("image", rgba, wrap, wrap),)


def seen(materials: tuple, textures: tuple, *, size_px: int = 64, spp: int = 64) -> np.ndarray:
    """Return the albedo [y, x] of a square that fills the image; row 0 is the upper edge, v = 1."""
    stage = scene([(quad(2.0), IDENTITY)], lights=(DOME,), materials=materials, textures=textures)
    cam = camera(look_at((0, 0, 2.0), (0, 0, 0), up=(0, 1, 0)), focal_mm=24.0)
    frames = render(stage, cam, rig(size_px=(size_px, size_px), spp=spp))
    assert frames.rgb_linear is not None
    return frames.rgb_linear[0, :, :, 0]


def test_a_texture_lies_with_its_first_row_at_the_bottom() -> None:
    image = np.zeros((4, 4), np.float32)
    image[0, 3] = 0.8  # u near 1, v near 0: lower right
    out = seen(*textured(image, wrap=Wrap.CLAMP))
    assert out[-8:, -8:].mean() == pytest.approx(0.8, abs=0.02)
    assert out[:32].max() < 0.01
    assert out[:, :32].max() < 0.01


def test_a_fine_checker_is_grey_from_afar() -> None:
    """1024 x 1024 texels on 64 x 64 pixels: every pixel is the mean, none is noise."""
    checker = (np.indices((1024, 1024)).sum(axis=0) % 2).astype(np.float32)
    out = seen(*textured(checker), spp=128)
    assert out == pytest.approx(np.full((64, 64), 0.5), abs=0.03)


@pytest.mark.parametrize(
    ("wrap", "expected"), [(Wrap.REPEAT, 0.9), (Wrap.CLAMP, 0.1), (Wrap.MIRROR, 0.1), (Wrap.BLACK, 0.0)]
)
def test_wrap_modes_differ_outside_the_image(wrap: Wrap, expected: float) -> None:
    """An image 0.9 | 0.1 shown over u in [0, 2): just right of u = 1 lies what the mode says."""
    image = np.repeat([[0.9, 0.1]], 2, axis=0).astype(np.float32)
    out = seen(*textured(image, wrap=wrap, uv_from_st=(2.0, 0.0, 0.0, 0.0, 1.0, 0.0)))
    assert out[16:48, 38:42].mean() == pytest.approx(expected, abs=0.06)


def wrapped(i: np.ndarray, size: int, wrap: Wrap) -> np.ndarray:
    """Return the texel of an index, -1 for black."""
    if wrap == Wrap.CLAMP:
        return np.clip(i, 0, size - 1)
    if wrap == Wrap.BLACK:
        return np.where((i >= 0) & (i < size), i, -1)
    k = i % (2 * size)
    return i % size if wrap == Wrap.REPEAT else np.where(k < size, k, 2 * size - 1 - k)


@pytest.mark.parametrize("wrap_u", list(Wrap))
@pytest.mark.parametrize("wrap_v", list(Wrap))
def test_every_wrap_mode_is_exact_where_texels_are_larger_than_pixels(wrap_u: Wrap, wrap_v: Wrap) -> None:
    """Bilinear over u in [-1.6, 2.4] and v in [-2.3, 0.7], several periods of an image of 7 x 5 texels."""
    pixels = np.random.default_rng(2).random((5, 7, 4)).astype(np.float32)
    driven = TextureInput(0, 0, (1.0,) * 4, (0.0,) * 4, (4.0, 0.0, -1.6, 0.0, 3.0, -2.3))
    material = Material("m", base_color=(0.0,) * 3, metallic=1.0, textures={"emission": driven})
    stage = scene([(quad(2.0), IDENTITY)], materials=(material,), textures=(Texture("t", pixels, wrap_u, wrap_v),))
    cam = camera(look_at((0, 0, 2.0), (0, 0, 0), up=(0, 1, 0)))
    linear = render(stage, cam, rig(size_px=(96, 96), spp=1)).rgb_linear
    assert linear is not None
    s = (np.arange(96) + 0.5) / 96
    x, y = (4.0 * s - 1.6) * 7 - 0.5, ((3.0 * s - 2.3) * 5 - 0.5)[::-1]
    expected = np.zeros((96, 96, 3))
    for dj in (0, 1):
        for di in (0, 1):
            i, j = np.floor(x).astype(int) + di, np.floor(y).astype(int) + dj
            column, row = wrapped(i, 7, wrap_u), wrapped(j, 5, wrap_v)
            weight = np.abs(1 - di - (x - np.floor(x)))[None] * np.abs(1 - dj - (y - np.floor(y)))[:, None]
            there = (row[:, None] >= 0) & (column[None] >= 0)
            expected += (weight * there)[..., None] * pixels[row][:, column, :3]
    assert linear[0][1:-1, 1:-1] == pytest.approx(expected[1:-1, 1:-1], abs=2e-3)


@pytest.mark.parametrize("wrap", list(Wrap))
def test_wrap_modes_hold_in_the_distance(wrap: Wrap) -> None:
    """Half black, half white over 16 periods, seen from afar: grey where it repeats, one texel or black outside."""
    image = np.repeat([[1.0, 0.0]], 64, axis=0).repeat(32, axis=1).astype(np.float32)
    far = seen(*textured(image, wrap=wrap, uv_from_st=(16.0, 0.0, -8.0, 0.0, 1.0, 0.0)), size_px=16)
    expected = {Wrap.REPEAT: (0.5, 0.5), Wrap.MIRROR: (0.5, 0.5), Wrap.CLAMP: (1.0, 0.0), Wrap.BLACK: (0.0, 0.0)}[wrap]
    assert far[4:12, 1:7].mean() == pytest.approx(expected[0], abs=0.05)
    assert far[4:12, 10:15].mean() == pytest.approx(expected[1], abs=0.05)


def test_scale_and_bias_apply_to_the_texel() -> None:
    materials, textures = textured(np.full((2, 2), 0.5, np.float32))
    driven = TextureInput(0, 0, (0.5,) * 4, (0.25,) * 4, PLAIN)
    materials = (Material("biased", ior=1.0, roughness=1.0, textures={"base_color": driven}),)
    assert seen(materials, textures).mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("shape", [(8, 8), (5, 7), (1, 6), (13, 2)])
def test_mips_keep_the_mean_and_halve_the_size(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).random((*shape, 4)).astype(np.float32)
    levels = mip_levels(pixels)
    for k, level in enumerate(levels):
        assert level.shape[:2] == (max(shape[0] >> k, 1), max(shape[1] >> k, 1))
        assert level.mean(axis=(0, 1)) == pytest.approx(pixels.mean(axis=(0, 1)), rel=1e-5)


def test_a_normal_map_tilts_the_light() -> None:
    """A map that tilts all normals by 45 degrees towards +x dims light from above by cos 45."""
    tilted = np.zeros((2, 2, 4), np.float32)
    tilted[...] = (0.5 + 0.5 * np.sqrt(0.5), 0.5, 0.5 + 0.5 * np.sqrt(0.5), 1.0)
    driven = TextureInput(0, 0, (2.0,) * 4, (-1.0,) * 4, PLAIN)
    flat = Material("flat", base_color=(0.5,) * 3, ior=1.0, roughness=1.0)
    bumped = Material("bumped", base_color=(0.5,) * 3, ior=1.0, roughness=1.0, textures={"normal": driven})
    sun = Light("/sun", LightKind.DISTANT, IDENTITY, (0.0, 0.0), 0.0, (1.0,) * 3)
    cam = camera(look_at((0, 0, 2.0), (0, 0, 0), up=(0, 1, 0)))
    values = []
    for material in (flat, bumped):
        stage = scene([(quad(2.0), IDENTITY)], lights=(sun,), materials=(material,),
                      textures=(Texture("n", tilted, Wrap.REPEAT, Wrap.REPEAT),))  # fmt: skip
        linear = render(stage, cam, rig()).rgb_linear
        assert linear is not None
        values.append(linear.mean())
    assert values[1] / values[0] == pytest.approx(np.sqrt(0.5), rel=1e-3)


def test_both_sides_of_a_launch_number_wrap_modes_alike() -> None:
    kernel = {name: int(getattr(gpu.texture, f"WRAP_{name}")) for name in Wrap.__members__}
    assert kernel == {mode.name: int(mode) for mode in Wrap}
