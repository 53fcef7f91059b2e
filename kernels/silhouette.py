"""Whole silhouettes: the pixels of every instance as if nothing stood in front of it, from one walk along each ray.

A window may be larger than the frame by a margin on all sides: what lies outside the frame counts for the whole
silhouette, too.
"""

from enum import IntEnum

import warp as wp

from .camera import Span, Views
from .geometry import Geometry
from .native_source import native
from .trace import FAR_M

NOTHING_LOW = wp.constant(0x7FFFFFFF)  # of a box that no pixel has touched
NOTHING_HIGH = wp.constant(-0x80000000)


class Column(IntEnum):
    """What a row of the table holds; boxes are half-open, in pixels of the frame, and reach outside it."""

    WINDOW_PX = 0  # pixels of the window
    FRAME_PX = 1  # pixels of the frame
    X0 = 2
    Y0 = 3
    X1 = 4
    Y1 = 5


@wp.struct
class Window:
    """The pixels that are asked: those of the frame and a margin around it."""

    width: int
    height: int
    margin_px: int


@wp.struct
class Seen:
    """Which instances a ray has met already, a bit each.

    A placement whose bit is below 0 is its instance's only one and needs none.
    """

    bit: wp.array[int]  # [placement]
    word: wp.array2d[wp.uint32]  # [thread, word], 0 between rays
    overflow: wp.array[int]  # [1], rays that met more surfaces than are followed


@wp.struct
class SilhouetteTable:
    """Where pixels are counted."""

    value: wp.array3d[int]  # [view, instance, Column]


@wp.func_native(
    "#define OMM_EACH\n"
    + native("lanes", "lens", "camera", "traverse", "count", "silhouette", constants={"FAR_M": float(FAR_M)})
    + "\n#undef OMM_EACH\n"
)
def silhouette_run(
    geometry: Geometry, views: Views, window: Window, span: Span, out_seen: Seen, out_table: SilhouetteTable,
    thread: int,
):  # fmt: skip
    """Count the instances along the rays of a run of pixels; see native/silhouette.cpp."""


@wp.kernel(enable_backward=False)
def clear_silhouettes(out_table: SilhouetteTable):
    """Write rows of instances that no ray has met."""
    view, instance = wp.tid()
    out_table.value[view, instance, int(Column.WINDOW_PX)] = 0
    out_table.value[view, instance, int(Column.FRAME_PX)] = 0
    out_table.value[view, instance, int(Column.X0)] = NOTHING_LOW
    out_table.value[view, instance, int(Column.Y0)] = NOTHING_LOW
    out_table.value[view, instance, int(Column.X1)] = NOTHING_HIGH
    out_table.value[view, instance, int(Column.Y1)] = NOTHING_HIGH


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def count_silhouettes(
    geometry: Geometry, views: Views, window: Window, span: Span, out_seen: Seen, out_table: SilhouetteTable
):
    """Count the pixels of a window's span whose rays meet an instance, whatever stands in front."""
    silhouette_run(geometry, views, window, span, out_seen, out_table, wp.tid())
