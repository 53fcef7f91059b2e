"""Defects cover what their records say, from any distance, in any batch, and change nothing where there are none."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.materials import box_mesh
from engine import gpu
from engine.defect import COLUMNS, DefectKind, is_near_miss
from engine.render import Renderer
from engine.scene.model import Light, LightKind, Material
from tests.kernels import scenes
from tests.kernels.marked import (
    BLACK,
    EFFECTS,
    FLOOR,
    LOOKS,
    MASKS,
    Array,
    images,
    marked_draft,
    places,
    record,
    within,
)
from tests.kernels.scenes import IDENTITY, pose, quad, scene
from tests.kernels.worn import GREY, HEIGHT_M, above, bare, even_light, worn_draft

KINDS = [kind for kind in DefectKind if kind is not DefectKind.NONE]
LINES = (DefectKind.SCRATCH, DefectKind.CRACK)
WIDE = {"length_m": 0.05, "width_m": 0.03, "depth_m": 0.002, "count": 6, "irregularity": 0.5, "color": (0.9, 0.1, 0.0)}


def shares(rows: list[list[dict[str, Any]]], **options: Any) -> Array:
    """Return the share of every pixel that black defects hide, [row, y, x]."""
    black = record(DefectKind.STAIN, **BLACK, length_m=10.0, width_m=10.0)
    image = images([*rows, [], [black]], **options)["linear"].mean(axis=-1).astype(np.float64)
    return np.asarray((image[-2] - image[:-2]) / (image[-2] - image[-1]))


def scratch_coverage(x: Array, y: Array, length: float, width: float, softness: float, pixel: float) -> Array:
    half = 0.5 * width * np.sqrt(np.maximum(1.0 - (2.0 * x / length) ** 2, 0.0))
    return within(y, half, softness, pixel) * within(x, 0.5 * length, 0.0, pixel)


@pytest.mark.parametrize(("width_m", "softness"), [(0.006, 0.0), (0.006, 0.6), (0.0009, 0.0)])
def test_a_scratch_covers_its_envelope(width_m: float, softness: float) -> None:
    """Half width W/2 sqrt(1 - (2u/L)^2), filtered by the pixel: by quadrature in float64; one is a thin one."""
    one = record(DefectKind.SCRATCH, **BLACK, width_m=width_m, softness=softness)
    (share,) = shares([[one]])
    x, y, pixel = places(0.08, 64)
    asked = scratch_coverage(x, y, 0.05, width_m, softness, pixel)
    assert np.abs(share - asked).max() < 0.012
    assert share.max() > 0.49 * min(1.0, width_m / pixel)


def test_a_crack_without_irregularity_is_a_line_that_thins_towards_its_tips() -> None:
    one = record(DefectKind.CRACK, **BLACK, width_m=0.005)
    (share,) = shares([[one]])
    x, y, pixel = places(0.08, 64)
    half = 0.0025 * (0.25 + 0.75 * np.sqrt(np.maximum(1.0 - (2.0 * x / 0.05) ** 2, 0.0)))
    asked = within(y, half, 0.0, pixel) * within(x, 0.025, 0.0, pixel)
    assert np.abs(share - asked).max() < 0.012


def test_a_pit_covers_its_ellipse() -> None:
    """Against the share of 24 x 24 points of every pixel that lie within: the mean to 1 %, a pixel to 0.1."""
    one = record(DefectKind.PIT, **BLACK, length_m=0.04, width_m=0.025)
    (share,) = shares([[one]])
    x, y, pixel = places(0.08, 64)
    shift = ((np.arange(24) + 0.5) / 24 - 0.5) * pixel
    u, v = 2 * (x[..., None, None] + shift[:, None]) / 0.04, 2 * (y[..., None, None] + shift) / 0.025
    inside = u**2 + v**2 < 1
    asked = inside.mean(axis=(-1, -2))
    assert share.mean() == pytest.approx(asked.mean(), rel=0.01)
    assert np.abs(share - asked).max() < 0.1


@pytest.mark.parametrize("kind", [DefectKind.SCRATCH, DefectKind.CRACK])
def test_the_mask_is_where_coverage_is_half_of_what_it_could_be(kind: DefectKind) -> None:
    """By the float64 reference; pixels within 0.01 of the threshold may go either way."""
    one = record(kind, **BLACK, width_m=0.006)
    mask = images([[one]])["defect"][0] == 0
    x, y, pixel = places(0.08, 64)
    envelope = np.sqrt(np.maximum(1.0 - (2.0 * x / 0.05) ** 2, 0.0))
    half = 0.003 * (envelope if kind is DefectKind.SCRATCH else 0.25 + 0.75 * envelope)
    cover = within(y, half, 0.0, pixel) * within(x, 0.025, 0.0, pixel)
    full = within(np.zeros_like(y), half, 0.0, pixel)
    asked = np.where(full >= 0.1, cover / np.maximum(full, 0.1), 0.0)
    sure = np.abs(asked - 0.5) > 0.01
    assert (mask == (asked >= 0.5))[sure & (np.abs(full - 0.1) > 0.01)].all()
    assert mask.sum() > 100


@pytest.mark.parametrize("angle_deg", [0.0, 17.0, 45.0, 80.0])
def test_a_scratch_of_a_fifth_of_a_pixel_has_a_mask_without_gaps(angle_deg: float) -> None:
    """Its pixels hang together, and they are about as many as it is long."""
    from scipy.ndimage import label

    turn = np.deg2rad(angle_deg)
    at = {"center_m": (0.0001, 0.0002, 0.0), "along": (np.cos(turn), np.sin(turn), 0.0)}
    one = record(DefectKind.SCRATCH, **BLACK, length_m=0.06, width_m=0.00025, **at)
    mask = images([[one]], outputs=MASKS)["defect"][0] >= 0
    assert label(mask, np.ones((3, 3)))[1] == 1
    steps = 48 * max(np.cos(turn), np.sin(turn))  # of a line of pixels that is as long, of 1.25 mm each
    assert 0.8 * steps <= mask.sum() <= 1.2 * steps


def test_what_covers_less_than_a_tenth_of_any_pixel_has_no_mask() -> None:
    one = record(DefectKind.SCRATCH, **BLACK, length_m=0.06, width_m=0.0001)
    assert (images([[one]], outputs=MASKS)["defect"] == -1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_without_severity_changes_nothing_and_with_it_something(kind: DefectKind) -> None:
    """No pixel of the picture, to the bit, and none of the masks; in full it has a mask, of its own image only."""
    gone, there = (record(kind, **{**WIDE, "severity": s, "roughness": 0.9}) for s in (0.0, 1.0))
    found = images([[gone], [there], []])
    linear, defect, near_miss = found["linear"], found["defect"], found["near_miss"]
    assert np.array_equal(linear[0], linear[2])
    assert (defect[[0, 2]] == -1).all()
    assert (near_miss[[0, 2]] == -1).all()
    mine, other = (near_miss, defect) if is_near_miss(kind) else (defect, near_miss)
    assert (mine[1] == 0).sum() > 10
    assert (other[1] == -1).all()
    assert np.abs(linear[1] - linear[2]).max() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_kind_would_not_show_has_no_mask(kind: DefectKind) -> None:
    """Without a colour, with depth alone or a finish: light changes or there is no mask, and none is negative."""
    stage, depth_alone = lit_scene(20.0), {**WIDE, "color": (-1.0,) * 3, "irregularity": 0.2}
    bare = images([[record(kind, severity=0.0)]], stage=stage)["linear"]
    for changes in ({}, {"roughness": 0.9}):
        found = images([[record(kind, **depth_alone, **changes)]], stage=stage)
        has_mask = bool((np.maximum(found["defect"], found["near_miss"]) >= 0).any())
        assert np.array_equal(found["linear"], bare) is not has_mask
        assert (found["linear"] >= 0.0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_slim_one_lies_beyond_its_reach(kind: DefectKind, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ruler-straight and as slim as it gets, it looks the same where every point asks for it."""
    width_m = 0.015 if kind is DefectKind.CHIP else 0.004  # whose border is as soft along it as across
    slim = record(kind, **{**WIDE, "width_m": width_m, "count": 1, "irregularity": 0.0, "rim": 0.5})
    near = images([[slim]], width_m=0.12, stage=lit_scene(20.0))
    monkeypatch.setattr("tests.kernels.marked.set_reach", lambda defects: defects.set("reach_m", 1.0))
    for name, image in images([[slim]], width_m=0.12, stage=lit_scene(20.0)).items():
        assert np.array_equal(image, near[name]), name


def test_the_images_of_a_batch_without_defects_say_none() -> None:
    renderer = Renderer(FLOOR, even_light(16), MASKS, seed=0, device="cpu")
    frames = renderer.render(scenes.draft_of(FLOOR, even_light(16), above(0.2), [0, 1]))
    renderer.close()
    assert (frames.annotations["defect"] == -1).all()
    assert (frames.annotations["near_miss"] == -1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_defect_is_the_same_in_any_batch_and_on_any_thread(kind: DefectKind) -> None:
    rows = [[record(kind, **{**WIDE, "seed": seed})] for seed in (1, 2, 3)]
    both = images(rows, threads=2, size_px=40)
    for row, records in enumerate(rows):
        alone = images([records], size_px=40)
        for name, image in both.items():
            assert np.array_equal(image[row], alone[name][0])


def test_the_order_of_slots_decides_who_lies_on_top_and_near_misses_lie_on_everything() -> None:
    """Red and green patches, then dust below them in the list: the later patch has the pixel, the dust all of them."""
    red = record(DefectKind.STAIN, length_m=0.04, width_m=0.04, color=(0.8, 0.0, 0.0))
    green = record(DefectKind.STAIN, length_m=0.04, width_m=0.04, color=(0.0, 0.8, 0.0))
    blue = record(DefectKind.GLARE, length_m=0.03, width_m=0.03, color=(0.0, 0.0, 0.25))
    found = images([[blue, red, green], [blue, green, red]])
    middle = found["linear"][:, 32, 32]
    assert (found["defect"][:, 32, 32] == 2).all()
    assert (found["near_miss"][:, 32, 32] == 0).all()
    assert (middle[:, 2] > 0.5).all()
    edge = found["linear"][:, 32, 32 + 15]
    assert edge[0, 1] > edge[0, 0]
    assert edge[1, 0] > edge[1, 1]


def test_a_defect_lies_on_one_side_and_does_not_stretch_with_its_bearer() -> None:
    """A square scaled by 2 has a scratch as long as before; from behind, and on another instance, there is none."""
    stage = scene([(quad(0.2), pose(axes=np.eye(3) * 2.0)), (quad(0.4), pose(at=(1, 0, 0)))], materials=(GREY,))
    one = record(DefectKind.SCRATCH, **BLACK, width_m=0.01)
    plain, scaled = (images([[one]], stage=each, outputs=MASKS)["defect"] for each in (FLOOR, stage))
    assert np.array_equal(plain, scaled)
    beside = images([[one]], stage=stage, cam=above(0.08, at=(1.0, 0.0)), outputs=MASKS)["defect"]
    below = scenes.camera(scenes.look_at((0, 0, -0.2), (0, 0, 0), up=(0, 1, 0)))
    behind = images([[one]], cam=below, outputs=MASKS)["defect"]
    assert (beside == -1).all()
    assert (behind == -1).all()


def lit_scene(azimuth_deg: float) -> Any:
    """Return a square of worn metal under a distant light at a slant."""
    turn, slant = np.deg2rad(azimuth_deg), np.deg2rad(35.0)
    eye = (np.cos(turn) * np.cos(slant), np.sin(turn) * np.cos(slant), np.sin(slant))
    sun = Light("/sun", LightKind.DISTANT, scenes.look_at(eye, (0, 0, 0)), (0.0, 0.0), 0.05, (300.0,) * 3)
    metal = Material("/metal", base_color=(0.5, 0.5, 0.5), metallic=1.0, roughness=0.55)
    return dataclasses.replace(scene([(quad(0.4), IDENTITY)], materials=(metal,)), lights=(sun,))


def contrasts(rows: list[dict[str, Any]], azimuths_deg: tuple[float, ...]) -> NDArray[np.float64]:
    """Return |mask - surroundings| / surroundings of every record, averaged over lights."""
    found = []
    for azimuth_deg in azimuths_deg:
        image = images([*([row] for row in rows), []], stage=lit_scene(azimuth_deg))
        light = image["linear"].mean(axis=-1)
        mask = image["defect"][len(rows) - 1] == 0
        found.append([np.abs(each[mask] - light[-1][mask]).mean() / light[-1].mean() for each in light[:-1]])
    return np.asarray(np.mean(found, axis=0))


AROUND_DEG = (20.0, 75.0, 130.0, 200.0, 290.0)


@pytest.mark.parametrize("kind", [*LINES, DefectKind.PIT, DefectKind.DENT, DefectKind.STAIN])
def test_contrast_grows_with_severity(kind: DefectKind) -> None:
    values = {**WIDE, "color": (0.02,) * 3, "irregularity": 0.0, "opacity": 0.6}
    values["width_m"] = 0.004 if kind in LINES else 0.03
    rows = [record(kind, **{**values, "severity": severity}) for severity in (0.1, 0.25, 0.5, 0.75, 1.0)]
    contrast = contrasts(rows, AROUND_DEG)
    assert (np.diff(contrast) > 0.0).all()
    assert contrast[0] > 0.0


def test_contrast_of_a_bare_scratch_grows_with_its_depth() -> None:
    """Nothing but relief: no colour, no finish."""
    rows = [record(DefectKind.SCRATCH, width_m=0.004, depth_m=depth) for depth in (5e-5, 1e-4, 2e-4, 4e-4, 8e-4)]
    assert (np.diff(contrasts(rows, AROUND_DEG)) > 0.0).all()


def test_a_dent_is_bright_on_the_side_that_faces_the_light() -> None:
    """The wall of a hollow that faces the light is the far one; its relief is that of the record, and no bump."""
    dent = record(DefectKind.DENT, length_m=0.04, width_m=0.04, depth_m=0.004)
    light = images([[dent]], stage=lit_scene(0.0))["linear"][0].mean(axis=-1)
    towards, away = light[28:36, 40:46].mean(), light[28:36, 18:24].mean()  # the light comes from +x
    assert away > 1.2 * towards


def test_kinds_are_the_members_of_the_device() -> None:
    assert {kind.name: int(kind) for kind in DefectKind} == {k.name: int(k) for k in gpu.defect.DefectKind}
    assert max(COLUMNS.values()) < gpu.defect.RECORD_FLOATS


def test_effects_tell_what_scratches_dents_and_cracks_cover() -> None:
    kinds = (DefectKind.SCRATCH, DefectKind.DENT, DefectKind.CRACK)
    found = images([[record(kind, **{**WIDE, "irregularity": 0.0})] for kind in kinds], outputs=EFFECTS)
    for row, channel in zip(range(3), (5, 6, 7), strict=True):
        effect = found["effect"][row]
        assert (effect[..., channel][found["defect"][row] == 0] >= 127).all()
        assert (np.delete(effect, channel, axis=-1) == 0).all()


def test_a_texture_of_many_defects_is_found_by_every_pixel() -> None:
    """A lattice of 400 small pits: as many masks, each at its place."""
    step = 0.004
    small = record(DefectKind.PIT, **BLACK, length_m=0.0024, width_m=0.0024)
    cells = itertools.product(range(20), range(20))
    pits = [{**small, "center_m": ((i - 9.5) * step, (j - 9.5) * step, 0.0)} for i, j in cells]
    defect = images([pits], outputs=MASKS, width_m=0.08, size_px=160)["defect"][0]
    assert set(np.unique(defect)) == {-1, *range(400)}
    x, y, _ = places(0.08, 160)
    for slot in (0, 137, 399):
        i, j = divmod(slot, 20)
        assert x[defect == slot].mean() == pytest.approx((i - 9.5) * step, abs=1e-4)
        assert y[defect == slot].mean() == pytest.approx((j - 9.5) * step, abs=1e-4)


def test_defects_lie_on_patterns_and_leave_them_alone() -> None:
    """With an invisible defect concrete is concrete, to the bit; and a plain surface is plain, but for rounding."""
    setup = even_light(48)
    gone = record(DefectKind.SCRATCH, **BLACK, severity=0.0)
    renderer = Renderer(FLOOR, setup, LOOKS, seed=0, device="cpu")
    for entries, tolerance in ((bare("concrete"), 0.0), ({}, 1.0e-6)):
        plain = worn_draft(FLOOR, setup, above(0.3), entries)
        marked = worn_draft(FLOOR, setup, above(0.3), entries)
        other = marked_draft(FLOOR, 48, above(0.3), [[gone]])
        marked.defect, marked.defect_of = other.defect, other.defect_of
        one, two = (renderer.render(draft).rgb_linear for draft in (plain, marked))
        assert one is not None
        assert two is not None
        assert np.abs(one - two).max() <= tolerance
    renderer.close()


def test_a_mirror_shows_a_defect() -> None:
    """A camera looks up into a mirror: a black stain on the floor takes three quarters of the light from it."""
    turned = np.diag([1.0, -1.0, -1.0])
    mirror = Material("/mirror", base_color=(1.0, 1.0, 1.0), metallic=1.0, roughness=0.0)
    dome = Light("/dome", LightKind.DOME, np.eye(3, 4), (0.0, 0.0), 0.0, (1.0,) * 3)
    parts = [(quad(0.8), IDENTITY), (quad(0.2), pose(at=(0, 0, 0.5), axes=turned))]
    stage = dataclasses.replace(scene(parts, materials=(GREY, mirror)), lights=(dome,))
    up = scenes.camera(scenes.look_at((0, 0, 0.3), (0, 0, 0.5), up=(0, 1, 0)), focal_mm=60.0)
    setup = dataclasses.replace(scenes.rig(size_px=(16, 16), spp=8, quality="path"), ambient_radiance=(0.0,) * 3)
    stain = record(DefectKind.STAIN, **BLACK, length_m=0.7, width_m=0.7, roughness=1.0)
    draft = marked_draft(stage, 16, up, [[stain], []])
    renderer = Renderer(stage, setup, LOOKS, seed=0, device="cpu")
    frames = renderer.render(draft)
    renderer.close()
    assert frames.rgb_linear is not None
    marked, plain = frames.rgb_linear.mean(axis=(1, 2, 3))
    assert 0.0 < marked < plain / 4.0
    assert (frames.annotations["defect"] == -1).all()


def test_a_view_at_a_slant_reaches_the_floor_of_a_pit_where_it_meets_it() -> None:
    """Darkness tells the depth, 1 - a / sqrt(a^2 + d^2): against the crossing with depth (1 - r^4), by bisection."""
    radius, deep, slant, size_px, width_m = 0.02, 0.008, np.deg2rad(40.0), 64, 0.05
    eye = (HEIGHT_M * np.sin(slant), 0.0, HEIGHT_M * np.cos(slant))
    cam = scenes.camera(scenes.look_at(eye, (0, 0, 0)), focal_mm=24.0 * HEIGHT_M / width_m)
    pit = record(DefectKind.PIT, length_m=2 * radius, width_m=2 * radius, depth_m=deep)
    matte = Material("/matte", base_color=(0.4, 0.4, 0.4), ior=1.0)  # whose albedo no angle changes
    stage = scene([(quad(0.4), IDENTITY)], materials=(matte,))
    image = images([[pit], []], stage=stage, cam=cam, size_px=size_px)["linear"].mean(axis=-1).astype(np.float64)
    across = ((np.arange(size_px) + 0.5) / size_px - 0.5) * width_m
    x, y = (across / np.cos(slant))[:, None], across[None, :]  # what is lower in the picture is nearer to the camera

    def below(depth: Array) -> Array:
        r2 = ((x - np.tan(slant) * depth) ** 2 + y**2) / radius**2
        return np.asarray(deep * np.maximum(1.0 - r2**2, 0.0) - depth)

    low, high = np.zeros((size_px, size_px)), np.full((size_px, size_px), deep)
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = np.where(below(middle) > 0.0, middle, low), np.where(below(middle) > 0.0, high, middle)
    asked = 1.0 - radius / np.sqrt(radius**2 + low**2)
    inside = x**2 + y**2 < (0.9 * radius) ** 2
    dark = 1.0 - image[0] / image[1]
    assert np.abs(dark - asked)[inside].max() < 0.001
    assert np.abs(asked - asked[::-1])[inside].max() > 0.05  # seen from above it would be the same on both sides


def test_a_chip_goes_around_its_edge() -> None:
    """From above and from the front a break at the edge of a box has its mask; a stain there stays on its face."""
    stage = scene([(box_mesh(0.2, 0.2, 0.1), IDENTITY)], materials=(GREY,))
    at = {"center_m": (0.0, -0.1, 0.1), "length_m": 0.05, "width_m": 0.04, "depth_m": 0.02, "color": (0.1,) * 3}
    rows = [[record(kind, **at)] for kind in (DefectKind.CHIP, DefectKind.STAIN)]
    top = scenes.camera(scenes.look_at((0, -0.1, 0.4), (0, -0.1, 0.1), up=(0, 1, 0)), focal_mm=60.0)
    front = scenes.camera(scenes.look_at((0, -0.4, 0.1), (0, -0.1, 0.1)), focal_mm=60.0)
    masks = (images(rows, stage=stage, cam=cam, outputs=MASKS)["defect"] == 0 for cam in (top, front))
    above_px, front_px = (mask.sum(axis=(1, 2)) for mask in masks)
    assert (above_px > 50).all()
    assert front_px[0] > 50
    assert front_px[1] == 0
