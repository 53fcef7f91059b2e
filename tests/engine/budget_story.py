"""Reports and answers of the gate, made by hand for the tests of budgets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write_report(folder: Path, slices: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write evaluation.json with slices of `recall=(value, low, high)` or None, `risk` and `groups`."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = {
        "schema": "evaluation/1",
        "dataset_id": "ds_0123456789abcdef",
        "slices": [_slice(n, s) for n, s in slices.items()],
    }
    (folder / "evaluation.json").write_text(json.dumps(plain))
    return folder


def _slice(name: str, own: Mapping[str, Any]) -> dict[str, Any]:
    figure = own["recall"]
    figures = {} if figure is None else {"recall": dict(zip(("value", "low", "high"), figure, strict=True))}
    return {
        "name": name, "risk_weight": own.get("risk", 1), "groups": own.get("groups", 40), "min_support": 10,
        "figures": figures,
    }  # fmt: skip


def gate_answer(
    target: str, frames: int, gain: Sequence[float | None], day: int, verdict: str = "admit"
) -> dict[str, Any]:
    """Return gate.json as plain data; the batch has its id from target and day."""
    recall = dict(zip(("value", "low", "high"), gain, strict=True))
    return {
        "schema": "gate/1", "target": target, "batch": {"dataset_id": f"ds_{target}{day}", "frames": frames},
        "gains": {target: {"recall": recall}, "all": {"recall": {"value": 0.0, "low": -0.01, "high": 0.01}}},
        "verdict": verdict, "time": f"2026-03-{day:02d}T12:00:00+00:00",
    }  # fmt: skip


def write_answer(folder: Path, answer: Mapping[str, Any]) -> Path:
    """Write an answer of the gate under its target and day; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{answer['batch']['dataset_id']}.json"
    path.write_text(json.dumps(answer))
    return path
