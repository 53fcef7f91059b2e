"""Keypoints as a recipe asks for them: of every instance of a class, beside those that the stage names."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal

NAME = re.compile(r"[A-Za-z0-9_.:/]{1,64}")  # without `-`, which joins two in a skeleton


@dataclass(frozen=True)
class ClassKeypoints:
    """Keypoints of the instances of a class; docs/usd.md says what a stage can name itself."""

    points: dict[str, tuple[float, float, float]] = field(default_factory=dict)  # name -> place, see `unit`
    unit: Literal["box", "m"] = "box"  # shares of the object's box, 0 to 1 along its axes, or metres in its frame
    joints: bool = False  # those of its skeleton (UsdSkel), named after the last part of their paths
    depth_m: float = 0.0  # how deep these lie below the surface of their instance: so much more of it may hide them
    skeleton: tuple[tuple[str, str], ...] = ()  # names that are joined
    sigmas: dict[str, float] = field(default_factory=dict)  # of COCO's keypoint similarity, all of them or none

    def __post_init__(self) -> None:
        """Check names and numbers.

        Raises:
            ValueError: If one cannot be meant.
        """
        for name, place in self.points.items():
            check_name(name)
            if not all(math.isfinite(value) for value in place):
                raise ValueError(f"points.{name}: {list(place)} is not finite")
        if not 0.0 <= self.depth_m <= 100.0:
            raise ValueError(f"depth_m must be in 0..100, got {self.depth_m}")
        for pair in self.skeleton:
            if len(set(pair)) != 2:
                raise ValueError(f"skeleton: {list(pair)} joins a keypoint with itself")
        for name, sigma in self.sigmas.items():
            if not (math.isfinite(sigma) and sigma > 0.0):
                raise ValueError(f"sigmas.{name} must be above 0, got {sigma}")


def check_name(name: str) -> None:
    """Refuse what cannot name a keypoint.

    Raises:
        ValueError: It says what can.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"'{name}' cannot name a keypoint; use up to 64 letters, digits, _ . : /")
