"""The referee of silhouettes: every instance rendered alone, on a canvas larger than the frame by a margin."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from engine.draft import Draft
from engine.frames import Frames
from engine.labels.config import LabelConfig
from engine.labels.model import Labels
from engine.recipe import Rig
from engine.render import Renderer
from engine.scene.model import Scene
from tests.kernels.scenes import LABELS


def whole(stage: Scene, draft: Draft, setup: Rig, *, margin: float = 1.0, threads: int = 1) -> tuple[Frames, Labels]:
    """Return frames and the labels that came with them."""
    outputs = dataclasses.replace(LABELS, labels=LabelConfig(margin=margin))
    renderer = Renderer(stage, setup, outputs, seed=0, device="cpu", threads=threads)
    frames = renderer.render(draft)
    renderer.close()
    assert frames.labels is not None
    return frames, frames.labels


def margins_px(setup: Rig, margin: float) -> tuple[int, int]:
    """Return how many pixels the window has on the left and on the right, above and below."""
    return round(margin * setup.width), round(margin * setup.height)


def alone(stage: Scene, draft: Draft, setup: Rig, instance: int, margin: float) -> NDArray[np.bool_]:
    """Return where an instance is seen when all others are hidden [view, y, x], in the window around the frame.

    Rows of an image are of different moments under a rolling shutter: the readout grows with the image.
    """
    left, top = margins_px(setup, margin)
    larger = dataclasses.replace(
        setup, width=setup.width + 2 * left, height=setup.height + 2 * top,
        readout_s=setup.readout_s * (setup.height + 2 * top) / setup.height,
    )  # fmt: skip
    hidden = dataclasses.replace(draft, visible=draft.visible.copy(), center_px=draft.center_px + np.array([left, top]))
    hidden.visible[:] = False
    hidden.visible[:, instance] = draft.visible[:, instance]
    frames = Renderer(stage, larger, LABELS, seed=0, device="cpu", threads=1).render(hidden)
    assert frames.instance is not None
    return frames.instance == instance


def assert_row(labels: Labels, row: int, mask: NDArray[np.bool_], frame: NDArray[np.int32], margin: float) -> None:
    """Assert that a row says what its instance's silhouette in the window, and the view's instances, say."""
    amodal, height, width = labels.amodal, *frame.shape
    assert amodal is not None
    left, top = round(margin * width), round(margin * height)
    y, x = np.nonzero(mask)
    box = [x.min() - left, y.min() - top, x.max() + 1 - left, y.max() + 1 - top]
    inside = mask[top : top + height, left : left + width]
    assert amodal.full_px[row] == mask.sum()
    assert amodal.in_frame_px[row] == inside.sum() >= labels.visible_px[row] >= 1
    assert amodal.box_px[row].tolist() == box
    cut = np.asfortranarray(mask[y.min() : y.max() + 1, x.min() : x.max() + 1].astype(np.uint8))
    assert amodal.rle[row] == coco_mask.encode(cut)["counts"]
    border = np.ones(mask.shape, bool)
    border[1:-1, 1:-1] = False
    assert amodal.is_cut[row] == (mask & border).any()
    hiders = np.bincount(frame[inside], minlength=2)
    hiders[[0, labels.instance[row]]] = 0
    assert amodal.occluder_px[row] == hiders.max()
    assert amodal.occluder[row] == (hiders.argmax() if hiders.max() else 0)  # argmax: the lower of two


def assert_alone(stage: Scene, draft: Draft, setup: Rig, *, margin: float = 1.0, most: int = 1000) -> Labels:
    """Assert that silhouettes are those of instances alone, of up to so many, and return the labels."""
    frames, labels = whole(stage, draft, setup, margin=margin)
    assert frames.instance is not None
    for instance in np.unique(labels.instance)[:most].tolist():
        masks = alone(stage, draft, setup, instance, margin)
        for row in np.flatnonzero(labels.instance == instance).tolist():
            assert_row(labels, row, masks[labels.view[row]], frames.instance[labels.view[row]], margin)
    return labels


def assert_same(first: Labels | None, second: Labels | None) -> None:
    """Assert that two tables are equal to the bit."""
    assert first is not None
    assert second is not None
    for name in ("view", "instance", "class_id", "visible_px", "box_px", "distance_m", "rle"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    assert first.amodal is not None
    assert second.amodal is not None
    for name, values in vars(first.amodal).items():
        assert np.array_equal(values, getattr(second.amodal, name)), name
