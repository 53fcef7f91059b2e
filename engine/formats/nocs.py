"""NOCS: where in its object's box, scaled to a diagonal of 1, every visible pixel lies; in the files of NOCS-CAMERA.

`<split>/<scene>/0000_{color,coord,mask,depth}.png`, `0000_meta.txt` and `0000_pose.json`, one scene a world and camera.
The coordinate of a point is (p - centre of the box) / diagonal of the box + 0.5 in the object's axes (x ahead, z up).
It is computed from depth, pose and box, exactly; nothing is rendered.

coord: red x, green y, blue 1 - z, each times 255, as the loaders of the data set expect; 0 0 0 where nothing is. mask:
255 where nothing is. meta: a line an instance, `number class model`; both counted from 1. depth: 16 bits, mm.

Source: Wang et al., "Normalized object coordinate space for category-level 6D object pose and size estimation", CVPR
2019, and `dataset.py` of its code.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.formats.axes import (
    homogeneous,
    inverse,
    moved,
    opencv_from_object,
    opencv_k,
    pinhole_k,
    solid_of,
)
from engine.formats.nocs_read import CLASSES, read_nocs
from engine.formats.pixels import depth_image_m, frame_file, picture_as_png, visible_pixels, write_file, write_text
from engine.formats.record import Array, Frame, Instance, Source
from engine.formats.registry import FORMATS, ExportContext, NoOptions
from engine.formats.rolling import world_of_rows
from engine.lens.model import COEFFICIENTS, Lens, LensModel
from engine.lens.project import unproject
from engine.write.encode import encode_png
from engine.write.writers import depth_to_mm

NOTHING = 255  # of the mask
LARGEST = 254  # instances of a frame


def nocs_map(frame: Frame, instance: Instance, depth_m: Array) -> tuple[NDArray[np.bool_], Array]:
    """Return the pixels [y, x] of an instance with depth, and their coordinates [pixel, 3] in [0, 1]."""
    solid = solid_of(frame, instance, "NOCS")
    pixels = visible_pixels(frame, instance) & np.isfinite(depth_m)
    y, x = np.nonzero(pixels)
    centres = np.stack([x, y], axis=-1).astype(np.float64) + 0.5
    lens = Lens(LensModel.PINHOLE, pinhole_k(frame, "NOCS"), np.zeros(COEFFICIENTS), np.inf)
    camera = unproject(lens, centres, depth_m[y, x])
    point = moved(inverse(homogeneous(solid.world_from_object)), world_of_rows(frame, camera, y))
    return pixels, (point - solid.center_m) / np.linalg.norm(solid.size_m) + 0.5


@FORMATS.register(
    "nocs", NoOptions, "NOCS maps with masks, depth and poses, a scene a world and camera", read=read_nocs,
    needs_bodies=True,
)  # fmt: skip
def write_nocs(source: Source, context: ExportContext) -> None:
    """Write the scenes of all splits.

    Raises:
        UserError: If a frame has no depth, no pinhole camera, or an instance no box in space.
    """
    write_text(context.out / CLASSES, "".join(category.name + "\n" for category in context.categories))
    for world, frames in groupby(source.frames(), key=lambda frame: frame.world):
        for frame in frames:
            folder = context.out / context.split_of(frame) / f"w{world:06d}_c{frame.camera:02d}"
            _write_frame(frame, folder / f"{frame.step:04d}", context)


def _write_frame(frame: Frame, stem: Path, context: ExportContext) -> None:
    depth_m = depth_image_m(frame, "NOCS")
    coord = np.zeros((frame.height, frame.width, 3), np.uint8)
    mask = np.full((frame.height, frame.width), NOTHING, np.uint8)
    lines: list[str] = []
    poses: dict[str, object] = {}
    for instance in frame.instances:
        if len(lines) == LARGEST:
            context.count_drop(f"a mask of NOCS holds {LARGEST} instances")
            continue
        number, category = len(lines) + 1, context.category_of[instance.category]
        pixels, place = nocs_map(frame, instance, depth_m)
        mask[visible_pixels(frame, instance)] = number
        coord[pixels] = np.rint(np.clip(place * [1.0, 1.0, -1.0] + [0.0, 0.0, 1.0], 0.0, 1.0) * 255.0).astype(np.uint8)
        solid = solid_of(frame, instance, "NOCS")
        model = f"{solid.asset:016x}" if solid.asset is not None else category.name
        lines.append(f"{number} {category.id + 1} {model}\n")
        poses[str(number)] = {
            "opencv_from_object": opencv_from_object(frame, solid)[:3].ravel().tolist(),
            "box_size_m": solid.size_m.tolist(), "box_center_m": solid.center_m.tolist(), "inst_id": instance.id,
        }  # fmt: skip
    parts = {
        "color": picture_as_png(frame_file(frame, "image", "NOCS", "write=coco")),
        "coord": encode_png(coord),
        "mask": encode_png(np.repeat(mask[..., None], 3, axis=2)),
        "depth": encode_png(depth_to_mm(depth_m.astype(np.float32))),
    }
    for name, data in parts.items():
        write_file(stem.with_name(f"{stem.name}_{name}.png"), data)
    write_text(stem.with_name(f"{stem.name}_meta.txt"), "".join(lines))
    pose = {"opencv_k": opencv_k(pinhole_k(frame, "NOCS")).ravel().tolist(), "instances": poses}
    write_text(stem.with_name(f"{stem.name}_pose.json"), json.dumps(pose) + "\n")
