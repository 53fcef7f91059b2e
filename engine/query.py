"""SQL over the index of a dataset, by DuckDB, which reads the columns and row groups that a question needs.

A condition comes from a user or a file, so the connection sees the tables of one dataset and nothing else: no other
file, no network, no extension, and its configuration is locked. Columns with dots are quoted: "p.camera.distance_m".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.collect.holdout import opened
from engine.errors import UserError
from engine.write.files import inside

if TYPE_CHECKING:
    import duckdb

PATTERN = frozenset("*?[]{}\\")  # characters that make a path a pattern
WITH_NAN = "SET parquet_can_have_nan = true"  # else DuckDB takes minima and maxima for all that a column holds
TABLES = ("worlds", "frames", "instances", "defects")  # of index/; the last where the recipe has defects


def open_index(out: Path, why: str = "") -> duckdb.DuckDBPyConnection:
    """Return a connection to the tables of a complete dataset; files are read when they are asked.

    That a locked holdout was read is noted, with what for.

    Raises:
        UserError: If there is no index at `out`, a file of it cannot be read or leads out of the dataset, or a holdout
            was changed.
    """
    return open_indices({"": out}, why)


def open_indices(folders: Mapping[str, Path], why: str = "") -> duckdb.DuckDBPyConnection:
    """Return a connection to the tables of several datasets, which are called by what stands for one and their name.

    Raises:
        UserError: As of `open_index`.
    """
    import duckdb
    import pyarrow.dataset as pads

    for folder in folders.values():
        opened(folder, why)
    connection = duckdb.connect(":memory:")
    connection.execute(WITH_NAN)
    scanned: list[str] = []
    for name, (out, path) in _index_files(folders).items():
        place = inside(out, path.relative_to(out).as_posix()).resolve()
        try:
            if PATTERN.isdisjoint(str(place)):
                scanned.append(_text(str(place)))
                scan = f"read_parquet({scanned[-1]}, hive_partitioning = false)"
                connection.execute(f"CREATE VIEW {name} AS SELECT * FROM {scan}")  # noqa: S608 - a name of ours
            else:  # DuckDB would take the path for a pattern
                connection.register(name, pads.dataset(place, format="parquet"))
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    connection.execute(f"SET allowed_paths = [{', '.join(scanned)}]")
    return _locked(connection)


def _index_files(folders: Mapping[str, Path]) -> dict[str, tuple[Path, Path]]:
    """Return dataset and file of every table."""
    files = {}
    for prefix, out in folders.items():
        for name in TABLES:
            path = out / "index" / f"{name}.parquet"
            if path.is_file():
                files[f"{prefix}{name}"] = out, path
            elif name == "frames":
                raise UserError(f"{out} has no index/frames.parquet; it is no complete dataset")
    return files


def connect(tables: Mapping[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """Return a connection to some tables."""
    import duckdb

    connection = duckdb.connect(":memory:")
    for name, table in tables.items():
        connection.register(name, table)
    return _locked(connection)


def frame_ids_where(connection: duckdb.DuckDBPyConnection, condition: str, *, where: str) -> NDArray[np.int64]:
    """Return the ids of the frames for which a condition is true, sorted; arguments and errors as of `frames_where`."""
    import duckdb

    _check_single(condition, where)
    select = (
        "SELECT frame_id FROM frames f JOIN worlds w USING (world, step) "  # noqa: S608 - see frames_where
        f"WHERE COALESCE(CAST(({condition}) AS BOOLEAN), false) ORDER BY frame_id"
    )
    try:
        return np.asarray(connection.execute(select).fetchnumpy()["frame_id"], np.int64)
    except duckdb.Error as error:
        raise UserError(f"{where}: {_one_line(condition)!r} cannot be asked: {_reason(error)}") from error


def frames_where(connection: duckdb.DuckDBPyConnection, condition: str, *, where: str) -> list[tuple[int, bool]]:
    """Return world and truth of a condition for every frame, in the order of the index.

    Args:
        connection: Of `open_index`.
        condition: SQL over the frame `f`, its columns and those of its world; other tables by subqueries.
        where: What the condition is, for errors.
    Raises:
        UserError: If it is not SQL over these tables; one line with DuckDB's reason.
    """
    _check_single(condition, where)
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


def _locked(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return a connection that reaches nothing else from here on, and writes nothing, not even temporary files."""
    for setting in ("temp_directory = ''", "enable_external_access = false", "lock_configuration = true"):
        connection.execute(f"SET {setting}")
    return connection


def quoted(name: str) -> str:
    """Return the name of a column or table as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _check_single(condition: str, where: str) -> None:
    if ";" in condition:
        raise UserError(f"{where}: a condition is one expression, without ';': {condition}")


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
