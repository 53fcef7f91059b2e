"""Which few real pictures an arm learns from, and that none of what it learns from is tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from engine.collect.groups import WORLD, independent_column
from engine.collect.holdout import opened
from engine.errors import UserError
from engine.write.files import inside

FRAMES = "index/frames.parquet"
SHA256 = "image_sha256"


def group_of_frames(dataset: Path) -> tuple[str, dict[int, Any]]:
    """Return the column of independent groups and its value for every frame; the world where there is none."""
    opened(dataset, "train")
    path = inside(dataset, FRAMES)
    if not path.is_file():
        raise UserError(f"{dataset} has no {FRAMES}; it is not a complete dataset")
    names = pq.read_schema(path).names
    column = independent_column(dataset, names)
    table = pq.read_table(path, columns=sorted({"frame_id", WORLD, column}))
    rows = zip(table["frame_id"].to_pylist(), table[column].to_pylist(), table[WORLD].to_pylist(), strict=True)
    return column, {frame: f"{WORLD} {world}" if _is_unknown(value) else value for frame, value, world in rows}


def check_apart(train: Sequence[Path], test: Path) -> None:
    """Refuse to test on what is learned from.

    Raises:
        UserError: If a picture is in both, or a group of pictures, by a column that both datasets have groups by.
    """
    column, groups = group_of_frames(test)
    tested = set(groups.values())
    pictures = _hashes(test)
    for dataset in train:
        own, known = group_of_frames(dataset)
        both = sorted(tested & set(known.values()), key=str) if own == column and own != WORLD else []
        if both:
            raise UserError(
                f"{dataset} and {test} both have pictures of {column} {both[0]!r} ({len(both)} in all): what is tested "
                f"would be learned; split by {column}, such as engine.dataset select --where \"{column} <> '...'\""
            )
        same = pictures.keys() & _hashes(dataset).keys()
        if same:
            first = min(same, key=lambda digest: pictures[digest])
            raise UserError(
                f"{dataset} and {test} share {len(same)} pictures, such as frame {pictures[first]} of the latter"
            )


def few_frames(
    labels: Mapping[str, Any],
    group_of: Mapping[int, Any],
    classes: Sequence[str],
    count: int,
    seed: int,
    free_count: int | None = None,
) -> tuple[int, ...]:
    """Return frames: `count` of each class and as many without an instance, from as many groups as possible.

    The same seed and a larger count give the same frames and more: curves over the count are of nested sets. A class
    or the rest with fewer frames gives all that it has.

    Args:
        labels: labels/coco.json.
        group_of: Group of every frame; pictures of one come again only when all others have been drawn.
        classes: Names.
        count: Of each class; 0: none.
        seed: Of the draws.
        free_count: Frames without an instance; None: as many as with one.
    """
    names = {one["id"]: one["name"] for one in labels["categories"]}
    shown: dict[str, set[int]] = {name: set() for name in classes}
    busy = set()
    for one in labels["annotations"]:
        busy.add(one["image_id"] - 1)
        if names[one["category_id"]] in shown:
            shown[names[one["category_id"]]].add(one["image_id"] - 1)
    free = {one["id"] - 1 for one in labels["images"]} - busy
    chosen: set[int] = set()
    for number, name in enumerate(classes):
        random = np.random.Generator(np.random.Philox(key=[seed, number]))
        chosen.update(_spread(sorted(shown[name]), group_of, random)[:count])
    random = np.random.Generator(np.random.Philox(key=[seed, len(classes)]))
    wanted = len(chosen) if free_count is None else free_count
    chosen.update(_spread(sorted(free), group_of, random)[:wanted])
    return tuple(sorted(chosen))


def _spread(frames: Sequence[int], group_of: Mapping[int, Any], random: np.random.Generator) -> list[int]:
    """Return frames in a random order that visits every group once before it visits one again."""
    order = [frames[place] for place in random.permutation(len(frames)).tolist()]
    visits: dict[Any, int] = {}
    turn = []
    for frame in order:
        turn.append(visits.get(group_of.get(frame), 0))
        visits[group_of.get(frame)] = turn[-1] + 1
    return [order[place] for place in np.argsort(turn, kind="stable").tolist()]


def _hashes(dataset: Path) -> dict[str, int]:
    path = inside(dataset, FRAMES)
    if SHA256 not in pq.read_schema(path).names:
        return {}
    table = pq.read_table(path, columns=["frame_id", SHA256])
    pairs = zip(table[SHA256].to_pylist(), table["frame_id"].to_pylist(), strict=True)
    return {str(digest): frame for digest, frame in pairs if digest is not None}


def _is_unknown(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and value < 0)
