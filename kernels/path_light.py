"""Light at the ends of rays under way: emission, one light by a shadow ray, and behind glass what the ray meets."""

import warp as wp

from .camera import Views
from .light import Lights
from .native_source import native
from .path import SEES_BODIES, SEES_DOMES, Bounce, Ends
from .sample import Sampling
from .shade import CONSTANTS as SHADE
from .shade import LIGHTING, ShadowRays

CONSTANTS = {**SHADE, "SEES_DOMES": int(SEES_DOMES), "SEES_BODIES": int(SEES_BODIES)}


@wp.func_native(native(*LIGHTING, "path", "path_sequence", "path_light", constants=CONSTANTS))
def light_run(
    views: Views, lights: Lights, sampling: Sampling, bounce: Bounce, out_rays: ShadowRays, out_ends: Ends, thread: int
):  # fmt: skip
    """Light the ends of a run of rays; see native/path_light.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=96)
def light_path_points(
    views: Views, lights: Lights, sampling: Sampling, bounce: Bounce, out_rays: ShadowRays, out_ends: Ends
):  # fmt: skip
    """Write what arrives at the ends of rays in any case, and the shadow rays that decide about the rest."""
    light_run(views, lights, sampling, bounce, out_rays, out_ends, wp.tid())
