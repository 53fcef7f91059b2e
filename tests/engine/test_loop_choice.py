"""Which weak slice is worth data: not the weakest, but the one that training lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.loop.choice import by_what_is_lacking, share_of
from tests.engine.toy_dataset import make_toy, toy_plan


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return training, of eight worlds, and validation, of the first four."""
    folder = tmp_path_factory.mktemp("sets")
    for name, worlds in (("training", 8), ("validation", 4)):
        make_toy(folder / name, range(worlds), toy_plan())
    return folder / "training", folder / "validation"


def test_what_training_lacks_comes_before_what_is_weaker(sets: tuple[Path, Path]) -> None:
    """Worlds below four are half as frequent in training; a stronger slice that is equally frequent comes last."""
    strong = {"name": "strong", "where": "f.world >= 0", "strength": 9.0}
    lacking = {"name": "lacking", "where": "f.world < 4", "strength": 1.0}
    (first, share), (second, other) = by_what_is_lacking([strong, lacking], *sets)
    assert (first["name"], second["name"]) == ("lacking", "strong")
    assert (share.training, share.validation, share.ratio) == (0.5, 1.0, 0.5)
    assert other.ratio == 1.0


def test_equals_are_ordered_by_their_effect(sets: tuple[Path, Path]) -> None:
    """Of two slices that are as frequent the stronger one is first."""
    slices = [
        {"name": name, "where": "f.world >= 0", "strength": strength} for name, strength in (("a", 1.0), ("b", 2.0))
    ]
    assert [one["name"] for one, _ in by_what_is_lacking(slices, *sets)] == ["b", "a"]


def test_a_share_is_of_instances_where_a_condition_chooses_them(sets: tuple[Path, Path]) -> None:
    """All labelled instances have an area; a picture with one does not count as a whole."""
    assert share_of(sets[0], "i.area_px >= 0") == 1.0
    classes = ("i.area_px < 40", "i.area_px >= 40")
    assert sum(share_of(sets[0], where) for where in classes) == pytest.approx(1.0)
