"""Texture filtering against a brute-force referee: 256 rays a pixel, bilinear lookups at full resolution in float64."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.scene.model import Camera, Material, Scene, Texture, TextureInput, Wrap
from tests.kernels.scenes import IDENTITY, camera, look_at, pose, quad, render, rig, scene

Array = NDArray[np.float64]
PLAIN = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SIDE_M, SIZE_PX, SAMPLES = 2.0, 64, 16


def glowing(image: NDArray[np.float32], world_from_mesh: Array) -> Scene:
    """Return a square that sends out what an image [y, x] shows, and reflects nothing."""
    rgba = np.ones((*image.shape, 4), np.float32)
    rgba[..., :3] = image[..., None]
    driven = TextureInput(0, 0, (1.0,) * 4, (0.0,) * 4, PLAIN)
    material = Material("glow", base_color=(0.0,) * 3, metallic=1.0, textures={"emission": driven})
    texture = Texture("image", rgba, Wrap.CLAMP, Wrap.CLAMP)
    return scene([(quad(SIDE_M), world_from_mesh)], materials=(material,), textures=(texture,))


def shown(stage: Scene, cam: Camera) -> Array:
    """Return what the renderer shows, [y, x]."""
    linear = render(stage, cam, rig(size_px=(SIZE_PX, SIZE_PX), spp=4)).rgb_linear
    assert linear is not None
    return linear[0, ..., 0].astype(np.float64)


def brute_force(image: NDArray[np.float32], world_from_mesh: Array, cam: Camera) -> tuple[Array, NDArray[np.bool_]]:
    """Return the mean of all rays of each pixel [y, x], and which pixels have all of theirs on the square."""
    count = SIZE_PX * SAMPLES
    at = (np.arange(count) + 0.5) / count - 0.5
    focal = cam.focal_length_mm / 24.0
    x, y = np.meshgrid(at / focal, -at / focal)
    direction = np.stack([x, y, -np.ones_like(x)], axis=-1) @ cam.world_from_camera[:, :3].T
    axes, origin = world_from_mesh[:, :3], world_from_mesh[:, 3]
    t = ((origin - cam.world_from_camera[:, 3]) @ axes[:, 2]) / (direction @ axes[:, 2])
    local = (cam.world_from_camera[:, 3] + t[..., None] * direction - origin) @ axes
    uv = local[..., :2] / SIDE_M + 0.5
    is_on = ((uv > 0.0) & (uv < 1.0)).all(axis=-1) & (t > 0.0)
    size = len(image)
    texel = np.clip(uv, 0.0, 1.0) * size - 0.5
    low = np.floor(texel).astype(int)
    part = texel - low
    value = np.zeros(uv.shape[:2])
    for j in (0, 1):
        for i in (0, 1):
            column, row = (np.clip(low[..., k] + o, 0, size - 1) for k, o in ((0, i), (1, j)))
            weight = np.abs(1 - i - part[..., 0]) * np.abs(1 - j - part[..., 1])
            value += weight * image[row, column]
    blocks = (SIZE_PX, SAMPLES, SIZE_PX, SAMPLES)
    return value.reshape(blocks).mean(axis=(1, 3)), is_on.reshape(blocks).all(axis=(1, 3))


def slanted(slant_deg: float) -> tuple[Array, Camera]:
    """Return a square turned about x away from a camera before it, and the camera."""
    cos, sin = np.cos(np.deg2rad(slant_deg)), np.sin(np.deg2rad(slant_deg))
    turned = pose(axes=[[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return turned, camera(look_at((0, 0, 2.5), (0, 0, 0), up=(0, 1, 0)), focal_mm=30.0)


def cloud(size: int) -> NDArray[np.float32]:
    """Return an image with detail at every scale, values around 0.5."""
    rng = np.random.default_rng(4)
    out = np.full((size, size), 0.5)
    for level in range(int(np.log2(size))):
        coarse = rng.uniform(-0.15, 0.15, (2 ** (level + 1),) * 2)
        out += np.repeat(np.repeat(coarse, size >> (level + 1), axis=0), size >> (level + 1), axis=1)
    return np.clip(out, 0.0, 1.0).astype(np.float32)


def test_a_checker_of_1024_texels_is_grey_at_64_pixels() -> None:
    """16 x 16 texels a pixel: every pixel is the mean to 1 %, with no light whose noise could hide it."""
    checker = (np.indices((1024, 1024)).sum(axis=0) % 2).astype(np.float32)
    cam = camera(look_at((0, 0, 2.0), (0, 0, 0), up=(0, 1, 0)))
    out = shown(glowing(checker, IDENTITY), cam)
    assert out[1:-1, 1:-1] == pytest.approx(np.full((62, 62), 0.5), abs=0.005)


@pytest.mark.parametrize("slant_deg", [30.0, 60.0, 75.0])
def test_a_fine_checker_stays_grey_at_a_slant(slant_deg: float) -> None:
    """Every pixel whose rays all meet the square is the mean to 2 %."""
    checker = (np.indices((1024, 1024)).sum(axis=0) % 2).astype(np.float32)
    world_from_mesh, cam = slanted(slant_deg)
    _, is_on = brute_force(np.zeros((2, 2), np.float32), world_from_mesh, cam)
    inner = is_on & np.roll(is_on, 1, 0) & np.roll(is_on, -1, 0) & np.roll(is_on, 1, 1) & np.roll(is_on, -1, 1)
    out = shown(glowing(checker, world_from_mesh), cam)
    assert inner.sum() > 300
    assert out[inner] == pytest.approx(np.full(int(inner.sum()), 0.5), abs=0.01)


@pytest.mark.parametrize(("slant_deg", "bound"), [(0.0, 0.25), (45.0, 0.15), (60.0, 0.17), (75.0, 0.23)])
@pytest.mark.parametrize("size", [64, 512])
def test_filtered_textures_are_those_of_brute_force(size: int, slant_deg: float, bound: float) -> None:
    """The root mean square difference is a share of the image's own contrast there; the mean agrees to 1 %."""
    image = cloud(size)
    world_from_mesh, cam = slanted(slant_deg)
    expected, is_on = brute_force(image, world_from_mesh, cam)
    out = shown(glowing(image, world_from_mesh), cam)
    error = (out - expected)[is_on]
    assert np.sqrt((error**2).mean()) < bound * expected[is_on].std()
    assert out[is_on].mean() == pytest.approx(expected[is_on].mean(), rel=0.01)


def test_the_referee_sees_what_is_there() -> None:
    """One texel a pixel, seen straight on: brute force gives the bilinear mean, and a moved image is noticed."""
    image = cloud(64)
    cam = dataclasses.replace(camera(look_at((0, 0, 2.0), (0, 0, 0), up=(0, 1, 0))))
    expected, is_on = brute_force(image, IDENTITY, cam)
    assert is_on.all()
    weights = np.array([1.0, 6.0, 1.0]) / 8.0  # of a box over a bilinear hat
    blurred = sum(w * np.roll(image, k - 1, 0) for k, w in enumerate(weights))
    blurred = sum(w * np.roll(blurred, k - 1, 1) for k, w in enumerate(weights))
    assert expected[::-1][2:-2, 2:-2] == pytest.approx(blurred[2:-2, 2:-2], abs=1e-3)
    assert np.abs(np.roll(expected, 1, 0) - expected).max() > 0.05
