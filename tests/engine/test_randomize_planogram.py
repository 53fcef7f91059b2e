"""Planograms: blocks of lines on boards, faults and counterfeits in the shares asked for, and nothing in one place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize.place.planogram import BLOCKS_MOST
from engine.scene.model import Scene
from tests.engine.randomize_scene import anchor, at, box_scene, randomized, uniform, world_corners

FAULTS = {"missing": 0.1, "misplaced": 0.1, "turned": 0.1, "fallen": 0.1, "pushed_back": 0.1}
NONE = dict.fromkeys(FAULTS, 0.0)
PLANOGRAM = {
    "kind": "planogram",
    "per": "world",
    "items": "/Shop/*",
    "counterfeits": "*/Fake_*",
    "boards": "board",
    "block_m": uniform(0.1, 0.4),
    "rows": {"law": "integer", "low": 1, "high": 3},
    "gap_m": 0.005,
    "front_m": uniform(0.0, 0.03),
    "yaw_deg": uniform(-20, 20),
    "department": 0.5,
    "counterfeit": 0.2,
    "faults": FAULTS,
    "tags": {"items": "/Tags/*", "share": 1.0, "out_m": 0.01, "drop_m": 0.04},
    "wobblers": None,
}
LINES = {
    "Drinks/Can": (0.06, 0.06, 0.12),
    "Drinks/Bottle": (0.07, 0.07, 0.28),
    "Food/Cereal": (0.18, 0.06, 0.25),
    "Food/Tea": (0.12, 0.07, 0.08),
    "Care/Soap": (0.09, 0.05, 0.04),
    "Care/Paste": (0.19, 0.04, 0.05),
}
BOARDS = [
    (0.0, 0.0, 0.2, 0.0),
    (0.0, 0.0, 0.6, 0.0),
    (1.5, 0.3, 0.2, 180.0),
    (1.5, 0.3, 0.6, 180.0),
]
SIZE_M = (0.98, 0.44, 0.3)


def shop(*, each: int = 40, fakes: int = 20) -> Scene:
    boxes: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {}
    for line, size in LINES.items():
        for k in range(each):
            boxes[f"/Shop/{line}/Item_{k:03d}"] = ((50.0 + k, 20.0, 3.0), size)
        for k in range(fakes):
            boxes[f"/Shop/{line}/Fake_{k:03d}"] = ((50.0 + k, 30.0, 3.0), size)
    for k in range(40):
        boxes[f"/Tags/Tag_{k:02d}"] = ((50.0 + k, 40.0, 3.0), (0.06, 0.001, 0.04))
    boards = [anchor(f"/Bay{i // 2}/B{i % 2}", "board", at(*p), SIZE_M) for i, p in enumerate(BOARDS)]
    return box_scene(boxes, *boards)


def stocked(worlds: Any = range(12), scene: Scene | None = None, **changes: Any) -> tuple[Scene, Draft]:
    scene = scene or shop()
    return scene, randomized(scene, {"shelf": PLANOGRAM | changes}, worlds)


def overlap_m(low: np.ndarray, high: np.ndarray) -> float:
    """Return the greatest depth by which two of some boxes [box, 3] interpenetrate."""
    shared = (np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])).min(axis=2)
    np.fill_diagonal(shared, -np.inf)
    return float(shared.max())


@pytest.mark.parametrize(
    "faults", [NONE, FAULTS, NONE | {"fallen": 1.0}, NONE | {"turned": 1.0}, NONE | {"misplaced": 1.0}]
)
def test_nothing_interpenetrates_and_all_stand_within_their_board(faults: dict[str, float]):
    """Boxes around turned and lying items are disjoint, stand on a board's level, below its clearance."""
    scene, draft = stocked(faults=faults)
    corners = world_corners(scene, draft)
    goods = np.array([path.startswith("/Shop/") for path in scene.instances.path[1:]])
    for row in range(len(draft.world)):
        seen = np.flatnonzero(draft.visible[row, 1:] & goods)
        low, high = corners[row, seen].min(axis=1), corners[row, seen].max(axis=1)
        assert len(seen) > 20
        assert overlap_m(low, high) < 1e-9
        level = np.where(low[:, 2] < 0.55, 0.2, 0.6)
        assert low[:, 2] == pytest.approx(level, abs=1e-9)
        assert (high[:, 2] <= level + SIZE_M[2] + 1e-9).all()
        middle = np.where(low[:, :1] < 0.6, [[0.0, 0.0]], [[1.5, 0.3]])
        reach = np.abs(np.stack([low[:, :2], high[:, :2]]) - middle).max(axis=0)
        assert (reach <= np.array(SIZE_M[:2]) / 2.0 + 0.005 / 2.0 + 1e-9).all()  # a turned item uses half a gap


def test_faults_and_counterfeits_have_the_shares_asked_for():
    """Binomial tests over all facings and items; misplaced and fallen ones need a place that fits, so are fewer."""
    _, draft = stocked(range(60), rows=1.0)
    drawn = draft.drawn
    facings = int(drawn["p.shelf.facings"].sum())
    for name in ("missing", "turned", "pushed_back"):
        assert stats.binomtest(int(drawn[f"p.shelf.{name}"].sum()), facings, 0.1).pvalue > 1e-3, name
    for name in ("misplaced", "fallen"):
        assert 0.02 * facings < drawn[f"p.shelf.{name}"].sum() < 0.12 * facings
    placed = int((drawn["p.shelf.placed"] - drawn["p.shelf.misplaced"]).sum())
    assert stats.binomtest(int(drawn["p.shelf.counterfeits"].sum()), placed, 0.2).pvalue > 1e-3
    assert (drawn["p.shelf.starved"] == 0).all()


def test_counts_are_those_of_what_is_seen():
    scene, draft = stocked()
    paths = np.array(scene.instances.path)
    fake = np.char.find(paths, "/Fake_") >= 0
    goods = np.char.startswith(paths, "/Shop/")
    tags = np.char.startswith(paths, "/Tags/")
    assert draft.drawn["p.shelf.placed"].tolist() == (draft.visible & goods).sum(axis=1).tolist()
    assert draft.drawn["p.shelf.counterfeits"].tolist() == (draft.visible & fake).sum(axis=1).tolist()
    blocks = (draft.drawn["p.shelf.line"] != "").sum(axis=1)
    assert draft.drawn["p.shelf.line"].shape == (12, len(BOARDS) * BLOCKS_MOST)
    assert (draft.visible & tags).sum(axis=1).tolist() == blocks.tolist()  # each block is wider than a tag


def test_a_bay_keeps_to_its_department():
    """The first block of each board is of it; the last ones are of whatever still fits."""
    _, draft = stocked(range(20), faults=NONE, department=1.0, counterfeit=0.0, rows=1.0)
    line = draft.drawn["p.shelf.line"][:, ::BLOCKS_MOST].reshape(20, 2, 2)
    for world in range(20):
        for bay in range(2):
            assert len({name.split("/")[2] for name in line[world, bay]}) == 1
    assert len({line[w, 0, 0] for w in range(20)}) >= 4


def test_what_is_sold_out_leaves_its_facing_empty():
    _, draft = stocked(faults=NONE | {"missing": 1.0})
    assert (draft.drawn["p.shelf.placed"] == 0).all()
    assert (draft.drawn["p.shelf.missing"] == draft.drawn["p.shelf.facings"].sum(axis=1)).all()


def test_few_items_make_short_blocks_and_none_is_in_two_places():
    scene, draft = stocked(scene=shop(each=2, fakes=0), counterfeits=None, tags=None)
    assert (draft.drawn["p.shelf.placed"] <= 12).all()
    assert (draft.drawn["p.shelf.placed"] >= 6).all()
    assert len(scene.instances.path) == 1 + 12 + 40


def test_worlds_do_not_depend_on_the_batch():
    scene = shop()
    _, together = stocked(range(6), scene)
    for world in range(6):
        _, alone = stocked([world], scene)
        assert np.array_equal(alone.world_from_instance[0], together.world_from_instance[world])
        assert np.array_equal(alone.visible[0], together.visible[world])


def test_items_without_a_line_or_lines_without_a_genuine_item_are_refused():
    one = box_scene({"/Can": ((0, 0, 0), (1, 1, 1))}, anchor("/B", "board", at(0, 0, 0), SIZE_M))
    with pytest.raises(
        UserError, match=r"randomize\.shelf\.items: .* is no line; items lie in <department>/<line>/<item>"
    ):
        randomized(one, {"shelf": PLANOGRAM | {"items": "/Can", "counterfeits": None, "tags": None}}, [0])
    with pytest.raises(UserError, match=r"randomize\.shelf\.counterfeits: .* has counterfeits only"):
        stocked(counterfeits="/Shop/Care/Soap/*")
