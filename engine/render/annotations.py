"""Annotators on the device: where their images lie, what they read, and the launches that write them.

Images of one kernel share a struct, their *holder*; a field that nobody asked for is an empty array.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import warp as wp

from engine import gpu
from engine.annotators import ANNOTATIONS
from engine.draft import Draft
from engine.render.arrays import to_device
from engine.render.flow import FLOW_IMAGES, new_flow_images, record_flow
from engine.render.inputs import Field
from engine.render.opacity import opacity_fields
from engine.render.program import Program
from engine.render.shadow_annotations import SHADOW_IMAGES, new_shadow_images
from engine.render.surface_annotations import (
    DEFECT_IMAGES,
    SURFACE_IMAGES,
    new_defect_images,
    new_surface_images,
    record_defects,
    record_surfaces,
)

if TYPE_CHECKING:
    from engine.render.stages import Target
    from engine.render.worlds import SceneOnDevice, Worlds

RAY_IMAGES = ("range_m", "position", "normal_camera")  # of annotate_rays in kernels/annotate.py
HIT_IMAGES = ("part", "material", "uv", "nocs")  # of annotate_surfaces there
OUTLINE_IMAGE = "edge"  # of kernels/outline.py, which looks at the hits of neighbours
GEOMETRY_IMAGES = (*RAY_IMAGES, *HIT_IMAGES, OUTLINE_IMAGE)
NORMAL_READERS = ("normal_camera", OUTLINE_IMAGE)  # are made of the image `normal`
WARP_OF = {np.dtype(np.float32): wp.float32, np.dtype(np.int32): wp.int32, np.dtype(np.uint8): wp.uint8}
OVERRIDE = "override"  # the field of `opacity_fields`


def annotation_fields(annotations: Collection[str], draft: Draft, others: Sequence[Field]) -> list[Field]:
    """Return what rows tell annotators beside the fields that there are already."""
    needs = "material" in annotations and all(field.name != OVERRIDE for field in others)
    return opacity_fields(draft) if needs else []


def new_holders(annotations: tuple[str, ...], device: str) -> Mapping[str, Any]:
    """Return the holder of every image; those of the images that are not asked for have empty arrays."""
    holders: dict[str, Any] = {}
    if wanted := [name for name in GEOMETRY_IMAGES if name in annotations]:
        geometry = gpu.annotate.GeometryImages()
        for name in GEOMETRY_IMAGES:
            annotation = ANNOTATIONS[name]
            empty = wp.empty((0, 0, 0, *annotation.channels), dtype=WARP_OF[np.dtype(annotation.scalar)], device=device)
            setattr(geometry, name, empty)
        holders |= dict.fromkeys(wanted, geometry)
    if wanted := [name for name in FLOW_IMAGES if name in annotations]:
        holders |= dict.fromkeys(wanted, new_flow_images(device))
    families = (
        (SURFACE_IMAGES, new_surface_images), (SHADOW_IMAGES, new_shadow_images), (DEFECT_IMAGES, new_defect_images)
    )  # fmt: skip
    for names, new_images in families:
        if wanted := [name for name in names if name in annotations]:
            holders |= dict.fromkeys(wanted, new_images(device))
    return holders


def record_annotations(program: Program, target: Target, base: SceneOnDevice, threads: int) -> None:
    """Record the annotators that need nothing but the hits of the pixel centres; a thread has `Span.run` of them."""
    holders, buffers = target.buffers.holders, target.buffers
    if wanted := [name for name in RAY_IMAGES if name in holders]:
        inputs = [target.views, target.span, buffers.hit, buffers.labels, holders[wanted[0]]]
        program.launch(gpu.annotate.annotate_rays, threads, inputs)
    if wanted := [name for name in HIT_IMAGES if name in holders]:
        objects = _objects(target.worlds, base, wanted)
        inputs = [target.worlds.geometry, target.views, target.span, buffers.hit, objects, holders[wanted[0]]]
        program.launch(gpu.annotate.annotate_surfaces, threads, inputs)
    if images := next((holders[name] for name in FLOW_IMAGES if name in holders), None):
        record_flow(program, target, threads, images)
    record_surfaces(program, target, threads)
    record_defects(program, target, threads, base.device)


def record_outlines(program: Program, target: Target, threads: int) -> None:
    """Record what looks at the hits of other pixels as well, once all are there; threads as above."""
    buffers = target.buffers
    if (images := buffers.holders.get(OUTLINE_IMAGE)) is not None:
        inputs = [target.worlds.geometry, target.views, target.span, buffers.hit, buffers.labels, images]
        program.launch(gpu.outline.outline_pixels, threads, inputs)


def _objects(worlds: Worlds, base: SceneOnDevice, wanted: Sequence[str]) -> Any:
    """Return kernels.annotate.Objects for some images."""
    objects, device = gpu.annotate.Objects(), base.device
    boxes = base.object_boxes if "nocs" in wanted else (wp.empty(0, dtype=wp.vec3, device=device),) * 2
    objects.low_m, objects.high_m = boxes
    objects.world_from_instance = worlds.inputs.array("pose")
    objects.override = wp.empty((0, 0), dtype=wp.int32, device=device)
    if "material" in wanted:
        objects.override = worlds.inputs.array(OVERRIDE)
    objects.has_uv = wp.empty(0, dtype=wp.uint8, device=device)
    if "uv" in wanted:
        has_uv = np.array([mesh.uv is not None for mesh in base.scene.meshes], np.uint8)
        objects.has_uv = to_device(has_uv[base.scene.placements.mesh], wp.uint8, device)
    return objects
