"""What a camera finds out before it exposes: exposure from the luminance of a view's zones, white from their colour."""

import warp as wp

from .sensor import ZONES, Groups, Meter, Sensor, SensorValue, SensorViews

DARKEST = wp.constant(1.0e-6)  # luminance that counts for less: a black zone is no reason for endless exposure
STEPS = wp.constant(24)  # halvings of an interval of 64 stops: to a hundred-thousandth of a stop
FIRST_GAIN = wp.constant(int(SensorValue.WHITE_RED))
EXPOSURE = wp.constant(int(SensorValue.EXPOSURE))
LEAST_GAIN = wp.constant(0.125)  # of grey world; a frame of one colour is no light of that colour
LARGEST_GAIN = wp.constant(8.0)


@wp.struct
class Metered:
    """What is found."""

    value: wp.array2d[float]  # [view, (factor on radiance, gains of red, green, blue)]
    ev: wp.array[float]  # [view], exposure, 0: radiance 1 is white; empty: exposure is not metered


@wp.func
def luminance(color: wp.vec3) -> float:
    """Return the luminance of linear sRGB; ITU-R BT.709-6, section 3.2."""
    return 0.2126 * color[0] + 0.7152 * color[1] + 0.0722 * color[2]


@wp.func
def zone_mean(light: wp.array3d[wp.vec3], view: int, zone: int) -> wp.vec3:
    """Return the mean light of a zone."""
    height, width = light.shape[1], light.shape[2]
    across, down = wp.min(ZONES, width), wp.min(ZONES, height)
    zone_y = zone // across
    zone_x = zone - zone_y * across
    total = wp.vec3(0.0)
    area = int(0)
    for y in range(zone_y * height // down, (zone_y + 1) * height // down):
        for x in range(zone_x * width // across, (zone_x + 1) * width // across):
            total += light[view, y, x]
            area += 1
    return total / float(area)


@wp.kernel(enable_backward=False)
def meter_zones(groups: Groups, light: wp.array3d[wp.vec3], out_zone: wp.array2d[wp.vec3]):
    """Write the mean light of zones, which are numbered view by view."""
    first = wp.tid() * groups.run
    for i in range(first, wp.min(first + groups.run, groups.count)):
        view = (groups.first + i) // out_zone.shape[1]
        zone = groups.first + i - view * out_zone.shape[1]
        out_zone[view, zone] = zone_mean(light, view, zone)


@wp.func
def level(zone: wp.array2d[wp.vec3], view: int, count: int, percentile: float) -> float:
    """Return the logarithm to base 2 of a percentile of the zones' luminance, or of their geometric mean."""
    if percentile < 0.0:
        total = float(0.0)
        for i in range(count):
            total += wp.log2(wp.max(luminance(zone[view, i]), DARKEST))
        return total / float(count)
    low, high = float(-32.0), float(32.0)
    for _step in range(STEPS):
        middle = 0.5 * (low + high)
        bound = wp.pow(2.0, middle)
        below = int(0)
        for i in range(count):
            below += wp.where(wp.max(luminance(zone[view, i]), DARKEST) <= bound, 1, 0)
        if float(below) >= percentile * float(count):
            high = middle
        else:
            low = middle
    return high


@wp.func
def grey_gain(mean: wp.vec3, channel: int) -> float:
    """Return the further gain that makes a channel's mean that of green."""
    return wp.clamp(mean[1] / wp.max(mean[channel], 1.0e-9), LEAST_GAIN, LARGEST_GAIN)


@wp.kernel(enable_backward=False)
def meter_views(
    sensor: Sensor, meter: Meter, views: SensorViews, zone: wp.array2d[wp.vec3], groups: Groups,
    out_metered: Metered,
):  # fmt: skip
    """Write exposure and gains of every view."""
    if wp.tid() >= groups.count:
        return
    view = groups.first + wp.tid()
    count = zone.shape[1]
    factor = views.value[view, EXPOSURE]
    if meter.is_on != 0:
        ev = wp.clamp(wp.log2(meter.target) - level(zone, view, count, meter.percentile), meter.low_ev, meter.high_ev)
        factor *= wp.pow(2.0, ev)
        out_metered.ev[view] = ev
    out_metered.value[view, 0] = factor
    gain = wp.vec3()
    for channel in range(3):
        gain[channel] = views.value[view, FIRST_GAIN + channel]
        out_metered.value[view, channel + 1] = gain[channel]
    if meter.finds_white == 0:
        return
    mean = wp.vec3(0.0)
    for i in range(count):
        raw = sensor.response * zone[view, i]
        if wp.max(raw) * factor < 1.0:  # what is saturated has lost its colour
            mean += wp.cw_mul(gain, raw)
    if wp.min(mean) > 0.0:
        for channel in range(3):
            out_metered.value[view, channel + 1] = gain[channel] * grey_gain(mean, channel)
