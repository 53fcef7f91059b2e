"""Cameras see what USD's own frustum says, and carry their lens, shutter and exposure."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pxr import Gf, Usd, UsdGeom

from engine.lens import LensModel
from engine.recipe import Rig
from engine.rig import authored_draft
from engine.scene import Scene, SceneOptions, load_scene
from engine.scene.camera import intrinsics
from engine.scene.model import Camera
from tests.engine.scene_stage import SQUARE, load_stage, note_texts, write_stage

WIDTH, HEIGHT = 640, 480
RIG = Rig(("/*",), WIDTH, HEIGHT, 1, 1, "direct", 0.0, (0.0, 0.0, 0.0), 0.0, 0.5, False)
Array = NDArray[np.float64]

POSE = """
    double3 xformOp:translate = (3, -2, 5)
    float3 xformOp:rotateXYZ = (70, 10, -35)
    uniform token[] xformOpOrder = ["xformOp:translate", "xformOp:rotateXYZ"]
"""
LENSES = {  # the apertures have the aspect of the image
    "plain": "",
    "offset": "float horizontalApertureOffset = 3\nfloat verticalApertureOffset = -2",
    "orthographic": 'token projection = "orthographic"',
    "orthographic, offset": 'token projection = "orthographic"\nfloat horizontalApertureOffset = 5\n'
    "float verticalApertureOffset = 4",
}


def camera_text(content: str) -> str:
    return (
        f'def Camera "c" {{ float focalLength = 35\nfloat horizontalAperture = 24\nfloat verticalAperture = 18\n'
        f"float2 clippingRange = (0.5, 500)\n{content}\n{POSE} }}"
    )


def usd_pixels(path: Path, prim: str, points: Array, time: Usd.TimeCode) -> Array:
    """Return where USD's frustum shows points of the stage, [point, 2], corner-origin pixels."""
    stage = Usd.Stage.Open(str(path))
    frustum = UsdGeom.Camera(stage.GetPrimAtPath(prim)).GetCamera(time).frustum
    project = frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix()
    ndc = np.array([project.Transform(Gf.Vec3d(*point)) for point in points.tolist()])
    return np.stack([(ndc[:, 0] + 1.0) / 2.0 * WIDTH, (1.0 - ndc[:, 1]) / 2.0 * HEIGHT], axis=-1)


def our_pixels(scene: Scene, points_m: Array, camera: Camera) -> Array:
    """Return where our camera shows points of the world, by the draft that the renderer gets."""
    draft = authored_draft(scene, RIG, (camera,), np.zeros(1, np.int64), np.zeros(1, np.int32))
    pose = draft.world_from_camera[0, 0]
    local = (points_m - pose[:, 3]) @ pose[:, :3]
    plane = local[:, :2] if draft.lens_model[0, 0] == LensModel.ORTHOGRAPHIC else local[:, :2] / -local[:, 2:]
    return draft.center_px[0, 0] + plane * draft.focal_px[0, 0] * [1.0, -1.0]


def random_points(camera: Camera, count: int = 40) -> Array:
    """Return points before a camera, in metres with Z up."""
    rng = np.random.default_rng(1)
    local: Array = rng.uniform(-2.0, 2.0, (count, 3)) - [0.0, 0.0, 12.0]
    pose = camera.world_from_camera
    return local @ pose[:, :3].T + pose[:, 3]


@pytest.mark.parametrize("lens", LENSES)
@pytest.mark.parametrize(("meters_per_unit", "up"), [(1.0, "Z"), (0.01, "Y"), (2.5, "Y")])
def test_points_appear_where_the_frustum_of_usd_shows_them(
    tmp_path: Path, lens: str, meters_per_unit: float, up: str
) -> None:
    path = write_stage(tmp_path, camera_text(LENSES[lens]), meters_per_unit=meters_per_unit, up=up)
    scene = load_scene(path)
    (camera,) = scene.cameras
    points_m = random_points(camera)
    turned = points_m if up == "Z" else points_m @ np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    theirs = usd_pixels(path, "/c", turned / meters_per_unit, Usd.TimeCode.Default())
    assert our_pixels(scene, points_m, camera) == pytest.approx(theirs, abs=1e-3)


def test_an_animated_camera_in_a_native_instance_is_where_usd_has_it(tmp_path: Path) -> None:
    body = """
    def Xform "rig" {
        def Camera "c" {
            float focalLength.timeSamples = { 0: 20, 10: 40 }
            double3 xformOp:translate.timeSamples = { 0: (0, 0, 0), 10: (4, 0, 0) }
            uniform token[] xformOpOrder = ["xformOp:translate"]
        }
    }
    def "copy" ( instanceable = true
        prepend references = </rig> ) { float3 xformOp:rotateXYZ = (90, 0, 0)
        uniform token[] xformOpOrder = ["xformOp:rotateXYZ"] }
    """
    scene = load_stage(tmp_path, body, SceneOptions(time=5.0))
    copy = next(camera for camera in scene.cameras if camera.name == "/copy/c")
    assert copy.focal_length_mm == pytest.approx(3000.0)
    assert copy.world_from_camera[:, 3] == pytest.approx([2.0, 0.0, 0.0])
    assert copy.world_from_camera[:, :3] @ [0, 0, -1] == pytest.approx([0.0, 1.0, 0.0])


def test_the_width_is_fitted_and_pixels_are_square(tmp_path: Path) -> None:
    """In an image of another aspect the horizontal field of view stays; the vertical one follows."""
    scene = load_stage(tmp_path, camera_text(""))
    for width, height in [(640, 480), (640, 200), (100, 300)]:
        k = intrinsics(scene.cameras[0], width, height)
        assert k[0, 0] == k[1, 1] == pytest.approx(width * 35 / 24)
        assert k[:2, 2] == pytest.approx([width / 2, height / 2])


def test_lens_and_shutter_reach_the_draft_in_metres_and_seconds(tmp_path: Path) -> None:
    content = "float fStop = 2.8\nfloat focusDistance = 150\ndouble shutter:open = -0.25\ndouble shutter:close = 0.5"
    scene = load_stage(
        tmp_path, f'def Camera "c" {{ {content} }}', meters_per_unit=0.01, extra="timeCodesPerSecond = 50"
    )
    draft = authored_draft(scene, RIG, scene.cameras, np.zeros(2, np.int64), np.zeros(2, np.int32))
    assert draft.f_stop == pytest.approx(np.full((2, 1), 2.8))
    assert draft.focus_distance_m == pytest.approx(np.full((2, 1), 1.5))
    assert draft.shutter_s == pytest.approx(np.tile([-0.005, 0.01], (2, 1, 1)))
    assert {text.partition(" ")[0] for text in note_texts(scene, "/c")} == {"approximated:"}


EXPOSURES = [
    "",
    "float exposure = 1.5",
    "float exposure:time = 0.02\nfloat exposure:iso = 400\nfloat exposure:fStop = 2.8\n"
    "float exposure:responsivity = 0.7\nfloat exposure = -1",
]


@pytest.mark.parametrize("content", EXPOSURES)
def test_exposure_is_what_usd_computes(tmp_path: Path, content: str) -> None:
    path = write_stage(tmp_path, f'def Camera "c" {{ {content} }}')
    scene = load_scene(path)
    stage = Usd.Stage.Open(str(path))
    expected = UsdGeom.Camera(stage.GetPrimAtPath("/c")).ComputeLinearExposureScale()
    draft = authored_draft(scene, RIG, scene.cameras, np.zeros(1, np.int64), np.zeros(1, np.int32))
    assert draft.exposure[0, 0] == pytest.approx(expected, rel=1e-6)


def test_a_camera_that_would_see_nothing_is_repaired(tmp_path: Path) -> None:
    content = "float2 clippingRange = (10, 1)\nfloat exposure:time = 0\ndouble shutter:open = 1"
    scene = load_stage(tmp_path, f'def Camera "c" {{ {content} }}')
    (camera,) = scene.cameras
    assert (camera.clip_m, camera.exposure, camera.shutter_s[0]) == ((0.0, math.inf), 1.0, camera.shutter_s[1])
    assert [text.partition(":")[0] for text in note_texts(scene, "/c")] == ["repaired"] * 3


def test_what_a_camera_says_beyond_its_image_is_noted(tmp_path: Path) -> None:
    content = 'uniform token stereoRole = "left"\nfloat4[] clippingPlanes = [(0, 0, 1, 5)]'
    scene = load_stage(tmp_path, f'def Camera "c" {{ {content} }}')
    assert note_texts(scene, "/c") == [
        "skipped: 1 clippingPlanes of the camera",
        "approximated: the left camera of a stereo pair is a camera of its own",
    ]


def test_the_clipping_range_counts_only_where_the_rig_says_so(tmp_path: Path) -> None:
    scene = load_stage(tmp_path, camera_text("") + f'\ndef Mesh "m" {{ {SQUARE} }}', meters_per_unit=0.1)
    zeros = np.zeros(1, np.int64), np.zeros(1, np.int32)
    free = authored_draft(scene, RIG, scene.cameras, *zeros)
    cut = authored_draft(scene, dataclasses.replace(RIG, clip=True), scene.cameras, *zeros)
    assert free.clip_m[0, 0].tolist() == [0.0, math.inf]
    assert cut.clip_m[0, 0] == pytest.approx([0.05, 50.0])
