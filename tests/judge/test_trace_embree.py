"""Depth and ids of random scenes agree with Embree, through Open3D's ray casting."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.scene.model import Camera, Mesh, Scene
from tests.kernels.scenes import LABELS, camera, look_at, pose, quad, render, rig, scene, sphere

pytestmark = pytest.mark.judge

SIZE_PX = 384
PLANE_TOLERANCE_M = 2e-5  # at 10 m; a surface seen at a grazing angle moves the depth by more than its distance


def random_scene(seed: int) -> Scene:
    """Return tilted, mirrored and stretched plates and balls, large and small, over a floor."""
    rng = np.random.default_rng(seed)
    shapes = (sphere(0.5), sphere(0.5, rings=6), quad(1.0))
    placed: list[tuple[Mesh, NDArray[np.float64]]] = [(quad(40.0), pose(at=(0, 0, -2)))]
    for i in range(150):
        axes = np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.uniform(0.2, 1.8, 3) * 10.0 ** rng.uniform(-1.5, 0.3)
        placed.append((shapes[i % 3], pose(at=rng.uniform(-3, 3, 3), axes=axes)))
    return scene(placed)


def pixel_directions(cam: Camera) -> NDArray[np.float64]:
    """Return the world direction of every pixel's centre, [y, x, 3], with unit length along the optical axis."""
    y, x = (np.mgrid[:SIZE_PX, :SIZE_PX] + 0.5 - SIZE_PX / 2) / SIZE_PX
    directions: NDArray[np.float64] = np.stack([x, -y, -np.ones_like(x)], axis=-1) @ cam.world_from_camera[:, :3].T
    return directions


def embree(stage: Scene, cam: Camera) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return planar depth and instance [y, x] of the rays through pixel centres, every placement a mesh of its own."""
    import open3d

    caster = open3d.t.geometry.RaycastingScene()
    for index, matrix in zip(stage.placements.mesh, stage.placements.world_from_mesh, strict=True):
        mesh = stage.meshes[index]
        points = (mesh.points_m @ matrix[:, :3].T + matrix[:, 3]).astype(np.float32)
        caster.add_triangles(open3d.core.Tensor(points), open3d.core.Tensor(mesh.triangle.astype(np.uint32)))
    direction = pixel_directions(cam)
    origin = np.broadcast_to(cam.world_from_camera[:, 3], direction.shape)
    rays = np.concatenate([origin, direction], axis=-1).astype(np.float32)
    found = caster.cast_rays(open3d.core.Tensor(rays))
    ids = found["geometry_ids"].numpy().astype(np.int64)
    return found["t_hit"].numpy(), np.where(np.isfinite(found["t_hit"].numpy()), ids + 1, 0)


@pytest.mark.parametrize("seed", range(4))
def test_depth_and_ids_agree_with_embree(seed: int) -> None:
    """Only rays that graze a silhouette may differ: at most 1 in 100,000."""
    stage, cam = random_scene(seed), camera(look_at((7.0, -6.0, 4.0), (0, 0, 0)))
    frames = render(stage, cam, rig(size_px=(SIZE_PX, SIZE_PX), quality="labels"), outputs=LABELS)
    assert frames.depth_m is not None
    assert frames.instance is not None
    depth, ids = embree(stage, cam)
    differs = frames.instance[0] != ids
    assert differs.sum() <= max(1, round(1e-5 * SIZE_PX**2))
    hit = ~differs & (ids > 0)
    assert hit.mean() > 0.5
    assert len(np.unique(ids)) > 70
    assert frames.normal is not None
    cosine = np.abs((frames.normal[0] * pixel_directions(cam)).sum(axis=-1))
    assert (np.abs(frames.depth_m[0] - depth)[hit] * cosine[hit]).max() < PLANE_TOLERANCE_M
    assert np.isinf(frames.depth_m[0][frames.instance[0] == 0]).all()
