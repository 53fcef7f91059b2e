"""Lenses: a model whose coefficients, angle of view and centre differ between worlds, as those of a production do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engine.draft import Draft
from engine.lens.fit import LensValues, fit_lens
from engine.optics import LARGEST_FOV_DEG, BentModel, LensConfig, check_coefficients, check_fov
from engine.randomize import select
from engine.randomize.draw import Draw
from engine.randomize.law import Law, check_support
from engine.randomize.select import Glob
from engine.randomize.stage import Stage
from engine.registry import RANDOMIZERS
from engine.scene.model import Scene

COEFFICIENT_RANGE = (-1.0e6, 1.0e6)
LEAST_B = 1.0e-9  # of f_theta, radians a pixel
CENTER_RANGE_PX = (-1.0e5, 1.0e5)


@dataclass(frozen=True)
class CameraLens:
    """A lens whose values are drawn; keys as in `rig.lens`, whose place it takes."""

    STAGE: ClassVar[Stage] = Stage.CAMERA_LENS
    cameras: Glob  # cameras of the rig
    model: BentModel
    coefficients: tuple[Law, ...]  # columns coefficient_0, coefficient_1 ... of the drawn values
    fov_deg: Law | None  # across the image's width; null: the focal length stays, or f_theta's coefficients say it
    right_px: Law | None  # added to the principal point; null: it stays
    down_px: Law | None
    calibrated_width_px: float | None  # of the image that f_theta's coefficients count in; null: the rig's width
    max_fov_deg: float | None

    def __post_init__(self) -> None:
        check_coefficients(self.model, len(self.coefficients))
        for index, law in enumerate(self.coefficients):
            low, high = COEFFICIENT_RANGE
            if self.model == "f_theta" and index < 2:
                low, high = (0.0, 0.0) if index == 0 else (LEAST_B, high)
            check_support(f"coefficients[{index}]", law, low, high)
        if self.fov_deg is not None:
            check_support("fov_deg", self.fov_deg, 1.0e-3, LARGEST_FOV_DEG[self.model])
        for name in ("right_px", "down_px"):
            if (law := getattr(self, name)) is not None:
                check_support(name, law, *CENTER_RANGE_PX)
        check_fov("max_fov_deg", self.max_fov_deg, self.model)
        if self.model == "equirectangular" and self.fov_deg is None:
            raise ValueError("equirectangular needs fov_deg, such as 360")


@RANDOMIZERS.register("camera_lens", CameraLens)
def camera_lens(params: CameraLens, scene: Scene, draft: Draft, draw: Draw) -> None:
    """Put a drawn lens on cameras."""
    names = [camera.name for camera in draw.cameras]
    cameras = select.select(params.cameras, names, what="camera of the rig", where=draw.where("cameras"))
    count = len(cameras)
    given = [draw.law(f"coefficient_{i}", law, count=count) for i, law in enumerate(params.coefficients)]
    coefficients = np.stack(given, axis=-1) if given else np.zeros((len(draft.world), count, 0))
    fov_deg = None if params.fov_deg is None else draw.law("fov_deg", params.fov_deg, count=count)
    lens = LensConfig(
        params.model,
        tuple(float(value) for value in coefficients[0, 0]),
        fov_deg=None if fov_deg is None else float(fov_deg[0, 0]),
        calibrated_width_px=params.calibrated_width_px,
        max_fov_deg=params.max_fov_deg,
    )
    size_px = (draw.rig.width, draw.rig.height)
    values = LensValues(coefficients, fov_deg)
    fit_lens(draft, cameras, lens, size_px, values, where=f"randomize.{draw.randomizer}")
    for axis, key in enumerate(("right_px", "down_px")):
        if (law := getattr(params, key)) is not None:
            draft.center_px[:, cameras, axis] += draw.law(key, law, count=count)
