"""Texture coordinates where a ray met a surface, and the footprint of a pixel there; shading has native/surface.cpp."""

import warp as wp

from .camera import ORTHOGRAPHIC, Ray, Views
from .geometry import Geometry
from .trace import Hit
from .transform import transform_vector

MIN_COS = wp.constant(0.05)  # a grazing footprint is cut off at 20 times its width
ANISOTROPY_SHARE = wp.constant(0.5)  # an isotropic lookup blurs along the short axis: square root of the stretch


@wp.struct
class CornerUv:
    """Texture coordinates of a triangle: corner 0, and what corners 1 and 2 add to it."""

    origin: wp.vec2
    along_1: wp.vec2
    along_2: wp.vec2


@wp.func
def corner_uv(values: wp.array2d[wp.vec2], triangle: int) -> CornerUv:
    """Return the texture coordinates of a triangle; zeros where the scene does not have the set."""
    out = CornerUv()
    if values.shape[0] > 0:
        out.origin = values[triangle, 0]
        out.along_1 = values[triangle, 1] - out.origin
        out.along_2 = values[triangle, 2] - out.origin
    return out


@wp.func
def uv_at(uv: CornerUv, weight: wp.vec3) -> wp.vec2:
    """Return texture coordinates at barycentric weights."""
    return uv.origin + uv.along_1 * weight[1] + uv.along_2 * weight[2]


@wp.func
def uv_density(uv: CornerUv, area: float) -> float:
    """Return how far texture coordinates go along a metre, given the length of the edges' cross product."""
    determinant = uv.along_1[0] * uv.along_2[1] - uv.along_1[1] * uv.along_2[0]
    return wp.sqrt(wp.abs(determinant) / wp.max(area, 1.0e-20))


@wp.func
def own_material(geometry: Geometry, placement: int, triangle: int) -> int:
    """Return the material that the scene gives a triangle; `triangle` counts through all meshes."""
    return geometry.slot_material[geometry.first_slot[placement] + geometry.triangle_slot[triangle]]


@wp.func
def spread_at(views: Views, view: int, ray: Ray, t: float) -> float:
    """Return the width of a pixel's cone at ray parameter `t`, as a share of the distance."""
    return wp.where(views.lens[view] == ORTHOGRAPHIC, ray.spread / wp.max(t, 1.0e-6), ray.spread)


@wp.func
def footprint_at(
    uv: CornerUv, uv2: CornerUv, area: wp.vec3, direction: wp.vec3, width: float, power: float
) -> wp.vec2:  # fmt: skip
    """Return the width of a pixel in either set of texture coordinates.

    Args:
        uv: First set of the triangle.
        uv2: Second set.
        area: Cross product of its edges in the world [m^2].
        direction: Of the ray, not unit.
        width: Of the pixel's cone, in lengths of `direction`.
        power: Of the stretch at a slant: 1 for the footprint's long axis, ANISOTROPY_SHARE for an isotropic lookup.
    """
    doubled = wp.max(wp.length(area), 1.0e-20)
    length = wp.length(direction)
    cosine = wp.max(wp.abs(wp.dot(area, direction)) / (doubled * length), MIN_COS)
    width_m = width * length / wp.pow(cosine, power)
    return width_m * wp.vec2(uv_density(uv, doubled), uv_density(uv2, doubled))


@wp.func
def footprint_of(geometry: Geometry, views: Views, view: int, ray: Ray, hit: Hit, power: float) -> wp.vec2:
    """Return `footprint_at` of a hit."""
    row = views.row[view]
    width = hit.t * spread_at(views, view, ray, hit.t)
    triangle = geometry.first_triangle[hit.placement] + hit.triangle
    world_from_mesh = geometry.world_from_mesh[row, hit.placement]
    edge_1 = transform_vector(world_from_mesh, geometry.point_m[triangle, 1] - geometry.point_m[triangle, 0])
    edge_2 = transform_vector(world_from_mesh, geometry.point_m[triangle, 2] - geometry.point_m[triangle, 0])
    uv = corner_uv(geometry.uv, triangle)
    uv2 = corner_uv(geometry.uv2, triangle)
    return footprint_at(uv, uv2, wp.cross(edge_1, edge_2), ray.direction, width, power)
