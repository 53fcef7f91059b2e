"""Other people's readers, in an environment of their own: they bring PyTorch and versions that would fight ours.

A script of tests/judge/scripts/ is run there, given a folder; it prints one JSON object, which the test compares.
`make judge` makes the environment `.venv-readers`; OMMATIDIA_READERS names another interpreter.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
TIMEOUT_S = 600


def read_with(script: str, *arguments: str | Path) -> Any:
    """Return what a script of the readers says about some paths; a missing environment skips, or fails if strict."""
    python = Path(os.environ.get("OMMATIDIA_READERS", ROOT / ".venv-readers/bin/python"))
    if not python.exists():
        if os.environ.get("OMMATIDIA_STRICT"):
            pytest.fail(f"{python} is missing; `make judge` makes it")
        pytest.skip(f"{python} is missing; `make judge` makes it")
    command = [str(python), str(SCRIPTS / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, f"{script} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return json.loads(done.stdout.strip().splitlines()[-1])
