"""The main job: `python -m engine.run +scene=warehouse [key=value ...]`.

Hydra reads the command line: `-m seed=0,1,2` makes a dataset for each, `-m cluster=local` or `-m cluster=slurm` (extra
`slurm`) hands them to submitit, `--config-dir my_conf +scene=mine` finds a scene of your own, `--cfg job`
prints the configuration. `--plugin MODULE` imports randomisers and writers of your own. Exit codes: 0 the dataset is
complete (or this worker's part is), 1 a worker failed, 2 the command cannot be done, 3 `out` is another dataset,
74 the disk refused, 75 stopped by a signal: the same command goes on.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine import signals

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from engine.dataset.manifest import Manifest
    from engine.recipe import Job, Recipe

EXIT_REFUSED = 74  # EX_IOERR: the operating system refused something
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells count
OPTIONS_WITH_VALUE = (  # of Hydra
    *("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--cfg", "-c"),
    *("--package", "-p", "--info", "-i", "--experimental-rerun"),
)
NO_DEVICE_MEMORY = "Failed to allocate"  # how Warp's RuntimeError begins when memory is short
LESS_MEMORY = "take batch=1, fewer worlds (count) or a smaller rig (rig.width, rig.height, rig.steps)"
FULL_ERROR = "HYDRA_FULL_ERROR"  # Hydra's own switch: show tracebacks


def main(arguments: list[str] | None = None) -> int:
    """Run a command line and return its exit code; errors are one line each on standard error."""
    signals.install()
    from engine.errors import Stopped, UserError, WorkersFailed, WriteFailed

    show_traceback = bool(os.environ.get(FULL_ERROR))
    failures: list[Exception] = []
    try:
        _hydra(sys.argv[1:] if arguments is None else arguments, failures)
    except (UserError, WriteFailed, Stopped, WorkersFailed, OSError) as error:
        failures.append(error)
    except KeyboardInterrupt:
        _say("interrupted; what is committed is intact, and the same command goes on")
        return EXIT_INTERRUPTED
    if failures and show_traceback:
        raise failures[0]
    for failure in failures:
        _say(str(failure))
    return getattr(failures[0], "exit_code", EXIT_REFUSED) if failures else 0


def run_composed(tree: DictConfig) -> None:
    """Do one job that Hydra composed; of a multirun, this may run in a process of the launcher's."""
    from hydra.core.hydra_config import HydraConfig

    from engine.config import Composed, recipe_and_job, source_folders
    from engine.errors import Stopped

    if signals.stop_requested():
        raise Stopped("stopped before this job began; the same command goes on")
    hydra = HydraConfig.get()
    sources = hydra.runtime.config_sources
    overrides = tuple(hydra.overrides.task)
    recipe, job = recipe_and_job(Composed(tree, dict(hydra.runtime.choices), source_folders(sources), overrides))
    given = [Path(source.path) for source in sources if source.provider == "command-line"]
    run(recipe, job, command=overrides, config_folders=tuple(given))


def run(recipe: Recipe, job: Job, *, command: tuple[str, ...] = (), config_folders: tuple[Path, ...] = ()) -> None:
    """Make the dataset of a recipe, unless it is there already, and say where to look.

    Args:
        recipe: What decides the data.
        job: Where, how many and on what.
        command: The overrides that recipe and job were composed from, and `config_folders` the folders given beside
            them: `device=all` starts a process with them for each GPU.
    Raises:
        UserError: If it cannot be done; ForeignOutput if `out` is another dataset.
        WriteFailed: If the disk refuses.
        Stopped: If a signal asked for it.
        WorkersFailed: If a job that ran in a process of its own failed.
    """
    from engine.resume import complete_dataset

    begun_s = time.monotonic()
    found = complete_dataset(recipe, job)
    if found is not None:
        _say_where(*found, how="were there already")
        return
    if job.device == "all":
        from engine.workers import run_on_all

        run_on_all(job, command, config_folders)
        found = complete_dataset(recipe, job)
    else:
        found = _generate(recipe, job)
    if found is None:
        _say(f"this part is done (worker {job.worker} of {job.workers}); the last worker to finish makes the manifest")
    else:
        _say_where(*found, how=f"in {time.monotonic() - begun_s:.1f} s")


def _generate(recipe: Recipe, job: Job) -> tuple[Path, Manifest] | None:
    from engine.errors import UserError
    from engine.factory import generate
    from engine.progress import Progress

    with Progress() as progress:
        try:
            made = generate(recipe, job, progress=progress)
        except MemoryError as error:
            raise UserError(f"out of memory; {LESS_MEMORY}") from error
        except RuntimeError as error:
            if NO_DEVICE_MEMORY not in str(error):
                raise
            raise UserError(f"out of memory on device={job.device} ({error}); {LESS_MEMORY}") from error
    return None if made.manifest is None else (made.out, made.manifest)


def _say_where(out: Path, manifest: Manifest, *, how: str) -> None:
    counts = manifest.counts
    _say(
        f"{_count(counts.frames, 'frame')} of {_count(counts.worlds, 'world')} {how}; "
        f"look at {out / 'contact_sheet.png'}, facts in {out / 'manifest.json'}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _hydra(arguments: list[str], failures: list[Exception]) -> None:
    """Let Hydra compose and launch; jobs of a multirun in this process go on after a failure, which is kept."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from engine._layout import conf_folder
    from engine.config import HYDRA_VERSION_BASE, register_schema
    from engine.config_errors import one_line, plain_error_line
    from engine.errors import Stopped, UserError, WorkersFailed, WriteFailed
    from engine.plugins import take_options
    from engine.sweep import NotPrivate

    register_schema()
    import hydra

    from engine.config_laws import laws_of_command

    def job(tree: DictConfig) -> None:
        try:
            run_composed(tree)
        except (UserError, WriteFailed, Stopped, WorkersFailed, OSError) as error:
            if signals.in_submitit():
                raise  # the launcher brings it back to us
            failures.append(error)

    command_line = sys.argv
    options, overrides = _options_and_overrides(take_options(arguments))
    sys.argv = [sys.argv[0], *options, *overrides]
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"  # let errors through: Hydra prints its own in several lines and exits with 1
    try:
        hydra.main(version_base=HYDRA_VERSION_BASE, config_path=str(conf_folder()), config_name="config")(job)()
        for comment in laws_of_command(options, overrides):
            sys.stdout.write(f"{comment}\n")
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(one_line(error)) from error
    except (ValueError, RuntimeError) as error:
        line = plain_error_line(error)
        if line is None:
            raise
        raise UserError(line) from error
    except NotPrivate as error:
        raise UserError(str(error)) from error
    except _launcher_errors() as error:
        lines = [line for line in str(error).splitlines() if line.strip() and "job.stderr" not in line]
        raise WorkersFailed(f"a job failed in its own process: {lines[-1].strip(' -')}") from error
    finally:
        sys.argv = command_line
        if before is None:
            del os.environ[FULL_ERROR]


def _options_and_overrides(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return options, then overrides: Hydra's parser takes those in one piece only (`+scene=x -m seed=0,1`)."""
    options: list[str] = []
    overrides: list[str] = []
    for before, word in zip(["", *arguments], arguments, strict=False):
        is_option = word.startswith("-") or before in OPTIONS_WITH_VALUE
        (options if is_option else overrides).append(word)
    return options, overrides


def _launcher_errors() -> tuple[type[Exception], ...]:
    """Return what submitit raises when a job dies without an answer; nothing where it is not in use."""
    if "submitit" not in sys.modules:
        return ()
    from submitit.core.utils import UncompletedJobError

    return (UncompletedJobError,)


def _say(line: str) -> None:
    sys.stderr.write(f"ommatidia: {line}\n")


if __name__ == "__main__":
    from engine.run import main as imported_main  # as a module, so that its functions can be sent to other processes

    code = imported_main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # an ordinary exit puts the default handlers back first: a stop signal would then kill with -15
