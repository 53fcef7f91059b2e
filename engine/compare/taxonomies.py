"""Classes that were added, removed, renamed, renumbered or redefined between two taxonomies."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from typing import Any

from engine.compare.model import Difference
from engine.compare.parameters import say
from engine.plain import to_plain
from engine.scene.taxonomy import ObjectClass, Taxonomy

BREAKING, CHANGING, NAMING = 3.0, 2.0, 1.0  # weights: labels mean something else; classes come and go; words
MOST_NAMED = 8  # classes of a line
IDENTITY = frozenset({"id", "key"})


def compare_taxonomies(one: Taxonomy, two: Taxonomy, used: Collection[str] = ()) -> list[Difference]:
    """Return how two taxonomies differ, class by class.

    Args:
        one: The earlier one.
        two: The later one.
        used: Keys of classes that have instances in either dataset; others that came or went share a line.
    """
    if one.id == two.id:
        return []
    found = list(_together(list(_classes(one, two)), used))
    if one.version != two.version:
        facts = {"before": one.version, "after": two.version}
        found.append(Difference("taxonomy", "changed", "version", f"{one.version} -> {two.version}", 0.5, facts))
    return found or [Difference("taxonomy", "changed", "id", f"{one.id} -> {two.id}", 0.5)]


def _together(found: list[Difference], used: Collection[str]) -> Iterator[Difference]:
    """Yield differences, classes that nothing is labelled with and that came or went without a clash in one."""
    unused: dict[str, list[Difference]] = {"added": [], "removed": []}
    for one in found:
        is_unused = one.change in unused and one.weight == CHANGING and one.facts.get("key") not in used
        if is_unused:
            unused[one.change].append(one)
        else:
            yield one
    for change, those in unused.items():
        if len(those) == 1:
            yield those[0]
        elif those:
            keys = [one.facts["key"] for one in those]
            text = f"{len(keys)} {change} that nothing is labelled with: {', '.join(keys[:MOST_NAMED])}"
            text += " and more" if len(keys) > MOST_NAMED else ""
            yield Difference("taxonomy", change, "classes", text, NAMING - 0.1, {"keys": keys})


def _classes(one: Taxonomy, two: Taxonomy) -> Iterator[Difference]:
    before, after = ({c.key: c for c in taxonomy.classes} for taxonomy in (one, two))
    id_before, id_after = ({c.id: c for c in taxonomy.classes} for taxonomy in (one, two))
    for key in sorted(before.keys() - after.keys()):
        old = before[key]
        new = id_after.get(old.id)
        if new is None:
            yield _of(key, "removed", f"removed, was id {old.id}", CHANGING, old, None)
        elif new.key in before:  # it had another id there, which is said of it
            yield _of(key, "removed", f"removed; its id {old.id} is now that of '{new.key}'", BREAKING, old, None)
        else:
            text = f"renamed to '{new.key}', id {old.id}, if it is the same class; else the id was used again"
            yield _of(key, "renamed", text, BREAKING, old, new)
            yield from _fields(new.key, old, new)
    for key in sorted(after.keys() - before.keys()):
        new = after[key]
        if new.id not in id_before or id_before[new.id].key in after:
            yield _of(key, "added", f"added, id {new.id}", CHANGING, None, new)
    for key in sorted(before.keys() & after.keys()):
        old, new = before[key], after[key]
        if old.id != new.id:
            yield _of(key, "renumbered", f"id {old.id} -> {new.id}", BREAKING, old, new)
        yield from _fields(key, old, new)


def _fields(key: str, old: ObjectClass, new: ObjectClass) -> Iterator[Difference]:
    """Yield what else differs between two classes: name, parent, definition, keypoints, and whatever there is."""
    for field in dataclasses.fields(ObjectClass):
        if field.name in IDENTITY:
            continue
        before, after = (to_plain(getattr(one, field.name)) for one in (old, new))
        if before != after:
            is_meaning = field.name in ("definition", "parent", "keypoints", "skeleton")
            change = "redefined" if is_meaning else "changed"
            text = f"{field.name} {say(before)} -> {say(after)}"
            weight = CHANGING + 0.5 if is_meaning else NAMING
            facts: dict[str, Any] = {"field": field.name, "before": before, "after": after}
            yield Difference("taxonomy", change, f"class {key}", text, weight, facts)


def _of(
    key: str, change: str, text: str, weight: float, old: ObjectClass | None, new: ObjectClass | None
) -> Difference:
    facts: dict[str, Any] = {"key": key}
    facts |= {name: one.id for name, one in (("id_before", old), ("id_after", new)) if one is not None}
    return Difference("taxonomy", change, f"class {key}", text, weight, facts)
