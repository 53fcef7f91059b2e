"""Attach, lean, near and gap: what sticks goes along, loads lean without meeting, people stand as near as drawn."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import UserError
from engine.randomize.bounds import scene_bounds
from engine.randomize.place.footprint import Footprints, gaps_m
from tests.engine.randomize_scene import anchor, at, box_scene, randomized, uniform, world_corners

ATTACH = {
    "kind": "attach",
    "items": "/Label/*",
    "others": None,
    "other_share": 0,
    "hosts": "/Box/*",
    "probability": 1,
    "faces": ["front", "back", "left", "right", "top"],
    "weights": None,
    "along": uniform(-1, 1),
    "up": uniform(-1, 1),
    "roll_deg": 0,
}
LEAN = {
    "kind": "lean",
    "items": "/Box/*",
    "anchors": "load",
    "probability": 1,
    "shift_x_m": uniform(-0.1, 0.1),
    "shift_y_m": uniform(-0.1, 0.1),
    "lean_deg": uniform(0, 8),
    "toward_deg": uniform(0, 360),
    "deck_m": [1.0, 1.0],
    "shear": False,
}
NEAR = {
    "kind": "near",
    "items": "/Person/*",
    "to": "/Truck",
    "count": 2,
    "distance_m": uniform(0.4, 3.0),
    "bearing_deg": uniform(-180, 180),
    "yaw_deg": 0,
    "inside": None,
    "gap_m": 0.1,
    "avoid": "/Truck",
    "tries": 32,
}


def labelled(labels: int = 6) -> dict:
    boxes = {f"/Box/{k}": ((3.0 * k, 0.0, 1.0), (0.6, 0.4, 0.3)) for k in range(6)}
    return boxes | {f"/Label/{k}": ((0.0, 9.0 + k, 0.0), (0.15, 0.001, 0.1)) for k in range(labels)}


def test_attached_items_lie_flat_on_a_face_of_their_host_and_within_it():
    """In the host's own box, whose low corner is one metre along -x from its pose."""
    scene = box_scene(labelled())
    draft = randomized(scene, {"stick": ATTACH}, range(40))
    corners = world_corners(scene, draft)
    item, face = draft.drawn["p.stick.item"], draft.drawn["p.stick.face"]
    assert set(np.unique(face)) == set(ATTACH["faces"])
    assert all(len(set(row)) == 6 and min(row) > 0 for row in item)
    middle = {"front": (1, 0.0), "back": (1, 0.4), "left": (0, 0.0), "right": (0, 0.6), "top": (2, 0.3)}
    size = np.array([0.6, 0.4, 0.3])
    for row in range(40):
        for host in range(6):
            low = corners[row, host].min(axis=0)
            span = np.ptp(corners[row, item[row, host] - 1], axis=0)
            origin = draft.world_from_instance[row, item[row, host], :, 3] - low
            axis, plane = middle[face[row, host]]
            assert span[axis] == pytest.approx(0.001, abs=1e-6)
            assert sorted(span) == pytest.approx([0.001, 0.1, 0.15], abs=1e-6)
            assert origin[axis] == pytest.approx(plane, abs=1e-6)
            spare = np.delete(np.minimum(origin, size - origin) - 0.5 * span, axis)
            assert (spare >= -1e-6).all()


def test_attached_items_follow_a_host_that_leans():
    """Seen from the host, an item is in one place, whatever a load does before."""
    load = anchor("/Load", "load", at(0.3, 0.2, 1.0), (9.0, 9.0, 2.0))
    scene = box_scene(labelled(), load)
    rules = {"stick": ATTACH}
    still = randomized(scene, rules, range(8))
    moved = randomized(scene, {**rules, "lean": {**LEAN, "shear": True}}, range(8))
    hosts = [i for i, p in enumerate(scene.instances.path) if p.startswith("/Box/")]
    assert not np.allclose(still.world_from_instance[:, hosts[0]], moved.world_from_instance[:, hosts[0]])
    for row in range(8):
        for host, item in zip(hosts, still.drawn["p.stick.item"][row], strict=True):
            seen = []
            for draft in (still, moved):
                pose = draft.world_from_instance[row]
                linear = np.linalg.inv(pose[host, :, :3])
                seen.append(linear @ (pose[item, :, 3] - pose[host, :, 3]))
            assert seen[0] == pytest.approx(seen[1], abs=1e-9)


def test_a_share_of_the_labels_is_wrong_and_items_that_are_left_over_are_hidden():
    boxes = labelled(24) | {f"/Wrong/{k}": ((0.0, 90.0 + k, 0.0), (0.15, 0.001, 0.1)) for k in range(6)}
    scene = box_scene(boxes)
    rule = {**ATTACH, "others": "/Wrong/*", "other_share": 0.25}
    draft = randomized(scene, {"stick": rule}, range(400))
    wrong = [i for i, p in enumerate(scene.instances.path) if p.startswith("/Wrong/")]
    count = draft.visible[:, wrong].sum(axis=1)
    np.testing.assert_array_equal(count, draft.drawn["p.stick.attached_others"])
    assert count.mean() / 6 == pytest.approx(0.25, abs=0.03)  # 2400 coins: 0.009 is one standard deviation
    assert (draft.drawn["p.stick.attached"] == 6).all()
    few = randomized(box_scene(labelled(2)), {"stick": ATTACH}, range(5))
    assert (few.drawn["p.stick.attached"] == 2).all()
    assert (few.drawn["p.stick.starved"] == 4).all()


def stack() -> dict:
    """Return two by two boxes in three layers, 1 mm apart."""
    return {
        f"/Box/{z}{y}{x}": ((0.5 * x - 0.5, 0.5 * y - 0.5, 0.4 * z), (0.499, 0.499, 0.4))
        for x in (0, 1)
        for y in (0, 1)
        for z in (0, 1, 2)
    }


@pytest.mark.parametrize("shear", [False, True])
def test_a_load_leans_by_the_drawn_angle_and_stays_in_its_room(shear: bool):
    """Each box is moved by shift + tan(lean) * height of its foot; sheared ones lean themselves, too."""
    load = anchor("/Load", "load", at(0, 0, 0), (1.24, 1.3, 2.0))
    scene = box_scene(stack(), load)
    before, after = (
        world_corners(scene, randomized(scene, rules, range(60))) for rules in ({}, {"lean": {**LEAN, "shear": shear}})
    )
    drawn = randomized(scene, {"lean": {**LEAN, "shear": shear}}, range(60)).drawn
    slope, toward = np.tan(np.deg2rad(drawn["p.lean.lean_deg"])), np.deg2rad(drawn["p.lean.toward_deg"])
    step = after - before
    height = before[..., 2] if shear else np.repeat(before[..., 2].min(axis=2, keepdims=True), 8, axis=2)
    for axis, way in ((0, np.cos(toward)), (1, np.sin(toward))):
        shift = drawn["p.lean.shift_x_m" if axis == 0 else "p.lean.shift_y_m"]
        want = shift[:, None, None] + (slope * way)[:, None, None] * height
        np.testing.assert_allclose(step[..., axis], want, atol=1e-9)
    np.testing.assert_allclose(step[..., 2], 0.0, atol=1e-12)
    assert np.abs(after[..., 0]).max() <= 0.62 + 1e-9
    assert np.abs(after[..., 1]).max() <= 0.65 + 1e-9
    assert np.abs(step).max() > 0.1
    reach = np.abs(after[..., :2]).max(axis=(1, 2, 3)) - 0.5
    np.testing.assert_allclose(drawn["p.lean.overhang_m"], np.maximum(reach, 0.0), atol=1e-9)


def test_layers_that_slide_keep_their_middle_over_what_carries_them():
    """Stable: the middle of what lies above a layer stays over that layer, and boxes of a layer keep their gap."""
    scene = box_scene(stack(), anchor("/Load", "load", at(0, 0, 0), (2.0, 2.0, 2.0)))
    corners = world_corners(scene, randomized(scene, {"lean": LEAN}, range(100)))
    layer = np.array([int(p.split("/")[-1][0]) for p in scene.instances.path[1:]])
    for z in (0, 1):
        low, high = (getattr(corners[:, layer == z], m)(axis=(1, 2)) for m in ("min", "max"))
        middle = corners[:, layer > z].mean(axis=(1, 2))
        assert ((middle > low) & (middle < high))[:, :2].all()
    for z in (0, 1, 2):
        x = np.sort(corners[:, layer == z][..., 0].min(axis=2), axis=1)
        np.testing.assert_allclose(x[:, 2] - x[:, 1], 0.5, atol=1e-9)


def truck_scene():
    boxes = {f"/Person/{k}": ((50.0 + k, 0.0, 0.0), (0.4, 0.4, 1.8)) for k in range(2)}
    return box_scene(boxes | {"/Truck": ((2.0, 3.0, 0.0), (3.0, 1.0, 2.0))})


def test_people_stand_at_the_drawn_distance_and_bearing_from_the_truck():
    """Distance: of the middle of the foot to the truck's outline; bearing: from the truck's middle, against its x."""
    scene = truck_scene()
    draft = randomized(scene, {"near": NEAR}, range(200))
    corners = world_corners(scene, draft)
    spot = 0.5 * (corners.min(axis=2) + corners.max(axis=2))[:, :2, :2]  # /Person/0, /Person/1
    placed = np.isfinite(draft.drawn["p.near.distance_m"])
    outside = np.maximum(np.abs(spot - [3.5, 3.5]) - [1.5, 0.5], 0.0)
    distance_m = np.hypot(*np.moveaxis(outside, -1, 0))
    np.testing.assert_allclose(distance_m[placed], draft.drawn["p.near.distance_m"][placed], atol=1e-9)
    bearing = np.rad2deg(np.arctan2(spot[..., 1] - 3.5, spot[..., 0] - 3.5))
    np.testing.assert_allclose(bearing[placed], draft.drawn["p.near.bearing_deg"][placed], atol=1e-6)
    assert placed.mean() > 0.9
    np.testing.assert_array_equal(draft.visible[:, 1:3], placed)


def test_nobody_is_near_to_what_is_not_there():
    scene = truck_scene()
    hide = {"kind": "scatter", "items": "/Truck", "anchors": "floor", "count": 0}
    hide |= {"yaw_deg": 0, "gap_m": 0, "avoid": None, "tries": 1}
    scene = box_scene(
        dict.fromkeys(scene.instances.path[1:], ((0, 0, 0), (1, 1, 1))), anchor("/F", "floor", at(0, 0, 0), (9, 9, 0))
    )
    draft = randomized(scene, {"a": hide, "b": NEAR}, range(10))
    assert (draft.drawn["p.b.to"] == 0).all()
    assert not draft.visible[:, 1:].any()
    gap = randomized(scene, {"a": hide, "b": NEAR, "c": {"kind": "gap", "of": "/Person/*", "to": "/Truck"}}, range(10))
    assert np.isinf(gap.drawn["p.c.distance_m"]).all()


def test_a_gap_is_the_distance_of_outlines():
    """Against a dense search over both outlines, in random positions and turns; 0 where they overlap."""
    random = np.random.default_rng(3)
    t = np.linspace(-1.0, 1.0, 161)
    ring = np.concatenate(
        [np.stack([t, t * 0 + s], 1) for s in (-1, 1)] + [np.stack([t * 0 + s, t], 1) for s in (-1, 1)]
    )
    for _ in range(40):
        angle = random.uniform(0, 2 * np.pi, 2)
        center, half = random.uniform(-2, 2, (2, 2)), random.uniform(0.2, 1.0, (2, 2))
        shapes = [Footprints(center[k], np.array([np.cos(angle[k]), np.sin(angle[k])]), half[k]) for k in (0, 1)]
        points = []
        for k in (0, 1):
            x, y = (ring * half[k]).T
            cos, sin = np.cos(angle[k]), np.sin(angle[k])
            points.append(center[k] + np.stack([x * cos - y * sin, x * sin + y * cos], 1))
        dense = np.hypot(*np.moveaxis(points[0][:, None] - points[1][None], -1, 0)).min()
        meets = any((shapes[k].distance_m(points[1 - k]) == 0.0).any() for k in (0, 1))
        assert float(gaps_m(*shapes)) == pytest.approx(0.0 if meets else dense, abs=0.0 if meets else 0.02)


def test_rows_do_not_depend_on_the_batch():
    rules = {"lean": {**LEAN, "shear": True}, "stick": ATTACH, "near": NEAR}
    boxes = labelled() | {p: ((50.0 + k, 0.0, 0.0), (0.4, 0.4, 1.8)) for k, p in enumerate(["/Person/0", "/Person/1"])}
    scene = box_scene(
        boxes | {"/Truck": ((2.0, 3.0, 0.0), (3.0, 1.0, 2.0))}, anchor("/L", "load", at(0, 0, 0), (9, 9, 3))
    )
    many, one = randomized(scene, rules, range(9)), randomized(scene, rules, [7])
    np.testing.assert_array_equal(many.world_from_instance[7], one.world_from_instance[0])
    np.testing.assert_array_equal(many.visible[7], one.visible[0])
    assert scene_bounds(scene).solid[1:].all()


def test_wrong_parameters_are_named():
    scene = truck_scene()
    for rule, line in (
        ({**LEAN, "lean_deg": 45}, "lean_deg must stay in"),
        ({**LEAN, "deck_m": [0.0, 1.0]}, "deck_m must be above 0"),
        ({**ATTACH, "weights": [1.0]}, "5 values but 1 weights"),
        ({**NEAR, "tries": 0}, "tries must be in 1"),
        ({**NEAR, "to": "/Lorry"}, "matches no instance"),
    ):
        with pytest.raises(UserError, match=line):
            randomized(scene, {"x": rule}, range(2))


def test_what_stands_beside_each_other_moves_together_whatever_its_height():
    """Two columns of unequal boxes, 1 mm apart: no level plane cuts none of them but the lowest, so nothing slides."""
    sizes = {"0": (0.3, 0.4), "1": (0.4, 0.3)}
    boxes = {}
    for column, heights in sizes.items():
        foot = 0.0
        for k, height in enumerate(heights):
            boxes[f"/Box/{column}{k}"] = ((0.5 * float(column) - 0.5, 0.0, foot), (0.499, 0.499, height))
            foot += height
    scene = box_scene(boxes, anchor("/Load", "load", at(0, 0, 0), (4.0, 4.0, 2.0)))
    corners = world_corners(scene, randomized(scene, {"lean": {**LEAN, "lean_deg": 8, "toward_deg": 0}}, range(9)))
    gap = corners[:, 2:, :, 0].min(axis=2) - corners[:, :2, :, 0].max(axis=2)
    np.testing.assert_allclose(gap, 0.001, atol=1e-7)
