"""Light arrives as the closed forms say, for every shape of light, and shadows fall where they must."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import gpu
from engine.scene.model import Light, LightKind, Material
from tests.kernels.scenes import IDENTITY, camera, look_at, pose, quad, render, rig, scene, sphere, with_ambient

DOWN = pose(at=(0, 0, 4))  # a light at 4 m that emits along -Z
GREY = 0.5
# A dielectric of ior 1 reflects nothing specularly: what is left is Lambert, with radiance albedo * E / pi.
LAMBERT = Material("lambert", base_color=(GREY,) * 3, ior=1.0, roughness=1.0)


def radiance_below(
    light: Light, *, spp: int = 256, material: Material = LAMBERT, compensation: bool = True
) -> float:  # fmt: skip
    """Return what a camera sees of the ground right below the origin, averaged over a few millimetres."""
    ground = quad(2.0)
    setup = dataclasses.replace(rig(size_px=(8, 8), spp=spp), energy_compensation=compensation)
    cam = camera(look_at((0.0, 0.0, 1.0), (0, 0, 0), up=(0, 1, 0)), focal_mm=2400.0)
    frames = render(scene([(ground, IDENTITY)], lights=(light,), materials=(material,)), cam, setup)
    assert frames.rgb_linear is not None
    values: NDArray[np.float32] = frames.rgb_linear[0, :, :, 0]
    return float(values.mean())


def light(kind: LightKind, size_m: tuple[float, float], *, half_angle_rad: float = 0.0, at: object = DOWN) -> Light:
    return Light("/light", kind, np.asarray(at), size_m, half_angle_rad, (3.0, 3.0, 3.0))


def rect_irradiance(width_m: float, height_m: float, distance_m: float) -> float:
    """Irradiance below the middle of a rectangle of radiance 1: four times the form factor of a quarter.

    Source: Howell, "A catalog of radiation heat transfer configuration factors", B-4.
    """
    a, b = width_m / 2 / distance_m, height_m / 2 / distance_m
    first = a / math.hypot(1, a) * math.atan(b / math.hypot(1, a))
    return 2 * (first + b / math.hypot(1, b) * math.atan(a / math.hypot(1, b)))


@pytest.mark.parametrize(
    ("source", "irradiance"),
    [
        (light(LightKind.RECT, (2.0, 1.0)), rect_irradiance(2.0, 1.0, 4.0)),
        (light(LightKind.DISK, (1.5, 0.0)), math.pi * 1.5**2 / (1.5**2 + 4.0**2)),
        (light(LightKind.SPHERE, (0.5, 0.0)), math.pi * 0.5**2 / 4.0**2),
        (light(LightKind.DISTANT, (0.0, 0.0), half_angle_rad=0.3), math.pi * math.sin(0.3) ** 2),
        (light(LightKind.DISTANT, (0.0, 0.0), half_angle_rad=0.00463), math.pi * math.sin(0.00463) ** 2),  # the sun
        (light(LightKind.DISTANT, (0.0, 0.0), half_angle_rad=1.0e-4), math.pi * 1.0e-8),
        (light(LightKind.DISTANT, (0.0, 0.0)), 1.0),
        (light(LightKind.DOME, (0.0, 0.0), at=IDENTITY), math.pi),
    ],
    ids=lambda value: value.kind.name if isinstance(value, Light) else "",
)
def test_irradiance_is_the_closed_form(source: Light, irradiance: float) -> None:
    assert radiance_below(source) == pytest.approx(GREY / math.pi * 3.0 * irradiance, rel=2e-3)


def test_a_thin_cylinder_is_a_line_of_light() -> None:
    """Irradiance below a line of length 2 h at distance d: 2 r L * (sin a cos a + a) / d with tan a = h / d."""
    angle = math.atan(1.0 / 4.0)
    expected = 2 * 0.01 * (math.sin(angle) * math.cos(angle) + angle) / 4.0
    seen = radiance_below(light(LightKind.CYLINDER, (0.01, 2.0)), spp=4096)
    assert seen == pytest.approx(GREY / math.pi * 3.0 * expected, rel=0.02)


def test_irradiance_falls_with_the_square_of_distance() -> None:
    near, far = (radiance_below(light(LightKind.SPHERE, (0.01, 0.0), at=pose(at=(0, 0, h)))) for h in (2.0, 4.0))
    assert near / far == pytest.approx(4.0, rel=1e-3)


def test_a_flat_light_sends_nothing_backwards() -> None:
    up = pose(at=(0, 0, 4), axes=np.diag([1.0, -1.0, -1.0]))
    assert radiance_below(light(LightKind.RECT, (1.0, 1.0), at=up), spp=4) == 0.0


@pytest.mark.parametrize("count", [3, 20])
def test_many_lights_add_up(count: int) -> None:
    """Beyond eight, lights share shadow rays; the mean stays that of all of them."""
    spots = tuple(
        Light(f"/{i}", LightKind.SPHERE, pose(at=(0.3 * i, 0, 3)), (0.05, 0.0), 0.0, (1.0 + i,) * 3)
        for i in range(count)
    )
    cam = camera(look_at((0.0, 0.0, 1.0), (0, 0, 0), up=(0, 1, 0)), focal_mm=2400.0)
    stage = scene([(quad(2.0), IDENTITY)], lights=spots, materials=(LAMBERT,))
    frames = render(stage, cam, rig(size_px=(16, 16), spp=256))
    expected = sum(
        (1.0 + i) * math.pi * 0.05**2 / ((0.3 * i) ** 2 + 9) * 3 / math.sqrt((0.3 * i) ** 2 + 9) for i in range(count)
    )
    assert frames.rgb_linear is not None
    assert frames.rgb_linear.mean() == pytest.approx(GREY / math.pi * expected, rel=0.01)


def test_a_plate_between_light_and_ground_casts_its_shadow() -> None:
    """Below a plate of 1 m, half way to a small light, 2 m of the ground are dark, and no more."""
    lamp = light(LightKind.SPHERE, (0.001, 0.0))
    stage = scene([(quad(6.0), IDENTITY), (quad(1.0), pose(at=(0, 0, 2)))], lights=(lamp,), materials=(LAMBERT,))
    cam = camera(look_at((0, 0, 1.99), (0, 0, 0), up=(0, 1, 0)), focal_mm=12.0)  # below the plate: 3.98 m are in view
    frames = render(stage, cam, rig(size_px=(64, 64)))
    assert frames.rgb_linear is not None
    lit = frames.rgb_linear[0, 32, :, 0] > 0
    x = (np.arange(64) + 0.5 - 32) / 64 * 3.98
    sure = np.abs(np.abs(x) - 1.0) > 0.07
    assert (lit == (np.abs(x) > 1.0))[sure].all()


def test_the_fitting_of_a_lamp_does_not_shade_it() -> None:
    """A luminous panel in the very plane of its light, as fixtures are authored, leaves the ground as bright."""
    lamp = light(LightKind.RECT, (1.0, 1.0))
    panel = (quad(1.0), DOWN)
    cam = camera(look_at((0.0, 0.0, 1.0), (0, 0, 0), up=(0, 1, 0)), focal_mm=2400.0)
    seen = [
        render(scene([(quad(2.0), IDENTITY), *extra], lights=(lamp,), materials=(LAMBERT,)), cam, rig()).rgb_linear
        for extra in ([], [panel])
    ]
    assert seen[0] is not None
    assert seen[1] is not None
    assert np.array_equal(seen[0], seen[1])
    assert seen[0].min() > 0


def test_a_light_without_shadow_passes_through() -> None:
    lamp = Light("/l", LightKind.SPHERE, DOWN, (0.1, 0.0), 0.0, (3.0,) * 3, casts_shadow=False)
    cover = (quad(3.0), pose(at=(0, 0, 2)))
    cam = camera(look_at((0.0, 0.0, 1.0), (0, 0, 0), up=(0, 1, 0)), focal_mm=2400.0)
    covered = render(scene([(quad(2.0), IDENTITY), cover], lights=(lamp,), materials=(LAMBERT,)), cam, rig(spp=16))
    free = render(scene([(quad(2.0), IDENTITY)], lights=(lamp,), materials=(LAMBERT,)), cam, rig(spp=16))
    assert covered.rgb_linear is not None
    assert free.rgb_linear is not None
    assert np.array_equal(covered.rgb_linear, free.rgb_linear)
    assert free.rgb_linear.min() > 0


def test_a_cone_lights_a_disk_on_the_ground() -> None:
    spot = Light("/spot", LightKind.SPHERE, DOWN, (0.01, 0.0), 0.0, (900.0,) * 3, cone_cos=math.cos(math.radians(20)))
    cam = camera(look_at((0, 0, 3.9), (0, 0, 0), up=(0, 1, 0)), focal_mm=24.0)
    frames = render(scene([(quad(9.0), IDENTITY)], lights=(spot,), materials=(LAMBERT,)), cam, rig(size_px=(64, 64)))
    assert frames.rgb_linear is not None
    y, x = (np.mgrid[:64, :64] + 0.5 - 32) / 64 * 3.9
    radius = np.hypot(x, y)
    edge = 4.0 * math.tan(math.radians(20))
    lit = frames.rgb_linear[0, :, :, 0] > 1e-3
    assert (lit == (radius < edge))[np.abs(radius - edge) > 0.08].all()


def test_a_white_surface_returns_what_falls_on_it() -> None:
    """Furnace: a white Lambert plate under a uniform dome of radiance 3 is as bright as the dome."""
    white = Material("white", base_color=(1.0,) * 3, ior=1.0, roughness=1.0)
    assert radiance_below(light(LightKind.DOME, (0.0, 0.0), at=IDENTITY), material=white) == pytest.approx(
        3.0, rel=1e-3
    )


@pytest.mark.parametrize(("roughness", "albedo"), [(0.2, 1.0), (1.0, 1.0 - math.log(2.0))])
def test_a_metal_plate_under_a_dome_shows_the_albedo_of_its_lobe(roughness: float, albedo: float) -> None:
    """Seen along the normal, each facet hit once. With alpha = 1 and height-correlated Smith that is 1 - ln 2."""
    metal = Material("metal", base_color=(1.0,) * 3, metallic=1.0, roughness=roughness)
    seen = radiance_below(light(LightKind.DOME, (0.0, 0.0), at=IDENTITY), spp=8192, material=metal, compensation=False)
    assert seen == pytest.approx(3.0 * albedo, rel=0.03)


@pytest.mark.parametrize("roughness", [0.1, 0.5])
def test_gloss_under_a_dome_is_not_speckled(roughness: float) -> None:
    """No sample of a ball under a uniform dome is much brighter than the dome, also at its grazing rim."""
    glossy = Material("glossy", base_color=(0.3,) * 3, roughness=roughness)
    dome = Light("/dome", LightKind.DOME, IDENTITY, (0.0, 0.0), 0.0, (1.0,) * 3)
    stage = scene([(sphere(1.0), IDENTITY)], lights=(dome,), materials=(glossy,))
    frames = render(stage, camera(look_at((0, -3, 0), (0, 0, 0))), rig(size_px=(64, 64), spp=1))
    assert frames.rgb_linear is not None
    assert frames.rgb_linear.max() < 1.3


def test_ambient_light_is_the_surrounds_of_a_plate_and_stops_at_a_wall() -> None:
    setup = with_ambient(rig(size_px=(8, 8), spp=1024), radiance=0.8, reach_m=1.0)
    cam = camera(look_at((0.0, 0.0, 0.9), (0, 0, 0), up=(0, 1, 0)), focal_mm=2400.0)
    free = render(scene([(quad(2.0), IDENTITY)], materials=(LAMBERT,)), cam, setup)
    wall = (quad(8.0), pose(axes=np.array([[0, 1.0, 0], [0, 0, 1], [1, 0, 0]]).T, at=(0.01, 0, 0)))
    half = render(scene([(quad(2.0), IDENTITY), wall], materials=(LAMBERT,)), cam, setup)
    assert free.rgb_linear is not None
    assert half.rgb_linear is not None
    assert free.rgb_linear.mean() == pytest.approx(GREY * 0.8, rel=0.03)  # the fit of the specular term adds under 3 %
    share = gpu.shade.AMBIENT_OPEN_SHARE  # arrives also where something is near
    assert half.rgb_linear.mean() / free.rgb_linear.mean() == pytest.approx(share + (1 - share) / 2, abs=0.02)


def test_both_sides_of_a_launch_number_lights_alike() -> None:
    assert {m.name: int(m) for m in gpu.light.LightKind} == {m.name: int(m) for m in LightKind}
