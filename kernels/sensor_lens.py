"""What a lens does to light before it is counted: lateral colour, vignetting, and glare around bright things."""

import warp as wp

from .camera import LensModel
from .native_source import native
from .sensor import CONSTANTS, Groups, Sensor, SensorViews

LENS_CONSTANTS = {**CONSTANTS, "PINHOLE": int(LensModel.PINHOLE), "BROWN_CONRADY": int(LensModel.BROWN_CONRADY)}


@wp.func_native(native("lanes", "sensor_group", "sensor_lens", constants=LENS_CONSTANTS))
def lens_run(
    views: SensorViews, sensor: Sensor, groups: Groups, light: wp.array3d[wp.vec3], out_light: wp.array3d[wp.vec3],
    thread: int,
):  # fmt: skip
    """Write a run of groups as the lens passes them on; see native/sensor_lens.cpp."""


@wp.kernel(enable_backward=False)
def pass_lens(
    views: SensorViews, sensor: Sensor, groups: Groups, light: wp.array3d[wp.vec3], out_light: wp.array3d[wp.vec3]
):
    """Magnify red and blue about the principal point and darken by the distance from it."""
    lens_run(views, sensor, groups, light, out_light, wp.tid())


@wp.func
def mirrored(index: int, count: int) -> int:
    """Return the index of a pixel at most `count` beyond the border as if the image were mirrored at its edge."""
    inside = wp.where(index < 0, -1 - index, index)
    inside = wp.where(inside >= count, 2 * count - 1 - inside, inside)
    return wp.clamp(inside, 0, count - 1)


@wp.func
def halved_row(fine: wp.array3d[wp.vec3], view: int, y: int, x: int) -> wp.vec3:
    """Return four neighbours of a row, from 2 x - 1 on, weighed 1 3 3 1."""
    width = fine.shape[2]
    outer = fine[view, y, mirrored(2 * x - 1, width)] + fine[view, y, mirrored(2 * x + 2, width)]
    inner = fine[view, y, mirrored(2 * x, width)] + fine[view, y, mirrored(2 * x + 1, width)]
    return 0.125 * outer + 0.375 * inner


@wp.kernel(enable_backward=False)
def halve(groups: Groups, fine: wp.array3d[wp.vec3], out_coarse: wp.array3d[wp.vec3]):
    """Write an image at half the size: the tensor product of the cubic B-spline's (1 3 3 1) / 8."""
    first = wp.tid() * groups.run
    height = fine.shape[1]
    for i in range(first, wp.min(first + groups.run, groups.count)):
        index = groups.first + i
        row = index // groups.width
        x = index - row * groups.width
        view = row // groups.height
        y = row - view * groups.height
        outer = halved_row(fine, view, mirrored(2 * y - 1, height), x)
        outer += halved_row(fine, view, mirrored(2 * y + 2, height), x)
        inner = halved_row(fine, view, mirrored(2 * y, height), x)
        inner += halved_row(fine, view, mirrored(2 * y + 1, height), x)
        out_coarse[view, y, x] = 0.125 * outer + 0.375 * inner


@wp.func
def doubled(coarse: wp.array3d[wp.vec3], view: int, y: int, x: int) -> wp.vec3:
    """Return an image of half the size at a pixel of the full one: bilinear."""
    near_x, near_y = x // 2, y // 2
    far_x = wp.clamp(near_x + 2 * (x - 2 * near_x) - 1, 0, coarse.shape[2] - 1)
    far_y = wp.clamp(near_y + 2 * (y - 2 * near_y) - 1, 0, coarse.shape[1] - 1)
    near = 0.75 * coarse[view, near_y, near_x] + 0.25 * coarse[view, near_y, far_x]
    far = 0.75 * coarse[view, far_y, near_x] + 0.25 * coarse[view, far_y, far_x]
    return 0.75 * near + 0.25 * far


@wp.kernel(enable_backward=False)
def add_coarse(
    groups: Groups, weight: float, coarse_weight: float, coarse: wp.array3d[wp.vec3], out_fine: wp.array3d[wp.vec3]
):  # fmt: skip
    """Weigh a level of the pyramid in place and add what the coarser ones hold, weighed, too."""
    first = wp.tid() * groups.run
    for i in range(first, wp.min(first + groups.run, groups.count)):
        index = groups.first + i
        row = index // groups.width
        x = index - row * groups.width
        view = row // groups.height
        y = row - view * groups.height
        out_fine[view, y, x] = weight * out_fine[view, y, x] + coarse_weight * doubled(coarse, view, y, x)
