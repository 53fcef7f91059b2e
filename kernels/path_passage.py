"""Paths of light through cut-outs and glass, in scenes that have any: the camera's rays are paths from the start.

A surface that is there in part (opacityMode presence) is met or passed at random, in proportion. Glass (a transparent
material whose opacity is below 1) is always met: what its body lets through is bent by the ior where the mesh is
closed, and goes straight on where it is a sheet.
"""

import warp as wp

from .camera import ORTHOGRAPHIC, LensModel, Ray, Views, pixel_of, row_at
from .geometry import Geometry
from .native_source import native
from .opacity import (
    MAX_CROSSED,
    Opacities,
    OpacityKind,
    facing,
    is_same_crossing,
    material_of,
    next_hit,
    opacity_at,
    start_at,
    stopped_share,
)
from .path import SEES_DOMES, Bounce, Glass, Paths
from .point import DIFFUSE_FIELD, GLOSS_FIELD, Points, point_index
from .random import uniform4
from .sample import Sampling, ray_through, sample_offset, sample_shot
from .surface import ANISOTROPY_SHARE, corner_uv, footprint_at
from .trace import FAR_M, MISS, Hit
from .transform import transform_vector

LAST_PLANAR = wp.constant(int(LensModel.BROWN_CONRADY))  # of lens models, whose depth is along the axis
PASSING_DIMENSION = wp.constant(64)  # of a pixel's counter: the first of those that decide what a ray passes
GOLDEN = wp.constant(0.6180339887)  # from one surface of a ray to its next
PLASTIC = wp.constant(0.7548776662)  # from one sample to the next
COAT_FIELD = wp.constant(32)  # where fields of a point begin, see native/point.cpp
F0_FIELD = wp.constant(22)


@wp.func_native(
    native("lanes", "lens", "camera", "point", "sequence", "path", constants={"SEES_DOMES": int(SEES_DOMES)})
    + """
    Path p;
    p.origin = omm::vec3(ray.origin[0], ray.origin[1], ray.origin[2]);
    p.direction = omm::vec3(ray.direction[0], ray.direction[1], ray.direction[2]);
    p.throughput = omm::vec3(1.0f, 1.0f, 1.0f);
    p.width = omm::splat(width);
    p.spread = omm::splat(spread);
    p.sees_lights = omm::splat_int(SEES_DOMES);
    p.pixel = omm::splat_int(i);
    p.row = omm::splat_int(row);
    p.view = omm::splat_int(pixel[0]);
    p.curve = (I)(spread_bits((U)omm::splat_int(pixel[2])) | (spread_bits((U)omm::splat_int(pixel[1])) << 1));
    keep_path(out_paths, p, 0);
"""
)
def keep_camera_path(out_paths: Paths, ray: Ray, width: float, spread: float, pixel: wp.vec3i, row: int, i: int):
    """Write a path that begins at the camera."""


@wp.func_native(
    native("lanes", "lens", "camera", "point", "path")
    + """
    const float* slot = path_floats(paths.value.data, i);
    return slot[field * OMM_GROUP];
"""
)
def path_float(paths: Paths, i: int, field: int) -> float:  # type: ignore[empty-body]
    """Return a field of a path; see native/path.cpp."""


@wp.func
def path_ray(paths: Paths, i: int) -> Ray:
    """Return where a path goes."""
    ray = Ray()
    ray.origin = wp.vec3(path_float(paths, i, 5), path_float(paths, i, 6), path_float(paths, i, 7))
    ray.direction = wp.vec3(path_float(paths, i, 8), path_float(paths, i, 9), path_float(paths, i, 10))
    return ray


@wp.func
def path_int(paths: Paths, i: int, field: int) -> int:
    """Return a whole number of a path: 0 sees_lights, 1 pixel, 2 row, 3 view."""
    return wp.cast(path_float(paths, i, field), wp.int32)


@wp.func
def path_footprint(geometry: Geometry, paths: Paths, i: int, ray: Ray, hit: Hit) -> wp.vec2:
    """Return the width of a path's cone at a hit in either set of texture coordinates."""
    width = path_float(paths, i, 14) + path_float(paths, i, 15) * hit.t
    triangle = geometry.first_triangle[hit.placement] + hit.triangle
    world_from_mesh = geometry.world_from_mesh[path_int(paths, i, 2), hit.placement]
    edge_1 = transform_vector(world_from_mesh, geometry.point_m[triangle, 1] - geometry.point_m[triangle, 0])
    edge_2 = transform_vector(world_from_mesh, geometry.point_m[triangle, 2] - geometry.point_m[triangle, 0])
    area = wp.cross(edge_1, edge_2)
    uv = corner_uv(geometry.uv, triangle)
    return footprint_at(uv, corner_uv(geometry.uv2, triangle), area, ray.direction, width, ANISOTROPY_SHARE)


@wp.kernel(enable_backward=False, cuda_max_registers=96)
def begin_camera_paths(views: Views, sampling: Sampling, out_paths: Paths):
    """Write the rays of the present sub-pixel sample."""
    i = wp.tid()
    if i >= sampling.span.count:
        return
    pixel = pixel_of(views, sampling.span.first + i)
    offset_px = sample_offset(views, pixel, sampling)
    shot = sample_shot(views, pixel, sampling)
    ray = ray_through(views, pixel, offset_px, shot)
    length = wp.length(ray.direction)
    if length == 0.0:
        return  # the lens sends no ray
    spread = ray.spread / length
    ray.direction = ray.direction / length
    width = float(0.0)
    if views.lens[pixel[0]] == ORTHOGRAPHIC:  # whose spread is a width
        width = spread
        spread = float(0.0)
    keep_camera_path(out_paths, ray, width, spread, pixel, row_at(views, pixel[0], shot[2]), i)


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def pass_paths(
    geometry: Geometry, views: Views, opacities: Opacities, sampling: Sampling, bounce: Bounce,
    out_hit: wp.array[Hit], out_overflow: wp.array[int],
):  # fmt: skip
    """Write the surfaces that the rays under way meet."""
    i = wp.tid()
    paths = bounce.paths
    if i >= paths.count[0]:
        return
    ray = path_ray(paths, i)
    row = path_int(paths, i, 2)
    view = path_int(paths, i, 3)
    hit = start_at(0.0)
    far = FAR_M
    if bounce.depth == 0 and views.clip_m.shape[0] > 0:
        pose = views.world_from_camera[view]
        ahead = wp.max(-wp.dot(ray.direction, wp.vec3(pose[0, 2], pose[1, 2], pose[2, 2])), 1.0e-6)
        if views.lens[view] > LAST_PLANAR:
            ahead = float(1.0)  # what is clipped is range
        hit = start_at(wp.max(views.clip_m[view][0], 0.0) / ahead)
        far = wp.min(views.clip_m[view][1] / ahead, FAR_M)
    place = pixel_of(views, sampling.span.first + path_int(paths, i, 1))
    pixel = place[1] * views.width + place[2]
    u = uniform4(views.world[view], views.frame[view], pixel, PASSING_DIMENSION + bounce.depth, sampling.key)
    choice = u[0] + PLASTIC * float(sampling.sample)
    crossed = int(0)
    while crossed < MAX_CROSSED:
        last = hit
        hit = next_hit(geometry.trees, row, ray, last, far, 0)
        if hit.placement == MISS:
            break
        if is_same_crossing(geometry, last, hit):
            continue
        material = material_of(geometry, opacities, row, hit)
        kind = opacities.kind[material]
        if kind == int(OpacityKind.OPAQUE) or kind == int(OpacityKind.TRANSPARENT):
            break
        choice = choice + GOLDEN
        choice = choice - wp.floor(choice)
        if stopped_share(geometry, opacities, material, hit, path_footprint(geometry, paths, i, ray, hit)) > choice:
            break
        crossed += 1
    if crossed == MAX_CROSSED:
        hit.placement = MISS
        wp.atomic_add(out_overflow, 0, 1)
    out_hit[i] = hit


@wp.kernel(enable_backward=False)
def find_glass(
    geometry: Geometry, opacities: Opacities, paths: Paths, hit: wp.array[Hit], out_point: Points, out_glass: Glass
):
    """Write what is glass of the surfaces that rays have met; its gloss leaves the points, and part of its body."""
    i = wp.tid()
    if i >= paths.count[0]:
        return
    out_glass.eta[i] = 0.0
    met = hit[i]
    if met.placement == MISS:
        return
    row = path_int(paths, i, 2)
    material = material_of(geometry, opacities, row, met)
    if opacities.kind[material] != int(OpacityKind.TRANSPARENT):
        return
    ray = path_ray(paths, i)
    opacity = opacity_at(geometry, opacities, material, met, path_footprint(geometry, paths, i, ray, met))
    if opacity >= 1.0:
        return
    ior = opacities.ior[material]
    eta = wp.where(facing(geometry, row, ray, met) < 0.0, ior, 1.0 / ior)
    out_glass.eta[i] = wp.where(opacities.solid[met.placement] != 0, eta, -ior)
    out_glass.through[i] = 1.0 - opacity
    for channel in range(3):
        at = point_index(out_point, i, DIFFUSE_FIELD + channel)
        out_point.value[at] = out_point.value[at] * opacity
        out_point.value[point_index(out_point, i, GLOSS_FIELD + channel)] = 0.0
    for field in range(6):
        out_point.value[point_index(out_point, i, F0_FIELD + field)] = 0.0
    out_point.value[point_index(out_point, i, COAT_FIELD)] = 0.0
