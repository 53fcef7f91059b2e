"""Stands in for `engine.scene.store.child` and does what a hostile file might make it do: `test_scene_sandbox`.

The name of the scene says what: it is all that the child learns.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from engine.scene.store.child import REQUEST, SCENE
from engine.scene.store.confine import Limits, limit_process, restrict_files


def main(folder: Path) -> None:
    """Do what the scene's name says."""
    request = json.loads((folder / REQUEST).read_text())
    path = Path(request["path"])
    limit_process(Limits(**request["limits"]))
    act = path.stem
    if act == "abort":
        os.abort()
    elif act == "trace":
        raise ValueError("something new")
    elif act == "sleep":
        time.sleep(600)
    elif act == "grandchild":  # outlives its parent, holds the pipe
        subprocess.Popen(["sleep", "600"])
        os._exit(3)
    elif act == "flood":
        while True:
            sys.stdout.write("x" * 65536)
    elif act == "greedy":
        say({"ok": bool(bytearray(1 << 40))})
    elif act == "disk":
        with (folder / "large").open("wb") as stream:
            stream.truncate(1 << 50)
    elif act == "nonsense":
        say({"ok": True}, text="[1]")
    elif act == "pipe":
        os.mkfifo(folder / SCENE)
        say({"ok": True})
    elif act == "link":
        (folder / SCENE).symlink_to("/etc/passwd")
        say({"ok": True})
    elif act == "noise":
        (folder / SCENE).write_bytes(b"\xff" * 1000)
        say({"ok": True})
    elif act == "look":
        say({"error": json.dumps(what_is_visible(path, folder))})


def what_is_visible(path: Path, folder: Path) -> dict[str, object]:
    """Return what a child can see and do."""
    descriptors = list(Path("/proc/self/fd").iterdir())
    confined = restrict_files([path.parent], folder)
    found: dict[str, object] = {
        "confined": confined,
        "environment": sorted(os.environ),
        "descriptors": sorted(int(entry.name) for entry in descriptors if entry.exists()),
        "session": os.getsid(0) == os.getpid(),
        "inside": opens(path),
        "outside": opens(Path("/etc/passwd")),
        "writes": opens(path.parent / "new", "w"),
        "writes own": opens(folder / "new", "w"),
    }
    with socket.socket() as client:
        client.settimeout(1.0)
        found["network"] = client.connect_ex(("127.0.0.1", 9))
    return found


def opens(path: Path, mode: str = "r") -> bool:
    """Return whether a file can be opened."""
    try:
        path.open(mode).close()
    except PermissionError:
        return False
    return True


def say(answer: object, text: str | None = None) -> None:
    """Answer as the real child does."""
    sys.stdout.write((text or json.dumps(answer)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
