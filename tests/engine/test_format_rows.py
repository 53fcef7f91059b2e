"""Rows of the index, as labels write them, become records and annotations of coco.json with every fact."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from pycocotools import mask as coco_mask

from engine.formats.coco_json import annotation_json, annotation_record, json_line
from engine.formats.from_rows import instance_of
from engine.formats.record import Instance
from engine.frames import FrameKeys
from engine.labels.model import Amodal, Labels, Solid
from engine.write.names import FrameGrid
from engine.write.rows import InstanceSource, instance_rows
from tests.engine.toy_records import CATEGORIES, HEIGHT, WIDTH, K, toy_records


def labels_of(instances: list[Instance]) -> Labels:
    """Return records as the tables that kernels fill."""

    def ints(values: list[object]) -> np.ndarray:
        return np.array(values, np.int32)

    whole = [i.amodal for i in instances if i.amodal and i.amodal.mask]
    solids = [i.solid for i in instances if i.solid]
    assert len(whole) == len(solids) == len(instances)
    boxes = np.array([a.box for a in whole])
    amodal = Amodal(
        ints([a.in_frame_px for a in whole]), ints([a.full_px for a in whole]),
        np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]).astype(np.int32),
        np.array([a.is_cut for a in whole]), tuple(a.mask.counts for a in whole if a.mask),
        ints([a.occluder for a in whole]), ints([a.occluder_px for a in whole]),
    )  # fmt: skip
    ones = np.ones(len(instances), np.float32)
    solid = Solid(
        np.stack([s.world_from_object for s in solids]), np.stack([s.size_m for s in solids]),
        np.stack([s.center_m for s in solids]), np.stack([s.corners_px for s in solids]).astype(np.float32),
        2.5 * ones, 0.5 * ones, -0.25 * ones,
        np.stack([i.oriented_box for i in instances if i.oriented_box is not None]).astype(np.float32),
        np.array([s.asset for s in solids], np.uint64),
    )  # fmt: skip
    id_of = {c.key: c.id for c in CATEGORIES}
    box = np.array([i.box for i in instances])
    points = [np.zeros(0) if i.keypoints is None else i.keypoints.ravel() for i in instances]
    return Labels(
        np.zeros(len(instances), np.int32), ints([i.id for i in instances]),
        ints([id_of[i.category] for i in instances]), ints([i.visible_px for i in instances]),
        np.column_stack([box[:, :2], box[:, :2] + box[:, 2:]]).astype(np.int32),
        np.array([i.depth_m for i in instances], np.float32), tuple(i.mask.counts for i in instances if i.mask),
        amodal, solid, tuple(row.astype(np.float32) for row in points),
    )  # fmt: skip


def rows_of(instances: list[Instance]) -> list[dict[str, object]]:
    paths = pa.array(["", *(f"/World/Object_{n}" for n in range(1, 7))])
    source = InstanceSource(
        paths, {c.id: c.key for c in CATEGORIES}, np.arange(7, dtype=np.uint64), FrameGrid(1, 1), WIDTH, HEIGHT
    )
    keys = FrameKeys(np.array([4]), np.array([0]), np.array([0]), K[None], np.eye(3, 4)[None])
    rows: list[dict[str, object]] = instance_rows(
        source, keys, labels_of(instances), np.arange(len(instances))
    ).to_pylist()
    return rows


def test_a_row_becomes_the_record_that_it_was_made_of(tmp_path: Path) -> None:
    for frame in toy_records(tmp_path, worlds=6).frames():
        for ours, row in zip(frame.instances, rows_of(list(frame.instances)) if frame.instances else [], strict=True):
            theirs = instance_of(row, WIDTH, HEIGHT)
            plain = {"solid": None, "oriented_box": None, "keypoints": None, "depth_m": None, "extra": {}}
            assert replace(ours, **plain) == replace(theirs, **plain)
            assert ours.solid is not None
            assert theirs.solid is not None
            for field in ("world_from_object", "size_m", "center_m", "asset"):
                assert np.array_equal(getattr(ours.solid, field), getattr(theirs.solid, field))
            assert np.allclose(ours.solid.corners_px, theirs.solid.corners_px, rtol=1e-6)
            assert (ours.keypoints is None) == (theirs.keypoints is None)
            if ours.keypoints is not None:
                assert np.allclose(ours.keypoints, theirs.keypoints, rtol=1e-6)


def test_annotations_of_rows_hold_what_the_masks_say(tmp_path: Path) -> None:
    """Areas, boxes and shares are counted again from the masks, by pycocotools."""
    keypoints_of = {c.key: len(c.keypoints) for c in CATEGORIES}
    frame = toy_records(tmp_path, worlds=1).records[0]
    for row in rows_of(list(frame.instances)):
        instance = instance_of(row, WIDTH, HEIGHT)
        count = keypoints_of[instance.category]
        plain = json.loads(json_line(annotation_json(instance, 1, 1, 1, keypoints=count)))
        whole = plain["amodal_segmentation"]
        assert coco_mask.area(plain["segmentation"]) == plain["area"] == plain["visible_px"]
        assert coco_mask.toBbox(plain["segmentation"]).tolist() == plain["bbox"]
        assert coco_mask.area(whole) == plain["full_px"]
        assert whole["origin"] == plain["amodal_bbox"][:2]
        assert whole["size"] == plain["amodal_bbox"][:1:-1]
        assert plain["occlusion"] == round(1 - plain["visible_px"] / plain["in_frame_px"], 6)
        assert plain["truncation"] == round(1 - plain["in_frame_px"] / plain["full_px"], 6)
        assert (plain["range_m"], plain["azimuth_rad"], plain["elevation_rad"]) == (2.5, 0.5, -0.25)
        assert len(plain["corners_px"]) == 16
        assert ("keypoints" in plain) == (count > 0)
        assert annotation_record(plain, instance.category, WIDTH, HEIGHT).amodal == instance.amodal


def test_corners_that_are_not_seen_are_null_in_json(tmp_path: Path) -> None:
    instance = toy_records(tmp_path, worlds=1).records[0].instances[0]
    assert instance.solid is not None
    corners = instance.solid.corners_px.copy()
    corners[3] = np.nan
    plain = annotation_json(replace(instance, solid=replace(instance.solid, corners_px=corners)), 1, 1, 1)
    assert plain["corners_px"][6:8] == [None, None]
    back = annotation_record(json.loads(json_line(plain)), instance.category, WIDTH, HEIGHT)
    assert back.solid is not None
    assert np.isnan(back.solid.corners_px).sum() == 2
