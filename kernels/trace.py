"""Rays against a world: the closest hit of a ray, and whether anything lies on the way.

Two levels: a tree over the placements of a row, and a tree over the triangles of each mesh.
"""

import warp as wp

from .camera import Ray, Views, camera_ray, pixel_of
from .geometry import Geometry
from .transform import transform_point, transform_vector

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
def pack_barycentric(u: float, v: float) -> wp.uint32:
    """Return two weights in [0, 1] as 16-bit fixed point."""
    a = wp.uint32(wp.clamp(u, 0.0, 1.0) * 65535.0 + 0.5)
    b = wp.uint32(wp.clamp(v, 0.0, 1.0) * 65535.0 + 0.5)
    return a | (b << wp.uint32(16))


@wp.func
def unpack_barycentric(packed: wp.uint32) -> wp.vec3:
    """Return the weights of the three corners."""
    u = float(packed & wp.uint32(0xFFFF)) / 65535.0
    v = float(packed >> wp.uint32(16)) / 65535.0
    return wp.vec3(1.0 - u - v, u, v)


@wp.func
def trace_closest(geometry: Geometry, row: int, ray: Ray) -> Hit:
    """Return the hit nearest to the ray's origin; ties go to the lower placement."""
    hit = Hit()
    hit.t = FAR_M
    hit.placement = MISS
    root = wp.bvh_get_group_root(geometry.tree, row)
    query = wp.bvh_query_ray(geometry.tree, ray.origin, ray.direction, root)
    leaf = int(0)
    while wp.bvh_query_next(query, leaf, hit.t):
        placement = leaf - row * geometry.placement_count
        mesh_from_world = geometry.mesh_from_world[row, placement]
        origin = transform_point(mesh_from_world, ray.origin)
        direction = transform_vector(mesh_from_world, ray.direction)
        if wp.length_sq(direction) > 0.0:
            found = wp.mesh_query_ray(geometry.mesh[placement], origin, direction, hit.t)
            nearer = found.result and found.t < hit.t
            tied = found.result and found.t == hit.t and placement < hit.placement
            if nearer or tied:
                hit.t = found.t
                hit.placement = placement
                hit.triangle = found.face
                hit.uv = pack_barycentric(found.v, 1.0 - found.u - found.v)
    return hit


@wp.func
def is_blocked(geometry: Geometry, row: int, ray: Ray, t_max: float) -> bool:
    """Return whether anything lies on the ray before `t_max`."""
    root = wp.bvh_get_group_root(geometry.tree, row)
    query = wp.bvh_query_ray(geometry.tree, ray.origin, ray.direction, root)
    leaf = int(0)
    blocked = bool(False)
    while not blocked and wp.bvh_query_next(query, leaf, t_max):
        placement = leaf - row * geometry.placement_count
        mesh_from_world = geometry.mesh_from_world[row, placement]
        origin = transform_point(mesh_from_world, ray.origin)
        direction = transform_vector(mesh_from_world, ray.direction)
        if wp.length_sq(direction) > 0.0:
            blocked = wp.mesh_query_ray_anyhit(geometry.mesh[placement], origin, direction, t_max)
    return blocked


@wp.kernel(enable_backward=False)
def trace_primary(geometry: Geometry, views: Views, first: int, out_hit: wp.array[Hit]):
    """Write the hit of the ray through the centre of pixel `first + i` for thread i."""
    i = first + wp.tid()
    pixel = pixel_of(views, i)
    ray = camera_ray(views, pixel[0], float(pixel[2]) + 0.5, float(pixel[1]) + 0.5)
    out_hit[i] = trace_closest(geometry, views.row[pixel[0]], ray)
