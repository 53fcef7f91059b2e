"""What the surface at the centre of every pixel is made of: base colour, roughness, metal, before any light."""

import warp as wp

from .camera import Span, Views
from .geometry import Geometry
from .material import Materials
from .native_source import native
from .pattern import EffectKind
from .point import CONSTANTS as POINT
from .point import MATERIAL
from .trace import Hit

CONSTANTS = {**POINT, "EFFECT_COUNT": len(EffectKind)}


@wp.struct
class SurfaceImages:
    """Images [view, y, x, ...], all 0 where nothing was hit; empty ones were not asked for."""

    albedo: wp.array4d[float]  # [view, y, x, channel], linear base colour
    roughness: wp.array3d[float]  # square root of GGX alpha
    metallic: wp.array3d[float]
    effect: wp.array4d[wp.uint8]  # [view, y, x, EffectKind], share of the point that it covers, 255: all


@wp.func_native(native(*MATERIAL, "annotate_plain", "annotate_surface", constants=CONSTANTS))
def annotate_run(
    geometry: Geometry, views: Views, materials: Materials, span: Span, hit: wp.array[Hit], out_images: SurfaceImages,
    thread: int,
):  # fmt: skip
    """Write the materials of a run of pixels; see native/annotate_surface.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=96)
def annotate_surface(
    geometry: Geometry, views: Views, materials: Materials, span: Span, hit: wp.array[Hit], out_images: SurfaceImages
):
    """Write the images of a span's pixels; `hit` holds those of all the launch's pixels, `materials` defer energy."""
    annotate_run(geometry, views, materials, span, hit, out_images, wp.tid())
