"""Procedural materials look from afar as near, have a size in metres, and cost nothing where there are none."""

from __future__ import annotations

import numpy as np
import pytest
import warp as wp
from numpy.typing import NDArray

from bench.materials import box_mesh
from engine import gpu
from engine.pattern import COLUMNS, PATTERN_NAMES, PatternKind
from engine.render import Renderer
from engine.render.buffers import LANES
from engine.render.patterns import sharp_edges
from engine.scene.model import Material
from tests.kernels import scenes
from tests.kernels.scenes import IDENTITY, pose, quad, scene
from tests.kernels.worn import GREY, HEIGHT_M, RGB, above, bare, even_light, layer, seen, worn_draft

NAMES = PATTERN_NAMES[1:]
WIDTH_PX, FAR_PX = 512, 32  # of the same square, seen near and from afar: 256 samples a pixel
FLOOR = scene([(quad(40.0), IDENTITY)], materials=(GREY,))


@pytest.mark.parametrize("width_m", [0.6, 4.0])
@pytest.mark.parametrize("name", [*NAMES, "rust", "stain", "dust"])
def test_a_pattern_from_afar_is_its_own_mean(name: str, width_m: float) -> None:
    """Against 256 samples a pixel: the mean to 2 %, the pixels' deviation to a half, or to 2 % of the mean."""
    entries = bare(name) if name in NAMES else layer(name, 0.4)
    near = seen(FLOOR, above(width_m), entries, size_px=WIDTH_PX)[0].mean(axis=-1)
    far = seen(FLOOR, above(width_m), entries, size_px=FAR_PX)[0].mean(axis=-1)
    side = WIDTH_PX // FAR_PX
    brute = near.reshape(FAR_PX, side, FAR_PX, side).mean(axis=(1, 3))
    assert far.mean() == pytest.approx(float(brute.mean()), rel=0.02)
    assert far.std() == pytest.approx(float(brute.std()), rel=0.5, abs=0.02 * float(brute.mean()))


@pytest.mark.parametrize(("name", "bound"), [("cardboard", 0.003), ("wood", 0.012), ("fabric", 0.06)])
def test_a_regular_pattern_at_a_slant_makes_no_moire(name: str, bound: float) -> None:
    """A pixel as long as a period and a third as wide, against 256 samples: blocks of 8 x 8 pixels differ by little."""
    entries = bare(name, scale_m=0.004, strength=1, direction=[0, 1, 0])
    slant = np.deg2rad(70.0)
    eye = (HEIGHT_M * np.sin(slant), 0.0, HEIGHT_M * np.cos(slant))
    cam = scenes.camera(scenes.look_at(eye, (0, 0, 0)), focal_mm=24.0 * HEIGHT_M / (64 * 0.34 * 0.004))
    near, far = (seen(FLOOR, cam, entries, size_px=size)[0].mean(axis=-1) for size in (1024, 64))
    error = (far - near.reshape(64, 16, 64, 16).mean(axis=(1, 3))).reshape(8, 8, 8, 8).mean(axis=(1, 3))
    assert error.std() < bound * near.mean()


@pytest.mark.parametrize("name", NAMES)
def test_a_pattern_shows_near(name: str) -> None:
    """The deviation of its pixels is at least 2 % of their mean: what the test above compares is there."""
    near = seen(FLOOR, above(0.2), bare(name), size_px=128)[0].mean(axis=-1)
    assert near.std() > 0.02 * near.mean()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_looks_the_same_in_any_batch_and_on_any_thread(name: str) -> None:
    entries = bare(name, layers={"rust": 0.2, "stain": 0.1, "dust": 0.3, "wear": 0.5}, bump_m=1.0e-4)
    both = seen(FLOOR, above(0.3), entries, size_px=40, worlds=(5, 6, 7), threads=2)
    for row, world in enumerate((5, 6, 7)):
        assert np.array_equal(both[row], seen(FLOOR, above(0.3), entries, size_px=40, worlds=(world,))[0])
    assert not np.array_equal(both[0], both[1])


def test_two_instances_of_one_mesh_differ() -> None:
    square = quad(0.3)
    stage = scene([(square, pose(at=(0, 0, 0))), (square, pose(at=(1, 0, 0)))], materials=(GREY,))
    left, right = (seen(stage, above(0.28, at=(x, 0.0)), bare("concrete", strength=1))[0] for x in (0.0, 1.0))
    assert np.abs(left - right).mean() > 0.02


@pytest.mark.parametrize("name", ["concrete", "wood", "fabric"])
def test_a_pattern_does_not_stretch_with_its_mesh(name: str) -> None:
    """A square of a metre that is placed at twice its size shows what a square of two metres shows."""
    small = scene([(quad(1.0), pose(axes=2.0 * np.eye(3)))], materials=(GREY,))
    large = scene([(quad(2.0), IDENTITY)], materials=(GREY,))
    one, two = (seen(stage, above(0.2), bare(name))[0] for stage in (small, large))
    assert one == pytest.approx(two, rel=1e-3, abs=1e-4)


def test_flutes_are_as_far_apart_as_they_are_said_to_be() -> None:
    """Cardboard with a pitch of 8 and of 16 mm: the strongest frequency across the flutes is its inverse."""
    for pitch_m in (0.008, 0.016):
        entries = bare("cardboard", scale_m=pitch_m, strength=1, direction=[0, 1, 0])
        rows = seen(FLOOR, above(0.32), entries, size_px=256)[0].mean(axis=(0, 2))
        power = np.abs(np.fft.rfft((rows - rows.mean()) * np.hanning(256)))
        assert power[8:].argmax() + 8 == pytest.approx(0.32 / pitch_m, abs=1)


def test_nothing_is_computed_where_no_pattern_is() -> None:
    """Without patterns there is no memory and no launch for them; patterns that nobody wears change no pixel."""
    setup, cam = even_light(32), above(0.3)
    renderer = Renderer(FLOOR, setup, RGB, seed=0, device="cpu", threads=1)
    plain = renderer.render(worn_draft(FLOOR, setup, cam, {})).rgb
    (batch,) = renderer._cpu.values()
    assert batch._memory.worlds.patterns is None
    assert not renderer._loaded
    nobody = renderer.render(worn_draft(FLOOR, setup, cam, bare("concrete", probability=0))).rgb
    assert plain is not None
    assert nobody is not None
    assert np.array_equal(plain, nobody)


def test_a_material_is_worn_by_all_that_is_made_of_it() -> None:
    """By its material a square looks as by its instance; an instance's own pattern comes first."""
    of_instance = bare("concrete", strength=1, scale_m=0.02, roughness_high=0.9)
    for name in ("color_a", "color_b"):
        of_instance["concrete"][name] = {"hue_deg": 40, "saturation": 0.1, "value": 0.4 if name == "color_a" else 0.2}
    of_material = {"concrete": {**of_instance["concrete"], "instances": None, "materials": "/grey"}}
    cam = above(0.3)
    one, two = (seen(FLOOR, cam, entries)[0] for entries in (of_instance, of_material))
    assert np.array_equal(one, two)
    both = {"a_wood": bare("wood")["wood"], "b_concrete": of_material["concrete"]}
    wood = seen(FLOOR, cam, {"a_wood": bare("wood")["wood"]})[0]
    assert np.array_equal(seen(FLOOR, cam, both)[0], wood)


def test_sharp_edges_are_those_of_a_box_and_not_its_diagonals() -> None:
    """Every side of two triangles has its four edges, two each; a plane and a fine sphere have none."""
    sharp = sharp_edges([box_mesh(1.0, 2.0, 3.0)])
    assert [bin(bits).count("1") for bits in sharp] == [2] * 12
    assert not sharp_edges([scenes.grid(4)]).any()
    assert not sharp_edges([scenes.sphere(1.0)]).any()


def test_an_edge_into_a_corner_is_not_sharp() -> None:
    """The same box seen from within is a room: nothing rubs its edges off."""
    box = box_mesh(1.0, 2.0, 3.0)
    room = scenes.mesh(box.points_m, box.triangle[:, ::-1])
    assert not sharp_edges([room]).any()


def test_wear_keeps_to_edges() -> None:
    """On the lid of a box: within a fifth of the width it is worn all around, beyond four and a half not at all."""
    stage = scene([(box_mesh(0.4, 0.4, 0.1), IDENTITY)], materials=(GREY,))
    cam = above(0.4)
    worn, plain = (seen(stage, cam, layer("wear", share, wear_width_m=0.01), size_px=400)[0] for share in (0.95, 0.0))
    changed = np.abs(worn - plain).max(axis=-1) > 1e-3
    at_m = (np.arange(400) + 0.5) / 1000
    from_edge = np.minimum(at_m, 0.4 - at_m)
    distance = np.minimum(from_edge[:, None], from_edge[None])
    assert changed[(distance < 0.002) & (distance > 0.0006)].mean() > 0.9
    assert not changed[distance > 0.045].any()


def test_dust_lies_on_what_looks_up() -> None:
    """On a floor it hides most of a red material, on a ceiling an eighth of that at most."""
    red = (Material("/red", base_color=(0.5, 0.05, 0.05)),)
    floor = scene([(quad(40.0), IDENTITY)], materials=red)
    up = seen(floor, above(0.3), layer("dust", 0.8))[0].mean(axis=(0, 1))
    plain = seen(floor, above(0.3), layer("dust", 0.0))[0].mean(axis=(0, 1))
    ceiling = scene([(quad(40.0), pose(axes=np.diag([1.0, -1.0, -1.0])))], materials=red)
    below = scenes.camera(scenes.look_at((0, 0, -200.0), (0, 0, 0), up=(0, 1, 0)), focal_mm=24 * 200 / 0.3)
    down = seen(ceiling, below, layer("dust", 0.8))[0].mean(axis=(0, 1))
    assert np.abs(up - plain).max() > 0.05
    assert np.abs(down - plain).max() < np.abs(up - plain).max() / 4


def test_both_sides_of_a_launch_number_patterns_alike() -> None:
    kernel = {name: int(kind) for name, kind in gpu.pattern.PatternKind.__members__.items()}
    assert kernel == {kind.name: int(kind) for kind in PatternKind}


HEIGHT = """
    const int i = group * OMM_WIDTH;
    Place at;
    at.p = omm::load3((const float*)(point.data + i));
    at.footprint = at.longest = omm::splat(0.0f);
    at.seed = (U)omm::splat_int(77);
    at.up = at.normal = at.axis = omm::vec3(0.0f, 0.0f, 1.0f);
    at.facing = omm::splat(1.0f);
    at.edge_m = omm::splat(NEVER_M);
    F r[24];
    for (int k = 0; k < 24; ++k) r[k] = omm::splat(record.data[k]);
    const Pattern q = pattern_of(r, Bsdf{});
    Finish made = Finish{};
    const int kind = (int)record.data[0];
    if (kind == CARDBOARD) made = cardboard(at, q);
    if (kind == PAINTED_METAL) made = painted_metal(at, q);
    if (kind == BRUSHED_METAL) made = brushed_metal(at, q);
    if (kind == CAST_METAL) made = cast_metal(at, q);
    if (kind == CONCRETE) made = concrete(at, q);
    if (kind == ASPHALT) made = asphalt(at, q);
    if (kind == WOOD) made = wood(at, q);
    if (kind == PLASTIC_FILM) made = plastic_film(at, q);
    if (kind == FABRIC) made = fabric(at, q);
    if (kind == GROUND_CERAMIC) made = ground_ceramic(at, q);
    const F all[4] = {made.height.v, made.height.d.x, made.height.d.y, made.height.d.z};
    for (int k = 0; k < 4; ++k) omm::store(out.data + (size_t)k * point.shape[0] + i, all[k]);
"""


@wp.func_native(
    gpu.native_source.native("lanes", "point", "noise", "pattern", "layer", constants=gpu.pattern.CONSTANTS) + HEIGHT
)
def height_run(record: wp.array[float], point: wp.array[wp.vec3], group: int, out: wp.array[float]):
    """Write height and gradient of a pattern at a group of points."""


@wp.kernel(enable_backward=False)
def height_of(record: wp.array[float], point: wp.array[wp.vec3], out: wp.array[float]):
    """Write height and gradient of a pattern, [4, point]."""
    height_run(record, point, wp.tid(), out)


def relief(kind: PatternKind, p: NDArray[np.float64], *, scale_m: float) -> NDArray[np.float64]:
    """Return height [m] and gradient of a pattern whose relief is 1 m, [4, point]."""
    record = np.zeros(gpu.pattern.RECORD_FLOATS, np.float32)
    values = {"kind": int(kind), "scale_m": scale_m, "strength": 1.0, "bump_m": 1.0, "direction": 0.6}
    for name, value in values.items():
        record[COLUMNS[name]] = value
    record[COLUMNS["direction"] + 1] = 0.8
    out = wp.empty((4, len(p)), dtype=float, device="cpu")
    points = wp.array(p.astype(np.float32), dtype=wp.vec3, device="cpu")
    wp.launch(height_of, len(p) // LANES, [wp.array(record, dtype=float, device="cpu"), points, out.flatten()],
              device="cpu")  # fmt: skip
    return out.numpy().astype(np.float64)


@pytest.mark.parametrize("kind", [k for k in PatternKind if k != PatternKind.NONE])
def test_normals_are_those_of_the_relief(kind: PatternKind) -> None:
    """The gradient that tilts them is that of the height, to 3 % of its mean size but for creases."""
    scale_m = 0.01
    p = np.random.default_rng(1).uniform(-0.05, 0.05, (4096, 3)).astype(np.float32).astype(np.float64)
    found = relief(kind, p, scale_m=scale_m)[1:]
    step = 1.0e-3 * scale_m
    if kind in (PatternKind.WOOD, PatternKind.CARDBOARD, PatternKind.PAINTED_METAL):
        step *= 0.5  # finest features of 0.7 mm and less
    if kind == PatternKind.FABRIC:
        step *= 2.0  # its folds are high: float32 rounds the difference
    differences = []
    for axis in step * np.eye(3):
        ahead, behind = (
            (p + axis).astype(np.float32).astype(np.float64),
            (p - axis).astype(np.float32).astype(np.float64),
        )
        rise = relief(kind, ahead, scale_m=scale_m)[0] - relief(kind, behind, scale_m=scale_m)[0]
        differences.append(rise / np.linalg.norm(ahead - behind, axis=1))
    error = np.linalg.norm(found - np.stack(differences), axis=0) / np.linalg.norm(found, axis=0).mean()
    assert np.linalg.norm(found, axis=0).mean() > 10.0
    assert (error < 0.03).mean() > 0.97


@pytest.mark.parametrize("kind", [k for k in PatternKind if k not in (PatternKind.NONE, PatternKind.WOOD)])
def test_a_pattern_of_twice_the_scale_is_twice_as_large(kind: PatternKind) -> None:
    """Wood alone keeps the size of its pores."""
    p = np.random.default_rng(2).uniform(-0.1, 0.1, (1024, 3)).astype(np.float32)
    one, two = relief(kind, p, scale_m=0.01)[0], relief(kind, 2.0 * p, scale_m=0.02)[0]
    assert one == pytest.approx(two, abs=1e-3 * one.std())
