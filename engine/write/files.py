"""Put files on disk so that a crash at any moment leaves a whole file or none.

A file is written under `.tmp/`, synced, then renamed or linked to its place, then the folder is synced. Names below
`.tmp/` end with host, process and a random word, so that what a dead process left can be told from work in progress.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.errors import UserError, WriteFailed
from engine.recipe import check_relative
from engine.write.record import FileFact
from engine.write.references import VARIABLE, is_allowed

TEMPORARY = ".tmp"

# What the disk says when it will not take more; everything else is a fault of the program and keeps its traceback.
REFUSALS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EIO,
        errno.EFBIG,
        errno.EACCES,
        errno.EPERM,
        errno.ENODEV,
        errno.ESTALE,
        errno.ENOTDIR,
    }
)


@contextmanager
def refusals_named(path: Path) -> Iterator[None]:
    """Turn a refusal of the disk into `WriteFailed` with one line that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        reason = os.strerror(error.errno)
        raise WriteFailed(
            f"cannot write {error.filename or path}: {reason}; make room or choose another out=, then run the same "
            "command again: what is committed is kept"
        ) from error


def host_tag() -> str:
    """Return a word for this machine and process namespace: two containers with one host name differ."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        parts = f"{boot}{Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux: the host name has to do
        parts = ""
    name = "".join(c if c.isalnum() or c in "-_" else "_" for c in socket.gethostname())
    return f"{name}-{hashlib.sha256(parts.encode()).hexdigest()[:8]}"


def inside(out: Path, path: Any) -> Path:
    """Return where a path leads that was read from a file of the dataset: a place below `out`, links resolved.

    Raises:
        UserError: If it leads elsewhere.
    """
    try:
        if not isinstance(path, str):
            raise ValueError(f"'{path}' is not a path")
        check_relative(path)
        if not (out / path).resolve().is_relative_to(out.resolve()) and not is_allowed(out / path):
            raise ValueError(f"'{path}' leads out of it through a link; {VARIABLE}=FOLDER allows where it leads")
    except (ValueError, RuntimeError) as error:  # of resolve: a zero byte, a loop of links
        raise UserError(f"the dataset {out} names a file that is not its own: {error}") from error
    return out / path


class Inside:
    """`inside` for many files of one dataset: a folder is looked at once, a file only whether it is a link."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._folders: set[str] = set()

    def __call__(self, path: str) -> Path:
        """Return where a file is.

        Raises:
            UserError: If it leads elsewhere.
        """
        folder = path.rpartition("/")[0]
        place = self._out / path
        if folder not in self._folders or place.is_symlink():
            inside(self._out, path)
            self._folders.add(folder)
        return place


def temporary_path(out: Path, what: str) -> Path:
    """Return a new path below `.tmp/`: `<what>.<host>.<pid>.<random>`."""
    return out / TEMPORARY / f"{what}.{host_tag()}.{os.getpid()}.{secrets.token_hex(4)}"


def abandoned(path: Path, host: str) -> bool:
    """Return whether a temporary belongs to a process of this machine that is dead."""
    parts = path.name.rsplit(".", 3)
    if len(parts) != 4 or parts[1] != host or not parts[2].isdigit():
        return False
    try:
        os.kill(int(parts[2]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def sync(path: Path) -> None:
    """Return when a file's content, or a folder's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_early(path: Path, data: bytes) -> None:
    """Write a file and let the disk begin with it, so that `sync` finds little left to do."""
    with path.open("wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def make_folder(folder: Path, *, out: Path) -> None:
    """Make a folder below `out` and its parents, each entry synced."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if folder == out:
            break
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True, parents=path == out)
        sync(path.parent)


def publish_new(out: Path, path: Path, data: bytes) -> bool:
    """Put `data` at `path` unless something is there; return whether it was us.

    The link is what decides: it fails when the name is taken, on local disks and on NFS.
    """
    if path.exists():
        return False
    with refusals_named(path):
        temporary = _write_temporary(out, path, (data,))
        try:
            make_folder(path.parent, out=out)
            try:
                path.hardlink_to(temporary)
            except FileExistsError:
                return False
            finally:
                sync(path.parent)  # also when it is taken: who reads it next must find it after a crash
        finally:
            temporary.unlink()
    return True


def publish(out: Path, path: Path, chunks: Iterable[bytes]) -> FileFact:
    """Put the chunks at `path`, replacing what is there; return the hash and size."""
    with refusals_named(path):
        digest, size = hashlib.sha256(), 0

        def hashed() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        temporary = _write_temporary(out, path, hashed())
        try:
            make_folder(path.parent, out=out)
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)
    return FileFact(path.relative_to(out).as_posix(), digest.hexdigest(), size)


def unpublish(path: Path) -> None:
    """Remove a file if it is there, durably."""
    with refusals_named(path):
        try:
            path.unlink()
        except FileNotFoundError:
            return
        sync(path.parent)


def hash_file(path: Path) -> str:
    """Return the sha256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_tree(path: Path) -> None:
    """Remove a temporary file or folder; one that another process removed meanwhile is gone all the same."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _write_temporary(out: Path, path: Path, chunks: Iterable[bytes]) -> Path:
    make_folder(out / TEMPORARY, out=out)
    temporary = temporary_path(out, path.name)
    try:
        with temporary.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
