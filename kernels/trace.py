"""Rays against a world: the closest hit of a ray, and whether anything lies on the way.

Two levels: a tree over the placements of a row, and a tree over the triangles of each mesh.
"""

import warp as wp

from .camera import Ray, Span, Views
from .geometry import Trees
from .native_source import native

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


@wp.func_native(native("traverse", "traverse_one"))
def traverse(trees: Trees, row: int, origin: wp.vec3, direction: wp.vec3, t_max: float, only_any: int) -> wp.vec4:
    """Return (t, placement, triangle, weights), integers as bits; t < 0: nothing. See native/traverse.cpp."""


@wp.func_native(
    native("lanes", "lens", "camera", "traverse", "traverse_group", "trace", constants={"FAR_M": float(FAR_M)})
)
def trace_run(trees: Trees, views: Views, span: Span, out_hit: wp.array[Hit], thread: int):
    """Write the hits of a run of pixels; see native/trace.cpp."""


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


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def trace_primary(trees: Trees, views: Views, span: Span, out_hit: wp.array[Hit]):
    """Write the hits of the rays through the centres of a span's pixels; `out_hit` has all pixels of the launch."""
    trace_run(trees, views, span, out_hit, wp.tid())
