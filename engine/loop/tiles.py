"""The circle on real pictures: tiles split by surface into train, validation and test, and a batch that is rendered.

Nothing is planted. The target is a slice that discovery confirms, else the weakest of the named ones. A surface is one
observation however many exposures of it there are, and a class has a handful of surfaces: most answers are `open`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as pq

from engine.collect.holdout import opened
from engine.loop.circle import NOTHING, SCENE, Circle, Size, written
from engine.loop.stage import CircleEnds, Command, Stage
from engine.write.record import read_json

CLASSES = ("blowhole", "break", "crack")  # that the scene can make
FREE = "free"
PARTS = ("train", "validation", "test")
LEARNED_EXPOSURE = 3  # of the six of a surface: few real pictures to learn from
FREE_EXPOSURES = (2, 5)  # of surfaces without a defect that judge, so that they do not outweigh the others
FEWEST_SURFACES = 2  # of a slice that is measured at all; docs/loop.md says what so few are worth
TILE_SIZE = Size(base=80, worlds=120)  # `base` is what failures are looked for in
POOL = "recipe=tile_photo"
TILE_SLICES: dict[str, dict[str, Any]] = {
    **{name: {"where": f"i.class = '{name}'", "min_support": FEWEST_SURFACES} for name in CLASSES},
    "short_exposure": {"where": "f.exposure <= 3", "min_support": FEWEST_SURFACES},
    "long_exposure": {"where": "f.exposure > 3", "min_support": FEWEST_SURFACES},
}


@dataclass(frozen=True)
class TileCircle(Circle):
    """A circle whose pictures are real and whose batch is rendered."""

    real: Path = Path()

    slices: ClassVar[Mapping[str, Any]] = TILE_SLICES
    planted: ClassVar[str | None] = None
    learned: ClassVar[str] = "train"

    def stages(self) -> list[Callable[[], Stage]]:
        """Return what makes each stage, once those before it are done."""
        return [
            self.ingested,
            *(lambda part=part: self.selected(part) for part in PARTS),
            self.pool,
            lambda: self.trained("first", ("train",), "a model of few real pictures"),
            lambda: self.evaluated("before", "validation", "first", 0, "where is the first model wrong?"),
            self.discovered, self.proposed, self.budgeted, self.batch, self.gated,
            lambda: self.trained("second", ("train", "batch"), "the same model, with the batch"),
            lambda: self.evaluated("test-before", "test", "first", 1, "the first on surfaces that decided nothing"),
            lambda: self.evaluated("test-after", "test", "second", 1, "and the second", against="first"),
            self.audited,
            self.lineage,
        ]  # fmt: skip

    def ingested(self) -> Stage:
        """Return the stage that takes the pictures in, with the classes that the scene can make."""
        out, classes = self.at("real"), self.at("classes.yaml")
        written(classes, {"uneven": None, "fray": None})
        command = ("engine.dataset", "ingest", str(self.real), "--format", "coco", "--group", "surface=surface",
                   "--taxonomy", "scenes_usd/taxonomy.json", "--classes", str(classes), "--out", str(out))  # fmt: skip
        labels = self.real / "annotations.json"
        return Stage("ingest", "what is there?", (command,), (labels, classes), (out / "manifest.json",), (out,))

    def selected(self, part: str) -> Stage:
        """Return the stage that takes the surfaces of one part; the test is locked."""
        out, surfaces = self.at(part), ", ".join(map(str, self.surfaces()[PARTS.index(part)]))
        judged = f"(f.label <> '{FREE}' OR f.exposure IN ({', '.join(map(str, FREE_EXPOSURES))}))"
        kept = f"f.exposure = {LEARNED_EXPOSURE}" if part == "train" else judged
        named = ", ".join(f"'{name}'" for name in (*CLASSES, FREE))
        where = f"f.surface IN ({surfaces}) AND f.label IN ({named}) AND {kept}"
        commands: tuple[Command, ...] = (
            ("engine.dataset", "select", str(self.at("real")), "--where", where, "--out", str(out)),
        )
        if part == "test":
            commands += (
                ("engine.dataset", "lock", str(out), "--as", "final-test", "--why", "says what came of the loop"),
            )
        about = f"a third of the surfaces, for {part}"
        return Stage(f"select-{part}", about, commands, (self.at("real"),), (out / "manifest.json",), (out,))

    def surfaces(self) -> list[list[int]]:
        """Return the surfaces of every part: those that show the same classes are dealt out in turn."""
        opened(self.at("real"), "loop")
        frames = pq.read_table(self.at("real") / "index" / "frames.parquet", columns=["surface", "label"]).to_pylist()
        shown: dict[int, set[str]] = {}
        for frame in frames:
            shown.setdefault(int(frame["surface"]), set()).add(str(frame["label"]))
        return dealt(shown)

    def pool(self) -> Stage:
        """Return the stage that renders what the scene makes by itself: where failures are looked for."""
        out = self.at("pool")
        command = (*SCENE, POOL, "seed=1", f"count={self.size.base}", f"out={out}")
        return Stage(
            "generate-pool", "what does the scene make by itself?", (command,), (), (out / "manifest.json",), (out,),
            goes_on=True,
        )  # fmt: skip

    def proposed(self) -> Stage:
        """Return the stage that writes a recipe for failures on real pictures, by what was measured of them."""
        made = super().proposed()
        (command,) = made.commands
        return replace(
            made, commands=((*command, "--using", str(self.at("pool"))),), inputs=(*made.inputs, self.at("pool"))
        )

    def audited(self) -> Stage:
        """Return the stage that lays real failures beside the nearest rendered and real pictures."""
        out = self.at("audit")
        command = ("engine.audit", "page", str(self.at("test-after")), "--synthetic", str(self.at("batch")),
                   "--real", str(self.at("train")), "--out", str(out))  # fmt: skip
        return Stage(
            "audit", "what do failures look like that are left?", (command,),
            (self.at("test-after") / "evaluation.json",), (out / "audit.json",), (out,),
        )  # fmt: skip

    def target(self) -> str:
        """Return the strongest slice that discovery confirmed, else the class that is missed most."""
        confirmed = self.confirmed()
        if confirmed:
            return str(confirmed[0]["name"])
        report = read_json(self.at("before") / "evaluation.json")
        known = [one for one in report["slices"] if one["name"] in CLASSES and one["figures"]]
        if not known:
            raise CircleEnds(NOTHING, "no class has surfaces enough in validation")
        return str(min(known, key=lambda one: one["figures"]["AP50"]["value"])["name"])


def dealt(shown: Mapping[int, Collection[str]]) -> list[list[int]]:
    """Return surfaces in three parts: of those that show the same classes, every third, rarest classes first.

    Args:
        shown: Labels of the pictures of every surface.
    """
    kinds: dict[tuple[str, ...], list[int]] = {}
    for surface in sorted(shown):
        kinds.setdefault(tuple(sorted(set(shown[surface]) - {FREE})), []).append(surface)
    parts: list[list[int]] = [[] for _ in PARTS]
    number = 0
    for kind in sorted(kinds, key=lambda kind: (len(kinds[kind]), kind)):
        for surface in kinds[kind]:
            parts[number % len(parts)].append(surface)
            number += 1
    return [sorted(part) for part in parts]
