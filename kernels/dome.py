"""A dome's light on a surface: directions where the surface's lobes look, so that gloss under a dome is not speckled.

Source: Heitz, "Sampling the GGX distribution of visible normals", JCGT 7(4), 2018, with the spherical caps of Dupuy and
Benyoub, "Sampling visible GGX normals with spherical caps", CGF 42(8), 2023; one-sample combination after Veach, 1997.
"""

import warp as wp

from .light import DISTANT_M, NO_TEXTURE, Lights, LightSample, cosine_direction, dome_uv
from .material import Bsdf, fresnel_schlick
from .transform import orthonormal_basis

CHANNEL_MEAN = wp.constant(1.0 / 3.0)


@wp.func
def mean_of(color: wp.vec3) -> float:
    """Return the mean of the channels."""
    return (color[0] + color[1] + color[2]) * CHANNEL_MEAN


@wp.func
def specular_share(bsdf: Bsdf, n_dot_v: float) -> float:
    """Return the share of samples that the GGX lobe gets: its part of the reflectance."""
    specular = mean_of(fresnel_schlick(bsdf, n_dot_v))
    return specular / wp.max(specular + mean_of(bsdf.diffuse), 1.0e-6)


@wp.func
def visible_normal(to_viewer: wp.vec3, alpha: float, u: wp.vec2) -> wp.vec3:
    """Return a microfacet normal that the viewer sees; both in a frame whose z is the surface's normal."""
    stretched = wp.normalize(wp.vec3(alpha * to_viewer[0], alpha * to_viewer[1], to_viewer[2]))
    phi = 2.0 * wp.pi * u[0]
    z = (1.0 - u[1]) * (1.0 + stretched[2]) - stretched[2]
    r = wp.sqrt(wp.clamp(1.0 - z * z, 0.0, 1.0))
    h = wp.vec3(r * wp.cos(phi), r * wp.sin(phi), z) + stretched
    return wp.normalize(wp.vec3(alpha * h[0], alpha * h[1], wp.max(h[2], 1.0e-6)))


@wp.func
def visible_normal_density(bsdf: Bsdf, to_viewer: wp.vec3, direction: wp.vec3) -> float:
    """Return the density per solid angle [1/sr] of the direction that `visible_normal` reflects the viewer into."""
    a2 = bsdf.alpha * bsdf.alpha
    n_dot_v = wp.max(wp.dot(bsdf.normal, to_viewer), 1.0e-3)
    n_dot_h = wp.clamp(wp.dot(bsdf.normal, wp.normalize(to_viewer + direction)), 0.0, 1.0)
    d = n_dot_h * n_dot_h * (a2 - 1.0) + 1.0
    return a2 / (wp.pi * d * d) * 0.5 / (n_dot_v + wp.sqrt(a2 + (1.0 - a2) * n_dot_v * n_dot_v))


@wp.func
def sample_dome(lights: Lights, row: int, light: int, bsdf: Bsdf, to_viewer: wp.vec3, u: wp.vec2) -> LightSample:
    """Return a direction towards a dome for two uniform numbers, spread as the surface's lobes reflect."""
    share = specular_share(bsdf, wp.max(wp.dot(bsdf.normal, to_viewer), 0.0))
    out = LightSample()
    if u[0] < share:
        basis = orthonormal_basis(bsdf.normal)
        local = wp.transpose(basis) * to_viewer
        local = wp.normalize(wp.vec3(local[0], local[1], wp.max(local[2], 1.0e-3)))
        half = basis * visible_normal(local, bsdf.alpha, wp.vec2(u[0] / share, u[1]))
        out.direction = wp.normalize(2.0 * wp.dot(to_viewer, half) * half - to_viewer)
    else:
        out.direction = cosine_direction(bsdf.normal, wp.vec2((u[0] - share) / (1.0 - share), u[1]))
    out.distance_m = DISTANT_M
    cosine = wp.dot(bsdf.normal, out.direction)
    if cosine > 0.0:
        density = (1.0 - share) * cosine / wp.pi
        if share > 0.0:
            density += share * visible_normal_density(bsdf, to_viewer, out.direction)
        out.radiance = lights.radiance[row, light] / density
        if lights.texture[light] != NO_TEXTURE:
            out.uv = dome_uv(lights.world_from_light[row, light], out.direction)
    return out
