"""Defects on what rays under way have met."""

import warp as wp

from .defect import CONSTANTS, MARK, UNPACKED, Lying
from .geometry import Geometry
from .native_source import native
from .path import Bounce
from .point import Points
from .trace import Hit


@wp.func_native(UNPACKED + native(*MARK, "path", "dress_path", constants=CONSTANTS))
def mark_run(
    geometry: Geometry, lying: Lying, bounce: Bounce, hit: wp.array[Hit], out_point: Points, thread: int
):  # fmt: skip
    """Dress and mark the points of a run of rays; see native/dress_path.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=128)
def mark_path_points(geometry: Geometry, lying: Lying, bounce: Bounce, hit: wp.array[Hit], out_point: Points):
    """Give the points of the rays under way what patterns and then defects make of them, in place."""
    mark_run(geometry, lying, bounce, hit, out_point, wp.tid())
