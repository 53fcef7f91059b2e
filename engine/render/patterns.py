"""Procedural materials of a batch on a device: who wears which pattern, and which edges of meshes are sharp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.draft import Draft
from engine.render.inputs import Field, Inputs, field
from engine.scene.model import Mesh

SHARP_COS = np.cos(np.deg2rad(30.0))  # faces that meet at more than 30 degrees have a sharp edge
WELD_M = 1.0e-5  # corners closer than this are the same point


def pattern_fields(draft: Draft) -> list[Field]:
    """Return the patterns of a draft; none if it has no pattern, and no defect, which lie on patterns."""
    if draft.pattern.shape[1] == 0 and draft.defect.shape[1] == 0:
        return []
    return [
        field("pattern", wp.float32, draft.pattern, may_share=True),
        field("pattern_of_instance", wp.int32, draft.pattern_of_instance, np.int32, may_share=True),
        field("pattern_of_material", wp.int32, draft.pattern_of_material, np.int32, may_share=True),
        field("pattern_seed", wp.int32, draft.pattern_seed.view(np.int32), np.int32, may_share=True),
    ]


def patterns_of_rows(inputs: Inputs, materials: Any, sharp: wp.array) -> Any:
    """Return kernels.pattern.Patterns of the rows in `inputs`.

    Args:
        inputs: With the fields of `pattern_fields`.
        materials: kernels.material.Materials of the rows, whose layers share energy once patterns cover them.
        sharp: Of triangles.
    """
    patterns = gpu.pattern.Patterns()
    patterns.record, patterns.seed = inputs.array("pattern"), inputs.array("pattern_seed")
    patterns.of_instance = inputs.array("pattern_of_instance")
    patterns.of_material = inputs.array("pattern_of_material")
    patterns.look, patterns.sharp, patterns.energy = materials.instance, sharp, materials.energy
    materials.energy.is_deferred = 1
    return patterns


def sharp_edges(meshes: Sequence[Mesh]) -> NDArray[np.uint8]:
    """Return which edges of every triangle are sharp, mesh after mesh: bits 0, 1, 2 for corners 0-1, 1-2, 2-0.

    An edge is sharp where two faces that share it turn away from each other by more than 30 degrees. Borders are not.
    """
    return np.concatenate([np.zeros(0, np.uint8), *(_sharp_edges(mesh) for mesh in meshes)])


def _sharp_edges(mesh: Mesh) -> NDArray[np.uint8]:
    triangles = len(mesh.triangle)
    _, same = np.unique(np.round(mesh.points_m / WELD_M).astype(np.int64), axis=0, return_inverse=True)
    corner = same.reshape(-1)[mesh.triangle].astype(np.int64)
    points = mesh.points_m[mesh.triangle].astype(np.float64)
    normal = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1.0e-30)
    one, two = corner.reshape(-1), np.roll(corner, -1, axis=1).reshape(-1)
    key = np.minimum(one, two) * (len(mesh.points_m) + 1) + np.maximum(one, two)
    order = np.argsort(key, kind="stable")
    first, second = order[:-1], order[1:]
    n1, n2 = normal[first // 3], normal[second // 3]
    middle = points.mean(axis=1)
    is_convex = ((middle[second // 3] - middle[first // 3]) * n1).sum(axis=1) < 0.0
    pair = (key[first] == key[second]) & ((n1 * n2).sum(axis=1) < SHARP_COS) & is_convex
    sharp = np.zeros(3 * triangles, np.uint8)
    sharp[first[pair]] = sharp[second[pair]] = 1
    return np.asarray((sharp.reshape(-1, 3) * np.array([1, 2, 4], np.uint8)).sum(axis=1), np.uint8)
