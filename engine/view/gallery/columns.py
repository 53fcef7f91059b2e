"""Columns by which frames are filtered and sorted, each one expression of SQL that `select --where` takes as well.

The expressions speak of a frame `f` and its world `w`, and of instances and defects by subqueries. What the page holds
is what DuckDB answers to the very expression that the page names.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.errors import UserError
from engine.query import TABLES, WITH_NAN, quoted
from engine.view.gallery.chunks import LARGEST_EXACT, packed, smallest_codes

if TYPE_CHECKING:
    import duckdb

MEASURED = ("lum_mean", "lum_p05", "lum_std", "sat_frac", "blur_lap", "noise_sigma", "phash", "camera_blur_px")
MOST_ELEMENTS = 16  # of a list that is shown one by one; of longer ones the least, the greatest and the mean
ASKED_AT_ONCE = 32  # columns of one question
WORLD_KEYS = ("world", "step")  # by which a frame finds its world
MOST_CLASSES = 64  # that have a column of their own with how many there are
NO_AGGREGATE = frozenset({  # numbers of things, whose least and greatest say nothing
    "frame_id", "world", "step", "camera", "inst_id", "class_id", "stable_id", "source_id", "occluder", "asset",
    "defect_id", "map_id", "number",
})  # fmt: skip
PARTS = {"bbox": (("width_px", 3), ("height_px", 4)), "box_size_m": (("x", 1), ("y", 2), ("z", 3))}  # of lists
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")


@dataclass(frozen=True)
class Column:
    """What is known of every frame: a number, one of some words, or (`of`) a set of words of its rows in a table."""

    name: str
    group: str
    sql: str
    of: str | None = None  # the table of which `sql` is a column


def open_tables(out: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection to the index of a dataset that reads of its files what a question needs."""
    import duckdb

    connection = duckdb.connect(":memory:")
    connection.execute(WITH_NAN)
    for name in TABLES:
        path = out / "index" / f"{name}.parquet"
        if path.is_file():
            try:
                connection.read_parquet(str(path)).create_view(name)
            except duckdb.Error as error:
                raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    return connection


def find_columns(connection: duckdb.DuckDBPyConnection) -> list[Column]:
    """Return all columns of frames, of their worlds, and of what is seen in them."""
    found: list[Column] = []
    tables = {row[0] for row in connection.execute("SHOW TABLES").fetchall()}
    for table, alias in (("frames", "f"), ("worlds", "w")):
        described = [row for row in _described(connection, table) if table == "frames" or row[0] not in WORLD_KEYS]
        lengths = _lengths(connection, table, [name for name, kind in described if kind.endswith("]")])
        for name, kind in described:
            column = Column(name, _group(table, name), f"{alias}.{quoted(name)}")
            found += _of_value(column, kind, lengths.get(name, (0, 0)))
    for table in ("instances", "defects"):
        if table in tables:
            found += _of_rows(connection, table)
    return _with_names_of_their_own(found)


def _with_names_of_their_own(found: list[Column]) -> list[Column]:
    """Return columns of which no two have one name: a column of pictures of others may be called as one of ours."""
    named: dict[str, Column] = {}
    for column in found:
        name = column.name
        while name in named:
            name += f" ({column.group})"
        named[name] = replace(column, name=name)
    return list(named.values())


def values_of(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[Column]
) -> Iterator[tuple[Column, dict[str, Any]]]:
    """Yield columns with their values for every frame in the order of the index, packed, with what the page needs."""
    for begin in range(0, len(columns), ASKED_AT_ONCE):
        asked = columns[begin : begin + ASKED_AT_ONCE]
        plain = [column for column in asked if column.of is None]
        found: Iterator[Any] = iter(())
        if plain:
            listed = ", ".join(f"{column.sql} AS v{number}" for number, column in enumerate(plain))
            query = f"SELECT {listed} FROM frames f JOIN worlds w USING (world, step) ORDER BY f.frame_id"  # noqa: S608
            found = iter(connection.sql(query).to_arrow_table().columns)
        for column in asked:
            yield column, _value_data(column, next(found)) if column.of is None else _set_values(connection, column)


def _value_data(column: Column, values: Any) -> dict[str, Any]:
    values = values.combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.float64())
    if pa.types.is_floating(values.type):
        return {"kind": "number", "sql": column.sql, **packed(_floats(values))}
    if pa.types.is_integer(values.type):
        span = pc.min_max(values).as_py()
        low, high = span["min"] or 0, span["max"] or 0
        if values.null_count == 0 and low >= -(2**31) and high < 2**31:
            return {"kind": "number", "sql": column.sql, **packed(values.to_numpy(zero_copy_only=False).astype("<i4"))}
        if max(abs(low), abs(high)) < LARGEST_EXACT:
            return {"kind": "number", "sql": column.sql, **packed(_floats(values.cast(pa.float64())))}
    text = values if pa.types.is_string(values.type) else _as_text(values)
    sql = column.sql if pa.types.is_string(values.type) else f"CAST({column.sql} AS VARCHAR)"
    words, codes = _codes(text)
    return {"kind": "category", "sql": sql, "words": words, **packed(smallest_codes(codes, len(words) + 1))}


def facts_of(column: Column, data: dict[str, Any], count: int) -> dict[str, Any]:
    """Return what the page is told of a column before it loads it; `constant`: one value in all frames."""
    raw = b"" if data["kind"] == "set" else base64.b64decode(data["data"])
    is_constant = bool(raw) and raw == raw[: len(raw) // count] * count
    return {"name": column.name, "group": column.group, "kind": data["kind"], "constant": is_constant}


def literal(text: str) -> str:
    """Return a text as SQL writes it, without the semicolon that conditions may not hold."""
    parts = ["'" + part.replace("'", "''") + "'" for part in text.split(";")]
    return parts[0] if len(parts) == 1 else "(" + " || chr(59) || ".join(parts) + ")"


def _described(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in connection.execute(f"DESCRIBE {table}").fetchall()]


def _group(table: str, name: str) -> str:
    if name in MEASURED:
        return "measured"
    if name.startswith("p."):
        return "drawn"
    return "frame" if table == "frames" else "world"


def _lengths(connection: duckdb.DuckDBPyConnection, table: str, names: list[str]) -> dict[str, tuple[int, int]]:
    """Return the greatest and the least length of lists."""
    if not names:
        return {}
    listed = ", ".join(f"max(len({quoted(name)})), min(len({quoted(name)}))" for name in names)
    row = connection.execute(f"SELECT {listed} FROM {table}").fetchone() or ()  # noqa: S608
    return {name: (row[2 * n] or 0, row[2 * n + 1] or 0) for n, name in enumerate(names)}


def _of_value(column: Column, kind: str, lengths: tuple[int, int]) -> Iterator[Column]:
    """Yield the columns that one of frames or worlds becomes: lists are shown by their elements."""
    if kind == "BLOB":
        return  # hashes of files
    if not kind.endswith("]"):
        yield column
        return
    most, least = lengths
    if not most:
        return
    if most <= MOST_ELEMENTS:
        for place in range(1, most + 1):
            yield Column(f"{column.name}[{place}]", column.group, f"{column.sql}[{place}]")
    if most != least or most > MOST_ELEMENTS:
        yield Column(f"{column.name} count", column.group, f"len({column.sql})")
    if most > MOST_ELEMENTS and kind.startswith(NUMBERS):
        for function, word in (("min", "least"), ("max", "greatest"), ("avg", "mean")):
            yield Column(f"{column.name} {word}", column.group, f"list_{function}({column.sql})")


def _of_rows(connection: duckdb.DuckDBPyConnection, table: str) -> Iterator[Column]:
    """Yield what is known of a frame by its rows in another table: words that occur, least and greatest numbers."""

    def ask(what: str, condition: str = "") -> str:
        return f"(SELECT {what} FROM {table} i WHERE i.frame_id = f.frame_id{condition})"  # noqa: S608

    yield Column(f"{table} count", table, ask("count(*)"))
    described = _described(connection, table)
    for name, kind in described:
        value = f"i.{quoted(name)}"
        if kind == "VARCHAR":
            yield Column(name if table == "instances" else f"{table} {name}", table, quoted(name), of=table)
        elif kind == "BOOLEAN":
            yield Column(f"{name} count", table, ask("count(*)", f" AND {value}"))
        elif kind.endswith("]"):
            for word, place in PARTS.get(name, ()):
                yield from _span(f"{name} {word}", table, ask, f"{value}[{place}]")
        elif name not in NO_AGGREGATE and kind.lstrip("U").startswith(NUMBERS):
            yield from _span(name, table, ask, value)
    names = {name for name, _ in described}
    if table == "instances" and "occlusion" in names:
        yield Column("visible share least", table, ask("1 - max(i.occlusion)"))
    if table == "instances":
        for word, function in (("least", "min"), ("greatest", "max")):
            share = f"({ask(f'{function}(i.area_px)')} / (f.width * f.height)::DOUBLE)"
            yield Column(f"area share {word}", table, share)
    query = f"SELECT class, count(*) AS n FROM {table} WHERE class <> '' GROUP BY class ORDER BY n DESC, class LIMIT {MOST_CLASSES}"  # noqa: E501, S608
    for key, _ in sorted(connection.execute(query).fetchall()):
        yield Column(f"count of {key}", f"{table} by class", ask("count(*)", f" AND i.class = {literal(key)}"))


def _span(name: str, table: str, ask: Any, value: str) -> Iterator[Column]:
    for word, function in (("least", "min"), ("greatest", "max")):
        yield Column(f"{name} {word}", table, ask(f"{function}({value})"))


def _set_values(connection: duckdb.DuckDBPyConnection, column: Column) -> dict[str, Any]:
    """Return which words the rows of every frame hold: all words, and for every frame the numbers of its own."""
    frames = connection.sql("SELECT frame_id FROM frames ORDER BY frame_id").to_arrow_table()["frame_id"].to_numpy()
    query = f"SELECT DISTINCT frame_id, {column.sql} AS v FROM {column.of} WHERE {column.sql} IS NOT NULL ORDER BY 1, 2"  # noqa: S608
    rows = connection.sql(query).to_arrow_table()
    words, codes = _codes(rows["v"].combine_chunks())
    starts = np.searchsorted(rows["frame_id"].to_numpy(), np.append(frames, frames[-1] + 1)).astype(np.uint32)
    values = packed(smallest_codes(codes, len(words) + 1))
    return {"kind": "set", "sql": column.sql, "of": column.of, "words": words, "starts": packed(starts), **values}


def _codes(values: Any) -> tuple[list[str], Any]:
    """Return the words in order, and of every value its word's number; null has the number behind the last."""
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    coded = values.dictionary_encode()
    words = coded.dictionary.to_pylist()
    order = sorted(range(len(words)), key=lambda index: words[index])
    rank = np.empty(len(words) + 1, np.int64)
    rank[order] = np.arange(len(words))
    rank[len(words)] = len(words)
    found = pc.fill_null(coded.indices, len(words)).to_numpy(zero_copy_only=False)
    return [words[index] for index in order], rank[found]


def _floats(values: Any) -> Any:
    """Return floats as NumPy; null is NaN, as what is not a number."""
    kind = "<f4" if pa.types.is_float32(values.type) else "<f8"
    return values.to_numpy(zero_copy_only=False).astype(kind)


def _as_text(values: Any) -> Any:
    if pa.types.is_boolean(values.type) or pa.types.is_integer(values.type):
        return values.cast(pa.string())
    return pa.array([None if value is None else str(value) for value in values.to_pylist()], pa.string())
