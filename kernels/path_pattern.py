"""Procedural materials on what rays under way have met."""

import warp as wp

from .geometry import Geometry
from .native_source import native
from .path import Bounce
from .pattern import CONSTANTS, DRESS, Patterns
from .point import Points
from .trace import Hit


@wp.func_native(native(*DRESS, "path", "dress_path", constants=CONSTANTS))
def dress_run(
    geometry: Geometry, patterns: Patterns, bounce: Bounce, hit: wp.array[Hit], out_point: Points, thread: int
):  # fmt: skip
    """Dress the points of a run of rays; see native/dress_path.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=128)
def dress_path_points(
    geometry: Geometry, patterns: Patterns, bounce: Bounce, hit: wp.array[Hit], out_point: Points
):  # fmt: skip
    """Give the points of the rays under way what patterns make of them, in place."""
    dress_run(geometry, patterns, bounce, hit, out_point, wp.tid())
