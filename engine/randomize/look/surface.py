"""Points on the surface of an instance: even by area, denser near edges, or on edges.

All lengths are those of the metric frame of a mesh: its own axes, in metres as long as the world makes them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.randomize.draw import Draw
from engine.scene.model import Mesh, Scene

Array = NDArray[np.float64]

SHARP_COS = float(np.cos(np.deg2rad(30.0)))  # faces that meet at more have a sharp edge
WELD_M = 1.0e-5  # corners closer than this are the same point
TRIES = 64  # for a point near edges; the last one counts in any case
BLOCK = 2_000_000  # pairs of points and edges at a time
KEPT_TRIANGLES = 2_000_000  # of surfaces that are kept, about 250 MB; with more they are made anew


@dataclass(frozen=True)
class Edges:
    """Sharp edges and borders of a mesh."""

    ends: NDArray[np.int64]  # [edge, 2], points
    face: NDArray[np.int64]  # [edge], a triangle that it bounds


@dataclass(frozen=True)
class Surface:
    """What may be marked of an instance, in the metric frames of its meshes."""

    corner_m: Array  # [triangle, 3, 3]
    normal: Array  # [triangle, 3]
    placement: NDArray[np.int64]  # [triangle], which of the meshes
    until: Array  # [triangle], share of the area up to and with it
    edge_m: Array  # [edge, 2, 3], all of them
    edge_normal: Array  # [edge, 3], of a face that it bounds
    edge_placement: NDArray[np.int64]  # [edge]
    edge_until: Array  # [edge], share of the length of those whose face may be marked


@dataclass(frozen=True)
class Spots:
    """Points on a surface."""

    center_m: Array  # [point, 3]
    normal: Array  # [point, 3]
    axis: Array  # [point, 3], along the edge, 0: not on one
    placement: NDArray[np.int64]  # [point]
    edge_distance_m: Array  # [point], infinite: the mesh has no sharp edge and no border


@dataclass(frozen=True)
class Density:
    """Where points are: `weight` times as dense within `reach_m` of an edge, or on edges only."""

    on_edges: bool
    weight: float
    reach_m: float


def edges_of(mesh: Mesh) -> Edges:
    """Return the sharp convex edges and the borders of a mesh; corners at one place are one point.

    Triangles without area bound nothing: they have no normal.
    """
    _, first, same = np.unique(
        np.round(mesh.points_m / WELD_M).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    corner = same.reshape(-1)[mesh.triangle].astype(np.int64)
    points = mesh.points_m[mesh.triangle].astype(np.float64)
    normal = unit(np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]))
    one, two = corner.reshape(-1), np.roll(corner, -1, axis=1).reshape(-1)
    ends = np.stack([np.minimum(one, two), np.maximum(one, two)], axis=1)
    pairs, group, uses = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(group.reshape(-1), kind="stable")
    start = np.concatenate([[0], np.cumsum(uses)[:-1]])
    face = order[start] // 3
    other = order[start + np.minimum(uses - 1, 1)] // 3
    middle = points.mean(axis=1)
    is_convex = ((middle[other] - middle[face]) * normal[face]).sum(axis=1) < 0.0
    has_area = (normal != 0.0).any(axis=1)
    is_sharp = ((normal[face] * normal[other]).sum(axis=1) < SHARP_COS) & is_convex & has_area[other]
    kept = ((uses == 1) | is_sharp) & (pairs[:, 0] != pairs[:, 1]) & has_area[face]
    return Edges(first[pairs[kept]], face[kept])


def unit(vectors: Array) -> Array:
    """Return vectors [..., 3] of length 1; 0 stays 0."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1.0e-300))


def scales_of(scene: Scene, draw: Draw, instance: int, placements: NDArray[np.int64]) -> Array:
    """Return how long the axes of meshes are in the world, [row, placement, 3]."""
    own = scene.placements.world_from_mesh[placements][:, :, :3]
    from_mesh = np.linalg.inv(scene.instances.world_from_instance[instance][:, :3]) @ own
    world = draw.draft.world_from_instance[:, instance, None, :, :3] @ from_mesh
    return np.asarray(1.0 / np.linalg.norm(np.linalg.inv(world), axis=-1))


def surface_of(
    scene: Scene, draw: Draw, placements: NDArray[np.int64], scale: Array, faces: tuple[Array, float] | None
) -> Surface | None:
    """Return the surface of some placements at a scale [placement, 3]; None: nothing of it faces as asked.

    Args:
        scene: Whose meshes are meant.
        draw: Keeps surfaces: copies of a thing have the same, in every batch and for every entry.
        placements: Of one instance; the surface counts them from 0.
        scale: See `scales_of`.
        faces: A direction in the frame of the mesh and the least cosine of normals with it; None: all.
    """
    meshes = tuple(scene.placements.mesh[placements].tolist())
    key = meshes, scale.tobytes(), None if faces is None else (faces[0].tobytes(), faces[1])
    kept: dict[object, Surface | None] = draw.bounds.kept.setdefault("surfaces", {})
    if key not in kept:
        made = _surface(scene, draw, meshes, scale, faces)
        if sum(len(surface.normal) for surface in (*kept.values(), made) if surface is not None) > KEPT_TRIANGLES:
            kept.clear()
        kept[key] = made
    return kept[key]


def _surface(
    scene: Scene, draw: Draw, meshes: tuple[int, ...], scale: Array, faces: tuple[Array, float] | None
) -> Surface | None:
    corners, normals, owners, edges, edge_normals, edge_owners, edge_kept = [], [], [], [], [], [], []
    for placement, (index, size) in enumerate(zip(meshes, scale, strict=True)):
        mesh = scene.meshes[index]
        key = ("edges", index)
        if key not in draw.bounds.kept:
            draw.bounds.kept[key] = edges_of(mesh)
        bound: Edges = draw.bounds.kept[key]
        points_m = mesh.points_m.astype(np.float64) * size
        corner_m = points_m[mesh.triangle]
        normal = unit(np.cross(corner_m[:, 1] - corner_m[:, 0], corner_m[:, 2] - corner_m[:, 0]))
        kept = np.ones(len(normal), bool) if faces is None else normal @ faces[0] >= faces[1]
        corners.append(corner_m[kept])
        normals.append(normal[kept])
        owners.append(np.full(int(kept.sum()), placement))
        edges.append(points_m[bound.ends])
        edge_normals.append(normal[bound.face])
        edge_owners.append(np.full(len(bound.face), placement))
        edge_kept.append(kept[bound.face])
    corner_m, edge_m = np.concatenate(corners), np.concatenate(edges)
    area = np.linalg.norm(np.cross(corner_m[:, 1] - corner_m[:, 0], corner_m[:, 2] - corner_m[:, 0]), axis=1)
    if not area.sum() > 0.0:
        return None
    length = np.linalg.norm(edge_m[:, 1] - edge_m[:, 0], axis=1) * np.concatenate(edge_kept)
    return Surface(
        corner_m, np.concatenate(normals), np.concatenate(owners), _shares(area), edge_m,
        np.concatenate(edge_normals), np.concatenate(edge_owners), _shares(length),
    )  # fmt: skip


def spots_on(
    surface: Surface, density: Density, draw: Draw, rows: NDArray[np.int64], index: NDArray[np.int64]
) -> Spots:
    """Return a point for every (row, index), which count its random numbers."""
    if density.on_edges:
        return _on_edges(surface, draw, rows, index)
    place = _by_area(surface, draw, rows, index, 0)
    far = edge_distance(surface, place.center_m, place.placement)
    most = max(density.weight, 1.0)
    open_ = np.arange(len(rows)) if density.weight != 1.0 else np.zeros(0, np.int64)
    center_m, normal, placement = place.center_m, place.normal, place.placement
    for turn in range(1, TRIES + 1):
        chance = np.where(far[open_] <= density.reach_m, density.weight, 1.0) / most
        open_ = open_[draw.uniform_at("kept", rows[open_], index[open_], turn) >= chance]
        if turn == TRIES or not len(open_):
            break
        new = _by_area(surface, draw, rows[open_], index[open_], 4 * turn)
        center_m[open_], normal[open_], placement[open_] = new.center_m, new.normal, new.placement
        far[open_] = edge_distance(surface, new.center_m, new.placement)
    return Spots(center_m, normal, np.zeros_like(normal), placement, far)


def edge_distance(surface: Surface, point_m: Array, placement: NDArray[np.int64]) -> Array:
    """Return how far points are from the nearest sharp edge or border of their mesh; infinite where it has none."""
    out = np.full(len(point_m), np.inf)
    for owner in np.unique(placement).tolist():
        ends = surface.edge_m[surface.edge_placement == owner]
        mine = np.flatnonzero(placement == owner)
        if not len(ends):
            continue
        along = ends[:, 1] - ends[:, 0]
        size2 = np.maximum((along**2).sum(axis=1), 1.0e-300)
        step = max(1, BLOCK // len(ends))
        for first in range(0, len(mine), step):
            some = mine[first : first + step]
            beside = point_m[some, None] - ends[:, 0]
            share = np.clip((beside * along).sum(axis=2) / size2, 0.0, 1.0)
            out[some] = np.linalg.norm(beside - share[..., None] * along, axis=2).min(axis=1)
    return out


def _by_area(surface: Surface, draw: Draw, rows: NDArray[np.int64], index: NDArray[np.int64], dimension: int) -> Spots:
    which, u, v = (draw.uniform_at("place", rows, index, dimension + k) for k in range(3))
    triangle = _chosen(surface.until, which)
    root = np.sqrt(u)
    weight = np.stack([1.0 - root, root * (1.0 - v), root * v], axis=1)
    center_m = (surface.corner_m[triangle] * weight[..., None]).sum(axis=1)
    normal = surface.normal[triangle]
    return Spots(center_m, normal, np.zeros_like(normal), surface.placement[triangle], np.zeros(len(rows)))


def _on_edges(surface: Surface, draw: Draw, rows: NDArray[np.int64], index: NDArray[np.int64]) -> Spots:
    which, share = (draw.uniform_at("place", rows, index, k) for k in range(2))
    edge = _chosen(surface.edge_until, which)
    ends = surface.edge_m[edge]
    center_m = ends[:, 0] + share[:, None] * (ends[:, 1] - ends[:, 0])
    axis = unit(ends[:, 1] - ends[:, 0])
    return Spots(center_m, surface.edge_normal[edge], axis, surface.edge_placement[edge], np.zeros(len(rows)))


def _shares(size: Array) -> Array:
    total = size.sum()
    return np.cumsum(size) / total if total > 0.0 else np.zeros(0)


def _chosen(until: Array, which: Array) -> NDArray[np.int64]:
    """Return which part each number in [0, 1) falls on; never one without size."""
    last = int(np.searchsorted(until, until[-1]))
    return np.minimum(np.searchsorted(until, which, side="right"), last)
