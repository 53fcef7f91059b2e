"""Masks of what views see, reduced where they were rendered: a few launches, sizes read back between them.

The host sees small tables and the bytes of the masks, never an image. On CUDA it waits for the device here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.labels.model import Labels
from engine.render.growing import Growing, last_of, texts_of
from engine.render.spread import Crew

COLUMNS, ROWS = 16, 4  # of a launch on the CPU, at least


class MaskReducer:
    """Makes labels of instance images and depths of one size; one batch at a time."""

    def __init__(self, views: int, class_id: NDArray[np.int32], growing: Growing) -> None:
        """Reserve what does not depend on what is seen; the rest grows with it.

        Args:
            views: Of a batch.
            class_id: Of every instance of the scene.
            growing: Memory that others may use as well.
        """
        self._views, self._class_id, self._growing, device = views, class_id, growing, growing.device
        self._nearest = wp.empty((views, len(class_id)), dtype=wp.int32, device=device)
        self._nothing = wp.empty(0, dtype=wp.uint8, device=device)

    def run(self, instance: wp.array, depth_m: wp.array, crew: Crew) -> Labels:
        """Return the labels of images [view, y, x], without silhouettes."""
        runs = self._runs(instance, depth_m, crew)
        if runs is None:
            none = np.zeros(0, np.int32)
            distance_m = np.zeros(0, np.float32)
            return Labels(none, none, none, none, none.reshape(0, 4), distance_m, ())
        rows, count = self._rows(runs, crew)
        inputs = [instance, self._nearest, runs, self._nothing, rows]
        crew.launch(gpu.masks.measure_masks, count, ROWS, inputs)
        first_byte = self._growing.take("first_byte", count + 1, wp.int32)
        wp.utils.array_scan(rows.length, first_byte, inclusive=False)
        text = self._growing.take("text", last_of(first_byte), wp.uint8)
        crew.launch(gpu.masks.write_masks, count, ROWS, [instance, runs, rows, first_byte, text])
        view, seen = np.divmod(rows.key.numpy(), np.int32(len(self._class_id)))
        return Labels(
            view, seen, self._class_id[seen], rows.area_px.numpy().copy(), rows.box_px.numpy().copy(),
            rows.nearest_m.numpy().copy(), texts_of(text.numpy(), first_byte.numpy()),
        )  # fmt: skip

    def _runs(self, instance: wp.array, depth_m: wp.array, crew: Crew) -> Any:
        """Return the runs of the images, sorted; None: nothing is seen."""
        new, columns = self._growing.take, self._views * instance.shape[2]
        count, first, lead = (new(name, columns, wp.int32) for name in ("count", "first", "lead"))
        self._nearest.fill_(int(gpu.masks.UNSEEN))
        crew.launch(gpu.masks.count_runs, columns, COLUMNS, [instance, depth_m, count, lead, self._nearest])
        wp.utils.array_scan(count, first, inclusive=False)
        total = last_of(first) + last_of(count)
        if total == 0:
            return None
        runs = gpu.masks.Runs()
        runs.instance_count, runs.first, runs.lead = len(self._class_id), first, lead
        runs.key, runs.order = new("key", 2 * total, wp.int32), new("order", 2 * total, wp.int32)
        runs.start, runs.end = new("start", total, wp.int32), new("end", total, wp.int32)
        crew.launch(gpu.masks.write_runs, columns, COLUMNS, [instance, runs])
        bits = (self._views * runs.instance_count).bit_length()
        wp.utils.radix_sort_pairs(runs.key, runs.order, total, 0, bits)
        return runs

    def _rows(self, runs: Any, crew: Crew) -> tuple[Any, int]:
        """Return a row for every instance of a view that has runs, and how many there are."""
        new, count = self._growing.take, runs.end.shape[0]
        begins, number = new("begins", count, wp.int32), new("number", count, wp.int32)
        wp.launch(gpu.masks.mark_rows, count, [runs, begins], device=crew.device)
        wp.utils.array_scan(begins, number, inclusive=True)
        row_count = last_of(number)
        rows = gpu.masks.MaskRows()
        rows.run, rows.key = new("row_run", row_count + 1, wp.int32), new("row_key", row_count, wp.int32)
        rows.nearest_m, rows.area_px = new("nearest_m", row_count, wp.float32), new("area_px", row_count, wp.int32)
        rows.box_px = new("box_px", 4 * row_count, wp.int32).reshape((row_count, 4))
        rows.length = new("length", row_count + 1, wp.int32)
        rows.length.zero_()
        wp.launch(gpu.masks.write_rows, count, [runs, number, rows], device=crew.device)
        return rows, row_count
