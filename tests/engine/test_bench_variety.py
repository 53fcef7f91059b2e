"""The bench of variety tells worlds apart, and finds one that was there before."""

from __future__ import annotations

import numpy as np

from bench import variety
from bench.variety import Thumbnails


def test_a_planted_repeat_is_found_among_rendered_worlds():
    """World 1 twice: it is the one repeat, the most alike pair, and its differences are exactly none."""
    seen = variety.thumbnails("tabletop", [0, 1, 2, 3, 1, 4], device="cpu")
    found = variety.variety(seen)
    assert len(found.layout) == 15
    repeats = np.flatnonzero(found.repeat)
    assert [(int(found.first[k]), int(found.second[k])) for k in repeats] == [(1, 4)]
    assert found.layout[repeats[0]] == found.picture[repeats[0]] == 0.0
    rows = variety.rows_of("tabletop", seen)
    assert rows["repeats"] == 1
    assert rows["most_alike"] == "1 1"


def test_differences_are_shares_of_pixels_and_root_mean_squares_of_levels():
    instance = np.array([[1, 1, 2, 2], [1, 1, 2, 3], [1, 1, 2, 2]], np.int32)
    rgb = np.array([[0.0] * 12, [0.0] * 12, [6.0] * 12], np.float32)
    found = variety.variety(Thumbnails(np.arange(3), instance, rgb))
    assert found.layout.tolist() == [0.25, 0.0, 0.25]
    assert found.picture.tolist() == [0.0, 6.0, 6.0]
    assert found.repeat.tolist() == [False, False, False]  # each pair differs in one of the two
