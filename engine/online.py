"""Worlds without a disk: batches of images on the device with their labels and drawn values, made while you train.

A world is the one that `engine.run` writes: it depends on (recipe, seed, world) alone, not on batch, rank or order.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.config import find_usd
from engine.errors import UserError
from engine.factory import Factory, build_factory, load_recipe_scene
from engine.frames import DeviceFrames, FrameKeys
from engine.labels.model import Labels
from engine.recipe import LARGEST_WORLD, Job, Recipe
from engine.write.rows import Drawn

PREFETCH = 2  # batches made ahead: one waits to be taken, one for room
WAIT_S = 0.05  # between two looks at whether anybody still wants batches
EVERY_WORLD = range(LARGEST_WORLD + 1)


@dataclass(frozen=True)
class Batch:
    """Some worlds: views are world-major, then step, then camera; rows are world-major, then step."""

    frames: DeviceFrames
    labels: Labels | None  # of every instance that a view sees; None: not asked for
    drawn: Drawn  # what randomisers drew for every row

    @property
    def keys(self) -> FrameKeys:
        """Return which frame every view is, and its camera."""
        return self.frames.keys


class Stream:
    """An iterator over batches, made ahead; `close` it, or use it in a `with` block.

    On the CPU a thread of its own makes them; on CUDA `next` queues the rendering of the batches that follow.
    """

    def __init__(self, factory: Factory, batches: Iterator[range], *, labels: bool) -> None:
        """Begin to make batches; `stream` is the way to one."""
        self.recipe, self.scene = factory.recipe, factory.scene
        self._is_over, self._made = False, _made(factory, batches, labels)
        self._ahead: deque[Batch] = deque()
        self._queue: queue.Queue[Batch | BaseException | None] = queue.Queue(PREFETCH - 1)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if makes_in_a_thread(factory.renderer.device):
            arguments = (self._made, self._queue, self._stop)
            self._thread = threading.Thread(target=_make, args=arguments, name="ommatidia-stream", daemon=True)
            self._end = weakref.finalize(
                self, _end, self._stop, self._thread
            )  # also when nobody closes it, and at exit
            self._thread.start()

    @property
    def class_id(self) -> NDArray[np.int32]:
        """Return the class of every instance, [instance]; index it with `frames.instance` for a class image."""
        return self.scene.instances.class_id

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        """Return the next batch; its arrays are the caller's.

        Raises:
            StopIteration: After the last one, and when closed.
            UserError: What stopped the making of it.
        """
        item = self._take()
        if isinstance(item, Batch):
            return item
        self.close()
        if item is None:
            raise StopIteration
        raise item

    def _take(self) -> Batch | BaseException | None:
        """Return what comes next; None: nothing, also when another thread closes the stream meanwhile."""
        if self._thread is None:
            while not self._is_over and len(self._ahead) < PREFETCH and (batch := next(self._made, None)) is not None:
                self._ahead.append(batch)
            return self._ahead.popleft() if self._ahead and not self._is_over else None
        while not self._is_over:
            try:
                return self._queue.get(timeout=WAIT_S)
            except queue.Empty:
                continue
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop making batches, and wait for what makes them."""
        self._is_over = True
        if self._thread is None:
            self._made.close()
        else:
            self._end()


def stream(
    recipe: Recipe,
    job: Job | None = None,
    *,
    batch: int,
    worlds: range = EVERY_WORLD,
    rank: int = 0,
    ranks: int = 1,
    labels: bool = True,
) -> Stream:
    """Return worlds in batches, made ahead while you work on the last one.

    Args:
        recipe: What is made, as `engine.compose` returns it.
        job: Where the scene lies and which device renders; None: a shipped scene, the first GPU or else the CPU.
        batch: Worlds of a batch; the last one may have fewer.
        worlds: Which worlds, in this order; all of them would take a while.
        rank: Which part of them is made here: `worlds[rank::ranks]`.
        ranks: How many share the worlds.
        labels: Whether batches have tables of instances, with masks; the host waits for each batch then.
    Raises:
        UserError: If a number is out of range, or the recipe, the scene or the device does not allow it.
    """
    if batch < 1:
        raise UserError(f"batch must be at least 1, got {batch}")
    if not 0 <= rank < ranks:
        raise UserError(f"rank must be in 0..{ranks - 1} (ranks={ranks}), got {rank}")
    if not worlds or not all(0 <= end <= LARGEST_WORLD for end in (worlds[0], worlds[-1])):
        raise UserError(f"worlds must be some of 0..{LARGEST_WORLD}, got {worlds}")
    from engine.device import resolve_device

    device = resolve_device("auto" if job is None else job.device)
    if job is None:
        usd = find_usd(recipe.scene.usd, recipe.scene.name, ())
        job = Job(None, usd, 1, None, device, 0, 0, 1, 1)
    recipe, scene = load_recipe_scene(recipe, job)
    factory = build_factory(recipe, scene, device=device)
    mine = worlds[rank::ranks]
    batches = (mine[at : at + batch] for at in range(0, len(mine), batch))
    return Stream(factory, batches, labels=labels)


def makes_in_a_thread(device: str) -> bool:
    """Return whether batches are made by a thread of their own: on the CPU, where rendering keeps its caller.

    On CUDA the host only queues work, and must do so from the thread that trains: Warp's present stream belongs to the
    device, and no other thread may touch the legacy stream, which PyTorch's default is, while a graph is captured.
    """
    return device == "cpu"


def _made(factory: Factory, batches: Iterator[range], labels: bool) -> Generator[Batch, None, None]:
    """Yield batch after batch."""
    try:
        for worlds in batches:
            draft, frames, table = factory.make_on_device(worlds, labels=labels)
            yield Batch(frames, table, Drawn(draft.world, draft.step, draft.drawn))
            del draft, frames, table  # whoever takes them is to be the only one that holds them
    finally:
        factory.renderer.close()


def _make(
    made: Generator[Batch, None, None], out: queue.Queue[Batch | BaseException | None], stop: threading.Event
) -> None:  # fmt: skip
    """Put batches into a queue until there are no more, one cannot be made, or somebody says stop."""
    try:
        for batch in made:
            _put(batch, out, stop)
            del batch
            if stop.is_set():
                return
        _put(None, out, stop)
    except BaseException as error:  # noqa: BLE001 - it is raised where the batch is waited for
        _put(error, out, stop)
    finally:
        made.close()  # and with it the renderer and its threads


def _put(
    item: Batch | BaseException | None, out: queue.Queue[Batch | BaseException | None], stop: threading.Event
) -> None:  # fmt: skip
    """Wait for room and put an item there, unless somebody says stop."""
    while not stop.is_set():
        with suppress(queue.Full):
            out.put(item, timeout=WAIT_S)
            break


def _end(stop: threading.Event, thread: threading.Thread) -> None:
    """Have the thread end, and wait for it: it may be in the middle of a batch."""
    stop.set()
    if thread.ident is not None and thread is not threading.current_thread():  # the collector may run anywhere
        thread.join()
