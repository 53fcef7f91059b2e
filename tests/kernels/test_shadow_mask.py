"""The annotator of shadows: which share of the light of lights is blocked, without a change of the picture."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import UserError
from engine.frames import Frames
from engine.recipe import Rig
from engine.render import Outputs, Renderer
from engine.scene.model import Camera, Light, LightKind, Material, Scene
from tests.kernels import scenes
from tests.kernels.scenes import IDENTITY, camera, look_at, pose, quad, scene

PLAIN = Outputs(rgb=True, rgb_linear=True, depth=False, normal=False, instance=True)
SHADOW = dataclasses.replace(PLAIN, annotations=("shadow", "shadow_lit"))
SIZE_PX = 64
GREY, GLASS = Material("/grey"), Material("/glass", opacity=0.4, presence=True)
TOWARDS_SUN = np.array([0.6, 0.0, 0.8])
SUN = Light("/sun", LightKind.DISTANT, look_at(TOWARDS_SUN, (0, 0, 0)), (0.0, 0.0), 0.0, (1.0,) * 3)
LAMP = Light("/lamp", LightKind.RECT, pose(at=(0.4, 0.2, 3.0)), (1.0, 0.7), 0.0, (9.0, 6.0, 3.0))
FLOOR, BLOCKER, LIFT_M = quad(10.0), quad(1.0), 0.8
FLOATING = pose(at=(0.0, 0.0, LIFT_M))
SIDE = camera(look_at((0.0, -3.0, 2.4), (0, 0, 0)))


def stage_of(*lights: Light, material: Material = GREY) -> Scene:
    """Return a square that floats above a floor; both are of the material."""
    return scene([(FLOOR, IDENTITY), (BLOCKER, FLOATING)], lights=lights, materials=(material,))


def seen(
    stage: Scene, cam: Camera, outputs: Outputs = SHADOW, *, quality: str = "direct", spp: int = 4, threads: int = 1,
    worlds: tuple[int, ...] = (0,), **changes: Any,
) -> Frames:  # fmt: skip
    setup: Rig = dataclasses.replace(scenes.rig(size_px=(SIZE_PX, SIZE_PX), spp=spp, quality=quality), **changes)
    renderer = Renderer(stage, setup, outputs, seed=0, device="cpu", threads=threads)
    frames = renderer.render(scenes.draft_of(stage, setup, cam, list(worlds)))
    renderer.close()
    return frames


def on_floor(cam: Camera) -> NDArray[np.float64]:
    """Return where the rays through the pixels' centres meet the plane z = 0, [y, x, 3]."""
    at = (np.arange(SIZE_PX) + 0.5) / SIZE_PX - 0.5
    x, y = np.meshgrid(at, -at)
    rays = np.stack([x, y, np.full_like(x, -cam.focal_length_mm / 24.0)], axis=-1) @ cam.world_from_camera[:, :3].T
    eye = cam.world_from_camera[:, 3]
    return np.asarray(eye - rays * (eye[2] / rays[..., 2])[..., None])


@pytest.mark.parametrize("quality", ["direct", "path"])
def test_the_shadow_of_a_square_under_a_distant_light_is_where_geometry_has_it(quality: str) -> None:
    """The square's shadow is the square, moved on by its height along the light; at its rim shares are mixed."""
    frames = seen(stage_of(SUN), SIDE, quality=quality)
    shadow, lit = frames.annotations["shadow"][0], frames.annotations["shadow_lit"][0]
    assert frames.instance is not None
    p = on_floor(SIDE) - np.array([-LIFT_M * TOWARDS_SUN[0] / TOWARDS_SUN[2], 0.0, 0.0])
    inside = 0.5 - np.abs(p[..., :2]).max(axis=-1)  # [m], of the shadow's border
    floor = frames.instance[0] == 1
    assert (lit[frames.instance[0] > 0] == 1).all()
    dark, bright = floor & (inside > 0.1), floor & (inside < -0.1)
    assert dark.sum() > 100
    assert bright.sum() > 1000
    assert (shadow[dark] == 1.0).all()
    assert (shadow[bright] == 0.0).all()
    assert (shadow[frames.instance[0] == 2] == 0.0).mean() > 0.8  # the square itself, but for its rim


def test_the_penumbra_of_a_lamp_is_the_share_of_it_that_is_hidden() -> None:
    """Without shadows the floor is lit more: what is missing there is the share, sample for sample."""
    shaded = seen(stage_of(LAMP), SIDE, spp=64)
    open_lamp = dataclasses.replace(LAMP, casts_shadow=False)
    free = seen(stage_of(open_lamp), SIDE, PLAIN, spp=64)
    assert shaded.rgb_linear is not None
    assert free.rgb_linear is not None
    weights = np.array([0.2126, 0.7152, 0.0722])
    with_shadows, without = (image[0].astype(np.float64) @ weights for image in (shaded.rgb_linear, free.rgb_linear))
    lit = shaded.annotations["shadow_lit"][0] == 1
    assert shaded.annotations["shadow"][0][lit] == pytest.approx(1.0 - with_shadows[lit] / without[lit], abs=2e-5)
    assert ((shaded.annotations["shadow"][0] > 0.1) & (shaded.annotations["shadow"][0] < 0.9)).sum() > 100


def test_what_no_light_could_reach_is_told_from_what_is_lit() -> None:
    """The lower side of the square looks away from the sun, and the background is nothing: both are 0 and not lit."""
    below = camera(look_at((0.0, -2.0, 0.3), (0, 0, LIFT_M)))
    frames = seen(scene([(BLOCKER, FLOATING)], lights=(SUN,)), below)
    assert frames.instance is not None
    assert (frames.instance == 1).any()
    assert not frames.annotations["shadow"].any()
    assert not frames.annotations["shadow_lit"].any()


@pytest.mark.parametrize("quality", ["direct", "path"])
def test_light_that_passes_a_surface_casts_half_a_shadow(quality: str) -> None:
    """A square that is there by 0.4 takes as much of the light that goes through it, seen past its side."""
    stage = stage_of(SUN, material=GLASS)
    stage = dataclasses.replace(
        stage, materials=(GREY, GLASS),
        placements=dataclasses.replace(
            stage.placements, slot_material=np.array([0, 1], np.int32), first_slot=np.array([0, 1], np.int32)
        ),
    )  # fmt: skip
    frames = seen(stage, SIDE, quality=quality, spp=1)
    p = on_floor(SIDE) - np.array([-LIFT_M * 0.75, 0.0, 0.0])
    assert frames.instance is not None
    dark = (frames.instance[0] == 1) & (0.5 - np.abs(p[..., :2]).max(axis=-1) > 0.1)
    assert frames.annotations["shadow"][0][dark] == pytest.approx(0.4, abs=1e-6)


@pytest.mark.parametrize("quality", ["direct", "path"])
@pytest.mark.parametrize("material", [GREY, GLASS], ids=["opaque", "glass"])
def test_asking_for_shadows_changes_no_pixel(quality: str, material: Material) -> None:
    stage = stage_of(SUN, LAMP, material=material)
    options: dict[str, Any] = {"quality": quality, "ambient_radiance": (0.2, 0.3, 0.4), "ambient_reach_m": 2.0}
    plain, watched = (seen(stage, SIDE, outputs, **options) for outputs in (PLAIN, SHADOW))
    assert np.array_equal(plain.rgb_linear, watched.rgb_linear)  # type: ignore[arg-type]
    assert np.array_equal(plain.rgb, watched.rgb)  # type: ignore[arg-type]


@pytest.mark.parametrize("material", [GREY, GLASS], ids=["opaque", "glass"])
def test_shadows_are_the_same_in_any_batch_and_on_any_thread(material: Material) -> None:
    stage = stage_of(LAMP, material=material)
    many = seen(stage, SIDE, worlds=(3, 4, 5), threads=2).annotations
    for row, world in enumerate((3, 4, 5)):
        alone = seen(stage, SIDE, worlds=(world,)).annotations
        assert all(np.array_equal(many[name][row], alone[name][0]) for name in SHADOW.annotations)


def test_the_ambient_term_is_no_light_that_casts_shadows() -> None:
    """Under it alone nothing is lit by lights."""
    frames = seen(stage_of(), SIDE, ambient_radiance=(1.0, 1.0, 1.0), ambient_reach_m=2.0)
    assert not frames.annotations["shadow"].any()
    assert not frames.annotations["shadow_lit"].any()


def test_shadows_need_light() -> None:
    """Quality `labels` has none."""
    with pytest.raises(UserError, match="quality=labels computes no light, but shadow is asked for"):
        seen(stage_of(SUN), SIDE, quality="labels")
