"""Keypoints: where they are seen, and whether, against convex bodies and rays in float64."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.draft import Draft
from engine.frames import Frames
from engine.labels.extract import labels_from_frames
from engine.labels.keypoints import KeypointSource, with_keypoints
from engine.lens import LensModel, lens_of, project
from engine.lens.fit import fit_lens
from engine.recipe import Rig
from engine.render import Renderer
from engine.render.keys import frame_keys
from engine.scene.model import Keypoints, Material, Scene
from engine.scene.taxonomy import ObjectClass, Taxonomy
from tests.kernels.exact import soup_of
from tests.kernels.scenes import LABELS, box, camera, draft_of, look_at, pose, quad, rig, scene, sphere
from tests.kernels.test_lens import LENSES
from tests.kernels.test_opacity import with_alpha
from tests.kernels.test_solid import corner, rotation

SETUP = rig(size_px=(96, 80), quality="labels")
CAMERA = camera(look_at((3.0, -8.0, 4.0), (0, 0, 0)))
Array = NDArray[np.float64]
OUTSIDE, HIDDEN, SEEN = 0, 1, 2


def named(stage: Scene, points: dict[int, list[object]]) -> Scene:
    """Return a scene whose instances have keypoints at places in their frames."""
    instance = np.array([i for i in sorted(points) for _ in points[i]], np.int32)
    number = np.array([k for i in sorted(points) for k in range(len(points[i]))], np.int32)
    position = np.array([p for i in sorted(points) for p in points[i]], np.float64)
    names = tuple(f"p{k}" for k in range(int(number.max()) + 1))
    taxonomy = Taxonomy("1", (ObjectClass(1, "thing", "thing", keypoints=names),))
    return dataclasses.replace(
        stage, keypoints=Keypoints(instance, number, position, np.zeros(len(instance), np.float32)), taxonomy=taxonomy
    )


def seen(
    stage: Scene,
    draft: Draft,
    setup: Rig = SETUP,
    *,
    tolerance_m: float = 1e-3,
    threads: int = 1,
) -> Frames:
    outputs = dataclasses.replace(LABELS, keypoint_tolerance_m=tolerance_m)
    return Renderer(stage, setup, outputs, seed=0, device="cpu", threads=threads).render(draft)


def table(frames: Frames, view: int = 0) -> NDArray[np.float32]:
    assert frames.keypoint is not None
    return frames.keypoint[view]


@pytest.mark.parametrize("name", ["pinhole", "barrel", "fisheye", "whole", "f_theta", "flat"])
def test_of_a_box_the_corners_of_faces_turned_to_the_camera_are_seen(name: str) -> None:
    """A convex body hides exactly the corners whose three faces look away, whatever the lens; the rest is outside."""
    rng, count = np.random.default_rng(1), 24
    placed = [
        (box(1), pose(at=rng.uniform(-40, 40, 3), axes=rotation(rng) * rng.uniform(0.5, 2.0, 3))) for _ in range(count)
    ]
    corners = [corner(np.full(3, 0.5), number) for number in range(8)]
    seen_corners = hidden_corners = 0
    for stage_pose in placed:
        stage = named(scene([(stage_pose[0], stage_pose[1])]), {1: corners})
        at = stage_pose[1][:, 3] + rotation(rng)[:, 0] * 6.0
        draft = draft_of(stage, SETUP, camera(look_at(at, stage_pose[1][:, 3] + rng.uniform(-1.5, 1.5, 3))), [0])
        if name == "flat":
            draft.lens_model[:], draft.focal_px[:] = LensModel.ORTHOGRAPHIC, 20.0
        else:
            fit_lens(draft, np.arange(1), LENSES[name], (SETUP.width, SETUP.height), where="lens")
        found, keys = table(seen(stage, draft)), frame_keys(draft, SETUP)
        view = draft.world_from_camera[0, 0]
        for number, place in enumerate(corners):
            world = stage_pose[1][:, :3] @ place + stage_pose[1][:, 3]
            pixel, has_ray = project(lens_of(keys, 0), (world - view[:, 3]) @ view[:, :3])
            inside = has_ray and 0 <= pixel[0] < SETUP.width and 0 <= pixel[1] < SETUP.height
            if not inside:
                assert found[number].tolist() == [0, 0, 0]
                continue
            towards = view[:, 2] if name == "flat" else at - world
            normals = np.linalg.inv(stage_pose[1][:, :3]).T * np.sign(place)
            turned = normals.T @ towards / np.linalg.norm(normals, axis=0) / np.linalg.norm(towards)
            if np.abs(turned).min() < 0.02:
                continue  # the outline itself: a rounding decides
            assert found[number, :2] == pytest.approx(pixel, abs=1e-4)
            assert found[number, 2] == (SEEN if (turned > 0).any() else HIDDEN)
            seen_corners += int((turned > 0).any())
            hidden_corners += int(not (turned > 0).any())
    assert seen_corners > 50
    assert hidden_corners > 5


def nearest(stage: Scene, draft: Draft, origin: Array, towards: Array) -> tuple[float, int]:
    """Return the share of a ray at which it meets anything, and which placement: every triangle, in float64."""
    soup = soup_of(stage, draft.world_from_instance[0, stage.placements.instance])
    a, b, c = np.moveaxis(soup.corner_m, 1, 0)
    across = np.cross(towards, c - a)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1.0 / ((b - a) * across).sum(axis=1)
        u = ((origin - a) * across).sum(axis=1) * scale
        other = np.cross(origin - a, b - a)
        v = (towards * other).sum(axis=1) * scale
        t = ((c - a) * other).sum(axis=1) * scale
    met = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-9)
    if not met.any():
        return np.inf, -1
    first = int(np.flatnonzero(met)[np.argmin(t[met])])
    return float(t[first]), int(np.searchsorted(soup.first_triangle, first, side="right") - 1)


@pytest.mark.parametrize("tolerance_m", [0.0, 0.3, 2.0])
def test_rays_against_every_triangle_agree(tolerance_m: float) -> None:
    """A crowd that hides itself and others: what comes first may be its own, up to the tolerance before it."""
    rng, count = np.random.default_rng(2), 40
    shapes = (sphere(0.7, rings=8), box(1))
    placed = [
        (shapes[i % 2], pose(at=rng.uniform(-4, 4, 3), axes=rotation(rng) * rng.uniform(0.5, 1.5, 3)))
        for i in range(count)
    ]
    points = {i: list(rng.uniform(-0.8, 0.8, (4, 3))) for i in range(1, count + 1)}
    stage = named(scene(placed), points)
    draft = draft_of(stage, SETUP, CAMERA, [0])
    draft.world_from_instance[0, 1:, :, 3] += rng.normal(size=(count, 3))
    found, eye = table(seen(stage, draft, tolerance_m=tolerance_m)), draft.world_from_camera[0, 0, :, 3]
    values = [0, 0, 0]
    for index, instance in enumerate(stage.keypoints.instance.tolist()):
        matrix = draft.world_from_instance[0, instance]
        world = matrix[:, :3] @ stage.keypoints.position_m[index] + matrix[:, 3]
        value = int(found[index, 2])
        values[value] += 1
        if value == OUTSIDE:
            continue
        share, placement = nearest(stage, draft, eye, world - eye)
        before_m = (1.0 - share) * float(np.linalg.norm(world - eye))
        allowed_m = tolerance_m if placement + 1 == instance else 1e-3
        if abs(before_m - allowed_m) > 5e-4:
            assert value == (SEEN if before_m <= allowed_m else HIDDEN)
    assert min(values[1:]) > 10


def test_behind_the_camera_and_outside_the_frame_is_not_in_the_image() -> None:
    stage = named(scene([(box(1), pose())]), {1: [(0, -20, 0), (30, 0, 0), (0, 0, 0)]})
    draft = draft_of(stage, SETUP, camera(look_at((0.0, -8.0, 0.0), (0, 0, 0))), [0])
    found = table(seen(stage, draft))
    assert found[:2].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert found[2].tolist() == [48.0, 40.0, HIDDEN]
    assert table(seen(stage, draft, tolerance_m=0.6))[2, 2] == SEEN
    deep = dataclasses.replace(stage.keypoints, depth_m=np.full(3, 0.5, np.float32))
    assert table(seen(dataclasses.replace(stage, keypoints=deep), draft))[2, 2] == SEEN


def test_keypoints_move_with_their_instance() -> None:
    stage = named(scene([(box(1), pose(at=(1, 0, 0)))]), {1: [(0.5, -0.5, 0.5)]})
    draft = draft_of(stage, SETUP, camera(look_at((0.0, -8.0, 0.0), (0, 0, 0))), [0, 1])
    draft.world_from_instance[1, 1] = pose(at=(-1, 0, 0.5), axes=2 * np.eye(3))
    frames = seen(stage, draft)
    focal = draft.focal_px[0, 0]
    for view, world in enumerate([(1.5, -0.5, 0.5), (0.0, -1.0, 1.5)]):
        at = [48 + focal[0] * world[0] / (8 + world[1]), 40 - focal[1] * world[2] / (8 + world[1])]
        assert table(frames, view)[0] == pytest.approx([*at, SEEN], abs=1e-3)


def test_what_touches_a_keypoint_does_not_hide_it() -> None:
    """The lower corners of a box stand on a floor, to the rounding of float32."""
    size = np.array([0.6, 0.4, 0.3])
    stage = scene([(quad(8.0), pose()), (box(1), pose(at=(0.1, 0.2, 0.15), axes=np.diag(size)))])
    stage = named(stage, {2: [corner(np.full(3, 0.5), number) for number in range(8)]})
    draft = draft_of(stage, SETUP, camera(look_at((3.0, -4.0, 2.0), (0, 0, 0))), [0])
    assert table(seen(stage, draft, tolerance_m=0.0))[:, 2].tolist() == [2, 2, 1, 2, 2, 2, 2, 2]


def test_what_labels_do_not_see_hides_nothing() -> None:
    """A cut-out, a pane too clear to be labelled, a wall whose keypoints lie at the centres of pixels."""
    checker = np.repeat(np.repeat((np.indices((8, 8)).sum(axis=0) % 2).astype(np.float32), 8, 0), 8, 1)
    cut, texture = with_alpha(checker, opacity_threshold=0.5)
    base = scene(
        [(quad(3.0), pose(at=(0, 0, z))) for z in (2.0, 1.0, 0.0)],
        materials=(cut, Material("pane", opacity=0.3), Material("wall")),
    )
    slots = np.arange(3, dtype=np.int32)
    placements = dataclasses.replace(base.placements, first_slot=slots, slot_material=slots)
    stage = dataclasses.replace(base, placements=placements, textures=(texture,))
    draft = draft_of(stage, SETUP, camera(look_at((0, 0, 8), (0, 0, 0), up=(0, 1, 0))), [0])
    x, y = (axis.ravel() + 0.5 for axis in np.meshgrid(np.arange(34, 62), np.arange(26, 54)))
    focal = draft.focal_px[0, 0]
    points = [(8 * (a - 48) / focal[0], 8 * (40 - b) / focal[1], 0.0) for a, b in zip(x, y, strict=True)]
    frames = seen(named(stage, {3: points}), draft)
    assert frames.instance is not None
    shown = frames.instance[0, y.astype(int), x.astype(int)]
    assert (table(frames)[:, 2] == np.where(shown == 3, SEEN, HIDDEN)).all()
    assert 100 < (shown == 3).sum() < 700


def test_what_a_camera_clips_is_not_seen_and_hides_nothing() -> None:
    stage = scene([(quad(2.0), pose(at=(0, 0, z))) for z in (3.0, 1.0, -4.0)])
    setup = dataclasses.replace(SETUP, clip=True)
    draft = draft_of(stage, setup, camera(look_at((0, 0, 8), (0, 0, 0), up=(0, 1, 0))), [0])
    draft.clip_m[:] = (6.0, 10.0)
    found = table(seen(named(stage, {1: [(0, 0, 0)], 2: [(0, 0, 0)], 3: [(0.9, 0.9, 0)]}), draft, setup))
    assert found[:, 2].tolist() == [HIDDEN, SEEN, HIDDEN]


def test_threads_batches_and_other_images_leave_no_trace() -> None:
    rng, count = np.random.default_rng(3), 300
    stage = scene([(box(1), pose(at=rng.uniform(-6, 6, 3), axes=rotation(rng))) for _ in range(count)])
    stage = named(stage, {i: list(rng.uniform(-0.5, 0.5, (9, 3))) for i in range(1, count + 1)})
    draft = draft_of(stage, SETUP, CAMERA, [0, 1, 2])
    draft.world_from_instance[:, 1:, :, 3] += rng.normal(size=(3, count, 3))
    one, many = seen(stage, draft), seen(stage, draft, threads=3)
    alone = Draft(**{k: v[1:2] if isinstance(v, np.ndarray) else v for k, v in vars(draft).items()})
    assert table(one, 1).tobytes() == table(many, 1).tobytes() == table(seen(stage, alone)).tobytes()
    without = Renderer(stage, SETUP, LABELS, seed=0, device="cpu", threads=1).render(draft)
    assert without.keypoint is None
    for name in ("depth_m", "normal", "instance"):
        assert getattr(without, name).tobytes() == getattr(one, name).tobytes()


def test_a_rolling_shutter_has_keypoints_in_the_rows_that_see_them() -> None:
    """Small balls in a fast pan: the pixel of each middle shows its ball, far from where it would be without motion."""
    rng, count = np.random.default_rng(4), 30
    setup = dataclasses.replace(SETUP, readout_s=0.05, shutter_samples=101)
    ball = sphere(0.25, rings=10)
    stage = scene([(ball, pose(at=(*rng.uniform(-4, 4, 2), rng.uniform(-2.5, 2.5)))) for _ in range(count)])
    stage = named(stage, {i: [(0.0, 0.0, 0.0)] for i in range(1, count + 1)})
    draft = draft_of(stage, setup, camera(look_at((0.0, -8.0, 0.0), (0, 0, 0))), [0])
    still = table(seen(stage, draft, setup))
    draft.camera_spin_rad_s[0, 0] = (2.0, 0.0, 6.0)
    draft.instance_velocity_m_s[0, 1:] = rng.normal(size=(count, 3)) * 5
    frames = seen(stage, draft, setup, tolerance_m=0.3)
    assert frames.instance is not None
    moved = checked = 0
    for index, (x, y, value) in enumerate(table(frames)):
        if value == SEEN:
            assert frames.instance[0, int(y), int(x)] == index + 1
            checked += 1
            moved += int(np.hypot(*(still[index, :2] - [x, y])) > 3.0)
    assert checked > 12
    assert moved > 6


def test_rows_have_all_names_of_their_class_in_order() -> None:
    """An instance without some has zeros there, a class without any an empty row."""
    stage = scene([(box(1), pose(at=(x, 0, 0))) for x in (-2, 0, 2)])
    stage = named(stage, {1: [(0, -0.5, 0), (0, 0, 0.5)], 2: [(0, -0.5, 0)]})
    points = dataclasses.replace(stage.keypoints, number=np.array([0, 2, 1], np.int32))
    names = ("a", "b", "c")
    classes = (ObjectClass(1, "thing", "thing", keypoints=names), ObjectClass(2, "plain", "plain"))
    instances = dataclasses.replace(stage.instances, class_id=np.array([0, 1, 1, 2], np.int32))
    stage = dataclasses.replace(stage, keypoints=points, instances=instances, taxonomy=Taxonomy("1", classes))
    frames = seen(stage, draft_of(stage, SETUP, camera(look_at((0.0, -8.0, 0.0), (0, 0, 0))), [0]))
    labels = with_keypoints(labels_from_frames(frames, stage.instances.class_id), frames, KeypointSource.of(stage))
    assert labels.keypoints is not None
    first, second, third = labels.keypoints
    found = table(frames)
    assert first.reshape(3, 3).tolist() == [found[0].tolist(), [0, 0, 0], found[1].tolist()]
    assert second.reshape(3, 3).tolist() == [[0, 0, 0], found[2].tolist(), [0, 0, 0]]
    assert third.tolist() == []
    assert found[0, 2] == SEEN
