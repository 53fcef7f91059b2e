"""Work on the CPU, spread over the threads of a pool: a launch runs on one thread, but releases the interpreter."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, TypeVar

import warp as wp

PARTS_A_THREAD = 8  # so that all threads end together, and few launches are started
Worker = TypeVar("Worker")
Part = TypeVar("Part")


def spread(
    pool: ThreadPoolExecutor | None, workers: Sequence[Worker], parts: Sequence[Part],
    work: Callable[[Worker, Part], None],
) -> None:  # fmt: skip
    """Do some work on all parts; this thread takes its share, for it would only wait. Without a pool it does all."""
    todo = deque(parts)

    def take(worker: Worker) -> None:
        while todo:
            try:
                part = todo.popleft()
            except IndexError:  # another thread took the last one
                return
            work(worker, part)

    helpers = workers[1 : len(parts)] if pool is not None else []
    futures: list[Future[None]] = []
    try:
        if pool is not None:
            futures.extend(pool.submit(take, worker) for worker in helpers)
        take(workers[0])
    finally:  # nobody may still write when this returns
        todo.clear()
        wait(futures)
    for future in futures:
        future.result()


def parts_of(count: int, size: int) -> list[tuple[int, int]]:
    """Return first and count of parts of at most some size."""
    return [(first, min(size, count - first)) for first in range(0, count, max(size, 1))]


@dataclass(frozen=True)
class Crew:
    """The threads of the CPU that share a launch; on CUDA one does all of it."""

    device: str
    threads: int
    pool: ThreadPoolExecutor | None

    @property
    def is_cpu(self) -> bool:
        """Return whether launches are shared."""
        return bool(wp.get_device(self.device).is_cpu)

    def each(self, count: int, least: int, work: Callable[[int, tuple[int, int]], None]) -> None:
        """Do some work `(thread, (first, count))` on all parts of `count`, on the CPU of multiples of `least`."""
        size = count
        if self.is_cpu:
            size = least * max(1, -(-count // (least * self.threads * PARTS_A_THREAD)))
        spread(self.pool, range(self.threads), parts_of(count, size), work)

    def launch(self, kernel: Any, count: int, least: int, inputs: list[Any]) -> None:
        """Launch a kernel whose first argument is where its threads begin, on all parts of `count`."""

        def work(_: int, part: tuple[int, int]) -> None:
            wp.launch(kernel, part[1], [part[0], *inputs], device=self.device)

        self.each(count, least, work)
