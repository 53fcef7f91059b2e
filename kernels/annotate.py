"""Images of the pixel centres beside depth, normals and ids: what the geometry of a hit tells."""

import warp as wp

from .camera import Span, Views, pixel_of
from .geometry import Geometry
from .trace import MISS, Hit


@wp.struct
class GeometryImages:
    """Images [view, y, x]; empty ones were not asked for."""

    part: wp.array3d[int]  # placement, -1: nothing


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def annotate_geometry(
    geometry: Geometry, views: Views, span: Span, hit: wp.array[Hit], out_images: GeometryImages
):  # fmt: skip
    """Write the images of a span's pixels; `hit` holds those of all the launch's pixels."""
    i = wp.tid()
    if i >= span.count:
        return
    index = span.first + i
    pixel = pixel_of(views, index)
    if out_images.part.shape[0] > 0:
        placement = hit[index].placement
        out_images.part[pixel[0], pixel[1], pixel[2]] = wp.where(placement == MISS, -1, placement)
