"""Which kernel modules a job needs: by its quality before the scene is there, and by what the scene asks for after."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine import gpu
from engine.render.annotations import GEOMETRY_IMAGES, OUTLINE_IMAGE
from engine.render.flow import reads_steps
from engine.render.shadow_annotations import SHADOW_IMAGES
from engine.render.surface_annotations import DEFECT_IMAGES, needs_materials

if TYPE_CHECKING:
    from engine.render.stages import Stages

LABEL_MODULES = ("geometry", "top", "trace", "resolve")
LIGHT_MODULES = ("shade", "shadow", "point", "sample", "film")
PATH_MODULES = ("path", "path_point", "path_light")  # of quality `path`
PATH_PASSAGE_MODULE = "path_passage"
VIEW_MODULE, SHADOW_MODULE = "passage", "shadow_passage"  # of scenes where rays may pass surfaces
DEPTH_SENSOR_MODULE, LIDAR_MODULE, LIDAR_PASSAGE_MODULE = "depth_sensor", "lidar", "lidar_passage"
PATTERN_MODULES = ("pattern", "path_pattern")  # of batches that have one; the second at quality `path`
DEFECT_MODULES = ("defect", "path_defect")  # of batches that have one, patterns or not; likewise
SENSOR_MODULES = ("sensor", "sensor_lens", "sensor_meter", "sensor_expose", "sensor_develop")  # unless it is ideal
ALBEDO_MODULE = "albedo"  # for a denoiser
ANNOTATE_MODULE, OUTLINE_MODULE = "annotate", "outline"  # for annotators
FLOW_MODULES = ("flow", "flow_passage")  # one of them: the second where rays may pass surfaces
ANNOTATE_SURFACE_MODULE = "annotate_surface"  # for those of materials,
ANNOTATE_PATTERN_MODULE = "annotate_pattern"  # of batches that have a pattern
ANNOTATE_MARKED_MODULE = "annotate_marked"  # and of those with defects
ANNOTATE_DEFECT_MODULE = "annotate_defect"  # for masks of defects
ANNOTATE_SHADOW_MODULES = ("annotate_shadow", "annotate_shadow_passage")  # the second where light passes surfaces
KEYPOINT_MODULES = ("keypoint", "keypoint_passage")  # of scenes that have some, the second if rays pass surfaces
MASK_MODULES = ("masks", "canvas", "cones", "canvas_passage")  # of labels, silhouettes, and of those for such scenes
SCENE_MODULES = (
    VIEW_MODULE, SHADOW_MODULE, PATH_PASSAGE_MODULE, DEPTH_SENSOR_MODULE, LIDAR_MODULE, LIDAR_PASSAGE_MODULE,
    ALBEDO_MODULE, ANNOTATE_MODULE, OUTLINE_MODULE, ANNOTATE_SURFACE_MODULE, ANNOTATE_PATTERN_MODULE,
    ANNOTATE_MARKED_MODULE, ANNOTATE_DEFECT_MODULE, *DEFECT_MODULES,
    *ANNOTATE_SHADOW_MODULES, *FLOW_MODULES, *PATTERN_MODULES, *SENSOR_MODULES, *MASK_MODULES, *KEYPOINT_MODULES,
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
    has_flow = reads_steps(stages.annotations)
    has_shadow = any(name in SHADOW_IMAGES for name in stages.annotations)
    has_keypoints = stages.keypoint_tolerance_m is not None and len(base.scene.keypoints.instance) > 0
    has_masks, whole = stages.labels is not None, stages.labels is not None and stages.labels.amodal
    senses_depth, has_lidar = stages.depth is not None, stages.lidar is not None
    needs = (
        (opens, VIEW_MODULE), (base.opens_shadow and stages.shaded, SHADOW_MODULE),
        (opens and stages.shaded and stages.rig.quality == "path", PATH_PASSAGE_MODULE),
        (senses_depth, DEPTH_SENSOR_MODULE), (has_lidar, LIDAR_MODULE), (has_lidar and opens, LIDAR_PASSAGE_MODULE),
        (stages.denoiser is not None, ALBEDO_MODULE), (stages.denoiser is not None, SENSOR_MODULES[0]),
        *((stages.sensor is not None, name) for name in SENSOR_MODULES),
        (any(name in GEOMETRY_IMAGES for name in stages.annotations), ANNOTATE_MODULE),
        (has_flow, FLOW_MODULES[int(base.opacities is not None)]),
        (needs_materials(stages.annotations), ANNOTATE_SURFACE_MODULE),
        (any(name in DEFECT_IMAGES for name in stages.annotations), ANNOTATE_DEFECT_MODULE),
        *zip((has_shadow, has_shadow and base.opens_shadow), ANNOTATE_SHADOW_MODULES, strict=True),
        *zip((has_keypoints and not opens, has_keypoints and opens), KEYPOINT_MODULES, strict=True),
        (OUTLINE_IMAGE in stages.annotations, OUTLINE_MODULE),
        *zip((has_masks, whole, whole, whole and opens), MASK_MODULES, strict=True),
    )  # fmt: skip
    if modules := tuple(name for is_needed, name in needs if is_needed):
        gpu.load(modules, device=base.device, threads=len(os.sched_getaffinity(0)), say=say)


def load_pattern_kernels(stages: Stages, *, marked: bool = False, say: Callable[[str], None] | None = None) -> None:
    """Load the kernels of batches in which something wears a pattern, or is `marked` by defects, as `load_kernels`."""
    names = DEFECT_MODULES if marked else PATTERN_MODULES
    annotator = ANNOTATE_MARKED_MODULE if marked else ANNOTATE_PATTERN_MODULE
    modules = names[: 2 if stages.rig.quality == "path" else 1] if stages.shaded else ()
    if needs_materials(stages.annotations):
        modules = (*modules, annotator)
    if modules:
        gpu.load(modules, device=stages.base.device, threads=2, say=say)
