"""The scenes that come with the product: valid USD of real sizes, labelled, reproducible, and good to randomise."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pxr import Usd, UsdGeom, UsdShade, UsdValidation

from engine.config import compose
from engine.draft import Draft
from engine.factory import build_factory, load_recipe_scene
from engine.randomize.apply import plan, randomize
from engine.randomize.bounds import scene_bounds, world_boxes
from engine.randomize.kinds import DAYLIGHT_KINDS
from engine.render import Outputs, Renderer
from engine.rig import authored_draft, rig_cameras
from engine.scene import SceneOptions, load_scene
from engine.scene.bounds import Shapes
from engine.scene.defaults import daylit_scene
from engine.scene.model import Scene
from scenes_usd.author.build import build

SCENES_USD = Path(__file__).resolve().parents[2] / "scenes_usd"
NAMES = ("warehouse", "tabletop", "inspection", "street", "retail", "tile")
FILES = sorted(path.relative_to(SCENES_USD).as_posix() for path in SCENES_USD.rglob("*.usda"))
USD_BYTES, TEXTURE_BYTES = 16_000_000, 5_000_000
MOST_LIGHTS = {"tile": 9}  # each costs a ray of shadow; eight bars and a dim room
APART_M = 1.0e-5  # authored coordinates are rounded to this


@cache
def stage(name: str) -> Usd.Stage:
    return Usd.Stage.Open(str(SCENES_USD / name))


@cache
def scene(name: str) -> Scene:
    return load_scene(SCENES_USD / f"{name}.usda", SceneOptions())


def world_box(prim: Usd.Prim) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and greatest corner [m] of everything below a prim, by its points."""
    cache = UsdGeom.XformCache()
    points = []
    for mesh in Usd.PrimRange(prim, Usd.TraverseInstanceProxies()):
        if mesh.IsA(UsdGeom.Mesh):
            own = np.array(UsdGeom.Mesh(mesh).GetPointsAttr().Get(), dtype=np.float64)
            matrix = np.array(cache.GetLocalToWorldTransform(mesh))
            points.append(own @ matrix[:3, :3] + matrix[3, :3])
    joined = np.concatenate(points)
    return joined.min(axis=0), joined.max(axis=0)


def size_of(asset: str, **variants: str) -> NDArray[np.float64]:
    """Return the size [m] of an asset with these variants."""
    opened = Usd.Stage.Open(str(SCENES_USD / "assets" / f"{asset}.usda"))
    for name, choice in variants.items():
        assert opened.GetDefaultPrim().GetVariantSet(name).SetVariantSelection(choice)
    low, high = world_box(opened.GetDefaultPrim())
    return high - low


def overlaps(boxes: list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]) -> list[tuple[str, str]]:
    """Return the names of boxes that share more than APART_M in every axis."""
    low, high = np.array([b[1] for b in boxes]), np.array([b[2] for b in boxes])
    shared = (np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])).min(axis=2)
    return [(boxes[i][0], boxes[j][0]) for i, j in np.argwhere(np.triu(shared > APART_M, k=1))]


@pytest.mark.parametrize("file", FILES)
def test_every_file_composes_and_passes_every_validator(file: str):
    opened = stage(file)
    assert opened.GetCompositionErrors() == []
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert len(validators) >= 20
    errors = UsdValidation.ValidationContext(validators).Validate(opened)
    assert [(e.GetName(), e.GetMessage()) for e in errors] == []


@pytest.mark.parametrize("file", FILES)
def test_every_file_says_its_units_and_holds_sound_meshes(file: str):
    """What the validators do not look at: index ranges, finite numbers, unit normals, a material everywhere."""
    opened = stage(file)
    assert UsdGeom.GetStageUpAxis(opened) == UsdGeom.Tokens.z
    assert UsdGeom.GetStageMetersPerUnit(opened) == 1.0
    assert opened.GetDefaultPrim()
    for prim in opened.Traverse():
        if not prim.IsA(UsdGeom.Mesh):
            continue
        mesh = UsdGeom.Mesh(prim)
        points, index = np.array(mesh.GetPointsAttr().Get()), np.array(mesh.GetFaceVertexIndicesAttr().Get())
        assert mesh.GetSubdivisionSchemeAttr().Get() == UsdGeom.Tokens.none
        assert np.isfinite(points).all(), prim.GetPath()
        assert 0 <= index.min() <= index.max() < len(points), prim.GetPath()
        normal = np.array(UsdGeom.PrimvarsAPI(prim).GetPrimvar("normals").ComputeFlattened())
        assert np.linalg.norm(normal, axis=1) == pytest.approx(1.0, abs=2e-3), prim.GetPath()
        assert len(UsdGeom.PrimvarsAPI(prim).GetPrimvar("st").ComputeFlattened()) in (len(points), len(index))
        assert (
            UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()[0]
            or UsdShade.MaterialBindingAPI(prim).GetMaterialBindSubsets()
        ), prim.GetPath()


def test_the_authoring_scripts_write_the_very_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Text byte for byte; images to one grey level, as a Fourier transform may round differently elsewhere."""
    save = Image.Image.save
    monkeypatch.setattr(Image.Image, "save", lambda image, path, **_: save(image, path, compress_level=1))  # sooner
    build(tmp_path)
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.usda"))
    assert written == FILES
    assert [f for f in FILES if (tmp_path / f).read_bytes() != (SCENES_USD / f).read_bytes()] == []
    images = sorted(path.relative_to(SCENES_USD) for path in SCENES_USD.rglob("*.png"))
    assert images == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.png"))
    for image in images:
        new, old = (np.asarray(Image.open(root / image), dtype=np.int32) for root in (tmp_path, SCENES_USD))
        assert (np.abs(new - old) > 1).mean() < 0.002, image


def test_sizes_are_those_of_the_real_things():
    """Standards: EN 13698-1 pallet, ISO 4017 and 4032 hexagons, ISO 15 bearing 6203, EN 13199 tote."""
    assert size_of("pallet") == pytest.approx([1.2, 0.8, 0.144], abs=1e-4)
    assert size_of("tote")[2] == pytest.approx(0.12, abs=1e-4)
    assert size_of("bearing", size="_6203") == pytest.approx([0.04, 0.04, 0.012], abs=3e-4)
    for thread, flats, head, nut in (("m8", 13, 5.3, 6.8), ("m10", 16, 6.4, 8.4), ("m12", 18, 7.5, 10.8)):
        corners = flats / np.cos(np.radians(30.0))
        bolt, hexagon = size_of("bolt", size=thread) * 1e3, size_of("nut", size=thread) * 1e3
        assert sorted(bolt[:2]) == pytest.approx([flats, corners], abs=0.3)
        assert sorted(hexagon) == pytest.approx([nut, flats, corners], abs=0.3)
        assert bolt[2] > 25 + head
    for size in ("s300x200x200", "m400x300x200", "m400x300x300", "l600x400x200", "l600x400x300", "l600x400x400"):
        slot = np.array([float(x) for x in re.findall(r"\d+", size)]) * 1e-3
        gap = slot - size_of("carton", size=size)
        assert 0.0005 <= gap.min() <= gap.max() <= 0.02, size
    for pose in ("stand", "walk", "carry"):
        assert 1.7 < size_of("person", pose=pose)[2] < 1.9
    assert size_of("forklift") == pytest.approx([3.3, 1.1, 2.2], abs=0.15)
    assert size_of("cone")[2] == pytest.approx(0.5, abs=1e-3)
    assert size_of("rack_bay") == pytest.approx([2.7 + 2 * 0.11, 1.1, 4.2], abs=0.05)
    for asset, size in (("car_hatch", (3.9, 1.8, 1.48)), ("car_suv", (4.4, 2.0, 1.68)), ("van", (5.1, 2.1, 2.1))):
        assert size_of(asset) == pytest.approx(size, abs=0.12), asset
    assert size_of("truck") == pytest.approx([7.9, 2.5, 3.47], abs=0.1)
    assert size_of("cyclist") == pytest.approx([1.76, 0.7, 1.84], abs=0.1)
    for pose in ("stand", "walk", "stride"):
        assert 1.7 < size_of("pedestrian", pose=pose)[2] < 1.85
    assert size_of("plate") == pytest.approx([0.16, 0.11, 0.012], abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_every_instance_is_labelled_and_named_in_the_taxonomy(name: str):
    loaded = scene(name)
    taxonomy = json.loads((SCENES_USD / "taxonomy.json").read_text("utf-8"))
    ids = {row["key"]: row["id"] for row in taxonomy["classes"]}
    assert {c.key: c.id for c in loaded.taxonomy.classes} == ids
    assert {row["parent"] for row in taxonomy["classes"]} <= {
        "",
        "defect",
        "near_miss",
        *ids,
    }  # groups of engine.defect
    assert (loaded.instances.class_id[1:] > 0).mean() >= 0.95
    assert set(loaded.instances.label_source[1:]) == {"labels_api"}
    assert [note for note in loaded.notes if note.level in ("error", "skipped", "repaired")] == []


def test_default_cartons_and_pallets_touch_without_interpenetration():
    """Boxes are exact here: everything stands at right angles. And nothing floats: each stands on a top or a beam."""
    opened = stage("warehouse.usda")
    boxes = []
    for group in (
        "Cartons/Large",
        "Cartons/Wrapped",
        "Cartons/Medium",
        "Cartons/Small",
        "Pallets/Loaded",
        "Pallets/Empty",
    ):
        boxes += [(str(p.GetPath()), *world_box(p)) for p in opened.GetPrimAtPath(f"/Warehouse/{group}").GetChildren()]
    assert sum("Carton" in box[0] for box in boxes) >= 120
    assert overlaps(boxes) == []
    tops = np.array([box[2][2] for box in boxes] + [0.0, 1.5, 3.0])
    assert max(np.abs(tops - box[1][2]).min() for box in boxes) < 0.002


def test_default_parts_in_the_tote_do_not_interpenetrate():
    parts = stage("tabletop.usda").GetPrimAtPath("/Tabletop/Parts").GetChildren()
    boxes = [(str(p.GetPath()), *world_box(p)) for p in parts]
    assert len(boxes) >= 40
    assert overlaps(boxes) == []


@pytest.mark.parametrize("name", NAMES)
def test_supports_of_anchors_are_of_their_kind_and_lead_to_the_ground(name: str):
    anchors = {anchor.path: anchor for anchor in scene(name).anchors}
    assert anchors
    depth: dict[str, int] = {}
    for path in anchors:
        chain = [path]
        while chain:
            below = anchors[chain[-1]].support
            assert all(anchors[b].kind == anchors[chain[-1]].kind for b in below)
            open_below = [b for b in below if b not in depth]
            assert not set(open_below) & set(chain), f"{path} supports itself"
            if open_below:
                chain.append(open_below[0])
            else:
                depth[chain[-1]] = 1 + max((depth[b] for b in below), default=0)
                chain.pop()
    assert min(depth.values()) == 1


def test_there_are_twice_as_many_carton_slots_as_cartons():
    loaded = scene("warehouse")
    for group in ("Large", "Medium", "Small"):
        items = [path for path in loaded.instances.path if path.startswith(f"/Warehouse/Cartons/{group}/")]
        slots = [anchor for anchor in loaded.anchors if anchor.kind == f"carton_slot_{group.lower()}"]
        assert len(slots) >= 2 * len(items) > 0
    kinds = {anchor.kind for anchor in loaded.anchors}
    assert {"pallet_slot", "clutter_area", "camera_volume", "look_volume"} <= kinds


def test_no_ray_leaves_the_closed_hall():
    """From every authored camera, and from those of random worlds, each pixel shows something."""
    loaded = scene("warehouse")
    recipe, _ = compose("+scene=warehouse", "rig.cameras=[/Warehouse/Cameras/*]")
    rig = replace(recipe.rig, width=480, height=360, quality="labels", spp=1)
    cameras = rig_cameras(loaded, rig)
    drafts = [authored_draft(loaded, rig, cameras, np.zeros(1, np.int64), np.zeros(1, np.int32))]
    drafts.append(authored_draft(loaded, rig, cameras[:1], np.arange(8), np.zeros(8, np.int32)))
    randomize(plan(replace(recipe, rig=rig), loaded, cameras[:1]), drafts[1])
    for draft in drafts:
        renderer = Renderer(
            loaded,
            rig,
            Outputs(rgb=False, rgb_linear=False, depth=False, normal=False, instance=True),
            seed=0,
            device="cpu",
        )
        try:
            instance = np.asarray(renderer.render(draft).instance)
        finally:
            renderer.close()
        assert instance.size > 0
        assert np.count_nonzero(instance == 0) == 0


def test_default_parts_lie_and_never_stand_on_end():
    """Bolts, springs and brackets lie, a bolt on its head's flat and its tip; flat parts are level."""
    opened = stage("tabletop.usda")
    parts = [prim for group in ("Parts", "Loose") for prim in opened.GetPrimAtPath(f"/Tabletop/{group}").GetChildren()]
    cache = UsdGeom.XformCache()
    for prim in parts:
        axis_z = abs(cache.GetLocalToWorldTransform(prim).TransformDir((0, 0, 1))[2])
        if re.match("Bolt|Spring|Bracket", prim.GetName()):
            assert axis_z < np.sin(np.radians(5.5)), prim.GetPath()
        elif re.match("Nut|Washer|Gear|Bearing", prim.GetName()):
            assert axis_z == pytest.approx(1.0, abs=1e-6), prim.GetPath()


def test_files_are_small_and_speak_of_no_machine():
    for file in FILES:
        text = (SCENES_USD / file).read_text("utf-8")
        paths = re.findall(r"@([^@\n]*)@", text)
        assert [p for p in paths if p.startswith("/") or ":" in p or "\\" in p] == [], file
        assert not re.search(r"/(work|tmp|home|Users)/", text), file
    assert sum((SCENES_USD / file).stat().st_size for file in FILES) < USD_BYTES
    assert sum(path.stat().st_size for path in SCENES_USD.rglob("*.png")) < TEXTURE_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_default_randomisers_run_and_change_the_worlds(name: str):
    """Every entry of conf/scene draws, cameras end up in free air, and two worlds differ in pose and light."""
    loaded = scene(name)
    draft = randomised(name, worlds=6)
    recipe, _ = compose(f"+scene={name}")
    for entry in recipe.randomize:
        assert any(column.startswith(f"p.{entry}.") for column in draft.drawn), entry
    assert not np.array_equal(draft.world_from_camera[0], draft.world_from_camera[1])
    assert not np.array_equal(draft.radiance[0], draft.radiance[1])
    for column, values in draft.drawn.items():
        if column.endswith(".clear"):
            assert values.mean() > 0.8, column
    assert len(loaded.lights) <= MOST_LIGHTS.get(name, 8)


def test_the_overview_of_the_magnet_line_renders_without_the_view_of_the_line():
    recipe, job = compose("+scene=tile", "rig.cameras=[/MagnetLine/Cameras/Overview]", "+randomize={view:null}")
    recipe, loaded = load_recipe_scene(recipe, job)
    factory = build_factory(recipe, loaded, device="cpu")
    draft = factory.draft(range(2))
    assert np.isfinite(draft.world_from_camera).all()
    factory.renderer.close()


def test_randomised_cartons_stand_apart_and_on_something():
    """Loads that are sheared as one are left as they were: their cartons are boxes no more."""
    loaded = scene("warehouse")
    draft = randomised("warehouse", "scene.randomize.loads_lean_wrapped=null", worlds=4)
    center_m, half_m = world_boxes(scene_bounds(loaded), draft.world_from_instance)
    stacked = [i for i, path in enumerate(loaded.instances.path) if "/Cartons/" in path or "/Pallets/" in path]
    for world in range(4):
        seen = [i for i in stacked if draft.visible[world, i]]
        boxes = [
            (loaded.instances.path[i], center_m[world, i] - half_m[world, i], center_m[world, i] + half_m[world, i])
            for i in seen
        ]
        assert sum("/Cartons/" in box[0] for box in boxes) >= 30
        assert overlaps(boxes) == []
        tops = np.array([box[2][2] for box in boxes] + [0.0, 1.5, 3.0])
        assert max(np.abs(tops - box[1][2]).min() for box in boxes) < 0.002


def randomised(name: str, *more: str, worlds: int) -> Draft:
    recipe, _ = compose(f"+scene={name}", *more)
    loaded = scene(name)
    if any(entry["kind"] in DAYLIGHT_KINDS for entry in recipe.randomize.values()):
        loaded = daylit_scene(loaded)
    cameras = rig_cameras(loaded, recipe.rig)
    draft = authored_draft(loaded, recipe.rig, cameras, np.arange(worlds), np.zeros(worlds, np.int32))
    randomize(plan(recipe, loaded, cameras), draft)
    return draft


def test_people_have_all_their_joints_inside_of_them():
    """Every person of the warehouse, whatever the pose: left is left, heads are up, wrists hang on arms."""
    hall = scene("warehouse")
    (entry,) = [entry for entry in hall.taxonomy.classes if entry.key == "person"]
    people = np.flatnonzero(hall.instances.class_id == entry.id)
    low, high = Shapes(hall).bounds_m
    assert len(people) == 5
    for person in people:
        own = hall.keypoints.instance == person
        assert hall.keypoints.number[own].tolist() == list(range(14))
        place = dict(zip(entry.keypoints, hall.keypoints.position_m[own], strict=True))
        points = np.array(list(place.values()))
        assert (points > low[person]).all()
        assert (points < high[person]).all()
        assert place["head"][2] > place["neck"][2] > place["left_hip"][2] > place["left_knee"][2]
        for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
            assert place[f"left_{part}"][1] > 0.0 > place[f"right_{part}"][1]
        for side in ("left", "right"):
            arm = [place[f"{side}_{part}"] for part in ("shoulder", "elbow", "wrist")]
            for upper, lower in pairwise(arm):
                assert 0.2 < np.linalg.norm(upper - lower) < 0.35
    assert {entry.keypoints[a] for pair in entry.skeleton for a in pair} == set(entry.keypoints)
