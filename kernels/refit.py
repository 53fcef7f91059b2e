"""Refitting the trees of meshes whose points move: corners first, then wide nodes, deepest first, a launch a level.

A tree keeps its shape; every box becomes that of what is below it. Layout of nodes and blocks: native/traverse.cpp.
"""

import warp as wp

from .bvh import BLOCK_FLOATS, BLOCK_TRIANGLES
from .geometry import Trees

FAR = wp.constant(3.0e38)  # of an empty box, as in native/collapse.cpp


@wp.struct
class Moving:
    """Meshes that move, one after the other, and where their triangles and nodes are among those of the scene."""

    lanes: int  # children of a node
    point_m: wp.array[wp.vec3]  # [point], mesh frame
    normal: wp.array2d[wp.vec3]  # [triangle, corner], zero: the face's own
    corner: wp.array2d[int]  # [triangle, corner], index into `point_m`
    triangle: wp.array[int]  # [triangle], index into the triangles of the scene
    place: wp.array[int]  # [triangle], BLOCK_TRIANGLES * block + lane
    node: wp.array[wp.vec3i]  # [node], deepest first: its index, and where the nodes and the blocks of its mesh begin


@wp.struct
class Box:
    """A box along the axes."""

    low_m: wp.vec3
    high_m: wp.vec3


@wp.func
def box_of(low_m: wp.vec3, high_m: wp.vec3) -> Box:
    """Return the box between two corners."""
    box = Box()
    box.low_m = low_m
    box.high_m = high_m
    return box


@wp.func
def empty_box() -> Box:
    """Return the box of nothing."""
    return box_of(wp.vec3(FAR, FAR, FAR), wp.vec3(-FAR, -FAR, -FAR))


@wp.func
def joined(a: Box, b: Box) -> Box:
    """Return the box around two boxes."""
    return box_of(wp.min(a.low_m, b.low_m), wp.max(a.high_m, b.high_m))


@wp.func
def half_surface(box: Box) -> float:
    """Return half of a box's surface [m^2]."""
    size = box.high_m - box.low_m
    return size[0] * size[1] + size[1] * size[2] + size[2] * size[0]


@wp.func
def child_box(node: wp.array[float], start: int, lanes: int, lane: int) -> Box:
    """Return the box of a child of the node at float `start`; that of an empty lane is empty."""
    low = start + lane
    high = low + 3 * lanes
    return box_of(
        wp.vec3(node[low], node[low + lanes], node[low + 2 * lanes]),
        wp.vec3(node[high], node[high + lanes], node[high + 2 * lanes]),
    )


@wp.func
def node_box(node: wp.array[float], start: int, lanes: int) -> Box:
    """Return the box around all children of the node at float `start`."""
    box = empty_box()
    for lane in range(lanes):
        box = joined(box, child_box(node, start, lanes, lane))
    return box


@wp.func
def leaf_box(block: wp.array[float], first: int, count: int) -> Box:
    """Return the box of the triangles in some blocks."""
    box = empty_box()
    for b in range(first, first + count):
        for lane in range(BLOCK_TRIANGLES):
            at = BLOCK_FLOATS * b + lane
            if wp.cast(block[at + 9 * BLOCK_TRIANGLES], int) >= 0:
                for corner in range(3):
                    x = at + 3 * BLOCK_TRIANGLES * corner
                    p_m = wp.vec3(block[x], block[x + BLOCK_TRIANGLES], block[x + 2 * BLOCK_TRIANGLES])
                    box = joined(box, box_of(p_m, p_m))
    return box


@wp.kernel(enable_backward=False)
def move_triangles(
    moving: Moving, out_block: wp.array[float], out_point_m: wp.array2d[wp.vec3], out_normal: wp.array2d[wp.vec3]
):  # fmt: skip
    """Write corners and normals of the scene's triangles, and the corners once more into their blocks."""
    i = wp.tid()
    triangle = moving.triangle[i]
    place = moving.place[i]
    at = BLOCK_FLOATS * (place // BLOCK_TRIANGLES) + place % BLOCK_TRIANGLES
    for corner in range(3):
        p_m = moving.point_m[moving.corner[i, corner]]
        out_point_m[triangle, corner] = p_m
        out_normal[triangle, corner] = moving.normal[i, corner]
        for axis in range(3):
            out_block[at + BLOCK_TRIANGLES * (3 * corner + axis)] = p_m[axis] + 0.0  # no -0, as in a tree that is built


@wp.kernel(enable_backward=False)
def refit_nodes(
    moving: Moving, first: int, block: wp.array[float], out_node: wp.array[float], out_surface: wp.array[wp.vec2]
):  # fmt: skip
    """Write the boxes in nodes from `first` on, whose children are done, and half of two surfaces of each.

    `out_surface` is [node of `moving`]: of the box around the node, and of all of its children together [m^2].
    """
    i = first + wp.tid()
    lanes = moving.lanes
    name = moving.node[i]
    start = 8 * lanes * name[0]
    box = empty_box()
    surface = float(0.0)
    for lane in range(lanes):
        code = wp.cast(out_node[start + 6 * lanes + lane], int)
        if code != 0:
            child = empty_box()
            if code > 0:
                child = node_box(out_node, 8 * lanes * (name[1] + code), lanes)
            else:
                child = leaf_box(block, name[2] + (~code >> 3), (~code & 7) + 1)
            for axis in range(3):
                out_node[start + axis * lanes + lane] = child.low_m[axis]
                out_node[start + (axis + 3) * lanes + lane] = child.high_m[axis]
            box = joined(box, child)
            surface += half_surface(child)
    out_surface[i] = wp.vec2(half_surface(box), surface)


@wp.kernel(enable_backward=False)
def bound_meshes(trees: Trees, lanes: int, out_low_m: wp.array[wp.vec3], out_high_m: wp.array[wp.vec3]):
    """Write the bounds of every placement's mesh, which are those of its root."""
    placement = wp.tid()
    box = node_box(trees.node, 8 * lanes * trees.first_node[placement], lanes)
    out_low_m[placement] = box.low_m
    out_high_m[placement] = box.high_m
