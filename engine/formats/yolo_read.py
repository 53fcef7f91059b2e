"""YOLO folders as records; see `engine.formats.yolo`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from engine.errors import UserError
from engine.formats.folders import picture_size
from engine.formats.masks import box_of, encode, filled
from engine.formats.record import Category, Frame, Instance
from engine.formats.registry import Records

IMAGES = "images"
LARGEST = 2.0  # value of a row: no share is above 1, which `validate` tells, and a keypoint's third number is 2
IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
NOT_SPLITS = ("path", "nc", "names", "kpt_shape", "flip_idx", "kpt_names", "download", "channels")

Row = Callable[[int, str, NDArray[np.float64], tuple[int, int]], Instance]  # number, class, values, (width, height)


def read_yolo_detect(folder: Path) -> Records:
    """Return the boxes of a folder."""
    return _read(folder, _box_row, lambda count: count == 4)


def read_yolo_segment(folder: Path) -> Records:
    """Return the masks of a folder: pixels whose centre is in the polygon."""
    return _read(folder, _segment_row, lambda count: count >= 6 and count % 2 == 0)


def read_yolo_pose(folder: Path) -> Records:
    """Return the boxes and keypoints of a folder."""
    shape = _data(folder).get("kpt_shape")
    if not isinstance(shape, list) or len(shape) != 2 or shape[1] not in (2, 3):
        raise UserError(f"{folder / 'data.yaml'}: kpt_shape must be [number, 2 or 3], got {shape!r}")
    count, columns = shape

    def row(number: int, key: str, values: NDArray[np.float64], size: tuple[int, int]) -> Instance:
        points = np.full((count, 3), 2.0)
        points[:, :columns] = values[4:].reshape(count, columns)
        points[:, :2] *= size
        box = _box(values[:4], size)
        return Instance(number, key, box, keypoints=points)

    return _read(folder, row, lambda given: given == 4 + count * columns)


def read_yolo_obb(folder: Path) -> Records:
    """Return the oriented boxes of a folder, with the upright ones around them."""
    return _read(folder, _oriented_row, lambda count: count == 8)


def _read(folder: Path, row: Row, fits: Callable[[int], bool]) -> Records:
    data = _data(folder)
    names = data["names"]
    keypoints = data.get("kpt_names") or {}
    categories = tuple(
        Category(number, str(name), str(name), keypoints=tuple(keypoints.get(number, ())))
        for number, name in names.items()
    )
    frames: list[Frame] = []
    for split, images in _splits(folder, data):
        for image in images:
            label = label_of(image)
            size = picture_size(image)
            instances = tuple(_instances(label, size, names, row, fits)) if label.is_file() else ()
            frames.append(Frame(len(frames), *size, instances, {"image": image}, row={"split": split}))
    return Records(folder.name, categories, tuple(frames))


def _data(folder: Path) -> dict[str, Any]:
    path = folder / "data.yaml"
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict) or not isinstance(data.get("names"), dict | list):
        raise UserError(f"{path}: needs names, a list or a mapping of numbers to names")
    if isinstance(data["names"], list):
        data["names"] = dict(enumerate(data["names"]))
    return data


def label_of(image: Path) -> Path:
    """Return where the labels of a picture lie: the last folder `images` of its path becomes `labels`."""
    parts = list(image.parts)
    places = [place for place, name in enumerate(parts[:-1]) if name == IMAGES]
    if places:
        parts[places[-1]] = "labels"
    return Path(*parts).with_suffix(".txt")


def _splits(folder: Path, data: dict[str, Any]) -> Iterator[tuple[str, list[Path]]]:
    """Yield the splits with their pictures; a folder that two keys name is read once, under its own name."""
    seen: set[Path] = set()
    for key, value in data.items():
        values = value if isinstance(value, list) else [value]
        if key in NOT_SPLITS or not values or not all(isinstance(one, str) for one in values):
            continue
        for one in values:
            images = _folder_of(folder, data.get("path"), one)
            if images is None:
                raise UserError(f"{folder / 'data.yaml'}: {key}: {one} is not a folder in it")
            if images in seen:
                continue
            seen.add(images)
            name = key if images.name == IMAGES else images.name  # `train/images` is that of train
            yield name, sorted(path for path in images.rglob("*") if path.suffix.lower() in IMAGE_ENDINGS)


def _folder_of(folder: Path, root: object, value: str) -> Path | None:
    """Return the folder of pictures that data.yaml means; None: it is not below `folder`.

    ultralytics takes `root` from its own place for data sets, so what stands there may lie here; Roboflow writes
    `../train/images` and means `train/images`.
    """
    places = [value.removeprefix("../")]
    if isinstance(root, str):
        places.append(f"{root}/{value}")
    for place in places:
        path = (folder / place).resolve()
        if path.is_dir() and path.is_relative_to(folder.resolve()):
            return path
    return None


def _instances(
    label: Path, size: tuple[int, int], names: dict[int, str], row: Row, fits: Callable[[int], bool]
) -> Iterator[Instance]:
    for number, line in enumerate(label.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            first, *rest = line.split()
            key, values = names[int(first)], np.array(rest, np.float64)
        except (ValueError, KeyError) as error:
            raise UserError(f"{label}:{number}: '{line[:60]}' is not a class and numbers: {error}") from error
        if not fits(len(values)) or not ((values >= 0.0) & (values <= LARGEST)).all():
            raise UserError(
                f"{label}:{number}: {len(values)} values after the class, or one that is no share of the image"
            )
        yield row(number, str(key), values, size)


def _box(values: NDArray[np.float64], size: tuple[int, int]) -> tuple[float, float, float, float]:
    cx, cy, width, height = values * np.array([*size, *size])
    return float(cx - width / 2), float(cy - height / 2), float(width), float(height)


def _box_row(number: int, key: str, values: NDArray[np.float64], size: tuple[int, int]) -> Instance:
    return Instance(number, key, _box(values, size))


def _segment_row(number: int, key: str, values: NDArray[np.float64], size: tuple[int, int]) -> Instance:
    points = values.reshape(-1, 2) * size
    pixels = filled(points, size[1], size[0])
    low, high = points.min(axis=0), points.max(axis=0)
    box = (*low.tolist(), *(high - low).tolist())
    if pixels.any():
        box = box_of(pixels)
    return Instance(number, key, box, int(pixels.sum()), encode(pixels), extra={"ring": points})


def _oriented_row(number: int, key: str, values: NDArray[np.float64], size: tuple[int, int]) -> Instance:
    corners = values.reshape(4, 2) * size
    low, high = corners.min(axis=0), corners.max(axis=0)
    return Instance(number, key, (*low.tolist(), *(high - low).tolist()), oriented_box=corners)
