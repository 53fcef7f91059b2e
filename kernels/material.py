"""UsdPreviewSurface: Lambert and GGX lobes under Fresnel's law, with a clear coat.

Source: UsdPreviewSurface specification, https://openusd.org/release/spec_usdpreviewsurface.html; Walter et al.,
"Microfacet models for refraction through rough surfaces", EGSR 2007; Heitz, JCGT 3(2), 2014 (height-correlated Smith).
"""

from enum import IntEnum

import warp as wp

from .surface import Surface
from .texture import TextureInputs, Textures, lookup_input, select_channel

MIN_ALPHA = wp.constant(0.002)  # a mirror of roughness 0 would need an exact reflection ray
NO_INPUT = wp.constant(-1)


class MaterialInput(IntEnum):
    """What a texture may drive; names in lower case are those of engine.scene.model.Material.textures."""

    BASE_COLOR = 0
    METALLIC = 1
    ROUGHNESS = 2
    EMISSION = 3
    NORMAL = 4
    SPECULAR_COLOR = 5
    CLEARCOAT = 6
    CLEARCOAT_ROUGHNESS = 7
    OPACITY = 8


@wp.struct
class Materials:
    """Constants of every material; those a randomiser may change have a row each. A texture multiplies its constant."""

    base_color: wp.array2d[wp.vec3]  # [row, material]
    roughness: wp.array2d[float]  # [row, material]
    metallic: wp.array2d[float]  # [row, material]
    emission: wp.array[wp.vec3]  # [material], radiance
    ior: wp.array[float]  # [material]
    specular_color: wp.array[wp.vec3]  # [material], F0 of the specular workflow; negative: the metallic workflow
    clearcoat: wp.array[wp.vec2]  # [material], weight and roughness
    uses_display_color: wp.array[int]  # [material]
    override: wp.array2d[int]  # [row, instance], -1: each triangle's own
    tint: wp.array2d[wp.vec3]  # [row, instance]
    input: wp.array2d[int]  # [material, MaterialInput], row of `inputs` or NO_INPUT
    inputs: TextureInputs
    textures: Textures


@wp.struct
class Bsdf:
    """A material evaluated at a point."""

    normal: wp.vec3
    diffuse: wp.vec3  # albedo of the Lambert lobe
    f0: wp.vec3  # reflectance at normal incidence
    f90: wp.vec3  # and at a grazing angle
    alpha: float  # GGX roughness squared
    coat: float
    coat_f0: float
    coat_alpha: float
    emission: wp.vec3


@wp.func
def scalar_input(materials: Materials, name: int, constant: float, surface: Surface) -> float:
    """Return a constant times the texture that drives it, if any."""
    index = materials.input[surface.material, name]
    if index == NO_INPUT:
        return constant
    value = lookup_input(materials.inputs, materials.textures, index, surface.st, surface.footprint)
    return constant * select_channel(value, materials.inputs.channel[index])


@wp.func
def color_input(materials: Materials, name: int, constant: wp.vec3, surface: Surface) -> wp.vec3:
    """Return a constant colour times the texture that drives it, if any."""
    index = materials.input[surface.material, name]
    if index == NO_INPUT:
        return constant
    value = lookup_input(materials.inputs, materials.textures, index, surface.st, surface.footprint)
    return wp.cw_mul(constant, wp.vec3(value[0], value[1], value[2]))


@wp.func
def mapped_normal(materials: Materials, surface: Surface) -> wp.vec3:
    """Return the shading normal after the normal map.

    The tangent frame follows the coordinates at which the map is looked up, also where they are mirrored. From the back
    a bump is a dent: the frame turns with the normal.
    """
    n = surface.normal
    index = materials.input[surface.material, int(MaterialInput.NORMAL)]
    if index == NO_INPUT:
        return n
    uv = surface.uv
    if materials.inputs.uv_set[index] != 0:
        uv = surface.uv2
    to_u = materials.inputs.u_from_st[index]
    to_v = materials.inputs.v_from_st[index]
    u1 = to_u[0] * uv.along_1[0] + to_u[1] * uv.along_1[1]
    u2 = to_u[0] * uv.along_2[0] + to_u[1] * uv.along_2[1]
    v1 = to_v[0] * uv.along_1[0] + to_v[1] * uv.along_1[1]
    v2 = to_v[0] * uv.along_2[0] + to_v[1] * uv.along_2[1]
    determinant = u1 * v2 - v1 * u2
    if determinant == 0.0:
        return n
    value = lookup_input(materials.inputs, materials.textures, index, surface.st, surface.footprint)
    turned = wp.where(determinant < 0.0, -surface.side, surface.side)
    along_u = (surface.edge_1 * v2 - surface.edge_2 * v1) * turned
    along_v = (surface.edge_2 * u1 - surface.edge_1 * u2) * turned
    t = wp.normalize(along_u - n * wp.dot(n, along_u))
    b = wp.normalize(along_v - n * wp.dot(n, along_v) - t * wp.dot(t, along_v))
    mapped = wp.normalize(t * value[0] + b * value[1] + n * wp.max(value[2], 0.05))
    return wp.where(wp.dot(mapped, surface.face_normal) > 0.0, mapped, n)


@wp.func
def bsdf_at(materials: Materials, row: int, surface: Surface) -> Bsdf:
    """Return the material of a surface point."""
    m = surface.material
    color = color_input(materials, int(MaterialInput.BASE_COLOR), materials.base_color[row, m], surface)
    if materials.uses_display_color[m] != 0:
        color = wp.cw_mul(color, surface.color)
    color = wp.cw_mul(color, materials.tint[row, surface.instance])
    roughness = scalar_input(materials, int(MaterialInput.ROUGHNESS), materials.roughness[row, m], surface)
    roughness = wp.clamp(roughness, 0.0, 1.0)
    ior = materials.ior[m]
    reflectance = (1.0 - ior) / (1.0 + ior)
    reflectance = reflectance * reflectance
    out = Bsdf()
    out.normal = mapped_normal(materials, surface)
    out.diffuse = color
    out.f90 = wp.vec3(1.0, 1.0, 1.0)
    specular_color = materials.specular_color[m]
    if specular_color[0] >= 0.0:
        out.f0 = color_input(materials, int(MaterialInput.SPECULAR_COLOR), specular_color, surface)
    else:
        metallic = scalar_input(materials, int(MaterialInput.METALLIC), materials.metallic[row, m], surface)
        metallic = wp.clamp(metallic, 0.0, 1.0)
        out.diffuse = color * (1.0 - metallic)
        out.f0 = wp.vec3(reflectance, reflectance, reflectance) * (1.0 - metallic) + color * metallic
        out.f90 = out.f90 * (1.0 - metallic) + color * metallic
    out.alpha = wp.max(roughness * roughness, MIN_ALPHA)
    coat = materials.clearcoat[m]
    out.coat = scalar_input(materials, int(MaterialInput.CLEARCOAT), coat[0], surface)
    if out.coat > 0.0:
        coat_roughness = scalar_input(materials, int(MaterialInput.CLEARCOAT_ROUGHNESS), coat[1], surface)
        out.coat_f0 = reflectance
        out.coat_alpha = wp.max(coat_roughness * coat_roughness, MIN_ALPHA)
    out.emission = color_input(materials, int(MaterialInput.EMISSION), materials.emission[m], surface)
    return out


@wp.func
def schlick_weight(cos_half: float) -> float:
    """Return how far reflectance has gone from that of normal incidence to that of a grazing angle (Schlick 1994)."""
    m = wp.clamp(1.0 - cos_half, 0.0, 1.0)
    m2 = m * m
    return m2 * m2 * m


@wp.func
def fresnel_schlick(bsdf: Bsdf, cos_half: float) -> wp.vec3:
    """Return the reflectance of the base layer at an angle."""
    return bsdf.f0 + (bsdf.f90 - bsdf.f0) * schlick_weight(cos_half)


@wp.func
def ggx(alpha: float, n_dot_h: float, n_dot_v: float, n_dot_l: float) -> float:
    """Return D G / (4 cos cos) of the GGX lobe [1/sr], with height-correlated Smith shadowing."""
    a2 = alpha * alpha
    d = n_dot_h * n_dot_h * (a2 - 1.0) + 1.0
    shadow_v = n_dot_l * wp.sqrt(n_dot_v * n_dot_v * (1.0 - a2) + a2)
    shadow_l = n_dot_v * wp.sqrt(n_dot_l * n_dot_l * (1.0 - a2) + a2)
    return a2 / (wp.pi * d * d) * 0.5 / wp.max(shadow_v + shadow_l, 1.0e-7)


@wp.func
def evaluate(bsdf: Bsdf, to_viewer: wp.vec3, to_light: wp.vec3, lobes: wp.vec2) -> wp.vec3:
    """Return the scattered radiance per irradiance [1/sr], without the cosine; zero below the surface.

    `lobes` are factors on the diffuse and on the glossy part.
    """
    n_dot_l = wp.dot(bsdf.normal, to_light)
    if n_dot_l <= 0.0:
        return wp.vec3(0.0, 0.0, 0.0)
    n_dot_v = wp.max(wp.dot(bsdf.normal, to_viewer), 1.0e-3)
    half = wp.normalize(to_viewer + to_light)
    n_dot_h = wp.clamp(wp.dot(bsdf.normal, half), 0.0, 1.0)
    v_dot_h = wp.clamp(wp.dot(to_viewer, half), 0.0, 1.0)
    fresnel = fresnel_schlick(bsdf, v_dot_h)
    specular = fresnel * (lobes[1] * ggx(bsdf.alpha, n_dot_h, n_dot_v, n_dot_l))
    value = wp.cw_mul(bsdf.diffuse, wp.vec3(1.0, 1.0, 1.0) - fresnel) * (lobes[0] / wp.pi) + specular
    if bsdf.coat > 0.0:
        coat = bsdf.coat * (bsdf.coat_f0 + (1.0 - bsdf.coat_f0) * schlick_weight(v_dot_h))
        coat_lobe = coat * lobes[1] * ggx(bsdf.coat_alpha, n_dot_h, n_dot_v, n_dot_l)
        value = value * (1.0 - coat) + wp.vec3(1.0, 1.0, 1.0) * coat_lobe
    return value


@wp.func
def reflectance_of_dome(bsdf: Bsdf, n_dot_v: float) -> wp.vec3:
    """Return the share of a uniform surround that the GGX lobe sends to the viewer.

    Source: Karis, "Physically based shading on mobile", 2014 (polynomial fit of the split-sum table).
    """
    roughness = wp.sqrt(bsdf.alpha)
    x = 1.0 - roughness
    y = -0.0275 * roughness + 0.0425
    z = -0.572 * roughness + 1.04
    w = 0.022 * roughness - 0.04
    a = wp.min(x * x, wp.pow(2.0, -9.28 * n_dot_v)) * x + y
    return bsdf.f0 * (-1.04 * a + z) + bsdf.f90 * (1.04 * a + w)
