"""The shop: counterfeits are what their class says, barcodes are EAN-13, and shelves are stocked as asked."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pxr import Usd, UsdGeom, UsdShade
from scipy import stats

from engine.config import compose
from engine.draft import Draft
from engine.randomize.apply import plan, randomize
from engine.randomize.bounds import scene_bounds, world_boxes
from engine.rig import authored_draft, rig_cameras
from engine.scene import SceneOptions, load_scene
from engine.scene.model import Scene
from scenes_usd.author import retail_art
from scenes_usd.author.retail_lines import GENUINE, LINES, PRINTED_SIGNALS, SIGNALS, Line
from scenes_usd.author.stage import snake

SCENES_USD = Path(__file__).resolve().parents[2] / "scenes_usd"
TEXTURES = SCENES_USD / "materials" / "textures"
WORLDS = 12
ROUND = ("pet", "wine", "can", "tin", "jar")
SHARES = {"barcode": (1e-5, 0.02), "logo": (0.002, 0.15), "print": (0.01, 0.6), "hue": (0.02, 1.0)}  # of pixels


@cache
def shop() -> tuple[Scene, Draft]:
    loaded = load_scene(SCENES_USD / "retail.usda", SceneOptions())
    recipe, _ = compose("+scene=retail")
    cameras = rig_cameras(loaded, recipe.rig)
    draft = authored_draft(loaded, recipe.rig, cameras, np.arange(WORLDS), np.zeros(WORLDS, np.int32))
    randomize(plan(recipe, loaded, cameras), draft)
    return loaded, draft


def class_keys(scene: Scene) -> np.ndarray:
    """Return the class of every instance."""
    keys = {c.id: c.key for c in scene.taxonomy.classes} | {0: ""}
    return np.array([keys[int(i)] for i in scene.instances.class_id])


def bound(prim: Usd.Prim) -> dict[str, str]:
    """Return the material of every part of an asset."""
    parts = prim.GetChild("Geometry").GetChildren()
    return {p.GetName(): UsdShade.MaterialBindingAPI(p).GetDirectBindingRel().GetTargets()[0].name for p in parts}


def test_counterfeits_have_the_class_of_their_signal():
    scene, _ = shop()
    keys = class_keys(scene)
    for path, key in zip(scene.instances.path, keys, strict=True):
        if path.startswith("/Retail/Products/"):
            name = path.rpartition("/")[2]
            signal = name.split("_")[1].lower() if name.startswith("Fake_") else ""
            assert key == SIGNALS.get(signal, key)
            assert key.startswith("counterfeit_") == bool(signal), path
    assert set(SIGNALS.values()) <= set(keys)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_a_counterfeit_differs_in_one_thing_from_the_genuine_item(line: Line):
    """In the binding of one part; never in its shape, which the variants share."""
    stage = Usd.Stage.Open(str(SCENES_USD / "assets" / f"product_{snake(line.name)}.usda"))
    prim = stage.GetDefaultPrim()
    variants = prim.GetVariantSet("authenticity")
    assert variants.GetVariantNames() == sorted((GENUINE, *line.signals))
    genuine = bound(prim)
    for signal in line.signals:
        variants.SetVariantSelection(signal)
        fake = bound(prim)
        changed = {part for part in genuine if genuine[part] != fake[part]}
        assert changed == {"Cap" if signal == "cap" else "Label"}


def test_check_digits_are_those_of_the_standard_and_wrong_on_counterfeits():
    """GS1's example is 629104150021 with 3; the weighted sum of a valid number is a multiple of ten."""
    assert retail_art.check_digit("629104150021") == 3
    for line in LINES:
        for signal in (GENUINE, *line.signals):
            digits = [int(d) for d in retail_art.printed_number(line, signal)]
            valid = (sum(digits[0::2]) + 3 * sum(digits[1::2])) % 10 == 0
            assert len(digits) == 13
            assert valid == (signal != "barcode")
    assert len({line.ean for line in LINES}) == len(LINES)


def test_prints_of_counterfeits_differ_as_their_signal_says():
    """Barcodes in few pixels, misregistered plates at edges, hues nearly everywhere that is coloured."""
    for line in LINES:
        genuine = np.asarray(Image.open(TEXTURES / f"{retail_art.texture_name(line, GENUINE)}.png").convert("RGB"), int)
        for signal in set(line.signals) & set(PRINTED_SIGNALS):
            name = retail_art.texture_name(line, signal)
            fake = np.asarray(Image.open(TEXTURES / f"{name}.png").convert("RGB"), int)
            share = (np.abs(fake - genuine).max(axis=2) > 12).mean()
            low, high = SHARES[signal]
            assert low < share < high, (name, share)


def test_the_share_of_counterfeits_is_the_one_drawn():
    """Of 12 worlds at once; every signal occurs, as each line has two of them."""
    scene, draft = shop()
    keys = class_keys(scene)
    fake = np.char.startswith(keys, "counterfeit_")
    drawn = draft.drawn
    placed = drawn["p.shelf.placed"] - drawn["p.shelf.misplaced"]
    expected = float((placed * drawn["p.shelf.counterfeit_share"]).sum())
    seen = int((draft.visible & fake).sum())
    assert seen == drawn["p.shelf.counterfeits"].sum()
    assert abs(seen - expected) < 4.0 * np.sqrt(expected) + 0.1 * expected  # pools of three may run out
    assert set(keys[(draft.visible & fake).any(axis=0)]) == set(SIGNALS.values())
    missing = int(drawn["p.shelf.missing"].sum())
    facings = drawn["p.shelf.facings"].sum(axis=1)
    share = float((facings * drawn["p.shelf.missing_share"]).sum() / facings.sum())
    assert stats.binomtest(missing, int(facings.sum()), share).pvalue > 1e-3


def test_worlds_are_distinct_full_and_without_interpenetration():
    """Boxes around what stands on the shelf, of round items those around their circles, whatever way they turned."""
    scene, draft = shop()
    bounds = scene_bounds(scene)
    center_m, half_m = world_boxes(bounds, draft.world_from_instance)
    paths = np.array(scene.instances.path)
    turns = {f"/Retail/Products/{line.department}/{line.name}" for line in LINES if line.form in ROUND}
    round_ = np.array([path.rpartition("/")[0] in turns for path in paths])
    goods = np.char.startswith(paths, "/Retail/Products/")
    assert len({tuple(row) for row in draft.drawn["p.shelf.line"]}) == WORLDS
    for world in range(WORLDS):
        stands = round_ & (draft.world_from_instance[world, :, 2, 2] > 0.99)
        half = np.where(stands[:, None], bounds.half_m, half_m[world])
        seen = np.flatnonzero(draft.visible[world] & goods)
        assert len(seen) > 100
        low, high = center_m[world, seen] - half[seen], center_m[world, seen] + half[seen]
        shared = (np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])).min(axis=2)
        np.fill_diagonal(shared, 0.0)
        assert shared.max() < 1e-4


def test_a_filled_bottle_has_one_wall_and_not_another_around_its_contents():
    """Every wall that is seen through makes rays walk on: the clear part begins where the filled one ends."""
    filled = [line for line in LINES if line.liquid]
    for line in filled:
        stage = Usd.Stage.Open(str(SCENES_USD / f"assets/product_{snake(line.name)}.usda"))
        z_m = {
            part: np.array(UsdGeom.Mesh.Get(stage, f"/{line.name}/Geometry/{part}").GetPointsAttr().Get())[:, 2]
            for part in ("Body", "Contents")
        }
        assert z_m["Body"].min() == pytest.approx(z_m["Contents"].max(), abs=1e-5)
        assert z_m["Contents"].min() == pytest.approx(0.0, abs=1e-5)
    assert len(filled) == 6
