"""Placing: throw the items of every world until they keep clear of each other; one world a thread.

All of it is float64 without fused arithmetic, and random numbers are those of engine/randomize/philox.py, so a place is
the same number on every device and in the host's reference.
"""

from enum import IntEnum

import warp as wp

from .native_source import native
from .random import CONSTANTS as PHILOX
from .random import RandomKey

wp.set_module_options({"enable_backward": False, "fuse_fp": False})

BODY_DOUBLES = 22  # see native/place.cpp


class Domain(IntEnum):
    """Where items land."""

    FLOOR = 0  # on the floors of boxes
    SURFACE = 1  # on triangles that face up
    VOLUME = 2  # anywhere in boxes


class Test(IntEnum):
    """What must not overlap."""

    FOOTPRINT = 0  # boxes along the world's x and y around the items, whatever their heights
    BOX = 1  # oriented boxes
    HULL = 2  # convex hulls


CONSTANTS = {
    **PHILOX,
    "BODY_DOUBLES": BODY_DOUBLES,
    "DOMAIN_SURFACE": Domain.SURFACE,
    "DOMAIN_VOLUME": Domain.VOLUME,
    "TEST_FOOTPRINT": Test.FOOTPRINT,
    "TEST_BOX": Test.BOX,
    "GJK_STEPS": 48,  # two boxes need five; what is not decided by then counts as overlap
}


@wp.struct
class Throws:
    """What is thrown in every world, in which order and how often."""

    domain: int  # Domain
    test: int  # Test
    tries: int  # places tried for each item
    align: int  # SURFACE: whether an item's up is the triangle's normal
    buckets: int  # of the grid, a power of 2
    gap_m: wp.float64  # least distance between items, and to what is avoided
    distance_m: wp.float64  # least distance between feet (VOLUME: centres); 0: none
    least_up: wp.float64  # SURFACE: least z of a triangle's normal
    cell_m: wp.float64  # of the grid
    small_m: wp.float64  # larger things are not in the grid: sum of half sizes
    key: RandomKey
    world: wp.array[wp.uint32]  # [row]
    step: wp.array[wp.uint32]  # [row]
    asked: wp.array[int]  # [row], items
    order: wp.array2d[int]  # [row, number], item
    turn: wp.array3d[wp.float64]  # [row, item, 9], row-major rotation in the frame of the place


@wp.struct
class Shapes:
    """Boxes of items, and their hulls where hulls are compared."""

    half_m: wp.array2d[wp.float64]  # [item, 3], half the box as it stands
    first_corner: wp.array[int]  # [hull + 1]
    corner_m: wp.array2d[wp.float64]  # [corner, 3], from the middle of the box


@wp.struct
class Ground:
    """Where items land, on boxes or triangles of carriers, and what they keep clear of."""

    frame: wp.array2d[wp.float64]  # [box, 12], world_from_box
    size_m: wp.array2d[wp.float64]  # [box, 3]
    share: wp.array[wp.float64]  # [box], area or volume of all boxes up to this one
    corner_m: wp.array2d[wp.float64]  # [triangle, 9], in the carrier's frame
    carrier: wp.array[int]  # [triangle]
    carrier_pose: wp.array3d[wp.float64]  # [row, carrier, 12]
    carrier_shown: wp.array2d[wp.uint8]  # [row, carrier]
    wall: wp.array3d[wp.float64]  # [row, wall, BODY_DOUBLES], see native/place.cpp


@wp.struct
class Scratch:
    """Room to work in, of any content."""

    head: wp.array2d[int]  # [row, buckets + 1]
    next: wp.array2d[int]  # [row, number + wall]
    body: wp.array3d[wp.float64]  # [row, number + wall, BODY_DOUBLES]
    area_m2: wp.array2d[wp.float64]  # [row, triangle], of all triangles up to this one that carry


@wp.func_native(native("philox", "place", "place_spot", "place_world", constants=CONSTANTS))
def throw_world(
    throws: Throws, shapes: Shapes, ground: Ground, out_scratch: Scratch,
    out_place: wp.array3d[wp.float64], out_try: wp.array2d[int], row: int,
):  # fmt: skip
    """Throw the items of a row; see native/place_world.cpp."""


@wp.kernel(enable_backward=False)
def throw_items(
    throws: Throws, shapes: Shapes, ground: Ground, out_scratch: Scratch,
    out_place: wp.array3d[wp.float64], out_try: wp.array2d[int],
):  # fmt: skip
    """Write the standing frame of every item [row, number, 12] and the try at which it landed, -1: none."""
    throw_world(throws, shapes, ground, out_scratch, out_place, out_try, wp.tid())
