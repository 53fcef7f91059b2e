"""Range sensors from the command line to files."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image

import engine
from engine.dataset.__main__ import main as dataset_main
from engine.errors import UserError
from engine.recipe import Recipe
from engine.sensors.sweep import POINT

SMALL = (
    *("+scene=tabletop", "count=2", "rig=all_cameras", "rig.width=64", "rig.height=48", "device=cpu"),
    *("quality=labels", "write=[geometry,depth_sensor,pointcloud]", "depth_sensor=time_of_flight"),
    *("lidar=spinning_32", "lidar.firings=90", "lidar.detector.range_m=[0.1,100]"),
)
PLY_CODES = {"float": "<f4", "uchar": "u1", "int": "<i4"}


def read_ply(data: bytes) -> tuple[np.ndarray, list[str]]:
    """Return the vertices of a binary PLY file and its comments."""
    head, body = data.split(b"end_header\n", 1)
    lines = head.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    columns = [(line.split()[2], PLY_CODES[line.split()[1]]) for line in lines if line.startswith("property")]
    points = np.frombuffer(body, np.dtype(columns))
    assert f"element vertex {len(points)}" in lines
    return points, [line.removeprefix("comment ") for line in lines if line.startswith("comment")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with both sensors and several cameras."""
    out = tmp_path_factory.mktemp("range") / "out"
    recipe, job = engine.compose(*SMALL, f"out={out}")
    engine.generate(recipe, job)
    return out


def test_every_camera_has_a_sensor_depth_and_one_of_them_the_sweep(made: Path) -> None:
    """The sweep is a file of the camera it sits at; other frames have none, and verify finds all in order."""
    frames = parquet.read_table(made / "index" / "frames.parquet").to_pylist()
    assert len({row["camera"] for row in frames}) > 1
    for row in frames:
        assert (row["pointcloud"] is not None) == (row["camera"] == 0)
        values = np.asarray(Image.open(made / row["depth_sensor"]))
        depth = np.asarray(Image.open(made / row["depth"])).astype(float)
        assert values.dtype == np.uint16
        there = (values > 0) & (depth > 0)
        assert there.mean() > 0.3
        assert np.median(np.abs(values - depth)[there]) < 20.0  # [mm]
    assert dataset_main(["verify", str(made), "--regenerate", "1"]) == 0


def test_a_ply_says_where_the_sensor_is_and_what_its_points_are(made: Path) -> None:
    """Points taken to the world lie where the scene is, with ids and classes of the id maps' scene."""
    row = parquet.read_table(made / "index" / "frames.parquet").to_pylist()[0]
    points, comments = read_ply((made / row["pointcloud"]).read_bytes())
    assert points.dtype == POINT
    assert len(points) > 200
    text = next(comment for comment in comments if comment.startswith("world_from_sensor"))
    pose = np.array(text.split(": ")[1].split(), float).reshape(3, 4)
    camera = np.array(row["world_from_camera"]).reshape(4, 4)
    assert pose[:, 3] == pytest.approx(camera[:3, 3], abs=1e-6)
    assert pose[:, 2] == pytest.approx([0, 0, 1], abs=1e-6)  # upright
    heading = -camera[:2, 2] / np.linalg.norm(camera[:2, 2])  # of the camera
    assert pose[:2, 0] == pytest.approx(heading, abs=1e-6)
    away = np.linalg.norm(np.stack([points[name] for name in "xyz"], axis=1), axis=1)
    assert away == pytest.approx(points["range_m"], rel=1e-5)
    classes = {c["id"] for c in json.loads((made / "taxonomy.json").read_text())["classes"]} | {0}
    assert set(points["class_id"].tolist()) <= classes
    assert (points["returns"] == 1).all()


def test_a_cloud_is_the_same_as_ply_and_as_npy(made: Path, tmp_path: Path) -> None:
    """The format changes the file and not a point."""
    recipe, job = engine.compose(*SMALL, f"out={tmp_path / 'out'}", "write.pointcloud.format=npy", "worlds=[1]")
    engine.generate(recipe, job)
    (file,) = sorted((tmp_path / "out" / "pointcloud").rglob("*.npy"))
    twin = made / "pointcloud" / file.relative_to(tmp_path / "out" / "pointcloud").with_suffix(".ply")
    assert (np.load(io.BytesIO(file.read_bytes())) == read_ply(twin.read_bytes())[0]).all()


def test_a_recipe_with_sensors_survives_its_json() -> None:
    """Kind and all parameters are part of the recipe and of its id."""
    recipe, _ = engine.compose(*SMALL)
    assert Recipe.from_json(json.loads(recipe.canonical())) == recipe
    other, _ = engine.compose(*SMALL, "lidar.rotation_hz=20")
    assert other.id != recipe.id


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("lidar.detector.returns=all", "lidar.detector.returns: 'all' is not one of: strongest, last, dual"),
        ("lidar.chanels=8", "chanels"),
        ("lidar.channels=0", "lidar: channels must be in 1..4096, got 0"),
        ("lidar=none", "outputs names lidar, but there is none; choose one, such as lidar=spinning_32"),
        ("lidar=none lidar.firings=9", "unknown key 'lidar.firings'; lidar is none here; choose one first"),
        ("write=geometry", "nothing uses depth_sensor; add it to outputs, a writer of it, or take depth_sensor=none"),
        ("depth_sensor.contrast=2", "depth_sensor: contrast must be in 0.001..1, got 2"),
        ("depth_sensor.kind=sonar", "depth_sensor: unknown kind 'sonar'; known: stereo, structured_light, time_of"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_one_line_that_says_what_would_do(override: str, message: str) -> None:
    """Key, value, repair."""
    kept = [given for given in SMALL if "lidar=none" not in override or not given.startswith("lidar")]
    with pytest.raises(UserError) as caught:
        engine.compose(*kept, *override.split(" "))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mount_must_be_a_camera_of_the_rig(tmp_path: Path) -> None:
    """The error names the cameras that are there."""
    recipe, job = engine.compose(*SMALL, f"out={tmp_path / 'out'}", "lidar.mount.camera=/Roof")
    with pytest.raises(UserError, match=r"lidar\.mount\.camera: '/Roof' is no camera of the rig, which has /"):
        engine.generate(recipe, job)


@pytest.mark.parametrize("group", ["depth_sensor", "lidar"])
def test_every_shipped_sensor_composes(group: str) -> None:
    """All choices below conf/ fit their dataclasses."""
    writer = {"depth_sensor": "depth_sensor", "lidar": "pointcloud"}[group]
    names = [file.stem for file in (Path(engine.__file__).parents[1] / "conf" / group).glob("*.yaml")]
    assert len(names) >= 4
    for name in names:
        writes = "geometry" if name == "none" else f"[geometry,{writer}]"
        recipe, _ = engine.compose("+scene=tabletop", "quality=labels", f"{group}={name}", f"write={writes}")
        assert (getattr(recipe, group) is None) == (name == "none")
