"""Annotators as files: written, read back, explained by their tables, and verified against each other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest

import engine
from engine.annotators import ANNOTATIONS, EdgeBit
from engine.dataset.check_pixels import check_pixels
from engine.dataset.verify import verify
from engine.errors import UserError
from engine.factory import build_factory, load_recipe_scene
from engine.frames import Frames
from engine.online import stream
from engine.recipe import Job, Recipe
from engine.write import readback
from engine.write.annotations import MaterialMaps, PartMaps, write_materials, write_parts
from engine.write.encode import encode_npy, encode_png
from engine.write.files import inside
from engine.write.parts import MATERIALS, PARTS
from engine.write.view import ClassTable, View

OUTPUTS = "depth,normal,instance,range,normal_camera,part,material,position,uv,nocs,edge"
SMALL = (
    *("+scene=tabletop", "count=2", "rig.width=80", "rig.height=60", "rig.quality=labels", "device=cpu"),
    *(f"outputs=[{OUTPUTS}]", "write=[geometry,annotations]"),
)


def composed(*overrides: str) -> tuple[Recipe, Job]:
    return engine.compose(*SMALL, *overrides)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished dataset; tests that damage it work on copies."""
    out = tmp_path_factory.mktemp("annotations") / "out"
    recipe, job = composed(f"out={out}")
    engine.generate(recipe, job)
    return out


@pytest.fixture(scope="module")
def rendered() -> Frames:
    """Return the same two frames from the renderer."""
    recipe, job = composed()
    recipe, scene = load_recipe_scene(recipe, job)
    return build_factory(recipe, scene, device="cpu", threads=1).make([0, 1])[1]


def test_what_is_written_is_read_back(pristine: Path, rendered: Frames) -> None:
    """To half a step of each encoding, with the same pixels empty; ids count from 1 in files."""
    rows = parquet.read_table(pristine / "index/frames.parquet").to_pylist()
    for view, row in enumerate(rows):
        want = {name: image[view] for name, image in rendered.annotations.items()}
        range_m = readback.read_depth_m(inside(pristine, row["range"]))
        assert np.array_equal(np.isfinite(range_m), np.isfinite(want["range_m"]))
        seen = np.isfinite(range_m)
        assert np.abs(range_m - want["range_m"])[seen].max() < 0.00051
        normal = readback.read_normals(inside(pristine, row["normal_camera"]))
        assert np.abs(normal - want["normal_camera"]).max() < 0.51 / 32767
        assert np.array_equal(readback.read_id_map(pristine, row, "part"), want["part"] + 1)
        assert np.array_equal(readback.read_id_map(pristine, row, "material"), want["material"] + 1)
        for name in ("position", "uv"):
            assert readback.read_floats(inside(pristine, row[name])).tobytes() == want[name].tobytes()
        nocs = readback.read_nocs(inside(pristine, row["nocs"]))
        assert np.array_equal(np.isnan(nocs), np.isnan(want["nocs"]))
        assert np.nanmax(np.abs(nocs - want["nocs"])) < 0.51 / 65535
        assert np.array_equal(readback.read_edges(inside(pristine, row["edge"])), want["edge"])


def test_tables_say_what_ids_mean(pristine: Path, rendered: Frames) -> None:
    """A part's prim lies below its instance, which is that of the instance map; the loaded scene says the same."""
    recipe, job = composed()
    scene = load_recipe_scene(recipe, job)[1]
    parts, materials = (parquet.read_table(pristine / name) for name in (PARTS, MATERIALS))
    assert parts["part_id"].to_pylist() == list(range(1, len(scene.placements.mesh) + 1))
    assert parts["prim_path"].to_pylist() == list(scene.placements.prim)
    assert parts["inst_id"].to_pylist() == scene.placements.instance.tolist()
    assert materials["prim_path"].to_pylist() == [material.name for material in scene.materials]
    assert all(a.startswith(b) for a, b in zip(parts["prim_path"].to_pylist(), parts["inst_path"].to_pylist()))
    part = rendered.annotations["part"]
    instance = np.where(part < 0, 0, parts["inst_id"].to_numpy()[part])
    assert np.array_equal(instance, rendered.instance)
    listed = (pristine / "CHECKSUMS.sha256").read_text()
    assert PARTS in listed
    assert MATERIALS in listed


def test_a_stream_has_the_images_of_the_files(rendered: Frames) -> None:
    """On the device, by the same names; what is not asked for is not there."""
    recipe, job = composed()
    with stream(recipe, job, batch=2, worlds=range(2), labels=False) as batches:
        frames = next(iter(batches)).frames
    assert set(frames.annotations) == set(ANNOTATIONS) & set(rendered.annotations)
    for name, image in frames.annotations.items():
        assert image.numpy().tobytes() == rendered.annotations[name].tobytes(), name


def test_a_sound_dataset_has_no_faults(pristine: Path) -> None:
    """None of all checks."""
    assert verify(pristine)[1] == []


@pytest.mark.parametrize(
    "overrides",
    [
        ("lens=fisheye", "write.range.encoding=npy"),
        (
            "rig.readout_s=0.1",
            "+randomize@randomize=handheld_camera",
            "write.depth.encoding=npy",
            "write.nocs.encoding=png8",
        ),
        ("rig.cameras=['**']",),
    ],
)
def test_lenses_and_shutters_are_verified_too(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    """Depth, lens and the pose of every image row say where points are."""
    recipe, job = composed(f"out={tmp_path / 'out'}", "count=1", *overrides)
    engine.generate(recipe, job)
    assert verify(tmp_path / "out")[1] == []


def _change_png(change: Callable[[np.ndarray], object]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        import OpenImageIO as oiio

        pixels = np.squeeze(oiio.ImageInput.open(str(path)).read_image(oiio.UNKNOWN))
        change(pixels)
        path.write_bytes(encode_png(np.ascontiguousarray(pixels)))

    return edit


def _shift_positions(path: Path) -> None:
    position = np.load(path)
    position[20:22, 30:33] += 0.01
    path.write_bytes(encode_npy(position))


@pytest.mark.parametrize(
    ("role", "edit", "message"),
    [
        ("range", _change_png(lambda p: p.__setitem__((20, 30), p[20, 30] + 20)), "1 px are not the length of depth"),
        ("position", _shift_positions, "6 px are not where depth, lens and pose say, first at x=30 y=20"),
        ("normal_camera", _change_png(lambda p: p.__setitem__((20, 30), (1, 2, 3))), "1 px are not the normal turned"),
        ("part_map", _change_png(lambda p: p.__setitem__((20, 30), 60000)), "1 px are not in index/parts.parquet"),
        ("part_map", _change_png(lambda p: p.__setitem__((20, 30), 0)), "1 px are of another instance"),
        ("material_map", _change_png(lambda p: p.__setitem__((20, 30), 999)), "not in index/materials.parquet"),
        ("edge", _change_png(lambda p: p.__setitem__((20, 30), p[20, 30] ^ 1)), "wrong about where instances meet"),
        ("uv", lambda path: path.write_bytes(encode_npy(np.zeros((3, 4, 2), np.float32))), "is 4x3, the index says"),
        ("nocs", lambda path: path.write_bytes(b"\x89PNG"), "cannot be decoded"),
    ],
)
def test_files_that_contradict_each_other_are_named(
    pristine: Path, tmp_path: Path, role: str, edit: Callable[[Path], None], message: str
) -> None:
    """One edited file: what it contradicts, where first."""
    out = Path(shutil.copytree(pristine, tmp_path / "copy"))
    rows = verify(out)[0].rows
    assert rows is not None
    frame = next(iter(rows.rows("frames")))
    edit(out / frame[role])
    faults = [str(fault) for fault in check_pixels(rows)]
    assert [message in line and frame[role] in line for line in faults] == [True], faults


def test_ids_beyond_16_bits_are_positions_in_a_table_of_the_frame(tmp_path: Path) -> None:
    """A scene of 100,000 parts: each frame lists what it shows, the reader gives ids of the scene's table."""
    index = np.array([[-1, 99_999, 70_000], [99_999, 0, -1]], np.int32)
    view = View(
        "000/000001", None, None, None, None, ClassTable(np.zeros(1, np.int32), 0, 100_000, 70_001),
        annotations={"part": index, "material": index % 70_001},
    )  # fmt: skip
    for what, files in (("part", write_parts(PartMaps(), view)), ("material", write_materials(MaterialMaps(), view))):
        row = {}
        for file in files:
            path = tmp_path / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.data)
            row[file.role] = file.path
        assert set(row) == {f"{what}_map", f"{what}_ids"}
        assert np.array_equal(readback.read_id_map(tmp_path, row, what), view.annotations[what] + 1)
        assert json.loads((tmp_path / row[f"{what}_ids"]).read_text())[what][0] == 0


def test_a_writer_without_its_output_is_an_error() -> None:
    """One line that names both."""
    with pytest.raises(UserError, match=r"write\.edges needs the output edge"):
        composed("outputs=[depth,normal,instance]")


def test_edges_hold_only_known_bits(rendered: Frames) -> None:
    """Three bits, and all three occur on a table full of things."""
    bits = np.bitwise_or.reduce(rendered.annotations["edge"], axis=None)
    assert bits & EdgeBit.INSTANCE
    assert bits & EdgeBit.CREASE
    assert bits <= sum(EdgeBit)
