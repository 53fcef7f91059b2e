"""Labels and rows of frames, some frames a script, that the page loads when one of them is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from engine.view.gallery.chunks import plain_columns
from engine.view.gallery.source import Part, Shown, parts_of

FRAMES = 16  # of a script, at most: scripts end where cells end


def label_chunks(shown: Shown) -> Iterator[tuple[pa.Table, dict[str, Any]]]:
    """Yield the rows of some frames after others, and what the page is told of them.

    A table is its columns; `of` says where the rows of each frame begin in those of instances and defects, and `world`
    which row of the worlds is its own.
    """
    for part in parts_of(shown):
        for begin in range(0, part.frames.num_rows, FRAMES):
            frames = part.frames.slice(begin, FRAMES)
            yield frames, _chunk(part, frames)


def _chunk(part: Part, frames: pa.Table) -> dict[str, Any]:
    ids = frames["frame_id"].to_numpy()
    keys = list(zip(frames["world"].to_pylist(), frames["step"].to_pylist()))
    begin, end = np.searchsorted(part.worlds["world"].to_numpy(), [keys[0][0], keys[-1][0] + 1])
    worlds = part.worlds.slice(int(begin), int(end - begin))
    places = {key: n for n, key in enumerate(zip(worlds["world"].to_pylist(), worlds["step"].to_pylist()))}
    data: dict[str, Any] = {
        "frames": plain_columns(frames), "worlds": plain_columns(worlds), "world": [places[key] for key in keys],
    }  # fmt: skip
    for name, table in (("instances", part.instances), ("defects", part.defects)):
        if table is not None:
            starts = np.searchsorted(table["frame_id"].to_numpy(), np.append(ids, ids[-1] + 1))
            seen = table.slice(int(starts[0]), int(starts[-1] - starts[0]))
            data[name] = {"of": (starts - starts[0]).tolist(), "columns": plain_columns(seen)}
    return data
