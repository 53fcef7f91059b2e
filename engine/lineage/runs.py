"""Note a training or an evaluation as a node of the lineage, in three lines.

    from engine.lineage.runs import training_run
    run = training_run("runs/a", datasets=["out/real", "out/synthetic"], settings={"epochs": 20})
    run.finish(metrics={"mAP": 0.61}, outputs=["weights.pt"])

The record is `runs/a/lineage.json`, written whole or not at all; until `finish` it says "started", and a run that was
killed goes on saying so. As a context (`with training_run(...) as run:`) an exception marks it "failed". Of several
processes that train together, one calls it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from engine import __version__
from engine.errors import UserError, WriteFailed
from engine.lineage.ledger import append
from engine.lineage.node import NODE, ModelRef, RunNode, State, dataset_ref, plain_value, read_node, sealed
from engine.write.begin import HEADER
from engine.write.files import hash_file, refusals_named, sync
from engine.write.record import FileFact, json_bytes

LONGEST_REASON = 400  # characters of a failure that are kept

Folder = str | os.PathLike[str]


class Run:
    """A run that goes on. `node` is what its record says now."""

    def __init__(self, folder: Path, datasets: Sequence[Path], node: RunNode) -> None:
        self.folder = folder
        self.node = node
        self._datasets = tuple(datasets)
        self._begin()

    def finish(
        self,
        *,
        metrics: Mapping[str, Any] | None = None,
        outputs: Sequence[Folder] = (),
        proportions: Mapping[str, Any] | None = None,
    ) -> RunNode:
        """Write that the run came to its end; return the node.

        Args:
            metrics: Plain data, numbers of NumPy and PyTorch included.
            outputs: Files that the run made, relative to its folder; they are hashed.
            proportions: Shares of datasets, classes, slices as they were drawn, not as they were asked for.
        Raises:
            UserError: If an output is not there or a value is not plain data: the run goes on, call it again.
                Or if it ended already.
            WriteFailed: If the disk refuses.
        """
        if self.node.state != "started":
            raise UserError(f"the run {self.folder} has {self.node.state} already; begin another one")
        changes = {
            "metrics": plain_value(metrics or {}, "metrics"),
            "proportions": plain_value(proportions or {}, "proportions"),
            "outputs": tuple(self._output(Path(path)) for path in outputs),
        }
        return self._end("finished", **changes)

    def fail(self, reason: str) -> RunNode:
        """Write that the run ended without a result; return the node."""
        return self._end("failed", reason=" ".join(reason.split())[:LONGEST_REASON])

    def __enter__(self) -> Run:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.node.state != "started":
            return
        if kind is None:
            self.finish()
        else:
            with contextlib.suppress(WriteFailed):  # the exception that ends the run is the one to see
                self.fail(f"{kind.__name__}: {error}")

    def _begin(self) -> None:
        with refusals_named(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        if (self.folder / NODE).is_file():
            there = read_node(self.folder)
            if there.state == "finished":
                raise UserError(f"{self.folder} holds the finished run {there.id}; choose another folder")
            self.node = dataclasses.replace(self.node, attempt=there.attempt + 1)
        self.node = sealed(self.node)
        self._write()
        self._note("run.start")

    def _end(self, state: State, **changes: Any) -> RunNode:
        ended = dataclasses.replace(self.node, state=state, ended=_now(), **changes)
        before, self.node = self.node, sealed(ended)
        try:
            self._write()
        except BaseException:
            self.node = before
            raise
        self._note("run.finish" if state == "finished" else "run.fail")
        return self.node

    def _note(self, event: str) -> None:
        """Add a line to the ledger of every dataset; those that may not be written to are named in the record."""
        unnoted = []
        for ref, dataset in zip(self.node.datasets, self._datasets, strict=True):
            facts = {"run": self.node.id, "kind": self.node.kind, "name": self.node.name, "folder": str(self.folder)}
            try:
                append(dataset, event, **facts)
            except (UserError, WriteFailed) as error:
                unnoted.append(ref.dataset_id)
                sys.stderr.write(f"{event} is not noted in the ledger of {dataset}: {error}\n")
        if set(unnoted) - set(self.node.unnoted):
            names = tuple(dict.fromkeys((*self.node.unnoted, *unnoted)))
            self.node = sealed(dataclasses.replace(self.node, unnoted=names))
            self._write()

    def _output(self, path: Path) -> FileFact:
        place = self.folder / path  # an absolute path stays what it is
        if not place.is_file():
            raise UserError(f"the output {place} is not there; outputs are files, relative to the run's folder")
        resolved, folder = place.resolve(), self.folder.resolve()
        is_inside = resolved.is_relative_to(folder)
        name = resolved.relative_to(folder).as_posix() if is_inside else resolved.name
        return FileFact(name, hash_file(place), place.stat().st_size)

    def _write(self) -> None:
        path = self.folder / NODE
        temporary = path.with_name(f".{NODE}.{os.getpid()}.{secrets.token_hex(4)}")
        with refusals_named(path):
            try:
                with temporary.open("xb") as file:
                    file.write(json_bytes(self.node))
                    file.flush()
                    os.fsync(file.fileno())
                temporary.rename(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            sync(self.folder)


def training_run(folder: Folder, *, datasets: Sequence[Folder], settings: Mapping[str, Any] | None = None) -> Run:
    """Note that a training began; return the run, whose `finish` notes its end.

    Args:
        folder: Of the run, made if need be; its record is lineage.json there.
        datasets: Folders of complete datasets that it reads.
        settings: What it was told: hyperparameters, seed, commit of the training program. Plain data.
    Raises:
        UserError: If a dataset is not complete, a setting is not plain data, or the folder holds a finished run.
        WriteFailed: If the disk refuses. A dataset that may not be written to is said, and is no error.
    """
    return _begun("training", Path(folder), datasets, settings, None)


def evaluation_run(
    folder: Folder, *, model: Folder, datasets: Sequence[Folder], settings: Mapping[str, Any] | None = None
) -> Run:
    """Note that an evaluation began of what a training made; see `training_run`.

    Args:
        folder: Of the evaluation.
        model: Folder of the training run, which has finished.
        datasets: Folders of complete datasets that it reads.
        settings: What it was told.
    Raises:
        UserError: As `training_run`, and if the training has not finished.
        WriteFailed: If the disk refuses.
    """
    trained = read_node(Path(model))
    if trained.kind != "training" or trained.state != "finished":
        raise UserError(f"model: {model} is a {trained.kind} that has {trained.state}; expected a finished training")
    ref = ModelRef(trained.id, trained.sha256, trained.outputs, Path(model).absolute().name)
    return _begun("evaluation", Path(folder), datasets, settings, ref)


def _begun(
    kind: Any, folder: Path, datasets: Sequence[Folder], settings: Mapping[str, Any] | None, model: ModelRef | None
) -> Run:
    if isinstance(datasets, str | os.PathLike) or not datasets:
        raise UserError("datasets: expected a list of at least one dataset folder")
    folder, paths = folder.absolute(), [Path(dataset).absolute() for dataset in datasets]
    if any((place / HEADER).is_file() for place in (folder, *folder.parents)):
        raise UserError(f"{folder} lies in a dataset, whose files are all in its manifest; choose a folder beside it")
    node = RunNode(
        kind, "started", folder.name, tuple(dataset_ref(path) for path in paths), model,
        plain_value(settings or {}, "settings"), __version__, _now(),
    )  # fmt: skip
    return Run(folder, paths, node)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
