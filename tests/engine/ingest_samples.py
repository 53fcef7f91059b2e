"""Small folders of other people's formats, with odd things in them, for tests of `ingest`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from engine.dataset.__main__ import main

WIDTH, HEIGHT = 40, 30
Change = Callable[[dict[str, Any]], object]


def picture(path: Path, *, seed: int = 0, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    """Write a picture of noise on a ramp."""
    random = np.random.default_rng(seed)
    ramp = np.linspace(20, 200, size[0])[None, :, None] + random.normal(0, 12, (size[1], size[0], 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(ramp, 0, 255).astype(np.uint8)).save(path)
    return path


def coco_data() -> dict[str, Any]:
    """Return labels with a polygon, RLEs of both spellings, a crowd, keypoints, a box alone, and an empty picture."""
    disc = np.hypot(*np.mgrid[-15:15, -20:20]) < 9
    rle = coco_mask.encode(np.asfortranarray(disc.astype(np.uint8)))
    flat = [0 if not np.any(disc) else int(np.flatnonzero(disc.T.ravel())[0])]
    runs = np.flatnonzero(np.diff(disc.T.ravel().astype(int))) + 1
    counts = [int(n) for n in np.diff([0, *runs.tolist(), disc.size])]
    assert counts[0] == flat[0]
    box = coco_mask.toBbox(rle).tolist()
    area = int(disc.sum())
    common = {"iscrowd": 0, "category_id": 7}
    return {
        "info": {"description": "odd things", "url": "https://example.org/odd"},
        "licenses": [{"id": 4, "name": "CC BY 4.0", "url": "https://example.org/by"}],
        "categories": [
            {"id": 7, "name": "crack", "supercategory": "defect"},
            {"id": 12, "name": "hand", "supercategory": "part", "keypoints": ["wrist", "tip"], "skeleton": [[1, 2]]},
        ],
        "images": [
            {"id": 31, "file_name": "s1/a_01.png", "width": WIDTH, "height": HEIGHT, "license": 4, "surface": 1,
             "tags": ["x", "y"], "note": "grün"},
            {"id": 5, "file_name": "s1/b_01.png", "width": WIDTH, "height": HEIGHT, "surface": 1, "bright": True},
            {"id": 9, "file_name": "s2/ü_02.png", "width": WIDTH, "height": HEIGHT, "surface": 2, "gain": 1.5},
        ],
        "annotations": [
            {"id": 900, "image_id": 31, "bbox": [5, 4, 20, 10], "area": 131.5, **common,
             "segmentation": [[5, 4, 25, 4.5, 20, 14, 5, 12]], "worker": "eve"},
            {"id": 901, "image_id": 31, "bbox": box, "area": area, **common,
             "segmentation": {"size": [HEIGHT, WIDTH], "counts": rle["counts"].decode()}},
            {"id": 902, "image_id": 5, "bbox": box, "area": area, **common, "iscrowd": 1,
             "segmentation": {"size": [HEIGHT, WIDTH], "counts": counts}},
            {"id": 77, "image_id": 5, "bbox": [1.5, 2.25, 10.5, 9.75], "area": 102.375, "iscrowd": 0, "category_id": 12,
             "keypoints": [3.5, 4.25, 2, 0, 0, 0], "num_keypoints": 1},
        ],
    }  # fmt: skip


def coco_folder(folder: Path, change: Change | None = None) -> Path:
    """Write a folder of COCO; `change` spoils the labels."""
    data = coco_data()
    for number, image in enumerate(data["images"]):
        picture(folder / image["file_name"], seed=number)
    if change is not None:
        change(data)
    (folder / "annotations.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


def take_in(folder: Path, out: Path, *more: object, file_format: str = "coco") -> int:
    """Run the command; return its exit code."""
    return main(["ingest", str(folder), "--format", file_format, "--out", str(out), *map(str, more)])


def command(*words: object) -> int:
    """Run another command on a dataset."""
    return main([str(word) for word in words])
