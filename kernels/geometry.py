"""What rays meet: meshes shared by all worlds, and where each world puts them."""

import warp as wp

from .transform import compose, invert, mat34, transform_point

BOX_MARGIN = wp.constant(1.0e-6)  # of the largest coordinate: clears the float32 error of a transformed corner


@wp.struct
class Trees:
    """What traversal needs. Layout: native/traverse.cpp."""

    placement_count: int
    node: wp.array[float]  # wide nodes of all meshes
    block: wp.array[float]  # triangles of all meshes in blocks of four
    first_node: wp.array[int]  # [placement]
    first_block: wp.array[int]  # [placement]
    root_code: wp.array[int]  # [placement], 0, or the code of a leaf if that is all of the mesh's tree
    top_node: wp.array[float]  # wide nodes over the placements of every row
    top_stride: int  # floats of a row in top_node
    record: wp.array3d[float]  # [row, placement, 16], columns of the world-to-mesh matrix, and the three above


@wp.struct
class Geometry:
    """Triangles and placements, the same in every world, and where each row puts them.

    What shading fetches of a triangle or a placement lies together in a record; arrays of values are views of those.
    """

    trees: Trees
    placement: wp.array2d[float]  # [placement, 8], record of native/surface.cpp; the next three are parts of it
    triangle: wp.array2d[float]  # [triangle, 32], likewise; parts: point_m, normal, triangle_slot, uv, uv2
    first_triangle: wp.array[int]  # [placement], of its mesh in the flat arrays
    first_slot: wp.array[int]  # [placement]
    instance: wp.array[int]  # [placement]
    instance_from_mesh: wp.array[mat34]  # [placement]
    low_m: wp.array[wp.vec3]  # [placement], bounds of its mesh in the mesh's frame
    high_m: wp.array[wp.vec3]  # [placement]
    slot_material: wp.array[int]  # [slot]
    triangle_slot: wp.array[int]  # [triangle]
    point_m: wp.array2d[wp.vec3]  # [triangle, corner], mesh frame
    normal: wp.array2d[wp.vec3]  # [triangle, corner], zero: the face's own
    uv: wp.array2d[wp.vec2]  # [triangle, corner]
    uv2: wp.array2d[wp.vec2]  # [triangle, corner]
    color: wp.array2d[wp.vec3]  # [triangle, corner], linear; empty: white
    opacity: wp.array2d[float]  # [triangle, corner]; empty: 1
    placement_color: wp.array[wp.vec4]  # [placement], linear, with opacity; multiplies the two above
    world_from_mesh: wp.array2d[mat34]  # [row, placement]; empty: nothing needs it


@wp.struct
class Placing:
    """Where every row puts the instances, and what becomes of it."""

    first_row: int  # of a launch
    world_from_instance: wp.array2d[mat34]  # [row, instance]
    visible: wp.array2d[wp.uint8]  # [row, instance]
    low_m: wp.array2d[wp.vec3]  # [row of the launch, placement], scratch
    high_m: wp.array2d[wp.vec3]  # [row of the launch, placement], scratch


@wp.kernel(enable_backward=False)
def place_meshes(
    geometry: Geometry, placing: Placing, out_record: wp.array3d[float], out_world_from_mesh: wp.array2d[mat34],
    out_placing: Placing,
):  # fmt: skip
    """Write every placement's record and its bounds in the world; a hidden one gets an empty box, which no tree keeps.

    `out_world_from_mesh` may be empty: not every scene needs it.
    """
    i, placement = wp.tid()
    row = placing.first_row + i
    instance = geometry.instance[placement]
    world_from_mesh = compose(placing.world_from_instance[row, instance], geometry.instance_from_mesh[placement])
    if out_world_from_mesh.shape[0] > 0:
        out_world_from_mesh[row, placement] = world_from_mesh
    if placing.visible[row, instance] == wp.uint8(0):
        for k in range(16):
            out_record[row, placement, k] = 0.0
        out_placing.low_m[i, placement] = wp.vec3(1.0, 1.0, 1.0)
        out_placing.high_m[i, placement] = wp.vec3(-1.0, -1.0, -1.0)
        return
    mesh_from_world = invert(world_from_mesh)
    for column in range(4):
        for axis in range(3):
            out_record[row, placement, 4 * column + axis] = mesh_from_world[axis, column]
    out_record[row, placement, 3] = wp.cast(geometry.trees.first_node[placement], float)
    out_record[row, placement, 7] = wp.cast(geometry.trees.first_block[placement], float)
    out_record[row, placement, 11] = wp.cast(geometry.trees.root_code[placement], float)
    out_record[row, placement, 15] = 0.0
    low = geometry.low_m[placement]
    high = geometry.high_m[placement]
    box_low = transform_point(world_from_mesh, low)
    box_high = box_low
    for corner in range(1, 8):
        p = wp.vec3(
            wp.where((corner & 1) != 0, high[0], low[0]),
            wp.where((corner & 2) != 0, high[1], low[1]),
            wp.where((corner & 4) != 0, high[2], low[2]),
        )
        q = transform_point(world_from_mesh, p)
        box_low = wp.min(box_low, q)
        box_high = wp.max(box_high, q)
    largest = wp.max(wp.max(wp.abs(box_low)), wp.max(wp.abs(box_high)))
    margin = BOX_MARGIN * largest
    out_placing.low_m[i, placement] = box_low - wp.vec3(margin, margin, margin)
    out_placing.high_m[i, placement] = box_high + wp.vec3(margin, margin, margin)
