"""One batch on a device: its values, its memory, which is kept for the next batch of the same layout, its programs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import warp as wp

from engine import gpu
from engine.draft import Draft
from engine.render.buffers import Buffers, new_buffers, new_image, new_scratch
from engine.render.exposure import at_moments
from engine.render.inputs import Field, Inputs, layout_of
from engine.render.program import Program
from engine.render.silhouettes import SilhouettePrograms
from engine.render.stages import SlicePrograms, Stages, Target
from engine.render.views import span_of, view_fields, views_of
from engine.render.worlds import Building, Worlds, new_building, new_worlds, record_building, world_fields


@dataclass(frozen=True)
class BatchValues:
    """What the host says about a batch."""

    rows: int
    views: int
    of_worlds: list[Field]
    of_views: list[Field]

    @property
    def fields(self) -> list[Field]:
        """Return all fields."""
        return [*self.of_worlds, *self.of_views]

    @cached_property
    def layout(self) -> object:
        """Return what memory the batch needs; hashable, equal where the same will do."""
        return self.rows, self.views, layout_of(self.fields)


def batch_values(stages: Stages, draft: Draft, cameras: slice) -> BatchValues:
    """Return the values of a draft seen by some of its cameras."""
    placed, first_row = at_moments(draft, stages.rig, cameras)
    of_views = view_fields(draft, stages.rig, cameras, first_row)
    rows, views = len(placed.world), len(of_views[0].parts[0][1])
    return BatchValues(rows, views, world_fields(stages.base, placed), of_views)


class BatchMemory:
    """Memory of batches of one layout; it holds one at a time."""

    def __init__(self, stages: Stages, values: BatchValues, images: tuple[str, ...]) -> None:
        """Reserve memory.

        Args:
            stages: The scene and how it is rendered.
            values: A batch of the layout.
            images: Those of `IMAGES` that get memory of their own here.
        """
        base, rig = stages.base, stages.rig
        self.stages, self.views_count = stages, values.views
        self.inputs = Inputs(values.fields, base.device)
        self.worlds: Worlds = new_worlds(base, self.inputs, values.rows)
        self.views: Any = views_of(values.of_views, self.inputs, rig, base.device, shaded=stages.shaded)
        self.begin = Program(base.device)  # of a batch, once its inputs are there
        if stages.shaded:
            self.begin.launch(gpu.sample.shift_views, values.views, [stages.key, self.views])
        self.buffers: Buffers = new_buffers(
            base, rig, values.views, shaded=stages.shaded, marks_edges=stages.marks_edges,
            silhouettes=stages.silhouette_margin_px is not None,
        )  # fmt: skip
        self.images = {name: new_image(name, base, rig, values.views) for name in images}
        for name, image in self.images.items():
            self.buffers.set_image(name, image)
        self.pixels = values.views * rig.width * rig.height


class Worker:
    """What works on a part of a batch: programs for some rows and for a slice of pixels, and their scratch memory."""

    def __init__(self, memory: BatchMemory, *, rows: int, slice_px: int, window_px: int) -> None:
        """Reserve scratch memory and record the launches.

        Args:
            memory: Of the batch.
            rows: Placed by one run of `build`.
            slice_px: Pixels of one run of the other programs, at most.
            window_px: Of one run of the silhouettes' program; 0: they are not asked for.
        """
        stages, device = memory.stages, memory.stages.base.device
        self.overflow = wp.zeros(1, dtype=wp.int32, device=device)
        self._building: Building = new_building(memory.worlds, rows, device)
        self.build = Program(device)
        record_building(memory.worlds, self._building, self.build)
        span = span_of(0, slice_px, device)
        scratch = new_scratch(stages.base, stages.rig, memory.buffers, slice_px) if stages.shaded else None
        target = Target(memory.worlds, memory.views, memory.buffers, scratch, self.overflow, span)
        self.slices = SlicePrograms(stages, target, slice_px)
        self.silhouettes = SilhouettePrograms(stages, target, window_px) if window_px else None

    def set_row(self, first: int) -> None:
        """Have the next run of `build` begin at a row."""
        self._building.placing.first_row = self._building.top.first_row = first
