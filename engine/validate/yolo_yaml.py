"""data.yaml of a YOLO folder: names, keypoints and the folders of its splits.

Source: https://docs.ultralytics.com/datasets/detect/#ultralytics-yolo-format
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from engine.validate.finding import Finding, is_whole, shown
from engine.validate.folder import IMAGE_SUFFIXES, BadFile, Folder, entries, is_file, is_folder

SPLITS = ("train", "val", "test")
MAX_YAML_BYTES = 2**20
DARKNET_NAMES = "obj.names"  # one class a line, in place of data.yaml; CVAT calls it YOLO 1.1


@dataclass(frozen=True)
class Description:
    """What the file says, as far as it can be used."""

    class_count: int | None = None  # None: unknown
    keypoints: tuple[int, int] | None = None  # number, and values each
    splits: dict[str, tuple[Path, ...]] = field(default_factory=dict)  # folders of images
    task: str | None = None  # what it says of itself: detect, segment, pose or obb


def find_yaml(folder: Folder) -> Path | None:
    """Return the description of a folder: data.yaml, or the only other one."""
    found = [path for path in entries(folder.root) if path.suffix in (".yaml", ".yml") and is_file(path)]
    named = [path for path in found if path.stem in ("data", "dataset")]
    return named[0] if named else found[0] if len(found) == 1 else None


def has_yolo(folder: Folder) -> bool:
    """Return whether a folder looks like one of YOLO: a description with names, or text labels beside images."""
    path = find_yaml(folder)
    if path is not None and folder.holds(path):
        try:
            text = folder.read_text(path)
        except BadFile:
            return True
        if "names" in text or "train" in text:
            return True
    if is_file(folder.root / DARKNET_NAMES):
        return True
    labels = folder.root / "labels"
    return is_folder(labels) and folder.holds(labels) and next(folder.files(labels, (".txt",)), None) is not None


def read_names(folder: Folder) -> Description:
    """Return what the names of a darknet folder say; nothing if there are none."""
    try:
        lines = folder.read_text(folder.root / DARKNET_NAMES).splitlines()
    except BadFile:
        return Description()
    return Description(sum(bool(line.strip()) for line in lines))


def read_description(folder: Folder, path: Path) -> tuple[Description, list[Finding]]:
    """Return what a description says and what is wrong with it."""
    import yaml

    file = folder.name(path)
    try:
        text = folder.read_text(path)
        if len(text) > MAX_YAML_BYTES:
            raise BadFile(f"{len(text)} characters, more than {MAX_YAML_BYTES}")
        if "&" in text and "*" in text and len(text) > MAX_YAML_BYTES // 64:
            raise BadFile("aliases in a large file, which may grow without limit")
        data = yaml.safe_load(text)
    except (BadFile, yaml.YAMLError, ValueError, RecursionError) as error:
        return Description(), [Finding(file, "", "file-unreadable", shown(str(error).replace("\n", " ")), "YAML")]
    if not isinstance(data, dict):
        return Description(), [Finding(file, "", "yaml-invalid", shown(data), "a mapping")]
    findings = list(_check_names(file, data))
    count = len(data["names"]) if isinstance(data.get("names"), list | dict) else None
    keypoints = data.get("kpt_shape")
    findings += _check_keypoints(file, data)
    is_shape = isinstance(keypoints, list) and _is_shape(keypoints)
    splits = dict(_splits(folder, file, data, findings))
    shape = (keypoints[0], keypoints[1]) if is_shape and keypoints is not None else None
    task = data.get("task")
    return Description(count, shape, splits, task if isinstance(task, str) else None), findings


def _check_names(file: str, data: dict[Any, Any]) -> Iterator[Finding]:
    names = data.get("names")
    if not isinstance(names, list | dict) or not names:
        yield Finding(file, "names", "yaml-invalid", shown(names), "a list, or numbers from 0 and names")
        return
    if isinstance(names, dict):
        keys = list(names)
        if sorted(keys, key=str) != sorted(range(len(keys)), key=str) or not all(map(is_whole, keys)):
            value = shown(keys)
            yield Finding(file, "names", "yaml-names-not-contiguous", value, f"numbers from 0 to {len(keys) - 1}")
    texts = [str(name)[:200] for name in (names.values() if isinstance(names, dict) else names)]
    twice = sorted({text for text in texts if texts.count(text) > 1}) if len(texts) < 10000 else []
    if twice:
        yield Finding(file, "names", "yaml-names-duplicate", shown(twice[0]), "a name of its own for every class")
    if "nc" in data and data["nc"] != len(names):
        yield Finding(file, "nc", "yaml-nc-mismatch", shown(data["nc"]), f"{len(names)}, the number of names")


def _is_shape(shape: list[Any]) -> bool:
    return len(shape) == 2 and all(map(is_whole, shape)) and 1 <= shape[0] < 10000 and shape[1] in (2, 3)


def _check_keypoints(file: str, data: dict[Any, Any]) -> Iterator[Finding]:
    shape, flip = data.get("kpt_shape"), data.get("flip_idx")
    if shape is not None and not (isinstance(shape, list) and _is_shape(shape)):
        yield Finding(file, "kpt_shape", "yaml-keypoints-invalid", shown(shape), "[number, 2 or 3]")
        return
    if flip is None or shape is None:
        return
    is_list = isinstance(flip, list) and all(map(is_whole, flip)) and sorted(flip) == list(range(shape[0]))
    if not is_list or any(flip[flip[i]] != i for i in range(shape[0])):
        wanted = f"a permutation of 0 to {shape[0] - 1} that undoes itself"
        yield Finding(file, "flip_idx", "yaml-keypoints-invalid", shown(flip), wanted)


def _splits(
    folder: Folder, file: str, data: dict[Any, Any], findings: list[Finding]
) -> Iterator[tuple[str, tuple[Path, ...]]]:
    base = folder.root
    stated = data.get("path")
    if stated not in (None, "", "."):
        place = folder.inside(folder.root, stated)
        if place is not None and is_folder(place):
            base = place
        elif isinstance(stated, str) and _parts(stated)[-1:] == [folder.root.name]:
            pass  # where it lay when it was made, or below the folder of datasets of its reader
        elif isinstance(stated, str) and _is_absolute(stated):
            findings.append(Finding(file, "path", "yaml-path-elsewhere", shown(stated), "this folder, or no path"))
        else:
            findings.append(Finding(file, "path", "yaml-path-missing", shown(stated), "a folder inside this one"))
    if not any(data.get(split) for split in SPLITS[:2]):
        findings.append(Finding(file, "", "yaml-invalid", "neither train nor val", "a folder of images"))
    for split in SPLITS:
        named = data.get(split)
        if named in (None, ""):
            continue
        places = []
        for name in named if isinstance(named, list) else [named]:
            found = _place(folder, base, name)
            if found is None:
                findings.append(Finding(file, split, "yaml-path-missing", shown(name), "a folder inside this one"))
            else:
                places.append(found)
        yield split, tuple(places)


def _place(folder: Folder, base: Path, name: Any) -> Path | None:
    """Return the folder, or list of images, that a split names."""
    names = _names(folder, name) if isinstance(name, str) else []
    for candidate in names:
        for root in (base, folder.root, *([] if folder.images is None else [folder.images])):
            place = folder.inside(root, candidate)
            if place is not None and (is_folder(place) or is_file(place)):
                return place
    return None


def _names(folder: Folder, name: str) -> list[str]:
    """Return a name as it stands, without a leading ../ or data/, and from this folder's own name on if absolute."""
    names = [name, name.removeprefix("../"), name.removeprefix("./").removeprefix("data/")]
    parts = _parts(name) if _is_absolute(name) else []
    if folder.root.name in parts:
        last = len(parts) - 1 - parts[::-1].index(folder.root.name)
        names.append("/".join(parts[last + 1 :]) or ".")
    return names


def _is_absolute(name: str) -> bool:
    return PurePosixPath(name).is_absolute() or PureWindowsPath(name).is_absolute()


def _parts(name: str) -> list[str]:
    """Return the parts of a path as Linux or Windows writes it."""
    return [part for part in name.replace("\\", "/").split("/") if part]


def images_of(folder: Folder, place: Path) -> list[Path]:
    """Return the images of a split: those in a folder, or those that a text file lists."""
    if is_folder(place):
        return list(folder.files(place, IMAGE_SUFFIXES))
    try:
        lines = folder.read_text(place).splitlines()
    except BadFile:
        return []
    found = [_listed(folder, place.parent, line.strip()) for line in lines if line.strip()]
    return [path for path in found if path is not None]


def _listed(folder: Folder, base: Path, name: str) -> Path | None:
    """Return the image that a line names: the first that is there, or where it should be; None: outside."""
    places = [path for path in (folder.inside(base, each) for each in _names(folder, name)) if path is not None]
    return next((path for path in places if is_file(path)), places[0] if places else None)


def strays_of(folder: Folder, place: Path) -> Iterator[Finding]:
    """Yield the lines of a list of images that lead out of the folder."""
    if is_folder(place):
        return
    try:
        lines = folder.read_text(place).splitlines()
    except BadFile as error:
        yield Finding(folder.name(place), "", "file-unreadable", str(error), "a list of images")
        return
    for number, line in enumerate(lines, 1):
        if line.strip() and _listed(folder, place.parent, line.strip()) is None:
            yield Finding(folder.name(place), f"line {number}", "path-outside", shown(line), "an image of this folder")
