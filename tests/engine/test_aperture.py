"""The load report names a sensor that cannot be meant, where a recipe's `focal_mm` hangs on it, and nowhere else."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from engine.config import compose
from engine.factory import load_recipe_scene
from engine.scene.report import report_of

AREA = 'def Xform "Area" {\n token ommatidia:anchor = "area"\n float3 ommatidia:size = (2, 2, 1)\n}\n'
LOOK = (
    "+randomize.look={kind: camera_look, cameras: '*', position_in: area, look_in: area, roll_deg: 0, "
    "focal_mm: {law: uniform, low: 16, high: 28}, clear: {clearance_m: 0, tries: 1, inside: []}}"
)


def notes(folder: Path, aperture: float, *overrides: str, meters_per_unit: float = 1.0) -> list[tuple[str, str]]:
    """Return level and text of the notes about the camera of a small stage."""
    text = f'#usda 1.0\n(upAxis = "Z"\nmetersPerUnit = {meters_per_unit})\ndef Cube "Cube" {{\n}}\n{AREA}'
    text += f'def Camera "Eye" {{\n float horizontalAperture = {aperture}\n float focalLength = 0.2\n}}\n'
    text += 'def Camera "Other" {\n float horizontalAperture = 0.36\n float focalLength = 0.2\n}\n'
    (folder / "scene").mkdir(exist_ok=True)
    (folder / "scene/mine.usda").write_text(text)
    (folder / "scene/mine.yaml").write_text("usd: mine.usda\nrig: {ambient_radiance: [1, 1, 1], cameras: [/Eye]}\n")
    _, scene = load_recipe_scene(*compose("+scene=mine", *overrides, config_dir=folder))
    return [(group.level, group.what) for group in report_of(scene).notes if group.prims == ("/Eye",)]


def test_a_sensor_of_two_metres_is_named_with_its_value_and_its_repair(tmp_path: Path):
    """The angles are those of a pinhole: 2 atan(width / 2 f)."""
    ((level, what),) = notes(tmp_path, 20.955, LOOK)
    wide_deg, narrow_deg = (round(2 * math.degrees(math.atan(2095.5 / (2 * focal_mm)))) for focal_mm in (16, 28))
    assert level == "error"
    assert "horizontalAperture is 2095.5 mm" in what
    assert "20.955 in metres" in what
    assert f"randomize.look.focal_mm 16 to 28 see {wide_deg} to {narrow_deg} degrees" in what
    assert "divide the camera's apertures and focalLength by 100, or multiply focal_mm by that" in what


def test_the_repair_that_it_names_leaves_no_note(tmp_path: Path):
    """Both of them: the sensor as it is meant, and a stage whose unit makes it so."""
    (what,) = (what for _, what in notes(tmp_path, 20.955, LOOK))
    factor = float(re.search(r"by (\d+),", what)[1])  # type: ignore[index]
    assert notes(tmp_path, 20.955 / factor, LOOK) == []
    assert notes(tmp_path, 20.955, LOOK, meters_per_unit=0.01) == []


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        (LOOK.replace("focal_mm: {law: uniform, low: 16, high: 28}", "focal_mm: null"),),
        (LOOK, "lens=fisheye"),
        (LOOK, "rig.cameras=[/Other]"),
        (LOOK.replace("cameras: '*'", "cameras: /Other"), "rig.cameras=[/Eye,/Other]"),
    ],
    ids=["nothing is drawn", "no focal length is drawn", "the lens has its own", "another rig", "another camera"],
)
def test_nothing_is_said_where_no_focal_length_hangs_on_the_sensor(tmp_path: Path, overrides: tuple[str, ...]):
    assert notes(tmp_path, 20.955, *overrides) == []


def test_no_shipped_scene_has_such_a_sensor():
    for name in ("warehouse", "retail"):
        _, scene = load_recipe_scene(*compose(f"+scene={name}"))
        assert not [note for note in scene.notes if "horizontalAperture is" in note.what]
