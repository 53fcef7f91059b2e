"""`python -m engine.gate BATCH --against DATASET --holdout REAL`: does this batch enter training?"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from engine.collect.refs import dataset_path, store_at
from engine.dataset.__main__ import say
from engine.errors import UserError, WriteFailed
from engine.evaluate.board import NAMES
from engine.evaluate.slices import ALL, Slice, read_slices
from engine.gate.arms import BATCH_SHARE
from engine.gate.check import EXIT_CODES, PAGE
from engine.gate.gate import run_gate
from engine.gate.proposal import read_proposal
from engine.gate.request import MOST_REPEATED, Accepted, Request, Utility
from engine.gate.rule import DELTA, FEWEST_SEEDS
from engine.train.__main__ import INTERRUPTED, add_learner, learner_of
from engine.train.run import Learner


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0 admit, 3 hold, 4 reject, 2 bad input."""
    chosen = _parser().parse_args(arguments)
    try:
        learner = learner_of(chosen)
        request = request_of(chosen, learner)
        report = run_gate(request, learner.trainer(), say)
    except (UserError, WriteFailed) as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code if isinstance(error, WriteFailed) else 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing is decided, models that are trained stay, the same command goes on\n")
        return INTERRUPTED
    say(f"look at {request.out / PAGE}")
    return EXIT_CODES[report["verdict"]]


def request_of(chosen: argparse.Namespace, learner: Learner) -> Request:
    """Return the question that a command line asks.

    Raises:
        UserError: If it cannot be asked.
    """
    batch = dataset_path(chosen.batch).absolute()
    if "shares" in learner.settings:
        raise UserError("--set shares=...: both arms would need their own; --batch-share S says the batch's")
    share: dict[str, Any] = {} if chosen.batch_share is None else {BATCH_SHARE: chosen.batch_share}
    utility = Utility(
        chosen.metric, chosen.delta, chosen.seeds, chosen.replicates, learner.task, learner.name,
        {**learner.told(), **share},
    )  # fmt: skip
    slices = {} if chosen.slices is None else read_slices(chosen.slices)
    asked, target = None, chosen.target
    if chosen.proposal is not None:
        asked = read_proposal(chosen.proposal, chosen.target)
        target = asked.name if asked.where is not None or asked.name in slices else ALL
        if asked.where is not None:
            slices.setdefault(asked.name, Slice(asked.where))
    return Request(
        batch, tuple(dataset_path(folder).absolute() for folder in chosen.against),
        dataset_path(chosen.holdout).absolute(), (chosen.out or batch.with_name(f"{batch.name}-gate")).absolute(),
        tests=tuple(dataset_path(folder).absolute() for folder in chosen.test),
        slices=slices, target=target,
        protect=None if chosen.protect is None else tuple(chosen.protect), asked=asked, utility=utility,
        accepted=Accepted(chosen.accept_real_imagery, chosen.accept_unknown_licences), group=chosen.group,
        suites=tuple(chosen.suite), store=store_at(chosen.store) if chosen.suite else None,
        scenes=tuple(chosen.scenes), crops=chosen.crops, most_repeated=chosen.repeats,
    )  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m engine.gate", description="Say whether a batch of data enters training: admit, hold or reject."
    )
    parser.add_argument("batch", type=Path, help="a complete dataset that is not trained on yet")
    parser.add_argument("--against", type=Path, nargs="+", required=True, metavar="DIR", help="trained on already")
    parser.add_argument("--holdout", type=Path, required=True, metavar="DIR", help="real validation, which judges")
    parser.add_argument("--test", type=Path, nargs="+", default=[], metavar="DIR",
                        help="final tests: no picture of theirs may be in the batch; never judged by")  # fmt: skip
    parser.add_argument("--slices", type=Path, metavar="FILE", help="slices.yaml: conditions by name")
    parser.add_argument("--target", default=ALL, metavar="NAME", help="the slice that must gain (%(default)s)")
    parser.add_argument("--protect", nargs="+", metavar="NAME",
                        help="slices that must not lose (default: all others with enough groups)")  # fmt: skip
    parser.add_argument("--metric", default="AP50", metavar="FIGURE", help=f"{', '.join(NAMES)} (%(default)s)")
    parser.add_argument("--delta", type=float, default=DELTA, help="loss that is bearable (%(default)s)")
    add_learner(parser)
    parser.add_argument("--batch-share", type=float, metavar="S",
                        help="share of what is sampled that is the batch's (default: the trainer's)")  # fmt: skip
    parser.add_argument("--seeds", type=int, default=FEWEST_SEEDS, metavar="N", help="seeds of training (%(default)s)")
    parser.add_argument("--replicates", type=int, default=500, metavar="N", help="draws of groups (%(default)s)")
    parser.add_argument("--group", metavar="COLUMN", help="independent groups of the holdout (default: of the ingest)")
    parser.add_argument("--proposal", type=Path, metavar="DIR", help="of engine.propose, which asked for the batch")
    parser.add_argument("--suite", nargs="+", default=[], metavar="NAME", help="pinned suites that must pass")
    parser.add_argument("--store", type=Path, metavar="DIR", help="where they are (OMMATIDIA_STORE, or store/)")
    parser.add_argument("--repeats", type=float, default=MOST_REPEATED, metavar="SHARE",
                        help="of frames that may look like others of the batch (%(default)s)")  # fmt: skip
    parser.add_argument("--crops", type=int, default=300, metavar="N", help="compared with real ones (%(default)s)")
    parser.add_argument("--scenes", type=Path, action="append", default=[], metavar="DIR",
                        help="where scenes lie, for licences")  # fmt: skip
    parser.add_argument("--accept-real-imagery", action="store_true", help="answer for pictures of the real world")
    parser.add_argument("--accept-unknown-licences", action="store_true", help="answer for assets without a licence")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: <batch>-gate)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
