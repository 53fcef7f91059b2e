"""The circle on real pictures: tiles split by surface into train, validation and test, batches rendered by `+scene=tile`.

Nothing is planted. The target is a slice that discovery confirms, else the weakest of the named ones. A surface is one
observation however many exposures of it there are, and a class has a handful of surfaces: most answers are `open`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from engine.loop.circle import Circle
from engine.loop.stage import Stage
from engine.write.record import read_json

CLASSES = ("blowhole", "break", "crack")  # that the scene can make
FREE = "free"
PARTS = ("train", "validation", "test")
LEARNED_EXPOSURE = 3  # of the six of a surface: few real pictures to learn from
FREE_EXPOSURES = (2, 5)  # of surfaces without a defect that judge, so that they do not outweigh the others
FEWEST_SURFACES = 2  # of a slice that is measured at all; docs/loop.md says what so few are worth
SCENE = ("engine.run", "+scene=tile")
SHAPE = ("rig.width=420", "rig.height=312", "rig.steps=1", "rig.spp=4", "outputs=[rgb,instance]", "labels.amodal=false",
         "sensor=line_mono", "write=labels", '+scene.class_map={"/MagnetLine/**": ""}')  # fmt: skip
NO_CLASS = "schema: class_map/1\nclasses:\n  '/MagnetLine/**': ''\n"  # only defects have labels
TILE_SLICES: dict[str, dict[str, Any]] = {
    **{name: {"where": f"i.class = '{name}'", "min_support": FEWEST_SURFACES} for name in CLASSES},
    "short_exposure": {"where": "f.exposure <= 3", "min_support": FEWEST_SURFACES},
    "long_exposure": {"where": "f.exposure > 3", "min_support": FEWEST_SURFACES},
}


class TileCircle(Circle):
    """A circle whose pictures are real and whose batch is rendered."""

    real: Path = Path()

    def stages(self) -> list[Callable[[], Stage]]:
        """Return what makes each stage, once those before it are done."""
        return [
            self.ingested,
            self.split,
            self.pool,
            lambda: self.trained("first", ("train",), "a model of few real pictures"),
            lambda: self.evaluated("before", "validation", "first", 0, "where is the first model wrong?"),
            self.discovered, self.proposed, self.batch, self.gated,
            lambda: self.trained("second", ("train", "batch"), "the same model, with the batch"),
            lambda: self.evaluated("test-before", "test", "first", 1, "the first model on surfaces that decided nothing"),
            lambda: self.evaluated("test-after", "test", "second", 1, "and the second", against="first"),
            self.audit,
            self.lineage,
        ]  # fmt: skip
