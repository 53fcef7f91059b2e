"""Which files of frames were added, removed, changed or moved, and which pictures have other labels.

Hashes are those of the index, so that nothing is read but tables. A file that is at another path with the same content
counts as moved, once; of copies in one dataset, as many as the other has.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.collect.parent import IMAGE, file_roles
from engine.compare.model import Difference
from engine.query import open_indices, quoted

if TYPE_CHECKING:
    import duckdb

NAMED = 1000  # paths of one kind that the JSON names
ONE, TWO = "one_", "two_"
LABEL_COLUMNS = ("class", "bbox", "area_px")  # what makes two instances the same label


def compare_files(one: Path, two: Path) -> list[Difference]:
    """Return how the files of two datasets differ, one line a kind of file and change, pictures first."""
    connection = open_indices({ONE: one, TWO: two})
    try:
        columns = [_columns(connection, f"{prefix}frames") for prefix in (ONE, TWO)]
        roles = [file_roles(names) for names in columns]
        found = []
        for role in sorted({*roles[0], *roles[1]}, key=lambda role: (role != IMAGE, role)):
            found += list(_compare_role(connection, role, (role in roles[0], role in roles[1])))
        if IMAGE in roles[0] and IMAGE in roles[1]:
            found += list(_compare_labels(connection))
        return found
    finally:
        connection.close()


def _compare_role(connection: duckdb.DuckDBPyConnection, role: str, has: tuple[bool, bool]) -> Iterator[Difference]:
    """Yield what happened to the files of a role."""
    for prefix, is_there in zip((ONE, TWO), has, strict=True):
        select = f"SELECT {quoted(role)} AS path, {quoted(role + '_sha256')} AS sha FROM {prefix}frames"  # noqa: S608
        empty = "SELECT NULL::VARCHAR AS path, NULL::BLOB AS sha"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {prefix}files AS SELECT * FROM ({select if is_there else empty}) "  # noqa: S608
            "WHERE path IS NOT NULL"
        )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE odd AS SELECT a.path AS before, b.path AS after, a.sha AS sha_before, "
        "b.sha AS sha_after FROM one_files a FULL OUTER JOIN two_files b ON a.path = b.path "
        "WHERE a.sha IS DISTINCT FROM b.sha"
    )
    connection.execute(  # the n-th copy there is the n-th copy here
        "CREATE OR REPLACE TEMP TABLE moved AS SELECT x.path AS before, y.path AS after FROM "
        "(SELECT before AS path, sha_before AS sha, row_number() OVER (PARTITION BY sha_before ORDER BY before) AS n "
        "FROM odd WHERE before IS NOT NULL) x JOIN "
        "(SELECT after AS path, sha_after AS sha, row_number() OVER (PARTITION BY sha_after ORDER BY after) AS n "
        "FROM odd WHERE after IS NOT NULL) y ON x.sha = y.sha AND x.n = y.n"
    )
    queries = {
        "changed": "SELECT before, after FROM odd WHERE before = after AND before NOT IN (SELECT before FROM moved) "
        "AND after NOT IN (SELECT after FROM moved)",
        "removed": "SELECT before, NULL FROM odd WHERE before IS NOT NULL AND after IS NULL "
        "AND before NOT IN (SELECT before FROM moved)",
        "added": "SELECT NULL, after FROM odd WHERE after IS NOT NULL AND before IS NULL "
        "AND after NOT IN (SELECT after FROM moved)",
        "moved": "SELECT before, after FROM moved",
    }
    for weight, (change, query) in enumerate(reversed(queries.items())):
        count = _scalar(connection, f"SELECT count(*) FROM ({query})")  # noqa: S608 - queries of ours
        if count:
            rows = connection.execute(f"{query} ORDER BY ALL LIMIT {NAMED}").fetchall()
            yield _line(role, change, count, rows, weight + (5.0 if role == IMAGE else 0.0))


def _line(role: str, change: str, count: int, rows: list[tuple[Any, Any]], weight: float) -> Difference:
    first = rows[0][0] if rows[0][0] is not None else rows[0][1]
    words = {"changed": "with other content at the same path", "removed": "removed", "added": "added",
             "moved": "with the same content at another path"}  # fmt: skip
    where = f"{rows[0][0]} -> {rows[0][1]}" if change == "moved" else first
    pairs = [[before, after] for before, after in rows] if change == "moved" else [b or a for b, a in rows]
    facts = {"count": count, "paths": pairs}
    return Difference("file", change, role, f"{count} {words[change]}, first {where}", weight, facts)


def _compare_labels(connection: duckdb.DuckDBPyConnection) -> Iterator[Difference]:
    """Yield the pictures that both have with other labels: classes, boxes and areas of what is seen."""
    for prefix in (ONE, TWO):
        box = ", ".join(f"round(CAST(i.bbox[{i}] AS DOUBLE), 3)" for i in range(1, 5))  # SQL counts from 1
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {prefix}labels AS SELECT f.image_sha256 AS sha, min(f.image) AS path, "  # noqa: S608
            f"hash(list_sort(list(hash(i.class, {box}, i.area_px)) FILTER (i.class_id > 0))) AS labels "
            f"FROM {prefix}frames f LEFT JOIN {prefix}instances i ON i.frame_id = f.frame_id "
            "WHERE f.image IS NOT NULL GROUP BY f.image_sha256, f.frame_id"
        )
    query = (
        "SELECT min(a.path), min(b.path) FROM one_labels a JOIN two_labels b ON a.sha = b.sha "
        "GROUP BY a.sha HAVING bool_and(a.labels IS DISTINCT FROM b.labels)"
    )
    count = _scalar(connection, f"SELECT count(*) FROM ({query})")  # noqa: S608
    if count:
        rows = connection.execute(f"{query} ORDER BY ALL LIMIT {NAMED}").fetchall()
        text = f"{count} pictures are the same and have other labels, first {rows[0][1]}"
        yield Difference("file", "relabelled", "labels", text, 9.0, {"count": count, "paths": [list(r) for r in rows]})


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]


def _scalar(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row is not None else 0
