"""From radiance to pixels: exposure, clipping and the sRGB curve."""

import warp as wp

from .camera import Views, pixel_of


@wp.struct
class ColorImages:
    """Colour images, [view, y, x]."""

    rgb: wp.array4d[wp.uint8]  # [view, y, x, channel], sRGB
    linear: wp.array3d[wp.vec3]  # scene-linear, before exposure; may be empty


@wp.func
def encode_srgb(value: float) -> wp.uint8:
    """Return the 8-bit sRGB code of a linear value (IEC 61966-2-1)."""
    v = wp.clamp(value, 0.0, 1.0)
    code = wp.where(v <= 0.0031308, 12.92 * v, 1.055 * wp.pow(v, 1.0 / 2.4) - 0.055)
    return wp.uint8(code * 255.0 + 0.5)


@wp.kernel(enable_backward=False)
def develop(
    views: Views, first: int, sample_count: int, store_linear: int, radiance: wp.array[wp.vec3], out_color: ColorImages
):
    """Write the mean of the samples of every pixel as sRGB, and linear where asked; thread i is pixel `first + i`."""
    i = wp.tid()
    pixel = pixel_of(views, first + i)
    view = pixel[0]
    value = radiance[i] / float(sample_count)
    if store_linear != 0:
        out_color.linear[view, pixel[1], pixel[2]] = value
    exposed = value * views.exposure[view]
    for channel in range(3):
        out_color.rgb[view, pixel[1], pixel[2], channel] = encode_srgb(exposed[channel])
