"""Annotators of a scene by other people against Embree: places, parts, texture coordinates and object coordinates."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from engine.render import Renderer
from engine.rig import authored_draft, rig_cameras
from engine.scene import load_scene
from engine.scene.bounds import instance_from_mesh
from tests.judge.embree import Judge
from tests.kernels.scenes import LABELS, rig

pytestmark = pytest.mark.judge

ROOT = Path(__file__).parents[2]
ANNOTATIONS = ("position", "part", "uv", "nocs", "range_m")
SIZE_PX = (256, 192)
PLACE_M = 2e-5  # across a surface: some roundings of float32 in a room of 20 m


@pytest.mark.parametrize("file", ["scenes_usd/warehouse.usda", "usd/11_newton_crazyflie/crazyflie.usd"])
def test_what_a_hit_tells_is_what_embree_says(file: str, shared_dir: Path) -> None:
    """Wherever both meet the same triangle: t to the place, weights to texture and object coordinates, in float64."""
    stage = load_scene((ROOT if file.startswith("scenes_usd") else shared_dir) / file)
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
    assert (same | (~met & (part < 0))).mean() > 0.999

    assert same.mean() > 0.02

    triangle = np.where(same, found["primitive_ids"], 0).astype(np.int64)
    corner = judge.soup.corner_m[judge.soup.first_triangle[np.where(same, part, 0)] + triangle]
    t, corners = _exact_hits(rays.origin, rays.direction, corner)
    place = rays.origin + rays.direction * t[:, None]
    assert frames.normal is not None  # at a slant, an error across is a longer one along the surface
    across = np.abs((frames.normal[0].reshape(-1, 3) * rays.direction).sum(axis=1))
    slack_m = PLACE_M / np.maximum(across / np.linalg.norm(rays.direction, axis=1), 1e-4)
    assert (np.linalg.norm(images["position"] - place, axis=1) <= slack_m)[same].all()
    assert (np.abs(images["range_m"][:, 0] - np.linalg.norm(place - rays.origin, axis=1)) <= slack_m)[same].all()

    poses, wrong = instance_from_mesh(stage), 0
    for placement in np.unique(part[same]):
        pixels = np.flatnonzero(same & (part == placement))
        mesh = stage.meshes[stage.placements.mesh[placement]]
        which, weight = triangle[pixels], corners[pixels]
        if mesh.uv is None:
            assert np.isnan(images["uv"][pixels]).all()
        else:
            expected = (weight[:, :, None] * mesh.uv[which]).sum(axis=1)
            reach = np.ptp(mesh.uv[which], axis=1).max(axis=1)  # of the triangle, which has weights from 0 to 1
            limit = reach * (1e-6 + slack_m[pixels] / _height_m(corner[pixels])) + 1e-6
            off = np.abs(images["uv"][pixels] - expected).max(axis=1)
            inside = weight.min(axis=1) * _height_m(corner[pixels]) > slack_m[pixels]  # else either face is right
            wrong += np.count_nonzero((off > limit)[inside])
        points = (weight[:, :, None] * mesh.points_m[mesh.triangle[which]]).sum(axis=1)
        pose, instance = poses[placement], stage.placements.instance[placement]
        expected, diagonal_m = _normalised(stage, instance, points @ pose[:, :3].T + pose[:, 3])
        off_m = np.abs(images["nocs"][pixels] - expected).max(axis=1) * diagonal_m
        assert (off_m <= slack_m[pixels]).all()
    assert wrong <= 2e-4 * same.sum()  # flaps of cartons lie on each other: either is first


def _exact_hits(origin: np.ndarray, direction: np.ndarray, corner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return t and the weights of the corners where rays meet the planes of triangles [ray, corner, 3]."""
    edge_1, edge_2 = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    normal = np.cross(edge_1, edge_2)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = ((corner[:, 0] - origin) * normal).sum(axis=1) / (direction * normal).sum(axis=1)
        beside = origin + direction * t[:, None] - corner[:, 0]
        area = (normal * normal).sum(axis=1)
        u = (np.cross(beside, edge_2) * normal).sum(axis=1) / area
        v = (np.cross(edge_1, beside) * normal).sum(axis=1) / area
    return t, np.stack([1.0 - u - v, u, v], axis=1)


def _height_m(corners: np.ndarray) -> np.ndarray:
    """Return the smallest heights of triangles [triangle, corner, 3]."""
    edge = np.roll(corners, -1, axis=1) - corners
    area = np.linalg.norm(np.cross(edge[:, 0], edge[:, 1]), axis=1)
    return np.maximum(area / np.linalg.norm(edge, axis=2).max(axis=1), 1e-9)


def _normalised(stage: object, instance: int, points: np.ndarray) -> tuple[np.ndarray, float]:
    """Return points of an instance's frame as its object coordinates, and its box's diagonal [m], from all vertices."""
    placed, poses = stage.placements, instance_from_mesh(stage)  # type: ignore[attr-defined]
    all_points = []
    for placement in np.flatnonzero(placed.instance == instance):
        pose = poses[placement]
        mesh = stage.meshes[placed.mesh[placement]]  # type: ignore[attr-defined]
        all_points.append(mesh.points_m[np.unique(mesh.triangle)] @ pose[:, :3].T + pose[:, 3])
    cloud = np.concatenate(all_points)
    low, high = cloud.min(axis=0), cloud.max(axis=0)
    scale = np.linalg.norm(stage.instances.world_from_instance[instance][:, :3], axis=0)  # type: ignore[attr-defined]
    diagonal_m = float(np.linalg.norm(scale * (high - low)))
    return 0.5 + scale * (points - 0.5 * (low + high)) / diagonal_m, diagonal_m
