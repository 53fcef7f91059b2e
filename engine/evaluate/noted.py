"""An evaluation as a node of the lineage: which training made the predictions, what was measured, and on what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.evaluate.report import REPORT
from engine.lineage.runs import evaluation_run
from engine.write.files import hash_file


@contextmanager
def noted(out: Path, *, run: Path | None, dataset: Path, predictions: Path, settings: dict[str, Any]) -> Iterator[None]:
    """Note what happens within as an evaluation of a training; failed if it raises.

    Args:
        out: Folder of the report, which gets lineage.json as well.
        run: Folder of the finished training; None: nothing is noted.
        dataset: The folder that was evaluated on.
        predictions: The file.
        settings: What the evaluation was told; plain data.
    Raises:
        UserError: If the training has not finished, or the folder holds a finished evaluation.
        WriteFailed: If the disk refuses.
    """
    if run is None:
        yield
        return
    if not predictions.is_file():
        raise UserError(f"{predictions} is not a file")
    told = {**settings, "predictions_sha256": hash_file(predictions)}
    with evaluation_run(out, model=run, datasets=[dataset], settings=told) as node:
        yield
        report = json.loads((out / REPORT).read_text(encoding="utf-8"))
        slices = {
            one["name"]: {key: value["value"] for key, value in one["figures"].items()} for one in report["slices"]
        }
        files = sorted(path.name for path in out.iterdir() if path.suffix in (".json", ".parquet", ".html"))
        outputs = [name for name in files if name != "lineage.json"]
        node.finish(metrics={"risk": report["risk"], "slices": slices}, outputs=outputs)
