"""Which share of the direct light of every pixel is blocked, of the very samples that its colour is made of."""

import warp as wp

from .camera import Span, Views, pixel_of
from .geometry import Trees
from .native_source import native
from .path import Bounce
from .path_passage import path_int
from .point import Points
from .shade import ShadowRays
from .shadow import CONSTANTS, RAYS


@wp.struct
class ShadowImages:
    """Images [view, y, x]; empty ones were not asked for."""

    shadow: wp.array3d[float]  # share of the light that is blocked; 0 also where no light could arrive
    shadow_lit: wp.array3d[wp.uint8]  # 1: some light could arrive


@wp.func_native(native(*RAYS, "shadow_kept", "shadow", constants=CONSTANTS))
def shadow_run(
    trees: Trees, span: Span, point: Points, rays: ShadowRays, out_radiance: wp.array[wp.vec3],
    out_light: wp.array[wp.vec2], thread: int,
):  # fmt: skip
    """Add the light that arrives at a run of pixels and keep how much it is; see native/shadow.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def trace_watched_shadow(
    trees: Trees, span: Span, point: Points, rays: ShadowRays, out_radiance: wp.array[wp.vec3],
    out_light: wp.array[wp.vec2],
):  # fmt: skip
    """Do what `trace_shadow` does, and write the luminance of lights without shadows and with them."""
    shadow_run(trees, span, point, rays, out_radiance, out_light, wp.tid())


@wp.kernel(enable_backward=False)
def clear_light(span: Span, out_sum: wp.array[wp.vec2]):
    """Begin the sums of a slice's pixels."""
    i = wp.tid()
    if i < span.count:
        out_sum[i] = wp.vec2(0.0, 0.0)


@wp.kernel(enable_backward=False)
def add_light(span: Span, light: wp.array[wp.vec2], out_sum: wp.array[wp.vec2]):
    """Add the light of the present sample."""
    i = wp.tid()
    if i < span.count:
        out_sum[i] = out_sum[i] + light[i]


@wp.kernel(enable_backward=False)
def add_path_light(bounce: Bounce, light: wp.array[wp.vec2], out_sum: wp.array[wp.vec2]):
    """Add the light at what the present sample's rays from the camera have met."""
    i = wp.tid()
    if i < bounce.paths.count[0]:
        pixel = path_int(bounce.paths, i, 1)
        out_sum[pixel] = out_sum[pixel] + light[i]


@wp.kernel(enable_backward=False)
def write_shadow(views: Views, span: Span, light: wp.array[wp.vec2], out_images: ShadowImages):
    """Write the images of a slice's pixels from the sums over their samples."""
    i = wp.tid()
    if i >= span.count:
        return
    pixel = pixel_of(views, span.first + i)
    expected = light[i][0]
    if out_images.shadow.shape[0] > 0:
        blocked = wp.where(expected > 0.0, 1.0 - light[i][1] / wp.max(expected, 1.0e-30), 0.0)
        out_images.shadow[pixel[0], pixel[1], pixel[2]] = wp.clamp(blocked, 0.0, 1.0)
    if out_images.shadow_lit.shape[0] > 0:
        out_images.shadow_lit[pixel[0], pixel[1], pixel[2]] = wp.uint8(wp.where(expected > 0.0, 1, 0))
