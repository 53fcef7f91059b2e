"""The circle with a planted weakness: a model that never saw a short shutter, on the line of `recipe=tile_line`.

Three sets of pictures are never the same: what is trained with, validation, which finds the weakness and decides about
the batch, and the test, which only says what came of it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from engine.dataset.manifest import read_manifest
from engine.errors import UserError
from engine.gate.check import EXIT_CODES
from engine.loop.choice import by_what_is_lacking
from engine.loop.stage import DONE, CircleEnds, Command, Stage
from engine.write.record import read_json

SCENE = ("engine.run", "+scene=tile")
FIELD, BRIGHT = "recipe=tile_line", "recipe=tile_line_bright"
LEARNER = ("samples=48000", "trees=160")  # settings of the model `pixels`
KINDS = ("misses", "alarms")  # of failures
PLANTED = 'w."p.exposures.stops" < -2'  # what the first model never saw
SLICES = {  # what is known beforehand and must not get worse
    "lit": {"where": 'w."p.exposures.stops" >= -2', "about": "exposures that the first model was trained with"},
    "blowhole": {"where": "i.class = 'blowhole'"},
    "break": {"where": "i.class = 'break'"},
}
CONTROL = "control"
NOTHING, NOT_PROPOSED, STOPPED = "nothing found", "not proposed", "nothing to spend on"


@dataclass(frozen=True)
class Size:
    """How many worlds each set has, one picture a world."""

    base: int = 100
    validation: int = 800
    test: int = 600
    preflight: int = 200
    worlds: int = 500  # that the budget shares out
    seeds: int = 6  # of the gate

    def __post_init__(self) -> None:
        for name, number in vars(self).items():
            if number < 1:
                raise UserError(f"--{name} {number}: at least 1")


@dataclass(frozen=True)
class Circle:
    """Where everything of a loop lies."""

    out: Path
    size: Size = Size()

    slices: ClassVar[Mapping[str, Any]] = SLICES  # what is known beforehand
    planted: ClassVar[str | None] = PLANTED
    learned: ClassVar[str] = "base"  # what the first model learns from

    def at(self, name: str) -> Path:
        """Return a folder or file of the loop."""
        return self.out / name

    def stages(self) -> list[Callable[[], Stage]]:
        """Return what makes each stage, once those before it are done."""
        return [
            lambda: self.rendered("base", BRIGHT, self.size.base, 1, "what the first model learns from"),
            lambda: self.rendered("validation", FIELD, self.size.validation, 2, "what finds weaknesses and decides"),
            self.locked_test,
            lambda: self.trained("first", ("base",), "a model of bright pictures"),
            lambda: self.evaluated("before", "validation", "first", 0, "where is the first model wrong?"),
            self.discovered, self.proposed, self.budgeted, self.batch, self.gated,
            lambda: self.trained("second", ("base", "batch"), "the same model, with the batch"),
            lambda: self.evaluated("test-before", "test", "first", 1, "the first on pictures that decided nothing"),
            lambda: self.evaluated("test-after", "test", "second", 1, "and the second", against="first"),
            self.control,
            lambda: self.trained("third", ("base", "control"), "a model of as many pictures, none of them asked for"),
            lambda: self.evaluated("test-control", "test", "second", 1, "or is it the number?", against="third"),
            self.suite,
            self.lineage,
        ]  # fmt: skip

    def rendered(self, name: str, recipe: str, worlds: int, seed: int, about: str) -> Stage:
        """Return the stage that renders a set."""
        out = self.at(name)
        command = (*SCENE, recipe, f"seed={seed}", f"count={worlds}", f"out={out}")
        return Stage(f"generate-{name}", about, (command,), (), (out / "manifest.json",), (out,), goes_on=True)

    def locked_test(self) -> Stage:
        """Return the stage that renders the test and locks it: from then on every read is on record."""
        made = self.rendered("test", FIELD, self.size.test, 3, "what says in the end what came of it; locked")
        lock = (
            "engine.dataset",
            "lock",
            str(self.at("test")),
            "--as",
            "final-test",
            "--why",
            "says what came of the loop",
        )
        return Stage(made.name, made.about, (*made.commands, lock), (), made.outputs, made.folders)

    def trained(self, name: str, sets: tuple[str, ...], about: str) -> Stage:
        """Return the stage that trains a model and has it predict validation and test."""
        data, out = tuple(self.at(one) for one in sets), self.at(name)
        wanted = (self.at("validation"), self.at("test"))
        command = ("engine.train", "--data", *map(str, data), "--predict", *map(str, wanted), "--model", "pixels",
                   "--set", *LEARNER, "--out", str(out))  # fmt: skip
        outputs = (self.predictions(name, 0), self.predictions(name, 1))
        return Stage(f"train-{name}", about, (command,), (*data, *wanted), outputs, (out,))

    def predictions(self, model: str, number: int) -> Path:
        """Return what a model says of validation (0) or of the test (1)."""
        return self.at(model) / f"predictions-{number}.json"

    def evaluated(self, name: str, dataset: str, model: str, number: int, about: str, *, against: str = "") -> Stage:
        """Return the stage that evaluates a model."""
        slices = self.known_slices() if name == "before" else self.all_slices()
        said, out = self.predictions(model, number), self.at(name)
        command: Command = ("engine.evaluate", str(self.at(dataset)), str(said), "--slices", str(slices))
        inputs = [self.at(dataset), said, slices]
        if against:
            other = self.predictions(against, number)
            command, inputs = (*command, "--against", str(other)), [*inputs, other]
        return Stage(
            f"evaluate-{name}",
            about,
            ((*command, "--out", str(out)),),
            tuple(inputs),
            (out / "evaluation.json",),
            (out,),
        )

    def discovered(self) -> Stage:
        """Return the stage that looks for slices that nobody named, by what is missed and what is made up."""
        places = [self.at(f"discovery-{what}") for what in KINDS]
        commands = tuple(
            ("engine.discover", str(self.at("before")), "--of", what, "--out", str(place))
            for what, place in zip(KINDS, places, strict=True)
        )
        inputs = (self.at("before") / "evaluation.json", self.at("before") / "matches.parquet")
        made = tuple(place / "discovery.json" for place in places)
        return Stage("discover", "which slice that nobody named is weak?", commands, inputs, made, tuple(places))

    def proposed(self) -> Stage:
        """Return the stage that writes the next recipe for the weakest slice that was found."""
        target, found, out = self.target(), self.all_slices(), self.at("proposal")
        command = ("engine.propose", str(self.at("before")), "--slices", str(found), "--slice", target,
                   "--preflight", str(self.size.preflight), "--out", str(out))  # fmt: skip
        return Stage(
            "propose", f"which recipe makes more of '{target}'?", (command,), (found, self.at("validation")),
            (out / "proposal.json",), (out,), answers={0: DONE, 1: NOT_PROPOSED}, ends=frozenset({NOT_PROPOSED}),
        )  # fmt: skip

    def budgeted(self) -> Stage:
        """Return the stage that shares worlds out over the slices; it measures the found ones first."""
        slices, report, out = self.all_slices(), self.at("before-slices"), self.at("budget")
        said, validation = self.predictions("first", 0), self.at("validation")
        measure = ("engine.evaluate", str(validation), str(said), "--slices", str(slices), "--out", str(report))
        share = ("engine.budget", str(report), "--figure", "AP50", "--worlds", str(self.size.worlds), "--out", str(out))
        return Stage(
            "budget", "how many worlds for which slice?", (measure, share), (slices, said, validation),
            (out / "budget.json",), (report, out), answers={0: DONE, 1: STOPPED}, ends=frozenset({STOPPED}),
        )  # fmt: skip

    def batch(self) -> Stage:
        """Return the stage that renders the batch: worlds of the new laws, after the pre-flight, and of the old."""
        made, out = self.proposal(), self.at("batch")
        worlds = max(self.worlds_of_target(), self.size.preflight)
        base = max(round(worlds * made["base_share"] / (1.0 - made["base_share"])), 1)
        targeted, kept = (_counted(made[name], count) for name, count in (("command", worlds), ("base_command", base)))
        folders = tuple(_out_of(command) for command in (targeted, kept))
        join = ("engine.dataset", "merge", *map(str, folders), "--out", str(out))
        return Stage(
            "generate-batch", f"{worlds} worlds towards the target, {base} of the laws as they were",
            (targeted, kept, join), (self.at("proposal") / "proposal.json", self.at("budget") / "budget.json"),
            (out / "manifest.json",), (out,),
        )  # fmt: skip

    def gated(self) -> Stage:
        """Return the stage that asks whether the batch enters training."""
        slices, out = self.all_slices(), self.at("gate")
        sets = {name: self.at(name) for name in ("batch", self.learned, "validation", "test", "proposal")}
        protected = [name for name in self.slices if name != self.target()]
        command = ("engine.gate", str(sets["batch"]), "--against", str(sets[self.learned]), "--holdout",
                   str(sets["validation"]), "--test", str(sets["test"]), "--proposal", str(sets["proposal"]),
                   "--slices", str(slices), "--target", self.target(), "--protect", *protected, "--set", *LEARNER,
                   "--seeds", str(self.size.seeds), "--out", str(out))  # fmt: skip
        answers = {code: word for word, code in EXIT_CODES.items()}
        return Stage(
            "gate", "does the batch enter training?", (command,),
            (sets["batch"], sets[self.learned], sets["validation"], sets["test"], slices), (out / "gate.json",), (out,),
            goes_on=True, answers=answers, ends=frozenset(set(EXIT_CODES) - {"admit"}),
        )  # fmt: skip

    def control(self) -> Stage:
        """Return the stage that renders as many pictures as the batch has, of what the first model learned from."""
        frames = read_manifest(self.at("batch") / "manifest.json").counts.frames
        return self.rendered(CONTROL, BRIGHT, frames, 4, "as many pictures of what the first model learned from")

    def suite(self) -> Stage:
        """Return the stage that makes the weakness a regression suite, which later models are held to."""
        store, test, name = self.at("store"), self.at("test"), "found-weakness"
        where = self.where()
        condition = ("--where", "true", "--instances", where) if "i." in where else ("--where", where)
        at = ("--store", str(store))
        first, second = (str(self.predictions(model, 1)) for model in ("first", "second"))
        commands = (
            ("engine.suite", "pin", name, str(test), *condition, "--metric", "AP50", *at),
            (
                "engine.suite",
                "bless",
                name,
                "--predictions",
                first,
                "--why",
                "what later models must not fall below",
                *at,
            ),
            ("engine.suite", "run", name, "--predictions", second, "--out", str(self.at("suite")), *at),
        )
        return Stage(
            "suite", "is the second model at least the first, on the weakness alone?", commands,
            (test, Path(first), Path(second)), (store,), (store, self.at("suite")),
            answers={0: "pass", 1: "fail", 3: "open"},
        )  # fmt: skip

    def lineage(self) -> Stage:
        """Return the stage that draws where the second model comes from."""
        made = self.at("lineage.svg"), self.at("lineage.json")
        command = ("engine.dataset", "lineage", str(self.at("second")), "--search", str(self.out),
                   "--svg", str(made[0]), "--json", str(made[1]))  # fmt: skip
        inputs = (self.at("second") / "lineage.json", self.at("gate") / "gate.json")
        return Stage("lineage", "what was made from what?", (command,), inputs, made)

    def known_slices(self) -> Path:
        """Write the slices that are known beforehand, and return the file."""
        return written(self.at("named.yaml"), dict(self.slices))

    def all_slices(self) -> Path:
        """Write the known slices and the target, and return the file."""
        target = self.target()
        own = {target: self.slices[target]} if target in self.slices else self._found(target)
        return written(self.at("slices.yaml"), own | dict(self.slices))

    def _found(self, target: str) -> dict[str, Any]:
        what = next(one["of"] for one in self.confirmed() if one["name"] == target)
        return {target: _read_yaml(self.at(f"discovery-{what}") / "discovered.yaml")[target]}

    def target(self) -> str:
        """Return the confirmed slice that the training data lack most."""
        confirmed = self.confirmed()
        if not confirmed:
            raise CircleEnds(NOTHING, f"no weak slice is confirmed; what was searched is in {self.at('discovery-*')}")
        return str(confirmed[0]["name"])

    def confirmed(self) -> list[dict[str, Any]]:
        """Return the slices that discovery confirmed, by what training lacks, each with what fails there."""
        found = [
            {**one, "of": what}
            for what in KINDS
            for one in read_json(self.at(f"discovery-{what}") / "discovery.json")["slices"]
            if one["confirmed"]
        ]
        ordered = by_what_is_lacking(found, self.at(self.learned), self.at("validation"))
        return [{**one, "share": {**vars(share), "ratio": share.ratio}} for one, share in ordered]

    def where(self) -> str:
        """Return the condition of the target."""
        return str(_read_yaml(self.all_slices())[self.target()]["where"])

    def proposal(self) -> dict[str, Any]:
        """Return what was proposed for the target."""
        made = read_json(self.at("proposal") / "proposal.json")
        own: dict[str, Any] = next(one for one in made["proposals"] if one["name"] == self.target())
        return own

    def worlds_of_target(self) -> int:
        """Return what the budget gives to the target."""
        shared = read_json(self.at("budget") / "budget.json")
        return int(next(one["worlds"] for one in shared["slices"] if one["name"] == self.target()))


def _counted(line: str, count: int) -> Command:
    """Return a proposed command line with another number of worlds, without `python -m`."""
    words = shlex.split(line)
    if words[:2] != ["python", "-m"]:
        raise UserError(f"the proposal's command is '{line}'; expected python -m engine.run ...")
    return tuple(f"count={count}" if word.startswith("count=") else word for word in words[2:])


def _out_of(command: Command) -> Path:
    return Path(next(word.removeprefix("out=") for word in command if word.startswith("out=")))


def _read_yaml(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return read


def written(path: Path, slices: dict[str, Any]) -> Path:
    """Write slices unless the same are there: the time of a file that did not change says so."""
    from engine.write.reports import write_report

    text = yaml.safe_dump(json.loads(json.dumps(slices)), sort_keys=False, allow_unicode=True, width=120)
    if not path.is_file() or path.read_text("utf-8") != text:
        write_report(path, [text.encode()])
    return path
