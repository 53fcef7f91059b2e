"""Energy of GGX lobes: how much of the light that falls on one leaves it after a single bounce between its facets.

`engine.render.energy` computes the table; the maths of layers is in native/energy.cpp.
"""

import warp as wp

ENERGY_SIZE = 32  # of the table, in either direction


@wp.struct
class Energy:
    """Directional albedo of the GGX lobe."""

    albedo: wp.array2d[float]  # [cell, 8], cells between ENERGY_SIZE roughnesses and as many square roots of cosines:
    # value at the corner, what each axis adds and what both bend, under a Fresnel factor of 1, then of (1 - v.h)^5
    is_deferred: int  # 1: points keep layers, which share energy once patterns cover them
    compensates: int  # 1: what bounces more than once between facets is added
