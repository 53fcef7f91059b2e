"""A small story for tests of the lineage: a rendered dataset, real pictures, a mixture, an export, trainings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from engine.collect.collector import Cell, Collector, CollectPlan, Placed
from engine.collect.intent import Ingest, Mixture
from engine.collect.rows import tables_of
from engine.dataset.__main__ import main
from engine.lineage.node import RunNode, dataset_ref
from engine.lineage.runs import evaluation_run, training_run
from engine.recipe import Parent
from engine.write.files import hash_file
from engine.write.measure import measure_rgb
from engine.write.record import FileFact
from tests.engine.toy_dataset import TAXONOMY, make_toy, toy_plan

WHY = "recall dark&low-contrast 0.41 [0.30, 0.52]"


@dataclass(frozen=True)
class Story:
    """Where everything is."""

    root: Path
    rendered: Path
    real: Path
    mixed: Path
    training: RunNode
    evaluation: RunNode


def tell(root: Path) -> Story:
    """Make all of it below a folder."""
    plan = toy_plan()
    recipe = replace(plan.recipe, parents=(Parent("slice_report", "ev_77", WHY),))
    header = replace(plan.header, recipe_id=recipe.id)
    make_toy(root / "rendered", range(6), replace(plan, recipe=recipe, header=header))
    real = collect(
        root / "real", Ingest("photos", TAXONOMY.id, (), True, "coco", "ab" * 32, "CC-BY-4.0", "https://e.org")
    )
    parents = (dataset_ref(root / "rendered"), dataset_ref(real))
    mixed = collect(root / "mixed", Mixture("both", TAXONOMY.id, (), True, parents))
    main(["export", str(mixed), "--format", "coco", "--out", str(root / "mixed-coco")])
    with training_run(root / "runs/a", datasets=[mixed], settings={"epochs": 2}) as run:
        (root / "runs/a/weights.pt").write_bytes(b"weights")
        trained = run.finish(metrics={"mAP": 0.61}, outputs=["weights.pt"], proportions={"rendered": 0.5})
    with evaluation_run(root / "runs/e", model=root / "runs/a", datasets=[real]) as run:
        evaluated = run.finish(metrics={"recall": 0.75})
    return Story(root, root / "rendered", real, mixed, trained, evaluated)


def collect(out: Path, intent: Ingest | Mixture) -> Path:
    """Make a dataset of two grey pictures without instances."""
    frames, files = [], []
    for world in range(2):
        rgb = np.full((24, 32, 3), 90 + 20 * world, np.uint8)
        source = out.with_name(f"{out.name}-{world}.png")
        Image.fromarray(rgb).save(source)
        fact = FileFact(f"images/000/{world:06d}.png", hash_file(source), source.stat().st_size)
        files.append(Placed(fact, source))
        frames.append({
            "frame_id": world, "world": world, "step": 0, "camera": 0, "width": 32, "height": 24, "n_instances": 0,
            "k": None, "world_from_camera": None, "image": fact.path, "image_sha256": bytes.fromhex(fact.sha256), "origin": "real",
            **measure_rgb(rgb),
        })  # fmt: skip
    with Collector(out, CollectPlan(intent, TAXONOMY, placement="copy")) as collector:
        collector.add(Cell((0, 1), tables_of(frames, [], {}), tuple(files)))
        collector.finish(range(2))
    return out
