"""Labels of a batch reduced where it was rendered: a few launches after the frames, sizes read back between them.

The host sees small tables and the bytes of the masks, never an image. On CUDA it waits for the device here.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.labels.model import Labels
from engine.render.batch import BatchMemory
from engine.render.canvases import Canvases
from engine.render.growing import Growing, last_of, texts_of
from engine.render.spread import Crew

COLUMNS_A_PART, ROWS_A_PART = 160, 16  # of a thread on the CPU at a time
NO_ROWS = np.zeros(0, np.int32)


class MaskReducer:
    """Makes the labels of batches of one layout; one at a time."""

    def __init__(self, memory: BatchMemory, threads: int) -> None:
        """Reserve what does not depend on what is seen; the rest grows with it."""
        base = memory.stages.base
        self._memory, self._device, self._threads = memory, base.device, threads
        self._growing = Growing(base.device)
        shape = (memory.views_count, base.instance_count)
        self._nearest = wp.empty(shape, dtype=wp.int32, device=base.device)
        self._columns = memory.views_count * memory.stages.rig.width
        self._nothing = wp.empty(0, dtype=wp.uint8, device=base.device)
        config = memory.stages.labels
        self._canvases = Canvases(memory, self._growing, threads) if config is not None and config.amodal else None

    def run(self, pool: ThreadPoolExecutor | None) -> Labels:
        """Return the labels of the batch that was rendered last."""
        crew = Crew(self._device, self._threads, pool)
        image, runs = self._memory.buffers.labels.instance, self._runs(crew)
        if runs is None:
            return self._completed(self._labels(NO_ROWS, {}, ()), crew)
        new, count = self._growing.take, runs.end.shape[0]
        number, begins = new("number", count, wp.int32), new("begins", count, wp.int32)
        wp.launch(gpu.masks.mark_rows, count, [runs, begins], device=self._device)
        wp.utils.array_scan(begins, number, inclusive=True)
        row_count = last_of(number)
        rows = gpu.masks.MaskRows()
        rows.run, rows.key = new("row_run", row_count + 1, wp.int32), new("row_key", row_count, wp.int32)
        rows.nearest_m, rows.area_px = new("nearest_m", row_count, wp.float32), new("area_px", row_count, wp.int32)
        rows.box_px = new("box_px", 4 * row_count, wp.int32).reshape((row_count, 4))
        rows.length = new("length", row_count + 1, wp.int32)
        rows.length.zero_()
        wp.launch(gpu.masks.write_rows, count, [runs, number, rows], device=self._device)
        inputs = [image, self._nearest, runs, self._nothing, rows]
        crew.launch(gpu.masks.measure_masks, row_count, ROWS_A_PART, inputs)
        first_byte = new("first_byte", row_count + 1, wp.int32)
        wp.utils.array_scan(rows.length, first_byte, inclusive=False)
        text = new("text", last_of(first_byte), wp.uint8)
        inputs = [image, runs, rows, first_byte, text]
        crew.launch(gpu.masks.write_masks, row_count, ROWS_A_PART, inputs)
        columns = {name: getattr(rows, name).numpy().copy() for name in ("area_px", "box_px", "nearest_m")}
        key = rows.key.numpy().copy()
        labels = self._labels(key, columns, texts_of(text.numpy(), first_byte.numpy()))
        return self._completed(labels, crew)

    def _completed(self, labels: Labels, crew: Crew) -> Labels:
        return labels if self._canvases is None else self._canvases.complete(labels, crew)

    def _runs(self, crew: Crew) -> Any:
        """Return the runs of the batch's images, sorted; None: nothing is seen."""
        images, new = self._memory.buffers.labels, self._growing.take
        count, first = new("count", self._columns, wp.int32), new("first", self._columns, wp.int32)
        self._nearest.fill_(int(gpu.masks.UNSEEN))
        inputs = [images.instance, images.depth_m, count, self._nearest]
        crew.launch(gpu.masks.count_runs, self._columns, COLUMNS_A_PART, inputs)
        wp.utils.array_scan(count, first, inclusive=False)
        total = last_of(first) + last_of(count)
        if total == 0:
            return None
        runs = gpu.masks.Runs()
        runs.instance_count, runs.first = self._memory.stages.base.instance_count, first
        runs.key, runs.order = new("key", 2 * total, wp.int32), new("order", 2 * total, wp.int32)
        runs.start, runs.end = new("start", total, wp.int32), new("end", total, wp.int32)
        inputs = [images.instance, runs]
        crew.launch(gpu.masks.write_runs, self._columns, COLUMNS_A_PART, inputs)
        bits = (self._memory.views_count * runs.instance_count).bit_length()
        wp.utils.radix_sort_pairs(runs.key, runs.order, total, 0, bits)
        return runs

    def _labels(self, key: NDArray[np.int32], columns: dict[str, NDArray[Any]], rle: tuple[bytes, ...]) -> Labels:
        """Return the labels of rows that a key names."""
        base = self._memory.stages.base
        view, instance = key // np.int32(base.instance_count), key % np.int32(base.instance_count)
        box = columns.get("box_px", NO_ROWS.reshape(0, 4))
        distance = columns.get("nearest_m", np.zeros(0, np.float32))
        class_id = base.scene.instances.class_id[instance]
        return Labels(view, instance, class_id, columns.get("area_px", NO_ROWS), box, distance, rle)
