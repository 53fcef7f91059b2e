"""Direct light: one shadow ray towards a light and one for the ambient term, for every sub-pixel sample.

Of all lights one is chosen in proportion to what it would give unoccluded (resampled importance sampling, Talbot et al.,
EGSR 2005), so that the cost of a sample does not grow with shadow rays per light. The ambient term is a constant
radiance that reaches a point unless something within `ambient_reach_m` is in the way: a stated stand-in for
interreflection, which quality `path` computes.
"""

import warp as wp

from .camera import Ray, Views, camera_ray, pixel_of, pixel_spread
from .geometry import Geometry
from .light import LightKind, Lights, cosine_direction, dome_radiance, sample_light
from .material import Bsdf, Materials, bsdf_at, evaluate, reflectance_of_dome
from .random import RandomKey, uniform4
from .surface import Surface, surface_at
from .trace import MISS, Hit, is_blocked, trace_closest

JITTER_DIMENSION = wp.constant(0)  # dimensions of the counter: sub-pixel position,
LIGHT_DIMENSION = wp.constant(1)  # point of a light and choice of the light,
AMBIENT_DIMENSION = wp.constant(2)  # direction of the ambient ray
R2_X = wp.constant(0.7548776662466927)  # Roberts' R2 sequence: 1 / plastic number and its square
R2_Y = wp.constant(0.5698402909980532)
GOLDEN = wp.constant(0.6180339887498949)
LIGHT_SLOT = wp.constant(0)
AMBIENT_SLOT = wp.constant(1)
SLOT_COUNT = 2
RAY_OFFSET = wp.constant(4.0e-6)  # of the largest coordinate: clears the float32 error of a hit
RAY_OFFSET_M = wp.constant(2.0e-5)  # least offset, for points near the origin
CHANNEL_MEAN = wp.constant(1.0 / 3.0)


@wp.struct
class Look:
    """What light and matter do, for every row."""

    materials: Materials
    lights: Lights
    ambient: wp.array[wp.vec3]  # [row], radiance
    ambient_reach_m: float
    key: RandomKey


@wp.struct
class Sampling:
    """Which sub-pixel sample a launch computes, for pixels `first + i`."""

    first: int
    sample: int
    sample_count: int


@wp.struct
class HitBuffers:
    """Hits of pixel centres, all of the launch's views, and of the present sample where it lies across an edge."""

    center: wp.array[Hit]  # [pixel]
    edge: wp.array[wp.uint8]  # [pixel]
    sample: wp.array[Hit]  # [i], valid where edge is set


@wp.struct
class ShadowRays:
    """Rays that decide whether light arrives, and how much it would be."""

    origin_m: wp.array[wp.vec3]  # [i]
    direction: wp.array2d[wp.vec3]  # [slot, i], unit
    distance_m: wp.array2d[float]  # [slot, i]; 0: nothing to trace
    radiance: wp.array2d[wp.vec3]  # [slot, i]


@wp.func
def random_of(views: Views, pixel: wp.vec3i, dimension: int, key: RandomKey) -> wp.vec4:
    """Return four uniform numbers that belong to a pixel of a frame."""
    return uniform4(views.world[pixel[0]], views.frame[pixel[0]], pixel[1] * views.width + pixel[2], dimension, key)


@wp.func
def shifted(offset: wp.vec2, sample: int) -> wp.vec2:
    """Return point `sample` of the R2 sequence, shifted on the torus."""
    x = offset[0] + R2_X * float(sample)
    y = offset[1] + R2_Y * float(sample)
    return wp.vec2(x - wp.floor(x), y - wp.floor(y))


@wp.func
def sample_ray(views: Views, pixel: wp.vec3i, sample: int, key: RandomKey) -> Ray:
    """Return the ray of a sub-pixel sample: uniform over the pixel, that is, a box filter of one pixel."""
    r = random_of(views, pixel, JITTER_DIMENSION, key)
    u = shifted(wp.vec2(r[0], r[1]), sample)
    return camera_ray(views, pixel[0], float(pixel[2]) + u[0], float(pixel[1]) + u[1])


@wp.kernel(enable_backward=False)
def trace_samples(
    geometry: Geometry, views: Views, key: RandomKey, sampling: Sampling, edge: wp.array[wp.uint8],
    out_hit: wp.array[Hit],
):  # fmt: skip
    """Write the hit of the present sub-pixel sample for pixels that lie across an edge."""
    i = wp.tid()
    if edge[sampling.first + i] == wp.uint8(0):
        return
    pixel = pixel_of(views, sampling.first + i)
    ray = sample_ray(views, pixel, sampling.sample, key)
    out_hit[i] = trace_closest(geometry, views.row[pixel[0]], ray)


@wp.func
def background(look: Look, row: int, direction: wp.vec3, footprint: float) -> wp.vec3:
    """Return what a ray sees that meets nothing: the domes."""
    radiance = wp.vec3(0.0, 0.0, 0.0)
    for light in range(look.lights.count):
        if look.lights.kind[light] == int(LightKind.DOME):
            unit = wp.normalize(direction)
            radiance += dome_radiance(look.lights, look.materials.textures, row, light, unit, footprint)
    return radiance


@wp.func
def write_ray(rays: ShadowRays, slot: int, i: int, direction: wp.vec3, distance_m: float, radiance: wp.vec3):
    """Store a shadow ray."""
    rays.direction[slot, i] = direction
    rays.distance_m[slot, i] = distance_m
    rays.radiance[slot, i] = radiance


@wp.struct
class Chosen:
    """A shadow ray towards one of the lights, and the light of those that cast no shadow."""

    direction: wp.vec3
    distance_m: float
    radiance: wp.vec3
    unshadowed: wp.vec3


@wp.func
def choose_light(look: Look, row: int, surface: Surface, bsdf: Bsdf, to_viewer: wp.vec3, u: wp.vec3) -> Chosen:
    """Return the shadow ray of one light, chosen by what each would give unoccluded, weighted to stay unbiased."""
    chosen = Chosen()
    total = float(0.0)
    weight = float(0.0)
    point = wp.vec2(u[0], u[1])
    choice = u[2]
    for light in range(look.lights.count):
        sample = sample_light(look.lights, look.materials.textures, row, light, surface.position_m, bsdf.normal, point)
        value = wp.vec3(0.0, 0.0, 0.0)
        if wp.dot(surface.face_normal, sample.direction) > 0.0:
            cosine = wp.max(wp.dot(bsdf.normal, sample.direction), 0.0)
            value = wp.cw_mul(sample.radiance, evaluate(bsdf, to_viewer, sample.direction)) * cosine
        size = (value[0] + value[1] + value[2]) * CHANNEL_MEAN
        if look.lights.casts_shadow[light] == 0:
            chosen.unshadowed = chosen.unshadowed + value
        elif size > 0.0:
            total += size
            share = size / total
            if choice < share:
                chosen.direction = sample.direction
                chosen.distance_m = sample.distance_m
                chosen.radiance = value
                weight = size
                choice = choice / share
            else:
                choice = (choice - share) / (1.0 - share)
    if weight > 0.0:
        chosen.radiance = chosen.radiance * (total / weight)
    return chosen


@wp.kernel(enable_backward=False)
def shade_direct(
    geometry: Geometry, views: Views, look: Look, sampling: Sampling, hits: HitBuffers,
    out_rays: ShadowRays, out_radiance: wp.array[wp.vec3],
):  # fmt: skip
    """Add what needs no shadow ray to the pixel's radiance, and write the rays that decide about the rest."""
    i = wp.tid()
    index = sampling.first + i
    pixel = pixel_of(views, index)
    view = pixel[0]
    row = views.row[view]
    hit = hits.center[index]
    ray = camera_ray(views, view, float(pixel[2]) + 0.5, float(pixel[1]) + 0.5)
    if hits.edge[index] != wp.uint8(0):
        hit = hits.sample[i]
        ray = sample_ray(views, pixel, sampling.sample, look.key)
    spread = pixel_spread(views, view)
    nothing = wp.vec3(0.0, 0.0, 0.0)
    if hit.placement == MISS:
        out_radiance[i] = out_radiance[i] + background(look, row, ray.direction, spread / (2.0 * wp.pi))
        write_ray(out_rays, LIGHT_SLOT, i, nothing, 0.0, nothing)
        write_ray(out_rays, AMBIENT_SLOT, i, nothing, 0.0, nothing)
        return
    if views.orthographic[view] != 0:
        spread = spread / wp.max(hit.t, 1.0e-6)
    override = look.materials.override[row, geometry.instance[hit.placement]]
    surface = surface_at(geometry, row, ray, hit, override, spread)
    bsdf = bsdf_at(look.materials, row, surface)
    to_viewer = -wp.normalize(ray.direction)
    largest = wp.max(wp.abs(surface.position_m))
    offset = wp.max(RAY_OFFSET * largest, RAY_OFFSET_M)
    out_rays.origin_m[i] = surface.position_m + surface.face_normal * offset
    r = random_of(views, pixel, LIGHT_DIMENSION, look.key)
    u = shifted(wp.vec2(r[0], r[1]), sampling.sample)
    choice = r[2] + GOLDEN * float(sampling.sample)
    chosen = choose_light(look, row, surface, bsdf, to_viewer, wp.vec3(u[0], u[1], choice - wp.floor(choice)))
    write_ray(out_rays, LIGHT_SLOT, i, chosen.direction, chosen.distance_m, chosen.radiance)
    out_radiance[i] = out_radiance[i] + bsdf.emission + chosen.unshadowed
    a = random_of(views, pixel, AMBIENT_DIMENSION, look.key)
    direction = cosine_direction(bsdf.normal, shifted(wp.vec2(a[0], a[1]), sampling.sample))
    albedo = bsdf.diffuse + reflectance_of_dome(bsdf, wp.max(wp.dot(bsdf.normal, to_viewer), 0.0))
    ambient = wp.cw_mul(look.ambient[row], albedo)
    write_ray(out_rays, AMBIENT_SLOT, i, direction, look.ambient_reach_m, ambient)


@wp.kernel(enable_backward=False)
def trace_shadow(
    geometry: Geometry, views: Views, first: int, rays: ShadowRays, out_radiance: wp.array[wp.vec3]
):
    """Add the light of every shadow ray that nothing blocks."""
    i = wp.tid()
    pixel = pixel_of(views, first + i)
    radiance = out_radiance[i]
    ray = Ray()
    for slot in range(SLOT_COUNT):
        distance = rays.distance_m[slot, i]
        if distance > 0.0:
            ray.origin = rays.origin_m[i]
            ray.direction = rays.direction[slot, i]
            if not is_blocked(geometry, views.row[pixel[0]], ray, distance):
                radiance += rays.radiance[slot, i]
    out_radiance[i] = radiance
