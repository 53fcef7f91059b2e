"""Randomised cameras against Embree: none lies inside of things, or nearer to any triangle than its clearance."""

from __future__ import annotations

import numpy as np
import pytest

from engine.config import compose
from engine.factory import load_recipe_scene
from engine.randomize import apply
from engine.randomize.kinds import checked_randomizers
from engine.randomize.pose import apply as moved
from engine.randomize.pose import compose as composed
from engine.rig import authored_draft, rig_cameras

pytestmark = pytest.mark.judge
WORLDS = 24
CLEARANCE_M = 1.0  # of the warehouse's cameras
AISLE = {  # up the aisle and around the dock, nearer to racks and walls than the shipped cameras go
    "kind": "camera_corridor",
    "cameras": "*",
    "way": {"anchors": None, "points_m": [[-9, 0, 0.5], [6, 0, 0.5], [7, 4, 0.5]], "curve": "catmull_rom"},
    "share": {"law": "uniform", "low": 0, "high": 1},
    "side_m": {"law": "uniform", "low": -1.8, "high": 1.8},
    "up_m": {"law": "uniform", "low": 0, "high": 3.5},
    "pan_deg": {"law": "normal", "mean": 0, "std": 20},
    "tilt_deg": {"law": "uniform", "low": -20, "high": 5},
    "roll_deg": 0,
    "backward": 0.5,
    "focal_mm": None,
    "clear": {"clearance_m": 0.3, "tries": 64, "inside": "/Warehouse/Building/*"},
}


@pytest.mark.parametrize(("entry", "clearance_m"), [(None, CLEARANCE_M), (AISLE, 0.3)])
def test_no_camera_of_the_warehouse_is_inside_or_near_a_triangle(entry: dict[str, object] | None, clearance_m: float):
    """The distance to the nearest of all visible triangles, of every placement where the world has it."""
    o3d = pytest.importorskip("open3d")
    recipe, scene = load_recipe_scene(*compose("+scene=warehouse", "rig.width=64", "rig.height=48"))
    if entry is not None:
        recipe.randomize.update(checked_randomizers({"camera": entry}))
    cameras = rig_cameras(scene, recipe.rig)
    draft = authored_draft(scene, recipe.rig, cameras, np.arange(WORLDS), np.zeros(WORLDS, np.int32))
    apply.randomize(apply.plan(recipe, scene, cameras), draft)
    name = "camera"
    assert draft.drawn[f"p.{name}.clear"].all()
    authored = scene.instances.world_from_instance
    inverse = np.linalg.inv(np.concatenate([authored, np.tile([[[0, 0, 0, 1.0]]], (len(authored), 1, 1))], axis=1))
    nearest_m = []
    for row in range(WORLDS):
        rays = o3d.t.geometry.RaycastingScene()
        position = draft.world_from_camera[row, 0, :, 3].astype(np.float32)[None]
        for placement, mesh_index in enumerate(scene.placements.mesh):
            instance = scene.placements.instance[placement]
            if draft.visible[row, instance]:
                pose = composed(draft.world_from_instance[row, instance], inverse[instance, :3])
                mesh = scene.meshes[mesh_index]
                points = moved(composed(pose, scene.placements.world_from_mesh[placement]), mesh.points_m.astype(float))
                rays.add_triangles(points.astype(np.float32), mesh.triangle.astype(np.uint32))
        nearest_m.append(float(rays.compute_distance(position).numpy()[0]))
    assert min(nearest_m) >= clearance_m - 1.0e-3
    assert min(nearest_m) < clearance_m + 1.0  # some are close enough for the test to mean something
