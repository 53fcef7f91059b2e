"""Keypoints of the rows of labels, in the order of the names of their classes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.frames import Frames
from engine.labels.model import Labels
from engine.scene.model import Scene


@dataclass(frozen=True)
class KeypointSource:
    """Which keypoints the instances of a scene have."""

    number: NDArray[np.int32]  # [keypoint], in the list of its class
    first: NDArray[np.int64]  # [instance + 1], where its keypoints begin
    names_of_class: NDArray[np.int64]  # [class id], how many names it has

    @classmethod
    def of(cls, scene: Scene) -> KeypointSource | None:
        """Return the source of a scene; None if no instance has a keypoint."""
        table = scene.keypoints
        if not len(table.instance):
            return None
        counts = np.zeros(max(entry.id for entry in scene.taxonomy.classes) + 1, np.int64)
        for entry in scene.taxonomy.classes:
            counts[entry.id] = len(entry.keypoints)
        first = np.searchsorted(table.instance, np.arange(len(scene.instances.path) + 1))
        return cls(table.number, first, counts)


def with_keypoints(labels: Labels, frames: Frames, source: KeypointSource | None) -> Labels:
    """Return labels with x, y [px] and visibility of all names of each row's class; zeros for one that is not there.

    Raises:
        ValueError: If the scene has keypoints that were not rendered.
    """
    if source is None:
        return labels
    if frames.keypoint is None:
        raise ValueError("keypoints were not rendered; give Outputs a keypoint_tolerance_m")
    length = source.names_of_class[labels.class_id]
    end = np.cumsum(length)
    flat = np.zeros((int(length.sum()), 3), np.float32)
    count = source.first[labels.instance + 1] - source.first[labels.instance]
    row = np.repeat(np.arange(len(count)), count)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    keypoint = source.first[labels.instance][row] + place
    flat[(end - length)[row] + source.number[keypoint]] = frames.keypoint[labels.view[row], keypoint]
    ends = (3 * end).tolist()
    values = flat.reshape(-1)
    starts = [0, *ends[:-1]] if ends else []
    points = tuple(values[a:b] for a, b in zip(starts, ends, strict=True))
    return dataclasses.replace(labels, keypoints=points)
