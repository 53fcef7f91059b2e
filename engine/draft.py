"""Worlds while they are being randomised: host arrays `[row, ...]`, a row being one world at one step.

A randomiser changes these arrays through `Draw`, whose values are keyed by (seed, randomiser name, key) and counted by
(world, step, index, dimension). So a row depends on nothing but (recipe, seed, world, step).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

PATTERN_FLOATS = 24  # of a pattern's record
DEFECT_FLOATS = 32  # of a defect's record, see engine/defect.py
NO_PATTERN = -1


@dataclass(frozen=True)
class DefectSlot:
    """What one slot of `Draft.defect` holds in every row that uses it."""

    entry: str  # the randomiser's name
    kind: int  # engine.defect.DefectKind
    class_id: int  # of the taxonomy, 0: unlabelled; near-misses have classes too, and no masks of defects
    handling_step: str  # where in production or handling it comes from, "": not said


@dataclass
class Draft:
    """What randomisers may change. Every array starts as the authored scene, repeated for each row."""

    world: NDArray[np.int64]  # [row]
    step: NDArray[np.int32]  # [row]
    world_from_instance: NDArray[np.float64]  # [row, instance, 3, 4]
    visible: NDArray[np.bool_]  # [row, instance]
    material: NDArray[np.int32]  # [row, instance], -1: each triangle's own
    tint: NDArray[np.float32]  # [row, instance, 3], multiplies the base colour, linear
    base_color: NDArray[np.float32]  # [row, material, 3]
    roughness: NDArray[np.float32]  # [row, material]
    metallic: NDArray[np.float32]  # [row, material]
    pattern: NDArray[np.float32]  # [row, slot, 24], layout: kernels/native/pattern.cpp; no slots: no patterns
    pattern_of_instance: NDArray[np.int32]  # [row, instance], slot or -1: what its materials wear
    pattern_of_material: NDArray[np.int32]  # [row, material], slot or -1
    pattern_seed: NDArray[np.uint32]  # [row, instance], of what is random in a pattern
    defect: NDArray[np.float32]  # [row, slot, 32], layout: engine/defect.py; no slots: no defects
    defect_of: NDArray[np.int32]  # [row, slot], the instance that bears it, 0: this row does not use the slot
    world_from_light: NDArray[np.float64]  # [row, light, 3, 4], orthonormal axes
    radiance: NDArray[np.float32]  # [row, light, 3]
    ambient: NDArray[np.float32]  # [row, 3], radiance of the stated ambient term
    sky: NDArray[np.float64]  # [row, 4] as Light.sky, or [row, 0] without a sky
    world_from_camera: NDArray[np.float64]  # [row, camera, 3, 4]; camera axis: the rig's cameras
    focal_px: NDArray[np.float64]  # [row, camera, 2]
    center_px: NDArray[np.float64]  # [row, camera, 2], corner-origin pixels
    exposure_ev: NDArray[np.float32]  # [row, camera], stops added to the rig's exposure
    exposure: NDArray[np.float32]  # [row, camera], factor on radiance that the authored camera asks for
    lens_model: NDArray[np.int32]  # [row, camera], engine.lens.LensModel; orthographic: focal_px is pixels per metre
    lens_coefficients: NDArray[np.float64]  # [row, camera, 12], see engine.lens.Lens
    lens_limit: NDArray[np.float64]  # [row, camera]
    clip_m: NDArray[np.float64]  # [row, camera, 2], depths between which the camera sees
    f_stop: NDArray[np.float32]  # [row, camera], 0: pinhole
    focus_distance_m: NDArray[np.float64]  # [row, camera], 0: pinhole
    shutter_s: NDArray[np.float64]  # [row, camera, 2], opening and closing, relative to the frame's time
    sensor: NDArray[np.float64]  # [row, camera, setting], see engine/sensors/settings.py; no settings: the renderer's
    pixel_pitch_m: NDArray[np.float64]  # [row, camera], of the sensor: focal length [m] = focal_px * pixel_pitch_m
    camera_velocity_m_s: NDArray[np.float64]  # [row, camera, 3], world; poses are those of the shutter's middle
    camera_spin_rad_s: NDArray[np.float64]  # [row, camera, 3], about the camera's origin, axis in the world
    instance_velocity_m_s: NDArray[np.float64]  # [row, instance, 3], world
    instance_spin_rad_s: NDArray[np.float64]  # [row, instance, 3], about the instance's origin, axis in the world
    defect_slots: tuple[DefectSlot, ...] = ()  # [slot]
    drawn: dict[str, NDArray[np.generic]] = field(default_factory=dict)  # `p.<randomiser>.<key>` -> [row] or [row, k]


def rows_of(draft: Draft, rows: slice) -> Draft:
    """Return some rows of a draft; its arrays are views."""
    parts: dict[str, Any] = {
        name: values[rows] for name, values in vars(draft).items() if isinstance(values, np.ndarray)
    }
    return dataclasses.replace(draft, **parts, drawn={name: values[rows] for name, values in draft.drawn.items()})
