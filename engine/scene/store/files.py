"""Which files a scene may be read from, and a ledger of those that it was read from; without OpenUSD."""

from __future__ import annotations

import hashlib
import math
import os
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from engine.scene.error import SceneError
from engine.scene.options import SceneOptions

EXTENSIONS = (".usd", ".usda", ".usdc", ".usdz")
PARENTS = 4  # asset libraries keep materials and textures a few folders above a part
THREADS = min(8, os.cpu_count() or 1)
BLOCK_BYTES = 1 << 20
TAXONOMY = "taxonomy.json"  # looked for beside the scene
UDIM, FIRST_TILE, TILES = "<UDIM>", 1001, 100


def scene_roots(path: Path, roots: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the folders that files of a scene may lie in; see `SceneOptions.roots`."""
    folder = path.resolve().parent
    if roots:
        return (folder, *(root.resolve() for root in roots))
    try:
        home = Path.home().resolve()
    except RuntimeError:  # a user without a home, as in some containers
        home = folder
    for _ in range(PARENTS):
        parent = folder.parent
        if parent == home or parent in home.parents or parent.parent == parent:
            break
        folder = parent
    return (folder,)


def check_root_file(path: Path, options: SceneOptions) -> None:
    """Raise if a path cannot be a scene, or the options cannot be met, before anything is read.

    Raises:
        SceneError: Names the path or the option.
    """
    if not path.exists():
        raise SceneError(f"scene '{path}' does not exist; check the path")
    if path.suffix.lower() not in EXTENSIONS:
        raise SceneError(f"scene '{path}': '{path.suffix}' is not a USD file name; use one of {' '.join(EXTENSIONS)}")
    check_regular_file(path, "scene")
    if path.stat().st_size == 0:
        raise SceneError(f"scene '{path}' is empty (0 bytes); export it again")
    if options.time is not None and not math.isfinite(options.time):
        raise SceneError(f"scene '{path}': time {options.time} is not a time code; give a finite number")


def check_regular_file(path: Path, what: str) -> None:
    """Raise if reading the path could block or never end.

    Raises:
        SceneError: If the path is not a regular file that can be read.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise SceneError(f"{what} '{path}' cannot be read: {error.strerror}; check the path") from None
    if not stat.S_ISREG(about.st_mode):
        raise SceneError(f"{what} '{path}' is not a regular file; point to a file on disk")
    if not os.access(path, os.R_OK):
        raise SceneError(f"{what} '{path}' cannot be read: {os.strerror(13)}; change its permissions")


def check_inside(file: Path, roots: tuple[Path, ...], user: str) -> None:
    """Raise if a file that `user` asks for lies outside the roots or is not a regular file.

    Raises:
        SceneError: Names the file, who asks for it, and the option that would allow it.
    """
    real = file.resolve()
    if not any(real.is_relative_to(root) for root in roots):
        raise SceneError(
            f"{user} asks for '{file}', outside the scene's folder '{roots[0]}'; "
            f"if you trust it, add --root {real.parent}"
        )
    check_regular_file(real, f"{user}: file")


def taxonomy_file(chosen: Path | None, scene: Path) -> Path:
    """Return where the class list is looked for."""
    return scene.parent / TAXONOMY if chosen is None else chosen


@dataclass(frozen=True)
class FileDigest:
    """The content of a file."""

    sha256: str
    bytes: int


def digests(files: Iterable[Path]) -> dict[Path, FileDigest]:
    """Return what files hold, on as many threads as there are.

    The size and time of a file are no substitute: copies, archives and version control keep or set times at will.

    Raises:
        OSError: If one cannot be read.
    """
    wanted = sorted(set(files))
    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(wanted, pool.map(_digest, wanted), strict=True))


def _digest(file: Path) -> FileDigest:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
    return FileDigest(digest.hexdigest(), size)


class FileLedger:
    """The files that a load has read, and those that it looked for and did not find.

    Whoever opens a file says so first: then a file that changes while the scene is read is noticed.
    """

    def __init__(self) -> None:
        self._state: dict[Path, tuple[int, ...] | None] = {}
        self._missing: dict[str, None] = {}
        self._digests: dict[Path, FileDigest] = {}
        self._folders: dict[Path, None] = {}

    def read(self, file: Path) -> None:
        """Say that a file is about to be read."""
        if file not in self._state:
            self._state[file] = _state(file)
            self._folders[file.parent] = None

    def missing(self, path: str) -> None:
        """Say that a path was looked for in vain: absolute, or as authored in one of the files that were read."""
        self._missing[path] = None

    def files(self) -> tuple[Path, ...]:
        """Return the files that were read, sorted."""
        return tuple(sorted(self._state))

    def digests(self, files: Iterable[Path] | None = None) -> dict[Path, FileDigest]:
        """Return the content of some files, or of all that were read; each is hashed once."""
        wanted = self._state if files is None else list(files)
        self._digests.update(digests(file for file in wanted if file not in self._digests))
        return {file: self._digests[file] for file in wanted}

    def missing_files(self) -> tuple[str, ...]:
        """Return the absolute paths that would be read if they were there, sorted.

        Which layer authored a relative path does not matter: every folder that something was read from is taken.
        """
        found: set[str] = set()
        for path in self._missing:
            tiles = [path.replace(UDIM, str(FIRST_TILE + tile)) for tile in range(TILES)] if UDIM in path else [path]
            for tile in tiles:  # an absolute one stays as it is
                found.update(os.path.normpath(folder / tile) for folder in self._folders)
        return tuple(sorted(path for path in found if not Path(path).exists()))

    def is_unchanged(self) -> bool:
        """Return whether every file is still the one that was read."""
        return all(state is not None and state == _state(file) for file, state in self._state.items())


def _state(file: Path) -> tuple[int, ...] | None:
    try:
        about = file.stat()
    except OSError:
        return None
    return (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)
