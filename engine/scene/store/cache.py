"""Scenes kept as arrays, found again by the content of everything they were read from.

An entry is found by the content of the root layer, its name, the options that decide what a scene is, and the version
of the loader. It holds when every file that was read still has the same sha256 (textures, photometric profiles, class
lists, and the layers of variants that were not chosen too), when every file that was looked for in vain is still
missing, and when all of them lie inside the roots. Times of files prove nothing, so everything is hashed, on threads.

Paths are kept relative to the folder of the root layer: a copy of a checkout finds the entries of the first one.

Entries are written aside and renamed, so processes may share a folder. What does not have its own sha256, or breaks
what the renderer relies on, is removed and made again. The entries that were not used for longest go first.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.scene.error import SceneError
from engine.scene.model import Scene
from engine.scene.options import SceneOptions, what
from engine.scene.store.arrays import Arrays, ArraysError, scene_from_arrays, scene_to_arrays
from engine.scene.store.checks import check_scene
from engine.scene.store.files import FileDigest, FileLedger, check_inside, digests, scene_roots
from engine.scene.store.tensor_file import TensorFileError, file_buffer, parse_metadata, parse_tensors, write_tensors

FORMAT = "ommatidia/scene/1"
FOLDER = "OMMATIDIA_CACHE"
SUFFIX = ".safetensors"
PARTIAL = ".partial"  # while it is written
ABANDONED_S = 3600.0  # age of a partial file whose process must be gone
CANDIDATES = 8  # entries of one key that are looked at: the same root layer beside other parts
PACKAGES = ("usd-core", "usd-exchange", "OpenImageIO", "numpy", "scipy", "mapbox-earcut", "MaterialX")
Metadata = dict[str, str]


@dataclass(frozen=True)
class Slot:
    """Where scenes of a file and its options are kept."""

    folder: Path
    key: str
    path: Path  # of the root layer, absolute
    content: FileDigest  # of the root layer
    roots: tuple[Path, ...]
    limit_bytes: int


@dataclass(frozen=True)
class Found:
    """A scene from the cache, or None, and what was wrong with entries that had to be removed."""

    scene: Scene | None
    damage: tuple[str, ...] = ()


def cache_folder() -> Path | None:
    """Return the folder of the cache: `$OMMATIDIA_CACHE` (empty: none), else the user's cache folder (XDG)."""
    named = os.environ.get(FOLDER)
    if named is not None:
        return Path(named).absolute() if named else None
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "ommatidia" / "scenes"


def slot_of(path: Path, options: SceneOptions) -> Slot | None:
    """Return where a scene is kept; None without a cache.

    Raises:
        OSError: If the root layer cannot be read.
    """
    folder = cache_folder()
    if folder is None or not options.cache:
        return None
    plain = {name: _plain(value, path.parent) for name, value in what(options).items()}
    environment = {name: value for name, value in os.environ.items() if name.startswith("PXR_")}  # paths, plugins
    content = digests([path])[path]
    fields = [FORMAT, loader_version(), platform.machine(), environment, plain, path.name, content.sha256]
    key = hashlib.sha256(json.dumps(fields, sort_keys=True, default=str).encode()).hexdigest()[:40]
    return Slot(folder, key, path, content, scene_roots(path, options.roots), int(options.cache_gib * 2**30))


@functools.cache
def loader_version() -> str:
    """Return what changes whenever a scene may be read differently: the sources of the loader, and its libraries."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent.parent
    for source in sorted(folder.rglob("*.py")):
        digest.update(
            f"{source.relative_to(folder).as_posix()}\0{hashlib.sha256(source.read_bytes()).hexdigest()}\n".encode()
        )
    for package in PACKAGES:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            version = "none"
        digest.update(f"{package}\0{version}\n".encode())
    return digest.hexdigest()


def pack(scene: Scene, path: Path, files: FileLedger) -> tuple[Arrays, Metadata]:
    """Return a scene as arrays, and the metadata by which an entry is known to hold.

    Raises:
        OSError: If a file that was read cannot be read again.
    """
    folder, real_folder = path.parent, path.resolve().parent
    found = files.digests()
    rows = [
        [os.path.relpath(file, folder), os.path.relpath(file.resolve(), real_folder), digest.sha256, digest.bytes]
        for file, digest in found.items()
    ]
    missing = [os.path.relpath(name, folder) for name in files.missing_files()]
    anywhere = json.dumps([[note.prim, note.what] for note in scene.notes]).find(_absolute(folder)) < 0
    metadata = {
        "format": FORMAT,
        "folder": "" if anywhere else str(folder),  # the load report speaks of absolute paths: it is true only here
        "files": json.dumps(rows),
        "missing": json.dumps(missing),
        "stable": json.dumps(files.is_unchanged()),  # no file was written to while the scene was read
    }
    return scene_to_arrays(scene), metadata


def unpack(buffer: memoryview, path: Path) -> Scene:
    """Return the scene in the bytes of a file, checked; its arrays are views of them.

    Raises:
        TensorFileError: If the bytes are not what was written.
        ArraysError: If they are not a scene that can be drawn.
    """
    arrays = parse_tensors(buffer).arrays
    scene = scene_from_arrays(arrays)
    check_scene(scene, arrays)
    return dataclasses.replace(scene, source=path)


def find(slot: Slot) -> Found:
    """Return the scene of an entry that holds, if there is one."""
    damage = []
    for entry in _candidates(slot):
        try:
            buffer = file_buffer(entry)
            if not _holds(parse_metadata(buffer), slot):
                continue
            scene = unpack(buffer, slot.path)
        except (OSError, TensorFileError, ArraysError) as error:
            damage.append(str(error))
            with contextlib.suppress(OSError):  # a folder that may only be read
                entry.unlink()
            continue
        _touch(entry)
        return Found(scene, tuple(damage))
    return Found(None, tuple(damage))


def store_arrays(slot: Slot, arrays: Arrays, metadata: Metadata) -> None:
    """Publish a scene, unless a file that it was read from has changed meanwhile.

    Raises:
        OSError: If the folder cannot be written.
    """
    size = sum(array.nbytes for array in arrays.values())
    _publish(slot, metadata, size, lambda path: write_tensors(path, arrays, metadata))


def store_buffer(slot: Slot, buffer: memoryview) -> None:
    """Publish a scene that was written elsewhere.

    Raises:
        OSError: If the folder cannot be written.
        TensorFileError: If the bytes are not such a file.
    """
    _publish(slot, parse_metadata(buffer), len(buffer), lambda path: _write_new(path, buffer))


def _publish(slot: Slot, metadata: Metadata, size: int, write: Callable[[Path], None]) -> None:
    if metadata.get("stable") != "true":
        return
    if size > slot.limit_bytes:
        raise OSError(errno.EFBIG, f"it takes {size / 2**30:.1f} GiB; raise scene.cache_gib")
    slot.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = hashlib.sha256((metadata["files"] + metadata["missing"]).encode()).hexdigest()[:16]
    entry = slot.folder / f"{slot.key}-{name}{SUFFIX}"
    partial = slot.folder / f"{slot.key}-{secrets.token_hex(8)}{PARTIAL}"
    try:
        write(partial)
        partial.replace(entry)
    finally:
        partial.unlink(missing_ok=True)
    _prune(slot, entry)


def _prune(slot: Slot, newest: Path) -> None:
    """Remove what was not used for longest until the rest fits, and what interrupted processes left."""
    entries: list[tuple[float, int, Path]] = []
    for item in slot.folder.iterdir():
        try:
            about = item.stat()
            if item.suffix == PARTIAL and time.time() - about.st_mtime > ABANDONED_S:
                item.unlink()
        except FileNotFoundError:  # another process was faster
            continue
        if item.suffix == SUFFIX:
            entries.append((about.st_mtime, about.st_size, item))
    total = sum(size for _, size, _ in entries)
    for _, size, item in sorted(entries):
        if total <= slot.limit_bytes:
            return
        if item != newest:
            item.unlink(missing_ok=True)
            total -= size


def _candidates(slot: Slot) -> list[Path]:
    """Return the entries of a key, the last used first."""
    found: list[tuple[float, Path]] = []
    for entry in slot.folder.glob(f"{slot.key}-*{SUFFIX}"):
        try:
            found.append((entry.stat().st_mtime, entry))
        except FileNotFoundError:
            continue
    return [entry for _, entry in sorted(found, reverse=True)[:CANDIDATES]]


def _holds(metadata: Metadata, slot: Slot) -> bool:
    """Return whether everything that an entry was read from is as it was.

    Raises:
        TensorFileError: If the metadata are not those of an entry.
    """
    folder, real_folder = slot.path.parent, slot.path.resolve().parent
    try:
        rows: list[list[Any]] = json.loads(metadata["files"])
        missing: list[str] = json.loads(metadata["missing"])
        made_in, wanted = metadata["folder"], {}
        for name, real, sha256, size in rows:
            wanted[Path(os.path.normpath(folder / name))] = (real, sha256, size)
    except (ValueError, TypeError, KeyError) as error:
        raise TensorFileError("its metadata are unreadable") from error
    if metadata.get("format") != FORMAT or any((folder / name).exists() for name in missing):
        return False
    if made_in not in ("", str(folder)):
        return False
    try:
        for file, (real, _, size) in wanted.items():
            check_inside(file, slot.roots, "cache")
            if file.stat().st_size != size or os.path.relpath(file.resolve(), real_folder) != real:
                return False
        found = {slot.path: slot.content, **digests(file for file in wanted if file != slot.path)}
    except (SceneError, OSError):
        return False
    return all(found[file].sha256 == sha256 for file, (_, sha256, _) in wanted.items())


def _absolute(folder: Path) -> str:
    """Return how an absolute path near a folder begins."""
    return "/".join(folder.parts[:2]).replace("//", "/") + "/"


def _touch(entry: Path) -> None:
    with contextlib.suppress(OSError):  # a folder that may only be read: it is not ours to keep small
        os.utime(entry)


def _write_new(path: Path, buffer: memoryview) -> None:
    with path.open("xb") as stream:
        stream.write(buffer)


def _plain(value: object, folder: Path) -> object:
    """Return an option as it enters a key: paths relative to the scene, mappings in their order."""
    if isinstance(value, dict):
        return list(value.items())
    return os.path.relpath(value, folder) if isinstance(value, Path) else value
