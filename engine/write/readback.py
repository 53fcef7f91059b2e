"""Read the files of a frame back, in the units and numbering of the index."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray

from engine.write.files import inside
from engine.write.writers import MILLIMETRES_A_METRE


def read_instance_map(out: Path, frame: Mapping[str, Any]) -> NDArray[np.int32]:
    """Return the instance map of a row of the frame table, shape [y, x], numbered as `inst_id`; 0 = background.

    Raises:
        UserError: If the row names a file outside of the dataset.
    """
    stored = imageio.imread(inside(out, frame["instance_map"])).astype(np.int32)
    if frame.get("instance_ids") is None:
        return stored
    table = json.loads(inside(out, frame["instance_ids"]).read_bytes())["instance"]
    return np.array(table, np.int32)[stored]


def read_depth_m(path: Path) -> NDArray[np.float32]:
    """Return planar depth [m], shape [y, x], +inf where there is none."""
    if path.suffix == ".npy":
        depth_m: NDArray[np.float32] = np.load(path, allow_pickle=False)
        return depth_m
    millimetres = imageio.imread(path).astype(np.float32)
    return np.where(millimetres > 0, millimetres / np.float32(MILLIMETRES_A_METRE), np.float32(np.inf))
