"""Classes and identity: whatever a file says where, by the rules in their order, and what the user says above all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.errors import UserError
from engine.scene import SceneError, SceneOptions, load_scene
from engine.scene.class_map import ClassMap, read_class_map
from engine.scene.model import Scene
from engine.scene.usd.instances import stable_ids
from tests.engine.scene_stage import SQUARE, load_stage, note_texts

MESH = f'def Mesh "m" {{ {SQUARE} }}'
TWO = f'def Xform "w" {{ def Xform "a_1" {{ {MESH} }}\ndef Xform "b_1" {{ {MESH} }} }}'
ELEMENTS = f"""
def Xform "w" {{
    def PointInstancer "trees" {{
        rel prototypes = [</w/trees/oak>]
        int[] protoIndices = [0, 0, 0]
        int64[] ids = [7, 3, 5]
        point3f[] positions = [(0, 0, 0), (2, 0, 0), (4, 0, 0)]
        def Xform "oak" {{ {MESH} }}
    }}
}}
"""


def classes(scene: Scene) -> dict[str, tuple[str, str]]:
    """Return path -> (class, rule) of every instance."""
    key_of = {entry.id: entry.key for entry in scene.taxonomy.classes} | {0: ""}
    rows = scene.instances
    return {path: (key_of[int(rows.class_id[i])], rows.label_source[i]) for i, path in enumerate(rows.path) if i > 0}


def mapped(folder: Path, body: str, class_map: dict[str, str]) -> dict[str, str]:
    """Return path -> class of a stage with a class map."""
    options = SceneOptions(class_map=class_map)
    return {
        path: key for path, (key, _) in classes(load_stage(folder, body, options, extra='defaultPrim = "w"')).items()
    }


@pytest.mark.parametrize("order", [1, -1])
def test_the_most_particular_pattern_counts_in_any_order(tmp_path: Path, order: int) -> None:
    """An exact path before a glob, the glob with more of its own letters before the other, expressions last."""
    rules = {"re:/w/[^/]*": "expression", "/w/*": "wide", "/w/a*": "narrow", "/w/b_1": "exact"}
    rules = dict(list(rules.items())[::order])
    assert mapped(tmp_path, TWO, rules) == {"/w/a_1": "narrow", "/w/b_1": "exact"}
    assert mapped(tmp_path, TWO, {r"re:/w/[ab]_\d+": "numbered"}) == {"/w/a_1": "numbered", "/w/b_1": "numbered"}


def test_elements_are_mapped_one_by_one(tmp_path: Path) -> None:
    """`[id]` speaks of an element, by its authored id; a pattern without it of the instancer."""
    found = mapped(tmp_path, ELEMENTS, {"/w/trees": "tree", "/w/trees[3]": "stump", r"re:/w/trees\[[57]\]": "fir"})
    assert found == {"/w/trees[3]": "stump", "/w/trees[5]": "fir", "/w/trees[7]": "fir"}
    assert mapped(tmp_path, ELEMENTS, {"/w/trees": "tree", "/w/trees[5]": "stump"})["/w/trees[7]"] == "tree"


def test_an_empty_class_takes_the_label_away(tmp_path: Path) -> None:
    """A stage's own label is gone, also below the pattern, without a note; others keep theirs."""
    body = TWO.replace('def Mesh "m" {', 'def Mesh "m" { string userProperties:class = "box"\n', 1)
    scene = load_stage(
        tmp_path, body, SceneOptions(class_map={"/w/a_1/**": "", "/w/b_1": "b"}), extra='defaultPrim = "w"'
    )
    assert sorted(key for key, _ in classes(scene).values()) == ["", "b"]
    assert [entry.key for entry in scene.taxonomy.classes] == ["b"]
    assert not note_texts(scene, "class_map")


def test_a_pattern_that_decides_nothing_is_reported(tmp_path: Path) -> None:
    """A misspelt path is an error of the report, as is one that others always beat."""
    rules = {"/w/a_1": "a", "/w/a*": "never", "/w/gone/*": "gone"}
    scene = load_stage(tmp_path, TWO, SceneOptions(class_map=rules), extra='defaultPrim = "w"')
    texts = note_texts(scene, "class_map")
    assert len(texts) == 2
    assert any("'/w/gone/*' decides the class of no prim" in text for text in texts)
    assert any("'/w/a*'" in text for text in texts)


def test_a_class_map_file_is_read_as_yaml_and_json(tmp_path: Path) -> None:
    """Both spell the same patterns; the configuration's own ones win, and the recipe keeps them all."""
    rules = {"/World/Crates/*": "crate", r"re:.*/Rack_\d+": "rack"}
    (tmp_path / "map.json").write_text(json.dumps({"schema": "class_map/1", "classes": rules}))
    lines = [f"  '{pattern}': {key}" for pattern, key in rules.items()]
    (tmp_path / "map.yaml").write_text("\n".join(["schema: class_map/1", "classes:", *lines]))
    assert read_class_map(tmp_path / "map.json") == read_class_map(tmp_path / "map.yaml") == rules
    (tmp_path / "scene").mkdir()
    scene = (
        f"name: mine\nusd: tabletop.usda\nclass_map_file: {tmp_path / 'map.yaml'}\nclass_map: {{/World/Crates/*: box}}"
    )
    (tmp_path / "scene/mine.yaml").write_text(scene)
    recipe, _ = engine.compose("+scene=mine", config_dir=tmp_path)
    assert recipe.scene.class_map == {**rules, "/World/Crates/*": "box"}
    with pytest.raises(UserError, match="class_map_file: there is no"):
        engine.compose("+scene=tabletop", "scene.class_map_file=gone.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- /a: b", "expected 'schema: class_map/1'"),
        ("schema: class_map/2\nclasses: {}", "expected 'schema: class_map/1'"),
        ("schema: class_map/1\nclasses: {}\nrules: []", "unknown key 'rules'; known keys: schema, classes"),
        ("schema: class_map/1\nclasses: {/a: no}", "write both in quotes"),
        ("schema: class_map/1\nclasses: {a/b: c}", "'a/b' is not a prim path"),
        ("schema: class_map/1\nclasses: {'re:(': c}", "is not a regular expression"),
        ("schema: [", "cannot be read"),
        ("!!python/object/apply:os.getcwd []", "cannot be read"),
    ],
)
def test_a_broken_class_map_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    """Another shape, an unknown key, a class that YAML read as false, no pattern, code: one line with the file."""
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(SceneError, match=r"^class map '[^\n]*$") as caught:
        read_class_map(path)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('string userProperties:class = "box"', "box"),
        ('string userProperties:Category = "box"', "box"),
        ('string[] userProperties:semantic_label = ["box", "old"]', "box"),
        ('string userProperties:label = "tag"\nstring userProperties:class = "box"', "box"),
        ('string userProperties:blender:object_name = "Cube"', ""),
        ("int userProperties:class = 3", ""),
    ],
)
def test_custom_properties_name_classes_as_exporters_write_them(tmp_path: Path, line: str, key: str) -> None:
    """Blender and Maya: `userProperties:` and a usual name in any case; bookkeeping of the exporter is no class."""
    found = classes(load_stage(tmp_path, f'def Xform "w" {{ {line}\n{MESH} }}'))
    assert set(found.values()) == {(key, "user" if key else "none")}


def test_labels_of_face_subsets_are_tags_of_the_instance(tmp_path: Path) -> None:
    """A part has no mask of its own, so its label is kept as a tag, and the report says so."""
    subset = 'def GeomSubset "top" { int[] indices = [0]\ntoken[] semantics:labels:class = ["lid"] }'
    body = f'def Xform "w" {{ token[] semantics:labels:class = ["box"]\ndef Mesh "m" {{ {SQUARE} {subset} }} }}'
    scene = load_stage(tmp_path, body)
    assert classes(scene) == {"/w": ("box", "labels_api")}
    assert scene.instances.tags[1] == ("box", "lid")
    assert note_texts(scene, "/w/m/top") == ["approximated: labels of a face subset are kept as tags of its instance"]


def test_ids_outlive_edits_elsewhere(tmp_path: Path) -> None:
    """New prims, other orders and another number of elements change no id of what was there."""
    before = load_stage(tmp_path, ELEMENTS).instances
    edited = ELEMENTS.replace("[0, 0, 0]", "[0, 0, 0, 0]", 1).replace("[7, 3, 5]", "[1, 5, 3, 7]")
    edited = edited.replace("(4, 0, 0)]", "(4, 0, 0), (6, 0, 0)]")
    edited += f'def Xform "another" {{ {MESH} }}'
    after = load_stage(tmp_path, edited).instances
    known = dict(zip(after.path, after.stable_id.tolist(), strict=True))
    for path, stable in zip(before.path, before.stable_id.tolist(), strict=True):
        assert known[path] == stable
    assert len(set(after.stable_id.tolist())) == len(after.path)


def test_equal_ids_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two paths with one id would be one object in every label: an error that names both."""

    class Short:
        def __init__(self, data: bytes) -> None:
            self._data = data

        def digest(self) -> bytes:
            return bytes([len(self._data)]) * 32

    monkeypatch.setattr("hashlib.sha256", Short)
    with pytest.raises(SceneError, match="'/a' and '/b' have the same stable id"):
        stable_ids(("", "/a", "/bb", "/b"))


def test_matching_asks_exact_paths_before_patterns() -> None:
    """Patterns remember what they decided."""
    rules = ClassMap({"/a/b": "exact", "/a/*": "glob", "**/z": "deep"})
    assert (rules.find("/a/b"), rules.find("/a/c"), rules.find("/q/r/z"), rules.find("/q")) == (
        "exact",
        "glob",
        "deep",
        None,
    )
    assert rules.unused == ()


@pytest.mark.parametrize("name", ["12_newton_semantics/cube_cylinder.usda", "09_arnold_nestedInstances/data/test.usda"])
def test_real_scenes_have_instances_with_ids_of_their_own(shared_dir: Path, name: str) -> None:
    """Every instance and element has its own id, the same at every load."""
    first, second = (load_scene(shared_dir / "usd" / name, SceneOptions(subdivision_level=0)) for _ in range(2))
    assert len(set(first.instances.stable_id.tolist())) == len(first.instances.path)
    assert np.array_equal(first.instances.stable_id, second.instances.stable_id)
    assert first.instances.path == second.instances.path


def test_objects_of_blender_are_instances_with_their_class(shared_dir: Path) -> None:
    """Classes of a Blender file are custom properties of its objects; each object is an instance."""
    folder = shared_dir / "referee/instancing_mods"
    facts = json.loads((folder / "camera.json").read_text())["instances"].values()
    found = classes(load_scene(folder / "scene.usdc", SceneOptions(subdivision_level=0)))
    assert {rule for _, rule in found.values()} == {"user"}
    assert {key for key, _ in found.values()} == {fact["cls"] for fact in facts}
    assert len(found) == len(facts)
