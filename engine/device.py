"""Which device to run on."""

from __future__ import annotations

from engine.errors import UserError


def resolve_device(name: str) -> str:
    """Return `cpu` or `cuda:N` for `auto`, `cpu` or `cuda:N`; `auto` is the first GPU if there is one.

    Raises:
        UserError: If the device is not there; the message lists those that are.
    """
    import warp as wp

    wp.config.log_level = wp.LOG_ERROR  # a machine without a GPU is nothing to warn about
    wp.init()
    gpus = wp.get_cuda_device_count()
    if name == "auto":
        return "cuda:0" if gpus else "cpu"
    known = ("cpu", *(f"cuda:{i}" for i in range(gpus)))
    if name not in known:
        raise UserError(f"device={name} is not there; this machine has {', '.join(known)}")
    return name
