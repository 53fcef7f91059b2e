"""Class maps: which classes of a dataset become which classes of a format.

A map is YAML: `class key: name`, or `class key: null` to drop it; several keys may have one name. A name may also be a
mapping {name, isthing, train_id, color}. `"*"` stands for every class that is not named. The order of first mention is
that of the format's ids. Without a map, every class of the taxonomy is itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from engine.errors import UserError, near_matches
from engine.formats.record import Category
from engine.formats.registry import FormatCategory
from engine.plain import from_plain

REST = "*"
STUFF = "stuff"  # key of the class whose descendants are not things, as in scenes_usd/taxonomy.json


@dataclass(frozen=True)
class Target:
    """What a class becomes."""

    name: str
    isthing: bool | None = None  # None: unless it descends from `stuff`
    train_id: int | None = None
    color: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if not self.name or self.name != self.name.strip() or not self.name.isprintable():
            raise ValueError(f"name must be printable text on one line without spaces around it, got {self.name!r}")
        if self.color is not None and not all(0 <= value <= 255 for value in self.color):
            raise ValueError(f"color must be three numbers 0..255, got {list(self.color)}")
        if self.train_id is not None and not -1 <= self.train_id <= 255:
            raise ValueError(f"train_id must be in -1..255, got {self.train_id}")


@dataclass(frozen=True)
class ClassMap:
    """Classes of a format, and which class of the dataset becomes which; a dropped one is None, others are missing."""

    categories: tuple[FormatCategory, ...]
    of_key: Mapping[str, FormatCategory | None]


def identity_map(classes: tuple[Category, ...]) -> ClassMap:
    """Return the map that keeps every class under its key.

    Raises:
        UserError: If a key cannot be a name in files of text.
    """
    return _build({c.key: from_plain(Target, {"name": c.key}, f"class {c.key!r}") for c in classes}, classes)


def read_class_map(path: Path, classes: tuple[Category, ...]) -> ClassMap:
    """Return the map in a YAML file.

    Raises:
        UserError: If it cannot be read, names a class that is not in the taxonomy, or contradicts itself.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"--classes {path}: cannot be read: {' '.join(str(error).split())}") from error
    return class_map_of(data, classes, str(path))


def class_map_of(data: Any, classes: tuple[Category, ...], where: str) -> ClassMap:
    """Return the map in plain data; see `read_class_map`."""
    if not isinstance(data, Mapping) or not data:
        raise UserError(f"{where}: expected a mapping of class keys to names, such as `carton: box` or `wall: null`")
    known = tuple(c.key for c in classes)
    targets: dict[str, Target | None] = {}
    for key, value in data.items():
        if not isinstance(key, str):
            raise UserError(f"{where}: the key {key!r} is not text; write it in quotes")
        if key != REST and key not in known:
            raise UserError(f"{where}: the dataset has no class '{key}'; near: {near_matches(key, known)}")
        plain = value if isinstance(value, Mapping) or value is None else {"name": value}
        targets[key] = None if plain is None else from_plain(Target, plain, f"{where}: {key}")
    if REST in targets:
        rest = targets.pop(REST)
        targets |= {key: rest for key in known if key not in targets}
    return _build(targets, classes, where)


def check_mapped(mapped: ClassMap, seen: Mapping[str, int]) -> None:
    """Refuse a map that leaves out classes with instances; `seen` counts them by key.

    Raises:
        UserError: One line that lists them all.
    """
    missing = sorted(key for key in seen if key not in mapped.of_key)
    if missing:
        listed = ", ".join(f"{key} ({seen[key]} instances)" for key in missing)
        raise UserError(f"the class map does not say what becomes of {listed}; give each a name, or null to drop it")
    if not mapped.categories:
        raise UserError("the class map drops every class; give one a name")


def _build(targets: Mapping[str, Target | None], classes: tuple[Category, ...], where: str = "classes") -> ClassMap:
    by_key = {c.key: c for c in classes}
    members: dict[str, list[str]] = {}
    for key, target in targets.items():
        if target is not None:
            members.setdefault(target.name, []).append(key)
    categories = {}
    for number, (name, keys) in enumerate(members.items()):
        of_name = [targets[key] for key in keys]
        categories[name] = FormatCategory(
            number, name, tuple(sorted(keys)), by_key[keys[0]].supercategory,
            **_keypoints(name, [by_key[key] for key in keys], where),
            isthing=_one(name, "isthing", [target.isthing for target in of_name if target], where)
            if any(target and target.isthing is not None for target in of_name)
            else not all(_is_stuff(key, by_key) for key in keys),
            train_id=_one(name, "train_id", [target.train_id for target in of_name if target], where),
            color=_one(name, "color", [target.color for target in of_name if target], where),
        )  # fmt: skip
    of_key = {key: None if target is None else categories[target.name] for key, target in targets.items()}
    return ClassMap(tuple(categories.values()), of_key)


def _one(name: str, field: str, values: list[Any], where: str) -> Any:
    """Return the value that the keys of one name agree on; None says nothing."""
    said = {value for value in values if value is not None}
    if len(said) > 1:
        raise UserError(f"{where}: the classes that become '{name}' have different {field}: {sorted(said)}; write one")
    return said.pop() if said else None


def _keypoints(name: str, members: list[Category], where: str) -> dict[str, Any]:
    having = [c for c in members if c.keypoints]
    odd = next((c for c in having if c.keypoints != having[0].keypoints), None)
    if odd is not None:
        raise UserError(f"{where}: {having[0].key} and {odd.key} have different keypoints, so both cannot be '{name}'")
    fields = ("keypoints", "skeleton", "sigmas")
    return {field: getattr(having[0], field) for field in fields} if having else {}


def _is_stuff(key: str, classes: Mapping[str, Category]) -> bool:
    """Return whether a class is `stuff` or descends from it; a circle of parents ends the search."""
    seen: set[str] = set()
    while key in classes and key not in seen:
        if key == STUFF:
            return True
        seen.add(key)
        key = classes[key].supercategory
    return key == STUFF
