"""Suites as YAML: `conf/suite/NAME.yaml`, or a folder of your own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from engine._layout import conf_folder
from engine.errors import UserError, near_matches
from engine.plain import from_plain

Metric = Literal["recall", "precision", "AP", "AP50", "false_alarms", "AUROC"]  # of engine.evaluate


@dataclass(frozen=True)
class Suite:
    """What a suite is about, how it is made, and what its frames must show."""

    about: str  # one line
    run: tuple[str, ...]  # overrides of engine.run that make it
    where: str  # SQL over a frame `f`: what makes it one of the suite
    share: float  # of the frames that must satisfy it, at least
    count: int  # worlds
    instances: str = ""  # SQL over instances `i` of such frames: what a model is judged by; "": all of them
    metric: Metric = "recall"  # what a model is judged by

    def __post_init__(self) -> None:
        if not self.about or "\n" in self.about.strip():
            raise ValueError("about must be one line that says what the suite tests")
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"share must be above 0 and at most 1, got {self.share:g}")
        if not any(override.startswith("+scene=") for override in self.run):
            raise ValueError("run must name a scene, such as +scene=warehouse")
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")


def suite_names(folder: Path | None = None) -> tuple[str, ...]:
    """Return the names of the shipped suites, and of those in the folder `suite` of a configuration folder."""
    return tuple(sorted({path.stem for at in _folders(folder) for path in at.glob("*.yaml")}))


def read_suite(name: str, folder: Path | None = None) -> Suite:
    """Return a suite by its name; one of your own folder comes before a shipped one.

    Raises:
        UserError: If there is none, or its file does not fit.
    """
    names = suite_names(folder)
    if name not in names:
        raise UserError(f"there is no suite '{name}'; there are {near_matches(name, names)}")
    path = next(at / f"{name}.yaml" for at in _folders(folder) if (at / f"{name}.yaml").is_file())
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path} is not YAML: {str(error).splitlines()[0]}") from error
    return from_plain(Suite, data, f"suite/{name}.yaml")


def _folders(folder: Path | None) -> tuple[Path, ...]:
    own = () if folder is None else (folder / "suite",)
    return (*own, conf_folder() / "suite")
