"""Batches on the CPU: a launch runs on one thread but releases the interpreter, so slices go over a pool of threads.

Every row and every pixel belongs to one slice; results do not depend on the slices or on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from engine.render.batch import BatchMemory, BatchValues, Rendered, Worker
from engine.render.buffers import IMAGES
from engine.render.canvases import LabelReducer
from engine.render.host_memory import HostMemory, device_view
from engine.render.spread import spread
from engine.render.stages import Stages
from engine.render.tree import check_stack
from engine.render.views import RUN_PX

SLICE_PX = 8192  # the buffers of a slice stay in the second-level cache
LEAST_SLICE_PX = 2048  # below, starting launches costs more than it evens out


class CpuBatch:
    """Memory and programs of batches of one layout."""

    def __init__(self, stages: Stages, values: BatchValues, images: tuple[str, ...], threads: int) -> None:
        """Reserve memory; `images` are those of `IMAGES` that leave the renderer."""
        needs_normal = stages.reads_normals or stages.denoiser is not None
        kept: tuple[str, ...] = () if not needs_normal or "normal" in images else ("normal",)
        kept += tuple(name for name in ("depth_m", "instance") if name not in images)
        self._memory, self._stages, self._images = BatchMemory(stages, values, kept), stages, images
        self._place: dict[str, int] = {}  # address of each image
        self._rows, pixels = values.rows, self._memory.pixels
        self._slices = list(slices_of(pixels, threads))
        slice_px = max((count for _, count in self._slices), default=RUN_PX)
        self._beams = list(slices_of(self._memory.beams, threads))
        slice_beams = max((count for _, count in self._beams), default=0)
        self._keypoints = list(slices_of(self._memory.keypoints, threads))
        slice_keypoints = max((count for _, count in self._keypoints), default=0)
        sizes = {
            "rows": 1, "slice_px": slice_px, "slice_beams": slice_beams, "slice_keypoints": slice_keypoints,
        }  # fmt: skip
        self._workers = [Worker(self._memory, **sizes, threads=threads) for _ in range(threads)]
        self._reducer = None if stages.labels is None else LabelReducer(self._memory, stages.labels, threads)
        phases = enumerate(self._workers[0].develop)
        self._phases = [[(index, *part) for part in phase.parts(threads)] for index, phase in phases]

    def render(
        self, values: BatchValues, memory: HostMemory, pool: ThreadPoolExecutor | None, *, reduces: bool
    ) -> Rendered:
        """Return a batch, with its labels if they are asked for and it `reduces`.

        Raises:
            UserError: If a traversal could overflow its stack.
        """
        self._memory.inputs.write(values.fields)
        self._memory.begin.run()
        out = {}
        base, rig = self._stages.base, self._stages.rig
        for name in self._images:
            image = IMAGES[name]
            shape = image.shape(base, rig, values.views, image.channels, self._memory.sweeps)
            out[name] = memory.take(shape, image.scalar)
            if self._place.get(name) != out[name].ctypes.data:  # mostly it is where it was, and the caller let go of
                self._place[name] = out[name].ctypes.data
                self._memory.buffers.set_image(name, device_view(out[name], image.dtype, owned=False))
        for worker in self._workers:
            worker.overflow.zero_()
        self._each(pool, range(self._rows), _build)
        if not base.is_stack_safe:
            check_stack(base.stack_entries, int(self._memory.worlds.need.numpy().max(initial=0)))
        if self._stages.reads_neighbours:  # which may be of another slice
            self._each(pool, self._slices, _trace)
            self._each(pool, self._slices, _shade)
        else:
            self._each(pool, self._slices, _trace_and_shade)
        if self._stages.denoiser is not None:
            self._memory.denoise()
            if self._stages.sensor is None:
                self._each(pool, self._slices, _develop_slice)
        for phase in self._phases:
            self._each(pool, phase, _develop)
        self._each(pool, self._beams, _scan)
        self._each(pool, self._keypoints, _see)
        labels = self._reducer.run(pool) if self._reducer is not None and reduces else None
        return Rendered(out, values.views, sum(int(worker.overflow.numpy()[0]) for worker in self._workers), labels)

    def _each(self, pool: ThreadPoolExecutor | None, parts: Sequence[Any], work: Callable[[Worker, Any], None]) -> None:
        spread(pool, self._workers, parts, work)


def slices_of(pixels: int, threads: int) -> Iterator[tuple[int, int]]:
    """Yield first pixel and count of slices, ever smaller ones towards the end, so that all threads end together."""
    first = 0
    while first < pixels:
        even = -(-(pixels - first) // (2 * threads))
        size = min(SLICE_PX, max(LEAST_SLICE_PX, -(-even // RUN_PX) * RUN_PX)) if threads > 1 else SLICE_PX
        yield first, min(size, pixels - first)
        first += size


def _build(worker: Worker, row: int) -> None:
    worker.set_row(row)
    worker.build.run()


def _trace(worker: Worker, part: tuple[int, int]) -> None:
    worker.slices.set_span(*part)
    worker.slices.trace.run()


def _shade(worker: Worker, part: tuple[int, int]) -> None:
    worker.slices.set_span(*part)
    worker.slices.shade.run()


def _trace_and_shade(worker: Worker, part: tuple[int, int]) -> None:
    worker.slices.set_span(*part)
    worker.slices.trace.run()
    worker.slices.shade.run()


def _scan(worker: Worker, part: tuple[int, int]) -> None:
    assert worker.lidar is not None
    worker.lidar.run(*part)


def _see(worker: Worker, part: tuple[int, int]) -> None:
    assert worker.keypoints is not None
    worker.keypoints.run(*part)


def _develop_slice(worker: Worker, part: tuple[int, int]) -> None:
    worker.slices.set_span(*part)
    worker.slices.develop.run()


def _develop(worker: Worker, part: tuple[int, int, int]) -> None:
    phase, first, count = part
    worker.develop[phase].work(first, count)
