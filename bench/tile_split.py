"""Split a COCO folder of tiles in two by surface, so that each kind of defect is on both sides.

    python -m bench.tile_split DIR OUT [--seed 7]

Writes OUT/a and OUT/b: annotations.json and the images and masks that it names. Surfaces are dealt out by the defect
that they show; of an odd number the coin says which side has one more.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.tile_data import FREE
from engine.errors import UserError
from engine.recipe import check_relative


def surfaces_of(images: Sequence[dict[str, Any]], seed: int) -> set[int]:
    """Return the surfaces of the first side: half of those of every kind."""
    kind: dict[int, str] = {}
    for image in images:
        if image["label"] != FREE or image["surface"] not in kind:
            kind[image["surface"]] = image["label"]
    random = np.random.RandomState(seed)
    first: set[int] = set()
    for label in sorted(set(kind.values())):
        own = sorted(surface for surface, found in kind.items() if found == label)
        random.shuffle(own)
        odd_one = len(own) % 2 if random.rand() < 0.5 else 0
        first |= set(own[: len(own) // 2 + odd_one])
    return first


def split(source: Path, target: Path, seed: int) -> dict[str, int]:
    """Write both sides below `target` and return how many images each has.

    Raises:
        UserError: If the folder is not one of tiles, or `target` is there already.
    """
    file = source / "annotations.json"
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        first = surfaces_of(data["images"], seed)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file}: no COCO file whose images have `label` and `surface` ({error!r})") from None
    if target.exists():
        raise UserError(f"{target} is there already; name a folder that is not")
    partial = target.with_name(f"{target.name}.part")
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was stopped
    counts = {}
    for side, is_first in (("a", True), ("b", False)):
        part = partial / side
        images = [image for image in data["images"] if (image["surface"] in first) == is_first]
        kept = {image["id"] for image in images}
        annotations = [row for row in data["annotations"] if row["image_id"] in kept]
        for name in {str(image[key]) for image in images for key in ("file_name", "mask_file") if image.get(key)}:
            _copy(source, part, name)
        text = json.dumps({**data, "images": images, "annotations": annotations})
        (part / "annotations.json").write_text(text, encoding="utf-8")
        counts[side] = len(images)
    partial.rename(target)
    return counts


def _copy(source: Path, target: Path, name: str) -> None:
    try:
        check_relative(name)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)
    except (OSError, ValueError) as error:
        raise UserError(f"{source / 'annotations.json'}: cannot copy '{name}': {error}") from None


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
