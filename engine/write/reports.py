"""Reports and pages that people ask for by name: files beside datasets, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.write.begin import HEADER, MANIFEST
from engine.write.files import refusals_named


def check_place(path: Path) -> None:
    """Refuse a place where no report can be; to be asked before long work.

    Raises:
        UserError: If the place is a folder, or lies in a dataset, whose files are all in its manifest.
    """
    place = path.resolve()
    if place.is_dir():
        raise UserError(f"{path} is a folder; name the file to write")
    for folder in place.parents:
        if (folder / MANIFEST).is_file() or (folder / HEADER).is_file():
            raise UserError(
                f"{path} lies in the dataset {folder}, whose files are all in its manifest; choose a place beside it"
            )


def write_report(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file beside its place, then put it there.

    Raises:
        UserError: As `check_place`.
        WriteFailed: If the disk refuses.
    """
    check_place(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    with refusals_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.writelines(chunks)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, plain: Any) -> None:
    """Write plain data as JSON; what is no number is null. Raises as `write_report`."""
    text = json.dumps(_finite(plain), indent=1, ensure_ascii=False, allow_nan=False)
    write_report(path, [f"{text}\n".encode()])


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
