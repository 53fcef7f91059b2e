"""Who is an instance, what it is called, and what is shared."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from engine.scene import SceneError, SceneOptions, summary
from tests.engine.scene_stage import SQUARE, load_stage, note_texts

MESH = f'def Mesh "m" {{ {SQUARE} }}'


def labels(body: str, folder: Path, options: SceneOptions | None = None, **header: str) -> dict[str, tuple[str, str]]:
    """Return path -> (class, rule) of every instance of a stage."""
    scene = load_stage(folder, body, options, **header)
    key_of = {entry.id: entry.key for entry in scene.taxonomy.classes} | {0: ""}
    rows = scene.instances
    return {path: (key_of[int(rows.class_id[i])], rows.label_source[i]) for i, path in enumerate(rows.path) if i > 0}


def api(label: str) -> str:
    """Return a LabelsAPI opinion in the taxonomy `class`."""
    return f'token[] semantics:labels:class = ["{label}"]'


def component(name: str, content: str, extra: str = "") -> str:
    """Return an Xform of kind component."""
    return f'def Xform "{name}" ( kind = "component" {extra} ) {{ {content} }}\n'


def test_native_instances_share_one_mesh_and_are_told_apart(tmp_path: Path) -> None:
    """Three instances of a class prim: one mesh, three placements, three instances."""
    body = f'class Xform "box" {{ {MESH} }}\n'
    for i in range(3):
        body += (
            f'def Xform "i{i}" ( instanceable = true inherits = </box> ) {{ double3 xformOp:translate = ({i}, 0, 0)\n'
        )
        body += 'uniform token[] xformOpOrder = ["xformOp:translate"] }\n'
    scene = load_stage(tmp_path, body.replace("true inherits", "true\ninherits"))
    assert len(scene.meshes) == 1
    assert scene.instances.path == ("", "/i0", "/i1", "/i2")
    assert scene.instances.world_from_instance[1:, 0, 3].tolist() == [0.0, 1.0, 2.0]
    assert scene.placements.instance.tolist() == [1, 2, 3]
    expected = [int.from_bytes(hashlib.sha256(p.encode()).digest()[:8], "big") for p in ("/i0", "/i1", "/i2")]
    assert scene.instances.stable_id.tolist() == [0, *expected]


INSTANCER = """
def PointInstancer "pi" {
    rel prototypes = [</pi/p/a>, </pi/p/b>]
    int[] protoIndices = [0, 1, 0, 1]
    point3f[] positions = [(0, 0, 0), (10, 0, 0), (20, 0, 0), (30, 0, 0)]
    EXTRA
    def Scope "p" {
        def Xform "a" { double3 xformOp:translate = (0, 1, 0)
            uniform token[] xformOpOrder = ["xformOp:translate"]
            def Mesh "m" { MESH }
        }
        def Mesh "b" { MESH }
    }
}
"""


def instancer(extra: str = "") -> str:
    """Return a PointInstancer with two prototypes and four elements."""
    return INSTANCER.replace("EXTRA", extra).replace("MESH", SQUARE)


def test_every_element_is_an_instance_where_its_prototype_puts_it(tmp_path: Path) -> None:
    """Elements are named by index, stand at their positions times the prototype's own transform, and share meshes."""
    scene = load_stage(tmp_path, instancer())
    assert scene.instances.path == ("", "/pi[0]", "/pi[1]", "/pi[2]", "/pi[3]")
    assert len(scene.meshes) == 1
    place = {
        int(i): pose[:, 3] for i, pose in zip(scene.placements.instance, scene.placements.world_from_mesh, strict=True)
    }
    assert place[1] == pytest.approx([0.0, 1.0, 0.0])
    assert place[2] == pytest.approx([10.0, 0.0, 0.0])
    assert place[3] == pytest.approx([20.0, 1.0, 0.0])
    assert scene.instances.world_from_instance[3][:, 3] == pytest.approx([20.0, 1.0, 0.0])


def test_ids_name_elements_and_hidden_ones_are_missing(tmp_path: Path) -> None:
    """`ids` become the names; invisibleIds and inactiveIds take elements away without renaming the others."""
    scene = load_stage(tmp_path, instancer("int64[] ids = [7, 8, 9, 11]\nint64[] invisibleIds = [8]"))
    assert scene.instances.path == ("", "/pi[11]", "/pi[7]", "/pi[9]")


def test_nested_instancers_multiply_with_their_own_ids(tmp_path: Path) -> None:
    """An instancer inside a prototype gives each outer element its own inner elements."""
    inner = instancer().replace("/pi/", "/outer/p/pi/").replace("[</outer", "[</outer")
    outer = 'def PointInstancer "outer" { rel prototypes = [</outer/p/pi>]\nint[] protoIndices = [0, 0]\n'
    outer += f'point3f[] positions = [(0, 0, 0), (0, 0, 5)]\ndef Scope "p" {{ {inner} }} }}'
    scene = load_stage(tmp_path, outer)
    assert scene.instances.path[1:] == tuple(f"/outer[{i}][{j}]" for i in range(2) for j in range(4))
    assert len(scene.meshes) == 1
    assert scene.instances.world_from_instance[-1][:, 3] == pytest.approx([30.0, 0.0, 5.0])


def test_an_instancer_bomb_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    """Four nested instancers of a thousand elements are 10^12 placements: counted, not built."""
    body = f'def Mesh "m" {{ {SQUARE} }}'
    path = "m"
    for depth in range(4):
        name = f"pi{depth}"
        many = ", ".join(["0"] * 1000)
        places = ", ".join(["(0, 0, 0)"] * 1000)
        body = (
            f'def PointInstancer "{name}" {{ rel prototypes = [<{path}>]\nint[] protoIndices = [{many}]\n'.replace(
                "<m>", "<m>"
            )
            + f"point3f[] positions = [{places}]\n{body} }}"
        )
        path = name
    with pytest.raises(SceneError, match="1000000000000 placements, the limit is 2000000"):
        load_stage(tmp_path, body)


def test_an_instancer_that_contains_itself_is_refused(tmp_path: Path) -> None:
    """A prototype cycle is one clear error."""
    body = 'def Xform "x" { def PointInstancer "pi" { rel prototypes = [</x>]\nint[] protoIndices = [0]\n'
    with pytest.raises(SceneError, match="contains itself"):
        load_stage(tmp_path, body + "point3f[] positions = [(0, 0, 0)] } }")


@pytest.mark.parametrize(
    "extra",
    [
        "int[] protoIndices = [0, 1, 0, 1, 0]",
        "int[] protoIndices = [0, 1, 9, 1]",
        "quath[] orientations = [(1, 0, 0, 0)]",
    ],
)
def test_contradicting_instancers_are_reported(tmp_path: Path, extra: str) -> None:
    """Arrays that do not fit together cost the elements concerned, with a note."""
    body = instancer(extra)
    body = body.replace("int[] protoIndices = [0, 1, 0, 1]\n", "", 1) if "protoIndices" in extra else body
    scene = load_stage(tmp_path, body)
    assert any(text.startswith(("error", "repaired")) for text in note_texts(scene, "/pi"))
    assert len(scene.placements.mesh) < 4


def test_an_element_without_a_prototype_costs_no_other_element(tmp_path: Path) -> None:
    """The others stand where they stand with that element hidden, transforms of the prototypes included."""
    whole = load_stage(tmp_path, instancer("int64[] invisibleIds = [2]"))
    body = instancer("int[] protoIndices = [0, 1, 9, 1]").replace("int[] protoIndices = [0, 1, 0, 1]\n", "", 1)
    repaired = load_stage(tmp_path, body)
    assert repaired.instances.path == whole.instances.path
    assert len(repaired.placements.mesh) == 3
    assert np.array_equal(repaired.placements.world_from_mesh, whole.placements.world_from_mesh)


def test_branches_below_the_default_prim_are_instances(tmp_path: Path) -> None:
    """Without labels and kinds, the children of the first branching prim are the objects."""
    body = f'def Xform "w" {{ def Xform "g" {{ def Xform "a" {{ {MESH} }}\ndef Xform "b" {{ {MESH} }} }} }}'
    assert set(labels(body, tmp_path, extra='defaultPrim = "w"')) == {"/w/g/a", "/w/g/b"}


def test_hiding_a_branch_does_not_rename_the_others(tmp_path: Path) -> None:
    """Which prims are instances depends on the structure, not on what is visible now."""
    body = f'def Xform "w" {{ def Xform "a" {{ {MESH} }}\ndef Xform "b" {{ token visibility = "invisible"\n{MESH} }} }}'
    assert set(labels(body, tmp_path, extra='defaultPrim = "w"')) == {"/w/a"}


def test_components_are_instances_named_after_themselves(tmp_path: Path) -> None:
    """Kind component: the class is assetInfo's name, else the prim's name without its number."""
    info = 'assetInfo = {\nstring name = "Euro pallet"\n}'
    body = component("Pallet_03", MESH) + component("p2", MESH, info)
    assert labels(body.replace(" assetInfo", "\nassetInfo"), tmp_path) == {
        "/Pallet_03": ("Pallet", "name"),
        "/p2": ("Euro pallet", "asset"),
    }


def test_the_nearest_label_wins_and_tags_keep_them_all(tmp_path: Path) -> None:
    """A label on the prim beats its ancestor's; every ancestor's label stays as a tag."""
    body = f'def Xform "w" {{ {api("furniture")}\ndef Xform "shelf" {{ {api("shelf")}\n{MESH} }} }}'
    assert labels(body, tmp_path) == {"/w/shelf": ("shelf", "labels_api")}
    scene = load_stage(tmp_path, body)
    assert scene.instances.tags[1] == ("furniture", "shelf")


def test_rules_come_in_their_order(tmp_path: Path) -> None:
    """Mapping beats LabelsAPI, which beats the older semantics, which beat Blender's property and the name."""
    legacy = 'string semantic:Semantics:params:semanticType = "class"\n'
    legacy += 'string semantic:Semantics:params:semanticData = "old"'
    blender = 'string userProperties:class = "blend"'
    layers = [
        (api("api"), "labels_api", "api"),
        (legacy, "semantics", "old"),
        (blender, "user", "blend"),
        ("", "name", "box"),
    ]
    for first, (_, rule, key) in enumerate(layers):
        body = component("box_1", "\n".join(text for text, _, _ in layers[first:]) + "\n" + MESH)
        assert labels(body, tmp_path) == {"/box_1": (key, rule)}
    mapped = SceneOptions(class_map={"/box_?": "mapped"})
    assert labels(component("box_1", f"{api('api')}\n{MESH}"), tmp_path, mapped) == {"/box_1": ("mapped", "mapping")}


def test_other_taxonomies_serve_where_class_is_missing(tmp_path: Path) -> None:
    """LabelsAPI: taxonomy `class` first, else the first one by name."""
    body = component(
        "a", f'token[] semantics:labels:shape = ["round"]\ntoken[] semantics:labels:color = ["red"]\n{MESH}'
    )
    assert labels(body, tmp_path) == {"/a": ("red", "labels_api")}


def test_a_labelled_group_names_its_members_but_is_no_instance(tmp_path: Path) -> None:
    """Kind group: the label goes down to the components in it."""
    body = f'def Xform "boxes" ( kind = "group" ) {{ {api("carton")}\n{component("b1", MESH)}{component("b2", MESH)} }}'
    assert labels(body, tmp_path) == {"/boxes/b1": ("carton", "labels_api"), "/boxes/b2": ("carton", "labels_api")}


def test_a_prim_can_say_that_it_is_an_instance_or_not(tmp_path: Path) -> None:
    """`ommatidia:instance` overrides the rules in both directions."""
    part = f'def Xform "wheel" {{ {api("wheel")}\nbool ommatidia:instance = {{}}\n{MESH} }}'.replace("{}", "0")
    assert labels(component("car", api("car") + "\n" + part), tmp_path) == {"/car": ("car", "labels_api")}
    assert set(labels(component("car", part.replace("= 0", "= 1")), tmp_path)) == {"/car/wheel"}


def test_labels_outside_a_prototype_apply_to_its_instances(tmp_path: Path) -> None:
    """A native instance takes the label of what surrounds it; elements that of the instancer or the prototype."""
    body = f'class Xform "box" {{ {MESH} }}\n'
    body += f'def Xform "i" (\ninstanceable = true\ninherits = </box>\n) {{ {api("crate")} }}'
    assert labels(body, tmp_path) == {"/i": ("crate", "labels_api")}
    body = instancer(api("part")).replace('def Mesh "b" {', f'def Mesh "b" {{ {api("bolt")}')
    assert labels(body, tmp_path) == {
        "/pi[0]": ("part", "labels_api"),
        "/pi[1]": ("bolt", "labels_api"),
        "/pi[2]": ("part", "labels_api"),
        "/pi[3]": ("bolt", "labels_api"),
    }


def test_class_ids_follow_the_sorted_keys_or_a_fixed_file(tmp_path: Path) -> None:
    """Without a file, ids are the ranks of the sorted keys; with one, its ids, and unknown classes are reported."""
    body = component("a", f"{api('zebra')}\n{MESH}") + component("b", f"{api('ant')}\n{MESH}")
    scene = load_stage(tmp_path, body)
    assert [(c.id, c.key) for c in scene.taxonomy.classes] == [(1, "ant"), (2, "zebra")]
    assert scene.instances.class_id.tolist() == [0, 2, 1]
    (tmp_path / "taxonomy.json").write_text(
        json.dumps({"schema": "taxonomy/1", "version": "3", "classes": [{"id": 40, "key": "zebra"}]})
    )
    scene = load_stage(tmp_path, body)
    assert scene.instances.class_id.tolist() == [0, 40, 0]
    assert scene.taxonomy.version == "3"
    assert note_texts(scene, "/b") == ["error: class 'ant' is not in the taxonomy; add it there"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"schema": "taxonomy/1", "classes": [{"id": 0, "key": "a"}]}',
        '{"schema": "taxonomy/1", "classes": [{"id": 1, "key": "a"}, {"id": 1, "key": "b"}]}',
    ],
)
def test_a_broken_taxonomy_is_one_line(tmp_path: Path, text: str) -> None:
    """No JSON, another schema, id 0, an id used twice: one error that names the file."""
    (tmp_path / "taxonomy.json").write_text(text)
    with pytest.raises(SceneError, match=r"taxonomy '.*taxonomy.json' cannot be used: [^\n]+$"):
        load_stage(tmp_path, MESH)


def test_order_of_prims_does_not_change_ids(tmp_path: Path) -> None:
    """Instances are sorted by path: authoring order and class order do not matter."""
    parts = [component(name, f"{api(name)}\n{MESH}") for name in ("c", "a", "b")]
    first, second = load_stage(tmp_path, "".join(parts)), load_stage(tmp_path, "".join(reversed(parts)))
    assert first.instances.path == second.instances.path == ("", "/a", "/b", "/c")
    assert np.array_equal(first.instances.stable_id, second.instances.stable_id)


def test_the_summary_counts_rules_and_groups_notes(tmp_path: Path) -> None:
    """The short table: what was loaded, which rule labelled how many, one line a kind of note."""
    body = component("a", MESH) + "".join(f'def Volume "p{i}" {{ }}\n' for i in range(3))
    text = summary(load_stage(tmp_path, body))
    assert "labels by rule: name 1" in text
    assert text.count("type Volume is not supported: /p0 and 2 more") == 1
