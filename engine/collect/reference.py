"""What a dataset is known by to those that were made from it, or used it."""

from __future__ import annotations

from pathlib import Path

from engine.collect.groups import group_columns
from engine.collect.intent import DatasetRef
from engine.dataset.manifest import Manifest


def reference_of(folder: Path, manifest: Manifest) -> DatasetRef:
    """Return the reference to the complete dataset in a folder, whose manifest this is."""
    return DatasetRef(
        manifest.dataset_id, manifest.recipe_id, manifest.taxonomy_id, manifest.content_root, manifest.origin,
        manifest.contains_real_imagery, manifest.counts.frames, folder.resolve().name, group_columns(folder),
    )  # fmt: skip
