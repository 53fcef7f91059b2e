"""Check a BOP folder: scenes of scene_camera, scene_gt, scene_gt_info, masks and depth, and the models they name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.validate.bop_frame import MaskFiles, Place, check_camera, check_info, check_masks, check_pose
from engine.validate.finding import Finding, are_numbers, is_number, is_whole, shown
from engine.validate.folder import BadFile, Folder, image_size, is_file, is_folder, read_pixels

SCENE_FILES = ("scene_camera", "scene_gt", "scene_gt_info")
METRES_BELOW = 50.0  # [mm]; hardly a camera is that near to all of its objects, and few scenes are 50 m deep
DEPTH_LIMIT = 65535
SLACK = 1.01  # of the diameter against the diagonal of the box


@dataclass(frozen=True)
class _Scene:
    """A scene and what its files hold: entries by the number of the image."""

    base: Path
    data: dict[str, dict[str, Any]]


def scene_folders(folder: Folder) -> list[Path]:
    """Return the scenes below a folder."""
    return [
        base for base in folder.folders(depth=3) if any(is_file(base / f"{name}.json") for name in SCENE_FILES[1:2])
    ]


def has_bop(folder: Folder) -> bool:
    """Return whether there is a scene."""
    return bool(scene_folders(folder))


def check_bop_folder(folder: Folder) -> Iterator[Finding]:
    """Yield every fault of the BOP scenes and models below a folder."""
    models: set[int] | None = None
    for base in folder.folders(depth=2):
        if is_file(base / "models_info.json"):
            found, findings = _read_models(folder, base)
            models = found if models is None else models | found
            yield from findings
    for base in scene_folders(folder):
        scene, findings = _read_scene(folder, base)
        yield from findings
        if scene is not None:
            yield from _check_scene(folder, scene, models)


def _read_models(folder: Folder, base: Path) -> tuple[set[int], list[Finding]]:
    file = folder.name(base / "models_info.json")
    try:
        data = folder.read_json(base / "models_info.json")
    except BadFile as error:
        return set(), [Finding(file, "", "file-unreadable", str(error), "the sizes of models")]
    if not isinstance(data, dict):
        return set(), [Finding(file, "", "scene-lists", shown(data), "an object keyed by obj_id")]
    known: set[int] = set()
    findings: list[Finding] = []
    for key, info in data.items():
        number = int(key) if key.isascii() and key.isdigit() and len(key) < 10 else 0
        if number < 1:
            findings.append(Finding(file, f"model {shown(key)}", "object-id-invalid", shown(key), "a number from 1"))
            continue
        known.add(number)
        if not is_file(base / f"obj_{number:06d}.ply"):
            findings.append(Finding(file, f"model {number}", "model-missing", "none", f"obj_{number:06d}.ply"))
        findings += _check_model(file, number, info)
    return known, findings


def _check_model(file: str, number: int, info: Any) -> Iterator[Finding]:
    where = f"model {number}"
    if not isinstance(info, dict):
        yield Finding(file, where, "item-not-object", shown(info), "an object")
        return
    values = [info.get(name) for name in ("diameter", "size_x", "size_y", "size_z")]
    if not all(map(is_number, values)) or min(values) < 0 or values[0] <= 0:  # type: ignore[type-var,operator]
        yield Finding(file, where, "model-invalid", shown(values), "diameter and size_x, size_y, size_z above 0")
        return
    diagonal = sum(value**2 for value in values[1:]) ** 0.5  # type: ignore[operator]
    if values[0] > diagonal * SLACK:
        yield Finding(file, where, "model-invalid", f"diameter {values[0]:g}", f"at most {diagonal:g}, the diagonal")


def _read_scene(folder: Folder, base: Path) -> tuple[_Scene | None, list[Finding]]:
    data: dict[str, dict[str, Any]] = {}
    findings: list[Finding] = []
    for name in SCENE_FILES:
        path = base / f"{name}.json"
        file = folder.name(path)
        try:
            found = folder.read_json(path)
        except BadFile as error:
            findings.append(Finding(file, "", "file-unreadable", str(error), "entries of the images"))
            continue
        if not isinstance(found, dict) or not all(key.isascii() and key.isdigit() and len(key) < 12 for key in found):
            findings.append(Finding(file, "", "scene-lists", shown(found), "an object keyed by numbers of images"))
            continue
        data[name] = found
    return (_Scene(base, data) if "scene_gt" in data else None), findings


def _check_scene(folder: Folder, scene: _Scene, models: set[int] | None) -> Iterator[Finding]:
    cameras, truth, infos = (scene.data.get(name) for name in SCENE_FILES)
    files = {name: folder.name(scene.base / f"{name}.json") for name in SCENE_FILES}
    assert truth is not None
    for name in SCENE_FILES:
        for key in sorted(truth.keys() - scene.data.get(name, truth).keys(), key=int):
            yield Finding(files[name], f"image {key}", "scene-image-missing", "none", f"image {key}, as in scene_gt")
        for key in sorted(scene.data.get(name, truth).keys() - truth.keys(), key=int):
            yield Finding(
                files["scene_gt"], f"image {key}", "scene-image-missing", "none", f"image {key}, as in {name}"
            )
    for key, camera in (cameras or {}).items():
        yield from check_camera(files["scene_camera"], key, camera)
    depths: list[float] = []
    for key, objects in truth.items():
        folder.tick(1)
        info = None if infos is None else infos.get(key)
        size, findings = _image_of(folder, scene.base, int(key))
        yield from findings
        if not isinstance(objects, list):
            yield Finding(files["scene_gt"], f"image {key}", "scene-lists", shown(objects), "a list of objects")
            continue
        if info is not None and (not isinstance(info, list) or len(info) != len(objects)):
            found = f"{len(info)}" if isinstance(info, list) else shown(info)
            where = f"image {key}"
            yield Finding(
                files["scene_gt_info"], where, "gt-info-length", found, f"{len(objects)} entries, as in scene_gt"
            )
            info = None
        for number, entry in enumerate(objects):
            place = Place(files["scene_gt"], int(key), number)
            yield from check_pose(place, entry, models)
            if isinstance(entry, dict) and are_numbers(entry.get("cam_t_m2c"), 3):
                depths.append(entry["cam_t_m2c"][2])
            own = Place(files["scene_gt_info"], int(key), number)
            faults = [] if info is None else check_info(own, info[number])
            yield from faults
            stem = f"{int(key):06d}_{number:06d}.png"
            masks = MaskFiles(scene.base / "mask" / stem, scene.base / "mask_visib" / stem)
            sound = None if info is None or faults else info[number]
            yield from check_masks(folder, own, masks, sound, size)
        yield from _check_twins(files["scene_gt"], key, objects)
    if depths and 0 < max(depths) < METRES_BELOW:
        yield Finding(files["scene_gt"], "", "translation-in-metres", f"z up to {max(depths):g}", "millimetres")


def _check_twins(file: str, key: str, objects: list[Any]) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for number, entry in enumerate(objects):
        if not isinstance(entry, dict) or not is_whole(entry.get("obj_id")):
            continue
        pose = f"{entry['obj_id']} {shown(entry.get('cam_R_m2c'))} {shown(entry.get('cam_t_m2c'))}"
        if seen.setdefault(pose, number) != number:
            where = f"image {key}, object {number}"
            yield Finding(file, where, "row-duplicate", f"equal to object {seen[pose]}", "an object listed once")


def _image_of(folder: Folder, base: Path, number: int) -> tuple[tuple[int, int] | None, list[Finding]]:
    """Return the size of an image and what is wrong with it and its depth."""
    findings: list[Finding] = []
    size = None
    places = [base / name / f"{number:06d}{suffix}" for name in ("rgb", "gray") for suffix in (".png", ".jpg", ".tif")]
    there = [path for path in places if is_file(path) and folder.holds(path)]
    if there:
        size = image_size(there[0])
        if size is None:
            findings.append(Finding(folder.name(there[0]), "", "image-unreadable", there[0].name, "an image"))
    elif any(is_folder(base / name) for name in ("rgb", "gray")):
        findings.append(Finding(folder.name(places[0]), "", "image-missing", places[0].name, "an image"))
    depth = base / "depth" / f"{number:06d}.png"
    if not is_file(depth) and is_file(depth.with_suffix(".tif")):  # ITODD
        depth = depth.with_suffix(".tif")
    if is_folder(depth.parent):
        findings += _check_depth(folder, depth, size)
    return size, findings


def _check_depth(folder: Folder, path: Path, size: tuple[int, int] | None) -> Iterator[Finding]:
    file = folder.name(path)
    if not is_file(path) or not folder.holds(path):
        yield Finding(file, "", "image-missing", path.name, "a depth image")
        return
    try:
        pixels = read_pixels(path)
    except BadFile as error:
        yield Finding(file, "", "image-unreadable", str(error), "a depth image")
        return
    if pixels.ndim != 2 or pixels.dtype.itemsize < 2:
        yield Finding(file, "", "depth-not-16-bit", f"{pixels.shape} of {pixels.dtype}", "16-bit grey")
    elif size is not None and pixels.shape != size[::-1]:
        yield Finding(file, "", "mask-size", f"{pixels.shape[::-1]}", f"{size} of the image")
    elif pixels.max(initial=0) >= DEPTH_LIMIT:
        yield Finding(file, "", "depth-clipped", f"{int(pixels.max())}", "less than 65535")
