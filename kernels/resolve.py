"""Labels of a pixel from the hit of the ray through its centre: planar depth, normal, instance."""

import warp as wp

from .camera import Span, Views, pixel_of
from .geometry import Geometry
from .native_source import native
from .trace import FAR_M, Hit

EDGE_COS = wp.constant(0.9)  # neighbours whose normals differ by more than 26 degrees lie across an edge


@wp.struct
class LabelImages:
    """Images of the pixel centres, [view, y, x]."""

    depth_m: wp.array3d[float]  # planar, infinite where nothing was hit
    normal: wp.array3d[wp.vec3]  # world, unit, towards the viewer; zero where nothing was hit; empty: not asked for
    instance: wp.array3d[int]  # 0 where nothing was hit
    material: wp.array3d[int]  # the triangle's own; empty: no rgb is made
    mixed: wp.array3d[wp.uint8]  # 1: something on the way is neither fully there nor fully absent; empty: nothing is


@wp.func_native(native("lanes", "camera", "surface", "resolve"))
def resolve_run(geometry: Geometry, views: Views, span: Span, hit: wp.array[Hit], out_labels: LabelImages, thread: int):
    """Write the labels of a run of pixels; see native/resolve.cpp."""


@wp.kernel(enable_backward=False)
def resolve_labels(geometry: Geometry, views: Views, span: Span, hit: wp.array[Hit], out_labels: LabelImages):
    """Write the labels of the pixels of a span; `hit` holds those of all the launch's pixels."""
    resolve_run(geometry, views, span, hit, out_labels, wp.tid())


@wp.func
def is_same_surface(labels: LabelImages, view: int, y: int, x: int, other_y: int, other_x: int) -> bool:
    """Return whether two pixels see one smooth surface: one instance, one material and nearly one normal."""
    if labels.instance[view, y, x] != labels.instance[view, other_y, other_x]:
        return False
    if labels.mixed.shape[0] > 0 and labels.mixed[view, other_y, other_x] != wp.uint8(0):
        return False
    if labels.depth_m[view, y, x] >= FAR_M:
        return labels.depth_m[view, other_y, other_x] >= FAR_M
    if labels.material[view, y, x] != labels.material[view, other_y, other_x]:
        return False
    return wp.dot(labels.normal[view, y, x], labels.normal[view, other_y, other_x]) >= EDGE_COS


@wp.func
def is_continuous(labels: LabelImages, view: int, y: int, x: int, dy: int, dx: int) -> bool:
    """Return whether a pixel lies between its opposite neighbours in inverse depth, as a plane does."""
    near = 1.0 / labels.depth_m[view, y - dy, x - dx]
    here = 1.0 / labels.depth_m[view, y, x]
    far = 1.0 / labels.depth_m[view, y + dy, x + dx]
    return wp.abs(near + far - 2.0 * here) <= 0.02 * here


@wp.kernel(enable_backward=False)
def mark_edges(views: Views, labels: LabelImages, first: int, out_edge: wp.array[wp.uint8]):
    """Write 1 for every pixel whose four neighbours are not all its own smooth surface, in the order of `pixel_of`."""
    index = first + wp.tid()
    pixel = pixel_of(views, index)
    view = pixel[0]
    y = pixel[1]
    x = pixel[2]
    edge = bool(False)
    if labels.mixed.shape[0] > 0:
        edge = labels.mixed[view, y, x] != wp.uint8(0)
    for k in range(4):
        side = 2 * (k & 1) - 1
        other_y = wp.clamp(y + wp.where(k < 2, side, 0), 0, views.height - 1)
        other_x = wp.clamp(x + wp.where(k < 2, 0, side), 0, views.width - 1)
        if not edge:
            edge = not is_same_surface(labels, view, y, x, other_y, other_x)
    if not edge and labels.depth_m[view, y, x] < FAR_M:
        if x > 0 and x < views.width - 1:
            edge = not is_continuous(labels, view, y, x, 0, 1)
        if not edge and y > 0 and y < views.height - 1:
            edge = not is_continuous(labels, view, y, x, 1, 0)
    out_edge[index] = wp.uint8(wp.where(edge, 1, 0))
