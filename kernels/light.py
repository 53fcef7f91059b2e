"""Lights: a direction towards each one, and the light that arrives from there.

Source: UsdLux, https://openusd.org/release/api/usd_lux_page_front.html; Pharr, Jakob, Humphreys, PBRT 4, chapters 6
and 12.
"""

from enum import IntEnum

import warp as wp

from .shaping import NO_SHAPING, Shapings, shape_factor
from .texture import Textures, lookup
from .transform import mat34, orthonormal_basis, transform_point, transform_vector

NO_TEXTURE = wp.constant(-1)
ALL_PLACEMENTS = wp.constant(-1)
DISTANT_M = wp.constant(1.0e9)  # of lights at infinity
MIN_RADIUS_M = wp.constant(1.0e-4)  # a point light as a sphere that still has a surface
IMAGE_FOOTPRINT = wp.constant(0.01)  # of a light's image that a sample blurs over: less noise, no visible bias


class LightKind(IntEnum):
    """Shapes of UsdLux; the members of engine.scene.model.LightKind, which a test holds together."""

    DISTANT = 0
    SPHERE = 1
    RECT = 2
    DISK = 3
    CYLINDER = 4
    DOME = 5


@wp.struct
class Control:
    """What one light does that no lamp would, and how it is shaped. One array of these keeps `Lights` small."""

    shaping: int  # row of `Lights.shapings` or NO_SHAPING
    lit: int  # row of `Lights.link`: what it lights; or ALL_PLACEMENTS
    shading: int  # row of `Lights.link`: what casts its shadows; or ALL_PLACEMENTS
    lobes: wp.vec2  # factors on what it adds to the diffuse and to the specular lobe
    shadow_color: wp.vec3  # share that arrives also where something is in the way; 1: no shadow
    shadow_reach: wp.vec3  # how far shadows reach [m], over which they fade [m], inverse exponent


@wp.struct
class Lights:
    """Lights of every row. Distant, rect and disk emit along -Z of their frame; a cylinder lies along X."""

    count: int
    kind: wp.array[int]  # [light]
    world_from_light: wp.array2d[mat34]  # [row, light], orthonormal axes
    size_m: wp.array[wp.vec2]  # [light]
    half_angle_rad: wp.array[float]  # [light]
    radiance: wp.array2d[wp.vec3]  # [row, light]; irradiance where a distant light has no angle
    texture: wp.array[int]  # [light], image of a dome or a rectangle, or NO_TEXTURE
    control: wp.array[Control]  # [light]
    link: wp.array2d[wp.uint8]  # [set, placement]; empty when no light is linked
    textures: Textures
    shapings: Shapings
    ambient: wp.array[wp.vec3]  # [row], radiance
    ambient_reach_m: float  # how far something may be that keeps the ambient term away


@wp.struct
class LightSample:
    """A direction towards a light; `radiance` is already divided by the sample's density per solid angle."""

    direction: wp.vec3
    distance_m: float
    radiance: wp.vec3  # without the light's image
    uv: wp.vec2  # where that is looked up


@wp.func
def disk_point(u: wp.vec2) -> wp.vec2:
    """Return a uniform point of the unit disk."""
    r = wp.sqrt(u[0])
    return wp.vec2(r * wp.cos(2.0 * wp.pi * u[1]), r * wp.sin(2.0 * wp.pi * u[1]))


@wp.func
def cosine_direction(n: wp.vec3, u: wp.vec2) -> wp.vec3:
    """Return a direction around a unit normal with density cos / pi."""
    p = disk_point(u)
    z = wp.sqrt(wp.max(0.0, 1.0 - p[0] * p[0] - p[1] * p[1]))
    return orthonormal_basis(n) * wp.vec3(p[0], p[1], z)


@wp.func
def cone_direction(axis: wp.vec3, versine: float, u: wp.vec2) -> wp.vec3:
    """Return a uniform direction of a cone, given 1 - cos of its half angle."""
    v = u[0] * versine
    c = 1.0 - v
    s = wp.sqrt(v * (2.0 - v))
    return orthonormal_basis(axis) * wp.vec3(s * wp.cos(2.0 * wp.pi * u[1]), s * wp.sin(2.0 * wp.pi * u[1]), c)


@wp.func
def into_frame(m: mat34, direction: wp.vec3) -> wp.vec3:
    """Return a direction of the world in an orthonormal frame."""
    return wp.vec3(
        m[0, 0] * direction[0] + m[1, 0] * direction[1] + m[2, 0] * direction[2],
        m[0, 1] * direction[0] + m[1, 1] * direction[1] + m[2, 1] * direction[2],
        m[0, 2] * direction[0] + m[1, 2] * direction[1] + m[2, 2] * direction[2],
    )


@wp.func
def image_radiance(lights: Lights, light: int, uv: wp.vec2, footprint: float) -> wp.vec3:
    """Return the factor that a light's image puts on its radiance."""
    texel = lookup(lights.textures, lights.texture[light], uv, footprint)
    return wp.vec3(texel[0], texel[1], texel[2])


@wp.func
def dome_uv(pose: mat34, direction: wp.vec3) -> wp.vec2:
    """Return where a dome's image is seen in a direction. Its pole is +Z, the image's centre -Y, u falls towards +X."""
    local = into_frame(pose, direction)
    u = 0.5 - wp.atan2(local[0], -local[1]) / (2.0 * wp.pi)
    return wp.vec2(u, 0.5 + wp.asin(wp.clamp(local[2], -1.0, 1.0)) / wp.pi)


@wp.func
def dome_radiance(lights: Lights, row: int, light: int, direction: wp.vec3, footprint: float) -> wp.vec3:
    """Return what a dome sends from a direction."""
    radiance = lights.radiance[row, light]
    if lights.texture[light] == NO_TEXTURE:
        return radiance
    uv = dome_uv(lights.world_from_light[row, light], direction)
    return wp.cw_mul(radiance, image_radiance(lights, light, uv, footprint))


@wp.func
def lights_placement(lights: Lights, light: int, placement: int) -> bool:
    """Return whether a light is linked to what it would light."""
    group = lights.control[light].lit
    if group == ALL_PLACEMENTS:
        return True
    return lights.link[group, placement] != wp.uint8(0)


@wp.func
def sample_area(p_m: wp.vec3, q_m: wp.vec3, normal: wp.vec3, area_m2: float, radiance: wp.vec3) -> LightSample:
    """Return the sample of a point of an emitting surface with uniform density over its area."""
    to_light = q_m - p_m
    distance = wp.max(wp.length(to_light), 1.0e-6)
    out = LightSample()
    out.direction = to_light / distance
    out.distance_m = distance
    cos_light = wp.max(0.0, -wp.dot(normal, out.direction))
    out.radiance = radiance * (area_m2 * cos_light / (distance * distance))
    return out


@wp.func
def sample_sphere(p_m: wp.vec3, center_m: wp.vec3, radius_m: float, radiance: wp.vec3, u: wp.vec2) -> LightSample:
    """Return a uniform direction of the cone that a sphere fills."""
    to_center = center_m - p_m
    d2 = wp.length_sq(to_center)
    out = LightSample()
    sin2 = radius_m * radius_m / wp.max(d2, 1.0e-12)
    if sin2 < 1.0:
        distance = wp.sqrt(d2)
        versine = sin2 / (1.0 + wp.sqrt(1.0 - sin2))
        out.direction = cone_direction(to_center / distance, versine, u)
        out.distance_m = distance - radius_m
        out.radiance = radiance * (2.0 * wp.pi * versine)
    return out


@wp.func
def sample_cylinder(p_m: wp.vec3, pose: mat34, size_m: wp.vec2, radiance: wp.vec3, u: wp.vec2) -> LightSample:
    """Return the sample of a point of that part of a cylinder's side that faces `p_m`; size is (radius, length)."""
    local = into_frame(pose, p_m - wp.vec3(pose[0, 3], pose[1, 3], pose[2, 3]))
    distance_m = wp.sqrt(local[1] * local[1] + local[2] * local[2])
    if distance_m <= size_m[0]:
        return LightSample()
    half_arc = wp.acos(size_m[0] / distance_m)
    angle = wp.atan2(local[2], local[1]) + (2.0 * u[1] - 1.0) * half_arc
    normal = wp.vec3(0.0, wp.cos(angle), wp.sin(angle))
    q = wp.vec3((u[0] - 0.5) * size_m[1], normal[1] * size_m[0], normal[2] * size_m[0])
    area_m2 = 2.0 * half_arc * size_m[0] * size_m[1]
    return sample_area(p_m, transform_point(pose, q), transform_vector(pose, normal), area_m2, radiance)


@wp.func
def sample_distant(axis: wp.vec3, half_angle_rad: float, radiance: wp.vec3, u: wp.vec2) -> LightSample:
    """Return a uniform direction of the cone that a distant light fills; without an angle, its irradiance."""
    out = LightSample()
    half_sine = wp.sin(0.5 * half_angle_rad)
    versine = 2.0 * half_sine * half_sine  # 1 - cos, which float32 rounds to 0 below half a milliradian
    out.direction = cone_direction(axis, versine, u)
    out.distance_m = DISTANT_M
    out.radiance = radiance * wp.where(versine > 0.0, 2.0 * wp.pi * versine, 1.0)
    return out


@wp.func
def sample_rect(p_m: wp.vec3, pose: mat34, size_m: wp.vec2, radiance: wp.vec3, u: wp.vec2) -> LightSample:
    """Return the sample of a point of a rectangle. For who looks at the lit side its image is upright: u towards -X."""
    q = wp.vec3((u[0] - 0.5) * size_m[0], (u[1] - 0.5) * size_m[1], 0.0)
    normal = transform_vector(pose, wp.vec3(0.0, 0.0, -1.0))
    out = sample_area(p_m, transform_point(pose, q), normal, size_m[0] * size_m[1], radiance)
    out.uv = wp.vec2(1.0 - u[0], u[1])
    return out


@wp.func
def sample_disk(p_m: wp.vec3, pose: mat34, radius_m: float, radiance: wp.vec3, u: wp.vec2) -> LightSample:
    """Return the sample of a point of a disk."""
    d = disk_point(u) * radius_m
    normal = transform_vector(pose, wp.vec3(0.0, 0.0, -1.0))
    area_m2 = wp.pi * radius_m * radius_m
    return sample_area(p_m, transform_point(pose, wp.vec3(d[0], d[1], 0.0)), normal, area_m2, radiance)


@wp.func
def sample_light(lights: Lights, row: int, light: int, p_m: wp.vec3, u: wp.vec2) -> LightSample:
    """Return a direction from `p_m` towards a light other than a dome, for two uniform numbers."""
    kind = lights.kind[light]
    pose = lights.world_from_light[row, light]
    size = lights.size_m[light]
    radiance = lights.radiance[row, light]
    axis = wp.vec3(pose[0, 2], pose[1, 2], pose[2, 2])
    out = LightSample()
    if kind == int(LightKind.RECT):
        out = sample_rect(p_m, pose, size, radiance, u)
    elif kind == int(LightKind.DISK):
        out = sample_disk(p_m, pose, size[0], radiance, u)
    elif kind == int(LightKind.DISTANT):
        out = sample_distant(axis, lights.half_angle_rad[light], radiance, u)
    elif kind == int(LightKind.SPHERE):
        center = wp.vec3(pose[0, 3], pose[1, 3], pose[2, 3])
        out = sample_sphere(p_m, center, wp.max(size[0], MIN_RADIUS_M), radiance, u)
    elif kind == int(LightKind.CYLINDER):
        out = sample_cylinder(p_m, pose, size, radiance, u)
    shaping = lights.control[light].shaping
    if shaping != NO_SHAPING:
        out.radiance = wp.cw_mul(out.radiance, shape_factor(lights.shapings, shaping, into_frame(pose, out.direction)))
    return out
