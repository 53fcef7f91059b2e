"""Optical flow where surfaces may be cut out, transparent or clipped: what the labels call there hides points."""

import warp as wp

from .camera import Span, pixel_of
from .flow import FlowImages, FlowState, Journey, hides, move_of, store_move, wants_state
from .geometry import Geometry
from .opacity import MAX_CROSSED, Opacities, clip_range, is_labelled, material_of, next_hit, start_at
from .trace import MISS, Hit


@wp.kernel(enable_backward=False, cuda_max_registers=128)
def pass_flow(
    geometry: Geometry, journey: Journey, opacities: Opacities, span: Span, hit: wp.array[Hit],
    out_images: FlowImages, out_overflow: wp.array[int],
):  # fmt: skip
    """Write the flow of a span's pixels; `hit` holds those of all the launch's pixels."""
    thread = wp.tid()
    for k in range(span.run):
        i = thread * span.run + k
        if i < span.count:
            pixel = pixel_of(journey.views, span.first + i)
            own = hit[span.first + i]
            move = move_of(geometry, journey, pixel, own)
            if move.state == int(FlowState.VISIBLE) and wants_state(journey, out_images):
                found = start_at(clip_range(journey.views, pixel[0] + journey.beyond)[0])
                crossed = int(0)
                while crossed < MAX_CROSSED:
                    found = next_hit(geometry.trees, move.row, move.ray, found, move.depth, 0)
                    if found.placement == MISS:
                        break
                    material = material_of(geometry, opacities, move.row, found)
                    if hides(found, own, move.depth) and is_labelled(geometry, opacities, material, found):
                        move.state = int(FlowState.OCCLUDED)
                        break
                    crossed += 1
                if crossed == MAX_CROSSED:
                    wp.atomic_add(out_overflow, 0, 1)
            store_move(journey, pixel, move, out_images)
