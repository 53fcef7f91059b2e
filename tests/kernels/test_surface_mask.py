"""Annotators of materials: base colour, roughness and metal at pixels' centres, and what patterns did to them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.materials import box_mesh, preset
from engine import gpu
from engine.annotators import EFFECTS
from engine.draft import Draft
from engine.recipe import Rig
from engine.render import Outputs, Renderer
from engine.scene.model import Camera, Light, LightKind, Material, Scene, Texture, TextureInput, Wrap
from tests.kernels import scenes
from tests.kernels.scenes import IDENTITY, camera, look_at, pose, quad, scene
from tests.kernels.worn import GREY, NO_LAYERS, above, layer, worn_draft

NAMES = ("albedo", "roughness", "metallic", "effect")
LABELS = Outputs(rgb=False, rgb_linear=False, depth=False, normal=False, instance=True, annotations=NAMES)
LIT = dataclasses.replace(LABELS, rgb=True, rgb_linear=True)
SUN = Light("/sun", LightKind.DISTANT, look_at((0.6, 0.0, 0.8), (0, 0, 0)), (0.0, 0.0), 0.0, (3.0,) * 3)
FILLED = camera(look_at((0, 0, 2.0), (0, 0, 0), up=(0, 1, 0)))  # by a square of 2 m
FLOOR = scene([(quad(40.0), IDENTITY)], lights=(SUN,), materials=(GREY,))
NEAR, SIZE_PX = above(0.3), 64
LAYERS = {"rust": 0.25, "stain": 0.2, "dust": 0.2, "wear": 0.5}


def rig_of(quality: str) -> Rig:
    return scenes.rig(size_px=(SIZE_PX, SIZE_PX), spp=1, quality=quality)


def drawn(stage: Scene, setup: Rig, draft: Draft, outputs: Outputs, threads: int = 1) -> dict[str, NDArray[Any]]:
    """Return the images of a draft, [view, y, x, ...]."""
    renderer = Renderer(stage, setup, outputs, seed=0, device="cpu", threads=threads)
    frames = renderer.render(draft)
    renderer.close()
    return {**frames.annotations, "rgb_linear": frames.rgb_linear, "rgb": frames.rgb}  # type: ignore[dict-item]


def material_images(material: Material, *textures: Texture, quality: str = "labels") -> dict[str, NDArray[Any]]:
    """Return the images [y, x, ...] of a square that fills them."""
    stage, setup = scene([(quad(2.0), IDENTITY)], materials=(material,), textures=textures), rig_of(quality)
    images = drawn(stage, setup, scenes.draft_of(stage, setup, FILLED, [0]), LABELS)
    return {name: images[name][0] for name in NAMES}


def worn(
    entries: dict[str, Any], *, stage: Scene = FLOOR, cam: Camera = NEAR, outputs: Outputs = LIT,
    worlds: tuple[int, ...] = (0,), threads: int = 1,
) -> dict[str, NDArray[Any]]:  # fmt: skip
    """Return the images of some worlds of a square that wears patterns."""
    setup = rig_of("direct" if outputs.rgb else "labels")
    return drawn(stage, setup, worn_draft(stage, setup, cam, entries, worlds=worlds), outputs, threads)


COLOR = (0.7, 0.4, 0.1)


@pytest.mark.parametrize(
    ("values", "metallic"),
    [
        ({}, 0.0),
        ({"metallic": 1.0}, 1.0),
        ({"metallic": 0.25}, 0.25),
        ({"clearcoat": 1.0}, 0.0),
        ({"ior": 2.4, "emission": (3.0, 2.0, 1.0)}, 0.0),
        ({"specular_color": (0.9, 0.8, 0.7)}, 0.0),
    ],
    ids=["plastic", "metal", "half", "coated", "glowing", "specular"],
)
def test_albedo_is_the_base_colour_whatever_lies_over_it(values: dict[str, Any], metallic: float) -> None:
    """A metal has that of its reflectance; coats, light of its own and gloss take nothing away."""
    images = material_images(Material("/m", base_color=COLOR, roughness=0.3, **values))
    assert images["albedo"] == pytest.approx(np.broadcast_to(np.float32(COLOR), (SIZE_PX, SIZE_PX, 3)), rel=2e-6)
    assert images["metallic"] == pytest.approx(np.full((SIZE_PX, SIZE_PX), metallic), abs=1e-7)
    assert images["roughness"] == pytest.approx(np.full((SIZE_PX, SIZE_PX), 0.3), rel=1e-6)
    assert not images["effect"].any()


def test_a_mirror_is_as_smooth_as_it_is_rendered() -> None:
    """The least GGX alpha is 0.002."""
    assert material_images(Material("/m", roughness=0.0))["roughness"][0, 0] == pytest.approx(np.sqrt(0.002))


def test_the_albedo_of_a_texture_is_its_texels() -> None:
    """Texels larger than pixels, against bilinear ones in NumPy: texel (i, j) has its centre at u = (i + 0.5) / 8."""
    texels = np.random.default_rng(3).uniform(0.1, 0.9, (8, 8, 4)).astype(np.float32)
    texture = Texture("t", texels, Wrap.CLAMP, Wrap.CLAMP)
    inputs = {
        name: TextureInput(0, channel, (1.0,) * 4, (0.0,) * 4, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
        for name, channel in (("base_color", 0), ("roughness", 1), ("metallic", 2))
    }
    images = material_images(Material("/m", textures=inputs), texture)
    at = np.clip((np.arange(SIZE_PX) + 0.5) / SIZE_PX * 8.0 - 0.5, 0.0, 7.0)
    low, part = np.minimum(at.astype(int), 6), at - np.minimum(at.astype(int), 6)
    rows = texels[low] * (1.0 - part)[:, None, None] + texels[low + 1] * part[:, None, None]
    both = rows[:, low] * (1.0 - part)[None, :, None] + rows[:, low + 1] * part[None, :, None]
    expected = both[::-1]  # v = 0 is the lower edge
    assert images["albedo"] == pytest.approx(expected[..., :3], abs=3e-4)
    assert images["roughness"] == pytest.approx(expected[..., 1], abs=3e-4)
    assert images["metallic"] == pytest.approx(expected[..., 2], abs=3e-4)


def test_tints_and_drawn_materials_count_and_nothing_is_zero() -> None:
    """The tint of an instance multiplies the colour; the background has no material."""
    stage, setup = scene([(quad(1.0), IDENTITY)], materials=(Material("/m", base_color=COLOR),)), rig_of("labels")
    draft = scenes.draft_of(stage, setup, FILLED, [0, 1])
    draft.tint[1, 1] = (0.5, 1.0, 2.0)
    draft.roughness[1], draft.metallic[1] = 0.9, 1.0
    images = drawn(stage, setup, draft, LABELS)
    assert images["albedo"][:, 32, 32] == pytest.approx(np.array([COLOR, (0.35, 0.4, 0.2)]), rel=1e-6)
    assert images["roughness"][:, 32, 32] == pytest.approx(np.array([0.5, 0.9]), rel=1e-6)
    assert images["metallic"][:, 32, 32].tolist() == [0.0, 1.0]
    assert not any(images[name][:, 0].any() for name in NAMES)


@pytest.mark.parametrize("quality", ["labels", "direct"])
def test_materials_are_those_of_the_surface_that_is_labelled(quality: str) -> None:
    """A veil that is there by 0.4 is not labelled, one that is there by 0.6 is; displayColor counts."""
    for presence, expected in ((0.4, (0.2, 0.5, 0.8)), (0.6, (0.9, 0.1, 0.1))):
        veil = Material("/veil", base_color=(0.9, 0.1, 0.1), opacity=presence, presence=True)
        floor = Material("/floor", uses_display_color=True)
        stage = scene([(quad(2.0), IDENTITY), (quad(2.0), pose(at=(0, 0, 0.1)))], materials=(floor, veil))
        color, each = np.array([[0.2, 0.5, 0.8, 1.0]] * 2, np.float32), np.arange(2, dtype=np.int32)
        placements = dataclasses.replace(stage.placements, first_slot=each, slot_material=each, color=color)
        stage, setup = dataclasses.replace(stage, placements=placements), rig_of(quality)
        images = drawn(stage, setup, scenes.draft_of(stage, setup, FILLED, [0]), LABELS)
        assert images["albedo"][0, 32, 32] == pytest.approx(np.float32(expected), rel=1e-6)


def test_effects_are_where_a_layer_changed_the_surface_and_nowhere_else() -> None:
    """Against the same square undressed: colour, roughness and, for relief, the light of a sun without noise."""
    box = scene([(box_mesh(0.4, 0.4, 0.4), IDENTITY)], lights=(SUN,), materials=(GREY,))
    bare = worn({}, stage=box, cam=above(0.42))
    for name, share in LAYERS.items():
        images = worn(layer(name, share), stage=box, cam=above(0.42))
        touched = images["effect"][0].any(axis=-1)
        changes = [np.abs(images[k][0] - bare[k][0]).reshape(SIZE_PX, SIZE_PX, -1).max(axis=-1)
                   for k in ("albedo", "roughness", "metallic", "rgb_linear")]  # fmt: skip
        change = np.max(changes, axis=0)
        assert touched.any()
        assert name == "dust" or not touched.all()
        assert (change[touched] > 0.0).all()
        assert change[~touched].max(initial=0.0) <= 1e-6
        others = [k for k, effect in enumerate(EFFECTS) if effect != name]
        assert not images["effect"][..., others].any()


def test_what_rust_covers_wholly_has_the_colour_of_rust() -> None:
    """Under all of a crust it makes no difference what is below; its halo shows some of it, and beside it is all."""
    entries, rust = layer("rust", 0.4), EFFECTS.index("rust")
    other = scene([(quad(40.0), IDENTITY)], lights=(SUN,), materials=(Material("/o", base_color=(0.1, 0.2, 0.9)),))
    one, two = worn(entries), worn(entries, stage=other)
    assert np.array_equal(one["effect"], two["effect"])
    difference = np.abs(one["albedo"] - two["albedo"]).max(axis=-1)
    assert difference[one["effect"][..., rust] == 255].max() < 0.003
    assert difference[one["effect"][..., rust] == 0].min() > 0.5
    assert (one["effect"][..., rust] == 255).mean() > 0.05


def test_a_finish_is_an_effect_of_its_own() -> None:
    images = worn({"concrete": preset("concrete", layers=NO_LAYERS)})
    assert (images["effect"][..., EFFECTS.index("finish")] == 255).all()
    assert not images["effect"][..., 1:].any()
    assert np.ptp(images["albedo"]) > 0.05


def test_materials_are_the_same_in_any_batch_on_any_thread_and_without_light() -> None:
    entries = {"w": preset("weathered", layers=LAYERS)}
    many = worn(entries, worlds=(3, 4, 5), threads=2)
    for row, world in enumerate((3, 4, 5)):
        alone = worn(entries, worlds=(world,), outputs=LABELS)
        assert all(np.array_equal(many[name][row], alone[name][0]) for name in NAMES)
    assert not np.array_equal(many["effect"][0], many["effect"][1])


def test_asking_for_materials_changes_no_pixel() -> None:
    entries = {"w": preset("weathered", layers=LAYERS)}
    plain = worn(entries, outputs=dataclasses.replace(LIT, annotations=()))
    assert np.array_equal(plain["rgb_linear"], worn(entries)["rgb_linear"])


def test_both_sides_of_a_launch_number_effects_alike() -> None:
    assert tuple(kind.name.lower() for kind in gpu.pattern.EffectKind) == EFFECTS
