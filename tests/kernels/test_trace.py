"""Rays meet what they should: closed forms, ties, hidden and moved instances, and trees of any shape."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine import gpu
from engine.errors import UserError
from engine.render import Renderer
from engine.render.tree import build_mesh_trees
from engine.render.worlds import upload_scene, upload_worlds
from engine.scene.model import Light, LightKind
from tests.kernels.rays import cast, trees_of
from tests.kernels.scenes import LABELS, camera, draft_of, look_at, mesh, pose, quad, render, rig, scene, sphere


def test_of_two_surfaces_in_one_place_the_lower_placement_wins() -> None:
    plate = quad(2.0)
    stage = scene([(quad(2.0), pose()), (plate, pose()), (plate, pose())])
    rng = np.random.default_rng(3)
    origin = np.concatenate([rng.uniform(-0.9, 0.9, (500, 2)), np.full((500, 1), 3.0)], axis=1).astype(np.float32)
    t, placement, _ = cast(trees_of(stage), origin, np.tile(np.array([[0, 0, -1]], np.float32), (500, 1)))
    assert (placement == 0).all()
    assert t == pytest.approx(np.full(500, 3.0), abs=1e-6)


def test_ties_hold_where_rays_graze() -> None:
    """Along a surface the t of a triangle is less exact than that of its box, which must not hide its twin."""
    rng, plate = np.random.default_rng(4), quad(2.0)
    poses = [pose(at=rng.uniform(-9, 9, 3), axes=np.linalg.qr(rng.normal(size=(3, 3)))[0]) for _ in range(80)]
    trees = trees_of(scene([(plate, p) for p in poses for _ in range(2)]))
    for p in poses:
        inside = np.concatenate([rng.uniform(-0.9, 0.9, (500, 2)), np.zeros((500, 1))], axis=1) @ p[:, :3].T + p[:, 3]
        out = rng.normal(size=(500, 3)) * np.array([8.0, 8.0, 0.05]) @ p[:, :3].T
        _, placement, _ = cast(trees, (inside + out).astype(np.float32), -out.astype(np.float32))
        assert (placement[placement >= 0] % 2 == 0).all()


def test_depth_is_planar_and_normals_face_the_camera() -> None:
    """A wall square to the axis has one depth all over, whatever the angle of the pixel."""
    frames = render(scene([(quad(20.0), pose())]), camera(look_at((0, 0, 5), (0, 0, 0), up=(0, 1, 0))), outputs=LABELS)
    assert frames.depth_m == pytest.approx(np.full((1, 32, 32), 5.0), rel=1e-6)
    assert frames.normal == pytest.approx(np.broadcast_to([0.0, 0.0, 1.0], (1, 32, 32, 3)))
    assert (frames.instance == 1).all()


def test_a_sphere_fills_its_closed_form_silhouette() -> None:
    """Pixel centres inside the cone of tangent rays hit, all others see nothing: infinite depth, instance 0."""
    stage = scene([(sphere(1.0, rings=96), pose())])
    setup = rig(size_px=(96, 96), quality="labels")
    frames = render(stage, camera(look_at((0, -4, 0), (0, 0, 0))), setup, outputs=LABELS)
    y, x = np.mgrid[:96, :96] + 0.5
    tangent = np.hypot(x - 48, y - 48) / 96  # focal length: one image width
    limit = np.tan(np.arcsin(1 / 4))
    sure = np.abs(tangent - limit) > 0.004  # the polygon lies a little inside the sphere
    assert frames.instance is not None
    assert frames.depth_m is not None
    assert ((frames.instance[0] == 1) == (tangent < limit))[sure].all()
    assert np.isinf(frames.depth_m[0][frames.instance[0] == 0]).all()


def test_a_hidden_instance_is_not_met() -> None:
    stage = scene([(quad(2.0), pose(at=(0, 0, 1))), (quad(20.0), pose())])
    setup, cam = rig(quality="labels"), camera(look_at((0, 0, 5), (0, 0, 0), up=(0, 1, 0)))
    draft = draft_of(stage, setup, cam, [0, 1])
    draft.visible[1, 1] = False
    frames = Renderer(stage, setup, LABELS, seed=0, device="cpu", threads=1).render(draft)
    assert frames.instance is not None
    assert set(np.unique(frames.instance[0])) == {1, 2}
    assert set(np.unique(frames.instance[1])) == {2}


def test_an_empty_scene_is_all_background() -> None:
    stage = scene([(quad(1.0), pose())])
    setup, cam = rig(quality="labels"), camera(look_at((0, 0, 5), (0, 0, 0), up=(0, 1, 0)))
    draft = draft_of(stage, setup, cam, [0])
    draft.visible[:] = False
    frames = Renderer(stage, setup, LABELS, seed=0, device="cpu", threads=1).render(draft)
    assert frames.instance is not None
    assert not frames.instance.any()


def test_trees_of_every_shape_hold_every_triangle_once() -> None:
    """Also of one triangle, and of many in one place."""
    rng = np.random.default_rng(0)
    for count in (1, 2, 7, 9, 400):
        points = rng.normal(size=(3 * count, 3))
        if count == 7:
            points[:] = points[0]
        trees = build_mesh_trees([mesh(points, np.arange(3 * count).reshape(-1, 3))], 8)
        names = trees.block.reshape(-1, 40)[:, 36:].view(np.int32)
        assert sorted(names[names >= 0].tolist()) == list(range(count))


def test_trees_too_deep_for_the_stack_are_refused() -> None:
    """Three placements need three entries; the bound that holds for any tree over them is larger."""
    setup, ball = rig(size_px=(8, 8), quality="labels"), sphere(0.5)
    stage = scene([(ball, pose(at=(x, 0, 0))) for x in (-1, 0, 1)])
    draft = draft_of(stage, setup, camera(pose(at=(0, 0, 5))), [0])
    base = upload_scene(stage, setup, device="cpu", shaded=False)
    assert base.is_stack_safe
    deep = dataclasses.replace(base, stack_entries=gpu.bvh.STACK_ENTRIES - 4)
    assert not deep.is_stack_safe
    upload_worlds(deep, draft)
    with pytest.raises(UserError, match="stack"):
        upload_worlds(dataclasses.replace(base, stack_entries=gpu.bvh.STACK_ENTRIES - 3), draft)


def test_placements_may_share_a_mesh_under_other_instances() -> None:
    ball = sphere(0.5)
    stage = scene([(ball, pose(at=(-1, 0, 0))), (ball, pose(at=(1, 0, 0)))])
    assert len(stage.meshes) == 1
    frames = render(stage, camera(look_at((0, -4, 0), (0, 0, 0))), rig(quality="labels"), outputs=LABELS)
    assert frames.instance is not None
    assert frames.instance[0, 16, 8] == 1
    assert frames.instance[0, 16, 24] == 2


def test_moving_an_instance_moves_all_its_placements() -> None:
    """Two placements of one instance keep their distance when a randomiser moves it."""
    stage = scene([(quad(1.0), pose(at=(0, 0, 1))), (quad(1.0), pose(at=(0.5, 0, 1)))])
    placements = dataclasses.replace(stage.placements, instance=np.array([1, 1], np.int32))
    stage = dataclasses.replace(stage, placements=placements)
    setup, cam = rig(quality="labels"), camera(look_at((0, 0, 5), (0, 0, 0), up=(0, 1, 0)))
    draft = draft_of(stage, setup, cam, [0, 1])
    draft.world_from_instance[1, 1, 0, 3] += 1.0
    frames = Renderer(stage, setup, LABELS, seed=0, device="cpu", threads=1).render(draft)
    assert frames.instance is not None
    first, second = (np.flatnonzero(frames.instance[row, 16]) for row in (0, 1))
    assert second.min() - first.min() == 8
    assert second.max() - first.max() == 8


def test_a_scene_without_geometry_shows_its_dome() -> None:
    dome = Light("/dome", LightKind.DOME, np.eye(3, 4), (0.0, 0.0), 0.0, (0.4,) * 3)
    frames = render(scene([], lights=(dome,)), camera(look_at((0, -4, 0), (0, 0, 0))))
    assert frames.instance is not None
    assert frames.rgb_linear is not None
    assert not frames.instance.any()
    assert frames.rgb_linear == pytest.approx(np.full((1, 32, 32, 3), 0.4), rel=1e-6)


@pytest.mark.parametrize("lanes", [slice(0, 1), slice(2, 5), slice(None)])
def test_rays_that_are_no_numbers_meet_nothing_and_harm_nobody(lanes: slice) -> None:
    """They meet every box, and must not take places without a child for the root."""
    stage = scene([(sphere(0.5), pose(at=(x, y, 0))) for x in range(-6, 7) for y in range(-6, 7)])
    trees = trees_of(stage)
    origin = np.tile(np.array([[0.1, 0.1, 3.0]], np.float32), (8, 1))
    direction = np.tile(np.array([[0.0, 0.0, -1.0]], np.float32), (8, 1))
    expected = cast(trees, origin, direction)[1]
    for values in (origin, direction):
        before = values.copy()
        values[lanes] = np.nan
        placement = cast(trees, origin, direction)[1]
        values[:] = before
        others = np.ones(8, bool)
        others[lanes] = False
        assert (placement[lanes] == -1).all()
        assert (placement[others] == expected[others]).all()
