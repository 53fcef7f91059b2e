"""`python -m engine.train`: learn from datasets and predict others; `arms` compares what is learned from."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.collect.refs import dataset_path
from engine.dataset.__main__ import say
from engine.errors import UserError, WriteFailed
from engine.train.models import MODELS
from engine.train.prepare import Data
from engine.train.run import Learner, train

INTERRUPTED = 130  # 128 + SIGINT, as shells count


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] == ["arms"]:
            from engine.train import arms_command

            return arms_command.run(arms_command.parser().parse_args(words[1:]), say)
        if words[:1] == ["cues"]:
            from engine.train import cues_command

            return cues_command.run(cues_command.parser().parse_args(words[1:]), say)
        return run(parser().parse_args(words))
    except (UserError, WriteFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; trainings that are done stay, the same command goes on\n")
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """Return the parser of a single training."""
    made = argparse.ArgumentParser(
        prog="python -m engine.train",
        description="Learn from labelled datasets and predict others. `arms` compares trainings; see arms --help.",
    )
    made.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR", help="datasets to learn from")
    made.add_argument("--predict", type=Path, nargs="+", required=True, metavar="DIR", help="datasets to predict")
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    add_learner(made)
    made.add_argument("--seed", type=int, default=0, help="of everything that is drawn (%(default)s)")
    return made


def add_learner(to: argparse.ArgumentParser) -> None:
    """Add the options that say who learns."""
    who = to.add_mutually_exclusive_group()
    who.add_argument("--model", default="pixels", help=f"one of {', '.join(MODELS)} (%(default)s)")
    who.add_argument("--trainer", metavar="CMD", help="a command that is given the path of training.json")
    to.add_argument("--task", choices=("segm", "bbox"), default="segm", help="masks or boxes (%(default)s)")
    to.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", dest="settings", help="settings of the trainer, as JSON"
    )


def learner_of(chosen: argparse.Namespace) -> Learner:
    """Return who learns, of the options of `add_learner`.

    Raises:
        UserError: If a setting is not NAME=VALUE.
    """
    return Learner(chosen.model, chosen.trainer, chosen.task, settings_of(chosen.settings))


def settings_of(texts: Sequence[str]) -> dict[str, Any]:
    """Return NAME=VALUE by name; values are JSON, or text as it is.

    Raises:
        UserError: If one is something else.
    """
    out: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name.isidentifier():
            raise UserError(f"--set {text}: expected NAME=VALUE, such as trees=200")
        try:
            out[name] = json.loads(value)
        except (ValueError, RecursionError):
            out[name] = value
    return out


def run(chosen: argparse.Namespace) -> int:
    """Train once; return 0 when predictions are there."""
    if chosen.seed < 0:
        raise UserError(f"--seed must be 0 or more, got {chosen.seed}")
    data = [Data(dataset_path(path)) for path in chosen.data]
    wanted = [Data(dataset_path(path)) for path in chosen.predict]
    plan = train(chosen.out.absolute(), data, wanted, learner_of(chosen), chosen.seed)
    for one in plan.predict:
        say(f"{one.images}: {chosen.out / one.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
