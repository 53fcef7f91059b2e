"""Acceleration structures: one tree a mesh, shared by all worlds, and one over the placements of every row.

Trees of meshes are built on the CPU; a CUDA device receives copies with nodes of four children. Where meshes move they
are refitted on the device (refit.py). Trees over placements are built on the device for every batch.
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
class MeshTree:
    """The tree of one mesh."""

    node: NDArray[np.float32]
    block: NDArray[np.float32]
    stack_entries: int  # that a traversal of it may need


@dataclass(frozen=True)
class TreeSpans:
    """Where the trees of all meshes lie in their arrays: those of mesh m from [m] to [m + 1]."""

    node: NDArray[np.int32]  # [mesh + 1]
    block: NDArray[np.int32]  # [mesh + 1]
    stack_entries: NDArray[np.int32]  # [mesh], that a traversal of one may need


@dataclass(frozen=True)
class MeshTrees:
    """Trees of all meshes, one after the other."""

    node: NDArray[np.float32]
    block: NDArray[np.float32]
    spans: TreeSpans

    @property
    def first_node(self) -> NDArray[np.int32]:
        """Return where the nodes of every mesh begin, [mesh]."""
        return self.spans.node[:-1]

    @property
    def first_block(self) -> NDArray[np.int32]:
        """Return where the blocks of every mesh begin, [mesh]."""
        return self.spans.block[:-1]

    @property
    def root_code(self) -> NDArray[np.int32]:
        """Return where a traversal of every mesh begins, [mesh]: node 0, or the only leaf."""
        is_leaf = (np.diff(self.spans.node) == 1) & (np.diff(self.spans.block) == 1)
        return np.where(is_leaf, ONLY_LEAF, 0).astype(np.int32)

    @property
    def stack_entries(self) -> int:
        """Return the most entries that a traversal of one of them may need."""
        return int(self.spans.stack_entries.max(initial=0))


def lanes_of(device: wp.DeviceLike) -> int:
    """Return how many children a wide node has on a device."""
    return int(gpu.bvh.CPU_LANES if wp.get_device(device).is_cpu else gpu.bvh.CUDA_LANES)


def build_mesh_trees(meshes: Sequence[Mesh], lanes: int) -> MeshTrees:
    """Return the trees of all meshes; every mesh has at least one triangle."""
    return join_trees([build_mesh_tree(mesh, lanes) for mesh in meshes], lanes)


def join_trees(parts: Sequence[MeshTree], lanes: int) -> MeshTrees:
    """Return trees one after the other."""
    nodes = [len(part.node) // (8 * lanes) for part in parts]
    blocks = [len(part.block) // gpu.bvh.BLOCK_FLOATS for part in parts]
    node_ends, block_ends = (np.cumsum([0, *counts], dtype=np.int32) for counts in (nodes, blocks))
    empty = np.zeros(0, np.float32)
    return MeshTrees(
        node=np.concatenate([part.node for part in parts]) if parts else empty,
        block=np.concatenate([part.block for part in parts]) if parts else empty,
        spans=TreeSpans(node_ends, block_ends, np.array([part.stack_entries for part in parts], np.int32)),
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


def build_mesh_tree(mesh: Mesh, lanes: int) -> MeshTree:
    """Return the tree of a mesh."""
    corner = mesh.points_m[mesh.triangle].astype(np.float32)  # [triangle, corner, 3]
    corner += 0.0  # makes -0 to 0: which of them is the lower end of a box would be a matter of chance
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
    return MeshTree(node, job.block.numpy()[: blocks * gpu.bvh.BLOCK_FLOATS].copy(), need)
