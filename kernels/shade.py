"""Direct light: a shadow ray towards every light and one for the ambient term, for every sub-pixel sample.

On a smooth surface lights take turns: one is asked at every `light_stride`-th sample, with that weight. Beyond
MAX_LIGHT_SLOTS lights share rays: of those that share one, it goes to a light chosen in proportion to what each would
give unoccluded (resampled importance sampling, Talbot et al., EGSR 2005), which stays unbiased. The ambient term is a
constant radiance, of which AMBIENT_OPEN_SHARE always arrives and the rest where nothing nearer than `ambient_reach_m`
is in the way: a stated stand-in for interreflection.
"""

import warp as wp

from .camera import Views
from .light import ALL_PLACEMENTS, LightKind, Lights
from .material import MIN_ALPHA
from .native_source import native
from .point import Points
from .sample import Sampling
from .texture import WRAPS

MAX_LIGHT_SLOTS = 8
SHORT_OF_LIGHT = wp.constant(1.0 - 1.0e-4)  # of the way to a light: its own fitting, in the same plane, casts no shadow
AMBIENT_OPEN_SHARE = 0.35  # of the ambient term, which a point in a corner still gets: no pit is black
NARROW_ALPHA = 0.2  # gloss narrower than this gets samples of its own in the reflections of lights
MOST_LOBE_SHARE = 0.5  # of a light's samples
RAY_FLOATS = 8  # of a shadow ray, see native/rays.cpp; where its fields begin:
DISTANCE_FIELD = wp.constant(3)
RADIANCE_FIELD = wp.constant(4)
LINK_FIELD = wp.constant(7)

CONSTANTS = {
    **WRAPS, **LightKind.__members__, "ALL_PLACEMENTS": int(ALL_PLACEMENTS), "SHORT_OF_LIGHT": float(SHORT_OF_LIGHT),
    "AMBIENT_OPEN_SHARE": AMBIENT_OPEN_SHARE, "MIN_ALPHA": MIN_ALPHA, "NARROW_ALPHA": NARROW_ALPHA,
    "MOST_LOBE_SHARE": MOST_LOBE_SHARE,
}  # fmt: skip


LIGHTING = (
    "lanes", "lens", "camera", "texture", "point", "image", "bsdf", "directions", "lobes", "rect", "light", "light_hit",
    "dome", "shaping", "sequence", "rays", "shade",
)  # fmt: skip


@wp.struct
class ShadowRays:
    """Rays that decide whether light arrives, and how much it would be. Layout: native/rays.cpp."""

    light_slots: int  # slots of lights; the ambient term's comes after them
    has_ambient: int  # 0: its slot stays empty
    light_stride: int  # samples from one turn of a light to its next on a smooth surface; divides the sample count
    count: wp.array[int]  # [1], of the points that have rays; empty: all of the span
    group: int  # pixels of a block
    slot_floats: int  # of all rays of a slot
    value: wp.array[float]  # direction, distance [m] (0: nothing to trace), radiance, row of Lights.link as bits


@wp.func
def ray_index(rays: ShadowRays, slot: int, i: int) -> int:
    """Return where the first field of a ray lies in `value`; the next ones follow at a distance of `group`."""
    block = i // rays.group
    return slot * rays.slot_floats + block * RAY_FLOATS * rays.group + i - block * rays.group


@wp.func
def vector_at(value: wp.array[float], first: int, group: int) -> wp.vec3:
    """Return three fields that follow each other."""
    return wp.vec3(value[first], value[first + group], value[first + 2 * group])


@wp.func_native(native(*LIGHTING, "shade_camera", constants=CONSTANTS))
def light_run(
    views: Views, lights: Lights, sampling: Sampling, point: Points, out_rays: ShadowRays,
    out_radiance: wp.array[wp.vec3], thread: int,
):  # fmt: skip
    """Light the points of a run of pixels; see native/shade_camera.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=96)
def light_points(
    views: Views, lights: Lights, sampling: Sampling, point: Points, out_rays: ShadowRays,
    out_radiance: wp.array[wp.vec3],
):  # fmt: skip
    """Add what needs no shadow ray to the pixel's radiance, and write the rays that decide about the rest."""
    light_run(views, lights, sampling, point, out_rays, out_radiance, wp.tid())
