"""Keypoints of a batch: where the host projects them, and the launches that say whether they are seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.draft import Draft
from engine.labels.sight import Points, see
from engine.randomize.pose import apply
from engine.recipe import Rig
from engine.render.arrays import to_device
from engine.render.inputs import Field, Inputs, field
from engine.render.keys import frame_keys
from engine.render.program import Program
from engine.render.stages import Stages, Target
from engine.render.views import span_of
from engine.scene.model import Scene

OUTSIDE = -1.0  # depth of what is not in the image


def keypoint_count(stages: Stages) -> int:
    """Return the keypoints of a view; 0: none are asked for."""
    return 0 if stages.keypoint_tolerance_m is None else len(stages.base.scene.keypoints.instance)


def keypoint_fields(stages: Stages, draft: Draft, cameras: slice) -> list[Field]:
    """Return where the keypoints of a draft are seen, view-major; none: they are not asked for."""
    if not keypoint_count(stages):
        return []
    return [field("keypoint_sight", wp.vec3, sights(stages.base.scene, draft, stages.rig, cameras))]


def sights(scene: Scene, draft: Draft, rig: Rig, cameras: slice = slice(None)) -> NDArray[np.float64]:
    """Return x, y [px] and depth of every keypoint in every view, [view, keypoint, 3], each as its row sees it.

    Depths are those of the depth image, below 0 where the keypoint is not in the image.
    """
    table = scene.keypoints
    rows, all_cameras = draft.world_from_camera.shape[:2]
    chosen = np.arange(all_cameras)[cameras]
    count, views = len(table.instance), rows * len(chosen)
    pose = draft.world_from_instance[:, table.instance]
    world_m = apply(pose, table.position_m)

    def of_views(values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return [row, keypoint, 3] for every view and keypoint, [point, 3]."""
        return np.repeat(values, len(chosen), axis=0).reshape(-1, 3)

    view = (np.arange(rows)[:, None] * all_cameras + chosen).reshape(-1)  # among all views of the draft
    points = Points(
        view=np.repeat(view, count),
        world_m=of_views(world_m),
        origin_m=of_views(pose[..., 3]),
        velocity_m_s=of_views(draft.instance_velocity_m_s[:, table.instance]),
        spin_rad_s=of_views(draft.instance_spin_rad_s[:, table.instance]),
    )
    found = see(points, frame_keys(draft, rig), rig)
    pixel = found.pixel.astype(np.float32).astype(np.float64)  # what the device will have
    with np.errstate(invalid="ignore"):
        inside = (pixel >= 0.0).all(axis=1) & (pixel[:, 0] < rig.width) & (pixel[:, 1] < rig.height)
    depth = np.where(inside & (found.depth_m >= 0.0), found.depth_m, OUTSIDE)
    out = np.column_stack([np.where(inside[:, None], pixel, 0.0), depth])
    return out.reshape(views, count, 3)


def new_keypoints(stages: Stages, inputs: Inputs) -> Any:
    """Return kernels.keypoint.Keypoints of `keypoint_fields` that are in `inputs`, without its output."""
    out, instance = gpu.keypoint.Keypoints(), stages.base.scene.keypoints.instance
    out.count, out.tolerance_m = len(instance), stages.keypoint_tolerance_m or 0.0
    out.depth_m = to_device(stages.base.scene.keypoints.depth_m, wp.float32, stages.base.device)
    out.instance = to_device(instance, wp.int32, stages.base.device)
    out.sight = inputs.array("keypoint_sight")
    out.value = wp.empty((0, 0), dtype=wp.vec3, device=stages.base.device)
    return out


class KeypointProgram:
    """The launch over a slice of the keypoints of all views, recorded; which it has is set before each run."""

    def __init__(self, stages: Stages, target: Target, slice_count: int) -> None:
        """Record a launch for slices of up to `slice_count` keypoints."""
        base, keypoints = stages.base, target.buffers.keypoints
        self._span = span_of(0, slice_count, base.device)
        self._program = Program(base.device)
        threads = -(-slice_count // self._span.run)
        geometry = target.worlds.geometry
        if base.opens_view:
            inputs = [geometry, target.views, target.worlds.opacities, self._span, keypoints, target.overflow]
            self._program.launch(gpu.keypoint_passage.pass_keypoints, threads, inputs)
        else:
            inputs = [geometry, target.views, self._span, keypoints]
            self._program.launch(gpu.keypoint.see_keypoints, threads, inputs)

    def run(self, first: int, count: int) -> None:
        """Have the device look at keypoints `first` to `first + count`."""
        self._span.first, self._span.count = first, count
        self._program.run()
