"""Stacks: nothing hangs over too far, no column tips, limits of turns and heights, and nothing depends on the batch."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.spatial import ConvexHull

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize.kinds import randomizer
from engine.randomize.place.overhang import overhang_share
from engine.scene.model import Scene
from tests.engine.randomize_scene import anchor, at, box_scene, randomized, uniform, world_corners

STACK = {
    "kind": "stack",
    "items": "/Box/*",
    "anchors": "pile",
    "levels": {"law": "integer", "low": 1, "high": 5},
    "overhang": uniform(0.0, 0.45),
    "yaw_deg": uniform(-30, 30),
    "margin": 0.02,
    "order": "any",
    "tries": 24,
}


def mixed_boxes(count: int) -> dict:
    """Return boxes of different sizes far away."""
    rng = np.random.default_rng(5)
    sizes = rng.uniform([0.3, 0.2, 0.1], [0.6, 0.5, 0.4], size=(count, 3))
    return {f"/Box/{i:03d}": ((100.0 + i, 50.0, 7.0), tuple(sizes[i])) for i in range(count)}


def piles() -> Scene:
    anchors = [
        anchor("/A", "pile", at(2, 1, 0.5, 20), (0, 0, 0)),
        anchor("/B", "pile", at(-4, 0, 0, 80), (1.2, 1.0, 1.5)),
    ]
    return box_scene(mixed_boxes(14), *anchors)


def columns(scene: Scene, draft: Draft, row: int) -> list[list[np.ndarray]]:
    """Return the corners [8, 3] of the boxes on each anchor, lowest first."""
    corners = world_corners(scene, draft)[row]
    shown = [corners[i] for i in range(len(corners)) if draft.visible[row, i + 1]]
    found = []
    for place in scene.anchors:
        own = [box for box in shown if np.linalg.norm(box.mean(axis=0)[:2] - place.world_from_anchor[:2, 3]) < 2.5]
        found.append(sorted(own, key=lambda box: box[:, 2].min()))
    return found


def stands(upper: list[np.ndarray], below: np.ndarray, scale: float = 1.0) -> bool:
    """Return whether downward forces at the contact of the first of `upper` and `below` can carry all of `upper`.

    A linear programme: the centre of mass is a mix of points that lie in both footprints.
    """
    masses = [ConvexHull(box).volume for box in upper]
    center = np.average([box.mean(axis=0)[:2] for box in upper], axis=0, weights=masses)
    feet = [box[np.argsort(box[:, 2])[:4], :2] for box in (upper[0], below)]
    feet = [foot.mean(axis=0) + scale * (foot - foot.mean(axis=0)) for foot in feet]
    for foot in feet:
        mix = np.vstack([foot.T, np.ones(4)])
        if linprog(np.zeros(4), A_eq=mix, b_eq=[*center, 1.0], method="highs").status != 0:
            return False
    return True


def test_every_contact_of_every_column_carries_what_is_above_it():
    """Checked from the boxes' corners alone, by linear programmes, with the margin; and levels touch exactly."""
    scene = piles()
    draft = randomized(scene, {"s": STACK}, range(40))
    contacts = 0
    for row in range(40):
        for number, column in enumerate(columns(scene, draft, row)):
            assert len(column) == draft.drawn["p.s.height"][row, number]
            for level in range(1, len(column)):
                assert column[level][:, 2].min() == pytest.approx(column[level - 1][:, 2].max(), abs=1e-6)
                assert stands(column[level:], column[level - 1], scale=0.96 + 1e-6)
                contacts += 1
    assert contacts > 50


def test_stability_is_what_limits_columns_of_far_shifts():
    """Where much may hang over, some places that the overhang allows would tip: they are never taken."""
    scene = box_scene(
        {f"/Box/{i}": ((9 + i, 0, 0), (0.4, 0.4, 0.2)) for i in range(6)}, anchor("/A", "pile", at(0, 0, 0), (0, 0, 0))
    )
    bold = {**STACK, "levels": 6, "overhang": 0.49, "yaw_deg": 0.0, "margin": 0.0}
    draft = randomized(scene, {"s": bold}, range(60))
    total = 0.0
    for row in range(60):
        (column,) = columns(scene, draft, row)
        for level in range(1, len(column)):
            assert stands(column[level:], column[level - 1], scale=1.0 + 1e-6)
            total += np.abs(column[level].mean(axis=0) - column[level - 1].mean(axis=0))[:2].max() > 0.1
    assert total > 30  # it does shift far


def test_no_more_hangs_over_than_asked_and_turns_obey_their_law():
    scene = piles()
    draft = randomized(scene, {"s": STACK}, range(200))
    assert (draft.drawn["p.s.hangs_over"] <= draft.drawn["p.s.overhang"] + 1e-12).all()
    assert draft.drawn["p.s.hangs_over"].max() > 0.3
    own = draft.world_from_instance[:, 1:][draft.visible[:, 1:]]
    yaw = np.rad2deg(np.arctan2(own[:, 1, 0], own[:, 0, 0]))
    near_a = own[:, 0, 3] > 0
    assert -30 - 1e-6 <= (yaw[near_a] - 20).min() < -25
    assert 25 < (yaw[near_a] - 20).max() <= 30 + 1e-6


def test_the_turn_of_every_box_that_stands_is_recorded():
    """Column (anchor, level) of `yaw_deg` is the turn of that box about its anchor, read off its pose."""
    scene, level_count = piles(), 5
    draft = randomized(scene, {"s": STACK}, range(30))
    recorded = draft.drawn["p.s.yaw_deg"].reshape(30, 2, level_count)
    compared = 0
    for row in range(30):
        poses = draft.world_from_instance[row, 1:][draft.visible[row, 1:]]
        for number, place in enumerate(scene.anchors):
            frame = place.world_from_anchor
            own = [pose for pose in poses if np.linalg.norm(pose[:2, 3] - frame[:2, 3]) < 2.5]
            own.sort(key=lambda pose: pose[2, 3])
            assert len(own) == draft.drawn["p.s.height"][row, number]
            for level, pose in enumerate(own):
                turn = frame[:, :3].T @ pose[:, :3]
                yaw_deg = np.rad2deg(np.arctan2(turn[1, 0], turn[0, 0]))
                assert yaw_deg == pytest.approx(recorded[row, number, level], abs=1e-4)
                compared += 1
    assert compared > 60


def test_columns_stay_inside_a_box_that_has_sides():
    scene = piles()
    draft = randomized(scene, {"s": STACK}, range(60))
    frame = scene.anchors[1].world_from_anchor
    for row in range(60):
        for box in columns(scene, draft, row)[1]:
            local = (box - frame[:, 3]) @ frame[:, :3]
            assert (np.abs(local[:, :2]) <= np.array([0.6, 0.5]) + 2e-6).all()
            assert local[:, 2].max() <= 1.5 + 2e-6


def test_levels_are_as_asked_where_nothing_is_in_the_way():
    scene = box_scene(mixed_boxes(8), anchor("/A", "pile", at(0, 0, 0), (0, 0, 0)))
    easy = {**STACK, "overhang": 0.45, "order": "larger_below", "yaw_deg": 0.0, "tries": 200}
    draft = randomized(scene, {"s": easy}, range(100))
    np.testing.assert_array_equal(draft.drawn["p.s.height"], draft.drawn["p.s.levels"])
    assert not draft.drawn["p.s.cut"].any()
    for row in range(100):
        (column,) = columns(scene, draft, row)
        areas = [np.prod(np.ptp(box[:, :2], axis=0)) for box in column]
        assert areas == sorted(areas, reverse=True)


def test_a_column_that_finds_no_place_ends_and_is_counted():
    """Small below, large above, and nothing may hang over: only the first level stands."""
    scene = box_scene(
        {"/Box/a": ((9, 0, 0), (0.2, 0.2, 0.2)), "/Box/b": ((9, 3, 0), (0.2, 0.2, 0.2))},
        anchor("/A", "pile", at(0, 0, 0), (0, 0, 0)),
    )  # fmt: skip
    draft = randomized(scene, {"s": {**STACK, "levels": 2, "overhang": 0.0, "yaw_deg": uniform(5, 85)}}, range(20))
    assert (draft.drawn["p.s.height"] == 1).all()
    assert (draft.drawn["p.s.cut"] == 1).all()


def test_a_world_is_the_same_in_any_batch():
    scene = piles()
    many, few = (randomized(scene, {"s": STACK}, worlds) for worlds in (range(12), [9, 4]))
    np.testing.assert_array_equal(many.world_from_instance[[9, 4]], few.world_from_instance)
    for name, values in few.drawn.items():
        np.testing.assert_array_equal(many.drawn[name][[9, 4]], values)


def test_the_share_that_hangs_over_is_what_points_say():
    """Turned rectangles, 30 pairs: the share of 40,000 even points of the upper one that are outside the lower one."""
    rng = np.random.default_rng(2)
    middle, half, turn = rng.uniform(-0.5, 0.5, (30, 2)), rng.uniform(0.1, 0.6, (30, 2)), rng.uniform(0, 6, 30)
    on = np.zeros((30, 2)), rng.uniform(0.1, 0.6, (30, 2)), rng.uniform(0, 6, 30)
    share = overhang_share((middle, half, turn), on)
    grid = (np.stack(np.meshgrid(*[np.arange(200)] * 2), axis=-1).reshape(-1, 2) + 0.5) / 100 - 1
    for i in range(30):
        cos, sin = np.cos(turn[i]), np.sin(turn[i])
        points = (grid * half[i]) @ np.array([[cos, sin], [-sin, cos]]) + middle[i]
        cos, sin = np.cos(on[2][i]), np.sin(on[2][i])
        local = points @ np.array([[cos, -sin], [sin, cos]])
        assert share[i] == pytest.approx(1 - (np.abs(local) <= on[1][i]).all(axis=1).mean(), abs=0.01)
    apart = overhang_share((np.array([[5.0, 0.0]]), half[:1], turn[:1]), tuple(part[:1] for part in on))
    assert apart[0] == 1.0


@pytest.mark.parametrize(("key", "value"), [("margin", 0.5), ("tries", 0), ("order", "smaller_below")])
def test_what_makes_no_sense_is_refused_by_name(key: str, value: object):
    with pytest.raises(UserError, match=rf"^randomize\.x.*{key}|smaller_below"):
        randomizer("x", {**STACK, key: value})
