"""Shaping of a light by direction: focus, cone and photometric profile.

These are the formulas of UsdLuxShapingAPI, https://openusd.org/release/user_guides/schemas/usdLux/ShapingAPI.html. The
horizontal angle of a profile is that of the direction towards the light, as in hdEmbree, OpenUSD's reference renderer.
"""

import warp as wp

from .ies import Profiles, intensity_at

NO_SHAPING = wp.constant(-1)
NO_PROFILE = wp.constant(-1)


@wp.struct
class Shaping:
    """The shaping of one light."""

    cone_rad: wp.vec2  # angle off the axis at which the light begins to fade, and at which it ends
    focus: float  # exponent
    focus_tint: wp.vec3
    profile: int  # or NO_PROFILE


@wp.struct
class Shapings:
    """Shapings of those lights that have one."""

    row: wp.array[Shaping]
    profiles: Profiles


@wp.func
def cone_share(cone_rad: wp.vec2, angle_rad: float) -> float:
    """Return the share that a cone leaves at an angle off the axis: 1 - smoothstep, or a hard edge."""
    if angle_rad > cone_rad[1]:
        return 0.0
    if angle_rad <= cone_rad[0]:
        return 1.0
    return 1.0 - wp.smoothstep(cone_rad[0], cone_rad[1], angle_rad)


@wp.func
def shape_factor(shapings: Shapings, shaping: int, towards: wp.vec3) -> wp.vec3:
    """Return the factor on the radiance, given the unit direction towards the light in its own frame."""
    across = wp.sqrt(towards[0] * towards[0] + towards[1] * towards[1])
    angle_rad = wp.atan2(across, towards[2])  # exact for narrow cones, unlike an arc cosine
    own = shapings.row[shaping]
    share = cone_share(own.cone_rad, angle_rad)
    if own.profile != NO_PROFILE and share > 0.0:
        turn = wp.atan2(towards[1], towards[0])
        if turn < 0.0:
            turn = turn + 2.0 * wp.pi
        share = share * intensity_at(shapings.profiles, own.profile, turn, angle_rad)
    factor = wp.vec3(share, share, share)
    if own.focus > 0.0:
        focused = wp.pow(wp.abs(towards[2]), own.focus)
        factor = wp.cw_mul(factor, own.focus_tint + (wp.vec3(1.0, 1.0, 1.0) - own.focus_tint) * focused)
    return factor
