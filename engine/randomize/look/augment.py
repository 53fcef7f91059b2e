"""Augmentation: what is done to finished pictures, drawn and recorded for every camera; labels stay as they are.

Entries of one kind add up: blurs one after the other, matrices of colour in the order of their names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.augmentation import (
    LARGEST_SIGMA_PX,
    PATCHES,
    Augmentation,
    AugmentSetting,
    color_matrices,
)
from engine.draft import Draft
from engine.errors import UserError
from engine.randomize import select
from engine.randomize.apply import Plan
from engine.randomize.cameras.camera import rig_camera_indices
from engine.randomize.draw import Draw
from engine.randomize.law import ANGLE_RANGE_DEG, Law, check_support
from engine.randomize.laws.columns import Choices
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.recipe import check_relative
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene, Texture

GAIN_RANGE, GAMMA_RANGE = (0.0, 16.0), (0.05, 20.0)
LARGEST_ZOOM = 8.0
LARGEST_CELL_PX = 4096


@dataclass(frozen=True)
class AugmentBlur:
    """A Gaussian blur."""

    STAGE: ClassVar[Stage] = Stage.AUGMENT
    cameras: Glob
    probability: Law  # that a frame is blurred at all
    sigma_px: Law

    def __post_init__(self) -> None:
        check_support("probability", self.probability, 0.0, 1.0)
        check_support("sigma_px", self.sigma_px, 0.0, LARGEST_SIGMA_PX)


@dataclass(frozen=True)
class AugmentColor:
    """Other colours: a turn of hue, saturation, gains, then an exponent; all on sRGB codes."""

    STAGE: ClassVar[Stage] = Stage.AUGMENT
    cameras: Glob
    probability: Law
    gain: Law  # of all channels
    red: Law  # of red alone
    blue: Law
    gamma: Law  # exponent on codes / 255; above 1: darker
    hue_deg: Law  # about grey: 120 turns red to green
    saturation: Law  # 1: as it is, 0: grey

    def __post_init__(self) -> None:
        check_support("probability", self.probability, 0.0, 1.0)
        for name in ("gain", "red", "blue", "saturation"):
            check_support(name, getattr(self, name), *GAIN_RANGE)
        check_support("gamma", self.gamma, *GAMMA_RANGE)
        check_support("hue_deg", self.hue_deg, *ANGLE_RANGE_DEG)


@dataclass(frozen=True)
class AugmentNoise:
    """Normal noise on every channel of every pixel."""

    STAGE: ClassVar[Stage] = Stage.AUGMENT
    cameras: Glob
    probability: Law
    std_dn: Law  # in 8-bit codes

    def __post_init__(self) -> None:
        check_support("probability", self.probability, 0.0, 1.0)
        check_support("std_dn", self.std_dn, 0.0, 255.0)


@dataclass(frozen=True)
class AugmentBackground:
    """Another picture where nothing of interest is seen. There may be one such entry."""

    STAGE: ClassVar[Stage] = Stage.AUGMENT
    CHOICES: ClassVar[Choices] = {"image": (None, "weights")}
    cameras: Glob
    probability: Law
    instances: Glob | None  # replaced beside what shows nothing; where they have labels these stay
    folder: str | None  # of images, relative to the USD file's folder; null: patches of one random colour each
    weights: tuple[float, ...] | None  # in the order of the files' names; null: equal
    zoom: float  # images are shown this much larger than to just cover the frame: room for the frame to lie anywhere
    cell_px: Law  # side of a patch; without a folder

    def __post_init__(self) -> None:
        check_support("probability", self.probability, 0.0, 1.0)
        check_support("cell_px", self.cell_px, 1.0, LARGEST_CELL_PX)
        if self.folder is not None:
            check_relative(self.folder)
        if self.folder is None and self.weights is not None:
            raise ValueError("weights are of the images of a folder; name one, or use null")
        if not 1.0 <= self.zoom <= LARGEST_ZOOM:
            raise ValueError(f"zoom must be in 1..{LARGEST_ZOOM:g}, got {self.zoom:g}")


def augmentation_of(plan: Plan) -> Augmentation | None:
    """Return what all views of a plan share; None if nothing is done to pictures.

    Raises:
        UserError: If there are two entries of backgrounds, or one selects no instance.
    """
    entries = [each for each in plan.randomizers if each.stage == Stage.AUGMENT]
    behind = [each for each in entries if isinstance(each.params, AugmentBackground)]
    if len(behind) > 1:
        raise UserError(f"randomize.{behind[1].name}: randomize.{behind[0].name} replaces the background already")
    if not behind:
        return Augmentation() if entries else None
    params, where = behind[0].params, f"randomize.{behind[0].name}"
    is_replaced = np.zeros(len(plan.scene.instances.path), np.bool_)
    is_replaced[0] = True
    if params.instances is not None:
        is_replaced[select.instances(plan.scene, params.instances, f"{where}.instances")] = True
    size_px = (plan.recipe.rig.width, plan.recipe.rig.height)
    images = [_covering(picture, size_px, params.zoom) for picture in _pictures(params, plan.scene, where)]
    return Augmentation(tuple(images), is_replaced)


@RANDOMIZERS.register("augment_blur", AugmentBlur)
def augment_blur(params: AugmentBlur, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Blur pictures."""
    cameras, applied = _applied(params.cameras, params.probability, draw)
    sigma_px = np.where(applied, draw.law("sigma_px", params.sigma_px, count=len(cameras)), 0.0)
    before_px = draft.augment[:, cameras, AugmentSetting.SIGMA_PX]
    both_px = np.minimum(np.sqrt(before_px**2 + sigma_px**2), LARGEST_SIGMA_PX)
    draft.augment[:, cameras, AugmentSetting.SIGMA_PX] = both_px


@RANDOMIZERS.register("augment_color", AugmentColor)
def augment_color(params: AugmentColor, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Change colours."""
    cameras, applied = _applied(params.cameras, params.probability, draw)
    keys = ("gain", "red", "blue", "gamma", "hue_deg", "saturation")
    value = {key: draw.law(key, getattr(params, key), count=len(cameras)) for key in keys}
    gain = value["gain"][..., None] * np.stack([value["red"], np.ones_like(value["red"]), value["blue"]], axis=-1)
    matrix = color_matrices(gain, value["hue_deg"], value["saturation"])
    matrix = np.where(applied[..., None, None], matrix, np.eye(3))
    color = slice(AugmentSetting.COLOR, AugmentSetting.COLOR + 9)
    before = draft.augment[:, cameras, color].reshape(*applied.shape, 3, 3)
    both = np.asarray(sum(matrix[..., :, k, None] * before[..., None, k, :] for k in range(3)))
    draft.augment[:, cameras, color] = both.reshape(*applied.shape, 9)
    draft.augment[:, cameras, AugmentSetting.GAMMA] *= np.where(applied, value["gamma"], 1.0)


@RANDOMIZERS.register("augment_noise", AugmentNoise)
def augment_noise(params: AugmentNoise, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Add noise."""
    cameras, applied = _applied(params.cameras, params.probability, draw)
    std_dn = np.where(applied, draw.law("std_dn", params.std_dn, count=len(cameras)), 0.0)
    before_dn = draft.augment[:, cameras, AugmentSetting.NOISE_DN]
    draft.augment[:, cameras, AugmentSetting.NOISE_DN] = np.sqrt(before_dn**2 + std_dn**2)


@RANDOMIZERS.register("augment_background", AugmentBackground)
def augment_background(params: AugmentBackground, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Choose an image for every frame, and where in it the frame lies."""
    cameras, applied = _applied(params.cameras, params.probability, draw)
    count, setting = len(cameras), AugmentSetting
    names = tuple(picture.name for picture in _pictures(params, scene, f"randomize.{draw.randomizer}"))
    image = np.full(applied.shape, PATCHES)
    if names:
        image = draw.choice("image", names, params.weights, count=count).astype(np.float64)
        for key, column in (("left", setting.LEFT_SHARE), ("top", setting.TOP_SHARE)):
            share = draw.uniform(key, count=count)
            draw.record(f"{key}_share", share)
            draft.augment[:, cameras, column] = share
        mirrored = draw.uniform("mirrored", count=count) < 0.5
        draw.record("mirrored", mirrored)
        draft.augment[:, cameras, setting.IS_MIRRORED] = mirrored
    else:
        draft.augment[:, cameras, setting.CELL_PX] = np.floor(draw.law("cell_px", params.cell_px, count=count))
    draft.augment[:, cameras, setting.BACKGROUND] = np.where(
        applied, image, draft.augment[:, cameras, setting.BACKGROUND]
    )


def _applied(globs: Glob, probability: Law, draw: Draw) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return which cameras are meant, and whether each of their frames is changed [row, camera]; record both."""
    cameras = rig_camera_indices(globs, draw)
    share = draw.law("probability", probability)
    applied = draw.uniform("applied", count=len(cameras)) < share[:, None]
    draw.record("applied", applied)
    return cameras, applied


def _pictures(params: AugmentBackground, scene: Scene, where: str) -> tuple[Texture, ...]:
    """Return the images of the folder, which loading put into the scene."""
    if params.folder is None:
        return ()
    found = tuple(each for each in scene.pictures if each.name.rpartition("/")[0] == params.folder)
    if not found:
        raise UserError(f"{where}.folder: the scene was loaded without {params.folder}; name it in the recipe")
    return found


def _covering(picture: Texture, size_px: tuple[int, int], zoom: float) -> NDArray[np.uint8]:
    """Return an image [y, x, 3], first row at the top, at the smallest size that covers `zoom` frames."""
    from PIL import Image

    assert picture.byte is not None
    image = Image.fromarray(np.ascontiguousarray(picture.byte[::-1, :, :3]))
    scale = max(zoom * want / have for want, have in zip(size_px, image.size, strict=True))
    width, height = (max(want, round(scale * have)) for want, have in zip(size_px, image.size, strict=True))
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))
