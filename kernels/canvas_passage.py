"""Whole silhouettes of surfaces that may be cut out, transparent or clipped: what the labels call there counts."""

import warp as wp

from .camera import Ray, Views, camera_ray, label_row
from .canvas import Canvases, Jobs, RowField
from .geometry import Geometry, Trees
from .native_source import native
from .opacity import (
    MAX_CROSSED,
    Opacities,
    OpacityKind,
    clip_range,
    is_labelled,
    is_same_crossing,
    material_of,
    start_at,
)
from .trace import Hit

WORD_PX = wp.constant(32)


@wp.func_native(
    "#define OMM_AFTER\n"
    + native("traverse")
    + """
    const float from[3] = {origin[0], origin[1], origin[2]}, towards[3] = {direction[0], direction[1], direction[2]};
    const Found found = walk(trees, row, from, towards, after, t_max, false, ~placement);
    union Bits { int i; unsigned int u; float f; };
    Bits triangle, weights;
    triangle.i = found.triangle;
    weights.u = found.weights;
    return wp::vec3(found.placement >= 0 ? found.t : -1.0f, triangle.f, weights.f);
"""
    + "\n#undef OMM_AFTER\n"
)
def placement_after(
    trees: Trees, row: int, origin: wp.vec3, direction: wp.vec3, after: Hit, t_max: float, placement: int
) -> wp.vec3:
    """Return (t, triangle, weights) of the nearest hit of a placement after one, integers as bits; t < 0: none."""


@wp.func
def covers(
    geometry: Geometry, opacities: Opacities, row: int, ray: Ray, limits_m: wp.vec2, placement: int
) -> bool:  # fmt: skip
    """Return whether a ray meets a labelled surface of a placement, whatever else there is."""
    hit = start_at(limits_m[0])
    crossed = int(0)
    while crossed < MAX_CROSSED:
        last = hit
        found = placement_after(geometry.trees, row, ray.origin, ray.direction, last, limits_m[1], placement)
        if found[0] < 0.0:
            return False
        hit = Hit()
        hit.t = found[0]
        hit.placement = placement
        hit.triangle = wp.cast(found[1], wp.int32)
        hit.uv = wp.cast(found[2], wp.uint32)
        if is_same_crossing(geometry, last, hit):
            continue
        if is_labelled(geometry, opacities, material_of(geometry, opacities, row, hit), hit):
            return True
        crossed += 1
    return False


@wp.kernel(enable_backward=False)
def find_open(geometry: Geometry, views: Views, opacities: Opacities, jobs: Jobs, out_open: wp.array[int]):
    """Write whether the surface of every job may have holes."""
    job = wp.tid()
    placement = jobs.placement[job]
    material = opacities.override[views.row[jobs.view[job]], geometry.instance[placement]]
    is_open = views.clip_m.shape[0] > 0
    if material < 0:
        is_open = is_open or opacities.own_open[placement] != 0
    else:
        is_open = is_open or opacities.kind[material] != int(OpacityKind.OPAQUE)
    out_open[job] = wp.where(is_open, 1, 0)


@wp.func
def holds(canvases: Canvases, job: int, x: int, y: int) -> bool:
    """Return whether a pixel lies in the box of an open job."""
    if canvases.is_open[job] == 0 or x < canvases.box[job, 0] or x >= canvases.box[job, 2]:
        return False
    return y >= canvases.box[job, 1] and y < canvases.box[job, 3]


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def pass_words(
    first: int, geometry: Geometry, views: Views, opacities: Opacities, canvases: Canvases,
    out_word: wp.array[wp.uint32],
):  # fmt: skip
    """Add to words the pixels that surfaces with holes cover, where labels have them."""
    at = first + wp.tid()
    row = wp.lower_bound(canvases.first_word, at + 1) - 1
    if canvases.row[row, int(RowField.HAS_OPEN)] == 0:
        return
    view = canvases.row[row, int(RowField.VIEW)]
    top = canvases.row[row, int(RowField.Y0)]
    words = (canvases.row[row, int(RowField.Y1)] - top + WORD_PX - 1) // WORD_PX
    place = at - canvases.first_word[row]
    x = canvases.row[row, int(RowField.X0)] + place // words
    top += WORD_PX * (place % words)
    bits = out_word[at]
    limits_m = clip_range(views, view)
    for k in range(WORD_PX):
        y = top + k
        mark = wp.uint32(1) << wp.uint32(k)
        if (bits & mark) == wp.uint32(0) and y < canvases.row[row, int(RowField.Y1)]:
            job = canvases.row[row, int(RowField.JOB)]
            while job < canvases.row[row, int(RowField.JOB_END)]:
                if holds(canvases, job, x, y):
                    ray = camera_ray(views, view, float(x) + 0.5, float(y) + 0.5)
                    world = label_row(views, view, float(y) + 0.5)
                    if covers(geometry, opacities, world, ray, limits_m, canvases.placement[job]):
                        bits = bits | mark
                        break
                job += 1
    out_word[at] = bits
