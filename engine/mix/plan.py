"""`mix.yaml`: which datasets are mixed, in which shares, with which weights.

sources:
real:   {dataset: out/tiles-real, share: 1}
night:  {dataset: out/warehouse-night, share: 2, slices: {"lum_mean < 0.25": 3}}
real: {0: 0.2, 20: 1.0}       # share of real frames by epoch, linear in between; without it `share` alone decides
class_weights: {crack: 4}
epoch_frames: 5000
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from engine.errors import UserError
from engine.plain import from_plain

LARGEST_WEIGHT = 1000.0


@dataclass(frozen=True)
class SourcePlan:
    """One dataset of a mix; every batch of generated worlds that should be told apart is a source of its own."""

    dataset: str  # folder; in a file, relative to it
    share: float = 1.0  # of the frames of its origin (real or synthetic), or of all where `real` is not given
    classes: dict[str, str | None] | None = None  # its class keys -> names; null: dropped; None: keys are the names
    slices: dict[str, float] = field(default_factory=dict)  # SQL over the frame -> weight of frames that satisfy it

    def __post_init__(self) -> None:
        _check_weight("share", self.share)
        for condition, weight in self.slices.items():
            _check_weight(f"slices: {condition}", weight)


@dataclass(frozen=True)
class MixPlan:
    """A mix."""

    sources: dict[str, SourcePlan]
    epoch_frames: int = 0  # 0: as many as all sources have
    real: dict[str, float] | None = None  # epoch -> share of real frames
    class_weights: dict[str, float] = field(default_factory=dict)  # name -> weight of frames that show it
    classes: tuple[str, ...] = ()  # names in the order of their labels, from 1; (): all, sorted
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("sources is empty; name at least one dataset")
        if self.epoch_frames < 0:
            raise ValueError(f"epoch_frames must be 0 or more, got {self.epoch_frames}")
        for name, weight in self.class_weights.items():
            _check_weight(f"class_weights: {name}", weight)
        for epoch, share in (self.real or {}).items():
            if not epoch.isdigit() or not 0.0 <= share <= 1.0:
                raise ValueError(f"real: {epoch}: {share}: expected a whole epoch and a share in 0..1")
        if self.real is not None and not self.real:
            raise ValueError("real is empty; name the share of an epoch, such as {0: 0.5}, or leave it out")

    def real_share(self, epoch: int) -> float | None:
        """Return the share of real frames in an epoch; None: the plan has no schedule."""
        if self.real is None:
            return None
        knots = sorted((int(at), share) for at, share in self.real.items())
        before = [knot for knot in knots if knot[0] <= epoch] or knots[:1]
        after = [knot for knot in knots if knot[0] > epoch] or knots[-1:]
        (low, first), (high, last) = before[-1], after[0]
        return first if epoch <= low or high <= low else first + (last - first) * (epoch - low) / (high - low)


def read_plan(path: Path) -> MixPlan:
    """Return the plan in a YAML file.

    Raises:
        UserError: If it cannot be read or is not a plan; one line with the key.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    return plan_of(data, path.parent, path.name)


def plan_of(data: Any, folder: Path, where: str = "mix") -> MixPlan:
    """Return the plan in plain data, whose datasets are relative to `folder`.

    Raises:
        UserError: If it is not a plan.
    """
    if not isinstance(data, dict):
        raise UserError(f"{where}: expected a mapping with sources")
    if isinstance(data.get("real"), dict):
        data = data | {"real": {str(epoch): share for epoch, share in data["real"].items()}}
    plan = from_plain(MixPlan, data, where)
    sources = {name: replace(own, dataset=str(folder / own.dataset)) for name, own in plan.sources.items()}
    return replace(plan, sources=sources)


def _check_weight(what: str, value: float) -> None:
    if not 0.0 < value <= LARGEST_WEIGHT:
        raise ValueError(f"{what}: {value:g} must be above 0 and at most {LARGEST_WEIGHT:g}")
