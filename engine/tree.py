"""Acceleration structures: one tree a mesh, shared by all worlds, and one over the placements of every row.

Trees are built on the CPU; a CUDA device receives copies with nodes of four children.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.errors import UserError
from engine.scene.model import Mesh


@dataclass(frozen=True)
class MeshTrees:
    """Trees of all meshes, one after the other."""

    node: NDArray[np.float32]
    block: NDArray[np.float32]
    first_node: NDArray[np.int32]  # [mesh]
    first_block: NDArray[np.int32]  # [mesh]
    stack_entries: int  # the most that a traversal of one of them may need


def lanes_of(device: str) -> int:
    """Return how many children a wide node has on a device."""
    return int(gpu.bvh.CPU_LANES if wp.get_device(device).is_cpu else gpu.bvh.CUDA_LANES)


def build_mesh_trees(meshes: Sequence[Mesh], lanes: int) -> MeshTrees:
    """Return the trees of all meshes; every mesh has at least one triangle."""
    parts = [_mesh_tree(mesh, lanes) for mesh in meshes]
    nodes = [len(node) // (8 * lanes) for node, _, _ in parts]
    blocks = [len(block) // gpu.bvh.BLOCK_FLOATS for _, block, _ in parts]
    empty = np.zeros(0, np.float32)
    return MeshTrees(
        node=np.concatenate([node for node, _, _ in parts]) if parts else empty,
        block=np.concatenate([block for _, block, _ in parts]) if parts else empty,
        first_node=np.concatenate([[0], np.cumsum(nodes)])[:-1].astype(np.int32),
        first_block=np.concatenate([[0], np.cumsum(blocks)])[:-1].astype(np.int32),
        stack_entries=max((need for _, _, need in parts), default=0),
    )


def build_top_trees(low: NDArray[np.float32], high: NDArray[np.float32], lanes: int) -> tuple[NDArray[np.float32], int]:
    """Return wide nodes over the boxes of every row, [row, float], and the stack entries they may need.

    Args:
        low: Lower corners, [row, placement, 3].
        high: Upper corners, [row, placement, 3].
        lanes: Children of a node.
    """
    rows, count = low.shape[:2]
    if count == 0:
        return np.tile(_empty_node(lanes), (rows, 1)), lanes
    groups = np.repeat(np.arange(rows, dtype=np.int32), count)
    corners = [wp.array(v.reshape(-1, 3), dtype=wp.vec3, device="cpu") for v in (low, high)]
    tree = wp.Bvh(*corners, constructor="sah", groups=wp.array(groups, device="cpu"), leaf_size=1)
    job = _job(tree, lanes, parts=rows, part_items=count)
    job.grouped = 1
    wp.launch(gpu.bvh.collapse_tree, rows, [job], device="cpu", record_tape=False)
    need = int(job.out.numpy().reshape(rows, 3)[:, 2].max())
    return job.node.numpy().reshape(rows, -1), need


def _empty_node(lanes: int) -> NDArray[np.float32]:
    """Return a node whose children's boxes no ray meets."""
    node = np.zeros((8, lanes), np.float32)
    node[:3], node[3:6] = np.finfo(np.float32).max, -np.finfo(np.float32).max
    return node.reshape(1, -1)


def check_stack(mesh_entries: int, top_entries: int) -> None:
    """Refuse trees that a traversal could overflow on.

    Raises:
        UserError: If both levels together may need more entries than the traversal's stack has.
    """
    need = mesh_entries + top_entries + 1
    if need > gpu.bvh.STACK_ENTRIES:
        limit = gpu.bvh.STACK_ENTRIES
        raise UserError(f"trees need {need} stack entries, the traversal has {limit}: split the deepest mesh")


def _mesh_tree(mesh: Mesh, lanes: int) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    corner = mesh.points_m[mesh.triangle].astype(np.float32)  # [triangle, corner, 3]
    bounds = [wp.array(f(corner, axis=1), dtype=wp.vec3, device="cpu") for f in (np.min, np.max)]
    tree = wp.Bvh(*bounds, constructor="sah", leaf_size=gpu.bvh.LEAF_TRIANGLES)
    count = len(mesh.triangle)
    job = _job(tree, lanes, parts=1, part_items=count)
    job.triangles = 1
    job.corner = wp.array(corner.reshape(-1, 3), dtype=wp.vec3, device="cpu")
    job.block = wp.empty(count * gpu.bvh.BLOCK_FLOATS, dtype=wp.float32, device="cpu")
    wp.launch(gpu.bvh.collapse_tree, 1, [job], device="cpu", record_tape=False)
    nodes, blocks, need = job.out.numpy().tolist()
    node = job.node.numpy()[: nodes * 8 * lanes].copy()
    return node, job.block.numpy()[: blocks * gpu.bvh.BLOCK_FLOATS].copy(), need


def _job(tree: wp.Bvh, lanes: int, *, parts: int, part_items: int) -> Any:
    """Return a collapse whose parts have room for a node an item: an inner node has at least two children."""
    job = gpu.bvh.Collapse()
    job.tree, job.lanes = tree.id, lanes
    job.part_items = job.part_nodes = part_items
    job.node = wp.empty(parts * part_items * 8 * lanes, dtype=wp.float32, device="cpu")
    job.stack = wp.empty(parts * part_items * 3, dtype=wp.int32, device="cpu")
    job.out = wp.zeros(parts * 3, dtype=wp.int32, device="cpu")
    return job
