"""Shadow rays: which of the light that was prepared for a point arrives."""

import warp as wp

from .camera import Span
from .geometry import Trees
from .native_source import native
from .point import Points
from .shade import SHORT_OF_LIGHT, ShadowRays

CONSTANTS = {"SHORT_OF_LIGHT": float(SHORT_OF_LIGHT)}


RAYS = ("lanes", "traverse", "traverse_group", "point", "rays")


@wp.func_native(native(*RAYS, "shadow_alone", "shadow", constants=CONSTANTS))
def shadow_run(
    trees: Trees, span: Span, point: Points, rays: ShadowRays, out_radiance: wp.array[wp.vec3], thread: int
):  # fmt: skip
    """Add the light that arrives at a run of pixels; see native/shadow.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def trace_shadow(trees: Trees, span: Span, point: Points, rays: ShadowRays, out_radiance: wp.array[wp.vec3]):
    """Add the light of every shadow ray that nothing blocks."""
    shadow_run(trees, span, point, rays, out_radiance, wp.tid())
