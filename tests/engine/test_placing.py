"""Scatter on surfaces and in volumes: an independent referee of overlap, densities, blue noise, slopes and batches."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, cKDTree

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize.kinds import randomizer
from engine.randomize.place import clutter, scattering
from engine.randomize.place.hulls import MOST_CORNERS, outer_hull
from engine.randomize.place.throwing import Thrown, throw
from engine.randomize.pose import compose
from engine.registry import RANDOMIZERS, Entry
from engine.scene.model import Scene
from tests.engine.randomize_scene import CORNERS, anchor, at, box_scene, randomized, uniform
from tests.engine.scatter_reference import scatter_in_numpy
from tests.engine.test_randomize_layout import SCATTER, boxes

VOLUME = {
    "kind": "scatter_volume",
    "items": "/Item/*",
    "anchors": "air",
    "count": 30,
    "per_m3": None,
    "yaw_deg": None,
    "distance_m": 0.0,
    "gap_m": 0.0,
    "overlap": "hull",
    "avoid": None,
    "tries": 20,
}
SURFACE = {
    "kind": "scatter_surface",
    "items": "/Item/*",
    "carriers": "/Ground",
    "anchors": None,
    "count": 40,
    "per_m2": None,
    "steepest_deg": 30.0,
    "align": False,
    "yaw_deg": uniform(0, 360),
    "distance_m": 0.0,
    "gap_m": 0.0,
    "overlap": "box",
    "avoid": None,
    "tries": 30,
}
BOX_SIDES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4],
     [1, 5, 7], [1, 7, 3]], np.int32,
)  # fmt: skip


def solid_scene(shapes: dict[str, tuple[np.ndarray, np.ndarray]], *anchors) -> Scene:
    """Return a scene of shapes, path -> (points, triangles), placed as they are given."""
    scene = box_scene(dict.fromkeys(shapes, ((0, 0, 0), (1, 1, 1))), *anchors)
    meshes = tuple(
        dataclasses.replace(
            mesh, points_m=shapes[mesh.name][0].astype(np.float32), triangle=shapes[mesh.name][1],
            slot=np.zeros(len(shapes[mesh.name][1]), np.int32),
        )
        for mesh in scene.meshes
    )  # fmt: skip
    return dataclasses.replace(scene, meshes=meshes)


def convex_items(count: int, corners: int, size_m: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return random convex bodies."""
    rng = np.random.default_rng(7)
    found = {}
    for i in range(count):
        points = rng.normal(size=(corners, 3)) * [1.0, 0.5, 0.25]
        points *= size_m / np.abs(points).max()
        found[f"/Item/{i:03d}"] = points, ConvexHull(points).simplices.astype(np.int32)
    return found


def world_points(scene: Scene, draft: Draft, row: int, instance: int) -> np.ndarray:
    """Return the points of an instance of one mesh where a draft has it; frames lie one metre beside the meshes."""
    pose = draft.world_from_instance[row, instance]
    return (scene.meshes[instance - 1].points_m - [1.0, 0.0, 0.0]) @ pose[:, :3].T + pose[:, 3]


def share_a_point(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether the hulls of two sets of points meet: is there a point that both can mix?"""
    mix = np.block([[a.T, -b.T], [np.ones(len(a)), np.zeros(len(b))], [np.zeros(len(a)), np.ones(len(b))]])
    return linprog(np.zeros(mix.shape[1]), A_eq=mix, b_eq=[0, 0, 0, 1, 1], method="highs").status == 0


def shown_points(scene: Scene, draft: Draft, row: int) -> list[np.ndarray]:
    return [world_points(scene, draft, row, i) for i in np.flatnonzero(draft.visible[row]) if i > 0]


def test_scatter_is_what_plain_numpy_makes_to_the_bit(monkeypatch: pytest.MonkeyPatch):
    """The kernel against item after item, try after try; with obstacles, two floors, too little room."""
    few = {f"/Box/{i:03d}": ((0, 90, 0), (0.2 + 0.01 * i, 0.3, 0.2)) for i in range(40)}
    floors = [anchor("/F", "floor", at(0, 0, 0, 33), (5, 5, 0)), anchor("/G", "floor", at(9, 9, 0, 10), (3, 2, 0))]
    scene = box_scene({**few, "/Block": ((-1, -1, 0), (2, 2, 1))}, *floors)
    mess = {**SCATTER, "count": {"law": "integer", "low": 20, "high": 40}, "avoid": "/Block", "tries": 12}
    by_kernel = randomized(scene, {"mess": mess}, range(40))
    reference = Entry("scatter", clutter.Scatter, scatter_in_numpy)
    monkeypatch.setitem(RANDOMIZERS._entries, "scatter", reference)
    by_numpy = randomized(scene, {"mess": mess}, range(40))
    assert 0 < by_kernel.drawn["p.mess.failed"].sum() < 400
    np.testing.assert_array_equal(by_kernel.world_from_instance, by_numpy.world_from_instance)
    np.testing.assert_array_equal(by_kernel.visible, by_numpy.visible)
    for name, values in by_numpy.drawn.items():
        np.testing.assert_array_equal(by_kernel.drawn[name], values)


@pytest.mark.parametrize(("overlap", "corners"), [("box", 0), ("hull", 4), ("hull", 12)])
def test_the_second_of_two_items_lands_exactly_where_the_bodies_are_apart(
    overlap: str, corners: int, monkeypatch: pytest.MonkeyPatch
):
    """One try each: it lands if and only if a linear programme finds no common point; 200 pairs."""
    sizes = {"/Item/a": (0.6, 0.3, 0.2), "/Item/b": (0.8, 0.1, 0.4)}
    box = {path: (CORNERS * size, BOX_SIDES) for path, size in sizes.items()}
    scene = solid_scene(
        convex_items(2, corners, 0.4) if corners else box, anchor("/A", "air", at(3, 2, 1, 40), (1, 1, 1))
    )
    tried = []  # also where the second did not land

    def kept(items, order, *rest) -> Thrown:
        tried.append((items, order, throw(items, order, *rest)))
        return tried[-1][-1]

    monkeypatch.setattr(scattering, "throw", kept)
    draft = randomized(scene, {"fly": {**VOLUME, "count": 2, "overlap": overlap, "tries": 1}}, range(200))
    items, order, thrown = tried[0]
    fits = (thrown.attempt[:, 0] >= 0) & np.isfinite(thrown.place).all(axis=(1, 2, 3))
    meet = np.zeros(200, bool)
    for row in range(200):
        bodies = []
        for number, item in enumerate(order[row]):
            pose = compose(thrown.place[row, number], items.stood_from_instance[item])
            mesh = scene.meshes[items.instance[item] - 1]
            bodies.append((mesh.points_m - [1.0, 0.0, 0.0]) @ pose[:, :3].T + pose[:, 3])
        meet[row] = share_a_point(*bodies)
    assert fits.all()
    np.testing.assert_array_equal(draft.drawn["p.fly.failed"], meet)
    assert 10 < meet.sum() < 180


def test_a_crowd_in_a_volume_never_interpenetrates_and_stays_inside():
    """Every pair of 30 bodies whose boxes meet, against the linear programme; some find no place and are hidden."""
    scene = solid_scene(convex_items(30, 10, 0.25), anchor("/A", "air", at(3, 2, 1, 40), (1.2, 1.0, 0.8)))
    draft = randomized(scene, {"fly": {**VOLUME, "tries": 6}}, range(4))
    failed, placed = draft.drawn["p.fly.failed"], draft.drawn["p.fly.placed"]
    assert (failed + placed == 30).all()
    assert failed.sum() > 0
    np.testing.assert_array_equal(draft.visible[:, 1:].sum(axis=1), placed)
    inverse = np.linalg.inv(np.vstack([scene.anchors[0].world_from_anchor, [0, 0, 0, 1]]))
    compared = 0
    for row in range(4):
        bodies = shown_points(scene, draft, row)
        for i, first in enumerate(bodies):
            local = first @ inverse[:3, :3].T + inverse[:3, 3]
            assert (np.abs(local[:, :2]) <= np.array([0.6, 0.5]) + 1e-6).all()
            assert local[:, 2].min() >= -1e-6
            assert local[:, 2].max() <= 0.8 + 1e-6
            for second in bodies[i + 1 :]:
                if (first.max(axis=0) > second.min(axis=0)).all() and (second.max(axis=0) > first.min(axis=0)).all():
                    compared += 1
                    assert not share_a_point(first, second)
    assert compared > 50


def test_a_gap_is_kept_between_hulls():
    """Growing every body by half the gap, in the directions of a ball's points, still leaves no common point."""
    ball = np.array(
        [[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if (x, y, z) != (0, 0, 0)], float
    )
    ball *= 0.0249 / np.linalg.norm(ball, axis=1, keepdims=True)
    scene = solid_scene(convex_items(12, 8, 0.2), anchor("/A", "air", at(0, 0, 0), (1, 1, 1)))
    draft = randomized(scene, {"fly": {**VOLUME, "count": 12, "gap_m": 0.05}}, range(3))
    assert draft.drawn["p.fly.placed"].min() > 6
    for row in range(3):
        bodies = [(p[:, None] + ball).reshape(-1, 3) for p in shown_points(scene, draft, row)]
        assert not any(share_a_point(a, b) for i, a in enumerate(bodies) for b in bodies[i + 1 :])


def test_hulls_with_many_corners_are_replaced_by_ones_around_them():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(500, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    outer = outer_hull(points)
    hull = ConvexHull(outer)
    assert len(outer) <= MOST_CORNERS
    assert (points @ hull.equations[:, :3].T + hull.equations[:, 3]).max() <= 1e-9
    assert hull.volume < 1.35 * 4 / 3 * np.pi


def test_any_rotation_is_as_likely_as_any_other():
    """Each axis of the item points evenly over the sphere, and the angle of the turn follows (1 - cos) / pi."""
    u = np.random.default_rng(1).uniform(size=(3, 4000))
    turn = scattering.any_rotation(list(u))
    np.testing.assert_allclose(turn @ turn.transpose(0, 2, 1), np.broadcast_to(np.eye(3), turn.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turn), 1.0)
    for axis in range(3):
        assert stats.kstest(turn[:, 2, axis], "uniform", (-1, 2)).pvalue > 1e-3
        assert (
            stats.kstest(np.arctan2(turn[:, 1, axis], turn[:, 0, axis]), "uniform", (-np.pi, 2 * np.pi)).pvalue > 1e-3
        )
    angle = np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert stats.kstest(angle, lambda a: (a - np.sin(a)) / np.pi).pvalue > 1e-3


def ground_and_dots(count: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return a ground of a flat part, 3 m x 2 m, a gentle slope of the same plan, and a steep one, and tiny boxes."""
    gentle, steep = 2 * np.tan(np.deg2rad(20)), 2 * np.tan(np.deg2rad(50))
    points = np.array(
        [[0, 0, 0], [3, 0, 0], [3, 2, 0], [0, 2, 0], [3, 4, gentle], [0, 4, gentle], [3, -2, steep], [0, -2, steep]],
        float,
    )
    triangles = np.array([[0, 1, 2], [0, 2, 3], [3, 2, 4], [3, 4, 5], [7, 6, 1], [7, 1, 0]], np.int32)
    dots = {f"/Item/{i:03d}": (CORNERS * [1e-3, 1e-3, 2e-3], BOX_SIDES) for i in range(count)}
    return {"/Ground": (points, triangles), **dots}


def feet_of(draft: Draft, first: int, height_m: float) -> np.ndarray:
    """Return the middles of the lower faces of tiny boxes, where they are shown."""
    pose = draft.world_from_instance[:, first:]
    middle = pose[..., 3] + np.einsum("rnij,j->rni", pose[..., :3], np.array([-1.0 + 5e-4, 5e-4, 0.5 * height_m]))
    return (middle - 0.5 * height_m * pose[..., :3, 2])[draft.visible[:, first:]]


def test_places_are_even_over_all_that_faces_up_and_nowhere_else():
    """Per area, not per plan: chi-square over 24 cells of the flat and of the gentle part; none on the steep part."""
    scene = solid_scene(ground_and_dots(40))
    draft = randomized(scene, {"strew": {**SURFACE, "overlap": "footprint"}}, range(200))
    assert draft.drawn["p.strew.failed"].sum() == 0
    feet = feet_of(draft, 2, 2e-3)
    np.testing.assert_allclose(feet[:, 2], np.maximum(feet[:, 1] - 2, 0) * np.tan(np.deg2rad(20)), atol=1e-6)
    assert feet[:, 1].min() >= -1e-6
    cells = np.histogram2d(feet[:, 0], feet[:, 1], bins=[4, 6], range=[[0, 3], [0, 4]])[0]
    area = np.repeat([1.0, 1.0 / np.cos(np.deg2rad(20))], 3)[None].repeat(4, axis=0)
    assert stats.chisquare(cells.ravel(), (area / area.sum() * cells.sum()).ravel()).pvalue > 1e-3


def test_aligned_items_stand_along_the_surface_and_others_upright():
    scene = solid_scene(ground_and_dots(20))
    for align, up in [(False, np.zeros(20)), (True, np.where(np.arange(20) >= 0, 20.0, 0.0))]:
        draft = randomized(
            scene, {"strew": {**SURFACE, "count": 20, "align": align, "overlap": "footprint"}}, range(30)
        )
        slope = np.rad2deg(np.arccos(np.clip(draft.world_from_instance[:, 2:, 2, 2], -1, 1)))
        on_slope = draft.world_from_instance[:, 2:, 2, 3] > 0.01
        assert on_slope.any()
        np.testing.assert_allclose(slope[on_slope], up[0], atol=1e-4)
        np.testing.assert_allclose(slope[~on_slope].min(), 0.0, atol=1e-4)


def test_surfaces_are_where_their_instances_were_moved_to_and_hidden_ones_carry_nothing():
    """The ground goes into a slot before; in worlds where the slot stays empty, all fails and is counted."""
    slot = anchor("/S", "slot", at(10, 20, 5, 90), (0, 0, 0))
    scene = solid_scene(ground_and_dots(5), slot)
    fill = {
        "kind": "slots", "items": "/Ground", "anchors": "slot", "occupancy": 0.5, "x_m": 0.0, "y_m": 0.0,
        "yaw_deg": 0.0, "settle": False,
    }  # fmt: skip
    draft = randomized(scene, {"fill": fill, "strew": {**SURFACE, "count": 5, "steepest_deg": 1.0}}, range(60))
    there = draft.drawn["p.fill.filled"] == 1
    assert 0 < there.sum() < 60
    np.testing.assert_array_equal(draft.drawn["p.strew.failed"], np.where(there, 0, 5))
    feet = feet_of(draft, 2, 2e-3)
    np.testing.assert_allclose(feet[:, 2], 5.0, atol=1e-6)
    assert np.abs(feet[:, :2] - [10, 20]).max() < 4.0


def test_a_density_is_the_mean_number_on_a_square_metre_that_carries():
    """6 m^2 flat and 6 / cos 20 deg sloped, 3.21 a square metre: rounding at random keeps the mean."""
    scene = solid_scene(ground_and_dots(60))
    dense = {**SURFACE, "count": None, "per_m2": 3.21, "overlap": "footprint"}
    placed = randomized(scene, {"strew": dense}, range(300)).drawn["p.strew.placed"]
    wanted = 3.21 * (6 + 6 / np.cos(np.deg2rad(20)))
    assert placed.mean() == pytest.approx(wanted, abs=0.12)
    assert set(placed) <= {int(wanted), int(wanted) + 1}
    few = randomized(solid_scene(ground_and_dots(10)), {"strew": dense}, range(50))
    assert (few.drawn["p.strew.placed"] + few.drawn["p.strew.short"]).mean() == pytest.approx(wanted, abs=0.3)


def test_a_least_distance_makes_blue_noise():
    """No two feet are nearer, discs fill more than half of their jamming limit, and every square metre holds nearly as
    many as any other: a Fano factor far below that of blind throws, which is 5/6 for six cells.
    """
    scene = solid_scene(ground_and_dots(60))
    blue = {**SURFACE, "count": 60, "distance_m": 0.3, "steepest_deg": 1.0, "overlap": "footprint", "tries": 200}
    fano = {}
    for distance_m in (0.0, 0.3):
        draft = randomized(scene, {"strew": {**blue, "distance_m": distance_m}}, range(60))
        feet = [feet_of_row(draft, row) for row in range(60)]
        cells = [np.histogram2d(*f[:, :2].T, bins=[3, 2], range=[[0, 3], [0, 2]])[0].ravel() for f in feet]
        fano[distance_m] = np.var(cells, axis=0).mean() / np.mean(cells)
    nearest = min(cKDTree(f).query(f, 2)[0][:, 1].min() for f in feet)
    assert 0.3 - 1e-6 <= nearest < 0.31
    assert draft.drawn["p.strew.placed"].mean() > 0.5 * 0.547 * 6 / (np.pi * 0.15**2)
    assert fano[0.0] > 0.6
    assert fano[0.3] < 0.3


def feet_of_row(draft: Draft, row: int) -> np.ndarray:
    one = dataclasses.replace(draft, world_from_instance=draft.world_from_instance[row : row + 1],
        visible=draft.visible[row : row + 1])  # fmt: skip
    return feet_of(one, 2, 2e-3)


@pytest.mark.parametrize("entry", [VOLUME, {**SURFACE, "carriers": "/Box/*", "overlap": "hull", "avoid": None}])
def test_a_world_is_the_same_in_any_batch(entry: dict):
    shapes = {**convex_items(20, 8, 0.2), "/Box/floor": (CORNERS * [1.5, 1.5, 0.1], BOX_SIDES)}
    scene = solid_scene(shapes, anchor("/A", "air", at(0, 0, 0), (1, 1, 1)))
    how = {"x": {**entry, "count": 20, "items": "/Item/*"}}
    many = randomized(scene, how, range(9))
    few = randomized(scene, how, [7, 2])
    np.testing.assert_array_equal(many.world_from_instance[[7, 2]], few.world_from_instance)
    np.testing.assert_array_equal(many.drawn["p.x.failed"][[7, 2]], few.drawn["p.x.failed"])


def test_what_is_avoided_is_kept_clear_of_in_space():
    """A block in the middle of the air: items stay clear of it, but use the room above it."""
    shapes = {**convex_items(12, 8, 0.15), "/Block": (CORNERS * [0.6, 0.6, 0.5] + [-0.3, -0.3, 0], BOX_SIDES)}
    scene = solid_scene(shapes, anchor("/A", "air", at(0, 0, 0), (1, 1, 1)))
    assert scene.instances.path[1] == "/Block"
    for overlap in ("box", "hull"):
        draft = randomized(scene, {"fly": {**VOLUME, "count": 12, "avoid": "/Block", "overlap": overlap}}, range(6))
        block, above = scene.meshes[0].points_m, 0
        for row in range(6):
            for body in shown_points(scene, draft, row)[1:]:
                assert not share_a_point(body, block)
                above += bool((np.abs(body.mean(axis=0)[:2]) < 0.3).all())
        assert above > 0


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({**VOLUME, "per_m3": 4}, "exactly one of count and per_m3 is needed, the other one null"),
        ({**SURFACE, "count": None}, "exactly one of count and per_m2 is needed, the other one null"),
        ({**SURFACE, "anchors": "floor"}, "exactly one of carriers and anchors is needed, the other one null"),
        ({**SURFACE, "steepest_deg": 90}, r"steepest_deg must be in \[0, 90\), got 90"),
        ({**VOLUME, "distance_m": -1}, "distance_m must not be negative, got -1"),
        ({**VOLUME, "tries": 0}, "tries must be in 1..1024, got 0"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(entry: dict, line: str):
    with pytest.raises(UserError, match=f"^randomize.x: {line}$"):
        randomizer("x", entry)


def test_a_volume_needs_height():
    scene = box_scene(boxes(2), anchor("/A", "air", at(0, 0, 0), (1, 1, 0)))
    with pytest.raises(
        UserError, match=r"randomize\.fly\.anchors: none of the anchors has a volume; author ommatidia:size"
    ):
        randomized(scene, {"fly": {**VOLUME, "items": "/Box/*"}}, [0])
