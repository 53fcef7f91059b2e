"""Materials: both workflows, coats, display colours, two sets of uv, normal maps in every handedness."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import gpu
from engine.scene.model import Light, LightKind, Material, Mesh, Scene, Texture, TextureInput, Wrap
from tests.kernels.scenes import IDENTITY, camera, look_at, pose, quad, render, rig, scene

ABOVE = camera(look_at((0, 0, 2), (0, 0, 0), up=(0, 1, 0)))
PLAIN = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SUN = Light("/sun", LightKind.DISTANT, IDENTITY, (0.0, 0.0), 0.0, (1.0,) * 3)
DOME = Light("/dome", LightKind.DOME, IDENTITY, (0.0, 0.0), 0.0, (1.0,) * 3)


def sun_from(direction: object) -> Light:
    """Return a distant light of irradiance 1 that shines from a direction."""
    return dataclasses.replace(SUN, world_from_light=look_at(direction, (0, 0, 0), up=(0.1, 1, 0.2)))


def flat_image(*value: float) -> Texture:
    """Return a texture of one value all over."""
    return Texture("flat", np.tile(np.array(value, np.float32), (2, 2, 1)), Wrap.REPEAT, Wrap.REPEAT)


def driven(channel: int = 0, *, uv_set: int = 0, uv_from_st: tuple[float, ...] = PLAIN) -> TextureInput:
    """Return a use of the first texture without scale or bias."""
    return TextureInput(0, channel, (1.0,) * 4, (0.0,) * 4, uv_from_st, uv_set)  # type: ignore[arg-type]


def radiance(
    material: Material, *, light: Light = SUN, textures: tuple[Texture, ...] = (), at: NDArray[np.float64] = IDENTITY,
    plate: Mesh | None = None, size_px: tuple[int, int] = (1, 1),
) -> NDArray[np.float32]:  # fmt: skip
    """Return what a camera above a plate sees, the mean of the image."""
    stage = scene([(plate or quad(4.0), at)], lights=(light,), materials=(material,), textures=textures)
    linear = render(stage, ABOVE, rig(size_px=size_px, spp=1)).rgb_linear
    assert linear is not None
    return np.asarray(linear.mean(axis=(0, 1, 2)), np.float32)


def ggx_head_on(roughness: float) -> float:
    """Return D G / 4 of the GGX lobe where light and viewer are along the normal."""
    alpha = roughness**2
    return 1.0 / (np.pi * alpha**2) / 4.0


def head_on_albedo(roughness: float) -> tuple[float, float]:
    """Return the albedo of the GGX lobe along the normal, under a Fresnel factor of 1 and of (1 - v.h)^5.

    A quadrature over the half vector's angle, independent of the renderer's table: G2 D / (4 cos cos) cos, with
    dl = 4 (v.h) dh.
    """
    a2 = roughness**4
    t = (np.arange(20000) + 0.5) / 20000 * np.pi / 4  # of the half vector; beyond, light would come from below
    c, l = np.cos(t), np.cos(2 * t)
    d = a2 / (np.pi * (c * c * (a2 - 1) + 1) ** 2)
    g = 2 * l / (np.sqrt(l * l * (1 - a2) + a2) + l)  # height-correlated Smith, viewer along the normal
    each = d * g / (4 * l) * l * 2 * np.pi * np.sin(t) * 4 * c * (np.pi / 4 / 20000)
    return float(each.sum()), float((each * (1 - c) ** 5).sum())


def gloss_head_on(
    f0: NDArray[np.float64], f90: float | NDArray[np.float64], roughness: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return F0 with later bounces added, and the albedo of the lobe, both along the normal."""
    every, grazing = head_on_albedo(roughness)
    more = 1 + f0 * (1 - every) / every
    return f0 * more, (f0 * (every - grazing) + f90 * grazing) * more


def test_the_specular_workflow_reflects_its_colour_and_keeps_its_diffuse() -> None:
    """Head on: diffuse (1 - albedo of the gloss) / pi + F0 D G / 4, whatever metallic and ior say."""
    f0, base = np.array([0.1, 0.2, 0.5]), np.array([0.6, 0.4, 0.2])
    f0_more, taken = gloss_head_on(f0, 1.0, 0.7)
    expected = base * (1 - taken) / np.pi + f0_more * ggx_head_on(0.7)
    plain = Material("m", base_color=tuple(base), specular_color=tuple(f0), roughness=0.7)  # type: ignore[arg-type]
    for metallic, ior in ((0.0, 1.5), (1.0, 2.4)):
        material = dataclasses.replace(plain, metallic=metallic, ior=ior)
        assert radiance(material) == pytest.approx(expected, rel=2e-3)
    textured = dataclasses.replace(plain, specular_color=(0.0,) * 3, textures={"specular_color": driven()})
    assert radiance(textured, textures=(flat_image(*f0, 1.0),)) == pytest.approx(expected, rel=2e-3)


def test_the_metallic_workflow_mixes_both_ends_of_the_reflectance() -> None:
    """Head on: a share of metal that reflects the base colour, the rest a body under ((1 - ior) / (1 + ior))^2."""
    base = np.array([0.6, 0.4, 0.2])
    for metallic in (0.0, 0.25, 1.0):
        f0, taken = gloss_head_on(np.full(3, 0.04), 1.0, 0.5)
        plastic = base * (1 - taken) / np.pi + f0 * ggx_head_on(0.5)
        expected = (1 - metallic) * plastic + metallic * gloss_head_on(base, base, 0.5)[0] * ggx_head_on(0.5)
        material = Material("m", base_color=tuple(base), metallic=metallic, roughness=0.5)  # type: ignore[arg-type]
        assert radiance(material) == pytest.approx(expected, rel=2e-3)


def test_a_metal_stays_coloured_at_a_grazing_angle() -> None:
    """F90 of a metal is its base colour; of everything else white."""
    near, low = camera(look_at((-20, 0, 0.5), (0, 0, 0))), sun_from((20.0, 0.0, 0.5))
    orange = (0.9, 0.3, 0.1)
    metal = Material("metal", base_color=orange, metallic=1.0, roughness=0.4)
    plastic = Material("plastic", base_color=(0.0,) * 3, roughness=0.4)
    specular = dataclasses.replace(plastic, specular_color=orange)
    colors = []
    for material in (metal, plastic, specular):
        stage = scene([(quad(60.0), IDENTITY)], lights=(low,), materials=(material,))
        linear = render(stage, near, dataclasses.replace(rig(spp=16), energy_compensation=False)).rgb_linear
        assert linear is not None
        colors.append(linear[0, 16, 16] / linear[0, 16, 16, 0])
    assert colors[0] == pytest.approx(np.array(orange) / 0.9, rel=1e-3)
    assert colors[1] == pytest.approx(np.ones(3), rel=1e-3)
    assert colors[2].min() > 0.85


def test_a_coat_reflects_by_the_ior_and_its_textures() -> None:
    """Head on: what lies below a coat of weight w loses w times the albedo of the coat's lobe."""
    for ior, weight, roughness in ((1.5, 1.0, 0.5), (2.0, 0.5, 0.8), (2.0, 0.25, 0.3)):
        f0 = ((1 - ior) / (1 + ior)) ** 2
        more, taken = gloss_head_on(np.full(3, f0), 1.0, 0.9)
        base = (0.5 * (1 - taken) / np.pi + more * ggx_head_on(0.9))[0]
        every, grazing = head_on_albedo(roughness)
        expected = base * (1 - weight * (f0 * (every - grazing) + grazing)) + weight * f0 * ggx_head_on(roughness)
        plain = Material("m", (0.5,) * 3, roughness=0.9, ior=ior, clearcoat=weight, clearcoat_roughness=roughness)
        assert radiance(plain) == pytest.approx(np.full(3, expected), rel=2e-3)
        images = {"clearcoat": driven(), "clearcoat_roughness": driven(1)}
        by_image = dataclasses.replace(plain, clearcoat=0.0, clearcoat_roughness=0.0, textures=images)
        found = radiance(by_image, textures=(flat_image(weight, roughness, 0.0, 1.0),))
        assert found == pytest.approx(np.full(3, expected), rel=2e-3)


def test_display_colour_is_that_of_the_placement_times_the_mesh() -> None:
    material = Material("display", base_color=(1.0,) * 3, metallic=1.0, roughness=1.0, uses_display_color=True)
    varying = dataclasses.replace(quad(4.0), color=np.full((2, 3, 3), (0.5, 1.0, 0.25), np.float32))
    for plate, expected in ((quad(4.0), (0.2, 0.4, 0.8)), (varying, (0.1, 0.4, 0.2))):
        stage = scene([(plate, IDENTITY)], lights=(SUN,), materials=(material,))
        color = np.array([[0.2, 0.4, 0.8, 1.0]], np.float32)
        tinted = dataclasses.replace(stage, placements=dataclasses.replace(stage.placements, color=color))
        once = dataclasses.replace(rig(size_px=(1, 1), spp=1), energy_compensation=False)
        linear = render(tinted, ABOVE, once).rgb_linear
        assert linear is not None
        assert linear[0, 0, 0] == pytest.approx(np.array(expected) * ggx_head_on(1.0), rel=2e-3)


def test_a_texture_may_follow_the_second_set_of_coordinates() -> None:
    """The first set shows the lower left corner everywhere, the second spans the image: u is red, v is green."""
    ramp = np.linspace(0, 1, 64, dtype=np.float32)
    pixels = np.stack([*np.meshgrid(ramp, ramp), np.zeros((64, 64)), np.ones((64, 64))], axis=-1).astype(np.float32)
    spanning = quad(4.0)
    assert spanning.uv is not None
    both = dataclasses.replace(spanning, uv=np.zeros_like(spanning.uv), uv2=spanning.uv)
    image = Texture("ramp", pixels, Wrap.CLAMP, Wrap.CLAMP)
    stages = [scene([(both, IDENTITY)], lights=(DOME,), textures=(image,), materials=(
        Material("m", metallic=1.0, roughness=1.0, textures={"emission": driven(uv_set=k), "base_color": driven()}),))
        for k in (0, 1)]  # fmt: skip
    first, second = (render(s, ABOVE, rig(size_px=(16, 16), spp=1)).rgb_linear for s in stages)
    assert first is not None
    assert second is not None
    assert np.abs(first).max() < 1e-3
    x = (np.arange(16) + 0.5) / 16 * 0.5 + 0.25  # the camera sees the middle half of the plate
    assert second[0, 8, :, 0] == pytest.approx(x, abs=0.02)
    assert second[0, ::-1, 8, 1] == pytest.approx(x, abs=0.02)


def mirrored_u(plate: Mesh) -> Mesh:
    """Return a mesh whose u runs the other way."""
    assert plate.uv is not None
    return dataclasses.replace(plate, uv=plate.uv * np.array([-1.0, 1.0], np.float32))


BUMP = flat_image(0.5, 0.0, np.sqrt(0.75), 1.0)  # 30 degrees towards +u
MATT = Material("m", base_color=(0.5,) * 3, ior=1.0, roughness=1.0, textures={"normal": driven()})
FLIP_U = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
TURN = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0)  # u = t, v = -s


@pytest.mark.parametrize(
    ("plate", "at", "uv_from_st", "expected"),
    [
        (quad(4.0), IDENTITY, PLAIN, (1, 0)),
        (mirrored_u(quad(4.0)), IDENTITY, PLAIN, (-1, 0)),
        (quad(4.0), IDENTITY, FLIP_U, (-1, 0)),
        (quad(4.0), IDENTITY, TURN, (0, 1)),
        (quad(4.0), pose(axes=np.diag([-1.0, 1.0, 1.0])), PLAIN, (-1, 0)),
        (mirrored_u(quad(4.0)), pose(axes=np.diag([-1.0, 1.0, 1.0])), PLAIN, (1, 0)),
        (quad(4.0), pose(axes=np.diag([3.0, 0.5, 2.0])), PLAIN, (1, 0)),
        (quad(4.0), pose(axes=np.diag([1.0, 1.0, -1.0])), PLAIN, (-1, 0)),  # from the back a bump is a dent
        (quad(4.0), pose(axes=np.diag([-1.0, 1.0, -1.0])), PLAIN, (1, 0)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_smooth", [False, True])
def test_a_normal_map_follows_its_texture(
    plate: Mesh, at: NDArray[np.float64], uv_from_st: tuple[float, ...], expected: tuple[int, int], is_smooth: bool
) -> None:
    """The brightest of suns around is the one on the side to which the map tilts the normal, whatever is mirrored."""
    if is_smooth:
        plate = dataclasses.replace(plate, normal=np.tile(np.array([0, 0, 1], np.float32), (2, 3, 1)))
    material = dataclasses.replace(MATT, textures={"normal": driven(uv_from_st=uv_from_st)})
    tilt = np.array([np.sin(np.pi / 6), np.cos(np.pi / 6)])
    for side in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        normal = np.array([*(np.array(expected) * tilt[0]), tilt[1]])
        towards = np.array([*(0.6 * np.array(side)), 0.8])
        found = radiance(material, light=sun_from(towards), textures=(BUMP,), at=at, plate=plate)
        assert found == pytest.approx(np.full(3, 0.5 / np.pi * max(0.0, float(normal @ towards))), rel=3e-3)


def test_a_boundary_of_materials_inside_an_instance_is_smooth() -> None:
    """Two triangles of one mesh with materials of their own: pixels on the diagonal hold a share of both."""
    plate = dataclasses.replace(quad(4.0), slot=np.array([0, 1], np.int32))
    dark, bright = Material("dark"), Material("bright", emission=(1.0,) * 3)
    stage: Scene = scene([(plate, IDENTITY)], materials=(dark, bright))
    placed = dataclasses.replace(stage.placements, slot_material=np.array([0, 1], np.int32))
    linear = render(dataclasses.replace(stage, placements=placed), ABOVE, rig(spp=64)).rgb_linear
    assert linear is not None
    diagonal = linear[0, :, :, 0][np.arange(32), 31 - np.arange(32)]
    assert diagonal == pytest.approx(np.full(32, 0.5), abs=0.1)
    assert linear[0, 2, 2] == pytest.approx(np.ones(3))
    assert linear[0, 29, 29] == pytest.approx(np.zeros(3))


def test_inputs_are_named_like_the_fields_of_a_material() -> None:
    names = {member.name.lower() for member in gpu.material.MaterialInput}
    assert names - {"normal"} <= {field.name for field in dataclasses.fields(Material)}
