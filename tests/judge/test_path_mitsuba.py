"""Quality `path` agrees with Mitsuba 3's path tracer: a room with metal and glass, and the BSDFs both define alike."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.render import Renderer
from engine.scene.model import Light, LightKind, Material, Scene
from tests.judge.mitsuba_scene import render_mitsuba
from tests.kernels.scenes import ALL, camera, draft_of, look_at, pose, quad, rig, scene, sphere

pytestmark = pytest.mark.judge

SIZE_PX, BLOCK_PX, BOUNCES = 96, 32, 6
OURS_SPP, THEIR_SPP = 1024, 384
CAMERA = camera(look_at((0, -3.9, 1), (0, 0, 1)), focal_mm=35.0)
WHITE = Material("white", base_color=(0.75,) * 3, ior=1.0)
RED = Material("red", base_color=(0.63, 0.06, 0.05), ior=1.0)
GREEN = Material("green", base_color=(0.14, 0.45, 0.09), ior=1.0)
BLACK = Material("black", base_color=(0.0,) * 3, ior=1.0)
METAL = Material("metal", base_color=(0.9, 0.7, 0.4), metallic=1.0, roughness=0.45)
GLASS = Material("glass", opacity=0.0, ior=1.5, roughness=0.3)


def facing(at: object, normal: object) -> NDArray[np.float64]:
    """Return the pose of a plate at a point with a normal."""
    z = np.array(normal, np.float64)
    x = np.array([1.0, 0, 0]) if abs(z[2]) > 0.9 else np.cross(z, [0, 0, 1.0])
    return pose(at=at, axes=np.stack([x, np.cross(z, x), z], axis=1))


def cornell_box(balls: tuple[Material, Material]) -> Scene:
    """Return a room of 2 m with a lamp below its ceiling and two balls."""
    lamp = Light("/lamp", LightKind.RECT, pose(at=(0, 0, 1.98)), (0.5, 0.5), 0.0, (17.0, 12.0, 4.0))
    wall, ball = quad(2.0), sphere(0.35, rings=48)
    parts = [
        (wall, facing((0, 0, 0), (0, 0, 1)), WHITE), (wall, facing((0, 0, 2), (0, 0, -1)), WHITE),
        (wall, facing((0, 1, 1), (0, -1, 0)), WHITE), (wall, facing((-1, 0, 1), (1, 0, 0)), RED),
        (wall, facing((1, 0, 1), (-1, 0, 0)), GREEN), (ball, pose(at=(-0.4, 0.3, 0.36)), balls[0]),
        (ball, pose(at=(0.4, -0.2, 0.36)), balls[1]),
        (quad(0.5), facing((0, 0, 1.985), (0, 0, -1)), BLACK),  # the back of the lamp, which is no body for us
    ]  # fmt: skip
    return with_materials(parts, (lamp,))


def with_materials(parts: list[tuple[object, NDArray[np.float64], Material]], lights: tuple[Light, ...]) -> Scene:
    """Return a scene whose placements have materials of their own."""
    materials = tuple(material for *_, material in parts)
    stage = scene([(mesh, at) for mesh, at, _ in parts], materials=materials, lights=lights)  # type: ignore[misc]
    slots = np.arange(len(parts), dtype=np.int32)
    return dataclasses.replace(
        stage, placements=dataclasses.replace(stage.placements, first_slot=slots, slot_material=slots)
    )


def render_ours(stage: Scene) -> NDArray[np.float64]:
    setup = dataclasses.replace(
        rig(size_px=(SIZE_PX, SIZE_PX), spp=OURS_SPP, quality="path"), energy_compensation=False, bounces=BOUNCES
    )
    frames = Renderer(stage, setup, ALL, seed=0, device="cpu").render(draft_of(stage, setup, CAMERA, [0]))
    assert frames.rgb_linear is not None
    return frames.rgb_linear[0].astype(np.float64)


def blocks(image: NDArray[np.float64]) -> NDArray[np.float64]:
    count = SIZE_PX // BLOCK_PX
    return image.mean(axis=-1).reshape(count, BLOCK_PX, count, BLOCK_PX).mean(axis=(1, 3))


@pytest.mark.parametrize("balls", [(METAL, WHITE), (METAL, GLASS)], ids=["metal", "glass"])
def test_a_room_is_as_bright_as_mitsuba_has_it(balls: tuple[Material, Material]) -> None:
    """Over all 2 %, and 5 % in every block of 32 x 32 pixels."""
    stage = cornell_box(balls)
    ours = render_ours(stage)
    theirs = render_mitsuba(stage, CAMERA, (SIZE_PX, SIZE_PX), spp=THEIR_SPP, bounces=BOUNCES)
    assert ours.mean(axis=(0, 1)) == pytest.approx(theirs.mean(axis=(0, 1)), rel=0.02)
    assert blocks(ours) == pytest.approx(blocks(theirs), rel=0.05)
