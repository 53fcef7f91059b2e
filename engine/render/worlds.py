"""Worlds on the device: the scene's geometry once, and per batch where everything is and how it looks.

Arrays are `[row, ...]`; a value that all rows share is stored once and read with stride 0.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import warp as wp

from engine import gpu
from engine.draft import Draft
from engine.recipe import Rig
from engine.render.arrays import copied, to_device
from engine.render.atlas import pack_textures
from engine.render.defects import defect_fields, defects_of_rows, lying_of
from engine.render.geometry import geometry_on_device
from engine.render.inputs import Field, Inputs, field
from engine.render.lights import light_fields, lights_of_rows, lights_on_device
from engine.render.materials import MaterialTable, material_fields, materials_of_rows, materials_on_device
from engine.render.opacity import (
    opacities_of_rows,
    opacities_on_device,
    opacity_fields,
    opacity_kinds,
    opacity_textures,
)
from engine.render.patterns import pattern_fields, patterns_of_rows, sharp_edges
from engine.render.program import Program
from engine.render.tree import TreeSpans, build_mesh_trees, check_stack, lanes_of, record_top_build, top_build
from engine.scene.bounds import Shapes
from engine.scene.model import Scene


@dataclass(frozen=True)
class SceneOnDevice:
    """What all worlds share."""

    device: str
    scene: Scene
    geometry: Any  # kernels.geometry.Geometry with an empty top level
    materials: MaterialTable | None  # None at quality `labels`
    lights: Any  # kernels.light.Lights without rows; None at quality `labels`
    opacities: Any  # kernels.opacity.Opacities without rows; None: neither of the next two
    opens_view: bool  # rays of the camera may pass surfaces, or are clipped
    opens_shadow: bool  # shadow rays may pass surfaces
    stack_entries: int  # that a traversal of one mesh may need
    spans: TreeSpans  # of the meshes' trees

    @property
    def instance_count(self) -> int:
        """Return how many instances a world has, the background included."""
        return len(self.scene.instances.path)

    @cached_property
    def sharp(self) -> wp.array:
        """Return which edges of triangles are sharp; worked out when the first pattern needs it."""
        return to_device(sharp_edges(self.scene.meshes), wp.uint8, self.device)

    @cached_property
    def object_boxes(self) -> tuple[wp.array, wp.array]:
        """Return the bounds of every instance in its own frame; worked out when the first image needs them."""
        low, high = (to_device(ends.astype(np.float32), wp.vec3, self.device) for ends in Shapes(self.scene).bounds_m)
        return low, high

    @property
    def is_stack_safe(self) -> bool:
        """Return whether no tree over the placements can overflow a traversal's stack, however it comes out."""
        entries = gpu.top.top_stack_entries(self.geometry.trees.placement_count, lanes_of(self.device))
        return self.stack_entries + entries + 1 <= int(gpu.bvh.STACK_ENTRIES)

    @property
    def needs_poses(self) -> bool:
        """Return whether anything asks where a mesh is, rather than where the world is seen from it."""
        if self.opacities is not None:
            return True
        normal = int(gpu.material.MaterialInput.NORMAL)
        return self.materials is not None and bool(self.materials.device.used_inputs >> normal & 1)


@dataclass(frozen=True)
class Worlds:
    """The rows of a batch on the device; their poses and looks are read from `inputs`."""

    inputs: Inputs
    rows: int
    geometry: Any  # kernels.geometry.Geometry
    materials: Any  # kernels.material.Materials; None at quality `labels`
    lights: Any  # kernels.light.Lights; None at quality `labels`
    opacities: Any  # kernels.opacity.Opacities, or None
    patterns: Any  # kernels.pattern.Patterns, or None
    defects: Any  # kernels.defect.Defects, or None; with them there are patterns, if only an empty table of them
    lying: Any  # kernels.defect.Lying, both of these; None without defects or materials
    need: wp.array  # [row], stack entries that a traversal of the row's tree may need


@dataclass(frozen=True)
class Building:
    """What placing rows and building their trees needs, some rows at a time."""

    rows: int
    placing: Any  # kernels.geometry.Placing
    top: Any  # kernels.top.TopBuild


def upload_scene(scene: Scene, rig: Rig, *, device: str, shaded: bool) -> SceneOnDevice:
    """Return the scene on a device: bottom-level trees once per mesh, corner data, materials, lights and textures."""
    trees = build_mesh_trees(scene.meshes, lanes_of(device))
    geometry = geometry_on_device(scene, trees, device)
    kinds = opacity_kinds(scene)
    opens_view = bool(kinds.any()) or rig.clip
    opens_shadow = shaded and (bool(kinds.any()) or any(light.shading is not None for light in scene.lights))
    need, spans = trees.stack_entries, trees.spans
    base = SceneOnDevice(device, scene, geometry, None, None, None, opens_view, opens_shadow, need, spans)
    if not shaded and not opens_view:
        return base
    atlas = pack_textures(scene.textures if shaded else opacity_textures(scene, kinds), device)
    materials = materials_on_device(scene.materials, atlas, device, compensates=rig.energy_compensation)
    if opens_view or opens_shadow:
        opacities = opacities_on_device(scene, kinds, materials.device, device, bends=rig.quality == "path")
        opacities.label_opacity = rig.label_opacity
        base = dataclasses.replace(base, opacities=opacities)
    if not shaded:
        return base
    lights = lights_on_device(scene, atlas, device)
    lights.ambient_reach_m = rig.ambient_reach_m
    return dataclasses.replace(base, materials=materials, lights=lights)


def world_fields(base: SceneOnDevice, draft: Draft) -> list[Field]:
    """Return what rows change about a scene."""
    pose = field("pose", gpu.transform.mat34, draft.world_from_instance, may_share=True)
    fields = [pose, field("visible", wp.uint8, draft.visible, np.uint8, may_share=True)]
    if base.opacities is not None:
        fields += opacity_fields(draft)
    if base.materials is None:
        return [*fields, *defect_fields(draft)]
    fields += defect_fields(draft)
    return [*fields, *material_fields(base.materials, draft), *pattern_fields(draft), *light_fields(draft)]


def new_worlds(base: SceneOnDevice, inputs: Inputs, rows: int) -> Worlds:
    """Return the memory of a batch whose `world_fields` are in `inputs`."""
    device, count = base.device, base.geometry.trees.placement_count
    geometry = copied(base.geometry)
    placed = rows if base.needs_poses else 0
    geometry.world_from_mesh = wp.empty((placed, count), dtype=gpu.transform.mat34, device=device)
    geometry.trees.record = wp.empty((rows, count, 16), dtype=wp.float32, device=device)
    geometry.trees.top_stride = gpu.top.top_nodes(count, lanes_of(device)) * 8 * lanes_of(device)
    geometry.trees.top_node = wp.empty(rows * geometry.trees.top_stride, dtype=wp.float32, device=device)
    need = wp.empty(rows, dtype=wp.int32, device=device)
    opacities = None if base.opacities is None else opacities_of_rows(base.opacities, inputs)
    defects = defects_of_rows(inputs) if inputs.has("defect") else None
    if base.materials is None:
        return Worlds(inputs, rows, geometry, None, None, opacities, None, defects, None, need)
    materials = materials_of_rows(base.materials, inputs)
    patterns = patterns_of_rows(inputs, materials, base.sharp) if inputs.has("pattern") else None
    lying = None if defects is None else lying_of(patterns, defects)
    lights = lights_of_rows(base.lights, inputs)
    return Worlds(inputs, rows, geometry, materials, lights, opacities, patterns, defects, lying, need)


def new_building(worlds: Worlds, rows: int, device: str) -> Building:
    """Return what building the trees of `rows` rows at a time needs."""
    count = worlds.geometry.trees.placement_count
    placing = gpu.geometry.Placing()
    placing.world_from_instance, placing.visible = worlds.inputs.array("pose"), worlds.inputs.array("visible")
    placing.low_m = wp.empty((rows, count), dtype=wp.vec3, device=device)
    placing.high_m = wp.empty((rows, count), dtype=wp.vec3, device=device)
    boxes = placing.low_m, placing.high_m
    return Building(rows, placing, top_build(*boxes, worlds.geometry.trees.top_node, lanes_of(device)))


def record_building(worlds: Worlds, building: Building, program: Program) -> None:
    """Record the launches that compose and invert poses and build a tree over the placements of every row."""
    geometry, placing, shape = worlds.geometry, building.placing, building.placing.low_m.shape
    arguments = [geometry, placing, geometry.trees.record, geometry.world_from_mesh, placing]
    program.launch(gpu.geometry.place_meshes, shape, arguments)
    record_top_build(building.top, worlds.need, program)


def upload_worlds(base: SceneOnDevice, draft: Draft) -> Worlds:
    """Return a batch of its own, placed.

    Raises:
        UserError: If a traversal could overflow its stack.
    """
    fields, rows = world_fields(base, draft), len(draft.world)
    worlds = new_worlds(base, Inputs(fields, base.device), rows)
    worlds.inputs.write(fields)
    worlds.inputs.upload()
    program = Program(base.device)
    record_building(worlds, new_building(worlds, rows, base.device), program)
    program.run()
    if not base.is_stack_safe:
        check_stack(base.stack_entries, int(worlds.need.numpy().max(initial=0)))
    return worlds
