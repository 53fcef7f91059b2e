"""Split a COCO folder of tiles in two by surface, so that each kind of defect is on both sides.

    python -m bench.tile_split DIR OUT [--seed 7]

Writes OUT/a and OUT/b: annotations.json and the images and masks that it names. Surfaces are dealt out by the defect
that they show; of an odd number the coin says which side has one more.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.tile_data import FREE
from engine.errors import UserError
from engine.recipe import check_relative

ANNOTATIONS = "annotations.json"
LEAST_SURFACES = 2  # of a kind, so that both sides have one


def surfaces_of(images: Sequence[dict[str, Any]], seed: int) -> set[int]:
    """Return the surfaces of the first side: half of those of every kind.

    A surface that shows several kinds of defect counts for that of its last image.

    Raises:
        UserError: If a kind has one surface, which cannot be on both sides.
    """
    kind: dict[int, str] = {}
    for image in images:
        if image["label"] != FREE or image["surface"] not in kind:
            kind[image["surface"]] = image["label"]
    random = np.random.RandomState(seed)
    first: set[int] = set()
    for label in sorted(set(kind.values())):
        own = sorted(surface for surface, found in kind.items() if found == label)
        if len(own) < LEAST_SURFACES:
            raise UserError(f"'{label}' is on surface {own[0]} alone; both sides need one: add images, or leave it out")
        random.shuffle(own)
        odd_one = len(own) % 2 if random.rand() < 0.5 else 0
        first |= set(own[: len(own) // 2 + odd_one])
    return first


def split(source: Path, target: Path, seed: int) -> dict[str, int]:
    """Write both sides below `target` and return how many images each has.

    Raises:
        UserError: If the folder is not one of tiles, if an image is missing or lies elsewhere, or `target` is there.
    """
    file = source / ANNOTATIONS
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        images: list[dict[str, Any]] = sorted(data["images"], key=lambda image: int(image["id"]))
        image_of = [row["image_id"] for row in data["annotations"]]
        names = {image["id"]: _names(image) for image in images}
        first = surfaces_of(images, seed)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{file}: {error!r}; it must be a COCO file whose images have `id`, `file_name`, `label` and `surface`"
        ) from None
    if target.exists():
        raise UserError(f"{target} is there already; name a folder that is not")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    counts = {}
    try:
        for side, is_first in (("a", True), ("b", False)):
            own = [image for image in data["images"] if (image["surface"] in first) == is_first]
            kept = {image["id"] for image in own}
            for name in sorted({name for number in kept for name in names[number]}):
                _copy(source, part / side, name)
            rows = [row for row, number in zip(data["annotations"], image_of, strict=True) if number in kept]
            text = json.dumps({**data, "images": own, "annotations": rows})
            (part / side / ANNOTATIONS).write_text(text, encoding="utf-8")
            counts[side] = len(own)
        part.chmod(0o755)  # that of mkdtemp is for its owner alone
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return counts


def _names(image: dict[str, Any]) -> list[str]:
    """Return the files of an image: itself, and its mask if it has one."""
    return [str(image["file_name"]), *([str(image["mask_file"])] if image.get("mask_file") else [])]


def _copy(source: Path, target: Path, name: str) -> None:
    """Copy a file that lies in the source folder, also behind a link."""
    try:
        check_relative(name)
        found = (source / name).resolve(strict=True)
        if not found.is_relative_to(source.resolve()) or not found.is_file() or name == ANNOTATIONS:
            raise ValueError("it leads to no image of this folder")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found, target / name)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{source / ANNOTATIONS}: cannot copy '{name}': {error}; every image and mask must lie in {source}"
        ) from None


def main(words: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="DIR")
    parser.add_argument("target", type=Path, metavar="OUT")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args(words)
    try:
        counts = split(arguments.source, arguments.target, arguments.seed)
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    print(", ".join(f"{count} images in {arguments.target / side}" for side, count in counts.items()))


if __name__ == "__main__":
    main()
