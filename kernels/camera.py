"""Camera models: rays are computed per view, so that every view of a launch may have its own lens."""

from enum import IntEnum

import warp as wp

from .native_source import native
from .random import vec4u
from .transform import mat34, transform_vector

TILE_X = wp.constant(8)  # a warp of 32 threads covers an 8 x 4 tile of pixels
TILE_Y = wp.constant(4)
NOWHERE_M = wp.constant(1.0e18)  # where rays begin that no lens sends: beyond all boxes


class LensModel(IntEnum):
    """How a lens maps directions to the image; native/lens.cpp has the formulas and numbers them alike."""

    PINHOLE = 0
    ORTHOGRAPHIC = 1
    BROWN_CONRADY = 2
    KANNALA_BRANDT = 3
    EQUIRECTANGULAR = 4
    F_THETA = 5


class BlurValue(IntEnum):
    """What Views.blur holds of a view; native/camera.cpp numbers them alike. Times count from the shutter's middle."""

    LENS_RADIUS_M = 0  # 0: pinhole
    FOCUS_NEARNESS = 1  # [1/m], one over the depth in focus
    EXPOSURE_S = 2  # of every row of the image
    READOUT_S = 3  # from the first to the last row of the image
    VELOCITY_X = 4  # [m/s] and the next two, of the camera, in the world
    SPIN_X = 7  # [rad/s] and the next two: a turn about the camera's origin, along an axis of the world
    BLURRED = 10  # not 0: every sample has a ray of its own


BLUR_VALUES = len(BlurValue) + 4
ORTHOGRAPHIC = wp.constant(int(LensModel.ORTHOGRAPHIC))


@wp.struct
class Views:
    """Cameras of a launch. Camera frame: x right, y up, looks along -Z; K has its origin in the image's corner."""

    width: int
    height: int
    row: wp.array[int]  # [view], row of Worlds that the view looks at, the first of `moment_count`
    world: wp.array[int]  # [view], world number: key of the random streams
    frame: wp.array[int]  # [view], step * cameras + camera: counter of the random streams
    world_from_camera: wp.array[mat34]  # [view]
    focal_px: wp.array[wp.vec2]  # [view], orthographic: pixels per metre, equirectangular: per radian
    center_px: wp.array[wp.vec2]  # [view]
    lens: wp.array[int]  # [view], LensModel
    lens_value: wp.array2d[float]  # [view, 13], twelve coefficients and the limit; empty: no lens bends rays
    blur: wp.array2d[float]  # [view, BlurValue]; empty: lenses are pinholes, images of one moment
    moment_count: int  # rows of Worlds in which objects of a view's row stand as they do during equal parts of its time
    clip_m: wp.array[wp.vec2]  # [view], depths between which the camera sees; empty: everything ahead
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
    """A ray of a camera: `t` is its depth [m].

    Planar depth along the optical axis, as the direction is as long as it must be for that, unless the lens sees past
    90 degrees (fisheye, f-theta, equirectangular): then the direction is unit and `t` the range.
    """

    origin: wp.vec3
    direction: wp.vec3
    spread: float  # width of the pixel's cone as a share of the distance; orthographic: of 1 m


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


@wp.func_native(
    native("lanes", "lens")
    + """
    const char* rows = (const char*)views.lens_value.data;
    const float* values = (const float*)(rows + (size_t)view * views.lens_value.strides[0]);
    F value[LENS_LIMIT + 1];
    for (int k = 0; k <= LENS_LIMIT; ++k) value[k] = omm::splat(values[k]);
    const LensRay ray = bent_ray(omm::splat_int(views.lens.data[view]), value, omm::splat(right), omm::splat(down));
    const V3 d = ray.direction;
    return wp::vec4(omm::get(d.x, 0), omm::get(d.y, 0), omm::get(d.z, 0), omm::get(ray.spread, 0));
"""
)
def bent_direction(views: Views, view: int, right: float, down: float) -> wp.vec4:
    """Return the direction in the camera's frame, 0: none, and the spread of a lens that bends rays."""


@wp.func
def lens_ray(views: Views, view: int, x_px: float, y_px: float) -> Ray:
    """Return the ray of a point of the image in the camera's frame; pixel (i, j) spans [i, i + 1) x [j, j + 1).

    The direction is 0 where the lens sends no ray.
    """
    focal = views.focal_px[view]
    center = views.center_px[view]
    right = (x_px - center[0]) / focal[0]
    up = (center[1] - y_px) / focal[1]
    ray = Ray()
    ray.spread = 1.0 / focal[0]
    if views.lens[view] == ORTHOGRAPHIC:
        ray.origin = wp.vec3(right, up, 0.0)
        ray.direction = wp.vec3(0.0, 0.0, -1.0)
    elif views.lens[view] < ORTHOGRAPHIC:
        ray.direction = wp.vec3(right, up, -1.0)
    else:
        bent = bent_direction(views, view, right, -up)
        ray.direction = wp.vec3(bent[0], bent[1], bent[2])
        ray.spread *= bent[3]
    return ray


@wp.func
def ray_in_world(views: Views, view: int, ray: Ray) -> Ray:
    """Return a ray of the camera's frame in the world. One that the lens does not send begins nowhere and stays."""
    if wp.length_sq(ray.direction) == 0.0:
        ray.origin = wp.vec3(NOWHERE_M, NOWHERE_M, NOWHERE_M)
        return ray
    pose = views.world_from_camera[view]
    ray.origin = wp.vec3(pose[0, 3], pose[1, 3], pose[2, 3]) + transform_vector(pose, ray.origin)
    ray.direction = transform_vector(pose, ray.direction)
    return ray


@wp.func
def has_blur(views: Views) -> bool:
    """Return whether any lens is more than a pinhole, or anything moves during an exposure."""
    return views.blur.shape[0] > 0


@wp.func
def row_time_s(views: Views, view: int, y_px: float) -> float:
    """Return the middle of the exposure of a row of the image, from that of the frame's."""
    if not has_blur(views):
        return 0.0
    return ((wp.floor(y_px) + 0.5) / float(views.height) - 0.5) * views.blur[view, int(BlurValue.READOUT_S)]


@wp.func
def row_at(views: Views, view: int, time_s: float) -> int:
    """Return the row of Worlds in which objects stand where they are at some time; see native/camera.cpp."""
    if views.moment_count <= 1:
        return views.row[view]
    seen_s = views.blur[view, int(BlurValue.EXPOSURE_S)] + wp.abs(views.blur[view, int(BlurValue.READOUT_S)])
    share = float(0.5)
    if seen_s > 0.0:
        share = time_s / seen_s + 0.5
    return views.row[view] + wp.clamp(int(wp.floor(share * float(views.moment_count))), 0, views.moment_count - 1)


@wp.func
def label_row(views: Views, view: int, y_px: float) -> int:
    """Return the row of Worlds that labels of a row of the image show."""
    return row_at(views, view, row_time_s(views, view, y_px))


@wp.func
def vector_of_blur(views: Views, view: int, first: int) -> wp.vec3:
    """Return three values that follow each other."""
    return wp.vec3(views.blur[view, first], views.blur[view, first + 1], views.blur[view, first + 2])


@wp.func
def turned_later(vector: wp.vec3, spin_rad_s: wp.vec3, time_s: float) -> wp.vec3:
    """Return a vector of something that spins, some time later (Rodrigues)."""
    angle_rad = wp.length(spin_rad_s) * time_s
    axis = wp.normalize(spin_rad_s)
    across = wp.cross(axis, vector)
    return vector + across * wp.sin(angle_rad) + wp.cross(axis, across) * (1.0 - wp.cos(angle_rad))


@wp.func
def sample_ray(views: Views, view: int, x_px: float, y_px: float, shot: wp.vec3) -> Ray:
    """Return the ray through a place on the lens at some time: x, y in shares of its radius, and seconds.

    A thin lens bends all rays of a point of the image to one point of the plane in focus. The depth along the axis
    stays the ray's parameter.
    """
    if not has_blur(views):
        return ray_in_world(views, view, lens_ray(views, view, x_px, y_px))
    ray = lens_ray(views, view, x_px, y_px)
    if wp.length_sq(ray.direction) > 0.0:
        at = wp.vec3(shot[0], shot[1], 0.0) * views.blur[view, int(BlurValue.LENS_RADIUS_M)]
        ray.origin = ray.origin + at
        ray.direction = ray.direction - at * views.blur[view, int(BlurValue.FOCUS_NEARNESS)]
    ray = ray_in_world(views, view, ray)
    if wp.length_sq(ray.direction) > 0.0:
        spin_rad_s = vector_of_blur(views, view, int(BlurValue.SPIN_X))
        pose = views.world_from_camera[view]
        middle = wp.vec3(pose[0, 3], pose[1, 3], pose[2, 3])
        moved = vector_of_blur(views, view, int(BlurValue.VELOCITY_X)) * shot[2]
        ray.origin = middle + moved + turned_later(ray.origin - middle, spin_rad_s, shot[2])
        ray.direction = turned_later(ray.direction, spin_rad_s, shot[2])
    return ray


@wp.func
def camera_ray(views: Views, view: int, x_px: float, y_px: float) -> Ray:
    """Return the ray of a label: of a pinhole, at the middle of the exposure of that row of the image."""
    return sample_ray(views, view, x_px, y_px, wp.vec3(0.0, 0.0, row_time_s(views, view, y_px)))
