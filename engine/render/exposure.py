"""What happens while a shutter is open: lenses and motion of the views of a batch, and where objects are meanwhile.

A draft's poses are those of the middle of the exposure; velocities say what was before and comes after. Cameras move
on continuously. Objects stand still during each of `rig.shutter_samples` equal parts of the time that a view sees,
where they are in the part's middle: a row of Worlds for each. There is an odd number of parts, so that one of them
shows the draft itself; labels are of that one, or with a rolling shutter of the one nearest to the exposure of their
image row.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.draft import Draft
from engine.lens.model import LensModel
from engine.randomize.pose import compose
from engine.recipe import Rig
from engine.render.inputs import Field, field

GOLDEN, SILVER = 0.6180339887498949, 0.4142135623730951  # far from the multiples of R2 that place samples in a pixel
Array = NDArray[np.float64]


def blurs(rig: Rig) -> bool:
    """Return whether a rig asks for more than pinholes and images of one moment."""
    return rig.depth_of_field or rig.motion_blur or rig.readout_s != 0.0


def exposures_s(draft: Draft, rig: Rig) -> Array:
    """Return for how long every row of an image is exposed, [row, camera]; 0 without motion blur."""
    opening = draft.shutter_s if rig.shutter_s is None else np.broadcast_to(rig.shutter_s, draft.shutter_s.shape)
    seconds = np.maximum(opening[..., 1] - opening[..., 0], 0.0)
    return seconds if rig.motion_blur else np.zeros_like(seconds)


def lens_radii_m(draft: Draft, rig: Rig) -> Array:
    """Return half the diameters of the apertures, focal length / f-number, [row, camera]; 0: pinholes."""
    is_thin = (draft.f_stop > 0.0) & (draft.focus_distance_m > 0.0) & (draft.lens_model != LensModel.ORTHOGRAPHIC)
    focal_m = draft.focal_px[..., 0] * draft.pixel_pitch_m
    radius_m: Array = np.where(is_thin & rig.depth_of_field, 0.5 * focal_m / np.where(is_thin, draft.f_stop, 1.0), 0.0)
    return radius_m


def blur_field(draft: Draft, rig: Rig, cameras: slice) -> Field:
    """Return kernels.camera.BlurValue of the views of a draft, view-major."""
    names = gpu.camera.BlurValue
    seconds, radius_m = exposures_s(draft, rig), lens_radii_m(draft, rig)
    objects_move = (rig.shutter_samples > 1) & (_any(draft.instance_velocity_m_s) | _any(draft.instance_spin_rad_s))
    camera_moves = _any(draft.camera_velocity_m_s[:, :, None]) | _any(draft.camera_spin_rad_s[:, :, None])
    values = np.zeros((*seconds.shape, int(gpu.camera.BLUR_VALUES)))
    focus_m = draft.focus_distance_m
    values[..., names.LENS_RADIUS_M] = radius_m
    values[..., names.FOCUS_NEARNESS] = np.where(radius_m > 0.0, 1.0 / np.where(focus_m > 0.0, focus_m, 1.0), 0.0)
    values[..., names.EXPOSURE_S], values[..., names.READOUT_S] = seconds, rig.readout_s
    values[..., names.VELOCITY_X : names.VELOCITY_X + 3] = draft.camera_velocity_m_s
    values[..., names.SPIN_X : names.SPIN_X + 3] = draft.camera_spin_rad_s
    values[..., names.BLURRED] = (radius_m > 0.0) | (
        (seconds > 0.0) & (camera_moves | np.reshape(objects_move, (-1, 1)))
    )
    values = values[:, cameras]
    return field("blur", wp.float32, values.reshape(-1, values.shape[-1]))


def moment_count(rig: Rig, draft: Draft | None = None) -> int:
    """Return in how many places objects are while a view sees them, at most or, given a draft, in it."""
    if not rig.motion_blur and rig.readout_s == 0.0:
        return 1
    if draft is not None and not (draft.instance_velocity_m_s.any() or draft.instance_spin_rad_s.any()):
        return 1
    return rig.shutter_samples


def at_moments(draft: Draft, rig: Rig, cameras: slice) -> tuple[Draft, NDArray[np.int32]]:
    """Return a draft of which every row is a moment, and the first row of every view [row, camera].

    Cameras that see for equally long share the moments of a row.
    """
    count, rows = moment_count(rig, draft), len(draft.world)
    seen_s = (exposures_s(draft, rig) + abs(rig.readout_s))[:, cameras]
    if count == 1:
        return draft, np.repeat(np.arange(rows, dtype=np.int32)[:, None], seen_s.shape[1], axis=1)
    groups = 1 if (seen_s == seen_s[:, :1]).all() else seen_s.shape[1]
    middle = (np.arange(count) + 0.5) / count - 0.5
    middle[count // 2] = 0.0
    time_s = (seen_s[:, :groups, None] * middle).reshape(-1)
    arrays = {name: values for name, values in vars(draft).items() if isinstance(values, np.ndarray)}
    copies: dict[str, Any] = {name: np.repeat(values, groups * count, axis=0) for name, values in arrays.items()}
    out = dataclasses.replace(draft, **copies)
    out.world_from_instance = moved(
        out.world_from_instance, out.instance_velocity_m_s, out.instance_spin_rad_s, time_s[:, None]
    )
    first = np.arange(rows * groups, dtype=np.int32).reshape(rows, groups) * count
    return out, np.repeat(first, seen_s.shape[1] // groups, axis=1)


def moved(pose: Array, velocity_m_s: Array, spin_rad_s: Array, time_s: Array) -> Array:
    """Return poses [..., 3, 4] some time later: their origins move on, and they turn about them (Rodrigues)."""
    angle_rad = np.sqrt((spin_rad_s**2).sum(axis=-1)) * time_s
    speed = np.where((spin_rad_s != 0.0).any(axis=-1), np.sqrt((spin_rad_s**2).sum(axis=-1)), 1.0)
    x, y, z = np.moveaxis(spin_rad_s / speed[..., None], -1, 0)
    zero = np.zeros_like(x)
    across = np.stack([np.stack(row, axis=-1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))], axis=-2)
    twice = np.stack([_times(across, across[..., k]) for k in range(3)], axis=-1)
    sine, versine = np.sin(angle_rad)[..., None, None], 2.0 * np.sin(0.5 * angle_rad)[..., None, None] ** 2
    turn = np.zeros((*across.shape[:-1], 4))
    turn[..., :3] = np.eye(3) + sine * across + versine * twice
    out = compose(turn, np.concatenate([pose[..., :3], np.zeros_like(pose[..., 3:])], axis=-1))
    out[..., 3] = pose[..., 3] + velocity_m_s * time_s[..., None]
    return out


def shot_shares(sample: int, count: int) -> tuple[float, float, float]:
    """Return where a sample of a pixel lies on the lens and in the exposure, all shares in [0, 1).

    Area and time of the samples are evenly spread, in different orders; their angles follow the golden ratio.
    """
    stride = next(k for k in range(max(1, round(count * SILVER)), count + 2) if math.gcd(k, count) == 1)
    return sample / count, sample * GOLDEN % 1.0, sample * stride % count / count


def _any(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return whether anything is not 0, over the last two axes."""
    out: NDArray[np.bool_] = (values != 0.0).any(axis=(-2, -1))
    return out


def _times(matrix: Array, vector: Array) -> Array:
    """Return matrices [..., 3, 3] times vectors [..., 3]."""
    x, y, z = vector[..., 0, None], vector[..., 1, None], vector[..., 2, None]
    return matrix[..., :, 0] * x + matrix[..., :, 1] * y + matrix[..., :, 2] * z
