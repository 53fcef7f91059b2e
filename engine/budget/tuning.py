"""What is tuned: at most six parameters of a recipe, each between two ends, and the overrides that set them.

    direction: maximise
    parameters:
      p.exposure.stops: {low: -3, high: 0}                 # a column: 80 % of its draws become this value
      scene.randomize.sensor_noise.gain.high: {low: 1, high: 16, log: true}  # a key: it is set
      rig.spp: {low: 1, high: 8, integer: true}

A column (`p.<randomiser>.<key>`) keeps a fifth of its own law, so that what was covered stays covered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from engine.errors import UserError
from engine.plain import from_plain

MOST_PARAMETERS = 6
MOST_TRIALS = 30
BASE_SHARE = 0.2  # of a column that stays as the scene has it
COLUMN = "p."
KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*", re.ASCII)


@dataclass(frozen=True)
class Range:
    """Where a parameter may lie, both ends included."""

    low: float
    high: float
    log: bool = False  # even over its logarithm
    integer: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0.0:
            raise ValueError(f"low must be above 0 where log is true, got {self.low:g}")
        if self.integer and (self.low != math.floor(self.low) or self.high != math.floor(self.high)):
            raise ValueError(f"low and high must be whole where integer is true, got {self.low:g} and {self.high:g}")


@dataclass(frozen=True)
class Tuning:
    """What is tuned, and whether more is better."""

    parameters: dict[str, Range]
    direction: Literal["maximise", "minimise"] = "maximise"

    def __post_init__(self) -> None:
        count = len(self.parameters)
        if not 1 <= count <= MOST_PARAMETERS:
            raise ValueError(
                f"parameters: 1 to {MOST_PARAMETERS}, got {count}: {MOST_TRIALS} noisy trials say nothing about more; "
                "tune those that matter most, and leave the rest to randomisation"
            )
        for key, range_ in self.parameters.items():
            if not KEY.fullmatch(key):
                raise ValueError(f"parameters: '{key}' is no column p.<randomiser>.<key> and no key of a configuration")
            if key.startswith(COLUMN) and (range_.integer or key.count(".") < 2):
                raise ValueError(f"parameters.{key}: a column is p.<randomiser>.<key>, and cannot be integer")

    @property
    def sign(self) -> float:
        """What a value is multiplied by so that more is better."""
        return 1.0 if self.direction == "maximise" else -1.0

    def overrides(self, values: Mapping[str, float]) -> list[str]:
        """Return the arguments of `python -m engine.run` that set the parameters to these values."""
        return [_override(key, values[key]) for key in self.parameters if key in values]


def read_tuning(path: Path) -> Tuning:
    """Return what a YAML file says that is tuned.

    Raises:
        UserError: If it cannot be read, or asks for what cannot be tuned.
    """
    try:
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    return from_plain(Tuning, data, path.name)


def _override(key: str, value: float) -> str:
    if not key.startswith(COLUMN):
        return f"{key}={value!r}"
    base = f"{{weight:{BASE_SHARE},law:{{law:base}}}}"
    own = f"{{weight:{1.0 - BASE_SHARE},law:{{law:constant,value:{value!r}}}}}"
    return f"+laws.reweight.{key.removeprefix(COLUMN)}={{law:mixture,parts:[{base},{own}]}}"
