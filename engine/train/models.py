"""The models that come with the product, by name; each follows a plan in this process."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from engine.errors import UserError, near_matches
from engine.train.plan import TrainingPlan, write_plan
from engine.train.trainer import Trainer

MODELS = {
    "pixels": "filters and boosted trees of every pixel; seconds on two cores; extra `loop`",
    "unet": "a small U-Net for masks, in PyTorch; extra `train`",
    "detector": "a small detector without anchors for boxes, in PyTorch; extra `train`",
}
EXTRA = {"pixels": ("sklearn", "loop"), "unet": ("torch", "train"), "detector": ("torch", "train")}


def trainer_of(model: str) -> Trainer:
    """Return the trainer of a built-in model, by its name in `MODELS`.

    Raises:
        UserError: If there is no such model, or the packages that it needs are not installed.
    """
    if model not in MODELS:
        raise UserError(f"--model {model} is not known; near: {near_matches(model, tuple(MODELS))}")
    package, extra = EXTRA[model]
    try:
        import_module(package)
        follow: Callable[[TrainingPlan, Path], None] = import_module(f"engine.train.{model}").follow
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise UserError(f"--model {model} needs {package}: pip install 'ommatidia[{extra}]'") from error

    def train(plan: TrainingPlan, folder: Path) -> None:
        write_plan(folder, plan)
        follow(plan, folder)

    return train
