"""The albedo of textured, tinted and plain surfaces is that of Mitsuba's own integrator of features."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.render import Outputs, Renderer
from engine.scene.model import Material, Scene, Texture, TextureInput, Wrap
from tests.kernels.scenes import IDENTITY, camera, draft_of, look_at, pose, quad, rig, scene, sphere

pytestmark = pytest.mark.judge

SIZE_PX, SPP = 64, 256
EYE, TARGET, BALL_AT, RADIUS_M = (0.4, -1.6, 1.9), (0.0, 0.0, 0.0), (0.3, 0.2, 0.3), 0.3
TINT = (0.5, 0.9, 0.7)  # of the ball, on the texture's mean
PLAIN = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def texels() -> NDArray[np.float32]:
    """Return large texels of linear colours, first row at v = 0, where Mitsuba has it, too."""
    return np.random.default_rng(8).uniform(0.1, 0.9, (6, 6, 4)).astype(np.float32)


def stage() -> Scene:
    """Return a textured square and a ball of one colour, which a tint makes of white."""
    driven = TextureInput(0, 0, (1.0,) * 4, (0.0,) * 4, PLAIN)
    materials = (Material("/white", base_color=(1.0,) * 3), Material("/image", textures={"base_color": driven}))
    placed = [(quad(2.0), IDENTITY), (sphere(RADIUS_M, rings=64), pose(at=BALL_AT))]
    return scene(placed, materials=materials, textures=(Texture("t", texels(), Wrap.CLAMP, Wrap.CLAMP),))


def ours() -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return the albedo and the instances of every pixel."""
    outputs = Outputs(rgb=False, rgb_linear=False, depth=False, normal=False, instance=True, annotations=("albedo",))
    setup, at = rig(size_px=(SIZE_PX, SIZE_PX), quality="labels"), stage()
    draft = draft_of(at, setup, camera(look_at(EYE, TARGET)), [0])
    draft.material[:, 2], draft.tint[:, 2] = 0, TINT
    frames = Renderer(at, setup, outputs, seed=0, device="cpu", threads=1).render(draft)
    assert frames.instance is not None
    return frames.annotations["albedo"][0].astype(np.float64), frames.instance[0]


def theirs() -> NDArray[np.float64]:
    import mitsuba as mi

    mi.set_variant("scalar_rgb")
    image = {"type": "bitmap", "bitmap": mi.Bitmap(np.ascontiguousarray(texels()[..., :3])), "raw": True,
             "wrap_mode": "clamp"}  # fmt: skip
    color = {"type": "rgb", "value": list(TINT)}
    both_sides = {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": image}}
    rendered = mi.render(mi.load_dict({
        "type": "scene",
        "integrator": {"type": "aov", "aovs": "albedo:albedo"},
        "sensor": {
            "type": "perspective",
            "fov": float(np.degrees(2.0 * np.arctan(0.5))),
            "to_world": mi.ScalarTransform4f().look_at(origin=list(EYE), target=list(TARGET), up=[0, 0, 1]),
            "film": {"type": "hdrfilm", "width": SIZE_PX, "height": SIZE_PX, "rfilter": {"type": "box"}},
            "sampler": {"type": "multijitter", "sample_count": SPP},
        },
        "square": {"type": "rectangle", "bsdf": both_sides},
        "ball": {"type": "sphere", "center": list(BALL_AT), "radius": RADIUS_M,
                 "bsdf": {"type": "diffuse", "reflectance": color}},
    }))  # fmt: skip
    return np.array(rendered, np.float64)[..., :3]


def test_albedo_agrees_with_mitsuba() -> None:
    """Where a pixel and its neighbours see one thing: theirs is a mean over the pixel, ours its centre."""
    (albedo, instance), judged = ours(), theirs()
    same = np.ones_like(instance, bool)
    for axis in (0, 1):
        for step in (-1, 1):
            same &= np.roll(instance, step, axis) == instance
    same[[0, -1]] = same[:, [0, -1]] = False
    for each in (0, 1, 2):
        assert (same & (instance == each)).sum() > 100
    difference = np.abs(albedo - judged)[same]
    assert difference.max() < 0.03
    assert difference.mean() < 0.002
