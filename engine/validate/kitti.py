"""Check a KITTI object folder: label_2, image_2, calib, velodyne, and depth and flow maps where they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from engine.validate.finding import Finding, shown
from engine.validate.folder import IMAGE_SUFFIXES, UNREADABLE, BadFile, Folder, entries, image_size, is_file, is_folder
from engine.validate.kitti_calibration import Calibration, read_calibration
from engine.validate.kitti_row import COLUMNS, Place, Seen, check_object
from engine.validate.yolo_row import numbers_of

POINT_BYTES = 16
POINTS_A_PART = 2**20  # read together
LEAST_ROWS = 10  # from here on, zeros everywhere are suspicious
LEAST_SHIFTS, LARGEST_SHIFT = 4, 0.25  # wholly seen objects, and heights of 2D boxes
MAP_FOLDERS = {"depth": ("I;16", "I"), "depth_2": ("I;16", "I"), "flow": (), "flow_occ": (), "flow_noc": ()}


def label_folders(folder: Folder) -> list[Path]:
    """Return every label_2 of a folder."""
    return [base for base in folder.folders(depth=3) if base.name == "label_2"]


def has_kitti(folder: Folder) -> bool:
    """Return whether there is a label_2."""
    return bool(label_folders(folder))


def check_kitti_folder(folder: Folder) -> Iterator[Finding]:
    """Yield every fault of the KITTI folders below a folder."""
    for labels in label_folders(folder):
        yield from _check_part(folder, labels)


def _check_part(folder: Folder, labels: Path) -> Iterator[Finding]:
    base = labels.parent
    images = _by_stem(folder, base / "image_2", IMAGE_SUFFIXES)
    if folder.images is not None:
        images |= _by_stem(folder, folder.images, IMAGE_SUFFIXES)
    calibrations = _by_stem(folder, base / "calib", (".txt",))
    seen = Seen()
    named = _by_stem(folder, labels, (".txt",))
    for stem, path in named.items():
        folder.tick(1)
        image = images.get(stem)
        size = None if image is None else image_size(image)
        if image is None:
            yield Finding(folder.name(path), "", "label-without-image", path.name, f"image_2/{stem}.png")
        elif size is None:
            yield Finding(folder.name(image), "", "image-unreadable", image.name, "an image")
        calibration = Calibration()
        if stem in calibrations:
            calibration, findings = read_calibration(folder, calibrations[stem])
            yield from findings
        else:
            yield Finding(folder.name(path), "", "calib-missing", path.name, f"calib/{stem}.txt")
        yield from _check_labels(folder, path, Place(folder.name(path), 0, size, calibration.projection), seen)
    for stem, image in images.items():
        if stem not in named:
            yield Finding(folder.name(image), "", "image-without-label", image.name, f"label_2/{stem}.txt")
    yield from _check_whole(folder.name(labels), seen)
    for path in _by_stem(folder, base / "velodyne", (".bin",)).values():
        folder.tick(1)
        yield from _check_points(folder, path)
    for name, modes in MAP_FOLDERS.items():
        for path in _by_stem(folder, base / name, (".png",)).values():
            yield from _check_map(folder, path, modes)


def _check_whole(name: str, seen: Seen) -> Iterator[Finding]:
    """Yield what only all rows together show."""
    if seen.rows >= LEAST_ROWS and not seen.is_hidden_ever:
        value = f"0 in all {seen.rows} rows"
        yield Finding(name, "", "occlusion-never-set", value, "truncation and occlusion as they are")
    if seen.rows_without_solid:
        yield Finding(name, "", "solid-unknown", f"{seen.rows_without_solid} rows", "sizes and places of objects")
    if len(seen.shifts) >= LEAST_SHIFTS and abs(shift := float(np.median(seen.shifts))) > LARGEST_SHIFT:
        value = f"{shift:+.2f} heights of the 2D box, median of {len(seen.shifts)}"
        yield Finding(name, "", "location-shifted", value, "0: x, y, z of the bottom's centre, y down")


def _by_stem(folder: Folder, base: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    if not is_folder(base) or not folder.holds(base):
        return {}
    found = (path for path in entries(base) if path.suffix.lower() in suffixes)
    return {path.stem: path for path in found if folder.holds(path) and is_file(path)}


def _check_labels(folder: Folder, path: Path, at: Place, seen: Seen) -> Iterator[Finding]:
    try:
        lines = folder.read_text(path).split("\n")
    except BadFile as error:
        yield Finding(at.file, "", "file-unreadable", str(error), "a label file")
        return
    first_of: dict[tuple[str | float, ...], int] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        place = Place(at.file, number, at.size, at.projection)
        if len(words) not in (COLUMNS, COLUMNS + 1):
            yield place.finding("column-count", f"{len(words)}: {shown(line)}", f"{COLUMNS} columns")
            continue
        values = numbers_of(words[1:])
        if numbers_of(words[:1]) is not None:
            yield place.finding("type-invalid", shown(words[0]), "a word")
        if values is None:
            yield place.finding("value-not-number", shown(" ".join(words[1:])), "finite numbers")
            continue
        yield from check_object(place, words[0], values, seen)
        if words[0] != "DontCare":
            first = first_of.setdefault((words[0], *values), number)
            if first != number:
                yield place.finding("row-duplicate", f"equal to line {first}", "an object listed once")


def _check_points(folder: Folder, path: Path) -> Iterator[Finding]:
    file, size = folder.name(path), path.stat().st_size
    if size % POINT_BYTES:
        yield Finding(file, "", "velodyne-size", f"{size} bytes", f"a multiple of {POINT_BYTES}")
        return
    with path.open("rb") as stream:
        while True:
            part = np.fromfile(stream, np.float32, 4 * POINTS_A_PART)
            if not part.size:
                return
            if not np.isfinite(part).all():
                value = f"{int(np.count_nonzero(~np.isfinite(part)))} values"
                yield Finding(file, "", "velodyne-not-finite", value, "finite coordinates")
                return


def _check_map(folder: Folder, path: Path, modes: tuple[str, ...]) -> Iterator[Finding]:
    """Yield whether a depth map has 16 bits; of a flow map, which Pillow reads as 8, the header is read."""
    file = folder.name(path)
    try:
        with Image.open(path) as image:
            mode = image.mode
    except UNREADABLE:
        yield Finding(file, "", "image-unreadable", path.name, "a PNG")
        return
    if modes and mode not in modes:
        yield Finding(file, "", "map-not-16-bit", f"mode {mode}", "16-bit grey")
    elif not modes and png_depth(path) != (16, 2):
        yield Finding(file, "", "map-not-16-bit", f"bits and colour type {png_depth(path)}", "16-bit RGB")


def png_depth(path: Path) -> tuple[int, int]:
    """Return bits a channel and colour type of a PNG; source: RFC 2083, section 4.1.1."""
    with path.open("rb") as file:
        head = file.read(26)
    return (head[24], head[25]) if len(head) == 26 and head[:4] == b"\x89PNG" else (0, 0)
