"""`lineage.json` of a run: a training or an evaluation as a node of the lineage, `run/1`, as files hold it.

`id` is the content hash of what a run used and made; `sha256` is that of the whole file with this field empty, as in a
manifest. Times, attempts and what could not be noted are no part of the id: the same training twice, to the same
bytes, is the same node. No host and no path of a machine enters.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import rfc8785

from engine.collect.intent import DatasetRef
from engine.collect.reference import reference_of
from engine.dataset.manifest import read_manifest
from engine.errors import UserError
from engine.plain import MAX_INTEGER, from_plain, to_plain
from engine.write.begin import MANIFEST
from engine.write.record import FileFact, json_bytes, read_json

NODE = "lineage.json"  # of a run, in its folder
NOT_IN_ID = ("id", "sha256", "attempt", "started", "ended", "unnoted")
State = Literal["started", "finished", "failed"]


@dataclass(frozen=True)
class ModelRef:
    """The training run that an evaluation looks at."""

    run_id: str
    sha256: str  # of its record
    outputs: tuple[FileFact, ...]
    name: str  # of its folder then, for people


@dataclass(frozen=True)
class RunNode:
    """What a run used, what it was told, and what came out. Only `finished` says that it came to its end."""

    kind: Literal["training", "evaluation"]
    state: State
    name: str  # of its folder, for people
    datasets: tuple[DatasetRef, ...]
    model: ModelRef | None  # of an evaluation
    settings: dict[str, Any]
    engine: str  # version of this program, which wrote the record
    started: str  # UTC, ISO 8601
    proportions: dict[str, Any] = field(default_factory=dict)  # as realised: shares of datasets, classes, slices
    metrics: dict[str, Any] = field(default_factory=dict)
    outputs: tuple[FileFact, ...] = ()
    ended: str | None = None
    reason: str = ""  # of a failure
    attempt: int = 1  # runs in this folder that did not finish, and this one
    unnoted: tuple[str, ...] = ()  # datasets whose ledger could not be written to
    id: str = ""
    sha256: str = ""
    schema: Literal["run/1"] = "run/1"


def sealed(node: RunNode) -> RunNode:
    """Return the node with its id and its hash filled in."""
    node = dataclasses.replace(node, id=node_id(node))
    return dataclasses.replace(node, sha256=node_hash(node))


def node_id(node: RunNode) -> str:
    """Return `run_` and 16 hex digits of the sha256 of the canonical JSON (RFC 8785) of what decides the node."""
    plain = {name: value for name, value in to_plain(node).items() if name not in NOT_IN_ID}
    return "run_" + hashlib.sha256(rfc8785.dumps(plain)).hexdigest()[:16]


def node_hash(node: RunNode) -> str:
    """Return the sha256 of the record of a node whose field `sha256` is empty."""
    return hashlib.sha256(json_bytes(dataclasses.replace(node, sha256=""))).hexdigest()


def read_node(folder: Path) -> RunNode:
    """Return the record of a run that nobody has touched.

    Raises:
        UserError: If there is none, or it is not JSON, not a run, or not what was written.
    """
    path = folder / NODE
    if not path.is_file():
        raise UserError(f"{folder} is not a run: it has no {NODE}")
    node = from_plain(RunNode, read_json(path), path.name)
    if node.sha256 != node_hash(node) or node.id != node_id(node):
        raise UserError(f"{path} was changed after it was written: it does not have the hash that it states")
    return node


def dataset_ref(dataset: Path) -> DatasetRef:
    """Return what a complete dataset is known by.

    Raises:
        UserError: If it is not complete, or its manifest was changed.
    """
    if not (dataset / MANIFEST).is_file():
        raise UserError(f"{dataset} is not a complete dataset: it has no {MANIFEST}")
    return reference_of(dataset, read_manifest(dataset / MANIFEST))


def plain_value(value: object, where: str) -> Any:
    """Return a value of a user as plain data that canonical JSON keeps exactly.

    Numbers of NumPy and PyTorch become numbers, paths text; numbers that JSON has no room for, such as NaN and
    integers beyond 2^53, become text.

    Raises:
        UserError: If it is anything else; with its key.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= MAX_INTEGER else str(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, Mapping):
        return {str(key): plain_value(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [plain_value(item, f"{where}[{i}]") for i, item in enumerate(items)]
    for method in ("tolist", "item"):  # arrays and scalars of NumPy, tensors
        if callable(convert := getattr(value, method, None)):
            return plain_value(convert(), where)
    raise UserError(f"{where}: a {type(value).__name__} is not plain data; give a number, text, or lists and mappings")
