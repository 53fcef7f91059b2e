"""From radiance to pixels: exposure, clipping and the sRGB curve."""

import warp as wp

from .camera import Span, Views
from .native_source import native

RUN_BITS = 16  # floats that differ only in these are one run: 1/128 of their size, less than a code
FIRST_RUN = 0x3900  # of 2^-13, darker than the middle between codes 0 and 1
RUN_COUNT = 0x3F81 - 0x3900  # up to 1 itself
CONSTANTS = {"RUN_BITS": RUN_BITS, "FIRST_RUN": FIRST_RUN, "RUN_COUNT": RUN_COUNT}


@wp.struct
class ColorImages:
    """Colour images, [view, y, x]."""

    rgb: wp.array4d[wp.uint8]  # [view, y, x, channel], sRGB; empty: not asked for
    linear: wp.array3d[wp.vec3]  # scene-linear, before exposure; empty: not asked for


@wp.struct
class SrgbTable:
    """8-bit sRGB codes (IEC 61966-2-1) by the leading bits of a linear float; engine/render/color.py fills it."""

    begin: wp.array[float]  # [code], the least linear value that rounds to it; one more at the end: infinity
    code: wp.array[int]  # [run], of the run's least float


@wp.func_native(native("lanes", "lens", "camera", "srgb", "film", constants=CONSTANTS))
def develop_run(
    views: Views, span: Span, sample_count: int, table: SrgbTable, radiance: wp.array[wp.vec3], out_color: ColorImages,
    thread: int,
):  # fmt: skip
    """Write the colours of a run of pixels; see native/film.cpp."""


@wp.kernel(enable_backward=False)
def develop(
    views: Views, span: Span, sample_count: int, table: SrgbTable, radiance: wp.array[wp.vec3], out_color: ColorImages
):
    """Write the mean of the samples of every pixel as sRGB, and linear where asked for."""
    develop_run(views, span, sample_count, table, radiance, out_color, wp.tid())


@wp.func_native(native("lanes", "lens", "camera", "srgb", "film_image", constants=CONSTANTS))
def develop_image_run(
    views: Views, span: Span, table: SrgbTable, light: wp.array3d[wp.vec3], out_color: ColorImages, thread: int
):  # fmt: skip
    """Write the colours of a run of pixels; see native/film_image.cpp."""


@wp.kernel(enable_backward=False)
def develop_image(
    views: Views, span: Span, table: SrgbTable, light: wp.array3d[wp.vec3], out_color: ColorImages
):  # fmt: skip
    """Write images of radiance as sRGB, and linear where asked for."""
    develop_image_run(views, span, table, light, out_color, wp.tid())
