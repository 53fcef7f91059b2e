"""Labels of a pixel from the hit of the ray through its centre: planar depth, normal, instance."""

import warp as wp

from .camera import Span, Views
from .geometry import Geometry
from .native_source import native
from .trace import FAR_M, Hit

EDGE_COS = 0.9  # neighbours whose normals differ by more than 26 degrees lie across an edge
PLANE_BEND = 0.02  # of the inverse depth, by which a pixel may leave the line between its opposite neighbours
CONSTANTS = {"EDGE_COS": EDGE_COS, "PLANE_BEND": PLANE_BEND, "FAR_M": float(FAR_M)}


@wp.struct
class LabelImages:
    """Images of the pixel centres, [view, y, x]."""

    depth_m: wp.array3d[float]  # planar, infinite where nothing was hit
    normal: wp.array3d[wp.vec3]  # world, unit, towards the viewer; zero where nothing was hit; empty: not asked for
    instance: wp.array3d[int]  # 0 where nothing was hit
    material: wp.array3d[int]  # the triangle's own; empty: no rgb is made
    mixed: wp.array3d[wp.uint8]  # 1: something on the way is neither fully there nor fully absent; empty: nothing is


@wp.func_native(native("lanes", "lens", "camera", "surface", "resolve"))
def resolve_run(geometry: Geometry, views: Views, span: Span, hit: wp.array[Hit], out_labels: LabelImages, thread: int):
    """Write the labels of a run of pixels; see native/resolve.cpp."""


@wp.kernel(enable_backward=False)
def resolve_labels(geometry: Geometry, views: Views, span: Span, hit: wp.array[Hit], out_labels: LabelImages):
    """Write the labels of the pixels of a span; `hit` holds those of all the launch's pixels."""
    resolve_run(geometry, views, span, hit, out_labels, wp.tid())


@wp.func_native(native("lanes", "lens", "camera", "edges", constants=CONSTANTS))
def edge_run(views: Views, labels: LabelImages, span: Span, out_edge: wp.array[wp.uint8], thread: int):
    """Write which pixels of a run lie across an edge; see native/edges.cpp."""


@wp.kernel(enable_backward=False)
def mark_edges(views: Views, labels: LabelImages, span: Span, out_edge: wp.array[wp.uint8]):
    """Write 1 for every pixel that sees something else than one smooth surface together with its four neighbours.

    One smooth surface: one instance, one material, nearly one normal, and inverse depths as a plane has them.
    `out_edge` has all pixels of the launch, in the order of `pixel_of`.
    """
    edge_run(views, labels, span, out_edge, wp.tid())
