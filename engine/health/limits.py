"""What a healthy dataset may have at most: defaults, and a team's own in YAML."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UserError, near_matches
from engine.plain import from_plain
from engine.yaml_file import read_yaml_mapping


@dataclass(frozen=True)
class Measures:
    """From where on something counts as a fault."""

    tiny_area_px: int = 64  # 8 x 8: less than one cell of the finest grid of common detectors (stride 8)
    truncated: float = 0.7  # share of an object outside of the frame
    border_px: int = 0  # a box touches the border if it is so near
    large_box: float = 0.9  # share of the frame
    dark: float = 0.05  # mean luma, 0 black to 1 white
    bright: float = 0.95
    saturated: float = 0.25  # share of pixels with a channel at 255
    flat: float = 0.01  # standard deviation of luma: a picture of nothing
    outlier_z: float = 6.0  # of log sharpness or noise, in scaled median deviations of all frames
    near_bits: int = 3  # of the 64 of phash in which near duplicates differ at most
    together_frames: int = 20  # classes must be there and not there in so many frames to be held against each other
    small_side_px: int = 64  # shorter side of a picture
    rare: int = 20  # instances of a class

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if not 0 <= getattr(self, field.name) < float("inf"):
                raise ValueError(f"{field.name} must be at least 0")
        if self.near_bits > 16:
            raise ValueError(f"near_bits must be at most 16, got {self.near_bits}: unlike pictures differ in 20 to 44")


@dataclass(frozen=True)
class Bound:
    """What a value may be; both ends belong to it."""

    least: float | None = None
    most: float | None = None

    def holds(self, value: float) -> bool:
        """Return whether a value lies inside."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


BOUNDS: dict[str, Bound] = {
    "empty_frames": Bound(most=0.9),
    "tiny_boxes": Bound(most=0.25),
    "undersized": Bound(most=0.0),
    "truncated_boxes": Bound(most=0.25),
    "border_boxes": Bound(most=0.5),
    "large_boxes": Bound(most=0.05),
    "broken_boxes": Bound(most=0.0),
    "double_labels": Bound(most=0.01),
    "byte_duplicates": Bound(most=0.0),
    "near_duplicates": Bound(most=0.05),
    "dark_frames": Bound(most=0.05),
    "bright_frames": Bound(most=0.05),
    "saturated_frames": Bound(most=0.05),
    "flat_frames": Bound(most=0.0),
    "blur_outliers": Bound(most=0.02),
    "noise_outliers": Bound(most=0.02),
    "small_frames": Bound(most=0.0),
    "unmeasured_frames": Bound(most=0.0),
    "unlabelled_instances": Bound(most=0.05),
    "labelled_pixels": Bound(),
    "unseen_classes": Bound(),
    "rare_classes": Bound(),
    "class_entropy": Bound(least=0.2),
    "imbalance": Bound(most=1000.0),
    "co_occurrence": Bound(most=0.95),
    "most_instances": Bound(most=1000.0),
    "image_sizes": Bound(),
    "null_columns": Bound(),
}  # what may be said of every check; docs/health.md says what each is


@dataclass(frozen=True)
class Limits:
    """Measures and bounds of a run of `health`."""

    measures: Measures = Measures()
    bounds: dict[str, Bound] = dataclasses.field(default_factory=lambda: dict(BOUNDS))
    ignore: tuple[str, ...] = ()  # keys of classes whose boxes and counts say nothing, like those of stuff


def read_limits(path: Path | None) -> Limits:
    """Return the defaults with what a YAML file says otherwise: `measures:` and `limits:`, checks by name.

    A limit is a number (the most; of class_entropy and labelled_pixels the least), `{least, most}`, or null: none.

    Raises:
        UserError: If the file cannot be read or names what does not exist.
    """
    if path is None:
        return Limits()
    data = read_yaml_mapping(path)
    for key in data:
        if key not in ("measures", "limits", "ignore"):
            raise UserError(f"{path}: unknown key '{key}'; known keys: measures, limits, ignore")
    measures = from_plain(Measures, data.get("measures") or {}, f"{path}: measures")
    bounds, given = dict(BOUNDS), data.get("limits") or {}
    if not isinstance(given, dict):
        raise UserError(f"{path}: limits: expected checks by name, got {given!r}")
    for name, value in given.items():
        if name not in BOUNDS:
            raise UserError(
                f"{path}: limits: there is no check '{name}'; near: {near_matches(str(name), tuple(BOUNDS))}"
            )
        bounds[name] = _bound(name, value, f"{path}: limits.{name}")
    return Limits(measures, bounds, from_plain(tuple[str, ...], data.get("ignore") or [], f"{path}: ignore"))


def _bound(name: str, value: object, where: str) -> Bound:
    if value is None:
        return Bound()
    if isinstance(value, int | float) and not isinstance(value, bool):
        is_least = name in ("class_entropy", "labelled_pixels")
        return Bound(least=float(value)) if is_least else Bound(most=float(value))
    return from_plain(Bound, value, where)
