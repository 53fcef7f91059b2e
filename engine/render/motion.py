"""A scene at another time: its meshes follow on the device, refitted in place or built anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence, Set
from dataclasses import dataclass

from engine import gpu
from engine.render.geometry import geometry_on_device, pose_placements
from engine.render.refit import Refit
from engine.render.same_stage import check_same_stage, is_equal
from engine.render.tree import MeshTree, build_mesh_tree, join_trees, lanes_of
from engine.render.worlds import SceneOnDevice
from engine.scene.model import Mesh, Scene

MODULE = "refit"  # of the kernels, loaded when something moves for the first time
# A tree is built anew when its cost is this many times what it was when built, or that many times less: from there on
# rays took 1.2 to 10 times as long as in a new tree, if a new one was better at all (docs/decisions/0001).
WORN = 2.0


@dataclass(frozen=True)
class Motion:
    """What became of meshes that moved: indexes into `Scene.meshes`; the others are as they were."""

    refitted: tuple[int, ...]  # in place
    rebuilt: tuple[int, ...]  # after which all trees are elsewhere


class Mover:
    """What moves the meshes of a scene, kept warm: those that moved once are ready to do so again."""

    def __init__(self) -> None:
        self._refit: Refit | None = None
        self._built_cost: dict[int, float] = {}  # of the trees of meshes that have moved, as they were built

    def move(self, base: SceneOnDevice, scene: Scene) -> tuple[SceneOnDevice, Motion]:
        """Return a scene on a device at another time, and what that took.

        Meshes that are the same object stay; others are refitted, or built where more than points and normals differ or
        the tree is worn. Only where something is built are arrays of the result new ones.

        Raises:
            UserError: If anything differs that neither meshes nor drafts bring along.
        """
        check_same_stage(base.scene, scene)
        pairs = list(zip(base.scene.meshes, scene.meshes, strict=True))
        other = [mesh for mesh, (before, after) in enumerate(pairs) if before is not after]
        moved = [mesh for mesh in other if may_refit(*pairs[mesh])]
        remade = {*other} - {*moved}
        if remade:
            self._refit = None  # made for other triangles, and all trees will be elsewhere
        worn = self._refit_meshes(base, scene, moved) if moved else set()
        if built := remade | worn:
            self._refit = None
            for mesh in built:
                self._built_cost.pop(mesh, None)
            refitted = tuple(mesh for mesh in moved if mesh not in worn)
            return with_built(base, scene, built), Motion(refitted, tuple(sorted(built)))
        pose_placements(base.geometry, scene)
        return dataclasses.replace(base, scene=scene), Motion(tuple(moved), ())

    def _refit_meshes(self, base: SceneOnDevice, scene: Scene, meshes: Sequence[int]) -> set[int]:
        """Refit meshes and return those whose trees are worn: made for points that were spread in another way."""
        ready = () if self._refit is None else self._refit.meshes
        if not {*meshes} <= {*ready}:  # something moves for the first time
            gpu.load((MODULE,), device=base.device, threads=1)
            self._refit = Refit(base.scene, base.geometry, base.spans, sorted({*ready, *meshes}))
            self._refit.refit()
            for mesh, cost in zip(self._refit.meshes, self._refit.cost(), strict=True):
                self._built_cost.setdefault(mesh, cost)
        assert self._refit is not None
        self._refit.move(scene)
        built = self._built_cost
        costs = zip(self._refit.meshes, self._refit.cost(), strict=True)
        return {mesh for mesh, cost in costs if cost > WORN * built[mesh] or WORN * cost < built[mesh]}


def may_refit(before: Mesh, after: Mesh) -> bool:
    """Return whether nothing differs but where the points are, and the normals."""
    if len(before.points_m) != len(after.points_m):
        return False
    names = ("triangle", "slot", "uv", "uv2", "color", "opacity")
    return all(is_equal(getattr(before, name), getattr(after, name)) for name in names)


def with_built(base: SceneOnDevice, scene: Scene, meshes: Set[int]) -> SceneOnDevice:
    """Return a scene with new trees for some meshes; the others are taken over as they are on the device."""
    lanes, trees, spans = lanes_of(base.device), base.geometry.trees, base.spans
    node, block = trees.node.numpy().reshape(-1, 8 * lanes), trees.block.numpy().reshape(-1, gpu.bvh.BLOCK_FLOATS)

    def part(mesh: int) -> MeshTree:
        if mesh in meshes:
            return build_mesh_tree(scene.meshes[mesh], lanes)
        nodes, blocks = slice(*spans.node[mesh : mesh + 2]), slice(*spans.block[mesh : mesh + 2])
        return MeshTree(node[nodes].reshape(-1), block[blocks].reshape(-1), int(spans.stack_entries[mesh]))

    joined = join_trees([part(mesh) for mesh in range(len(scene.meshes))], lanes)
    geometry = geometry_on_device(scene, joined, base.device)
    need = joined.stack_entries
    return dataclasses.replace(base, scene=scene, geometry=geometry, stack_entries=need, spans=joined.spans)
