"""Which instances are too small, too hidden or too cut to be written: the last step before a format, counted."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import UserError
from engine.formats.record import Instance

AMODAL_KEY = "labels.amodal=true"


@dataclass(frozen=True)
class Filters:
    """Limits; the first that an instance breaks is the reason why it is dropped."""

    min_visible_px: int = 1
    min_visible_fraction: float = 0.0  # visible pixels over the whole silhouette, also beyond the frame
    min_side_px: float = 0.0  # of the box of the visible pixels, the shorter side
    max_truncation: float = 1.0

    def __post_init__(self) -> None:
        if self.min_visible_px < 1:
            raise UserError(f"--min-visible-px {self.min_visible_px}: must be at least 1, readers reject empty boxes")
        for name, value in (
            ("--min-visible-fraction", self.min_visible_fraction),
            ("--max-truncation", self.max_truncation),
        ):
            if not 0.0 <= value <= 1.0:
                raise UserError(f"{name} {value:g}: must be in 0..1")
        if not 0.0 <= self.min_side_px < float("inf"):
            raise UserError(f"--min-side-px {self.min_side_px:g}: must be 0 or more")

    def reason(self, instance: Instance) -> str | None:
        """Return why an instance is dropped, None: it stays.

        Raises:
            UserError: If a limit needs whole silhouettes and the dataset has none.
        """
        if instance.visible_px is not None and instance.visible_px < self.min_visible_px:
            return "fewer visible pixels than --min-visible-px"
        if min(instance.box[2:]) < self.min_side_px:
            return "a side shorter than --min-side-px"
        if instance.lies_on:  # the other limits are about whole silhouettes
            return None
        if self.min_visible_fraction > 0.0:
            if instance.amodal is None or instance.visible_px is None:
                raise _needs_amodal("--min-visible-fraction")
            if instance.visible_px / instance.amodal.full_px < self.min_visible_fraction:
                return "less visible than --min-visible-fraction"
        if self.max_truncation < 1.0:
            truncation = instance.truncation
            if truncation is None:
                raise _needs_amodal("--max-truncation")
            if truncation > self.max_truncation:
                return "more outside of the frame than --max-truncation"
        return None


def _needs_amodal(option: str) -> UserError:
    return UserError(f"{option} needs whole silhouettes, which the dataset has not; make it with {AMODAL_KEY}")
