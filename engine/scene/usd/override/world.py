"""A world as a layer over its scene: what changed is found in the arrays, and authored on the prims they came from.

Sources: OpenUSD, LIVERPS strength ordering (an opinion of this layer beats every one of its sublayer, time samples
included) and scene graph instancing (https://openusd.org/release/api/_usd__page__scenegraph_instancing.html).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pxr import Sdf, Tf, Usd

import engine
from engine.draft import NO_PATTERN
from engine.rig import authored_draft
from engine.scene.error import SceneError
from engine.scene.model import Note, Scene
from engine.scene.notes import Notes
from engine.scene.options import SceneOptions
from engine.scene.override import DrawnWorld
from engine.scene.usd.override.arcs import inner_arcs, shield
from engine.scene.usd.override.edits import Edits
from engine.scene.usd.override.instances import InstanceWriter
from engine.scene.usd.override.looks import Wardrobe
from engine.scene.usd.override.repaint import Painter
from engine.scene.usd.override.repose import Poses
from engine.scene.usd.override.rig import RigWriter
from engine.scene.usd.stage import OpenStage, open_stage, quiet_diagnostics

FORMATS = (".usda", ".usdc", ".usd")
STAGE_METADATA = (  # composed from the root layer alone, so a sublayer's would be lost
    *("upAxis", "metersPerUnit", "kilogramsPerUnit", "defaultPrim"),
    *("startTimeCode", "endTimeCode", "timeCodesPerSecond", "framesPerSecond", "framePrecision"),
    *("colorConfiguration", "colorManagementSystem", "renderSettingsPrimPath", "expressionVariables"),
)
HOME = "ommatidia"  # holds what this layer defines, where there is no default prim


@dataclass(frozen=True)
class Row:
    """The arrays of a world, and of the authored scene, without the axis of rows."""

    drawn: DrawnWorld
    new: dict[str, np.ndarray]
    old: dict[str, np.ndarray]

    def changed(self, name: str) -> Iterator[int]:
        """Yield the indices along the first axis at which an array differs."""
        new, old = self.new[name], self.old[name]
        yield from np.flatnonzero((new != old).reshape(len(new), -1).any(axis=1)).tolist() if len(new) else ()


def write_override(path: Path, scene: Scene, drawn: DrawnWorld, options: SceneOptions) -> tuple[Note, ...]:
    """Write the layer of a world; see `engine.scene.write_world`."""
    path = path.absolute()
    if path.suffix.lower() not in FORMATS:
        raise SceneError(f"'{path.name}' is not a name for a layer; end it with one of {' '.join(FORMATS)}")
    if path.resolve() == scene.source.resolve():
        raise SceneError(f"'{path}' is the scene itself; choose another file")
    notes, loading = Notes(), Notes()
    with quiet_diagnostics(loading, scene.source):
        opened = open_stage(scene.source, options, loading)
        edits = Edits()
        row = _row(scene, drawn)
        try:
            _collect(opened, scene, row, edits, notes)
        except Tf.ErrorException as error:
            text = " ".join(item.commentary for item in error.args)
            raise SceneError(f"scene '{scene.source}' cannot be written over: {text}") from None
        layer = Sdf.Layer.CreateAnonymous(path.suffix)
        _head(layer, opened, scene, row, path)
        edits.write(layer)
        _publish(layer, path)
    return notes.all()


def _row(scene: Scene, drawn: DrawnWorld) -> Row:
    draft, row = drawn.draft, drawn.row
    world, step = draft.world[row : row + 1], draft.step[row : row + 1]
    authored = authored_draft(scene, drawn.recipe.rig, drawn.cameras, world, step)
    arrays = [name for name, values in vars(draft).items() if isinstance(values, np.ndarray)]
    names = [name for name in arrays if name not in ("world", "step")]
    return Row(
        drawn,
        {name: getattr(draft, name)[row] for name in names},
        {name: getattr(authored, name)[0] for name in names},
    )


def _collect(opened: OpenStage, scene: Scene, row: Row, edits: Edits, notes: Notes) -> None:
    home = _home(opened.stage)
    poses = Poses(opened.time, edits, notes)
    instances = InstanceWriter(opened, scene, edits, notes, poses)
    rig = RigWriter(opened, scene, edits, notes, poses, home)
    instances.pose(row.new["world_from_instance"], row.changed("world_from_instance"))
    rig.light(row.new, row.old)
    rig.look(row.drawn.cameras, row.new, row.old)
    poses.author()
    rig.define()
    instances.hide(row.changed("visible"))
    painter = Painter(scene, opened.time, edits, notes, home)
    Wardrobe(opened.stage, opened.time, instances, painter).dress(row.new, row.old)
    _note_patterns(scene, row, notes)
    _note_defects(scene, row, notes)
    instances.sites.author()
    instances.label()
    shield(inner_arcs(opened.stage), edits, opened.time)
    if home == Sdf.Path.absoluteRootPath.AppendChild(HOME) and any(path.HasPrefix(home) for path in edits.prims):
        edits.at(home).type_name = "Scope"


def _note_patterns(scene: Scene, row: Row, notes: Notes) -> None:
    """Say what wears a procedural pattern, for which USD has no schema: its material is written as it was before."""
    paths = (scene.instances.path, tuple(material.name for material in scene.materials))
    for names, key in zip(paths, ("pattern_of_instance", "pattern_of_material"), strict=True):
        for index in np.flatnonzero(row.new[key] != NO_PATTERN):
            notes.add("skipped", names[index], "its procedural pattern has no form in USD; its material was written")


def _note_defects(scene: Scene, row: Row, notes: Notes) -> None:
    """Say what bears defects or near-misses, which USD cannot say either."""
    for index in sorted({int(bearer) for bearer in row.new["defect_of"] if bearer}):
        notes.add("skipped", scene.instances.path[index], "its defects have no form in USD")


def _home(stage: Usd.Stage) -> Sdf.Path:
    """Return below which prim this layer defines its own: in the default prim, so that a reference to it has all."""
    default = stage.GetDefaultPrim()
    if default and not default.IsInstance() and default.IsDefined():
        return default.GetPath()
    return Sdf.Path.absoluteRootPath.AppendChild(HOME)


def _head(layer: Sdf.Layer, opened: OpenStage, scene: Scene, row: Row, path: Path) -> None:
    """Fill in sublayer, stage metadata and what the world is."""
    drawn, source = row.drawn, opened.stage.GetRootLayer()
    relative = Path(os.path.relpath(scene.source.resolve(), path.parent.resolve())).as_posix()
    layer.subLayerPaths = [relative if relative.startswith("../") else f"./{relative}"]
    for key in STAGE_METADATA:
        if source.pseudoRoot.HasInfo(key):
            layer.pseudoRoot.SetInfo(key, source.pseudoRoot.GetInfo(key))
    layer.pseudoRoot.SetInfo("metersPerUnit", opened.units.meters_per_unit)
    layer.pseudoRoot.SetInfo("upAxis", "Z" if opened.units.world_from_stage[2, 2] == 1.0 else "Y")
    recipe, draft = drawn.recipe, drawn.draft
    world, step = int(draft.world[drawn.row]), int(draft.step[drawn.row])
    layer.documentation = (
        (  # first the scene's own: readers tell the exporter, and its habits, by how it begins
            f"{source.documentation}\n" if source.documentation else ""
        )
        + f"World {world}, step {step}, of recipe {recipe.id[:8]}, by Ommatidia {engine.__version__}."
    )
    facts = {
        "recipe_id": recipe.id,
        "seed": str(recipe.seed),  # may be above 2^31
        "world": world if world < 2**31 else str(world),
        "step": step,
        "scene": recipe.scene.name,
        "taxonomy_id": scene.taxonomy.id,
        "engine_version": engine.__version__,
        "time": "earliest" if opened.time.IsEarliestTime() else f"{opened.time.GetValue()!r}",
        "ambient_radiance": ", ".join(f"{value:.9g}" for value in row.new["ambient"].tolist()),
        "exposure_ev": f"{recipe.rig.exposure_ev!r}",
        "size_px": f"{recipe.rig.width}x{recipe.rig.height}",
        "cameras": ", ".join(camera.name for camera in drawn.cameras),
        "assets": {asset.path: asset.sha256 for asset in scene.assets},
    }
    layer.customLayerData = {HOME: facts}


def _publish(layer: Sdf.Layer, path: Path) -> None:
    try:
        folder = Path(tempfile.mkdtemp(prefix=".world-", dir=path.parent))
    except OSError as error:
        raise SceneError(f"'{path}' cannot be written: {error.strerror}; choose another file") from None
    try:
        written = folder / path.name
        if not layer.Export(str(written)):
            raise SceneError(f"'{path}' cannot be written; is the disk full?")
        written.replace(path)
    except OSError as error:
        raise SceneError(f"'{path}' cannot be written: {error.strerror}; choose another file") from None
    finally:
        for leftover in folder.iterdir():
            leftover.unlink()
        folder.rmdir()
