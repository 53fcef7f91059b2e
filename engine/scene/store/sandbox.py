"""Reading a scene in a child process with limits, so that a bad file costs one line and not the program.

The child starts clean: no descriptor, almost no environment, a session of its own, limits on memory, processor time,
file size and descriptors, and where the kernel can, no other files and no network (`confine.py`). It answers
with arrays in a private folder, which are copied out of its reach and checked before anything trusts them.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import Stopped
from engine.scene.error import SceneError
from engine.scene.options import SceneOptions, what
from engine.scene.store.child import REQUEST, SCENE, options_to_json
from engine.scene.store.tensor_file import TensorFileError, file_buffer
from engine.signals import stop_requested

OVERRIDE = "OMMATIDIA_SANDBOX"  # in place of `auto`
MODULE = "engine.scene.store.child"
MAX_ANSWER_BYTES = 1 << 20
POLL_S = 0.2  # how often a stop signal is looked for
DYING_S = 0.01  # between a closed pipe and the end of its process
LAST_WORDS_BYTES = 4096
THREADS = min(8, os.cpu_count() or 1)  # each costs address space
MACHINE_SHARE = 0.8  # of the machine's memory, which the kernel would defend by killing whom it likes
KEPT = ("HOME", "LD_LIBRARY_PATH", "SYSTEMROOT")
GIB = 2**30


def is_sandboxed(path: Path, options: SceneOptions) -> bool:
    """Return whether a scene is to be read in a child process."""
    from engine._layout import scenes_folder

    chosen = os.environ.get(OVERRIDE, "auto") if options.sandbox == "auto" else options.sandbox
    if chosen not in ("auto", "true", "false"):
        raise SceneError(f"{OVERRIDE}={chosen}: write auto, true or false")
    if chosen != "auto":
        return chosen == "true"
    trusted = (scenes_folder(), *options.trusted_roots)
    return not any(path.resolve().is_relative_to(root.resolve()) for root in trusted)


def read_in_child(path: Path, options: SceneOptions) -> memoryview:
    """Return the bytes of the arrays file that a child process wrote for a scene; nobody else can change them.

    Raises:
        SceneError: What the child says, or what became of it and which limit to raise.
        Stopped: If a stop signal came meanwhile.
    """
    with tempfile.TemporaryDirectory(prefix="ommatidia-scene-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        memory = min(int(options.sandbox_memory_gib * GIB), int(_machine_bytes() * MACHINE_SHARE))
        cpu_s = max(1, int(options.sandbox_seconds * (THREADS + 1)))
        request = {
            "path": str(path),
            "options": options_to_json({**what(options), "roots": options.roots}),
            "limits": {"memory_bytes": memory, "cpu_s": cpu_s, "file_bytes": memory},
        }
        (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
        answer = _run(folder, path, options)
        if "error" in answer:
            raise SceneError(" ".join(str(answer["error"]).split()))
        if "memory" in answer:
            raise SceneError(_too_large(path, options))
        try:
            return file_buffer(folder / SCENE, private=True)
        except (OSError, TensorFileError) as error:
            raise SceneError(f"scene '{path}': the child process left no arrays: {error}") from None


@dataclass(frozen=True)
class _End:
    """How the child ended."""

    answer: bytes
    timed_out: bool
    code: int
    last_words: str


def _run(folder: Path, path: Path, options: SceneOptions) -> Mapping[str, object]:
    end = _wait(folder, options.sandbox_seconds)
    if end.timed_out:
        raise SceneError(
            f"scene '{path}': reading it took more than {options.sandbox_seconds:g} s and was ended; "
            "raise scene.sandbox_seconds if you trust the file"
        )
    try:
        answer = json.loads(end.answer)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) and not end.answer:
        raise SceneError(_obituary(path, options, end))
    if not isinstance(answer, dict):
        raise SceneError(f"scene '{path}': the child process that read it answered nonsense")
    return answer


def _wait(folder: Path, seconds: float) -> _End:
    """Run the child until it answers, ends, or its time is over; then nothing of it is left."""
    words = folder / "stderr.txt"
    with words.open("wb") as stderr:
        child = subprocess.Popen(
            [sys.executable, "-P", "-s", "-m", MODULE, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=folder,
            env=_environment(folder),
            start_new_session=True,
        )
    assert child.stdout is not None
    try:
        answer, timed_out = _listen(child, child.stdout.fileno(), time.monotonic() + seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # and whatever it started
        child.wait()
        child.stdout.close()
    return _End(answer, timed_out, child.returncode, _last_words(words))


def _listen(child: subprocess.Popen[bytes], pipe: int, end_s: float) -> tuple[bytes, bool]:
    """Return what a child says until the end of its line, of itself, or of its time, and whether that was over.

    Raises:
        Stopped: If a stop signal came meanwhile.
    """
    answer = b""
    while (left_s := end_s - time.monotonic()) > 0.0:
        if stop_requested():
            raise Stopped("stopped while a scene was read; the same command goes on")
        # Asked before the pipe, which may hold its last word. It stays a zombie, so that its number stays its own.
        ended = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        ready = select.select([pipe], [], [], 0.0 if ended else min(left_s, POLL_S))[0]
        block = os.read(pipe, MAX_ANSWER_BYTES) if ready else b""
        answer += block
        if answer.endswith(b"\n") or len(answer) > MAX_ANSWER_BYTES or (ended and not block):
            return answer, False
        if ready and not block:
            time.sleep(DYING_S)
    return answer, True


def _environment(folder: Path) -> dict[str, str]:
    """Return what the child may know: where modules are, where it may write, how many threads to start."""
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("PXR_")}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "LANG": "C.UTF-8",
        "TMPDIR": str(folder),
        "PXR_WORK_THREAD_LIMIT": str(THREADS),
        "OPENBLAS_NUM_THREADS": "1",
        "OPENIMAGEIO_THREADS": str(THREADS),
        "MALLOC_ARENA_MAX": "2",  # glibc reserves 64 MiB of address space for each
    }


def _obituary(path: Path, options: SceneOptions, end: _End) -> str:
    """Return what to say of a child that ended without an answer."""
    words = end.last_words
    if "bad_alloc" in words or "MemoryError" in words or -end.code == signal.SIGKILL:
        return _too_large(path, options)
    if -end.code == signal.SIGXCPU:
        return f"scene '{path}': reading it took too much processor time; raise scene.sandbox_seconds"
    if end.code < 0:
        fatal = re.search(r"FATAL ERROR: (.*)", words)
        why = fatal.group(1) if fatal else signal.Signals(-end.code).name
        return (
            f"scene '{path}': USD crashed while reading it ({why}); the file is damaged or nested too deeply: "
            "re-export it, or raise scene.sandbox_memory_gib if it is large"
        )
    last = words.splitlines()[-1] if words else f"exit code {end.code}"
    return f"scene '{path}': the loader failed: {last[:300]}; please report it with the file"


def _too_large(path: Path, options: SceneOptions) -> str:
    return (
        f"scene '{path}': reading it needs more than {options.sandbox_memory_gib:g} GiB of memory; "
        "raise scene.sandbox_memory_gib if you trust the file and the machine has it"
    )


def _last_words(words: Path) -> str:
    """Return the end of what the child wrote on standard error."""
    with words.open("rb") as stream:
        stream.seek(max(0, words.stat().st_size - LAST_WORDS_BYTES))
        return stream.read().decode("utf-8", "replace").strip()


def _machine_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
