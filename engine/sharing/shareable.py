"""May a dataset be given away? Not with pictures of the real world, their copies, or assets that nobody licensed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.collect.intent import DatasetRef
from engine.dataset.manifest import Manifest, read_manifest
from engine.errors import UserError
from engine.plain import to_plain
from engine.sharing.assets import AssetTable, asset_table
from engine.write.begin import MANIFEST

SYNTHETIC = "synthetic"


@dataclass(frozen=True)
class SharePlan:
    """What is asked before a dataset is given away."""

    folders: tuple[Path, ...]  # where scenes lie, for licences
    against: tuple[Path, ...] = ()  # real datasets none of whose pictures may be in it
    threshold_bits: int = 6
    accept_unknown_licences: bool = False
    accept_photographs: bool = False  # among the assets


def check_shareable(dataset: Path, plan: SharePlan) -> dict[str, Any]:
    """Return what export.json says about it.

    Raises:
        UserError: If it must not be shared; the message names the frame, and the dataset that it came from.
    """
    manifest = read_manifest(dataset / MANIFEST)
    _check_origin(dataset, manifest)
    table = _assets(dataset, manifest, plan)
    if table.unknown and not plan.accept_unknown_licences:
        row = table.unknown[0]
        raise UserError(
            f"{dataset} cannot be shared: {len(table.unknown)} of {len(table.rows)} assets have no known licence, "
            f"such as {row.path} ({row.said_by}); write a LICENCES.yaml beside it, or --accept-unknown-licences"
        )
    photographs = [row.path for row in table.rows if row.photograph]
    if photographs and not plan.accept_photographs:
        raise UserError(
            f"{dataset} cannot be shared: the asset {photographs[0]} is a photograph, whose pixels show; "
            "render without it, or --accept-photographs"
        )
    compared = [_check_against(dataset, real, plan.threshold_bits) for real in plan.against]
    return {
        "contains_real_imagery": False,
        "assets": to_plain(table.rows),
        "accepted_unknown_licences": [row.path for row in table.unknown],
        "accepted_photographs": photographs,
        "against": compared,
    }


def _check_origin(dataset: Path, manifest: Manifest) -> None:
    """Refuse real pictures, by the manifest, and by the rows of the index whatever the manifest says."""
    found = _first_real_frame(dataset)
    if found is None and manifest.origin == SYNTHETIC and not manifest.contains_real_imagery:
        return
    frame, parent = found or (None, None)
    real = _real_parents(manifest.parents)
    if parent is not None:
        real = [p for p in real if parent in (p.dataset_id, p.name)] or real
    of = ", ".join(f"{p.name} ({p.dataset_id})" for p in real)
    what = f"frame {frame} is real" if frame is not None else f"its pictures are {manifest.origin}"
    where = f", from {of}" if of else ", taken in by ingest" if manifest.origin == "real" else ""
    raise UserError(f"{dataset} cannot be shared: {what}{where}; share a dataset of synthetic frames alone")


def _real_parents(parents: Sequence[DatasetRef]) -> list[DatasetRef]:
    return [p for p in parents if p.contains_real_imagery or p.origin != SYNTHETIC]


def _first_real_frame(dataset: Path) -> tuple[int, str | None] | None:
    """Return the first frame whose origin is not synthetic, and what its row says about where it comes from."""
    path = dataset / "index" / "frames.parquet"
    try:
        with pq.ParquetFile(path) as file:
            names = [name for name in ("frame_id", "origin", "parent") if name in file.schema_arrow.names]
            if "origin" not in names:
                return None
            for batch in file.iter_batches(columns=names):
                for row in batch.to_pylist():
                    if row["origin"] not in (None, SYNTHETIC):
                        parent = row.get("parent")
                        return row["frame_id"], None if parent is None else str(parent)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    return None


def _assets(dataset: Path, manifest: Manifest, plan: SharePlan) -> AssetTable:
    if manifest.parents:
        names = ", ".join(f"{p.name} ({p.dataset_id})" for p in manifest.parents)
        if not plan.accept_unknown_licences:
            raise UserError(
                f"{dataset} cannot be shared: licences of assets are noted where pictures are rendered; share {names}, "
                "or --accept-unknown-licences"
            )
        return AssetTable(())
    return asset_table(dataset, plan.folders)


def _check_against(dataset: Path, real: Path, bits: int) -> dict[str, Any]:
    from engine.shift.duplicates import find_duplicates
    from engine.shift.pictures import open_pictures

    own, other = open_pictures(dataset), open_pictures(real)
    report = find_duplicates((own,), other, bits, within=False)
    if report.pairs:
        pair = report.pairs[0]
        raise UserError(
            f"{dataset} cannot be shared: frame {pair.first_frame} is frame {pair.second_frame} of {other.name} "
            f"({other.dataset_id}), or nearly ({pair.bits} bits apart, detail alike to {pair.similarity:.2f}); "
            f"{len(report.pairs)} such pairs"
        )
    part = report.searched[0]
    return {
        "name": other.name,
        "dataset_id": other.dataset_id,
        "threshold_bits": bits,
        "candidates": part.candidates,
        "undecided": part.undecided,
    }
