"""Changes of finished pictures that leave labels true: backgrounds, blur, colour and noise, on 8-bit sRGB codes.

Order: pixels of the background are replaced, the picture is blurred, its colours are changed, noise is added, and the
result is rounded once. Views that ask for nothing come out as they went in.
"""

from enum import IntEnum

import warp as wp

from .elementary import normal_pair, pow_of
from .film import ColorImages
from .random import RandomKey, uniform4
from .resolve import LabelImages
from .sensor import Groups

HIGHEST_CODE = wp.constant(255.0)
BLUR_TAPS = wp.constant(49)  # weights from the middle of a blur outwards; engine/augmentation.py limits its width
AS_RENDERED = wp.constant(-1)  # backgrounds that are none of the images
PATCHES = wp.constant(-2)


class AugmentValue(IntEnum):
    """Columns of `AugmentViews.value`."""

    GAMMA = 0  # exponent on codes / 255
    NOISE_DN = 1  # standard deviation in codes
    BACKGROUND = 2  # index of an image, AS_RENDERED, or PATCHES of one random colour each
    LEFT_SHARE = 3  # where the frame lies in an image that is larger, 0: at its left, and top
    TOP_SHARE = 4
    IS_MIRRORED = 5
    CELL_PX = 6  # side of a patch


GAMMA = wp.constant(int(AugmentValue.GAMMA))
NOISE_DN = wp.constant(int(AugmentValue.NOISE_DN))
BACKGROUND = wp.constant(int(AugmentValue.BACKGROUND))
LEFT_SHARE = wp.constant(int(AugmentValue.LEFT_SHARE))
TOP_SHARE = wp.constant(int(AugmentValue.TOP_SHARE))
IS_MIRRORED = wp.constant(int(AugmentValue.IS_MIRRORED))
CELL_PX = wp.constant(int(AugmentValue.CELL_PX))


@wp.struct
class AugmentViews:
    """What is done to every view."""

    world: wp.array[int]  # [view]
    frame: wp.array[int]  # [view], step * cameras + camera
    value: wp.array2d[float]  # [view, AugmentValue]
    weight: wp.array2d[float]  # [view, tap] of the blur, from its middle outwards; the whole sums to 1
    color: wp.array[wp.mat33]  # [view], codes from codes
    noise: RandomKey
    patch: RandomKey


@wp.struct
class Backgrounds:
    """Images, each at least as large as a frame, and what they replace."""

    texel: wp.array2d[wp.uint8]  # [texel, channel], sRGB, rows from the top
    first_texel: wp.array[int]  # [image]
    size_px: wp.array[wp.vec2i]  # [image]
    is_replaced: wp.array[wp.uint8]  # [instance]


@wp.func
def pixel_at(groups: Groups, index: int) -> wp.vec3i:
    """Return view, row and column of a pixel of a batch."""
    row = index // groups.width
    view = row // groups.height
    return wp.vec3i(view, row - view * groups.height, index - row * groups.width)


@wp.func
def patch_color(views: AugmentViews, view: int, y: int, x: int, width: int) -> wp.vec3:
    """Return the code of the patch that a pixel lies in."""
    cell_px = int(views.value[view, CELL_PX])
    index = (y // cell_px) * (width // cell_px + 1) + x // cell_px
    u = uniform4(views.world[view], views.frame[view], index, 0, views.patch)
    return wp.vec3(wp.floor(256.0 * u[0]), wp.floor(256.0 * u[1]), wp.floor(256.0 * u[2]))


@wp.func
def image_color(
    views: AugmentViews, backgrounds: Backgrounds, groups: Groups, image: int, pixel: wp.vec3i
) -> wp.vec3:  # fmt: skip
    """Return the code of the texel of an image behind a pixel."""
    view, size_px = pixel[0], backgrounds.size_px[image]
    left = int(views.value[view, LEFT_SHARE] * float(size_px[0] - groups.width + 1))
    top = int(views.value[view, TOP_SHARE] * float(size_px[1] - groups.height + 1))
    left, top = wp.min(left, size_px[0] - groups.width), wp.min(top, size_px[1] - groups.height)
    x = wp.where(views.value[view, IS_MIRRORED] > 0.0, groups.width - 1 - pixel[2], pixel[2])
    texel = backgrounds.first_texel[image] + (top + pixel[1]) * size_px[0] + left + x
    red, green, blue = backgrounds.texel[texel, 0], backgrounds.texel[texel, 1], backgrounds.texel[texel, 2]
    return wp.vec3(float(red), float(green), float(blue))


@wp.func
def code_of(value: float) -> wp.uint8:
    """Return the nearest code."""
    return wp.uint8(wp.int32(wp.floor(wp.clamp(value, 0.0, HIGHEST_CODE) + 0.5)))


@wp.func
def color_at(color: ColorImages, view: int, y: int, x: int) -> wp.vec3:
    """Return the codes of a pixel."""
    red, green, blue = color.rgb[view, y, x, 0], color.rgb[view, y, x, 1], color.rgb[view, y, x, 2]
    return wp.vec3(float(red), float(green), float(blue))


@wp.kernel(enable_backward=False)
def replace_background(
    views: AugmentViews, backgrounds: Backgrounds, groups: Groups, labels: LabelImages, out_color: ColorImages
):
    """Write other colours where the background is seen."""
    first = wp.tid() * groups.run
    for i in range(first, wp.min(first + groups.run, groups.count)):
        pixel = pixel_at(groups, groups.first + i)
        view, y, x = pixel[0], pixel[1], pixel[2]
        image = int(views.value[view, BACKGROUND])
        if image != AS_RENDERED and backgrounds.is_replaced[labels.instance[view, y, x]] != wp.uint8(0):
            behind = patch_color(views, view, y, x, groups.width)
            if image >= 0:
                behind = image_color(views, backgrounds, groups, image, pixel)
            for channel in range(3):
                out_color.rgb[view, y, x, channel] = code_of(behind[channel])


@wp.kernel(enable_backward=False)
def blur_rows(views: AugmentViews, groups: Groups, color: ColorImages, out_blurred: wp.array3d[wp.vec3]):
    """Write every picture blurred along its rows; beyond its border it goes on as at the border."""
    first = wp.tid() * groups.run
    for i in range(first, wp.min(first + groups.run, groups.count)):
        pixel = pixel_at(groups, groups.first + i)
        view, y, x = pixel[0], pixel[1], pixel[2]
        total = views.weight[view, 0] * color_at(color, view, y, x)
        tap = int(1)
        while tap < BLUR_TAPS and views.weight[view, wp.min(tap, BLUR_TAPS - 1)] > 0.0:
            beside = color_at(color, view, y, wp.max(x - tap, 0))
            beside += color_at(color, view, y, wp.min(x + tap, groups.width - 1))
            total += views.weight[view, tap] * beside
            tap += 1
        out_blurred[view, y, x] = total


@wp.func
def blurred_column(views: AugmentViews, blurred: wp.array3d[wp.vec3], view: int, y: int, x: int) -> wp.vec3:
    """Return a pixel blurred along its column."""
    total = views.weight[view, 0] * blurred[view, y, x]
    tap = int(1)
    while tap < BLUR_TAPS and views.weight[view, wp.min(tap, BLUR_TAPS - 1)] > 0.0:
        beside = blurred[view, wp.max(y - tap, 0), x] + blurred[view, wp.min(y + tap, blurred.shape[1] - 1), x]
        total += views.weight[view, tap] * beside
        tap += 1
    return total


@wp.func
def noise_at(views: AugmentViews, view: int, index: int) -> wp.vec3:
    """Return three standard normal numbers of a pixel, whose index counts within the view."""
    u = uniform4(views.world[view], views.frame[view], index, 0, views.noise)
    one, two = normal_pair(u[0], u[1]), normal_pair(u[2], u[3])
    return wp.vec3(one[0], one[1], two[0])


@wp.kernel(enable_backward=False)
def finish(views: AugmentViews, groups: Groups, blurred: wp.array3d[wp.vec3], out_color: ColorImages):
    """Blur along columns, change colours, add noise, and write codes."""
    first = wp.tid() * groups.run
    for i in range(first, wp.min(first + groups.run, groups.count)):
        pixel = pixel_at(groups, groups.first + i)
        view, y, x = pixel[0], pixel[1], pixel[2]
        color = views.color[view] * blurred_column(views, blurred, view, y, x)
        gamma, noise_dn = views.value[view, GAMMA], views.value[view, NOISE_DN]
        if gamma != 1.0:
            for channel in range(3):
                share = wp.clamp(color[channel] / HIGHEST_CODE, 0.0, 1.0)
                color[channel] = HIGHEST_CODE * pow_of(share, gamma)
        if noise_dn > 0.0:
            color += noise_dn * noise_at(views, view, y * groups.width + x)
        for channel in range(3):
            out_color.rgb[view, y, x, channel] = code_of(color[channel])
