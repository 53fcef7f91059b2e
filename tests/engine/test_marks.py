"""Rows of defects: masks by hand, contrast against plain arithmetic, and what a file of COCO says of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from engine.contrast import GAP_PX, LEAST_STD, RING_PX, contrast_in, luma_of
from engine.defect import COLUMNS, DEFECT_NAMES, DefectKind, Defects, is_near_miss, record_values
from engine.defect_classes import LABELS
from engine.draft import DEFECT_FLOATS, DefectSlot
from engine.labels.marks import marks_from_frames

HEIGHT, WIDTH = 40, 60


def frames_of(defect: np.ndarray, near_miss: np.ndarray, luma: np.ndarray) -> Any:
    """Return one view of an instance 1 that fills the frame."""
    rgb = np.repeat(luma[None, ..., None], 3, axis=-1).astype(np.uint8)
    annotations = {"defect": defect[None].astype(np.int32), "near_miss": near_miss[None].astype(np.int32)}
    instance = np.ones((1, *defect.shape), np.int32)
    return SimpleNamespace(annotations=annotations, rgb=rgb, instance=instance, keys=SimpleNamespace(world=[0]))


def draft_of(slots: tuple[DefectSlot, ...]) -> Any:
    """Return one row whose slots all lie on instance 1."""
    record = np.zeros((1, len(slots), DEFECT_FLOATS), np.float32)
    record[0, :, COLUMNS["severity"]] = np.linspace(0.2, 0.8, len(slots))
    bearer = np.ones((1, len(slots)), np.int32)
    return SimpleNamespace(
        defect=record, defect_of=bearer, defect_slots=slots, world_from_camera=np.zeros((1, 1, 3, 4))
    )


SLOTS = (
    DefectSlot("scratches", DefectKind.SCRATCH, 180, "grinding"),
    DefectSlot("scratches", DefectKind.SCRATCH, 180, "grinding"),
    DefectSlot("dirt", DefectKind.DUST, 200, ""),
)


def test_every_defect_that_is_seen_has_a_row_with_its_mask_and_what_made_it() -> None:
    defect, near = np.full((HEIGHT, WIDTH), -1), np.full((HEIGHT, WIDTH), -1)
    defect[10:12, 5:25] = 1  # slot 0 covers nothing
    near[11:20, 20:30] = 2  # over the scratch as well
    marks = marks_from_frames(frames_of(defect, near, np.full((HEIGHT, WIDTH), 100)), draft_of(SLOTS))
    assert marks is not None
    assert (marks.slot.tolist(), marks.number.tolist(), marks.class_id.tolist()) == ([1, 2], [1, 0], [180, 200])
    assert marks.entry == ("scratches", "dirt")
    assert marks.handling_step == ("grinding", "")
    assert marks.box_px.tolist() == [[5, 10, 25, 12], [20, 11, 30, 20]]
    assert marks.visible_px.tolist() == [40, 90]
    decoded = coco_mask.decode({"size": [HEIGHT, WIDTH], "counts": marks.rle[0]})
    assert np.array_equal(decoded.astype(bool), defect == 1)
    assert record_values(marks.record, "severity").tolist() == pytest.approx([0.5, 0.8])


def test_frames_without_images_of_defects_have_no_rows() -> None:
    frames = SimpleNamespace(annotations={})
    assert marks_from_frames(frames, draft_of(SLOTS)) is None  # type: ignore[arg-type]


def test_contrast_is_the_difference_to_a_ring_and_cnr_is_over_its_spread() -> None:
    rng = np.random.default_rng(3)
    luma = (120 + 4 * rng.standard_normal((HEIGHT, WIDTH))).round()
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[18:22, 20:40] = True
    luma[mask] -= 30
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    gap = np.maximum(np.maximum(18 - y, y - 21), np.maximum(20 - x, x - 39))  # chessboard distance from the mask
    ring = (gap > GAP_PX) & (gap <= GAP_PX + RING_PX)
    expected = (luma[mask].mean() - luma[ring].mean()) / 255.0
    found = contrast_in((luma / 255.0).astype(np.float32), mask, ~mask, (20, 18, 20, 4))
    assert found[0] == pytest.approx(expected, abs=1e-6)
    assert found[1] == pytest.approx(abs(expected) / (luma[ring].std() / 255.0), rel=1e-4)


def test_the_ring_stays_on_the_bearer_and_clear_of_other_marks() -> None:
    luma = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[10:20, 10:20] = True
    luma[mask] = 0.25
    luma[:, 23:] = 0.0  # another thing
    clear = np.zeros((HEIGHT, WIDTH), bool)
    clear[:, :23] = True
    contrast, cnr = contrast_in(luma, mask, clear & ~mask, (10, 10, 10, 10))
    assert (contrast, cnr) == (pytest.approx(-0.25), pytest.approx(0.25 / LEAST_STD, rel=1e-4))
    assert all(map(np.isnan, contrast_in(luma, mask, np.zeros_like(mask), (10, 10, 10, 10))))


def test_luma_is_that_of_pillow() -> None:
    from PIL import Image

    rgb = np.random.default_rng(1).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    theirs = np.asarray(Image.fromarray(rgb).convert("L"), np.float32) / 255.0
    assert np.abs(luma_of(rgb) - theirs).max() <= 0.6 / 255.0


def test_every_kind_has_a_class_and_near_misses_come_last() -> None:
    assert set(LABELS) == set(DefectKind)
    assert len(DEFECT_NAMES) == len(DefectKind) - 1
    assert [is_near_miss(kind) for kind in DefectKind] == sorted(is_near_miss(kind) for kind in DefectKind)


def test_bits_and_vectors_of_a_record_are_read_as_they_were_set() -> None:
    defects = Defects(np.zeros((2, 3, DEFECT_FLOATS), np.float32))
    defects.set("kind", DefectKind.HAIR)
    defects.set("seed", np.full((2, 3), 2**32 - 1, np.uint32))
    defects.set("center_m", np.arange(18.0).reshape(2, 3, 3))
    assert (record_values(defects.record, "kind") == DefectKind.HAIR).all()
    assert (record_values(defects.record, "seed").view(np.uint32) == 2**32 - 1).all()
    assert np.array_equal(record_values(defects.record, "center_m"), np.arange(18.0).reshape(2, 3, 3))
