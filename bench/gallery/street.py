"""The sheet of the street: worlds at KITTI's field of view, by day and at dusk, and a sweep of the roof's LiDAR."""

from __future__ import annotations

import numpy as np

from bench.gallery.cloud import splatted
from bench.gallery.sheet import Effort, Picture, Sheet, id_colors, stacked, tiled
from bench.gallery.shipped import command, make, quality, size
from bench.materials import look_at
from engine.scene.model import Scene
from engine.sensors.sweep import Sweep, points_of, sweep_of

TILE_PX = (638, 193)  # half of KITTI's
CLOUD_PX = (1282, 400)
DAYS, NIGHTS = (3, 10, 17, 19, 34, 43), (2, 19)  # worlds
SWEPT = 19
EYE_M, TARGET_M = (-22.0, -12.0, 17.0), (8.0, 1.5, -1.5)  # in the frame of the LiDAR
THINGS = ("Traffic", "Parked", "Cyclists", "People")  # groups whose points have the colours of their instances
GREY = (104, 110, 122)
FILMIC = ("sensor.develop.tone=filmic", "sensor.develop.headroom_ev=2.0")


def street_sheet(effort: Effort) -> Sheet:
    """Return streets as a car sees them, and one as its LiDAR does."""
    base = ("+scene=street", "rig=car", *size(effort, TILE_PX), *quality(effort, "direct", 24, denoises=True), *FILMIC)
    tiles = []
    for worlds, more, name in ((DAYS, (), "day"), (NIGHTS, ("randomize=street_night",), "street_night")):
        made = make((*base, *more), worlds)
        tiles += [(f"{name}, world {world}", rgb) for world, rgb in zip(worlds, made.rgb, strict=True)]
    small = ("rig.width=62", "rig.height=18", "rig.spp=1")
    swept = make(("+scene=street", "recipe=kitti", *small), [SWEPT])
    assert swept.recipe.lidar is not None
    sweep = sweep_of(swept.recipe.lidar, swept.frames, 0)
    picture, count = _cloud(sweep, swept.scene, (effort.px(CLOUD_PX[0]), effort.px(CLOUD_PX[1])))
    cloud = tiled([(f"lidar=car_64, world {SWEPT}: {count} points in a sweep", picture)], columns=1)
    views = tiled(tiles, columns=2)
    width = max(views.shape[1], cloud.shape[1])
    pictures = [np.pad(p, ((0, 0), (0, width - p.shape[1]), (0, 0)), constant_values=18) for p in (views, cloud)]
    text = "The scene `street` from a car: road, traffic, people, houses, trees, weather and light are drawn anew."
    return Sheet("Streets", stacked(pictures), text, command(base, DAYS))


def _cloud(sweep: Sweep, scene: Scene, size_px: tuple[int, int]) -> tuple[Picture, int]:
    """Return a sweep from behind the car, what moves in the colours of its instances."""
    points = points_of(sweep, scene.instances.class_id)
    local_m = np.stack([points["x"], points["y"], points["z"]], axis=-1).astype(np.float64)
    color = id_colors(points["instance"]).astype(np.float64)
    is_thing = np.array([path.split("/")[2:3] in [[name] for name in THINGS] for path in scene.instances.path])
    color[~is_thing[points["instance"]]] = GREY
    level = points["intensity"] / max(float(np.percentile(points["intensity"], 95)), 1.0e-6)
    color *= (0.6 + 0.4 * np.clip(level, 0.0, 1.0))[:, None]
    return splatted(local_m, color, size_px, eye=look_at(EYE_M, TARGET_M)), len(points)
