"""Photometric profiles: luminous intensity by direction, interpolated between the angles of an IES file.

Source: ANSI/IES LM-63, photometry of type C; engine/scene/ies.py turns the other types into it.
"""

import warp as wp


@wp.struct
class Profiles:
    """Profiles one after the other: horizontal angles, vertical ones, then intensities, a row for a horizontal angle.

    Both lists of angles [rad] ascend and have at least two entries; the horizontal one spans a full turn.
    """

    first: wp.array[int]  # [profile], of its numbers in `value`
    count: wp.array[wp.vec2i]  # [profile], horizontal and vertical angles
    value: wp.array[float]


@wp.func
def bracket(values: wp.array[float], first: int, count: int, x: float) -> int:
    """Return which of `count` ascending numbers from `first` on begins the interval that x is in, or is nearest to."""
    low = int(0)
    high = count - 1
    while high - low > 1:
        middle = (low + high) // 2
        if values[first + middle] <= x:
            low = middle
        else:
            high = middle
    return low


@wp.func
def share_between(values: wp.array[float], index: int, x: float) -> float:
    """Return how far x has gone from one entry to the next, within [0, 1]."""
    step = wp.max(values[index + 1] - values[index], 1.0e-9)
    return wp.clamp((x - values[index]) / step, 0.0, 1.0)


@wp.func
def intensity_at(profiles: Profiles, profile: int, horizontal_rad: float, vertical_rad: float) -> float:
    """Return the intensity at a direction, bilinear in the angles; 0 at vertical angles that the profile leaves out."""
    count = profiles.count[profile]
    first = profiles.first[profile]
    first_vertical = first + count[0]
    if vertical_rad < profiles.value[first_vertical] or vertical_rad > profiles.value[first_vertical + count[1] - 1]:
        return 0.0
    h = bracket(profiles.value, first, count[0], horizontal_rad)
    v = bracket(profiles.value, first_vertical, count[1], vertical_rad)
    along_h = share_between(profiles.value, first + h, horizontal_rad)
    along_v = share_between(profiles.value, first_vertical + v, vertical_rad)
    k = first_vertical + count[1] + h * count[1] + v
    low = profiles.value[k] * (1.0 - along_v) + profiles.value[k + 1] * along_v
    high = profiles.value[k + count[1]] * (1.0 - along_v) + profiles.value[k + count[1] + 1] * along_v
    return low * (1.0 - along_h) + high * along_h
