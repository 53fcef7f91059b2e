"""What a ray met: position, normals, texture coordinates and their footprint."""

import warp as wp

from .camera import Ray, Views, pixel_spread
from .geometry import Geometry
from .trace import Hit, unpack_barycentric
from .transform import transform_normal, transform_vector

MIN_COS = wp.constant(0.05)  # a grazing footprint is cut off at 20 times its width
ANISOTROPY_SHARE = wp.constant(0.5)  # an isotropic lookup blurs along the short axis: square root of the stretch


@wp.struct
class CornerUv:
    """Texture coordinates of a triangle: corner 0, and what corners 1 and 2 add to it."""

    origin: wp.vec2
    along_1: wp.vec2
    along_2: wp.vec2


@wp.struct
class Surface:
    """A point of a surface in the world."""

    position_m: wp.vec3
    to_viewer: wp.vec3  # unit
    face_normal: wp.vec3  # of the triangle, towards the viewer
    normal: wp.vec3  # interpolated, on the viewer's side
    edge_1: wp.vec3  # of the triangle, from corner 0 to 1 and to 2 [m]
    edge_2: wp.vec3
    side: float  # -1: the viewer sees the back
    uv: CornerUv  # of the first and the second set of texture coordinates
    uv2: CornerUv
    st: wp.vec4  # both sets
    color: wp.vec3  # displayColor
    footprint: wp.vec2  # width of the pixel in either set
    material: int
    instance: int


@wp.func
def interpolate3(values: wp.array2d[wp.vec3], triangle: int, weight: wp.vec3) -> wp.vec3:
    """Return the value of corner data at barycentric weights."""
    return values[triangle, 0] * weight[0] + values[triangle, 1] * weight[1] + values[triangle, 2] * weight[2]


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
def facing(n: wp.vec3, towards: wp.vec3) -> wp.vec3:
    """Return the normal turned to the side of a direction."""
    return wp.where(wp.dot(n, towards) < 0.0, -n, n)


@wp.func
def own_material(geometry: Geometry, placement: int, triangle: int) -> int:
    """Return the material that the scene gives a triangle; `triangle` counts through all meshes."""
    return geometry.slot_material[geometry.first_slot[placement] + geometry.triangle_slot[triangle]]


@wp.func
def hit_normal(geometry: Geometry, row: int, hit: Hit, view_direction: wp.vec3) -> wp.vec3:
    """Return the interpolated unit normal in the world, on the side of the viewer."""
    triangle = geometry.first_triangle[hit.placement] + hit.triangle
    e1 = geometry.point_m[triangle, 1] - geometry.point_m[triangle, 0]
    e2 = geometry.point_m[triangle, 2] - geometry.point_m[triangle, 0]
    mesh_from_world = geometry.trees.mesh_from_world[row, hit.placement]
    face = transform_normal(mesh_from_world, wp.cross(e1, e2))
    smooth = interpolate3(geometry.normal, triangle, unpack_barycentric(hit.uv))
    n = face
    if wp.length_sq(smooth) > 0.0:
        n = transform_normal(mesh_from_world, smooth)
    return wp.where(wp.dot(face, view_direction) > 0.0, -n, n)


@wp.func
def spread_at(views: Views, view: int, t: float) -> float:
    """Return the width of a pixel's cone at ray parameter `t`, as a share of the distance."""
    spread = pixel_spread(views, view)
    return wp.where(views.orthographic[view] != 0, spread / wp.max(t, 1.0e-6), spread)


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
    width = hit.t * spread_at(views, view, hit.t)
    triangle = geometry.first_triangle[hit.placement] + hit.triangle
    world_from_mesh = geometry.world_from_mesh[row, hit.placement]
    edge_1 = transform_vector(world_from_mesh, geometry.point_m[triangle, 1] - geometry.point_m[triangle, 0])
    edge_2 = transform_vector(world_from_mesh, geometry.point_m[triangle, 2] - geometry.point_m[triangle, 0])
    uv = corner_uv(geometry.uv, triangle)
    uv2 = corner_uv(geometry.uv2, triangle)
    return footprint_at(uv, uv2, wp.cross(edge_1, edge_2), ray.direction, width, power)


@wp.func
def surface_at(geometry: Geometry, row: int, ray: Ray, hit: Hit, material: int, spread: float) -> Surface:
    """Return the surface that a hit speaks of; `material` below 0 means the triangle's own."""
    placement = hit.placement
    triangle = geometry.first_triangle[placement] + hit.triangle
    weight = unpack_barycentric(hit.uv)
    world_from_mesh = geometry.world_from_mesh[row, placement]
    mesh_from_world = geometry.trees.mesh_from_world[row, placement]
    mesh_1 = geometry.point_m[triangle, 1] - geometry.point_m[triangle, 0]
    mesh_2 = geometry.point_m[triangle, 2] - geometry.point_m[triangle, 0]
    out = Surface()
    out.edge_1 = transform_vector(world_from_mesh, mesh_1)
    out.edge_2 = transform_vector(world_from_mesh, mesh_2)
    area = wp.cross(out.edge_1, out.edge_2)
    out.to_viewer = -wp.normalize(ray.direction)
    out.position_m = ray.origin + ray.direction * hit.t
    out.face_normal = facing(wp.normalize(area), -ray.direction)
    smooth = interpolate3(geometry.normal, triangle, weight)
    is_faceted = wp.length_sq(smooth) == 0.0
    front = transform_normal(mesh_from_world, wp.where(is_faceted, wp.cross(mesh_1, mesh_2), smooth))
    out.side = wp.where(wp.dot(front, out.face_normal) < 0.0, -1.0, 1.0)
    out.normal = wp.where(is_faceted, out.face_normal, front * out.side)
    out.uv = corner_uv(geometry.uv, triangle)
    out.uv2 = corner_uv(geometry.uv2, triangle)
    st = uv_at(out.uv, weight)
    st2 = uv_at(out.uv2, weight)
    out.st = wp.vec4(st[0], st[1], st2[0], st2[1])
    tint = geometry.placement_color[placement]
    out.color = wp.vec3(tint[0], tint[1], tint[2])
    if geometry.color.shape[0] > 0:
        out.color = wp.cw_mul(out.color, interpolate3(geometry.color, triangle, weight))
    out.footprint = footprint_at(out.uv, out.uv2, area, ray.direction, hit.t * spread, ANISOTROPY_SHARE)
    out.instance = geometry.instance[placement]
    out.material = material
    if material < 0:
        out.material = own_material(geometry, placement, triangle)
    return out
