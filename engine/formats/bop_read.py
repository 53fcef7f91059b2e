"""BOP folders as records. The world of a scene is that of cam_R_w2c and cam_t_w2c, in metres."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import UserError
from engine.formats.axes import CORNER_SIGNS, camera_from_opencv_world, corner_k, moved, projected, world_from_opencv
from engine.formats.folders import BROKEN, picture_size, read_json, read_pixels, reason
from engine.formats.masks import box_of, decode, encode
from engine.formats.record import Amodal, Array, Category, Frame, Instance, Mask, Solid
from engine.formats.registry import Records

METRES = 1.0e-3
PICTURES = (("rgb", ".png"), ("rgb", ".jpg"), ("gray", ".png"), ("gray", ".tif"))
Json = dict[str, Any]


def read_bop(root: Path) -> Records:
    """Return the pictures of all scenes of a BOP folder; a class is a model, `obj_000001`, or the category it names.

    The world counts scenes, the step is the picture's number; `row` has `split`, `scene` and `depth_scale` [mm].
    Whole silhouettes have the box of `bbox_obj` and a mask of what lies inside the frame. `extra` holds `obj_id`.

    Raises:
        UserError: If a file is missing or cannot be understood.
    """
    scenes = sorted(path.parent for path in root.glob("*/*/scene_camera.json"))
    if not scenes:
        raise UserError(f"{root} is no BOP folder: it has no <split>/<scene>/scene_camera.json")
    models = _models(root / "models" / "models_info.json")
    frames: list[Frame] = []
    for world, scene in enumerate(scenes):
        try:
            frames += _frames(scene, world, models, len(frames))
        except BROKEN as error:
            raise UserError(f"{scene}: its tables do not fit together: {reason(error)}") from error
    names = {i.category: int(i.extra["obj_id"]) for frame in frames for i in frame.instances}
    categories = (Category(number, name, name) for name, number in names.items())
    return Records(root.name, tuple(sorted(categories, key=lambda c: c.id)), tuple(frames))


def _models(path: Path) -> dict[int, Json]:
    if not path.is_file():
        return {}
    try:
        return {int(number): dict(model) for number, model in read_json(path).items()}
    except BROKEN as error:
        raise UserError(f"{path} is not a table of models: {reason(error)}") from error


def _frames(scene: Path, world: int, models: dict[int, Json], first: int) -> list[Frame]:
    cameras, truths = read_json(scene / "scene_camera.json"), read_json(scene / "scene_gt.json")
    infos = read_json(scene / "scene_gt_info.json") if (scene / "scene_gt_info.json").is_file() else {}
    frames: list[Frame] = []
    for key in sorted(cameras, key=int):
        camera, number = cameras[key], int(key)
        names = [scene / folder / f"{number:06d}{suffix}" for folder, suffix in PICTURES]
        picture = next((path for path in names if path.is_file()), None)
        if picture is None:
            raise UserError(f"{scene} has no picture rgb/{number:06d}.png")
        width, height = picture_size(picture)
        k = corner_k(np.reshape(np.array(camera["cam_K"], np.float64), (3, 3)))
        world_from_camera = np.eye(4)
        if "cam_R_w2c" in camera:
            world_from_camera = camera_from_opencv_world(_pose(camera["cam_R_w2c"], camera["cam_t_w2c"]))
        view = Frame(first + len(frames), width, height, (), {}, world, number, 0, k, world_from_camera)
        rows = zip(truths.get(key, []), infos.get(key) or [None] * len(truths.get(key, [])), strict=True)
        instances = [_instance(scene, view, i, truth, info, models) for i, (truth, info) in enumerate(rows)]
        depth = scene / "depth" / f"{number:06d}.png"
        files = {"image": picture} | ({"depth": depth} if depth.is_file() else {})
        row = {"split": scene.parent.name, "scene": scene.name, "depth_scale": camera.get("depth_scale", 1.0)}
        frames.append(
            Frame(view.id, width, height, tuple(instances), files, world, number, 0, k, world_from_camera, row)
        )
    return frames


def _pose(turn: list[float], place_mm: list[float]) -> Array:
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = np.reshape(turn, (3, 3)), np.multiply(place_mm, METRES)
    return out


def _instance(
    scene: Path, view: Frame, position: int, truth: Json, info: Json | None, models: dict[int, Json]
) -> Instance:
    number = int(truth["obj_id"])
    model = models.get(number, {})
    assert view.k is not None
    assert view.world_from_camera is not None
    pose = _pose(truth["cam_R_m2c"], truth["cam_t_m2c"])
    solid = None
    if model:
        size, low = (np.array([model[f"{what}_{a}"] for a in "xyz"]) * METRES for what in ("size", "min"))
        center = low + 0.5 * size
        corners = projected(view.k, moved(pose, center + CORNER_SIGNS * size))
        solid = Solid(world_from_opencv(pose, view.world_from_camera)[:3], size, center, corners, number)
    name = str(model.get("category", "")) or f"obj_{number:06d}"
    visible, whole = (_mask(scene / kind / f"{view.step:06d}_{position:06d}.png", view) for kind in
                      ("mask_visib", "mask"))  # fmt: skip
    box, amodal, seen = (0.0, 0.0, 0.0, 0.0), None, None
    if visible is not None:
        seen = visible[1]
        box = box_of(decode(visible[0])) if seen else box
    if info is not None and int(info["px_count_visib"]):
        x, y, width, height = map(float, info["bbox_visib"])
        box, seen = (x, y, width, height), int(info["px_count_visib"])
    if info is not None and int(info["px_count_all"]):
        count = int(whole[1]) if whole is not None else int(info["px_count_valid"])
        x, y, width, height = map(float, info["bbox_obj"])
        amodal = Amodal(
            whole[0] if whole else None, (x, y, width, height), count, int(info["px_count_all"]), False, 0, 0
        )
    extra = {"obj_id": number}
    return Instance(
        int(truth.get("inst_id", position + 1)), name, box, seen, visible[0] if visible else None,
        amodal=amodal, solid=solid, extra=extra,
    )  # fmt: skip


def _mask(path: Path, view: Frame) -> tuple[Mask, int] | None:
    """Return a mask of the frame's size and its pixels; None: there is no file."""
    if not path.is_file():
        return None
    pixels = read_pixels(path) > 0
    if pixels.shape != (view.height, view.width):
        raise UserError(
            f"{path} has {pixels.shape[1]}x{pixels.shape[0]} pixels, its picture {view.width}x{view.height}"
        )
    return encode(pixels), int(pixels.sum())


def read_bop_depth(path: Path, depth_scale: float) -> Array:
    """Return planar depth [m], [y, x], +inf where there is none."""
    steps = read_pixels(path).astype(np.float64)
    return np.where(steps > 0.0, steps * depth_scale * METRES, np.inf)
