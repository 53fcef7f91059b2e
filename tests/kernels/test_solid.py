"""Boxes in space and rotated boxes of labels, against closed forms, vertices and brute force."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from scipy.spatial import ConvexHull

from engine.draft import Draft, rows_of
from engine.labels.extract import labels_from_frames
from engine.labels.model import Labels, Solid
from engine.labels.rectangle import rectangles_of
from engine.labels.sight import Points, see
from engine.labels.solid import SolidSource, with_solids
from engine.lens import LensModel, lens_of, unproject
from engine.lens.fit import fit_lens
from engine.recipe import Rig
from engine.render import Renderer
from engine.render.keys import frame_keys
from engine.scene.bounds import Shapes
from engine.scene.model import Scene
from tests.kernels.scenes import LABELS, box, camera, draft_of, look_at, mesh, pose, rig, scene, sphere
from tests.kernels.test_lens import LENSES

SETUP = rig(size_px=(96, 80), quality="labels")
CAMERA = camera(look_at((3.0, -8.0, 4.0), (0, 0, 0)))
Array = NDArray[np.float64]


def labelled(stage: Scene, draft: Draft, setup: Rig = SETUP) -> tuple[Labels, Solid]:
    """Return the labels of a draft."""
    frames = Renderer(stage, setup, LABELS, seed=0, device="cpu", threads=1).render(draft)
    labels = labels_from_frames(frames, stage.instances.class_id)
    labels = with_solids(labels, frames.keys, draft, SolidSource.of(stage, setup))
    assert labels.solid is not None
    return labels, labels.solid


def rotation(rng: np.random.Generator) -> Array:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diagonal(r))
    return np.asarray(q * [1, 1, np.linalg.det(q)])


def corner(half: Array, number: int) -> Array:
    return np.array([half[axis] if number >> axis & 1 else -half[axis] for axis in range(3)])


def test_a_scaled_turned_box_has_its_closed_form() -> None:
    """A unit cube, scaled by (1, 2, 0.5) and turned: pose, size, and corners through a pinhole by hand."""
    turn, at, size = rotation(np.random.default_rng(1)), np.array([0.3, -0.2, 0.4]), np.array([1.0, 2.0, 0.5])
    stage = scene([(box(1), pose(at=at, axes=turn * size))])
    draft = draft_of(stage, SETUP, CAMERA, [0])
    _, solid = labelled(stage, draft)
    assert solid.world_from_object[0] == pytest.approx(np.column_stack([turn, at]), abs=1e-12)
    assert solid.size_m[0] == pytest.approx(size, abs=1e-12)
    assert solid.center_m[0] == pytest.approx(np.zeros(3), abs=1e-12)
    view = draft.world_from_camera[0, 0]
    for number in range(8):
        inside = view[:, :3].T @ (turn @ corner(size / 2, number) + at - view[:, 3])
        pixel = draft.focal_px[0, 0] * [inside[0], -inside[1]] / -inside[2] + draft.center_px[0, 0]
        assert solid.corners_px[0, number] == pytest.approx(pixel, abs=1e-4)
    away = view[:, 3] - at
    seen_from = turn.T @ away / np.linalg.norm(away)
    assert solid.range_m[0] == pytest.approx(np.linalg.norm(away), rel=1e-6)
    assert solid.azimuth_rad[0] == pytest.approx(np.arctan2(seen_from[1], seen_from[0]), abs=1e-6)
    assert solid.elevation_rad[0] == pytest.approx(np.arcsin(seen_from[2]), abs=1e-6)


def test_a_mirror_leaves_a_right_handed_pose_with_x_turned_over() -> None:
    shape = mesh([(0, 0, 0), (1, 0, 0), (0, 2, 0), (0, 0, 3)], [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)])
    turn = rotation(np.random.default_rng(2))
    stage = scene([(shape, pose(axes=turn * [-1, 1, 1]))])
    _, solid = labelled(stage, draft_of(stage, SETUP, CAMERA, [0]))
    assert solid.world_from_object[0, :, :3] == pytest.approx(turn, abs=1e-12)
    assert solid.center_m[0] == pytest.approx([-0.5, 1.0, 1.5], abs=1e-12)
    assert solid.size_m[0] == pytest.approx([1, 2, 3], abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_boxes_touch_the_points_of_their_instances(seed: int) -> None:
    """Instances of three meshes, whose frames and places are scaled, sheared and mirrored at random."""
    rng = np.random.default_rng(seed)
    shapes = (sphere(0.5, rings=8), box(1))
    placed = [(shapes[i % 2], pose(at=rng.normal(size=3), axes=rng.normal(size=(3, 3)))) for i in range(9)]
    stage = scene(placed)
    owner = np.arange(9, dtype=np.int32) // 3 + 1
    stage = dataclasses.replace(stage, placements=dataclasses.replace(stage.placements, instance=owner))
    draft = draft_of(stage, SETUP, CAMERA, [0])
    change = rng.normal(size=(10, 3, 3)) if seed % 2 else np.stack([np.diag(rng.uniform(0.5, 2, 3))] * 10)
    draft.world_from_instance[0, :, :, :3] = draft.world_from_instance[0, :, :, :3] @ change
    labels, solid = labelled(stage, draft)
    assert len(labels.instance) >= 2
    for row, instance in enumerate(labels.instance.tolist()):
        world = []
        for placement in np.flatnonzero(owner == instance):
            root = np.vstack([stage.instances.world_from_instance[instance], [0, 0, 0, 1]])
            now = np.vstack([draft.world_from_instance[0, instance], [0, 0, 0, 1]])
            matrix = now @ np.linalg.inv(root) @ np.vstack([placed[placement][1], [0, 0, 0, 1]])
            world.append(placed[placement][0].points_m @ matrix[:3, :3].T + matrix[:3, 3])
        axes, origin = solid.world_from_object[row, :, :3], solid.world_from_object[row, :, 3]
        assert np.linalg.det(axes) == pytest.approx(1.0)
        assert axes.T @ axes == pytest.approx(np.eye(3), abs=1e-12)
        points = (np.concatenate(world) - origin) @ axes - solid.center_m[row]
        assert np.abs(points).max(axis=0) == pytest.approx(solid.size_m[row] / 2, abs=1e-5)
        assert -points.min(axis=0) == pytest.approx(points.max(axis=0), abs=2e-5)


@pytest.mark.parametrize("name", ["pinhole", "barrel", "fisheye", "whole", "f_theta", "flat"])
def test_corners_are_seen_through_any_lens(name: str) -> None:
    """What the lens sends through a corner's pixel meets the corner; those of no ray are no numbers."""
    rng = np.random.default_rng(3)
    stage = scene([(box(1), pose(at=rng.uniform(-3, 3, 3), axes=rotation(rng))) for _ in range(20)])
    draft = draft_of(stage, SETUP, CAMERA, [0, 1])
    draft.world_from_camera[1, 0] = look_at((-4.0, 5.0, 1.0), (0.0, 0.0, 0.5))
    if name == "flat":
        draft.lens_model[:] = LensModel.ORTHOGRAPHIC
        draft.focal_px[:] = 12.0
    else:
        fit_lens(draft, np.arange(1), LENSES[name], (SETUP.width, SETUP.height), where="lens")
    labels, solid = labelled(stage, draft)
    keys, seen = frame_keys(draft, SETUP), 0
    assert len(labels.view) > 20
    for row, view in enumerate(labels.view.tolist()):
        for number in range(8):
            pixel = solid.corners_px[row, number].astype(np.float64)
            if np.isnan(pixel).any():
                continue
            local = solid.center_m[row] + corner(solid.size_m[row] / 2, number)
            world = solid.world_from_object[row, :, :3] @ local + solid.world_from_object[row, :, 3]
            inside = keys.world_from_camera[view, :, :3].T @ (world - keys.world_from_camera[view, :, 3])
            kind = LensModel(int(draft.lens_model[0, 0])).depth_kind
            depth = -inside[2] if kind == "planar" else np.linalg.norm(inside)
            found = unproject(lens_of(keys, view), pixel, np.asarray(depth))
            assert found == pytest.approx(inside, abs=2e-4)
            seen += 1
    assert seen > 100


def test_the_hull_of_the_corners_of_a_box_is_its_mask() -> None:
    """A box alone fills the hull of its projected corners: pixel for pixel, but for centres on its outline."""
    setup = dataclasses.replace(SETUP, width=384, height=320)
    stage = scene([(box(1), pose(axes=rotation(np.random.default_rng(4)) * [2.0, 1.5, 1.0]))])
    labels, solid = labelled(stage, draft_of(stage, setup, CAMERA, [0]), setup)
    corners = solid.corners_px[0].astype(np.float64)
    hull = corners[ConvexHull(corners).vertices]
    y, x = np.indices((320, 384)) + 0.5
    inside = np.ones(x.shape, np.bool_)
    for (ax, ay), (bx, by) in zip(hull, np.roll(hull, -1, axis=0), strict=True):
        inside &= (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0.0
    mask = coco_mask.decode({"size": [320, 384], "counts": labels.rle[0]}).astype(bool)
    assert mask.sum() > 3000
    assert (mask != inside).sum() <= 2


def test_crowds_of_a_pointinstancer_have_the_boxes_of_their_scales() -> None:
    """5,000 elements of one mesh: sizes are its size times theirs, all are the same asset."""
    rng = np.random.default_rng(5)
    shape, scales = sphere(0.5, rings=8), rng.uniform(0.2, 3.0, (5000, 3))
    stage = scene([(shape, pose(at=rng.normal(size=3), axes=rotation(rng) * s)) for s in scales])
    shapes = Shapes(stage)
    low, high = shapes.bounds_m
    extent = np.ptp(shape.points_m.astype(np.float64), axis=0)
    assert (high - low)[1:] == pytest.approx(np.broadcast_to(extent, (5000, 3)), abs=1e-9)
    assert len(np.unique(shapes.asset[1:])) == 1
    assert shapes.asset[0] == 0


def test_copies_of_an_asset_have_one_hash_and_others_another() -> None:
    """Where an instance stands and its scale do not matter; which meshes it has, and where in it, do."""
    rng = np.random.default_rng(6)
    one, two = sphere(0.5, rings=6), box(1)

    def pair(shape: object, offset: float) -> list[tuple[object, Array]]:
        frame = np.vstack([pose(at=rng.normal(size=3) * 30, axes=rotation(rng) * rng.uniform(0.5, 2)), [0, 0, 0, 1]])
        other = np.vstack([pose(at=(offset, 0.125, 0.3)), [0, 0, 0, 1]])
        return [(one, frame[:3]), (shape, (frame @ other)[:3])]

    placed = [*pair(two, 0.7), *pair(two, 0.7), *pair(two, 0.8), *pair(one, 0.7), *pair(two, 0.7)[::-1]]
    stage = scene(placed)  # type: ignore[arg-type]
    owner = np.arange(10, dtype=np.int32) // 2 + 1
    roots = stage.instances.world_from_instance.copy()
    roots[1:6] = [placed[i][1] for i in (0, 2, 4, 6, 9)]
    stage = dataclasses.replace(
        stage,
        placements=dataclasses.replace(stage.placements, instance=owner),
        instances=dataclasses.replace(stage.instances, world_from_instance=roots),
    )
    first, copy, moved, other, swapped = Shapes(stage).asset[1:6].tolist()
    assert first == copy == swapped
    assert len({first, moved, other}) == 3


def test_hulls_do_not_depend_on_which_copy_is_asked_for_first() -> None:
    """Copies differ by rounding; what a batch says of one must not depend on what was in a view before it."""
    rng = np.random.default_rng(0)
    stage = scene([(sphere(0.7, rings=6), pose(at=rng.uniform(-9, 9, 3), axes=rotation(rng))) for _ in range(6)])
    found = []
    for order in ((1, 2, 3, 4, 5, 6), (5, 2, 6, 1, 4, 3)):
        shapes = Shapes(stage)
        hulls = {i: shapes.hull_m(i).tobytes() for i in order}
        found.append([hulls[i] for i in sorted(hulls)])
    assert len(np.unique(shapes.asset[1:])) == 1
    assert found[0] == found[1]


def test_a_point_that_stands_still_is_seen_where_it_is_alone_whatever_moves_elsewhere() -> None:
    """To the last bit, under a rolling shutter: rounding must not tell of other worlds of a batch."""
    rng, setup = np.random.default_rng(1), dataclasses.replace(SETUP, readout_s=0.02)
    stage = scene([(box(1), pose())])
    draft = draft_of(stage, setup, camera(look_at((0.3, -7, 2), (0, 0, 0))), [0, 1])
    draft.camera_velocity_m_s[1] = (1.0, 0.5, 0.0)
    world_m, origin_m, still = rng.uniform(-2, 2, (200, 3)), rng.uniform(-9e3, 9e3, (200, 3)), np.zeros((200, 3))
    points = Points(np.zeros(200, np.int64), world_m, origin_m, still, still)
    both = Points(**{name: np.concatenate([values, values]) for name, values in vars(points).items()})
    both.view[200:] = 1
    together = see(both, frame_keys(draft, setup), setup)
    alone = see(points, frame_keys(rows_of(draft, slice(0, 1)), setup), setup)
    assert together.pixel[:200].tobytes() == alone.pixel.tobytes()
    assert together.depth_m[:200].tobytes() == alone.depth_m.tobytes()
    assert (together.pixel[200:] != alone.pixel).any(axis=1).all()


def rectangle_area(corners: Array) -> float:
    return float(np.linalg.norm(corners[1] - corners[0]) * np.linalg.norm(corners[3] - corners[0]))


@pytest.mark.parametrize("kind", ["noise", "blobs", "bars", "full"])
def test_rotated_boxes_are_the_smallest_that_hold_every_pixel(kind: str) -> None:
    """Against all edges of SciPy's hull of all corners of all pixels; masks encoded by pycocotools."""
    rng = np.random.default_rng(7)
    masks = []
    for _ in range(40):
        height, width = 37, 53
        y, x = np.indices((height, width))
        if kind == "noise":
            mask = rng.random((height, width)) < rng.uniform(0.001, 0.6)
        elif kind == "blobs":
            a = rng.uniform(0, np.pi)
            u, v = (x - 26) * np.cos(a) + (y - 18) * np.sin(a), (y - 18) * np.cos(a) - (x - 26) * np.sin(a)
            mask = (u / rng.uniform(2, 24)) ** 2 + (v / rng.uniform(1, 12)) ** 2 < 1
        elif kind == "bars":
            mask = (np.abs((x - 26) * rng.normal() + (y - 18) * rng.normal()) < 2) & (rng.random(x.shape) < 0.7)
        else:
            mask = (x < rng.integers(1, width + 1)) & (x >= 0)
        mask[rng.integers(height), rng.integers(width)] = True
        masks.append(mask)
    rle = tuple(coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"] for mask in masks)
    box_px = np.array([
        [x.min(), y.min(), x.max() + 1, y.max() + 1] for y, x in (np.nonzero(mask) for mask in masks)
    ], np.int32)  # fmt: skip
    found = rectangles_of(rle, box_px, 37).astype(np.float64)
    for mask, corners in zip(masks, found, strict=True):
        y, x = np.nonzero(mask)
        pixels = np.concatenate([np.stack([x + a, y + b], axis=1) for a in (0, 1) for b in (0, 1)])
        hull = pixels[ConvexHull(pixels).vertices]
        best = np.inf
        for edge in np.roll(hull, -1, axis=0) - hull:
            u = edge / np.linalg.norm(edge)
            along, across = hull @ u, hull @ np.array([-u[1], u[0]])
            best = min(best, np.ptp(along) * np.ptp(across))
        assert rectangle_area(corners) == pytest.approx(best, rel=1e-4)
        sides = np.roll(corners, -1, axis=0) - corners
        assert sides[0] @ sides[1] == pytest.approx(0.0, abs=1e-2)
        assert sides[0, 0] > 0
        assert sides[0, 1] >= 0
        for side, at in zip(sides, corners, strict=True):
            length = np.linalg.norm(side)
            inwards = (side[0] * (hull[:, 1] - at[1]) - side[1] * (hull[:, 0] - at[0])) / length
            assert inwards.min() > -1e-4


def test_boxes_do_not_depend_on_the_batch() -> None:
    rng = np.random.default_rng(8)
    stage = scene([(box(1), pose(at=rng.uniform(-3, 3, 3), axes=rng.normal(size=(3, 3)))) for _ in range(20)])
    draft = draft_of(stage, SETUP, CAMERA, [0, 1, 2])
    draft.world_from_instance[:, 1:, :, 3] += rng.normal(size=(3, 20, 3))
    fit_lens(draft, np.arange(1), LENSES["barrel"], (SETUP.width, SETUP.height), where="lens")
    labels, solid = labelled(stage, draft)
    one = Draft(**{k: v[1:2] if isinstance(v, np.ndarray) else v for k, v in vars(draft).items()})
    _, alone = labelled(stage, one)
    rows = labels.view == 1
    for name in (field.name for field in dataclasses.fields(Solid)):
        assert getattr(solid, name)[rows].tobytes() == getattr(alone, name).tobytes(), name


def test_corners_are_where_the_rows_of_a_rolling_shutter_see_them() -> None:
    """A camera that slides to the right sees a corner shifted to the left by what it slid until the corner's row."""
    setup = dataclasses.replace(SETUP, readout_s=0.02)
    stage = scene([(box(1), pose(axes=np.eye(3) * 2.0))])
    draft = draft_of(stage, setup, camera(look_at((0.0, -6.0, 0.0), (0, 0, 0))), [0])
    _, still = labelled(stage, draft, setup)
    draft.camera_velocity_m_s[0, 0] = (5.0, 0.0, 0.0)
    _, sliding = labelled(stage, draft, setup)
    row = np.clip(np.floor(still.corners_px[0, :, 1]), 0, setup.height - 1)
    time_s = ((row + 0.5) / setup.height - 0.5) * 0.02
    depth_m = np.array([6.0 + (1.0 if number & 2 else -1.0) for number in range(8)])
    shift_px = draft.focal_px[0, 0, 0] * 5.0 * time_s / depth_m
    assert sliding.corners_px[0, :, 0] == pytest.approx(still.corners_px[0, :, 0] - shift_px, abs=1e-3)
    assert np.abs(shift_px).max() > 0.4
    draft.camera_velocity_m_s[:] = 0.0
    draft.instance_velocity_m_s[0, 1] = (5.0, 0.0, 0.0)
    many = dataclasses.replace(setup, shutter_samples=201)
    _, moving = labelled(stage, draft, many)
    assert moving.corners_px[0, :, 0] == pytest.approx(still.corners_px[0, :, 0] + shift_px, abs=0.02)


def test_a_frame_of_nothing_has_no_boxes() -> None:
    stage = scene([(box(1), pose())])
    labels, solid = labelled(stage, draft_of(stage, SETUP, camera(look_at((3.0, -8.0, 4.0), (6, -16, 8))), [0]))
    assert len(labels.view) == 0
    assert solid.corners_px.shape == (0, 8, 2)
    assert solid.oriented_box_px.shape == (0, 4, 2)
    assert Shapes(scene([])).asset.tolist() == [0]
    assert Shapes(scene([])).bounds_m[0].tolist() == [[0, 0, 0]]
