"""Which places outside of a dataset its links may lead to: those that a user of this machine took pictures in from.

A dataset may refer to pictures on another disk by symbolic links. Whether a link is followed is not for the dataset to
say, which may come from anywhere, but for the user: `ingest` notes the folder in a file of the user's own, and
OMMATIDIA_REFERENCES names more, separated as in PATH.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

VARIABLE = "OMMATIDIA_REFERENCES"


def allowed_roots() -> tuple[Path, ...]:
    """Return the folders that links of datasets may lead into."""
    named = [Path(text) for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]
    try:
        noted = [Path(line) for line in notes_path().read_text(encoding="utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError):
        noted = []
    return tuple(path for path in (*named, *noted) if path.is_absolute())


def allow_root(folder: Path) -> None:
    """Note that links may lead into a folder; done once a folder."""
    folder = folder.resolve()
    if any(folder.is_relative_to(root) for root in allowed_roots()):
        return
    path = notes_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    earlier = path.read_text(encoding="utf-8") if path.is_file() else ""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    temporary.write_text(f"{earlier}{folder}\n", encoding="utf-8")
    temporary.rename(path)


def notes_path() -> Path:
    """Return the user's file of allowed folders, one a line."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "ommatidia" / "references"


def is_allowed(link: Path) -> bool:
    """Return whether a symbolic link leads to a file below an allowed folder."""
    if not link.is_symlink():
        return False
    target = link.resolve()
    return any(target.is_relative_to(root.resolve()) for root in allowed_roots())
