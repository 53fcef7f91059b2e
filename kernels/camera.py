"""Camera models: rays are computed per view, so that every view of a launch may have its own lens."""

import warp as wp

from .random import vec4u
from .transform import mat34, transform_vector

TILE_X = wp.constant(8)  # a warp of 32 threads covers an 8 x 4 tile of pixels
TILE_Y = wp.constant(4)


@wp.struct
class Views:
    """Cameras of a launch. Camera frame: x right, y up, looks along -Z; K has its origin in the image's corner."""

    width: int
    height: int
    row: wp.array[int]  # [view], row of Worlds that the view looks at
    world: wp.array[int]  # [view], world number: key of the random streams
    frame: wp.array[int]  # [view], step * cameras + camera: counter of the random streams
    world_from_camera: wp.array[mat34]  # [view]
    focal_px: wp.array[wp.vec2]  # [view]
    center_px: wp.array[wp.vec2]  # [view]
    orthographic: wp.array[int]  # [view]; focal_px is then pixels per metre
    clip_m: wp.array[wp.vec2]  # [view], planar depths between which the camera sees; empty: everything ahead
    exposure: wp.array[float]  # [view], factor on radiance
    light_shift: wp.array[vec4u]  # [view], random words: see sample.py
    ambient_shift: wp.array[vec4u]  # [view]


@wp.struct
class Span:
    """The pixels `first` to `first + count` of a launch; thread i has `run` of them, from `first + run * i` on."""

    first: int
    count: int
    run: int  # a multiple of the lanes of native/lanes.cpp


@wp.struct
class Ray:
    """A ray whose direction is not unit: `t` is the planar depth [m] along the optical axis."""

    origin: wp.vec3
    direction: wp.vec3


@wp.func
def pixel_of(views: Views, index: int) -> wp.vec3i:
    """Return (view, y, x) of a thread: view-major, in 8 x 4 tiles where the image divides into them."""
    size = views.width * views.height
    view = index // size
    rest = index - view * size
    if views.width % TILE_X != 0 or views.height % TILE_Y != 0:
        y = rest // views.width
        return wp.vec3i(view, y, rest - y * views.width)
    tile = rest // (TILE_X * TILE_Y)
    inside = rest - tile * (TILE_X * TILE_Y)
    tiles_x = views.width // TILE_X
    tile_y = tile // tiles_x
    y = inside // TILE_X
    return wp.vec3i(view, tile_y * TILE_Y + y, (tile - tile_y * tiles_x) * TILE_X + inside - y * TILE_X)


@wp.func
def camera_ray(views: Views, view: int, x_px: float, y_px: float) -> Ray:
    """Return the ray through a point of the image; pixel (i, j) spans [i, i + 1) x [j, j + 1)."""
    focal = views.focal_px[view]
    center = views.center_px[view]
    right = (x_px - center[0]) / focal[0]
    up = (center[1] - y_px) / focal[1]
    pose = views.world_from_camera[view]
    ray = Ray()
    ray.origin = wp.vec3(pose[0, 3], pose[1, 3], pose[2, 3])
    if views.orthographic[view] != 0:
        ray.origin = ray.origin + transform_vector(pose, wp.vec3(right, up, 0.0))
        ray.direction = transform_vector(pose, wp.vec3(0.0, 0.0, -1.0))
    else:
        ray.direction = transform_vector(pose, wp.vec3(right, up, -1.0))
    return ray


@wp.func
def pixel_spread(views: Views, view: int) -> float:
    """Return the width of a pixel's cone [m] at planar depth 1 m (perspective)."""
    return 1.0 / views.focal_px[view][0]
