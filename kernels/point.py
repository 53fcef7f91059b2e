"""Shading points: the surface and the material that a sample sees, ready for light."""

import warp as wp

from .camera import Views, camera_ray, pixel_of, pixel_spread
from .geometry import Geometry
from .light import LightKind, Lights, dome_radiance
from .material import Bsdf, Materials, bsdf_at
from .sample import Sampling, sample_ray
from .surface import spread_at, surface_at
from .trace import MISS, Hit

GONE = wp.constant(-2)  # placement of a ray that ended at an earlier surface
RAY_OFFSET = wp.constant(4.0e-6)  # of the largest coordinate: clears the float32 error of a hit
RAY_OFFSET_M = wp.constant(2.0e-5)  # least offset, for points near the origin


@wp.struct
class Point:
    """A point to be lit. Where a ray met nothing, `lit` is 0 and `bsdf.emission` is the background."""

    lit: int
    is_edge: int  # 1: the next sample has a point of its own
    row: int
    placement: int
    position_m: wp.vec3
    origin_m: wp.vec3  # of shadow rays, clear of the surface
    face_normal: wp.vec3
    to_viewer: wp.vec3
    bsdf: Bsdf


@wp.struct
class HitBuffers:
    """Hits of pixel centres, all of the launch's views, and of the present sample where it lies across an edge."""

    layer: int  # 0: the first surface of a ray; others have a sample's hit for every pixel, or GONE

    center: wp.array[Hit]  # [pixel]
    edge: wp.array[wp.uint8]  # [pixel]
    sample: wp.array[Hit]  # [i], valid where edge is set


@wp.func
def background(lights: Lights, row: int, direction: wp.vec3, footprint: float) -> wp.vec3:
    """Return what a ray sees that meets nothing: the domes."""
    radiance = wp.vec3(0.0, 0.0, 0.0)
    for light in range(lights.count):
        if lights.kind[light] == int(LightKind.DOME):
            unit = wp.normalize(direction)
            radiance += dome_radiance(lights, row, light, unit, footprint)
    return radiance


@wp.kernel(enable_backward=False)
def find_points(
    geometry: Geometry, views: Views, materials: Materials, lights: Lights, sampling: Sampling, hits: HitBuffers,
    out_point: wp.array[Point],
):  # fmt: skip
    """Write the shading point of the present sample; a pixel without an edge keeps that of its first sample."""
    i = wp.tid()
    index = sampling.first + i
    is_edge = hits.layer > 0 or hits.edge[index] != wp.uint8(0)
    if sampling.sample > 0 and not is_edge:
        return
    pixel = pixel_of(views, index)
    view = pixel[0]
    hit = hits.center[index]
    ray = camera_ray(views, view, float(pixel[2]) + 0.5, float(pixel[1]) + 0.5)
    if is_edge:
        hit = hits.sample[i]
        ray = sample_ray(views, pixel, sampling)
    point = Point()
    if hit.placement == GONE:
        out_point[i] = point
        return
    point.row = views.row[view]
    point.is_edge = wp.where(is_edge, 1, 0)
    if hit.placement == MISS:
        spread = pixel_spread(views, view)
        point.bsdf.emission = background(lights, point.row, ray.direction, spread / (2.0 * wp.pi))
        out_point[i] = point
        return
    override = materials.override[point.row, geometry.instance[hit.placement]]
    surface = surface_at(geometry, point.row, ray, hit, override, spread_at(views, view, hit.t))
    point.lit = 1
    point.placement = hit.placement
    point.position_m = surface.position_m
    point.face_normal = surface.face_normal
    point.to_viewer = surface.to_viewer
    point.bsdf = bsdf_at(materials, point.row, surface)
    offset = wp.max(RAY_OFFSET * wp.max(wp.abs(surface.position_m)), RAY_OFFSET_M)
    point.origin_m = surface.position_m + surface.face_normal * offset
    out_point[i] = point
