"""Gloss reflects lights as quadrature says, however narrow it is, and with little noise."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.scene.model import Light, LightKind, Material
from tests.kernels.scenes import IDENTITY, camera, look_at, quad, render, rig, scene

ALPHAS = {0.15: 0.0225, 0.35: 0.1225}
EYE = np.array([0.0, -1.2, 0.9])
OVER = look_at((0.0, 1.3, 1.0), (0.0, 0.05, 0.0))  # about where the ball's mirror image of the eye looks

LIGHTS = {
    "rect": Light("/l", LightKind.RECT, OVER, (0.7, 0.4), 0.0, (3.0,) * 3),
    "disk": Light("/l", LightKind.DISK, OVER, (0.4, 0.0), 0.0, (3.0,) * 3),
    "sphere": Light("/l", LightKind.SPHERE, OVER, (0.35, 0.0), 0.0, (3.0,) * 3),
    "cylinder": Light("/l", LightKind.CYLINDER, OVER, (0.25, 0.9), 0.0, (3.0,) * 3),
    "distant": Light("/l", LightKind.DISTANT, OVER, (0.0, 0.0), 0.25, (3.0,) * 3),
}


def meets(light: Light, towards: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which unit directions [n, 3] from the origin meet a light."""
    axes, center = light.world_from_light[:, :3], light.world_from_light[:, 3]
    d, o = towards @ axes, -center @ axes
    if light.kind == LightKind.DISTANT:
        return np.asarray(d[:, 2] >= np.cos(light.half_angle_rad))
    if light.kind == LightKind.SPHERE:
        along = towards @ center
        return np.asarray((along > 0) & (center @ center - along**2 <= light.size_m[0] ** 2))
    if light.kind == LightKind.CYLINDER:
        radius, length = light.size_m
        a, b = (d[:, 1:] ** 2).sum(1), (d[:, 1:] * o[1:]).sum(1)
        inside = b * b - a * ((o[1:] ** 2).sum() - radius**2)
        t = (-b - np.sqrt(np.maximum(inside, 0))) / a
        return np.asarray((inside > 0) & (t > 0) & (np.abs(o[0] + t * d[:, 0]) <= length / 2))
    t = -o[2] / d[:, 2]
    x, y = o[0] + t * d[:, 0], o[1] + t * d[:, 1]
    if light.kind == LightKind.DISK:
        inside = x * x + y * y <= light.size_m[0] ** 2
    else:
        inside = (np.abs(x) <= light.size_m[0] / 2) & (np.abs(y) <= light.size_m[1] / 2)
    return np.asarray(inside & (t > 0) & (d[:, 2] > 0))


def reflected(light: Light, alpha: float) -> float:
    """Return the radiance that a perfectly reflecting GGX plane z = 0 sends to the eye, by quadrature."""
    n = 1500
    z = (np.arange(n) + 0.5) / n
    z, phi = (grid.ravel() for grid in np.meshgrid(z, (np.arange(n) + 0.5) / n * 2 * np.pi))
    s = np.sqrt(1 - z * z)
    towards = np.stack([s * np.cos(phi), s * np.sin(phi), z], axis=1)
    v = EYE / np.linalg.norm(EYE)
    h = towards + v
    h /= np.linalg.norm(h, axis=1, keepdims=True)
    a2 = alpha * alpha
    d = a2 / (np.pi * (h[:, 2] ** 2 * (a2 - 1) + 1) ** 2)
    g = 0.5 / (z * np.sqrt(v[2] ** 2 * (1 - a2) + a2) + v[2] * np.sqrt(z * z * (1 - a2) + a2))
    return float((3.0 * meets(light, towards) * d * g * z).sum() * 2 * np.pi / n / n)


@pytest.mark.parametrize("roughness", ALPHAS)
@pytest.mark.parametrize("name", LIGHTS)
def test_the_reflection_of_a_light_is_that_of_quadrature(name: str, roughness: float) -> None:
    mirror = Material("m", base_color=(1.0,) * 3, metallic=1.0, roughness=roughness)
    stage = scene([(quad(4.0), IDENTITY)], lights=(LIGHTS[name],), materials=(mirror,))
    setup = dataclasses.replace(rig(size_px=(16, 16), spp=256), energy_compensation=False)
    linear = render(stage, camera(look_at(EYE, (0, 0, 0)), focal_mm=4.0e4), setup).rgb_linear
    assert linear is not None
    assert linear[0, :, :, 0].mean() == pytest.approx(reflected(LIGHTS[name], ALPHAS[roughness]), rel=0.01)
    assert linear[0, :, :, 0].std() < 0.1 * linear[0, :, :, 0].mean()
