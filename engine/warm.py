"""Compile the kernels for this machine ahead of the first run: `python -m engine.warm [--device auto|cpu|cuda:N]`."""

from __future__ import annotations

import argparse
import os
import sys

from engine.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Compile and cache the kernels of every quality; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m engine.warm", description=(__doc__ or "").split(":")[0])
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N")
    parsed = parser.parse_args(arguments)
    from engine import gpu
    from engine.device import resolve_device
    from engine.render import load_kernels
    from engine.render.kernel_modules import SCENE_MODULES
    from engine.render.motion import MODULE

    try:
        device = resolve_device(parsed.device)
        load_kernels("path", device=device, passing=True, say=_say)
        gpu.load((MODULE, *SCENE_MODULES), device=device, threads=len(os.sched_getaffinity(0)), say=_say)
    except UserError as error:
        sys.stderr.write(f"ommatidia: {error}\n")
        return error.exit_code
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
