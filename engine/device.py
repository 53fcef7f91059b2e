"""Which device to run on."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import UserError

NO_DRIVER = b"Could not find or load the NVIDIA CUDA driver"  # Warp's native code says so on every machine without one


def resolve_device(name: str) -> str:
    """Return `cpu` or `cuda:N` for `auto`, `cpu` or `cuda:N`; `auto` is the first GPU if there is one.

    Raises:
        UserError: If the device is not there; the message lists those that are.
    """
    if name == "all":
        raise UserError("device=all is for the command line: one process per GPU; give cuda:N")
    import warp as wp

    wp.config.log_level = wp.LOG_ERROR
    # Warp asks for the processor's name; Python would start a process for it, which fork-hostile places do not like.
    vars(platform.uname()).setdefault("processor", platform.machine())
    with _without_driver_warning():
        wp.init()
    gpus = wp.get_cuda_device_count()
    if name == "auto":
        return "cuda:0" if gpus else "cpu"
    known = ("cpu", *(f"cuda:{i}" for i in range(gpus)))
    if name not in known:
        raise UserError(f"device={name} is not there; this machine has {', '.join(known)}")
    return name


@contextmanager
def _without_driver_warning() -> Iterator[None]:
    """Let everything that native code writes to standard error through, but for the one line about the driver."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            os.write(2, b"".join(line for line in caught if NO_DRIVER not in line))
