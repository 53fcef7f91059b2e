"""Shading points: the surface and the material that a sample sees, ready for light."""

import warp as wp

from .camera import Views
from .energy import ENERGY_SIZE
from .geometry import Geometry
from .material import FULL_GRAZING, MIN_ALPHA, MaterialInput, Materials
from .native_source import native
from .sample import HitBuffers, Sampling
from .surface import MIN_COS
from .texture import WRAPS

GONE = wp.constant(-2)  # placement of a ray that ended at an earlier surface
RAY_OFFSET = 4.0e-6  # of the largest coordinate: clears the float32 error of a hit
RAY_OFFSET_M = 2.0e-5  # least offset, for points near the origin
POINT_FLOATS = 38  # of a point, see native/point.cpp; where some of them begin:
ROW_FIELD = wp.constant(2)
ORIGIN_FIELD = wp.constant(7)
DIFFUSE_FIELD = wp.constant(19)
GLOSS_FIELD = wp.constant(35)

CONSTANTS = {
    **WRAPS, **MaterialInput.__members__, "MIN_ALPHA": MIN_ALPHA, "FULL_GRAZING": FULL_GRAZING,
    "ENERGY_SIZE": ENERGY_SIZE, "MIN_COS": float(MIN_COS),
    "GONE": int(GONE), "RAY_OFFSET": RAY_OFFSET, "RAY_OFFSET_M": RAY_OFFSET_M,
}  # fmt: skip


MATERIAL = ("lanes", "lens", "camera", "surface", "texture", "point", "energy", "material", "find")


@wp.struct
class Points:
    """Points to be lit: blocks of `group` pixels, in a block field after field. Layout: native/point.cpp."""

    group: int
    value: wp.array[float]


@wp.func
def point_index(points: Points, i: int, field: int) -> int:
    """Return where a field of pixel `i` lies in `value`."""
    block = i // points.group
    return (block * POINT_FLOATS + field) * points.group + i - block * points.group


@wp.func_native(native(*MATERIAL, "find_camera", constants=CONSTANTS))
def find_run(
    geometry: Geometry, views: Views, materials: Materials, sampling: Sampling, hits: HitBuffers,
    out_point: Points, thread: int,
):  # fmt: skip
    """Write the points of a run of pixels; see native/find_camera.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=96)
def find_points(
    geometry: Geometry, views: Views, materials: Materials, sampling: Sampling, hits: HitBuffers, out_point: Points
):
    """Write the shading point of the present sample; a pixel without an edge keeps that of its first sample."""
    find_run(geometry, views, materials, sampling, hits, out_point, wp.tid())
