"""A camera's sensor: its numbers, its views, and the runs of pixels that the kernels of its chain share out.

The chain works on whole images [view, y, x], rows one after the other: lens, glare, metering, electrons, development.
A group is as many neighbours in a row as native/lanes.cpp has lanes; the last one of a row may reach beyond it.
"""

from enum import IntEnum

import warp as wp

from .camera import Span, Views
from .film import ColorImages
from .native_source import native
from .random import RandomKey

ZONES = wp.constant(32)  # a side of the grid that exposure and white are metered on

RUN_BITS = 15  # floats that differ only in these are one run: 1/256 of their size, less than a code of a linear curve
FIRST_RUN = 0x35800000 >> RUN_BITS  # of 2^-20, darker than the middle between codes 0 and 1 of any curve
RUN_COUNT = (0x3F800000 >> RUN_BITS) + 1 - FIRST_RUN  # up to 1 itself


class SensorValue(IntEnum):
    """Columns of `SensorViews.value`."""

    EXPOSURE = 0  # from radiance to the share of saturation; with metering: what that is multiplied by
    ELECTRONS = 1  # of a saturated pixel at the view's speed
    DARK_E = 2  # mean of the dark signal
    READ_NOISE_E = 3
    TIME_S = 4  # that hot pixels collect
    VIGNETTING = 5  # multiplies the polynomial
    ABERRATION = 6  # multiplies the magnifications
    BLOOM_SHARE = 7
    WHITE_RED = 8  # gains of the raw channels
    WHITE_GREEN = 9
    WHITE_BLUE = 10
    CONTRAST = 11
    SATURATION = 12


CONSTANTS = {
    **{name: int(value) for name, value in SensorValue.__members__.items()},
    "TONE_RUN_BITS": RUN_BITS, "TONE_FIRST_RUN": FIRST_RUN, "TONE_RUN_COUNT": RUN_COUNT,
}  # fmt: skip


@wp.struct
class ToneTable:
    """8-bit codes of a monotone curve by the leading bits of a float; engine/sensors/tone.py has the numbers."""

    begin: wp.array[float]  # [code], the least share of saturation with it; one more at the end: infinity
    code: wp.array[int]  # [run], of the run's least float


@wp.struct
class Meter:
    """How exposure is found."""

    is_on: int
    finds_white: int  # grey world
    percentile: float  # of the zones' luminance, 0 to 1; negative: their geometric mean
    target: float  # what it becomes, 1: the white of the image
    low_ev: float  # limits, 0: radiance 1 is white
    high_ev: float


@wp.struct
class Sensor:
    """What all views share."""

    natural: float  # exponent on the cos^4 law
    vignetting: wp.vec3  # of rho^2, rho^4, rho^6; rho = 1 half a diagonal from the principal point
    aberration: wp.vec2  # relative magnification of red and blue less that of green
    response: wp.mat33  # raw channel from linear sRGB
    color_matrix: wp.mat33  # linear sRGB from balanced raw
    red_site: int  # 2 y + x of the red pixel in its 2 x 2 block; -1: every pixel sees all channels
    is_malvar: int
    full_well_e: float  # 0: light is not counted
    prnu: float
    dsnu_e: float
    hot_share: float
    hot_e_per_s: float
    highest_dn: float  # 0: no converter
    black_dn: float
    pivot: float  # of contrast, share of saturation
    serial: wp.uint32
    noise: RandomKey
    pattern: RandomKey


@wp.struct
class SensorViews:
    """Cameras of a launch as their sensors see them."""

    world: wp.array[int]  # [view]
    frame: wp.array[int]  # [view]
    camera: wp.array[int]  # [view], of the rig: which chip it is
    focal_px: wp.array[wp.vec2]  # [view]
    center_px: wp.array[wp.vec2]  # [view]
    lens: wp.array[int]  # [view], LensModel of kernels/camera.py
    value: wp.array2d[float]  # [view, SensorValue]
    metered: wp.array2d[float]  # [view, (factor on radiance, gains of red, green, blue)]; empty: nothing is metered


@wp.struct
class Groups:
    """Groups `first` to `first + count` of some images; thread i has `run` of them, from `first + run * i` on."""

    width: int
    height: int
    per_row: int
    first: int
    count: int
    run: int


@wp.func_native(native("lanes", "lens", "camera", "sensor_keep"))
def keep_run(
    views: Views, span: Span, sample_count: int, radiance: wp.array[wp.vec3], out_light: wp.array3d[wp.vec3],
    out_color: ColorImages, thread: int,
):  # fmt: skip
    """Write the mean radiance of a run of pixels; see native/sensor_keep.cpp."""


@wp.kernel(enable_backward=False)
def keep_radiance(
    views: Views, span: Span, sample_count: int, radiance: wp.array[wp.vec3], out_light: wp.array3d[wp.vec3],
    out_color: ColorImages,
):  # fmt: skip
    """Write the mean of the samples of every pixel: what the chain begins with, and `linear` where asked for."""
    keep_run(views, span, sample_count, radiance, out_light, out_color, wp.tid())
