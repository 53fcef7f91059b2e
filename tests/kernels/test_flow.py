"""Optical flow, scene flow and their states: closed forms, brute force in float64, invariants of batches and parts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import gpu
from engine.annotators import images_of
from engine.draft import Draft, rows_of
from engine.flow_state import FlowState
from engine.frames import Frames
from engine.optics import LensConfig
from engine.recipe import Rig
from engine.render import Outputs, Renderer
from engine.rig import authored_draft
from engine.scene.model import Camera, Material, Scene
from tests.kernels.flow_reference import Step, tracked
from tests.kernels.scenes import box, camera, look_at, pose, quad, rig, scene, sphere
from tests.kernels.test_lens import LENSES
from tests.kernels.test_opacity import with_alpha

FLOW = Outputs(False, False, True, False, True, annotations=images_of(["flow", "scene_flow"]))
MOST_ERROR_PX = 1.0e-3
STATES = {m: int(m) for m in FlowState}


def steps_rig(*, size_px: tuple[int, int] = (64, 48), lens: LensConfig | None = None) -> Rig:
    return dataclasses.replace(rig(size_px=size_px, quality="labels"), steps=2, lens=lens)


def steps_of(stage: Scene, setup: Rig, cam: Camera | None = None, *, worlds: int = 1, steps: int = 2) -> Draft:
    """Return worlds of some steps, not yet moved."""
    world, step = np.repeat(np.arange(worlds), steps), np.tile(np.arange(steps, dtype=np.int32), worlds)
    return authored_draft(stage, setup, (camera(pose()) if cam is None else cam,), world, step)


def rendered(stage: Scene, setup: Rig, draft: Draft, *, outputs: Outputs = FLOW, threads: int = 1) -> Frames:
    renderer = Renderer(stage, setup, outputs, seed=3, device="cpu", threads=threads)
    try:
        return renderer.render(draft)
    finally:
        renderer.close()


def about(axis: int, angle_rad: float) -> NDArray[np.float64]:
    """Return axes turned about x, y or z."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.roll(np.roll([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]], axis, axis=0), axis, axis=1)


def centers(setup: Rig) -> NDArray[np.float64]:
    """Return the centres of all pixels, [y, x, 2]."""
    x, y = np.meshgrid(np.arange(setup.width) + 0.5, np.arange(setup.height) + 0.5)
    return np.stack([x, y], axis=-1)


def room(rng: np.random.Generator, *, middle_m: object = (0.0, 0.0, 0.0), count: int = 14) -> Scene:
    """Return a room of 20 m with boxes and balls in it."""
    ball, cube = sphere(0.5, rings=6), box(1)
    placed = [(box(1), pose(at=middle_m, axes=20.0 * np.eye(3)))]
    for i in range(count):
        away = rng.normal(size=3) - np.array([0.0, 0.0, 2.0 * (i % 2)])  # half of them ahead of a camera
        at = np.add(middle_m, away / np.linalg.norm(away) * rng.uniform(2.5, 8.0))
        placed.append(
            ((ball, cube)[i // 2 % 2], pose(at=at, axes=about(i % 3, rng.uniform(0, 3)) * rng.uniform(0.5, 2.0)))
        )
    return scene(placed)


def jostled(draft: Draft, rng: np.random.Generator) -> None:
    """Move the camera and what is in the room from step to step, but for the first thing."""
    for row in range(len(draft.world)):
        turn = about(0, rng.normal() * 0.03) @ about(1, rng.normal() * 0.03) @ about(2, rng.normal() * 0.03)
        draft.world_from_camera[row, 0, :, :3] = turn @ draft.world_from_camera[row, 0, :, :3]
        draft.world_from_camera[row, 0, :, 3] += rng.normal(size=3) * 0.15
        for one in range(3, draft.world_from_instance.shape[1]):
            draft.world_from_instance[row, one, :, :3] = (
                about(row % 3, rng.normal() * 0.2) @ draft.world_from_instance[row, one, :, :3]
            )
            draft.world_from_instance[row, one, :, 3] += rng.normal(size=3) * 0.2


def compared(
    stage: Scene, setup: Rig, draft: Draft, frames: Frames, pixels: NDArray[np.int64], *, own_depth: bool = False
) -> tuple[float, float]:  # fmt: skip
    """Return the largest error of flow [px] and scene flow [m] of some pixels of step 0 (forward) and 1 (backward).

    Pixels across an edge of float64 or occluders within rounding are left out: at most 1 percent. `own_depth`: points
    are those of the frame's depth, and not where float64 says that rays meet the scene.
    """
    worst_px = worst_m = 0.0
    for row, direction in ((0, "forward"), (1, "backward")):
        here, there = Step(stage, setup, draft, row), Step(stage, setup, draft, 1 - row)
        x, y = pixels.T
        known = tracked(here, there, pixels + 0.5, frames.depth_m[row, y, x].astype(np.float64) if own_depth else None)
        flow = frames.annotations[f"flow_{direction}_px"][row, y, x].astype(np.float64)
        state = frames.annotations[f"flow_{direction}_state"][row, y, x]
        moved = frames.annotations[f"scene_flow_{direction}_m"][row, y, x].astype(np.float64)
        same = (frames.instance[row, y, x] == known.instance) & (known.doubt > 2.0e-5)
        assert same.mean() > (0.95 if own_depth else 0.99)
        agrees = state == known.state
        assert agrees[same].mean() > (0.99 if own_depth else 0.999), np.bincount(10 * known.state[same] + state[same])
        has_flow = same & agrees & np.isin(state, (FlowState.VISIBLE, FlowState.OUTSIDE, FlowState.OCCLUDED))
        has_move = has_flow | (same & agrees & (state == FlowState.UNREACHED))
        assert np.isnan(flow[same & agrees & ~has_flow]).all()
        assert np.isnan(moved[same & agrees & ~has_move]).all()
        off = np.abs(pixels + 0.5 + flow - known.target_px)[has_flow]
        near = (np.abs(flow[has_flow]) < 4.0 * setup.width).all(axis=1)  # far outside, a pixel is a wide angle
        worst_px = max(worst_px, float(off[near].max()))
        worst_m = max(worst_m, float(np.abs(moved - known.displacement_m)[has_move].max()))
    return worst_px, worst_m


def some_pixels(setup: Rig, rng: np.random.Generator, count: int = 600) -> NDArray[np.int64]:
    return np.stack([rng.integers(0, setup.width, count), rng.integers(0, setup.height, count)], axis=1)


def test_both_sides_number_the_states_alike() -> None:
    assert {m.name: m.value for m in FlowState} == {m.name: m.value for m in gpu.flow.FlowState}


def test_flow_before_a_plane_is_focal_length_times_translation_over_depth() -> None:
    """A camera that moves right and up sees a plane move left and down by f T / Z; nothing moves in the world."""
    stage, setup = scene([(quad(40.0), pose(at=(0, 0, -8.0)))]), steps_rig()
    draft = steps_of(stage, setup)
    draft.world_from_camera[1, 0, :, 3] = 0.4, 0.1, 0.0
    frames = rendered(stage, setup, draft)
    expected = np.array([-64.0 * 0.4 / 8.0, 64.0 * 0.1 / 8.0])
    forward, backward = (frames.annotations[f"flow_{way}_px"] for way in ("forward", "backward"))
    assert np.abs(forward[0] - expected).max() < 1.0e-4
    assert np.abs(backward[1] + expected).max() < 1.0e-4
    assert (frames.annotations["scene_flow_forward_m"][0] == 0.0).all()
    arrives = centers(setup) + expected
    inside = ((arrives >= 0.0) & (arrives < [64, 48])).all(axis=-1)
    state = frames.annotations["flow_forward_state"][0]
    assert (state == np.where(inside, FlowState.VISIBLE, FlowState.OUTSIDE)).all()
    assert np.isnan(forward[1]).all()  # there is no step after the last
    assert np.isnan(backward[0]).all()  # and none before the first
    assert (frames.annotations["flow_forward_state"][1] == FlowState.UNDEFINED).all()
    assert (frames.annotations["flow_backward_state"][0] == FlowState.UNDEFINED).all()


def test_flow_of_a_turning_camera_is_a_homography() -> None:
    """K R^T K^-1, whatever the depths are."""
    rng = np.random.default_rng(5)
    stage, setup = room(rng), steps_rig()
    draft = steps_of(stage, setup)
    turn = about(0, 0.05) @ about(1, -0.08) @ about(2, 0.1)
    draft.world_from_camera[1, 0, :, :3] = turn
    flow = rendered(stage, setup, draft).annotations["flow_forward_px"][0]
    k = np.array([[64.0, 0, 32], [0, 64.0, 24], [0, 0, 1]])
    flip = np.diag([1.0, -1.0, -1.0])  # to a camera that looks along +z, with y down
    homography = k @ flip @ turn.T @ flip @ np.linalg.inv(k)
    start = np.concatenate([centers(setup), np.ones((48, 64, 1))], axis=-1)
    end = start @ homography.T
    assert np.abs(start[..., :2] + flow - end[..., :2] / end[..., 2:]).max() < 1.0e-4


@pytest.mark.parametrize("name", [*LENSES, "orthographic"])
def test_flow_is_that_of_tracked_points_through_every_lens(name: str) -> None:
    """Rays, poses, lenses and occluders by brute force in float64: 1e-3 px at 640x480."""
    rng = np.random.default_rng(7)
    stage = room(rng)
    setup = steps_rig(size_px=(640, 480), lens=LENSES.get(name))
    if name == "folding":
        assert setup.lens is not None
        setup = dataclasses.replace(setup, lens=dataclasses.replace(setup.lens, focal_px=(320.0, 320.0)))
    cam = camera(pose())
    if name == "orthographic":
        cam = dataclasses.replace(cam, orthographic=True, horizontal_aperture_mm=12000.0, vertical_aperture_mm=9000.0)
    draft = steps_of(stage, setup, cam)
    jostled(draft, rng)
    error_px, error_m = compared(stage, setup, draft, rendered(stage, setup, draft), some_pixels(setup, rng))
    print(f"{name}: {error_px:.2e} px, {error_m:.2e} m")
    assert error_px < MOST_ERROR_PX
    assert error_m < 1.0e-5


@pytest.mark.parametrize("away_m", [20.0, 400.0])
def test_flow_is_exact_far_from_the_origin_of_the_world(away_m: float) -> None:
    """At f = 500 px, of the points that depth and pose give: float32 in the world's frame would not do.

    Depth itself is rounded in that frame: at grazing angles it is off by up to 1e-4 m there, which moves points along
    their rays and flow by a few 1e-3 px; flow and depth still say the same.
    """
    rng = np.random.default_rng(11)
    middle_m = away_m * np.array([0.8, -0.6, 0.1])
    stage = room(rng, middle_m=middle_m, count=40)
    setup = steps_rig(size_px=(640, 480), lens=LensConfig("pinhole", (), focal_px=(500.0, 500.0)))
    draft = steps_of(stage, setup, camera(pose(at=middle_m)))
    jostled(draft, rng)
    frames, pixels = rendered(stage, setup, draft), some_pixels(setup, rng)
    error_px, error_m = compared(stage, setup, draft, frames, pixels, own_depth=True)
    print(f"far {away_m}: {error_px:.2e} px, {error_m:.2e} m")
    assert error_px < MOST_ERROR_PX


@pytest.mark.parametrize("moves", ["camera", "objects", "both"])
def test_a_rolling_shutter_looks_for_points_at_the_moment_of_the_row_where_they_arrive(moves: str) -> None:
    rng = np.random.default_rng(13)
    stage = room(rng)
    setup = dataclasses.replace(steps_rig(size_px=(80, 60)), readout_s=0.03, shutter_samples=3)
    draft = steps_of(stage, setup)
    jostled(draft, rng)
    if moves != "objects":
        draft.camera_velocity_m_s[:] = rng.normal(size=(2, 1, 3)) * 3.0
        draft.camera_spin_rad_s[:] = rng.normal(size=(2, 1, 3)) * 1.5
    if moves != "camera":
        draft.instance_velocity_m_s[:, 2:] = rng.normal(size=(2, 14, 3)) * 3.0
        draft.instance_spin_rad_s[:, 2:] = rng.normal(size=(2, 14, 3)) * 3.0
    frames = rendered(stage, setup, draft)
    error_px, _ = compared(stage, setup, draft, frames, some_pixels(setup, rng, 400))
    print(f"rolling {moves}: {error_px:.2e} px")
    assert error_px < MOST_ERROR_PX
    at_once = rendered(stage, dataclasses.replace(setup, readout_s=0.0), draft).annotations["flow_forward_px"][0]
    assert np.nanmax(np.abs(at_once - frames.annotations["flow_forward_px"][0])) > 0.5


def test_visible_points_are_found_in_the_other_frame_and_lead_back() -> None:
    """There, next to the target, is the same instance; the flow back, between pixels of one plane, undoes the way."""
    rng = np.random.default_rng(17)
    stage, setup = room(rng), steps_rig(size_px=(160, 120))
    draft = steps_of(stage, setup)
    jostled(draft, rng)
    frames = rendered(stage, setup, draft)
    forward, back = frames.annotations["flow_forward_px"][0], frames.annotations["flow_backward_px"][1]
    seen = frames.annotations["flow_forward_state"][0] == FlowState.VISIBLE
    target = (centers(setup) + forward)[seen]
    own = frames.instance[0][seen]
    x, y = np.floor(target).astype(int).T
    beside = [
        frames.instance[1][np.clip(y + j, 0, 119), np.clip(x + i, 0, 159)] for i in (-1, 0, 1) for j in (-1, 0, 1)
    ]
    assert (np.array(beside) == own).any(axis=0).all()
    left, top = np.floor(target - 0.5).astype(int).T
    inner = (left >= 0) & (top >= 0) & (left < 159) & (top < 119)
    share = (target - 0.5 - np.stack([left, top], axis=1))[inner]
    corner = [back[top[inner] + j, left[inner] + i] for j in (0, 1) for i in (0, 1)]
    weight = [np.abs((1 - i - share[:, 0]) * (1 - j - share[:, 1])) for j in (0, 1) for i in (0, 1)]
    returned = sum(w[:, None] * c for w, c in zip(weight, corner, strict=True))
    of_one = np.array([frames.instance[1][top[inner] + j, left[inner] + i] for j in (0, 1) for i in (0, 1)])
    smooth = (of_one == own[inner]).all(axis=0) & (np.ptp(np.array(corner), axis=0).max(axis=1) < 0.3)
    assert smooth.sum() > 8000
    off_px = np.abs(returned + forward[seen][inner])[smooth]
    assert np.quantile(off_px, 0.99) < 1.0e-3
    assert off_px.max() < 0.3  # across the edges of faces, where flow is not linear


def test_a_box_that_comes_in_front_hides_what_was_seen() -> None:
    """The pixels that a square covers in the next step are hidden, all others are not."""
    stage = scene([(quad(40.0), pose(at=(0, 0, -8.0))), (quad(1.0), pose(at=(0, 0, 5.0)))])
    setup = steps_rig(size_px=(64, 64))
    draft = steps_of(stage, setup)
    draft.world_from_instance[1, 2, :, 3] = 0.03, 0.02, -4.0
    frames = rendered(stage, setup, draft)
    covered = frames.instance[1] == 2
    assert covered.sum() == 16 * 16
    assert ((frames.annotations["flow_forward_state"][0] == FlowState.OCCLUDED) == covered).all()
    back = frames.annotations["flow_backward_state"][1]
    assert (back == np.where(covered, FlowState.UNREACHED, FlowState.VISIBLE)).all()  # it was behind the camera
    assert frames.annotations["scene_flow_backward_m"][1][covered] == pytest.approx(
        np.broadcast_to([-0.03, -0.02, 9.0], (256, 3)), abs=1e-5
    )


def test_an_instance_that_is_hidden_in_a_step_is_gone_there() -> None:
    stage = scene([(quad(40.0), pose(at=(0, 0, -8.0))), (quad(1.0), pose(at=(0, 0, -4.0)))])
    setup = steps_rig()
    draft = steps_of(stage, setup)
    draft.visible[1, 2] = False
    frames = rendered(stage, setup, draft)
    was = frames.instance[0] == 2
    assert was.any()
    assert (frames.annotations["flow_forward_state"][0] == np.where(was, FlowState.GONE, FlowState.VISIBLE)).all()
    assert np.isnan(frames.annotations["flow_forward_px"][0][was]).all()
    assert np.isnan(frames.annotations["scene_flow_forward_m"][0][was]).all()


def test_holes_of_cut_outs_hide_nothing() -> None:
    """A fence with a hole comes in front: what is seen through the hole stays visible."""
    alpha = np.ones((4, 4), np.float32)
    alpha[1:3, 1:3] = 0.0
    holed, texture = with_alpha(alpha, opacity_threshold=0.5)
    stage = scene(
        [(quad(40.0), pose(at=(0, 0, -8.0))), (quad(2.0), pose(at=(0, 0, 5.0)))],
        materials=(Material("grey"), holed), textures=(texture,),
    )  # fmt: skip
    stage = dataclasses.replace(
        stage,
        placements=dataclasses.replace(
            stage.placements, first_slot=np.array([0, 1], np.int32), slot_material=np.array([0, 1], np.int32)
        ),
    )
    setup = steps_rig(size_px=(64, 64))
    draft = steps_of(stage, setup)
    draft.world_from_instance[1, 2, :, 3] = 0.01, 0.02, -4.0
    frames = rendered(stage, setup, draft)
    covered = frames.instance[1] == 2
    assert 500 < covered.sum() < 1000  # a hole of 16 x 16 in 32 x 32
    assert ((frames.annotations["flow_forward_state"][0] == FlowState.OCCLUDED) == covered).all()


def test_what_the_camera_clips_there_is_outside_and_hides_nothing() -> None:
    stage = scene([(quad(40.0), pose(at=(0, 0, -8.0))), (quad(1.0), pose(at=(0, 0, -4.0)))])
    setup = dataclasses.replace(steps_rig(size_px=(64, 64)), clip=True)
    draft = steps_of(stage, setup)
    draft.clip_m[:] = 0.5, 100.0
    draft.clip_m[1] = 5.0, 100.0
    frames = rendered(stage, setup, draft)
    near = frames.instance[0] == 2
    assert near.sum() == 256
    state = frames.annotations["flow_forward_state"][0]
    assert (state == np.where(near, FlowState.OUTSIDE, FlowState.VISIBLE)).all()
    assert (frames.annotations["flow_backward_state"][1] == np.where(near, FlowState.OCCLUDED, FlowState.VISIBLE)).all()


def test_parts_threads_and_batches_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of a world may be rendered in different parts, cameras too; worlds alone or together."""
    rng = np.random.default_rng(19)
    stage = room(rng)
    setup = dataclasses.replace(steps_rig(size_px=(40, 24)), readout_s=0.02, shutter_samples=3)
    world, step = np.repeat([4, 9], 3), np.tile(np.arange(3, dtype=np.int32), 2)
    cameras = (camera(pose()), camera(look_at((1.0, 0, 0), (-3.0, 1.0, -2.0))))
    draft = authored_draft(stage, setup, cameras, world, step)
    jostled(draft, rng)
    draft.camera_velocity_m_s[:] = rng.normal(size=(6, 2, 3))
    draft.instance_velocity_m_s[:, 2:] = rng.normal(size=(6, 14, 3))
    whole = rendered(stage, setup, draft)
    assert len(np.unique(whole.annotations["flow_forward_state"])) >= 4
    alone = [rendered(stage, setup, rows_of(draft, slice(first, first + 3)), threads=3) for first in (0, 3)]
    renderer = Renderer(stage, setup, FLOW, seed=3, device="cpu", threads=2)
    for views in (1, 2, 5):  # a camera of a row, a row, two rows
        monkeypatch.setattr(renderer, "_largest_px", views * renderer._view_px())
        assert len(list(renderer._parts(draft))) == {1: 12, 2: 6, 5: 3}[views]
        parted = renderer.render(draft)
        for name, image in whole.annotations.items():
            assert np.array_equal(parted.annotations[name], image, equal_nan=image.dtype != np.uint8), (views, name)
            both = np.concatenate([frames.annotations[name] for frames in alone])
            assert np.array_equal(both, image, equal_nan=image.dtype != np.uint8), name
    renderer.close()


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["pinhole", "rational", "f_theta", "whole"])
def test_cuda_says_what_the_cpu_says(name: str) -> None:
    """The same states but for a few pixels at edges, the same flow to 1e-3 px."""
    rng = np.random.default_rng(23)
    stage, setup = room(rng), steps_rig(size_px=(320, 240), lens=LENSES[name])
    draft = steps_of(stage, setup)
    jostled(draft, rng)
    frames = rendered(stage, setup, draft)
    renderer = Renderer(stage, setup, FLOW, seed=3, device="cuda:0")
    found = renderer.render(draft)
    for way in ("forward", "backward"):
        state = found.annotations[f"flow_{way}_state"]
        same = (state == frames.annotations[f"flow_{way}_state"]) & (found.instance == frames.instance)
        assert same.mean() > 0.998
        off_px = found.annotations[f"flow_{way}_px"] - frames.annotations[f"flow_{way}_px"]
        off_m = found.annotations[f"scene_flow_{way}_m"] - frames.annotations[f"scene_flow_{way}_m"]
        near = same & (np.abs(frames.annotations[f"flow_{way}_px"]) < 640.0).all(axis=-1)
        assert np.quantile(np.abs(off_px[near]), 0.999) < MOST_ERROR_PX
        assert np.nanquantile(np.abs(off_m[same]), 0.999) < 1.0e-5
