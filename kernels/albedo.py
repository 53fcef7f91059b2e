"""Albedo of what each pixel sees, the mean of its samples: what a denoiser tells texture from noise by."""

import warp as wp

from .camera import Span, Views, pixel_of
from .path import Bounce, Ends
from .path_passage import path_int
from .point import DIFFUSE_FIELD, GLOSS_FIELD, Points, point_index
from .sample import Sampling


@wp.func
def albedo_of(point: Points, i: int) -> wp.vec3:
    """Return what all lobes of a point reflect."""
    out = wp.vec3(0.0, 0.0, 0.0)
    for channel in range(3):
        diffuse = point.value[point_index(point, i, DIFFUSE_FIELD + channel)]
        out[channel] = diffuse + point.value[point_index(point, i, GLOSS_FIELD + channel)]
    return wp.min(out, wp.vec3(1.0, 1.0, 1.0))


@wp.kernel(enable_backward=False)
def clear_albedo(views: Views, span: Span, out_albedo: wp.array3d[wp.vec3]):
    """Begin the means of a span's pixels."""
    i = wp.tid()
    if i < span.count:
        pixel = pixel_of(views, span.first + i)
        out_albedo[pixel[0], pixel[1], pixel[2]] = wp.vec3(0.0, 0.0, 0.0)


@wp.kernel(enable_backward=False)
def add_albedo(views: Views, sampling: Sampling, point: Points, out_albedo: wp.array3d[wp.vec3]):
    """Add the albedo of the present sample."""
    i = wp.tid()
    if i < sampling.span.count:
        pixel = pixel_of(views, sampling.span.first + i)
        share = albedo_of(point, i) / float(sampling.sample_count)
        out_albedo[pixel[0], pixel[1], pixel[2]] = out_albedo[pixel[0], pixel[1], pixel[2]] + share


@wp.kernel(enable_backward=False)
def add_path_albedo(views: Views, sampling: Sampling, bounce: Bounce, ends: Ends, out_albedo: wp.array3d[wp.vec3]):
    """Add the albedo of what the present sample's rays from the camera have met."""
    i = wp.tid()
    if i < bounce.paths.count[0]:
        pixel = pixel_of(views, sampling.span.first + path_int(bounce.paths, i, 1))
        share = albedo_of(ends.point, i) / float(sampling.sample_count)
        out_albedo[pixel[0], pixel[1], pixel[2]] = out_albedo[pixel[0], pixel[1], pixel[2]] + share
