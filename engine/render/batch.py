"""One batch on a device: its values, its memory, which is kept for the next batch of the same layout, its programs."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.draft import Draft, rows_of
from engine.labels.model import Labels
from engine.render.annotations import annotation_fields, new_holders
from engine.render.buffers import Buffers, new_buffers, new_image, new_scratch, new_seen
from engine.render.exposure import at_moments, moment_count
from engine.render.flow import flow_fields, reads_steps
from engine.render.inputs import Field, Inputs, layout_of
from engine.render.keypoints import KeypointProgram, keypoint_count, keypoint_fields, new_keypoints
from engine.render.lidar import LidarProgram, lidar_fields, scan_of
from engine.render.program import Program
from engine.render.sensor import SensorMemory, new_sensor_memory, sensor_fields
from engine.render.sensor_programs import Phase, SensorPrograms
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
    of_sweeps: list[Field]  # none: no LiDAR
    sweeps: int
    of_sensors: list[Field]
    of_flow: list[Field]  # none: it is not asked for
    of_keypoints: list[Field]  # none: they are not asked for
    moments: int  # rows for each of the draft's and each camera's exposure

    @property
    def fields(self) -> list[Field]:
        """Return all fields."""
        of_sight = (*self.of_flow, *self.of_keypoints)
        return [*self.of_worlds, *self.of_views, *self.of_sweeps, *self.of_sensors, *of_sight]

    @property
    def has_patterns(self) -> bool:
        """Return whether anything wears a pattern, and no defects lie on it."""
        return not self.has_defects and any(field.name == "pattern" for field in self.of_worlds)

    @property
    def has_defects(self) -> bool:
        """Return whether anything may have a defect."""
        return any(field.name == "defect" for field in self.of_worlds)

    @cached_property
    def layout(self) -> object:
        """Return what memory the batch needs; hashable, equal where the same will do."""
        return self.rows, self.views, self.moments, layout_of(self.fields)


def batch_values(stages: Stages, draft: Draft, cameras: slice, shown: slice = slice(None)) -> BatchValues:
    """Return the values of a draft seen by some of its cameras; of its rows only `shown` are."""
    placed, first_row = at_moments(draft, stages.rig, cameras)
    moments = moment_count(stages.rig, draft)
    of_flow = []
    if reads_steps(stages.annotations):
        of_flow = flow_fields(draft, placed, stages.rig, cameras, shown, first_row)
    draft, first_row = rows_of(draft, shown), first_row[shown]
    of_views = view_fields(draft, stages.rig, cameras, first_row)
    rows, views = len(placed.world), len(of_views[0].parts[0][1])
    sweeps = (
        0 if stages.lidar is None or cameras.start else len(draft.world)
    )  # other cameras' see the same worlds again
    label_row = first_row[:sweeps, 0] + moments // 2
    of_sweeps = [] if stages.lidar is None else lidar_fields(stages.lidar, draft, label_row)
    of_sensors = sensor_fields(stages.sensor, draft, stages.rig, cameras)
    of_keypoints = keypoint_fields(stages, draft, cameras)
    of_worlds = world_fields(stages.base, placed)
    of_worlds += annotation_fields(stages.annotations, placed, of_worlds)
    return BatchValues(
        rows, views, of_worlds, of_views, of_sweeps, sweeps, of_sensors, of_flow, of_keypoints, moments
    )  # fmt: skip


@dataclass(frozen=True)
class Rendered:
    """What leaves a batch for the host."""

    images: dict[str, NDArray[Any]]  # [view, y, x, ...]
    views: int
    lost_rays: int  # that met more surfaces than are followed
    labels: Labels | None  # None: not asked for


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
        self.views.moment_count = values.moments
        self.begin = Program(base.device)  # of a batch, once its inputs are there
        if stages.shaded:
            self.begin.launch(gpu.sample.shift_views, values.views, [stages.key, self.views])
        self.buffers: Buffers = new_buffers(
            base, rig, values.views, shaded=stages.shaded, marks_edges=stages.marks_edges,
        )  # fmt: skip
        if stages.annotations:
            holders = new_holders(stages.annotations, base.device)
            self.buffers = dataclasses.replace(self.buffers, holders=holders)
        if stages.depth is not None:
            seen = new_seen(base, rig, values.views, stages.depth_key)
            self.buffers = dataclasses.replace(self.buffers, seen=seen)
        if stages.lidar is not None:
            self.buffers = dataclasses.replace(self.buffers, cloud=gpu.lidar.Cloud())
        if keypoint_count(stages):
            self.buffers = dataclasses.replace(self.buffers, keypoints=new_keypoints(stages, self.inputs))
        self.keypoints = values.views * keypoint_count(stages)
        self.sweeps: tuple[int, ...] = ()  # how many, beams of one, returns of a beam
        self.scan: Any = None
        if stages.lidar is not None:
            self.sweeps = (values.sweeps, *stages.lidar.shape)
            self.scan = scan_of(stages.lidar, self.inputs, base.device)
        self.sensor: SensorMemory | None = None
        if stages.sensor is not None:
            self.sensor = new_sensor_memory(stages.sensor, self.views, self.inputs, rig, base.device)
            self.buffers = dataclasses.replace(self.buffers, metered=self.sensor.metered)
        shape = (values.views, rig.height, rig.width)
        self.light: wp.array | None = None if self.sensor is None else self.sensor.radiance
        self.albedo: wp.array | None = None
        if stages.denoiser is not None:
            self.albedo = wp.empty(shape, dtype=wp.vec3, device=base.device)
            if self.light is None:
                self.light = wp.empty(shape, dtype=wp.vec3, device=base.device)
        self.images = {name: new_image(name, base, rig, values.views, self.sweeps) for name in images}
        for name, image in self.images.items():
            self.buffers.set_image(name, image)
        self.pixels = values.views * rig.width * rig.height

    def denoise(self) -> None:
        """Denoise the light of all views, which is on the CPU; linear images get it, too."""
        denoiser = self.stages.denoiser
        assert denoiser is not None
        assert self.light is not None
        assert self.albedo is not None
        light = self.light.numpy()
        for images in zip(light, self.albedo.numpy(), self.buffers.labels.normal.numpy(), strict=True):
            denoiser.denoise(*images)
        if self.buffers.color.linear.shape[0]:
            self.buffers.color.linear.numpy()[...] = light

    @property
    def beams(self) -> int:
        """Beams of all sweeps."""
        return math.prod(self.sweeps[:2]) if self.sweeps else 0


class Worker:
    """What works on a part of a batch: programs for some rows and for a slice of pixels, and their scratch memory."""

    def __init__(
        self, memory: BatchMemory, *, rows: int, slice_px: int, slice_beams: int = 0, slice_keypoints: int = 0,
        threads: int | None = None,
    ) -> None:  # fmt: skip
        """Reserve scratch memory and record the launches.

        Args:
            memory: Of the batch.
            rows: Placed by one run of `build`.
            slice_px: Pixels of one run of the other programs, at most.
            slice_beams: Of one run of the LiDAR's program; 0: there is none.
            slice_keypoints: Of one run of the keypoints' program; 0: they are not asked for.
            threads: How many workers share a phase of the sensor; None: this one does all of it at once.
        """
        stages, device = memory.stages, memory.stages.base.device
        self.overflow = wp.zeros(1, dtype=wp.int32, device=device)
        self._building: Building = new_building(memory.worlds, rows, device)
        self.build = Program(device)
        record_building(memory.worlds, self._building, self.build)
        span = span_of(0, slice_px, device)
        scratch = new_scratch(stages.base, stages.rig, memory.buffers, slice_px) if stages.shaded else None
        light = memory.light, memory.albedo
        target = Target(memory.worlds, memory.views, memory.buffers, scratch, self.overflow, span, *light)
        self.slices = SlicePrograms(stages, target, slice_px)
        self.keypoints = KeypointProgram(stages, target, slice_keypoints) if slice_keypoints else None
        self.lidar: LidarProgram | None = None
        if stages.lidar is not None and slice_beams:
            sinks = memory.buffers.cloud, self.overflow
            self.lidar = LidarProgram(stages.lidar, stages.base, memory.worlds, memory.scan, *sinks, slice_beams)
        self.develop: list[Phase] = []  # of the sensor, one after the other, once all pixels have their light
        if stages.sensor is not None and memory.sensor is not None:
            color = memory.buffers.color
            self.develop = SensorPrograms(stages.sensor, memory.sensor, color, stages.rig, threads=threads).phases

    def set_row(self, first: int) -> None:
        """Have the next run of `build` begin at a row."""
        self._building.placing.first_row = self._building.top.first_row = first
