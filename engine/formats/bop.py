"""BOP: poses of objects, one scene folder a world and camera, for 6D pose estimation.

`<split>/<scene>/{rgb,depth,mask,mask_visib}/`, `scene_camera.json`, `scene_gt.json`, `scene_gt_info.json`, and
`models/`. Pictures are named after their steps; lengths are millimetres, cameras those of OpenCV, boxes x, y, width,
height.

Source: https://github.com/thodan/bop_toolkit/blob/master/docs/bop_datasets_format.md
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engine.formats.axes import centered, opencv_from_object, opencv_from_world, opencv_k, pinhole_k, solid_of
from engine.formats.bop_models import Model, ModelBook, write_models
from engine.formats.bop_read import read_bop
from engine.formats.masks import box_of
from engine.formats.pixels import depth_image_m, frame_file, silhouette_pixels, visible_pixels, write_file, write_text
from engine.formats.record import Array, Frame, Instance, Source
from engine.formats.registry import FORMATS, ExportContext
from engine.write.encode import encode_png

MILLIMETRES = 1000.0
LARGEST_UINT16 = 65535
BEHIND = "the centre of its box is not before the camera"
NOT_SEEN = [-1, -1, -1, -1]  # box of what no pixel sees
Json = dict[str, Any]


@dataclass(frozen=True)
class BopOptions:
    """How BOP folders are written."""

    objects: Literal["asset", "class"] = "asset"  # what obj_id numbers: meshes, or classes
    usd: str = ""  # scene that the dataset was made from: its meshes become models; "": boxes alone


@dataclass
class SceneTables:
    """The three tables of a scene, by the number of the picture."""

    camera: dict[str, Json] = field(default_factory=dict)
    truth: dict[str, list[Json]] = field(default_factory=dict)
    info: dict[str, list[Json]] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write them, one picture a line."""
        tables: dict[str, dict[str, Any]] = {
            "scene_camera": self.camera, "scene_gt": self.truth, "scene_gt_info": self.info,
        }  # fmt: skip
        for name, table in tables.items():
            lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in table.items())
            write_text(folder / f"{name}.json", "{\n" + lines + "\n}\n")


@FORMATS.register(
    "bop", BopOptions, "BOP: 6D poses, masks, depth, models; a scene a world and camera", read=read_bop,
    needs_bodies=True,
)  # fmt: skip
def write_bop(source: Source, context: ExportContext) -> None:
    """Write scenes, and the models that they show.

    Raises:
        UserError: If a frame has no depth, no pinhole camera, or an instance no pose or silhouette.
    """
    models = ModelBook(context.options.objects)
    scenes: dict[str, int] = dict.fromkeys(context.splits, 0)
    for _, frames in groupby(source.frames(), key=lambda frame: frame.world):
        for _, views in sorted(_by_camera(frames).items()):
            by_split: dict[str, list[Frame]] = {}
            for frame in views:
                by_split.setdefault(context.split_of(frame), []).append(frame)
            for split, members in by_split.items():
                _write_scene(members, context.out / split / f"{scenes[split]:06d}", models, context)
                scenes[split] += 1
    write_models(models, context)


def _by_camera(frames: Iterable[Frame]) -> dict[int, list[Frame]]:
    out: dict[int, list[Frame]] = {}
    for frame in frames:
        out.setdefault(frame.camera, []).append(frame)
    return out


def _write_scene(frames: list[Frame], folder: Path, models: ModelBook, context: ExportContext) -> None:
    scale = _depth_scale(frames)
    tables = SceneTables()
    for frame in frames:
        number, k = frame.step, opencv_k(pinhole_k(frame, "BOP"))
        picture = frame_file(frame, "image", "BOP", "write=coco")
        context.place(picture, (folder / "rgb" / f"{number:06d}{picture.suffix}").relative_to(context.out))
        depth_m = depth_image_m(frame, "BOP")
        steps = np.rint(_finite(depth_m) * (MILLIMETRES / scale))
        write_file(folder / "depth" / f"{number:06d}.png", encode_png(steps.astype(np.uint16)))
        pose = opencv_from_world(frame)
        tables.camera[str(number)] = {
            "cam_K": k.ravel().tolist(), "depth_scale": scale,
            "cam_R_w2c": pose[:3, :3].ravel().tolist(), "cam_t_w2c": (pose[:3, 3] * MILLIMETRES).tolist(),
        }  # fmt: skip
        truth, info = tables.truth.setdefault(str(number), []), tables.info.setdefault(str(number), [])
        known = np.isfinite(depth_m)
        before = [instance for instance in frame.instances if _is_before(frame, instance, context)]
        for position, instance in enumerate(before):
            model = models.of(instance, solid_of(frame, instance, "BOP"), context.category_of[instance.category])
            truth.append(_truth(frame, instance, model))
            info.append(_write_masks(frame, instance, folder, f"{number:06d}_{position:06d}.png", known))
    tables.write(folder)


def _is_before(frame: Frame, instance: Instance, context: ExportContext) -> bool:
    """Return whether the centre of an instance's box lies before the camera, and count it if not."""
    solid = solid_of(frame, instance, "BOP")
    if centered(opencv_from_object(frame, solid), solid)[2, 3] > 0.0:
        return True
    context.count_drop(BEHIND)
    return False


def _finite(depth_m: Array) -> Array:
    return np.where(np.isfinite(depth_m), depth_m, 0.0)


def _depth_scale(frames: list[Frame]) -> float:
    """Return the step of a scene's depth images [mm]: 0.1, 0.2, 0.5, 1 and so on, the least that holds all."""
    farthest = max(float(_finite(depth_image_m(frame, "BOP")).max(initial=0.0)) for frame in frames) * MILLIMETRES
    steps = (factor * 10.0**power for power in range(-1, 9) for factor in (1.0, 2.0, 5.0))
    return next(step for step in steps if farthest / step <= LARGEST_UINT16)


def _truth(frame: Frame, instance: Instance, model: Model) -> Json:
    """Return where a model stands in the camera: its origin is the centre of the box, its axes are the object's."""
    solid = solid_of(frame, instance, "BOP")
    pose = centered(opencv_from_object(frame, solid), solid)
    turn, place = pose[:3, :3].ravel().tolist(), (pose[:3, 3] * MILLIMETRES).tolist()
    return {"cam_R_m2c": turn, "cam_t_m2c": place, "obj_id": model.id, "inst_id": instance.id}


def _write_masks(frame: Frame, instance: Instance, folder: Path, name: str, known: np.ndarray[Any, Any]) -> Json:
    """Write both masks of an instance and return its counts; `px_count_all` has those beyond the frame as well."""
    whole, visible = silhouette_pixels(frame, instance), visible_pixels(frame, instance)
    for kind, pixels in (("mask", whole), ("mask_visib", visible)):
        write_file(folder / kind / name, encode_png(pixels.astype(np.uint8) * np.uint8(255)))
    seen = int(visible.sum())
    assert instance.amodal is not None
    return {
        "bbox_obj": [round(value) for value in instance.amodal.box],
        "bbox_visib": [round(value) for value in box_of(visible)] if seen else NOT_SEEN,
        "px_count_all": instance.amodal.full_px,
        "px_count_valid": int((whole & known).sum()),
        "px_count_visib": seen,
        "visib_fract": seen / instance.amodal.full_px,
    }
