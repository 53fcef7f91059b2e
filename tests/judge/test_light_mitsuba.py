"""Light on a plane agrees with Mitsuba 3 for every shape of light, within noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.mitsuba_scene import emitter, matrix
from engine.scene.model import Light, LightKind, Material, Texture, Wrap
from tests.kernels.scenes import IDENTITY, camera, look_at, pose, quad, render, rig, scene, sphere

pytestmark = pytest.mark.judge

SIZE_PX, BLOCK_PX = 64, 8
SPP = 512
NOISE = 0.015  # of a block of pixels, four standard deviations; a cylinder, half of which looks away, needs more
DARKEST = 0.002  # of the brightest block: a smooth pixel is shaded at its centre, also where light just grazes the ball
ALBEDO = 0.5
EYE, TARGET = (0.3, -3.0, 3.0), (0.0, 0.0, 0.0)
LAMBERT = Material("lambert", base_color=(ALBEDO,) * 3, ior=1.0, roughness=1.0)
TILTED = look_at((1.2, 0.8, 2.5), (0.2, 0.1, 0.0), up=(0, 1, 0))
BALL_AT = (0.4, -0.3, 0.4)  # casts a shadow, and has one

LIGHTS = {
    "rect": Light("/l", LightKind.RECT, TILTED, (1.5, 0.6), 0.0, (9.0, 6.0, 3.0)),
    "disk": Light("/l", LightKind.DISK, TILTED, (0.7, 0.0), 0.0, (9.0, 6.0, 3.0)),
    "sphere": Light("/l", LightKind.SPHERE, TILTED, (0.5, 0.0), 0.0, (9.0, 6.0, 3.0)),
    "cylinder": Light("/l", LightKind.CYLINDER, TILTED, (0.2, 1.6), 0.0, (9.0, 6.0, 3.0)),
    "dome": Light("/l", LightKind.DOME, pose(axes=np.linalg.qr(np.array([[1, 0.3, 0], [0, 1, 0.4], [0.2, 0, 1.0]]))[0]),
                  (0.0, 0.0), 0.0, (1.0, 1.0, 1.0), texture=0),
}  # fmt: skip


def sky() -> NDArray[np.float32]:
    """Return a latitude-longitude image, first row at the bottom: a gradient with a bright patch off the centre."""
    v, u = (np.mgrid[:256, :512] + 0.5) / [
        [[256]],
        [[512]],
    ]  # fine: Mitsuba interpolates between other places of texels
    patch = np.exp(-(((u - 0.3) / 0.08) ** 2) - ((v - 0.75) / 0.1) ** 2)
    color = np.stack(
        [0.3 + 0.4 * v + 4.0 * patch, 0.3 + 0.2 * u + 2.0 * patch, 0.8 - 0.4 * v, np.ones_like(u)], axis=-1
    )
    return color.astype(np.float32)


def ours(light: Light) -> NDArray[np.float64]:
    placed = [(quad(40.0), IDENTITY), (sphere(0.3, rings=96), pose(at=BALL_AT))]
    images = (Texture("sky", sky(), Wrap.REPEAT, Wrap.CLAMP),)
    stage = scene(placed, lights=(light,), materials=(LAMBERT,), textures=images)
    frames = render(stage, camera(look_at(EYE, TARGET)), rig(size_px=(SIZE_PX, SIZE_PX), spp=SPP))
    assert frames.rgb_linear is not None
    return frames.rgb_linear[0].astype(np.float64)


def emitter_with_image(mi: Any, light: Light) -> dict[str, Any]:
    """Return the light as Mitsuba has it; the image of a dome has its pole along +Y there."""
    if light.kind != LightKind.DOME:
        return emitter(mi, light)
    up = matrix(pose(axes=np.array([[1, 0, 0], [0, 0, -1.0], [0, 1, 0]])))
    bitmap = mi.Bitmap(np.ascontiguousarray(sky()[::-1, :, :3]))
    return {"type": "envmap", "bitmap": bitmap, "to_world": mi.ScalarTransform4f(matrix(light.world_from_light) @ up)}


def theirs(light: Light) -> NDArray[np.float64]:
    import mitsuba as mi

    mi.set_variant("scalar_rgb")
    diffuse = {"type": "diffuse", "reflectance": {"type": "rgb", "value": [ALBEDO] * 3}}
    stage = mi.load_dict({
        "type": "scene",
        "integrator": {"type": "direct"},
        "sensor": {
            "type": "perspective",
            "fov": float(np.degrees(2.0 * np.arctan(0.5))),
            "to_world": mi.ScalarTransform4f().look_at(origin=list(EYE), target=list(TARGET), up=[0, 0, 1]),
            "film": {
                "type": "hdrfilm", "width": SIZE_PX, "height": SIZE_PX, "rfilter": {"type": "box"},
                "pixel_format": "rgb", "component_format": "float32",
            },
            "sampler": {"type": "independent", "sample_count": SPP * (4 if light.kind == LightKind.CYLINDER else 1)},
        },
        "ground": {"type": "rectangle", "to_world": mi.ScalarTransform4f().scale([20, 20, 1]),
                   "bsdf": {"type": "twosided", "bsdf": diffuse}},
        "ball": {"type": "sphere", "center": list(BALL_AT), "radius": 0.3, "bsdf": diffuse},
        "light": emitter_with_image(mi, light),
    })  # fmt: skip
    return np.array(mi.render(stage), np.float64)


def blocks(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means of squares of pixels."""
    count = SIZE_PX // BLOCK_PX
    found: NDArray[np.float64] = image.reshape(count, BLOCK_PX, count, BLOCK_PX, 3).mean(axis=(1, 3))
    return found


@pytest.mark.parametrize("kind", LIGHTS)
def test_light_on_a_plane_and_a_ball_is_that_of_mitsuba(kind: str) -> None:
    """Blocks of 8 x 8 pixels agree; all are above the horizon, lit or in the ball's shadow."""
    found, wanted = blocks(ours(LIGHTS[kind])), blocks(theirs(LIGHTS[kind]))
    excess = np.abs(found - wanted) - NOISE * wanted - DARKEST * wanted.max()
    assert excess.max() <= 0.0
    assert found.mean() == pytest.approx(wanted.mean(), rel=0.003)
