"""One frame as sensors of increasing strength see it, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from engine.draft import Draft
from engine.recipe import Rig
from engine.render.renderer import Outputs, Renderer
from engine.scene.model import Scene
from engine.sensors.change import changed
from engine.sensors.model import Sensor

ONLY_RGB = Outputs(rgb=True, rgb_linear=False, depth=False, normal=False, instance=False)


def sensor_strip(
    scene: Scene, rig: Rig, draft: Draft, sensor: Sensor, steps: Sequence[Mapping[str, object]], *, device: str
) -> NDArray[np.uint8]:
    """Return the first view of a draft seen by changed sensors, [y, step * x, 3].

    Args:
        scene: What is seen.
        rig: Size and samples.
        draft: Its cameras; settings of sensors in it are not used.
        sensor: What the changes start from.
        steps: Changes, such as those of `engine.sensors.change.EFFECTS`.
        device: `cpu` or `cuda:N`.
    """
    pictures, draft = [], dataclasses.replace(draft, sensor=draft.sensor[..., :0])
    for values in steps:
        outputs = dataclasses.replace(ONLY_RGB, sensor=changed(sensor, values))
        with closing(Renderer(scene, rig, outputs, seed=0, device=device)) as renderer:
            rgb = renderer.render(draft).rgb
        assert rgb is not None
        pictures.append(rgb[0])
    return np.concatenate(pictures, axis=1)
