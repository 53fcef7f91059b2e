"""Images of the pixel centres beside depth, normals and ids: what the geometry of a hit tells.

Places come from the ray and its parameter, which are exact to float32; weights of a hit's corners have 16 bits.
"""

import warp as wp

from .camera import Span, Views
from .geometry import Geometry
from .native_source import native
from .resolve import LabelImages
from .trace import Hit
from .transform import mat34

WEIGHT_STEP = 1.0 / 65535.0  # by which the stored weights of a hit may be off


@wp.struct
class GeometryImages:
    """Images [view, y, x]; empty ones were not asked for."""

    range_m: wp.array3d[float]  # from the camera's centre, infinite: nothing
    normal_camera: wp.array4d[float]  # towards the viewer, 0: nothing
    part: wp.array3d[int]  # placement, -1: nothing
    material: wp.array3d[int]  # after randomisation, -1: nothing
    position: wp.array4d[float]  # world, NaN: nothing
    uv: wp.array4d[float]  # of the first set, NaN: nothing, or a mesh without it
    nocs: wp.array4d[float]  # in the object's box, NaN: nothing
    edge: wp.array3d[wp.uint8]  # see outline.py


@wp.struct
class Objects:
    """What the images need to know of instances and meshes; what no image needs is empty."""

    low_m: wp.array[wp.vec3]  # [instance], bounds in the instance's frame
    high_m: wp.array[wp.vec3]  # [instance]
    world_from_instance: wp.array2d[mat34]  # [row, instance]
    override: wp.array2d[int]  # [row, instance], material; -1: each triangle's own
    has_uv: wp.array[wp.uint8]  # [placement]


@wp.func_native(native("lanes", "lens", "camera", "annotate_rays"))
def annotate_rays_run(
    views: Views, span: Span, hit: wp.array[Hit], labels: LabelImages, out_images: GeometryImages, thread: int
):  # fmt: skip
    """Write range, place and camera normal of a run of pixels; see native/annotate_rays.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def annotate_rays(
    views: Views, span: Span, hit: wp.array[Hit], labels: LabelImages, out_images: GeometryImages
):  # fmt: skip
    """Write range, place and camera normal of a span's pixels; `hit` holds those of all the launch's pixels."""
    annotate_rays_run(views, span, hit, labels, out_images, wp.tid())


@wp.func_native(
    native("lanes", "lens", "camera", "surface", "annotate_surfaces", constants={"WEIGHT_STEP": WEIGHT_STEP})
)
def annotate_surfaces_run(
    geometry: Geometry, views: Views, span: Span, hit: wp.array[Hit], objects: Objects, out_images: GeometryImages,
    thread: int,
):  # fmt: skip
    """Write the ids and the coordinates of surfaces that a run of pixels sees; see native/annotate_surfaces.cpp."""


@wp.kernel(enable_backward=False, cuda_max_registers=64)
def annotate_surfaces(
    geometry: Geometry, views: Views, span: Span, hit: wp.array[Hit], objects: Objects, out_images: GeometryImages
):  # fmt: skip
    """Write the ids and the coordinates of surfaces that a span's pixels see."""
    annotate_surfaces_run(geometry, views, span, hit, objects, out_images, wp.tid())
