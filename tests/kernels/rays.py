"""Any rays through the traversal, without a camera's grid of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.render.arrays import to_device
from engine.render.views import span_of
from engine.render.worlds import upload_scene, upload_worlds
from engine.scene.model import Scene
from tests.kernels.scenes import camera, draft_of, pose, rig

Trees, Hit, Ray = gpu.geometry.Trees, gpu.trace.Hit, gpu.camera.Ray
trace_closest = gpu.trace.trace_closest


def trees_of(stage: Scene) -> Any:
    """Return the trees of a scene's one world on the CPU."""
    setup = rig(size_px=(1, 1), quality="labels")
    base = upload_scene(stage, setup, device="cpu", shaded=False)
    return upload_worlds(base, draft_of(stage, setup, camera(pose()), [0])).geometry.trees


@wp.kernel(enable_backward=False)
def trace_alone(
    trees: Trees, origin: wp.array[wp.vec3], direction: wp.array[wp.vec3], out_hit: wp.array[Hit]
):  # fmt: skip
    """Trace one ray after the other."""
    i = wp.tid()
    ray = Ray()
    ray.origin = origin[i]
    ray.direction = direction[i]
    out_hit[i] = trace_closest(trees, 0, ray)


def cast(trees: Any, origin: NDArray[np.float32], direction: NDArray[np.float32]) -> tuple[NDArray, ...]:
    """Return t, placement and triangle of rays [ray, 3], one perspective view of one pixel a ray.

    Neighbours are traced together, whatever their directions; each must find what it finds alone, to the bit.
    """
    count = len(origin)
    frame = np.zeros((count, 3, 4), np.float32)
    frame[:, :, 2], frame[:, :, 3] = -direction, origin
    views = gpu.camera.Views()
    views.width = views.height = 1
    views.row = wp.zeros(count, dtype=wp.int32, device="cpu")
    views.world_from_camera = to_device(frame, gpu.transform.mat34, "cpu")
    views.focal_px = to_device(np.ones((count, 2), np.float32), wp.vec2, "cpu")
    views.center_px = to_device(np.full((count, 2), 0.5, np.float32), wp.vec2, "cpu")
    views.lens = wp.zeros(count, dtype=wp.int32, device="cpu")
    hits = wp.empty(count, dtype=gpu.trace.Hit, device="cpu")
    span = span_of(0, count, "cpu")
    wp.launch(gpu.trace.trace_primary, -(-count // span.run), [trees, views, span, hits], device="cpu")
    alone = wp.empty(count, dtype=gpu.trace.Hit, device="cpu")
    starts, slopes = views.world_from_camera.numpy()[:, :, 3], -views.world_from_camera.numpy()[:, :, 2]
    rays = [to_device(values, wp.vec3, "cpu") for values in (starts, slopes)]
    wp.launch(trace_alone, count, [trees, *rays, alone], device="cpu")
    found = hits.numpy()
    assert found.tobytes() == alone.numpy().tobytes()
    return found["t"], found["placement"], found["triangle"]
