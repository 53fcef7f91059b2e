"""Batches on a CUDA device: one graph a layout, replayed for every batch; the host never waits inside one.

Labels come after the graph: their sizes are read back, so that with them the host waits until a batch is reduced.
The graph begins with the copy of the inputs from pinned memory. Images are copied out on a stream of their own, into
pinned memory, while the next batch is rendered into the other of two `CudaBatch`es.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import warp as wp

from engine.labels.model import Labels
from engine.render.batch import BatchMemory, BatchValues, Rendered, Worker
from engine.render.buffers import IMAGES
from engine.render.canvases import LabelReducer
from engine.render.host_memory import HostMemory, device_view
from engine.render.stages import Stages
from engine.render.tree import check_stack

SLICE_RAYS = 1 << 22  # of a LiDAR at a time: 100 MB of scratch memory
SLICE_PX = 1 << 22  # what is shaded at a time: enough to fill any device, 3 GB of scratch memory


class Streams:
    """Where work is queued: rendering, and copies to the host."""

    def __init__(self, device: str) -> None:
        self.render, self.copy = wp.Stream(device), wp.Stream(device)


class CudaBatch:
    """Memory and graph of batches of one layout."""

    def __init__(self, stages: Stages, values: BatchValues, images: tuple[str, ...], streams: Streams) -> None:
        """Reserve memory; `images` are those of `IMAGES` that leave the renderer."""
        device = stages.base.device
        kept: tuple[str, ...] = ("normal",) if stages.reads_normals and "normal" not in images else ()
        kept += tuple(name for name in ("depth_m", "instance") if name not in images)
        self._images, self._streams = images, streams
        self.memory = BatchMemory(stages, values, (*images, *kept))
        slice_px = min(self.memory.pixels, SLICE_PX)
        self._slice_beams = 0
        if stages.lidar is not None:
            self._slice_beams = min(self.memory.beams, SLICE_RAYS // stages.lidar.config.beam.subrays)
        self._worker = Worker(
            self.memory, rows=values.rows, slice_px=slice_px, slice_beams=self._slice_beams,
            slice_keypoints=self.memory.keypoints,
        )  # fmt: skip
        self._reducer = None if stages.labels is None else LabelReducer(self.memory, stages.labels, 1)
        self._labels: Labels | None = None
        self._graph: Any = None
        self._rendered, self._copied = wp.Event(device), wp.Event(device)
        self._is_used = False

    def start(self, values: BatchValues, *, reduces: bool = True) -> None:
        """Queue the rendering of a batch; the batch before in this memory must have been copied out or given up.

        Labels, where they are asked for and it `reduces`, are there when this returns.

        Raises:
            UserError: If a traversal could overflow its stack.
        """
        is_first, self._is_used = not self._is_used, True
        if not is_first:
            wp.synchronize_event(self._rendered)  # its inputs have been read
        self.memory.inputs.write(values.fields)
        stream = self._streams.render
        stream.wait_event(self._copied)
        with wp.ScopedStream(stream, sync_enter=is_first):  # memory may still be on its way on the present stream
            self.replay()
            self._labels = None
            if self._reducer is not None and reduces:  # outside of the graph: it waits for sizes
                self._labels = self._reducer.run(None)
        stream.record_event(self._rendered)

    def replay(self) -> None:
        """Launch the graph on the present stream, recording it the first time."""
        base = self.memory.stages.base
        if not base.is_stack_safe:  # rare: the trees themselves must be asked, which waits for the device
            self._begin()
            check_stack(base.stack_entries, int(self.memory.worlds.need.numpy().max(initial=0)))
        if base.opacities is not None and not wp.is_conditional_graph_supported():
            if base.is_stack_safe:
                self._begin()
            self._render()
            return
        if self._graph is None:
            with wp.ScopedCapture(stream=wp.get_stream(base.device), force_module_load=False) as capture:
                if base.is_stack_safe:
                    self._begin()
                self._render()
            self._graph = capture.graph
        wp.capture_launch(self._graph)

    def _begin(self) -> None:
        self.memory.inputs.upload()
        self.memory.begin.run()
        self._worker.build.run()

    def _render(self) -> None:
        worker, pixels = self._worker, self.memory.pixels
        worker.overflow.zero_()
        for first in range(0, pixels, SLICE_PX):
            worker.slices.set_span(first, min(SLICE_PX, pixels - first))
            worker.slices.trace.run()
            if not self.memory.stages.reads_neighbours:
                worker.slices.shade.run()
        if self.memory.stages.reads_neighbours:
            for first in range(0, pixels, SLICE_PX):
                worker.slices.set_span(first, min(SLICE_PX, pixels - first))
                worker.slices.shade.run()
        if worker.lidar is not None:
            for first in range(0, self.memory.beams, self._slice_beams):
                worker.lidar.run(first, min(self._slice_beams, self.memory.beams - first))
        if worker.keypoints is not None:
            worker.keypoints.run(0, self.memory.keypoints)
        for phase in worker.develop:
            phase.work(0, phase.total)

    def copy_out(self, memory: HostMemory, images: tuple[str, ...]) -> Callable[[], Rendered]:
        """Queue copies of some images to the host and return what waits for them."""
        stages, stream = self.memory.stages, self._streams.copy
        stream.wait_event(self._rendered)
        out = {}
        for name in images:
            image = IMAGES[name]
            views, sweeps = self.memory.views_count, self.memory.sweeps
            shape = image.shape(stages.base, stages.rig, views, image.channels, sweeps)
            out[name] = memory.take(shape, image.scalar)
            wp.copy(device_view(out[name], image.dtype, pinned=True), self.memory.images[name], stream=stream)
        lost = memory.take((1,), np.int32)
        wp.copy(device_view(lost, wp.int32, pinned=True), self._worker.overflow, stream=stream)
        stream.record_event(self._copied)
        copied = wp.Event(stream.device)
        stream.record_event(copied)

        labels = self._labels

        def wait() -> Rendered:
            wp.synchronize_event(copied)
            return Rendered(out, self.memory.views_count, int(lost[0]), labels)

        return wait

    def copy_on_device(self) -> dict[str, wp.array]:
        """Return copies of the images on the device, in order on its present stream."""
        present = wp.get_stream(self.memory.stages.base.device)
        present.wait_event(self._rendered)
        present.wait_event(self._copied)  # so that the event, recorded again, also stands for copies to the host
        out = {name: wp.clone(self.memory.images[name]) for name in self._images}
        present.record_event(self._copied)
        return out
