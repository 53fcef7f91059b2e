"""Optical flow from the command line to files and back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from numpy.typing import NDArray

import engine
from engine.dataset.__main__ import main as dataset_main
from engine.errors import UserError
from engine.flow_state import FlowState
from engine.lens import lens_of_row, project, unproject
from engine.write.encode import encode_npy
from engine.write.flow_files import (
    encode_flo,
    encode_kitti_flow,
    read_flo,
    read_flow,
    read_flow_state,
    read_kitti_flow,
    read_scene_flow,
)
from engine.write.readback import read_depth_m

SMALL = (
    *("+scene=tabletop", "count=1", "rig.width=64", "rig.height=48", "rig.steps=3", "device=cpu", "quality=labels"),
    *("write=[geometry,flow,scene_flow]", "randomize=[moved_camera]", "write.depth.encoding=npy"),
)


def some_flow(seed: int = 0) -> NDArray[np.float32]:
    """Return flow up to 600 px, some of which is unknown."""
    rng = np.random.default_rng(seed)
    flow = rng.uniform(-600.0, 600.0, (37, 53, 2)).astype(np.float32)
    flow[rng.uniform(size=(37, 53)) < 0.2] = np.nan
    return flow


def test_a_middlebury_file_is_read_back_exactly(tmp_path: Path) -> None:
    flow = some_flow()
    path = tmp_path / "a.flo"
    path.write_bytes(encode_flo(flow))
    assert np.array_equal(read_flow(path), flow, equal_nan=True)
    raw = np.frombuffer(path.read_bytes()[12:], "<f4").reshape(37, 53, 2)
    assert (np.abs(raw[np.isnan(flow)]) > 1.0e9).all()  # what the format calls unknown


def test_a_kitti_file_is_read_back_to_a_128th_of_a_pixel(tmp_path: Path) -> None:
    """Beyond 512 px, and where there is none, it is not valid."""
    flow = some_flow()
    path = tmp_path / "a.png"
    path.write_bytes(encode_kitti_flow(flow))
    found = read_flow(path)
    fits = ((flow > -511.99) & (flow < 511.95)).all(axis=-1)
    assert (np.isnan(found).any(axis=-1) == ~fits)[
        np.abs(np.nanmax(np.abs(np.nan_to_num(flow)), axis=-1) - 512) > 1
    ].all()
    assert np.nanmax(np.abs(found - flow)) <= 1.0 / 128.0


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "begin with PIEH"),
        (b"PIEH" + b"\x02\0\0\0\x02\0\0\0" + bytes(31), "says 2x2, which its 43 bytes are not"),
        (b"PIEH" + b"\xff\xff\xff\xff\x02\0\0\0", "says -1x2"),
    ],
)
def test_a_damaged_middlebury_file_is_refused_in_one_line(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "a.flo"
    path.write_bytes(data)
    with pytest.raises(UserError, match=what) as caught:
        read_flo(path)
    assert str(path) in str(caught.value)


def test_other_files_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(encode_npy(np.zeros((3, 4, 2), np.float32)))
    for read in (read_scene_flow, read_kitti_flow, read_flow_state):
        with pytest.raises(UserError, match=r"scene flow is|cannot be read"):
            read(path)
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read as scene flow"):
        read_scene_flow(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world of three steps with a camera that moves, beside perfect depth."""
    out = tmp_path_factory.mktemp("flow") / "out"
    recipe, job = engine.compose(*SMALL, f"out={out}")
    engine.generate(recipe, job)
    return out


def test_written_flow_is_that_of_the_written_depth_and_poses(made: Path) -> None:
    """All from files: unproject the depth, move by scene flow, project into the next frame: 1e-3 px."""
    frames = sorted(parquet.read_table(made / "index" / "frames.parquet").to_pylist(), key=lambda row: row["step"])
    x, y = np.meshgrid(np.arange(64) + 0.5, np.arange(48) + 0.5)
    pixels = np.stack([x, y], axis=-1)
    for here, there, way in [(0, 1, "forward"), (1, 2, "forward"), (1, 0, "backward"), (2, 1, "backward")]:
        row, other = frames[here], frames[there]
        flow, state = read_flow(made / row[f"flow_{way}"]), read_flow_state(made / row[f"flow_{way}_state"])
        pose, to_pose = (np.reshape(r["world_from_camera"], (4, 4)) for r in (row, other))
        local = unproject(lens_of_row(row), pixels, read_depth_m(made / row["depth"]).astype(np.float64))
        world = local @ pose[:3, :3].T + pose[:3, 3] + read_scene_flow(made / row[f"scene_flow_{way}"])
        target, _ = project(lens_of_row(other), (world - to_pose[:3, 3]) @ to_pose[:3, :3])
        known = np.isin(state, (FlowState.VISIBLE, FlowState.OUTSIDE, FlowState.OCCLUDED))
        assert known.mean() > 0.5
        assert (np.isnan(flow).any(axis=-1) == ~known).all()
        assert np.abs(pixels + flow - target)[known].max() < 1.0e-3
        assert np.abs(flow[known]).max() > 0.5
    for end, way in ((2, "forward"), (0, "backward")):
        assert np.isnan(read_flow(made / frames[end][f"flow_{way}"])).all()
        assert (read_flow_state(made / frames[end][f"flow_{way}_state"]) == FlowState.UNDEFINED).all()


def test_flow_is_verified_and_made_again(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dataset_main(["verify", str(made), "--regenerate", "1"]) == 0
    path = next((made / "flow").rglob("*.flo"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    capsys.readouterr()
    assert dataset_main(["verify", str(made)]) == 1
    assert path.name in capsys.readouterr().out
    path.write_bytes(whole)


@pytest.mark.parametrize("output", ["flow", "scene_flow"])
def test_flow_without_steps_is_refused_in_one_line(output: str) -> None:
    with pytest.raises(UserError, match=rf"outputs names {output}, which goes from step to step; use rig.steps=2"):
        engine.compose(*SMALL, f"write=[geometry,{output}]", "rig.steps=1")


def test_a_recipe_of_flow_is_read_back() -> None:
    recipe, _ = engine.compose(*SMALL)
    assert type(recipe).from_json(recipe.to_json()) == recipe
    assert set(recipe.outputs) >= {"flow", "scene_flow"}
    with pytest.raises(ValueError, match=r"rig\.steps=2"):
        dataclasses.replace(recipe, rig=dataclasses.replace(recipe.rig, steps=1))
