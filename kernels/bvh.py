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
BLOCK_TRIANGLES = 4
LEAF_TRIANGLES = 4

_NATIVE = Path(__file__).parent / "native"


@wp.struct
class Collapse:
    """The binary tree of a wp.Bvh over triangles, and where its wide nodes and blocks go."""

    tree: wp.uint64
    lanes: int  # children of a wide node
    corner: wp.array[wp.vec3]  # [3 * triangle]
    node: wp.array[float]
    block: wp.array[float]
    stack: wp.array[int]  # [3 * node]
    out: wp.array[int]  # [3]: nodes, blocks, stack entries a traversal may need


@wp.func_native((_NATIVE / "collapse.cpp").read_text(encoding="utf-8"))
def collapse_nodes(collapse: Collapse):
    """Write the wide nodes and blocks; see native/collapse.cpp."""


@wp.kernel(enable_backward=False)
def collapse_tree(out_collapse: Collapse):
    """Write the wide nodes and blocks into `out_collapse`; a CPU kernel of one thread."""
    collapse_nodes(out_collapse)
