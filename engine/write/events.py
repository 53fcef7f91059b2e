"""`log/<host>.log`: what happened when and where, one JSON object a line. The only place for times and hosts.

It is outside every hash and never read by the program, so that two runs that make the same data are the same dataset.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from engine.write.begin import LOG
from engine.write.files import host_tag, make_folder, refusals_named


def log_event(out: Path, event: str, **facts: str | float) -> None:
    """Append a line; lines of several processes do not mix, because each is one write at the end of the file.

    Raises:
        WriteFailed: If the disk refuses.
    """
    path = out / LOG / f"{host_tag()}.log"
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "pid": os.getpid(), "event": event, **facts}
    with refusals_named(path):
        make_folder(path.parent, out=out)
        with path.open("ab", buffering=0) as file:
            file.write((json.dumps(line) + "\n").encode())
