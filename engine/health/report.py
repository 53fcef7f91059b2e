"""Reports as files beside a dataset."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.write.files import TEMPORARY, publish, refusals_named, remove_tree


def write_json(path: Path, plain: Any) -> None:
    """Write plain data as JSON; what is no number is null.

    Raises:
        UserError: If the place is a folder or cannot be written to.
    """
    text = json.dumps(_finite(plain), indent=1, ensure_ascii=False, allow_nan=False)
    write_beside(path, [f"{text}\n".encode()])


def write_beside(path: Path, chunks: Iterable[bytes]) -> None:
    """Put a file into a folder that is no dataset, whole or not at all.

    Raises:
        UserError: If the place is a folder, or lies in a dataset, whose files are all in its manifest.
        WriteFailed: If the disk refuses.
    """
    place = path.absolute()
    if place.is_dir():
        raise UserError(f"{path} is a folder; name the file to write")
    inside = next((folder for folder in place.parents if (folder / "manifest.json").is_file()), None)
    if inside is not None:
        raise UserError(
            f"{path} lies in the dataset {inside}, whose files are all in its manifest; choose another place"
        )
    with refusals_named(place):
        place.parent.mkdir(parents=True, exist_ok=True)
    try:
        publish(place.parent, place, chunks)
    finally:
        if not any((place.parent / TEMPORARY).glob("*")):
            remove_tree(place.parent / TEMPORARY)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
