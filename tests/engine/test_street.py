"""The street: worlds of one rule file differ, hold the classes of a street, and nothing stands in anything."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from engine.config import compose
from engine.dataset.__main__ import main as dataset
from engine.draft import Draft
from engine.errors import UserError
from engine.factory import load_recipe_scene
from engine.formats.kitti_read import read_velodyne
from engine.randomize.apply import plan, randomize
from engine.randomize.bounds import scene_bounds, world_boxes
from engine.randomize.kinds import randomizer
from engine.rig import authored_draft, rig_cameras
from engine.run import run
from engine.scene.model import Scene

MOVABLE = ("car", "van", "truck", "cyclist", "pedestrian", "building", "pole", "traffic_light", "traffic_sign")
MOVABLE += ("street_furniture",)
SLACK_M = 0.02  # boxes of turned people are a little larger than they
OVER_THE_ROAD_M = 3.6  # arms of lamps and crowns of trees reach over what is lower
VEHICLE_M = (3.0, 4.0, 1.0)  # behind, ahead of and beside the camera of conf/scene/street.yaml


@cache
def street() -> Scene:
    recipe, job = compose("+scene=street")
    return load_recipe_scene(recipe, job)[1]


def drawn_worlds(count: int, *overrides: str, steps: int = 1) -> Draft:
    recipe, _ = compose("+scene=street", *overrides)
    cameras = rig_cameras(street(), recipe.rig)
    world, step = np.repeat(np.arange(count), steps), np.tile(np.arange(steps, dtype=np.int32), count)
    draft = authored_draft(street(), recipe.rig, cameras, world, step)
    randomize(plan(recipe, street(), cameras), draft)
    return draft


def class_keys(scene: Scene) -> np.ndarray:
    key = {c.id: c.key for c in scene.taxonomy.classes}
    return np.array([key.get(int(i), "") for i in scene.instances.class_id])


def touching(draft: Draft, row: int) -> list[tuple[str, str]]:
    """Return pairs of movable things whose boxes share room."""
    scene, keys = street(), class_keys(street())
    center_m, half_m = world_boxes(scene_bounds(scene), draft.world_from_instance)
    seen = np.flatnonzero(draft.visible[row] & np.isin(keys, MOVABLE))
    low, high = center_m[row, seen] - half_m[row, seen], center_m[row, seen] + half_m[row, seen]
    lamp = keys[seen] == "pole"
    width_m = np.where(lamp[:, None], 0.15, half_m[row, seen, :2])  # its mast alone
    foot = np.array([draft.world_from_instance[row, i, :2, 3] for i in seen])
    low[:, :2] = np.where(lamp[:, None], foot - width_m, low[:, :2])
    high[:, :2] = np.where(lamp[:, None], foot + width_m, high[:, :2])
    shared = (np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])).min(axis=2)
    pairs = np.argwhere(np.triu(shared > SLACK_M, k=1))
    path = scene.instances.path
    return [(path[seen[a]], path[seen[b]]) for a, b in pairs]


def test_nothing_on_a_street_stands_in_anything_else():
    draft = drawn_worlds(12)
    assert [pair for row in range(12) for pair in touching(draft, row)] == []


def test_nothing_stands_in_anything_as_authored_either():
    """What other programs show; what has no place waits in a yard behind the houses."""
    recipe, _ = compose("+scene=street")
    cameras = rig_cameras(street(), recipe.rig)
    draft = authored_draft(street(), recipe.rig, cameras, np.zeros(1, np.int64), np.zeros(1, np.int32))
    assert draft.visible[0, np.isin(class_keys(street()), MOVABLE)].sum() == 400
    assert touching(draft, 0) == []


def test_traffic_keeps_its_distances_from_step_to_step():
    """All vehicles of a world go on at one speed, each along its own heading; the camera goes with them."""
    draft = drawn_worlds(3, "rig.steps=6", steps=6)
    for world in range(3):
        first, last = 6 * world, 6 * world + 5
        moved_m = draft.world_from_camera[last, 0, :, 3] - draft.world_from_camera[first, 0, :, 3]
        ahead = -draft.world_from_camera[first, 0, :2, 2]
        way_m = 0.5 * draft.drawn["p.drive.speed_m_s"][first]
        np.testing.assert_allclose(moved_m[:2], way_m * ahead / np.linalg.norm(ahead), atol=1e-9)
        keys = class_keys(street())
        for row, path in enumerate(street().instances.path):
            if path.startswith("/Street/Traffic/") and draft.visible[first, row]:
                shift_m = draft.world_from_instance[last, row, :, 3] - draft.world_from_instance[first, row, :, 3]
                heading = draft.world_from_instance[first, row, :, 0]
                np.testing.assert_allclose(shift_m, way_m * heading, atol=1e-6)
                assert keys[row] in ("car", "van", "truck")
        hit = [pair for pair in touching(draft, last) if "/Crossing/" not in str(pair)]  # nobody brakes for them
        assert hit == []


def test_cars_drive_on_the_right_hand_side_and_head_where_their_lane_goes():
    draft = drawn_worlds(8)
    path = np.array(street().instances.path)
    for row in range(8):
        for heading, axis in (
            ("East", (1.0, 0.0)),
            ("West", (-1.0, 0.0)),
            ("North", (0.0, 1.0)),
            ("South", (0.0, -1.0)),
        ):
            own = np.char.startswith(path, f"/Street/Traffic/{heading}/") & draft.visible[row]
            pose = draft.world_from_instance[row, own]
            np.testing.assert_allclose(pose[:, :2, 0], np.tile(axis, (own.sum(), 1)), atol=1e-6)
            right_m = pose[:, 0, 3] * axis[1] - pose[:, 1, 3] * axis[0]  # of the road's middle line
            on_lane = pose[:, 1, 3] > 150.0
            middle_m = np.where(on_lane, -190.0 * axis[0], 0.0)
            assert (right_m - middle_m > 1.2).all()


def test_no_camera_is_inside_anything_and_most_roads_are_driven():
    draft = drawn_worlds(60)
    assert draft.drawn["p.camera.clear"].all()
    lanes = Counter(str(lane).rsplit("/", 1)[1].split("_", 1)[1] for lane in draft.drawn["p.camera.lane"])
    assert len(lanes) >= 9
    bounds = scene_bounds(street())
    center_m, half_m = world_boxes(bounds, draft.world_from_instance)
    behind, ahead, beside = VEHICLE_M
    solid = np.isin(class_keys(street()), MOVABLE)
    for row in range(60):
        pose = draft.world_from_camera[row, 0]
        forward = np.round(-pose[:, 2])  # the lane's, without the mounting's small turns
        left = np.array([-forward[1], forward[0], 0.0])
        offset_m = center_m[row] - pose[:, 3]
        along, across = offset_m @ forward, np.abs(offset_m @ left)
        reach, width = half_m[row] @ np.abs(forward), half_m[row] @ np.abs(left)
        inside = (along + reach > -behind) & (along - reach < ahead) & (across - width < beside)
        inside &= (center_m[row, :, 2] - half_m[row, :, 2] < 1.9) & draft.visible[row] & solid
        assert not inside.any(), [street().instances.path[i] for i in np.flatnonzero(inside)]


def test_a_thousand_worlds_would_not_repeat_themselves():
    """Every two of a hundred worlds differ in what stands where; counts spread over a range, light as well."""
    draft = drawn_worlds(100)
    layouts = {draft.world_from_instance[row][draft.visible[row]].tobytes() for row in range(100)}
    assert len(layouts) == 100
    keys = class_keys(street())
    for key, least, spread in (("car", 20, 25), ("pedestrian", 8, 30), ("building", 40, 6), ("cyclist", 1, 5)):
        count = (draft.visible & (keys == key)).sum(axis=1)
        assert count.mean() > least, key
        assert count.max() - count.min() > spread, key
    assert np.ptp(draft.drawn["p.daylight.elevation_deg"]) > 40.0
    assert len(np.unique(draft.drawn["p.asphalt.roughness_low"])) == 3


def test_an_advance_of_nothing_and_a_lane_without_tries_are_refused():
    with pytest.raises(UserError, match="instances and cameras are both null"):
        randomizer("x", {"kind": "advance", "instances": None, "cameras": None, "speed_m_s": 1, "step_s": 0.1})
    room = {"behind_m": 1, "ahead_m": 1, "beside_m": 1}
    with pytest.raises(UserError, match=r"tries must be in 1\.\.1024, got 0"):
        randomizer("x", {"kind": "camera_lane", "cameras": "*", "lanes": "a", "height_m": 1, **room, "tries": 0})


def test_a_street_becomes_a_kitti_folder_that_validates(tmp_path: Path):
    """Classes have KITTI's names, cars have a car's size and stand on the road, the sweep sees the road from 1.73 m."""
    small = ("rig.width=310", "rig.height=94", "rig.spp=1", "lidar.firings=240", "device=cpu")
    recipe, job = compose("+scene=street", "recipe=kitti", *small, "worlds=[1]", f"out={tmp_path / 'made'}")
    run(recipe, job)
    classes = Path(__file__).resolve().parents[2] / "scenes_usd" / "street_kitti.yaml"
    out = tmp_path / "kitti"
    arguments = ["export", str(tmp_path / "made"), "--format", "kitti", "--classes", str(classes), "--out", str(out)]
    assert dataset(arguments) in (0, None)
    assert dataset(["validate", str(out)]) in (0, None)
    rows = [line.split() for line in (out / "training" / "label_2" / "000000.txt").read_text().splitlines()]
    assert {row[0] for row in rows} <= {"Car", "Van", "Truck", "Pedestrian", "Cyclist"}
    sizes_m = np.array([[float(v) for v in row[8:14]] for row in rows if row[0] == "Car"])
    assert len(sizes_m) >= 5
    assert (np.abs(sizes_m[:, :3] - (1.52, 1.9, 4.2)) < (0.2, 0.2, 0.45)).all()  # height, width, length
    points_m = read_velodyne(out / "training" / "velodyne" / "000000.bin")
    own_lane = (np.abs(points_m[:, 1]) < 1.0) & (points_m[:, 0] > 0.0) & (points_m[:, 0] < 7.0)
    assert own_lane.sum() > 20
    assert np.median(points_m[own_lane, 2]) == pytest.approx(-1.73, abs=0.06)
