"""Which defect covers the centre of every pixel: the images from which masks are made."""

import warp as wp

from .camera import Span, Views
from .defect import CONSTANTS, SHAPES, Defects
from .geometry import Geometry
from .native_source import native
from .trace import Hit


@wp.struct
class DefectImages:
    """Images [view, y, x] of slots, -1: none; empty ones were not asked for."""

    defect: wp.array3d[int]
    near_miss: wp.array3d[int]


@wp.func_native(native("lanes", "lens", "camera", "surface", *SHAPES, "annotate_defect", constants=CONSTANTS))
def annotate_run(
    geometry: Geometry, views: Views, defects: Defects, span: Span, hit: wp.array[Hit], out_images: DefectImages,
    thread: int,
):  # fmt: skip
    """Write the defects of a run of pixels; see native/annotate_defect.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=128)
def annotate_defects(
    geometry: Geometry, views: Views, defects: Defects, span: Span, hit: wp.array[Hit], out_images: DefectImages
):
    """Write which defect and which near-miss cover the centres of a span's pixels, by half of what they could."""
    annotate_run(geometry, views, defects, span, hit, out_images, wp.tid())
