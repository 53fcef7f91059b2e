"""What material every labelled instance wears: the part of labels that says how it looks."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.labels.model import Labels
from engine.scene.model import Scene


@dataclass(frozen=True)
class MaterialSource:
    """Names of materials, and what instances wear as authored."""

    name: NDArray[np.str_]  # [material], prim paths
    own: NDArray[np.int32]  # [instance], the material of most of its triangles

    @classmethod
    def of(cls, scene: Scene) -> MaterialSource:
        """Return the source of a scene; an instance without triangles has the fallback, material 0."""
        placed, materials = scene.placements, max(len(scene.materials), 1)
        counts = np.zeros((len(scene.instances.path), materials), np.int64)
        for mesh, instance, first in zip(placed.mesh, placed.instance, placed.first_slot, strict=True):
            slots = np.bincount(scene.meshes[mesh].slot)
            worn = placed.slot_material[first : first + len(slots)]
            np.add.at(counts[instance], worn, slots)
        names = [material.name for material in scene.materials] or [""]
        return cls(np.array(names), counts.argmax(axis=1).astype(np.int32))


def with_materials(labels: Labels, draft: Draft, source: MaterialSource) -> Labels:
    """Return labels with the prim path of the material that each row's instance wears in the draft."""
    row = labels.view // max(draft.world_from_camera.shape[1], 1)
    drawn = draft.material[row, labels.instance]
    material = np.where(drawn >= 0, drawn, source.own[labels.instance])
    return dataclasses.replace(labels, material=source.name[material])
