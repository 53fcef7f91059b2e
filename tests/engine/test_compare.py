"""`diff`: every planted change of parameters, classes, columns and files is found, at its level, and nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.collect.intent import DatasetRef, Ingest, Mixture, Selection
from engine.compare.columns import Index
from engine.compare.diff import compare_counts, diff
from engine.compare.distributions import compare_distributions, compare_names
from engine.compare.files import compare_files
from engine.compare.model import LEVELS
from engine.compare.parameters import compare_parameters
from engine.compare.taxonomies import compare_taxonomies
from engine.dataset.__main__ import main
from engine.dataset.manifest import Counts
from engine.errors import UserError
from engine.scene.taxonomy import ObjectClass, Taxonomy
from engine.write.record import json_bytes
from tests.engine.toy_dataset import TAXONOMY, make_toy, toy_plan, toy_recipe

SUN = {"kind": "sun_angle", "elevation_deg": {"law": "uniform", "low": 2, "high": 8}, "azimuth_deg": 3}


def lines(found: list[Any]) -> list[str]:
    return [f"{one.change} {one.subject}: {one.text}" for one in found]


def test_a_law_that_is_wider_is_one_line_with_its_range() -> None:
    """Values before and after, a law that is another kind as a whole, keys that came and went."""
    after = {
        "sun": {**SUN, "elevation_deg": {"law": "uniform", "low": 2, "high": 12},
                "azimuth_deg": {"law": "normal", "mean": 0, "std": 5}},
        "fog": {"kind": "fog"},
    }  # fmt: skip
    one = replace(toy_recipe(), randomize={"sun": SUN, "rain": {"kind": "rain"}})
    two = replace(toy_recipe(seed=8), randomize=after)
    assert lines(compare_parameters(one, two)) == [
        'added randomize.fog: added, {"kind": "fog"}',
        'removed randomize.rain: removed, was {"kind": "rain"}',
        "changed randomize.sun.azimuth_deg: 3 -> normal(mean 0, std 5)",
        "changed randomize.sun.elevation_deg.high: 8 -> 12",
        "changed seed: 7 -> 8",
    ]
    assert compare_parameters(one, one) == []


def test_assets_are_compared_by_path() -> None:
    """One more in front of the list changes one line, not all of them."""
    recipe = toy_recipe()
    own = recipe.assets[0]
    more = replace(recipe, assets=(replace(own, path="a.usda"), replace(own, sha256="cd" * 32)))
    assert [one.subject for one in compare_parameters(recipe, more)] == [
        "assets.[a.usda]", "assets.[toy.usda].sha256"
    ]  # fmt: skip


def test_what_was_made_in_another_way_is_one_line() -> None:
    """And what was made from the earlier one says how."""
    taken = Ingest("tiles", TAXONOMY.id, (), True, "coco", "ab" * 32, "", "")
    assert lines(compare_parameters(toy_recipe(), taken)) == ["changed schema: rendered (toy) -> taken in (tiles)"]
    ref = DatasetRef("ds_0123456789abcdef", "r", "t", "c", "real", True, 9, "tiles")
    chosen = Selection("dark", TAXONOMY.id, (), True, (ref,), "lum_mean < 0.2", 5, 1)
    (line,) = lines(compare_parameters(taken, chosen, parent=ref.dataset_id))
    assert line.endswith("was selected from the earlier where lum_mean < 0.2, 5 drawn with seed 1")
    mixed = Mixture("all", TAXONOMY.id, (), True, (replace(ref, dataset_id="ds_fedcba9876543210", name="toy"), ref))
    (line,) = lines(compare_parameters(taken, mixed, parent=ref.dataset_id))
    assert line.endswith("was mixed from the earlier and toy")
    wider = replace(taken, options={"group": "surface"}, licence="CC0")
    assert lines(compare_parameters(taken, wider)) == [
        'changed licence: "" -> "CC0"', 'added options.group: added, "surface"'
    ]  # fmt: skip


def classes(*rows: ObjectClass) -> Taxonomy:
    return Taxonomy("2", rows)


BOX, LID = ObjectClass(1, "box", "Box", definition="a box"), ObjectClass(2, "lid", "Lid")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ((BOX,), ["removed class lid: removed, was id 2"]),
        ((BOX, LID, ObjectClass(3, "bag", "Bag")), ["added class bag: added, id 3"]),
        ((replace(BOX, id=7), LID), ["renumbered class box: id 1 -> 7"]),
        ((replace(BOX, definition="a closed box"), LID), ['redefined class box: definition "a box" -> "a closed box"']),
        ((replace(BOX, keypoints=("top",)), LID), ['redefined class box: keypoints [] -> ["top"]']),
        ((replace(BOX, name="Carton"), LID), ['changed class box: name "Box" -> "Carton"']),
        (
            (replace(BOX, key="carton"), LID),
            ["renamed class box: renamed to 'carton', id 1, if it is the same class; else the id was used again"],
        ),
        ((replace(LID, id=1), BOX), []),
    ],
)
def test_every_change_of_a_class_has_a_name(after: tuple[ObjectClass, ...], expected: list[str]) -> None:
    if not expected:  # two classes that changed places: both are renumbered, which breaks all labels
        found = compare_taxonomies(classes(BOX, LID), classes(replace(LID, id=1), replace(BOX, id=2)))
        assert {one.change for one in found} == {"renumbered"}
        assert {one.subject for one in found} == {"class box", "class lid"}
        return
    assert lines(compare_taxonomies(classes(BOX, LID), classes(*after), {"box", "lid", "bag"})) == expected


def test_classes_without_labels_share_a_line() -> None:
    """Unless their number is another class's now."""
    many = [ObjectClass(10 + n, f"c{n:02d}", "") for n in range(20)]
    found = compare_taxonomies(classes(BOX, *many), classes(BOX, ObjectClass(10, "lid", "Lid")), {"box", "lid"})
    assert [one.change for one in found] == ["renamed", "changed", "removed"]
    assert found[2].text.startswith("19 removed that nothing is labelled with: c01, c02")
    assert len(found[2].facts["keys"]) == 19


def test_counts_that_differ_are_said_with_their_share() -> None:
    one, two = Counts(2, 4, 10, 0, {"box": 10}), Counts(2, 6, 11, 0, {"box": 5, "lid": 6})
    assert [str(each) for each in compare_counts(one, two)] == [
        "counts       frames: 4 -> 6 (+50.0%)", "counts       instances: 10 -> 11 (+10.0%)",
        "counts       class box: 10 -> 5 (-50.0%)", "counts       class lid: 0 -> 6",
    ]  # fmt: skip


def write_index(out: Path, frames: dict[str, Any], **tables: dict[str, Any]) -> Path:
    """Write an index of these columns; worlds and instances as given or with what has to be there."""
    (out / "index").mkdir(parents=True)
    (out / "recipe.json").write_bytes(json_bytes(Mixture("set", "0" * 64, (), True, ())))
    count = len(next(iter(frames.values())))
    number = np.arange(count)
    frames = {"frame_id": number, "world": number, "step": np.zeros(count, np.int32), **frames}
    none: dict[str, Any] = {name: pa.array([], kind) for name, kind in {
        "frame_id": pa.int64(), "world": pa.int64(), "class": pa.string(), "class_id": pa.int32(),
        "bbox": pa.list_(pa.float32(), 4), "area_px": pa.int32()}.items()}  # fmt: skip
    rest = {"worlds": {"world": number, "step": np.zeros(count, np.int32)}, "instances": none, **tables}
    for name, columns in {"frames": frames, **rest}.items():
        pq.write_table(pa.table(columns), out / f"index/{name}.parquet")
    return out


def spread(out: Path, seed: int, **shift: float) -> Path:
    """Write 600 frames with columns of many kinds, drawn anew; `shift` moves some of them."""
    random = np.random.default_rng(seed)
    normal = {name: random.normal(size=600) + shift.get(name, 0.0) for name in ("bright", "blur", "drawn", "size")}
    weather = np.where(random.uniform(size=600) < 0.5 + shift.get("weather", 0.0), "dry", "wet")
    pose = random.normal(size=(600, 16)) + shift.get("pose", 0.0) * np.eye(16)[3]
    known = np.where(random.uniform(size=600) < 0.9 - shift.get("known", 0.0), 1.0, np.nan)
    frames = {
        "bright": normal["bright"].astype(np.float32), "blur": normal["blur"], "weather": weather,
        "lens": pa.array(known, from_pandas=True), "is_odd": random.uniform(size=600) < 0.5 + shift.get("is_odd", 0.0),
        "world_from_camera": pa.FixedSizeListArray.from_arrays(pa.array(pose.ravel()), 16),
    }  # fmt: skip
    worlds = {"world": np.arange(600), "step": np.zeros(600, np.int32), "p.sun.deg": normal["drawn"]}
    lists = [random.normal(shift.get("list", 0.0), 1.0, size=n % 3).tolist() for n in range(600)]
    worlds["p.loads"] = pa.array(lists, pa.list_(pa.float64()))
    label = random.choice(["box", "lid"], 600, p=[0.5 + shift.get("class", 0.0), 0.5 - shift.get("class", 0.0)])
    box = np.abs(np.stack([normal["size"]] * 4, axis=1)) + 5.0
    depth = random.normal(size=600) + np.where(label == "lid", shift.get("depth", 0.0), 0.0)
    instances = {
        "frame_id": np.arange(600), "world": np.arange(600), "class": label, "class_id": np.ones(600, np.int32),
        "bbox": pa.FixedSizeListArray.from_arrays(pa.array(box.astype(np.float32).ravel()), 4),
        "area_px": np.ones(600, np.int32), "depth_m": depth,
    }  # fmt: skip
    return write_index(out, frames, worlds=worlds, instances=instances)


PLANTED = {
    "bright": ("frames.bright", 0.4), "weather": ("frames.weather", 0.15), "is_odd": ("frames.is_odd", 0.15),
    "pose": ("frames.world_from_camera.x", 0.5), "drawn": ("worlds.p.sun.deg", 0.4),
    "list": ("worlds.p.loads[]", 0.5), "class": ("instances.class", 0.15),
    "depth": ("instances.depth_m of lid", 0.6), "known": ("frames.lens (known)", 0.2),
}  # fmt: skip


@pytest.mark.parametrize("name", [*PLANTED, ""])
def test_a_planted_shift_is_found_in_its_column_and_no_other(tmp_path: Path, name: str) -> None:
    """Numbers, words, flags, poses, lists, classes, one class alone, and what became unknown; without one, nothing."""
    subject, size = PLANTED.get(name, ("", 0.0))
    one, two = spread(tmp_path / "one", 1), spread(tmp_path / "two", 2, **({name: size} if name else {}))
    tests = compare_distributions(Index(one), Index(two))
    assert [one.subject for one in tests.differences()] == ([subject] if name else [])
    assert {subject for subject, _ in PLANTED.values()} <= {one.subject for one in tests.tested}
    assert compare_names(Index(one), Index(two)) == []


def test_frames_of_one_surface_do_not_make_a_difference(tmp_path: Path) -> None:
    """Two halves of the same surfaces, thirty frames each, whose brightness is that of the surface."""
    random = np.random.default_rng(6)

    def write(out: Path, *, named: bool) -> Path:
        bright = np.repeat(random.normal(size=12), 30) + 0.1 * random.normal(size=360)
        surface = {"surface": np.repeat([f"s{n}" for n in range(12)], 30)} if named else {}
        return write_index(out, {"bright": bright, **surface})

    found = {}
    for named in (True, False):
        one, two = (write(tmp_path / f"{named}{n}", named=named) for n in range(2))
        found[named] = compare_distributions(Index(one), Index(two))
    assert found[True].groups == ("surface", "surface")
    assert [one.facts["groups"] for one in found[True].tested if one.subject == "frames.bright"] == [[12, 12]]
    assert found[True].differences() == []
    assert [one.subject for one in found[False].differences()] == ["frames.bright"]


def test_columns_that_one_has_alone_are_named(tmp_path: Path) -> None:
    one = write_index(tmp_path / "one", {"bright": np.zeros(9), "old": np.zeros(9)})
    two = write_index(tmp_path / "two", {"bright": np.zeros(9), "new": np.zeros(9)})
    assert [found.text for found in compare_names(Index(one), Index(two))] == [
        "1 column removed: old", "1 column added: new"
    ]  # fmt: skip


def pictures(out: Path, names: dict[str, str], boxes: dict[str, float] | None = None) -> Path:
    """Write an index of pictures by path and content, each with one label of this width."""
    count = len(names)
    digests = [hashlib.sha256(content.encode()).digest() for content in names.values()]
    widths = [(boxes or {}).get(path, 5.0) for path in names]
    labels = {
        "frame_id": np.arange(count), "world": np.arange(count), "class": ["box"] * count,
        "class_id": np.ones(count, np.int32), "area_px": np.full(count, 9, np.int32),
        "bbox": pa.array([[1.0, 1.0, width, 2.0] for width in widths], pa.list_(pa.float32(), 4)),
    }  # fmt: skip
    frames = {"image": list(names), "image_sha256": pa.array(digests, pa.binary(32))}
    return write_index(out, frames, instances=labels)


def test_files_are_followed_by_their_content(tmp_path: Path) -> None:
    """Added, removed, changed in place, moved; a copy counts as many times as the other has it."""
    before = {"a": "A", "b": "B", "c": "C", "d": "D", "e": "same", "f": "same"}
    after = {"a": "A", "b": "B2", "x/c": "C", "n": "N", "x/e": "same"}
    found = compare_files(pictures(tmp_path / "one", before), pictures(tmp_path / "two", after))
    facts = {one.change: (one.facts["count"], one.facts["paths"]) for one in found}
    assert facts == {
        "changed": (1, ["b"]), "added": (1, ["n"]), "removed": (2, ["d", "f"]),
        "moved": (2, [["c", "x/c"], ["e", "x/e"]]),
    }  # fmt: skip
    assert compare_files(tmp_path / "one", tmp_path / "one") == []


def test_pictures_that_changed_places_are_moved(tmp_path: Path) -> None:
    """Both paths have other content, and no content is new."""
    found = compare_files(
        pictures(tmp_path / "one", {"a": "A", "b": "B"}), pictures(tmp_path / "two", {"a": "B", "b": "A"})
    )  # fmt: skip
    assert [(one.change, one.facts["paths"]) for one in found] == [("moved", [["a", "b"], ["b", "a"]])]


def test_a_picture_with_other_labels_is_named(tmp_path: Path) -> None:
    """Also under another path; the order of rows and the width of floats do not matter."""
    one = pictures(tmp_path / "one", {"a": "A", "b": "B", "c": "C"})
    two = pictures(tmp_path / "two", {"x/a": "A", "x/b": "B", "x/c": "C"}, {"x/b": 6.0})
    table = pq.read_table(two / "index/instances.parquet")
    place = table.column_names.index("bbox")
    wide = table.set_column(place, "bbox", table["bbox"].cast(pa.list_(pa.float64(), 4)))
    pq.write_table(wide.take([2, 0, 1]), two / "index/instances.parquet")
    found = {found.change: found.facts for found in compare_files(one, two)}
    assert found["relabelled"] == {"count": 1, "paths": [["b", "x/b"]]}


def test_the_command_says_what_differs_and_how_it_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0: equal. 1: different, one line each by level, the same as JSON. 2: no dataset."""
    for name, worlds, seed in (("one", 3, 7), ("copy", 3, 7), ("two", 4, 8)):
        make_toy(tmp_path / name, range(worlds), toy_plan(seed=seed))
    one, copy, two = (str(tmp_path / name) for name in ("one", "copy", "two"))
    assert main(["diff", one, copy]) == 0
    assert capsys.readouterr().out.startswith("equal: one (ds_")
    assert main(["diff", one, two, "--json", str(tmp_path / "diff.json")]) == 1
    printed = capsys.readouterr().out.splitlines()
    report = json.loads((tmp_path / "diff.json").read_text())
    assert (report["schema"], report["equal"]) == ("diff/1", False)
    assert len(printed) == 2 + sum(len(report[level]) for level in LEVELS)
    levels = [line.split()[0] for line in printed[1:-1]]
    assert levels == sorted(levels, key=LEVELS.index)  # type: ignore[arg-type]
    assert "parameter    seed: 7 -> 8" in printed
    assert any(line.startswith("counts       frames: 3 -> 4") for line in printed)
    assert len({test["subject"] for test in report["tests"]} | set(report["not_tested"])) > 20
    assert main(["diff", one, str(tmp_path)]) == 2
    assert main(["diff", one, two, "--json", str(tmp_path / "one/diff.json")]) == 2  # its manifest names all its files
    assert capsys.readouterr().err.count("\n") == 2


def test_a_damaged_index_is_an_error_of_one_line(tmp_path: Path) -> None:
    make_toy(tmp_path / "one", range(2), toy_plan())
    make_toy(tmp_path / "two", range(3), toy_plan())
    path = tmp_path / "two/index/frames.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"frames\.parquet cannot be read"):
        diff(tmp_path / "one", tmp_path / "two")
