"""Images of the pixel centres beside depth, normals and ids: what the geometry of a hit tells.

Places come from the ray and its parameter, which are exact to float32; weights of a hit's corners have 16 bits.
"""

import warp as wp

from .camera import (
    BlurValue,
    Ray,
    Span,
    Views,
    camera_ray,
    has_blur,
    label_row,
    lens_ray,
    pixel_of,
    row_time_s,
    turned_later,
    vector_of_blur,
)
from .geometry import Geometry, Trees
from .resolve import LabelImages
from .surface import corner_uv, own_material, uv_at
from .trace import MISS, Hit, unpack_barycentric
from .transform import mat34, transform_point, transform_vector

WEIGHT_STEP = wp.constant(1.0 / 65535.0)  # by which the stored weights of a hit may be off


@wp.struct
class GeometryImages:
    """Images [view, y, x]; empty ones were not asked for."""

    range_m: wp.array3d[float]  # from the camera's centre, infinite: nothing
    normal_camera: wp.array4d[float]  # towards the viewer, 0: nothing
    part: wp.array3d[int]  # placement, -1: nothing
    material: wp.array3d[int]  # after randomisation, -1: nothing
    position: wp.array4d[float]  # world, NaN: nothing
    uv: wp.array4d[float]  # of the first set, NaN: nothing, or a mesh without it
    nocs: wp.array4d[float]  # in the object's box, NaN: nothing
    edge: wp.array3d[wp.uint8]  # see outline.py


@wp.struct
class Objects:
    """What the images need to know of instances and meshes; what no image needs is empty."""

    low_m: wp.array[wp.vec3]  # [instance], bounds in the instance's frame
    high_m: wp.array[wp.vec3]  # [instance]
    world_from_instance: wp.array2d[mat34]  # [row, instance]
    override: wp.array2d[int]  # [row, instance], material; -1: each triangle's own
    has_uv: wp.array[wp.uint8]  # [placement]


@wp.func
def mesh_from_world(trees: Trees, row: int, placement: int) -> mat34:
    """Return the inverse of a placement's pose, which is all that a row keeps of it."""
    out = mat34()
    for column in range(4):
        for axis in range(3):
            out[axis, column] = trees.record[row, placement, 4 * column + axis]
    return out


@wp.func
def center_ray(views: Views, pixel: wp.vec3i) -> Ray:
    """Return the ray of a pixel's label, in the world at the moment of its image row."""
    return camera_ray(views, pixel[0], float(pixel[2]) + 0.5, float(pixel[1]) + 0.5)


@wp.func
def center_row(views: Views, pixel: wp.vec3i) -> int:
    """Return the row of Worlds that a pixel's label shows."""
    return label_row(views, pixel[0], float(pixel[1]) + 0.5)


@wp.func
def into_camera(views: Views, pixel: wp.vec3i, vector: wp.vec3) -> wp.vec3:
    """Return a vector of the world in the frame that the camera has when it exposes a pixel."""
    view = pixel[0]
    if has_blur(views):
        spin_rad_s = vector_of_blur(views, view, int(BlurValue.SPIN_X))
        vector = turned_later(vector, spin_rad_s, -row_time_s(views, view, float(pixel[1]) + 0.5))
    pose = views.world_from_camera[view]
    axes = wp.mat33(
        pose[0, 0], pose[0, 1], pose[0, 2], pose[1, 0], pose[1, 1], pose[1, 2], pose[2, 0], pose[2, 1], pose[2, 2]
    )  # fmt: skip
    return wp.transpose(axes) * vector


@wp.func
def weights_at(geometry: Geometry, triangle: int, point: wp.vec3, hit: Hit) -> wp.vec3:
    """Return the weights of a triangle's corners at a point of it, which differ from the stored ones by rounding only.

    Where a triangle is so small or thin that its points are known worse than by 16 bits of it, that is what they are.
    """
    stored = unpack_barycentric(hit.uv)
    corner = geometry.point_m[triangle, 0]
    edge_1 = geometry.point_m[triangle, 1] - corner
    edge_2 = geometry.point_m[triangle, 2] - corner
    across = wp.cross(edge_1, edge_2)
    area2 = wp.dot(across, across)
    if area2 <= 0.0:
        return stored
    beside = point - corner
    u = wp.dot(wp.cross(beside, edge_2), across) / area2
    v = wp.dot(wp.cross(edge_1, beside), across) / area2
    u = wp.clamp(u, stored[1] - WEIGHT_STEP, stored[1] + WEIGHT_STEP)
    v = wp.clamp(v, stored[2] - WEIGHT_STEP, stored[2] + WEIGHT_STEP)
    return wp.vec3(1.0 - u - v, u, v)


@wp.func
def object_coordinates(objects: Objects, row: int, instance: int, point: wp.vec3) -> wp.vec3:
    """Return a point of an instance's frame in its box: centred at 0.5, with the box's diagonal as the unit.

    The frame's axes are taken as long as the row makes them, so that one similarity leads from here to the world.

    Source: Wang et al., "Normalized Object Coordinate Space for Category-Level 6D Object Pose and Size Estimation",
    CVPR 2019, section 3.
    """
    pose = objects.world_from_instance[row, instance]
    scale = wp.vec3(
        wp.length(wp.vec3(pose[0, 0], pose[1, 0], pose[2, 0])),
        wp.length(wp.vec3(pose[0, 1], pose[1, 1], pose[2, 1])),
        wp.length(wp.vec3(pose[0, 2], pose[1, 2], pose[2, 2])),
    )
    low = objects.low_m[instance]
    high = objects.high_m[instance]
    diagonal_m = wp.length(wp.cw_mul(scale, high - low))
    half = wp.vec3(0.5, 0.5, 0.5)
    if diagonal_m <= 0.0:
        return half
    at = half + wp.cw_mul(scale, point - 0.5 * (low + high)) / diagonal_m
    return wp.max(wp.min(at, wp.vec3(1.0, 1.0, 1.0)), wp.vec3(0.0, 0.0, 0.0))


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def annotate_rays(
    views: Views, span: Span, hit: wp.array[Hit], labels: LabelImages, out_images: GeometryImages
):  # fmt: skip
    """Write range, position and camera normal of a span's pixels; `hit` holds those of all the launch's pixels."""
    for i in range(wp.tid() * span.run, wp.min((wp.tid() + 1) * span.run, span.count)):
        index = span.first + i
        pixel = pixel_of(views, index)
        view, y, x = pixel[0], pixel[1], pixel[2]
        is_hit = hit[index].placement != MISS
        t = hit[index].t
        if out_images.range_m.shape[0] > 0:
            range_m = wp.inf
            if is_hit:
                ray = lens_ray(views, view, float(x) + 0.5, float(y) + 0.5)
                range_m = wp.length(ray.origin + ray.direction * t)
            out_images.range_m[view, y, x] = range_m
        if out_images.position.shape[0] > 0:
            position = wp.vec3(wp.nan, wp.nan, wp.nan)
            if is_hit:
                center = center_ray(views, pixel)
                position = center.origin + center.direction * t
            for axis in range(3):
                out_images.position[view, y, x, axis] = position[axis]
        if out_images.normal_camera.shape[0] > 0:
            normal = wp.vec3()
            if is_hit:
                normal = into_camera(views, pixel, labels.normal[view, y, x])
            for axis in range(3):
                out_images.normal_camera[view, y, x, axis] = normal[axis]


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def annotate_surfaces(
    geometry: Geometry, views: Views, span: Span, hit: wp.array[Hit], objects: Objects, out_images: GeometryImages
):  # fmt: skip
    """Write the ids and the coordinates of surfaces that a span's pixels see."""
    for i in range(wp.tid() * span.run, wp.min((wp.tid() + 1) * span.run, span.count)):
        index = span.first + i
        pixel = pixel_of(views, index)
        view, y, x = pixel[0], pixel[1], pixel[2]
        met = hit[index]
        part = met.placement
        is_hit = part != MISS
        if out_images.part.shape[0] > 0:
            out_images.part[view, y, x] = wp.where(is_hit, part, -1)
        row = center_row(views, pixel)
        triangle = int(0)
        if is_hit:
            triangle = geometry.first_triangle[part] + met.triangle
        if out_images.material.shape[0] > 0:
            material = int(-1)
            if is_hit:
                material = objects.override[row, geometry.instance[part]]
                if material < 0:
                    material = own_material(geometry, part, triangle)
            out_images.material[view, y, x] = material
        if out_images.uv.shape[0] == 0 and out_images.nocs.shape[0] == 0:
            continue
        uv = wp.vec2(wp.nan, wp.nan)
        nocs = wp.vec3(wp.nan, wp.nan, wp.nan)
        if is_hit:
            there = mesh_from_world(geometry.trees, row, part)
            ray = center_ray(views, pixel)
            point = transform_point(there, ray.origin) + transform_vector(there, ray.direction) * met.t
            if out_images.nocs.shape[0] > 0:
                at = transform_point(geometry.instance_from_mesh[part], point)
                nocs = object_coordinates(objects, row, geometry.instance[part], at)
            if objects.has_uv.shape[0] > 0 and objects.has_uv[part] != wp.uint8(0):
                uv = uv_at(corner_uv(geometry.uv, triangle), weights_at(geometry, triangle, point, met))
        if out_images.uv.shape[0] > 0:
            out_images.uv[view, y, x, 0] = uv[0]
            out_images.uv[view, y, x, 1] = uv[1]
        if out_images.nocs.shape[0] > 0:
            for axis in range(3):
                out_images.nocs[view, y, x, axis] = nocs[axis]
