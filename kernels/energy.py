"""Energy of GGX lobes: how much of the light that falls on one leaves it after a single bounce between its facets.

`engine.render.energy` computes the table; the maths of layers is in native/energy.cpp.
"""

import warp as wp

ENERGY_SIZE = 32  # of the table, in either direction


@wp.struct
class Energy:
    """Directional albedo of the GGX lobe."""

    albedo: wp.array[wp.vec2]  # [roughness, square root of cosine], ENERGY_SIZE of each: under a Fresnel factor of
    # 1, and of (1 - v.h)^5
    is_deferred: int  # 1: points keep layers, which share energy once patterns cover them
    compensates: int  # 1: what bounces more than once between facets is added
