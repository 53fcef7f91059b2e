"""Defects and near-misses of a batch: what each view sees of them, and how far they stand out in the final picture."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.contrast import contrast_in, luma_of
from engine.draft import Draft
from engine.frames import Frames
from engine.labels.extract import boxes_of
from engine.labels.model import Marks
from engine.labels.rectangle import rectangles_of
from engine.labels.rle import masks_of, runs_of

Slots = list[tuple[int, int, int, tuple[int, int, int, int], bytes, float, float]]


def marks_from_frames(frames: Frames, draft: Draft) -> Marks | None:
    """Return a row for every defect and near-miss that covers a pixel; None if they were not rendered.

    Args:
        frames: With the images `defect` and `near_miss`; without rgb, contrast is NaN.
        draft: That the frames were made of.
    """
    if "defect" not in frames.annotations:
        return None
    cameras = draft.world_from_camera.shape[1]
    rows: Slots = []
    for number in range(len(frames.keys.world)):
        rows += _of_view(frames, number, draft.defect_of[number // cameras])
    view, slot = (np.array([row[k] for row in rows], np.int32) for k in (0, 1))
    of_row = view // cameras
    entries = [each.entry for each in draft.defect_slots]
    first = np.array([entries.index(entry) for entry in entries], np.int32)
    held = [draft.defect_slots[k] for k in slot]
    boxes_px = np.array([row[3] for row in rows], np.int32).reshape(-1, 4)
    rle = tuple(row[4] for row in rows)
    return Marks(
        view=view,
        slot=slot,
        number=(slot - first[slot]).astype(np.int32),
        instance=draft.defect_of[of_row, slot].astype(np.int32),
        class_id=np.array([each.class_id for each in held], np.int32),
        kind=np.array([each.kind for each in held], np.int32),
        entry=tuple(each.entry for each in held),
        handling_step=tuple(each.handling_step for each in held),
        visible_px=np.array([row[2] for row in rows], np.int32),
        box_px=boxes_px,
        rle=rle,
        oriented_box_px=rectangles_of(rle, boxes_px, frames.annotations["defect"].shape[1]),
        contrast=np.array([row[5] for row in rows], np.float32),
        cnr=np.array([row[6] for row in rows], np.float32),
        record=draft.defect[of_row, slot],
    )


def _of_view(frames: Frames, view: int, bearer: NDArray[np.int32]) -> Slots:
    images = [frames.annotations[name][view] for name in ("defect", "near_miss")]
    luma = None if frames.rgb is None else luma_of(frames.rgb[view])
    unmarked = (images[0] < 0) & (images[1] < 0)
    rows: Slots = []
    for image in images:
        runs, _ = runs_of(image + np.int32(1))
        numbers, masks = masks_of(runs)
        if not len(numbers):
            continue
        first = np.flatnonzero(np.concatenate([[True], runs.instance[1:] != runs.instance[:-1]]))
        boxes, areas = boxes_of(runs, first), np.add.reduceat(runs.end - runs.start, first)
        for number, rle, box, area in zip(numbers.tolist(), masks, boxes.tolist(), areas.tolist(), strict=True):
            slot, found = number - 1, (math.nan, math.nan)
            if luma is not None and frames.instance is not None:
                clear = unmarked & (frames.instance[view] == bearer[slot])
                found = contrast_in(luma, image == slot, clear, (box[0], box[1], box[2] - box[0], box[3] - box[1]))
            rows.append((view, slot, area, tuple(box), rle, *found))
    return sorted(rows, key=lambda row: row[1])
