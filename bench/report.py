"""How every bench reports: a table for people, one JSON line for machines, a file under the device's name."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import warp as wp

RESULTS = Path(__file__).parent / "results"


def device_name(device: str) -> str:
    """Return a name for a results file: `cpu-2-threads`, or that of the GPU."""
    found = wp.get_device(device)
    return f"cpu-{len(os.sched_getaffinity(0))}-threads" if found.is_cpu else found.name.replace(" ", "-").lower()


def report(bench: str, device: str, rows: dict[str, Any], *, store: bool) -> None:
    """Print a table and one JSON object, and append the object to the results file where asked."""
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:<{width}}  {value:.4g}" if isinstance(value, float) else f"{name:<{width}}  {value}")
    line = line_of(bench, device, rows)
    print(line)
    if store:
        store_line(device, line)


def line_of(bench: str, device: str, rows: dict[str, Any]) -> str:
    """Return one JSON object: what was measured, when, on what and at which commit."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    facts = {
        "bench": bench,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "device": device_name(device),
        "warp": wp.__version__,
        "python": platform.python_version(),
        "commit": commit.stdout.strip(),
    }
    return json.dumps({**facts, **rows})


def store_line(device: str, line: str) -> None:
    """Append a line to the results file of a device."""
    with (RESULTS / f"{device_name(device)}.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
