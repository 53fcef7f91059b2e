"""Variants of a prim: each world shows one, whole and at its place, and a dataset names which."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from engine.config import compose
from engine.errors import UserError
from engine.factory import build_factory, load_recipe_scene
from engine.scene import SceneOptions, load_scene

LOOK = """
def Material "{name}" {{
    token outputs:surface.connect = </Looks/{name}/S.outputs:surface>
    def Shader "S" {{
        uniform token info:id = "UsdPreviewSurface"
        color3f inputs:diffuseColor = {color}
        token outputs:surface
    }}
}}
"""
PART = """
def Cube "{name}" (prepend apiSchemas = ["MaterialBindingAPI", "SemanticsLabelsAPI:class"]) {{
    double size = {size}
    token[] semantics:labels:class = ["{label}"]
    rel material:binding = </Looks/{look}>
    double3 xformOp:translate = {at}
    uniform token[] xformOpOrder = ["xformOp:translate"]
}}
"""


def stage(folder: Path) -> Path:
    """Write a scene with a prim of three variants; the authored one is `small`."""
    part = {
        "small": PART.format(name="Box", label="thing", size=0.5, look="Red", at=(0, 0, 0)),
        "large": PART.format(name="Box", label="thing", size=1.5, look="Blue", at=(0, 0, 0)),
        "pair": PART.format(name="Box", label="thing", size=0.5, look="Red", at=(-1, 0, 0))
        + PART.format(name="Lid", label="thing", size=0.5, look="Blue", at=(1, 0, 0)),
    }
    text = '#usda 1.0\n(upAxis = "Z"\nmetersPerUnit = 1)\ndef Scope "Looks" {\n'
    text += LOOK.format(name="Red", color=[(0.8, 0, 0)]) + LOOK.format(name="Blue", color=[(0, 0, 0.8)]) + "}\n"
    text = text.replace("[(", "(").replace(")]", ")")
    text += 'def Xform "Item" (\n variants = { string size = "small" }\n prepend variantSets = "size"\n) {\n'
    text += " double3 xformOp:translate = (0, 0, 1)\n"
    text += ' uniform token[] xformOpOrder = ["xformOp:translate"]\n variantSet "size" = {\n'
    text += "".join(f'"{name}" {{\n{body}\n}}\n' for name, body in part.items()) + "}\n}\n"
    text += PART.format(name="Floor", label="floor", size=0.1, look="Red", at=(3, 0, 0))
    text += 'def Camera "Eye" {\n float focalLength = 0.2\n float horizontalAperture = 0.24\n'
    text += " float verticalAperture = 0.18\n double3 xformOp:translate = (0, 0, 9)\n"
    text += ' uniform token[] xformOpOrder = ["xformOp:translate"]\n}\n'
    (folder / "scene").mkdir()
    (folder / "scene/mine.usda").write_text(text)
    (folder / "scene/mine.yaml").write_text("usd: mine.usda\nrig: {ambient_radiance: [1, 1, 1]}\n")
    return folder / "scene/mine.usda"


def entry(**keys: object) -> str:
    values = {"kind": "variant", "prim": "/Item", "set": "size", "variants": "[large,pair,small]", "weights": "[2,1,1]",
              **keys}  # fmt: skip
    return "+randomize.size={" + ",".join(f"{key}:{value}" for key, value in values.items()) + "}"


def test_a_selection_loads_the_stage_with_another_variant(tmp_path: Path):
    """And no file changes: the authored one is there again without it."""
    file = stage(tmp_path)
    plain = load_scene(file)
    pair = load_scene(file, SceneOptions(variants=("/Item{size=pair}",)))
    assert "/Item/Lid" in pair.instances.path
    assert "/Item/Lid" not in plain.instances.path
    assert load_scene(file).instances.path == plain.instances.path
    for selection, said in (("/Item{size=huge}", "has no 'huge', only large, pair, small"), ("/Item", "no selection"),
                            ("/Item{color=red}", "no variant set 'color', only size"),
                            ("/Nothing{size=pair}", "no prim /Nothing")):  # fmt: skip
        with pytest.raises(UserError, match=said):
            load_scene(file, SceneOptions(variants=(selection,)))


def test_every_world_shows_one_variant_by_its_share(tmp_path: Path):
    """Its instances and no others are in the frame, with the colours that the variant's materials have."""
    stage(tmp_path)
    command = ("+scene=mine", "rig.width=64", "rig.height=48", "rig.spp=1", entry())
    recipe, scene = load_recipe_scene(*compose(*command, config_dir=tmp_path))
    ends = ("/Item/Box{size=large}", "/Item/Box{size=pair}", "/Item/Box{size=small}", "/Item/Lid{size=pair}")
    assert [path for path in scene.instances.path if path.startswith("/Item")] == list(ends)
    assert list(scene.instances.path) == sorted(scene.instances.path)
    draft, frames, labels = build_factory(recipe, scene, device="cpu", threads=1).make(range(60))
    chosen = draft.drawn["p.size.variant"]
    assert stats.chisquare([(chosen == n).sum() for n in ("large", "pair", "small")], [30, 15, 15]).pvalue > 1e-3
    for world in range(60):
        seen = {scene.instances.path[i] for i in labels.instance[labels.view == world]} - {"/Floor"}
        assert seen == {path for path in ends if path.endswith(f"={chosen[world]}}}")}
        (box,) = (path for path in seen if "/Box" in path)
        color = frames.rgb[world][frames.instance[world] == scene.instances.path.index(box)].astype(int).mean(axis=0)
        assert (color[2] > color[0]) == (chosen[world] == "large")


def test_an_alternative_is_what_the_stage_has_with_it_selected(tmp_path: Path):
    """Pixel for pixel: depth and colour of a world equal those of the stage loaded with the variant selected."""
    file = stage(tmp_path)
    size = ("rig.width=64", "rig.height=48", "rig.spp=1", "seed=3")
    recipe, scene = load_recipe_scene(*compose("+scene=mine", *size, entry(), config_dir=tmp_path))
    draft, frames, _ = build_factory(recipe, scene, device="cpu", threads=1).make(range(12))
    plain, job = compose("+scene=mine", *size, config_dir=tmp_path)
    plain, _ = load_recipe_scene(plain, job)
    for world, name in enumerate(draft.drawn["p.size.variant"][:6]):
        alone = load_scene(file, SceneOptions(variants=(f"/Item{{size={name}}}",)))
        _, expected, _ = build_factory(plain, alone, device="cpu", threads=1).make([world])
        np.testing.assert_array_equal(frames.depth_m[world], expected.depth_m[0])
        np.testing.assert_array_equal(frames.rgb[world], expected.rgb[0])


def test_a_variant_that_is_not_there_is_one_line(tmp_path: Path):
    stage(tmp_path)
    for given, said in ((entry(variants="[small,huge]", weights="null"), "has no 'huge'"),
                        (entry(weights="[1,1]"), "3 values but 2 weights"),
                        (entry(prim="/Nothing"), "no prim /Nothing")):  # fmt: skip
        with pytest.raises(UserError, match=said):
            load_recipe_scene(*compose("+scene=mine", given, config_dir=tmp_path))
