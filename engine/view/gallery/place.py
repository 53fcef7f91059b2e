"""Where a gallery is written: into a folder beside its place, which then takes the place of an earlier view."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import UserError
from engine.write.files import TEMPORARY, refusals_named, remove_tree

PAGE, MARK = "index.html", "view.json"
SCHEMA = "view/1"
FOLDERS = ("app", "data", "other")
OURS = re.compile(rf"{re.escape(PAGE)}|{re.escape(MARK)}|sheet_\w+\.png|{re.escape(TEMPORARY)}|{'|'.join(FOLDERS)}")


def check_target(out: Path) -> None:
    """Refuse a folder that holds anything but an earlier view, whose files are replaced.

    Raises:
        UserError: If it does, or is no folder.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; choose a folder")
    names = sorted(file.name for file in out.glob("*"))
    others = [name for name in names if not OURS.fullmatch(name)]
    if not others and not is_gallery(out):
        others = [name for name in names if name in (*FOLDERS, MARK)]
    if others:
        raise UserError(f"--out {out} holds {others[0]}, which is no part of a view; choose another folder")


def is_gallery(out: Path) -> bool:
    """Return whether a folder holds what `replaced` put there."""
    try:
        mark = json.loads((out / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(mark, dict) and mark.get("schema") == SCHEMA


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """Give a new folder to write into, and put it in the place of `out` when all went well; otherwise remove it."""
    tag = f"{os.getpid()}.{secrets.token_hex(4)}"
    fresh, old = (out.with_name(f".{out.name}.{tag}.{word}") for word in ("tmp", "old"))
    with refusals_named(out):
        fresh.mkdir(parents=True)
        try:
            yield fresh
            check_target(out)  # again: somebody may have put something there
            if out.exists():
                out.rename(old)
            try:
                fresh.rename(out)
            except OSError:
                if old.exists():
                    old.rename(out)
                raise
        finally:
            remove_tree(fresh)
            remove_tree(old)
