"""The whole of loading, step by step."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.scene.keypoints import with_keypoints
from engine.scene.model import Anchor, Scene
from engine.scene.notes import Notes
from engine.scene.options import SceneOptions
from engine.scene.store.files import FileLedger
from engine.scene.units import axis_lengths, orthonormal
from engine.scene.usd.camera import read_camera
from engine.scene.usd.drawn.geometry import GeometryTable
from engine.scene.usd.drawn.skel import Skins
from engine.scene.usd.files import asset_table
from engine.scene.usd.instancer import Placer
from engine.scene.usd.instances import instances_of, renumbered
from engine.scene.usd.kept import Kept
from engine.scene.usd.keypoints import authored_pairs, authored_points, joint_points
from engine.scene.usd.light import LightTable
from engine.scene.usd.links import LIGHT_LINK, SHADOW_LINK, LinkTable
from engine.scene.usd.look.library import read_library
from engine.scene.usd.look.material import MaterialTable
from engine.scene.usd.look.texture import TextureTable
from engine.scene.usd.semantics import read_taxonomy
from engine.scene.usd.stage import OpenStage, open_stage, quiet_diagnostics
from engine.scene.usd.value import Values
from engine.scene.usd.walk import Subtree, Walker


def build_scene(path: Path, options: SceneOptions, files: FileLedger | None = None) -> Scene:
    """Return the scene of a file; see `engine.scene.load_scene`. `files` is told what was read."""
    notes = Notes()
    with quiet_diagnostics(notes, path), _uncollected():
        return read_stage(open_stage(path, options, notes, files))


def read_stage(opened: OpenStage, kept: Kept | None = None) -> Scene:
    """Return the scene of a stage at `opened.time`; `kept` is what other times of it share."""
    with _uncollected():
        walker, skins = Walker(opened), None
        subtree = walker.stage()
        if walker.census.ignored["SkelRoot"] or subtree.instancers:  # whose prototypes were not visited
            skins = (kept and kept.skins) or Skins(opened)
            skins.pose(opened.time)
            if skins.changed_stage:
                walker = Walker(opened)
                subtree = walker.stage()
            if kept:
                kept.skins = skins
        placer = Placer(opened, walker)
        placer.place(subtree)
        textures = (kept and kept.textures) or TextureTable(opened)
        materials = (kept and kept.materials) or MaterialTable(opened, textures)
        if kept and not kept.variation.looks:
            kept.textures, kept.materials = textures, materials
        geometry = GeometryTable(opened, materials, walker.with_subsets, kept)
        placements, meshes = geometry.build(placer.spreads)
        table, links = LightTable(opened, textures), LinkTable(opened, placements, placer.owners.path)
        lights = [
            replace(light, lit=links.row(leaf.prim, LIGHT_LINK), shading=links.row(leaf.prim, SHADOW_LINK))
            for leaf, matrix, name in (
                *((leaf, placer.world(leaf), leaf.path) for leaf in subtree.lights),
                *placer.inner_lights,
            )
            if matrix is not None and (light := table.read(leaf.prim, matrix, name)) is not None
        ]
        cameras = [
            camera
            for leaf in subtree.cameras
            if (matrix := placer.world(leaf)) is not None
            and (camera := read_camera(opened, leaf.prim, matrix, leaf.path)) is not None
        ]
        anchors = _anchors(opened, subtree, placer)
        material_of = read_library(opened, subtree.materials, materials, textures)
        taxonomy = read_taxonomy(opened.options, opened.path)
        instances, order, taxonomy = instances_of(
            opened, placer.owners, placements, taxonomy, walker.class_map, walker.parts
        )
        assets = asset_table(opened.stage, textures.files, opened.path, opened.files)
    scene = Scene(
        source=opened.path,
        meshes=tuple(meshes),
        placements=renumbered(placements, order),
        instances=instances,
        materials=tuple(materials.materials),
        textures=tuple(textures.textures),
        lights=tuple(lights),
        cameras=tuple(cameras),
        anchors=anchors,
        taxonomy=taxonomy,
        assets=assets,
        notes=(),
        ies=table.profiles,
        material_of=material_of,
        link_sets=links.sets(),
        used=dict(sorted(walker.census.used.items())),
        skipped=dict(sorted(walker.census.skipped.items())),
        ignored=dict(sorted(walker.census.ignored.items())),
    )
    wishes = opened.options.keypoints
    asked = {key: wish.depth_m for key, wish in wishes.items() if wish.joints}
    points = [*authored_points(opened, placer, scene, order), *joint_points(opened, skins, scene, asked)]
    scene = with_keypoints(scene, points, authored_pairs(opened, walker), wishes, opened.notes)
    return replace(scene, notes=opened.notes.all())


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep Python's collector from searching, again and again, the many objects of a load.

    Most of them are gone when the outermost of these ends, which leaves little to search.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _anchors(opened: OpenStage, subtree: Subtree, placer: Placer) -> tuple[Anchor, ...]:
    anchors = []
    for leaf in subtree.anchors:
        matrix = placer.world(leaf)
        if matrix is None:
            continue
        world = opened.units.world_from_local(matrix)
        values = Values(opened, leaf.prim)
        size = values.triple("ommatidia:size", (0.0, 0.0, 0.0))
        scale = axis_lengths(world) * opened.units.meters_per_unit
        size_m = (scale * np.array(size)).tolist()
        support = (
            leaf.prim.GetRelationship("ommatidia:support").GetTargets() if "ommatidia:support" in leaf.names else ()
        )
        kind = values.text("ommatidia:anchor", "")
        anchors.append(
            Anchor(
                leaf.path,
                kind,
                orthonormal(world),
                (size_m[0], size_m[1], size_m[2]),
                tuple(str(path) for path in support),
            )
        )
    return tuple(sorted(anchors, key=lambda anchor: anchor.path))
