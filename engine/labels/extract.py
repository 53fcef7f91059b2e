"""Labels of a batch: what each view sees of each instance."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from engine.frames import Frames
from engine.labels.model import Labels
from engine.labels.rle import Runs, masks_of, runs_of


def labels_from_frames(frames: Frames, class_id: NDArray[np.int32]) -> Labels:
    """Return one row for every instance seen in a view.

    They are those that were reduced where the frames were rendered, if there are any; otherwise they are made of images
    here, and have no silhouettes.

    Args:
        frames: Needs `labels`, or `instance` and `depth_m`.
        class_id: Class of every instance of the scene, shape [instance]; 0: unlabelled, which keeps its row.
    Raises:
        ValueError: If an image that is needed was not rendered.
    """
    if frames.labels is not None:
        return dataclasses.replace(frames.labels, class_id=class_id[frames.labels.instance])
    if frames.instance is None or frames.depth_m is None:
        raise ValueError("labels need the images instance and depth_m; ask the renderer for both")
    parts = [_of_view(view, frames.instance[view], frames.depth_m[view]) for view in range(len(frames.instance))]
    view, instance, visible, box, distance = (np.concatenate([part[k] for part in parts]) for k in range(5))
    return Labels(
        view=view.astype(np.int32),
        instance=instance.astype(np.int32),
        class_id=class_id[instance],
        visible_px=visible.astype(np.int32),
        box_px=box.astype(np.int32),
        distance_m=distance.astype(np.float32),
        rle=tuple(mask for part in parts for mask in part[5]),
    )


def _of_view(
    view: int, image: NDArray[np.int32], depth_m: NDArray[np.float32]
) -> tuple[
    NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], list[bytes]
]:
    runs, starts = runs_of(image)
    instance, masks = masks_of(runs)
    if not len(instance):
        none = np.zeros(0, np.int64)
        return none, none, none, np.zeros((0, 4), np.int64), np.zeros(0, np.float32), []
    nearest = np.minimum.reduceat(depth_m.T.reshape(-1), starts)[runs.order]
    first = np.flatnonzero(np.concatenate([[True], runs.instance[1:] != runs.instance[:-1]]))
    visible = np.add.reduceat(runs.end - runs.start, first)
    distance = np.minimum.reduceat(nearest, first)
    return (
        np.full(len(instance), view),
        instance.astype(np.int64),
        visible,
        boxes_of(runs, first),
        distance,
        list(masks),
    )


def boxes_of(runs: Runs, first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return half-open boxes [mask, 4] of the masks whose runs begin at `first`."""
    last_pixel = runs.end - 1
    x0, x1 = runs.start // runs.height, last_pixel // runs.height
    whole = x1 > x0  # a run that goes on in the next column touches the lower and the upper edge
    y0 = np.where(whole, 0, runs.start % runs.height)
    y1 = np.where(whole, runs.height - 1, last_pixel % runs.height)
    low = [np.minimum.reduceat(v, first) for v in (x0, y0)]
    high = [np.maximum.reduceat(v, first) + 1 for v in (x1, y1)]
    return np.stack([*low, *high], axis=1)
