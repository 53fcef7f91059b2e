"""The rig: which authored cameras look at a world, and the draft that every row of a batch starts from."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.draft import DEFECT_FLOATS, NO_PATTERN, PATTERN_FLOATS, Draft
from engine.errors import UserError, near_matches
from engine.lens.fit import fit_lens
from engine.lens.model import COEFFICIENTS
from engine.recipe import Rig
from engine.scene.camera import authored_model, intrinsics, pixel_pitch_m
from engine.scene.defaults import framing_camera
from engine.scene.model import Camera, Material, Scene
from engine.sensors.settings import authored_settings

AUTO = "auto"


def rig_cameras(scene: Scene, rig: Rig) -> tuple[Camera, ...]:
    """Return the cameras of a rig in its order; `auto` is the first authored one, or one that frames the scene.

    Raises:
        UserError: If a name or glob matches no camera; the message lists those that are there.
    """
    chosen: list[Camera] = []
    names = tuple(camera.name for camera in scene.cameras)
    for pattern in rig.cameras:
        if pattern == AUTO:
            found = [scene.cameras[0] if scene.cameras else framing_camera(scene, rig.width, rig.height)]
        else:
            found = [c for c in scene.cameras if fnmatchcase(c.name, pattern)]
        if not found:
            raise UserError(f"rig.cameras: '{pattern}' matches no camera; the scene has {near_matches(pattern, names)}")
        chosen += [camera for camera in found if camera not in chosen]
    return tuple(chosen)


def authored_draft(
    scene: Scene, rig: Rig, cameras: Sequence[Camera], world: NDArray[np.int64], step: NDArray[np.int32]
) -> Draft:
    """Return the authored scene, repeated for every (world, step): what randomisers start from."""
    rows = len(world)
    instances = len(scene.instances.path)

    def repeat(values: object, dtype: type) -> NDArray[Any]:
        return np.repeat(np.asarray(values, dtype)[None], rows, axis=0)

    materials, lights = scene.materials, scene.lights
    k = np.array([intrinsics(camera, rig.width, rig.height) for camera in cameras])
    clip_m = [camera.clip_m if rig.clip else (0.0, np.inf) for camera in cameras]
    draft = Draft(
        world=world,
        step=step,
        world_from_instance=repeat(scene.instances.world_from_instance, np.float64),
        visible=np.ones((rows, instances), np.bool_),
        material=np.full((rows, instances), -1, np.int32),
        tint=np.ones((rows, instances, 3), np.float32),
        base_color=repeat([_base_color(m) for m in materials], np.float32),
        roughness=repeat([1.0 if "roughness" in m.textures else m.roughness for m in materials], np.float32),
        metallic=repeat([1.0 if "metallic" in m.textures else m.metallic for m in materials], np.float32),
        pattern=np.zeros((rows, 0, PATTERN_FLOATS), np.float32),
        pattern_of_instance=np.full((rows, instances), NO_PATTERN, np.int32),
        pattern_of_material=np.full((rows, len(materials)), NO_PATTERN, np.int32),
        pattern_seed=repeat(scene.instances.stable_id & 0xFFFFFFFF, np.uint32),
        defect=np.zeros((rows, 0, DEFECT_FLOATS), np.float32),
        defect_of=np.zeros((rows, 0), np.int32),
        world_from_light=repeat(np.reshape([light.world_from_light for light in lights], (-1, 3, 4)), np.float64),
        radiance=repeat(np.reshape([light.radiance for light in lights], (-1, 3)), np.float32),
        ambient=repeat(rig.ambient_radiance, np.float32),
        sky=repeat(next((light.sky for light in lights if light.sky is not None), ()), np.float64),
        world_from_camera=repeat([camera.world_from_camera for camera in cameras], np.float64),
        focal_px=repeat(k[:, (0, 1), (0, 1)], np.float64),
        center_px=repeat(k[:, (0, 1), (2, 2)], np.float64),
        exposure_ev=np.zeros((rows, len(cameras)), np.float32),
        exposure=repeat([camera.exposure for camera in cameras], np.float32),
        lens_model=repeat([authored_model(camera) for camera in cameras], np.int32),
        lens_coefficients=np.zeros((rows, len(cameras), COEFFICIENTS)),
        lens_limit=np.full((rows, len(cameras)), np.inf),
        clip_m=repeat(clip_m, np.float64),
        f_stop=repeat([camera.f_stop for camera in cameras], np.float32),
        focus_distance_m=repeat([camera.focus_distance_m for camera in cameras], np.float64),
        shutter_s=repeat([camera.shutter_s for camera in cameras], np.float64),
        sensor=authored_settings(None, rows, len(cameras)),
        pixel_pitch_m=repeat([pixel_pitch_m(camera, rig.width) for camera in cameras], np.float64),
        camera_velocity_m_s=np.zeros((rows, len(cameras), 3)),
        camera_spin_rad_s=np.zeros((rows, len(cameras), 3)),
        instance_velocity_m_s=np.zeros((rows, instances, 3)),
        instance_spin_rad_s=np.zeros((rows, instances, 3)),
    )
    if rig.lens is not None:
        fit_lens(draft, np.arange(len(cameras)), rig.lens, (rig.width, rig.height), where="rig.lens")
    return draft


def _base_color(material: Material) -> tuple[float, float, float]:
    """Return the constant of a material, which is a factor on the texture or displayColor where there is one."""
    is_factor = "base_color" in material.textures or material.uses_display_color
    return (1.0, 1.0, 1.0) if is_factor else material.base_color
