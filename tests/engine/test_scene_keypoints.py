"""Keypoints of stages, of skeletons and of configurations: names, places, topology, and what is said of bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.errors import UserError
from engine.keypoints import ClassKeypoints
from engine.plain import from_plain
from engine.scene import Scene, SceneError, SceneOptions, load_scene
from engine.scene.store.arrays import ArraysError, scene_from_arrays, scene_to_arrays
from engine.scene.store.checks import check_scene
from engine.scene.taxonomy import taxonomy_from_json
from tests.engine.scene_stage import CUBE, load_stage, note_texts, write_stage
from tests.engine.test_scene_time import ARM

LABEL = 'prepend apiSchemas = ["SemanticsLabelsAPI:class"]'


def thing(
    name: str, inner: str, *, at: tuple[float, ...] = (0, 0, 0), label: str = "box", scale: str = "(1, 1, 1)"
) -> str:
    """Return a labelled cube of 2 units with something below it."""
    return (
        f'def Xform "{name}" ({LABEL}) {{ token[] semantics:labels:class = ["{label}"]\n'
        f"double3 xformOp:translate = {at}\nfloat3 xformOp:scale = {scale}\n"
        'uniform token[] xformOpOrder = ["xformOp:translate", "xformOp:scale"]\n'
        f'def Mesh "cube" {{ {CUBE} uniform token subdivisionScheme = "none" }} {inner} }}\n'
    )


def point(prim: str, name: str, at: tuple[float, ...]) -> str:
    return (
        f'def Xform "{prim}" {{ token ommatidia:keypoint = "{name}"\ndouble3 xformOp:translate = {at}\n'
        'uniform token[] xformOpOrder = ["xformOp:translate"] }\n'
    )


def world(scene: Scene) -> dict[tuple[str, str], list[float]]:
    """Return where the keypoints of a scene stand, by the paths of their instances and their names."""
    names = {entry.id: entry.keypoints for entry in scene.taxonomy.classes}
    out = {}
    for instance, number, position, _ in zip(*vars(scene.keypoints).values(), strict=True):
        pose = scene.instances.world_from_instance[instance]
        name = names[int(scene.instances.class_id[instance])][number]
        out[scene.instances.path[instance], name] = (pose[:, :3] @ position + pose[:, 3]).round(9).tolist()
    return out


def test_anchors_are_named_points_of_their_instance(tmp_path: Path) -> None:
    """In centimetres, Y up, below a scaled instance; the class has the sorted names, and one instance lacks one."""
    depth = "float ommatidia:depth = 5\n"
    inner = (
        point("k", "top", (0, 1, 0)).replace("{ ", "{ " + depth)
        + f'def Xform "group" {{ {point("k", "side", (1, 0, 0))} }}'
    )
    body = thing("a", inner, at=(100, 0, 0), scale="(2, 1, 1)") + thing("b", point("k", "top", (0, 1, 0)))
    scene = load_stage(tmp_path, body, meters_per_unit=0.01, up="Y")
    assert [(entry.key, entry.keypoints) for entry in scene.taxonomy.classes] == [("box", ("side", "top"))]
    assert world(scene) == {
        ("/a", "side"): pytest.approx([1.02, 0.0, 0.0]),
        ("/a", "top"): pytest.approx([1.0, 0.0, 0.01]),
        ("/b", "top"): pytest.approx([0.0, 0.0, 0.01]),
    }
    assert scene.keypoints.depth_m == pytest.approx([0.0, 0.05, 0.0])


def test_prototypes_give_their_keypoints_to_every_instance(tmp_path: Path) -> None:
    """Native instances, and elements of a PointInstancer with scales, one of them masked."""
    inner = point("k", "tip", (0, 0, 1))
    body = f'class Xform "proto" {{ {thing("t", inner)} }}\n'
    body += "".join(
        f'def Xform "n{i}" (\ninstanceable = true\ninherits = </proto>\n) {{ double3 xformOp:translate = ({i}, 0, 0)\n'
        'uniform token[] xformOpOrder = ["xformOp:translate"] }\n'
        for i in range(2)
    )
    body += (
        'def PointInstancer "crowd" { int[] protoIndices = [0, 0, 0]\nint64[] invisibleIds = [1]\n'
        "point3f[] positions = [(0, 10, 0), (0, 20, 0), (0, 30, 0)]\nfloat3[] scales = [(1,1,1), (1,1,1), (1,1,3)]\n"
        f"rel prototypes = [</crowd/p>]\n{thing('p', inner)} }}\n"
    )
    found = world(load_stage(tmp_path, body))
    assert found == {
        ("/crowd[0]", "tip"): [0, 10, 1],
        ("/crowd[2]", "tip"): [0, 30, 3],
        ("/n0/t", "tip"): [0, 0, 1],
        ("/n1/t", "tip"): [1, 0, 1],
    }


def test_topology_is_authored_on_the_class(tmp_path: Path) -> None:
    inner = (
        'string[] ommatidia:skeleton = ["low-high", "high-low", "low", "low-gone"]\n'
        + point("a", "low", (0, 0, -1))
        + point("b", "high", (0, 0, 1))
    )
    scene = load_stage(tmp_path, thing("a", inner))
    (entry,) = scene.taxonomy.classes
    assert entry.keypoints == ("high", "low")
    assert entry.skeleton == ((0, 1),)
    assert any("'low' is not two names" in text for text in note_texts(scene, "/a"))
    assert any("joins gone" in text for text in note_texts(scene, "box"))


def test_a_taxonomy_says_the_order_and_knows_all_names(tmp_path: Path) -> None:
    entry = {
        "id": 7,
        "key": "box",
        "keypoints": ["top", "side", "gone"],
        "skeleton": [[0, 1]],
        "sigmas": [0.1, 0.2, 0.3],
    }
    (tmp_path / "taxonomy.json").write_text(json.dumps({"schema": "taxonomy/1", "classes": [entry]}))
    inner = point("a", "side", (1, 0, 0)) + point("b", "top", (0, 0, 1)) + point("c", "odd", (0, 0, 0))
    scene = load_stage(tmp_path, thing("a", inner))
    (found,) = scene.taxonomy.classes
    assert (found.keypoints, found.skeleton, found.sigmas) == (("top", "side", "gone"), ((0, 1),), (0.1, 0.2, 0.3))
    assert scene.keypoints.number.tolist() == [0, 1]
    assert any("has no keypoint odd" in text for text in note_texts(scene, "/a/c"))
    assert taxonomy_from_json(scene.taxonomy.to_json()) == scene.taxonomy


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"keypoints": "top"}, "class box: keypoints must be a list of names"),
        ({"keypoints": ["a", "a"]}, "class box: keypoint a is named twice"),
        ({"keypoints": ["a-b"]}, "class box: 'a-b' cannot name a keypoint"),
        (
            {"keypoints": ["a", "b"], "skeleton": [[1, 2]]},
            r"skeleton: \[1, 2\] must be two different numbers",
        ),
        ({"keypoints": ["a", "b"], "skeleton": ["ab"]}, "class box: skeleton: 'ab' is not a pair"),
        ({"keypoints": ["a", "b"], "sigmas": [0.1]}, "class box: sigmas must be 2 numbers above 0, or none"),
        ({"keypoints": ["a"], "sigmas": [-0.1]}, "class box: sigmas must be 1 numbers above 0, or none"),
    ],
)
def test_a_bad_taxonomy_is_one_clear_error(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taxonomy_from_json({"schema": "taxonomy/1", "classes": [{"id": 1, "key": "box", **fields}]})


def test_configured_points_are_shares_of_the_box_or_metres(tmp_path: Path) -> None:
    """Of every instance of a class, scaled with it; what the configuration says comes before the stage."""
    body = thing("a", point("k", "low", (0, 0, 5)), at=(10, 0, 0), scale="(3, 1, 1)") + thing("b", "", label="ball")
    wishes = {
        "box": ClassKeypoints({"low": (0.0, 0.5, 0.0), "high": (1.0, 1.0, 1.0)}, skeleton=(("low", "high"),)),
        "ball": ClassKeypoints({"x": (0.5, 0.0, 0.0)}, unit="m", depth_m=0.25, sigmas={"x": 0.04}),
    }
    scene = load_stage(tmp_path, body, SceneOptions(keypoints=wishes))
    assert world(scene) == {
        ("/a", "low"): pytest.approx([7, 0, -1]),
        ("/a", "high"): pytest.approx([13, 1, 1]),
        ("/b", "x"): pytest.approx([0.5, 0, 0]),
    }
    assert scene.keypoints.depth_m.tolist() == [0, 0, 0.25]
    ball, box = scene.taxonomy.classes
    assert (ball.sigmas, box.skeleton) == ((0.04,), ((0, 1),))
    assert any("twice" in note.what for note in scene.notes)


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"bax": ClassKeypoints({"a": (0, 0, 0)})}, "there is no class 'bax'; the scene has box"),
        ({"box": ClassKeypoints({"a": (0, 0, 0)}, skeleton=(("a", "b"),))}, "'b' is no keypoint; the class has a"),
        ({"box": ClassKeypoints({"a": (0, 0, 0)}, sigmas={"b": 0.1})}, "sigmas must name every keypoint once: a"),
    ],
)
def test_configured_points_that_do_not_fit_are_one_clear_error(
    tmp_path: Path, wishes: dict[str, ClassKeypoints], message: str
) -> None:
    with pytest.raises(SceneError, match=message):
        load_stage(tmp_path, thing("a", ""), SceneOptions(keypoints=wishes))


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"points": {"a b": [0, 0, 0]}}, "'a b' cannot name a keypoint"),
        ({"points": {"a": [0, 0]}}, "points.a"),
        ({"unit": "cm"}, "unit: 'cm' is not one of: box, m"),
        ({"skeleton": [["a", "a"]]}, "joins a keypoint with itself"),
        ({"sigmas": {"a": 0}}, "sigmas.a must be above 0"),
        ({"joint": True}, "unknown key 'joint'"),
    ],
)
def test_a_bad_configuration_is_one_clear_error(plain: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_plain(ClassKeypoints, plain, "scene.keypoints.box")


def test_joints_of_a_skeleton_are_where_it_is_posed(tmp_path: Path) -> None:
    """Only where asked for, at the stage's time: the elbow stays, the point at the end of the bent arm follows."""
    body = ARM.replace("EXTRA", "")
    label = 'token[] semantics:labels:class = ["arm"]\nrel skel:skeleton'
    body = body.replace('["SkelBindingAPI"]', '["SkelBindingAPI", "SemanticsLabelsAPI:class"]', 1)
    path = write_stage(tmp_path, body.replace("rel skel:skeleton", label, 1).replace("{\n", "{"))
    wishes = {"arm": ClassKeypoints(joints=True)}
    assert not len(load_scene(path, SceneOptions(time=10.0)).keypoints.instance)
    scene = load_scene(path, SceneOptions(time=10.0, keypoints=wishes))
    assert world(scene) == {("/root", "a"): pytest.approx([0, 0, 0]), ("/root", "b"): pytest.approx([0, 0, 1])}


def test_a_walking_man_has_his_joints(shared_dir: Path) -> None:
    """CesiumMan: every joint where UsdSkel puts it, in metres and Z up, inside of his box or near it."""
    from pxr import Usd, UsdGeom, UsdSkel

    path = shared_dir / "usd/04_CesiumMan/CesiumMan.usdz"
    plain = load_scene(path, SceneOptions(time=11.0))
    (key,) = {entry.key for entry in plain.taxonomy.classes}
    scene = load_scene(path, SceneOptions(time=11.0, keypoints={key: ClassKeypoints(joints=True)}))
    stage = Usd.Stage.Open(str(path))
    (skeleton,) = [UsdSkel.Skeleton(prim) for prim in stage.Traverse() if prim.IsA(UsdSkel.Skeleton)]
    query = UsdSkel.Cache().GetSkelQuery(skeleton)
    places = UsdGeom.XformCache(11.0)
    matrices = [np.array(each) for each in query.ComputeJointWorldTransforms(places)]
    unit, is_y_up = UsdGeom.GetStageMetersPerUnit(stage), UsdGeom.GetStageUpAxis(stage) == "Y"
    found = list(world(scene).values())
    assert len(found) == len(matrices) > 10
    expected = np.array([matrix[3, :3] for matrix in matrices]) * unit
    if is_y_up:
        expected = expected[:, [0, 2, 1]] * [1, -1, 1]
    assert np.array(sorted(found)) == pytest.approx(np.array(sorted(expected.tolist())), abs=1e-5)


def test_keypoints_survive_being_kept(tmp_path: Path) -> None:
    """As arrays and through a child process; a number that its class does not have is refused."""
    path = write_stage(tmp_path, thing("a", point("k", "top", (0, 0, 1))))
    wishes = {"box": ClassKeypoints({"low": (0.5, 0.5, 0.0)}, skeleton=(("low", "top"),), sigmas={"low": 1, "top": 2})}
    here = load_scene(path, SceneOptions(cache=False, sandbox="false", keypoints=wishes))
    there = load_scene(path, SceneOptions(cache=False, sandbox="true", keypoints=wishes))
    arrays = scene_to_arrays(here)
    for other in (there, scene_from_arrays(arrays)):
        assert other.taxonomy == here.taxonomy
        for name, values in vars(here.keypoints).items():
            assert getattr(other.keypoints, name).tobytes() == values.tobytes()
    check_scene(here, arrays)
    here.keypoints.number[0] = 2
    with pytest.raises(ArraysError, match=r"keypoints\.number is out of range"):
        check_scene(here, arrays)


def test_what_belongs_to_nothing_is_said(tmp_path: Path) -> None:
    """A keypoint outside of all instances, one with a bad name, one of an instance without a class."""
    body = f'def Xform "w" {{ {thing("a", point("k", "no good", (0, 0, 0)))} {point("free", "lost", (0, 0, 0))} '
    body += f'def Xform "plain" {{ def Mesh "m" {{ {CUBE} }} {point("k", "top", (0, 0, 0))} }} }}'
    scene = load_stage(tmp_path, body)
    assert len(scene.keypoints.instance) == 0
    assert any("cannot name a keypoint" in text for text in note_texts(scene, "/w/a/k"))
    assert note_texts(scene, "/w/free") == ["skipped: a keypoint of no instance that is drawn"]
    assert note_texts(scene, "/w/plain/k") == ["skipped: keypoint top of an instance without a class"]
