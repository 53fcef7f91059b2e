"""Cameras in float64: where the ray of a label leads, and where a camera sees a point.

Float32 in the world's frame would cost up to 1e-3 px for what is near a camera and far from the world's origin. Lenses
that bend rays work in float32, relative to the camera; engine/lens/project.py says the same in float64.
"""

import warp as wp

from .camera import ORTHOGRAPHIC, BlurValue, LensModel, Views, has_blur, lens_ray, row_time_s, vector_of_blur
from .native_source import native

EQUIRECTANGULAR = wp.constant(int(LensModel.EQUIRECTANGULAR))
mat34d = wp.types.matrix(shape=(3, 4), dtype=wp.float64)


@wp.struct
class Sight:
    """Where a camera sees a point."""

    x_px: wp.float64
    y_px: wp.float64
    depth: float  # parameter of the ray
    is_seen: int  # 0: no ray of the lens meets it


@wp.func
def in_double(v: wp.vec3) -> wp.vec3d:
    """Return a vector in float64."""
    return wp.vec3d(wp.float64(v[0]), wp.float64(v[1]), wp.float64(v[2]))


@wp.func
def in_single(v: wp.vec3d) -> wp.vec3:
    """Return a vector in float32."""
    return wp.vec3(float(v[0]), float(v[1]), float(v[2]))


@wp.func
def column_of(m: mat34d, k: int) -> wp.vec3d:
    """Return a column of a map: an axis, or the origin (3)."""
    return wp.vec3d(m[0, k], m[1, k], m[2, k])


@wp.func
def turned(m: mat34d, v: wp.vec3d) -> wp.vec3d:
    """Return a direction in the map's target frame."""
    return column_of(m, 0) * v[0] + column_of(m, 1) * v[1] + column_of(m, 2) * v[2]


@wp.func
def turned_back(m: mat34d, v: wp.vec3d) -> wp.vec3d:
    """Return a direction in the map's source frame (Cramer's rule)."""
    x = column_of(m, 0)
    y = column_of(m, 1)
    z = column_of(m, 2)
    across = wp.cross(y, z)
    return wp.vec3d(wp.dot(v, across), wp.dot(v, wp.cross(z, x)), wp.dot(v, wp.cross(x, y))) / wp.dot(x, across)


@wp.func
def spun(v: wp.vec3d, spin_rad_s: wp.vec3, time_s: float) -> wp.vec3d:
    """Return a vector of something that spins, some time later (Rodrigues)."""
    spin = in_double(spin_rad_s)
    speed = wp.length(spin)
    if speed * wp.float64(time_s) == wp.float64(0.0):
        return v
    axis = spin / speed
    angle = speed * wp.float64(time_s)
    across = wp.cross(axis, v)
    return v + across * wp.sin(angle) + wp.cross(axis, across) * (wp.float64(1.0) - wp.cos(angle))


@wp.func
def camera_origin(pose: mat34d, views: Views, view: int, time_s: float) -> wp.vec3d:
    """Return where a camera is some time after the middle of its exposure."""
    origin = column_of(pose, 3)
    if has_blur(views):
        origin = origin + in_double(vector_of_blur(views, view, int(BlurValue.VELOCITY_X))) * wp.float64(time_s)
    return origin


@wp.func
def spin_of(views: Views, view: int) -> wp.vec3:
    """Return how a camera spins [rad/s]."""
    if has_blur(views):
        return vector_of_blur(views, view, int(BlurValue.SPIN_X))
    return wp.vec3(0.0, 0.0, 0.0)


@wp.func
def whole_direction(views: Views, view: int, x_px: float, y_px: float) -> wp.vec3d:
    """Return the direction of an equirectangular image in the camera's frame, also next to the poles exactly."""
    focal = views.focal_px[view]
    center = views.center_px[view]
    longitude = (wp.float64(x_px) - wp.float64(center[0])) / wp.float64(focal[0])
    down = (wp.float64(y_px) - wp.float64(center[1])) / wp.float64(focal[1])
    aside = wp.cos(down)
    return wp.vec3d(aside * wp.sin(longitude), -wp.sin(down), -aside * wp.cos(longitude))


@wp.func
def seen_point(views: Views, view: int, pose: mat34d, place_px: wp.vec2, t: float) -> wp.vec3d:
    """Return the point in the world that the label's ray through a place in the image meets at `t`."""
    ray = lens_ray(views, view, place_px[0], place_px[1])
    direction = in_double(ray.direction)
    if views.lens[view] == EQUIRECTANGULAR:
        direction = whole_direction(views, view, place_px[0], place_px[1])
    time_s = row_time_s(views, view, place_px[1])
    from_camera = turned(pose, in_double(ray.origin) + direction * wp.float64(t))
    return camera_origin(pose, views, view, time_s) + spun(from_camera, spin_of(views, view), time_s)


@wp.func_native(
    native("lanes", "lens", "lens_point")
    + """
    const char* rows = (const char*)views.lens_value.data;
    const float* values = (const float*)(rows + (size_t)view * views.lens_value.strides[0]);
    F value[LENS_LIMIT + 1];
    for (int k = 0; k <= LENS_LIMIT; ++k) value[k] = omm::splat(values[k]);
    const V3 at = {omm::splat(p[0]), omm::splat(p[1]), omm::splat(p[2])};
    const LensPoint q = bent_point(omm::splat_int(views.lens.data[view]), value, at);
    const float depth = omm::get(q.depth, 0);
    return wp::vec4(omm::get(q.right, 0), omm::get(q.down, 0), depth, omm::get_bool(q.is_seen, 0) ? 1.0f : 0.0f);
"""
)
def bent_sight(views: Views, view: int, p: wp.vec3) -> wp.vec4:
    """Return (right, down, depth, 1 if it is seen) of a point in the frame of a camera whose lens bends rays."""


@wp.func
def sight_of(views: Views, view: int, p_m: wp.vec3d) -> Sight:
    """Return where a camera sees a point given in its frame, also beyond the borders of the image."""
    ahead_m = -p_m[2]
    right = p_m[0]
    down = -p_m[1]
    sight = Sight()
    sight.depth = float(ahead_m)
    sight.is_seen = wp.where(ahead_m > wp.float64(0.0), 1, 0)
    if views.lens[view] < ORTHOGRAPHIC:
        right /= ahead_m
        down /= ahead_m
    elif views.lens[view] > ORTHOGRAPHIC:
        bent = bent_sight(views, view, in_single(p_m))
        if views.lens[view] == EQUIRECTANGULAR:
            right = wp.atan2(p_m[0], ahead_m)
            down = wp.atan2(-p_m[1], wp.sqrt(p_m[0] * p_m[0] + p_m[2] * p_m[2]))
        else:
            right = wp.float64(bent[0])
            down = wp.float64(bent[1])
        sight.depth = bent[2]
        sight.is_seen = wp.where(bent[3] > 0.0, 1, 0)
    focal = views.focal_px[view]
    center = views.center_px[view]
    sight.x_px = right * wp.float64(focal[0]) + wp.float64(center[0])
    sight.y_px = down * wp.float64(focal[1]) + wp.float64(center[1])
    return sight
