"""Whole silhouettes as bitmaps: of every instance that a view sees, as if nothing hid it, also beyond the frame.

A row is an instance in a view, a job one of its placements there. A job's box holds all pixels whose rays may meet it;
a row's canvas is the box around those of its jobs within a window, which is the frame and a margin on all sides.
"""

from enum import IntEnum

import warp as wp

from .camera import BlurValue, LensModel, Span, Views, has_blur, row_at
from .cones import tiles_box
from .geometry import Geometry, Trees
from .native_source import native
from .trace import FAR_M
from .transform import compose, invert, mat34, transform_point

ORTHOGRAPHIC = wp.constant(int(LensModel.ORTHOGRAPHIC))
SLACK = wp.constant(4.0e-6)  # of the largest coordinate: clears the float32 error of a point in the camera's frame
NEAREST_M = wp.constant(1.0e-6)  # and eight times that slack: boxes are cut there, what is nearer is bounded apart
EVERYWHERE_PX = wp.constant(1.0e30)
BORDER_PX = wp.constant(1.0)  # around a box: clears the error of its projection
VALUES = 9  # of a row, see Value


class RowField(IntEnum):
    """What `Canvases.row` holds; native/canvas.cpp has the same as a struct."""

    VIEW = 0
    INSTANCE = 1
    JOB = 2
    JOB_END = 3
    X0 = 4
    Y0 = 5
    X1 = 6
    Y1 = 7
    VISIBLE_PX = 8
    HAS_OPEN = 9


class Value(IntEnum):
    """What is found of a row; native/canvas_measure.cpp numbers them alike."""

    IN_FRAME_PX = 0
    FULL_PX = 1
    X0 = 2
    Y0 = 3
    X1 = 4
    Y1 = 5
    OCCLUDER = 6
    OCCLUDER_PX = 7
    BYTES = 8


@wp.struct
class Jobs:
    """Placements of the instances that views see."""

    margin_px: wp.vec2i  # of the window, on the left and on the right, above and below
    cone: wp.array3d[float]  # [view, tile, 8], see cones.py; empty: no view needs them
    view: wp.array[int]  # [job]
    placement: wp.array[int]  # [job]


@wp.struct
class Canvases:
    """Bitmaps of some rows; boxes and canvases in pixels of the frame, half-open, within the window."""

    row: wp.array2d[int]  # [row, RowField]
    first_word: wp.array[int]  # [row + 1]
    placement: wp.array[int]  # [job]
    box: wp.array2d[int]  # [job, 4], x0, y0, x1, y1
    is_open: wp.array[int]  # [job], 1: its surface may have holes for labels; empty: none has
    word: wp.array[wp.uint32]  # a column of a canvas after the other


@wp.struct
class Stripe:
    """Rows of a launch: thread i has `first + i`, and every `threads`-th one after it, before `end`."""

    first: int
    end: int
    threads: int
    tally: int  # line of the first thread's counts


@wp.func
def camera_corner(geometry: Geometry, camera_from_mesh: mat34, placement: int, corner: int) -> wp.vec3:
    """Return a corner of a mesh's box in the frame of a camera."""
    low = geometry.low_m[placement]
    high = geometry.high_m[placement]
    p = wp.vec3(
        wp.where((corner & 1) != 0, high[0], low[0]),
        wp.where((corner & 2) != 0, high[1], low[1]),
        wp.where((corner & 4) != 0, high[2], low[2]),
    )
    return transform_point(camera_from_mesh, p)


@wp.func
def with_point(views: Views, view: int, box: wp.vec4, p: wp.vec3, slack_m: float) -> wp.vec4:
    """Return a box [px] that also holds the image of a point in front of the camera."""
    focal = views.focal_px[view]
    center = views.center_px[view]
    depth_m = wp.where(views.lens[view] == ORTHOGRAPHIC, 1.0, -p[2])
    right = p[0] / depth_m
    down = -p[1] / depth_m
    x = center[0] + focal[0] * right
    y = center[1] + focal[1] * down
    off_x = wp.abs(focal[0]) * slack_m * (1.0 + wp.abs(right)) / depth_m
    off_y = wp.abs(focal[1]) * slack_m * (1.0 + wp.abs(down)) / depth_m
    return wp.vec4(
        wp.min(box[0], x - off_x), wp.min(box[1], y - off_y), wp.max(box[2], x + off_x), wp.max(box[3], y + off_y)
    )


@wp.func
def beside(bounds: wp.vec4, p: wp.vec3) -> wp.vec4:
    """Return bounds [m] to the right and down of a camera's axis that also hold a point."""
    return wp.vec4(wp.min(bounds[0], p[0]), wp.min(bounds[1], -p[1]), wp.max(bounds[2], p[0]), wp.max(bounds[3], -p[1]))


@wp.func
def cut_at(p: wp.vec3, q: wp.vec3, depth_m: float) -> wp.vec3:
    """Return where the line between two points has a depth."""
    share = (-depth_m - p[2]) / (q[2] - p[2])
    return wp.vec3(p[0] + share * (q[0] - p[0]), p[1] + share * (q[1] - p[1]), -depth_m)


@wp.func
def with_near(views: Views, view: int, box: wp.vec4, bounds: wp.vec4, slack_m: float, near_m: float) -> wp.vec4:
    """Return a box [px] that also holds what lies before a camera, but nearer than the depth `near_m`, within bounds.

    What is on one side of the axis is seen at least as far from the middle as it would be at that depth.
    """
    if bounds[0] > bounds[2]:
        return box
    out = wp.vec4(-EVERYWHERE_PX, -EVERYWHERE_PX, EVERYWHERE_PX, EVERYWHERE_PX)
    for axis in range(2):
        focal = views.focal_px[view][axis]
        center = views.center_px[view][axis]
        low_m = bounds[axis] - slack_m
        high_m = bounds[axis + 2] + slack_m
        if focal > 0.0 and low_m >= 0.0:
            out[axis] = center + focal * low_m / near_m
        if focal > 0.0 and high_m <= 0.0:
            out[axis + 2] = center + focal * high_m / near_m
    return wp.vec4(wp.min(box[0], out[0]), wp.min(box[1], out[1]), wp.max(box[2], out[2]), wp.max(box[3], out[3]))


@wp.func
def size_of(m: mat34) -> float:
    """Return the largest coordinate of a map's origin."""
    return wp.max(wp.max(wp.abs(m[0, 3]), wp.abs(m[1, 3])), wp.abs(m[2, 3]))


@wp.func
def image_box(geometry: Geometry, views: Views, view: int, world_from_mesh: mat34, placement: int) -> wp.vec4:
    """Return a box [px] around the image of a mesh's box, of lenses that do not bend rays; low above high: nothing."""
    world_from_camera = views.world_from_camera[view]
    camera_from_mesh = compose(invert(world_from_camera), world_from_mesh)
    size = size_of(world_from_camera) + size_of(world_from_mesh)
    for corner in range(8):
        p = camera_corner(geometry, camera_from_mesh, placement, corner)
        size = wp.max(size, wp.max(wp.max(wp.abs(p[0]), wp.abs(p[1])), wp.abs(p[2])))
    slack_m = SLACK * size
    near_m = 8.0 * slack_m + NEAREST_M
    if views.lens[view] == ORTHOGRAPHIC:
        near_m = -1.0e30
    box = wp.vec4(EVERYWHERE_PX, EVERYWHERE_PX, -EVERYWHERE_PX, -EVERYWHERE_PX)
    bounds = wp.vec4(
        EVERYWHERE_PX, EVERYWHERE_PX, -EVERYWHERE_PX, -EVERYWHERE_PX
    )  # of what is nearer than near_m, but not behind the camera
    for corner in range(8):
        p = camera_corner(geometry, camera_from_mesh, placement, corner)
        if -p[2] >= near_m:
            box = with_point(views, view, box, p, slack_m)
        elif -p[2] >= -slack_m:
            bounds = beside(bounds, p)
        for axis in range(3):
            other = corner | (1 << axis)
            if other != corner:
                q = camera_corner(geometry, camera_from_mesh, placement, other)
                if (-p[2] >= near_m) != (-q[2] >= near_m):  # the edge is cut
                    cut = cut_at(p, q, near_m)
                    box = with_point(views, view, box, cut, slack_m)
                    bounds = beside(bounds, cut)
                if (-p[2] >= -slack_m) != (-q[2] >= -slack_m):
                    bounds = beside(bounds, cut_at(p, q, -slack_m))
    if views.lens[view] == ORTHOGRAPHIC:
        return box
    return with_near(views, view, box, bounds, slack_m, near_m)


@wp.func
def bends(views: Views, view: int) -> bool:
    """Return whether a mesh's box does not tell its place in the image: a bent lens, or rows of other moments."""
    if views.lens[view] > ORTHOGRAPHIC:
        return True
    return has_blur(views) and views.blur[view, int(BlurValue.READOUT_S)] != 0.0


@wp.kernel(enable_backward=False)
def find_bent(views: Views, out_bent: wp.array[int]):
    """Write whether a mesh's box does not tell its place in the image of each view."""
    view = wp.tid()
    out_bent[view] = wp.where(bends(views, view), 1, 0)


@wp.kernel(enable_backward=False)
def bound_placements(
    first: int, geometry: Geometry, views: Views, world_from_instance: wp.array2d[mat34], jobs: Jobs,
    out_box: wp.array2d[int],
):  # fmt: skip
    """Write the box of every job within the window, half-open; an empty one where no ray of it meets the mesh."""
    job = first + wp.tid()
    view = jobs.view[job]
    placement = jobs.placement[job]
    left = -jobs.margin_px[0]
    top = -jobs.margin_px[1]
    right = views.width + jobs.margin_px[0]
    bottom = views.height + jobs.margin_px[1]
    if not bends(views, view):
        pose = world_from_instance[row_at(views, view, 0.0), geometry.instance[placement]]
        world_from_mesh = compose(pose, geometry.instance_from_mesh[placement])
        box = image_box(geometry, views, view, world_from_mesh, placement)
        low_x = wp.clamp(box[0] - 0.5 - BORDER_PX, float(left), float(right))
        low_y = wp.clamp(box[1] - 0.5 - BORDER_PX, float(top), float(bottom))
        high_x = wp.clamp(box[2] - 0.5 + BORDER_PX, float(left) - 1.0, float(right))
        high_y = wp.clamp(box[3] - 0.5 + BORDER_PX, float(top) - 1.0, float(bottom))
        left = int(wp.floor(low_x))
        top = int(wp.floor(low_y))
        right = wp.min(int(wp.ceil(high_x)) + 1, right)
        bottom = wp.min(int(wp.ceil(high_y)) + 1, bottom)
    else:
        tiles = tiles_box(geometry, views, view, world_from_instance, placement, jobs.margin_px, jobs.cone)
        left = tiles[0]
        top = tiles[1]
        right = tiles[2]
        bottom = tiles[3]
    out_box[job, 0] = left
    out_box[job, 1] = top
    out_box[job, 2] = right
    out_box[job, 3] = bottom


@wp.func_native(
    native("lanes", "lens", "camera", "traverse", "traverse_group", "canvas", constants={"FAR_M": float(FAR_M)})
    + native("bundle", "cover")
)
def cover_run(
    trees: Trees, views: Views, instance: wp.array3d[int], canvases: Canvases, span: Span,
    out_word: wp.array[wp.uint32], thread: int,
):  # fmt: skip
    """Write a run of words; see native/cover.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def cover_words(
    trees: Trees, views: Views, instance: wp.array3d[int], canvases: Canvases, span: Span,
    out_word: wp.array[wp.uint32],
):  # fmt: skip
    """Write the words of a span: which pixels of every row its instance covers, by surfaces without holes."""
    cover_run(trees, views, instance, canvases, span, out_word, wp.tid())


@wp.func_native(native("rle", "canvas", "canvas_text", "canvas_measure"))
def measure_canvas(
    instance: wp.array3d[int], canvases: Canvases, row: int, tally: int, out_tally: wp.array2d[int],
    out_value: wp.array2d[int],
):  # fmt: skip
    """Write what a row's bitmap says; see native/canvas_measure.cpp."""


@wp.kernel(enable_backward=False)
def measure_canvases(
    instance: wp.array3d[int], canvases: Canvases, stripe: Stripe, out_tally: wp.array2d[int],
    out_value: wp.array2d[int],
):  # fmt: skip
    """Write pixels, tight box, who hides most, and length of the text of every row [row, Value]."""
    thread = wp.tid()
    row = stripe.first + thread
    while row < stripe.end:
        measure_canvas(instance, canvases, row, stripe.tally + thread, out_tally, out_value)
        row += stripe.threads


@wp.func_native(native("rle", "canvas", "canvas_text", "canvas_write"))
def write_canvas(
    canvases: Canvases, value: wp.array2d[int], first_byte: wp.array[int], row: int, out_text: wp.array[wp.uint8]
):
    """Write a row's bitmap as text; see native/canvas_write.cpp."""


@wp.kernel(enable_backward=False)
def write_canvases(
    first: int, canvases: Canvases, value: wp.array2d[int], first_byte: wp.array[int], out_text: wp.array[wp.uint8]
):
    """Write the compressed counts of every row's bitmap, on a canvas of the size of its tight box."""
    write_canvas(canvases, value, first_byte, first + wp.tid(), out_text)
