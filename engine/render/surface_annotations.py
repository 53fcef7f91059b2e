"""Annotators of what surfaces are made of: base colour, roughness, metal, and what patterns did to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import warp as wp

from engine import gpu
from engine.render.arrays import copied
from engine.render.defects import no_defects
from engine.render.program import Program

if TYPE_CHECKING:
    from engine.render.stages import Target

SURFACE_IMAGES = ("albedo", "roughness", "metallic", "effect")  # of kernels/annotate_surface.py
DEFECT_IMAGES = ("defect", "near_miss")  # of kernels/annotate_defect.py


def needs_materials(annotations: Iterable[str]) -> bool:
    """Return whether some annotators look at materials, which quality `labels` does not have else."""
    return any(name in SURFACE_IMAGES for name in annotations)


def new_surface_images(device: str) -> Any:
    """Return kernels.annotate_surface.SurfaceImages without memory."""
    images = gpu.annotate_surface.SurfaceImages()
    images.albedo = wp.empty((0, 0, 0, 0), dtype=wp.float32, device=device)
    images.roughness = images.metallic = wp.empty((0, 0, 0), dtype=wp.float32, device=device)
    images.effect = wp.empty((0, 0, 0, 0), dtype=wp.uint8, device=device)
    return images


def record_surfaces(program: Program, target: Target, threads: int) -> None:
    """Record the annotators of surfaces, where any is asked for; a thread has `Span.run` pixels."""
    holders, worlds = target.buffers.holders, target.worlds
    images = next((holders[name] for name in SURFACE_IMAGES if name in holders), None)
    if images is None:
        return
    materials = copied(worlds.materials)
    materials.energy.is_deferred = 1  # layers as they are, and not what light makes of them
    pixels = [target.span, target.buffers.hit, images]
    if worlds.defects is not None:
        marked = gpu.annotate_marked.Marked()
        marked.materials, marked.lying = materials, worlds.lying
        program.launch(gpu.annotate_marked.annotate_marked, threads, [worlds.geometry, target.views, marked, *pixels])
        return
    if worlds.patterns is None:
        inputs = [worlds.geometry, target.views, materials, *pixels]
        program.launch(gpu.annotate_surface.annotate_surface, threads, inputs)
        return
    dressed = gpu.annotate_pattern.Dressed()
    dressed.materials, dressed.patterns = materials, worlds.patterns
    program.launch(gpu.annotate_pattern.annotate_worn, threads, [worlds.geometry, target.views, dressed, *pixels])


def new_defect_images(device: str) -> Any:
    """Return kernels.annotate_defect.DefectImages without memory."""
    images = gpu.annotate_defect.DefectImages()
    images.defect = images.near_miss = wp.empty((0, 0, 0), dtype=wp.int32, device=device)
    return images


def record_defects(program: Program, target: Target, threads: int, device: str) -> None:
    """Record the images of defects, where any is asked for; threads as above."""
    holders, worlds = target.buffers.holders, target.worlds
    images = next((holders[name] for name in DEFECT_IMAGES if name in holders), None)
    if images is None:
        return
    defects = no_defects(device) if worlds.defects is None else worlds.defects
    inputs = [worlds.geometry, target.views, defects, target.span, target.buffers.hit, images]
    program.launch(gpu.annotate_defect.annotate_defects, threads, inputs)
