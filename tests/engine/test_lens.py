"""Lenses as configured, drawn and mounted; OpenCV judges the formulas, tests/kernels the kernels."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from engine.config import compose
from engine.draft import Draft, rows_of
from engine.errors import UserError
from engine.lens import Lens, LensModel, lens_of_row, project, ray_directions, unproject
from engine.lens.curves import lens_limit
from engine.mounts import PER_CAMERA, frame_names, mounted
from engine.optics import LensConfig, Mount
from engine.randomize import apply
from engine.rig import authored_draft, rig_cameras
from engine.scene.model import Camera
from engine.write.names import FrameGrid
from engine.write.rows import frame_row, frame_table
from tests.engine.randomize_scene import recipe_of, uniform
from tests.kernels.scenes import camera, look_at, pose, rig, scene

K = np.array([[200.0, 0.0, 160.0], [0.0, 200.0, 120.0], [0.0, 0.0, 1.0]])
DRAWN = {
    "kind": "camera_lens",
    "cameras": "*",
    "model": "brown_conrady",
    "coefficients": [uniform(-0.25, -0.15), 0.05, 0.0, 0.0],
    "fov_deg": uniform(80, 100),
    "right_px": uniform(-5, 5),
    "down_px": None,
    "calibrated_width_px": None,
    "max_fov_deg": None,
}


def drafted(lens: LensConfig | None, cameras: tuple[Camera, ...] | None = None, **keys: Any) -> Draft:
    """Return a draft of one world of an empty scene with 400x300 px."""
    setup = dataclasses.replace(rig(size_px=(400, 300)), lens=lens, **keys)
    cameras = cameras or (camera(pose()),)
    return mounted(authored_draft(scene([]), setup, cameras, np.zeros(1, np.int64), np.zeros(1, np.int32)), setup)


def lens_of_draft(draft: Draft, view: int = 0) -> Lens:
    """Return a lens as the kernels get it."""
    k = np.diag([*draft.focal_px[0, view], 1.0])
    k[:2, 2] = draft.center_px[0, view]
    model = LensModel(int(draft.lens_model[0, view]))
    return Lens(model, k, draft.lens_coefficients[0, view], float(draft.lens_limit[0, view]))


def test_brown_conrady_ends_where_its_image_folds() -> None:
    """r (1 + k r^2) is largest at r = 1 / sqrt(-3 k): nothing beyond is seen, on either side."""
    c = np.zeros(12)
    c[0] = -0.3
    limit = float(lens_limit(LensModel.BROWN_CONRADY, c, None))
    assert limit == pytest.approx(1.0 / np.sqrt(0.9), rel=1e-9)
    lens = Lens(LensModel.BROWN_CONRADY, K, c, limit)
    edge_px = 160.0 + 200.0 * limit * (1.0 - 0.3 * limit**2)
    directions = ray_directions(lens, np.array([[edge_px - 0.01, 120.0], [edge_px + 0.01, 120.0]]))
    assert np.isfinite(directions[0]).all()
    assert np.isnan(directions[1]).all()
    _, seen = project(lens, np.array([[0.999 * limit, 0.0, -1.0], [1.001 * limit, 0.0, -1.0], [0.0, 0.0, 1.0]]))
    assert seen.tolist() == [True, False, False]


def test_equidistant_fisheye_maps_angles_to_radii() -> None:
    """Without coefficients the radius is focal length times angle, also behind the camera."""
    lens = Lens(LensModel.KANNALA_BRANDT, K, np.zeros(12), np.pi)
    angle = np.radians([0.0, 45.0, 90.0, 135.0])
    pixels, seen = project(lens, np.stack([np.sin(angle), 0.0 * angle, -np.cos(angle)], axis=-1) * 3.0)
    assert seen.all()
    assert pixels == pytest.approx(np.stack([160.0 + 200.0 * angle, np.full(4, 120.0)], axis=-1))
    assert unproject(lens, pixels, np.full(4, 3.0))[2] == pytest.approx([3.0, 0.0, 0.0], abs=1e-12)


def test_f_theta_coefficients_are_those_of_the_calibrated_image() -> None:
    """At half the calibrated width, a pixel r from the centre looks where one 2 r from it did."""
    coefficients = (0.0, 1.5e-3, 1.0e-7, 2.0e-10)
    draft = drafted(LensConfig("f_theta", coefficients, calibrated_width_px=800.0))
    direction = ray_directions(lens_of_draft(draft), np.array([200.0 + 90.0, 150.0]))
    assert np.arctan2(direction[0], -direction[2]) == pytest.approx(np.polyval(coefficients[::-1], 180.0), rel=1e-12)


@pytest.mark.parametrize("model", ["pinhole", "brown_conrady", "kannala_brandt", "equirectangular", "f_theta"])
def test_fov_spans_the_width(model: str) -> None:
    """The middle of the image's left and right borders look half the angle to either side."""
    given = {
        "brown_conrady": (-0.2, 0.05, 0.0, 0.0),
        "kannala_brandt": (0.02, 0.0, 0.0, 0.0),
        "f_theta": (0.0, 2e-3, 1e-6),
    }
    draft = drafted(LensConfig(model, given.get(model, ()), fov_deg=110.0))  # type: ignore[arg-type]
    directions = ray_directions(lens_of_draft(draft), np.array([[1e-9, 150.0], [400.0 - 1e-9, 150.0]]))
    angles = np.degrees(np.arctan2(directions[:, 0], -directions[:, 2]))
    assert angles == pytest.approx([-55.0, 55.0], abs=1e-6)


def test_a_lens_that_cannot_see_so_far_is_refused() -> None:
    """The message says how far it sees: 2 atan(1 / sqrt(0.9))."""
    with pytest.raises(UserError, match=r"rig\.lens: fov_deg 120 is beyond the 93\.0 degrees"):
        drafted(LensConfig("brown_conrady", (-0.3, 0.0, 0.0, 0.0), fov_deg=120.0))
    flat = dataclasses.replace(camera(pose()), orthographic=True)
    with pytest.raises(UserError, match=r"orthographic, .* use lens=as_authored"):
        drafted(LensConfig("pinhole", (), fov_deg=60.0), (flat,))


@pytest.mark.parametrize(
    ("lens", "message"),
    [
        ({"model": "fish", "coefficients": []}, r"rig\.lens\.model: 'fish' is not one of: pinhole, brown_conrady"),
        ({"model": "kannala_brandt", "coefficients": [0]}, "coefficients: kannala_brandt has 4, got 1"),
        ({"model": "equirectangular", "coefficients": []}, "equirectangular needs fov_deg, such as 360"),
        ({"model": "f_theta", "coefficients": [0.1, 1]}, "A of f_theta, the centre's angle, must be 0, got 0.1"),
        ({"model": "pinhole", "coefficients": [], "fov": 3}, "unknown key 'fov'|unknown key 'rig.lens.fov'"),
    ],
)
def test_a_wrong_lens_gives_one_clear_error(lens: dict[str, Any], message: str) -> None:
    """Key, value and what to write instead."""
    text = ",".join(f"{key}:{value}" for key, value in lens.items())
    with pytest.raises(UserError, match=message):
        compose("+scene=warehouse", f"rig.lens={{{text}}}")


@pytest.mark.parametrize("name", ["as_authored", "action_camera", "fisheye", "equirectangular", "f_theta"])
def test_shipped_lenses_fill_a_640x480_image(name: str) -> None:
    """Every file of conf/lens composes and fits; those with an image circle see a good part of the image."""
    recipe, _ = compose("+scene=warehouse", f"lens={name}", "rig.width=640", "rig.height=480")
    draft = authored_draft(scene([]), recipe.rig, (camera(pose()),), np.zeros(1, np.int64), np.zeros(1, np.int32))
    x, y = np.meshgrid(np.arange(640) + 0.5, np.arange(480) + 0.5)
    seen = np.isfinite(ray_directions(lens_of_draft(draft), np.stack([x, y], axis=-1))[..., 0]).mean()
    assert seen == 1.0 if name in ("as_authored", "action_camera") else seen > 0.6


def test_drawn_lenses_are_recorded_and_do_not_depend_on_the_batch() -> None:
    """What `drawn` says is what the draft has; a world alone is the same."""
    recipe = recipe_of({"lens": DRAWN})
    stage = dataclasses.replace(scene([]), cameras=(dataclasses.replace(camera(pose()), name="/Cams/A"),))
    cameras = rig_cameras(stage, recipe.rig)

    def draft_of(worlds: list[int]) -> Draft:
        draft = authored_draft(stage, recipe.rig, cameras, np.array(worlds, np.int64), np.zeros(len(worlds), np.int32))
        apply.randomize(apply.plan(recipe, stage, cameras), draft)
        return draft

    many = draft_of([3, 5, 8])
    assert many.drawn["p.lens.coefficient_0"].tolist() == many.lens_coefficients[:, 0, 0].tolist()
    assert many.center_px[:, 0, 0] == pytest.approx(200.0 + many.drawn["p.lens.right_px"])
    edge = np.tan(np.radians(many.drawn["p.lens.fov_deg"]) / 2.0)
    radius = edge * (1.0 + many.drawn["p.lens.coefficient_0"] * edge**2 + 0.05 * edge**4)
    assert many.focal_px[:, 0, 0] * radius == pytest.approx(200.0)
    alone, part = draft_of([5]), rows_of(many, slice(1, 2))
    for name in ("lens_model", "lens_coefficients", "lens_limit", "focal_px", "center_px"):
        assert (getattr(alone, name) == getattr(part, name)).all()


def test_mounts_follow_their_camera_as_one_body() -> None:
    """A mount panned by 90 degrees to the left looks along the carrier's left; its name says both."""
    base = look_at((1.0, 2.0, 3.0), (4.0, 2.0, 1.0))
    fisheye = LensConfig("kannala_brandt", (0.0,) * 4, fov_deg=190.0)
    mounts = {"ahead": Mount(0.1, 0.0, -0.2, 0.0, 0.0, 0.0), "left": Mount(0.0, 0.3, 0.0, 90.0, 0.0, 0.0, fisheye)}
    draft = drafted(None, (camera(base),), mounts=mounts)
    ahead, left = draft.world_from_camera[0]
    assert ahead[:, :3] == pytest.approx(base[:, :3])
    assert ahead[:, 3] == pytest.approx(base @ [0.1, 0.0, -0.2, 1.0])
    assert -left[:, 2] == pytest.approx(-base[:, 0])
    assert left[:, 1] == pytest.approx(base[:, 1])
    assert left[:, 3] == pytest.approx(base @ [0.0, 0.3, 0.0, 1.0])
    assert draft.lens_model[0].tolist() == [LensModel.PINHOLE, LensModel.KANNALA_BRANDT]
    setup = dataclasses.replace(rig(), mounts=mounts)
    assert frame_names((camera(base),), setup) == ("/camera:ahead", "/camera:left")


def test_every_array_of_a_camera_is_mounted() -> None:
    """An array that a draft gets later, and that has an axis of cameras, must be in the list."""
    setup = rig()
    cameras = tuple(dataclasses.replace(camera(pose()), name=f"/camera_{i}") for i in range(7))
    draft = authored_draft(scene([]), setup, cameras, np.zeros(1, np.int64), np.zeros(1, np.int32))
    arrays = {name for name, values in vars(draft).items() if isinstance(values, np.ndarray) and values.ndim > 1}
    assert {name for name in arrays if getattr(draft, name).shape[1] == 7} == set(PER_CAMERA)


def test_the_index_says_what_lens_and_what_depth() -> None:
    """A row of frames.parquet is enough to project points."""
    from engine.render.keys import frame_keys

    draft = drafted(LensConfig("kannala_brandt", (0.01, 0.0, 0.0, 0.0), fov_deg=150.0))
    row = frame_row(frame_keys(draft, rig()), 0, FrameGrid(1, 1), (400, 300))
    (back,) = frame_table([row]).to_pylist()
    assert (back["lens_model"], back["depth_kind"]) == ("kannala_brandt", "range")
    points = np.array([[0.3, 0.1, -1.0], [2.0, 0.5, 0.2]])
    assert project(lens_of_row(back), points)[0].tolist() == project(lens_of_draft(draft), points)[0].tolist()
    plain = frame_row(frame_keys(drafted(None), rig()), 0, FrameGrid(1, 1), (400, 300))
    assert (plain["lens_model"], plain["depth_kind"]) == ("pinhole", "planar")
