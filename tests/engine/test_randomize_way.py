"""Cameras on ways: corridors and drives, their speed and turning, and the room that they keep, triangle by triangle."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import stats

from engine.errors import UserError
from engine.randomize import apply
from engine.randomize.cameras.polyline import way_through
from engine.randomize.kinds import randomizer
from engine.randomize.shells import Shells, distance_to_triangles
from engine.rig import authored_draft, rig_cameras
from tests.engine.randomize_scene import CLEAR, anchor, at, box_scene, randomized, recipe_of, uniform

POINTS = ((0.0, 0.0, 1.0), (6.0, 0.0, 1.0), (6.0, 4.0, 2.0))
STRAIGHT = {"anchors": None, "points_m": POINTS, "curve": "linear"}
CORRIDOR = {
    "kind": "camera_corridor",
    "per": "world",
    "cameras": "*",
    "way": STRAIGHT,
    "share": uniform(0, 1),
    "side_m": uniform(-0.5, 0.5),
    "up_m": uniform(0.0, 0.4),
    "pan_deg": 0,
    "tilt_deg": 0,
    "roll_deg": 0,
    "backward": 0.5,
    "focal_mm": uniform(10, 30),
    "clear": CLEAR,
}
PATH = {
    "kind": "camera_path",
    "per": "world",
    "cameras": "*",
    "way": STRAIGHT,
    "start_share": uniform(0, 0.2),
    "speed_m_s": uniform(0.5, 2.0),
    "step_s": 0.1,
    "ahead_m": 1.5,
    "side_m": 0.2,
    "up_m": 0.0,
    "bob_m": 0.05,
    "bob_hz": 1.3,
    "roll_deg": 10,
    "focal_mm": None,
    "clear": CLEAR,
}
FAR = box_scene(
    {"/W/A": ((50, 50, 0), (1, 1, 1))},
    anchor("/Way/1", "aisle", at(0, 0, 1), (0, 0, 0)),
    anchor("/Way/2", "aisle", at(6, 0, 1), (0, 0, 0)),
    anchor("/Way/3", "aisle", at(6, 4, 2), (0, 0, 0)),
)


def driven(entry: dict[str, Any], worlds: list[int], steps: int, scene: Any = FAR) -> Any:
    """Return the draft of all steps of some worlds."""
    recipe = recipe_of({"go": entry})
    recipe = dataclasses.replace(recipe, rig=dataclasses.replace(recipe.rig, steps=steps))
    cameras = rig_cameras(scene, recipe.rig)
    world = np.repeat(np.asarray(worlds, np.int64), steps)
    draft = authored_draft(scene, recipe.rig, cameras, world, np.tile(np.arange(steps, dtype=np.int32), len(worlds)))
    apply.randomize(apply.plan(recipe, scene, cameras), draft)
    return draft


def test_a_corridor_camera_stands_beside_the_way_and_looks_along_it():
    """Its share of the length is the drawn one, which follows its law (KS); half of the cameras look back."""
    draft = randomized(FAR, {"go": CORRIDOR}, range(400))
    share, pose = draft.drawn["p.go.share"], draft.world_from_camera[:, 0]
    assert stats.kstest(share, "uniform").pvalue > 1e-3
    legs = np.linalg.norm(np.diff(POINTS, axis=0), axis=1)
    first = share * legs.sum() < legs[0]
    backward = draft.drawn["p.go.backward"]
    assert stats.binomtest(int(backward.sum()), 400, 0.5).pvalue > 1e-3
    assert pose[first, 0, 3] == pytest.approx(share[first] * legs.sum())
    assert np.abs(pose[first, 1, 3]).max() <= 0.5
    side = stats.kstest(pose[first, 1, 3], stats.uniform(-0.5, 1.0).cdf)
    assert side.pvalue > 1e-3
    for rows, leg in ((first, 0), (~first, 1)):
        along = np.diff(POINTS, axis=0)[leg] / legs[leg]
        ahead = -pose[rows, :, 2] * np.where(backward[rows], -1.0, 1.0)[:, None]
        assert ahead == pytest.approx(np.tile(along, (rows.sum(), 1)), abs=1e-9)
    assert draft.drawn["p.go.clear"].all()


def test_anchors_in_the_order_of_their_paths_are_the_same_way():
    listed = randomized(FAR, {"go": CORRIDOR}, range(20)).world_from_camera
    way = {"anchors": "aisle", "points_m": None, "curve": "linear"}
    np.testing.assert_array_equal(
        listed, randomized(FAR, {"go": {**CORRIDOR, "way": way}}, range(20)).world_from_camera
    )


def test_pan_turns_a_corridor_camera_to_the_left_and_tilt_upwards():
    turned = {**CORRIDOR, "backward": 0, "share": 0.1, "pan_deg": 90, "side_m": 0}
    assert -randomized(FAR, {"go": turned}, [0]).world_from_camera[0, 0, :, 2] == pytest.approx([0, 1, 0])
    tilted = {**turned, "pan_deg": 0, "tilt_deg": 30}
    expected = [np.cos(np.pi / 6), 0, 0.5]
    assert -randomized(FAR, {"go": tilted}, [0]).world_from_camera[0, 0, :, 2] == pytest.approx(expected)


@pytest.mark.parametrize("curve", ["linear", "catmull_rom"])
def test_a_drive_moves_by_speed_times_time_along_its_way(curve: str):
    """Steps are as far apart as the speed says, measured along the way, and every world has a speed of its own."""
    entry = {**PATH, "side_m": 0, "bob_m": 0, "way": {**STRAIGHT, "curve": curve}}
    draft = driven(entry, [0, 1, 2], 12)
    way = way_through(np.array(POINTS), curve)
    for world in range(3):
        rows = draft.world == world
        speed = draft.drawn["p.go.speed_m_s"][rows][0]
        start = draft.drawn["p.go.start_share"][rows][0] * way.length_m
        expected = way.at(start + speed * 0.1 * np.arange(12))
        assert draft.world_from_camera[rows, 0, :, 3] == pytest.approx(expected)
    assert len(np.unique(draft.drawn["p.go.speed_m_s"])) == 3


def test_a_smooth_way_passes_its_points_without_corners():
    way = way_through(np.array(POINTS), "catmull_rom")
    gap = np.linalg.norm(way.point_m[:, None] - np.array(POINTS), axis=2).min(axis=0)
    assert gap == pytest.approx(0.0, abs=1e-12)
    turn = np.sum(way.direction(way.along_m[1:-1] - 1e-6) * way.direction(way.along_m[1:-1]), axis=1)
    assert np.degrees(np.arccos(turn.min())) < 5.0  # of 90 degrees at the corner
    along = np.linspace(0.1, way.length_m - 0.1, 300)
    assert np.linalg.norm(np.diff(way.at(along), axis=0), axis=1) == pytest.approx(along[1] - along[0], rel=1e-3)


def test_velocity_and_spin_are_those_of_the_motion_between_near_steps():
    """What motion blur is told equals the difference of poses over a hundredth of the time between frames."""
    entry = {**PATH, "way": {**STRAIGHT, "curve": "catmull_rom"}, "start_share": 0.45, "step_s": 0.01}
    draft = driven(entry, [3], 30)
    pose = draft.world_from_camera[:, 0]
    velocity = (pose[2:, :, 3] - pose[:-2, :, 3]) / 0.02
    assert draft.camera_velocity_m_s[1:-1, 0] == pytest.approx(velocity, abs=0.02)
    for row in range(1, 29):
        turn = pose[row + 1, :, :3] @ pose[row - 1, :, :3].T
        spin = 0.5 * np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 0.02
        assert draft.camera_spin_rad_s[row, 0] == pytest.approx(spin, abs=0.15)
    assert np.abs(draft.camera_spin_rad_s).max() > 0.2


def test_every_step_of_a_drive_keeps_clear():
    """A box stands beside the way: drives that would touch it are drawn anew as a whole."""
    scene = box_scene({"/W/A": ((3, 0.1, 0), (1, 1, 3))})
    entry = {**PATH, "side_m": uniform(-1, 1), "speed_m_s": 4.0, "clear": {**CLEAR, "tries": 64}}
    draft = driven(entry, list(range(30)), 10, scene)
    position = draft.world_from_camera[:, 0, :, 3]
    low, high = np.array([3, 0.1, 0]), np.array([4, 1.1, 3])
    assert np.linalg.norm(position - position.clip(low, high), axis=1).min() >= 0.2
    assert draft.drawn["p.go.clear"].all()
    assert draft.drawn["p.go.tried"].max() > 1
    one = driven(entry, [7], 10, scene)
    np.testing.assert_array_equal(one.world_from_camera, draft.world_from_camera[draft.world == 7])


def test_the_distance_to_a_triangle_is_the_least_over_its_points():
    """Against many points of each triangle; degenerate triangles are lines."""
    rng = np.random.default_rng(0)
    corner, point = rng.normal(size=(200, 3, 3)), rng.normal(size=(200, 3)) * 2.0
    corner[:20, 2] = corner[:20, 1]
    share = rng.dirichlet(np.ones(3), 20_000)
    share = np.concatenate([share, np.eye(3)])
    nearest = np.array([np.linalg.norm(share @ c - p, axis=1).min() for c, p in zip(corner, point)])
    found = distance_to_triangles(point, corner)
    assert (found <= nearest + 1e-12).all()
    assert found == pytest.approx(nearest, abs=0.05)


def closed_box(scene: Any, instance: int, *, inward: bool) -> Any:
    """Return the scene with all twelve triangles of one of its boxes, facing outwards or inwards."""
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangle = np.array([t for a, b, c, d in faces for t in ((a, b, c), (a, c, d))], np.int32)
    mesh = scene.meshes[instance - 1]
    mesh = dataclasses.replace(mesh, triangle=triangle[:, ::-1] if inward else triangle, slot=np.zeros(12, np.int32))
    meshes = (*scene.meshes[: instance - 1], mesh, *scene.meshes[instance:])
    return dataclasses.replace(scene, meshes=meshes)


@pytest.mark.parametrize("inward", [False, True])
def test_a_wall_is_solid_and_a_room_is_not(inward: bool):
    """The same box seen from its two sides; in the room there is room up to its walls."""
    scene = closed_box(box_scene({"/Wall": ((0, 0, 0), (4, 4, 4))}), 1, inward=inward)
    pose = np.tile(scene.instances.world_from_instance[1], (4, 1, 1))
    pose[3, :, 3] += (10, 0, 0)
    point = np.array([[2.0, 2, 2], [2, 2, 3.9], [2, 2, 4.3], [12, 2, 3.7]])
    found = Shells(scene).room(1, pose, point, 0.5)
    assert found == pytest.approx([np.inf, 0.1, 0.3, 0.3] if inward else [0, 0, 0.3, 0])


def test_a_camera_in_a_hall_keeps_clear_of_its_walls():
    """`inside` takes away the hall's box, not its surfaces."""
    scene = box_scene(
        {"/Hall": ((-3, -3, 0), (6, 6, 3))},
        anchor("/From", "from", at(0, 0, 0), (8, 8, 3)),
        anchor("/To", "to", at(0, 0, 1), (1, 1, 1)),
    )
    look = {"kind": "camera_look", "cameras": "*", "position_in": "from", "look_in": "to", "roll_deg": 0,
            "focal_mm": None, "clear": {"clearance_m": 0.4, "tries": 64, "inside": "/Hall"}}  # fmt: skip
    draft = randomized(closed_box(scene, 1, inward=True), {"look": look}, range(200))
    position = draft.world_from_camera[:, 0, :, 3]
    assert draft.drawn["p.look.clear"].all()
    to_walls = np.min(np.abs(np.stack([position[:, :2] - 3, position[:, :2] + 3], axis=-1)), axis=(1, 2))
    inside = (np.abs(position[:, :2]) < 3).all(axis=1)
    assert (np.minimum(to_walls, np.minimum(position[:, 2], 3 - position[:, 2]))[inside] >= 0.4).all()
    assert 0.3 < inside.mean() < 1.0  # outside of the hall there is room, too


def test_a_way_needs_two_points_and_one_source():
    for way, said in (
        ({"anchors": None, "points_m": None, "curve": "linear"}, "give either anchors or points_m"),
        ({"anchors": "a", "points_m": POINTS, "curve": "linear"}, "give either anchors or points_m"),
        ({"anchors": None, "points_m": POINTS[:1], "curve": "linear"}, "at least two points that lie apart"),
    ):
        with pytest.raises(UserError, match=said):
            randomizer("go", {**CORRIDOR, "way": way})
    lone = box_scene({"/W/A": ((0, 0, 0), (1, 1, 1))}, anchor("/Way/1", "aisle", at(0, 0, 1), (0, 0, 0)))
    with pytest.raises(UserError, match=r"randomize\.go\.way\.anchors: a way needs at least two points"):
        randomized(lone, {"go": {**CORRIDOR, "way": {"anchors": "aisle", "points_m": None, "curve": "linear"}}}, [0])
