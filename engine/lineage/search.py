"""Find datasets, exports and runs below some folders, by what their own records say they are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.dataset.manifest import Manifest, read_manifest
from engine.errors import UserError
from engine.formats.export import EXPORT
from engine.lineage.ledger import read_entries
from engine.lineage.node import NODE, RunNode, read_node
from engine.write.begin import HEADER, MANIFEST
from engine.write.files import hash_file
from engine.write.record import read_json

DEEPEST = 3  # folders below one that is searched
MOST_FOLDERS = 20_000  # that are looked into


@dataclass(frozen=True)
class FoundExport:
    """An export: where, in which format, and of which dataset."""

    folder: Path
    format: str
    dataset_id: str
    sha256: str  # of its export.json


@dataclass
class Found:
    """What lies around. Keys are ids; a dataset that is there twice counts once."""

    datasets: dict[str, tuple[Path, Manifest]] = field(default_factory=dict)
    runs: dict[str, tuple[Path, RunNode]] = field(default_factory=dict)
    exports: dict[str, FoundExport] = field(default_factory=dict)  # by the hash of export.json
    notes: list[str] = field(default_factory=list)  # what could not be read

    def add(self, folder: Path) -> bool:
        """Take in what a folder is, if it is something; return whether to look below it."""
        try:
            if (folder / HEADER).is_file():
                if (folder / MANIFEST).is_file():
                    manifest = read_manifest(folder / MANIFEST)
                    self.datasets.setdefault(manifest.dataset_id, (folder, manifest))
                return False
            if (folder / EXPORT).is_file():
                self._add_export(folder, read_json(folder / EXPORT))
                return False
            if (folder / NODE).is_file():
                node = read_node(folder)
                self.runs.setdefault(node.id, (folder, node))
        except (UserError, OSError, KeyError, TypeError) as error:
            self.notes.append(f"{folder}: {error}")
        return True

    def follow_ledger(self, dataset: Path) -> None:
        """Take in the runs and exports that the ledger of a dataset names, where they still are."""
        try:
            entries = list(read_entries(dataset))
        except (ValueError, TypeError, OSError) as error:
            self.notes.append(f"{dataset}: its ledger cannot be read ({error}); see tamper-check")
            return
        for entry in entries:
            key = {"run": "folder", "export": "target"}.get(entry.event.split(".")[0])
            place = entry.facts.get(key) if key else None
            if isinstance(place, str) and Path(place).is_dir():
                self.add(Path(place))

    def _add_export(self, folder: Path, said: Any) -> None:
        if isinstance(said, dict) and isinstance(said.get("dataset_id"), str):
            digest = hash_file(folder / EXPORT)
            self.exports[digest] = FoundExport(folder, str(said.get("format")), said["dataset_id"], digest)


def search(folders: Iterable[Path]) -> Found:
    """Return what lies in the folders, down to a depth; links are not followed, hidden folders not looked into."""
    found, seen = Found(), 0
    for top in folders:
        for here, below, _ in os.walk(top):
            place = Path(here)
            seen += 1
            depth = len(place.relative_to(top).parts)
            if not found.add(place) or depth >= DEEPEST or seen > MOST_FOLDERS:
                below.clear()
            below[:] = sorted(name for name in below if not name.startswith("."))
        if seen > MOST_FOLDERS:
            found.notes.append(f"{top}: only {MOST_FOLDERS} folders were looked into; name deeper ones with --search")
            break
    return found
