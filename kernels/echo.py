"""How strongly a surface answers an active sensor: the light that a point sends back to where it came from."""

import warp as wp

from .geometry import Geometry
from .material import MIN_ALPHA, MaterialInput, Materials
from .surface import corner_uv, footprint_at, own_material, uv_at
from .texture import lookup_input, select_channel
from .trace import Hit, unpack_barycentric

LUMINANCE = wp.constant(wp.vec3(0.2126, 0.7152, 0.0722))  # ITU-R BT.709: stands for the reflectance in the infrared
MOST_GLINT = wp.constant(100.0)  # white targets: what a receiver still tells apart of a mirror at normal incidence
DISPLAY_COLUMN = wp.constant(14)  # of a material's record, see native/material.cpp
LEAST_ALPHA = wp.constant(MIN_ALPHA)
BASE_COLOR = wp.constant(int(MaterialInput.BASE_COLOR))
METALLIC = wp.constant(int(MaterialInput.METALLIC))
ROUGHNESS = wp.constant(int(MaterialInput.ROUGHNESS))
SPECULAR_COLOR = wp.constant(int(MaterialInput.SPECULAR_COLOR))


@wp.struct
class Echo:
    """What an active sensor meets."""

    cosine: float  # of the angle between ray and normal
    diffuse: float  # albedo of the Lambert lobe
    specular: float  # reflectance at normal incidence
    alpha: float  # GGX roughness squared


@wp.struct
class Facing:
    """How a triangle lies in the world."""

    normal: wp.vec3  # unit; interpolated where the mesh has normals
    area: wp.vec3  # cross product of its edges [m^2]


@wp.func
def mesh_from_world(geometry: Geometry, row: int, placement: int) -> wp.mat33:
    """Return the linear part of the map from the world to a placement's mesh."""
    out = wp.mat33()
    for column in range(3):
        for axis in range(3):
            out[axis, column] = geometry.trees.record[row, placement, 4 * column + axis]
    return out


@wp.func
def facing_of(geometry: Geometry, row: int, hit: Hit) -> Facing:
    """Return how the triangle at a hit lies in the world: normals map by the inverse transpose, areas too."""
    triangle = geometry.first_triangle[hit.placement] + hit.triangle
    inverse = mesh_from_world(geometry, row, hit.placement)
    edge_1 = geometry.point_m[triangle, 1] - geometry.point_m[triangle, 0]
    edge_2 = geometry.point_m[triangle, 2] - geometry.point_m[triangle, 0]
    face = wp.transpose(inverse) * wp.cross(edge_1, edge_2)
    weight = unpack_barycentric(hit.uv)
    smooth = (
        geometry.normal[triangle, 0] * weight[0]
        + geometry.normal[triangle, 1] * weight[1]
        + geometry.normal[triangle, 2] * weight[2]
    )
    out = Facing()
    out.normal = wp.normalize(wp.where(wp.dot(smooth, smooth) > 0.0, wp.transpose(inverse) * smooth, face))
    out.area = face / wp.determinant(inverse)
    return out


@wp.func
def driven(materials: Materials, material: int, name: int, st: wp.vec4, footprint: wp.vec2) -> wp.vec4:
    """Return what a texture multiplies an input's constant by; ones where none drives it."""
    index = materials.input[material, name]
    if index < 0:
        return wp.vec4(1.0, 1.0, 1.0, 1.0)
    return lookup_input(materials.inputs, materials.textures, index, st, footprint)


@wp.func
def driven_scalar(materials: Materials, material: int, name: int, st: wp.vec4, footprint: wp.vec2) -> float:
    """Return `driven` of an input that is one number."""
    index = materials.input[material, name]
    if index < 0:
        return 1.0
    return select_channel(driven(materials, material, name, st, footprint), materials.inputs.channel[index])


@wp.func
def own_color(materials: Materials, row: int, material: int, first: int) -> wp.vec3:
    """Return three numbers of a material's record."""
    return wp.vec3(
        materials.record[row, material, first],
        materials.record[row, material, first + 1],
        materials.record[row, material, first + 2],
    )


@wp.func
def display_color(geometry: Geometry, hit: Hit, triangle: int) -> wp.vec3:
    """Return the displayColor at a hit."""
    placed = geometry.placement_color[hit.placement]
    out = wp.vec3(placed[0], placed[1], placed[2])
    if geometry.color.shape[0] > 0:
        weight = unpack_barycentric(hit.uv)
        out = wp.cw_mul(
            out,
            geometry.color[triangle, 0] * weight[0]
            + geometry.color[triangle, 1] * weight[1]
            + geometry.color[triangle, 2] * weight[2],
        )
    return out


@wp.func
def echo_of(
    geometry: Geometry, materials: Materials, row: int, hit: Hit, direction: wp.vec3, width: float
) -> Echo:  # fmt: skip
    """Return what a ray meets at its hit; `width` of its cone there, in lengths of `direction`, filters textures.

    Normal maps do not count, and neither does a clear coat. Materials: native/material.cpp, `bsdf_at`.
    """
    triangle = geometry.first_triangle[hit.placement] + hit.triangle
    look = materials.instance[row, geometry.instance[hit.placement], 3]
    material = wp.cast(look, wp.int32)
    if material < 0:
        material = own_material(geometry, hit.placement, triangle)
    facing = facing_of(geometry, row, hit)
    uv = corner_uv(geometry.uv, triangle)
    uv2 = corner_uv(geometry.uv2, triangle)
    weight = unpack_barycentric(hit.uv)
    st = uv_at(uv, weight)
    st2 = uv_at(uv2, weight)
    both = wp.vec4(st[0], st[1], st2[0], st2[1])
    footprint = footprint_at(uv, uv2, facing.area, direction, width, 0.5)
    texel = driven(materials, material, BASE_COLOR, both, footprint)
    color = wp.cw_mul(own_color(materials, row, material, 0), wp.vec3(texel[0], texel[1], texel[2]))
    if wp.cast(materials.record[row, material, DISPLAY_COLUMN], wp.int32) != 0:
        color = wp.cw_mul(color, display_color(geometry, hit, triangle))
    for axis in range(3):
        color[axis] = color[axis] * materials.instance[row, geometry.instance[hit.placement], axis]
    metallic = materials.record[row, material, 4] * driven_scalar(materials, material, METALLIC, both, footprint)
    metallic = wp.clamp(metallic, 0.0, 1.0)
    rough = materials.record[row, material, 3] * driven_scalar(materials, material, ROUGHNESS, both, footprint)
    out = Echo()
    out.cosine = wp.min(wp.abs(wp.dot(facing.normal, direction)) / wp.length(direction), 1.0)
    out.alpha = wp.max(wp.clamp(rough, 0.0, 1.0) * wp.clamp(rough, 0.0, 1.0), LEAST_ALPHA)
    out.diffuse = wp.dot(color, LUMINANCE)
    if materials.record[row, material, 8] < 0.0:
        out.specular = materials.record[row, material, 11] * (1.0 - metallic) + out.diffuse * metallic
        out.diffuse = out.diffuse * (1.0 - metallic)
        return out
    texel = driven(materials, material, SPECULAR_COLOR, both, footprint)
    shine = wp.cw_mul(own_color(materials, row, material, 8), wp.vec3(texel[0], texel[1], texel[2]))
    out.specular = wp.dot(shine, LUMINANCE)
    return out


@wp.func
def backscatter(echo: Echo) -> float:
    """Return what comes back, in units of a white Lambert target that faces the sensor: pi times BRDF times cosine.

    The Lambert lobe gives albedo times cosine. The GGX lobe is seen where half vector, light and viewer are one
    direction: D F0 G / (4 cos^2), with the height-correlated Smith term G = 1 / (1 + 2 Lambda).
    Source: Walter et al., "Microfacet models for refraction through rough surfaces", EGSR 2007; Heitz, JCGT 3(2), 2014.
    """
    alpha2 = echo.alpha * echo.alpha
    cosine2 = echo.cosine * echo.cosine
    slope = cosine2 * (alpha2 - 1.0) + 1.0
    glint = alpha2 * echo.specular / (4.0 * slope * slope * wp.sqrt(cosine2 + alpha2 * (1.0 - cosine2)))
    return echo.diffuse * echo.cosine + wp.min(glint, MOST_GLINT)
