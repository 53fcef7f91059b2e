"""Instances that are drawn: sorted, with stable ids and classes."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.scene.class_map import ClassMap
from engine.scene.error import SceneError
from engine.scene.model import Instances, Placements
from engine.scene.taxonomy import Taxonomy
from engine.scene.usd.instancer import Owners
from engine.scene.usd.semantics import UNLABELLED, Label, taxonomy_of_classes
from engine.scene.usd.stage import OpenStage


def instances_of(
    opened: OpenStage,
    owners: Owners,
    placements: Placements,
    fixed: Taxonomy | None,
    class_map: ClassMap | None = None,
    parts: Mapping[str, tuple[str, ...]] | None = None,
) -> tuple[Instances, NDArray[np.int32], Taxonomy]:
    """Return the instances that are drawn, sorted by path, the new index of every owner, and the taxonomy in use.

    Args:
        opened: The stage.
        owners: All instances found, drawn or not.
        placements: What is drawn; its instances are indices of owners.
        fixed: The taxonomy; None: made from the classes found.
        class_map: The user's patterns, which have been asked about every prim.
        parts: Labels of the face subsets of a drawn prim, by its path.
    Raises:
        SceneError: If the ids of two instances are equal.
    """
    ranked = sorted(np.unique(placements.instance).tolist(), key=owners.path.__getitem__)
    named = {index: _label(owners, index, class_map) for index in ranked}
    taxonomy = fixed or taxonomy_of_classes(label.key for label in named.values() if label and label.key)
    id_of = {entry.key: entry.id for entry in taxonomy.classes}
    order = np.zeros(len(owners.path), np.int32)
    order[ranked] = np.arange(1, len(ranked) + 1)
    inner = _part_tags(placements, parts or {})
    class_id, source = [UNLABELLED], ["none"]
    tags: list[tuple[str, ...]] = [()]
    for index in ranked:
        label = named[index]
        class_id.append(id_of.get(label.key, UNLABELLED) if label else UNLABELLED)
        source.append(label.source if label else "none")
        tags.append(tuple(dict.fromkeys((*(label.tags if label else ()), *inner[index]))))
        if label and label.key and label.key not in id_of:
            opened.notes.add("error", owners.path[index], f"class '{label.key}' is not in the taxonomy; add it there")
    for pattern in class_map.unused if class_map else ():
        opened.notes.add("error", "class_map", f"'{pattern}' decides the class of no prim; is it spelt right?")
    path = ("", *(owners.path[index] for index in ranked))
    matrix = np.stack([np.eye(4), *(owners.matrix[index] for index in ranked)])
    world = opened.units.world_from_local(matrix)
    world[0] = np.eye(3, 4)
    instances = Instances(path, stable_ids(path), np.array(class_id, np.int32), tuple(source), tuple(tags), world)
    return instances, order, taxonomy


def stable_ids(paths: Sequence[str]) -> NDArray[np.uint64]:
    """Return the first 8 bytes of the sha256 of every path but the first, which is the background: 0.

    A path names prim and elements (`/Trees[7][2]`: element 2 of what element 7 shows) and nothing else, so an id
    outlives every edit that does not rename its own prim.

    Raises:
        SceneError: If two are equal, which among 2 million happens once in 10^7 scenes.
    """
    ids = [0] + [int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") for path in paths[1:]]
    seen: dict[int, str] = {0: ""}
    for number, path in zip(ids[1:], paths[1:], strict=True):
        if number in seen:
            raise SceneError(f"instances '{seen[number]}' and '{path}' have the same stable id; rename one")
        seen[number] = path
    return np.array(ids, np.uint64)


def _label(owners: Owners, index: int, class_map: ClassMap | None) -> Label | None:
    """Return the label of an instance; a pattern that names elements wins over what the instancer says."""
    label, path = owners.label[index], owners.path[index]
    mapped = class_map.find_element(path) if class_map and "[" in path else None
    if mapped is None:
        return label
    return Label(mapped, "mapping", (*(label.tags if label else ()), *([mapped] if mapped else [])))


def _part_tags(placements: Placements, parts: Mapping[str, tuple[str, ...]]) -> defaultdict[int, tuple[str, ...]]:
    """Return the labels of face subsets by the instance that their prim belongs to."""
    found: defaultdict[int, tuple[str, ...]] = defaultdict(tuple)
    for prim, owner in zip(placements.prim, placements.instance.tolist(), strict=True) if parts else ():
        if prim in parts:
            found[owner] = tuple(dict.fromkeys((*found[owner], *parts[prim])))
    return found


def renumbered(placements: Placements, order: NDArray[np.int32]) -> Placements:
    """Return the placements with the new indices of their instances."""
    instance = order[placements.instance] if len(order) else placements.instance
    return replace(placements, instance=instance.astype(np.int32))
