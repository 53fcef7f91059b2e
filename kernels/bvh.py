"""Trees over boxes: built by Warp (surface-area heuristic), then collapsed into the wide nodes that trace.py walks.

Trees are built on the CPU for every device: eight children a node there (AVX2 where the CPU has it, otherwise what the
compiler makes of the same vectors), four on CUDA.
"""

from pathlib import Path

import warp as wp

CPU_LANES = 8
CUDA_LANES = 4
STACK_ENTRIES = 192  # STACK of traverse.cpp; the host checks what its trees need
BLOCK_FLOATS = 40  # of four triangles, see traverse.cpp
LEAF_TRIANGLES = 4

_NATIVE = Path(__file__).parent / "native"


@wp.struct
class Collapse:
    """Binary trees of one wp.Bvh, a part each, and where their wide nodes go."""

    tree: wp.uint64
    grouped: int  # 1: part p is the tree of group p; 0: there is one part
    lanes: int  # children of a wide node
    triangles: int  # 1: leaves become blocks of four triangles; 0: leaves are single items
    part_items: int  # items of a part: leaf codes count from its first one
    part_nodes: int  # wide nodes reserved for a part
    corner: wp.array[wp.vec3]  # [3 * triangle]
    node: wp.array[float]
    block: wp.array[float]
    stack: wp.array[int]  # [3 * node]
    out: wp.array[int]  # [3 * part]: nodes, blocks, stack entries a traversal may need


@wp.func_native((_NATIVE / "collapse.cpp").read_text(encoding="utf-8"))
def collapse_part(collapse: Collapse, part: int, root: int):
    """Write the wide nodes of one part; see native/collapse.cpp."""


@wp.kernel(enable_backward=False)
def collapse_tree(out_collapse: Collapse):
    """Write the wide nodes of every part into `out_collapse`; a CPU kernel."""
    part = wp.tid()
    root = int(-1)
    if out_collapse.grouped != 0:
        root = wp.bvh_get_group_root(out_collapse.tree, part)
    collapse_part(out_collapse, part, root)
