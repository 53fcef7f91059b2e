"""Slots and scatter: support, fit, no overlap, asked densities, and what is counted when there is no room."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from engine.errors import UserError
from tests.engine.randomize_scene import anchor, at, box_scene, randomized, uniform, world_corners

SLOTS = {
    "kind": "slots",
    "per": "world",
    "items": "/Box/*",
    "anchors": "slot",
    "occupancy": 1.0,
    "x_m": 0.0,
    "y_m": 0.0,
    "yaw_deg": 0.0,
    "settle": False,
}
SCATTER = {
    "kind": "scatter",
    "per": "world",
    "items": "/Box/*",
    "anchors": "floor",
    "count": 12.0,
    "yaw_deg": uniform(0, 360),
    "gap_m": 0.05,
    "avoid": None,
    "tries": 64,
}


def boxes(count: int, *, size: tuple[float, float, float] = (0.4, 0.3, 0.2), step: float = 0.0) -> dict:
    """Return boxes far away from every anchor, each `step` higher than the one before."""
    return {f"/Box/{i:03d}": ((100.0 + i, 50.0, 7.0), (size[0], size[1], size[2] + step * i)) for i in range(count)}


def test_full_slots_hold_distinct_items_that_stand_in_them():
    """Occupancy 1 and enough items: every anchor holds one, on its floor, within its sides, whatever way it faces."""
    places = [(2.0, 1.0, 0.5, 0.0), (4.0, -1.0, 0.0, 90.0), (-3.0, 0.0, 1.0, 30.0)]
    anchors = [anchor(f"/S{i}", "slot", at(*p), (0.5, 0.4, 0.3)) for i, p in enumerate(places)]
    scene = box_scene(boxes(5), *anchors)
    draft = randomized(scene, {"fill": SLOTS}, range(50))
    item = draft.drawn["p.fill.item"]
    assert (draft.drawn["p.fill.filled"] == 3).all()
    assert (draft.drawn["p.fill.starved"] == 0).all()
    assert all(len(set(row)) == 3 and min(row) >= 1 for row in item)
    assert (draft.visible.sum(axis=1) == 3 + 1).all()  # and the background
    corners = world_corners(scene, draft)
    for number, box in enumerate(anchors):
        held = corners[np.arange(50), item[:, number] - 1]
        local = (held - box.world_from_anchor[:, 3]) @ box.world_from_anchor[:, :3]
        assert local.min(axis=(0, 1)) == pytest.approx([-0.2, -0.15, 0.0], abs=1e-6)
        assert local.max(axis=(0, 1)) == pytest.approx([0.2, 0.15, 0.2], abs=1e-6)


def test_items_by_their_origin_have_the_anchors_pose_however_they_were_authored():
    """Boxes are a metre beside their origins: by the box its middle is on the anchor, by the origin that."""
    place = anchor("/S", "slot", at(3, -2, 0.5, 30), (0, 0, 0))
    scene = box_scene(boxes(1), place)
    turned = scene.instances.world_from_instance.copy()
    turned[1] = at(7, 5, 1, 180)
    scene = replace(scene, instances=replace(scene.instances, world_from_instance=turned))
    by_box, by_origin = (randomized(scene, {"fill": {**SLOTS, "by": by}}, range(3)) for by in ("box", "origin"))
    assert by_origin.world_from_instance[:, 1] == pytest.approx(np.repeat(place.world_from_anchor[None], 3, axis=0))
    assert np.abs(by_box.world_from_instance[:, 1, :, 3] - place.world_from_anchor[:, 3]).max() > 0.5
    moved = randomized(scene, {"fill": {**SLOTS, "by": "origin", "x_m": 0.2, "yaw_deg": 90.0}}, range(1))
    expected = place.world_from_anchor @ np.vstack([at(0.2, 0, 0, 90), [0, 0, 0, 1]])
    assert moved.world_from_instance[0, 1] == pytest.approx(expected)


def test_every_item_is_as_likely_as_any_other():
    scene = box_scene(boxes(4), anchor("/S", "slot", at(0, 0, 0), (1, 1, 1)))
    item = randomized(scene, {"fill": SLOTS}, range(800)).drawn["p.fill.item"]
    assert stats.chisquare(np.bincount(item, minlength=5)[1:]).pvalue > 1e-3


def test_occupancy_is_the_share_of_filled_slots():
    anchors = [anchor(f"/S{i}", "slot", at(i, 0, 0), (1, 1, 1)) for i in range(10)]
    scene = box_scene(boxes(10), *anchors)
    filled = randomized(scene, {"fill": {**SLOTS, "occupancy": 0.3}}, range(200)).drawn["p.fill.filled"]
    assert stats.binomtest(int(filled.sum()), 2000, 0.3).pvalue > 1e-3


def test_a_slot_is_filled_only_on_filled_supports_and_settles_on_them():
    """A column of three, items of different heights: each stands exactly on the top of the one below."""
    column = [
        anchor(f"/S{i}", "slot", at(1, 1, 0.4 * i), (0.5, 0.5, 0.4), *([f"/S{i - 1}"] if i else [])) for i in range(3)
    ]
    scene = box_scene(boxes(8, step=0.02), *column)
    draft = randomized(scene, {"stack": {**SLOTS, "occupancy": 0.6, "settle": True}}, range(300))
    item = draft.drawn["p.stack.item"]
    held = item > 0
    assert (held[:, 0] | ~held[:, 1]).all()
    assert (held[:, 1] | ~held[:, 2]).all()
    assert stats.binomtest(int(held[:, 2].sum()), 300, 0.6**3).pvalue > 1e-3
    corners, rows = world_corners(scene, draft), np.flatnonzero(held[:, 2])
    floor = np.zeros(len(rows))
    for level in range(3):
        heights = corners[rows, item[rows, level] - 1][..., 2]
        assert heights.min(axis=1) == pytest.approx(floor, abs=1e-6)
        floor = heights.max(axis=1)


def test_what_does_not_fit_is_not_put_there():
    """Too wide, too high, and a turned item whose footprint grows; a side of 0 takes anything."""
    sizes = {"/Box/fits": (0.4, 0.3, 0.2), "/Box/high": (0.4, 0.3, 0.6), "/Box/wide": (0.6, 0.3, 0.2)}
    scene = box_scene(
        {path: ((50, 50, 0), size) for path, size in sizes.items()},
        anchor("/S", "slot", at(0, 0, 0), (0.5, 0.35, 0.5)),
        anchor("/Free", "free", at(0, 0, 0), (0, 0, 0)),
    )
    held = randomized(scene, {"fill": SLOTS}, range(30)).drawn["p.fill.item"]
    assert set(held) == {1}
    turned = randomized(scene, {"fill": {**SLOTS, "yaw_deg": 90.0}}, range(30))
    assert not turned.drawn["p.fill.item"].any()
    assert (turned.drawn["p.fill.starved"] == 1).all()
    assert not turned.visible[:, 1:].any()
    free = randomized(scene, {"fill": {**SLOTS, "anchors": "free"}}, range(100)).drawn["p.fill.item"]
    assert set(free) == {1, 2, 3}


@pytest.mark.parametrize(
    ("supports", "line"),
    [
        ((("/B",), ("/A",)), "randomize.fill.anchors: /A supports itself in a circle"),
        ((("/Gone",), ()), "randomize.fill.anchors: /A stands on /Gone, which is no anchor of 'slot'"),
    ],
)
def test_impossible_supports_are_named(supports: tuple, line: str):
    anchors = [anchor(path, "slot", at(0, 0, 0), (1, 1, 1), *on) for path, on in zip(("/A", "/B"), supports)]
    with pytest.raises(UserError) as caught:
        randomized(box_scene(boxes(2), *anchors), {"fill": SLOTS}, [0])
    assert str(caught.value) == line


def test_scattered_items_never_overlap_and_stay_on_their_floor():
    """Exact test of turned rectangles by separating axes; the gap holds between them."""
    floor = anchor("/F", "floor", at(3, -2, 0.1, 20), (4, 3, 0))
    scene = box_scene(boxes(20, size=(0.6, 0.3, 0.2)), floor)
    draft = randomized(scene, {"mess": SCATTER}, range(40))
    assert (draft.drawn["p.mess.placed"] + draft.drawn["p.mess.failed"] == 12).all()
    np.testing.assert_array_equal(draft.visible[:, 1:].sum(axis=1), draft.drawn["p.mess.placed"])
    corners = world_corners(scene, draft)
    for row in range(40):
        feet = [corners[row, i][[0, 2, 6, 4], :2] for i in range(20) if draft.visible[row, i + 1]]
        for i, first in enumerate(feet):
            assert all(_separation(first, second) >= 0.05 - 1e-6 for second in feet[i + 1 :])
    shown = corners[draft.visible[:, 1:]].reshape(-1, 3)
    local = (shown - floor.world_from_anchor[:, 3]) @ floor.world_from_anchor[:, :3]
    assert (np.abs(local[:, :2]) <= np.array([2.0, 1.5]) + 1e-6).all()
    assert local[:, 2].min() == pytest.approx(0.0, abs=1e-6)


def test_the_count_law_is_what_is_placed_where_there_is_room():
    scene = box_scene(boxes(6), anchor("/F", "floor", at(0, 0, 0), (10, 10, 0)))
    law = {"law": "integer", "low": 1, "high": 4}
    draft = randomized(scene, {"mess": {**SCATTER, "count": law}}, range(400))
    placed = draft.drawn["p.mess.placed"]
    np.testing.assert_array_equal(placed, draft.drawn["p.mess.count"])
    assert stats.chisquare(np.bincount(placed, minlength=5)[1:]).pvalue > 1e-3
    assert stats.chisquare(draft.visible[:, 1:].sum(axis=0)).pvalue > 1e-3  # which items: all as likely


def test_places_are_uniform_over_all_floors():
    """Two floors of areas 1 : 3, and small items: a quarter of them on the first, even along each side."""
    floors = [anchor("/F1", "floor", at(0, 0, 0), (2, 1, 0)), anchor("/F2", "floor", at(9, 0, 0), (2, 3, 0))]
    scene = box_scene(boxes(1, size=(1e-6, 1e-6, 0.1)), *floors)
    draft = randomized(scene, {"mess": {**SCATTER, "count": 1.0}}, range(1000))
    position = draft.world_from_instance[:, 1, :, 3] - draft.world_from_instance[0, 1, :, :3] @ [1.0, 0, 0]
    on_first = position[:, 0] < 4.0
    assert stats.binomtest(int(on_first.sum()), 1000, 0.25).pvalue > 1e-3


def test_obstacles_are_avoided_only_where_they_are_visible():
    """A block in the middle of the floor; hidden by `slots`, it takes no room."""
    scene = box_scene(
        {**boxes(5), "/Block": ((-1, -1, 0), (2, 2, 1))},
        anchor("/F", "floor", at(0, 0, 0), (4, 4, 0)),
        anchor("/S", "slot", at(0, 0, 0), (9, 9, 9)),
    )
    mess = {**SCATTER, "count": 5.0, "avoid": "/Block"}

    def some_in_the_middle(entries: dict) -> bool:
        corners = world_corners(scene, randomized(scene, entries, range(60)))[:, 1:, :, :2]  # the block is the first
        return bool((np.abs(corners.mean(axis=2)) < 1.0).all(axis=-1).any())

    assert scene.instances.path[1] == "/Block"
    assert not some_in_the_middle({"mess": mess})
    assert some_in_the_middle({"mess": mess, "hide": {**SLOTS, "items": "/Block", "occupancy": 0.0}})


def test_items_that_find_no_place_are_hidden_and_counted():
    scene = box_scene(boxes(9, size=(1.0, 1.0, 0.2)), anchor("/F", "floor", at(0, 0, 0), (2.2, 1.1, 0)))
    draft = randomized(scene, {"mess": {**SCATTER, "count": 9.0, "yaw_deg": 0.0}}, range(30))
    assert (draft.drawn["p.mess.placed"] <= 2).all()
    np.testing.assert_array_equal(draft.drawn["p.mess.failed"], 9 - draft.drawn["p.mess.placed"])


def test_a_floor_without_area_is_an_error():
    scene = box_scene(boxes(2), anchor("/F", "floor", at(0, 0, 0), (0, 0, 0)))
    with pytest.raises(UserError, match="none of the anchors has a floor; author ommatidia:size"):
        randomized(scene, {"mess": SCATTER}, [0])


def test_a_thousand_worlds_of_three_hundred_items_take_seconds():
    """Slots and scatter together; measured 2.4 s on one core."""
    slots = [anchor(f"/S{i:03d}", "slot", at(i, 0, 0), (0.5, 0.5, 0.5)) for i in range(200)]
    floors = [anchor("/F", "floor", at(0, 40, 0), (30, 30, 0))]
    few = {f"/Clutter/{i:03d}": ((0, 90, 0), (0.4, 0.3, 0.2)) for i in range(100)}
    scene = box_scene({**boxes(200), **few}, *slots, *floors)
    mess = {**SCATTER, "items": "/Clutter/*", "count": {"law": "integer", "low": 20, "high": 100}}
    begun = time.process_time()
    draft = randomized(scene, {"fill": {**SLOTS, "occupancy": uniform(0.2, 1)}, "mess": mess}, range(1000))
    assert time.process_time() - begun < 10.0
    assert draft.drawn["p.mess.failed"].sum() == 0


def _separation(first: np.ndarray, second: np.ndarray) -> float:
    """Return the widest gap between two convex polygons over their edge normals; below 0 they overlap."""
    best = -np.inf
    for polygon in (first, second):
        edges = np.roll(polygon, -1, axis=0) - polygon
        normals = np.stack([edges[:, 1], -edges[:, 0]], axis=-1)
        for normal in normals / np.linalg.norm(normals, axis=1, keepdims=True):
            a, b = first @ normal, second @ normal
            best = max(best, b.min() - a.max(), a.min() - b.max())
    return best
