"""Where in a window a mesh may be seen through a lens that bends rays, or by rows of other moments: cones of tiles.

The rays of a tile lie in a cone whose apex is a ball; a mesh whose bounding ball the cone does not touch is not met.
"""

import warp as wp

from .camera import Views
from .geometry import Geometry
from .native_source import native
from .transform import compose, mat34, transform_point

TILE_PX = wp.constant(32)  # of native/cones.cpp
LOOSE = wp.constant(1.0e-5)  # of a cosine, and of sizes: clears float32 errors
NO_RAYS = wp.constant(1.5)  # above it, a cone's cosine says that its tile has none


@wp.func_native(native("lanes", "lens", "camera", "cones"))
def cone_of_tile(views: Views, margin_px: wp.vec2i, view: int, tile: int, out_cone: wp.array3d[float]):
    """Write the cone around the rays of a tile; see native/cones.cpp."""


@wp.kernel(enable_backward=False)
def find_cones(first: int, views: Views, margin_px: wp.vec2i, bent: wp.array[int], out_cone: wp.array3d[float]):
    """Write the cones of the tiles of some views [view, tile, 8]: axis, cosine, apex, square of its radius."""
    i = first + wp.tid()
    tiles = out_cone.shape[1]
    cone_of_tile(views, margin_px, bent[i // tiles], i % tiles, out_cone)


@wp.func
def ball_of(geometry: Geometry, world_from_mesh: mat34, placement: int) -> wp.vec4:
    """Return middle and radius of a ball around a mesh's box."""
    low = geometry.low_m[placement]
    high = geometry.high_m[placement]
    middle = transform_point(world_from_mesh, 0.5 * (low + high))
    radius = float(0.0)
    for corner in range(8):
        p = wp.vec3(
            wp.where((corner & 1) != 0, high[0], low[0]),
            wp.where((corner & 2) != 0, high[1], low[1]),
            wp.where((corner & 4) != 0, high[2], low[2]),
        )
        radius = wp.max(radius, wp.length(transform_point(world_from_mesh, p) - middle))
    return wp.vec4(middle[0], middle[1], middle[2], radius)


@wp.func
def moving_ball(geometry: Geometry, views: Views, view: int, pose: wp.array2d[mat34], placement: int) -> wp.vec4:
    """Return middle and radius of a ball around a mesh's box at all moments of a view."""
    instance = geometry.instance[placement]
    first = views.row[view]
    whole = wp.vec4(0.0, 0.0, 0.0, 0.0)
    for moment in range(wp.max(views.moment_count, 1)):
        world_from_mesh = compose(pose[first + moment, instance], geometry.instance_from_mesh[placement])
        ball = ball_of(geometry, world_from_mesh, placement)
        if moment == 0:
            whole = ball
        off = wp.length(wp.vec3(ball[0] - whole[0], ball[1] - whole[1], ball[2] - whole[2]))
        whole[3] = wp.max(whole[3], off + ball[3])
    return whole


@wp.func
def may_meet(cones: wp.array3d[float], view: int, tile: int, ball: wp.vec4) -> bool:
    """Return whether a ray of a tile may meet a ball."""
    cosine = cones[view, tile, 3]
    if cosine > NO_RAYS:
        return False
    apex = wp.vec3(cones[view, tile, 4], cones[view, tile, 5], cones[view, tile, 6])
    middle = wp.vec3(ball[0], ball[1], ball[2])
    away = middle - apex
    distance = wp.length(away)
    slack = LOOSE * (wp.length(apex) + wp.length(middle) + ball[3])
    radius = (ball[3] + wp.sqrt(cones[view, tile, 7])) * (1.0 + LOOSE) + slack
    if distance <= radius:
        return True
    sine_ball = radius / distance
    cosine_ball = wp.sqrt(1.0 - sine_ball * sine_ball)
    sine = wp.sqrt(wp.max(1.0 - cosine * cosine, 0.0)) + LOOSE
    if sine * cosine_ball + cosine * sine_ball <= 0.0:
        return True  # together they reach half a turn
    axis = wp.vec3(cones[view, tile, 0], cones[view, tile, 1], cones[view, tile, 2])
    return wp.dot(away, axis) / distance >= cosine * cosine_ball - sine * sine_ball - LOOSE


@wp.func
def tiles_box(
    geometry: Geometry, views: Views, view: int, pose: wp.array2d[mat34], placement: int, margin_px: wp.vec2i,
    cones: wp.array3d[float],
) -> wp.vec4i:  # fmt: skip
    """Return a box [px] around the tiles of a window whose rays may meet a mesh; low above high: none."""
    ball = moving_ball(geometry, views, view, pose, placement)
    right = views.width + margin_px[0]
    bottom = views.height + margin_px[1]
    tiles_x = (right + margin_px[0] + TILE_PX - 1) // TILE_PX
    box = wp.vec4i(right, bottom, -margin_px[0], -margin_px[1])
    for tile in range(cones.shape[1]):
        if may_meet(cones, view, tile, ball):
            x = TILE_PX * (tile % tiles_x) - margin_px[0]
            y = TILE_PX * (tile // tiles_x) - margin_px[1]
            box = wp.vec4i(
                wp.min(box[0], x), wp.min(box[1], y),
                wp.max(box[2], wp.min(x + TILE_PX, right)), wp.max(box[3], wp.min(y + TILE_PX, bottom)),
            )  # fmt: skip
    return box
