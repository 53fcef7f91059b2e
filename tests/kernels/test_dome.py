"""Light from the images of domes is that of a quadrature in float64, with little noise where an image has a sun."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.render import Renderer, domes
from engine.scene.model import Light, LightKind, Material, Scene, Texture, Wrap
from tests.kernels.scenes import ALL, IDENTITY, camera, draft_of, look_at, pose, quad, render, rig, scene

Array = NDArray[np.float64]
MATTE = Material("matte", base_color=(0.5,) * 3, ior=1.0, roughness=1.0)  # reflects nothing specularly
GLOSSY = Material("glossy", base_color=(0.0,) * 3, ior=1.5, roughness=0.3)  # reflects nothing diffusely
EYE = np.array([0.6, 0.0, 0.8])
TURN = np.linalg.qr(np.array([[1.0, 0.3, 0.2], [-0.4, 1.0, 0.5], [0.1, -0.6, 1.0]]))[0]
TURN = TURN * np.sign(np.linalg.det(TURN))
SUN_AT = np.array([0.3, 0.5, 0.8]) / np.linalg.norm([0.3, 0.5, 0.8])


def image_of(name: str) -> NDArray[np.float32]:
    """Return a latitude-longitude image [y, x, 4], first row at the bottom."""
    height, width = {"sun at the pole": (64, 128), "even": (32, 64), "random": (32, 64)}.get(name, (512, 1024))
    v, u = (np.mgrid[:height, :width] + 0.5) / [[[height]], [[width]]]
    out = np.ones((height, width, 4))
    if name == "random":
        out[..., :3] = np.random.default_rng(7).random((height, width, 3)) ** 4
    if name.startswith("sun"):
        out[..., :3] = 0.2
        center = {"sun": SUN_AT @ TURN, "sun at the pole": np.array([0.0, 0.0, 1.0])}.get(
            name, np.array([0.0, 1.0, 0.1])
        )
        angle = np.arccos(np.clip(directions(u, v) @ (center / np.linalg.norm(center)), -1.0, 1.0))
        out[angle < math.radians(0.25 if height == 512 else 2.0), :3] = 2000.0
    return out.astype(np.float32)


def directions(u: Array, v: Array) -> Array:
    """Return directions [..., 3] in the dome's frame: the pole +Z, the image's centre -Y, u falls towards +X."""
    turn, latitude = (0.5 - u) * 2.0 * np.pi, (v - 0.5) * np.pi
    return np.stack([np.cos(latitude) * np.sin(turn), -np.cos(latitude) * np.cos(turn), np.sin(latitude)], axis=-1)


def expected(image: NDArray[np.float32], axes: Array, material: Material) -> float:
    """Return what the camera sees of a plane of +Z under the dome: the sum over all parts of the image's texels."""
    height, width = image.shape[:2]
    parts = 1024 // width
    red = image[..., 0].astype(np.float64)
    v, u = (np.mgrid[: height * parts, : width * parts] + 0.5) / [[[height * parts]], [[width * parts]]]
    x, y = u * width - 0.5, v * height - 0.5
    left, low = np.floor(x).astype(int), np.floor(y).astype(int)
    across, up = x - left, y - low
    radiance = np.zeros_like(u)
    for i, j, weight in (
        (0, 0, (1 - across) * (1 - up)),
        (1, 0, across * (1 - up)),
        (0, 1, (1 - across) * up),
        (1, 1, across * up),
    ):
        radiance += weight * red[np.clip(low + j, 0, height - 1), (left + i) % width]
    light = directions(u, v) @ axes.T
    solid_angle = np.cos((v - 0.5) * np.pi) * (np.pi / (height * parts)) * (2.0 * np.pi / (width * parts))
    cosine = np.maximum(light[..., 2], 0.0)
    return float((radiance * scattered(light, cosine, material) * cosine * solid_angle).sum())


def scattered(light: Array, n_dot_l: Array, material: Material) -> Array | float:
    """Return Lambert's law, or GGX with height-correlated Smith shadowing under Schlick's law."""
    if material is MATTE:
        return 0.5 / np.pi
    half = light + EYE
    half /= np.linalg.norm(half, axis=-1, keepdims=True)
    a2, n_dot_h, n_dot_v = material.roughness**4, half[..., 2], EYE[2]
    lobe = a2 / (np.pi * (n_dot_h**2 * (a2 - 1.0) + 1.0) ** 2)
    smith = n_dot_l * np.sqrt(n_dot_v**2 * (1 - a2) + a2) + n_dot_v * np.sqrt(n_dot_l**2 * (1 - a2) + a2)
    fresnel = 0.04 + 0.96 * (1.0 - half @ EYE) ** 5
    return np.asarray(fresnel * lobe * 0.5 / np.maximum(smith, 1e-12))


def lit_plane(image: NDArray[np.float32], axes: Array, material: Material) -> Scene:
    dome = Light("/dome", LightKind.DOME, pose(axes=axes), (0.0, 0.0), 0.0, (1.0,) * 3, texture=0)
    texture = Texture("sky", image, Wrap.REPEAT, Wrap.CLAMP)
    return scene([(quad(2.0), IDENTITY)], lights=(dome,), materials=(material,), textures=(texture,))


VIEW = camera(look_at(EYE * 2.0, (0, 0, 0)), focal_mm=4800.0)  # a few millimetres of the plane


def seen(stage: Scene, *, spp: int) -> Array:
    frames = render(stage, VIEW, rig(size_px=(32, 32), spp=spp))
    assert frames.rgb_linear is not None
    return frames.rgb_linear[0, :, :, 0].astype(np.float64)


@pytest.mark.parametrize("material", [MATTE, GLOSSY], ids=lambda m: m.name)
@pytest.mark.parametrize("name", ["even", "random", "sun", "sun at the pole", "sun at the seam"])
def test_a_plane_under_an_image_is_as_bright_as_the_quadrature(name: str, material: Material) -> None:
    """Within four standard errors of the mean, as the pixels scatter, or half a percent."""
    image, axes = image_of(name), TURN if name == "sun" else np.eye(3)
    if name == "sun at the seam":  # where u jumps, low above the plane's horizon
        axes = np.array([[1.0, 0, 0], [0, 0.6, -0.8], [0, 0.8, 0.6]])
    pixels = seen(lit_plane(image, axes, material), spp=1024)
    reference = expected(image, axes, material)
    error = 4.0 * float(pixels.std()) / math.sqrt(pixels.size)
    assert error < 0.02 * reference
    assert float(pixels.mean()) == pytest.approx(reference, abs=max(error, 0.005 * reference))


def test_a_sun_in_an_image_gives_little_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of equal samples the variance is less than a fiftieth of that of samples which follow the surface alone."""
    stage = lit_plane(image_of("sun"), TURN, MATTE)
    ours = seen(stage, spp=16)
    monkeypatch.setattr(domes, "MOST_SHARE", 0.0)
    lobes = seen(stage, spp=1024)  # whose variance at 16 samples is 64 times as large
    assert ours.var() * 50.0 < lobes.var() * 64.0


def test_an_even_image_needs_no_table() -> None:
    assert domes.dome_table(image_of("even")).share == 0.0
    assert domes.dome_table(image_of("sun")).share == pytest.approx(domes.MOST_SHARE, rel=0.01)


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (300, 700)])
def test_a_table_is_a_distribution_over_the_sphere(size: tuple[int, int]) -> None:
    """Densities integrate to 1, and are in proportion to the mean radiance of their cells."""
    image = np.random.default_rng(3).random((*size, 4)).astype(np.float32) ** 8
    table = domes.dome_table(image)
    rows, columns = table.density.shape
    assert (rows, columns) == (min(size[0], domes.MOST_ROWS), min(size[1], domes.MOST_COLUMNS))
    band = np.diff(np.sin((np.arange(rows + 1) / rows - 0.5) * np.pi)) * 2.0 * np.pi / columns
    assert (table.density * band[:, None]).sum() == pytest.approx(1.0, rel=1e-5)
    ends = np.append(table.row_begin, 1.0)
    assert np.diff(ends) == pytest.approx((table.density * band[:, None]).sum(axis=1), abs=1e-6)


def test_a_black_image_gives_no_light_and_no_error() -> None:
    black = np.zeros((8, 16, 4), np.float32)
    assert domes.dome_table(black).share == 0.0
    assert not seen(lit_plane(black, np.eye(3), MATTE), spp=4).any()


def test_each_world_turns_its_dome() -> None:
    """Of two worlds in one launch each has the brightness of its own rotation."""
    stage, setup = lit_plane(image_of("random"), np.eye(3), GLOSSY), rig(size_px=(32, 32), spp=64)
    draft = draft_of(stage, setup, VIEW, [0, 1])
    draft.world_from_light[1, 0, :, :3] = TURN
    frames = Renderer(stage, setup, ALL, seed=0, device="cpu", threads=1).render(draft)
    assert frames.rgb_linear is not None
    for row, axes in enumerate((np.eye(3), TURN)):
        reference = expected(image_of("random"), axes, GLOSSY)
        assert frames.rgb_linear[row, :, :, 0].mean() == pytest.approx(reference, rel=0.01)


def test_worlds_under_a_dome_do_not_depend_on_their_batch_or_threads() -> None:
    stage, setup = lit_plane(image_of("sun"), TURN, GLOSSY), rig(size_px=(16, 16), spp=4)
    both = Renderer(stage, setup, ALL, seed=3, device="cpu", threads=2).render(draft_of(stage, setup, VIEW, [4, 5]))
    alone = Renderer(stage, setup, ALL, seed=3, device="cpu", threads=1).render(draft_of(stage, setup, VIEW, [5]))
    assert both.rgb_linear is not None
    assert alone.rgb_linear is not None
    assert np.array_equal(both.rgb_linear[1], alone.rgb_linear[0])


def test_steps_of_a_dark_sky_are_fine_beside_a_sun() -> None:
    """A sky of 0.2 in an image with a sun of 60 000 is seen at 0.2, as 16-bit floats have it."""
    image = image_of("even") * 0.2
    image[20, 30, :3] = 60_000.0
    stage = dataclasses.replace(lit_plane(image, np.eye(3), MATTE))
    up = camera(look_at((0, 0, 1.0), (1.0, 0.3, 1.2)))
    frames = render(stage, up, rig(size_px=(8, 8), spp=1))
    assert frames.rgb_linear is not None
    assert np.median(frames.rgb_linear) == pytest.approx(0.2, rel=1e-3)
