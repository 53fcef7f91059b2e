"""Other renderers on the comparison scene, each in a process of its own Python, and whether they see what we see.

The programs lie in `$OMMATIDIA_SHARED/peers`; `bench/requirements-peers.txt` makes the environment they run in.
What is not installed is not measured: `start_peer` says why, and no number stands in for it.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from bench.eye_clock import Turn

READY_TIMEOUT_S = 300.0  # the first run compiles the peer's kernels
STEP_TIMEOUT_S = 120.0
DRIVER = Path(__file__).with_name("peers_drive.py")

MAX_DIFFERENT_SHARE = 1e-5  # of the pixels, in hit or id: rays that graze a silhouette; one pixel is always allowed
MIN_NORMAL_COSINE = 0.9998  # about a degree


class PeerMissingError(Exception):
    """A peer that cannot be measured here; the text says why."""


@dataclass(frozen=True)
class Work:
    """What a peer is asked to render."""

    device: str
    worlds: int
    width: int
    height: int
    threads: int


@dataclass(frozen=True)
class Program:
    """A peer's program and the images it saves."""

    name: str
    file: str
    image: str  # first part of the name of the file it saves
    arguments: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    takes_threads: bool = False
    devices: tuple[str, ...] = ("cpu", "cuda")
    depth_error_m: float = 1e-3  # float32 of its own at 20 m and a grazing angle
    smooth_normals: bool = False  # whether it interpolates normals like ours


PROGRAMS = {
    "open3d": Program(
        "open3d", "bench_open3d.py", "open3d", (), ("open3d",), takes_threads=True, devices=("cpu",), depth_error_m=1e-4
    ),
    "newton": Program("newton", "bench_newton.py", "newton_camera_mesh", ("--warm",), ("newton",), smooth_normals=True),
    "mujoco_warp": Program("mujoco_warp", "bench_mjwarp.py", "mjwarp", ("--warm",), ("mujoco_warp",)),
}


@dataclass(frozen=True)
class Images:
    """What a renderer saw, [view, y, x]: distance along the ray (0: nothing), ids from 0 (-1: nothing)."""

    depth_m: NDArray[np.float32]
    ids: NDArray[np.int32]
    normal: NDArray[np.float32] | None = None


class Peer:
    """A peer's process, kept warm between its turns."""

    def __init__(self, program: Program, work: Work, *, python: Path, folder: Path) -> None:
        """Start the program; `wait_ready` waits for it."""
        self.program, self.work = program, work
        self._out = TemporaryDirectory(prefix="ommatidia_peer_")
        threads = ("--threads", str(work.threads)) if program.takes_threads else ()
        size = f"{work.width}x{work.height}"
        command = [str(python), str(DRIVER), str(folder / program.file), "--worlds", str(work.worlds), "--res", size]
        command += ["--device", work.device, "--save", *program.arguments, *threads]
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")}
        self._log = (Path(self._out.name) / "log").open("w+b")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, bufsize=0,
            env={**environment, "PEERS_OUT": self._out.name},
        )  # fmt: skip
        self._pending = b""

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the process, whatever state it is in."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._log.close()
        self._out.cleanup()

    def wait_ready(self) -> None:
        """Wait until the program has rendered its first frame."""
        self._answer(READY_TIMEOUT_S)

    def step(self) -> Turn:
        """Render one batch and return its time."""
        self._tell("step")
        wall, cpu = self._answer(STEP_TIMEOUT_S).split()
        return Turn(float(wall), float(cpu))

    def finish(self) -> Images:
        """Let the program save its images and end; return them."""
        self._tell("end")
        try:
            code = self._process.wait(STEP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise PeerMissingError(f"{self.program.name} did not end") from None
        size = f"{self.work.width}x{self.work.height}"
        found = Path(self._out.name) / f"{self.program.image}_{self.work.worlds}_{size}.npz"
        if code != 0 or not found.is_file():
            raise PeerMissingError(self._last_words())
        with np.load(found, allow_pickle=False) as saved:
            return Images(saved["depth"], saved["ids"], saved.get("normal"))

    def _tell(self, text: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{text}\n".encode())
        except BrokenPipeError:
            raise PeerMissingError(self._last_words()) from None

    def _answer(self, timeout_s: float) -> str:
        assert self._process.stdout is not None
        end = time.monotonic() + timeout_s
        while b"\n" not in self._pending:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise PeerMissingError(f"{self.program.name} did not answer in {timeout_s:.0f} s")
            part = self._process.stdout.read(4096)
            if not part:
                raise PeerMissingError(self._last_words())
            self._pending += part
        line, self._pending = self._pending.split(b"\n", 1)
        return line.decode()

    def _last_words(self) -> str:
        self._log.flush()
        self._log.seek(0)
        lines = deque((line.decode(errors="replace").strip() for line in self._log if line.strip()), maxlen=1)
        return f"{self.program.name} ended: {lines[0] if lines else 'no output'}"


def start_peer(name: str, work: Work, *, python: Path | None, folder: Path | None) -> Peer:
    """Return a peer whose program has been started.

    Raises:
        PeerMissingError: If it is not here, or does not run on the device.
    """
    program = PROGRAMS[name]
    if folder is None or not (folder / program.file).is_file():
        raise PeerMissingError("the peers' programs are not here: set OMMATIDIA_SHARED")
    if python is None or not python.is_file():
        raise PeerMissingError("no Python of the peers: give --peers-python, see bench/requirements-peers.txt")
    if work.device.split(":")[0] not in program.devices:
        raise PeerMissingError(f"{name} does not run on {work.device}")
    found = subprocess.run(
        [str(python), "-c", "import importlib.util, sys; sys.exit(any(importlib.util.find_spec(n) is None"
         " for n in sys.argv[1:]))", *program.packages], check=False, cwd="/",
    )  # fmt: skip
    if found.returncode != 0:
        raise PeerMissingError(f"{name} is not installed in {python}")
    return Peer(program, work, python=python, folder=folder)


def differences(ours: Images, theirs: Images, program: Program) -> list[str]:
    """Return what a peer and we disagree about beyond what rays at silhouettes explain; empty: nothing."""
    if ours.depth_m.shape != theirs.depth_m.shape:
        return [f"shapes {ours.depth_m.shape} and {theirs.depth_m.shape}"]
    allowed = max(1, round(MAX_DIFFERENT_SHARE * ours.ids.size))
    out = []
    hit_ours, hit_theirs = ours.depth_m > 0, theirs.depth_m > 0
    if (count := int((hit_ours != hit_theirs).sum())) > allowed:
        out.append(f"{count} of {ours.ids.size} pixels hit in one and not in the other")
    both = hit_ours & hit_theirs
    if (count := int((ours.ids != theirs.ids)[both].sum())) > allowed:
        out.append(f"{count} of {ours.ids.size} pixels differ in id")
    same = both & (ours.ids == theirs.ids)
    if (count := int((np.abs(ours.depth_m - theirs.depth_m)[same] > program.depth_error_m).sum())) > allowed:
        out.append(f"{count} of {ours.ids.size} pixels differ by more than {program.depth_error_m} m in depth")
    if program.smooth_normals and ours.normal is not None and theirs.normal is not None:
        cosine = (ours.normal * theirs.normal).sum(axis=-1)[same]
        if (count := int((cosine < MIN_NORMAL_COSINE).sum())) > allowed:
            out.append(f"{count} of {ours.ids.size} normals differ by more than a degree")
    return out
