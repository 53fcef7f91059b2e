"""Meshes whose points move, with trees that keep their shape: new boxes for the same nodes, in place, on the device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.render.arrays import to_device
from engine.render.inputs import Field, Inputs
from engine.render.program import Program
from engine.render.tree import TreeSpans, lanes_of
from engine.scene.model import Mesh, Scene

FACETED = np.zeros((1, 3, 3), np.float32)  # normals of a mesh that has none, for each of its triangles


class Refit:
    """Some meshes of a scene on a device, ready to move: launches recorded once, which allocate nothing.

    It holds the arrays of the scene's geometry, whose places stay. Work is queued on Warp's present stream.
    """

    def __init__(self, scene: Scene, geometry: Any, spans: TreeSpans, meshes: Sequence[int]) -> None:
        """Prepare meshes.

        Args:
            scene: What is on the device.
            geometry: kernels.geometry.Geometry of the scene.
            spans: Where the trees of its meshes lie.
            meshes: Those that will move: indexes, each once.
        """
        device = geometry.trees.node.device
        self.meshes, self._device = tuple(meshes), device
        parts = _parts(scene, geometry.trees, spans, self.meshes)
        levels = _levels(parts)
        nodes = np.concatenate(levels)
        self._mesh_of_node = nodes[:, 0]
        self._inputs = Inputs(_fields([part.mesh for part in parts]), str(device))
        self._surface = wp.empty(len(nodes), dtype=wp.vec2, device=device)
        self._read = self._surface if device.is_cpu else wp.empty(len(nodes), dtype=wp.vec2, device="cpu", pinned=True)
        moving = _moving(parts, self._inputs, str(device))
        moving.node = to_device(nodes[:, 1:], wp.vec3i, str(device))
        self._corners, self._boxes = Program(str(device)), Program(str(device))
        self._corners.call(self._inputs.upload)
        arrays = [geometry.trees.block, geometry.point_m, geometry.normal]
        self._corners.launch(gpu.refit.move_triangles, len(moving.triangle), [moving, *arrays])
        ends = np.cumsum([0, *map(len, levels)]).tolist()
        for first, end in pairwise(ends):
            arrays = [geometry.trees.block, geometry.trees.node, self._surface]
            self._boxes.launch(gpu.refit.refit_nodes, end - first, [moving, first, *arrays])
        bounds = [geometry.trees, moving.lanes, geometry.low_m, geometry.high_m]
        self._boxes.launch(gpu.refit.bound_meshes, len(geometry.low_m), bounds)

    def move(self, scene: Scene) -> None:
        """Queue new corners, normals and boxes; the meshes have the triangles, and as many points, as before.

        What was queued by an earlier call must be done: `cost` waits for it.
        """
        self._inputs.write(_fields([scene.meshes[mesh] for mesh in self.meshes]))
        self._corners.run()
        self._boxes.run()

    def refit(self) -> None:
        """Queue the boxes alone, around the corners that are there."""
        self._boxes.run()

    def cost(self) -> NDArray[np.float64]:
        """Wait for what is queued and return the cost of every tree, [mesh of `meshes`], as its boxes are now.

        It is the surface of all boxes in a tree over that of the box around it: how many of them a ray that meets this
        one meets on average. 0 where this one has no surface.
        """
        if self._read is not self._surface:
            wp.copy(self._read, self._surface)
            wp.synchronize_stream(wp.get_stream(self._device))
        whole, below = self._read.numpy().astype(np.float64).T
        count = len(self.meshes)
        total = np.bincount(self._mesh_of_node, below, count)
        roots = whole[len(whole) - count :]
        return np.divide(total, roots, out=np.zeros(count), where=roots > 0.0)


@dataclass(frozen=True)
class _Part:
    """A mesh, and where it is among those of the scene."""

    mesh: Mesh
    first_triangle: int
    first_node: int
    first_block: int
    code: NDArray[np.int32]  # [node, lane], of children
    name: NDArray[np.int32]  # [block, lane], of triangles


def _parts(scene: Scene, trees: Any, spans: TreeSpans, meshes: Sequence[int]) -> list[_Part]:
    """Return meshes with what the host must know of their trees, read from the device."""
    lanes, floats, out = lanes_of(trees.node.device), int(gpu.bvh.BLOCK_FLOATS), []
    first = np.cumsum([0, *(len(mesh.triangle) for mesh in scene.meshes)]).tolist()
    for mesh in meshes:
        (node, node_end), (block, block_end) = (ends[mesh : mesh + 2].tolist() for ends in (spans.node, spans.block))
        nodes = trees.node[8 * lanes * node : 8 * lanes * node_end].numpy().reshape(-1, 8, lanes)
        blocks = trees.block[floats * block : floats * block_end].numpy().reshape(-1, floats)
        code, name = (values.copy().view(np.int32) for values in (nodes[:, 6], blocks[:, -gpu.bvh.BLOCK_TRIANGLES :]))
        out.append(_Part(scene.meshes[mesh], first[mesh], node, block, code, name))
    return out


def _levels(parts: Sequence[_Part]) -> list[NDArray[np.int32]]:
    """Return the nodes of all trees by level, deepest first: part, node, first node and first block of the mesh."""
    levels: list[list[NDArray[np.int32]]] = []
    for index, part in enumerate(parts):
        depth, level = 0, np.zeros(1, np.int32)
        while len(level):
            if depth == len(levels):
                levels.append([])
            rows = np.empty((len(level), 4), np.int32)
            rows[:] = (index, part.first_node, part.first_node, part.first_block)
            rows[:, 1] += level
            levels[depth].append(rows)
            child = part.code[level]
            depth, level = depth + 1, child[child > 0]
    return [np.concatenate(level) for level in reversed(levels)]


def _moving(parts: Sequence[_Part], inputs: Inputs, device: str) -> Any:
    """Return kernels.refit.Moving without nodes."""
    moving = gpu.refit.Moving()
    moving.lanes = lanes_of(device)
    moving.point_m, moving.normal = inputs.array("point"), inputs.array("normal")
    first_point = np.cumsum([0, *(len(part.mesh.points_m) for part in parts)])
    corner = [part.mesh.triangle + first for part, first in zip(parts, first_point[:-1], strict=True)]
    triangle = [part.first_triangle + np.arange(len(part.mesh.triangle)) for part in parts]
    for name, values in (("corner", corner), ("triangle", triangle), ("place", [_places(part) for part in parts])):
        setattr(moving, name, to_device(np.concatenate(values).astype(np.int32), wp.int32, device))
    return moving


def _places(part: _Part) -> NDArray[np.int64]:
    """Return the lane among those of all blocks that holds each triangle."""
    name = part.name.reshape(-1)
    lane = np.flatnonzero(name >= 0)
    out = np.empty(len(lane), np.int64)
    out[name[lane]] = part.name.shape[1] * part.first_block + lane
    return out


def _fields(meshes: Sequence[Mesh]) -> list[Field]:
    """Return what the device must know of meshes that moved: their points, and the normals of their triangles."""
    points, points_end = _placed([mesh.points_m for mesh in meshes], [len(mesh.points_m) for mesh in meshes])
    normals = [FACETED if mesh.normal is None else mesh.normal for mesh in meshes]
    normals_placed, normals_end = _placed(normals, [len(mesh.triangle) for mesh in meshes])
    return [
        Field("point", wp.vec3, (points_end, 3), np.float32, points),
        Field("normal", wp.vec3, (normals_end, 3, 3), np.float32, normals_placed),
    ]


def _placed(
    values: Sequence[NDArray[np.float32]], counts: Sequence[int]
) -> tuple[tuple[tuple[slice, NDArray[np.float32]], ...], int]:
    """Return which rows hold which values, one after the other, and how many rows there are."""
    ends = np.cumsum([0, *counts]).tolist()
    return tuple((slice(*rows), value) for rows, value in zip(pairwise(ends), values, strict=True)), ends[-1]
