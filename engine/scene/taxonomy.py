"""The versioned list of classes. Ids are never reused and never depend on the order of first sight."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import rfc8785


@dataclass(frozen=True)
class ObjectClass:
    """One class of the taxonomy; ids start at 1, 0 means unlabelled."""

    id: int
    key: str
    name: str
    parent: str = ""
    definition: str = ""
    keypoints: tuple[str, ...] = ()  # names, in the order of every list of keypoints
    skeleton: tuple[tuple[int, int], ...] = ()  # which of them are joined, counted from 0
    sigmas: tuple[float, ...] = ()  # of COCO's keypoint similarity, one a keypoint; empty: DEFAULT_SIGMA each


@dataclass(frozen=True)
class Taxonomy:
    """Classes sorted by id."""

    version: str
    classes: tuple[ObjectClass, ...]

    @property
    def id(self) -> str:
        """Content id, `tax_` and 16 hex digits of the sha256 of the canonical JSON (RFC 8785)."""
        return "tax_" + hashlib.sha256(rfc8785.dumps(self.to_json())).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the plain-data form, without the id."""
        return {"schema": "taxonomy/1", "version": self.version, "classes": [_class_to_json(c) for c in self.classes]}


def _class_to_json(c: ObjectClass) -> dict[str, Any]:
    plain: dict[str, Any] = {"id": c.id, "key": c.key, "name": c.name, "parent": c.parent, "definition": c.definition}
    if c.keypoints:
        plain |= {"keypoints": list(c.keypoints), "skeleton": [list(pair) for pair in c.skeleton]}
        plain["sigmas"] = list(c.sigmas)
    return plain


def taxonomy_from_json(data: object) -> Taxonomy:
    """Return the taxonomy that `Taxonomy.to_json` wrote; `name`, `parent` and `definition` may be left out.

    Raises:
        ValueError: If a field is missing or has the wrong type, an id is below 1, or an id or key is used twice.
    """
    if not isinstance(data, dict) or data.get("schema") != "taxonomy/1":
        raise ValueError('expected an object with "schema": "taxonomy/1", "version" and "classes"')
    rows = data.get("classes")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError('"classes" must be a list of objects with "id" and "key"')
    classes = sorted((_class_from_json(row) for row in rows), key=lambda c: c.id)
    for values, what in (([str(c.id) for c in classes], "id"), ([c.key for c in classes], "key")):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ValueError(f"class {what} {twice[0]} is used twice")
    return Taxonomy(str(data.get("version", "")), tuple(classes))


def _class_from_json(row: dict[str, object]) -> ObjectClass:
    number, key = row.get("id"), row.get("key")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"class id {number!r} is not an integer from 1")
    if not isinstance(key, str) or not key:
        raise ValueError(f"class {number} has no key")
    return ObjectClass(
        number, key, str(row.get("name", key)), str(row.get("parent", "")), str(row.get("definition", ""))
    )
