"""Noise in space, for tests and plots of it; materials use native/noise.cpp in place."""

from enum import IntEnum

import warp as wp

from .native_source import native


class NoiseKind(IntEnum):
    """What can be asked for here; all have mean 0 and variance 1."""

    VALUE = 0
    GRADIENT = 1
    FBM = 2
    RIDGED = 3
    TURBULENCE = 4
    NEAREST = 5  # Worley's F1
    SECOND = 6  # and F2
    STREAKS = 7


@wp.struct
class NoiseRequest:
    """Which noise."""

    kind: int
    seed: int
    octaves: int
    stretch: float  # of streaks
    axis: wp.vec3  # unit, of streaks
    footprint: float  # width of a pixel in cells


@wp.func_native(
    native("lanes", "noise", constants=NoiseKind.__members__)
    + """
    const int i = group * OMM_WIDTH;
    V3 p = omm::vec3(0.0f, 0.0f, 0.0f);
    for (int l = 0; l < OMM_WIDTH; ++l) {
        omm::set(p.x, l, point.data[i + l][0]);
        omm::set(p.y, l, point.data[i + l][1]);
        omm::set(p.z, l, point.data[i + l][2]);
    }
    const U seed = (U)omm::splat_int(request.seed);
    const F width = omm::splat(request.footprint);
    Wave out = flat_wave(omm::splat(0.0f));
    if (request.kind == VALUE || request.kind == GRADIENT) out = corner_noise(p, seed, request.kind == VALUE);
    else if (request.kind == FBM) out = fbm(p, width, seed, request.octaves);
    else if (request.kind == RIDGED) out = octaves(p, width, seed, request.octaves, 0.5f, -1.0f, 1.0f);
    else if (request.kind == TURBULENCE) out = octaves(p, width, seed, request.octaves, 0.5f, 1.0f, 1.0f);
    else if (request.kind == STREAKS) {
        const V3 axis = omm::vec3(request.axis[0], request.axis[1], request.axis[2]);
        out = streaks(p, axis, request.stretch, width, seed, request.octaves);
    } else {
        const Cells c = cells(p, seed);
        out.v = (c.second - SECOND_MEAN) * SECOND_SCALE;
        if (request.kind == NEAREST) {
            out.v = (c.nearest - NEAREST_MEAN) * NEAREST_SCALE;
            out.d = omm::scale(c.from, NEAREST_SCALE / omm::max(c.nearest, omm::splat(1.0e-6f)));
        }
    }
    const F all[5] = {out.v, out.d.x, out.d.y, out.d.z, out.hidden};
    for (int k = 0; k < 5; ++k) omm::store(out_wave.data + (size_t)k * point.shape[0] + i, all[k]);
"""
)
def noise_run(request: NoiseRequest, point: wp.array[wp.vec3], group: int, out_wave: wp.array[float]):
    """Write the noise of a group of points."""


@wp.kernel(enable_backward=False)
def evaluate_noise(request: NoiseRequest, point: wp.array[wp.vec3], out_wave: wp.array[float]):
    """Write value, gradient and hidden variance at points in cells, [5, point]; a group of lanes a thread."""
    noise_run(request, point, wp.tid(), out_wave)
