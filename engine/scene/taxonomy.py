"""The versioned list of classes. Ids are never reused and never depend on the order of first sight."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import rfc8785

from engine.keypoints import check_name

T = TypeVar("T")

OPERATIONS = ("split", "merge", "rename", "add", "retire", "redefine")
RESULTS = {"split": (2, None), "merge": (1, 1), "rename": (1, 1)}  # how many classes come out; else none are named
STUFF = "stuff"  # key of the class whose descendants are not things, as in scenes_usd/taxonomy.json


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
    aliases: tuple[str, ...] = ()  # what else people and other formats call it
    min_area_px: int = 0  # smaller ones are not to be labelled; 0: there is no such rule


@dataclass(frozen=True)
class Change:
    """What became of a class on the way from one version to the next; see engine/scene/taxonomy_changes.py."""

    since: str  # "from" in the file: the version that still had the class as it was
    op: str  # one of OPERATIONS
    key: str  # "class" in the file
    into: tuple[str, ...] = ()  # what it is now: one class after a rename or merge, several after a split


@dataclass(frozen=True)
class RetiredClass:
    """A class of an earlier version. Its id is taken for ever."""

    id: int
    key: str


@dataclass(frozen=True)
class Taxonomy:
    """Classes sorted by id."""

    version: str
    classes: tuple[ObjectClass, ...]
    changes: tuple[Change, ...] = ()  # of all versions so far, oldest first
    retired: tuple[RetiredClass, ...] = ()  # sorted by id

    @property
    def id(self) -> str:
        """Content id, `tax_` and 16 hex digits of the sha256 of the canonical JSON (RFC 8785)."""
        return "tax_" + hashlib.sha256(rfc8785.dumps(self.to_json())).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the plain-data form, without the id. What is not used is left out, so that ids stay what they were."""
        plain: dict[str, Any] = {"schema": "taxonomy/1", "version": self.version}
        plain["classes"] = [_class_to_json(c) for c in self.classes]
        if self.changes:
            plain["changes"] = [_change_to_json(change) for change in self.changes]
        if self.retired:
            plain["retired"] = [{"id": old.id, "key": old.key} for old in self.retired]
        return plain

    @property
    def stuff(self) -> tuple[str, ...]:
        """The keys of `stuff` and what descends from it: surfaces that are not counted. A circle of parents ends."""
        parents = {c.key: c.parent for c in self.classes}
        found = {STUFF}
        while more := {key for key, parent in parents.items() if parent in found} - found:
            found |= more
        return tuple(sorted(found))


def _class_to_json(c: ObjectClass) -> dict[str, Any]:
    plain: dict[str, Any] = {"id": c.id, "key": c.key, "name": c.name, "parent": c.parent, "definition": c.definition}
    if c.keypoints:
        plain |= {"keypoints": list(c.keypoints), "skeleton": [list(pair) for pair in c.skeleton]}
        plain["sigmas"] = list(c.sigmas)
    if c.aliases:
        plain["aliases"] = list(c.aliases)
    if c.min_area_px:
        plain["min_area_px"] = c.min_area_px
    return plain


def _change_to_json(change: Change) -> dict[str, Any]:
    plain: dict[str, Any] = {"from": change.since, "op": change.op, "class": change.key}
    return plain | ({"into": list(change.into)} if change.into else {})


def taxonomy_from_json(data: object) -> Taxonomy:
    """Return the taxonomy that `Taxonomy.to_json` wrote; all but `id` and `key` of a class may be left out.

    Raises:
        ValueError: If a field is missing or has the wrong type, an id is below 1, an id or key is used twice, an id
            is that of a retired class, or what it says of keypoints or changes does not fit together.
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
    retired = sorted(_list(data, "retired", _retired_from_json), key=lambda old: old.id)
    for old in retired:
        if any(c.id == old.id for c in classes) or [other.id for other in retired].count(old.id) > 1:
            raise ValueError(f"class id {old.id} is that of the retired class {old.key} and cannot be used again")
    changes = _list(data, "changes", _change_from_json)
    return Taxonomy(str(data.get("version", "")), tuple(classes), tuple(changes), tuple(retired))


def _list(data: Mapping[str, Any], name: str, read: Callable[[dict[str, Any]], T]) -> list[T]:
    rows = data.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f'"{name}" must be a list of objects')
    return [read(row) for row in rows]


def _retired_from_json(row: dict[str, Any]) -> RetiredClass:
    number, key = row.get("id"), row.get("key")
    if type(number) is not int or number < 1 or not isinstance(key, str) or not key:
        raise ValueError(f'retired: {row} is not {{"id": ..., "key": ...}}')
    return RetiredClass(number, key)


def _change_from_json(row: dict[str, Any]) -> Change:
    since, op, key, into = row.get("from"), row.get("op"), row.get("class"), row.get("into", [])
    if not isinstance(since, str) or not isinstance(key, str) or not key:
        raise ValueError(f'changes: {row} needs "from", the version before, and "class"')
    if op not in OPERATIONS:
        raise ValueError(f"changes: {key}: op {op!r} is not one of: {', '.join(OPERATIONS)}")
    if not isinstance(into, list) or not all(isinstance(name, str) and name for name in into):
        raise ValueError(f"changes: {op} of {key}: into must be a list of class keys")
    least, most = RESULTS.get(op, (0, 0))
    if len(into) < least or (most is not None and len(into) > most) or len(set(into)) < len(into):
        wanted = {"split": "at least two classes", "merge": "one class", "rename": "one class"}.get(op, "nothing")
        raise ValueError(f"changes: {op} of {key}: into must name {wanted}, got {into}")
    return Change(since, str(op), key, tuple(into))


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
        _aliases(row.get("aliases", []), key), _min_area_px(row.get("min_area_px", 0), key),
    )  # fmt: skip


def _aliases(names: object, key: str) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError(f"class {key}: aliases must be a list of names")
    return tuple(names)


def _min_area_px(value: object, key: str) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"class {key}: min_area_px must be a whole number of pixels, got {value!r}")
    return value


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
