"""Slices that nobody named, and draws of groups: `python -m bench.discover [--rows N] [--columns N] [--no-store]`.

The search (up to three conjuncts, both halves) beside what one fits where names are not needed: scikit-learn's boosted
trees on the same table, one thread both. And what 500 draws of the groups of 100,000 pictures hold at once, as the
whole table of weights and one by one, as evaluations draw them; both are the same numbers. Memory is NumPy's.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from engine.discover.bins import Place, code_numbers
from engine.discover.discover import discover
from engine.discover.rows import Options, Rows, first_half
from engine.evaluate.intervals import REPLICATES, draws_of_groups

PICTURES = 100_000
ROWS_A_GROUP = 10
BINS = 12
MIB = 2.0**20


def table(rows: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return values [row, column], failures and groups; two columns fail together."""
    random = np.random.default_rng(0)
    values = random.random((rows, columns))
    weak = (values[:, 3] < 0.3) & (values[:, 7] > 0.7)
    failed = (random.random(rows) < np.where(weak, 0.5, 0.1)).astype(np.float64)
    return values, failed, np.arange(rows) // ROWS_A_GROUP


def search(values: NDArray[np.float64], failed: NDArray[np.float64], group: NDArray[np.int64]) -> int:
    """Return how many slices are confirmed; binning is part of it."""
    half = first_half(group, 0)
    coded = [
        code_numbers(Place(f"c{n}", f"f.c{n}", f"c{n}", 64), own, learn=half, bins=BINS)
        for n, own in enumerate(values.T)
    ]
    return len(discover(Rows(failed, group, half, coded, [], True, None), Options()).confirmed)


def trees(values: NDArray[np.float64], failed: NDArray[np.float64], group: NDArray[np.int64]) -> int:
    """Return how many rounds boosted trees took."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    del group  # they have no notion of it
    model = HistGradientBoostingClassifier(early_stopping=False, random_state=0).fit(values, failed)
    return int(model.n_iter_)


def peak_mib(work: Callable[[], Any]) -> float:
    """Return the most memory that NumPy held at once."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1] / MIB
    tracemalloc.stop()
    return peak


def draws_at_once(group: NDArray[np.int64]) -> float:
    """Return the sum over the table of all weights, as evaluations once made it."""
    return float(np.stack(list(draws_of_groups(group, 0, REPLICATES))).sum())


def draws_one_by_one(group: NDArray[np.int64]) -> float:
    """Return the same sum, draw by draw."""
    return float(sum(own.sum() for own in draws_of_groups(group, 0, REPLICATES)))


def measure(rows: int, columns: int) -> dict[str, float]:
    """Return processor times [s], peaks [MiB] and ratios."""
    made = table(rows, columns)
    found: dict[str, float] = {"rows": rows, "columns": columns}
    with threadpool_limits(1):
        for name, work in (("search", search), ("trees", trees)):
            begun = time.process_time()
            found[f"{name}_result"] = work(*made)
            found[f"{name}_cpu_s"] = time.process_time() - begun
    found["search_over_trees"] = found["search_cpu_s"] / found["trees_cpu_s"]
    group = np.arange(PICTURES, dtype=np.int64)
    found["draws_at_once_mib"] = peak_mib(lambda: draws_at_once(group))
    found["draws_one_by_one_mib"] = peak_mib(lambda: draws_one_by_one(group))
    found["draws_at_once_over_one_by_one"] = found["draws_at_once_mib"] / found["draws_one_by_one_mib"]
    return found


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m bench.discover", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=200)
    parser.add_argument("--no-store", action="store_true", help="do not append the result to bench/results/")
    arguments = parser.parse_args()
    from bench.report import report

    report("discover", "cpu", measure(arguments.rows, arguments.columns), store=not arguments.no_store)


if __name__ == "__main__":
    main()
