"""What surfaces let through, and the walk along a ray from one surface to the next.

Source: UsdPreviewSurface specification, https://openusd.org/release/spec_usdpreviewsurface.html (opacity, opacityMode,
opacityThreshold); what stays of a transparent surface is what Storm's previewSurface.glslfx keeps: all but the diffuse.
"""

from enum import IntEnum

import warp as wp

from .camera import Ray, Views
from .geometry import Geometry, Trees
from .native_source import native
from .surface import corner_uv, own_material, uv_at
from .texture import TextureInputs, Textures, lookup_input, select_channel
from .trace import FAR_M, MISS, Hit, unpack_barycentric

NO_INPUT = wp.constant(-1)
OPACITY_INPUT = wp.constant(8)  # column of `input`: MaterialInput.OPACITY of material.py; a test holds them together
NEARLY = wp.constant(1.0e-4)  # an opacity so near to 0 or 1 is 0 or 1: rounding of 16-bit texels and their weights
MAX_CROSSED = wp.constant(256)  # surfaces that a ray may pass before it gives up, and is counted
ON_EDGE = wp.constant(5.0e-5)  # a barycentric weight below it is 0: three steps of its 16 bits
SAME_T = wp.constant(4.0e-6)  # of t: two triangles see a point of their common edge so far apart
LAST_INDEX = wp.constant(0x7FFFFFFF)


class OpacityKind(IntEnum):
    """What the opacity of a material means."""

    OPAQUE = 0  # it is 1 everywhere
    CUTOUT = 1  # below the threshold there is no surface, elsewhere it is opaque
    PRESENCE = 2  # it scales everything that the surface sends out
    TRANSPARENT = 3  # it scales the diffuse part; gloss stays, as on glass


@wp.struct
class Opacities:
    """Opacity of every material: a constant, times a texture, times displayOpacity."""

    kind: wp.array[int]  # [material], OpacityKind
    constant: wp.array[wp.vec2]  # [material], opacity and threshold
    uses_display: wp.array[int]  # [material]
    input: wp.array2d[int]  # [material, MaterialInput]
    inputs: TextureInputs
    textures: Textures
    override: wp.array2d[int]  # [row, instance], material; -1: each triangle's own
    ior: wp.array[float]  # [material]
    own_open: wp.array[int]  # [placement], 1: a material of its own may fall below 1
    solid: wp.array[int]  # [placement], 1: its mesh is closed, so that glass has an inside; empty: no path asks
    label_opacity: float  # above it, a surface that is no cut-out is labelled


@wp.func_native("#define OMM_AFTER\n" + native("traverse", "traverse_one") + "\n#undef OMM_AFTER\n")
def traverse_after(
    trees: Trees, row: int, origin: wp.vec3, direction: wp.vec3, after: Hit, t_max: float, only_any: int
) -> wp.vec4:
    """Return what `traverse` does, of the hits after one in the order of (t, placement, triangle)."""


@wp.func
def start_at(t: float) -> Hit:
    """Return a bound for `next_hit`: what comes after has a larger `t`."""
    out = Hit()
    out.t = t
    out.placement = LAST_INDEX
    out.triangle = LAST_INDEX
    return out


@wp.func
def next_hit(trees: Trees, row: int, ray: Ray, after: Hit, t_max: float, only_any: int) -> Hit:
    """Return the nearest hit after one (`only_any` 1: some hit after it) before `t_max`."""
    found = traverse_after(trees, row, ray.origin, ray.direction, after, t_max, only_any)
    hit = Hit()
    hit.t = found[0]
    hit.placement = wp.cast(found[1], wp.int32)
    hit.triangle = wp.cast(found[2], wp.int32)
    hit.uv = wp.cast(found[3], wp.uint32)
    return hit


@wp.func
def corners_apart(geometry: Geometry, a: Hit, b: Hit) -> int:
    """Return how many corners of the triangle at `a` are none of that at `b`, -1 where one of them has weight."""
    first = geometry.first_triangle[a.placement]
    weight = unpack_barycentric(a.uv)
    apart = int(0)
    for corner in range(3):
        p = geometry.point_m[first + a.triangle, corner]
        found = bool(False)
        for other in range(3):
            found = found or p == geometry.point_m[first + b.triangle, other]
        if not found:
            if weight[corner] > ON_EDGE:
                return -1
            apart += 1
    return apart


@wp.func
def is_same_crossing(geometry: Geometry, last: Hit, hit: Hit) -> bool:
    """Return whether two hits that follow each other are one: a point of an edge or a vertex that triangles share.

    Both triangles must report it, because a ray may not slip through between them; but it is one surface.
    """
    if last.placement != hit.placement or hit.t - last.t > SAME_T * hit.t:
        return False
    return corners_apart(geometry, last, hit) > 0 and corners_apart(geometry, hit, last) > 0


@wp.func
def material_of(geometry: Geometry, opacities: Opacities, row: int, hit: Hit) -> int:
    """Return the material that a hit met."""
    material = opacities.override[row, geometry.instance[hit.placement]]
    if material < 0:
        material = own_material(geometry, hit.placement, geometry.first_triangle[hit.placement] + hit.triangle)
    return material


@wp.func
def ends_walk(geometry: Geometry, opacities: Opacities, row: int, limits_m: wp.vec2, nearest: Hit) -> bool:
    """Return whether a walk between two depths has no more to find than a ray's nearest hit."""
    if nearest.placement == MISS:
        return True
    if not (nearest.t > limits_m[0] and nearest.t < limits_m[1]):
        return False
    return opacities.kind[material_of(geometry, opacities, row, nearest)] == int(OpacityKind.OPAQUE)


@wp.func
def snapped(opacity: float) -> float:
    """Return an opacity in [0, 1], without the rounding at both ends."""
    return wp.where(opacity > 1.0 - NEARLY, 1.0, wp.where(opacity < NEARLY, 0.0, opacity))


@wp.func
def opacity_at(geometry: Geometry, opacities: Opacities, material: int, hit: Hit, footprint: wp.vec2) -> float:
    """Return the opacity where a ray met a surface, as authored, averaged over a footprint in either set of uv."""
    value = opacities.constant[material][0]
    triangle = geometry.first_triangle[hit.placement] + hit.triangle
    weight = unpack_barycentric(hit.uv)
    index = opacities.input[material, OPACITY_INPUT]
    if index != NO_INPUT:
        st = uv_at(corner_uv(geometry.uv, triangle), weight)
        st2 = uv_at(corner_uv(geometry.uv2, triangle), weight)
        both = wp.vec4(st[0], st[1], st2[0], st2[1])
        texel = lookup_input(opacities.inputs, opacities.textures, index, both, footprint)
        value *= select_channel(texel, opacities.inputs.channel[index])
    if opacities.uses_display[material] != 0:
        value *= geometry.placement_color[hit.placement][3]
        if geometry.opacity.shape[0] > 0:
            value *= (
                geometry.opacity[triangle, 0] * weight[0]
                + geometry.opacity[triangle, 1] * weight[1]
                + geometry.opacity[triangle, 2] * weight[2]
            )
    return snapped(value)


@wp.func
def stopped_share(geometry: Geometry, opacities: Opacities, material: int, hit: Hit, footprint: wp.vec2) -> float:
    """Return the share of light that a surface stops."""
    kind = opacities.kind[material]
    if kind == int(OpacityKind.OPAQUE):
        return 1.0
    if kind == int(OpacityKind.CUTOUT):
        there = opacity_at(geometry, opacities, material, hit, wp.vec2(0.0, 0.0)) >= opacities.constant[material][1]
        return wp.where(there, 1.0, 0.0)
    return opacity_at(geometry, opacities, material, hit, footprint)


@wp.func
def facing(geometry: Geometry, row: int, ray: Ray, hit: Hit) -> float:
    """Return the cosine between a ray and the outward normal of the triangle that it met; below 0: from outside."""
    triangle = geometry.first_triangle[hit.placement] + hit.triangle
    p = geometry.point_m[triangle, 0]
    normal = wp.cross(geometry.point_m[triangle, 1] - p, geometry.point_m[triangle, 2] - p)
    world = wp.vec3(0.0, 0.0, 0.0)
    for column in range(3):  # of the world-to-mesh matrix, whose transpose turns normals
        for k in range(3):
            world[column] = world[column] + geometry.trees.record[row, hit.placement, 4 * column + k] * normal[k]
    return wp.dot(wp.normalize(world), wp.normalize(ray.direction))


@wp.func
def sheet_reflectance(ior: float, cosine: float) -> float:
    """Return what both sides of a thin sheet reflect, of unpolarised light: 2 R / (1 + R) of one side's R."""
    c = wp.min(wp.abs(cosine), 1.0)
    inside = wp.sqrt(wp.max(1.0 - (1.0 - c * c) / (ior * ior), 0.0))
    along = (ior * c - inside) / (ior * c + inside)
    across = (c - ior * inside) / (c + ior * inside)
    once = 0.5 * (along * along + across * across)
    return 2.0 * once / (1.0 + once)


@wp.func
def clip_range(views: Views, view: int) -> wp.vec2:
    """Return the planar depths between which a camera sees; they bound `t`, which is planar depth."""
    if views.clip_m.shape[0] == 0:
        return wp.vec2(0.0, FAR_M)
    limits_m = views.clip_m[view]
    return wp.vec2(wp.max(limits_m[0], 0.0), wp.min(limits_m[1], FAR_M))


@wp.func
def is_labelled(geometry: Geometry, opacities: Opacities, material: int, hit: Hit) -> bool:
    """Return whether a surface is there for the labels, at the hit exactly."""
    kind = opacities.kind[material]
    if kind == int(OpacityKind.OPAQUE):
        return True
    share = stopped_share(geometry, opacities, material, hit, wp.vec2(0.0, 0.0))
    return share > wp.where(kind == int(OpacityKind.CUTOUT), 0.5, opacities.label_opacity)
