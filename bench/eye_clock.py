"""Time that competes fairly: contestants take turns, and every turn is clocked by the wall and by the processor.

Cores that others use too make walls slow, never fast: the best of many turns is what a quiet machine would show, the
median what this one did. Processor seconds of all threads say what the work cost, whoever else was running.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import warp as wp

TURN_S = 0.05  # of a contestant, before the next one has its turn
WORLD_MODULES = ("geometry", "top", "bvh")  # kernel modules that place meshes and build trees, before there are pixels


@dataclass(frozen=True)
class Turn:
    """One run of some work, or the mean of several."""

    wall_s: float
    cpu_s: float  # of all threads


@dataclass(frozen=True)
class Timing:
    """All turns of one contestant."""

    turns: tuple[Turn, ...]

    @property
    def best_s(self) -> float:
        """Return the shortest wall time [s]."""
        return min(turn.wall_s for turn in self.turns)

    @property
    def median_s(self) -> float:
        """Return the median wall time [s]."""
        return statistics.median(turn.wall_s for turn in self.turns)

    @property
    def cpu_s(self) -> float:
        """Return the smallest processor time [s]."""
        return min(turn.cpu_s for turn in self.turns)

    def row(self, pixels: int) -> dict[str, float]:
        """Return what a results file keeps."""
        return {
            "best_mpix_per_s": 1e-6 * pixels / self.best_s,
            "median_mpix_per_s": 1e-6 * pixels / self.median_s,
            "cpu_ns_per_px": 1e9 * self.cpu_s / pixels,
            "turns": len(self.turns),
        }


def clocked(work: Callable[[], object]) -> Turn:
    """Return the time of one call, which must end with its results there."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Turn(time.perf_counter() - wall, time.process_time() - cpu)


def take_turns(contestants: Mapping[str, Callable[[], Turn]], *, rounds: int, budget_s: float) -> dict[str, Timing]:
    """Return the timings of contestants that run one after the other, again and again (A B A B).

    A turn is as many runs as last TURN_S: with fewer, who is fast would mostly fetch back what the others pushed out of
    the caches.

    Args:
        contestants: What to run; each returns its own time.
        rounds: The least number of turns each gets.
        budget_s: They go on until so much time has passed.
    """
    turns: dict[str, list[Turn]] = {name: [] for name in contestants}
    end = time.perf_counter() + budget_s
    done = 0
    while done < rounds or time.perf_counter() < end:
        for name, step in contestants.items():
            turns[name].append(_turn(step))
        done += 1
    return {name: Timing(tuple(found)) for name, found in turns.items()}


def _turn(step: Callable[[], Turn]) -> Turn:
    """Return the mean time of runs that together last TURN_S."""
    end, runs = time.perf_counter() + TURN_S, [step()]
    while time.perf_counter() < end:
        runs.append(step())
    return Turn(statistics.fmean(run.wall_s for run in runs), statistics.fmean(run.cpu_s for run in runs))


@dataclass(frozen=True)
class Launch:
    """One launch of a kernel on the CPU, where it is over when it returns."""

    kernel: str  # module and name
    begun_s: float
    ended_s: float
    cpu_s: float  # of the thread that ran it


@dataclass
class LaunchLog:
    """Launches in the order they ended."""

    launches: list[Launch] = field(default_factory=list)

    def cpu_s(self) -> dict[str, float]:
        """Return the processor time of every kernel, summed over its launches and threads."""
        out: dict[str, float] = {}
        for launch in self.launches:
            out[launch.kernel] = out.get(launch.kernel, 0.0) + launch.cpu_s
        return out

    def pixels(self) -> Turn:
        """Return the time of the launches that make pixels, from the first one's begin to the last one's end."""
        found = [launch for launch in self.launches if not _is_of_world(launch.kernel)]
        wall = max(launch.ended_s for launch in found) - min(launch.begun_s for launch in found)
        return Turn(wall, sum(launch.cpu_s for launch in found))


def _is_of_world(kernel: str) -> bool:
    return kernel.partition(".")[0] in WORLD_MODULES


@contextmanager
def logged_launches() -> Iterator[LaunchLog]:
    """Log every launch of a kernel while the block runs."""
    log = LaunchLog()
    launch, replay = wp.launch, wp.Launch.launch

    def run(kernel: Any, call: Callable[[], Any]) -> Any:
        name = f"{kernel.module.name.rsplit('.', 1)[-1]}.{kernel.key}"
        begun, cpu = time.perf_counter(), time.thread_time()
        out = call()
        log.launches.append(Launch(name, begun, time.perf_counter(), time.thread_time() - cpu))
        return out

    def logged(kernel: Any, *arguments: Any, **options: Any) -> Any:
        return run(kernel, lambda: launch(kernel, *arguments, **options))

    def logged_replay(command: Any, *arguments: Any, **options: Any) -> None:
        run(command.kernel, lambda: replay(command, *arguments, **options))

    wp.launch, wp.Launch.launch = logged, logged_replay
    try:
        yield log
    finally:
        wp.launch, wp.Launch.launch = launch, replay


class ReplayClock:
    """What queues work on a CUDA device, clocked by events on the device."""

    def __init__(self, queue: Callable[[], object], device: str) -> None:
        self.device, self._queue = wp.get_device(device), queue
        self._begun = wp.Event(self.device, enable_timing=True)
        self._ended = wp.Event(self.device, enable_timing=True)

    def step(self) -> Turn:
        """Return the time of one run."""
        cpu = time.process_time()
        with wp.ScopedDevice(self.device):
            wp.record_event(self._begun)
            self._queue()
            wp.record_event(self._ended)
        wp.synchronize_event(self._ended)
        return Turn(1e-3 * wp.get_event_elapsed_time(self._begun, self._ended), time.process_time() - cpu)
