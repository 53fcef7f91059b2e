"""Outlines: pixels where what is seen ends or bends, told from the surfaces of neighbours continued as planes."""

from enum import IntEnum

import warp as wp

from .annotate import GeometryImages
from .camera import TILE_X, TILE_Y, Ray, Span, Views, camera_ray, label_row, pixel_of
from .geometry import Geometry, Trees
from .resolve import LabelImages
from .surface import spread_at
from .trace import MISS, Hit
from .transform import mat34, transform_normal

CREASE_COS = wp.constant(0.8660254)  # neighbours' normals that differ by more than 30 degrees, as on a sharp edge


class EdgeBit(IntEnum):
    """What lies between a pixel and one of its neighbours."""

    INSTANCE = 1  # two instances meet, or one ends before nothing
    DEPTH = 2  # two surfaces of one instance do not meet there
    CREASE = 4  # they do, and bend


@wp.struct
class Facet:
    """What a pixel's centre sees, continued as a plane, and the ray that sees it."""

    ray: Ray
    t: float
    position: wp.vec3  # world
    normal: wp.vec3  # of the triangle, world, unit


@wp.func
def mesh_from_world(trees: Trees, row: int, placement: int) -> mat34:
    """Return the inverse of a placement's pose, which is all that a row keeps of it."""
    out = mat34()
    for column in range(4):
        for axis in range(3):
            out[axis, column] = trees.record[row, placement, 4 * column + axis]
    return out


@wp.func
def center_ray(views: Views, pixel: wp.vec3i) -> Ray:
    """Return the ray of a pixel's label, in the world at the moment of its image row."""
    return camera_ray(views, pixel[0], float(pixel[2]) + 0.5, float(pixel[1]) + 0.5)


@wp.func
def center_row(views: Views, pixel: wp.vec3i) -> int:
    """Return the row of Worlds that a pixel's label shows."""
    return label_row(views, pixel[0], float(pixel[1]) + 0.5)


@wp.func
def index_of(views: Views, view: int, y: int, x: int) -> int:
    """Return the thread of a pixel: the inverse of `pixel_of`."""
    first = view * views.width * views.height
    if views.width % TILE_X != 0 or views.height % TILE_Y != 0:
        return first + y * views.width + x
    tile = (y // TILE_Y) * (views.width // TILE_X) + x // TILE_X
    return first + tile * (TILE_X * TILE_Y) + (y % TILE_Y) * TILE_X + x % TILE_X


@wp.func
def facet_at(geometry: Geometry, views: Views, pixel: wp.vec3i, hit: Hit) -> Facet:
    """Return the facet of a hit."""
    out = Facet()
    out.ray = center_ray(views, pixel)
    out.t = hit.t
    out.position = out.ray.origin + out.ray.direction * hit.t
    triangle = geometry.first_triangle[hit.placement] + hit.triangle
    corner = geometry.point_m[triangle, 0]
    across = wp.cross(geometry.point_m[triangle, 1] - corner, geometry.point_m[triangle, 2] - corner)
    out.normal = transform_normal(mesh_from_world(geometry.trees, center_row(views, pixel), hit.placement), across)
    return out


@wp.func
def lead_of(facet: Facet, other: Facet) -> float:
    """Return by how much a facet's plane is nearer than what another's ray meets, as a share of that: t / t' - 1.

    Inverse parameters are taken: along the image those of a plane have no poles, and they are negative behind the eye.
    """
    height = wp.dot(facet.normal, facet.position - other.ray.origin)
    return other.t * wp.dot(facet.normal, other.ray.direction) / height - 1.0


@wp.func
def is_apart(views: Views, view: int, here: Facet, there: Facet) -> bool:
    """Return whether two surfaces do not meet between two pixels, and are further apart than a pixel is wide.

    Continued as planes, two that meet change their order on the way from one pixel's centre to the other's.
    """
    ours_there = lead_of(here, there)
    ours_here = -lead_of(there, here)
    gap = wp.min(wp.abs(ours_here), wp.abs(ours_there))
    return ours_here * ours_there > 0.0 and gap > spread_at(views, view, there.ray, there.t)


@wp.kernel(enable_backward=False, cuda_max_registers=128)
def outline_pixels(
    geometry: Geometry, views: Views, span: Span, hit: wp.array[Hit], labels: LabelImages, out_images: GeometryImages
):  # fmt: skip
    """Write what lies between every pixel of a span and its four neighbours, which need not be in the span."""
    for i in range(wp.tid() * span.run, wp.min((wp.tid() + 1) * span.run, span.count)):
        index = span.first + i
        pixel = pixel_of(views, index)
        view, y, x = pixel[0], pixel[1], pixel[2]
        met = hit[index]
        instance = labels.instance[view, y, x]
        normal = labels.normal[view, y, x]
        bits = int(0)
        here = Facet()
        sides = int(4)  # a variable, so that the loop is not unrolled into four times the registers
        for side in range(sides):  # left, right, above, below
            step = 2 * (side & 1) - 1
            x2 = wp.where(side < 2, x + step, x)
            y2 = wp.where(side < 2, y, y + step)
            if x2 < 0 or y2 < 0 or x2 >= views.width or y2 >= views.height:
                continue
            other = hit[index_of(views, view, y2, x2)]
            if labels.instance[view, y2, x2] != instance:
                bits = bits | int(EdgeBit.INSTANCE)
            elif met.placement != MISS and (other.placement != met.placement or other.triangle != met.triangle):
                if here.t == 0.0:  # the first neighbour that needs it
                    here = facet_at(geometry, views, pixel, met)
                there = facet_at(geometry, views, wp.vec3i(view, y2, x2), other)
                if is_apart(views, view, here, there):
                    bits = bits | int(EdgeBit.DEPTH)
                elif wp.dot(normal, labels.normal[view, y2, x2]) < CREASE_COS:
                    bits = bits | int(EdgeBit.CREASE)
        out_images.edge[view, y, x] = wp.uint8(bits)
