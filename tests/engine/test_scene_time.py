"""Scenes at several times: moving things, skins, blend shapes, and what frames share."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.scene import Scene, SceneOptions, load_frames, load_scene
from tests.engine.scene_stage import CUBE, SQUARE, load_stage, note_texts, only_mesh, write_stage


def samples(attribute: str, *pairs: tuple[float, str]) -> str:
    """Return time samples of an attribute."""
    return f"{attribute}.timeSamples = {{ " + ", ".join(f"{time}: {value}" for time, value in pairs) + " }"


def stage(folder: Path, body: str) -> Path:
    """Write a stage whose braces of time samples stay on their line."""
    path = write_stage(folder, "")
    header = path.read_text()
    path.write_text(header + body)
    return path


def assert_equal(one: object, two: object, where: str = "scene") -> None:
    """Assert that two values of the scene model are the same to the bit."""
    if dataclasses.is_dataclass(one) and not isinstance(one, type):
        for field in dataclasses.fields(one):
            if field.name != "notes":
                assert_equal(getattr(one, field.name), getattr(two, field.name), f"{where}.{field.name}")
    elif isinstance(one, np.ndarray):
        assert isinstance(two, np.ndarray), where
        assert np.array_equal(one, two), where
    elif isinstance(one, tuple):
        assert isinstance(two, tuple), where
        assert len(one) == len(two), where
        for index, (a, b) in enumerate(zip(one, two, strict=True)):
            assert_equal(a, b, f"{where}[{index}]")
    else:
        assert one == two, where


MOVING = f"""
def Xform "ball" {{
    {samples("double3 xformOp:translate", (0, "(0, 0, 0)"), (10, "(10, 0, 0)"))}
    uniform token[] xformOpOrder = ["xformOp:translate"]
    def Mesh "m" {{ {SQUARE} }}
}}
def Mesh "still" {{ {CUBE} }}
def Mesh "grows" {{ {SQUARE}
    {
    samples(
        "point3f[] points", (0, "[(0,0,0), (1,0,0), (1,1,0), (0,1,0)]"), (10, "[(0,0,0), (11,0,0), (11,1,0), (0,1,0)]")
    )
}
}}
def Mesh "blinks" {{ {SQUARE}
    {samples("token visibility", (0, '"inherited"'), (5, '"invisible"'))}
}}
def Camera "eye" {{
    {samples("float focalLength", (0, "20"), (10, "40"))}
    {samples("double3 xformOp:translate", (0, "(0, 0, 5)"), (10, "(0, 0, 7)"))}
    uniform token[] xformOpOrder = ["xformOp:translate"]
}}
def SphereLight "lamp" {{
    {samples("float inputs:intensity", (0, "1"), (10, "3"))}
}}
def PointInstancer "pi" {{
    rel prototypes = [</pi/p>]
    {samples("int[] protoIndices", (0, "[0]"), (10, "[0, 0]"))}
    {samples("point3f[] positions", (0, "[(0, 0, 0)]"), (10, "[(0, 0, 1), (0, 0, 2)]"))}
    def Cube "p" {{ }}
}}
"""


def place_of(scene: Scene, path: str) -> NDArray[np.float64]:
    """Return where the one placement of an instance stands."""
    index = scene.instances.path.index(path)
    (row,) = np.flatnonzero(scene.placements.instance == index)
    origin: NDArray[np.float64] = scene.placements.world_from_mesh[row, :, 3]
    return origin


def test_everything_stands_where_its_samples_say(tmp_path: Path) -> None:
    """Transforms, points, visibility, cameras, lights and instancers between and at their samples."""
    path = stage(tmp_path, MOVING)
    at = {time: load_scene(path, SceneOptions(time=time)) for time in (0.0, 5.0, 10.0)}
    for time, scene in at.items():
        assert place_of(scene, "/ball")[0] == pytest.approx(time)
        grown = next(mesh for mesh in scene.meshes if np.ptp(mesh.points_m[:, 0]) == pytest.approx(1.0 + time))
        assert len(grown.triangle) == 2
        assert ("/blinks" in scene.instances.path) == (time < 5.0)
        assert scene.cameras[0].focal_length_mm == pytest.approx((20.0 + 2.0 * time) * 100.0)
        assert scene.cameras[0].world_from_camera[2, 3] == pytest.approx(5.0 + 0.2 * time)
    assert at[10.0].lights[0].radiance[0] == pytest.approx(3.0 * at[0.0].lights[0].radiance[0])
    assert sum(path.startswith("/pi[") for path in at[0.0].instances.path) == 1
    assert place_of(at[10.0], "/pi[1]")[2] == pytest.approx(2.0)


def test_frames_are_the_scenes_of_their_times(tmp_path: Path) -> None:
    """Every frame equals a load of its own to the bit, in any order of times."""
    path = stage(tmp_path, MOVING)
    times = [0.0, 10.0, 5.0, 0.0]
    for time, frame in zip(times, load_frames(path, times), strict=True):
        assert_equal(frame, load_scene(path, SceneOptions(time=time)))


def test_frames_share_what_does_not_change(tmp_path: Path) -> None:
    """The still mesh is one object; the growing one is not."""
    one, two = load_frames(stage(tmp_path, MOVING), [0.0, 10.0])
    kept = {id(mesh) for mesh in one.meshes} & {id(mesh) for mesh in two.meshes}
    names = {mesh.name for mesh in two.meshes if id(mesh) in kept}
    assert {"/still", "/pi/p"} <= names
    assert "/grows" not in names


def test_textures_are_read_once_for_all_frames(shared_dir: Path) -> None:
    """A textured scene: all textures and meshes of the second frame are the first one's objects."""
    one, two = load_frames(shared_dir / "referee/textured_pbr/scene.usdc", [1.0, 2.0])
    assert len(one.textures) > 5
    assert all(a is b for a, b in zip(one.textures, two.textures, strict=True))
    assert all(a is b for a, b in zip(one.meshes, two.meshes, strict=True))


def test_sandboxed_frames_share_equal_meshes(tmp_path: Path) -> None:
    """Frames from child processes: what is equal is one object."""
    one, two = load_frames(stage(tmp_path, MOVING), [0.0, 10.0], SceneOptions(sandbox="true"))
    still = [next(mesh for mesh in scene.meshes if mesh.name == "/still") for scene in (one, two)]
    assert still[0] is still[1]
    assert place_of(two, "/ball")[0] == pytest.approx(10.0)


IDENTITY = "((1,0,0,0), (0,1,0,0), (0,0,1,0), (0,0,0,1))"
RAISED = "((1,0,0,0), (0,1,0,0), (0,0,1,0), (0,0,1,1))"
ARM = f"""
def SkelRoot "root" (
    prepend apiSchemas = ["SkelBindingAPI"]
)
{{
    rel skel:skeleton = </root/bones>
    rel skel:animationSource = </root/bones/move>
    def Skeleton "bones" (
        prepend apiSchemas = ["SkelBindingAPI"]
    )
    {{
        uniform token[] joints = ["a", "a/b"]
        uniform matrix4d[] bindTransforms = [{IDENTITY}, {RAISED}]
        uniform matrix4d[] restTransforms = [{IDENTITY}, {RAISED}]
        def SkelAnimation "move" {{
            uniform token[] joints = ["a", "a/b"]
            float3[] translations = [(0, 0, 0), (0, 0, 1)]
            {
    samples(
        "quatf[] rotations",
        (0, "[(1,0,0,0), (1,0,0,0)]"),
        (10, "[(1,0,0,0), (0.7071067811865476, 0.7071067811865476, 0, 0)]"),
    )
}
            half3[] scales = [(1,1,1), (1,1,1)]
            uniform token[] blendShapes = ["bulge"]
            {samples("float[] blendShapeWeights", (0, "[0]"), (10, "[1]"))}
        }}
    }}
    def Mesh "skin" (
        prepend apiSchemas = ["SkelBindingAPI"]
    )
    {{
        point3f[] points = [(0,0,0), (1,0,0), (0,0,2), (1,0,2)]
        int[] faceVertexCounts = [4]
        int[] faceVertexIndices = [0, 1, 3, 2]
        uniform token subdivisionScheme = "none"
        normal3f[] normals = [(0,-1,0), (0,-1,0), (0,-1,0), (0,-1,0)] (
            interpolation = "vertex"
        )
        int[] primvars:skel:jointIndices = [0, 0, 1, 1] (
            interpolation = "vertex"
            elementSize = 1
        )
        float[] primvars:skel:jointWeights = [1, 1, 1, 1] (
            interpolation = "vertex"
            elementSize = 1
        )
        EXTRA
    }}
}}
"""
SHAPES = """
        uniform token[] skel:blendShapes = ["bulge"]
        rel skel:blendShapeTargets = </root/skin/bulge>
        def BlendShape "bulge" {
            uniform vector3f[] offsets = [(0, 0, 0), (4, 0, 0)]
            uniform int[] pointIndices = [0, 1]
            uniform vector3f[] normalOffsets = [(0, 0, 0), (1, 0, 0)]
            uniform vector3f[] inbetweens:half = [(0, 0, 0), (1, 0, 0)] (
                weight = 0.5
            )
        }
"""


def test_a_bent_arm_takes_its_points_and_normals_along(tmp_path: Path) -> None:
    """A quarter turn about x of the upper joint: its points swing to -y, and their normals to -z."""
    path = stage(tmp_path, ARM.replace("EXTRA", ""))
    mesh = only_mesh(load_scene(path, SceneOptions(time=10.0)))
    assert mesh.points_m == pytest.approx(np.array([[0, 0, 0], [1, 0, 0], [0, -1, 1], [1, -1, 1]]), abs=1e-6)
    assert mesh.normal is not None
    upper = mesh.triangle >= 2
    assert mesh.normal[upper] == pytest.approx(np.broadcast_to([0, 0, -1], mesh.normal[upper].shape), abs=1e-6)
    assert mesh.normal[~upper] == pytest.approx(np.broadcast_to([0, -1, 0], mesh.normal[~upper].shape), abs=1e-6)
    half = only_mesh(load_scene(path, SceneOptions(time=5.0)))
    angle = np.pi / 4.0
    assert half.points_m[2] == pytest.approx([0.0, -np.sin(angle), 1.0 + np.cos(angle)], abs=1e-5)


@pytest.mark.parametrize(("time", "x"), [(0.0, 1.0), (2.5, 1.5), (5.0, 2.0), (7.5, 3.5), (10.0, 5.0)])
def test_blend_shapes_go_through_their_inbetweens(tmp_path: Path, time: float, x: float) -> None:
    """Weight 0.5 shows the inbetween (1), weight 1 the shape (4); in between both are mixed."""
    mesh = only_mesh(load_scene(stage(tmp_path, ARM.replace("EXTRA", SHAPES)), SceneOptions(time=time)))
    assert mesh.points_m[1] == pytest.approx([x, 0.0, 0.0], abs=1e-5)
    if time == 10.0:
        assert mesh.normal is not None
        turned = mesh.normal[mesh.triangle == 1]
        assert turned == pytest.approx(np.broadcast_to([1, -1, 0] / np.sqrt(2.0), turned.shape), abs=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # One influence for all points: the whole mesh hangs on the upper joint, about (0, 0, 1).
        (
            '[0, 0, 1, 1] (\n            interpolation = "vertex"',
            '[1] (\n            interpolation = "constant"',
            [1, 1, 1],
        ),
        # The mesh names its joints itself, in another order.
        ("EXTRA", 'uniform token[] skel:joints = ["a/b", "a"]', [1, 1, 1]),
        # Dual quaternions move rigidly weighted points alike.
        ("EXTRA", 'uniform token primvars:skel:skinningMethod = "dualQuaternion"', [1, 0, 0]),
    ],
)
def test_other_ways_to_bind_move_the_points(tmp_path: Path, old: str, new: str, expected: list[float]) -> None:
    """Rigid binding, a joint order of the mesh, dual quaternions: where the second point, (1, 0, 0), goes."""
    body = ARM.replace(old, new)
    if "constant" in new:
        body = body.replace(
            'jointWeights = [1, 1, 1, 1] (\n            interpolation = "vertex"',
            'jointWeights = [1] (\n            interpolation = "constant"',
        )
    mesh = only_mesh(load_scene(stage(tmp_path, body.replace("EXTRA", "")), SceneOptions(time=10.0)))
    assert mesh.points_m[1] == pytest.approx(expected, abs=1e-5)


def test_a_moved_mesh_is_posed_in_its_own_frame(tmp_path: Path) -> None:
    """Skinning is stated in the skeleton's space: a transform on the mesh itself changes nothing in the world."""
    moved = 'double3 xformOp:translate = (0, 0, 7)\nuniform token[] xformOpOrder = ["xformOp:translate"]'
    scene = load_scene(stage(tmp_path, ARM.replace("EXTRA", moved)), SceneOptions(time=10.0))
    world = only_mesh(scene).points_m + scene.placements.world_from_mesh[0, :, 3]
    assert world[2] == pytest.approx([0.0, -1.0, 1.0], abs=1e-5)


def test_instanced_skeletons_are_posed_too(tmp_path: Path) -> None:
    """Two native instances of a rigged figure: both bent, one shared mesh, with a note about their instancing."""
    body = ARM.replace("EXTRA", "").replace('def SkelRoot "root"', 'def SkelRoot "root"', 1)
    figure = f'class Xform "figure" {{\n{body.replace("</root", "</figure/root")}\n}}\n'
    for i in range(2):
        figure += f'def Xform "i{i}" (\ninstanceable = true\ninherits = </figure>\n) {{\n'
        figure += f'double3 xformOp:translate = ({i}, 0, 0)\nuniform token[] xformOpOrder = ["xformOp:translate"]\n}}\n'
    scene = load_scene(stage(tmp_path, figure), SceneOptions(time=10.0))
    mesh = only_mesh(scene)
    assert mesh.points_m[2] == pytest.approx([0.0, -1.0, 1.0], abs=1e-5)
    assert len(scene.placements.mesh) == 2
    assert "converted: instancing turned off to pose a skeleton" in note_texts(scene, "/i0")


def test_influences_that_do_not_fit_keep_the_rest_pose(tmp_path: Path) -> None:
    """Joint indices outside the skeleton: the mesh stays as it is, with a note."""
    body = ARM.replace("EXTRA", "").replace("jointIndices = [0, 0, 1, 1]", "jointIndices = [0, 0, 7, 1]")
    scene = load_scene(stage(tmp_path, body), SceneOptions(time=10.0))
    assert only_mesh(scene).points_m[2] == pytest.approx([0.0, 0.0, 2.0])
    assert any(text.startswith("approximated: its skin does not fit") for text in note_texts(scene, "/root/skin"))


def test_a_walking_man_is_where_usd_puts_him(shared_dir: Path) -> None:
    """CesiumMan on and between samples, out of order: SkinningQuery everywhere, BakeSkinning on the samples.

    A bake writes nothing between the samples of an animation.
    """
    from pxr import Gf, Usd, UsdGeom, UsdSkel

    path = shared_dir / "usd/04_CesiumMan/CesiumMan.usdz"
    times = [1.0, 24.0, 11.0, 12.5, 0.0]
    for time, scene in zip(times, load_frames(path, times), strict=True):
        opened = Usd.Stage.Open(str(path))
        opened.SetEditTarget(opened.GetSessionLayer())
        (root,) = [UsdSkel.Root(prim) for prim in opened.Traverse() if prim.IsA(UsdSkel.Root)]
        cache = UsdSkel.Cache()
        cache.Populate(root, Usd.PrimDefaultPredicate)
        (binding,) = cache.ComputeSkelBindings(root, Usd.PrimDefaultPredicate)
        (query,) = binding.GetSkinningTargets()
        points = UsdGeom.Mesh(query.GetPrim()).GetPointsAttr().Get(time)
        joints = cache.GetSkelQuery(binding.GetSkeleton()).ComputeSkinningTransforms(time)
        assert query.ComputeSkinnedPoints(joints, points, time)
        expected = [_moved(binding.GetSkeleton().GetPrim(), points, time)]
        if time in (1.0, 11.0, 24.0):
            assert UsdSkel.BakeSkinning(root, Gf.Interval(time, time))
            expected.append(_moved(query.GetPrim(), query.GetPrim().GetAttribute("points").Get(time), time))
        mesh, placed = only_mesh(scene), scene.placements.world_from_mesh[0]
        world = mesh.points_m @ placed[:, :3].T + placed[:, 3]
        for each in expected:
            assert world == pytest.approx(np.stack([each[:, 0], -each[:, 2], each[:, 1]], axis=-1), abs=1e-5)


def _moved(prim: Any, points: Any, time: float) -> NDArray[np.float64]:
    """Return points of a prim in the world of the stage."""
    from pxr import UsdGeom

    matrix = np.array(UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(time))
    moved: NDArray[np.float64] = np.array(points, np.float64) @ matrix[:3, :3] + matrix[3, :3]
    return moved


def test_an_animated_cage_is_refined_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of a moving subdivision surface share their stencil: only the points are multiplied again."""
    from engine.scene.subdivide import stencil as subdivide

    made: list[int] = []
    original = subdivide._subdivide

    def counted(cage: subdivide.Cage, steps: int) -> subdivide.Refined:
        made.append(steps)
        return original(cage, steps)

    monkeypatch.setattr(subdivide, "_subdivide", counted)
    corners = [[x, y, z] for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    small, large = (str([tuple(size * c for c in corner) for corner in corners]) for size in (1, 2))
    faces = CUBE[CUBE.index("int[] faceVertexCounts") :]
    body = f'def Mesh "m" {{ {faces}\nint[] cornerIndices = [3]\nfloat[] cornerSharpnesses = [1.2345]\n'
    body += samples("point3f[] points", (0, small), (1, large)) + "\n}"
    one, two = load_frames(stage(tmp_path, body), [0.0, 1.0])
    assert only_mesh(two).points_m == pytest.approx(2.0 * only_mesh(one).points_m, abs=1e-6)
    assert made == [3]


def test_the_first_time_is_the_default(tmp_path: Path) -> None:
    """Without a time, the stage's start time code."""
    body = 'def Cube "c" { double size.timeSamples = { 5: 1, 6: 2 } }'
    scene = load_stage(tmp_path, body, extra="startTimeCode = 6\n    endTimeCode = 9")
    assert np.ptp(only_mesh(scene).points_m[:, 0]) == pytest.approx(2.0)
