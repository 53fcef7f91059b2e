"""A dataset of ours as records: what every export is made from, without rendering anything again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.formats.record import Amodal, Category, Frame, Instance, Mask, Solid
from engine.scene.taxonomy import Taxonomy
from engine.write.begin import HEADER, MANIFEST, TAXONOMY, read_taxonomy
from engine.write.files import inside
from engine.write.merge import MergedRows
from engine.write.names import FrameGrid
from engine.write.record import read_header
from engine.write.recover import CommitLog
from engine.write.rows import AMODAL_RLE_COLUMN, RLE_COLUMN


@dataclass(frozen=True)
class IndexSource:
    """The frames of a dataset folder, in the order of the index; see `engine.formats.record.Source`."""

    rows: MergedRows
    cameras: tuple[str, ...]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.rows.out.name

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes of the taxonomy."""
        return categories_of(self.rows.taxonomy)

    def world_values(self, column: str) -> dict[tuple[int, int], Any] | None:
        """Return the values of a column of the worlds index by (world, step); None: there is no such column."""
        values: dict[tuple[int, int], Any] = {}
        for table in self.rows.tables("worlds"):
            if column not in table.column_names:
                return None
            keys = zip(table["world"].to_pylist(), table["step"].to_pylist(), strict=True)
            values |= dict(zip(keys, table[column].to_pylist(), strict=True))
        return values

    def frames(self) -> Iterator[Frame]:
        """Yield frame after frame."""
        for frames, instances in zip(self.rows.tables("frames"), self.rows.tables("instances"), strict=True):
            of_frame: dict[int, list[dict[str, Any]]] = {}
            for batch in instances.to_batches(max_chunksize=1024):
                for row in batch.to_pylist():
                    if row["class_id"]:
                        of_frame.setdefault(row["frame_id"], []).append(row)
            for row in frames.to_pylist():
                yield frame_of(row, of_frame.get(row["frame_id"], []), self.rows.out)


def open_dataset(out: Path) -> IndexSource:
    """Return a complete dataset as a source of records.

    Raises:
        UserError: If there is none at `out`, or it is not complete.
    """
    if not (out / HEADER).is_file():
        raise UserError(f"{out} is not a dataset of ours: it has no {HEADER}")
    if not (out / MANIFEST).is_file():
        raise UserError(f"{out} is not complete; run the command that makes it again")
    header = read_header(out / HEADER)
    grid = FrameGrid(header.steps, len(header.cameras))
    rows = MergedRows(out, CommitLog(out).commits(), read_taxonomy(out / TAXONOMY), grid)
    return IndexSource(rows, header.cameras)


def categories_of(taxonomy: Taxonomy) -> tuple[Category, ...]:
    """Return the classes of a taxonomy."""
    return tuple(
        Category(c.id, c.key, c.name, c.parent, c.keypoints, c.skeleton, c.sigmas) for c in taxonomy.classes
    )  # fmt: skip


def frame_of(row: Mapping[str, Any], instances: list[dict[str, Any]], out: Path) -> Frame:
    """Return the record of a row of the frame table with its labelled instances."""
    roles = [name.removesuffix("_sha256") for name in row if name.endswith("_sha256")]
    files = {role: inside(out, row[role]) for role in roles if row[role] is not None}
    return Frame(
        row["frame_id"], row["width"], row["height"],
        tuple(instance_of(instance, row["width"], row["height"]) for instance in instances), files,
        row["world"], row["step"], row["camera"],
        np.reshape(row["k"], (3, 3)), np.reshape(row["world_from_camera"], (4, 4)), row,
    )  # fmt: skip


def instance_of(row: Mapping[str, Any], width: int, height: int) -> Instance:
    """Return the record of a row of the instance table."""
    amodal = solid = keypoints = oriented = None
    x, y, box_width, box_height = row["bbox"]
    if "amodal_bbox" in row:
        box = row["amodal_bbox"]
        mask = Mask(row[AMODAL_RLE_COLUMN], round(box[3]), round(box[2]), round(box[0]), round(box[1]))
        amodal = Amodal(mask, tuple(box), *(row[name] for name in
                        ("in_frame_px", "full_px", "full_is_cut", "occluder", "occluder_px")))  # fmt: skip
    if "world_from_object" in row:
        pose = np.reshape(row["world_from_object"], (3, 4))
        size, center = np.asarray(row["box_size_m"]), np.asarray(row["box_center_m"])
        solid = Solid(pose, size, center, np.reshape(row["corners_px"], (8, 2)).astype(np.float64), row["asset"])
        oriented = np.reshape(row["oriented_box"], (4, 2)).astype(np.float64)
    if row.get("keypoints"):
        keypoints = np.reshape(row["keypoints"], (-1, 3)).astype(np.float64)
    return Instance(
        row["inst_id"], row["class"], (x, y, box_width, box_height), row["area_px"],
        Mask(row[RLE_COLUMN], height, width), row["depth_m"], amodal, solid, oriented, keypoints, row["prim_path"],
    )  # fmt: skip
