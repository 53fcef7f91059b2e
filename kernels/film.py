"""From radiance to pixels: exposure, clipping and the sRGB curve."""

import warp as wp

from .camera import Views, pixel_of

RUN_BITS = wp.constant(16)  # floats that differ only in these are one run: 1/128 of their size, less than a code
FIRST_RUN = wp.constant(0x3900)  # of 2^-13, darker than the middle between codes 0 and 1
RUN_COUNT = wp.constant(0x3F81 - 0x3900)  # up to 1 itself


@wp.struct
class ColorImages:
    """Colour images, [view, y, x]."""

    rgb: wp.array4d[wp.uint8]  # [view, y, x, channel], sRGB
    linear: wp.array3d[wp.vec3]  # scene-linear, before exposure; may be empty


@wp.struct
class SrgbTable:
    """8-bit sRGB codes (IEC 61966-2-1) by the leading bits of a linear float; engine/device_color.py fills it."""

    begin: wp.array[float]  # [code], the least linear value that rounds to it; one more at the end: infinity
    code: wp.array[int]  # [run], of the run's least float


@wp.func
def encode_srgb(table: SrgbTable, value: float) -> wp.uint8:
    """Return the 8-bit sRGB code of a linear value, exactly rounded: a table and one comparison instead of a power."""
    v = wp.clamp(value, 0.0, 1.0)
    run = wp.clamp((wp.cast(v, wp.int32) >> RUN_BITS) - FIRST_RUN, 0, RUN_COUNT - 1)  # what is no number, too
    code = table.code[run]
    return wp.uint8(code + wp.where(v >= table.begin[code + 1], 1, 0))


@wp.kernel(enable_backward=False)
def develop(
    views: Views, first: int, sample_count: int, store_linear: int, table: SrgbTable, radiance: wp.array[wp.vec3],
    out_color: ColorImages,
):  # fmt: skip
    """Write the mean of the samples of every pixel as sRGB, and linear where asked; thread i is pixel `first + i`."""
    i = wp.tid()
    pixel = pixel_of(views, first + i)
    view = pixel[0]
    value = radiance[i] / float(sample_count)
    if store_linear != 0:
        out_color.linear[view, pixel[1], pixel[2]] = value
    exposed = value * views.exposure[view]
    for channel in range(3):
        out_color.rgb[view, pixel[1], pixel[2], channel] = encode_srgb(table, exposed[channel])
