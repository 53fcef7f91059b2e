"""What a process may still do, decided by itself before it reads a file that nobody vouches for. Linux only.

Limits bound memory, processor time, files and descriptors. Landlock (Linux 5.13 and newer) makes everything unreadable
but the folders that are named, everything unwritable but one, and closes TCP and signals to others; where the kernel
has none of it, the limits stand alone. A process without privileges cannot undo any of this.

This bounds what a bad file can cost. It is not a jail for hostile code, which would still run as the same user.
Sources: setrlimit(2), prctl(2), landlock(7).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MAX_DESCRIPTORS = 8192
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls, the same on every architecture
VERSION_FLAG, PATH_BENEATH = 1, 1
READ = 0b1101  # execute (libraries are mapped so), read files, list folders
WRITE = 0b1_1111_1111_0010  # write, remove, make anything
REFER, TRUNCATE, IOCTL = 1 << 13, 1 << 14, 1 << 15  # since versions 2, 3 and 5
TCP = 0b11  # bind and connect, since version 4
SCOPES = 0b11  # abstract sockets and signals, since version 6
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


@dataclass(frozen=True)
class Limits:
    """What a process may use."""

    memory_bytes: int  # of address space
    cpu_s: int  # over all threads
    file_bytes: int  # of one file that it writes


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def limit_process(limits: Limits) -> None:
    """Apply limits to this process, and let it die with the one that started it."""
    for what, value in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, MAX_DESCRIPTORS),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (lowest, lowest))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def restrict_files(readable: Iterable[Path], writable: Path) -> bool:
    """Leave this process only some folders, and what Python and its modules need; return whether the kernel can."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)
    if version < 1:
        return False
    everything = READ | WRITE
    for since, access in ((2, REFER), (3, TRUNCATE), (5, IOCTL)):
        everything |= access if version >= since else 0
    handled = _Ruleset(everything, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0)
    ruleset = libc.syscall(CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(ctypes.sizeof(handled)), 0)
    if ruleset < 0:
        return False
    try:
        for folder in {*map(Path, SYSTEM), *_python_folders(), *(path.resolve() for path in readable)}:
            _allow(libc, ruleset, folder, READ)
        for device in DEVICES:
            _allow(libc, ruleset, Path(device), READ | 0b10)
        _allow(libc, ruleset, writable, everything)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, access: int) -> None:
    """Add a rule for a folder or file; one that is not there cannot be read anyway."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not path.is_dir():
            access &= 0b111 | TRUNCATE  # what applies to files; the rest would be refused
        rule = _Beneath(access, descriptor)
        libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)


def _python_folders() -> set[Path]:
    """Return where modules and their libraries lie, links followed: some installers link every file."""
    named = {Path(folder) for folder in (*sys.path, sys.prefix, sys.base_prefix) if folder}
    named |= {Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if folder}
    files = [module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
    return {folder.resolve() for folder in named} | {Path(file).resolve().parent for file in files if file}
