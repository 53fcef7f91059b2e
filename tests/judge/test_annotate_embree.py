"""Annotators of a scene by other people against Embree: places, parts, texture coordinates and object coordinates."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from engine.labels.object_box import instance_from_mesh
from engine.render import Renderer
from engine.rig import authored_draft, rig_cameras
from engine.scene import load_scene
from tests.judge.embree import Judge
from tests.kernels.scenes import LABELS, rig

pytestmark = pytest.mark.judge

ANNOTATIONS = ("position", "part", "uv", "nocs", "range_m")
SIZE_PX = (256, 192)


@pytest.mark.parametrize("name", ["warehouse", "tabletop", "inspection"])
def test_what_a_hit_tells_is_what_embree_says(name: str) -> None:
    """Wherever both meet the same triangle: t to the place, weights to texture and object coordinates, in float64."""
    stage = load_scene(Path(__file__).parents[2] / "scenes_usd" / f"{name}.usda")
    setup = rig(size_px=SIZE_PX, quality="labels")
    draft = authored_draft(stage, setup, rig_cameras(stage, setup), np.zeros(1, np.int64), np.zeros(1, np.int32))
    outputs = dataclasses.replace(LABELS, annotations=ANNOTATIONS)
    with closing(Renderer(stage, setup, outputs, seed=0, device="cpu")) as renderer:
        frames = renderer.render(draft)
    judge = Judge(stage, draft)
    y_px, x_px = (axis.ravel() + 0.5 for axis in np.indices(SIZE_PX[::-1]))
    rays = judge.rays(x_px, y_px)
    found = {key: value.numpy() for key, value in judge.caster.cast_rays(rays.tensor()).items()}
    images = {key: image[0].reshape(len(x_px), -1).astype(np.float64) for key, image in frames.annotations.items()}
    met = np.isfinite(found["t_hit"])
    part = images["part"][:, 0].astype(int)
    same = met & (part == found["geometry_ids"].astype(np.int64))
    assert (same | (~met & (part < 0))).mean() > 0.9999

    place = rays.origin + rays.direction * found["t_hit"].astype(np.float64)[:, None]
    assert np.linalg.norm(images["position"] - place, axis=1)[same].max() < 1e-3
    assert np.median(np.linalg.norm(images["position"] - place, axis=1)[same]) < 3e-6
    assert images["range_m"][same, 0] == pytest.approx(np.linalg.norm(place - rays.origin, axis=1)[same], abs=1e-3)

    poses, weight = instance_from_mesh(stage), found["primitive_uvs"].astype(np.float64)
    for placement in np.unique(part[same]):
        pixels = np.flatnonzero(same & (part == placement))
        mesh = stage.meshes[stage.placements.mesh[placement]]
        triangle, uv = found["primitive_ids"][pixels], weight[pixels]
        corners = np.stack([1.0 - uv.sum(axis=1), uv[:, 0], uv[:, 1]], axis=1)
        if mesh.uv is None:
            assert np.isnan(images["uv"][pixels]).all()
        else:
            expected = (corners[:, :, None] * mesh.uv[triangle]).sum(axis=1)
            reach = np.ptp(mesh.uv[triangle], axis=1).max(axis=1)  # of the triangle, which has weights from 0 to 1
            off = np.abs(images["uv"][pixels] - expected).max(axis=1)
            assert (np.sort(off / np.maximum(reach, 1e-9))[: int(0.99 * len(off))] < 1e-4).all()
        points = (corners[:, :, None] * mesh.points_m[mesh.triangle[triangle]]).sum(axis=1)
        pose, instance = poses[placement], stage.placements.instance[placement]
        expected = _normalised(stage, instance, points @ pose[:, :3].T + pose[:, 3])
        off = np.abs(images["nocs"][pixels] - expected).max(axis=1)
        assert (np.sort(off)[: int(0.99 * len(off))] < 1e-4).all()


def _normalised(stage: object, instance: int, points: np.ndarray) -> np.ndarray:
    """Return points of an instance's frame as its object coordinates, the box from the vertices of its meshes."""
    placed, poses = stage.placements, instance_from_mesh(stage)  # type: ignore[attr-defined]
    all_points = []
    for placement in np.flatnonzero(placed.instance == instance):
        pose = poses[placement]
        mesh = stage.meshes[placed.mesh[placement]]  # type: ignore[attr-defined]
        all_points.append(mesh.points_m[np.unique(mesh.triangle)] @ pose[:, :3].T + pose[:, 3])
    cloud = np.concatenate(all_points)
    low, high = cloud.min(axis=0), cloud.max(axis=0)
    scale = np.linalg.norm(stage.instances.world_from_instance[instance][:, :3], axis=0)  # type: ignore[attr-defined]
    return 0.5 + scale * (points - 0.5 * (low + high)) / np.linalg.norm(scale * (high - low))
