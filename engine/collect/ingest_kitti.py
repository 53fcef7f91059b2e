"""KITTI's object benchmark as a source of pictures: calibration, boxes in 2D and 3D, regions, sweeps.

Our world is the rectified camera frame with its axes turned so that z is up; calibration, regions that nobody looked
at (`DontCare`), sweeps and depth are kept as they are, so that an export gives them back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.collect.source import Labelled, Picture, file_inside
from engine.errors import UserError
from engine.formats.folders import categories_named, read_text
from engine.formats.kitti_kept import ROLES, UP_FROM_READ
from engine.formats.kitti_label import DONT_CARE, parse_calibration, parse_label
from engine.formats.kitti_read import PICTURES, camera_of, instances_of, regions_of, splits_of
from engine.formats.record import Array, Category, Instance


@dataclass(frozen=True)
class KittiPictures:
    """Labels of KITTI; files are read when they are asked for."""

    root: Path  # that holds label_2
    categories: tuple[Category, ...]
    pictures: Sequence[Picture]
    label_files: Mapping[str, Path]

    @property
    def name(self) -> str:
        """The format."""
        return "kitti"

    def labels(self, number: int, size: tuple[int, int]) -> Labelled:
        """Return the objects of a picture and its camera."""
        picture = self.pictures[number]
        matrices = _calibration(self.root, picture.path.stem)
        lines = _lines(self.root, picture.path.stem)
        k, pose = camera_of(matrices, self.root / "calib" / f"{picture.path.stem}.txt")
        found = instances_of(lines, matrices.get("P2"))
        return Labelled(
            tuple(_turned(instance) for instance in found), k, UP_FROM_READ @ pose if k is not None else None
        )

    def place(self, number: int, instance: Instance) -> str:
        """Return file and line."""
        return f"label_2/{self.pictures[number].path.stem}.txt, line {instance.id}"


def open_kitti(folder: Path) -> KittiPictures:
    """Return the pictures of a KITTI folder, those without labels as well.

    Raises:
        UserError: If it is none, or a label file has no picture.
    """
    root = folder / "training" if (folder / "training").is_dir() else folder
    if not (root / "image_2").is_dir() or not (root / "label_2").is_dir():
        raise UserError(f"{folder} is no KITTI folder: it has neither training/image_2 and label_2 nor both itself")
    splits = splits_of(folder)
    found = {path.stem: path for path in sorted((root / "image_2").iterdir()) if path.suffix.lower() in PICTURES}
    stems = sorted(path.stem for path in (root / "label_2").glob("*.txt"))
    if missing := [stem for stem in stems if stem not in found]:
        raise UserError(
            f"{root / 'label_2' / missing[0]}.txt has no picture image_2/{missing[0]}.png; add or remove it"
        )
    names: set[str] = set()
    pictures = []
    for stem, path in found.items():
        lines = _lines(root, stem)
        names |= {label.name for label in lines if label.name != DONT_CARE}
        pictures.append(_picture(root, path, regions_of(lines), splits.get(stem)))
    for picture in pictures:
        for path in (picture.path, *picture.files.values()):
            file_inside(folder, path.relative_to(folder).as_posix(), picture.name)
    labels = {
        f"{kind}/{stem}.txt": path for stem in found for kind in ("label_2", "calib")
        if (path := root / kind / f"{stem}.txt").is_file()
    }  # fmt: skip
    lists = {f"ImageSets/{path.name}": path for path in (folder / "ImageSets").glob("*.txt")}
    return KittiPictures(root, categories_named(names), pictures, labels | lists)


def _picture(root: Path, path: Path, regions: Sequence[Any], split: str | None) -> Picture:
    said: dict[str, Any] = {"file_name": f"image_2/{path.name}", "split": split}
    matrices = _calibration(root, path.stem)
    if matrices:
        said["calibration"] = {name: matrix.tolist() for name, matrix in matrices.items()}
    said["dont_care"] = [list(region) for region in regions]
    files = {role: root / folder / f"{path.stem}{suffix}" for role, (folder, suffix) in ROLES.items()}
    return Picture(
        f"image_2/{path.name}", path, said, files={role: file for role, file in files.items() if file.is_file()}
    )  # fmt: skip


def _lines(root: Path, stem: str) -> list[Any]:
    path = root / "label_2" / f"{stem}.txt"
    if not path.is_file():
        return []
    lines = enumerate(read_text(path).splitlines(), 1)
    return [parse_label(line, f"label_2/{stem}.txt, line {number}") for number, line in lines if line.strip()]


def _calibration(root: Path, stem: str) -> dict[str, Array]:
    path = root / "calib" / f"{stem}.txt"
    return parse_calibration(read_text(path), str(path)) if path.is_file() else {}


def _turned(instance: Instance) -> Instance:
    """Return an instance in our world."""
    if instance.solid is None:
        return instance
    pose: Array = np.asarray(UP_FROM_READ[:3, :3] @ instance.solid.world_from_object)
    return replace(instance, solid=replace(instance.solid, world_from_object=pose))
