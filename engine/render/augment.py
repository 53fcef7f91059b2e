"""Augmentation on a device: what is done to the finished pictures of a batch, as phases after those of the sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from engine import gpu
from engine.augmentation import BLUR_TAPS, Augmentation, AugmentSetting, blur_weights, unchanged
from engine.draft import Draft
from engine.recipe import Rig
from engine.render.arrays import to_device
from engine.render.buffers import Buffers
from engine.render.inputs import Field, Inputs, field
from engine.render.program import Program
from engine.render.random_key import random_key
from engine.render.sensor_programs import RUN_PX, Phase, part_size

AUGMENT_BYTES_PX = 12  # of a pixel: a picture that is blurred along its rows
SAME_NAME = {  # columns of kernels.augment.AugmentValue that are settings as they are
    "GAMMA": AugmentSetting.GAMMA, "NOISE_DN": AugmentSetting.NOISE_DN, "BACKGROUND": AugmentSetting.BACKGROUND,
    "LEFT_SHARE": AugmentSetting.LEFT_SHARE, "TOP_SHARE": AugmentSetting.TOP_SHARE,
    "IS_MIRRORED": AugmentSetting.IS_MIRRORED, "CELL_PX": AugmentSetting.CELL_PX,
}  # fmt: skip


@dataclass(frozen=True)
class AugmentOnDevice:
    """What all views of a renderer share."""

    backgrounds: Any  # kernels.augment.Backgrounds; None: none is replaced
    noise: Any  # kernels.random.RandomKey
    patch: Any


def upload_augmentation(augmentation: Augmentation | None, *, seed: int, device: str) -> AugmentOnDevice | None:
    """Return the images of an augmentation on a device; `seed` is the key of what is random in a pixel."""
    if augmentation is None:
        return None
    backgrounds = None
    if augmentation.is_replaced is not None:
        images = [np.zeros((0, 0, 3), np.uint8), *augmentation.images]
        texel = np.concatenate([image.reshape(-1, 3) for image in images])
        size_px = np.array([image.shape[1::-1] for image in augmentation.images], np.int32).reshape(-1, 2)
        first = np.cumsum([len(image.reshape(-1, 3)) for image in images])[: len(size_px)]
        backgrounds = gpu.augment.Backgrounds()
        backgrounds.texel = to_device(texel, wp.uint8, device)
        backgrounds.first_texel = to_device(first.astype(np.int32), wp.int32, device)
        backgrounds.size_px = to_device(size_px, wp.vec2i, device)
        backgrounds.is_replaced = to_device(augmentation.is_replaced.astype(np.uint8), wp.uint8, device)
    return AugmentOnDevice(backgrounds, random_key(seed, "augment.noise"), random_key(seed, "augment.patch"))


def augment_fields(on_device: AugmentOnDevice | None, draft: Draft, cameras: slice) -> list[Field]:
    """Return what is done to the views of a draft, view-major; nothing without an augmentation."""
    if on_device is None:
        return []
    rows, all_cameras = draft.world_from_camera.shape[:2]
    settings = draft.augment if draft.augment.shape[-1] else unchanged(rows, all_cameras)
    settings = settings[:, cameras].reshape(-1, settings.shape[-1])
    value = np.empty((len(settings), len(gpu.augment.AugmentValue)), np.float32)
    for name, column in SAME_NAME.items():
        value[:, gpu.augment.AugmentValue[name]] = settings[:, column]
    color = settings[:, AugmentSetting.COLOR :].reshape(-1, 3, 3)
    return [
        field("augment_value", wp.float32, value),
        field("augment_weight", wp.float32, blur_weights(settings[:, AugmentSetting.SIGMA_PX])),
        field("augment_color", wp.mat33, color),
    ]


@dataclass(frozen=True)
class AugmentMemory:
    """Memory for the views of a batch."""

    views: Any  # kernels.augment.AugmentViews
    blurred: wp.array  # [view, y, x], pictures that are blurred along their rows


def new_augment_memory(on_device: AugmentOnDevice, views: Any, inputs: Inputs, rig: Rig) -> AugmentMemory:
    """Return memory for the views of a batch; `views` are kernels.camera.Views."""
    own = gpu.augment.AugmentViews()
    own.world, own.frame, own.noise, own.patch = views.world, views.frame, on_device.noise, on_device.patch
    for name in ("value", "weight", "color"):
        setattr(own, name, inputs.array(f"augment_{name}"))
    assert own.weight.shape[1] == BLUR_TAPS == int(gpu.augment.BLUR_TAPS)
    shape = (len(views.world), rig.height, rig.width)
    return AugmentMemory(own, wp.empty(shape, dtype=wp.vec3, device=own.value.device))


def augment_phases(
    on_device: AugmentOnDevice, memory: AugmentMemory, buffers: Buffers, *, threads: int | None
) -> list[Phase]:
    """Return the phases that change the pictures of a batch in place.

    Args:
        on_device: What is shared.
        memory: Of the batch.
        buffers: Its images: `color.rgb` is changed, `labels.instance` says where the background is.
        threads: That share the work of a phase; None: one launch does all of it.
    """
    own, blurred = memory.views, memory.blurred
    _, height, width = blurred.shape
    launches: list[tuple[Any, list[Any]]] = [
        (gpu.augment.blur_rows, [own, None, buffers.color, blurred]),
        (gpu.augment.finish, [own, None, blurred, buffers.color]),
    ]
    if on_device.backgrounds is not None:
        inputs_of = [own, on_device.backgrounds, None, buffers.labels, buffers.color]
        launches.insert(0, (gpu.augment.replace_background, inputs_of))
    total, run = blurred.size, 1 if threads is None else RUN_PX
    largest = total if threads is None else part_size(total, run, threads)
    phases = []
    for kernel, arguments in launches:
        groups = gpu.sensor.Groups()
        groups.width, groups.height, groups.per_row, groups.run = width, height, width, run
        program = Program(str(blurred.device))
        program.launch(kernel, -(-largest // run), [groups if each is None else each for each in arguments])
        phases.append(Phase("augment", program, groups, total, run))
    return phases
