"""Taxonomies over their versions: what must be recorded, what labels become, what an export refuses, what drifted."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pycocotools.coco import COCO

from engine._layout import data_root
from engine.dataset.__main__ import main
from engine.scene.taxonomy import Taxonomy, taxonomy_from_json
from engine.scene.taxonomy_changes import check_successor, check_taxonomy, mapping_between, steps_between
from tests.engine.toy_dataset import TAXONOMY, make_toy, toy_plan

ONE: dict[str, Any] = {
    "schema": "taxonomy/1", "version": "1.0.0", "classes": [
        {"id": 1, "key": "defect", "definition": "What is wrong."},
        {"id": 3, "key": "scratch", "parent": "defect", "definition": "A groove."},
        {"id": 4, "key": "scuff", "parent": "defect", "definition": "Fine rubs."},
        {"id": 7, "key": "dent", "parent": "defect", "definition": "A hollow."},
    ],
}  # fmt: skip


def later(*changes: dict[str, Any], since: str = "1.0.0", base: dict[str, Any] = ONE, **edits: Any) -> dict[str, Any]:
    """Return version 2.0.0: `edits` maps keys to fields that differ, None removes the class."""
    plain = copy.deepcopy(base)
    plain["version"] = "2.0.0"
    plain["classes"] = [
        c | (edits.get(c["key"]) or {}) for c in plain["classes"] if edits.get(c["key"], c) is not None
    ]  # fmt: skip
    plain["classes"] += edits.get("new", [])
    plain["changes"] = [*plain.get("changes", []), *({"from": since} | change for change in changes)]
    if "retired" in edits:
        plain["retired"] = edits["retired"]
    return plain


def says(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [str(finding) for finding in check_successor(taxonomy_from_json(old), taxonomy_from_json(new))]


SPLIT = later(
    {"op": "split", "class": "scratch", "into": ["scratch", "gouge"]}, scratch={"definition": "A thin groove."},
    new=[{"id": 8, "key": "gouge", "parent": "defect", "definition": "A wide groove."}],
)  # fmt: skip
MERGE = later(
    {"op": "merge", "class": "scuff", "into": ["scratch"]}, scuff=None, retired=[{"id": 4, "key": "scuff"}]
)  # fmt: skip
RENAME = later({"op": "rename", "class": "dent", "into": ["dimple"]}, dent={"key": "dimple"})
RETIRE = later({"op": "retire", "class": "dent"}, dent=None, retired=[{"id": 7, "key": "dent"}])
ADD = later({"op": "add", "class": "crack"}, new=[{"id": 9, "key": "crack", "definition": "A line."}])
REDEFINE = later({"op": "redefine", "class": "dent"}, dent={"definition": "A hollow deeper than 0.1 mm."})


def test_ids_do_not_change_by_fields_that_are_not_used() -> None:
    """The id that version 0.4 of the program gave to the shipped list, and to a list of two classes."""
    shipped = taxonomy_from_json(json.loads((data_root() / "scenes_usd/taxonomy.json").read_text("utf-8")))
    assert set(shipped.to_json()) == {"schema", "version", "classes"}
    assert TAXONOMY.id == "tax_35d6bd073384ddd2"
    assert check_taxonomy(shipped) == ()


def test_a_taxonomy_with_a_history_is_written_as_it_was_read() -> None:
    plain = later({"op": "retire", "class": "dent"}, dent=None, retired=[{"id": 7, "key": "dent"}],
                  scuff={"aliases": ["rub"], "min_area_px": 4})  # fmt: skip
    once = taxonomy_from_json(plain)
    assert taxonomy_from_json(once.to_json()) == once
    assert once.classes[2].aliases == ("rub",)
    assert once.id != taxonomy_from_json(ONE).id


@pytest.mark.parametrize("new", [SPLIT, MERGE, RENAME, RETIRE, ADD, REDEFINE])
def test_a_recorded_change_makes_a_successor(new: dict[str, Any]) -> None:
    assert says(ONE, new) == []
    assert says(ONE, ONE) == []


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (RENAME | {"changes": []}, 'class dent (id 7) is called dimple in version 2.0.0, and no change says so; record {"from": "1.0.0", "op": "rename"'),  # noqa: E501
        (later(dent=None), 'class dent (id 7) is gone from version 2.0.0, and no change says so; record {"from": "1.0.0", "op": "retire", "class": "dent"}'),  # noqa: E501
        (later({"op": "retire", "class": "dent"}, dent=None), 'class dent (id 7) is not in "retired", so that its id may be given again'),  # noqa: E501
        (later({"op": "retire", "class": "dent"}, {"op": "add", "class": "crack"}, dent=None, new=[{"id": 7, "key": "crack"}]), "class crack (id 7) has the id of dent, ids are never used again; take 8"),  # noqa: E501
        (later(dent={"id": 12}), "class dent (id 7) has id 12 now, ids stay with their class; give it id 7 again"),
        (later(new=[{"id": 9, "key": "crack"}]), 'class crack (id 9) is new, and no change says so; record {"from": "1.0.0", "op": "add", "class": "crack"}'),  # noqa: E501
        (REDEFINE | {"changes": []}, "class dent (id 7) has another definition, and no change says so"),
        (SPLIT | {"changes": []}, "class gouge (id 8) is new, and no change says so"),
        (later({"op": "retire", "class": "dint"}), "class dint is not in version 1.0.0, from which changes retire it"),
        (RENAME | {"version": "1.0.0"}, 'class - of version 1.0.0 differ between the two; write another "version"'),
    ],
)  # fmt: skip
def test_what_is_not_recorded_is_named_with_class_id_and_repair(new: dict[str, Any], expected: str) -> None:
    found = says(ONE, new)
    assert any(line.startswith(expected) for line in found), found


def test_an_id_of_a_class_that_was_retired_long_ago_is_not_used_again() -> None:
    third = later({"op": "add", "class": "crack"}, since="2.0.0", base=RETIRE, new=[{"id": 7, "key": "crack"}])
    third |= {"version": "3.0.0", "retired": []}
    assert any("class crack (id 7) has the id of dent" in line for line in says(RETIRE, third))
    assert any("class crack (id 7) has the id of dent" in line for line in says(ONE, third))
    with pytest.raises(ValueError, match="class id 7 is that of the retired class dent and cannot be used again"):
        taxonomy_from_json(third | {"retired": [{"id": 7, "key": "dent"}]})


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ({"scratch": {"parent": "damage"}}, "class scratch (id 3) has the parent damage, which is no class"),
        ({"defect": {"parent": "dent"}}, "class defect (id 1) descends from itself: defect -> dent -> defect"),
        ({"scuff": {"definition": " "}}, "class scuff (id 4) has no definition"),
        ({"scuff": {"aliases": ["rub"]}, "dent": {"aliases": ["rub"]}}, "class dent (id 7) has the alias rub, which is that of class scuff"),  # noqa: E501
        ({"dent": {"aliases": ["scuff"]}}, "class dent (id 7) has the alias scuff, which is that of class scuff"),
    ],
)  # fmt: skip
def test_a_taxonomy_is_sound_in_itself(edit: dict[str, Any], expected: str) -> None:
    assert check_taxonomy(taxonomy_from_json(ONE)) == ()
    assert any(str(f).startswith(expected) for f in check_taxonomy(taxonomy_from_json(later(**edit))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"op": "split", "class": "dent", "into": ["pit"]}, "split of dent: into must name at least two classes"),
        ({"op": "merge", "class": "dent", "into": ["pit", "hole"]}, "merge of dent: into must name one class"),
        ({"op": "retire", "class": "dent", "into": ["pit"]}, "retire of dent: into must name nothing"),
        ({"op": "swap", "class": "dent"}, "dent: op 'swap' is not one of: split, merge, rename, add, retire, redefine"),
    ],
)
def test_a_change_that_says_nothing_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("'", ".")):
        taxonomy_from_json(later(change))


def test_labels_follow_renames_and_merges_and_wait_for_a_rule_at_splits() -> None:
    old = taxonomy_from_json(ONE)
    same = {c.key: c.key for c in old.classes}
    assert mapping_between(old, taxonomy_from_json(RENAME)) == (same | {"dent": "dimple"}, ())
    assert mapping_between(old, taxonomy_from_json(MERGE)) == (same | {"scuff": "scratch"}, ())
    split = taxonomy_from_json(SPLIT)
    _, found = mapping_between(old, split)
    assert [str(f) for f in found] == [
        "class scratch (id 3) cannot be converted: scratch was split into scratch, gouge after version 1.0.0; "
        "decide: --rule scratch=scratch or --rule scratch=gouge or --rule scratch=null to drop"
    ]
    assert mapping_between(old, split, {"scratch": "gouge"}) == (same | {"scratch": "gouge"}, ())
    twice = later({"op": "merge", "class": "gouge", "into": ["dent"]}, since="2.0.0", base=SPLIT)
    assert steps_between(old, taxonomy_from_json(twice))["scratch"].into == ("scratch", "dent")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("taxonomy") / "toy"
    make_toy(out, range(6), toy_plan())
    return out


def write(path: Path, taxonomy: dict[str, Any]) -> str:
    path.write_text(json.dumps(taxonomy), encoding="utf-8")
    return str(path)


def toys(*changes: dict[str, Any], classes: list[dict[str, Any]], retired: list[dict[str, Any]]) -> dict[str, Any]:
    plain = TAXONOMY.to_json() | {"version": "2.0.0", "classes": classes, "retired": retired}
    return plain | {"changes": [{"from": "1.0.0"} | change for change in changes]}


CARTON, PALLET = TAXONOMY.to_json()["classes"]
RENAMED = toys(
    {"op": "rename", "class": "carton", "into": ["box"]}, classes=[CARTON | {"key": "box"}, PALLET], retired=[]
)
MERGED = toys(
    {"op": "add", "class": "load"}, {"op": "merge", "class": "carton", "into": ["load"]},
    {"op": "merge", "class": "pallet", "into": ["load"]}, classes=[{"id": 9, "key": "load", "definition": "Both."}],
    retired=[{"id": 1, "key": "carton"}, {"id": 3, "key": "pallet"}],
)  # fmt: skip
SPLIT_TOY = toys({"op": "split", "class": "pallet", "into": ["pallet", "skid"]},
                 classes=[CARTON, PALLET | {"definition": "With deck boards."}, {"id": 9, "key": "skid"}], retired=[])  # fmt: skip  # noqa: E501


def test_an_export_with_the_same_taxonomy_passes(toy: Path, tmp_path: Path) -> None:
    assert main(["export", str(toy), "--format", "coco", "--out", str(tmp_path / "a"), "--taxonomy", str(toy)]) == 0
    report = json.loads((tmp_path / "a/export.json").read_text())
    assert report["taxonomy_id"] == TAXONOMY.id


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (RENAMED | {"changes": []}, "class carton (id 1) is called box in version 2.0.0, and no change says so"),
        (SPLIT_TOY, "class pallet (id 3) cannot be converted: pallet was split into pallet, skid after version 1.0.0"),
        (TAXONOMY.to_json() | {"version": "2", "classes": [CARTON]}, "class pallet (id 3) is gone from version 2"),
        (TAXONOMY.to_json() | {"version": "2", "classes": [CARTON, PALLET | {"definition": "Wood."}]}, "class pallet (id 3) has another definition"),  # noqa: E501
        (TAXONOMY.to_json() | {"version": "2", "classes": [CARTON, PALLET | {"keypoints": ["a"]}]}, "class pallet (id 3) has another keypoints"),  # noqa: E501
    ],
)  # fmt: skip
def test_an_export_for_another_taxonomy_fails_with_the_class_named(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], expected: dict[str, Any], message: str
) -> None:
    file = write(tmp_path / "expected.json", expected)
    assert main(["export", str(toy), "--format", "coco", "--out", str(tmp_path / "a"), "--taxonomy", file]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(("expected", "names"), [(RENAMED, {"box", "pallet"}), (MERGED, {"load"})])
def test_an_export_for_a_later_version_without_loss_has_its_classes(
    toy: Path, tmp_path: Path, expected: dict[str, Any], names: set[str]
) -> None:
    file = write(tmp_path / "expected.json", expected)
    assert main(["export", str(toy), "--format", "coco", "--out", str(tmp_path / "a"), "--taxonomy", file]) == 0
    report = json.loads((tmp_path / "a/export.json").read_text())
    assert {c["name"] for c in report["classes"]} == names
    assert report["converted_from"] == TAXONOMY.id
    labels = next((tmp_path / "a").rglob("instances*.json"))
    count = pq.read_table(toy / "index/instances.parquet", filters=[("class_id", ">", 0)]).num_rows
    assert len(COCO(str(labels)).getAnnIds()) == count


def test_a_converted_dataset_is_sound_and_older_trainers_are_refused(
    toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pictures are linked, class maps have the new ids, and verify finds no fault."""
    file, out = write(tmp_path / "new.json", MERGED), tmp_path / "toy2"
    assert main(["taxonomy", "convert", str(toy), "--to", file, "--out", str(out)]) == 0
    assert main(["verify", str(out)]) == 0
    before, after = (pq.read_table(folder / "index/instances.parquet") for folder in (toy, out))
    assert set(after["class_id"].to_pylist()) == {0, 9}
    assert after["area_px"] == before["area_px"]
    frame = pq.read_table(out / "index/frames.parquet").to_pylist()[0]
    old, new = (np.asarray(Image.open(folder / frame["class_map"])) for folder in (toy, out))
    assert (new == np.where(old > 0, 9, 0)).all()
    assert (out / frame["image"]).stat().st_ino == (toy / frame["image"]).stat().st_ino
    assert json.loads((out / "recipe.json").read_text())["classes"] == {"carton": "load", "pallet": "load"}
    again = ["export", str(out), "--format", "coco", "--out", str(tmp_path / "a"), "--taxonomy", str(toy)]
    assert main(again) == 2
    assert "is version 1.0.0, older than version 2.0.0 of the dataset: class carton" in capsys.readouterr().err


def test_a_split_is_converted_by_a_rule_alone(toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "taxonomy",
        "convert",
        str(toy),
        "--to",
        write(tmp_path / "n.json", SPLIT_TOY),
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(command) == 1
    assert "FAULT class pallet (id 3) cannot be converted" in capsys.readouterr().out
    assert not (tmp_path / "o").exists()
    assert main([*command, "--rule", "pallet=null"]) == 0
    assert set(pq.read_table(tmp_path / "o/index/instances.parquet")["class"].to_pylist()) == {"", "carton"}
    assert main(["verify", str(tmp_path / "o")]) == 0
    assert main([*command, "--rule", "pallet=skit"]) == 2


def test_the_command_checks_and_shows(toy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, wrong = write(tmp_path / "a.json", RENAME), write(tmp_path / "b.json", RENAME | {"changes": []})
    old = write(tmp_path / "old.json", ONE)
    assert main(["taxonomy", "check", file, "--against", old]) == 0
    assert "follows version 1.0.0; labels convert" in capsys.readouterr().out
    assert main(["taxonomy", "check", wrong, "--against", old]) == 1
    assert capsys.readouterr().out.startswith("FAULT class dent (id 7) is called dimple")
    assert main(["taxonomy", "check", str(tmp_path / "none.json")]) == 2
    capsys.readouterr()
    assert main(["taxonomy", "show", file]) == 0
    assert "after 1.0.0: rename dent into dimple" in capsys.readouterr().out


def test_a_taxonomy_may_still_be_a_plain_list() -> None:
    assert Taxonomy("1", TAXONOMY.classes).changes == ()
