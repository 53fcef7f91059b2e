"""The preview command, from its files to its errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.preview import main
from tests.engine.scene_stage import SQUARE, write_stage

FILES = (
    "rgb.png",
    "rgb_linear.npy",
    "depth.npy",
    "normal.npy",
    "instance.npy",
    "ids.json",
    "notes.json",
    "report.txt",
    "camera.json",
)
STAGE = f"""
def Xform "w" {{
    def Mesh "far" {{ {SQUARE} token[] semantics:labels:class = ["tile"]
        double3 xformOp:translate = (-0.5, -0.5, 0)
        uniform token[] xformOpOrder = ["xformOp:translate"]
    }}
    def Cube "near" {{ double size = 0.2
        double3 xformOp:translate = (0, 0, 0.5)
        uniform token[] xformOpOrder = ["xformOp:translate"]
    }}
    def Camera "top" {{ float focalLength = 20
        float horizontalAperture = 20
        double3 xformOp:translate = (0, 0, 2)
        uniform token[] xformOpOrder = ["xformOp:translate"]
    }}
}}
"""


def run(folder: Path, *arguments: str, body: str = STAGE) -> Path:
    """Run the command on a stage and return the folder it wrote."""
    path = write_stage(folder, body)
    out = folder / "out"
    assert (
        main([str(path), "--device", "cpu", "--size", "64x48", "--sandbox", "false", "--out", str(out), *arguments])
        == 0
    )
    return out


def test_every_file_is_there_with_its_shape(tmp_path: Path) -> None:
    """One frame: image files of the asked size and types, and nothing half-written beside them."""
    out = run(tmp_path)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    shapes = {"rgb_linear": (48, 64, 3), "depth": (48, 64), "normal": (48, 64, 3), "instance": (48, 64)}
    for name, shape in shapes.items():
        image = np.load(out / f"{name}.npy")
        assert (image.shape, image.dtype) == (shape, np.int32 if name == "instance" else np.float32)


def test_depth_and_ids_are_closed_forms(tmp_path: Path) -> None:
    """A camera 2 m above: the tile at depth 2, the cube's top at 1.4, background at infinity with id 0."""
    out = run(tmp_path, "--camera", "/w/top")
    depth, instance = np.load(out / "depth.npy"), np.load(out / "instance.npy")
    ids = {row["path"]: int(number) for number, row in json.loads((out / "ids.json").read_text()).items()}
    assert (instance[24, 32], instance[24, 22]) == (ids["/w/near"], ids["/w/far"])
    assert depth[24, 32] == pytest.approx(1.4)
    assert depth[24, 22] == pytest.approx(2.0)
    assert (instance[0, 0], depth[0, 0]) == (0, np.inf)
    assert (instance == ids["/w/near"]).sum() == 10 * 10  # 0.2 m at 1.4 m, f = 64 px: 4.57 px each way, 5 centres


def test_the_camera_file_projects_points_onto_their_pixels(tmp_path: Path) -> None:
    """K and world_from_camera of camera.json put a corner of the tile where its edge is in the image."""
    out = run(tmp_path, "--camera", "/w/top")
    camera = json.loads((out / "camera.json").read_text())
    world_from_camera = np.array(camera["world_from_camera"])
    point = np.linalg.inv(world_from_camera) @ [-0.5, -0.5, 0.0, 1.0]
    x, y, w = np.array(camera["k"]) @ [point[0], -point[1], -point[2]]
    seen = np.load(out / "instance.npy") > 0
    columns, rows = np.flatnonzero(seen.any(axis=0)), np.flatnonzero(seen.any(axis=1))
    assert (x / w, y / w) == pytest.approx((columns[0], rows[-1] + 1))
    assert (camera["width"], camera["height"], camera["camera"]) == (64, 48, "/w/top")


def test_ids_name_class_and_rule(tmp_path: Path) -> None:
    """ids.json tells which prim, class and labelling rule an id stands for."""
    rows = {row["path"]: row for row in json.loads((run(tmp_path) / "ids.json").read_text()).values()}
    assert (rows["/w/far"]["class"], rows["/w/far"]["label_source"]) == ("tile", "labels_api")
    assert (rows["/w/near"]["class"], rows["/w/near"]["label_source"]) == ("", "none")


def test_a_stage_without_camera_and_lights_is_framed_and_lit(tmp_path: Path) -> None:
    """The default camera sees the whole object and touches no border; the default lights show it."""
    out = run(
        tmp_path,
        body='def Sphere "s" { double radius = 3\ndouble3 xformOp:translate = (100, 7, -5)\n'
        'uniform token[] xformOpOrder = ["xformOp:translate"] }',
    )
    instance, linear = np.load(out / "instance.npy"), np.load(out / "rgb_linear.npy")
    seen = instance == 1
    border = np.concatenate([seen[0], seen[-1], seen[:, 0], seen[:, -1]])
    assert not border.any()
    assert seen.sum() > 0.15 * seen.size
    assert 0.02 < linear[seen].mean() < 0.5


def test_labels_quality_writes_no_rgb_and_the_same_labels(tmp_path: Path) -> None:
    """--quality labels skips light; depth, normals and ids are equal; images of an earlier run are gone."""
    shaded = {name: np.load(run(tmp_path) / f"{name}.npy") for name in ("depth", "normal", "instance")}
    out = run(tmp_path, "--quality", "labels")
    assert not (out / "rgb.png").exists()
    assert not (out / "rgb_linear.npy").exists()
    for name, image in shaded.items():
        assert np.array_equal(np.load(out / f"{name}.npy"), image)


def test_a_stage_that_draws_nothing_gives_background(tmp_path: Path) -> None:
    """An empty stage is no error: depth is infinite everywhere and ids.json is empty."""
    out = run(tmp_path, body='def Xform "w" { }')
    assert np.isinf(np.load(out / "depth.npy")).all()
    assert json.loads((out / "ids.json").read_text()) == {}


def test_time_chooses_the_pose(tmp_path: Path) -> None:
    """--time reads time samples."""
    body = STAGE.replace(
        "double3 xformOp:translate = (0, 0, 0.5)",
        "double3 xformOp:translate.timeSamples = { 1: (0, 0, 0.5), 2: (0, 0, 1) }",
    )
    depth = {
        t: np.load(run(tmp_path, "--camera", "/w/top", "--time", t, body=body) / "depth.npy")[24, 32] for t in "12"
    }
    assert (depth["1"], depth["2"]) == (pytest.approx(1.4), pytest.approx(0.9))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "64"], "not WIDTHxHEIGHT"),
        (["--size", "0x48"], "width must be in"),
        (["--size", "999999x48"], "width must be in"),
        (["--camera", "/w/topp"], "the stage has /w/top"),
        (["--device", "cuda:99"], "cuda:99"),
        (["--time", "nan"], "--time: nan is not a time code"),
        (["--time=-inf"], "--time: -inf is not a time code"),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong size, camera or device: exit code 2, one line on stderr, nothing written."""
    path = write_stage(tmp_path, STAGE)
    out = tmp_path / "out"
    assert main([str(path), "--device", "cpu", "--size", "64x48", "--out", str(out), *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("argument", ["--size=64", "--size=0x48", "--device=cuda:99", "--time=inf"])
def test_arguments_are_checked_before_the_stage_is_read(
    tmp_path: Path, argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stage may take minutes: a wrong argument is said first, even when the stage is not there."""
    assert main([str(tmp_path / "gone.usda"), "--device", "cpu", "--out", str(tmp_path / "out"), argument]) == 2
    error = capsys.readouterr().err
    assert argument.strip("-").partition("=")[0] in error
    assert "gone.usda" not in error


def test_an_unusable_out_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in the way of --out: exit code 74, one line, no traceback."""
    path = write_stage(tmp_path, STAGE)
    (tmp_path / "out").write_text("in the way")
    assert main([str(path), "--device", "cpu", "--size", "8x8", "--out", str(tmp_path / "out")]) == 74
    assert "choose another --out" in capsys.readouterr().err


def test_display_color_is_the_color_of_the_surface(tmp_path: Path) -> None:
    """displayColor alone looks as the same diffuseColor of a UsdPreviewSurface does."""
    material = (
        'def Material "m" { token outputs:surface.connect = </m/s.outputs:surface>\n'
        'def Shader "s" { uniform token info:id = "UsdPreviewSurface"\n'
        "color3f inputs:diffuseColor = (0.8, 0.4, 0.1)\ntoken outputs:surface } }\n"
    )
    looks = {
        "display": "color3f[] primvars:displayColor = [(0.8, 0.4, 0.1)]",
        "material": "rel material:binding = </m>",
    }
    images = []
    for name, look in looks.items():
        folder = tmp_path / name
        folder.mkdir()
        images.append(np.load(run(folder, body=f'{material}def Mesh "far" {{ {SQUARE} {look} }}') / "rgb_linear.npy"))
    assert np.abs(images[0] - images[1]).max() < 1e-6
    assert images[0].max() > 0.3


def test_many_files_make_a_sheet_and_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder: each file has its own folder and report; one that is not USD is a line, a tile and exit code 1."""
    stages = tmp_path / "stages"
    for name in ("a", "b/c"):
        (stages / name).mkdir(parents=True)
        write_stage(stages / name, STAGE)
    (stages / "broken.usda").write_text("no stage")
    out = tmp_path / "out"
    arguments = ["--device", "cpu", "--size", "32x24", "--sandbox", "false", "--quality", "labels"]
    assert main([str(stages), "--out", str(out), *arguments]) == 1
    names = ["a/scene.usda", "b/c/scene.usda", "broken.usda"]
    table = (out / "summary.txt").read_text().splitlines()
    assert [line.split()[0] for line in table[1:4]] == names
    assert "cannot be" in table[3]
    assert table[-1] == "2 of 3 files loaded"
    assert table[1].split()[2:6] == ["2", "14", "2", "2"]  # meshes, triangles, placements, instances
    assert (out / "a__scene.usda/report.txt").read_text() in capsys.readouterr().out
    with Image.open(out / "contact_sheet.png") as sheet:
        assert sheet.size == (3 * 328 + 8, 44 + 286 + 8)
    assert not (out / "broken.usda").exists()


def test_the_class_map_of_the_command_line_counts(tmp_path: Path) -> None:
    """--class-map names classes of prims that the stage says nothing of."""
    (tmp_path / "map.yaml").write_text("schema: class_map/1\nclasses:\n  /w/n*: die\n")
    out = run(tmp_path, "--class-map", str(tmp_path / "map.yaml"))
    rows = {row["path"]: row for row in json.loads((out / "ids.json").read_text()).values()}
    assert (rows["/w/near"]["class"], rows["/w/near"]["label_source"]) == ("die", "mapping")
