"""Settling: at rest on the ground by closed forms, the same in any batch, found again without Newton, and refusals."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize.kinds import randomizer
from engine.randomize.place import drop, rest_cache
from engine.scene.model import Scene
from tests.engine.randomize_scene import CORNERS, anchor, at, randomized
from tests.engine.test_placing import BOX_SIDES, VOLUME, convex_items, solid_scene, world_points

needs_newton = pytest.mark.skipif(importlib.util.find_spec("newton") is None, reason="the extra `settle` is missing")
RAIN = {**VOLUME, "count": 6, "gap_m": 0.01}
SETTLE = {"kind": "settle", "items": "/Item/*", "ground": "/Floor", "seconds": 0.8, "step_s": 0.004, "friction": 0.5}
SLAB = (CORNERS * [4.0, 4.0, 0.2] - [2.0, 2.0, 0.2], BOX_SIDES)  # its top at z = 0


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMMATIDIA_CACHE", str(tmp_path))


def rained(count: int = 6) -> Scene:
    shapes = {**convex_items(count, 8, 0.12), "/Floor": SLAB}
    return solid_scene(shapes, anchor("/A", "air", at(0, 0, 0.05), (0.6, 0.6, 0.4)))


def heaped(scene: Scene, worlds: object, **settle: object) -> Draft:
    return randomized(scene, {"a_rain": RAIN, "b_heap": {**SETTLE, **settle}}, worlds)


@needs_newton
def test_boxes_come_to_rest_flat_on_the_floor():
    """A box of 0.2 x 0.15 x 0.1 m ends with a side level and its centre half of one of its sizes above the ground."""
    box = {"/Item/box": (CORNERS * [0.2, 0.15, 0.1], BOX_SIDES), "/Floor": SLAB}
    scene = solid_scene(box, anchor("/A", "air", at(0, 0, 0.02), (0.5, 0.5, 0.3)))
    entries = {"a_rain": {**RAIN, "count": 1}, "b_heap": {**SETTLE, "seconds": 1.6}}
    draft = randomized(scene, entries, range(5))
    item = scene.instances.path.index("/Item/box")
    for row in range(5):
        points = world_points(scene, draft, row, item)
        height = 2 * min(abs(points.mean(axis=0)[2] - half) for half in (0.1, 0.075, 0.05))
        assert height < 0.002
        assert abs(points[:, 2].min()) < 0.001
    assert (draft.drawn["p.b_heap.speed_m_s"] < 0.05).all()
    assert (draft.drawn["p.b_heap.overlap_m"] < 0.001).all()
    turns = draft.world_from_instance[:, item, :, :3]
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turns.shape), atol=1e-12)


@needs_newton
def test_a_world_rests_in_the_same_place_in_any_batch(monkeypatch: pytest.MonkeyPatch):
    """Bit for bit: alone, among others, in another order; nothing is found in the cache."""
    monkeypatch.setenv("OMMATIDIA_CACHE", "")
    scene = rained()
    many = heaped(scene, range(5))
    few = heaped(scene, [4, 1])
    alone = heaped(scene, [3])
    np.testing.assert_array_equal(many.world_from_instance[[4, 1]], few.world_from_instance)
    np.testing.assert_array_equal(many.world_from_instance[[3]], alone.world_from_instance)
    assert not np.array_equal(many.world_from_instance[0], many.world_from_instance[1])


@needs_newton
def test_what_came_to_rest_is_found_again_without_newton(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Kept by content: another friction, or another seed, is another drop; a damaged file is none."""
    scene = rained()
    first = heaped(scene, range(2))
    files = sorted((tmp_path / "settled").iterdir())
    assert len(files) == 2
    monkeypatch.setitem(sys.modules, "newton", None)
    again = heaped(scene, [1, 0])
    np.testing.assert_array_equal(again.world_from_instance, first.world_from_instance[[1, 0]])
    for name, values in again.drawn.items():
        np.testing.assert_array_equal(values, first.drawn[name][[1, 0]])
    for changed in ({"friction": 0.4}, {"step_s": 0.005}, {"seconds": 0.9}):
        with pytest.raises(UserError, match="Newton"):
            heaped(scene, [0], **changed)
    with pytest.raises(UserError, match="Newton"):
        heaped(scene, [2])
    files[0].write_bytes(files[0].read_bytes()[:-1])
    with pytest.raises(UserError, match="Newton"):
        heaped(scene, range(2))


def test_without_newton_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "newton", None)
    line = "randomize.b_heap.kind: settling needs Newton, which is not installed; pip install 'ommatidia[settle]'"
    with pytest.raises(UserError) as caught:
        heaped(rained(), [0])
    assert str(caught.value) == line


def test_quaternions_turn_as_scipy_says():
    rng = np.random.default_rng(4)
    turns, vectors = Rotation.from_quat(rng.normal(size=(50, 4))), rng.normal(size=(50, 3))
    np.testing.assert_allclose(drop.turned(turns.as_quat(), vectors), turns.apply(vectors), atol=1e-12)


def test_nothing_is_kept_where_there_is_no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    rest = drop.Rest(np.ones((2, 7), np.float32), np.zeros(2, np.float32), 0.0)
    rest_cache.keep("a" * 40, rest)
    np.testing.assert_array_equal(rest_cache.kept("a" * 40, 2).pose, rest.pose)
    assert rest_cache.kept("a" * 40, 3) is None
    monkeypatch.setenv("OMMATIDIA_CACHE", "")
    rest_cache.keep("b" * 40, rest)
    assert rest_cache.kept("a" * 40, 2) is None
    assert [file.name[0] for file in (tmp_path / "settled").iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"step_s": 0.0}, r"seconds / step_s must be in 1\.\.100000 steps"),
        ({"seconds": 1e4}, r"seconds / step_s must be in 1\.\.100000 steps"),
        ({"friction": -1}, r"friction must be in \[0, 10\], got -1"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(change: dict, line: str):
    with pytest.raises(UserError, match=f"^randomize.x: {line}$"):
        randomizer("x", {**SETTLE, **change})


def test_what_falls_cannot_be_the_ground():
    with pytest.raises(UserError, match=r"^randomize\.b_heap\.ground: /Item/000 is among the items that fall too$"):
        heaped(rained(), [0], ground="/Item/000")
