"""Whole silhouettes of the rows of labels: boxes of their meshes, bitmaps, and what they say, some rows at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.labels.config import LabelConfig
from engine.labels.model import Amodal, Labels
from engine.render.arrays import to_device
from engine.render.batch import BatchMemory
from engine.render.growing import Growing, texts_of
from engine.render.masks import MaskReducer
from engine.render.spread import Crew
from engine.scene.model import Scene

WORD_PX = 32  # pixels of a column in a word
CPU_WORDS, CUDA_WORDS = 1 << 24, 1 << 26  # of bitmaps at a time, unless one alone has more: 64 and 256 MiB
WORDS_A_RUN, RUNS_A_PART = 64, 16  # of a thread on the CPU, and launched at a time
ROWS_A_PART, JOBS_A_PART, TILES = 4, 16, 16
NO_VALUES = np.zeros((0, 9), np.int32)
CUDA_TALLIES = 1 << 24  # counts of those who hide rows


class Canvases:
    """Makes the silhouettes of batches of one layout; one at a time."""

    def __init__(self, memory: BatchMemory, margin: float, growing: Growing, threads: int) -> None:
        """Reserve what does not depend on what is seen; `margin` is that of LabelConfig."""
        stages, base = memory.stages, memory.stages.base
        self._memory, self._growing, self._device = memory, growing, base.device
        width, height = stages.rig.width, stages.rig.height
        self._margin_px = (round(margin * width), round(margin * height))
        self._of_instance = placements_of(base.scene)
        self._tallies = threads if self._is_cpu else max(1, CUDA_TALLIES // base.instance_count)
        self._tally = wp.zeros((self._tallies, base.instance_count), dtype=wp.int32, device=base.device)

    @property
    def _is_cpu(self) -> bool:
        return bool(wp.get_device(self._device).is_cpu)

    def complete(self, labels: Labels, crew: Crew) -> Labels:
        """Return labels with the silhouettes of their rows."""
        if not len(labels.view):
            return dataclasses.replace(labels, amodal=self._amodal(NO_VALUES, ()))
        first, placement = self._of_instance
        counts = (first[1:] - first[:-1])[labels.instance]
        end = np.cumsum(counts)
        row_of_job = np.repeat(np.arange(len(counts)), counts)
        within = np.arange(int(end[-1])) - np.repeat(end - counts, counts)
        jobs = gpu.canvas.Jobs()
        jobs.margin_px, jobs.cone = wp.vec2i(*self._margin_px), self._cones(crew)
        jobs.view = to_device(labels.view[row_of_job], wp.int32, self._device)
        jobs.placement = to_device(placement[first[labels.instance[row_of_job]] + within], wp.int32, self._device)
        bounds = wp.empty((len(row_of_job), 4), dtype=wp.int32, device=self._device)
        worlds, views = self._memory.worlds, self._memory.views
        inputs = [worlds.geometry, views, worlds.inputs.array("pose"), jobs, bounds]
        crew.launch(gpu.canvas.bound_placements, len(row_of_job), JOBS_A_PART, inputs)
        canvases = gpu.canvas.Canvases()
        canvases.placement, canvases.box = jobs.placement, bounds
        rows = np.zeros((len(counts), len(gpu.canvas.RowField)), np.int32)
        field = gpu.canvas.RowField
        rows[:, field.VIEW], rows[:, field.INSTANCE] = labels.view, labels.instance
        rows[:, field.JOB], rows[:, field.JOB_END] = end - counts, end
        rows[:, field.X0 : field.Y1 + 1] = _around(bounds.numpy(), end - counts, labels.box_px)
        rows[:, field.VISIBLE_PX] = labels.visible_px
        if worlds.opacities is not None:
            canvases.is_open = wp.empty(len(row_of_job), dtype=wp.int32, device=self._device)
            inputs = [worlds.geometry, views, worlds.opacities, jobs, canvases.is_open]
            wp.launch(gpu.canvas_passage.find_open, len(row_of_job), inputs, device=self._device)
            rows[:, field.HAS_OPEN] = np.maximum.reduceat(canvases.is_open.numpy(), end - counts)
        parts = [self._measured(canvases, rows[part], crew) for part in self._parts(rows)]
        value = np.concatenate([found for found, _ in parts])
        return dataclasses.replace(labels, amodal=self._amodal(value, tuple(t for _, texts in parts for t in texts)))

    def _cones(self, crew: Crew) -> wp.array:
        """Return cones around the rays of tiles [view, tile, 8], of the views that need them; empty: none does."""
        views, count, rig = self._memory.views, self._memory.views_count, self._memory.stages.rig
        bent = self._growing.take("bent", count, wp.int32)
        wp.launch(gpu.canvas.find_bent, count, [views, bent], device=self._device)
        chosen = np.flatnonzero(bent.numpy())
        side = int(gpu.cones.TILE_PX)
        size = (rig.width + 2 * self._margin_px[0], rig.height + 2 * self._margin_px[1])
        tiles = -(-size[0] // side) * -(-size[1] // side) if len(chosen) else 0
        cones = self._growing.take("cone", count * tiles * 8, wp.float32).reshape((count if tiles else 0, tiles, 8))
        if tiles:
            inputs = [views, wp.vec2i(*self._margin_px), to_device(chosen, wp.int32, self._device), cones]
            crew.launch(gpu.cones.find_cones, len(chosen) * tiles, TILES, inputs)
        return cones

    def _parts(self, rows: NDArray[np.int32]) -> Iterator[slice]:
        """Yield rows whose bitmaps have room together."""
        most, first, held = CPU_WORDS if self._is_cpu else CUDA_WORDS, 0, 0
        for row, words in enumerate(words_of(rows).tolist()):
            if held and held + words > most:
                yield slice(first, row)
                first, held = row, 0
            held += words
        yield slice(first, len(rows))

    def _measured(
        self, canvases: Any, rows: NDArray[np.int32], crew: Crew
    ) -> tuple[NDArray[np.int32], tuple[bytes, ...]]:
        """Return what the silhouettes of some rows say [row, Value], and their texts."""
        words, count = np.concatenate([[0], np.cumsum(words_of(rows))]), len(rows)
        canvases.row = to_device(rows, wp.int32, self._device)
        canvases.first_word = to_device(words.astype(np.int32), wp.int32, self._device)
        canvases.word = self._growing.take("word", int(words[-1]), wp.uint32)
        self._cover(canvases, int(words[-1]), crew)
        if rows[:, gpu.canvas.RowField.HAS_OPEN].any():
            worlds = self._memory.worlds
            inputs = [worlds.geometry, self._memory.views, worlds.opacities, canvases, canvases.word]
            size = WORDS_A_RUN * RUNS_A_PART
            crew.launch(gpu.canvas_passage.pass_words, int(words[-1]), size, inputs)
        value = wp.empty((count, gpu.canvas.VALUES), dtype=wp.int32, device=self._device)
        self._measure(canvases, value, count, crew)
        found = value.numpy().copy()
        first_byte = np.concatenate([[0], np.cumsum(found[:, gpu.canvas.Value.BYTES])]).astype(np.int32)
        text = self._growing.take("canvas_text", int(first_byte[-1]), wp.uint8)
        inputs = [canvases, value, to_device(first_byte, wp.int32, self._device), text]
        crew.launch(gpu.canvas.write_canvases, count, ROWS_A_PART, inputs)
        return found, texts_of(text.numpy(), first_byte)

    def _cover(self, canvases: Any, words: int, crew: Crew) -> None:
        """Fill the bitmaps."""
        trees, views = self._memory.worlds.geometry.trees, self._memory.views
        image = self._memory.buffers.labels.instance
        run = WORDS_A_RUN if crew.is_cpu else 1

        def work(_: int, part: tuple[int, int]) -> None:
            span = gpu.camera.Span()
            span.first, span.count, span.run = *part, run
            inputs = [trees, views, image, canvases, span, canvases.word]
            wp.launch(gpu.canvas.cover_words, -(-part[1] // run), inputs, device=self._device)

        crew.each(words, WORDS_A_RUN * RUNS_A_PART, work)

    def _measure(self, canvases: Any, value: wp.array, count: int, crew: Crew) -> None:
        """Have the bitmaps read."""
        image = self._memory.buffers.labels.instance

        def work(worker: int, part: tuple[int, int]) -> None:
            stripe = gpu.canvas.Stripe()
            stripe.first, stripe.end, stripe.tally = part[0], sum(part), worker
            stripe.threads = 1 if self._is_cpu else min(self._tallies, part[1])
            inputs = [image, canvases, stripe, self._tally, value]
            wp.launch(gpu.canvas.measure_canvases, stripe.threads, inputs, device=self._device)

        crew.each(count, ROWS_A_PART, work)

    def _amodal(self, value: NDArray[np.int32], rle: tuple[bytes, ...]) -> Amodal:
        of, rig = gpu.canvas.Value, self._memory.stages.rig
        box = value[:, of.X0 : of.Y1 + 1]
        low, high = -np.array(self._margin_px), np.array([rig.width, rig.height]) + self._margin_px
        touches = np.concatenate([box[:, :2] <= low, box[:, 2:] >= high], axis=1)
        is_cut = np.logical_or.reduce(touches, axis=1)
        return Amodal(
            value[:, of.IN_FRAME_PX], value[:, of.FULL_PX], box, is_cut, rle,
            value[:, of.OCCLUDER], value[:, of.OCCLUDER_PX],
        )  # fmt: skip


def _around(bounds: NDArray[np.int32], first: NDArray[np.int64], seen: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return boxes around those of every row's jobs and the one of its visible pixels."""
    empty = (bounds[:, 0] >= bounds[:, 2]) | (bounds[:, 1] >= bounds[:, 3])
    low = np.where(empty[:, None], np.iinfo(np.int32).max, bounds[:, :2])
    high = np.where(empty[:, None], np.iinfo(np.int32).min, bounds[:, 2:])
    both = np.minimum.reduceat(low, first), np.maximum.reduceat(high, first)
    return np.concatenate([np.minimum(both[0], seen[:, :2]), np.maximum(both[1], seen[:, 2:])], axis=1)


def words_of(rows: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return how many words the bitmap of every row [row, RowField] has."""
    field = gpu.canvas.RowField
    size = (rows[:, [field.X1, field.Y1]] - rows[:, [field.X0, field.Y0]]).astype(np.int64)
    return np.asarray(size[:, 0] * -(-size[:, 1] // WORD_PX))


def placements_of(scene: Scene) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the placements of every instance begin [instance + 1] in the list that comes second."""
    instance = scene.placements.instance
    counts = np.bincount(instance, minlength=len(scene.instances.path))
    return np.concatenate([[0], np.cumsum(counts)]), np.argsort(instance, kind="stable")


class LabelReducer:
    """Makes the labels of batches of one layout, with silhouettes where they are asked for; one at a time."""

    def __init__(self, memory: BatchMemory, config: LabelConfig, threads: int) -> None:
        """Reserve memory; `threads` of the CPU share the work, one has all of it on CUDA."""
        base, growing = memory.stages.base, Growing(memory.stages.base.device)
        self._memory, self._threads = memory, threads
        self._masks = MaskReducer(memory.views_count, base.scene.instances.class_id, growing)
        self._canvases = Canvases(memory, config.margin, growing, threads) if config.amodal else None

    def run(self, pool: ThreadPoolExecutor | None) -> Labels:
        """Return the labels of the batch that was rendered last."""
        images = self._memory.buffers.labels
        crew = Crew(self._memory.stages.base.device, self._threads, pool)
        labels = self._masks.run(images.instance, images.depth_m, crew)
        return labels if self._canvases is None else self._canvases.complete(labels, crew)
