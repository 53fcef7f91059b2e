"""SQL over the index of a dataset, by DuckDB: conditions that name slices, without loading anything into memory twice.

A condition comes from a user or a file, so the connection sees the tables of one dataset and nothing else: no file,
no network, no extension, and its configuration is locked. Columns with dots are quoted: "p.camera.distance_m".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.collect.holdout import opened
from engine.errors import UserError

if TYPE_CHECKING:
    import duckdb

TABLES = ("worlds", "frames", "instances", "defects")  # of index/; the last where the recipe has defects


def open_index(out: Path, why: str = "") -> duckdb.DuckDBPyConnection:
    """Return a connection to the tables of a complete dataset; of a locked holdout it is noted, with what it is for.

    Raises:
        UserError: If there is no index at `out`, or a holdout was changed.
    """
    opened(out, why)
    tables = {}
    for name in TABLES:
        path = out / "index" / f"{name}.parquet"
        if path.is_file():
            try:
                tables[name] = pq.read_table(path)
            except (OSError, pa.ArrowException) as error:
                raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    if "frames" not in tables:
        raise UserError(f"{out} has no index/frames.parquet; it is no complete dataset")
    return connect(tables)


def connect(tables: Mapping[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """Return a connection to some tables."""
    import duckdb

    connection = duckdb.connect(":memory:")
    for name, table in tables.items():
        connection.register(name, table)
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def frames_where(connection: duckdb.DuckDBPyConnection, condition: str, *, where: str) -> list[tuple[int, bool]]:
    """Return world and truth of a condition for every frame, in the order of the index.

    Args:
        connection: Of `open_index`.
        condition: SQL over the frame `f`, its columns and those of its world; other tables by subqueries.
        where: What the condition is, for errors.
    Raises:
        UserError: If it is not SQL over these tables; one line with DuckDB's reason.
    """
    if ";" in condition:
        raise UserError(f"{where}: a condition is one expression, without ';': {condition}")
    select = (
        f"SELECT world, COALESCE(CAST(({condition}) AS BOOLEAN), false) "  # noqa: S608 - the tables are all it can reach
        "FROM frames f JOIN worlds w USING (world, step) ORDER BY frame_id"
    )
    import duckdb

    try:
        rows: list[tuple[Any, ...]] = connection.execute(select).fetchall()
    except duckdb.Error as error:
        raise UserError(f"{where}: {_one_line(condition)!r} cannot be asked: {_reason(error)}") from error
    return [(int(world), bool(holds)) for world, holds in rows]


def _one_line(condition: str) -> str:
    return " ".join(condition.split())


def _reason(error: Exception) -> str:
    """Return what DuckDB says, without its picture of the place; a table that is missing in words of our own."""
    text = str(error).split("\nLINE ")[0]
    for name in TABLES:
        if f"Table with name {name} does not exist" in text:
            why = ": its recipe has no defects" if name == "defects" else ""
            return f"the dataset has no index/{name}.parquet{why}"
    return _one_line(text)
