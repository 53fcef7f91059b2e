"""From a mosaic to a picture: interpolation of the missing channels, colour matrix, tone curve, 8 bits."""

import warp as wp

from .film import ColorImages
from .native_source import native
from .sensor import CONSTANTS, Groups, Sensor, SensorViews, ToneTable


@wp.func_native(native("lanes", "sensor_group", "sensor_tone", "sensor_develop", constants=CONSTANTS))
def develop_run(
    views: SensorViews, sensor: Sensor, groups: Groups, table: ToneTable, raw: wp.array3d[float],
    out_color: ColorImages, thread: int,
):  # fmt: skip
    """Write the colours of a run of groups; see native/sensor_develop.cpp."""


@wp.kernel(enable_backward=False)
def develop_mosaic(
    views: SensorViews, sensor: Sensor, groups: Groups, table: ToneTable, raw: wp.array3d[float],
    out_color: ColorImages,
):  # fmt: skip
    """Write the picture that a mosaic makes."""
    develop_run(views, sensor, groups, table, raw, out_color, wp.tid())
