"""Coloured point clouds of depth images: one PLY a frame, a point a pixel that sees something.

`<split>/<frame>.ply`: x, y, z [m], red, green, blue where there is a picture, `instance` and `class_id` (position in
the classes that the head lists, from 1; 0: none). The head says in which frame points are, and the camera.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.formats.axes import camera_pose
from engine.formats.folders import BROKEN, reason
from engine.formats.masks import box_of, encode
from engine.formats.pixels import frame_file, instance_image, rgb_pixels, write_file
from engine.formats.ply import read_ply
from engine.formats.record import Category, Frame, Instance, Source
from engine.formats.registry import FORMATS, ExportContext, FormatCategory, Records, frame_stem
from engine.formats.rolling import MOTION, camera_of_rows, rolls, world_of_rows
from engine.lens.model import COEFFICIENTS, Lens, LensModel, lens_of_row
from engine.lens.project import project, unproject
from engine.write.encode import encode_ply
from engine.write.readback import read_depth_m

LENS = ("lens_model", "lens_coefficients", "lens_limit")
ROUNDS = 8  # in which the row that sees a point and the camera's place at its moment are found from each other
HEAD = "ommatidia "
POINT = [("x", "<f4"), ("y", "<f4"), ("z", "<f4")]
COLOR = [("red", "u1"), ("green", "u1"), ("blue", "u1")]
IDS = [("instance", "<i4"), ("class_id", "<i4")]


@dataclass(frozen=True)
class PointcloudOptions:
    """How clouds are written."""

    frame: Literal["world", "camera"] = "world"  # camera: x right, y up, looks along -z
    every: int = 1  # every n-th pixel of every n-th line


def read_pointcloud(root: Path) -> Records:
    """Return a frame a cloud; masks and boxes are those of the points, seen again by the camera of the head.

    `files` has `pointcloud`, `row` `split`. A cloud of every n-th pixel gives the masks of those pixels alone.

    Raises:
        UserError: If a cloud is not one of ours.
    """
    paths = sorted(root.glob("*/*.ply"))
    if not paths:
        raise UserError(f"{root} has no <split>/*.ply")
    frames: list[Frame] = []
    categories: dict[int, Category] = {}
    for path in paths:
        points, comments = read_ply(path)
        try:
            head = json.loads(next(c for c in comments if c.startswith(HEAD)).removeprefix(HEAD))
            categories |= {n: Category(n, name, name) for n, name in enumerate(head["classes"], 1)}
            frames.append(_frame(path, points, head, categories))
        except (StopIteration, *BROKEN) as error:
            raise UserError(f"{path} is not a cloud of ours: {reason(error)}") from error
    return Records(root.name, tuple(categories.values()), tuple(frames))


@FORMATS.register("pointcloud", PointcloudOptions, "coloured PLY clouds of depth, a frame each", read=read_pointcloud)
def write_pointcloud(source: Source, context: ExportContext) -> None:
    """Write a cloud of every frame, through any lens.

    Raises:
        UserError: If a frame has no depth or no camera.
    """
    if context.options.every < 1:
        raise UserError(f"pointcloud: every must be 1 or more, got {context.options.every}")
    for frame in source.frames():
        data = encode_ply(_points(frame, context), [HEAD + json.dumps(_head(frame, context))])
        write_file(context.out / context.split_of(frame) / f"{frame_stem(frame)}.ply", data)


def lens_of_frame(frame: Frame) -> Lens:
    """Return the lens of a frame; a pinhole where nothing is said of it.

    Raises:
        UserError: If it has no camera matrix.
    """
    if frame.k is None:
        raise UserError(f"frame {frame.id} has no camera matrix")
    if frame.row.get("lens_coefficients") is not None:
        return lens_of_row({**frame.row, "k": frame.k.ravel()})
    return Lens(LensModel.PINHOLE, frame.k, np.zeros(COEFFICIENTS), np.inf)


def _points(frame: Frame, context: ExportContext) -> NDArray[np.void]:
    every = context.options.every
    path = frame_file(frame, "depth", "pointcloud", "make the dataset with outputs that hold depth and write=coco")
    depth_m = read_depth_m(path).astype(np.float64)[::every, ::every]
    y, x = np.nonzero(np.isfinite(depth_m))
    row, column = y * every, x * every
    camera = unproject(lens_of_frame(frame), np.stack([column, row], axis=-1) + 0.5, depth_m[y, x])
    place = world_of_rows(frame, camera, row) if context.options.frame == "world" else camera
    out = np.zeros(len(row), np.dtype(POINT + (COLOR if "image" in frame.files else []) + IDS))
    out["x"], out["y"], out["z"] = place.T
    if "image" in frame.files:
        out["red"], out["green"], out["blue"] = rgb_pixels(frame.files["image"])[row, column].T
    ids = instance_image(frame)
    out["instance"] = ids[row, column]
    out["class_id"] = _class_of(frame, context.category_of)[ids[row, column]]
    return out


def _class_of(frame: Frame, category_of: Any) -> NDArray[np.int32]:
    """Return the class, from 1, of every instance number."""
    out = np.zeros(max((i.id for i in frame.instances), default=0) + 1, np.int32)
    for instance in frame.instances:
        category: FormatCategory = category_of[instance.category]
        out[instance.id] = category.id + 1
    return out


def _head(frame: Frame, context: ExportContext) -> dict[str, Any]:
    lens = lens_of_frame(frame)
    return {
        "frame": context.options.frame, "frame_id": frame.id, "world": frame.world, "step": frame.step,
        "camera": frame.camera, "width": frame.width, "height": frame.height, "every": context.options.every,
        "k": lens.k.ravel().tolist(), "lens_model": lens.model.name.lower(),
        "lens_coefficients": lens.coefficients.tolist(), "lens_limit": min(lens.limit, 1.0e300),
        "world_from_camera": camera_pose(frame).ravel().tolist(), "classes": [c.name for c in context.categories],
        **({name: frame.row[name] for name in MOTION} if rolls(frame) else {}),
    }  # fmt: skip


def _frame(path: Path, points: NDArray[np.void], head: dict[str, Any], categories: dict[int, Category]) -> Frame:
    pose = np.reshape(np.array(head["world_from_camera"], np.float64), (4, 4))
    width, height, lens = int(head["width"]), int(head["height"]), lens_of_row(head)
    place = np.stack([points[name] for name in "xyz"], axis=-1).astype(np.float64)
    row = {name: head[name] for name in (*LENS, *MOTION) if name in head}
    view = Frame(head["frame_id"], width, height, (), {}, k=lens.k, world_from_camera=pose, row=row)
    x, y = (np.full(len(place), (side - 1) // 2) for side in (width, height))
    for _ in range(ROUNDS if rolls(view) else 1):
        camera = camera_of_rows(view, place, y) if head["frame"] == "world" else place
        pixels, _ = project(lens, camera)
        x = np.clip(np.floor(pixels[:, 0]), 0, width - 1).astype(np.int64)
        y = np.clip(np.floor(pixels[:, 1]), 0, height - 1).astype(np.int64)
    instances = []
    for number in np.unique(points["instance"][points["instance"] > 0]).tolist():
        of_it = points["instance"] == number
        mask = np.zeros((height, width), np.bool_)
        mask[y[of_it], x[of_it]] = True
        key = categories[int(points["class_id"][of_it][0])].key
        instances.append(Instance(number, key, box_of(mask), int(mask.sum()), encode(mask)))
    return Frame(
        head["frame_id"], width, height, tuple(instances), {"pointcloud": path}, head["world"], head["step"],
        head["camera"], lens.k, pose, row | {"split": path.parent.name},
    )  # fmt: skip
