"""What can be measured on any picture, rendered or not: by it failures on real pictures find drawn values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.collect.holdout import opened
from engine.evaluate.truth import Truth

Floats = NDArray[np.float64]

OF_FRAMES = ("lum_mean", "lum_std", "lum_p05", "sat_frac", "blur_lap", "noise_sigma")
OF_INSTANCES = ("contrast", "cnr", "occlusion", "truncation")
LOGARITHMIC = ("area_share", "elongation", "blur_lap", "noise_sigma", "cnr")
LEAST = 1.0e-6  # below which a logarithm says no more
KNOWN = 0.9  # share of rows that must have a value


@dataclass(frozen=True)
class Measured:
    """Measured columns of labelled instances, [instance]; NaN where nothing is known."""

    columns: dict[str, Floats]
    classes: NDArray[np.object_]  # [instance]

    def usable(self, rows: NDArray[np.bool_]) -> set[str]:
        """Return the columns that most of some rows have."""
        return {name for name, own in self.columns.items() if rows.any() and np.isfinite(own[rows]).mean() >= KNOWN}


def read_measured(dataset: Path, truth: Truth) -> Measured:
    """Return what was measured of every labelled instance of the truth; sizes are shares of the picture."""
    opened(dataset, "propose")
    index = dataset / "index"
    frames = _table(index / "frames.parquet", ("frame_id", "width", "height", *OF_FRAMES))
    frame_row = {frame: row for row, frame in enumerate(frames["frame_id"].tolist())}
    at = np.array([frame_row[frame] for frame, _, _ in truth.instance], np.int64).reshape(-1)
    columns = {name: frames[name][at] for name in OF_FRAMES if name in frames}
    names = ("frame_id", "class", "bbox", "oriented_box", "area_px", *OF_INSTANCES)
    own: dict[str, Any] = {
        name: np.full(len(truth.instance), np.nan) for name in ("area_share", "elongation", *OF_INSTANCES)
    }
    classes = np.full(len(truth.instance), "", dtype=object)
    place = {key: number for number, key in enumerate(truth.instance)}
    for file, key, is_defect in (("instances", "inst_id", False), ("defects", "defect_id", True)):
        if not (index / f"{file}.parquet").is_file():
            continue
        table = _table(index / f"{file}.parquet", (key, *names))
        for row, (frame, number) in enumerate(zip(table["frame_id"].tolist(), table[key].tolist(), strict=True)):
            target = place.get((frame, is_defect, number))
            if target is None:
                continue
            classes[target] = table["class"][row]
            pixels = float(frames["width"][frame_row[frame]] * frames["height"][frame_row[frame]])
            own["area_share"][target] = table["area_px"][row] / pixels
            own["elongation"][target] = elongation(table["oriented_box"][row], table["bbox"][row])
            for name in OF_INSTANCES:
                if name in table:
                    own[name][target] = table[name][row]
    columns |= own
    with np.errstate(divide="ignore", invalid="ignore"):
        return Measured(
            {name: np.log(np.maximum(c, LEAST)) if name in LOGARITHMIC else c for name, c in columns.items()}, classes
        )


def elongation(oriented: Any, box: Any) -> float:
    """Return the longer side of a box over the shorter one, of the turned box where there is one."""
    if oriented is not None and np.isfinite(np.asarray(oriented, np.float64)).all():
        corners = np.asarray(oriented, np.float64).reshape(4, 2)
        sides = (float(np.hypot(*(corners[1] - corners[0]))), float(np.hypot(*(corners[2] - corners[1]))))
    else:
        sides = (float(box[2]), float(box[3]))
    return max(sides) / max(min(sides), 1.0)


def plain_value(name: str, value: float) -> float:
    """Return a value as people read it."""
    return float(np.exp(value)) if name in LOGARITHMIC else float(value)


def _table(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    known = set(pq.read_schema(path).names)
    table = pq.read_table(path, columns=[name for name in names if name in known])
    found: dict[str, Any] = {}
    for name in table.column_names:
        values = table[name].to_pylist()
        if name in ("class", "bbox", "oriented_box"):
            found[name] = values
        elif name in ("frame_id", "inst_id", "defect_id"):
            found[name] = np.array(values, np.int64)
        else:
            found[name] = np.array([np.nan if value is None else value for value in values], np.float64)
    found.setdefault("oriented_box", [None] * table.num_rows)
    return found
