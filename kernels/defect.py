"""Defects and near-misses: what is on single spots of a surface, over its material and over patterns.

They are evaluated where patterns are, by kernels of their own that only batches with defects run. Their maths is in
native/defect.cpp, defect_patch.cpp and mark.cpp; the record of one in engine/defect.py.
"""

from enum import IntEnum

import warp as wp

from .camera import Views
from .geometry import Geometry
from .native_source import native
from .pattern import CONSTANTS as PATTERN
from .pattern import Patterns
from .point import Points
from .sample import HitBuffers, Sampling

RECORD_FLOATS = 32  # of a defect, see engine/defect.py


class DefectKind(IntEnum):
    """What a defect is; names in lower case are those of configurations."""

    NONE = 0
    SCRATCH = 1
    SCUFF = 2
    DENT = 3
    CRACK = 4
    PIT = 5
    POROSITY = 6
    CHIP = 7
    FRAY = 8
    STAIN = 9
    RUST = 10
    UNEVEN = 11
    SEAM = 12
    MISSING = 13
    MISPRINT = 14
    DUST = 32  # near-misses from here on
    HAIR = 33
    GLINT = 34
    GLARE = 35
    MACHINING = 36
    MARKING = 37


FIRST_NEAR_MISS = int(DefectKind.DUST)
CONSTANTS = {
    **PATTERN, **{f"DEFECT_{kind.name}": kind for kind in DefectKind}, "FIRST_NEAR_MISS": FIRST_NEAR_MISS
}  # fmt: skip
SHAPES = ("noise", "pattern", "defect", "defect_patch", "defect_kinds", "mark_find")
MARK = (
    "lanes", "lens", "camera", "surface", "point", "energy", *SHAPES, "layer", "dress_alone", "dress", "tell_none",
    "mark",
)  # fmt: skip


@wp.struct
class Defects:
    """Defects of every row, sorted by who bears them; in it near-misses come after defects, slots else in their order.

    What is invisible is not in the order.
    """

    record: wp.array3d[float]  # [row, slot, 32]
    first: wp.array2d[int]  # [row, instance + 1], where the order of an instance's defects begins
    near_to: wp.array3d[float]  # [row, place in the order, 8]: centre [m], reach [m], slot and placement as bits, -


@wp.struct
class Lying:
    """What lies on surfaces."""

    patterns: Patterns
    defects: Defects


UNPACKED = "    const auto& patterns = lying.patterns;\n    const auto& defects = lying.defects;\n"


@wp.func_native(UNPACKED + native(*MARK, "dress_run", constants=CONSTANTS))
def mark_run(
    geometry: Geometry, views: Views, lying: Lying, sampling: Sampling, hits: HitBuffers, out_point: Points, thread: int
):  # fmt: skip
    """Dress and mark the points of a run of pixels; see native/dress_run.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=128)
def mark_points(
    geometry: Geometry, views: Views, lying: Lying, sampling: Sampling, hits: HitBuffers, out_point: Points
):  # fmt: skip
    """Give points what patterns and then defects make of them, in place."""
    mark_run(geometry, views, lying, sampling, hits, out_point, wp.tid())
