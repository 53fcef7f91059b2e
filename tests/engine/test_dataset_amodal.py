"""`verify` names every silhouette that contradicts itself or what is visible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from engine.dataset.check_amodal import check_amodal


def counts_of(mask: np.ndarray) -> bytes:
    counts: bytes = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return counts


def sound() -> tuple[dict[str, Any], np.ndarray]:
    """Return a row and its visible mask: a plate of 8 x 5 px that reaches 3 px beyond the left border, half hidden."""
    visible = np.zeros((12, 16), bool)
    visible[2:7, 0:2] = True
    row = {
        "inst_id": 4, "area_px": 10, "in_frame_px": 25, "full_px": 40, "occlusion": np.float32(0.6),
        "truncation": np.float32(0.375), "occluder": 2, "occluder_px": 15,
        "amodal_bbox": [-3.0, 2.0, 8.0, 5.0], "amodal_rle": counts_of(np.ones((5, 8))),
    }  # fmt: skip
    return row, visible


def changed(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda row: row.update(values)


def test_a_sound_row_has_no_fault() -> None:
    assert list(check_amodal(*sound())) == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (changed(in_frame_px=9), "none may exceed the next"),
        (changed(full_px=24), "none may exceed the next"),
        (changed(occlusion=0.5), "occlusion is 0.5"),
        (changed(truncation=float("nan")), "truncation is nan"),
        (changed(occluder=0), "occluder 0 hides 15 px"),
        (changed(occluder_px=16), "15 px of the frame are hidden"),
        (changed(occluder=4), "occluder 4 hides"),
        (changed(amodal_rle=b"\xff"), "not an RLE of its box"),
        (changed(amodal_rle=counts_of(np.ones((5, 7)))), "not an RLE of its box"),
        (changed(amodal_bbox=[0.0, 0.0, 0.0, 0.0]), "which no window"),
        (changed(amodal_bbox=[-3.0, 2.0, float("inf"), 5.0]), "which no window"),
        (changed(amodal_bbox=[-3.0, float("nan"), 8.0, 5.0]), "which no window"),
        (changed(amodal_rle=counts_of(np.eye(5, 8))), "full_px is 40, its amodal mask has 5"),
        (changed(amodal_bbox=[-3.0, 2.0, 9.0, 5.0], amodal_rle=counts_of(np.pad(np.ones((5, 8)), ((0, 0), (0, 1))))),
         "not tight"),
        (changed(amodal_bbox=[-2.0, 2.0, 8.0, 5.0]), "in_frame_px is 25, its amodal mask has 30"),
        (changed(amodal_bbox=[-3.0, 3.0, 8.0, 5.0]), "2 visible px are not in its amodal mask"),
        (changed(amodal_bbox=[-90.0, 2.0, 8.0, 5.0]), "its amodal mask has 0 px in the frame"),
    ],
)  # fmt: skip
def test_a_damaged_row_is_named(damage: Callable[[dict[str, Any]], None], message: str) -> None:
    row, visible = sound()
    damage(row)
    found = list(check_amodal(row, visible))
    assert any(message in what for what in found), found
