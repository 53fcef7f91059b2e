"""Everything that `health` says of a dataset, from its index alone; no picture is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.dataset.manifest import read_manifest
from engine.errors import UserError
from engine.health.ask import FRAMES, ask, columns_of, open_labels
from engine.health.classes import check_classes, count_classes
from engine.health.groups import group_column, group_sql
from engine.health.limits import Limits
from engine.health.model import MOST_OFFENDERS, Check, HealthReport, Offender, judged
from engine.health.near import near_duplicates
from engine.health.shares import MEASURED, make_views, null_columns, shares
from engine.write.begin import MANIFEST, TAXONOMY, read_taxonomy

if TYPE_CHECKING:
    import duckdb

MOST_SIZES = 8
QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)


def inspect(out: Path, limits: Limits) -> HealthReport:
    """Return the health of a complete dataset.

    Raises:
        UserError: If there is none at `out`.
    """
    if not (out / MANIFEST).is_file():
        raise UserError(f"{out} is no complete dataset: it has no {MANIFEST}")
    connection, taxonomy = open_labels(out), read_taxonomy(out / TAXONOMY)
    surfaces = {*taxonomy.stuff, *limits.ignore}
    known = {**columns_of(connection, "frames"), **columns_of(connection, "worlds")}
    make_views(connection, surfaces)
    ((frames, instances),) = ask(
        connection, "SELECT (SELECT count(*) FROM frames), (SELECT count(*) FROM labels)", where="frames"
    )
    classes = count_classes(connection, surfaces)
    sizes = _sizes(connection)
    checks = [
        *shares(connection, taxonomy, limits),
        _near(connection, limits, group_column(out, known)),
        _labelled_pixels(connection, limits),
        *check_classes(classes, taxonomy, frames, limits, surfaces),
        _most_instances(connection, limits),
        judged("image_sizes", "sizes of pictures", "number", float(len(sizes)), limits.bounds["image_sizes"],
               note=", ".join(f"{size} {count}" for size, count in list(sizes.items())[:MOST_SIZES])),
        _nulls(connection, limits),
    ]  # fmt: skip
    order = list(limits.bounds)
    checks.sort(key=lambda check: order.index(check.name))
    manifest = read_manifest(out / MANIFEST)
    return HealthReport(
        out.name, manifest.dataset_id, int(frames), int(instances), tuple(checks), classes, sizes, _spreads(connection)
    )


def _sizes(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    rows = ask(
        connection, "SELECT width, height, count(*) FROM frames GROUP BY ALL ORDER BY 3 DESC, 1, 2", where="sizes"
    )
    return {f"{width}x{height}": int(count) for width, height, count in rows}


def _near(connection: duckdb.DuckDBPyConnection, limits: Limits, group: str) -> Check:
    name, bound, bits = "near_duplicates", limits.bounds["near_duplicates"], limits.measures.near_bits
    about = f"frames that look like an earlier one of another {group}: {bits} bits of phash or fewer"
    if "phash" not in columns_of(connection, "frames"):
        return judged(name, about, "share", None, bound, note="there is no column phash")
    rows = connection.execute(
        f"SELECT frame_id, dense_rank() OVER (ORDER BY {group_sql(group)}) AS g, phash "  # noqa: S608
        f"FROM {FRAMES} WHERE phash IS NOT NULL ORDER BY frame_id"
    ).fetchnumpy()
    phash, of_group = np.asarray(rows["phash"], np.uint64), np.asarray(rows["g"], np.int64)
    if not len(phash):
        return judged(name, about, "share", None, bound, note="known of none of the frames")
    near = near_duplicates(phash, of_group, bits)
    chosen = near.found[np.argsort(near.bits[near.found], kind="stable")][:MOST_OFFENDERS]
    ids = np.asarray(rows["frame_id"], np.int64)
    pairs = [(int(ids[at]), int(ids[near.earlier[at]]), int(near.bits[at])) for at in chosen]
    paths = _paths(connection, [frame for pair in pairs for frame in pair[:2]])
    offenders = tuple(Offender(one, paths[one], f"as {paths[other]}, {bits} bits") for one, other, bits in pairs)
    count = len(near.found)
    return judged(
        name, about, "share", count / len(phash), bound, count=count, of=len(phash), offenders=offenders
    )  # fmt: skip


def _paths(connection: duckdb.DuckDBPyConnection, frames: list[int]) -> dict[int, str]:
    rows = ask(
        connection, "SELECT frame_id, health_path FROM health_frames WHERE frame_id IN (SELECT unnest(?))",
        where="frames", values=[frames],
    )  # fmt: skip
    return {int(frame): str(path) for frame, path in rows}


def _labelled_pixels(connection: duckdb.DuckDBPyConnection, limits: Limits) -> Check:
    ((value,),) = ask(connection, "SELECT avg(labelled_share) FROM health_frames", where="labelled_pixels")
    about = "mean share of a frame that is labelled; boxes without masks count whole"
    return judged("labelled_pixels", about, "share", value, limits.bounds["labelled_pixels"])


def _most_instances(connection: duckdb.DuckDBPyConnection, limits: Limits) -> Check:
    rows = ask(
        connection,
        "SELECT frame_id, health_path, labelled FROM health_frames ORDER BY labelled DESC, frame_id LIMIT ?",
        where="most_instances",
        values=[MOST_OFFENDERS],
    )
    bound = limits.bounds["most_instances"]
    over = [row for row in rows if not bound.holds(row[2])]
    ((median,),) = ask(connection, "SELECT median(labelled) FROM health_frames", where="most_instances")
    offenders = tuple(Offender(int(frame), str(path), f"{count} instances") for frame, path, count in over)
    value = float(rows[0][2]) if rows else None
    return judged(
        "most_instances", "labelled instances of the fullest frame", "number", value, bound,
        note=f"median {median or 0:g}", offenders=offenders,
    )  # fmt: skip


def _nulls(connection: duckdb.DuckDBPyConnection, limits: Limits) -> Check:
    found = null_columns(connection, ("frames", "instances"))
    bound = limits.bounds["null_columns"]
    return judged(
        "null_columns", "columns without any value", "number", float(len(found)), bound, note=", ".join(found)
    )


def _spreads(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, float]]:
    """Return quantiles of measured columns and of instances a frame."""
    there = columns_of(connection, "health_frames")
    columns = [*(name for name in MEASURED if name in there and name != "phash"), "labelled", "labelled_share"]
    asked = ", ".join(f"quantile_cont({name}::DOUBLE, {list(QUANTILES)})" for name in columns)
    (row,) = ask(connection, f"SELECT {asked} FROM health_frames", where="spreads")  # noqa: S608
    return {
        name: dict(zip((f"{q:g}" for q in QUANTILES), values, strict=True))
        for name, values in zip(columns, row, strict=True)
        if values is not None
    }
