"""What shapes a light, its shadows and whom it lights follows the formulas of UsdLux."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.scene.model import IesProfile, Light, LightKind, Material, Scene, Texture, Wrap
from tests.kernels.scenes import IDENTITY, camera, look_at, pose, quad, render, rig, scene

Array = NDArray[np.float64]
HEIGHT_M = 4.0
VIEW_M = 3.9  # camera height; with 24 mm on 24 mm as much of the ground is in view
SIZE_PX = 48
LAMBERT = Material("lambert", base_color=(0.5,) * 3, ior=1.0, roughness=1.0)
GLOSSY = Material("glossy", base_color=(0.5, 0.3, 0.1), roughness=0.4)
LAMP = Light("/l", LightKind.SPHERE, pose(at=(0, 0, HEIGHT_M)), (1e-3, 0.0), 0.0, (1.0e6,) * 3)


def ground(
    light: Light, *, spp: int = 4, extra: dict[str, object] | None = None, material: Material = LAMBERT
) -> Array:
    """Return what a camera right below the lamp sees of the ground, [y, x, rgb]."""
    stage = dataclasses.replace(
        scene([(quad(20.0), IDENTITY)], lights=(light,), materials=(material,)), **(extra or {})  # type: ignore[arg-type]
    )  # fmt: skip
    return seen(stage, spp=spp)


def seen(stage: Scene, *, spp: int = 4) -> Array:
    cam = camera(look_at((0, 0, VIEW_M), (0, 0, 0), up=(0, 1, 0)))
    frames = render(stage, cam, rig(size_px=(SIZE_PX, SIZE_PX), spp=spp))
    assert frames.rgb_linear is not None
    return frames.rgb_linear[0].astype(np.float64)


def ground_points() -> tuple[Array, Array]:
    """Return x and y of the ground at every pixel's centre [m]."""
    y, x = (np.mgrid[:SIZE_PX, :SIZE_PX] + 0.5 - SIZE_PX / 2) / SIZE_PX * VIEW_M
    return x, -y


def off_axis_rad() -> Array:
    """Return the angle at every pixel between the lamp's axis and the light that arrives there."""
    x, y = ground_points()
    angle: Array = np.arctan2(np.hypot(x, y), HEIGHT_M)
    return angle


@pytest.mark.parametrize("focus", [0.5, 4.0, 30.0])
def test_focus_is_a_power_of_the_cosine_and_tints_what_it_takes(focus: float) -> None:
    """focusFactor = |cos|^focus; color = lerp(focusFactor, focusTint, 1)."""
    tint = (0.5, 0.0, 1.0)
    ratio = ground(dataclasses.replace(LAMP, focus=focus, focus_tint=tint)) / ground(LAMP)
    factor = np.cos(off_axis_rad())[..., None] ** focus
    assert ratio == pytest.approx(np.array(tint) * (1.0 - factor) + factor, rel=2e-3)


@pytest.mark.parametrize("softness", [0.2, 1.0])
def test_a_soft_cone_fades_by_the_angle(softness: float) -> None:
    """1 - smoothstep(offAxis, lerp(softness, cutoff, 0), cutoff), in the angle and not in its cosine."""
    cutoff = math.radians(24.0)
    soft = dataclasses.replace(LAMP, cone_cos=math.cos(cutoff), cone_softness=softness)
    ratio = (ground(soft) / ground(LAMP))[..., 0]
    start = cutoff * (1.0 - softness)
    t = np.clip((off_axis_rad() - start) / (cutoff - start), 0.0, 1.0)
    assert ratio == pytest.approx(1.0 - t * t * (3.0 - 2.0 * t), abs=2e-3)


def test_a_cone_of_more_than_a_right_angle_reaches_behind() -> None:
    """A lamp turned away lights the ground where the angle off its axis is below 150 degrees."""
    away = pose(at=(0, 0, HEIGHT_M), axes=np.diag([1.0, -1.0, -1.0]))
    cut = dataclasses.replace(LAMP, world_from_light=away, cone_cos=math.cos(math.radians(165.0)))
    lit = ground(cut)[..., 0] > 0.0
    angle = math.pi - off_axis_rad()
    sure = np.abs(angle - math.radians(165.0)) > 0.02
    assert (lit == (angle < math.radians(165.0)))[sure].all()


def profile_of(horizontal: list[float], vertical: list[float], intensity: object) -> IesProfile:
    return IesProfile(
        "lamp.ies", np.radians(horizontal).astype(np.float32), np.radians(vertical).astype(np.float32),
        np.array(intensity, np.float32),
    )  # fmt: skip


def test_a_profile_is_bilinear_in_its_angles() -> None:
    """Plane 0 of the profile lies where the light comes from +X of the lamp, so on the ground towards -x."""
    profile = profile_of([0, 90, 200, 360], [0, 7, 20, 25], [[1, 2, 3, 4], [5, 6, 7, 8], [2, 0, 9, 1], [1, 2, 3, 4]])
    ratio = (ground(dataclasses.replace(LAMP, ies=0), extra={"ies": (profile,)}) / ground(LAMP))[..., 0]
    x, y = ground_points()
    turn = np.mod(np.arctan2(-y, -x), 2 * np.pi)
    angle = off_axis_rad()
    expected = bilinear(profile, turn, angle)
    assert np.abs(ratio - expected)[np.abs(angle - math.radians(25.0)) > 0.01].max() < 0.02
    assert (expected == 0.0).any()  # beyond the last angle nothing arrives
    assert ratio.max() > 5.0


def bilinear(profile: IesProfile, horizontal: Array, vertical: Array) -> Array:
    """Return a profile's value, by NumPy's own interpolation along either axis; 0 beyond the vertical angles."""
    rows = np.stack([np.interp(vertical, profile.vertical_rad, row) for row in profile.intensity])
    out = np.zeros_like(vertical)
    for index in np.ndindex(vertical.shape):
        out[index] = np.interp(horizontal[index], profile.horizontal_rad, rows[(slice(None), *index)])
    return np.where(vertical <= profile.vertical_rad[-1], out, 0.0)


def test_each_light_has_its_own_profile() -> None:
    flat = [profile_of([0, 360], [0, 180], [[level, level]] * 2) for level in (2.0, 5.0)]
    lamps = tuple(dataclasses.replace(LAMP, name=f"/{i}", ies=i) for i in (None, 0, 1))
    stage = scene([(quad(20.0), IDENTITY)], lights=lamps, materials=(LAMBERT,))
    both = seen(dataclasses.replace(stage, ies=tuple(flat)))
    assert both == pytest.approx(ground(LAMP) * (1.0 + 2.0 + 5.0), rel=1e-4)


@pytest.mark.parametrize("kind", [LightKind.DISTANT, LightKind.RECT, LightKind.DOME])
def test_multipliers_scale_the_lobes_apart(kind: LightKind) -> None:
    """What a light adds is linear in its two multipliers, and with both 1 it is the plain light."""
    angle = 0.01 if kind == LightKind.DISTANT else 0.0
    lamp = Light("/l", kind, LAMP.world_from_light, (1.0, 1.0), angle, (3.0,) * 3)
    plain, matte, shiny, mixed = (
        ground(dataclasses.replace(lamp, diffuse=d, specular=s), material=GLOSSY)
        for d, s in ((1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.25, 3.0))
    )
    assert matte + shiny == pytest.approx(plain, rel=1e-4)
    assert mixed == pytest.approx(0.25 * matte + 3.0 * shiny, rel=1e-4)
    assert (matte[..., 0] > matte[..., 2] * 2.0).all()  # the colour of the surface
    assert shiny.min() > 0.0


def test_a_linked_light_lights_only_its_set() -> None:
    """Of two plates side by side the linked one is as bright as ever and the other is black."""
    plates = [(quad(2.0), pose(at=(-1, 0, 0))), (quad(2.0), pose(at=(1, 0, 0)))]
    stage = scene(plates, lights=(LAMP,), materials=(LAMBERT,))
    sets = np.array([[False, True]])
    linked = dataclasses.replace(stage, lights=(dataclasses.replace(LAMP, lit=0),), link_sets=sets)
    free, cut = seen(stage), seen(linked)
    half = SIZE_PX // 2
    assert np.array_equal(cut[:, half + 1 :], free[:, half + 1 :])
    assert not cut[:, : half - 1].any()
    assert free[half, half // 2, 0] > 0.0


def below_a_plate(light: Light, *, spp: int = 64) -> Array:
    """Return the mean colour of the ground below a plate half way up to the lamp, over that without the plate."""
    cam = camera(look_at((0, 0, 1.0), (0, 0, 0), up=(0, 1, 0)), focal_mm=2400.0)
    floor = (quad(20.0), IDENTITY)
    found = []
    for placed in ([floor, (quad(1.0), pose(at=(0, 0, 2)))], [floor]):
        frames = render(scene(placed, lights=(light,), materials=(LAMBERT,)), cam, rig(size_px=(16, 16), spp=spp))
        assert frames.rgb_linear is not None
        found.append(frames.rgb_linear.mean(axis=(0, 1, 2)))
    ratio: Array = found[0] / found[1]
    return ratio


def test_a_shadow_has_its_colour() -> None:
    tinted = dataclasses.replace(LAMP, shadow_color=(0.0, 0.25, 1.0))
    assert below_a_plate(tinted) == pytest.approx(np.array([0.0, 0.25, 1.0]), abs=1e-5)


@pytest.mark.parametrize(("distance_m", "share"), [(1.95, 1.0), (2.05, 0.0), (math.inf, 0.0)])
def test_a_shadow_reaches_only_so_far(distance_m: float, share: float) -> None:
    """The distance is that between the point and what shades it, here 2 m."""
    lamp = dataclasses.replace(LAMP, shadow_distance_m=distance_m)
    assert below_a_plate(lamp) == pytest.approx(np.full(3, share), abs=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 3.0])
def test_a_shadow_fades_over_its_falloff(gamma: float) -> None:
    """2 m away, where shadows end at 2.6 m and fade over the last 1 m, 0.6^gamma of the shadow is left."""
    lamp = dataclasses.replace(LAMP, shadow_distance_m=2.6, shadow_falloff_m=1.0, shadow_falloff_gamma=gamma)
    assert below_a_plate(lamp, spp=256) == pytest.approx(np.full(3, 1.0 - 0.6**gamma), abs=0.01)


def test_an_image_on_a_rect_light_is_upright_for_who_looks_at_it() -> None:
    """Red in the image's left half, and more blue in its lower one, come from where they are seen from below."""
    pixels = np.zeros((2, 2, 4), np.float32)
    pixels[..., 3] = 1.0
    pixels[:, 0, 0] = 1.0  # left, red
    pixels[0, :, 2] = 1.0  # bottom, blue
    image = Texture("screen", np.repeat(np.repeat(pixels, 8, 0), 8, 1), Wrap.CLAMP, Wrap.CLAMP)
    panel = Light("/p", LightKind.RECT, pose(at=(0, 0, 0.5)), (3.0, 3.0), 0.0, (1.0,) * 3, texture=0)
    stage = scene([(quad(20.0), IDENTITY)], lights=(panel,), materials=(LAMBERT,))
    seen_image = seen(dataclasses.replace(stage, textures=(image,)), spp=64)
    half = SIZE_PX // 2
    red, blue = seen_image[..., 0], seen_image[..., 2]
    # Seen from below with +y up, +x is on the left; in the view of the camera, which looks down, it is on the right.
    assert red[:, half:].mean() > 3.0 * red[:, :half].mean()
    assert blue[half:].mean() > 3.0 * blue[:half].mean()


def test_an_even_image_changes_nothing_but_the_colour() -> None:
    image = Texture("screen", np.full((4, 4, 4), 0.25, np.float32), Wrap.CLAMP, Wrap.CLAMP)
    panel = Light("/p", LightKind.RECT, pose(at=(0, 0, 2)), (1.0, 1.0), 0.0, (8.0,) * 3)
    plain = ground(panel)
    textured = ground(dataclasses.replace(panel, texture=0), extra={"textures": (image,)})
    assert textured == pytest.approx(0.25 * plain, rel=1e-3)
