"""Layers of a material share what falls on them: nothing is lost that nothing absorbs, and nothing is made."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.render.energy import albedo_table
from engine.scene.model import Light, LightKind, Material
from tests.kernels.scenes import IDENTITY, camera, look_at, rig, scene, sphere
from tests.kernels.scenes import render as rendered

SPP = 512
FURNACE = Light("/dome", LightKind.DOME, IDENTITY, (0.0, 0.0), 0.0, (1.0,) * 3)
ANY_ANGLE = [(0.0, 0.55), (0.55, 0.8), (0.8, 0.93)]  # rings of a ball's image, by distance from its middle


def rings(material: Material, *, compensation: bool = True, spp: int = SPP) -> list[float]:
    """Return the mean radiance of rings of a ball under a dome of radiance 1, from its middle to near its rim."""
    stage = scene([(sphere(1.0, rings=64), IDENTITY)], lights=(FURNACE,), materials=(material,))
    setup = dataclasses.replace(rig(size_px=(32, 32), spp=spp), energy_compensation=compensation)
    frames = rendered(stage, camera(look_at((0, -30, 0), (0, 0, 0)), focal_mm=340.0), setup)
    assert frames.rgb_linear is not None
    y, x = (np.mgrid[:32, :32] - 15.5) / 15.1  # pixels of the ball's radius
    radius: NDArray[np.float64] = np.hypot(x, y)
    return [float(frames.rgb_linear[0][(radius >= low) & (radius < high)].mean()) for low, high in ANY_ANGLE]


@pytest.mark.parametrize("metallic", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("roughness", [0.1, 0.4, 0.7, 1.0])
def test_a_white_material_in_a_white_furnace_cannot_be_seen(roughness: float, metallic: float) -> None:
    white = Material("white", base_color=(1.0,) * 3, roughness=roughness, metallic=metallic)
    assert rings(white) == pytest.approx([1.0, 1.0, 1.0], abs=0.01)


def test_a_coat_takes_from_below_what_it_reflects() -> None:
    coated = Material("coated", base_color=(1.0,) * 3, roughness=0.6, clearcoat=1.0, clearcoat_roughness=0.2)
    assert rings(coated) == pytest.approx([1.0, 1.0, 1.0], abs=0.01)


def test_what_a_colour_absorbs_is_absorbed_at_every_bounce() -> None:
    """A rough metal of reflectance 0.5 is darker than 0.5: what bounces twice is absorbed twice."""
    grey = Material("grey", base_color=(0.5,) * 3, roughness=1.0, metallic=1.0)
    with_bounces, once = rings(grey), rings(grey, compensation=False)
    assert all(a < 0.5 for a in with_bounces)
    assert all(a > b + 0.02 for a, b in zip(with_bounces, once, strict=True))


def test_an_ior_of_one_leaves_a_lambert_surface() -> None:
    lambert = Material("lambert", base_color=(0.4,) * 3, roughness=0.3, ior=1.0)
    assert rings(lambert) == pytest.approx([0.4, 0.4, 0.4], rel=2e-3)


def test_the_table_holds_what_is_known_of_the_lobe() -> None:
    """Along the normal and with alpha = 1 the albedo is 1 - ln 2; a smooth lobe loses nothing."""
    table = albedo_table()
    assert table[-1, -1, 0] == pytest.approx(1.0 - np.log(2.0), abs=1e-3)
    assert table[0, 6:, 0] == pytest.approx(1.0, abs=1e-3)
    assert (table[..., 1] <= table[..., 0]).all()
