"""Elementary functions that are the same polynomials on the CPU and on CUDA, and normal numbers made with them."""

import warp as wp

from .native_source import native

LN_2 = wp.constant(0.6931471805599453)
TAU = wp.constant(6.283185307179586)


@wp.func_native(
    native("lanes")
    + """
    F sine, cosine;
    omm::sincos(omm::splat(turns), sine, cosine);
    return wp::vec2(omm::get(sine, 0), omm::get(cosine, 0));
"""
)
def sincos_turns(turns: float) -> wp.vec2:
    """Return sine and cosine of an angle in full turns."""


@wp.func_native(native("lanes") + "return omm::get(omm::atan2(omm::splat(y), omm::splat(x)), 0);")
def atan2_rad(y: float, x: float) -> float:  # type: ignore[empty-body]
    """Return the angle of (x, y) [rad]."""


@wp.func_native(native("lanes") + "return omm::get(omm::log2(omm::splat(a)), 0);")
def log2_of(a: float) -> float:  # type: ignore[empty-body]
    """Return the base-2 logarithm of a positive number."""


@wp.func_native(native("lanes") + "return omm::get(omm::pow(omm::splat(a), omm::splat(b)), 0);")
def pow_of(a: float, b: float) -> float:  # type: ignore[empty-body]
    """Return a power of a number that is not negative."""


@wp.func
def normal_pair(a: float, b: float) -> wp.vec2:
    """Return two independent standard normal numbers of two uniform ones in [0, 1).

    Source: Box, Muller, "A note on the generation of random normal deviates", Ann. Math. Stat. 29(2), 1958.
    """
    radius = wp.sqrt(-2.0 * LN_2 * log2_of(1.0 - a))
    angle = sincos_turns(b)
    return wp.vec2(radius * angle[1], radius * angle[0])
