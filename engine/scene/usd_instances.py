"""Instances that are drawn: sorted, with stable ids and classes."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.scene.model import Instances, Placements
from engine.scene.taxonomy import Taxonomy
from engine.scene.usd import OpenStage
from engine.scene.usd_instancer import Owners
from engine.scene.usd_semantics import UNLABELLED, taxonomy_of_classes


def instances_of(
    opened: OpenStage, owners: Owners, placements: Placements, fixed: Taxonomy | None
) -> tuple[Instances, NDArray[np.int32], Taxonomy]:
    """Return the instances that are drawn, sorted by path, the new index of every owner, and the taxonomy in use."""
    ranked = sorted(np.unique(placements.instance).tolist(), key=owners.path.__getitem__)
    taxonomy = fixed or taxonomy_of_classes(label.key for index in ranked if (label := owners.label[index]))
    id_of = {entry.key: entry.id for entry in taxonomy.classes}
    order = np.zeros(len(owners.path), np.int32)
    order[ranked] = np.arange(1, len(ranked) + 1)
    class_id, source, tags = [UNLABELLED], ["none"], [()]
    for index in ranked:
        label = owners.label[index]
        class_id.append(id_of.get(label.key, UNLABELLED) if label else UNLABELLED)
        source.append(label.source if label else "none")
        tags.append(label.tags if label else ())
        if label and label.key not in id_of:
            opened.notes.add("error", owners.path[index], f"class '{label.key}' is not in the taxonomy; add it there")
    path = ("", *(owners.path[index] for index in ranked))
    stable_id = [0] + [int.from_bytes(hashlib.sha256(p.encode()).digest()[:8], "big") for p in path[1:]]
    matrix = np.stack([np.eye(4), *(owners.matrix[index] for index in ranked)])
    world = opened.units.world_from_local(matrix)
    world[0] = np.eye(3, 4)
    instances = Instances(
        path, np.array(stable_id, np.uint64), np.array(class_id, np.int32), tuple(source), tuple(tags), world
    )
    return instances, order, taxonomy


def renumbered(placements: Placements, order: NDArray[np.int32]) -> Placements:
    """Return the placements with the new indices of their instances."""
    instance = order[placements.instance] if len(order) else placements.instance
    return replace(placements, instance=instance.astype(np.int32))
