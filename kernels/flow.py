"""Optical flow: where the point that a pixel sees is one step later or earlier, and whether the camera sees it there.

Points move in float64, from the ray's parameter and the poses as drafted; sight.py says why.
"""

from enum import IntEnum

import warp as wp

from .camera import ORTHOGRAPHIC, Ray, Span, Views, label_row, pixel_of, row_at, row_time_s
from .geometry import Geometry
from .sight import (
    Sight,
    camera_origin,
    column_of,
    in_double,
    in_single,
    mat34d,
    seen_point,
    sight_of,
    spin_of,
    spun,
    turned,
    turned_back,
)
from .trace import MISS, Hit, trace_closest

SHUTTER_STEPS = wp.constant(8)  # at most, until a point arrives in the image row whose moment it was moved to
SAME_MESH = wp.constant(1.0e-4)  # of the depth: what the point's own mesh may have in front of it by rounding
OTHER_MESH = wp.constant(1.0e-5)  # and what any other mesh may


class FlowState(IntEnum):
    """What becomes of the point that a pixel sees; engine/flow_state.py numbers them alike and says more."""

    UNDEFINED = 0
    VISIBLE = 1
    OUTSIDE = 2
    OCCLUDED = 3
    UNREACHED = 4
    GONE = 5


@wp.struct
class Journey:
    """The views of a launch, and the same cameras one step later (`is_forward`) or earlier."""

    is_forward: int
    beyond: int  # added to a view: the same camera in the other step
    views: Views  # of the launch, then those of other steps, whose row is -1 where there is no such step
    camera_pose: wp.array[mat34d]  # [view], world_from_camera
    instance_pose: wp.array2d[mat34d]  # [row, instance], world_from_instance
    visible: wp.array2d[wp.uint8]  # [row, instance]


@wp.struct
class FlowImages:
    """Images [view, y, x, ...], not a number where a point has no value; empty ones were not asked for."""

    flow_forward_px: wp.array4d[float]  # [view, y, x, 2], right and down
    flow_forward_state: wp.array3d[wp.uint8]  # FlowState
    flow_backward_px: wp.array4d[float]
    flow_backward_state: wp.array3d[wp.uint8]
    scene_flow_forward_m: wp.array4d[float]  # [view, y, x, 3], world
    scene_flow_backward_m: wp.array4d[float]


@wp.struct
class Move:
    """What became of a point."""

    state: int
    flow_px: wp.vec2
    displacement_m: wp.vec3
    row: int  # of Worlds in which it was looked for
    ray: Ray  # of the camera there, towards the point
    depth: float  # of the point along that ray


@wp.func
def moved_point(journey: Journey, p_m: wp.vec3d, instance: int, row: int, to_row: int) -> wp.vec3d:
    """Return where a point of an instance is in another row of Worlds; exactly the same where the poses are."""
    pose = journey.instance_pose[row, instance]
    to_pose = journey.instance_pose[to_row, instance]
    is_same = bool(True)
    for i in range(3):
        for k in range(4):
            is_same = is_same and pose[i, k] == to_pose[i, k]
    if is_same:
        return p_m
    return turned(to_pose, turned_back(pose, p_m - column_of(pose, 3))) + column_of(to_pose, 3)


@wp.func
def ray_towards(journey: Journey, there: int, p_m: wp.vec3d, local_m: wp.vec3d, time_s: float, depth: float) -> Ray:
    """Return the ray of the camera there that meets a point, `local_m` in its frame, at `depth`."""
    origin = camera_origin(journey.camera_pose[there], journey.views, there, time_s)
    if journey.views.lens[there] == ORTHOGRAPHIC:
        beside = turned(journey.camera_pose[there], wp.vec3d(local_m[0], local_m[1], wp.float64(0.0)))
        origin = origin + spun(beside, spin_of(journey.views, there), time_s)
    ray = Ray()
    ray.origin = in_single(origin)
    ray.direction = in_single((p_m - in_double(ray.origin)) / wp.float64(depth))
    return ray


@wp.func
def is_in_view(views: Views, view: int, sight: Sight) -> bool:
    """Return whether a point lies within the frame, and where the camera's clipping range allows."""
    if sight.x_px < wp.float64(0.0) or sight.x_px >= wp.float64(views.width):
        return False
    if sight.y_px < wp.float64(0.0) or sight.y_px >= wp.float64(views.height):
        return False
    if views.clip_m.shape[0] == 0:
        return True
    return sight.depth > views.clip_m[view][0] and sight.depth < views.clip_m[view][1]


@wp.func
def image_row(views: Views, y_px: wp.float64) -> float:
    """Return the middle of the row of the image that is nearest to a place."""
    return wp.clamp(wp.floor(float(y_px)), 0.0, float(views.height - 1)) + 0.5


@wp.func
def move_of(geometry: Geometry, journey: Journey, pixel: wp.vec3i, hit: Hit) -> Move:
    """Return what becomes of the point that a pixel sees, except whether something hides it.

    With a rolling shutter it is looked for at the moment of the image row in which it arrives.
    """
    views = journey.views
    view = pixel[0]
    there = view + journey.beyond
    x_px = float(pixel[2]) + 0.5
    y_px = float(pixel[1]) + 0.5
    move = Move()
    move.flow_px = wp.vec2(wp.nan, wp.nan)
    move.displacement_m = wp.vec3(wp.nan, wp.nan, wp.nan)
    if hit.placement == MISS or views.row[there] < 0:
        return move
    instance = geometry.instance[hit.placement]
    row = label_row(views, view, y_px)
    p_m = seen_point(views, view, journey.camera_pose[view], wp.vec2(x_px, y_px), hit.t)
    time_s = row_time_s(views, there, y_px)
    q_m = p_m
    local_m = p_m
    sight = Sight()
    for _ in range(SHUTTER_STEPS):
        move.row = row_at(views, there, time_s)
        q_m = moved_point(journey, p_m, instance, row, move.row)
        pose = journey.camera_pose[there]
        offset_m = q_m - camera_origin(pose, views, there, time_s)
        local_m = turned_back(pose, spun(offset_m, spin_of(views, there), -time_s))
        sight = sight_of(views, there, local_m)
        arrival_s = row_time_s(views, there, image_row(views, sight.y_px))
        if sight.is_seen == 0 or arrival_s == time_s:
            break
        time_s = arrival_s
    if journey.visible[move.row, instance] == wp.uint8(0):
        move.state = int(FlowState.GONE)
        return move
    move.displacement_m = in_single(q_m - p_m)
    move.state = int(FlowState.UNREACHED)
    if sight.is_seen != 0:
        move.flow_px = wp.vec2(float(sight.x_px - wp.float64(x_px)), float(sight.y_px - wp.float64(y_px)))
        move.depth = sight.depth
        move.ray = ray_towards(journey, there, q_m, local_m, time_s, sight.depth)
        is_in = is_in_view(views, there, sight)
        move.state = wp.where(is_in, int(FlowState.VISIBLE), int(FlowState.OUTSIDE))
    return move


@wp.func
def hides(found: Hit, hit: Hit, depth: float) -> bool:
    """Return whether what a ray met lies in front of the point at `depth` that `hit` was.

    A triangle never hides its own points, however steeply it is seen.
    """
    if found.placement == MISS:
        return False
    if found.placement != hit.placement:
        return found.t < depth * (1.0 - OTHER_MESH)
    return found.triangle != hit.triangle and found.t < depth * (1.0 - SAME_MESH)


@wp.func
def wants_state(journey: Journey, images: FlowImages) -> bool:
    """Return whether it matters if a point is hidden."""
    if journey.is_forward != 0:
        return images.flow_forward_state.shape[0] > 0
    return images.flow_backward_state.shape[0] > 0


@wp.func
def store_three(pixel: wp.vec3i, value: wp.vec3, out_image: wp.array4d[float]):
    """Write a vector of a pixel, unless nobody asked for it."""
    if out_image.shape[0] > 0:
        for axis in range(3):
            out_image[pixel[0], pixel[1], pixel[2], axis] = value[axis]


@wp.func
def store_flow(pixel: wp.vec3i, move: Move, out_px: wp.array4d[float], out_state: wp.array3d[wp.uint8]):
    """Write the flow of a pixel, unless nobody asked for it."""
    if out_px.shape[0] > 0:
        for axis in range(2):
            out_px[pixel[0], pixel[1], pixel[2], axis] = move.flow_px[axis]
    if out_state.shape[0] > 0:
        out_state[pixel[0], pixel[1], pixel[2]] = wp.uint8(move.state)


@wp.func
def store_move(journey: Journey, pixel: wp.vec3i, move: Move, out_images: FlowImages):
    """Write the images of a pixel."""
    if journey.is_forward != 0:
        store_flow(pixel, move, out_images.flow_forward_px, out_images.flow_forward_state)
        store_three(pixel, move.displacement_m, out_images.scene_flow_forward_m)
    else:
        store_flow(pixel, move, out_images.flow_backward_px, out_images.flow_backward_state)
        store_three(pixel, move.displacement_m, out_images.scene_flow_backward_m)


@wp.kernel(enable_backward=False, cuda_max_registers=128)
def find_flow(geometry: Geometry, journey: Journey, span: Span, hit: wp.array[Hit], out_images: FlowImages):
    """Write the flow of a span's pixels; `hit` holds those of all the launch's pixels."""
    thread = wp.tid()
    for k in range(span.run):
        i = thread * span.run + k
        if i < span.count:
            pixel = pixel_of(journey.views, span.first + i)
            own = hit[span.first + i]
            move = move_of(geometry, journey, pixel, own)
            if move.state == int(FlowState.VISIBLE) and wants_state(journey, out_images):
                if hides(trace_closest(geometry.trees, move.row, move.ray), own, move.depth):
                    move.state = int(FlowState.OCCLUDED)
            store_move(journey, pixel, move, out_images)
