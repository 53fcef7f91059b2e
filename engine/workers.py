"""`device=all`: one worker process a GPU, each running the same command on its own part of the worlds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from engine.errors import Stopped, UserError, WorkersFailed, WriteFailed
from engine.recipe import Job
from engine.signals import stop_requested

VISIBLE = "CUDA_VISIBLE_DEVICES"
POLL_S = 0.2
COMMAND = ("-m", "engine.run")
OWN_KEYS = ("device", "worker", "workers")  # set for each process


def run_on_all(job: Job, command: Sequence[str], config_folders: Sequence[Path] = ()) -> None:
    """Run a command once per GPU and wait for all.

    Args:
        job: What the command means; its worker i of n becomes the GPUs' share of the work.
        command: All its overrides, as the user gave them.
        config_folders: Folders given by `--config-dir`.

    Raises:
        UserError: If there is no GPU.
        Stopped: If a signal asked the processes to stop.
        WriteFailed: If the disk refused one of them.
        WorkersFailed: If one ended otherwise; the others went on.
    """
    gpus = visible_gpus()
    if not gpus:
        raise UserError("device=all needs a CUDA device and none is visible; use device=cpu or device=auto")
    commands = worker_commands(job, command, len(gpus), config_folders)
    workers = [_start(command, gpu) for command, gpu in zip(commands, gpus, strict=True)]
    echoes = [_echo(worker, number) for number, worker in enumerate(workers)]
    told = False
    while any(worker.poll() is None for worker in workers):
        if stop_requested() and not told:
            told = True
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
        time.sleep(POLL_S)
    for echo in echoes:
        echo.join()
    _raise_worst([worker.returncode for worker in workers])


def visible_gpus() -> list[str]:
    """Return the CUDA devices that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    chosen = os.environ.get(VISIBLE)
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() and name.strip() != "-1"]
    import warp as wp

    from engine.device import resolve_device

    resolve_device("auto")  # starts Warp quietly
    return [str(number) for number in range(wp.get_cuda_device_count())]


def worker_commands(
    job: Job, command: Sequence[str], gpus: int, config_folders: Sequence[Path] = ()
) -> list[list[str]]:
    """Return the command of each GPU's process: the same, but for the device and the share of the work."""
    kept = [text for text in command if text.lstrip("+").partition("=")[0] not in OWN_KEYS]
    options = [word for folder in config_folders for word in ("--config-dir", str(folder))]
    start = [sys.executable, *COMMAND, *options, *kept, "device=cuda:0"]
    workers = job.workers * gpus
    return [[*start, f"worker={job.worker * gpus + gpu}", f"workers={workers}"] for gpu in range(gpus)]


def _start(command: list[str], gpu: str) -> subprocess.Popen[str]:
    environment = {**os.environ, VISIBLE: gpu}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def _echo(worker: subprocess.Popen[str], number: int) -> threading.Thread:
    """Copy what a worker says, each line with its number in front."""

    def copy(stream: IO[str]) -> None:
        for line in stream:
            sys.stderr.write(f"gpu {number}: {line}")

    assert worker.stderr is not None
    thread = threading.Thread(target=copy, args=(worker.stderr,), daemon=True)
    thread.start()
    return thread


def _raise_worst(codes: Sequence[int]) -> None:
    if WriteFailed.exit_code in codes:
        raise WriteFailed("the disk refused one of the workers; see its line above")
    if Stopped.exit_code in codes or (stop_requested() and any(codes)):
        raise Stopped("stopped; the same command goes on")
    failed = [f"gpu {number} (exit code {code})" for number, code in enumerate(codes) if code]
    if failed:
        raise WorkersFailed(f"{len(failed)} of {len(codes)} workers failed: {', '.join(failed)}; see their lines above")
