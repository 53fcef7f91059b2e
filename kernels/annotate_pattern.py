"""What the surface at the centre of every pixel is made of where patterns lie on it, and what they did there."""

import warp as wp

from .annotate_surface import CONSTANTS as SURFACE
from .annotate_surface import SurfaceImages
from .camera import Span, Views
from .geometry import Geometry
from .material import Materials
from .native_source import native
from .pattern import CONSTANTS as PATTERN
from .pattern import Patterns
from .point import MATERIAL
from .trace import Hit


@wp.struct
class Dressed:
    """Materials, and what lies on them."""

    materials: Materials  # they defer energy
    patterns: Patterns


WORN = (*MATERIAL, "noise", "pattern", "layer", "dress_watch", "dress", "annotate_worn", "annotate_surface")


@wp.func_native(
    "    const auto& materials = surfaces.materials;\n    const auto& patterns = surfaces.patterns;\n"
    + native(*WORN, constants={**PATTERN, **SURFACE})
)
def annotate_run(
    geometry: Geometry, views: Views, surfaces: Dressed, span: Span, hit: wp.array[Hit], out_images: SurfaceImages,
    thread: int,
):  # fmt: skip
    """Write the materials of a run of pixels; see native/annotate_surface.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=128)
def annotate_worn(
    geometry: Geometry, views: Views, surfaces: Dressed, span: Span, hit: wp.array[Hit], out_images: SurfaceImages
):
    """Write the images of a span's pixels as `annotate_surface` does, with patterns on them."""
    annotate_run(geometry, views, surfaces, span, hit, out_images, wp.tid())
