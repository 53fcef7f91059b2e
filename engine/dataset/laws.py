"""`python -m engine.dataset laws DIR`: what was asked against what was drawn, for every column of the worlds.

A table on the screen and one page of HTML with a plot for each column. Exit code 1: a column differs from its law.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.collect.holdout import opened
from engine.dataset.contents import Contents, read_contents
from engine.errors import UserError
from engine.plain import to_plain
from engine.randomize.laws.compare import Asked, Comparison, Table, compare
from engine.randomize.laws.describe import describe
from engine.randomize.laws.rules import resolve
from engine.view.law_page import write_law_page
from engine.write.files import TEMPORARY, publish, remove_tree

HELP = "hold what was drawn against the laws that were asked for: a table and a page of plots"
HEADINGS = ("column", "unit", "law", "values", "test", "statistic", "p", "verdict", "note")
WIDEST_LAW = 44  # characters on the screen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("dataset", type=Path, help="the folder that out= named")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="FILE", help="page to write (default: <dataset>-laws.html)"
    )
    parser.add_argument("--json", action="store_true", help="as JSON, without a page unless --out names one")


def run(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Run the command; return 0 if no column differs from its law."""
    dataset: Path = arguments.dataset.absolute()
    out: Path = (arguments.out or dataset.with_name(f"{dataset.name}-laws.html")).absolute()
    if out.resolve().is_relative_to(dataset.resolve()):
        raise UserError(
            f"--out {out} lies in the dataset, whose files are all in its manifest; choose a place beside it"
        )
    if out.is_dir():
        raise UserError(f"--out {out} is a folder; name the file of the page, such as laws.html")
    opened(dataset, "laws")
    contents, _ = read_contents(dataset)
    asked, table = read_asked(contents), read_worlds(contents)
    found = compare(asked, table)
    if arguments.json:
        say(json.dumps({"dataset": dataset.name, "columns": [_plain(comparison) for comparison in found]}))
    else:
        for line in _lines(found):
            say(line)
    if arguments.out is not None or not arguments.json:
        _write(out, write_law_page(dataset.name, found, asked, table))
    differing = sum(comparison.verdict == "differs" for comparison in found)
    if not arguments.json:
        tested = sum(comparison.verdict in ("agrees", "differs") for comparison in found)
        say(f"{tested} of {len(found)} columns tested, {differing} {'differs' if differing == 1 else 'differ'}")
        say(f"look at {out}")
    return 1 if differing else 0


def read_asked(contents: Contents) -> Asked:
    """Return what the recipe of a dataset asks for.

    Raises:
        UserError: If there is no recipe that can be read, or a kind in it is unknown here.
    """
    recipe = contents.recipe
    if recipe is None:
        raise UserError(f"{contents.out} has no recipe that can be read; `python -m engine.dataset verify` says why")
    resolved = resolve(recipe.randomize, recipe.laws)
    return Asked(resolved, recipe.dr.breadth, recipe.seed, recipe.rig.steps)


def read_worlds(contents: Contents) -> Table:
    """Return the drawn values of all worlds that are there.

    Raises:
        UserError: If there are none, or a file is damaged.
    """
    rows = contents.rows
    try:
        parts = [] if rows is None else list(rows.tables("worlds"))
    except (FileNotFoundError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0][:300]
        raise UserError(f"{contents.out} is damaged, `verify` says where: {reason}") from error
    if not parts:
        raise UserError(f"{contents.out} has no worlds yet")
    table = pa.concat_tables(parts, promote_options="default")
    names = [name for name in table.column_names if name.startswith("p.")]
    world, step = _array(table["world"]).astype(np.int64), _array(table["step"]).astype(np.int32)
    return Table(world, step, {name: _array(table[name]) for name in names})


def _array(column: pa.ChunkedArray) -> NDArray[np.generic]:
    """Return a column as [row] or [row, k]."""
    values = column.combine_chunks()
    count = len(values)
    if pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type):
        flat: NDArray[np.generic] = values.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(count, -1)
    found: NDArray[np.generic] = values.to_numpy(zero_copy_only=False)
    return found


def _plain(comparison: Comparison) -> dict[str, Any]:
    numbers = {"statistic": comparison.statistic, "p": comparison.p}
    return {
        **{name: getattr(comparison, name) for name in ("column", "unit", "values", "test", "verdict", "note")},
        **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
        "law": None if comparison.law is None else to_plain(comparison.law),
    }


def _lines(found: tuple[Comparison, ...]) -> list[str]:
    rows = [HEADINGS, *(_cells(comparison) for comparison in found)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cells(comparison: Comparison) -> tuple[str, ...]:
    law = "-" if comparison.law is None else describe(comparison.law)
    law = law if len(law) <= WIDEST_LAW else law[: WIDEST_LAW - 3] + "..."
    statistic = "" if math.isnan(comparison.statistic) else f"{comparison.statistic:.4g}"
    p = "" if math.isnan(comparison.p) else f"{comparison.p:.3g}"
    facts = (str(comparison.values), comparison.test, statistic, p, comparison.verdict, comparison.note)
    return (comparison.column, comparison.unit, law, *facts)


def _write(out: Path, page: Any) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        publish(out.parent, out, page)
    finally:
        if not any((out.parent / TEMPORARY).glob("*")):
            remove_tree(out.parent / TEMPORARY)
