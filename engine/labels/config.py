"""What is labelled beside visible masks and boxes: the `labels` group of a recipe."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST_MARGIN = 8.0


@dataclass(frozen=True)
class LabelConfig:
    """How instances are labelled; docs/formats.md has every column."""

    amodal: bool = True  # whole silhouettes: amodal masks and boxes, in_frame_px, full_px, who hides whom
    margin: float = 1.0  # how far beyond the frame silhouettes are followed, on every side, in sizes of the frame
    keypoint_tolerance_m: float = 0.05  # a keypoint is seen if its own instance's surface is at most so far before it

    def __post_init__(self) -> None:
        if not 0.0 <= self.margin <= LARGEST_MARGIN:
            raise ValueError(f"margin must be in 0..{LARGEST_MARGIN:g} sizes of the frame, got {self.margin}")
        if not 0.0 <= self.keypoint_tolerance_m <= 100.0:
            raise ValueError(f"keypoint_tolerance_m must be in 0..100, got {self.keypoint_tolerance_m}")
