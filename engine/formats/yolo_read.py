"""YOLO folders as records; see `engine.formats.yolo`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from engine.errors import UserError
from engine.formats.folders import picture_size, read_text
from engine.formats.masks import box_of, encode, filled
from engine.formats.record import Category, Frame, Instance
from engine.formats.registry import Records

IMAGES = "images"
LIST = ".txt"  # of a split that a file lists
BOX, CORNERS = 4, 8  # values of a box, and of four corners
LARGEST = 2.0  # value of a row: no share is above 1, which `validate` tells, and a keypoint's third number is 2
IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
NOT_SPLITS = ("path", "nc", "names", "kpt_shape", "flip_idx", "kpt_names", "download", "channels")

Row = Callable[[int, str, NDArray[np.float64], tuple[int, int]], Instance]  # number, class, values, (width, height)


def read_yolo_detect(folder: Path) -> Records:
    """Return the boxes of a folder."""
    return _records(open_yolo(folder, "detect"))


def read_yolo_segment(folder: Path) -> Records:
    """Return the masks of a folder: pixels whose centre is in the polygon."""
    return _records(open_yolo(folder, "segment"))


def read_yolo_pose(folder: Path) -> Records:
    """Return the boxes and keypoints of a folder."""
    return _records(open_yolo(folder, "pose"))


def read_yolo_obb(folder: Path) -> Records:
    """Return the oriented boxes of a folder, with the upright ones around them."""
    return _records(open_yolo(folder, "obb"))


@dataclass(frozen=True)
class YoloFolder:
    """A folder whose label files are read one at a time."""

    folder: Path
    data: Mapping[str, Any]  # of data.yaml, names by number
    images: tuple[tuple[str, Path], ...]  # split, picture
    row: Row
    fits: Callable[[int], bool]  # whether a row has so many values after the class

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes that data.yaml names."""
        keypoints = self.data.get("kpt_names") or {}
        return tuple(
            Category(number, str(name), str(name), keypoints=self._keypoints(keypoints, number))
            for number, name in self.data["names"].items()
        )

    def instances(self, image: Path, size: tuple[int, int]) -> tuple[Instance, ...]:
        """Return the labels of a picture of (width, height) [px]; without a label file it has none.

        Raises:
            UserError: If a row cannot be understood.
        """
        label = label_of(image)
        return tuple(_instances(label, size, self.data["names"], self.row, self.fits)) if label.is_file() else ()

    def _keypoints(self, names: Any, number: int) -> tuple[str, ...]:
        if isinstance(names, Mapping) and names.get(number):
            return tuple(map(str, names[number]))
        return ()


def open_yolo(folder: Path, task: str) -> YoloFolder:
    """Return a folder whose rows are of one task: detect, segment, pose or obb; segments may stand among boxes.

    Raises:
        UserError: If data.yaml cannot be understood.
    """
    data = read_data(folder)
    images = tuple((split, image) for split, found in _splits(folder, data) for image in found)
    if task == "pose":
        return YoloFolder(folder, data, images, *_pose_row(data, folder))
    row, fits = ROWS[task]
    return YoloFolder(folder, data, images, row, fits)


def _records(source: YoloFolder) -> Records:
    frames: list[Frame] = []
    for split, image in source.images:
        size = picture_size(image)
        frames.append(Frame(len(frames), *size, source.instances(image, size), {"image": image}, row={"split": split}))
    return Records(source.folder.name, source.categories, tuple(frames))


def _pose_row(data: Mapping[str, Any], folder: Path) -> tuple[Row, Callable[[int], bool]]:
    shape = data.get("kpt_shape")
    if not isinstance(shape, list) or len(shape) != 2 or not isinstance(shape[0], int) or shape[1] not in (2, 3):
        raise UserError(f"{data_file(folder)}: kpt_shape must be [number, 2 or 3], got {shape!r}")
    count, columns = shape

    def row(number: int, key: str, values: NDArray[np.float64], size: tuple[int, int]) -> Instance:
        points = np.full((count, 3), 2.0)
        points[:, :columns] = values[4:].reshape(count, columns)
        points[:, :2] *= size
        return Instance(number, key, _box(values[:4], size), keypoints=points)

    return row, lambda given: given == 4 + count * columns


def data_file(folder: Path) -> Path:
    """Return data.yaml of a folder, or the only other YAML file in it."""
    named = folder / "data.yaml"
    others = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return others[0] if not named.is_file() and len(others) == 1 else named


def read_data(folder: Path) -> dict[str, Any]:
    """Return what data.yaml says, `names` by number.

    Raises:
        UserError: If it cannot be read, or has no names.
    """
    path = data_file(folder)
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict) or not isinstance(data.get("names"), dict | list):
        raise UserError(f"{path}: needs names, a list or a mapping of numbers to names")
    if isinstance(data["names"], list):
        data["names"] = dict(enumerate(data["names"]))
    if not all(isinstance(number, int) and number >= 0 for number in data["names"]):
        raise UserError(f"{path}: names are numbered by whole numbers from 0")
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
            if one.endswith(LIST) and (listed := _listed(folder, one)) is not None:
                yield key, listed
                continue
            images = _folder_of(folder, data.get("path"), one)
            if images is None:
                raise UserError(f"{folder / 'data.yaml'}: {key}: {one} is not a folder in it")
            if images in seen:
                continue
            seen.add(images)
            name = key if images.name == IMAGES else images.name  # `train/images` is that of train
            yield name, sorted(path for path in images.rglob("*") if path.suffix.lower() in IMAGE_ENDINGS)


def _listed(folder: Path, name: str) -> list[Path] | None:
    """Return the pictures that a text file names, one a line, relative to it; None: there is no such file.

    Raises:
        UserError: If a line names something outside of the folder.
    """
    path = (folder / name.removeprefix("./")).resolve()
    if not path.is_file() or not path.is_relative_to(folder.resolve()):
        return None
    found = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip():
            image = (path.parent / line.strip()).resolve()
            if not image.is_relative_to(folder.resolve()):
                raise UserError(f"{path}:{number}: '{line[:60]}' is not in {folder}; name a picture in it")
            found.append(image)
    return sorted(found)


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
    if len(values) == BOX:
        return _box_row(number, key, values, size)
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


ROWS: Mapping[str, tuple[Row, Callable[[int], bool]]] = {
    "detect": (_box_row, lambda count: count == BOX),
    "segment": (_segment_row, lambda count: count == BOX or (count >= 6 and count % 2 == 0)),
    "obb": (_oriented_row, lambda count: count == CORNERS),
}
