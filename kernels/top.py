"""The tree over the placements of a row: built on the device that walks it, without allocation.

On the CPU a row has a thread, on CUDA a block of TOP_THREADS threads; both make the same splits.
"""

import warp as wp

from .native_source import native

TOP_THREADS = 128  # of a block on CUDA
SAH_DEPTH_SLACK = 2  # levels beyond a full tree's before halving: uneven scenes keep good splits


@wp.struct
class TopBuild:
    """Boxes of every row and where the row's nodes go. An empty box (low x above high x) is left out."""

    first_row: int  # of a launch
    placement_count: int
    lanes: int  # children of a node
    sah_depth: int  # depth from which parts are halved
    row_floats: int  # of `node`
    low_m: wp.array2d[wp.vec3]  # [row of the launch, placement]
    high_m: wp.array2d[wp.vec3]  # [row of the launch, placement]
    order: wp.array2d[int]  # [row of the launch, placement], scratch
    spare: wp.array2d[int]  # likewise; CUDA only
    todo: wp.array2d[int]  # [row of the launch, 8 * parts of a level], scratch; CUDA only
    node: wp.array[float]  # [row * row_floats]


@wp.func_native(native("top_warp", constants={"OMM_TOP_THREADS": TOP_THREADS}) + "#if !defined(__CUDA_ARCH__)\n"
                + native("top") + "#endif\n")  # fmt: skip
def build_row(job: TopBuild, row: int, thread: int, out_need: wp.array[int]):
    """Write the nodes of a row and the stack entries that a traversal may need; see native/top.cpp, top_warp.cpp."""


@wp.kernel(enable_backward=False)
def build_top(job: TopBuild, out_need: wp.array[int]):
    """Write the nodes of every row, and the stack entries that a traversal of it may need."""
    row, thread = wp.tid()
    build_row(job, row, thread, out_need)


def level_parts(placement_count: int) -> int:
    """Return how many parts a level of a tree may have: each holds three placements or more."""
    return placement_count // 3 + 1


def top_nodes(placement_count: int, lanes: int) -> int:
    """Return how many nodes a row may need: the lowest hold three placements, the others all lanes but one."""
    lowest = placement_count // 3
    return lowest + (placement_count - 2 * lowest) // (lanes - 2) + 2


def sah_depth(placement_count: int, lanes: int) -> int:
    """Return the depth from which the builder halves parts."""
    depth, held = 0, 1
    while held < placement_count:
        held *= lanes
        depth += 1
    return depth + SAH_DEPTH_SLACK


def top_stack_entries(placement_count: int, lanes: int) -> int:
    """Return the most stack entries that a row's tree may need: halving quarters a part from node to node, at least."""
    levels, held = sah_depth(placement_count, lanes), 1
    while held < placement_count:
        held *= lanes // 2
        levels += 1
    return (levels + 1) * (lanes - 1) + 1
