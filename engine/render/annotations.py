"""Annotators on the device: where their images lie, and the launches that write them.

Images of one kernel share a struct, their *holder*; a field that nobody asked for is an empty array.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import warp as wp

from engine import gpu
from engine.render.flow import FLOW_IMAGES, new_flow_images, record_flow
from engine.render.program import Program
from engine.render.shadow_annotations import SHADOW_IMAGES, new_shadow_images
from engine.render.surface_annotations import SURFACE_IMAGES, new_surface_images, record_surfaces

if TYPE_CHECKING:
    from engine.render.stages import Target

GEOMETRY_IMAGES = ("part",)  # of kernels/annotate.py


def new_holders(annotations: tuple[str, ...], device: str) -> Mapping[str, Any]:
    """Return the holder of every image; those of the images that are not asked for have empty arrays."""
    holders: dict[str, Any] = {}
    if wanted := [name for name in GEOMETRY_IMAGES if name in annotations]:
        geometry = gpu.annotate.GeometryImages()
        geometry.part = wp.empty((0, 0, 0), dtype=wp.int32, device=device)
        holders |= dict.fromkeys(wanted, geometry)
    if wanted := [name for name in FLOW_IMAGES if name in annotations]:
        holders |= dict.fromkeys(wanted, new_flow_images(device))
    for names, new_images in ((SURFACE_IMAGES, new_surface_images), (SHADOW_IMAGES, new_shadow_images)):
        if wanted := [name for name in names if name in annotations]:
            holders |= dict.fromkeys(wanted, new_images(device))
    return holders


def record_annotations(program: Program, target: Target, slice_px: int) -> None:
    """Record the annotators that need nothing but the hits of the pixel centres."""
    holders = target.buffers.holders
    geometry = next((holders[name] for name in GEOMETRY_IMAGES if name in holders), None)
    if geometry is not None:
        inputs = [target.worlds.geometry, target.views, target.span, target.buffers.hit, geometry]
        program.launch(gpu.annotate.annotate_geometry, slice_px, inputs)
    if images := next((holders[name] for name in FLOW_IMAGES if name in holders), None):
        record_flow(program, target, slice_px, images)
    record_surfaces(program, target, slice_px)
