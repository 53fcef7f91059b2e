"""The load report: every prim is accounted for, every kind of note is one line, and labels have a source."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from pxr import Usd, UsdGeom

from engine.plain import from_plain, to_plain
from engine.scene import SceneOptions, load_scene, summary
from engine.scene.model import Note
from engine.scene.notes import Notes
from engine.scene.report import KEPT_PRIMS, LoadReport, group_notes, report_of
from engine.scene.usd.stage import open_stage, quiet_diagnostics
from engine.scene.usd.walk import Walker
from tests.engine.scene_stage import SQUARE, load_stage

NOT_ENTERED = ("Material", "Shader", "NodeGraph", "GeomSubset", "PointInstancer")
MESH = f'def Mesh "m" {{ {SQUARE} }}'
FOREIGN = """
def Xform "w" {
    def Volume "fog" { }
    def NurbsPatch "patch" { }
    def HermiteCurves "hair" { }
    def ArnoldUsd "driver" { }
    def "loose" { MESH }
    def PhysicsScene "physics" { }
    def Mesh "hidden" { token visibility = "invisible" }
    def Mesh "guide" { uniform token purpose = "guide" }
    def Scope "looks" { def Material "paint" { def Shader "s" { } } }
}
""".replace("MESH", MESH)


def visited(stage: Usd.Stage, time: Usd.TimeCode) -> Counter[str]:
    """Count the prims of a stage by type, not going below materials, instancers and hidden prims."""
    types: Counter[str] = Counter()
    prims = iter(Usd.PrimRange(stage.GetPseudoRoot(), Usd.TraverseInstanceProxies(Usd.PrimDefaultPredicate)))
    for prim in prims:
        if prim.IsPseudoRoot():
            continue
        types[prim.GetTypeName() or "untyped"] += 1
        visibility = prim.GetAttribute("visibility")
        hidden = bool(visibility and visibility.HasAuthoredValue() and visibility.Get(time) == UsdGeom.Tokens.invisible)
        if prim.GetTypeName() in NOT_ENTERED or hidden:
            prims.PruneChildren()
    return types


def test_every_prim_of_every_shared_stage_is_used_skipped_or_ignored(shared_dir: Path) -> None:
    """No unexplained skip: the three counts are all prims of a stage, type by type, and each skip has its note."""
    files = sorted((shared_dir / "usd").rglob("*.usd*"))
    assert len(files) > 100
    for file in files:
        notes = Notes()
        with quiet_diagnostics(notes, file):
            opened = open_stage(file, SceneOptions(), notes)
            walker = Walker(opened)
            walker.stage()
        census = walker.census
        assert census.used + census.skipped + census.ignored == visited(opened.stage, opened.time), file
        assert census.skipped.total() == sum(note.level == "skipped" for note in notes.all()), file


def test_what_is_not_drawn_is_counted_by_type(tmp_path: Path) -> None:
    """Unsupported, unknown, untyped, hidden and guide prims: each is in the report under its own type."""
    scene = load_stage(tmp_path, FOREIGN)
    assert scene.used == {"Material": 1, "Mesh": 1}
    assert scene.skipped == {"HermiteCurves": 1, "Mesh": 2, "NurbsPatch": 1, "Volume": 1}
    assert scene.ignored == {"ArnoldUsd": 1, "PhysicsScene": 1, "Scope": 1, "Xform": 1, "untyped": 1}
    skipped = {note.prim: note.what for note in scene.notes if note.level == "skipped"}
    assert {"/w/fog", "/w/patch", "/w/hair", "/w/hidden", "/w/guide", "/w/looks/paint"} == set(skipped)
    assert skipped["/w/guide"] == "its purpose is guide"


def test_notes_that_differ_in_names_and_numbers_are_one_kind() -> None:
    """500 missing textures are one line with a count and the first prims; what is equal stays readable."""
    notes = [Note("error", f"/m{i:03d}", f"texture 'a{i}.png' is missing; its fallback is used") for i in range(500)]
    notes += [Note("skipped", "/fog", "type Volume is not supported"), Note("converted", "/", "3 of 4 lights")]
    first, second, third = group_notes(reversed(notes))
    assert (first.level, first.count) == ("error", 500)
    assert first.what == "texture … is missing; its fallback is used"
    assert first.prims == tuple(f"/m{i:03d}" for i in range(KEPT_PRIMS))
    assert (second.what, third.what) == ("type Volume is not supported", "3 of 4 lights")


def test_the_short_table_never_floods(tmp_path: Path) -> None:
    """However many kinds of notes there are, the table keeps to its lines and counts what it leaves out."""
    names = [chr(ord("a") + i) for i in range(20)]
    body = "".join(f'def Custom{name.upper()}Light "{name}_light" {{ }}\n' for name in names)
    scene = load_stage(tmp_path, body + MESH)
    whole, short = summary(scene), summary(scene, most_lines=15)
    assert len(short.splitlines()) <= 15
    assert len(whole.splitlines()) > 20
    left_out = len(whole.splitlines()) - len(short.splitlines()) + 1
    assert f"and {left_out} more kinds of notes" in short.splitlines()[-1]


def test_the_coverage_says_which_rule_labelled_what(tmp_path: Path) -> None:
    """Rules with instances, placements and classes; the unlabelled share is of the instances."""
    label = 'token[] semantics:labels:class = ["box"]'
    body = 'def Xform "w" {\n'
    body += f'def Xform "a" {{ {label}\ndef Mesh "m" {{ {SQUARE} }}\ndef Mesh "n" {{ {SQUARE} }} }}\n'
    body += f'def Xform "b_1" (\nkind = "component"\n) {{ {MESH} }}\ndef Mesh "c" {{ {SQUARE} }}\n'
    body += f'def Mesh "d" {{ {SQUARE} }} }}'
    report = report_of(load_stage(tmp_path, body, extra='defaultPrim = "w"'))
    rows = [(row.rule, row.instances, row.placements, row.classes) for row in report.coverage]
    assert rows == [("labels_api", 1, 2, 1), ("name", 1, 1, 1), ("none", 2, 2, 0)]
    assert report.unlabelled_share == 0.5


def test_a_report_survives_json(tmp_path: Path) -> None:
    """What dataset.json holds is the report, strictly typed."""
    report = report_of(load_stage(tmp_path, FOREIGN))
    assert from_plain(LoadReport, json.loads(json.dumps(to_plain(report))), "report") == report


@pytest.mark.parametrize(
    "name", ["03_intentvfx_simpleAsset/scenes/simpleAssetScene.usd", "04_CesiumMan/CesiumMan.usdz"]
)
def test_the_report_of_a_scene_is_that_of_its_parts(shared_dir: Path, name: str) -> None:
    """Counts of a loaded scene: prototypes of instancers are visited too, and the coverage adds up to the instances."""
    scene = load_scene(shared_dir / "usd" / name, SceneOptions(subdivision_level=0))
    report = report_of(scene)
    assert sum(row.instances for row in report.coverage) == len(scene.instances.path) - 1
    assert sum(row.placements for row in report.coverage) == len(scene.placements.mesh)
    assert sum(report.used.values()) > len(scene.meshes)
    assert sum(group.count for group in report.notes) == len(scene.notes)
