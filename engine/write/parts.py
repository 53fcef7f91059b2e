"""Tables of what ids in part and material maps mean: the same in every frame, since they follow from the scene."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from engine.scene.model import Scene
from engine.write.tables import parquet_bytes

PARTS, MATERIALS = "index/parts.parquet", "index/materials.parquet"


def part_table(scene: Scene) -> pa.Table:
    """Return one row a part, which is a mesh that stands somewhere; `part_id` counts them from 1.

    `prim_path` is the prim that is drawn: below an instancer that of the prototype, so that `inst_path` tells copies
    apart. Classes are those of the instance, 0 and "": unlabelled.
    """
    placed, of = scene.placements, scene.instances
    count, inst = len(placed.mesh), placed.instance
    keys = {0: ""} | {c.id: c.key for c in scene.taxonomy.classes}
    class_id = of.class_id[inst]
    paths = pa.array(of.path, pa.string()).take(pa.array(inst, pa.int32()))
    names = pa.array([mesh.name for mesh in scene.meshes], pa.string())
    return pa.table({
        "part_id": pa.array(np.arange(1, count + 1, dtype=np.int32)),
        "prim_path": pa.array(placed.prim, pa.string()) if placed.prim else paths,
        "inst_id": pa.array(inst, pa.int32()),
        "inst_path": paths,
        "stable_id": pa.array(of.stable_id[inst], pa.uint64()),
        "class_id": pa.array(class_id, pa.int32()),
        "class": pa.array([keys[int(c)] for c in class_id], pa.string()),
        "mesh": names.take(pa.array(placed.mesh, pa.int32())),
    })  # fmt: skip


def material_table(scene: Scene) -> pa.Table:
    """Return one row a material; `material_id` counts them from 1, and 1 is the fallback of what has none."""
    ids = np.arange(1, len(scene.materials) + 1, dtype=np.int32)
    return pa.table({
        "material_id": pa.array(ids, pa.int32()),
        "prim_path": pa.array([material.name for material in scene.materials], pa.string()),
    })  # fmt: skip


TABLES: Mapping[str, Callable[[Scene], pa.Table]] = MappingProxyType({PARTS: part_table, MATERIALS: material_table})


def table_files(scene: Scene, names: Iterable[str]) -> dict[str, bytes]:
    """Return the files of some tables by their path in a dataset."""
    return {name: parquet_bytes(TABLES[name](scene)) for name in names}
