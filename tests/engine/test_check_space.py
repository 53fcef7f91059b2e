"""The columns in space of a row: what is right passes, and each seeded fault is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engine.dataset.check_rows import is_same
from engine.dataset.check_space import check_sight, check_space

SIZE = (64, 48)


def good() -> dict[str, Any]:
    return {
        "bbox": [10.0, 12.0, 8.0, 6.0],
        "area_px": 30,
        "world_from_object": np.eye(3, 4).ravel().tolist(),
        "box_size_m": [1.0, 2.0, 0.0],
        "box_center_m": [0.0, 0.0, 0.5],
        "corners_px": [float("nan")] * 2 + [5.0] * 14,
        "range_m": 3.0,
        "oriented_box": [10.0, 12.0, 18.0, 12.0, 18.0, 18.0, 10.0, 18.0],
        "keypoints": [12.5, 13.5, 2.0, 0.0, 0.0, 0.0],
    }


def test_a_right_row_and_one_without_these_columns_have_no_fault() -> None:
    assert list(check_space(good(), SIZE)) == []
    assert list(check_space({"bbox": [0, 0, 1, 1], "area_px": 1}, SIZE)) == []


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("world_from_object", (2 * np.eye(3, 4)).ravel().tolist(), "no rigid pose"),
        ("world_from_object", (np.eye(3, 4) * [[-1], [1], [1]]).ravel().tolist(), "no rigid pose"),
        ("world_from_object", [float("nan")] * 12, "no rigid pose"),
        ("box_size_m", [1.0, -1.0, 1.0], "box_size_m is"),
        ("box_size_m", [0.0, 0.0, 0.0], "box_size_m is"),
        ("box_center_m", [float("inf"), 0.0, 0.0], "box_center_m is"),
        ("range_m", -1.0, "range_m is"),
        ("corners_px", [float("nan"), 1.0] + [5.0] * 14, "half a corner"),
        ("oriented_box", [10.0, 12.0, 17.0, 12.0, 17.0, 18.0, 10.0, 18.0], "does not reach all sides"),
        ("oriented_box", [10.0, 12.0, 18.0, 12.0, 19.0, 18.0, 10.0, 18.0], "no rectangle"),
        ("oriented_box", [9.0, 11.0, 19.0, 11.0, 19.0, 19.0, 9.0, 19.0], "more than bbox"),
        ("area_px", 49, "fewer than area_px"),
        ("keypoints", [1.0, 2.0], "no multiple of 3"),
        ("keypoints", [1.0, 2.0, 3.0], "visibility 3"),
        ("keypoints", [1.0, 2.0, 0.0], "not labelled"),
        ("keypoints", [65.0, 2.0, 1.0], "outside of the frame"),
    ],
)
def test_a_wrong_value_is_named(column: str, value: object, message: str) -> None:
    found = list(check_space({**good(), column: value}, SIZE))
    assert any(message in what for what in found)


def test_columns_with_corners_that_are_not_seen_equal_themselves() -> None:
    """No number is no number, whichever pieces a column is in; a number that differs is seen beside it."""

    def column(*rows: list[float]) -> pa.ChunkedArray:
        return pa.chunked_array([pa.array([row], pa.list_(pa.float32(), 2)) for row in rows])

    nan = float("nan")
    assert is_same(column([nan, 1.0], [2.0, nan]), pa.chunked_array([column([nan, 1.0], [2.0, nan]).combine_chunks()]))
    assert not is_same(column([nan, 1.0]), column([nan, 1.5]))
    assert not is_same(column([nan, 1.0]), column([0.0, 1.0]))
    lists, other = (
        pa.chunked_array([pa.array([[nan, second], None], pa.list_(pa.float64()))]) for second in (1.0, 2.0)
    )
    assert is_same(lists, pa.chunked_array([lists[:1].combine_chunks(), lists[1:].combine_chunks()]))
    assert not is_same(lists, other)
    assert not is_same(lists, pa.chunked_array([pa.array([None, [nan, 1.0]], lists.type)]))
    assert not is_same(lists, pa.chunked_array([pa.array([[nan], None], lists.type)]))
    assert is_same(pa.chunked_array([["a", "b"]]), pa.chunked_array([["a"], ["b"]]))
    assert not is_same(pa.chunked_array([["a"]]), pa.chunked_array([["b"]]))


FRAME = {
    "width": 64, "height": 48, "k": [50.0, 0, 32, 0, 50.0, 24, 0, 0, 1], "lens_model": "pinhole",
    "lens_coefficients": [0.0] * 8, "lens_limit": 1.5, "readout_s": 0.0,
    "world_from_camera": [1.0, 0, 0, 0, 0, 1.0, 0, 0, 0, 0, 1.0, 10.0, 0, 0, 0, 1.0],
}  # fmt: skip


def seen() -> dict[str, Any]:
    """Return a cube of 2 m around the origin, seen from 10 m above: its corners lie 50 / 9 or 50 / 11 px off."""
    corners = []
    for number in range(8):
        x, y, z = (1 if number >> axis & 1 else -1 for axis in range(3))
        corners += [32 + x * 50 / (10 - z), 24 - y * 50 / (10 - z)]
    return {
        "world_from_object": np.eye(3, 4).ravel().tolist(), "box_size_m": [2.0, 2.0, 2.0],
        "box_center_m": [0.0, 0.0, 0.0], "corners_px": corners, "range_m": 10.0, "azimuth_rad": 0.3,
        "elevation_rad": np.pi / 2,
    }  # fmt: skip


def test_corners_range_and_angles_follow_from_pose_and_camera() -> None:
    assert list(check_sight(seen(), FRAME)) == []
    assert list(check_sight({"bbox": [0, 0, 1, 1]}, FRAME)) == []
    shifted = [value + 0.1 for value in seen()["corners_px"]]
    lost = [float("nan")] * 2 + seen()["corners_px"][2:]
    for column, value in (("range_m", 10.01), ("elevation_rad", 1.5), ("box_size_m", [2, 2, 1.9]),
                          ("corners_px", shifted), ("corners_px", lost)):  # fmt: skip
        (what,) = check_sight(seen() | {column: value}, FRAME)
        assert what.split()[0] in (column, "corner")
    assert list(check_sight(seen() | {"corners_px": shifted}, FRAME | {"readout_s": 0.02})) == []
