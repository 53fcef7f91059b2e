"""Which program runs, and on what: the part of a manifest that explains a difference of a pixel."""

from __future__ import annotations

import functools
import hashlib
import platform
import subprocess
from pathlib import Path

from engine import __version__
from engine._layout import data_root, kernels_folder
from engine.write.plan import Provenance
from engine.write.record import Build, Environment

SIMD = ("avx512f", "avx2", "avx", "sse4_2")  # widest first, as /proc/cpuinfo spells them
GIT_TIMEOUT_S = 10.0
SUFFIXES = (".py", ".cpp", ".h", ".cu")  # of what is compiled or run
BESIDE_ENGINE = ("kernels", "conf", "scenes_usd")  # folders of a checkout that a wheel holds inside engine/


def host_provenance() -> Provenance:
    """Return the program's version and this machine, for what is made without a device."""
    import numpy as np

    build = Build(__version__, source_sha256(), *_checkout(), warp=None, numpy=np.__version__)
    return Provenance(build, Environment(platform.python_version(), "cpu", _simd(), None))


def provenance_of(device: str) -> Provenance:
    """Return the program's version and what `device` (`cpu` or `cuda:N`) is."""
    import numpy as np
    import warp as wp

    found = wp.get_device(device)
    build = Build(__version__, source_sha256(), *_checkout(), warp=wp.__version__, numpy=np.__version__)
    if found.is_cpu:
        return Provenance(build, Environment(platform.python_version(), "cpu", _simd(), None))
    major, minor = wp.get_cuda_driver_version()
    return Provenance(build, Environment(platform.python_version(), found.name, None, f"{major}.{minor}"))


@functools.cache
def source_sha256() -> str:
    """Return the sha256 of the sources that run, 64 hex digits: the same for a checkout and a wheel made of it.

    It is that of lines `path NUL sha256 LF`, sorted by path, of engine/ and kernels/. Configuration and scenes are part
    of a recipe and do not enter. Computed once a process: what is imported does not change when its file does.
    """
    return hash_sources(Path(__file__).resolve().parent, kernels_folder())


def hash_sources(engine: Path, kernels: Path) -> str:
    """Return `source_sha256` of the sources in these two folders."""
    digest = hashlib.sha256()
    for name, path in sorted({**_sources("engine", engine), **_sources("kernels", kernels)}.items()):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _sources(name: str, folder: Path) -> dict[str, Path]:
    """Return the source files of a folder by what their path is in a checkout."""
    beside = {folder / other for other in BESIDE_ENGINE}
    found = (path for path in folder.rglob("*") if path.suffix in SUFFIXES and beside.isdisjoint(path.parents))
    return {f"{name}/{path.relative_to(folder).as_posix()}": path for path in found}


def _checkout() -> tuple[str | None, bool | None]:
    """Return git's commit and whether files differ from it; None where the program does not run from a checkout."""
    commit = _git("rev-parse", "HEAD")
    status = None if commit is None else _git("status", "--porcelain", "--untracked-files=no")
    return commit, None if status is None else bool(status)


def _git(*arguments: str) -> str | None:
    """Return what git says about the checkout that the program runs from; None where there is none."""
    root = data_root()
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _simd() -> str | None:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return platform.machine() or None
    words = set(cpuinfo.read_text(encoding="utf-8", errors="replace").split())
    return next((name for name in SIMD if name in words), platform.machine() or None)
