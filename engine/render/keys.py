"""Which frame every view of a draft is, and the camera that sees it."""

from __future__ import annotations

import numpy as np

from engine.draft import Draft
from engine.frames import FrameKeys, Lenses
from engine.recipe import Rig
from engine.render.exposure import exposures_s, lens_radii_m
from engine.sensors.settings import setting


def frame_keys(draft: Draft, rig: Rig) -> FrameKeys:
    """Return which frame every view of a draft is, view-major: view = row * cameras + camera."""
    rows, cameras = draft.world_from_camera.shape[:2]
    k = np.zeros((rows * cameras, 3, 3))
    k[:, (0, 1), (0, 1)] = draft.focal_px.reshape(-1, 2)
    k[:, (0, 1), (2, 2)] = draft.center_px.reshape(-1, 2)
    k[:, 2, 2] = 1.0
    jpeg_quality = None
    if draft.sensor.shape[-1]:
        jpeg_quality = np.rint(setting(draft.sensor, "jpeg_quality")).astype(np.int32).reshape(-1)
    shutter_s = draft.shutter_s if rig.shutter_s is None else np.broadcast_to(rig.shutter_s, draft.shutter_s.shape)
    return FrameKeys(
        world=np.repeat(draft.world, cameras),
        step=np.repeat(draft.step, cameras),
        camera=np.tile(np.arange(cameras, dtype=np.int32), rows),
        k=k,
        world_from_camera=draft.world_from_camera.reshape(-1, 3, 4).copy(),
        lenses=Lenses(
            exposure=(draft.exposure * np.exp2(draft.exposure_ev)).reshape(-1),
            f_stop=draft.f_stop.reshape(-1).copy(),
            focus_distance_m=draft.focus_distance_m.reshape(-1).copy(),
            shutter_s=shutter_s.reshape(-1, 2).copy(),
            readout_s=np.full(rows * cameras, rig.readout_s),
            exposure_s=exposures_s(draft, rig).reshape(-1),
            lens_radius_m=lens_radii_m(draft, rig).reshape(-1),
            velocity_m_s=draft.camera_velocity_m_s.reshape(-1, 3).copy(),
            spin_rad_s=draft.camera_spin_rad_s.reshape(-1, 3).copy(),
            model=draft.lens_model.reshape(-1).copy(),
            coefficients=draft.lens_coefficients.reshape(rows * cameras, -1).copy(),
            limit=draft.lens_limit.reshape(-1).copy(),
        ),
        jpeg_quality=jpeg_quality,
    )
