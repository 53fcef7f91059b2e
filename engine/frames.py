"""What one launch rendered: host copies of the device buffers, one row a view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.labels.model import Labels

NONE: Mapping[str, Any] = MappingProxyType({})  # no images


@dataclass(frozen=True)
class Lenses:
    """What the camera of each view says beyond its pose and K.

    Labels are sharp and of one moment whatever it is: the pose is that of the shutter's middle. With a rolling shutter
    an image row y is later than that by ((y + 0.5) / height - 0.5) * readout_s, its labels as well.
    """

    exposure: NDArray[np.float32]  # [view], factor on radiance beside the rig's
    f_stop: NDArray[np.float32]  # [view], 0: pinhole
    focus_distance_m: NDArray[np.float64]  # [view], 0: pinhole
    shutter_s: NDArray[np.float64]  # [view, 2], opening and closing, relative to the frame's time
    readout_s: NDArray[np.float64]  # [view], from the first to the last row of the image
    exposure_s: NDArray[np.float64]  # [view], that blurs motion; 0: the image shows one moment
    lens_radius_m: NDArray[np.float64]  # [view], that blurs depths; 0: all are sharp
    velocity_m_s: NDArray[np.float64]  # [view, 3], of the camera, world
    spin_rad_s: NDArray[np.float64]  # [view, 3], of the camera about its origin, axis in the world
    model: NDArray[np.int32]  # [view], engine.lens.LensModel
    coefficients: NDArray[np.float64]  # [view, 12], see engine.lens.Lens
    limit: NDArray[np.float64]  # [view]


@dataclass(frozen=True)
class FrameKeys:
    """Which frame each view is, and the camera that saw it."""

    world: NDArray[np.int64]  # [view]
    step: NDArray[np.int32]  # [view]
    camera: NDArray[np.int32]  # [view], index into the rig
    k: NDArray[np.float64]  # [view, 3, 3], corner-origin pixels
    world_from_camera: NDArray[np.float64]  # [view, 3, 4]; camera: x right, y up, looks along -Z
    lenses: Lenses | None = None
    metered_ev: NDArray[np.float32] | None = None  # [view], exposure that the sensor found; None: it did not look
    jpeg_quality: NDArray[np.int32] | None = None  # [view], of files, 0: as the writer says; None: all of them so


@dataclass(frozen=True)
class Frames:
    """Images of a batch; an output that was not asked for is None."""

    keys: FrameKeys
    rgb: NDArray[np.uint8] | None  # [view, y, x, 3], sRGB
    rgb_linear: NDArray[np.float32] | None  # [view, y, x, 3], scene-linear
    depth_m: NDArray[np.float32] | None  # [view, y, x], planar or range, see engine.lens; +inf where nothing was hit
    normal: NDArray[np.float32] | None  # [view, y, x, 3], world, unit, towards the camera; 0 where nothing was hit
    instance: NDArray[np.int32] | None  # [view, y, x], index into Scene.instances, 0 = background
    keypoint: NDArray[np.float32] | None = None  # [view, keypoint, 3], of Scene.keypoints: x, y [px], COCO's visibility
    depth_sensor_m: NDArray[np.float32] | None = None  # [view, y, x], planar, 0 where the sensor measured nothing
    lidar_value: NDArray[np.float32] | None = (
        None  # [row, beam, return, 7], a row is a (world, step); see sensors/sweep
    )
    lidar_id: NDArray[np.int32] | None = None  # [row, beam, return, 2], likewise
    annotations: Mapping[str, NDArray[Any]] = field(default_factory=lambda: NONE)  # by name, see engine/annotators.py
    labels: Labels | None = None  # reduced where the frames were rendered; engine.labels.extract makes them of images

    @staticmethod
    def image_names() -> tuple[str, ...]:
        """Return the names of all images that have a field of their own."""
        return tuple(part.name for part in fields(Frames) if part.name not in ("keys", "annotations", "labels"))


@dataclass(frozen=True)
class DeviceFrames:
    """Images of a batch as Warp arrays on the device that rendered them; shapes, units and None as in `Frames`.

    They are the caller's alone, and other libraries can look at them without a copy: `torch.from_dlpack(frames.rgb)`,
    `cupy.asarray(frames.depth_m)`, on the CPU `frames.rgb.numpy()`. On CUDA they are in order on the present stream of
    Warp, which DLPack tells the other library to wait for.
    """

    keys: FrameKeys
    rgb: Any
    rgb_linear: Any
    depth_m: Any
    normal: Any
    instance: Any
    keypoint: Any = None
    depth_sensor_m: Any = None
    lidar_value: Any = None
    lidar_id: Any = None
    metered_ev: Any = None  # [view], see `FrameKeys`, which does not have it here
    annotations: Mapping[str, Any] = field(default_factory=lambda: NONE)
