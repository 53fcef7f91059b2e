"""Questions in SQL to the index of a dataset, through the locked connection of `engine.query`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import UserError, near_matches
from engine.query import TABLES, open_index, quoted

if TYPE_CHECKING:
    import duckdb

FRAMES = "frames f JOIN worlds w USING (world, step)"  # what a condition over frames sees
INSTANCES = (  # what one over labelled instances sees
    "(SELECT * FROM instances WHERE class_id <> 0) i JOIN frames f USING (frame_id, world, step, camera) "
    "JOIN worlds w USING (world, step)"
)
QUALIFIED = re.compile(r"\b[A-Za-z_]\w*\.([A-Za-z_]\w*)")
MISSING = re.compile(r'column "?([^"]+?)"? (?:not found|does not exist)|not have a column named "([^"]+)"')


def open_labels(out: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection to the tables of a complete dataset, and to `labels`: labelled instances and defects alike.

    `labels` has frame_id, world, step, camera, label_id, class_id, class, bbox, area_px, edge_dist_px, truncation and
    is_defect; near-misses are none. What a table does not know is null.

    Raises:
        UserError: If there is no index at `out`.
    """
    connection = open_index(out)
    parts = []
    for table, where, number in (("instances", "", "inst_id"), ("defects", " AND NOT near_miss", "defect_id")):
        there = columns_of(connection, table)
        if not there:
            continue
        known = ", ".join(name if name in there else f"NULL AS {name}" for name in ("edge_dist_px", "truncation"))
        parts.append(
            f"SELECT frame_id, world, step, camera, {number} AS label_id, class_id, class, bbox::DOUBLE[] AS bbox, "  # noqa: S608
            f"area_px, {known}, {table == 'defects'} AS is_defect FROM {table} WHERE class_id <> 0{where}"
        )
    if parts:
        connection.execute(f"CREATE TEMP VIEW labels AS {' UNION ALL '.join(parts)}")
    return connection


def columns_of(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Return the types of a table's columns by name; nothing if the dataset has no such table."""
    try:
        rows = connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()  # noqa: S608 - one of TABLES
    except _errors():
        return {}
    return {str(row[0]): str(row[1]) for row in rows}


def ask(
    connection: duckdb.DuckDBPyConnection, question: str, *, where: str, values: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """Return the rows of a question.

    Args:
        connection: Of `engine.query.open_index`.
        question: SQL; what comes from a file must have passed `expression`.
        where: Which part of a file it is, for errors.
        values: For its question marks.
    Raises:
        UserError: If it cannot be asked; a column that is not there with the ones that are near.
    """
    try:
        rows: list[tuple[Any, ...]] = connection.execute(question, list(values)).fetchall()
    except _errors() as error:
        raise UserError(f"{where}: {reason_of(connection, error, question)}") from error
    return rows


def expression(text: str, where: str) -> str:
    """Return an expression in brackets.

    Raises:
        UserError: If it is more than one, or empty.
    """
    if ";" in text or "--" in text or "/*" in text or not text.strip():
        raise UserError(f"{where}: {text!r} is not one SQL expression, without ';' and comments")
    return f"({' '.join(text.split())})"


def group_of(column: str) -> str:
    """Return the SQL of a frame's group as text: its world where it has no value of the column."""
    return (
        quoted(column) + "::VARCHAR" if column == "world" else f"coalesce({quoted(column)}::VARCHAR, 'world ' || world)"
    )


def reason_of(connection: duckdb.DuckDBPyConnection, error: Exception, question: str) -> str:
    """Return in one line what DuckDB has against a question; a column that is not there with the near ones."""
    text = " ".join(str(error).split("\nLINE ")[0].split())
    known = tuple(sorted({column for table in (*TABLES, "labels") for column in columns_of(connection, table)}))
    found = MISSING.search(text)
    name = (found[1] or found[2]) if found is not None else None
    if "Referenced table" in text:  # said of an alias, where a subquery asks it for a column that is not there
        name = next((column for column in QUALIFIED.findall(question) if column not in known), None)
    if name is not None:
        return f"there is no column '{name}'; near: {near_matches(name, known)}"
    for table in TABLES:
        if f"Table with name {table} does not exist" in text:
            return f"the dataset has no index/{table}.parquet"
    return f"cannot be asked: {text}"


def _errors() -> type[Exception]:
    import duckdb

    return duckdb.Error
