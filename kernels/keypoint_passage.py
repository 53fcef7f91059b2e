"""Keypoints where surfaces may be cut out, transparent or clipped: what the labels call there hides them."""

import warp as wp

from .camera import Ray, Span, Views, label_row
from .geometry import Geometry
from .keypoint import Keypoints, Visibility, keypoint_ray, store, visibility
from .opacity import MAX_CROSSED, Opacities, clip_range, is_labelled, material_of, next_hit, start_at
from .trace import MISS, Hit


@wp.func
def first_labelled(
    geometry: Geometry, opacities: Opacities, row: int, ray: Ray, limits_m: wp.vec2, out_overflow: wp.array[int]
) -> Hit:
    """Return the first hit of a ray that is labelled, which lies between two depths."""
    hit = start_at(limits_m[0])
    crossed = int(0)
    while crossed < MAX_CROSSED:
        hit = next_hit(geometry.trees, row, ray, hit, limits_m[1], 0)
        if hit.placement == MISS:
            break
        if is_labelled(geometry, opacities, material_of(geometry, opacities, row, hit), hit):
            break
        crossed += 1
    if crossed == MAX_CROSSED:
        hit.placement = MISS
        wp.atomic_add(out_overflow, 0, 1)
    return hit


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def pass_keypoints(
    geometry: Geometry, views: Views, opacities: Opacities, span: Span, out_keypoints: Keypoints,
    out_overflow: wp.array[int],
):  # fmt: skip
    """Write the keypoints of a span, which counts through the views; what is clipped away is not seen."""
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
                limits_m = clip_range(views, view)
                row = label_row(views, view, sight[1])
                hit = first_labelled(geometry, opacities, row, ray, limits_m, out_overflow)
                seen = visibility(geometry, out_keypoints, keypoint, ray, hit, sight[2])
                if sight[2] < limits_m[0] or sight[2] > limits_m[1]:
                    seen = int(Visibility.HIDDEN)
                store(out_keypoints, view, keypoint, sight, seen)
