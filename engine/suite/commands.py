"""The commands about pinned suites: pin, bless, run, bridge, history, pinned."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from engine.collect.refs import store_at
from engine.errors import UserError
from engine.suite.bless import Blessing, find_blessing
from engine.suite.config import Metric, read_suite
from engine.suite.history import BLESS, BRIDGE, RUN, history_faults, read_history
from engine.suite.pinned import (
    Judged,
    Pinned,
    Place,
    Rule,
    find_suite,
    latest_places,
    pinned_places,
    read_pinned,
)
from engine.suite.verdict import EXIT_CODES, worst
from engine.write.files import TEMPORARY, publish, remove_tree
from engine.write.record import json_bytes
from engine.write.reports import check_place

FAILED = 1
DEFAULT_METRIC: Metric = "recall"
MIN_SUPPORT = 20  # groups below which the bootstrap is short of spread; docs/evaluate.md
REPLICATES = 500
REPORT = "suites.json"
Say = Callable[[str], None]


def add_commands(commands: Any) -> None:
    """Declare the commands."""
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument(
        "--store",
        type=Path,
        default=None,
        metavar="DIR",
        help="where pinned suites are kept: OMMATIDIA_STORE, or store/",
    )
    _add_pin(commands.add_parser("pin", parents=[where], help="freeze a dataset as a suite that models are held to"))
    blessed = commands.add_parser("bless", parents=[where], help="say which model others are measured against")
    blessed.add_argument("name", help="of a pinned suite, or name@version")
    blessed.add_argument("--predictions", type=Path, required=True, metavar="FILE", help="its COCO results")
    blessed.add_argument("--why", required=True, metavar="TEXT", help="reason, for the history")
    blessed.add_argument("--worse", action="store_true", help="also if it fails against the model that is blessed now")
    _add_model(blessed)
    blessed.set_defaults(run=_bless)
    ran = commands.add_parser("run", parents=[where], help="hold a model to suites: exit code 0 pass, 1 fail, 3 open")
    ran.add_argument("names", nargs="*", metavar="NAME", help="of pinned suites, or name@version")
    ran.add_argument("--all", action="store_true", dest="is_all", help="the latest version of every pinned suite")
    ran.add_argument(
        "--predictions", action="append", required=True, metavar="FILE",
        help="COCO results; of several suites NAME=FILE each, or a folder with NAME.json",
    )  # fmt: skip
    ran.add_argument("--json", action="store_true", help="say it as JSON, suite-run/1")
    ran.add_argument(
        "--out", type=Path, default=None, metavar="DIR", help="write suites.json and a page for each suite"
    )
    _add_model(ran)
    ran.set_defaults(run=_run)
    bridged = commands.add_parser("bridge", parents=[where], help="join a suite with the one before it, by one model")
    bridged.add_argument("name", help="of the newer suite, pinned with --bridges")
    bridged.add_argument("--predictions", type=Path, required=True, metavar="FILE", help="of the model, on the newer")
    bridged.add_argument("--old", type=Path, default=None, metavar="FILE", help="on the older (default: its blessed)")
    bridged.add_argument("--run", type=Path, default=None, metavar="DIR", dest="training", help="training of the model")
    bridged.set_defaults(run=_bridge)
    told = commands.add_parser("history", parents=[where], help="show every pin, blessing, run and bridge of a suite")
    told.add_argument("name")
    told.add_argument("--json", action="store_true", help="a line of JSON each")
    told.set_defaults(run=_history)
    listed = commands.add_parser("pinned", parents=[where], help="show the pinned suites")
    listed.set_defaults(run=_pinned)


def _add_pin(pinned: argparse.ArgumentParser) -> None:
    pinned.add_argument("name", help="of the suite")
    pinned.add_argument("dataset", type=Path, help="a complete dataset with labels/coco.json, or name@version")
    pinned.add_argument("--of", metavar="SUITE", default=None, help="suite whose condition it has (default: NAME)")
    pinned.add_argument("--where", metavar="SQL", default=None, help="condition of its own: frames that are judged")
    pinned.add_argument("--instances", metavar="SQL", default=None, help="instances i in them (default: the suite's)")
    pinned.add_argument("--share", type=float, default=None, metavar="X", help="least share of frames that satisfy it")
    pinned.add_argument(
        "--metric", choices=get_args(Metric), default=None, help="what is measured (default: the suite's, recall)"
    )
    pinned.add_argument("--allow", type=float, default=0.02, metavar="X", help="loss that is allowed (%(default)s)")
    pinned.add_argument(
        "--limit", type=float, default=None, metavar="X", help="the metric itself at least; false alarms at most"
    )
    pinned.add_argument(
        "--open", choices=("open", "pass"), default="open", help="what an interval on both sides is (%(default)s)"
    )
    pinned.add_argument("--min-support", type=int, default=MIN_SUPPORT, metavar="N", help="least groups (%(default)s)")
    pinned.add_argument("--score", type=float, default=0.0, metavar="S", help="predictions below are not made (0)")
    pinned.add_argument("--group", default="", metavar="COLUMN", help="independent groups (default: as for evaluate)")
    pinned.add_argument("--replicates", type=int, default=REPLICATES, metavar="N", help="draws (%(default)s)")
    pinned.add_argument("--seed", type=int, default=0, metavar="N", help="of the draws (%(default)s)")
    pinned.add_argument("--bridges", default="", metavar="SUITE", help="suite that it goes on from, such as NAME@v1")
    pinned.add_argument("--no-lock", action="store_true", help="do not lock the dataset as a holdout")
    pinned.set_defaults(run=_pin)


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument("--run", type=Path, default=None, metavar="DIR", dest="training", help="training, to note")
    command.add_argument("--dataset", type=Path, default=None, metavar="DIR", help="where the dataset lies now")


def _pin(arguments: argparse.Namespace, say: Say) -> int:
    from engine.suite.pin import PinRequest, pin

    about, where, instances, metric, share = _condition(arguments)
    try:
        judged = Judged(where, instances, arguments.group, arguments.score, arguments.replicates, arguments.seed)
        rule = Rule(metric, arguments.allow, arguments.limit, arguments.open, arguments.min_support)
    except ValueError as error:
        raise UserError(str(error)) from error
    request = PinRequest(
        store_at(arguments.store), arguments.name, arguments.dataset, about, share, judged, rule,
        arguments.bridges, not arguments.no_lock,
    )  # fmt: skip
    return FAILED if pin(request, say) is None else 0


def _condition(arguments: argparse.Namespace) -> tuple[str, str, str, Metric, float]:
    """Return what is pinned: about, where, instances, metric and share, of a suite with a file or of this command."""
    if arguments.where is not None and arguments.of is not None:
        raise UserError("--of and --where are two conditions; give one")
    if arguments.share is not None and not 0.0 <= arguments.share <= 1.0:
        raise UserError(f"--share must be in 0..1, got {arguments.share:g}")
    if arguments.where is not None:
        about, where = f"frames where {' '.join(arguments.where.split())}", str(arguments.where)
        instances, metric, share = "", DEFAULT_METRIC, 0.0
    else:
        suite = read_suite(arguments.of or arguments.name, arguments.config_dir)
        about, where, instances, metric, share = suite.about, suite.where, suite.instances, suite.metric, suite.share
    return (
        about, where, instances if arguments.instances is None else arguments.instances,
        arguments.metric or metric, share if arguments.share is None else arguments.share,
    )  # fmt: skip


def _bless(arguments: argparse.Namespace, say: Say) -> int:
    from engine.suite.bless import bless, read_training
    from engine.suite.runs import Bench, judge_on

    place = find_suite(store_at(arguments.store), arguments.name)
    if not arguments.why.strip():
        raise UserError("say why it is blessed: --why TEXT")
    predictions, training = _file(arguments.predictions), read_training(arguments.training)
    bench = Bench(place, arguments.dataset)
    verdict = judge_on(bench, predictions, _blessed_now(place, bench.pinned, forgiving=arguments.worse))
    if verdict.word == "fail" and not arguments.worse:
        raise UserError(f"{place}: this model fails: {verdict.why}; --worse blesses it all the same")
    bless(place, bench.pinned, predictions, training, arguments.why)
    say(f"blessed for {place}: {predictions}; {verdict.word}: {verdict.why}")
    return 0


def _blessed_now(place: Place, pinned: Pinned, *, forgiving: bool) -> tuple[Blessing, Path] | None:
    try:
        return find_blessing(place, pinned)
    except UserError:
        if forgiving:
            return None
        raise


def _run(arguments: argparse.Namespace, say: Say) -> int:
    from engine.suite.bless import read_training
    from engine.suite.runs import plain_run, run_lines, run_suite, write_report

    store = store_at(arguments.store)
    places = latest_places(store) if arguments.is_all else [find_suite(store, name) for name in arguments.names]
    if not places or (arguments.is_all and arguments.names):
        nothing = f"the store {store} has no pinned suites" if arguments.is_all and not arguments.names else ""
        raise UserError(nothing or "name pinned suites, or give --all")
    if arguments.dataset is not None and len(places) > 1:
        raise UserError("--dataset is of one suite; run the others apart")
    if arguments.out is not None:
        check_place(arguments.out.absolute() / REPORT)
    files = _predictions_of(places, arguments.predictions)
    training = read_training(arguments.training)
    ran = []
    for place in places:
        ran.append(run_suite(place, files[place], training, arguments.dataset))
        if not arguments.json:
            for line in run_lines(ran[-1]):
                say(line)
    word = worst([one.verdict.word for one in ran])
    plain = {"schema": "suite-run/1", "verdict": word, "suites": [plain_run(one) for one in ran]}
    if arguments.json:
        say(json.dumps(plain, indent=1))
    if arguments.out is not None:
        out = arguments.out.absolute()
        for one in ran:
            write_report(one, out / one.place.name)
        try:
            publish(out, out / REPORT, [json_bytes(plain)])
        finally:
            remove_tree(out / TEMPORARY)
    return EXIT_CODES[word]


def _predictions_of(places: list[Place], given: list[str]) -> dict[Place, Path]:
    """Return the file of every suite: the one that is given, NAME=FILE, or NAME.json of a folder."""
    named: dict[str, Path] = {}
    rest: list[Path] = []
    for text in given:
        name, separator, path = text.partition("=")
        if separator and not Path(text).exists() and name in {key for p in places for key in (p.name, str(p))}:
            named[name] = Path(path)
        else:
            rest.append(Path(text))
    if len(rest) > 1:
        raise UserError(f"--predictions {rest[1]}: of which suite? say NAME=FILE")
    found = {}
    for place in places:
        own = named.get(str(place)) or named.get(place.name)
        if own is None and rest:
            own = rest[0] / f"{place.name}.json" if rest[0].is_dir() else rest[0]
            if len(places) > 1 and not rest[0].is_dir():
                raise UserError(
                    f"--predictions {own}: suites have a dataset each, so that each needs a file of its own: "
                    f"{place.name}=FILE, or a folder with {place.name}.json"
                )
        if own is None:
            raise UserError(f"{place} has no predictions; add --predictions {place.name}=FILE")
        found[place] = _file(own)
    return found


def _file(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"the predictions {path} are not a file")
    return path


def _bridge(arguments: argparse.Namespace, say: Say) -> int:
    from engine.suite.bless import read_training
    from engine.suite.bridge import bridge

    place = find_suite(store_at(arguments.store), arguments.name)
    old = None if arguments.old is None else _file(arguments.old)
    made = bridge(place, _file(arguments.predictions), read_training(arguments.training), old)
    say(
        f"{made['metric']} of one model: {made['before']} {_short(made['value_before'])}, "
        f"{place} {_short(made['value'])}"
    )
    say(f"step {_short(made['step'], '+')}: what histories of the two differ by for the same model")
    return 0


def _history(arguments: argparse.Namespace, say: Say) -> int:
    place = find_suite(store_at(arguments.store), arguments.name)
    for entry in read_history(place):
        if arguments.json:
            say(json.dumps({"time": entry.time, "who": entry.who, "event": entry.event} | entry.facts))
        else:
            say(f"{entry.time[:19]} {entry.who} {_told(entry.event, entry.facts)}")
    faults = history_faults(place)
    for fault in faults:
        say(f"FAULT {fault}")
    return FAILED if faults else 0


def _told(event: str, facts: dict[str, Any]) -> str:
    """Return what happened, in words."""
    suite = facts.get("suite")
    if event == RUN:
        gain = "" if facts["gain"] is None else f", gain {_short(facts['gain'], '+')}"
        value = "" if facts["value"] is None else f" {facts['metric']} {_short(facts['value'])}{gain}"
        return f"run     {suite} {facts['verdict']}{value} of {facts['run'] or facts['predictions_sha256'][:12]}"
    if event == BRIDGE:
        return (
            f"bridge  {suite} from {facts['before']}: {facts['metric']} of one model, step {_short(facts['step'], '+')}"
        )
    if event == BLESS:
        return f"bless   {suite} {facts['run'] or facts['predictions_sha256'][:12]}: {facts['why']}"
    bridges = f", goes on from {facts['bridges']}" if facts.get("bridges") else ""
    return (
        f"pin     {suite} {facts.get('suite_id')}: {facts.get('dataset_id')} by engine {facts.get('engine')}{bridges}"
    )


def _short(figure: dict[str, float | None], sign: str = "") -> str:
    value, low, high = (figure[name] for name in ("value", "low", "high"))
    if value is None:
        return "unknown"
    reach = "" if low is None or high is None else f" [{low:{sign}.3f}, {high:{sign}.3f}]"
    return f"{value:{sign}.3f}{reach}"


def _pinned(arguments: argparse.Namespace, say: Say) -> int:
    from engine.suite.pin import pinned_lines

    store = store_at(arguments.store)
    for place in pinned_places(store):
        pinned = read_pinned(place)
        for line in pinned_lines(place, pinned):
            say(line)
        found = find_blessing(place, pinned)
        say(
            "    no model is blessed"
            if found is None
            else f"    blessed: {found[0].predictions_sha256[:12]}, {found[0].why}"
        )
    return 0
