"""Acceleration structures: one tree a mesh, shared by all worlds, and one over the placements of every row.

Trees of meshes are built once, on the CPU; a CUDA device receives copies with nodes of four children. Trees over
placements are built on the device for every batch.
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
from engine.render.program import Program
from engine.scene.model import Mesh

ONLY_LEAF = -1  # code of a leaf that is block 0 alone, see kernels/native/traverse.cpp


@dataclass(frozen=True)
class MeshTrees:
    """Trees of all meshes, one after the other."""

    node: NDArray[np.float32]
    block: NDArray[np.float32]
    first_node: NDArray[np.int32]  # [mesh]
    first_block: NDArray[np.int32]  # [mesh]
    root_code: NDArray[np.int32]  # [mesh], where a traversal begins: node 0, or the only leaf
    stack_entries: int  # the most that a traversal of one of them may need


def lanes_of(device: wp.DeviceLike) -> int:
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
        root_code=np.array([ONLY_LEAF if n == b == 1 else 0 for n, b in zip(nodes, blocks, strict=True)], np.int32),
        stack_entries=max((need for _, _, need in parts), default=0),
    )


def top_build(low_m: wp.array, high_m: wp.array, node: wp.array, lanes: int) -> Any:
    """Return kernels.top.TopBuild for boxes [row, placement]; `node` has `top_nodes` wide nodes for every row.

    Boxes whose lower corner is above the upper one are left out: hidden placements have such. `lanes`: children of a
    wide node.
    """
    top, (rows, count), device = gpu.top, low_m.shape, low_m.device
    job = top.TopBuild()
    job.placement_count, job.lanes, job.sah_depth = count, lanes, top.sah_depth(count, lanes)
    job.row_floats = top.top_nodes(count, lanes) * 8 * lanes
    job.low_m, job.high_m, job.node = low_m, high_m, node
    job.order = wp.empty((rows, count), dtype=wp.int32, device=device)
    if not device.is_cpu:
        job.spare = wp.empty((rows, count), dtype=wp.int32, device=device)
        job.todo = wp.empty((rows, 8 * top.level_parts(count)), dtype=wp.int32, device=device)
    return job


def record_top_build(job: Any, need: wp.array, program: Program) -> None:
    """Record the launch that builds the trees over the boxes of some rows, on the device that walks them."""
    rows, threads = job.low_m.shape[0], 1 if wp.get_device(program.device).is_cpu else gpu.top.TOP_THREADS
    program.launch(gpu.top.build_top, (rows, threads), [job, need], block_dim=gpu.top.TOP_THREADS)


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
    job = gpu.bvh.Collapse()
    job.tree, job.lanes = tree.id, lanes
    job.corner = wp.array(corner.reshape(-1, 3), dtype=wp.vec3, device="cpu")
    job.node = wp.empty(count * 8 * lanes, dtype=wp.float32, device="cpu")  # an inner node has two children, at least
    job.block = wp.empty(count * gpu.bvh.BLOCK_FLOATS, dtype=wp.float32, device="cpu")
    job.stack = wp.empty(count * 3, dtype=wp.int32, device="cpu")
    job.out = wp.zeros(3, dtype=wp.int32, device="cpu")
    wp.launch(gpu.bvh.collapse_tree, 1, [job], device="cpu", record_tape=False)
    nodes, blocks, need = job.out.numpy().tolist()
    node = job.node.numpy()[: nodes * 8 * lanes].copy()
    return node, job.block.numpy()[: blocks * gpu.bvh.BLOCK_FLOATS].copy(), need
