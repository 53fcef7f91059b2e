"""The chain of a sensor as phases: each works on all views once the one before has ended, in parts of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import warp as wp

from engine import gpu
from engine.recipe import Rig
from engine.render.program import Program
from engine.render.sensor import SensorMemory, SensorOnDevice

LANES = 8  # pixels of a group on the CPU: OMM_WIDTH of native/lanes.cpp
RUN_GROUPS, RUN_PX, RUN_ZONES = 32, 256, 8  # of a thread on the CPU
RUNS = 32  # of a part on the CPU, at most


@dataclass(frozen=True)
class Phase:
    """One launch, recorded."""

    name: str
    program: Program
    groups: Any  # kernels.sensor.Groups: which of them the next run works on
    total: int  # of all views
    run: int

    def work(self, first: int, count: int) -> None:
        """Run on `count` of the groups."""
        self.groups.first, self.groups.count = first, count
        self.program.run()

    def parts(self, threads: int) -> Iterator[tuple[int, int]]:
        """Yield first and count of parts for some threads; each fits what was recorded."""
        size = part_size(self.total, self.run, threads)
        for first in range(0, self.total, size):
            yield first, min(size, self.total - first)


def part_size(total: int, run: int, threads: int) -> int:
    """Return how many of `total` make a part: whole runs, and several parts a thread."""
    runs = -(-total // (run * 4 * threads))
    return run * max(1, min(RUNS, runs))


class SensorPrograms:
    """Phases from the radiance of a batch to its pictures."""

    def __init__(
        self, on_device: SensorOnDevice, memory: SensorMemory, color: Any, rig: Rig, *, threads: int | None
    ) -> None:  # fmt: skip
        """Record the launches.

        Args:
            on_device: The sensor.
            memory: Of the batch.
            color: kernels.film.ColorImages, whose `rgb` is written.
            rig: Size of the images.
            threads: That share the work of a phase; None: one launch does all of it.
        """
        self._on_device, self._memory, self._color, self._rig, self._threads = on_device, memory, color, rig, threads
        self._device = memory.zone.device
        self._count = len(memory.views.world)
        self.phases: list[Phase] = []
        light = memory.radiance
        if memory.light.size:
            light = memory.light
            inputs = [memory.views, on_device.numbers, None, memory.radiance, light]
            self._on_pixels("lens", gpu.sensor_lens.pass_lens, inputs)
        if memory.zone.size:
            self._record_metering(light)
        if memory.levels:
            self._record_glare(light)
        self._record_chip(light)

    def _record_metering(self, light: wp.array) -> None:
        at, zone = self._memory, self._memory.zone
        run = 1 if self._threads is None else RUN_ZONES
        self._record("meter zones", gpu.sensor_meter.meter_zones, [None, light, zone], zone.size, run)
        inputs = [self._on_device.numbers, self._on_device.meter, at.views, zone, None, at.metered]
        self._record("meter views", gpu.sensor_meter.meter_views, inputs, self._count, 1)

    def _record_glare(self, light: wp.array) -> None:
        levels, weights = self._memory.levels, self._on_device.weights
        for fine, coarse in zip((light, *levels[:-1]), levels, strict=True):
            self._on_image("glare", gpu.sensor_lens.halve, [None, fine, coarse], coarse)
        # The coarsest level is weighed as it is added to the one above, which holds then what belongs to both.
        for k in range(len(levels) - 2, -1, -1):
            below = weights[k + 1] if k == len(levels) - 2 else 1.0
            inputs = [None, weights[k], below, levels[k + 1], levels[k]]
            self._on_image("glare", gpu.sensor_lens.add_coarse, inputs, levels[k])

    def _record_chip(self, light: wp.array) -> None:
        at, numbers, table = self._memory, self._on_device.numbers, self._on_device.table
        arriving = gpu.sensor_expose.Arriving()
        arriving.light = light
        arriving.glare = at.levels[0] if at.levels else wp.empty((0, 0, 0), dtype=wp.vec3, device=self._device)
        if not at.raw.size:
            inputs = [at.views, numbers, None, table, arriving, self._color]
            self._on_pixels("expose", gpu.sensor_expose.expose_whole, inputs)
            return
        self._on_pixels("expose", gpu.sensor_expose.expose_mosaic, [at.views, numbers, None, arriving, at.raw])
        inputs = [at.views, numbers, None, table, at.raw, self._color]
        self._on_pixels("develop", gpu.sensor_develop.develop_mosaic, inputs)

    def _on_pixels(self, name: str, kernel: Any, inputs: list[Any]) -> None:
        """Record a kernel over groups of the whole images."""
        lanes, run = (1, 1) if self._threads is None else (LANES, RUN_GROUPS)
        per_row = -(-self._rig.width // lanes)
        size = (self._rig.width, self._rig.height, per_row)
        self._record(name, kernel, inputs, self._count * self._rig.height * per_row, run, size)

    def _on_image(self, name: str, kernel: Any, inputs: list[Any], image: wp.array) -> None:
        """Record a kernel over the pixels of an image of any size."""
        _, height, width = image.shape
        run = 1 if self._threads is None else RUN_PX
        self._record(name, kernel, inputs, image.size, run, (width, height, width))

    def _record(
        self, name: str, kernel: Any, inputs: list[Any], total: int, run: int, size: tuple[int, int, int] = (0, 0, 0)
    ) -> None:
        """Record a launch; the one None of its inputs is which groups it works on."""
        groups = gpu.sensor.Groups()
        groups.width, groups.height, groups.per_row = size
        groups.run = run
        largest = total if self._threads is None else part_size(total, run, self._threads)
        program = Program(str(self._device))
        program.launch(kernel, -(-largest // run), [groups if each is None else each for each in inputs])
        self.phases.append(Phase(name, program, groups, total, run))
