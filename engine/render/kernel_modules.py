"""Which kernel modules a job needs: by its quality before the scene is there, and by what the scene asks for after."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine import gpu
from engine.render.annotations import GEOMETRY_IMAGES

if TYPE_CHECKING:
    from engine.render.stages import Stages

LABEL_MODULES = ("geometry", "top", "trace", "resolve")
LIGHT_MODULES = ("shade", "shadow", "point", "sample", "film")
PATH_MODULES = ("path", "path_point", "path_light")  # of quality `path`
PATH_PASSAGE_MODULE = "path_passage"
VIEW_MODULE, SHADOW_MODULE = "passage", "shadow_passage"  # of scenes where rays may pass surfaces
DEPTH_SENSOR_MODULE, LIDAR_MODULE, LIDAR_PASSAGE_MODULE = "depth_sensor", "lidar", "lidar_passage"
PATTERN_MODULES = ("pattern", "path_pattern")  # of batches that have one; the second at quality `path`
SENSOR_MODULES = ("sensor", "sensor_lens", "sensor_meter", "sensor_expose", "sensor_develop")  # unless it is ideal
ALBEDO_MODULE = "albedo"  # for a denoiser
ANNOTATE_MODULE = "annotate"  # for annotators
MASK_MODULES = ("masks", "canvas", "cones", "canvas_passage")  # of labels, silhouettes, and of those for such scenes
SCENE_MODULES = (
    VIEW_MODULE, SHADOW_MODULE, PATH_PASSAGE_MODULE, DEPTH_SENSOR_MODULE, LIDAR_MODULE, LIDAR_PASSAGE_MODULE,
    ALBEDO_MODULE, ANNOTATE_MODULE, *PATTERN_MODULES, *SENSOR_MODULES, *MASK_MODULES,
)  # fmt: skip


def load_kernels(
    quality: str, *, device: str, passing: bool = False, say: Callable[[str], None] | None = None
) -> None:  # fmt: skip
    """Load the kernels of a quality; the first time a version runs on a machine they are compiled, once.

    Those of scenes where rays pass surfaces come only with `passing`; a Renderer loads them where they are needed.
    `say` is told what is being compiled.
    """
    threads = len(os.sched_getaffinity(0))
    gpu.load(("bvh",), device="cpu", threads=1, say=say)
    light = () if quality == "labels" else LIGHT_MODULES + (PATH_MODULES if quality == "path" else ())
    modules = (*light, *LABEL_MODULES)
    gpu.load((*modules, *((VIEW_MODULE, SHADOW_MODULE) if passing else ())), device=device, threads=threads, say=say)


def load_scene_kernels(stages: Stages, *, say: Callable[[str], None] | None = None) -> None:
    """Load the kernels that only some scenes and outputs need, as `load_kernels` does."""
    base, opens = stages.base, stages.base.opens_view
    has_masks, whole = stages.labels is not None, stages.labels is not None and stages.labels.amodal
    senses_depth, has_lidar = stages.depth is not None, stages.lidar is not None
    needs = (
        (opens, VIEW_MODULE), (base.opens_shadow and stages.shaded, SHADOW_MODULE),
        (opens and stages.shaded and stages.rig.quality == "path", PATH_PASSAGE_MODULE),
        (senses_depth, DEPTH_SENSOR_MODULE), (has_lidar, LIDAR_MODULE), (has_lidar and opens, LIDAR_PASSAGE_MODULE),
        (stages.denoiser is not None, ALBEDO_MODULE), (stages.denoiser is not None, SENSOR_MODULES[0]),
        *((stages.sensor is not None, name) for name in SENSOR_MODULES),
        (any(name in GEOMETRY_IMAGES for name in stages.annotations), ANNOTATE_MODULE),
        *zip((has_masks, whole, whole, whole and opens), MASK_MODULES, strict=True),
    )  # fmt: skip
    if modules := tuple(name for is_needed, name in needs if is_needed):
        gpu.load(modules, device=base.device, threads=len(os.sched_getaffinity(0)), say=say)


def load_pattern_kernels(quality: str, *, device: str, say: Callable[[str], None] | None = None) -> None:
    """Load the kernels of batches in which something wears a pattern, as `load_kernels` does."""
    gpu.load(PATTERN_MODULES[: 2 if quality == "path" else 1], device=device, threads=2, say=say)
