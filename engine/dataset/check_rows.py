"""Check numbers: index, manifest and COCO file say what the rows of the committed shards say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.dataset.faults import REMAKE_VIEWS, Fault
from engine.dataset.finalise import count_commits
from engine.dataset.health import measure_health
from engine.dataset.manifest import INDEX, Counts, Manifest
from engine.write.begin import MANIFEST
from engine.write.coco import Coco, coco_categories, coco_image, iterate_annotations, no_left_out
from engine.write.defect_rows import count_defects
from engine.write.merge import MergedRows
from engine.write.record import Commit
from engine.write.rows import DEFECTS, MASK_COLUMNS
from engine.write.tables import read_parquet

LARGEST_LIST = 3  # differences of one kind that are spelled out


def check_index(rows: MergedRows) -> Iterator[Fault]:
    """Yield where a table of the index is not the merged rows of the shards."""
    for name in rows.names:
        file = f"{INDEX}/{name}.parquet"
        try:
            index = read_parquet(rows.out / file)
        except (OSError, pa.ArrowException) as error:
            yield Fault(file, f"cannot be read: {str(error).splitlines()[0]}", REMAKE_VIEWS)
            continue
        merged = pa.concat_tables(rows.tables(name))
        merged = merged.drop_columns([column for column in MASK_COLUMNS if column in merged.column_names])
        if index.schema != merged.schema:
            odd = sorted(set(index.schema.names) ^ set(merged.schema.names))
            yield Fault(file, f"has other columns than the shards: {', '.join(odd) or 'types differ'}", REMAKE_VIEWS)
        elif index.num_rows != merged.num_rows:
            yield Fault(file, f"has {index.num_rows} rows, the shards have {merged.num_rows}", REMAKE_VIEWS)
        else:
            odd = [column for column in merged.column_names if not is_same(index[column], merged[column])]
            if odd:
                yield Fault(file, f"differs from the shards in {', '.join(odd)}", REMAKE_VIEWS)


def is_same(one: pa.ChunkedArray, two: pa.ChunkedArray) -> bool:
    """Return whether two columns hold the same; what is no number is the same as itself, which Arrow denies."""
    if one.equals(two):
        return True
    if one.type != two.type or len(one) != len(two) or not one.is_null().equals(two.is_null()):
        return False
    known = [column.drop_null().combine_chunks() for column in (one, two)]
    if pa.types.is_list(one.type) and not pc.list_value_length(known[0]).equals(pc.list_value_length(known[1])):
        return False
    if pa.types.is_list(one.type) or pa.types.is_fixed_size_list(one.type):
        known = [column.flatten() for column in known]
    if not pa.types.is_floating(known[0].type):
        return False
    values = [column.to_numpy(zero_copy_only=False) for column in known]
    return np.array_equal(values[0], values[1], equal_nan=True)


def check_counts(manifest: Manifest, commits: tuple[Commit, ...], rows: MergedRows) -> Iterator[Fault]:
    """Yield where the counts of the manifest or of a commit record are not those of the rows."""
    counted = count_rows(rows)
    for stated, where in ((manifest.counts, MANIFEST), (count_commits(commits), "commit/*.json")):
        for name in ("worlds", "frames", "instances", "unlabelled", "by_class", "defects", "near_misses"):
            if getattr(stated, name) != getattr(counted, name):
                what = f"counts {getattr(stated, name)} {name}, the rows have {getattr(counted, name)}"
                yield Fault(where, what, REMAKE_VIEWS)
    if measure_health(rows) != manifest.health:
        yield Fault(MANIFEST, f"health is not that of the rows, {measure_health(rows)}", REMAKE_VIEWS)


def count_rows(rows: MergedRows) -> Counts:
    """Return the counts of the rows of the shards."""
    worlds: set[int] = set()
    by_class: dict[str, int] = {}
    frames = unlabelled = 0
    for table in rows.tables("frames"):
        frames += table.num_rows
        worlds.update(table["world"].to_pylist())
    for table in rows.tables("instances"):
        for pair in pc.value_counts(table["class"]).to_pylist():
            if pair["values"]:
                by_class[pair["values"]] = by_class.get(pair["values"], 0) + pair["counts"]
            else:
                unlabelled += pair["counts"]
    return Counts(
        len(worlds), frames, sum(by_class.values()), unlabelled, by_class, *count_defects(rows.tables(DEFECTS))
    )


def check_coco_rows(data: Any, params: Coco, rows: MergedRows) -> Iterator[Fault]:
    """Yield where our COCO file does not say what the rows say: a lost object, another class, box and mask moved."""
    if data["categories"] != coco_categories(rows.taxonomy):
        yield Fault(params.PATH, "its categories are not the classes of taxonomy.json", REMAKE_VIEWS)
    left_out = no_left_out()
    wanted = {
        "images": map(coco_image, rows.rows("frames")),
        "annotations": iterate_annotations(params, rows, left_out),
    }
    for name, expected in wanted.items():
        yield from _compare(params.PATH, name, expected, data[name])
    if data.get("left_out") != dict(left_out):
        what = f"left_out is {str(data.get('left_out'))[:60]}, the rows say {dict(left_out)}"
        yield Fault(params.PATH, what, REMAKE_VIEWS)


def _compare(file: str, name: str, expected: Iterator[dict[str, Any]], found: list[Any]) -> Iterator[Fault]:
    odd = 0
    for position, (want, have) in enumerate(zip_longest(expected, found)):
        if want == have:
            continue
        odd += 1
        if odd > LARGEST_LIST:
            continue
        where = f"{name}[{position}]"
        if have is not None and not isinstance(have, dict):
            continue  # named by the check of the file itself
        if want is None or have is None:
            yield Fault(file, f"{where} is {'too many' if want is None else 'missing'}", REMAKE_VIEWS)
            continue
        keys = [key for key in want.keys() | have.keys() if want.get(key) != have.get(key)]
        key = min(keys)
        what = f"{where}.{key} is {str(have.get(key))[:60]}, the rows say {str(want.get(key))[:60]}"
        yield Fault(file, what, REMAKE_VIEWS)
    if odd > LARGEST_LIST:
        yield Fault(file, f"{odd - LARGEST_LIST} more {name} differ from the rows", REMAKE_VIEWS)
