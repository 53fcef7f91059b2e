"""The versioned list of classes. Ids are never reused and never depend on the order of first sight."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import rfc8785

from engine.keypoints import check_name


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
        ValueError: If a field is missing or has the wrong type, an id is below 1, an id or key is used twice, or what
            it says of keypoints does not fit together.
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
    keypoints = _keypoints(row.get("keypoints", []), key)
    return ObjectClass(
        number, key, str(row.get("name", key)), str(row.get("parent", "")), str(row.get("definition", "")), keypoints,
        _skeleton(row.get("skeleton", []), key, len(keypoints)), _sigmas(row.get("sigmas", []), key, len(keypoints)),
    )  # fmt: skip


def _keypoints(names: object, key: str) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"class {key}: keypoints must be a list of names")
    for name in names:
        try:
            check_name(name)
        except ValueError as error:
            raise ValueError(f"class {key}: {error}") from None
        if names.count(name) > 1:
            raise ValueError(f"class {key}: keypoint {name} is named twice")
    return tuple(names)


def _skeleton(pairs: object, key: str, count: int) -> tuple[tuple[int, int], ...]:
    if not isinstance(pairs, list):
        raise ValueError(f"class {key}: skeleton must be a list of pairs")
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(end) is int for end in pair):
            raise ValueError(f"class {key}: skeleton: {pair!r} is not a pair of numbers of keypoints, counted from 0")
        if pair[0] == pair[1] or not 0 <= min(pair) <= max(pair) < count:
            raise ValueError(f"class {key}: skeleton: {pair} must be two different numbers below {count}")
    return tuple((pair[0], pair[1]) for pair in pairs)


def _sigmas(values: object, key: str, count: int) -> tuple[float, ...]:
    if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
        raise ValueError(f"class {key}: sigmas must be a list of numbers")
    if len(values) not in (0, count) or not all(0.0 < value < float("inf") for value in values):
        raise ValueError(f"class {key}: sigmas must be {count} numbers above 0, or none")
    return tuple(float(value) for value in values)
