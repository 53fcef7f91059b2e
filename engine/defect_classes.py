"""Classes of defects and near-misses: what a scene lacks of them is added, so that every one has a class."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from engine.defect import DefectKind, is_near_miss
from engine.errors import UserError, near_matches
from engine.recipe import Recipe
from engine.scene.model import Scene
from engine.scene.taxonomy import ObjectClass

RANDOMIZER = "defect"  # the kind of entries that make defects
LABELS = {kind: kind.name.lower() for kind in DefectKind} | {
    DefectKind.PIT: "blowhole",
    DefectKind.CHIP: "break",
    DefectKind.SEAM: "seam_shift",
}  # fmt: skip - key of the class of a kind, where a recipe names no other


def has_defects(recipe: Recipe) -> bool:
    """Return whether a recipe may put defects or near-misses on something: then its dataset has a table of them."""
    return any(entry["kind"] == RANDOMIZER for entry in recipe.randomize.values())


def label_of(entry: Mapping[str, Any]) -> str:
    """Return the key of the class of an entry's defects: its own, or that of their kind."""
    return str(entry["label"] or LABELS[DefectKind[str(entry["defect"]).upper()]])


def with_defect_classes(scene: Scene, recipe: Recipe) -> Scene:
    """Return a scene whose classes hold those of the recipe's defects; ids go on after the largest.

    Raises:
        UserError: If the scene has a list of classes, which lacks one.
    """
    entries = {name: entry for name, entry in recipe.randomize.items() if entry["kind"] == RANDOMIZER}
    known, classes = {c.key for c in scene.taxonomy.classes}, list(scene.taxonomy.classes)
    for name, entry in sorted(entries.items()):
        key = label_of(entry)
        if key in known:
            continue
        if recipe.scene.taxonomy is not None:
            near = near_matches(key, tuple(sorted(known)))
            raise UserError(
                f"randomize.{name}: {recipe.scene.taxonomy} has no class '{key}'; it has {near}; add it, or set label"
            )
        kind = DefectKind[str(entry["defect"]).upper()]
        parent = "near_miss" if is_near_miss(kind) else "defect"
        classes.append(ObjectClass(1 + max((c.id for c in classes), default=0), key, key.replace("_", " "), parent))
        known.add(key)
    if len(classes) == len(scene.taxonomy.classes):
        return scene
    return dataclasses.replace(scene, taxonomy=dataclasses.replace(scene.taxonomy, classes=tuple(classes)))
