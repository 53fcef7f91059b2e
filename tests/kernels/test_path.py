"""Paths of light: interreflection, glass and sheets by closed forms; nothing depends on how the work is cut up."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.render import Renderer
from engine.render.opacity import is_closed
from engine.scene.model import Light, LightKind, Material, Mesh, Scene, Texture, TextureInput, Wrap
from tests.kernels.scenes import ALL, IDENTITY, box, camera, draft_of, look_at, pose, quad, render, rig, scene, sphere

DOME = Light("/dome", LightKind.DOME, IDENTITY, (0.0, 0.0), 0.0, (1.0,) * 3)
SUN = Light("/sun", LightKind.DISTANT, IDENTITY, (0.0, 0.0), 0.0, (1.0,) * 3)
ABOVE = camera(look_at((0, 0, 3), (0, 0, 0), up=(0, 1, 0)), focal_mm=400.0)
WHITE = Material("white", base_color=(1.0,) * 3, ior=1.0)


def grey(albedo: float) -> Material:
    return Material("grey", base_color=(albedo,) * 3, ior=1.0)


def with_materials(parts: list[tuple[Mesh, NDArray[np.float64], Material]], lights: tuple[Light, ...]) -> Scene:
    """Return a scene whose placements have materials of their own."""
    stage = scene([(mesh, at) for mesh, at, _ in parts], materials=tuple(m for *_, m in parts), lights=lights)
    slots = np.arange(len(parts), dtype=np.int32)
    placements = dataclasses.replace(stage.placements, first_slot=slots, slot_material=slots)
    return dataclasses.replace(stage, placements=placements)


def seen(stage: Scene, *, spp: int = 256, bounces: int = 16, cam: object = ABOVE) -> float:
    """Return the mean radiance of a small image."""
    setup = dataclasses.replace(rig(size_px=(16, 16), spp=spp, quality="path"), bounces=bounces)
    linear = render(stage, cam, setup).rgb_linear  # type: ignore[arg-type]
    assert linear is not None
    return float(linear.mean())


def test_a_closed_room_that_glows_sums_the_series_of_its_bounces() -> None:
    """Inside a sphere of albedo a that emits 1, radiance is 1 + a + a^2 + ... up to the last bounce."""
    for albedo, bounces in ((0.5, 0), (0.5, 3), (0.8, 40)):
        room = Material("room", base_color=(albedo,) * 3, ior=1.0, emission=(1.0,) * 3)
        stage = scene([(sphere(2.0), IDENTITY)], materials=(room,))
        expected = (1 - albedo ** (bounces + 1)) / (1 - albedo)
        inside = camera(look_at((0.3, 0.2, 0.1), (1, 0, 0)))
        assert seen(stage, bounces=bounces, cam=inside) == pytest.approx(expected, rel=0.01)


def test_a_white_pit_under_a_dome_returns_all_light() -> None:
    """A furnace with corners: no light is lost between walls that absorb nothing."""
    upright = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0.0]]).T
    walls = [(quad(2.0), pose(at=(x, 0, 0), axes=upright), WHITE) for x in (-1, 1)]
    stage = with_materials([(quad(6.0), IDENTITY, WHITE), *walls], (DOME,))
    assert seen(stage, bounces=64, spp=512) == pytest.approx(1.0, rel=0.01)


def test_glass_in_a_furnace_cannot_be_seen() -> None:
    """Nothing is absorbed: what is not reflected passes, also totally reflected light, up to the last bounce."""
    glass = Material("glass", opacity=0.0, ior=1.5, roughness=0.0)
    for mesh in (sphere(0.5, rings=32), quad(2.0)):
        assert seen(with_materials([(mesh, IDENTITY, glass)], (DOME,)), bounces=24) == pytest.approx(1.0, rel=0.01)


def test_a_slab_of_glass_shifts_what_lies_behind_it_by_snells_law() -> None:
    """Seen at 45 degrees through 1 m of ior 1.5, an edge lies d sin(i) (1 - cos(i) / (n cos(r))) aside.

    A sheet shifts nothing.
    """
    half = pose(at=(5.0, 0, -3))  # an emitting plate from x = 0 on, below
    lamp = Material("lamp", base_color=(0.0,) * 3, ior=1.0, emission=(1.0,) * 3)
    glass = Material("glass", opacity=0.0, ior=1.5, roughness=0.0)
    across_m, across_px = 8.0, 128
    straight = camera(look_at((-4, 0, 4), (0, 0, 0), up=(0, 1, 0)))
    cam = dataclasses.replace(straight, orthographic=True, horizontal_aperture_mm=1000.0 * across_m)

    def edge_px(parts: list[tuple[Mesh, NDArray[np.float64], Material]]) -> float:
        setup = dataclasses.replace(rig(size_px=(across_px, 16), spp=64, quality="path"), bounces=8)
        linear = render(with_materials([(quad(10.0), half, lamp), *parts], ()), cam, setup).rgb_linear
        assert linear is not None
        row = linear[0].mean(axis=(0, 2))
        lit = np.clip(row / np.median(row[row > 0.5 * row.max()]), 0.0, 1.0)
        return float(lit.sum())

    open_px = edge_px([])
    assert 0.1 * across_px < open_px < 0.9 * across_px
    assert edge_px([(quad(30.0), pose(at=(0, 0, 0.5)), glass)]) == pytest.approx(open_px, abs=0.5)
    slab = (box(10), pose(axes=np.diag([3.0, 3.0, 0.1])), glass)
    r = np.arcsin(np.sin(np.pi / 4) / 1.5)
    aside_m = np.sin(np.pi / 4) * (1 - np.cos(np.pi / 4) / (1.5 * np.cos(r)))
    assert abs(edge_px([slab]) - open_px) == pytest.approx(aside_m * across_px / across_m, abs=0.5)


def test_a_mesh_is_closed_also_where_its_seam_is_an_ulp_apart() -> None:
    ball = sphere(0.5)
    loose = ball.points_m[ball.triangle.ravel()].reshape(-1, 3)  # no two triangles share a point
    loose = np.nextafter(loose, np.where(np.arange(len(loose))[:, None] % 2, 1.0, -1.0).astype(np.float32))
    parted = dataclasses.replace(ball, points_m=loose, triangle=np.arange(len(loose), dtype=np.int32).reshape(-1, 3))
    assert is_closed(ball)
    assert is_closed(parted)
    assert not is_closed(quad(1.0))
    assert not is_closed(dataclasses.replace(ball, triangle=ball.triangle[1:]))


def test_a_sheet_of_glass_lets_light_through_by_fresnels_law() -> None:
    """Sun straight down through a pane of ior 1.5 on a plate below: 1 - 2R / (1 + R) of it with R = 0.04."""
    pane = Material("pane", opacity=0.0, ior=1.5, roughness=0.0)
    low = camera(look_at((2, 0, 0.4), (0, 0, 0)), focal_mm=400.0)
    free = seen(with_materials([(quad(1.0), IDENTITY, grey(0.5))], (SUN,)), cam=low)
    behind = seen(
        with_materials([(quad(1.0), IDENTITY, grey(0.5)), (quad(1.0), pose(at=(0, 0, 0.5)), pane)], (SUN,)), cam=low
    )
    assert free == pytest.approx(0.5 / np.pi, rel=1e-3)
    assert behind / free == pytest.approx(1 - 2 * 0.04 / 1.04, rel=0.02)


def test_a_surface_that_is_half_there_lets_half_of_the_light_pass() -> None:
    veil = Material("veil", base_color=(0.0,) * 3, ior=1.0, opacity=0.5, presence=True)
    stage = with_materials([(quad(4.0), IDENTITY, grey(0.5)), (quad(4.0), pose(at=(0, 0, 0.5)), veil)], (SUN,))
    assert seen(stage) == pytest.approx(0.25 * 0.5 / np.pi, rel=0.02)  # on the way down and on the way up


def test_the_clamp_limits_what_one_sample_adds_indirectly() -> None:
    room = Material("room", base_color=(0.5,) * 3, ior=1.0, emission=(1.0,) * 3)
    stage = scene([(sphere(2.0), IDENTITY)], materials=(room,))
    setup = dataclasses.replace(rig(size_px=(8, 8), spp=8, quality="path"), bounces=8, clamp_radiance=0.1)
    linear = render(stage, camera(look_at((0.3, 0.2, 0.1), (1, 0, 0))), setup).rgb_linear
    assert linear is not None
    assert linear.max() <= 1.0 + 8 * 0.1 + 1e-5


@pytest.mark.parametrize("size_px", [(48, 40), (37, 29)])
@pytest.mark.parametrize("name", ["metal", "glass", "veil"])
def test_frames_depend_neither_on_threads_nor_on_the_batch(name: str, size_px: tuple[int, int]) -> None:
    """To the bit, in scenes without and with what lets light through, also where groups of pixels cross worlds."""
    last = {"metal": Material("metal", metallic=1.0, roughness=0.3), "glass": Material("glass", opacity=0.0, ior=1.5),
            "veil": Material("veil", opacity=0.5, presence=True)}[name]  # fmt: skip
    parts = [(quad(6.0), IDENTITY, grey(0.6)), (sphere(0.5), pose(at=(0, 0, 0.6)), last)]
    stage, cam = with_materials(parts, (DOME, SUN)), camera(look_at((2, -2, 2), (0, 0, 0)))
    setup = dataclasses.replace(rig(size_px=size_px, spp=4, quality="path"), bounces=4)

    def of(worlds: list[int], threads: int) -> NDArray[np.float32]:
        renderer = Renderer(stage, setup, ALL, seed=3, device="cpu", threads=threads)
        linear = renderer.render(draft_of(stage, setup, cam, worlds)).rgb_linear
        assert linear is not None
        return linear

    alone = of([5], 1)
    np.testing.assert_array_equal(of([5], 3), alone)
    np.testing.assert_array_equal(of([9, 5, 1], 2)[1], alone[0])


def test_a_flat_camera_sees_texture_at_any_distance_behind_a_veil() -> None:
    """The width of an orthographic pixel does not grow with the way of its ray."""
    checks = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.ones((16, 16)))[..., None].repeat(4, axis=2)
    image = Texture("checks", checks.astype(np.float32), Wrap.REPEAT, Wrap.REPEAT)
    driven = TextureInput(0, 0, (1.0,) * 4, (0.0,) * 4, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    glow = Material("glow", base_color=(0.0,) * 3, ior=1.0, emission=(1.0,) * 3, textures={"emission": driven})
    veil = Material("veil", opacity=0.5, presence=True)
    parts = [(quad(2.0), IDENTITY, glow), (quad(0.1), pose(at=(5, 0, 0)), veil)]
    stage = dataclasses.replace(with_materials(parts, ()), textures=(image,))
    deviations = []
    for height_m in (3.0, 100.0):
        straight = camera(look_at((0, 0, height_m), (0, 0, 0), up=(0, 1, 0)))
        cam = dataclasses.replace(straight, orthographic=True, horizontal_aperture_mm=1600.0)
        linear = render(stage, cam, rig(size_px=(64, 64), spp=4, quality="path")).rgb_linear
        assert linear is not None
        deviations.append(float(linear.std()))
    assert min(deviations) > 0.4


def test_quality_changes_no_label() -> None:
    glass = Material("glass", opacity=0.3, ior=1.5)
    parts = [(quad(6.0), IDENTITY, grey(0.6)), (sphere(0.5), pose(at=(0, 0, 0.6)), glass)]
    stage, cam = with_materials(parts, (SUN,)), camera(look_at((2, -2, 2), (0, 0, 0)))
    frames = [render(stage, cam, rig(size_px=(32, 32), spp=2, quality=q)) for q in ("labels", "direct", "path")]
    for other in frames[1:]:
        for name in ("depth_m", "normal", "instance"):
            np.testing.assert_array_equal(getattr(other, name), getattr(frames[0], name))
