"""Run the toy job in a process of its own that dies, or finds the disk full, at its n-th call that changes the disk."""

from __future__ import annotations

import errno
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

from tests.engine.toy_dataset import make_toy, toy_batch, toy_plan

CALLS = ("fsync", "rename", "link", "unlink", "mkdir")
DIED = 9


def run_and_die(out: Path, count: int, call: int) -> None:
    """Make a toy dataset and exit with 9, without clean-up, before the `call`-th change of the disk; 0 if never."""

    def die() -> None:
        os._exit(DIED)

    before_call(call, die)
    make_toy(out, range(count), toy_plan())
    os._exit(0)


def run_shaded(out: Path, count: int, shade: int) -> None:
    """Make a toy dataset whose pictures depend on `shade`, as another kind of device would."""
    from engine.write.shard import ShardWriter

    plan = toy_plan()
    with ShardWriter(out, plan) as writer:
        while groups := writer.open_shards(range(count)):
            for members in groups:
                with writer.shard(members) as shard:
                    shard.add(*toy_batch(plan, members, shade=shade))
    make_toy(out, range(count), plan)


def refuse(call: int, code: int = errno.ENOSPC) -> None:
    """From now on, let every change of the disk from the `call`-th on fail, as a full disk does."""

    def fail() -> None:
        raise OSError(code, os.strerror(code))

    before_call(call, fail, once=False)


def before_call(call: int, act: Callable[[], None], *, once: bool = True) -> None:
    """Call `act` before the `call`-th (from 1) of the calls that change the disk; not `once`: and before all later."""
    count = 0

    def wrapped(original: Callable[..., object]) -> Callable[..., object]:
        def function(*arguments: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count == call or (not once and count > call):
                act()
            return original(*arguments, **options)

        return function

    for name in CALLS:
        setattr(os, name, wrapped(getattr(os, name)))


def start(function: Callable[..., None], *arguments: object) -> multiprocessing.process.BaseProcess:
    """Start a function of this module in a fresh process that has the imports already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.engine.toy_crash"])
    process = context.Process(target=function, args=arguments)
    process.start()
    return process
