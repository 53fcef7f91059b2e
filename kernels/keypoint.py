"""Keypoints: whether the ray through each meets something before it, and so whether it is seen.

A keypoint inside of its own instance is seen through as much of it as its depth and the tolerance; others hide it
however near they are to it, but for what touches it.
"""

from enum import IntEnum

import warp as wp

from .camera import Ray, Span, Views, camera_ray, label_row
from .geometry import Geometry
from .trace import MISS, Hit, trace_closest

TOUCH_M = wp.constant(1.0e-3)  # a surface of another instance so near before a keypoint touches it
TOUCH_SHARE = wp.constant(1.0e-5)  # of the distance: some hundred roundings of it


class Visibility(IntEnum):
    """What the third number of a keypoint says; the values of COCO."""

    OUTSIDE = 0
    HIDDEN = 1
    SEEN = 2


@wp.struct
class Keypoints:
    """The keypoints of a batch, which the host has projected."""

    count: int  # of a view
    instance: wp.array[int]  # [keypoint]
    depth_m: wp.array[float]  # [keypoint], below the surface of its instance
    sight: wp.array2d[wp.vec3]  # [view, keypoint], x, y [px], depth as rays have it; below 0: not in the image
    tolerance_m: float
    value: wp.array2d[wp.vec3]  # [view, keypoint], x, y, Visibility


@wp.func
def keypoint_ray(views: Views, view: int, sight: wp.vec3) -> Ray:
    """Return the ray of a label at the place of a keypoint."""
    return camera_ray(views, view, sight[0], sight[1])


@wp.func
def visibility(geometry: Geometry, keypoints: Keypoints, keypoint: int, ray: Ray, hit: Hit, depth: float) -> int:
    """Return whether a keypoint is seen, given the first labelled hit of its ray."""
    if hit.placement == MISS:
        return int(Visibility.SEEN)
    scale = wp.length(ray.direction)
    before_m = (depth - hit.t) * scale
    allowed_m = TOUCH_M
    if geometry.instance[hit.placement] == keypoints.instance[keypoint]:
        allowed_m = keypoints.tolerance_m + keypoints.depth_m[keypoint]
    if before_m <= allowed_m + TOUCH_SHARE * depth * scale:
        return int(Visibility.SEEN)
    return int(Visibility.HIDDEN)


@wp.func
def store(out_keypoints: Keypoints, view: int, keypoint: int, sight: wp.vec3, seen: int):
    """Write a keypoint that is in the image."""
    out_keypoints.value[view, keypoint] = wp.vec3(sight[0], sight[1], float(seen))


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def see_keypoints(geometry: Geometry, views: Views, span: Span, out_keypoints: Keypoints):
    """Write the keypoints of a span, which counts through the views."""
    thread = wp.tid()
    for k in range(span.run):
        i = thread * span.run + k
        if i < span.count:
            index = span.first + i
            view = index // out_keypoints.count
            keypoint = index - view * out_keypoints.count
            sight = out_keypoints.sight[view, keypoint]
            if sight[2] < 0.0:
                out_keypoints.value[view, keypoint] = wp.vec3(0.0, 0.0, 0.0)
            else:
                ray = keypoint_ray(views, view, sight)
                hit = trace_closest(geometry.trees, label_row(views, view, sight[1]), ray)
                seen = visibility(geometry, out_keypoints, keypoint, ray, hit, sight[2])
                store(out_keypoints, view, keypoint, sight, seen)
