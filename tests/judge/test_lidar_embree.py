"""LiDAR ranges on the warehouse agree with Embree, through Open3D's ray casting, beam by beam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import engine
from engine.factory import build_factory, load_recipe_scene
from engine.rig import authored_draft
from engine.sensors.lidar import SpinningLidar
from engine.sensors.sweep import NO_RETURN, POINT, sweep_of
from engine.write.encode import encode_ply
from tests.judge.embree import Judge, Rays

pytestmark = pytest.mark.judge

IDEAL = (
    *("lidar.beam.subrays=1", "lidar.detector.range_sigma_m=0", "lidar.detector.range_walk_m=0"),
    *("lidar.detector.range_step_m=0", "lidar.detector.lost_share=0", "lidar.detector.largest_range_m=0"),
    *("lidar.detector.range_m=[0,1000]", "lidar.detector.intensity_sigma=0"),
)


def test_open3d_reads_our_ply(tmp_path: Path) -> None:
    """Columns keep their values and their types."""
    import open3d

    points = np.zeros(100, POINT)
    numbers = np.random.default_rng(3)
    for name in POINT.names or ():
        points[name] = numbers.integers(0, 200, 100) / (4.0 if POINT[name].kind == "f" else 1)
    (tmp_path / "cloud.ply").write_bytes(encode_ply(points, ["a comment"]))
    cloud = open3d.t.io.read_point_cloud(str(tmp_path / "cloud.ply")).point
    assert (cloud["positions"].numpy() == np.stack([points[name] for name in "xyz"], axis=1)).all()
    for name in (POINT.names or ())[3:]:
        assert (cloud[name].numpy()[:, 0] == points[name]).all()
        assert cloud[name].numpy().dtype == POINT[name]


def test_ranges_on_the_warehouse_agree_with_embree() -> None:
    """All but 1e-4 of 70,000 beams: those that pass within a microradian or two of an edge."""
    recipe, job = engine.compose(
        *("+scene=warehouse", "lidar=spinning_32", "outputs=[instance,lidar]", "~write", "quality=labels"),
        *("rig.width=8", "rig.height=8", "device=cpu", *IDEAL),
    )
    recipe, stage = load_recipe_scene(recipe, job)
    factory = build_factory(recipe, stage, device="cpu")
    draft = authored_draft(stage, recipe.rig, factory.cameras, np.zeros(1, np.int64), np.zeros(1, np.int32))
    film = [path.startswith("/Warehouse/Wraps/") for path in stage.instances.path]
    draft.world_from_instance[:, film, 2, 3] += 1.0e3  # away: beams pass it, Embree's rays do not
    frames = factory.renderer.render(draft)
    lidar = recipe.lidar
    assert isinstance(lidar, SpinningLidar)
    sweep = sweep_of(lidar, frames, 0)
    value, ids = sweep.value[:, 0].astype(np.float64), sweep.id[:, 0]
    elevation = np.radians(np.linspace(*lidar.elevation_deg, lidar.channels))[ids[:, 1]]
    azimuth = np.radians(180.0) - 2 * np.pi * 10.0 * value[:, 5]
    flat = np.cos(elevation)
    direction = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], axis=1)
    pose = sweep.world_from_sensor
    rays = Rays(np.broadcast_to(pose[:, 3], direction.shape), direction @ pose[:, :3].T)
    range_m, placed, _ = Judge(stage, draft).first_hits(rays)
    instance = np.where(placed > 0, stage.placements.instance[placed - 1], NO_RETURN)
    assert (placed > 0).sum() > 50_000
    agrees = (instance == ids[:, 0]) & (np.abs(np.where(placed > 0, range_m, 0.0) - value[:, 3]) < 1e-3)
    assert (~agrees).mean() < 1e-4, f"{(~agrees).sum()} differ"
