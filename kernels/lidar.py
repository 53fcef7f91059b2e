"""LiDAR: beams of a pattern, sub-rays over a beam's footprint, their echoes, and the returns that a detector reports.

Three launches over a sweep's beams: `cast_beams` (or lidar_passage.py) finds what every sub-ray hits, `hear_echoes` how
strong it comes back, `report_returns` groups echoes into pulses and measures them. Sensor frame: x ahead, y left, z up.
"""

from enum import IntEnum

import warp as wp

from .camera import Ray, Span
from .echo import backscatter, echo_of
from .elementary import TAU, atan2_rad, normal_pair, sincos_turns
from .geometry import Geometry, Trees
from .material import Materials
from .random import RandomKey, uniform4
from .trace import FAR_M, MISS, Hit, trace_closest
from .transform import mat34, transform_point, transform_vector

NO_RETURN = wp.constant(-1)  # instance of a return that is not there
MOST_RETURNS = 2
BEAM_DIMENSION = wp.constant(0)  # dimensions of a beam's counter: random loss,
PULSE_DIMENSION = wp.constant(16)  # then one of each pulse,
PASS_DIMENSION = wp.constant(256)  # and one of each sub-ray
SMALL_TURN = wp.constant(0.008)  # below, in full turns, series stand for differences that cancel


class PatternKind(IntEnum):
    """How the beams of a sweep lie."""

    SPINNING = 0  # a column of channels turns around z
    ROSETTE = 1  # two prisms turn a beam
    RASTER = 2  # two mirrors swing a beam


class ReturnMode(IntEnum):
    """Which pulses of a beam are reported."""

    STRONGEST = 0
    LAST = 1
    DUAL = 2  # the strongest and the last, or the second strongest if that is the same


@wp.struct
class Pattern:
    """Beams of a sweep. Angles are full turns, azimuth from x towards y."""

    kind: int
    beams: int
    channels: int
    firing_s: float  # from one firing of all channels to the next
    turns_a_firing: float  # spinning: signed
    turn_hz: float  # spinning: signed
    start_turns: float
    channel: wp.array2d[float]  # [channel, 3]: elevation and azimuth offset [turns], delay after the firing [s]
    axis_hz: wp.vec2  # rosette, raster: of the two prisms or mirrors
    reach_turns: wp.vec2  # deflection of either prism; half the field of either mirror
    is_sine: int  # raster: the slow mirror swings like the fast one, and is no sawtooth


@wp.struct
class Scan:
    """What sweeps of a launch share, and where each begins; a beam of the launch is sweep * beams + beam."""

    pattern: Pattern
    row: wp.array[int]  # [sweep], of Worlds
    world: wp.array[int]  # [sweep], random counter
    step: wp.array[int]  # [sweep]
    world_from_sensor: wp.array[mat34]  # [sweep], at the start of the sweep
    phase: wp.array[wp.vec2]  # [sweep], of the two axes at its start [turns]
    velocity_m_s: wp.vec3  # of the sensor, in its own frame
    spin_axis: wp.vec3  # unit, in the sensor's frame
    spin_hz: float
    subray: wp.array[wp.vec3]  # [subray], slopes to the left and up, and weight
    compensate: int  # 1: points are given in the frame of one moment,
    moment_s: float  # after the start of the sweep
    key: RandomKey


@wp.struct
class Detector:
    """How pulses become returns."""

    mode: int
    returns: int  # of a beam
    resolution_m: float  # echoes closer than this are one pulse
    least_signal: float  # 0: none is too weak
    threshold_ratio: float  # of signal to noise there
    sigma_m: float
    walk_m: float  # how much too far a pulse at the threshold is measured; less in proportion for stronger ones
    step_m: float
    range_m: wp.vec2  # least and most
    intensity_share: float  # standard deviation of the intensity, relative
    lost_share: float  # of beams


@wp.struct
class Echoes:
    """Scratch memory of a slice of beams, [beam of the slice * subrays + subray]."""

    hit: wp.array[Hit]
    value: wp.array[wp.vec2]  # range [m] and signal; 0: nothing


@wp.struct
class Cloud:
    """Returns, [sweep, beam, return]."""

    value: wp.array4d[float]  # x, y, z [m] in the sensor's frame, range [m], intensity, time [s], azimuth [rad]
    id: wp.array4d[int]  # instance or NO_RETURN, channel


@wp.struct
class Beam:
    """A beam in the sensor's frame at its own time."""

    direction: wp.vec3  # unit
    left: wp.vec3
    time_s: float
    azimuth_turns: float
    channel: int


@wp.struct
class Pulse:
    """Echoes that arrive together."""

    signal: float
    range_m: float  # mean, weighted by signal
    end_m: float  # what lies beyond is another pulse
    subray: int  # the strongest of them
    random: wp.vec4


@wp.func
def fraction(x: float) -> float:
    """Return what is left of a number above the whole one below it."""
    return x - wp.floor(x)


@wp.func
def swing_turns(pattern: Pattern, phase: wp.vec2, time_s: float) -> wp.vec2:
    """Return the angles to the left and up of a beam that two prisms or mirrors move.

    Thin prisms: their deflections add. Mirrors: the first swings as a sine; the second, too, or it is a sawtooth.
    """
    at = wp.vec2(fraction(phase[0] + pattern.axis_hz[0] * time_s), fraction(phase[1] + pattern.axis_hz[1] * time_s))
    first = sincos_turns(at[0])
    second = sincos_turns(at[1])
    if pattern.kind == int(PatternKind.ROSETTE):
        return wp.vec2(
            pattern.reach_turns[0] * first[1] + pattern.reach_turns[1] * second[1],
            pattern.reach_turns[0] * first[0] + pattern.reach_turns[1] * second[0],
        )
    up = wp.where(pattern.is_sine != 0, second[0], 2.0 * at[1] - 1.0)
    return wp.vec2(pattern.reach_turns[0] * first[0], pattern.reach_turns[1] * up)


@wp.func
def beam_at(pattern: Pattern, phase: wp.vec2, beam: int) -> Beam:
    """Return a beam of a sweep."""
    out = Beam()
    firing = beam // pattern.channels
    out.channel = beam - firing * pattern.channels
    out.time_s = float(firing) * pattern.firing_s
    sine_up = float(0.0)
    cosine_up = float(1.0)
    if pattern.kind == int(PatternKind.SPINNING):
        delay_s = pattern.channel[out.channel, 2]
        out.time_s += delay_s
        turned = float(firing) * pattern.turns_a_firing + pattern.turn_hz * delay_s
        out.azimuth_turns = pattern.start_turns + turned + pattern.channel[out.channel, 1]
        up = sincos_turns(pattern.channel[out.channel, 0])
        sine_up = up[0]
        cosine_up = up[1]
    elif pattern.kind == int(PatternKind.RASTER):
        angles = swing_turns(pattern, phase, out.time_s)
        out.azimuth_turns = angles[0]
        up = sincos_turns(angles[1])
        sine_up = up[0]
        cosine_up = up[1]
    around = sincos_turns(out.azimuth_turns)
    out.direction = wp.vec3(cosine_up * around[1], cosine_up * around[0], sine_up)
    out.left = wp.vec3(-around[0], around[1], 0.0)
    if pattern.kind == int(PatternKind.ROSETTE):
        angles = swing_turns(pattern, phase, out.time_s)
        bend = wp.length(angles)
        tilt = sincos_turns(bend)
        share = tilt[0] / wp.max(bend, 1.0e-12)
        out.direction = wp.vec3(tilt[1], angles[0] * share, angles[1] * share)
        out.left = wp.normalize(wp.vec3(-out.direction[1], out.direction[0], 0.0))
        out.azimuth_turns = atan2_rad(out.direction[1], out.direction[0]) / TAU
    return out


@wp.func
def moved_to(scan: Scan, time_s: float) -> mat34:
    """Return the sensor's pose at a time in its frame at the start of the sweep, for a constant twist.

    Source: Lynch, Park, "Modern robotics", Cambridge 2017, equation 3.88 (the exponential of a screw motion).
    """
    turns = scan.spin_hz * time_s
    angle = turns * TAU
    waves = sincos_turns(turns)
    bend = (1.0 - waves[1]) / wp.where(angle == 0.0, 1.0, angle)
    lag = (angle - waves[0]) / wp.where(angle == 0.0, 1.0, angle)
    versine = 1.0 - waves[1]
    if wp.abs(turns) < SMALL_TURN:
        versine = 0.5 * angle * angle * (1.0 - angle * angle / 12.0)
        bend = 0.5 * angle * (1.0 - angle * angle / 12.0)
        lag = angle * angle / 6.0 * (1.0 - angle * angle / 20.0)
    across = wp.cross(scan.spin_axis, scan.velocity_m_s)
    along = (scan.velocity_m_s + across * bend + wp.cross(scan.spin_axis, across) * lag) * time_s
    out = mat34()
    for column in range(3):
        unit = wp.vec3(0.0, 0.0, 0.0)
        unit[column] = 1.0
        side = wp.cross(scan.spin_axis, unit)
        axis = unit + side * waves[0] + wp.cross(scan.spin_axis, side) * versine
        for row in range(3):
            out[row, column] = axis[row]
    for row in range(3):
        out[row, 3] = along[row]
    return out


@wp.func
def back_from(pose: mat34, p: wp.vec3) -> wp.vec3:
    """Return a point in the frame that a rigid map begins in."""
    q = p - wp.vec3(pose[0, 3], pose[1, 3], pose[2, 3])
    return wp.vec3(
        pose[0, 0] * q[0] + pose[1, 0] * q[1] + pose[2, 0] * q[2],
        pose[0, 1] * q[0] + pose[1, 1] * q[1] + pose[2, 1] * q[2],
        pose[0, 2] * q[0] + pose[1, 2] * q[1] + pose[2, 2] * q[2],
    )


@wp.func
def ray_of(scan: Scan, index: int, subray: int) -> Ray:
    """Return a sub-ray of a beam of the launch in the world; its direction is unit, so that `t` is range."""
    sweep = index // scan.pattern.beams
    beam = beam_at(scan.pattern, scan.phase[sweep], index - sweep * scan.pattern.beams)
    slope = scan.subray[subray]
    up = wp.cross(beam.direction, beam.left)
    pose = moved_to(scan, beam.time_s)
    towards = wp.normalize(beam.direction + beam.left * slope[0] + up * slope[1])
    ray = Ray()
    ray.origin = transform_point(scan.world_from_sensor[sweep], wp.vec3(pose[0, 3], pose[1, 3], pose[2, 3]))
    ray.direction = wp.normalize(transform_vector(scan.world_from_sensor[sweep], transform_vector(pose, towards)))
    return ray


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def cast_beams(trees: Trees, scan: Scan, span: Span, out_echoes: Echoes):
    """Write what every sub-ray of a span's beams meets first."""
    subrays = scan.subray.shape[0]
    first = wp.tid() * span.run
    for k in range(span.run):
        i = first + k
        if i < span.count * subrays:
            beam = i // subrays
            index = span.first + beam
            ray = ray_of(scan, index, i - beam * subrays)
            out_echoes.hit[i] = trace_closest(trees, scan.row[index // scan.pattern.beams], ray)


@wp.kernel(enable_backward=False, cuda_max_registers=96)
def hear_echoes(geometry: Geometry, materials: Materials, scan: Scan, span: Span, out_echoes: Echoes):
    """Write range and signal of every sub-ray: its weight times backscatter over squared range."""
    subrays = scan.subray.shape[0]
    first = wp.tid() * span.run
    for k in range(span.run):
        i = first + k
        if i < span.count * subrays:
            hit = out_echoes.hit[i]
            value = wp.vec2(0.0, 0.0)
            if hit.placement != MISS:
                beam = i // subrays
                index = span.first + beam
                ray = ray_of(scan, index, i - beam * subrays)
                echo = echo_of(geometry, materials, scan.row[index // scan.pattern.beams], hit, ray.direction, 0.0)
                weight = scan.subray[i - beam * subrays][2]
                value = wp.vec2(hit.t, weight * backscatter(echo) / wp.max(hit.t * hit.t, 1.0e-6))
            out_echoes.value[i] = value


@wp.func
def pulse_after(scan: Scan, detector: Detector, echoes: Echoes, first: int, after_m: float) -> Pulse:
    """Return the next pulse beyond a range: the nearest echo there and all that follow within the resolution."""
    out = Pulse()
    subrays = scan.subray.shape[0]
    start_m = float(FAR_M)
    for s in range(subrays):
        value = echoes.value[first + s]
        if value[1] > 0.0 and value[0] > after_m:
            start_m = wp.min(start_m, value[0])
    out.end_m = start_m + detector.resolution_m
    best = float(0.0)
    beyond_m = float(0.0)
    for s in range(subrays):
        value = echoes.value[first + s]
        if value[1] > 0.0 and value[0] >= start_m and value[0] <= out.end_m:
            out.signal += value[1]
            beyond_m += value[1] * (value[0] - start_m)
            if value[1] > best:
                best = value[1]
                out.subray = s
    out.range_m = start_m
    if out.signal > 0.0:
        out.range_m += beyond_m / out.signal
    return out


@wp.func
def is_heard(detector: Detector, pulse: Pulse) -> bool:
    """Return whether a pulse is in range and passes the threshold with its noise."""
    if pulse.range_m < detector.range_m[0] or pulse.range_m > detector.range_m[1]:
        return False
    noise = normal_pair(pulse.random[0], pulse.random[1])
    return pulse.signal >= detector.least_signal * (1.0 - noise[0] / wp.max(detector.threshold_ratio, 1.0e-6))


@wp.func
def store_return(
    geometry: Geometry, scan: Scan, detector: Detector, echoes: Echoes, pulse: Pulse, place: wp.vec4i, out_cloud: Cloud
):  # fmt: skip
    """Write a return; `place` is sweep, beam, return and the beam's first echo. A pulse without signal is none."""
    sweep = place[0]
    beam = beam_at(scan.pattern, scan.phase[sweep], place[1])
    point = wp.vec3(0.0, 0.0, 0.0)
    range_m = float(0.0)
    intensity = float(0.0)
    instance = int(NO_RETURN)
    if pulse.signal > 0.0:
        noise = normal_pair(pulse.random[2], pulse.random[3])
        range_m = pulse.range_m + detector.sigma_m * noise[0]
        range_m += detector.walk_m * wp.min(detector.least_signal / pulse.signal, 1.0)
        if detector.step_m > 0.0:
            range_m = wp.floor(range_m / detector.step_m + 0.5) * detector.step_m
        intensity = pulse.signal * wp.max(1.0 + detector.intensity_share * noise[1], 0.0)
        instance = geometry.instance[echoes.hit[place[3] + pulse.subray].placement]
        point = beam.direction * range_m
        if scan.compensate != 0:
            point = back_from(moved_to(scan, scan.moment_s), transform_point(moved_to(scan, beam.time_s), point))
    for axis in range(3):
        out_cloud.value[sweep, place[1], place[2], axis] = point[axis]
    out_cloud.value[sweep, place[1], place[2], 3] = range_m
    out_cloud.value[sweep, place[1], place[2], 4] = intensity
    out_cloud.value[sweep, place[1], place[2], 5] = beam.time_s
    out_cloud.value[sweep, place[1], place[2], 6] = (beam.azimuth_turns - wp.floor(beam.azimuth_turns + 0.5)) * TAU
    out_cloud.id[sweep, place[1], place[2], 0] = instance
    out_cloud.id[sweep, place[1], place[2], 1] = beam.channel


@wp.kernel(enable_backward=False, cuda_max_registers=128)
def report_returns(geometry: Geometry, scan: Scan, span: Span, detector: Detector, echoes: Echoes, out_cloud: Cloud):
    """Write the returns of a span's beams."""
    subrays = scan.subray.shape[0]
    first = wp.tid() * span.run
    for k in range(span.run):
        if first + k < span.count:
            index = span.first + first + k
            sweep = index // scan.pattern.beams
            beam = index - sweep * scan.pattern.beams
            world = scan.world[sweep]
            step = scan.step[sweep]
            strongest = Pulse()
            second = Pulse()
            last = Pulse()
            after_m = float(0.0)
            kept = uniform4(world, step, beam, BEAM_DIMENSION, scan.key)[0] >= detector.lost_share
            for number in range(subrays):
                if kept and after_m < FAR_M:
                    pulse = pulse_after(scan, detector, echoes, (first + k) * subrays, after_m)
                    after_m = pulse.end_m
                    if pulse.signal > 0.0:
                        pulse.random = uniform4(world, step, beam, PULSE_DIMENSION + number, scan.key)
                        if is_heard(detector, pulse):
                            last = pulse
                            if pulse.signal > strongest.signal:
                                second = strongest
                                strongest = pulse
                            elif pulse.signal > second.signal:
                                second = pulse
            chosen = strongest
            if detector.mode == int(ReturnMode.LAST):
                chosen = last
            if last.range_m == strongest.range_m:
                last = second
            for number in range(detector.returns):
                place = wp.vec4i(sweep, beam, number, (first + k) * subrays)
                store_return(geometry, scan, detector, echoes, chosen, place, out_cloud)
                chosen = last
