"""Depth cameras: what triangulation and time of flight make of the perfect depth. 0 is no measurement.

Both begin with `sense_surfaces`, which asks every pixel's surface how it answers; pixels then look at their neighbours.
Triangulation: a second camera (stereo) or a projector (structured light) stands `baseline_m` to the right of the
camera. Time of flight: the phase of light that is modulated with one frequency, summed over the pixel's footprint.
"""

import warp as wp

from .camera import Span, Views, camera_ray, label_row, pixel_of
from .echo import backscatter, echo_of
from .elementary import TAU, atan2_rad, normal_pair, sincos_turns
from .geometry import Geometry, Trees
from .material import Materials
from .random import RandomKey, uniform4
from .trace import FAR_M, MISS, Hit, is_blocked

NOISE_DIMENSION = wp.constant(0)  # dimensions of a pixel's counter: what displaces a measurement,
LOSS_DIMENSION = wp.constant(1)  # and what it is lost by
SHORT_OF_HIT = wp.constant(0.9998)  # of the way to a point: the point's own surface does not hide it
MOST_OFFSET_PX = wp.constant(2.0)  # lateral noise reaches this far
QUARTER_TURN = wp.constant(1.5707963267948966)


@wp.struct
class Triangulation:
    """A camera and, to its right, a second one or a projector."""

    baseline_m: float  # negative: to the left
    disparity_sigma_px: float
    disparity_step_px: float  # 0: not quantised
    least_disparity_px: float
    most_disparity_px: float
    lateral_sigma_px: float
    lateral_growth_px: float  # of the above: times angle / (90 degrees - angle) of incidence
    least_cosine: float  # of incidence
    least_contrast: float  # of the window: deviation over mean; 0: texture is projected
    window_px: int  # half of the window, less half a pixel
    lost_share: float
    detector: wp.vec2  # least signal (0: none is too weak), and its ratio to noise there


@wp.struct
class TimeOfFlight:
    """A modulated light beside the camera, and pixels that correlate."""

    half_wave_m: float  # c / (2 f): a full turn of the phase
    periods: int  # half waves that several frequencies tell apart
    electrons: float  # of a white target 1 m away that faces the camera
    ambient_electrons: float
    read_electrons: float
    full_well_electrons: float
    contrast: float  # of the demodulation
    least_electrons: float  # of modulated light
    footprint: wp.vec3  # weight of a pixel, of its four neighbours each and of the four at its corners; their sum is 1
    multipath: wp.vec2  # light that arrives later as a share of the direct, and how much farther it went [m]
    range_m: wp.vec2  # least and most planar depth
    step_m: float
    lost_share: float


@wp.struct
class Seen:
    """What a depth camera sees without noise, and what it measures, [view, y, x]."""

    depth_m: wp.array3d[float]
    surface: wp.array3d[wp.vec4]  # backscatter, cosine of incidence, diffuse part of backscatter, share of a mirror
    measured_m: wp.array3d[float]  # 0: no measurement
    key: RandomKey


@wp.func
def stretch_of(views: Views, view: int, y: int, x: int) -> float:
    """Return range over planar depth at a pixel's centre."""
    offset = wp.vec2(float(x) + 0.5, float(y) + 0.5) - views.center_px[view]
    return wp.length(wp.vec3(offset[0] / views.focal_px[view][0], offset[1] / views.focal_px[view][1], 1.0))


@wp.kernel(enable_backward=False, cuda_max_registers=96)
def sense_surfaces(
    geometry: Geometry, views: Views, materials: Materials, span: Span, hit: wp.array[Hit], mirror_alpha: float,
    out_seen: Seen,
):  # fmt: skip
    """Write how the surface at every pixel's centre answers.

    What is smoother than `mirror_alpha` shows other things: its share of a mirror is specular over all reflectance.
    """
    first = wp.tid() * span.run
    for k in range(span.run):
        if first + k < span.count:
            i = span.first + first + k
            pixel = pixel_of(views, i)
            found = hit[i]
            value = wp.vec4(0.0, 0.0, 0.0, 0.0)
            if found.placement != MISS:
                view = pixel[0]
                ray = camera_ray(views, view, float(pixel[2]) + 0.5, float(pixel[1]) + 0.5)
                width = found.t * ray.spread
                echo = echo_of(
                    geometry, materials, label_row(views, view, float(pixel[1]) + 0.5), found, ray.direction, width
                )
                both = echo.specular + echo.diffuse
                mirror = wp.where(echo.alpha < mirror_alpha and both > 0.0, echo.specular / wp.max(both, 1.0e-6), 0.0)
                value = wp.vec4(backscatter(echo), echo.cosine, echo.diffuse * echo.cosine, mirror)
            out_seen.surface[pixel[0], pixel[1], pixel[2]] = value


@wp.func
def inverse_depth_at(views: Views, seen: Seen, view: int, y_px: float, x_px: float) -> float:
    """Return the bilinear inverse depth at a point of the image; 0 where most of it is nothing.

    On a plane this is exact; across an edge it is a depth where nothing is: a flying pixel.
    """
    x0 = wp.floor(x_px - 0.5)
    y0 = wp.floor(y_px - 0.5)
    total = float(0.0)
    weights = float(0.0)
    for corner in range(4):
        right = float(corner & 1)
        down = float(corner >> 1)
        x = wp.clamp(int(x0 + right), 0, views.width - 1)
        y = wp.clamp(int(y0 + down), 0, views.height - 1)
        share_x = wp.abs(1.0 - right - (x_px - 0.5 - x0))
        share_y = wp.abs(1.0 - down - (y_px - 0.5 - y0))
        depth_m = seen.depth_m[view, y, x]
        if depth_m < FAR_M:
            total += share_x * share_y / depth_m
            weights += share_x * share_y
    return wp.where(weights >= 0.5, total / wp.max(weights, 0.5), 0.0)


@wp.func
def contrast_at(views: Views, seen: Seen, pixel: wp.vec3i, half_px: int) -> float:
    """Return the standard deviation of diffuse brightness in a window, over its mean."""
    total = float(0.0)
    squares = float(0.0)
    count = float(0.0)
    for dy in range(-half_px, half_px + 1):
        for dx in range(-half_px, half_px + 1):
            y = wp.clamp(pixel[1] + dy, 0, views.height - 1)
            x = wp.clamp(pixel[2] + dx, 0, views.width - 1)
            value = seen.surface[pixel[0], y, x][2]
            total += value
            squares += value * value
            count += 1.0
    mean = total / count
    return wp.sqrt(wp.max(squares / count - mean * mean, 0.0)) / wp.max(mean, 1.0e-6)


@wp.func
def is_detected(detector: wp.vec2, signal: float, noise: float) -> bool:
    """Return whether a signal with additive noise passes the threshold."""
    return signal >= detector[0] * (1.0 - noise / wp.max(detector[1], 1.0e-6))


@wp.func
def is_matched(views: Views, seen: Seen, model: Triangulation, pixel: wp.vec3i, loss: wp.vec4) -> bool:
    """Return whether the surface at a pixel can be matched at all."""
    surface = seen.surface[pixel[0], pixel[1], pixel[2]]
    if surface[1] < model.least_cosine or loss[0] < model.lost_share or loss[1] < surface[3]:
        return False
    if model.least_contrast > 0.0 and contrast_at(views, seen, pixel, model.window_px) < model.least_contrast:
        return False
    if model.detector[0] > 0.0:
        range_m = seen.depth_m[pixel[0], pixel[1], pixel[2]] * stretch_of(views, pixel[0], pixel[1], pixel[2])
        noise = normal_pair(loss[2], loss[3])
        return is_detected(model.detector, surface[0] / (range_m * range_m), noise[0])
    return True


@wp.func
def is_seen_twice(trees: Trees, views: Views, pixel: wp.vec3i, depth_m: float, baseline_m: float) -> bool:
    """Return whether the second camera sees the point at a pixel: it is in its frame, and nothing is in between."""
    view = pixel[0]
    x_px = float(pixel[2]) + 0.5 - views.focal_px[view][0] * baseline_m / depth_m
    if x_px < 0.0 or x_px > float(views.width):
        return False
    ray = camera_ray(views, view, float(pixel[2]) + 0.5, float(pixel[1]) + 0.5)
    point = ray.origin + ray.direction * depth_m
    pose = views.world_from_camera[view]
    ray.origin = ray.origin + wp.vec3(pose[0, 0], pose[1, 0], pose[2, 0]) * baseline_m
    ray.direction = point - ray.origin
    return not is_blocked(trees, label_row(views, view, float(pixel[1]) + 0.5), ray, SHORT_OF_HIT)


@wp.func
def triangulated(views: Views, seen: Seen, model: Triangulation, pixel: wp.vec3i, noise: wp.vec4) -> float:
    """Return the depth [m] that a noisy, quantised disparity means; 0: outside the search."""
    view = pixel[0]
    cosine = seen.surface[view, pixel[1], pixel[2]][1]
    lateral = normal_pair(noise[0], noise[1])
    angle = atan2_rad(wp.sqrt(wp.max(1.0 - cosine * cosine, 0.0)), cosine)
    sigma_px = model.lateral_sigma_px + model.lateral_growth_px * angle / wp.max(QUARTER_TURN - angle, 0.01)
    x_px = float(pixel[2]) + 0.5 + wp.clamp(sigma_px * lateral[0], -MOST_OFFSET_PX, MOST_OFFSET_PX)
    y_px = float(pixel[1]) + 0.5 + wp.clamp(sigma_px * lateral[1], -MOST_OFFSET_PX, MOST_OFFSET_PX)
    focal_baseline = views.focal_px[view][0] * wp.abs(model.baseline_m)
    disparity_px = focal_baseline * inverse_depth_at(views, seen, view, y_px, x_px)
    if disparity_px <= 0.0:
        return 0.0
    disparity_px += model.disparity_sigma_px * normal_pair(noise[2], noise[3])[0]
    if model.disparity_step_px > 0.0:
        disparity_px = wp.floor(disparity_px / model.disparity_step_px + 0.5) * model.disparity_step_px
    if disparity_px <= 0.0 or disparity_px < model.least_disparity_px or disparity_px > model.most_disparity_px:
        return 0.0
    return focal_baseline / disparity_px


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def triangulate(trees: Trees, views: Views, span: Span, model: Triangulation, out_seen: Seen):
    """Write what triangulation measures at every pixel."""
    first = wp.tid() * span.run
    for k in range(span.run):
        if first + k < span.count:
            pixel = pixel_of(views, span.first + first + k)
            view = pixel[0]
            index = pixel[1] * views.width + pixel[2]
            depth_m = out_seen.depth_m[view, pixel[1], pixel[2]]
            measured_m = float(0.0)
            if depth_m < FAR_M:
                loss = uniform4(views.world[view], views.frame[view], index, LOSS_DIMENSION, out_seen.key)
                matched = is_matched(views, out_seen, model, pixel, loss)
                if matched and is_seen_twice(trees, views, pixel, depth_m, model.baseline_m):
                    noise = uniform4(views.world[view], views.frame[view], index, NOISE_DIMENSION, out_seen.key)
                    measured_m = triangulated(views, out_seen, model, pixel, noise)
            out_seen.measured_m[view, pixel[1], pixel[2]] = measured_m


@wp.struct
class Phasor:
    """Modulated light that a pixel collects."""

    value: wp.vec2  # electrons, as cosine and sine of the phase
    electrons: float  # all of them, without ambient light
    strongest: wp.vec2  # electrons and range [m] of the strongest neighbour


@wp.func
def phasor_at(views: Views, seen: Seen, model: TimeOfFlight, pixel: wp.vec3i) -> Phasor:
    """Return the light of a pixel's footprint: that of its 3 x 3 neighbourhood."""
    out = Phasor()
    out.strongest = wp.vec2(0.0, 0.0)
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            weight = model.footprint[dx * dx + dy * dy]
            y = pixel[1] + dy
            x = pixel[2] + dx
            if y >= 0 and y < views.height and x >= 0 and x < views.width:
                depth_m = seen.depth_m[pixel[0], y, x]
                if depth_m < FAR_M:
                    range_m = depth_m * stretch_of(views, pixel[0], y, x)
                    electrons = weight * model.electrons * seen.surface[pixel[0], y, x][0] / (range_m * range_m)
                    direct = sincos_turns(range_m / model.half_wave_m)
                    late = sincos_turns((range_m + 0.5 * model.multipath[1]) / model.half_wave_m)
                    both = direct + late * model.multipath[0]
                    out.value += wp.vec2(both[1], both[0]) * electrons
                    out.electrons += electrons * (1.0 + model.multipath[0])
                    if electrons > out.strongest[0]:
                        out.strongest = wp.vec2(electrons, range_m)
    return out


@wp.func
def range_of_phase(model: TimeOfFlight, light: Phasor, noise: wp.vec4) -> float:
    """Return the range [m] that a noisy phase means; 0: too little or too much light.

    Four buckets a quarter period apart hold a quarter of all electrons each, modulated with `contrast`; differences of
    opposite ones are the phasor, whose parts have the shot noise of half of all electrons and the reading of two.
    Source: Lange, Seitz, "Solid-state time-of-flight range camera", IEEE J. Quantum Electronics 37(3), 2001.
    """
    collected = light.electrons + model.ambient_electrons
    if 0.25 * collected > model.full_well_electrons:
        return 0.0
    sigma = wp.sqrt(0.5 * collected + 2.0 * model.read_electrons * model.read_electrons)
    value = light.value * (0.5 * model.contrast) + normal_pair(noise[0], noise[1]) * sigma
    if 2.0 * wp.length(value) < model.contrast * model.least_electrons:
        return 0.0
    wrapped_m = atan2_rad(value[1], value[0]) / TAU * model.half_wave_m
    whole = wp.floor((light.strongest[1] - wrapped_m) / model.half_wave_m + 0.5)
    far_m = model.half_wave_m * float(model.periods)
    range_m = wrapped_m + whole * model.half_wave_m
    return range_m - wp.floor(range_m / far_m) * far_m


@wp.kernel(enable_backward=False)
def measure_flight(views: Views, span: Span, model: TimeOfFlight, out_seen: Seen):
    """Write what time of flight measures at every pixel, as planar depth."""
    first = wp.tid() * span.run
    for k in range(span.run):
        if first + k < span.count:
            pixel = pixel_of(views, span.first + first + k)
            view = pixel[0]
            light = phasor_at(views, out_seen, model, pixel)
            measured_m = float(0.0)
            if light.electrons > 0.0:
                index = pixel[1] * views.width + pixel[2]
                noise = uniform4(views.world[view], views.frame[view], index, NOISE_DIMENSION, out_seen.key)
                range_m = range_of_phase(model, light, noise)
                measured_m = range_m / stretch_of(views, view, pixel[1], pixel[2])
                if model.step_m > 0.0:
                    measured_m = wp.floor(measured_m / model.step_m + 0.5) * model.step_m
                if measured_m < model.range_m[0] or measured_m > model.range_m[1] or noise[2] < model.lost_share:
                    measured_m = 0.0
            out_seen.measured_m[view, pixel[1], pixel[2]] = measured_m
