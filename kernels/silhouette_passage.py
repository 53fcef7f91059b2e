"""Silhouettes where surfaces may be cut out, transparent or clipped: what the labels call there counts."""

import warp as wp

from .camera import Span, Views, camera_ray, label_row
from .geometry import Geometry
from .native_source import native
from .opacity import MAX_CROSSED, Opacities, clip_range, is_labelled, material_of, next_hit, start_at
from .silhouette import Seen, SilhouetteTable, Window
from .trace import MISS


@wp.func_native(
    native("count")
    + """
    const auto visitor = visitor_at(pixel[0], pixel[1], pixel[2]);
    if (placement < 0) visitor.forget();
    else if (visitor.wants(placement)) visitor.meet(placement);
"""
)
def count_once(
    geometry: Geometry, views: Views, out_seen: Seen, out_table: SilhouetteTable, pixel: wp.vec3i, placement: int,
    thread: int,
):  # fmt: skip
    """Count a pixel (view, y, x) of the placement's instance once a ray; MISS: the ray ends. See native/count.cpp."""


@wp.func
def window_pixel(window: Window, index: int) -> wp.vec3i:
    """Return (view, y, x) of a pixel of the windows, which follow each other; y and x are those of the frame."""
    line = index // window.width
    view = line // window.height
    x = index - line * window.width - window.margin_px
    return wp.vec3i(view, line - view * window.height - window.margin_px, x)


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def pass_silhouettes(
    geometry: Geometry, views: Views, opacities: Opacities, window: Window, span: Span,
    out_seen: Seen, out_table: SilhouetteTable,
):  # fmt: skip
    """Count the pixels of a window's span whose rays meet a labelled surface of an instance."""
    thread = wp.tid()
    for k in range(span.run):
        i = thread * span.run + k
        if i < span.count:
            pixel = window_pixel(window, span.first + i)
            view = pixel[0]
            row = label_row(views, view, float(pixel[1]) + 0.5)
            ray = camera_ray(views, view, float(pixel[2]) + 0.5, float(pixel[1]) + 0.5)
            limits_m = clip_range(views, view)
            hit = start_at(limits_m[0])
            crossed = int(0)
            while crossed < MAX_CROSSED:
                hit = next_hit(geometry.trees, row, ray, hit, limits_m[1], 0)
                if hit.placement == MISS:
                    break
                if is_labelled(geometry, opacities, material_of(geometry, opacities, row, hit), hit):
                    count_once(geometry, views, out_seen, out_table, pixel, hit.placement, thread)
                crossed += 1
            if crossed == MAX_CROSSED:
                wp.atomic_add(out_seen.overflow, 0, 1)
            count_once(geometry, views, out_seen, out_table, pixel, MISS, thread)
