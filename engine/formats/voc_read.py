"""Pascal VOC folders as records; see `engine.formats.voc`."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import UserError
from engine.formats.folders import read_text
from engine.formats.masks import encode
from engine.formats.record import Category, Frame, Instance
from engine.formats.registry import Records
from engine.write.files import inside

OF_ONE_CLASS = re.compile(r"\s(-1|0|1)$")  # `aeroplane_train.txt` says of every picture whether it shows one
LARGEST_XML = 64 * 2**20  # bytes


def read_voc(folder: Path) -> Records:
    """Return the frames of every list in ImageSets/Main; flags of objects stand in `extra`.

    Raises:
        UserError: If there is none, or a file cannot be understood.
    """
    lists = sorted((folder / "ImageSets/Main").glob("*.txt"), key=lambda path: (path.stem == "trainval", path))
    if not lists:
        raise UserError(f"{folder} has no ImageSets/Main/*.txt")
    frames: list[Frame] = []
    seen: set[str] = set()
    for path in lists:
        stems = [line.strip() for line in read_text(path).split("\n") if line.strip()]
        if any(OF_ONE_CLASS.search(stem) for stem in stems):
            continue
        for stem in stems:
            if stem not in seen:
                seen.add(stem)
                frames.append(_frame(folder, stem, len(frames), path.stem))
    found = {instance.category for frame in frames for instance in frame.instances}
    named = [name for name in _label_map(folder) if name != "background"]
    names = named + sorted(found - set(named))
    return Records(folder.name, tuple(Category(i, name, name) for i, name in enumerate(names, start=1)), tuple(frames))


def _label_map(folder: Path) -> list[str]:
    path = folder / "labelmap.txt"
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split(":")[0] for line in lines if line.strip() and not line.startswith("#")]


def _frame(folder: Path, stem: str, number: int, split: str) -> Frame:
    path = inside(folder, f"Annotations/{stem}.xml")
    try:
        root = _parsed(path)
        width, height = (int(_text(root, f"size/{field}")) for field in ("width", "height"))
        file = inside(folder, f"JPEGImages/{_text(root, 'filename')}")
        objects = _objects(inside(folder, f"SegmentationObject/{stem}.png"), width, height)
        instances = tuple(
            _instance(item, place, objects) for place, item in enumerate(root.iterfind("object"), start=1)
        )
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise UserError(f"{path}: not an annotation of VOC that can be read: {error}") from error
    return Frame(number, width, height, instances, {"image": file}, row={"split": split})


def _parsed(path: Path) -> ElementTree.Element:
    """Return the XML of a file; entities, which can grow without end, are refused."""
    data = path.read_bytes()
    if len(data) > LARGEST_XML or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise ValueError(f"more than {LARGEST_XML >> 20} MiB, or with a document type")
    return ElementTree.fromstring(data)  # noqa: S314 - without a document type it has no entities


def _objects(path: Path, width: int, height: int) -> NDArray[np.uint8] | None:
    if not path.is_file():
        return None
    with Image.open(path) as image:
        if image.mode not in ("P", "L"):
            raise ValueError(f"{path.name} is not an image of indices")
        pixels = np.asarray(image)
    if pixels.shape != (height, width):
        raise ValueError(f"{path.name} is {pixels.shape[1]}x{pixels.shape[0]}, not {width}x{height}")
    return pixels


def _instance(item: ElementTree.Element, place: int, objects: NDArray[np.uint8] | None) -> Instance:
    xmin, ymin, xmax, ymax = (float(_text(item, f"bndbox/{field}")) for field in ("xmin", "ymin", "xmax", "ymax"))
    box = (xmin - 1.0, ymin - 1.0, xmax - xmin + 1.0, ymax - ymin + 1.0)
    flags = {flag: item.findtext(flag, "0").strip() == "1" for flag in ("truncated", "occluded", "difficult")}
    pixels = None if objects is None else objects == place
    known = pixels is not None and bool(pixels.any())
    attributes = {a.findtext("name"): a.findtext("value") for a in item.iterfind("attributes/attribute")}
    number = attributes.get("instance_id") or str(place)
    return Instance(
        int(number), _text(item, "name"), box, int(pixels.sum()) if known and pixels is not None else None,
        encode(pixels) if known and pixels is not None else None, extra=flags,
    )  # fmt: skip


def _text(element: ElementTree.Element, path: str) -> str:
    text = element.findtext(path)
    if text is None or not text.strip():
        raise ValueError(f"<{element.tag}> has no {path}")
    return text.strip()
