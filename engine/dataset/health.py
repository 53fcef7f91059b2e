"""Three fractions that tell at a glance whether a dataset went wrong."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from engine.dataset.manifest import Health
from engine.write.merge import MergedRows

TINY_AREA_PX = 64  # 8 x 8: less than one cell of the finest grid of common detectors (stride 8)
DIGITS = 6  # of the fractions in the manifest


def measure_health(rows: MergedRows) -> Health:
    """Return the fraction of frames without a labelled instance, of labelled instances below 64 px, and of frames
    whose picture is byte for byte that of an earlier frame.
    """
    frames = empty = instances = tiny = repeated = 0
    seen: set[bytes] = set()
    for frame_table, instance_table in zip(rows.tables("frames"), rows.tables("instances"), strict=True):
        labelled = instance_table.filter(pc.not_equal(instance_table["class_id"], 0))
        frames += frame_table.num_rows
        empty += frame_table.num_rows - len(np.unique(labelled["frame_id"].to_numpy()))
        instances += labelled.num_rows
        tiny += int(np.count_nonzero(labelled["area_px"].to_numpy() < TINY_AREA_PX))
        if "image_sha256" in frame_table.column_names:
            for digest in frame_table["image_sha256"].to_pylist():
                repeated += digest in seen
                if digest is not None:
                    seen.add(digest)
    return Health(_fraction(empty, frames), _fraction(tiny, instances), _fraction(repeated, frames))


def _fraction(part: int, whole: int) -> float:
    return round(part / whole, DIGITS) if whole else 0.0
