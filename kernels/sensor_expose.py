"""From light to electrons and back to numbers: photons, dark signal, fixed pattern, read-out noise, converter."""

import warp as wp

from .film import ColorImages
from .native_source import native
from .random import CONSTANTS as PHILOX
from .sensor import CONSTANTS, Groups, Sensor, SensorViews, ToneTable

EXACT_MEAN = 12.0  # electrons, below which a count is exactly Poisson's; above, it has three of its moments
MOST_STEPS = 64  # of the inversion; more than EXACT_MEAN electrons have with a probability of 1e-20
ALL_CONSTANTS = {**PHILOX, **CONSTANTS, "EXACT_MEAN": EXACT_MEAN, "MOST_STEPS": MOST_STEPS}


@wp.struct
class Arriving:
    """Light on the sensor, [view, y, x]."""

    light: wp.array3d[wp.vec3]
    glare: wp.array3d[wp.vec3]  # at half the size; empty: none


@wp.func_native(
    native("lanes", "sensor_group", "sensor_random", "sensor_read", "sensor_expose", constants=ALL_CONSTANTS)
)
def mosaic_run(
    views: SensorViews, sensor: Sensor, groups: Groups, inputs: Arriving, out_raw: wp.array3d[float], thread: int
):
    """Write the mosaic of a run of groups; see native/sensor_expose.cpp."""


@wp.kernel(enable_backward=False)
def expose_mosaic(
    views: SensorViews, sensor: Sensor, groups: Groups, inputs: Arriving, out_raw: wp.array3d[float]
):  # fmt: skip
    """Write the balanced share of saturation that each pixel reads behind its filter."""
    mosaic_run(views, sensor, groups, inputs, out_raw, wp.tid())


@wp.func_native(
    native(
        "lanes", "sensor_group", "sensor_random", "sensor_read", "sensor_tone", "sensor_whole", constants=ALL_CONSTANTS
    )
)
def whole_run(
    views: SensorViews, sensor: Sensor, groups: Groups, table: ToneTable, inputs: Arriving,
    out_color: ColorImages, thread: int,
):  # fmt: skip
    """Write the colours of a run of groups; see native/sensor_whole.cpp."""


@wp.kernel(enable_backward=False)
def expose_whole(
    views: SensorViews, sensor: Sensor, groups: Groups, table: ToneTable, inputs: Arriving,
    out_color: ColorImages,
):  # fmt: skip
    """Write what a sensor without a mosaic makes of light: every pixel reads three channels."""
    whole_run(views, sensor, groups, table, inputs, out_color, wp.tid())
