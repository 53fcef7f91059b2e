"""Which columns of an index are searched, by rules that also fit columns to come, and why others are not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.compare.columns import IDS
from engine.discover.bins import MOST_BINS, MOST_WORDS, Coded, Place, code_numbers, code_words
from engine.errors import UserError, near_matches

if TYPE_CHECKING:
    import duckdb

CHUNK = 16  # columns read at once
LONGEST_LIST = 4  # numbers of a drawn value that are searched each by itself
IDENTITIES = (IDS - {"camera"}) | {"frame", "parts"}
ENDINGS = ("_id", "_sha256", "_json", ".seed", ".instance", ".item", ".of", ".to")
LABELS = frozenset(
    {
        "is_crowd",
        "near_miss",
        "source_class",
        "stated_area",
        "extra",
        "n_left_out",
        "n_outside",
        "truth_id",
    }
)  # fmt: skip - what the label is, not what makes it hard
BOX = {3: "bbox_width", 4: "bbox_height"}  # the parts of a box that are no place in the picture
TABLES = {"i": "seen", "f": "frames", "w": "worlds"}


@dataclass(frozen=True)
class Left:
    """A column that is not searched."""

    label: str
    why: str


@dataclass(frozen=True)
class Wanted:
    """What codes are made for."""

    rows: NDArray[np.int64]  # of the joined table in the order of its keys, those that are judged
    group: NDArray[np.int64]  # [row]
    learn: NDArray[np.bool_]  # [row], the discovery half: edges and words come from it
    support: int  # groups of the discovery half that a predicate needs
    group_by: str
    only: tuple[str, ...] = ()  # patterns of names; empty: all


def choose(connection: duckdb.DuckDBPyConnection, joined: str, wanted: Wanted) -> tuple[list[Coded], list[Left]]:
    """Return the columns that are searched as codes, and the others.

    Args:
        connection: To the index, with the view `seen` where instances are judged.
        joined: The tables, `FROM frames f JOIN ... ORDER BY ...`.
        wanted: What for.
    Raises:
        UserError: If a pattern fits no column.
    """
    tables = [alias for alias in TABLES if f" {alias} " in f"{joined} "]
    places: list[tuple[Place, pa.DataType]] = []
    left: list[Left] = []
    for alias in tables:
        schema = connection.table(TABLES[alias]).limit(0).to_arrow_table().schema
        lengths = _lengths(connection, TABLES[alias], schema)
        for place, kind, why in _places(alias, schema, wanted.group_by, lengths):
            if why:
                left.append(Left(place.label, why))
            else:
                places.append((place, kind))
    places, unasked = _asked(places, wanted.only)
    left += unasked
    coded: dict[bytes, Coded] = {}
    for first in range(0, len(places), CHUNK):
        part = places[first : first + CHUNK]
        names = ", ".join(f"{place.sql} AS c{number}" for number, (place, _) in enumerate(part))
        table = connection.sql(f"SELECT {names} {joined}").to_arrow_table().take(pa.array(wanted.rows))
        for number, (place, _) in enumerate(part):
            made = _code(place, table[f"c{number}"].combine_chunks(), wanted)
            why = _useless(made, wanted)
            key = _partition(made)
            if not why and key in coded:
                why = f"the same rows as {coded[key].place.label}"
            if why:
                left.append(Left(place.label, why))
            else:
                coded[key] = made
    return list(coded.values()), left


def _lengths(connection: duckdb.DuckDBPyConnection, table: str, schema: pa.Schema) -> dict[str, int]:
    """Return the length of drawn lists of numbers that all have one."""
    names = [f.name for f in schema if f.name.startswith("p.") and _is_list(f.type) and _is_number(f.type.value_type)]
    if not names:
        return {}
    asked = ", ".join(f"min(len({quoted(name)})), max(len({quoted(name)}))" for name in names)
    ends = connection.execute(f"SELECT {asked} FROM {table}").fetchall()[0]  # noqa: S608 - names of the file, quoted
    pairs = zip(names, ends[::2], ends[1::2], strict=True)
    return {name: low for name, low, high in pairs if low is not None and low == high}


def _places(
    alias: str, schema: pa.Schema, group_by: str, lengths: dict[str, int]
) -> Iterator[tuple[Place, pa.DataType, str]]:
    """Yield every column of a table, parts of lists each by itself, and why it is not searched, if so."""
    for field in schema:
        name, kind = field.name, field.type
        if alias == "w" and name in ("world", "step"):
            continue  # those of frames
        label = f"i.{name}" if alias == "i" else name
        place = Place(label, f"{alias}.{quoted(name)}", name.removeprefix("p."), _size(kind))
        why = _refused(name, f"{name}_sha256" in schema.names, group_by)
        if not why and _is_list(kind):
            parts = _parts(name, lengths.get(name, 0))
            for number in parts:
                title = BOX.get(number, "") if name == "bbox" else ""
                part = f"i.{title}" if title else f"{label}[{number}]"
                slug = title or f"{place.name}_{number}"
                yield Place(part, f"{place.sql}[{number}]", slug, _size(kind.value_type)), kind.value_type, ""
            why = "" if parts else "a list: a pose, an outline, or one number for each of several things"
            if parts:
                continue
        elif not why and not (_is_number(kind) or _is_word(kind)):
            why = f"its type: {kind}"
        yield place, kind, why


def _refused(name: str, is_file: bool, group_by: str) -> str:
    if ";" in name:
        return "a condition cannot have the ';' of its name"
    if name == group_by:
        return "the groups themselves"
    if name in LABELS:
        return "part of the label"
    if name in IDENTITIES or name.endswith(ENDINGS):
        return "names or numbers a row, and says nothing of it"
    return "a path" if is_file else ""


def _parts(name: str, length: int) -> list[int]:
    """Return which numbers of a list are searched, from 1."""
    if name == "bbox":
        return list(BOX)
    return list(range(1, length + 1)) if length <= LONGEST_LIST else []


def _asked(
    places: list[tuple[Place, pa.DataType]], only: Sequence[str]
) -> tuple[list[tuple[Place, pa.DataType]], list[Left]]:
    if not only:
        return places, []
    for pattern in only:
        if not any(_fits(place, pattern) for place, _ in places):
            near = near_matches(pattern, tuple(place.label for place, _ in places))
            raise UserError(f"--columns {pattern}: no column that can be searched; near: {near}")
    kept = [one for one in places if any(_fits(one[0], pattern) for pattern in only)]
    return kept, [Left(place.label, "not asked for") for place, kind in places if (place, kind) not in kept]


def _fits(place: Place, pattern: str) -> bool:
    return (
        fnmatchcase(place.label, pattern)
        or fnmatchcase(place.label.removeprefix("i."), pattern)
        or place.sql == pattern
    )


def _code(place: Place, values: pa.Array, wanted: Wanted) -> Coded:
    if _is_word(values.type) or pa.types.is_boolean(values.type):
        made = pc.dictionary_encode(values)
        codes = made.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        words = made.dictionary.to_pylist()
        return code_words(place, words, codes, _common(codes, len(words), wanted))
    numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    has_nan = pa.types.is_floating(values.type) and bool(pc.any(pc.is_nan(values)).as_py())
    made = code_numbers(place, numbers, learn=wanted.learn, bins=MOST_BINS)
    return Coded(place, made.codes, made.edges, has_nan=has_nan)


def _common(codes: NDArray[np.int64], count: int, wanted: Wanted) -> NDArray[np.int64]:
    """Return the words with enough groups, the commonest first."""
    use = wanted.learn & (codes >= 0)
    pairs = np.unique(np.stack([codes[use], wanted.group[use]]), axis=1)
    groups = np.bincount(pairs[0], minlength=count)
    order = np.argsort(-groups, kind="stable")[:MOST_WORDS]
    return order[groups[order] >= wanted.support]


def _useless(made: Coded, wanted: Wanted) -> str:
    seen = np.unique(made.codes[wanted.learn])
    known = seen[seen < made.count]
    if made.edges is None and not made.count:
        return f"no value with {wanted.support} groups"
    if not known.size:
        return "not known of any row"
    return "one value" if len(seen) < 2 else ""


def _partition(made: Coded) -> bytes:
    """Return what is equal for columns that tell the same rows apart in the same order of appearance."""
    _, first, inverse = np.unique(made.codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.uint8)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[inverse].tobytes()


def quoted(name: str) -> str:
    """Return the name of a column as SQL has it."""
    return name if name.isidentifier() and name.isascii() and name.islower() else '"' + name.replace('"', '""') + '"'


def _size(kind: pa.DataType) -> int:
    return kind.bit_width if pa.types.is_floating(kind) else 0


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _is_word(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind))
