"""Which program runs, and on what: the part of a manifest that explains a difference of a float."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

from engine import __version__
from engine._layout import data_root
from engine.write.plan import Provenance
from engine.write.record import Build, Environment

SIMD = ("avx512f", "avx2", "avx", "sse4_2")  # widest first, as /proc/cpuinfo spells them
GIT_TIMEOUT_S = 10.0


def provenance_of(device: str) -> Provenance:
    """Return the program's version and what `device` (`cpu` or `cuda:N`) is."""
    import warp as wp

    commit = _git("rev-parse", "HEAD")
    status = None if commit is None else _git("status", "--porcelain", "--untracked-files=no")
    found = wp.get_device(device)
    build = Build(__version__, commit, None if status is None else bool(status), wp.__version__)
    if found.is_cpu:
        return Provenance(build, Environment(platform.python_version(), "cpu", _simd(), None))
    major, minor = wp.get_cuda_driver_version()
    return Provenance(build, Environment(platform.python_version(), found.name, None, f"{major}.{minor}"))


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
