"""Class maps say what becomes of every class; splits keep together what belongs together; filters count."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import UserError
from engine.formats.classes import check_mapped, class_map_of, identity_map, read_class_map
from engine.formats.export import scan
from engine.formats.filters import Filters
from engine.formats.record import Category, Frame, Instance, Solid
from engine.formats.registry import Records
from engine.formats.splits import Groups, SplitPlan, by_number, check_filled, deal, parse_fractions
from tests.engine.toy_records import toy_records

CLASSES = (
    Category(1, "stuff"),
    Category(2, "floor", supercategory="stuff"),
    Category(3, "box"),
    Category(4, "tote"),
    Category(5, "person", keypoints=("head", "foot"), skeleton=((0, 1),)),
)
TWO = parse_fractions("train=0.8,val=0.2")


def test_without_a_map_every_class_is_itself_and_stuff_is_no_thing() -> None:
    mapped = identity_map(CLASSES)
    assert [c.name for c in mapped.categories] == ["stuff", "floor", "box", "tote", "person"]
    assert [c.isthing for c in mapped.categories] == [False, False, True, True, True]
    assert mapped.categories[4].keypoints == ("head", "foot")


def test_several_classes_become_one_and_ids_follow_the_order_of_the_map(tmp_path: Path) -> None:
    path = tmp_path / "classes.yaml"
    path.write_text("tote: {name: goods, color: [1, 2, 3], train_id: 7}\nbox: goods\nperson: human\n'*': null\n")
    mapped = read_class_map(path, CLASSES)
    goods, human = mapped.categories
    assert (goods.id, goods.name, goods.keys, goods.color, goods.train_id) == (
        0,
        "goods",
        ("box", "tote"),
        (1, 2, 3),
        7,
    )
    assert (human.id, human.name) == (1, "human")
    assert mapped.of_key["box"] is goods
    assert mapped.of_key["floor"] is None


def test_classes_that_the_map_does_not_mention_are_one_error_that_lists_them_all() -> None:
    mapped = class_map_of({"box": "box", "tote": None}, CLASSES, "map")
    check_mapped(mapped, {"box": 4, "tote": 1})
    with pytest.raises(UserError, match=re.escape("floor (3 instances), person (1 instances)")):
        check_mapped(mapped, {"person": 1, "floor": 3, "box": 1})


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"bax": "x"}, "no class 'bax'; near: box"),
        ({}, "expected a mapping"),
        ({"box": ["x"]}, "expected text"),
        ({"box": {"name": "x", "colour": [1, 2, 3]}}, "unknown key 'colour'"),
        ({"box": {"name": "x", "color": [1, 2, 300]}}, "0..255"),
        ({"box": {"name": "x", "train_id": 1}, "tote": {"name": "x", "train_id": 2}}, "different train_id"),
        ({1: "x"}, "not text"),
    ],
)
def test_a_bad_map_says_what_is_wrong(data: dict[object, object], says: str) -> None:
    with pytest.raises(UserError, match=re.escape(says)):
        class_map_of(data, CLASSES, "classes.yaml")


def test_classes_with_different_keypoints_do_not_become_one() -> None:
    classes = (*CLASSES, Category(6, "dog", keypoints=("nose",)))
    with pytest.raises(UserError, match="different keypoints"):
        class_map_of({"person": "animal", "dog": "animal", "*": None}, classes, "map")


@pytest.mark.parametrize("text", ["train", "train=0.5", "a=0.5,a=0.5", "a/b=1", "a=0.6,b=0.5", "a=-1,b=2", "a=nan"])
def test_bad_fractions_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--split"):
        parse_fractions(text)


@pytest.mark.parametrize("seed", range(5))
def test_fractions_of_worlds_are_met_to_two_at_any_count_and_no_world_ever_moves(seed: int) -> None:
    plan = SplitPlan(TWO, "world", seed)
    splits = [by_number(plan, world) for world in range(3000)]
    for count in (10, 100, 999, 3000):
        assert abs(Counter(splits[:count])["val"] - 0.2 * count) <= 2.0
    assert splits[:100] == [by_number(plan, world) for world in range(100)]


def test_seeds_give_different_splits() -> None:
    splits = {tuple(by_number(SplitPlan(TWO, "frame", seed), n) for n in range(50)) for seed in range(8)}
    assert len(splits) == 8


def test_groups_are_dealt_to_meet_the_fractions_whatever_their_order() -> None:
    sizes = dict(enumerate([50, 20, 10, 10, 5, 5]))
    dealt = deal(SplitPlan(TWO), sizes)
    assert dealt == deal(SplitPlan(TWO), dict(reversed(sizes.items())))
    assert sum(size for group, size in sizes.items() if dealt[group] == "val") == 20


def frames_with_assets(shown: list[list[int]]) -> Records:
    def instance(number: int, asset: int) -> Instance:
        solid = Solid(np.eye(3, 4), np.ones(3), np.zeros(3), np.zeros((8, 2)), asset)
        return Instance(number, "box" if asset < 100 else "floor", (0.0, 0.0, 1.0, 1.0), solid=solid)

    frames = [
        Frame(i, 8, 8, tuple(instance(n, asset) for n, asset in enumerate(assets, 1)), {})
        for i, assets in enumerate(shown)
    ]
    return Records("assets", CLASSES, tuple(frames))


def test_frames_that_share_an_asset_through_others_are_never_split() -> None:
    shown = [[1, 2], [3], [2, 4], [5], [4], [6, 3], [], [7]]
    plan = SplitPlan(TWO, "asset")
    split_of = scan(frames_with_assets(shown), plan).split_of_frame
    assert split_of is not None
    assert split_of[0] == split_of[2] == split_of[4]
    assert split_of[1] == split_of[5]
    assert set(split_of.values()) == {"train", "val"}
    back = Groups()
    for frame in reversed(range(len(shown))):
        back.add(frame, shown[frame])
    groups = back.of_frames()
    assert groups[0] == groups[2] == groups[4] != groups[1] == groups[5]


def test_one_asset_in_all_frames_is_an_error_unless_another_class_decides() -> None:
    records = frames_with_assets([[100, 1], [100, 2], [100, 3], [100, 4]])
    with pytest.raises(UserError, match="make 1 group"):
        scan(records, SplitPlan(TWO, "asset"))
    assert set(scan(records, SplitPlan(TWO, "asset", only_class="box")).splits) == {"train", "val"}
    with pytest.raises(UserError, match="no such class"):
        scan(records, SplitPlan(TWO, "asset", only_class="bax"))


def test_a_value_of_a_column_stays_in_one_split(tmp_path: Path) -> None:
    records = toy_records(tmp_path, worlds=8)
    split_of = scan(records, SplitPlan(parse_fractions("a=0.5,b=0.5"), "lum_mean")).split_of_frame
    assert split_of is not None
    even, odd = ({split_of[world] for world in range(first, 8, 2)} for first in (0, 1))
    assert len(even) == len(odd) == 1
    assert even != odd
    with pytest.raises(UserError, match="neither frame, world, asset nor a column"):
        scan(records, SplitPlan(TWO, "lum_men"))
    with pytest.raises(UserError, match="1 value"):
        scan(records, SplitPlan(TWO, "lens_model"))


def test_a_split_without_frames_is_refused() -> None:
    with pytest.raises(UserError, match="val would have no frame of 3"):
        check_filled(SplitPlan(TWO), {"train": 3})


def test_the_first_limit_that_is_broken_is_the_reason(tmp_path: Path) -> None:
    records = toy_records(tmp_path, worlds=6)
    instances = [instance for frame in records.frames() for instance in frame.instances]
    filters = Filters(min_visible_px=60, min_visible_fraction=0.5, min_side_px=8, max_truncation=0.3)
    for instance in instances:
        assert instance.amodal is not None
        assert instance.visible_px is not None
        whole, inside, seen = instance.amodal.full_px, instance.amodal.in_frame_px, instance.visible_px
        fails = [seen < 60, min(instance.box[2:]) < 8, seen / whole < 0.5, 1 - inside / whole > 0.3]
        reason = filters.reason(instance)
        assert (reason is None) == (not any(fails))
        if reason is not None:
            option = ("--min-visible-px", "--min-side-px", "--min-visible-fraction", "--max-truncation")[
                fails.index(True)
            ]
            assert reason.endswith(option)
    bare = replace(instances[0], amodal=None)
    with pytest.raises(UserError, match=r"labels\.amodal=true"):
        Filters(max_truncation=0.5).reason(bare)
