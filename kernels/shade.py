"""Direct light: a shadow ray towards every light and one for the ambient term, for every sub-pixel sample.

On a smooth surface lights take turns: one is asked at every `light_stride`-th sample, with that weight. Beyond
MAX_LIGHT_SLOTS lights share rays: of those that share one, it goes to a light chosen in proportion to what each would
give unoccluded (resampled importance sampling, Talbot et al., EGSR 2005), which stays unbiased. The ambient term is a
constant radiance, of which AMBIENT_OPEN_SHARE always arrives and the rest where nothing nearer than `ambient_reach_m`
is in the way: a stated stand-in for interreflection.
"""

import warp as wp

from .camera import Views, pixel_of
from .dome import mean_of, sample_dome
from .light import (
    ALL_PLACEMENTS,
    IMAGE_FOOTPRINT,
    NO_TEXTURE,
    LightKind,
    Lights,
    LightSample,
    cosine_direction,
    image_radiance,
    lights_placement,
    sample_light,
)
from .material import evaluate, reflectance_of_dome
from .point import Point
from .sample import Sampling, sequence_index, sequence_point

MAX_LIGHT_SLOTS = 8
SHORT_OF_LIGHT = wp.constant(1.0 - 1.0e-4)  # of the way to a light: its own fitting, in the same plane, casts no shadow
LEAST_REACH_M = wp.constant(1.0e-6)  # of a shadow ray: a length of 0 would say that there is nothing to ask
AMBIENT_OPEN_SHARE = wp.constant(0.35)  # of the ambient term, which a point in a corner still gets: no pit is black


@wp.struct
class ShadowRays:
    """Rays that decide whether light arrives, and how much it would be."""

    light_slots: int  # slots of lights; the ambient term's comes after them
    light_stride: int  # samples from one turn of a light to its next on a smooth surface; divides the sample count
    direction: wp.array2d[wp.vec3]  # [slot, i], unit
    distance_m: wp.array2d[float]  # [slot, i]; 0: nothing to trace
    radiance: wp.array2d[wp.vec3]  # [slot, i]
    link: wp.array2d[int]  # [slot, i], row of Lights.link: what may block the ray, or ALL_PLACEMENTS; empty: all


@wp.struct
class Arrival:
    """A shadow ray and what arrives if nothing blocks it."""

    direction: wp.vec3
    distance_m: float  # 0: nothing to trace
    radiance: wp.vec3
    link: int


@wp.func
def write_ray(rays: ShadowRays, slot: int, i: int, arrival: Arrival):
    """Store a shadow ray."""
    rays.direction[slot, i] = arrival.direction
    rays.distance_m[slot, i] = arrival.distance_m
    rays.radiance[slot, i] = arrival.radiance
    if rays.link.shape[0] > 0:
        rays.link[slot, i] = arrival.link


@wp.func
def turn_stride(point: Point, rays: ShadowRays) -> int:
    """Return how many samples lie between two turns of a slot; across an edge every sample asks every light."""
    return wp.where(point.is_edge != 0, 1, rays.light_stride)


@wp.func
def shadow_length(lights: Lights, light: int, distance_m: float, u: float) -> float:
    """Return how far from the point something shades it, for a uniform number: fading is a random length.

    An occluder at t then shades with probability ((reach - t) / fade)^gamma, which is UsdLuxShadowAPI's falloff.
    """
    reach = lights.control[light].shadow_reach
    length_m = reach[0]
    if reach[1] > 0.0:
        length_m -= reach[1] * wp.pow(u, reach[2])
    length_m = length_m / SHORT_OF_LIGHT
    return wp.clamp(length_m, LEAST_REACH_M, distance_m)


@wp.func
def arrival_of(lights: Lights, light: int, point: Point, u: wp.vec2) -> Arrival:
    """Return a ray towards a light and the radiance that it would send to the viewer if nothing blocks it."""
    out = Arrival()
    out.link = ALL_PLACEMENTS
    if wp.length_sq(lights.radiance[point.row, light]) == 0.0 or not lights_placement(lights, light, point.placement):
        return out
    sample = LightSample()
    if lights.kind[light] == int(LightKind.DOME):
        sample = sample_dome(lights, point.row, light, point.bsdf, point.to_viewer, u)
    else:
        sample = sample_light(lights, point.row, light, point.position_m, u)
    cosine = wp.dot(point.bsdf.normal, sample.direction)
    if cosine > 0.0 and wp.dot(point.face_normal, sample.direction) > 0.0:
        out.direction = sample.direction
        out.distance_m = sample.distance_m
        scattered = evaluate(point.bsdf, point.to_viewer, sample.direction, lights.control[light].lobes)
        out.radiance = wp.cw_mul(sample.radiance, scattered) * cosine
        if lights.texture[light] != NO_TEXTURE:  # one place for all kinds: what is inlined twice slows every light
            image = image_radiance(lights, light, sample.uv, IMAGE_FOOTPRINT)
            out.radiance = wp.cw_mul(out.radiance, image)
        out.link = lights.control[light].shading
    return out


@wp.func
def ambient_arrival(lights: Lights, point: Point, u: wp.vec2) -> Arrival:
    """Return the ray of the ambient term, with cosine density, and what it brings."""
    n_dot_v = wp.max(wp.dot(point.bsdf.normal, point.to_viewer), 0.0)
    albedo = point.bsdf.diffuse + reflectance_of_dome(point.bsdf, n_dot_v)
    out = Arrival()
    out.direction = cosine_direction(point.bsdf.normal, u)
    out.distance_m = lights.ambient_reach_m
    out.radiance = wp.cw_mul(lights.ambient[point.row], albedo)
    out.link = ALL_PLACEMENTS
    return out


@wp.func
def write_light_rays(
    lights: Lights, point: Point, u: wp.vec3, sample: int, rays: ShadowRays, i: int
) -> wp.vec3:  # fmt: skip
    """Write a shadow ray for every slot whose turn it is; return the light that arrives through any shadow."""
    stride = turn_stride(point, rays)
    unshadowed = wp.vec3(0.0, 0.0, 0.0)
    for slot in range(rays.light_slots):
        if (slot + sample) % stride != 0:
            rays.distance_m[slot, i] = 0.0
            continue
        kept = Arrival()
        kept_light = int(-1)
        kept_size = float(0.0)
        total = float(0.0)
        choice = u[2]
        light = int(slot)
        while light < lights.count:
            found = arrival_of(lights, light, point, wp.vec2(u[0], u[1]))
            open_share = lights.control[light].shadow_color
            unshadowed += wp.cw_mul(found.radiance, open_share) * float(stride)
            found.radiance = wp.cw_mul(found.radiance, wp.vec3(1.0, 1.0, 1.0) - open_share)
            size = mean_of(found.radiance)
            if size > 0.0:
                total += size
                share = size / total
                if choice < share:
                    kept = found
                    kept_light = light
                    kept_size = size
                    choice = choice / share
                else:
                    choice = (choice - share) / (1.0 - share)
            light += rays.light_slots
        if kept_size > 0.0:
            kept.radiance = kept.radiance * (float(stride) * total / kept_size)
            kept.distance_m = shadow_length(lights, kept_light, kept.distance_m, choice)
        write_ray(rays, slot, i, kept)
    return unshadowed


@wp.kernel(enable_backward=False)
def light_points(
    views: Views, lights: Lights, sampling: Sampling, point: wp.array[Point], out_rays: ShadowRays,
    out_radiance: wp.array[wp.vec3],
):  # fmt: skip
    """Add what needs no shadow ray to the pixel's radiance, and write the rays that decide about the rest."""
    i = wp.tid()
    p = point[i]
    if p.lit == 0:
        out_radiance[i] = out_radiance[i] + p.bsdf.emission
        for slot in range(out_rays.light_slots + 1):
            out_rays.distance_m[slot, i] = 0.0
        return
    pixel = pixel_of(views, sampling.first + i)
    n = sequence_index(views, pixel, sampling)
    u = sequence_point(n, views.light_shift[pixel[0]])
    unshadowed = write_light_rays(lights, p, u, sampling.sample, out_rays, i)
    a = sequence_point(n, views.ambient_shift[pixel[0]])
    ambient = ambient_arrival(lights, p, wp.vec2(a[0], a[1]))
    unshadowed += ambient.radiance * AMBIENT_OPEN_SHARE
    stride = turn_stride(p, out_rays)
    ambient.radiance = ambient.radiance * ((1.0 - AMBIENT_OPEN_SHARE) * float(stride))
    if (out_rays.light_slots + sampling.sample) % stride != 0:
        ambient.distance_m = 0.0
    write_ray(out_rays, out_rays.light_slots, i, ambient)
    out_radiance[i] = out_radiance[i] + p.bsdf.emission + unshadowed
