"""Surfaces that carry things: the triangles of instances, wherever a draft has moved those."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError
from engine.randomize.draw import Draw
from engine.randomize.place.throwing import Ground
from engine.randomize.pose import apply, cross, length, rotate
from engine.scene.model import Scene

Array = NDArray[np.float64]

AREA_ROWS = 64  # worked out at a time


def surfaces(scene: Scene, instances: NDArray[np.int64], steepest_deg: float, align: bool, draw: Draw) -> Ground:
    """Return the triangles of instances as a ground; those that are steeper, or face down, carry nothing.

    Raises:
        UserError: If they have no triangles.
    """
    corners, carriers = [np.zeros((0, 9))], [np.zeros(0, np.int32)]
    for carrier, instance in enumerate(instances):
        local = triangles_of(scene, int(instance))
        corners.append(local.reshape(-1, 9))
        carriers.append(np.full(len(local), carrier, np.int32))
    corner_m = np.concatenate(corners)
    if not len(corner_m):
        raise UserError(f"{draw.where('carriers')}: none of the instances has a surface")
    least_up = float(np.cos(np.deg2rad(steepest_deg)))
    return Ground(
        "SURFACE",
        corner_m=corner_m,
        carrier=np.concatenate(carriers),
        instance=instances,
        least_up=least_up,
        align=align,
    )


def triangles_of(scene: Scene, instance: int) -> Array:
    """Return an instance's triangles [triangle, 3, 3] in its own frame."""
    pose = scene.instances.world_from_instance[instance]
    inverse = np.linalg.inv(pose[:, :3])
    found = [np.zeros((0, 3, 3))]
    for placement in np.flatnonzero(scene.placements.instance == instance):
        mesh = scene.meshes[scene.placements.mesh[placement]]
        points_m = apply(scene.placements.world_from_mesh[placement], mesh.points_m.astype(np.float64))
        found.append(rotate(inverse, points_m - pose[:, 3])[mesh.triangle])
    return np.concatenate(found)


def carrying_area(ground: Ground, draft: Draft) -> Array:
    """Return the area of a ground in every row [m^2]: floors, or triangles that carry; of boxes their volume [m^3]."""
    if ground.domain != "SURFACE":
        return np.full(len(draft.world), ground.share[-1])
    area_m2 = np.zeros(len(draft.world))
    for carrier, instance in enumerate(ground.instance):
        local = ground.corner_m[ground.carrier == carrier].reshape(-1, 3, 3)
        for first in range(0, len(area_m2), AREA_ROWS):
            some = slice(first, first + AREA_ROWS)
            pose = draft.world_from_instance[some, instance, None]
            product = cross(rotate(pose, local[:, 1] - local[:, 0]), rotate(pose, local[:, 2] - local[:, 0]))
            twice = length(product)
            carries = (product[..., 2] >= ground.least_up * twice) & draft.visible[some, instance, None]
            area_m2[some] += 0.5 * np.where(carries, twice, 0.0).sum(axis=1)
    return area_m2
