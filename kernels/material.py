"""UsdPreviewSurface: Lambert and GGX lobes under Fresnel's law, with a clear coat.

Source: UsdPreviewSurface specification, https://openusd.org/release/spec_usdpreviewsurface.html; Walter et al.,
"Microfacet models for refraction through rough surfaces", EGSR 2007; Heitz, JCGT 3(2), 2014 (height-correlated Smith).
"""

import warp as wp

from .surface import Surface
from .texture import TextureInputs, Textures, lookup_input, select_channel

MIN_ALPHA = wp.constant(0.002)  # a mirror of roughness 0 would need an exact reflection ray
NO_INPUT = wp.constant(-1)


@wp.struct
class MaterialInputs:
    """Texture inputs of every material; NO_INPUT where a constant holds."""

    base_color: wp.array[int]  # [material]
    metallic: wp.array[int]
    roughness: wp.array[int]
    emission: wp.array[int]
    normal: wp.array[int]


@wp.struct
class Materials:
    """Constants of every material; those a randomiser may change have a row each. A texture multiplies its constant."""

    base_color: wp.array2d[wp.vec3]  # [row, material]
    roughness: wp.array2d[float]  # [row, material]
    metallic: wp.array2d[float]  # [row, material]
    emission: wp.array[wp.vec3]  # [material], radiance
    ior: wp.array[float]  # [material]
    clearcoat: wp.array[wp.vec2]  # [material], weight and roughness
    uses_display_color: wp.array[int]  # [material]
    override: wp.array2d[int]  # [row, instance], -1: each triangle's own
    tint: wp.array2d[wp.vec3]  # [row, instance]
    input: MaterialInputs
    inputs: TextureInputs
    textures: Textures


@wp.struct
class Bsdf:
    """A material evaluated at a point."""

    normal: wp.vec3
    diffuse: wp.vec3  # albedo of the Lambert lobe
    f0: wp.vec3  # reflectance at normal incidence
    alpha: float  # GGX roughness squared
    coat: float
    coat_alpha: float
    emission: wp.vec3


@wp.func
def scalar_input(materials: Materials, index: int, constant: float, surface: Surface) -> float:
    """Return a constant times the texture that drives it, if any."""
    if index == NO_INPUT:
        return constant
    value = lookup_input(materials.inputs, materials.textures, index, surface.st, surface.footprint)
    return constant * select_channel(value, materials.inputs.channel[index])


@wp.func
def color_input(materials: Materials, index: int, constant: wp.vec3, surface: Surface) -> wp.vec3:
    """Return a constant colour times the texture that drives it, if any."""
    if index == NO_INPUT:
        return constant
    value = lookup_input(materials.inputs, materials.textures, index, surface.st, surface.footprint)
    return wp.cw_mul(constant, wp.vec3(value[0], value[1], value[2]))


@wp.func
def mapped_normal(materials: Materials, surface: Surface) -> wp.vec3:
    """Return the shading normal after the normal map, in a tangent frame of the texture coordinates."""
    index = materials.input.normal[surface.material]
    if index == NO_INPUT or wp.length_sq(surface.tangent_u) == 0.0:
        return surface.normal
    value = lookup_input(materials.inputs, materials.textures, index, surface.st, surface.footprint)
    n = surface.normal
    t = wp.normalize(surface.tangent_u - n * wp.dot(n, surface.tangent_u))
    b = wp.normalize(surface.tangent_v - n * wp.dot(n, surface.tangent_v) - t * wp.dot(t, surface.tangent_v))
    mapped = wp.normalize(t * value[0] + b * value[1] + n * wp.max(value[2], 0.05))
    return wp.where(wp.dot(mapped, surface.face_normal) > 0.0, mapped, n)


@wp.func
def bsdf_at(materials: Materials, row: int, surface: Surface) -> Bsdf:
    """Return the material of a surface point."""
    m = surface.material
    color = color_input(materials, materials.input.base_color[m], materials.base_color[row, m], surface)
    if materials.uses_display_color[m] != 0:
        color = wp.cw_mul(color, surface.color)
    color = wp.cw_mul(color, materials.tint[row, surface.instance])
    metallic = wp.clamp(
        scalar_input(materials, materials.input.metallic[m], materials.metallic[row, m], surface), 0.0, 1.0
    )
    roughness = scalar_input(materials, materials.input.roughness[m], materials.roughness[row, m], surface)
    roughness = wp.clamp(roughness, 0.0, 1.0)
    ior = materials.ior[m]
    reflectance = (1.0 - ior) / (1.0 + ior)
    reflectance = reflectance * reflectance
    coat = materials.clearcoat[m]
    out = Bsdf()
    out.normal = mapped_normal(materials, surface)
    out.diffuse = color * (1.0 - metallic)
    out.f0 = wp.vec3(reflectance, reflectance, reflectance) * (1.0 - metallic) + color * metallic
    out.alpha = wp.max(roughness * roughness, MIN_ALPHA)
    out.coat = coat[0]
    out.coat_alpha = wp.max(coat[1] * coat[1], MIN_ALPHA)
    out.emission = color_input(materials, materials.input.emission[m], materials.emission[m], surface)
    return out


@wp.func
def fresnel_schlick(f0: wp.vec3, cos_half: float) -> wp.vec3:
    """Return the reflectance at an angle (Schlick 1994)."""
    m = wp.clamp(1.0 - cos_half, 0.0, 1.0)
    m2 = m * m
    return f0 + (wp.vec3(1.0, 1.0, 1.0) - f0) * (m2 * m2 * m)


@wp.func
def ggx(alpha: float, n_dot_h: float, n_dot_v: float, n_dot_l: float) -> float:
    """Return D G / (4 cos cos) of the GGX lobe [1/sr], with height-correlated Smith shadowing."""
    a2 = alpha * alpha
    d = n_dot_h * n_dot_h * (a2 - 1.0) + 1.0
    shadow_v = n_dot_l * wp.sqrt(n_dot_v * n_dot_v * (1.0 - a2) + a2)
    shadow_l = n_dot_v * wp.sqrt(n_dot_l * n_dot_l * (1.0 - a2) + a2)
    return a2 / (wp.pi * d * d) * 0.5 / wp.max(shadow_v + shadow_l, 1.0e-7)


@wp.func
def evaluate(bsdf: Bsdf, to_viewer: wp.vec3, to_light: wp.vec3) -> wp.vec3:
    """Return the scattered radiance per irradiance [1/sr], without the cosine; zero below the surface."""
    n_dot_l = wp.dot(bsdf.normal, to_light)
    if n_dot_l <= 0.0:
        return wp.vec3(0.0, 0.0, 0.0)
    n_dot_v = wp.max(wp.dot(bsdf.normal, to_viewer), 1.0e-3)
    half = wp.normalize(to_viewer + to_light)
    n_dot_h = wp.clamp(wp.dot(bsdf.normal, half), 0.0, 1.0)
    v_dot_h = wp.clamp(wp.dot(to_viewer, half), 0.0, 1.0)
    fresnel = fresnel_schlick(bsdf.f0, v_dot_h)
    specular = fresnel * ggx(bsdf.alpha, n_dot_h, n_dot_v, n_dot_l)
    value = wp.cw_mul(bsdf.diffuse, wp.vec3(1.0, 1.0, 1.0) - fresnel) / wp.pi + specular
    if bsdf.coat > 0.0:
        coat = bsdf.coat * fresnel_schlick(wp.vec3(0.04, 0.04, 0.04), v_dot_h)[0]
        value = value * (1.0 - coat) + wp.vec3(1.0, 1.0, 1.0) * (coat * ggx(bsdf.coat_alpha, n_dot_h, n_dot_v, n_dot_l))
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
    return bsdf.f0 * (-1.04 * a + z) + wp.vec3(1.0, 1.0, 1.0) * (1.04 * a + w)
