"""Which class of the taxonomy a class of the source becomes, so that real and synthetic data share ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from engine.errors import UserError, near_matches
from engine.formats.record import Category
from engine.scene.taxonomy import ObjectClass, Taxonomy, taxonomy_from_json
from engine.write.record import read_json


@dataclass(frozen=True)
class ClassPlan:
    """The classes of a dataset, and what becomes of those of its source."""

    taxonomy: Taxonomy
    key_of: Mapping[str, str | None]  # by the source's key; None: its instances are dropped

    @property
    def changed(self) -> dict[str, str | None]:
        """What becomes another class, or nothing."""
        return {name: key for name, key in self.key_of.items() if name != key}


def plan_classes(categories: Sequence[Category], taxonomy: Path | None, classes: Path | None) -> ClassPlan:
    """Return the classes that a source is taken in with.

    Args:
        categories: Of the source.
        taxonomy: taxonomy.json that classes are looked up in, by key, name or alias; None: the source's own classes.
        classes: YAML `name: class key` or `name: null`; names that it leaves out are looked up.
    Raises:
        UserError: If a class of the source has none in the taxonomy; it is named, with near matches.
    """
    told = {} if classes is None else read_class_names(classes, categories)
    if taxonomy is None:
        return _own_classes(categories, told)
    known = read_taxonomy_file(taxonomy)
    lookup = _lookup(known)
    key_of: dict[str, str | None] = {}
    keys = tuple(c.key for c in known.classes)
    for category in categories:
        if category.key in told and told[category.key] is None:
            key_of[category.key] = None
            continue
        wanted = told.get(category.key) or category.key
        found = lookup.get(wanted) or lookup.get(_plain(wanted))
        if found is None:
            raise UserError(
                f"class '{wanted}' is not in {taxonomy}; near: {near_matches(wanted, keys)}; map it with --classes "
                f"(`{category.key}: key`, or `{category.key}: null` to drop it)"
            )
        _check_keypoints(category, found, taxonomy)
        key_of[category.key] = found.key
    return ClassPlan(known, key_of)


def read_class_names(path: Path, categories: Sequence[Category]) -> dict[str, str | None]:
    """Return a map of names of the source to keys of classes.

    Raises:
        UserError: If it cannot be read, or names a class that the source has not.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"--classes {path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(data, Mapping) or not data:
        raise UserError(f"--classes {path}: expected a mapping such as `car: vehicle` or `tree: null`")
    known = tuple(c.key for c in categories)
    told: dict[str, str | None] = {}
    for name, key in data.items():
        if str(name) not in known:
            raise UserError(
                f"--classes {path}: the source has no class '{name}'; near: {near_matches(str(name), known)}"
            )
        if key is not None and (not isinstance(key, str) or not key.strip()):
            raise UserError(f"--classes {path}: {name}: {key!r} is not the key of a class; write text, or null")
        told[str(name)] = key
    return told


def read_taxonomy_file(path: Path) -> Taxonomy:
    """Return a taxonomy of a dataset or a scene.

    Raises:
        UserError: If it cannot be read or is none.
    """
    try:
        data = read_json(path)
        if isinstance(data, dict):
            data = {name: value for name, value in data.items() if name != "id"}
        return taxonomy_from_json(data)
    except (OSError, ValueError) as error:
        raise UserError(f"--taxonomy {path}: cannot be read: {' '.join(str(error).split())}") from error


def taxonomy_of(categories: Sequence[Category], version: str = "1") -> Taxonomy:
    """Return the taxonomy that the classes of a format make; ids are the format's own, counted from 1."""
    shift = 1 if any(category.id < 1 for category in categories) else 0
    return Taxonomy(version, tuple(
        ObjectClass(c.id + shift, c.key, c.name or c.key, c.supercategory, "", c.keypoints, c.skeleton, c.sigmas)
        for c in sorted(categories, key=lambda c: c.id)
    ))  # fmt: skip


def _own_classes(categories: Sequence[Category], told: Mapping[str, str | None]) -> ClassPlan:
    """Return the source's classes, some of them renamed; those of one new name become one, with the lowest id."""
    key_of: dict[str, str | None] = {c.key: told.get(c.key, c.key) if c.key in told else c.key for c in categories}
    kept: dict[str, ObjectClass] = {}
    for one in taxonomy_of(categories).classes:
        key = key_of[one.key]
        if key is not None and key not in kept:
            name = one.name if key == one.key else key
            kept[key] = ObjectClass(
                one.id, key, name, one.parent, "", one.keypoints, one.skeleton, one.sigmas
            )  # fmt: skip
    if categories and not kept:
        raise UserError("--classes drops every class; give one a key")
    return ClassPlan(Taxonomy("1", tuple(kept.values())), key_of)


def _lookup(taxonomy: Taxonomy) -> dict[str, ObjectClass]:
    """Return classes by what they may be called: keys before names before aliases, exact before simplified."""
    found: dict[str, ObjectClass] = {}
    calls = [[(c.key, c) for c in taxonomy.classes], [(c.name, c) for c in taxonomy.classes]]
    calls.append([(alias, c) for c in taxonomy.classes for alias in getattr(c, "aliases", ())])
    for simplify in (str, _plain):
        for call in calls:
            for word, one in call:
                found.setdefault(simplify(word), one)
    return found


def _plain(word: str) -> str:
    """Return a word as people mean it: case, blanks, hyphens and underscores do not count."""
    return "".join(word.casefold().replace("_", " ").replace("-", " ").split())


def _check_keypoints(category: Category, found: ObjectClass, taxonomy: Path) -> None:
    if category.keypoints and len(found.keypoints) != len(category.keypoints):
        raise UserError(
            f"class '{category.key}' has {len(category.keypoints)} keypoints, '{found.key}' of {taxonomy} has "
            f"{len(found.keypoints)}; give the class of the taxonomy the same ones"
        )
