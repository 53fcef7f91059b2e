"""A sweep of a LiDAR as a picture: its points from above, over the shoulder of the sensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.gallery.sheet import Picture, id_colors
from bench.materials import look_at
from engine.scene.model import Scene
from engine.sensors.sweep import Sweep, points_of

OVERSAMPLING = 2
EYE_M, TARGET_M = (-13.0, -11.5, 12.5), (-0.6, 0.1, 0.0)
CEILING_M = 3.4  # higher points are left out, to see into the hall
FOCAL_LENGTHS = 1.0  # focal length over the picture's width
POINT_PX = 3  # side of a point before the picture is made smaller
DIM = 0.55  # of a point without intensity
GROUND = (128, 134, 146)  # of the hall itself
BUILDING = "/Building/"


def cloud_picture(sweep: Sweep, scene: Scene, size_px: tuple[int, int]) -> tuple[Picture, int]:
    """Return points in the colours of their instances on black, and how many there are."""
    points = points_of(sweep, scene.instances.class_id)
    local = np.stack([points["x"], points["y"], points["z"]], axis=-1).astype(np.float64)
    pose = sweep.world_from_sensor
    world_m = local @ pose[:, :3].T + pose[:, 3]
    color = id_colors(points["instance"]).astype(np.float64)
    is_building = np.array([BUILDING in path for path in scene.instances.path])
    color[is_building[points["instance"]]] = GROUND
    level = points["intensity"] / max(float(np.percentile(points["intensity"], 95)), 1.0e-6)
    color *= (DIM + (1.0 - DIM) * np.clip(level, 0.0, 1.0))[:, None]
    is_low = world_m[:, 2] < CEILING_M
    return splatted(world_m[is_low], color[is_low], size_px), len(points)


def splatted(
    world_m: NDArray[np.float64],
    color: NDArray[np.float64],
    size_px: tuple[int, int],
    *,
    eye: NDArray[np.float64] | None = None,
) -> Picture:
    """Return points as small squares, nearer ones in front, from where the warehouse is seen or another `eye`."""
    width, height = size_px[0] * OVERSAMPLING, size_px[1] * OVERSAMPLING
    eye = look_at(EYE_M, TARGET_M) if eye is None else eye
    seen_m = (world_m - eye[:, 3]) @ eye[:, :3]
    depth_m = -seen_m[:, 2]
    x = np.rint(width / 2 + FOCAL_LENGTHS * width * seen_m[:, 0] / depth_m).astype(int)
    y = np.rint(height / 2 - FOCAL_LENGTHS * width * seen_m[:, 1] / depth_m).astype(int)
    order = np.argsort(-depth_m)
    order = order[(depth_m > 0.1)[order]]
    canvas = np.zeros((height, width, 3), np.uint8)
    for step_y in range(POINT_PX):
        for step_x in range(POINT_PX):
            row, column = y[order] + step_y, x[order] + step_x
            is_inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            canvas[row[is_inside], column[is_inside]] = np.rint(color[order][is_inside])
    return np.asarray(Image.fromarray(canvas).resize(size_px, Image.Resampling.BOX))
