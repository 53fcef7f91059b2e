"""Writers of annotators: range, camera normals, parts, materials, places, coordinates and edges of a frame."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.registry import WRITERS
from engine.write.encode import encode_npy, encode_png
from engine.write.parts import MATERIALS, PARTS
from engine.write.view import LARGEST_UINT16, FrameFile, FrameParams, View
from engine.write.writers import depth_to_mm, normals_to_uint16, remap_instances

LARGEST = {"png8": 255, "png16": LARGEST_UINT16}  # value of a channel, by encoding


@dataclass(frozen=True)
class Range(FrameParams):
    """Distance to the camera's centre."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("range",)
    encoding: Literal["png16_mm", "npy"]


@dataclass(frozen=True)
class CameraNormals(FrameParams):
    """Normals in the camera's frame as 16-bit RGB."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("normal_camera",)


@dataclass(frozen=True)
class PartMaps(FrameParams):
    """Which placement of a mesh a pixel sees, 16 bits, and the table of all of them."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("part",)
    TABLES: ClassVar[tuple[str, ...]] = (PARTS,)


@dataclass(frozen=True)
class MaterialMaps(FrameParams):
    """Which material a pixel sees, 16 bits, and the table of all of them."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("material",)
    TABLES: ClassVar[tuple[str, ...]] = (MATERIALS,)


@dataclass(frozen=True)
class Positions(FrameParams):
    """Points in the world."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("position",)


@dataclass(frozen=True)
class TextureCoordinates(FrameParams):
    """Texture coordinates of the first set."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("uv",)


@dataclass(frozen=True)
class NormalizedCoordinates(FrameParams):
    """Normalised object coordinates as RGB."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("nocs",)
    encoding: Literal["png8", "png16"]


@dataclass(frozen=True)
class Edges(FrameParams):
    """Bits of outlines, 8 bits."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("edge",)


@dataclass(frozen=True)
class DefectMaps(FrameParams):
    """Which defect and which near-miss covers a pixel, 16 bits each."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("defect",)


@WRITERS.register("range", Range)
def write_range(params: Range, view: View) -> list[FrameFile]:
    """Return the range of a frame: whole millimetres, or float32 metres with +inf where nothing was hit."""
    range_m = view.annotations["range_m"]
    if params.encoding == "npy":
        return [FrameFile("range", f"range/{view.stem}.npy", encode_npy(range_m))]
    return [FrameFile("range", f"range/{view.stem}.png", encode_png(depth_to_mm(range_m)))]


@WRITERS.register("normals_camera", CameraNormals)
def write_normals_camera(params: CameraNormals, view: View) -> list[FrameFile]:
    """Return the camera normals of a frame, encoded as the world's are."""
    data = encode_png(normals_to_uint16(view.annotations["normal_camera"]))
    return [FrameFile("normal_camera", f"normals_camera/{view.stem}.png", data)]


@WRITERS.register("parts", PartMaps)
def write_parts(params: PartMaps, view: View) -> list[FrameFile]:
    """Return the part map of a frame: `part_id` of index/parts.parquet, 0 where nothing was hit."""
    return _id_map("part", view, view.annotations["part"], view.classes.part_count)


@WRITERS.register("materials", MaterialMaps)
def write_materials(params: MaterialMaps, view: View) -> list[FrameFile]:
    """Return the material map of a frame: `material_id` of index/materials.parquet, 0 where nothing was hit."""
    return _id_map("material", view, view.annotations["material"], view.classes.material_count)


@WRITERS.register("position", Positions)
def write_position(params: Positions, view: View) -> list[FrameFile]:
    """Return the points of a frame in the world [m], NaN where nothing was hit."""
    return [FrameFile("position", f"position/{view.stem}.npy", encode_npy(view.annotations["position"]))]


@WRITERS.register("uv", TextureCoordinates)
def write_uv(params: TextureCoordinates, view: View) -> list[FrameFile]:
    """Return the texture coordinates of a frame, NaN where nothing was hit or the mesh has none."""
    return [FrameFile("uv", f"uv/{view.stem}.npy", encode_npy(view.annotations["uv"]))]


@WRITERS.register("nocs", NormalizedCoordinates)
def write_nocs(params: NormalizedCoordinates, view: View) -> list[FrameFile]:
    """Return the object coordinates of a frame, each as round(value * largest); 0 0 0, which no point has: nothing."""
    largest = LARGEST[params.encoding]
    scaled = np.rint(np.nan_to_num(view.annotations["nocs"]).astype(np.float64) * largest)
    data = encode_png(scaled.astype(np.uint8 if params.encoding == "png8" else np.uint16))
    return [FrameFile("nocs", f"nocs/{view.stem}.png", data)]


@WRITERS.register("edges", Edges)
def write_edges(params: Edges, view: View) -> list[FrameFile]:
    """Return the edges of a frame."""
    return [FrameFile("edge", f"edges/{view.stem}.png", encode_png(view.annotations["edge"]))]


@WRITERS.register("defects", DefectMaps)
def write_defects(params: DefectMaps, view: View) -> list[FrameFile]:
    """Return the defect map and the near-miss map of a frame: `map_id` of index/defects.parquet, 0 where none is.

    Raises:
        UserError: If 16 bits do not hold a `map_id`.
    """
    largest = 1 + max(int(view.annotations[name].max()) for name in ("defect", "near_miss"))
    if largest > LARGEST_UINT16:
        raise UserError(
            f"frame {view.stem} shows the defect with map_id {largest}, maps hold {LARGEST_UINT16}; leave out "
            "write=defects, since the rows have the masks, or make fewer: things times the largest count of each entry"
        )
    maps = {"defect_map": ("defects", "defect"), "near_miss_map": ("near_misses", "near_miss")}
    return [
        FrameFile(role, f"{folder}/{view.stem}.png", encode_png((view.annotations[name] + 1).astype(np.uint16)))
        for role, (folder, name) in maps.items()
    ]


def _id_map(what: str, view: View, index: NDArray[Any], count: int) -> list[FrameFile]:
    """Return a map of ids, which are index + 1, and the table of those of the frame where 16 bits do not hold them."""
    ids, files = index + np.int32(1), []
    if count > LARGEST_UINT16:
        table, stored = remap_instances(ids, what=f"{what}s")
        lines = json.dumps({"schema": "mask_ids/1", what: table.tolist()}) + "\n"
        files.append(FrameFile(f"{what}_ids", f"{what}s/{view.stem}.ids.json", lines.encode()))
    else:
        stored = ids.astype(np.uint16)
    return [*files, FrameFile(f"{what}_map", f"{what}s/{view.stem}.png", encode_png(stored))]
