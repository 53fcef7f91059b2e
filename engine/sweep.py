"""The folder of a multirun. It holds pickles that submitit's jobs load, and so run: nobody else may write there."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.experimental.callback import Callback

if TYPE_CHECKING:
    from omegaconf import DictConfig

OWNER_ONLY = 0o700
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
WHY = "and the jobs of a multirun run what lies there"


class NotPrivate(BaseException):
    """The folder cannot be ours alone. No `Exception`: Hydra turns those of a callback into warnings and goes on."""


class PrivateSweep(Callback):
    """Makes the sweep's folder before anything is launched; conf/config.yaml names it below `hydra.callbacks`."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Make the folder private.

        Raises:
            NotPrivate: If it is not a folder, belongs to another user, or others may write there.
        """
        make_private(Path(config.hydra.sweep.dir))


def make_private(folder: Path) -> None:
    """Make a folder that only this user can enter; one that exists stays as it is, if nobody else can write there.

    Raises:
        NotPrivate: If it is not a folder, belongs to another user, or others may write there.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=OWNER_ONLY)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise NotPrivate(f"{folder} is not a folder of this user, {WHY}; set OMMATIDIA_SWEEP_DIR to another one")
    if found.st_mode & OTHERS_WRITE:
        raise NotPrivate(f"others may write to {folder}, {WHY}; chmod go-w, or set OMMATIDIA_SWEEP_DIR to another one")
