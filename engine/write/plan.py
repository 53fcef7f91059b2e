"""What a dataset will be: the recipe, the scene and the writers, checked against each other before work begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import engine.write.annotations
import engine.write.coco
import engine.write.flow_writers
import engine.write.look_writers
import engine.write.writers  # noqa: F401 - registers the writers of this folder
from engine.errors import UserError
from engine.plain import from_plain
from engine.recipe import Recipe
from engine.registry import WRITERS
from engine.scene.model import Scene
from engine.scene.report import report_of
from engine.write.names import FrameGrid
from engine.write.record import Build, Environment, Header
from engine.write.view import ClassTable, DatasetParams, FrameFile, FrameParams, View


@dataclass(frozen=True)
class FrameWriter:
    """A writer of per-frame files with its parameters."""

    name: str
    params: FrameParams
    function: Callable[[Any, View], list[FrameFile]]


@dataclass(frozen=True)
class DatasetWriter:
    """A writer of one file about all frames with its parameters."""

    name: str
    params: DatasetParams
    function: Callable[[Any, Any], Iterator[bytes]]


@dataclass(frozen=True)
class Writers:
    """The writers of a recipe, sorted by name."""

    frame: tuple[FrameWriter, ...]
    dataset: tuple[DatasetWriter, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """Roles of files that not every frame has."""
        return tuple(role for writer in self.frame for role in writer.params.MISSING)

    @property
    def tables(self) -> tuple[str, ...]:
        """Paths of the tables of the scene that files of frames refer to."""
        return tuple(path for writer in self.frame for path in writer.params.TABLES)


@dataclass(frozen=True)
class Provenance:
    """Which program made the data, and on what."""

    build: Build
    environment: Environment


@dataclass(frozen=True)
class DatasetPlan:
    """All that the writing side knows of a dataset."""

    recipe: Recipe  # with assets and taxonomy id
    writers: Writers
    scene: Scene
    header: Header
    grid: FrameGrid
    classes: ClassTable
    provenance: Provenance


def plan_dataset(
    recipe: Recipe, scene: Scene, cameras: tuple[str, ...], provenance: Provenance, *, shard_worlds: int
) -> DatasetPlan:
    """Return the plan of a dataset.

    Args:
        recipe: The recipe with the scene's assets and taxonomy in it.
        scene: The loaded scene.
        cameras: Prim paths of the rig's cameras, in the order of the camera index.
        provenance: Goes into every commit record.
        shard_worlds: Worlds of a commit record; a dataset that exists keeps its own.
    Raises:
        UserError: If a writer is unknown, does not fit its schema, or needs an output that is not rendered.
    """
    header = Header(
        recipe_id=recipe.id,
        taxonomy_id=scene.taxonomy.id,
        engine_version=provenance.build.version,
        source_sha256=provenance.build.source_sha256,
        shard_worlds=shard_worlds,
        steps=recipe.rig.steps,
        cameras=cameras,
        width=recipe.rig.width,
        height=recipe.rig.height,
        report=report_of(scene),
    )
    writers = read_writers(recipe.write, recipe.outputs)
    _check_sensor(recipe, writers)
    class_ids = np.asarray(scene.instances.class_id, np.int32)
    largest = max((c.id for c in scene.taxonomy.classes), default=0)
    return DatasetPlan(
        recipe=recipe,
        writers=writers,
        scene=scene,
        header=header,
        grid=FrameGrid(recipe.rig.steps, len(cameras)),
        classes=ClassTable(class_ids, largest, len(scene.placements.mesh), len(scene.materials)),
        provenance=provenance,
    )


def read_writers(write: Mapping[str, Mapping[str, Any]], outputs: tuple[str, ...]) -> Writers:
    """Return the writers that the `write` group of a recipe names.

    Raises:
        UserError: If a kind is unknown, a key does not fit, two write the same file, or an output is missing.
    """
    frame: list[FrameWriter] = []
    dataset: list[DatasetWriter] = []
    kinds: dict[str, str] = {}
    for name in sorted(write):
        plain = dict(write[name])
        kind = plain.pop("kind", None)
        try:
            entry = WRITERS.get(str(kind))
        except ValueError as error:
            raise UserError(f"write.{name}: {error}") from error
        if entry.kind in kinds:
            raise UserError(f"write.{name} and write.{kinds[entry.kind]} are both of kind {entry.kind}; remove one")
        kinds[entry.kind] = name
        params: Any = from_plain(entry.params, plain, f"write.{name}")
        if isinstance(params, DatasetParams):
            dataset.append(DatasetWriter(name, params, entry.function))
            continue
        for output in params.OUTPUTS:
            if output not in outputs:
                raise UserError(f"write.{name} needs the output {output}; add it to outputs, or take ~write.{name}")
        frame.append(FrameWriter(name, params, entry.function))
    for writer in dataset:
        _check_roles(writer, kinds)
    return Writers(tuple(frame), tuple(dataset))


def _check_sensor(recipe: Recipe, writers: Writers) -> None:
    for writer in writers.frame:
        if writer.params.IDEAL_SENSOR and recipe.sensor is not None and not recipe.sensor.is_ideal:
            raise UserError(
                f"write.{writer.name}: a camera's sensor develops pictures of 8 bits; take sensor=ideal, or "
                f"~write.{writer.name} and write.hdr, which is the light before the sensor"
            )


def _check_roles(writer: DatasetWriter, kinds: Mapping[str, str]) -> None:
    for kind in writer.params.NEEDS:
        if kind not in kinds:
            raise UserError(f"write.{writer.name} refers to files of the writer kind {kind}; add one, or remove it")
