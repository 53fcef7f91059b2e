"""Lights of a scene on a device, and what a batch of rows changes about them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.daylight.sky import sky_rows, sky_table
from engine.draft import Draft
from engine.render.arrays import copied, to_device
from engine.render.atlas import Atlas
from engine.render.domes import domes_on_device
from engine.render.inputs import Field, Inputs, field
from engine.scene.model import IesProfile, Light, LightKind, Scene

WIDEST_CONE_RAD = 4.0  # of a light without a cone: above any angle
BACKGROUND = (LightKind.DOME, LightKind.SKY)  # what rays see that meet nothing


def lights_on_device(scene: Scene, atlas: Atlas, device: str) -> Any:
    """Return kernels.light.Lights without rows."""
    lights, out = scene.lights, gpu.light.Lights()
    out.count = len(lights)
    out.kind = _numbers([light.kind for light in lights], device)
    out.size_m = _vectors([light.size_m for light in lights], wp.vec2, device)
    out.dome_count = sum(light.kind in BACKGROUND for light in lights)
    half_sine = np.sin([0.5 * light.half_angle_rad for light in lights])
    versine = np.asarray(2.0 * half_sine**2, np.float32)  # 1 - cos, which float32 rounds to 0 below half a milliradian
    out.versine = to_device(versine, wp.float32, device)
    out.texture = _numbers([_or_none(light.texture) for light in lights], device)
    link = np.zeros((0, 0), np.uint8) if scene.link_sets is None else scene.link_sets.astype(np.uint8)
    out.link = to_device(link, wp.uint8, device)
    shaped = [index for index, light in enumerate(lights) if _is_shaped(light)]
    row_of_light = {index: row for row, index in enumerate(shaped)}
    control = [_control(light, row_of_light.get(index)) for index, light in enumerate(lights)]
    out.control = wp.array(control, dtype=gpu.light.Control, device=device)
    out.shapings = _shapings([lights[index] for index in shaped], scene.ies, device)
    out.textures = atlas.textures
    out.domes = domes_on_device(lights, scene.textures, device)
    return out


def light_fields(draft: Draft) -> list[Field]:
    """Return what rows change about lights."""
    return [
        field("light", gpu.transform.mat34, draft.world_from_light, may_share=True),
        field("radiance", wp.vec3, draft.radiance, may_share=True),
        field("ambient", wp.vec3, draft.ambient, may_share=True),
        field("sky", wp.float32, _sky_numbers(draft), may_share=True),
    ]


def lights_of_rows(base: Any, inputs: Inputs) -> Any:
    """Return the lights with the rows in `inputs`."""
    lights = copied(base)
    lights.world_from_light = inputs.array("light")
    lights.radiance, lights.ambient = inputs.array("radiance"), inputs.array("ambient")
    lights.sky = inputs.array("sky")
    return lights


def _sky_numbers(draft: Draft) -> NDArray[np.float64]:
    """Return what the kernels read of the sky [row, number]; [row, 0] without one."""
    rows, parameters = draft.sky.shape
    if parameters == 0:
        return np.zeros((rows, 0))
    numbers = sky_rows(draft.sky).numbers
    return np.concatenate([numbers, sky_table(numbers)], axis=1)


def _is_shaped(light: Light) -> bool:
    has_cone = light.cone_cos > -1.0 or light.cone_softness > 0.0
    return light.kind not in BACKGROUND and (has_cone or light.focus > 0.0 or light.ies is not None)


def _shapings(lights: Sequence[Light], profiles: Sequence[IesProfile], device: str) -> Any:
    """Return kernels.shaping.Shapings of the lights that have one."""
    out = gpu.shaping.Shapings()
    out.row = wp.array([_shaping(light) for light in lights], dtype=gpu.shaping.Shaping, device=device)
    parts = [(p.horizontal_rad, p.vertical_rad, p.intensity.ravel()) for p in profiles]
    values = [np.concatenate(part) for part in parts]
    first = np.concatenate([[0], np.cumsum([len(value) for value in values])])[:-1]
    table = out.profiles
    table.first = to_device(first.astype(np.int32), wp.int32, device)
    count = [(len(p.horizontal_rad), len(p.vertical_rad)) for p in profiles]
    table.count = to_device(np.array(count, np.int32).reshape(-1, 2), wp.vec2i, device)
    joined = np.concatenate(values) if values else np.zeros(0)
    table.value = to_device(joined.astype(np.float32), wp.float32, device)
    return out


def _control(light: Light, shaping: int | None) -> Any:
    """Return kernels.light.Control of a light."""
    out = gpu.light.Control()
    out.shaping, out.lit, out.shading = (_or_none(row) for row in (shaping, light.lit, light.shading))
    out.lobes = wp.vec2(light.diffuse, light.specular)
    out.shadow_color = wp.vec3(*light.shadow_color) if light.casts_shadow else wp.vec3(1.0)
    out.shadow_reach = wp.vec3(*_shadow_reach(light))
    return out


def _shaping(light: Light) -> Any:
    """Return kernels.shaping.Shaping of a light."""
    out = gpu.shaping.Shaping()
    out.cone_rad = wp.vec2(*_cone_rad(light))
    out.focus = light.focus
    out.focus_tint = wp.vec3(*light.focus_tint)
    out.profile = _or_none(light.ies)
    return out


def _cone_rad(light: Light) -> tuple[float, float]:
    """Return the angles at which a cone begins to fade and ends: lerp(softness, angle, 0) and angle."""
    if light.cone_cos <= -1.0 and light.cone_softness <= 0.0:
        return WIDEST_CONE_RAD, WIDEST_CONE_RAD
    end = math.acos(min(max(light.cone_cos, -1.0), 1.0))
    return end * (1.0 - light.cone_softness), end


def _shadow_reach(light: Light) -> tuple[float, float, float]:
    fade_m = min(light.shadow_falloff_m, light.shadow_distance_m) if math.isfinite(light.shadow_distance_m) else 0.0
    return light.shadow_distance_m, fade_m, 1.0 / light.shadow_falloff_gamma


def _or_none(index: int | None) -> int:
    return -1 if index is None else index


def _numbers(values: Sequence[int], device: str) -> wp.array:
    return to_device(np.array(values, np.int32), wp.int32, device)


def _vectors(values: Sequence[Sequence[float]], dtype: Any, device: str) -> wp.array:
    array: NDArray[np.float32] = np.array(values, np.float32).reshape(len(values), len(dtype()))
    return to_device(array, dtype, device)
