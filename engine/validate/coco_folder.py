"""COCO files of a folder and the images they name, wherever tools put them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.validate.coco import check_coco
from engine.validate.coco_panoptic import check_panoptic, is_panoptic
from engine.validate.coco_precision import check_precision
from engine.validate.finding import Finding
from engine.validate.folder import BadFile, Folder, entries, image_size, is_file
from engine.validate.rules import Severity

PROBED = 8  # images that decide which folder their names are relative to
LABEL_FOLDERS = ("", "annotations", "labels", "train", "valid", "val", "test")
OTHERS = (
    "croissant",  # of ours: what the dataset holds, for machines
    "scene_gt",
    "scene_gt_info",
    "scene_camera",
    "models_info",
    "dataset",
    "recipe",
    "manifest",
    "taxonomy",
    "camera",
    "scene_gt_coco",  # of BOP: boxes of whole silhouettes beside visible masks
)
OTHER_TASKS = ("captions_", "image_info_")  # of COCO itself: no boxes, and no annotations


def coco_files(folder: Folder) -> list[Path]:
    """Return the JSON files that may be COCO files: those at the usual places, without those of other formats."""
    found = []
    for name in LABEL_FOLDERS:
        base = folder.root / name
        if not folder.holds(base):
            continue
        found += [
            path for path in entries(base)
            if path.suffix == ".json" and path.stem not in OTHERS and not path.name.startswith((".", *OTHER_TASKS))
            and is_file(path)
        ]  # fmt: skip
    return found


def has_coco(folder: Folder) -> bool:
    """Return whether some file at the usual places looks like one of COCO: its first kilobytes name a list of it."""
    return any(_looks_like_coco(folder, path) for path in coco_files(folder))


def check_coco_folder(folder: Folder, *, with_precision: bool = False) -> Iterator[Finding]:
    """Yield every fault of the COCO files of a folder."""
    files = [path for path in coco_files(folder) if _looks_like_coco(folder, path)] or coco_files(folder)
    for path in files:
        file = folder.name(path)
        try:
            data = folder.read_json(path)
        except BadFile as error:
            yield Finding(file, "", "file-unreadable", str(error), "a COCO file")
            continue
        measure = _Measure(folder, _image_root(folder, path, data))
        if is_panoptic(data):
            yield from check_panoptic(folder, path, data, measure)
            continue
        is_sound = True
        for finding in check_coco(data, file, measure, folder.tick):
            is_sound = is_sound and finding.severity is not Severity.ERROR
            yield finding
        if with_precision and is_sound:
            yield from check_precision(data, file)


@dataclass(frozen=True)
class _Measure:
    """Looks up the size of a picture below a folder."""

    folder: Folder
    root: Path

    def __call__(self, name: str) -> tuple[int, int] | None:
        path = self.folder.inside(self.root, name)
        if path is None:
            raise UserError("it leads out of it")
        if not is_file(path):
            return None
        size = image_size(path)
        if size is None:
            raise ValueError(name)
        return size


def _looks_like_coco(folder: Folder, path: Path) -> bool:
    if not folder.holds(path):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(2**16)
            file.seek(max(0, path.stat().st_size - 2**16))
            text = head + file.read(2**16)
    except OSError:
        return True  # to be named as what cannot be read
    return any(key in text for key in (b'"annotations"', b'"categories"', b'"images"'))


def _image_root(folder: Folder, path: Path, data: Any) -> Path:
    """Return the folder below which most of the first images lie."""
    images = data.get("images") if isinstance(data, dict) else None
    first = images[:PROBED] if isinstance(images, list) else []
    names = [image.get("file_name") for image in first if isinstance(image, dict)]
    split = path.stem.rsplit("_", 1)[-1]
    above = folder.root
    roots = [above, above / "images", path.parent, above / split, above / "images" / split, path.parent / "images"]
    roots += [above / "train", above / "val", above / "valid", above / "test", above / "JPEGImages", above / "data"]
    roots += [path.parent.parent, path.parent.parent / split]
    if folder.images is not None:
        roots = [folder.images, folder.images / split, *roots]
    return max(roots, key=lambda root: sum(_is_there(folder, root, name) for name in names))


def _is_there(folder: Folder, root: Path, name: Any) -> bool:
    path = folder.inside(root, name)
    return path is not None and is_file(path)
