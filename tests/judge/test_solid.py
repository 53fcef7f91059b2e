"""Boxes in space against every vertex, keypoints against Embree, rotated boxes against OpenCV: on whole scenes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from scipy.spatial import ConvexHull

from engine.config import compose
from engine.draft import Draft
from engine.factory import build_factory, load_recipe_scene
from engine.frames import Frames
from engine.labels.model import Labels
from engine.lens import lens_of, project
from engine.scene.model import Scene
from tests.judge.embree import AROUND_PX, Judge

pytestmark = pytest.mark.judge

SIZE_PX = (320, 240)
TOLERANCE_M, TOUCH_M = 0.05, 1.0e-3
CLOSE_M = 1.0e-3  # to a limit of a rule: either answer is right
SHARED = (
    "04_CesiumMan/CesiumMan.usdz",
    "09_arnold_nestedInstances/data/test.usda",
    "12_newton_semantics/cube_cylinder.usda",
)


def made(
    *overrides: str, worlds: tuple[int, ...] = (0,), config_dir: Path | None = None
) -> tuple[Scene, Draft, Frames, Labels]:
    """Return the labels of some worlds."""
    size = (f"rig.width={SIZE_PX[0]}", f"rig.height={SIZE_PX[1]}", "quality=labels", "write=geometry")
    recipe, job = compose(*overrides, *size, config_dir=config_dir)
    recipe, scene = load_recipe_scene(recipe, job)
    factory = build_factory(recipe, scene, device="cpu")
    with closing(factory.renderer):
        draft, frames, labels = factory.make(worlds)
    return scene, draft, frames, labels


def vertices(scene: Scene, pose: NDArray[np.float64], instance: int) -> NDArray[np.float64]:
    """Return all points of an instance in the world, where a draft has it."""
    root = np.vstack([scene.instances.world_from_instance[instance], [0, 0, 0, 1]])
    moved = np.vstack([pose, [0, 0, 0, 1]]) @ np.linalg.inv(root)
    parts = []
    for placement in np.flatnonzero(scene.placements.instance == instance):
        mesh = scene.meshes[scene.placements.mesh[placement]]
        matrix = moved @ np.vstack([scene.placements.world_from_mesh[placement], [0, 0, 0, 1]])
        points = mesh.points_m[np.unique(mesh.triangle)].astype(np.float64)
        parts.append(points @ matrix[:3, :3].T + matrix[:3, 3])
    return np.concatenate(parts)


def check_boxes(scene: Scene, draft: Draft, frames: Frames, labels: Labels) -> int:
    """Hold every row's box to the vertices of its instance; return how many hulls of corners were looked at."""
    solid, hulls = labels.solid, 0
    assert solid is not None
    for row, (view, instance) in enumerate(zip(labels.view.tolist(), labels.instance.tolist(), strict=True)):
        of_row = view // draft.world_from_camera.shape[1]
        points = vertices(scene, draft.world_from_instance[of_row, instance], instance)
        axes, origin = solid.world_from_object[row, :, :3], solid.world_from_object[row, :, 3]
        inside = (points - origin) @ axes - solid.center_m[row]
        half, slack = solid.size_m[row] / 2, 1e-6 + 1e-6 * np.abs(points).max()
        assert np.abs(inside.max(axis=0) - half).max() < slack
        assert np.abs(inside.min(axis=0) + half).max() < slack
        pose = frames.keys.world_from_camera[view]
        pixel, has_ray = project(lens_of(frames.keys, view), (points - pose[:, 3]) @ pose[:, :3])
        corners = solid.corners_px[row].astype(np.float64)
        if has_ray.all() and np.isfinite(corners).all() and np.abs(corners).max() < 1e4:
            hull = ConvexHull(corners)
            assert (hull.equations[:, :2] @ pixel.T + hull.equations[:, 2:]).max() < 0.05
            hulls += 1
    return hulls


def test_boxes_of_the_warehouse_hold_and_touch_their_vertices() -> None:
    scene, draft, frames, labels = made("+scene=warehouse", worlds=(0, 1))
    assert check_boxes(scene, draft, frames, labels) > 80
    assert labels.solid is not None
    cartons = [i for i, path in enumerate(scene.instances.path) if "/Cartons/Small/" in path]
    assert len(set(labels.solid.asset[np.isin(labels.instance, cartons)].tolist())) == 1


@pytest.mark.parametrize("name", SHARED)
def test_boxes_of_other_peoples_scenes_hold_and_touch_their_vertices(
    name: str, shared_dir: Path, tmp_path: Path
) -> None:
    """A skinned figure, nested instances, shapes."""
    (tmp_path / "scene").mkdir()
    (tmp_path / "scene/other.yaml").write_text(f"usd: {shared_dir / 'usd' / name}\n")
    assert check_boxes(*made("+scene=other", "scene.subdivision_level=1", config_dir=tmp_path)) > 0


def by_embree(
    scene: Scene, judge: Judge, pixel: NDArray[np.float64], world: NDArray[np.float64], keypoint: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether keypoints are seen on rays through pixels, and whether no limit of the rule is near."""
    t, placement, _ = judge.first_hits(judge.rays(*pixel.T))
    towards = world - judge.pose[:, 3]
    depth = -(towards @ judge.pose[:, 2])
    before_m = np.where(np.isfinite(t), (depth - t) / depth * np.linalg.norm(towards, axis=1), -np.inf)
    owner = np.concatenate([[0], scene.placements.instance])[placement]
    own_m = TOLERANCE_M + scene.keypoints.depth_m[keypoint]
    allowed_m = np.where(owner == scene.keypoints.instance[keypoint], own_m, TOUCH_M)
    return before_m <= allowed_m, np.abs(before_m - allowed_m) > CLOSE_M


def test_keypoints_on_the_warehouse_agree_with_embree() -> None:
    """Joints of people and corners of cartons; where a hit is at the limit of the rule, either answer is right."""
    points = "{" + ", ".join(f"c{i}: [{i & 1}, {i >> 1 & 1}, {i >> 2 & 1}]" for i in range(8)) + "}"
    checked, values = 0, {0: 0, 1: 0, 2: 0}
    keypoints, tolerance = f"{{carton: {{points: {points}}}}}", f"labels.keypoint_tolerance_m={TOLERANCE_M}"
    cameras = "rig.cameras=[/Warehouse/Cameras/*]"
    scene, draft, frames, _ = made("+scene=warehouse", f"scene.keypoints={keypoints}", tolerance, cameras)
    assert frames.keypoint is not None
    table = scene.keypoints
    for view in range(len(frames.keypoint)):
        pose = draft.world_from_instance[0, table.instance]
        world = (pose[:, :, :3] * table.position_m[:, None]).sum(axis=-1) + pose[:, :, 3]
        camera = frames.keys.world_from_camera[view]
        lens = {name: getattr(draft, name)[:, view : view + 1] for name in ("focal_px", "center_px")}
        places = draft.world_from_instance.copy()
        places[0, ~draft.visible[0], :, 3] += 1.0e4  # what is hidden is not there
        moved = {"world_from_camera": camera[None, None], "world_from_instance": places}
        one = Draft(**{**vars(draft), **moved, **lens})
        judge = Judge(scene, one)
        pixel, has_ray = project(lens_of(frames.keys, view), (world - camera[:, 3]) @ camera[:, :3])
        inside = has_ray & (pixel >= 0.0).all(axis=1) & (pixel < SIZE_PX).all(axis=1)
        assert (frames.keypoint[view, ~inside] == 0.0).all()
        inside &= draft.visible[0, table.instance]
        if not inside.any():
            continue
        found, keypoint = frames.keypoint[view, inside], np.flatnonzero(inside)
        assert np.abs(found[:, :2] - pixel[inside]).max() < 1e-3
        visible, sure = by_embree(scene, judge, pixel[inside], world[inside], keypoint)
        differs = np.flatnonzero(sure & (found[:, 2] != np.where(visible, 2, 1)))
        assert len(differs) <= 0.02 * sure.sum()  # corners lie on outlines, where a rounding decides
        for at in differs:
            near = pixel[inside][at] + AROUND_PX.T
            points = np.broadcast_to(world[inside][at], (len(near), 3))
            around, _ = by_embree(scene, judge, near, points, np.full(len(near), keypoint[at]))
            assert (np.where(around, 2, 1) == found[at, 2]).any()
        checked += int(sure.sum())
        for value in values:
            values[value] += int((frames.keypoint[view, :, 2] == value).sum())
    assert checked > 500
    assert min(values.values()) > 100


def test_rotated_boxes_of_the_warehouse_are_opencvs() -> None:
    """No larger than cv2.minAreaRect around the corners of all visible pixels, and no smaller but for its float32."""
    import cv2

    _, _, _, labels = made("+scene=warehouse", worlds=(0, 1, 2))
    assert labels.solid is not None
    for row, counts in enumerate(labels.rle):
        y, x = np.nonzero(coco_mask.decode({"size": [SIZE_PX[1], SIZE_PX[0]], "counts": counts}))
        pixels = np.unique(np.concatenate([np.stack([x + a, y + b], 1) for a in (0, 1) for b in (0, 1)]), axis=0)
        _, size, _ = cv2.minAreaRect(pixels.astype(np.float32))
        corners = labels.solid.oriented_box_px[row].astype(np.float64)
        area = np.linalg.norm(corners[1] - corners[0]) * np.linalg.norm(corners[3] - corners[0])
        assert area == pytest.approx(size[0] * size[1], rel=1e-3)
