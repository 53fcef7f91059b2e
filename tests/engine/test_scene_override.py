"""Worlds written back as USD layers: opened again they are the same world, in usd-core and through our loader."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from pxr import Sdf, Usd, UsdGeom, UsdValidation

import engine
from engine.dataset.__main__ import main as dataset_command
from engine.defect import DefectKind
from engine.draft import DEFECT_FLOATS, DefectSlot, Draft
from engine.factory import load_recipe_scene
from engine.frames import Frames
from engine.randomize import apply
from engine.recipe import Recipe
from engine.rig import authored_draft, rig_cameras
from engine.scene import DrawnWorld, Scene, SceneError, SceneOptions, load_scene, write_world
from engine.scene.defaults import lit_scene
from engine.scene.model import Note
from tests.engine.scene_stage import SQUARE, load_stage, write_stage

TRANSFORM = 1.0e-5  # largest difference [stage units] of a matrix in units of about 1: float32 of an instancer
NESTED = f"""
def Xform "w" {{
    def PointInstancer "outer" {{
        rel prototypes = [</w/outer/p/row>, </w/outer/p/single>]
        int[] protoIndices = [0, 0, 1]
        int64[] ids = [4, 5, 9]
        point3f[] positions = [(0, 0, 0), (0, 3, 0), (6, 0, 0)]
        quath[] orientations = [(1, 0, 0, 0), (0.9239, 0, 0, 0.3827), (1, 0, 0, 0)]
        float3[] scales = [(1, 1, 1), (1, 1, 1), (2, 2, 2)]
        def Scope "p" {{
            def PointInstancer "row" {{
                rel prototypes = [</w/outer/p/row/tile>]
                int[] protoIndices = [0, 0]
                point3f[] positions = [(0, 0, 0), (2, 0, 0)]
                def Xform "tile" {{ def Mesh "m" {{ {SQUARE} color3f[] primvars:displayColor = [(1, 0.5, 0.2)] }} }}
            }}
            def Xform "single" {{ double3 xformOp:translate = (0, 0, 0.5)
                uniform token[] xformOpOrder = ["xformOp:translate"]
                def Mesh "body" {{ {SQUARE} }}
                def Xform "lid" {{ token[] semantics:labels:class = ["lid"]
                    double3 xformOp:translate = (0, 0, 0.3)
                    uniform token[] xformOpOrder = ["xformOp:translate"]
                    def Mesh "m" {{ {SQUARE} }} }}
            }}
        }}
    }}
}}
"""
CLASS = 'class Xform "box" { def Mesh "side" { SQUARE }\ndef Xform "knob" { token[] semantics:labels:class = ["knob"]\n'
CLASS += 'double3 xformOp:translate = (0.3, 0.3, 0.4)\nuniform token[] xformOpOrder = ["xformOp:translate"]\n'
CLASS = CLASS.replace("SQUARE", SQUARE) + f'def Mesh "m" {{ {SQUARE} }} }} }}\n'
NATIVE = CLASS + "".join(
    f'def Xform "i{i}" (\ninstanceable = true\ninherits = </box>\n) {{ double3 xformOp:translate = ({2 * i}, 0, 0)\n'
    'uniform token[] xformOpOrder = ["xformOp:translate"] }\n'
    for i in range(3)
)


def recipe_for(scene: Scene, width: int = 96, height: int = 72) -> Recipe:
    """Return a recipe that only needs a rig; nothing of it is read from the scene."""
    recipe, _ = engine.compose("+scene=tabletop")
    rig = dataclasses.replace(recipe.rig, cameras=("auto",), width=width, height=height, spp=4, quality="direct")
    return dataclasses.replace(recipe, rig=dataclasses.replace(rig, ambient_radiance=(0.0, 0.0, 0.0)), randomize={})


def authored(scene: Scene, recipe: Recipe) -> tuple[Scene, Draft, DrawnWorld]:
    """Return a lit scene with its authored draft of one row."""
    lit = lit_scene(scene)
    cameras = rig_cameras(lit, recipe.rig)
    draft = authored_draft(lit, recipe.rig, cameras, np.array([17]), np.zeros(1, np.int32))
    return lit, draft, DrawnWorld(recipe, cameras, draft, 0)


def shaken(draft: Draft, seed: int, size: float) -> None:
    """Move, hide, tint and swap at random; every instance may change, and the lights and cameras do."""
    random = np.random.default_rng(seed)
    count = draft.visible.shape[1]
    for poses, share in ((draft.world_from_instance[0, 1:], 0.6), (draft.world_from_light[0], 1.0)):
        for pose in poses:
            if random.random() < share:
                turn = turned(random.uniform(-0.5, 0.5))
                pivot = pose[:, 3].copy()
                pose[:, :3] = turn @ pose[:, :3]
                pose[:, 3] = pivot + random.uniform(-0.1, 0.1, 3) * size
    draft.visible[0, 1:] = random.random(count - 1) < 0.85
    some = random.random(count) < 0.4
    draft.tint[0, some] = random.uniform(0.3, 1.0, (int(some.sum()), 3)).astype(np.float32)
    draft.radiance[0] *= random.uniform(0.4, 1.5, draft.radiance[0].shape).astype(np.float32)
    draft.world_from_camera[0, :, :, 3] += random.uniform(-0.02, 0.02, 3) * size
    draft.focal_px[0] *= 0.9
    draft.center_px[0] += (3.0, -2.0)


def turned(angle_rad: float) -> np.ndarray:
    """Return a rotation about the vertical."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def rendered(scene: Scene, recipe: Recipe, draft: Draft) -> Frames:
    """Render one row on the CPU."""
    from engine.device import resolve_device

    device = resolve_device("cpu")
    from engine.render import Outputs, Renderer

    outputs = Outputs(rgb=True, rgb_linear=True, depth=True, normal=False, instance=True)
    renderer = Renderer(scene, recipe.rig, outputs, seed=3, device=device)
    try:
        return renderer.render(draft)
    finally:
        renderer.close()


def reloaded(path: Path, source: Path, drawn: DrawnWorld) -> tuple[Scene, DrawnWorld]:
    """Load a layer without randomisers, seen by the same camera."""
    again = load_scene(path, SceneOptions(roots=(source.resolve().parents[1], path.parent)))
    names = [camera.name if camera.name.startswith("/") else None for camera in drawn.cameras]
    made = [c for c in again.cameras if c.name.endswith("/ommatidia_camera")]
    cameras = tuple(next((c for c in again.cameras if c.name == name), *made[:1]) for name in names)
    draft = authored_draft(again, drawn.recipe.rig, cameras, drawn.draft.world, drawn.draft.step)
    draft.exposure[:] = drawn.draft.exposure
    return again, DrawnWorld(drawn.recipe, cameras, draft, 0)


def same_world(scene: Scene, drawn: DrawnWorld, path: Path, *, odd_px: float = 1.5e-3) -> tuple[Note, ...]:
    """Write, open again and compare: poses, ids by path, depth and colour of every pixel.

    Rounded poses turn a shadow's edge or a grazing light: `odd_px` of the pixels may differ by more than 0.1 % of the
    mean colour.
    """
    notes = write_world(path, scene, drawn)
    again, other = reloaded(path, scene.source, drawn)
    visible = drawn.draft.visible[0].copy()
    visible[0] = True
    index = {name: i for i, name in enumerate(scene.instances.path)}
    assert set(again.instances.path) == {name for name, seen in zip(index, visible, strict=True) if seen}
    expected = drawn.draft.world_from_instance[0][[index[name] for name in again.instances.path]]
    assert np.abs(again.instances.world_from_instance - expected).max() < TRANSFORM * (1.0 + np.abs(expected).max())
    keys = [{c.id: c.key for c in s.taxonomy.classes} | {0: ""} for s in (scene, again)]
    for number, name in enumerate(again.instances.path):
        was = keys[0][int(scene.instances.class_id[index[name]])]
        assert keys[1][int(again.instances.class_id[number])] == was, name
    first, second = rendered(scene, drawn.recipe, drawn.draft), rendered(again, drawn.recipe, other.draft)
    assert first.instance is not None
    assert second.instance is not None
    paths = [np.array(s.instances.path)[f.instance[0]] for s, f in ((scene, first), (again, second))]
    assert len(set(paths[0].ravel())) > 1, "nothing is seen"
    assert (paths[0] != paths[1]).mean() <= 3.0e-4  # an edge may fall on a pixel's centre
    same = paths[0] == paths[1]
    depths = [np.where(np.isfinite(f.depth_m[0]), f.depth_m[0], 0.0)[same] for f in (first, second)]  # type: ignore[index]
    assert np.abs(depths[0] - depths[1]).max() <= 1.0e-3 * (1.0 + depths[0].max())
    assert first.rgb_linear is not None
    assert second.rgb_linear is not None
    colors = np.abs(first.rgb_linear - second.rgb_linear)[0][same].max(axis=1)
    assert (colors > 1.0e-3 * max(first.rgb_linear.mean(), 1e-3)).mean() <= odd_px
    return notes


def faults(path: Path) -> set[str]:
    """Return what UsdValidation says of a stage, without the names of layers and prims."""
    stage = Usd.Stage.Open(str(path))
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    return {error.GetName() for error in UsdValidation.ValidationContext(validators).Validate(stage)}


@pytest.mark.parametrize(("name", "world"), [("warehouse", 3), ("warehouse", 8), ("tabletop", 5)])
def test_a_drawn_world_is_the_same_when_opened_again(tmp_path: Path, name: str, world: int) -> None:
    """Scenes of ours with their own randomisers: nothing is lost, and only what changed is written."""
    recipe, job = engine.compose(f"+scene={name}", "rig.width=160", "rig.height=120", "rig.spp=4")
    recipe, scene = load_recipe_scene(recipe, job)
    recipe = dataclasses.replace(recipe, rig=dataclasses.replace(recipe.rig, ambient_radiance=(0.0, 0.0, 0.0)))
    scene, draft, drawn = authored(scene, recipe)
    draft.world[:] = world
    apply.randomize(apply.plan(recipe, scene, drawn.cameras), draft)
    path = tmp_path / "world.usda"
    assert same_world(scene, drawn, path) == ()
    assert faults(path) <= faults(scene.source)
    layer = Sdf.Layer.FindOrOpen(str(path))
    facts = layer.customLayerData["ommatidia"]
    assert (facts["recipe_id"], facts["seed"], facts["world"]) == (recipe.id, str(recipe.seed), world)
    assert facts["assets"] == {asset.path: asset.sha256 for asset in scene.assets}
    changed = np.abs(draft.world_from_instance[0] - scene.instances.world_from_instance).max(axis=(1, 2)) > 0.0
    moved = {str(path) for path in prims_with(layer, "xformOp:transform:ommatidia")}
    assert moved - {c.name for c in drawn.cameras} == {scene.instances.path[i] for i in np.flatnonzero(changed)}


def prims_with(layer: Sdf.Layer, name: str) -> list[Sdf.Path]:
    """Return the prims of a layer that hold an opinion about an attribute."""
    found: list[Sdf.Path] = []
    layer.Traverse("/", lambda path: found.append(path.GetPrimPath()) if path.name == name else None)
    return found


def test_matrices_in_usd_core_are_those_of_the_world(tmp_path: Path) -> None:
    """Y up, centimetres, parents that moved and parents that scale: the composed local-to-world is the world's own."""
    part = 'def Xform "PART" ( kind = "component" ) { double3 xformOp:translate = (30, 5, 2)\nMESH\n{} }'
    mesh = f'uniform token[] xformOpOrder = ["xformOp:translate"]\ndef Mesh "m" {{ {SQUARE} }}'
    part = part.replace("MESH", mesh)
    body = 'def Xform "w" { float3 xformOp:scale = (1, 2, 3)\nuniform token[] xformOpOrder = ["xformOp:scale"]\n'
    body += part.replace("PART", "a").replace("{}", part.replace("PART", "b").replace("{}", "")) + "}"
    scene = load_stage(tmp_path, body, meters_per_unit=0.01, up="Y")
    assert scene.instances.path == ("", "/w/a", "/w/a/b")
    _, draft, drawn = authored(scene, recipe_for(scene))
    draft.world_from_instance[0, 1, :, 3] += (0.5, -0.25, 0.125)  # the outer one alone: the inner one must stay
    write_world(tmp_path / "out.usda", scene, drawn)
    before, after = Usd.Stage.Open(str(tmp_path / "scene.usda")), Usd.Stage.Open(str(tmp_path / "out.usda"))
    places = [
        [
            np.array(UsdGeom.Xformable(stage.GetPrimAtPath(p)).ComputeLocalToWorldTransform(0))
            for p in ("/w/a", "/w/a/b")
        ]
        for stage in (before, after)
    ]
    moved = places[0][0].copy()
    moved[3, :3] += (50.0, 12.5, 25.0)  # Z-up metres to Y-up centimetres: y is the old z, z the old -y
    assert places[1][0] == pytest.approx(moved, abs=1e-9)
    assert places[1][1] == pytest.approx(places[0][1], abs=1e-9)
    assert UsdGeom.GetStageUpAxis(after) == "Y"
    assert UsdGeom.GetStageMetersPerUnit(after) == 0.01


@pytest.mark.parametrize("seed", range(3))
def test_elements_of_nested_instancers_get_their_own_places_and_looks(tmp_path: Path, seed: int) -> None:
    """Elements, elements of elements and parts of elements move, hide and change colour one by one."""
    scene = load_stage(tmp_path, NESTED, extra='defaultPrim = "w"')
    assert "/w/outer[4][1]" in scene.instances.path
    assert "/w/outer[9]/lid" in scene.instances.path
    scene, draft, drawn = authored(scene, recipe_for(scene))
    shaken(draft, seed, 1.0)
    assert same_world(scene, drawn, tmp_path / "out.usda") == ()


@pytest.mark.parametrize("seed", range(2))
def test_what_changes_inside_a_native_instance_counts(tmp_path: Path, seed: int) -> None:
    """A labelled part inside an instance moves on its own: opinions on instance proxies would be ignored."""
    scene = load_stage(tmp_path, NATIVE)
    assert {"/i0", "/i0/knob", "/i2/knob"} <= set(scene.instances.path)
    scene, draft, drawn = authored(scene, recipe_for(scene))
    shaken(draft, seed, 1.0)
    assert same_world(scene, drawn, tmp_path / "out.usdc") == ()


def test_an_instance_that_did_not_change_inside_stays_an_instance(tmp_path: Path) -> None:
    """Only what must be opened is: a moved instance is still instanceable."""
    scene = load_stage(tmp_path, NATIVE)
    _, draft, drawn = authored(scene, recipe_for(scene))
    draft.world_from_instance[0, scene.instances.path.index("/i0/knob"), 2, 3] += 0.5
    draft.visible[0, scene.instances.path.index("/i2/knob")] = False
    write_world(tmp_path / "out.usda", scene, drawn)
    stage = Usd.Stage.Open(str(tmp_path / "out.usda"))
    assert [stage.GetPrimAtPath(f"/i{i}").IsInstance() for i in range(3)] == [False, True, False]


@pytest.mark.parametrize("name", ["referee/instancing_mods/scene.usdc", "referee/textured_pbr/scene.usdc"])
def test_shaken_scenes_of_blender_are_the_same_when_opened_again(shared_dir: Path, tmp_path: Path, name: str) -> None:
    """Instance proxies, mirrored instances, textures, a dome whose orientation depends on who exported it."""
    scene = load_scene(shared_dir / name)
    scene, draft, drawn = authored(scene, recipe_for(scene, 120, 90))
    shaken(draft, 1, 0.5)
    path = tmp_path / "out.usda"
    notes = same_world(scene, drawn, path)
    assert [note for note in notes if note.level == "error"] == []
    assert faults(path) <= faults(scene.source)


def test_thousands_of_elements_of_houdini_are_the_same_when_opened_again(shared_dir: Path, tmp_path: Path) -> None:
    """Nested instancers whose prototypes reference prims that are drawn themselves; rotations in half floats."""
    scene = load_scene(shared_dir / "usd/09_arnold_nestedInstances/data/test.usda")
    scene, draft, drawn = authored(scene, recipe_for(scene, 120, 90))
    shaken(draft, 2, 1.0)
    assert len(scene.instances.path) > 4000
    assert same_world(scene, drawn, tmp_path / "out.usdc", odd_px=1.0e-2) == ()


def test_users_of_a_prim_keep_what_the_world_changed_on_it_alone(tmp_path: Path) -> None:
    """A prim that references another one of the stage does not follow it."""
    body = 'def Xform "w" { def Xform "a" { {MESH} }\ndef Xform "b" (\nreferences = </w/a>\n) { MOVED } }'
    moved = 'double3 xformOp:translate = (3, 0, 0)\nuniform token[] xformOpOrder = ["xformOp:translate"]'
    body = body.replace("{MESH}", f'def Mesh "m" {{ {SQUARE} }}').replace("MOVED", moved)
    scene = load_stage(tmp_path, body, extra='defaultPrim = "w"')
    assert scene.instances.path == ("", "/w/a", "/w/b")
    scene, draft, drawn = authored(scene, recipe_for(scene))
    draft.world_from_instance[0, 1, 2, 3] += 1.0
    draft.tint[0, 1] = (0.2, 0.8, 0.4)
    assert same_world(scene, drawn, tmp_path / "out.usda") == ()
    draft.visible[0, 1] = False
    assert same_world(scene, drawn, tmp_path / "out.usda") == ()


def test_a_material_that_nothing_binds_is_bound_in_the_layer(tmp_path: Path) -> None:
    """A randomiser puts it on, with a colour that the world drew for it."""
    spare = 'def Material "Spare" { token outputs:surface.connect = </w/Spare/s.outputs:surface>\ndef Shader "s" {\n'
    spare += 'uniform token info:id = "UsdPreviewSurface"\ncolor3f inputs:diffuseColor = (0.1, 0.6, 0.2)\n'
    spare += "token outputs:surface\n} }\n"
    body = f'def Xform "w" {{ def Mesh "m" {{ {SQUARE} }}\n{spare} }}'
    scene = load_stage(tmp_path, body, extra='defaultPrim = "w"')
    scene, draft, drawn = authored(scene, recipe_for(scene))
    index = scene.material_of["/w/Spare"]
    draft.material[0, 1] = index
    draft.base_color[0, index] = (0.7, 0.1, 0.1)
    assert same_world(scene, drawn, tmp_path / "out.usda") == ()


def test_a_mapped_class_is_written_as_a_label(tmp_path: Path) -> None:
    """What a mapping said is in the layer as UsdSemantics, so that it is known without the mapping."""
    body = f'def Xform "w" {{ def Xform "a" {{ def Mesh "m" {{ {SQUARE} }} }}\ndef Mesh "b" {{ {SQUARE} }} }}'
    scene = load_stage(tmp_path, body, SceneOptions(class_map={"/w/a": "crate"}), extra='defaultPrim = "w"')
    _, _, drawn = authored(scene, recipe_for(scene))
    write_world(tmp_path / "out.usda", scene, drawn, SceneOptions(class_map={"/w/a": "crate"}))
    again = load_scene(tmp_path / "out.usda")
    assert again.instances.path == scene.instances.path
    assert again.instances.label_source[1:] == ("labels_api", "none")
    assert again.taxonomy.classes[0].key == "crate"


def test_a_pattern_that_usd_cannot_say_is_named(tmp_path: Path) -> None:
    """The layer is written without it, and a note says who wore one."""
    scene = load_stage(tmp_path, f'def Mesh "m" {{ {SQUARE} }}')
    _, draft, drawn = authored(scene, recipe_for(scene))
    draft.pattern_of_instance[0, 1] = 0
    (note,) = write_world(tmp_path / "out.usda", scene, drawn)
    assert (note.level, note.prim) == ("skipped", "/m")
    assert "procedural pattern" in note.what


def test_defects_that_usd_cannot_say_are_named_once(tmp_path: Path) -> None:
    """Three slots, two of them on one instance, one unused: the layer is written and says who bears what."""
    scene = load_stage(tmp_path, f'def Mesh "m" {{ {SQUARE} }}')
    _, draft, drawn = authored(scene, recipe_for(scene))
    draft.defect_of = np.array([[1, 0, 1]], np.int32)
    draft.defect = np.zeros((1, 3, DEFECT_FLOATS), np.float32)
    draft.defect_slots = (DefectSlot("marks", DefectKind.SCRATCH, 180, ""),) * 3
    (note,) = write_world(tmp_path / "out.usda", scene, drawn)
    assert (note.level, note.prim) == ("skipped", "/m")
    assert "defects" in note.what


@pytest.mark.parametrize("where", ["scene.usda", "out.png", "gone/out.usda"])
def test_a_layer_that_cannot_be_written_is_one_line(tmp_path: Path, where: str) -> None:
    """Over the scene itself, with a foreign name, into no folder: one clear error and nothing written."""
    scene = load_stage(tmp_path, f'def Mesh "m" {{ {SQUARE} }}')
    text = (tmp_path / "scene.usda").read_bytes()
    _, _, drawn = authored(scene, recipe_for(scene))
    with pytest.raises(SceneError, match=r"^[^\n]+$"):
        write_world(tmp_path / where, scene, drawn)
    assert (tmp_path / "scene.usda").read_bytes() == text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene.usda"]


def test_metadata_of_the_stage_is_that_of_the_scene(tmp_path: Path) -> None:
    """Root metadata do not compose from sublayers: time codes, units, default prim and exporter are carried over."""
    extra = 'defaultPrim = "m"\n    doc = "Blender v5.0"\n    startTimeCode = 3\n    endTimeCode = 9\n'
    extra += "    timeCodesPerSecond = 30"
    path = write_stage(tmp_path, f'def Mesh "m" {{ {SQUARE} }}', meters_per_unit=0.1, extra=extra)
    scene = load_scene(path)
    _, _, drawn = authored(scene, recipe_for(scene))
    write_world(tmp_path / "sub.usdc", scene, drawn)
    stage = Usd.Stage.Open(str(tmp_path / "sub.usdc"))
    assert stage.GetDefaultPrim().GetPath() == "/m"
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode(), stage.GetTimeCodesPerSecond()) == (3, 9, 30)
    assert stage.GetRootLayer().documentation.startswith("Blender v5.0\n")
    assert stage.GetRootLayer().subLayerPaths == ["./scene.usda"]


def test_the_command_writes_the_world_of_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`world DIR N`: the very poses that the dataset's own row of the index was drawn with."""
    recipe, job = engine.compose(
        "+scene=tabletop", "rig=preview", "worlds=[5]", f"out={tmp_path / 'set'}", "device=cpu"
    )
    made = engine.generate(recipe, job)
    out = tmp_path / "w5.usda"
    assert dataset_command(["world", str(made.out), "5", "--usd", str(out)]) == 0
    assert f"world 5, step 0: {out}" in capsys.readouterr().out
    recipe, scene = load_recipe_scene(recipe, job)
    assert Sdf.Layer.FindOrOpen(str(out)).customLayerData["ommatidia"]["recipe_id"] == made.manifest.recipe_id
    cameras = rig_cameras(scene, recipe.rig)
    draft = authored_draft(scene, recipe.rig, cameras, np.array([5]), np.zeros(1, np.int32))
    apply.randomize(apply.plan(recipe, scene, cameras), draft)
    stage = Usd.Stage.Open(str(out))
    for index in np.flatnonzero(draft.visible[0])[1:]:
        prim = UsdGeom.Xformable(stage.GetPrimAtPath(scene.instances.path[index]))
        matrix = np.array(prim.ComputeLocalToWorldTransform(0))
        assert pytest.approx(draft.world_from_instance[0, index], abs=1e-12) == matrix[:, :3].T
    frames = parquet.read_table(made.out / "index/frames.parquet").to_pylist()
    camera = UsdGeom.Xformable(stage.GetPrimAtPath(cameras[0].name)).ComputeLocalToWorldTransform(0)
    assert pytest.approx(np.reshape(frames[0]["world_from_camera"], (4, 4)), abs=1e-9) == np.array(camera).T
    assert dataset_command(["world", str(made.out), "5", "--usd", str(out), "--step", "9"]) == 2
    assert "--step 9" in capsys.readouterr().err
