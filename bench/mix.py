"""Loading mixes, measured: `python -m bench.mix PLAN [--samples N] [--no-store]`.

A sample is a picture and its labels as arrays. Its bound is the picture alone, decoded by Pillow: `sample_over_decode`,
without masks, and `masks_over_decode`, with them. `epoch_ms` draws the order of an epoch, `open_s` opens the mix when
the label files are there, `first_open_s` makes them. Processor seconds of one thread.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.report import report
from engine.mix.mixed import Mixed
from engine.mix.plan import read_plan

ROUNDS = 3


def measure(path: Path, samples: int) -> dict[str, Any]:
    """Return times and ratios of a plan."""
    plan = read_plan(path)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        first_s = _timed(lambda: Mixed(plan), 1)
        open_s = _timed(lambda: Mixed(plan), ROUNDS)
        mixed = Mixed(plan)
        epoch_s = _timed(lambda: mixed.epoch(1), ROUNDS)
        numbers = mixed.numbers(mixed.epoch(0))[:samples].tolist()
        first = np.concatenate([[0], np.cumsum([len(store) for store in mixed.stores])])
        source = np.searchsorted(first, numbers, side="right") - 1
        files = [mixed.stores[s].image(n - int(first[s])) for s, n in zip(source.tolist(), numbers, strict=True)]
        decode_s = _timed(lambda: [np.asarray(Image.open(file).convert("RGB")) for file in files], ROUNDS)
        sample_s = _timed(lambda: [mixed.sample(number, masks=False) for number in numbers], ROUNDS)
        masks_s = _timed(lambda: [mixed.sample(number) for number in numbers], ROUNDS)
    return {
        "frames": len(mixed), "samples": len(numbers), "first_open_s": first_s, "open_s": open_s,
        "epoch_ms": epoch_s * 1e3, "sample_ms": sample_s / len(numbers) * 1e3,
        "sample_over_decode": sample_s / decode_s, "masks_over_decode": masks_s / decode_s,
    }  # fmt: skip


def _timed(step: Callable[[], Any], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begun = time.process_time()
        step()
        times.append(time.process_time() - begun)
    return min(times)


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(prog="python -m bench.mix", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("plan", type=Path, help="mix.yaml")
    parser.add_argument("--samples", type=int, default=300, help="how many are loaded (%(default)s)")
    parser.add_argument("--no-store", action="store_true", help="append nothing to bench/results/")
    arguments = parser.parse_args()
    report("mix", "cpu", measure(arguments.plan, arguments.samples), store=not arguments.no_store)


if __name__ == "__main__":
    main()
