"""Cut-outs and transparent surfaces: which of them is labelled, and how much light each lets through."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import gpu
from engine.render import Renderer
from engine.render.opacity import opacity_kinds
from engine.scene.model import Light, LightKind, Material, Mesh, Scene, Texture, TextureInput, Wrap
from tests.kernels.scenes import (
    ALL,
    IDENTITY,
    LABELS,
    camera,
    draft_of,
    look_at,
    pose,
    quad,
    render,
    rig,
    scene,
    sphere,
)

ABOVE = camera(look_at((0, 0, 8), (0, 0, 0), up=(0, 1, 0)))
DOME = Light("/dome", LightKind.DOME, IDENTITY, (0.0, 0.0), 0.0, (1.0,) * 3)
SUN = Light("/sun", LightKind.DISTANT, IDENTITY, (0.0, 0.0), 0.0, (1.0,) * 3)
PLAIN = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
BLACK = {"base_color": (0.0,) * 3, "metallic": 1.0}  # reflects nothing, at any angle
MATT = {"ior": 1.0, "roughness": 1.0}  # nothing but the Lambert lobe


def layered(
    layers: list[Material], heights_m: list[float], *, lights: tuple[Light, ...] = (), size_m: float = 60.0
) -> Scene:
    """Return squares above each other, each with a material of its own."""
    base = scene([(quad(size_m), pose(at=(0, 0, z))) for z in heights_m], lights=lights, materials=tuple(layers))
    count = np.arange(len(layers), dtype=np.int32)
    return dataclasses.replace(
        base, placements=dataclasses.replace(base.placements, first_slot=count, slot_material=count)
    )


def with_alpha(alpha: NDArray[np.float32], *, wrap: Wrap = Wrap.CLAMP, **values: object) -> tuple[Material, Texture]:
    """Return a material whose opacity is the alpha channel of a texture, and the texture."""
    pixels = np.zeros((*alpha.shape, 4), np.float32)
    pixels[..., 3] = alpha
    driven = TextureInput(0, 3, (1.0,) * 4, (0.0,) * 4, PLAIN)
    return Material("alpha", textures={"opacity": driven}, **values), Texture("a", pixels, wrap, wrap)  # type: ignore[arg-type]


def glow(radiance: float, opacity: float, **values: object) -> Material:
    """Return a material that only sends out light of its own."""
    return Material("glow", emission=(radiance,) * 3, opacity=opacity, **BLACK, **values)  # type: ignore[arg-type]


def mean_radiance(stage: Scene, **options: object) -> float:
    """Return the mean of the image."""
    linear = render(stage, ABOVE, **options).rgb_linear  # type: ignore[arg-type]
    assert linear is not None
    return float(linear.mean())


def test_presence_scales_all_that_a_surface_sends_out() -> None:
    """Front to back: sum of T_k a_k L_k, then what is left of the dome."""
    opacity, radiance = [0.3, 0.6, 0.2, 0.9], [1.0, 2.0, 4.0, 8.0]
    layers = [glow(r, a, presence=True) for r, a in zip(radiance, opacity, strict=True)]
    expected, left = 0.0, 1.0
    for a, r in zip(opacity, radiance, strict=True):
        expected, left = expected + left * a * r, left * (1.0 - a)
    stage = layered(layers, [4.0, 3.0, 2.0, 1.0], lights=(DOME,))
    assert mean_radiance(stage) == pytest.approx(expected + left, rel=1e-5)


def test_a_transparent_surface_keeps_its_own_light() -> None:
    """Only the diffuse part is scaled: emission arrives whole, attenuated by what is in front."""
    layers = [glow(1.0, 0.25), glow(2.0, 0.5), glow(4.0, 1.0)]
    assert mean_radiance(layered(layers, [3.0, 2.0, 1.0])) == pytest.approx(1.0 + 0.75 * (2.0 + 0.5 * 4.0), rel=1e-5)


def test_surfaces_in_one_place_all_count_once() -> None:
    """Hits with one and the same t follow each other in the order of placements: the transmission is 0.5^n."""
    plate = quad(60.0)
    for count in (1, 2, 5, 11):
        material = glow(0.0, 0.5, presence=True)
        stage = scene([(plate, IDENTITY)] * count, materials=(material,), lights=(DOME,))
        assert mean_radiance(stage) == pytest.approx(0.5**count, rel=1e-5)


def test_triangles_in_one_place_all_count_once() -> None:
    corners = [(-30, -30, 0), (30, -30, 0), (0, 60, 0)]
    folded = Mesh("folded", np.array(corners, np.float32), np.array([(0, 1, 2)] * 7, np.int32), None, None, None,
                  np.zeros(7, np.int32), True)  # fmt: skip
    stage = scene([(folded, IDENTITY)], materials=(glow(0.0, 0.25, presence=True),), lights=(DOME,))
    linear = render(stage, ABOVE, rig(size_px=(8, 8))).rgb_linear
    assert linear is not None
    assert linear[0, 4, 4] == pytest.approx(np.full(3, 0.75**7), rel=1e-5)


def test_gloss_stays_on_clear_glass_and_goes_with_presence() -> None:
    """Opacity 0: glass is the gloss of a black surface with the view behind it; an absent surface is nothing."""
    shiny = Material("shiny", base_color=(0.8,) * 3, ior=1.8, roughness=0.3, opacity=0.0)
    black = dataclasses.replace(shiny, base_color=(0.0,) * 3, opacity=1.0)
    setup = rig(spp=64)
    gloss = mean_radiance(layered([black], [0.0], lights=(DOME,)), setup=setup)
    assert 0.05 < gloss < 0.2
    behind = mean_radiance(layered([shiny], [0.0], lights=(DOME,)), setup=setup)
    assert behind == pytest.approx(1.0 + gloss, rel=2e-3)
    absent = dataclasses.replace(shiny, presence=True)
    assert mean_radiance(layered([absent], [0.0], lights=(DOME,)), setup=setup) == pytest.approx(1.0, rel=1e-6)


def test_the_diffuse_part_of_glass_is_scaled() -> None:
    """A Lambert plate of albedo 0.6 and opacity 0.4 under a dome, above an opaque one of albedo 0.5."""
    upper = Material("upper", base_color=(0.6,) * 3, opacity=0.4, **MATT)  # type: ignore[arg-type]
    lower = Material("lower", base_color=(0.5,) * 3, **MATT)  # type: ignore[arg-type]
    stage = layered([upper, lower], [0.01, 0.0], lights=(DOME,), size_m=200.0)
    expected = 0.4 * 0.6 + 0.6 * (0.5 * 0.6)  # light passes the upper plate twice
    assert mean_radiance(stage, setup=rig(spp=16)) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(
    ("opacities", "expected"), [([0.3], 0.7), ([0.3, 0.5, 0.2], 0.28), ([0.3, 1.0], 0.0), ([], 1.0)]
)
def test_shadows_are_the_product_of_what_is_let_through(opacities: list[float], expected: float) -> None:
    """Panes between the sun and a floor that the camera sees from below them."""
    panes = [Material("pane", opacity=a) for a in opacities]
    floor = Material("floor", base_color=(0.5,) * 3, **MATT)  # type: ignore[arg-type]
    heights = [10.0 + i for i in range(len(panes))]
    stage = layered([*panes, floor], [*heights, 0.0], lights=(SUN,))
    assert mean_radiance(stage) == pytest.approx(expected * 0.5 / np.pi, rel=1e-4, abs=1e-7)


def test_a_cut_out_is_there_or_not() -> None:
    """Ids and depth by the bilinear alpha at the centre of every pixel; an opacityMode does not matter."""
    alpha = np.random.default_rng(0).random((8, 8)).astype(np.float32)
    for presence in (False, True):
        material, texture = with_alpha(alpha, opacity_threshold=0.45, presence=presence)
        base = scene([(quad(8.0), IDENTITY), (quad(60.0), pose(at=(0, 0, -1)))],
                     materials=(Material("plain"), material), textures=(texture,))  # fmt: skip
        placed = dataclasses.replace(base.placements, first_slot=np.array([1, 0], np.int32),
                                     slot_material=np.array([0, 1], np.int32))  # fmt: skip
        frames = render(dataclasses.replace(base, placements=placed), ABOVE, rig(size_px=(96, 96)), outputs=LABELS)
        x = (np.arange(96) + 0.5) / 96 * 8 - 0.5
        i, f = np.floor(x).astype(int), x - np.floor(x)
        low, high = np.clip(i, 0, 7), np.clip(i + 1, 0, 7)
        rows = alpha[low] * (1 - f)[:, None] + alpha[high] * f[:, None]
        value = (rows[:, low] * (1 - f) + rows[:, high] * f)[::-1]
        sure = np.abs(value - 0.45) > 1e-3
        assert frames.instance is not None
        assert frames.depth_m is not None
        assert sure.mean() > 0.98
        assert (frames.instance[0] == np.where(value >= 0.45, 1, 2))[sure].all()
        assert frames.depth_m[0][sure] == pytest.approx(np.where(value >= 0.45, 8.0, 9.0)[sure], rel=1e-6)


@pytest.mark.parametrize(("opacity", "least", "seen"), [(0.4, 0.5, 2), (0.6, 0.5, 1), (0.4, 0.3, 1), (0.6, 0.7, 2)])
@pytest.mark.parametrize("presence", [False, True])
def test_a_surface_is_labelled_above_a_stated_opacity(opacity: float, least: float, seen: int, presence: bool) -> None:
    stage = layered([Material("pane", opacity=opacity, presence=presence), Material("floor")], [1.0, 0.0])
    setup = dataclasses.replace(rig(quality="labels"), label_opacity=least)
    frames = render(stage, ABOVE, setup, outputs=LABELS)
    assert frames.instance is not None
    assert (frames.instance == seen).all()


def test_display_opacity_is_that_of_the_placement_times_the_mesh() -> None:
    plate = dataclasses.replace(quad(60.0), opacity=np.full((2, 3), 0.5, np.float32))
    material = glow(0.0, 1.0, presence=True, uses_display_opacity=True)
    stage = scene([(plate, IDENTITY), (quad(60.0), pose(at=(0, 0, 1)))], materials=(material,), lights=(DOME,))
    color = np.array([[1, 1, 1, 0.6], [1, 1, 1, 0.2]], np.float32)
    stage = dataclasses.replace(stage, placements=dataclasses.replace(stage.placements, color=color))
    assert mean_radiance(stage) == pytest.approx((1 - 0.6 * 0.5) * (1 - 0.2), rel=1e-5)


def test_a_fence_covers_as_much_of_the_image_as_of_its_texture() -> None:
    """Also where its wires are far thinner than a pixel: no pixel is all wire or all hole by chance."""
    alpha = np.zeros((512, 512), np.float32)
    alpha[::8] = alpha[:, ::8] = 1.0
    for threshold, presence in ((0.5, False), (0.0, True)):
        material, texture = with_alpha(
            alpha, wrap=Wrap.REPEAT, emission=(1.0,) * 3, opacity_threshold=threshold, presence=presence, **BLACK,
        )  # fmt: skip
        stage = scene([(quad(8.0), IDENTITY)], materials=(material,), textures=(texture,))
        linear = render(stage, ABOVE, rig(size_px=(32, 32), spp=64)).rgb_linear
        assert linear is not None
        assert linear.mean() == pytest.approx(alpha.mean(), rel=0.03)
        assert linear.std() < 0.12


def test_a_pixel_on_the_rim_of_a_cut_out_is_smooth() -> None:
    """A cut-out whose rim crosses pixels at 30 percent of their width: alpha falls from 1 to 0 there."""
    alpha = np.zeros((1, 2), np.float32)
    alpha[0, 0] = 1.0
    material, texture = with_alpha(alpha, base_color=(0.0,) * 3, emission=(1.0,) * 3, opacity_threshold=0.5)
    stage = scene([(quad(16.0), pose(at=(0.3 * 8 / 32, 0, 0)))], materials=(material,), textures=(texture,))
    linear = render(stage, ABOVE, rig(spp=256)).rgb_linear
    assert linear is not None
    row = linear[0, 16, :, 0]
    assert row[:16] == pytest.approx(np.ones(16))
    assert row[16] == pytest.approx(0.3, abs=0.02)
    assert row[17:] == pytest.approx(np.zeros(15))


def test_a_scene_pays_only_if_something_can_be_seen_through() -> None:
    """Alpha channels that hold nothing, and thresholds that nothing falls below, leave a scene opaque."""
    kind = gpu.opacity.OpacityKind
    full, holed = np.ones((4, 4), np.float32), np.zeros((4, 4), np.float32)
    cases = [
        (Material("plain"), holed, kind.OPAQUE),
        (Material("clear", opacity=0.5), full, kind.TRANSPARENT),
        (Material("faint", opacity=0.5, presence=True), full, kind.PRESENCE),
        (Material("solid", opacity=0.5, opacity_threshold=0.4), full, kind.OPAQUE),
        (Material("gone", opacity=0.5, opacity_threshold=0.6), full, kind.CUTOUT),
        (with_alpha(full)[0], full, kind.OPAQUE),
        (with_alpha(holed)[0], holed, kind.TRANSPARENT),
        (with_alpha(holed, opacity_threshold=0.1)[0], holed, kind.CUTOUT),
    ]
    for material, alpha, expected in cases:
        stage = scene([(quad(1.0), IDENTITY)], materials=(material,), textures=(with_alpha(alpha)[1],))
        assert opacity_kinds(stage).tolist() == [expected]
    border = with_alpha(full, wrap=Wrap.BLACK)
    stage = scene([(quad(1.0), IDENTITY)], materials=(border[0],), textures=(border[1],))
    assert opacity_kinds(stage).tolist() == [kind.TRANSPARENT]


def test_glass_out_of_sight_changes_no_label_and_no_light() -> None:
    """Every other surface goes through the kernels for passage and comes out the same."""
    floor = Material("floor", base_color=(0.5, 0.4, 0.3))
    lamp = Light("/lamp", LightKind.RECT, pose(at=(0, 0, 4)), (1.0, 1.0), 0.0, (6.0, 5.0, 4.0))
    placed = [(quad(6.0), IDENTITY), (quad(1.0), pose(at=(0.5, 0, 1)))]
    plain = scene(placed, lights=(lamp,), materials=(floor,))
    glass = dataclasses.replace(plain, materials=(*plain.materials, Material("glass", opacity=0.1)))
    first, second = render(plain, ABOVE), render(glass, ABOVE)
    for name in ("depth_m", "normal", "instance"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    assert first.rgb_linear == pytest.approx(second.rgb_linear, rel=1e-5)


def test_batches_and_threads_leave_no_trace_behind_glass(monkeypatch: pytest.MonkeyPatch) -> None:
    alpha = np.random.default_rng(1).random((16, 16)).astype(np.float32)
    material, texture = with_alpha(alpha, base_color=(0.5,) * 3)
    placed = [(quad(9.0 - z), pose(at=(0.1 * z, 0, z))) for z in range(4)]
    stage = scene(placed, lights=(DOME, SUN), materials=(material,), textures=(texture,))
    setup = rig(size_px=(40, 28))
    draft = draft_of(stage, setup, ABOVE, [0, 1, 2])
    together = Renderer(stage, setup, ALL, seed=0, device="cpu", threads=1).render(draft)
    monkeypatch.setattr("engine.render.batch_cpu.SLICE_PX", 256)
    alone = Renderer(stage, setup, ALL, seed=0, device="cpu", threads=3).render(draft_of(stage, setup, ABOVE, [2]))
    for name in ("rgb", "rgb_linear", "depth_m", "normal", "instance"):
        assert getattr(alone, name)[0].tobytes() == getattr(together, name)[2].tobytes()


@pytest.mark.parametrize(("count", "lost"), [(60, False), (70, True)])
def test_rays_with_too_many_layers_are_counted(count: int, lost: bool) -> None:
    plate = quad(60.0)
    stage = scene([(plate, pose(at=(0, 0, -0.01 * i))) for i in range(count)], materials=(glow(0.0, 0.01),))
    setup = rig(size_px=(8, 4), spp=1)
    renderer = Renderer(stage, setup, ALL, seed=0, device="cpu", threads=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            renderer.render(draft_of(stage, setup, ABOVE, [0]))
    assert [str(w.message)[:39] for w in caught] == ["32 rays met more than 64 transparent sur"[:39]] * lost
    assert renderer.lost_rays == (64 if lost else 0)


def test_both_sides_of_a_launch_number_inputs_alike() -> None:
    assert int(gpu.opacity.OPACITY_INPUT) == gpu.material.MaterialInput.OPACITY


@pytest.mark.parametrize("is_orthographic", [False, True])
def test_clipping_leaves_out_what_is_nearer_or_farther(is_orthographic: bool) -> None:
    """Planes at planar depths 2, 4 and 6, seen between 3 and 5, then between 3 and 4, then beyond 6.5."""
    stage = layered([glow(1.0, 1.0), glow(2.0, 1.0), glow(4.0, 1.0)], [6.0, 4.0, 2.0], lights=(DOME,))
    for clip_m, depth, radiance in (((3.0, 5.0), 4.0, 2.0), ((3.0, 3.9), np.inf, 1.0), ((6.5, np.inf), np.inf, 1.0)):
        cam = dataclasses.replace(ABOVE, clip_m=clip_m, orthographic=is_orthographic)
        for clip in (True, False):
            frames = render(stage, cam, dataclasses.replace(rig(), clip=clip))
            assert frames.depth_m is not None
            assert frames.rgb_linear is not None
            assert (frames.depth_m == np.float32(depth if clip else 2.0)).all()
            assert frames.rgb_linear == pytest.approx(np.full((1, 32, 32, 3), radiance if clip else 1.0), rel=1e-6)


def test_only_linked_placements_cast_the_shadows_of_a_light() -> None:
    """Two suns; the first sees one of three panes, the second all of them."""
    panes = [Material("pane", opacity=a) for a in (0.2, 0.4, 0.5)]
    floor = Material("floor", base_color=(0.5,) * 3, **MATT)  # type: ignore[arg-type]
    layers, heights = [*panes, floor], [10.0, 11.0, 12.0, 0.0]
    linked = dataclasses.replace(SUN, shading=1)
    sets = np.array([[1, 1, 1, 1], [0, 1, 0, 0]], np.bool_)
    for lights, expected in (((linked,), 0.6), ((linked, SUN), 0.6 + 0.8 * 0.6 * 0.5), ((SUN,), 0.24)):
        stage = dataclasses.replace(layered(layers, heights, lights=lights), link_sets=sets)
        assert mean_radiance(stage) == pytest.approx(expected * 0.5 / np.pi, rel=1e-4)


def test_linked_shadows_need_no_transparent_material() -> None:
    layers = [Material("roof"), Material("floor", base_color=(0.5,) * 3, **MATT)]  # type: ignore[arg-type]
    for blocks, expected in ((0, 0.5 / np.pi), (1, 0.0)):
        sun = dataclasses.replace(SUN, shading=0)
        stage = layered(layers, [10.0, 0.0], lights=(sun,))
        stage = dataclasses.replace(stage, link_sets=np.array([[blocks, 1]], np.bool_))
        assert mean_radiance(stage) == pytest.approx(expected, rel=1e-4)


def test_a_closed_ball_of_glass_is_left_once_and_entered_once() -> None:
    """Two surfaces on every ray that meets it, also through shared edges and vertices: transmission 0.5^2 or 1."""
    stage = scene([(sphere(1.0, rings=16), IDENTITY)], materials=(glow(0.0, 0.5, presence=True),), lights=(DOME,))
    cam = dataclasses.replace(ABOVE, orthographic=True, horizontal_aperture_mm=3200.0, vertical_aperture_mm=3200.0)
    linear = render(stage, cam, rig(size_px=(64, 64), spp=1)).rgb_linear
    assert linear is not None
    values = np.unique(linear.round(5))
    assert values == pytest.approx([0.25, 1.0])
    y, x = (np.mgrid[:64, :64] + 0.5 - 32) / 64 * 3.2
    assert (linear[0, :, :, 0][np.hypot(x, y) < 0.9] < 0.26).all()
