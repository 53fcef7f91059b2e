"""The rules of the warehouse hold in what is rendered: occlusion, labels, film, damage, unsafe proximity."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pxr import Usd, UsdGeom

from engine.config import compose
from engine.draft import Draft
from engine.labels.config import LabelConfig
from engine.labels.model import Labels
from engine.randomize.apply import plan, randomize
from engine.randomize.bounds import scene_bounds
from engine.randomize.pose import apply
from engine.render import Outputs, Renderer
from engine.rig import authored_draft, rig_cameras
from engine.scene import SceneOptions, load_scene
from engine.scene.model import Scene
from scenes_usd.author import wrap
from scenes_usd.author.shipping_print import BAR_PX, CODE_128, COLUMNS, LABEL_PX, ROWS, variant_names

SCENES_USD = Path(__file__).resolve().parents[2] / "scenes_usd"
WORLDS = 24


@cache
def hall() -> Scene:
    return load_scene(SCENES_USD / "warehouse.usda", SceneOptions())


@cache
def drawn(worlds: int) -> tuple[Any, Draft]:
    recipe, _ = compose("+scene=warehouse", "rig=preview")
    recipe = replace(recipe, rig=replace(recipe.rig, quality="labels", spp=1))
    cameras = rig_cameras(hall(), recipe.rig)
    draft = authored_draft(hall(), recipe.rig, cameras, np.arange(worlds), np.zeros(worlds, np.int32))
    randomize(plan(recipe, hall(), cameras), draft)
    return recipe, draft


@cache
def seen() -> Labels:
    """Return the labels of some worlds, without light."""
    recipe, draft = drawn(WORLDS)
    labels = LabelConfig(amodal=True, margin=0.0, keypoint_tolerance_m=0.05)
    outputs = Outputs(rgb=False, rgb_linear=False, depth=False, normal=False, instance=True, labels=labels)
    renderer = Renderer(hall(), recipe.rig, outputs, seed=0, device="cpu")
    try:
        found = renderer.render(draft).labels
    finally:
        renderer.close()
    assert found is not None
    return found


def named(part: str) -> NDArray[np.int64]:
    return np.array([i for i, path in enumerate(hall().instances.path) if path.startswith(f"/Warehouse/{part}")])


def occlusion(part: str) -> NDArray[np.float64]:
    """Return the hidden share of every instance below a path that a camera sees something of."""
    labels = seen()
    rows = np.isin(labels.instance, named(part))
    assert labels.amodal is not None
    return 1.0 - labels.visible_px[rows] / labels.amodal.in_frame_px[rows]


def corners(instances: NDArray[np.int64], draft: Draft) -> NDArray[np.float64]:
    """Return the corners [world, instance, 8, 3] of the instances' own boxes where the draft has them."""
    bounds = scene_bounds(hall())
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    own = bounds.center_m[instances][:, None] + bounds.half_m[instances][:, None] * signs
    return apply(draft.world_from_instance[:, instances][:, :, None], own[None])


def test_cartons_are_hidden_by_every_share_from_nothing_to_nine_tenths():
    counts = np.histogram(occlusion("Cartons/"), np.linspace(0.0, 1.0, 11))[0]
    assert counts[:10].min() >= 10, counts


def test_labels_are_seen_in_part_and_their_share_is_recorded():
    """Between 10 and 60 percent visible, of an own class; and labels are seen whole, too."""
    hidden = occlusion("Labels/")
    assert ((hidden >= 0.4) & (hidden <= 0.9)).sum() >= 5
    assert (hidden == 0.0).sum() >= 20
    classes = {c.key: c.id for c in hall().taxonomy.classes}
    own = hall().instances.class_id
    assert set(own[named("Labels/Right")]) == {classes["shipping_label"]}
    assert set(own[named("Labels/Wrong")]) == {classes["wrong_label"]}
    assert set(own[named("Wraps/")]) == {classes["shrink_wrap"]}


def test_labels_stick_to_visible_cartons():
    """Every visible label's middle is on a face of a visible carton's own box, within 1 mm; each label is used once."""
    _, draft = drawn(WORLDS)
    labels, cartons = named("Labels/"), named("Cartons/")
    bounds = scene_bounds(hall())
    hosts = draft.drawn["p.labels.item"]
    assert (hosts > 0).sum() == draft.visible[:, labels].sum() > 20 * WORLDS
    for world in range(4):
        shown = cartons[draft.visible[world, cartons]]
        pose = draft.world_from_instance[world, shown]
        inverse = np.linalg.inv(pose[:, :, :3])
        assert len(set(hosts[world]) - {0}) == np.count_nonzero(hosts[world])
        for label in labels[draft.visible[world, labels]]:
            away = draft.world_from_instance[world, label, :, 3] - pose[:, :, 3]
            local = np.einsum("hij,hj->hi", inverse, away) - bounds.center_m[shown]
            depth = (np.abs(local) - bounds.half_m[shown]).max(axis=1)
            assert np.abs(depth).min() < 1e-3


def test_film_is_seen_whole_and_torn_and_says_how_far():
    """Area of the holes grows with the severity; each state of the film is around some load."""
    asset = Usd.Stage.Open(str(SCENES_USD / "assets" / "shrink_wrap.usda"))
    prim = asset.GetDefaultPrim()
    area: dict[int, list[float]] = {}
    for name in prim.GetVariantSet("tear").GetVariantNames():
        prim.GetVariantSet("tear").SetVariantSelection(name)
        severity = prim.GetAttribute("ommatidia:tear_severity").Get()
        mesh = UsdGeom.Mesh(asset.GetPrimAtPath("/ShrinkWrap/Geometry/Film"))
        assert mesh.GetDoubleSidedAttr().Get()
        area.setdefault(severity, []).append(prim.GetAttribute("ommatidia:tear_area_m2").Get())
    assert area[0] == [0.0, 0.0]
    assert 0.0 < max(area[1]) < min(area[2]) <= max(area[2]) < min(area[3]) < 0.6
    _, draft = drawn(WORLDS)
    assert set(named("Wraps/")) <= set(draft.drawn["p.wraps.item"].ravel())
    visible = np.isin(seen().instance, named("Wraps/Torn"))
    assert len(set(seen().view[visible])) >= 4
    hidden_by_film = np.isin(seen().amodal.occluder, named("Wraps/")) & np.isin(seen().instance, named("Cartons/"))
    assert hidden_by_film.sum() >= 5  # through holes, and past them


def test_film_stands_around_its_cartons_and_none_pierces_it():
    """In the film's own frame every corner of a wrapped carton is inside of where film is tight, torn film or whole."""
    _, draft = drawn(WORLDS)
    films, cartons = named("Wraps/"), named("Cartons/Wrapped/")
    half_m = 0.5 * np.array(wrap.LOAD_M[:2]) + wrap.CLEARANCE_M
    corner_m = corners(cartons, draft)
    surrounded = set()
    for world in range(WORLDS):
        for film in films[draft.visible[world, films]]:
            pose = draft.world_from_instance[world, film]
            own_m = (corner_m[world][draft.visible[world, cartons]] - pose[:, 3]) @ np.linalg.inv(pose[:, :3]).T
            own_m = own_m[np.abs(own_m.mean(axis=1)).max(axis=1) < 0.9]
            assert len(own_m) == 8
            assert (np.abs(own_m[..., :2]) <= half_m).all()
            assert own_m[..., 2].min() == pytest.approx(0.0, abs=0.002)
            surrounded.add(hall().instances.path[film])
    assert len(surrounded) == len(films)


def test_crushed_open_and_spilled_cartons_are_drawn():
    _, draft = drawn(WORLDS)
    for part in ("Cartons/Large/Crushed", "Cartons/Large/Open", "Spills/", "Goods/"):
        share = draft.visible[:, named(part)].any(axis=1).mean()
        assert share > 0.15, part
    goods, carton = named("Goods/"), named("Spills/")
    spilled = draft.visible[:, carton[0]]
    assert (~spilled).any()  # some worlds spill nothing
    assert not draft.visible[~spilled][:, goods].any()
    middle = corners(goods, draft).mean(axis=2)
    near = np.linalg.norm((middle - corners(carton, draft).mean(axis=2))[..., :2], axis=-1)
    assert near[draft.visible[:, goods]].max() < 1.8


def test_leaning_loads_keep_their_middle_over_the_pallet():
    """Cartons of a load that leans and shifts: their common middle stays over the deck, and some overhang it."""
    _, draft = drawn(WORLDS)
    overhang = draft.drawn["p.loads_lean.overhang_m"]
    assert (overhang.max(axis=1) > 0.03).mean() > 0.5
    assert overhang.max() <= 0.121
    cartons = np.concatenate([named(f"Cartons/{group}") for group in ("Large", "Medium", "Small")])
    box = corners(cartons, draft)
    loads = [anchor for anchor in hall().anchors if anchor.kind == "load"]
    for anchor in loads:
        x, y, z = anchor.world_from_anchor[:, 3]
        middle, foot = box.mean(axis=2), box[..., 2].min(axis=2)
        mine = (np.abs(middle[..., 0] - x) < 0.45) & (np.abs(middle[..., 1] - y) < 0.65)
        mine &= (foot >= z - 1e-3) & (foot < z + 1.2) & draft.visible[:, cartons]
        for world in range(WORLDS):
            if mine[world].any():
                common = middle[world, mine[world]].mean(axis=0)
                assert abs(common[0] - x) < 0.4
                assert abs(common[1] - y) < 0.6


def test_people_come_as_near_to_the_truck_as_the_column_says():
    """The column against a search over the outlines' corners and sides; near in some worlds, far in others."""
    _, draft = drawn(WORLDS)
    column = draft.drawn["p.person_to_forklift.distance_m"]
    truck, people = named("Vehicles/Forklift"), np.concatenate([named("People/"), named("Pedestrians/")])
    boxes = {"truck": corners(truck, draft)[:, 0], "people": corners(people, draft)}
    for world in range(WORLDS):
        shown = [k for k, person in enumerate(people) if draft.visible[world, person]]
        if not draft.visible[world, truck[0]] or not shown:
            assert np.isinf(column[world])
            continue
        outline = dense(boxes["truck"][world])
        apart = [
            np.linalg.norm(outline[:, None] - dense(boxes["people"][world, k])[None], axis=-1).min() for k in shown
        ]
        assert column[world] == pytest.approx(min(apart), abs=0.04)
    assert 0.1 < (column < 2.0).mean() < 0.9


def dense(corner_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points all along the outline of a box that stands upright, [point, 2]."""
    a, b, c, d = (corner_m[k, :2] for k in (0, 4, 6, 2))  # by the order of `corners`: around the foot
    t = np.linspace(0.0, 1.0, 81)[:, None]
    return np.concatenate([p + (q - p) * t for p, q in ((a, b), (b, c), (c, d), (d, a))])


def test_two_worlds_never_look_alike():
    """Where cartons, film, people and camera are, of 400 worlds."""
    _, draft = drawn(400)
    keys = {(draft.visible[w].tobytes(), draft.world_from_camera[w].tobytes()) for w in range(400)}
    assert len(keys) == 400
    assert len({draft.visible[w].tobytes() for w in range(400)}) == 400


def test_barcodes_are_code_128_with_right_checks():
    """Read from the image by widths of bars: symbols, their check, and the check digit of the serial number."""
    image = np.asarray(Image.open(SCENES_USD / "materials" / "textures" / "shipping_labels.png").convert("L"))
    assert image.shape == (ROWS * LABEL_PX[1], COLUMNS * LABEL_PX[0])
    serials = set()
    for number in range(len(variant_names())):
        column, row = number % COLUMNS, number // COLUMNS
        top = (ROWS - 1 - row) * LABEL_PX[1] + 300
        line = image[top, column * LABEL_PX[0] + 14 : (column + 1) * LABEL_PX[0] - 14] < 128
        edges = np.flatnonzero(np.diff(line.astype(int)))
        widths = np.diff(edges)
        assert (widths % BAR_PX == 0).all()
        modules = widths // BAR_PX
        assert modules.sum() == 11 * 13 + 13  # start, FNC1, ten pairs, check, stop
        text = "".join(str(int(width)) for width in modules)
        symbols = [CODE_128.index(text[6 * s : 6 * s + 6]) for s in range(13)]
        assert text[78:] == CODE_128[-1]
        assert symbols[:3] == [105, 102, 0]  # code set C, function 1, application identifier 00
        assert (symbols[0] + sum(k * symbol for k, symbol in enumerate(symbols[:12]))) % 103 == symbols[12]
        digits = [int(d) for symbol in symbols[3:12] for d in f"{symbol:02d}"]
        assert sum(d * (3, 1)[k % 2] for k, d in enumerate(digits)) % 10 == 0
        serials.add(tuple(digits))
    assert len(serials) == len(variant_names())
