"""Paths of light, traced from the camera: rays that leave the first surface, bounce on, and end in the dark.

At every vertex lights are asked by shadow rays, whose samples already combine lights and lobes (native/light_hit.cpp,
native/dome.cpp); so a ray that bounces adds only what no shadow ray asks for, which is the emission of meshes, and
behind glass everything. Paths that are dim end at random, and the others count for them (Russian roulette). Rays under
way lie together without gaps: their order decides nothing, since a pixel has one at a time.

Source: Pharr, Jakob, Humphreys, PBRT 4, chapters 13 and 15.
"""

import warp as wp

from .camera import Views
from .geometry import Trees
from .material import MIN_ALPHA
from .native_source import native
from .point import Points
from .sample import Sampling
from .trace import FAR_M, Hit

PATH_FLOATS = 16  # of a ray under way, see native/path.cpp
DIFFUSE_SPREAD = 0.4  # width that the cone of a diffuse bounce gains a metre: textures seen in it are blurred
FREE_BOUNCES = 1  # after so many a path may end at random
LEAST_SURVIVAL = 0.05
ROULETTE_SALT = 1000  # keeps the numbers that end paths apart from all others
SEES_DOMES = wp.constant(1)  # bits of Path.sees_lights
SEES_BODIES = wp.constant(2)
CONSTANTS = {
    "MIN_ALPHA": MIN_ALPHA, "FAR_M": float(FAR_M), "DIFFUSE_SPREAD": DIFFUSE_SPREAD, "FREE_BOUNCES": FREE_BOUNCES,
    "LEAST_SURVIVAL": LEAST_SURVIVAL, "ROULETTE_SALT": ROULETTE_SALT,
    "SEES_DOMES": int(SEES_DOMES), "SEES_BODIES": int(SEES_BODIES),
}  # fmt: skip
SCATTER = (
    "lanes",
    "lens",
    "camera",
    "point",
    "bsdf",
    "directions",
    "lobes",
    "sequence",
    "path",
    "path_sequence",
    "path_scatter",
)


@wp.struct
class Paths:
    """Rays under way. Layout: native/path.cpp."""

    group: int  # rays of a block
    value: wp.array[float]
    count: wp.array[int]  # [1]


@wp.struct
class Glass:
    """What light may go through, of each point; empty: nothing in the scene lets any through."""

    through: wp.array[float]  # share of light that passes, of what is not reflected
    eta: wp.array[float]  # refractive index behind the surface over that before it; of a sheet minus its ior; 0: no
    # glass


@wp.struct
class Bounce:
    """Rays under way, and which vertex of their paths they lead to."""

    depth: int  # 0: what the camera sees
    is_last: int  # 1: no ray goes on
    clamp_radiance: float  # 0: no limit
    run: int  # rays of a thread
    paths: Paths


@wp.struct
class Ends:
    """What rays have met, and the light there."""

    point: Points
    arrived: wp.array[wp.vec3]
    glass: Glass


@wp.func_native(native(*SCATTER, "path_begin", constants=CONSTANTS))
def begin_run(views: Views, sampling: Sampling, point: Points, glass: Glass, out_paths: Paths, thread: int):
    """Let the rays of a run of pixels bounce; see native/path_begin.cpp."""


@wp.func_native(
    native("lanes", "lens", "camera", "point", "path", "traverse", "path_trace", constants=CONSTANTS)
)
def trace_run(trees: Trees, bounce: Bounce, out_hit: wp.array[Hit], thread: int):
    """Write the hits of a run of rays; see native/path_trace.cpp."""


@wp.func_native(native(*SCATTER, "path_next", constants=CONSTANTS))
def next_run(
    views: Views, sampling: Sampling, bounce: Bounce, ends: Ends, out_paths: Paths, out_radiance: wp.array[wp.vec3],
    thread: int,
):  # fmt: skip
    """Add the light at the ends of a run of rays and let them go on; see native/path_next.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=96)
def begin_paths(views: Views, sampling: Sampling, point: Points, glass: Glass, out_paths: Paths):
    """Write a ray that leaves the first surface of every pixel that has one."""
    begin_run(views, sampling, point, glass, out_paths, wp.tid())


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def trace_paths(trees: Trees, bounce: Bounce, out_hit: wp.array[Hit]):
    """Write the nearest hits of the rays under way."""
    trace_run(trees, bounce, out_hit, wp.tid())


@wp.kernel(enable_backward=False, cuda_max_registers=96)
def next_paths(
    views: Views, sampling: Sampling, bounce: Bounce, ends: Ends, out_paths: Paths, out_radiance: wp.array[wp.vec3],
):  # fmt: skip
    """Add the light that arrives at the ends of rays to their pixels, and write the rays that go on."""
    next_run(views, sampling, bounce, ends, out_paths, out_radiance, wp.tid())
