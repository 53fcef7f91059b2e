"""Quality `path` agrees with Mitsuba 3's path tracer: a room with metal and glass, and the BSDFs both define alike."""

from __future__ import annotations

import pytest

from bench.light_mitsuba import BOUNCES, ours
from bench.light_room import GLASS, METAL, ROOM_CAMERA, WHITE, block_means, cornell_room, lambert_hall
from bench.mitsuba_scene import render_mitsuba
from engine.scene.model import Material

pytestmark = pytest.mark.judge

SIZE_PX = 96
OURS_SPP, THEIR_SPP = 1024, 384
HALL_SPP = 256


@pytest.mark.parametrize("balls", [(METAL, WHITE), (METAL, GLASS)], ids=["metal", "glass"])
def test_a_room_is_as_bright_as_mitsuba_has_it(balls: tuple[Material, Material]) -> None:
    """Over all 2 %, and 5 % in every block of 32 x 32 pixels."""
    stage = cornell_room(balls)
    seen, _ = ours(stage, ROOM_CAMERA, SIZE_PX, OURS_SPP)(0)
    theirs = render_mitsuba(stage, ROOM_CAMERA, (SIZE_PX, SIZE_PX), spp=THEIR_SPP, bounces=BOUNCES)
    assert seen.mean(axis=(0, 1)) == pytest.approx(theirs.mean(axis=(0, 1)), rel=0.02)
    assert block_means(seen) == pytest.approx(block_means(theirs), rel=0.05)


def test_a_hall_of_small_things_is_as_bright_as_mitsuba_has_it() -> None:
    """The comparison scene with matte materials, since Mitsuba has no UsdPreviewSurface; the same bounds."""
    stage, camera = lambert_hall()
    seen, _ = ours(stage, camera, SIZE_PX, HALL_SPP)(0)
    theirs = render_mitsuba(stage, camera, (SIZE_PX, SIZE_PX), spp=HALL_SPP, bounces=BOUNCES)
    assert seen.mean(axis=(0, 1)) == pytest.approx(theirs.mean(axis=(0, 1)), rel=0.02)
    assert block_means(seen) == pytest.approx(block_means(theirs), rel=0.05)
