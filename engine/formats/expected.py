"""Records with the classes that a trainer expects; refused, with the class named, where labels would mean others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.formats.from_rows import categories_of
from engine.formats.record import Category, Frame, Instance, Source
from engine.scene.taxonomy import Taxonomy, taxonomy_from_json
from engine.scene.taxonomy_changes import Finding, check_successor, mapping_between, same_classes, steps_between
from engine.write.record import read_json

SHOWN = 3  # findings in a refusal
CLASS_MAP = "class_map"  # pixels with ids of the dataset's taxonomy


def read_expected(path: Path) -> Taxonomy:
    """Return the taxonomy in a file, that of a dataset as well.

    Raises:
        UserError: If it is none.
    """
    if path.is_dir():
        path = path / "taxonomy.json"
    if not path.is_file():
        raise UserError(f"{path} is missing; name a taxonomy.json, or a dataset that has one")
    try:
        return taxonomy_from_json(read_json(path))
    except ValueError as error:
        raise UserError(f"{path} is not a taxonomy: {error}") from error


def expected_classes(ours: Taxonomy, expected: Taxonomy, seen: Collection[str], where: str) -> dict[str, str] | None:
    """Return what every class that has labels is called in the taxonomy that is expected; None: all are the same.

    Args:
        ours: Of the dataset.
        expected: Of whoever reads the export.
        seen: Keys of classes that have labels.
        where: What names the taxonomy that is expected, for errors.
    Raises:
        UserError: If labels would mean something else there; it names the classes.
    """
    if same_classes(ours, expected):
        return None
    findings = check_successor(ours, expected)
    if findings:
        later = not check_successor(expected, ours)
        if later:
            findings = _since(expected, ours) or findings
        head = f"{where} is version {expected.version}, " + (
            f"older than version {ours.version} of the dataset" if later else f"no version after {ours.version}"
        )
        raise UserError(f"{head}: {_listed(findings)}")
    mapping, lossy = mapping_between(ours, expected)
    lossy = tuple(finding for finding in lossy if finding.key in seen)
    if lossy:
        raise UserError(f"{where}: {_listed(lossy)}, with `python -m engine.dataset taxonomy convert`")
    return {key: into for key, into in mapping.items() if into is not None}


def _since(expected: Taxonomy, ours: Taxonomy) -> tuple[Finding, ...]:
    """Return what happened to classes of the older version that a trainer still expects."""
    steps, last = steps_between(expected, ours), "train with the taxonomy.json of the dataset"
    return tuple(
        Finding(c.key, c.id, step.reason or f"is called {', '.join(step.into)} now", last)
        for c in expected.classes
        if (step := steps[c.key]).needs_rule or step.into != (c.key,)
    )


def _listed(findings: tuple[Finding, ...]) -> str:
    rest = len(findings) - SHOWN
    return "; ".join(map(str, findings[:SHOWN])) + (f"; and {rest} more" if rest > 0 else "")


@dataclass(frozen=True)
class Reclassed:
    """The frames of a source under the classes of another version; see `engine.formats.record.Source`."""

    source: Source
    taxonomy: Taxonomy
    mapping: Mapping[str, str]

    @property
    def name(self) -> str:
        """What the data are called."""
        return self.source.name

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes of that version."""
        return categories_of(self.taxonomy)

    def world_values(self, column: str) -> dict[tuple[int, int], Any] | None:
        """Return the values of a column of the worlds index, where the source has such an index."""
        values = getattr(self.source, "world_values", None)
        found: dict[tuple[int, int], Any] | None = None if values is None else values(column)
        return found

    def frames(self) -> Iterator[Frame]:
        """Yield frame after frame, without pixels that hold ids of the other version."""
        for frame in self.source.frames():
            files = {role: path for role, path in frame.files.items() if role != CLASS_MAP}
            yield replace(frame, instances=tuple(map(self._instance, frame.instances)), files=files)

    def _instance(self, instance: Instance) -> Instance:
        return replace(instance, category=self.mapping[instance.category])
