"""LiDAR where light passes surfaces: a sub-ray goes through a surface with the share of light that it lets through."""

import warp as wp

from .camera import Span
from .geometry import Geometry
from .lidar import PASS_DIMENSION, Echoes, Scan, ray_of
from .opacity import MAX_CROSSED, Opacities, is_same_crossing, material_of, next_hit, start_at, stopped_share
from .random import uniform4
from .trace import FAR_M, MISS


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def pass_beams(
    geometry: Geometry, opacities: Opacities, scan: Scan, span: Span, out_echoes: Echoes, out_overflow: wp.array[int]
):  # fmt: skip
    """Write the surface that stops every sub-ray of a span's beams.

    One number in (0, 1] is drawn for a sub-ray; it stops where no more than that share of light is left, which is each
    surface with the probability that it stops light.
    """
    subrays = scan.subray.shape[0]
    first = wp.tid() * span.run
    for k in range(span.run):
        i = first + k
        if i < span.count * subrays:
            index = span.first + i // subrays
            subray = i - i // subrays * subrays
            sweep = index // scan.pattern.beams
            row = scan.row[sweep]
            ray = ray_of(scan, index, subray)
            beam = index - sweep * scan.pattern.beams
            drawn = uniform4(scan.world[sweep], scan.step[sweep], beam, PASS_DIMENSION + subray, scan.key)
            left = float(1.0)
            crossed = int(0)
            hit = start_at(0.0)
            while crossed < MAX_CROSSED:
                last = hit
                hit = next_hit(geometry.trees, row, ray, last, FAR_M, 0)
                if hit.placement == MISS:
                    break
                if is_same_crossing(geometry, last, hit):
                    continue
                material = material_of(geometry, opacities, row, hit)
                left *= 1.0 - stopped_share(geometry, opacities, material, hit, wp.vec2(0.0, 0.0))
                if left < 1.0 - drawn[0] or left <= 0.0:
                    break
                crossed += 1
            if crossed == MAX_CROSSED:
                hit.placement = MISS
                wp.atomic_add(out_overflow, 0, 1)
            out_echoes.hit[i] = hit
