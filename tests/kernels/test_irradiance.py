"""Every kind of light gives a tilted plane the irradiance that a closed form, or a quadrature in float64, says."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.scene.model import IesProfile, Light, LightKind, Material, Texture, Wrap
from tests.kernels.scenes import IDENTITY, camera, look_at, pose, quad, render, rig, scene

Array = NDArray[np.float64]
LEVEL = np.array([0.0, 0.0, 1.0])
TILTED = np.array([0.48, 0.36, 0.8])
MATTE = Material("matte", base_color=(0.5,) * 3, ior=1.0, roughness=1.0)  # radiance is albedo * E / pi
AT = np.array([0.9, -0.4, 2.2])  # of lights, above both planes
TURNED = look_at(AT, (0.1, 0.2, 0.1))  # shines at the origin, not quite
DOWN = pose(at=AT)
PROFILE = IesProfile(
    "lamp", np.array([0.0, 2.0 * np.pi], np.float32), np.array([0.0, 0.4, 0.8, 1.2], np.float32),
    np.array([[3.0, 1.0, 2.0, 0.5]] * 2, np.float32),
)  # fmt: skip


def irradiance(
    light: Light, normal: Array, *, spp: int, image: NDArray[np.float32] | None = None
) -> tuple[Array, Array]:
    """Return the rendered irradiance at the origin on a plane of this normal, and its standard error, by channel."""
    axes = look_at(normal, (0, 0, 0), up=(0, 1, 0))[:, :3]
    textures = () if image is None else (Texture("image", image, Wrap.REPEAT, Wrap.CLAMP),)
    stage = scene([(quad(1.0), pose(axes=axes))], lights=(light,), materials=(MATTE,), textures=textures)
    stage = dataclasses.replace(stage, ies=(PROFILE,))
    cam = camera(look_at(normal * 0.5, (0, 0, 0), up=(0, 1, 0)), focal_mm=4800.0)  # a few millimetres
    frames = render(stage, cam, rig(size_px=(32, 32), spp=spp))
    assert frames.rgb_linear is not None
    pixels = frames.rgb_linear.reshape(-1, 3).astype(np.float64) * np.pi / 0.5
    return pixels.mean(axis=0), pixels.std(axis=0) / math.sqrt(len(pixels))


def toward(normal: Array) -> float:
    return float(normal @ AT / np.linalg.norm(AT))


def of_distant(normal: Array) -> float:
    return math.pi * math.sin(0.2) ** 2 * toward(normal)


def of_disk(normal: Array) -> float:
    """Pi times the configuration factor of parallel planes (Howell, catalog, B-13); else the sum over small parts."""
    aside, radius = math.hypot(AT[0], AT[1]), 0.7
    if normal is LEVEL:
        r, h = radius / aside, AT[2] / aside
        z = 1.0 + h * h + r * r
        return math.pi * 0.5 * (1.0 - (z - 2.0 * r * r) / math.sqrt(z * z - 4.0 * r * r))
    out, around = np.meshgrid((np.arange(300) + 0.5) / 300.0, (np.arange(300) + 0.5) * np.pi / 150.0)
    place = AT + radius * out[..., None] * np.stack([np.cos(around), np.sin(around), 0.0 * out], axis=-1)
    distance2 = (place**2).sum(axis=-1)
    part = radius**2 * out * (np.pi / 150.0) / 300.0
    return float(((place @ normal) * place[..., 2] / distance2**2 * part).sum())


def of_rectangle(normal: Array) -> float:
    """Lambert's sum over the edges of a polygon: half of angle times the normal's share of the edge's plane."""
    corners = [TURNED[:, :3] @ (x, y, 0.0) + AT for x, y in ((-0.6, -0.3), (0.6, -0.3), (0.6, 0.3), (-0.6, 0.3))]
    unit = [corner / np.linalg.norm(corner) for corner in corners]
    total = 0.0
    for a, b in zip(unit, [*unit[1:], unit[0]], strict=True):
        across = np.cross(a, b)
        total += math.acos(a @ b) * float(normal @ across) / float(np.linalg.norm(across))
    return abs(total) / 2.0


def of_cylinder(normal: Array) -> float:
    """The sum over small parts of its side."""
    around, along = np.meshgrid((np.arange(720) + 0.5) * np.pi / 360.0, (np.arange(300) + 0.5) / 300.0 - 0.5)
    facing = TURNED[:, 1] * np.cos(around)[..., None] + TURNED[:, 2] * np.sin(around)[..., None]
    place = AT + 0.2 * facing + 1.4 * along[..., None] * TURNED[:, 0]
    distance2 = (place**2).sum(axis=-1)
    to_light = place / np.sqrt(distance2)[..., None]
    cosines = np.maximum(to_light @ normal, 0.0) * np.maximum(-(to_light * facing).sum(axis=-1), 0.0)
    return float((cosines / distance2).sum() * 0.2 * 1.4 * (np.pi / 360.0) / 300.0)


def of_sphere(normal: Array) -> float:
    return math.pi * 0.3**2 / float(AT @ AT) * toward(normal)


def of_image(normal: Array) -> float:
    """The sum over parts of the texels; bilinear between their centres."""
    image, parts = IMAGE[..., 0].astype(np.float64), 16
    v, u = (np.mgrid[: 8 * parts, : 16 * parts] + 0.5) / parts
    x, y = u - 0.5, v - 0.5
    left, low = np.floor(x).astype(int), np.floor(y).astype(int)
    radiance = sum(
        (x - left if i else 1.0 - x + left) * (y - low if j else 1.0 - y + low)
        * image[np.clip(low + j, 0, 7), (left + i) % 16]
        for i in (0, 1) for j in (0, 1)
    )  # fmt: skip
    turn, latitude = (0.5 - u / 16.0) * 2.0 * np.pi, (v / 8.0 - 0.5) * np.pi
    across = np.cos(latitude)
    light = np.stack([across * np.sin(turn), -across * np.cos(turn), np.sin(latitude)], axis=-1) @ TURNED[:, :3].T
    part = across * (2.0 * np.pi / (16 * parts)) * (np.pi / (8 * parts))
    return float((radiance * np.maximum(light @ normal, 0.0) * part).sum())


IMAGE = np.concatenate([np.random.default_rng(5).random((8, 16, 3)) ** 6 * 9.0, np.ones((8, 16, 1))], axis=-1)
IMAGE = IMAGE.astype(np.float32)
LAMP = Light("/l", LightKind.SPHERE, DOWN, (0.3, 0.0), 0.0, (1.0,) * 3)
OFF_AXIS_RAD = math.acos(AT[2] / math.sqrt(float(AT @ AT)))  # of the origin, seen from a lamp that hangs down


def light(kind: LightKind, size_m: tuple[float, float] = (0.0, 0.0), half_angle_rad: float = 0.0) -> Light:
    at = DOWN if kind == LightKind.DISK else TURNED
    if kind == LightKind.DISTANT:
        at = look_at(AT, (0, 0, 0))
    return Light("/l", kind, at, size_m, half_angle_rad, (1.0,) * 3, texture=0 if kind == LightKind.DOME else None)


def spot(begin_rad: float, end_rad: float) -> Light:
    return dataclasses.replace(
        LAMP, size_m=(0.01, 0.0), cone_cos=math.cos(end_rad), cone_softness=1.0 - begin_rad / end_rad
    )


def of_spot(normal: Array) -> float:
    share = (OFF_AXIS_RAD - 0.2) / 0.5
    return math.pi * 0.01**2 / float(AT @ AT) * toward(normal) * (1.0 - share * share * (3.0 - 2.0 * share))


def of_profile(normal: Array) -> float:
    return (
        math.pi
        * 0.01**2
        / float(AT @ AT)
        * toward(normal)
        * float(np.interp(OFF_AXIS_RAD, PROFILE.vertical_rad, PROFILE.intensity[0]))
    )


CASES: dict[str, tuple[Light, Callable[[Array], float]]] = {
    "distant": (light(LightKind.DISTANT), toward),
    "distant with an angle": (light(LightKind.DISTANT, half_angle_rad=0.2), of_distant),
    "sphere": (LAMP, of_sphere),
    "disk": (light(LightKind.DISK, (0.7, 0.0)), of_disk),
    "rectangle": (light(LightKind.RECT, (1.2, 0.6)), of_rectangle),
    "cylinder": (light(LightKind.CYLINDER, (0.2, 1.4)), of_cylinder),
    "dome": (dataclasses.replace(light(LightKind.DOME), texture=None), lambda _: math.pi),
    "dome with an image": (light(LightKind.DOME), of_image),
    "spot": (spot(0.2, 0.7), of_spot),
    "profile": (dataclasses.replace(LAMP, size_m=(0.01, 0.0), ies=0), of_profile),
}  # fmt: skip


@pytest.mark.parametrize("normal", [LEVEL, TILTED], ids=["level", "tilted"])
@pytest.mark.parametrize("name", CASES)
def test_irradiance_is_that_of_the_formula(name: str, normal: Array) -> None:
    """Within four standard errors, which are small, or half a percent."""
    source, formula = CASES[name]
    found, error = irradiance(source, normal, spp=256, image=IMAGE)
    expected = formula(normal)
    assert 4.0 * error[0] < 0.02 * expected
    assert found[0] == pytest.approx(expected, abs=max(0.005 * expected, 4.0 * float(error[0])))


def preetham(direction: Array, sun: Array, turbidity: float) -> tuple[Array, Array, Array]:
    """Return luminance (relative), x and y of the sky as the paper has them: Perez' formula over its value overhead."""
    t, theta_s = turbidity, math.acos(sun[2])
    rows = [
        (0.1787 * t - 1.4630, -0.3554 * t + 0.4275, -0.0227 * t + 5.3251, 0.1206 * t - 2.5771, -0.0670 * t + 0.3703),
        (-0.0193 * t - 0.2592, -0.0665 * t + 0.0008, -0.0004 * t + 0.2125, -0.0641 * t - 0.8989, -0.0033 * t + 0.0452),
        (-0.0167 * t - 0.2608, -0.0950 * t + 0.0092, -0.0079 * t + 0.2102, -0.0441 * t - 1.6537, -0.0109 * t + 0.0529),
    ]
    c3, c2, c1 = theta_s**3, theta_s**2, theta_s
    x = (0.00166 * c3 - 0.00375 * c2 + 0.00209 * c1) * t * t + (
        -0.02903 * c3 + 0.06377 * c2 - 0.03202 * c1 + 0.00394
    ) * t
    x += 0.11693 * c3 - 0.21196 * c2 + 0.06052 * c1 + 0.25886
    y = (0.00275 * c3 - 0.00610 * c2 + 0.00317 * c1) * t * t + (
        -0.04214 * c3 + 0.08970 * c2 - 0.04153 * c1 + 0.00516
    ) * t
    y += 0.15346 * c3 - 0.26756 * c2 + 0.06670 * c1 + 0.26688
    cos_theta, gamma = np.maximum(direction[..., 2], 0.01), np.arccos(np.clip(direction @ sun, -1.0, 1.0))
    out = []
    for (a, b, c, d, e), overhead in zip(rows, (1.0, x, y), strict=True):
        here = (1.0 + a * np.exp(b / cos_theta)) * (1.0 + c * np.exp(d * gamma) + e * np.cos(gamma) ** 2)
        there = (1.0 + a * math.exp(b)) * (1.0 + c * math.exp(d * theta_s) + e * math.cos(theta_s) ** 2)
        out.append(overhead * here / there)
    return out[0], out[1], out[2]


@pytest.mark.parametrize("normal", [LEVEL, TILTED], ids=["level", "tilted"])
@pytest.mark.parametrize(("turbidity", "elevation_deg"), [(2.5, 8.0), (3.5, 50.0), (8.0, 25.0)])
def test_a_sky_lights_as_the_quadrature_of_its_model(turbidity: float, elevation_deg: float, normal: Array) -> None:
    """In every channel; the level is the one that the model of the air gives a level plane, the ground is black."""
    from engine.daylight.atmosphere import daylight

    height, azimuth = math.radians(elevation_deg), 0.7
    frame = pose(
        axes=[[math.cos(azimuth), -math.sin(azimuth), 0], [math.sin(azimuth), math.cos(azimuth), 0], [0, 0, 1]]
    )
    sky = Light("/sky", LightKind.SKY, frame, (0.0, 0.0), 0.0, (1.0,) * 3, sky=(turbidity, height, 0.0, 2000.0))
    found, error = irradiance(sky, normal, spp=256)

    z, turn = (np.arange(400) + 0.5) / 400, (np.arange(720) + 0.5) * np.pi / 360
    r = np.sqrt(1.0 - z * z)[:, None]
    direction = np.stack(np.broadcast_arrays(r * np.cos(turn), r * np.sin(turn), z[:, None]), axis=-1)
    part = 2.0 * np.pi / direction[..., 0].size
    sun = np.array([math.cos(height) * math.cos(azimuth), math.cos(height) * math.sin(azimuth), math.sin(height)])
    luminance, x, y = preetham(direction, sun, turbidity)
    level = daylight(*(np.array([v]) for v in (turbidity, height, 0.0))).sky_lx[0] / 2000.0
    luminance = luminance * level / (luminance * direction[..., 2] * part).sum()
    to_rgb = np.linalg.inv(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    xyz = np.stack([x / y, np.ones_like(x), (1.0 - x - y) / y], axis=-1) * luminance[..., None]
    rgb = np.maximum(xyz @ to_rgb.T, 0.0)
    expected = (rgb * np.maximum(direction @ normal, 0.0)[..., None] * part).sum(axis=(0, 1))
    assert (4.0 * error < 0.03 * expected).all()
    assert found == pytest.approx(expected, abs=4.0 * float(error.max()) + 0.005 * float(expected.max()))


def test_ground_below_a_sky_is_seen_at_its_radiance() -> None:
    """What looks down beside the plane sees albedo times all the light on level ground over pi, in every channel."""
    from engine.daylight.sky import sky_rows

    parameters = (3.0, math.radians(35.0), 0.3, 5000.0)
    sky = Light("/sky", LightKind.SKY, IDENTITY, (0.0, 0.0), 0.0, (1.0,) * 3, sky=parameters)
    down = camera(look_at((5.0, 0, 1.0), (9.0, 0, 0.0)), focal_mm=240.0)
    frames = render(scene([(quad(0.1), IDENTITY)], lights=(sky,)), down, rig(size_px=(4, 4), spp=1))
    rows = sky_rows(np.array([parameters]))
    level = rows.sky_irradiance[0] + rows.sun_irradiance[0] * math.sin(parameters[1])
    assert frames.rgb_linear is not None
    assert frames.rgb_linear[0, 2, 2] == pytest.approx(0.3 / math.pi * level, rel=1e-5)
