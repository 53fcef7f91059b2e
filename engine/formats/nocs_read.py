"""NOCS folders as records, see nocs.py."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.formats.axes import CORNER_SIGNS, corner_k, homogeneous, moved, projected, world_from_opencv
from engine.formats.folders import BROKEN, categories_named, picture_size, read_json, read_pixels, read_text, reason
from engine.formats.masks import box_of, encode
from engine.formats.record import Array, Category, Frame, Instance, Solid
from engine.formats.registry import Records

CLASSES = "classes.txt"


def read_nocs(root: Path) -> Records:
    """Return the frames of a NOCS folder; the world counts scenes and is each frame's own camera.

    Poses and boxes are read from `*_pose.json`, which other data sets of NOCS do not have. `files` has `image`,
    `coord`, `mask` and `depth`; `extra` has `model`.

    Raises:
        UserError: If a file is missing or cannot be understood.
    """
    metas = sorted(root.glob("**/*_meta.txt"))
    if not metas:
        raise UserError(f"{root} is no NOCS folder: it has no *_meta.txt")
    names = read_text(root / CLASSES).rstrip("\n").split("\n") if (root / CLASSES).is_file() else []
    scenes = {folder: number for number, folder in enumerate(sorted({path.parent for path in metas}))}
    frames: list[Frame] = []
    for meta in metas:
        try:
            frames.append(_read_frame(root, meta, names, scenes[meta.parent], len(frames)))
        except BROKEN as error:
            raise UserError(f"{meta} and its files do not fit together: {reason(error)}") from error
    used = {instance.category for frame in frames for instance in frame.instances}
    known = tuple(Category(number, name, name) for number, name in enumerate(names, 1))
    return Records(root.name, known or categories_named(used), tuple(frames))


def _read_frame(root: Path, meta: Path, names: list[str], scene: int, number: int) -> Frame:
    stem = meta.name.removesuffix("_meta.txt")
    files = {role: meta.with_name(f"{stem}_{role}.png") for role in ("color", "coord", "mask", "depth")}
    width, height = picture_size(files["color"])
    mask = read_pixels(files["mask"])
    mask = mask[..., 0] if mask.ndim == 3 else mask
    if mask.shape != (height, width):
        raise ValueError(f"the mask has {mask.shape[1]}x{mask.shape[0]} pixels, the picture {width}x{height}")
    pose_file = meta.with_name(f"{stem}_pose.json")
    known: dict[str, Any] = read_json(pose_file) if pose_file.is_file() else {}
    k = corner_k(np.reshape(np.array(known["opencv_k"]), (3, 3))) if known else None
    instances = []
    for line in read_text(meta).splitlines():
        words = line.split()
        position, kind, model = int(words[0]), int(words[1]), words[-1]
        pixels = mask == position
        if not kind or not pixels.any():  # class 0: what NOCS-CAMERA puts in the way
            continue
        pose = known.get("instances", {}).get(words[0])
        solid = _solid(pose, k) if pose is not None and k is not None else None
        track = position if pose is None else int(pose["inst_id"])
        instance = Instance(track, names[kind - 1] if names else str(kind), box_of(pixels), int(pixels.sum()),
                            encode(pixels), solid=solid, extra={"model": model})  # fmt: skip
        instances.append(instance)
    roles = {"image": files["color"]} | {role: files[role] for role in ("coord", "mask", "depth")}
    split = meta.parent.relative_to(root).parts[:1]
    frame = Frame(number, width, height, tuple(instances), roles, scene, int(stem), 0, k, np.eye(4))
    return dataclasses.replace(frame, row={"split": split[0] if split else ""})


def _solid(pose: dict[str, Any], k: Array) -> Solid:
    size, center = np.array(pose["box_size_m"], np.float64), np.array(pose["box_center_m"], np.float64)
    opencv = homogeneous(np.reshape(np.array(pose["opencv_from_object"], np.float64), (3, 4)))
    corners = projected(k, moved(opencv, center + CORNER_SIGNS * size))
    return Solid(world_from_opencv(opencv, np.eye(4))[:3], size, center, corners)


def read_coordinates(path: Path) -> Array:
    """Return the coordinates [y, x, 3] of a coord image, z turned back."""
    values = read_pixels(path)[..., :3].astype(np.float64) / 255.0
    values[..., 2] = 1.0 - values[..., 2]
    return values
