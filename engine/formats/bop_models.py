"""Models of BOP: what is an object, its box and diameter, and its mesh where the scene is at hand.

A model's origin is the centre of its box, as BOP wants it, and its axes are those of the object's frame.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engine.errors import UserError
from engine.formats.axes import CORNER_SIGNS, homogeneous, inverse, moved
from engine.formats.pixels import write_file, write_text
from engine.formats.ply import encode_mesh
from engine.formats.record import Array, Instance, Solid
from engine.formats.registry import ExportContext, FormatCategory
from engine.scene.bounds import object_frames

MILLIMETRES = 1000.0
BOX_TRIANGLES = np.array([
    [0, 2, 3], [0, 3, 1], [4, 5, 7], [4, 7, 6], [0, 1, 5], [0, 5, 4], [2, 6, 7], [2, 7, 3], [0, 4, 6], [0, 6, 2],
    [1, 3, 7], [1, 7, 5],
])  # of corners numbered as `CORNER_SIGNS`, counter-clockwise seen from outside  # fmt: skip
SAME_SIZE_M = 1.0e-4  # boxes whose sides differ by less are of one model


@dataclass
class Model:
    """One object; `path` is the prim of the instance that was met first."""

    id: int
    category: str
    size_m: Array  # [3]
    path: str


@dataclass
class ModelBook:
    """All models of an export, numbered from 1 as they are met."""

    objects: Literal["asset", "class"]
    models: dict[tuple[Any, ...], Model] = field(default_factory=dict)

    def of(self, instance: Instance, solid: Solid, category: FormatCategory) -> Model:
        """Return the model of an instance: by class, or by asset and size; that of a class has the largest box."""
        size = np.asarray(solid.size_m, np.float64)
        key: tuple[Any, ...] = (category.name,)
        if self.objects == "asset":
            key = (category.name, solid.asset, *np.rint(size / SAME_SIZE_M).astype(np.int64).tolist())
        if key not in self.models:
            number = category.id if self.objects == "class" else len(self.models)
            self.models[key] = Model(number + 1, category.name, size, instance.path)
        model = self.models[key]
        model.size_m = np.maximum(model.size_m, size)
        return model


def write_models(book: ModelBook, context: ExportContext) -> None:
    """Write `models/models_info.json` and a mesh of every model: its box, or its own if `usd` names the scene.

    Raises:
        UserError: If the scene does not have an instance, or its class is a model.
    """
    usd = context.options.usd
    if usd and book.objects == "class":
        raise UserError("bop: models of classes have no mesh of their own; use objects=asset with usd=")
    meshes = SceneMeshes(Path(usd)) if usd else None
    table: dict[str, Any] = {}
    for model in sorted(book.models.values(), key=lambda model: model.id):
        size_mm = model.size_m * MILLIMETRES
        diameter_mm = float(np.linalg.norm(size_mm))
        points_m, triangles = CORNER_SIGNS * model.size_m, BOX_TRIANGLES
        if meshes is not None:
            points_m, triangles = meshes.of(model)
            diameter_mm = diameter(points_m) * MILLIMETRES
        write_file(context.out / "models" / f"obj_{model.id:06d}.ply", encode_mesh(points_m * MILLIMETRES, triangles))
        table[str(model.id)] = {
            "diameter": diameter_mm,
            **{f"min_{axis}": -0.5 * float(value) for axis, value in zip("xyz", size_mm, strict=True)},
            **{f"size_{axis}": float(value) for axis, value in zip("xyz", size_mm, strict=True)},
            "category": model.category,
        }
    write_text(context.out / "models" / "models_info.json", json.dumps(table, indent=2) + "\n")


def diameter(points_m: Array) -> float:
    """Return the largest distance between two points: of corners of their hull."""
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist

    try:
        corners = points_m[ConvexHull(points_m).vertices]
    except QhullError:  # flat: a sheet has no hull in space
        corners = np.unique(points_m, axis=0)
    return float(pdist(corners).max(initial=0.0))


class SceneMeshes:
    """The meshes of a scene's instances by prim path, read once."""

    def __init__(self, path: Path) -> None:
        from engine.scene import load_scene

        self.path = path
        self.scene = load_scene(path)
        self.number = {name: number for number, name in enumerate(self.scene.instances.path)}

    def of(self, model: Model) -> tuple[Array, np.ndarray[Any, Any]]:
        """Return points [point, 3] around the centre of the model's box and triangles [triangle, 3].

        Sizes are those of the dataset: what a randomiser scaled is scaled.

        Raises:
            UserError: If the scene does not have the instance.
        """
        placements, instances = self.scene.placements, self.scene.instances
        number = self.number.get(model.path)
        members = np.flatnonzero(placements.instance == number) if number is not None else np.zeros(0, np.int64)
        if number is None or not len(members):
            raise UserError(f"bop: usd={self.path} has no {model.path}; name the scene that the dataset was made from")
        object_from_world = inverse(homogeneous(object_frames(instances.world_from_instance[number])[0]))
        points, triangles, count = [], [], 0
        for placement in members:
            mesh = self.scene.meshes[placements.mesh[placement]]
            world = moved(placements.world_from_mesh[placement], mesh.points_m.astype(np.float64))
            points.append(moved(object_from_world, world))
            triangles.append(mesh.triangle + count)
            count += len(mesh.points_m)
        flat, corners = np.concatenate(points), np.concatenate(triangles)
        used, corners = np.unique(corners, return_inverse=True)  # of points that no triangle has the box knows nothing
        flat, corners = flat[used], corners.reshape(-1, 3)
        low, high = flat.min(axis=0), flat.max(axis=0)
        scale = np.divide(model.size_m, high - low, out=np.ones(3), where=high > low)
        return (flat - 0.5 * (low + high)) * scale, corners
