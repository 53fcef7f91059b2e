"""Checks that are a share of frames or of boxes, each one line of SQL over the index."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from engine.health.ask import ask, columns_of
from engine.health.limits import Limits, Measures
from engine.health.model import MOST_OFFENDERS, Check, Offender, judged
from engine.query import quoted
from engine.scene.taxonomy import Taxonomy

if TYPE_CHECKING:
    import duckdb

MEASURED = ("lum_mean", "lum_p05", "lum_std", "sat_frac", "blur_lap", "noise_sigma", "phash")
MAD_TO_SIGMA = 1.4826  # of a normal distribution
Source = Literal["health_frames", "health_boxes", "health_instances"]
OF = {"health_frames": "frames", "health_boxes": "boxes", "health_instances": "instances"}


@dataclass(frozen=True)
class Share:
    """A share of rows."""

    name: str
    about: str
    source: Source
    holds: str  # SQL: the row is at fault; unknown where nothing was measured
    shown: str  # SQL of text: what is said of such a row
    worst: str  # SQL: sorts the worst ones first
    needs: tuple[str, ...] = ()  # columns of the source
    values: tuple[Any, ...] = ()  # for the question marks of `holds`

    def fits(self, columns: Collection[str]) -> bool:
        """Return whether a source with these columns has what it needs."""
        return all(name in columns for name in self.needs)


def make_views(connection: duckdb.DuckDBPyConnection, surfaces: Collection[str]) -> None:
    """Make the tables that checks ask: frames with what is labelled in them, instances, boxes of things.

    Args:
        connection: Of `open_labels`.
        surfaces: Keys of classes whose boxes say nothing.
    """
    frames = columns_of(connection, "frames")
    path = "coalesce(f.image, 'frame ' || f.frame_id)" if "image" in frames else "'frame ' || f.frame_id"
    out = ", ".join(["''", *map(_text, surfaces)])
    gap = "least(bbox[1], bbox[2], f.width - bbox[1] - bbox[3], f.height - bbox[2] - bbox[4])"
    size = f"{path} AS health_path, f.width, f.height"
    for view in (
        f"""health_frames AS SELECT f.*, {path} AS health_path, coalesce(n.labelled, 0) AS labelled,
            least(coalesce(n.labelled_px, 0) / (f.width * f.height), 1.0) AS labelled_share
            FROM frames f LEFT JOIN (SELECT frame_id, count(*) AS labelled, sum(area_px)::DOUBLE AS labelled_px
            FROM instances WHERE class_id <> 0 GROUP BY frame_id) n USING (frame_id)""",  # noqa: S608
        f"health_instances AS SELECT i.*, {size} FROM instances i JOIN frames f USING (frame_id)",  # noqa: S608
        f"health_boxes AS SELECT l.* EXCLUDE edge_dist_px, {size}, "  # noqa: S608
        f"coalesce(l.edge_dist_px, floor({gap})::INTEGER) AS edge_dist_px "
        f"FROM labels l JOIN frames f USING (frame_id) WHERE class NOT IN ({out})",
    ):
        connection.execute(f"CREATE TEMP VIEW {view}")


def shares(connection: duckdb.DuckDBPyConnection, taxonomy: Taxonomy, limits: Limits) -> list[Check]:
    """Return all checks that are shares."""
    wanted = [*_of_frames(limits.measures), *_of_boxes(limits.measures, taxonomy)]
    wanted += _outliers(connection, limits.measures)
    counts: dict[str, tuple[int, int]] = {}
    for source in OF:
        there = columns_of(connection, source)
        counts |= _count(connection, source, [each for each in wanted if each.source == source and each.fits(there)])
    return [_check(connection, share, counts.get(share.name), limits) for share in wanted]


def _count(connection: duckdb.DuckDBPyConnection, source: str, wanted: list[Share]) -> dict[str, tuple[int, int]]:
    """Return how many rows are at fault, and of how many it is known, in one pass."""
    if not wanted:
        return {}
    columns = ", ".join(f"({share.holds}) AS h{at}" for at, share in enumerate(wanted))
    counted = ", ".join(f"count(*) FILTER (h{at}), count(h{at})" for at in range(len(wanted)))
    values = [value for share in wanted for value in share.values]
    question = f"SELECT {counted} FROM (SELECT {columns} FROM {source})"  # noqa: S608
    (row,) = ask(connection, question, where=OF[source], values=values)
    return {share.name: (int(row[2 * at]), int(row[2 * at + 1])) for at, share in enumerate(wanted)}


def _check(
    connection: duckdb.DuckDBPyConnection, share: Share, counted: tuple[int, int] | None, limits: Limits
) -> Check:
    bound = limits.bounds[share.name]
    if counted is None:
        note = f"there is no column {' or '.join(share.needs)}"
        return judged(share.name, share.about, "share", None, bound, note=note)
    count, of = counted
    if not of:
        return judged(share.name, share.about, "share", None, bound, note=f"known of none of the {OF[share.source]}")
    rows = _worst(connection, share) if count else []
    offenders = tuple(Offender(int(frame), str(at), str(what)) for frame, at, what in rows)
    return judged(share.name, share.about, "share", count / of, bound, count=count, of=of, offenders=offenders)


def _worst(connection: duckdb.DuckDBPyConnection, share: Share) -> list[tuple[Any, ...]]:
    source = f"(SELECT *, ({share.holds}) AS at_fault, ({share.shown}) AS shown FROM {share.source})"  # noqa: S608
    question = (
        f"SELECT frame_id, health_path, shown FROM {source} WHERE at_fault "  # noqa: S608
        f"QUALIFY row_number() OVER (PARTITION BY frame_id ORDER BY {share.worst}) = 1 "
        f"ORDER BY {share.worst}, frame_id LIMIT {MOST_OFFENDERS}"
    )
    return ask(connection, question, where=share.name, values=share.values)


def _of_frames(m: Measures) -> list[Share]:
    null = " OR ".join(f"{name} IS NULL OR NOT isfinite({name}::DOUBLE)" for name in MEASURED)
    return [
        Share("empty_frames", "frames without a labelled instance", "health_frames", "labelled = 0",
              "'nothing is labelled'", "frame_id"),
        Share("dark_frames", f"frames with a mean luma below {m.dark:g}", "health_frames", "lum_mean < ?",
              "format('mean luma {:.3f}', lum_mean)", "lum_mean", ("lum_mean",), (m.dark,)),
        Share("bright_frames", f"frames with a mean luma above {m.bright:g}", "health_frames", "lum_mean > ?",
              "format('mean luma {:.3f}', lum_mean)", "-lum_mean", ("lum_mean",), (m.bright,)),
        Share("saturated_frames", f"frames with more than {m.saturated:.0%} of their pixels at 255", "health_frames",
              "sat_frac > ?", "format('{:.0f} % saturated', 100 * sat_frac)", "-sat_frac", ("sat_frac",),
              (m.saturated,)),
        Share("flat_frames", "frames that show one tone", "health_frames", "lum_std < ?",
              "format('deviation of luma {:.4f}', lum_std)", "lum_std", ("lum_std",), (m.flat,)),
        Share("small_frames", f"frames with a side below {m.small_side_px:g} px", "health_frames",
              "least(width, height) < ?", "format('{} x {} px', width, height)", "least(width, height)", (),
              (m.small_side_px,)),
        Share("unmeasured_frames", "frames without a number in a measured column", "health_frames", null,
              "'lum_mean ' || coalesce(lum_mean::VARCHAR, 'null')", "frame_id", MEASURED),
        Share("byte_duplicates", "frames whose picture is byte for byte that of an earlier one", "health_frames",
              "row_number() OVER (PARTITION BY image_sha256 ORDER BY frame_id) > 1 AND image_sha256 IS NOT NULL",
              "'as ' || first_value(health_path) OVER (PARTITION BY image_sha256 ORDER BY frame_id)", "frame_id",
              ("image_sha256",)),
    ]  # fmt: skip


def _of_boxes(m: Measures, taxonomy: Taxonomy) -> list[Share]:
    rules = [(c.key, c.min_area_px) for c in taxonomy.classes if c.min_area_px]
    undersized = (
        "CASE class " + " ".join("WHEN ? THEN area_px < ?" for _ in rules) + " END" if rules else "NULL::BOOLEAN"
    )
    who = "class || ' ' || label_id || ': '"
    return [
        Share("tiny_boxes", f"labels of less than {m.tiny_area_px:g} px", "health_boxes", "area_px < ?",
              f"{who} || area_px || ' px'", "area_px", (), (m.tiny_area_px,)),
        Share("undersized", "labels smaller than the taxonomy wants them labelled", "health_boxes", undersized,
              f"{who} || area_px || ' px'", "area_px", (), tuple(value for rule in rules for value in rule)),
        Share("truncated_boxes", f"labels of which more than {m.truncated:.0%} lies outside of the frame",
              "health_boxes", "truncation > ?", f"{who} || format('{{:.0f}} % outside', 100 * truncation)",
              "-truncation", ("truncation",), (m.truncated,)),
        Share("border_boxes", f"labels whose box is within {m.border_px:g} px of the border", "health_boxes",
              "edge_dist_px <= ?", f"{who} || edge_dist_px || ' px'", "edge_dist_px", (), (m.border_px,)),
        Share("large_boxes", f"labels whose box fills at least {m.large_box:.0%} of the frame", "health_boxes",
              "bbox[3] * bbox[4] / (width * height) >= ?",
              f"{who} || format('{{:.0f}} % of the frame', 100 * bbox[3] * bbox[4] / (width * height))",
              "-bbox[3] * bbox[4]", (), (m.large_box,)),
        Share("broken_boxes", "labels whose box is empty or reaches beyond the frame", "health_boxes",
              "NOT coalesce(isfinite(bbox[1] + bbox[2] + bbox[3] + bbox[4]) AND least(bbox[3], bbox[4]) > 0 AND "
              "least(bbox[1], bbox[2]) >= -0.5 AND bbox[1] + bbox[3] <= width + 0.5 AND "
              "bbox[2] + bbox[4] <= height + 0.5, false)", f"{who} || bbox::VARCHAR", "frame_id"),
        Share("double_labels", "labels with class and box of another one in the frame", "health_boxes",
              "row_number() OVER (PARTITION BY frame_id, class, bbox ORDER BY label_id) > 1",
              f"{who} || bbox::VARCHAR", "frame_id"),
        Share("unlabelled_instances", "instances without a class", "health_instances", "class_id = 0",
              "coalesce(prim_path, '')", "-area_px"),
    ]  # fmt: skip


def _outliers(connection: duckdb.DuckDBPyConnection, m: Measures) -> list[Share]:
    """Return shares of frames that are far less sharp, or noisier, than the others."""
    out = []
    for name, column, sign, about in (
        ("blur_outliers", "blur_lap", -1, "far less sharp"), ("noise_outliers", "noise_sigma", 1, "far noisier"),
    ):  # fmt: skip
        middle, sigma = 0.0, None
        if column in columns_of(connection, "health_frames"):
            ((middle, sigma),) = ask(
                connection, f"SELECT median(x), {MAD_TO_SIGMA} * mad(x) FROM "  # noqa: S608
                f"(SELECT ln({column}::DOUBLE) AS x FROM health_frames WHERE {column} > 0)", where=name,
            )  # fmt: skip
        z = f"{sign} * (ln(greatest({column}, 1e-9)::DOUBLE) - {middle or 0.0!r}) / {sigma or 1.0!r}"
        holds = f"{z} > ?" if sigma else "CASE WHEN ? THEN NULL::BOOLEAN END"
        out.append(Share(
            name, f"frames that are {about} than the others", "health_frames", holds,
            f"format('{column} {{:.2g}}', {column}::DOUBLE)", f"-({z})", (column,), (m.outlier_z if sigma else True,),
        ))  # fmt: skip
    return out


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def null_columns(connection: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> list[str]:
    """Return the columns that are null in every row, as `table.column`."""
    found = []
    for table in tables:
        names = list(columns_of(connection, table))
        counts = ", ".join(f"count({quoted(name)})" for name in names)
        if names:
            (row,) = ask(connection, f"SELECT count(*), {counts} FROM {table}", where=table)  # noqa: S608
            found += [f"{table}.{name}" for name, count in zip(names, row[1:], strict=True) if row[0] and not count]
    return found
