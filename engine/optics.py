"""What a recipe says of lenses and of cameras mounted together; engine/lens has the formulas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BentModel = Literal["pinhole", "brown_conrady", "kannala_brandt", "equirectangular", "f_theta"]
COEFFICIENT_COUNTS = {  # that a model may have
    "pinhole": (0,),
    "brown_conrady": (4, 5, 8, 12),  # OpenCV's order: k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4]]]
    "kannala_brandt": (4,),  # k1 k2 k3 k4 of OpenCV's fisheye
    "equirectangular": (0,),
    "f_theta": (2, 3, 4, 5, 6),  # A B [C [D [E [F]]]]: angle [rad] of the distance from the centre [px]
}
LARGEST_FOV_DEG = {
    "pinhole": 170.0,
    "brown_conrady": 168.0,
    "kannala_brandt": 360.0,
    "equirectangular": 360.0,
    "f_theta": 360.0,
}


@dataclass(frozen=True)
class LensConfig:
    """A lens: its model, coefficients and, where those of the authored camera do not count, focal length and centre."""

    model: BentModel
    coefficients: tuple[float, ...]  # in the order of COEFFICIENT_COUNTS
    fov_deg: float | None = None  # angle across the image's width about its middle; None: as focal_px or the camera say
    focal_px: tuple[float, float] | None = None  # fx, fy; None: as fov_deg or the camera say
    center_px: tuple[float, float] | None = None  # from the image's corner; None: as the camera says
    calibrated_width_px: float | None = None  # of the image that the pixels here count in; None: the rig's width
    max_fov_deg: float | None = None  # nothing is seen beyond this angle across; None: as far as the model is defined

    def __post_init__(self) -> None:
        check_coefficients(self.model, len(self.coefficients))
        if self.fov_deg is not None and self.focal_px is not None:
            raise ValueError("fov_deg and focal_px both set the focal length; make one of them null")
        if self.model == "f_theta":
            if self.focal_px is not None:
                raise ValueError("focal_px: coefficient B of f_theta is the focal length (B = 1 / pixels); use null")
            if self.coefficients[0] != 0.0:
                raise ValueError(
                    f"coefficients: A of f_theta, the centre's angle, must be 0, got {self.coefficients[0]}"
                )
            if self.coefficients[1] <= 0.0:
                raise ValueError(f"coefficients: B of f_theta must be above 0, got {self.coefficients[1]}")
        if self.model == "equirectangular" and self.fov_deg is None and self.focal_px is None:
            raise ValueError("equirectangular needs fov_deg, such as 360, or focal_px in pixels a radian")
        if self.model in ("pinhole", "equirectangular") and self.max_fov_deg is not None:
            raise ValueError(f"max_fov_deg has no meaning for {self.model}; use null")
        check_fov("fov_deg", self.fov_deg, self.model)
        check_fov("max_fov_deg", self.max_fov_deg, self.model)
        if self.focal_px is not None and min(self.focal_px) <= 0.0:
            raise ValueError(f"focal_px must be above 0, got {list(self.focal_px)}")
        if self.calibrated_width_px is not None and self.calibrated_width_px <= 0.0:
            raise ValueError(f"calibrated_width_px must be above 0, got {self.calibrated_width_px}")

    @property
    def sets_focal(self) -> bool:
        """Return whether the focal length of the authored camera does not count."""
        return self.fov_deg is not None or self.focal_px is not None or self.model == "f_theta"


def check_coefficients(model: str, count: int) -> None:
    """Refuse a wrong number of coefficients.

    Raises:
        ValueError: If the model cannot have so many.
    """
    if count not in COEFFICIENT_COUNTS[model]:
        known = " or ".join(map(str, COEFFICIENT_COUNTS[model]))
        raise ValueError(f"coefficients: {model} has {known}, got {count}")


def check_fov(name: str, fov_deg: float | None, model: str) -> None:
    """Refuse an angle that a model cannot see.

    Raises:
        ValueError: If it is not above 0, or too large.
    """
    if fov_deg is not None and not 0.0 < fov_deg <= LARGEST_FOV_DEG[model]:
        raise ValueError(f"{name} of {model} must be above 0 and at most {LARGEST_FOV_DEG[model]:g}, got {fov_deg}")


@dataclass(frozen=True)
class Mount:
    """Where one camera of a group sits, in the frame of the camera that carries it."""

    right_m: float
    up_m: float
    back_m: float
    pan_deg: float  # about the carrier's up, positive to the left
    tilt_deg: float  # then about the own right, positive upwards
    roll_deg: float  # then about the own axis, counter-clockwise seen from behind
    lens: LensConfig | None = None  # None: the carrier's, drawn values included
