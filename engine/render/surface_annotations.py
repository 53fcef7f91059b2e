"""Annotators of what surfaces are made of: base colour, roughness, metal, and what patterns did to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import warp as wp

from engine import gpu
from engine.render.arrays import copied
from engine.render.program import Program

if TYPE_CHECKING:
    from engine.render.stages import Target

SURFACE_IMAGES = ("albedo", "roughness", "metallic", "effect")  # of kernels/annotate_surface.py


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
    if worlds.patterns is None:
        inputs = [worlds.geometry, target.views, materials, *pixels]
        program.launch(gpu.annotate_surface.annotate_surface, threads, inputs)
        return
    dressed = gpu.annotate_pattern.Dressed()
    dressed.materials, dressed.patterns = materials, worlds.patterns
    program.launch(gpu.annotate_pattern.annotate_worn, threads, [worlds.geometry, target.views, dressed, *pixels])
