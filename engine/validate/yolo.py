"""Check a YOLO folder: images/<split>/a.jpg beside labels/<split>/a.txt, described by data.yaml.

Source: https://docs.ultralytics.com/datasets/ and `verify_image_label` of ultralytics, which drops the whole image for
one value outside [0, 1], one class too many, or rows of two kinds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from engine.validate.finding import Finding, shown
from engine.validate.folder import BadFile, Folder, image_size, is_file, is_folder
from engine.validate.yolo_row import DETECT_COLUMNS, OBB_COLUMNS, Kind, Line, check_row, numbers_of
from engine.validate.yolo_yaml import Description, find_yaml, images_of, read_description, read_names, strays_of

PROBED_FILES = 500  # label files that decide what kind of dataset it is
TASKS = ("detect", "segment", "pose", "obb")


def check_yolo_folder(folder: Folder) -> Iterator[Finding]:
    """Yield every fault of a YOLO folder."""
    description, path = read_names(folder), find_yaml(folder)
    if path is not None:
        description, findings = read_description(folder, path)
        yield from findings
    splits = description.splits or _splits_without_description(folder)
    images = {split: [i for place in places for i in images_of(folder, place)] for split, places in splits.items()}
    yield from _check_splits(folder, splits, images)
    labels = _label_files(folder, splits)
    kind = _kind_of(folder, description, labels)
    used: set[Path] = set()
    for split in images.values():
        for image in split:
            label = label_path(image)
            if label in used:
                continue
            used.add(label)
            folder.tick(1)
            yield from _check_pair(folder, image, label, kind)
    for label in labels:
        if label not in used:
            yield Finding(folder.name(label), "", "label-without-image", label.name, "an image of the same name")
            yield from _check_labels(folder, label, None, kind)


def label_path(image: Path) -> Path:
    """Return where the labels of an image lie: the last part `images` of its path replaced by `labels`."""
    parts = list(image.with_suffix(".txt").parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            break
    return Path(*parts)


def _splits_without_description(folder: Folder) -> dict[str, tuple[Path, ...]]:
    images = folder.root / "images"
    return {"all": (images if is_folder(images) and folder.holds(images) else folder.root,)}


def _check_splits(
    folder: Folder, splits: dict[str, tuple[Path, ...]], images: dict[str, list[Path]]
) -> Iterator[Finding]:
    owner: dict[Path, str] = {}
    for place in dict.fromkeys(place for places in splits.values() for place in places):
        yield from strays_of(folder, place)
    for split, found in images.items():
        if not found and splits[split]:
            yield Finding(folder.name(splits[split][0]), split, "split-empty", "0 images", "an image or more")
        same = next((other for other in images if other != split and splits[other] == splits[split] != ()), None)
        if same is not None and list(images).index(same) < list(images).index(split):
            yield Finding(folder.name(splits[split][0]), split, "split-shared", f"also {same}", "images of its own")
            continue
        for image in found:
            place = image.resolve() if image.is_symlink() else image
            if owner.setdefault(place, split) != split:
                yield Finding(folder.name(image), split, "split-overlap", f"also in {owner[place]}", "one split")


def _label_files(folder: Folder, splits: dict[str, tuple[Path, ...]]) -> list[Path]:
    """Return all label files: those in folders named labels, or beside the images where there are none."""
    bases = [base for base in folder.folders() if base.name == "labels"]
    if not bases:
        bases = [place for places in splits.values() for place in places if is_folder(place)]
    listed = {place for places in splits.values() for place in places}
    found = {path: None for base in bases for path in folder.files(base, (".txt",)) if path not in listed}
    return [
        path for path in found if path.name not in ("classes.txt", "README.txt", "train.txt", "val.txt", "test.txt")
    ]


def _kind_of(folder: Folder, description: Description, labels: list[Path]) -> Kind:
    """Return what the rows hold: what the description says, or what most rows look like."""
    if description.task in TASKS and (description.task != "pose" or description.keypoints):
        return Kind(description.task, description.class_count, description.keypoints or (0, 3))
    if description.keypoints is not None:
        return Kind("pose", description.class_count, description.keypoints)
    columns: Counter[int] = Counter()
    for path in islice(labels, PROBED_FILES):
        columns.update(len(words) for _, words in _rows(folder, path))
    detect, oriented = columns[DETECT_COLUMNS], columns[OBB_COLUMNS]
    rings = sum(count for number, count in columns.items() if number > DETECT_COLUMNS and number % 2) - oriented
    task = "detect" if detect >= oriented + rings else "obb" if oriented > 9 * rings else "segment"
    return Kind(task, description.class_count)


def _rows(folder: Folder, path: Path) -> Iterable[tuple[int, list[str]]]:
    """Return the rows of a label file with their numbers; none if it cannot be read."""
    try:
        text = folder.read_text(path)
    except BadFile:
        return []
    lines = enumerate(text.split("\n"), 1)
    return [(number, words) for number, line in lines if (words := line.split())]


def _check_pair(folder: Folder, image: Path, label: Path, kind: Kind) -> Iterator[Finding]:
    if not is_file(image):
        yield Finding(folder.name(image), "", "image-missing", image.name, "an image")
        return
    size = image_size(image)
    if size is None:
        yield Finding(folder.name(image), "", "image-unreadable", image.name, "an image")
    if not is_file(label):
        yield Finding(folder.name(image), "", "image-without-label", image.name, f"{folder.name(label)}")
        return
    yield from _check_labels(folder, label, size, kind)


def _check_labels(folder: Folder, label: Path, size: tuple[int, int] | None, kind: Kind) -> Iterator[Finding]:
    file = folder.name(label)
    try:
        folder.read_text(label)
    except BadFile as error:
        yield Finding(file, "", "file-unreadable", str(error), "a label file")
        return
    rows = list(_rows(folder, label))
    seen: dict[tuple[float | str, ...], int] = {}
    mixed = _is_mixed([len(words) for _, words in rows], kind)
    if mixed is not None:
        yield Finding(
            file,
            f"line {rows[mixed][0]}",
            "rows-mixed",
            f"{len(rows[mixed][1])} columns",
            f"{kind.columns}, like the others",
        )
    for number, words in rows:
        line = Line(file, number, size)
        if not kind.fits(len(words)):
            yield from _check_columns(line, words, kind, is_mixed=mixed is not None)
            continue
        yield from check_row(line, words, kind)
        first = seen.setdefault(tuple(numbers_of(words) or words), number)
        if first != number:
            yield line.finding("row-duplicate", f"equal to line {first}", "an object listed once")


def _is_mixed(columns: list[int], kind: Kind) -> int | None:
    """Return the first row that is sound but of another kind than the dataset, if there are rows of both."""
    others = [i for i, count in enumerate(columns) if not kind.fits(count) and _is_any_kind(count)]
    return others[0] if others and any(map(kind.fits, columns)) else None


def _is_any_kind(count: int) -> bool:
    return count == DETECT_COLUMNS or (count > DETECT_COLUMNS and count % 2 == 1)


def _check_columns(line: Line, words: list[str], kind: Kind, *, is_mixed: bool) -> Iterator[Finding]:
    if is_mixed and _is_any_kind(len(words)):
        return  # named with the file
    is_ring = kind.task == "segment" and len(words) != DETECT_COLUMNS
    rule = "polygon-points" if is_ring else "column-count"
    yield line.finding(rule, f"{len(words)}: {shown(' '.join(words[:8]))}", f"{kind.columns} columns for {kind.task}")
