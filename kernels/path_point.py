"""Shading points of rays under way: the surface and the material that each has met."""

import warp as wp

from .geometry import Geometry
from .material import Materials
from .native_source import native
from .path import Bounce
from .point import CONSTANTS, MATERIAL, Points
from .trace import Hit


@wp.func_native(native(*MATERIAL, "path", "path_point", constants=CONSTANTS))
def find_run(
    geometry: Geometry, materials: Materials, bounce: Bounce, hit: wp.array[Hit], out_point: Points, thread: int
):
    """Write the points of a run of rays; see native/path_point.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=96)
def find_path_points(geometry: Geometry, materials: Materials, bounce: Bounce, hit: wp.array[Hit], out_point: Points):
    """Write the shading points of the rays under way."""
    find_run(geometry, materials, bounce, hit, out_point, wp.tid())
