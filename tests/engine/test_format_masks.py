"""Outlines of masks enclose exactly their pixels, judged by an even-odd and a winding fill of their own."""

from __future__ import annotations

import numpy as np
from pycocotools import mask as coco_mask

from engine.formats.masks import box_of, bridged, decode, encode, filled, inset, rings_of, within_frame
from engine.formats.oriented import is_within, rectangle_within
from engine.formats.record import Mask

Pixels = np.ndarray


def random_masks(count: int) -> list[Pixels]:
    random = np.random.default_rng(5)
    masks = [random.random(random.integers(1, 14, 2)) < random.random() for _ in range(count)]
    hole = np.ones((7, 9), bool)
    hole[2:5, 3:6] = False
    hole[3, 4] = True  # an island in the hole
    return [hole, np.eye(5, dtype=bool), np.ones((1, 1), bool), *(mask for mask in masks if mask.any())]


def windings(ring: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return how often a ring goes around the centre of every pixel, by crossings of a ray to the right."""
    y, x = np.mgrid[0:height, 0:width] + 0.5
    turns = np.zeros((height, width), int)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0)):
        if y0 != y1:
            meets = (min(y0, y1) <= y) & (y < max(y0, y1)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
            turns += np.where(meets, 1 if y1 > y0 else -1, 0)
    return turns


def test_one_ring_encloses_parts_and_holes_under_both_rules_of_filling() -> None:
    for mask in random_masks(200):
        turns = windings(bridged(rings_of(mask)), *mask.shape)
        assert (turns % 2 == mask).all()
        assert ((turns != 0) == mask).all()


def test_rings_have_corners_only_and_go_around_as_many_edges_as_the_mask_has() -> None:
    for mask in random_masks(60):
        padded = np.pad(mask, 1).astype(int)
        edges = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
        sides = [np.roll(ring, -1, axis=0) - ring for ring in rings_of(mask)]
        assert sum(np.abs(side).sum() for side in sides) == edges
        for side in sides:
            assert ((side == 0).sum(axis=1) == 1).all()  # along an axis
            assert ((side[:, 0] == 0) != (np.roll(side, 1, axis=0)[:, 0] == 0)).all()  # and turning


def test_nothing_has_no_rings() -> None:
    assert rings_of(np.zeros((3, 4), bool)) == []


def test_a_ring_fills_to_its_mask_after_a_round_trip_through_shares_of_the_image() -> None:
    for mask in random_masks(100):
        size = np.array(mask.shape[::-1])
        shares = [float(f"{value:.9f}") for value in (bridged(rings_of(mask)) / size).ravel()]
        assert (filled(np.reshape(shares, (-1, 2)) * size, *mask.shape) == mask).all()


def test_a_ring_cut_to_whole_numbers_has_its_corners_on_pixels_of_the_mask() -> None:
    """So ultralytics cuts it, and paints corners and edges as well; by centres it still fills to the mask."""
    for mask in random_masks(200):
        rings = rings_of(mask)
        ring = bridged(rings, [inset(ring, 1 / 64) for ring in rings])
        x, y = ring.astype(np.int32).T
        assert mask[y, x].all()
        assert (windings(ring, *mask.shape) % 2 == mask).all()
        assert (filled(ring, *mask.shape) == mask).all()


def test_masks_are_those_of_pycocotools() -> None:
    for mask in random_masks(20):
        plain = {"size": list(mask.shape), "counts": encode(mask).counts}
        assert (coco_mask.decode(plain) == mask).all()
        assert (decode(encode(mask)) == mask).all()
        assert list(box_of(mask)) == coco_mask.toBbox(plain).tolist()


def test_a_mask_on_a_canvas_that_leaves_the_frame_is_cut() -> None:
    whole = np.random.default_rng(1).random((20, 30)) < 0.5
    mask = encode(whole, x=-7, y=-4)
    assert (within_frame(mask, 12, 9) == whole[4:13, 7:19]).all()
    assert not within_frame(Mask(mask.counts, 20, 30, 100, 0), 12, 9).any()


def test_the_smallest_rectangle_is_found_and_stays_in_the_frame() -> None:
    """A strip at 30 degrees has its own rectangle; in a corner of the frame the upright box takes its place."""
    angle = np.radians(30.0)
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    strip = np.array([[0.0, 0.0], [40.0, 0.0], [40.0, 6.0], [0.0, 6.0]]) @ axes + [20.0, 20.0]
    found = rectangle_within(strip, 100, 100)
    assert np.allclose(sorted(map(tuple, found.round(6))), sorted(map(tuple, strip.round(6))))
    diagonal = np.concatenate(rings_of(np.eye(20, dtype=bool))).astype(float)
    free = rectangle_within(diagonal + 5, 30, 30) - 5
    assert not is_within(free, 20, 20)
    assert np.sqrt(2.0) * 20.5 > np.ptp(free @ [1.0, 1.0]) / np.sqrt(2.0) > 20.0
    fitted = rectangle_within(diagonal, 20, 20)
    assert sorted(map(tuple, fitted.round(9))) == [(0, 0), (0, 20), (20, 0), (20, 20)]
