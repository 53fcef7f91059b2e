"""What a ray met: position, normals, texture coordinates and their footprint."""

import warp as wp

from .camera import Ray
from .geometry import Geometry
from .trace import Hit, unpack_barycentric
from .transform import transform_normal, transform_vector

MIN_COS = wp.constant(0.05)  # a grazing footprint is cut off at 20 times its width
ANISOTROPY_SHARE = wp.constant(0.5)  # an isotropic lookup blurs along the short axis: square root of the stretch


@wp.struct
class Surface:
    """A point of a surface in the world."""

    position_m: wp.vec3
    to_viewer: wp.vec3  # unit
    face_normal: wp.vec3  # of the triangle, towards the viewer
    normal: wp.vec3  # interpolated, on the viewer's side
    tangent_u: wp.vec3  # d position / du [m]
    tangent_v: wp.vec3
    st: wp.vec2
    color: wp.vec3  # displayColor
    footprint: float  # width of the pixel in texture coordinates
    material: int
    instance: int


@wp.func
def interpolate3(values: wp.array2d[wp.vec3], triangle: int, weight: wp.vec3) -> wp.vec3:
    """Return the value of corner data at barycentric weights."""
    return values[triangle, 0] * weight[0] + values[triangle, 1] * weight[1] + values[triangle, 2] * weight[2]


@wp.func
def facing(n: wp.vec3, towards: wp.vec3) -> wp.vec3:
    """Return the normal turned to the side of a direction."""
    return wp.where(wp.dot(n, towards) < 0.0, -n, n)


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
def surface_at(geometry: Geometry, row: int, ray: Ray, hit: Hit, material: int, spread: float) -> Surface:
    """Return the surface that a hit speaks of; `material` below 0 means the triangle's own."""
    placement = hit.placement
    triangle = geometry.first_triangle[placement] + hit.triangle
    weight = unpack_barycentric(hit.uv)
    world_from_mesh = geometry.world_from_mesh[row, placement]
    mesh_from_world = geometry.trees.mesh_from_world[row, placement]
    e1 = transform_vector(world_from_mesh, geometry.point_m[triangle, 1] - geometry.point_m[triangle, 0])
    e2 = transform_vector(world_from_mesh, geometry.point_m[triangle, 2] - geometry.point_m[triangle, 0])
    area = wp.cross(e1, e2)
    out = Surface()
    out.to_viewer = -wp.normalize(ray.direction)
    out.position_m = ray.origin + ray.direction * hit.t
    out.face_normal = facing(wp.normalize(area), -ray.direction)
    smooth = interpolate3(geometry.normal, triangle, weight)
    out.normal = out.face_normal
    if wp.length_sq(smooth) > 0.0:
        out.normal = facing(transform_normal(mesh_from_world, smooth), out.face_normal)
    uv0 = geometry.uv[triangle, 0]
    du = geometry.uv[triangle, 1] - uv0
    dv = geometry.uv[triangle, 2] - uv0
    out.st = uv0 + du * weight[1] + dv * weight[2]
    determinant = du[0] * dv[1] - du[1] * dv[0]
    if determinant != 0.0:
        out.tangent_u = (e1 * dv[1] - e2 * du[1]) / determinant
        out.tangent_v = (e2 * du[0] - e1 * dv[0]) / determinant
    out.color = interpolate3(geometry.color, triangle, weight)
    distance_m = hit.t * wp.length(ray.direction)
    cosine = wp.max(wp.abs(wp.dot(out.face_normal, out.to_viewer)), MIN_COS)
    density = wp.sqrt(wp.abs(determinant) / wp.max(wp.length(area), 1.0e-20))
    out.footprint = distance_m * spread * density / wp.pow(cosine, ANISOTROPY_SHARE)
    out.instance = geometry.instance[placement]
    out.material = material
    if material < 0:
        out.material = geometry.slot_material[geometry.first_slot[placement] + geometry.triangle_slot[triangle]]
    return out
