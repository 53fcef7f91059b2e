"""Shaping of a light by direction: focus, cone and photometric profile; its formulas are in native/shaping.cpp."""

import warp as wp


@wp.struct
class Profiles:
    """Photometric profiles of type C (ANSI/IES LM-63), into which engine/scene/ies.py turns the others.

    One after the other: horizontal angles, vertical ones, then intensities, a row for a horizontal angle. Both lists of
    angles [rad] ascend and have at least two entries; the horizontal one spans a full turn.
    """

    first: wp.array[int]  # [profile], of its numbers in `value`
    count: wp.array[wp.vec2i]  # [profile], horizontal and vertical angles
    value: wp.array[float]


@wp.struct
class Shaping:
    """The shaping of one light."""

    cone_rad: wp.vec2  # angle off the axis at which the light begins to fade, and at which it ends
    focus: float  # exponent
    focus_tint: wp.vec3
    profile: int  # or -1


@wp.struct
class Shapings:
    """Shapings of those lights that have one."""

    row: wp.array[Shaping]
    profiles: Profiles
