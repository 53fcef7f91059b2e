"""What the surface at the centre of every pixel is made of where defects lie on it, and what they cover."""

import warp as wp

from .annotate_surface import CONSTANTS as SURFACE
from .annotate_surface import SurfaceImages
from .camera import Span, Views
from .defect import CONSTANTS as DEFECT
from .defect import SHAPES, UNPACKED, Lying
from .geometry import Geometry
from .material import Materials
from .native_source import native
from .point import MATERIAL
from .trace import Hit


@wp.struct
class Marked:
    """Materials, and what lies on them."""

    materials: Materials  # they defer energy
    lying: Lying


WORN = (
    *MATERIAL, *SHAPES, "layer", "dress_watch", "dress", "tell_effect", "mark", "annotate_marked", "annotate_surface",
)  # fmt: skip


@wp.func_native(
    "    const auto& materials = surfaces.materials;\n    const auto& lying = surfaces.lying;\n"
    + UNPACKED
    + native(*WORN, constants={**DEFECT, **SURFACE})
)
def annotate_run(
    geometry: Geometry, views: Views, surfaces: Marked, span: Span, hit: wp.array[Hit], out_images: SurfaceImages,
    thread: int,
):  # fmt: skip
    """Write the materials of a run of pixels; see native/annotate_surface.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=128)
def annotate_marked(
    geometry: Geometry, views: Views, surfaces: Marked, span: Span, hit: wp.array[Hit], out_images: SurfaceImages
):
    """Write the images of a span's pixels as `annotate_surface` does, with patterns and defects on them."""
    annotate_run(geometry, views, surfaces, span, hit, out_images, wp.tid())
