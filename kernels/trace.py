"""Rays against a world: the closest hit of a ray, and whether anything lies on the way.

Two levels: a tree over the placements of a row, and a tree over the triangles of each mesh.
"""

from pathlib import Path

import warp as wp

from .camera import Ray, Views, camera_ray, pixel_of
from .geometry import Trees

MISS = wp.constant(-1)
FAR_M = wp.constant(1.0e30)  # no scene reaches so far; float32 still has room above it


@wp.struct
class Hit:
    """Where a ray met the scene; 16 bytes."""

    t: float  # ray parameter
    placement: int  # MISS: nothing
    triangle: int  # within the placement's mesh
    uv: wp.uint32  # barycentric weights of corners 1 and 2, 16 bits each


@wp.func
def unpack_barycentric(packed: wp.uint32) -> wp.vec3:
    """Return the weights of the three corners."""
    u = float(packed & wp.uint32(0xFFFF)) / 65535.0
    v = float(packed >> wp.uint32(16)) / 65535.0
    return wp.vec3(1.0 - u - v, u, v)


@wp.func_native((Path(__file__).parent / "native" / "traverse.cpp").read_text(encoding="utf-8"))
def traverse(trees: Trees, row: int, origin: wp.vec3, direction: wp.vec3, t_max: float, only_any: int) -> wp.vec4:
    """Return (t, placement, triangle, weights), integers as bits; t < 0: nothing. See native/traverse.cpp."""


@wp.func
def trace_closest(trees: Trees, row: int, ray: Ray) -> Hit:
    """Return the hit nearest to the ray's origin; ties go to the lower placement, then the lower triangle."""
    found = traverse(trees, row, ray.origin, ray.direction, FAR_M, 0)
    hit = Hit()
    hit.t = found[0]
    hit.placement = wp.cast(found[1], wp.int32)
    hit.triangle = wp.cast(found[2], wp.int32)
    hit.uv = wp.cast(found[3], wp.uint32)
    return hit


@wp.func
def is_blocked(trees: Trees, row: int, ray: Ray, t_max: float) -> bool:
    """Return whether anything lies on the ray before `t_max`."""
    return traverse(trees, row, ray.origin, ray.direction, t_max, 1)[0] >= 0.0


@wp.kernel(enable_backward=False)
def trace_primary(trees: Trees, views: Views, first: int, out_hit: wp.array[Hit]):
    """Write the hit of the ray through the centre of pixel `first + i` for thread i."""
    i = first + wp.tid()
    pixel = pixel_of(views, i)
    ray = camera_ray(views, pixel[0], float(pixel[2]) + 0.5, float(pixel[1]) + 0.5)
    out_hit[i] = trace_closest(trees, views.row[pixel[0]], ray)
