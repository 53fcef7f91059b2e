"""Procedural materials: patterns of noise on surfaces, over whatever material is there.

They are evaluated by a kernel of their own, after the points are found and before they are lit, and only in batches
that have a pattern. Their maths is in native/noise.cpp, pattern.cpp, layer.cpp and dress.cpp.
"""

from enum import IntEnum

import warp as wp

from .camera import Views
from .energy import ENERGY_SIZE, Energy
from .geometry import Geometry
from .material import MIN_ALPHA
from .native_source import native
from .point import Points
from .sample import HitBuffers, Sampling
from .surface import MIN_COS

RECORD_FLOATS = 24  # of a pattern, see native/pattern.cpp


class PatternKind(IntEnum):
    """What a surface is made of; names in lower case are those of configurations."""

    NONE = 0  # layers only, on the material that is there
    CARDBOARD = 1
    PAINTED_METAL = 2
    BRUSHED_METAL = 3
    CAST_METAL = 4
    CONCRETE = 5
    ASPHALT = 6
    WOOD = 7
    PLASTIC_FILM = 8
    FABRIC = 9
    GROUND_CERAMIC = 10


class EffectKind(IntEnum):
    """What patterns do to a surface, each a channel of the annotator `effect`; engine.annotators.EFFECTS names them."""

    FINISH = 0  # a pattern in place of the surface's own material
    RUST = 1
    STAIN = 2
    DUST = 3
    WEAR = 4
    SCRATCH = 5  # from here on kept for layers to come
    DENT = 6
    CRACK = 7


CONSTANTS = {
    **PatternKind.__members__, **EffectKind.__members__, "MIN_ALPHA": MIN_ALPHA, "MIN_COS": float(MIN_COS),
    "ENERGY_SIZE": ENERGY_SIZE,
}  # fmt: skip
DRESS = (
    "lanes", "lens", "camera", "surface", "point", "energy", "noise", "pattern", "layer", "dress_alone", "dress",
    "mark_alone",
)  # fmt: skip


@wp.struct
class Patterns:
    """Patterns of every row, and who wears them: an instance's own pattern comes before that of its materials."""

    record: wp.array3d[float]  # [row, slot, 24]
    of_instance: wp.array2d[int]  # [row, instance], slot or -1
    of_material: wp.array2d[int]  # [row, material], slot or -1
    seed: wp.array2d[int]  # [row, instance]
    look: wp.array3d[float]  # [row, instance, 4], kernels.material.Materials.instance
    energy: Energy
    sharp: wp.array[wp.uint8]  # [triangle], bits: which edges are sharp, corners 0-1, 1-2, 2-0


@wp.func_native(native(*DRESS, "dress_run", constants=CONSTANTS))
def dress_run(
    geometry: Geometry, views: Views, patterns: Patterns, sampling: Sampling, hits: HitBuffers, out_point: Points,
    thread: int,
):  # fmt: skip
    """Dress the points of a run of pixels; see native/dress_run.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=128)
def dress_points(
    geometry: Geometry, views: Views, patterns: Patterns, sampling: Sampling, hits: HitBuffers, out_point: Points
):
    """Give the points that wear a pattern its colours, roughness and normals, in place."""
    dress_run(geometry, views, patterns, sampling, hits, out_point, wp.tid())
