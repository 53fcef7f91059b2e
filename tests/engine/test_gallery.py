"""What the page of all frames is made of: chunks, columns, labels and thumbnails say what the dataset says."""

from __future__ import annotations

import ast
import base64
import io
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engine.dataset.__main__ import main
from engine.dataset.verify import verify
from engine.errors import UserError
from engine.query import frames_where, open_index
from engine.view.color import color_depth, depth_span, legend_of_depth
from engine.view.gallery.build import Options, build_gallery
from engine.view.gallery.chunks import packed, plain_columns, script
from engine.view.gallery.columns import find_columns, literal, open_tables, values_of
from engine.view.gallery.labels import label_chunks
from engine.view.gallery.nearest import NONE, Looks, nearest, same_frames
from engine.view.gallery.place import replaced
from engine.view.gallery.source import open_shown
from engine.view.gallery.thumbnails import Cell, cell_for, draw_sheets
from tests.engine.toy_dataset import make_toy, toy_plan

EVIL = "</script><script>alert(1)</script>\u2028'\\\"&amp;\x00"
TYPES = {"f4": "<f4", "f8": "<f8", "i4": "<i4", "u4": "<u4", "u2": "<u2", "u1": "u1"}


def read_chunk(path: Path) -> Any:
    """Return what a chunk says; its escapes are those of Python as well."""
    found = re.fullmatch(r"chunk\((\".*?\"),('.*')\);\n", path.read_text(encoding="ascii"), re.DOTALL)
    assert found is not None
    return json.loads(ast.literal_eval(found.group(2)))


def unpacked(data: dict[str, str]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(data["data"]), TYPES[data["type"]])


def test_a_chunk_is_a_call_with_one_text_whatever_names_it_holds(tmp_path: Path) -> None:
    data = {EVIL: [EVIL, 1.5, None], "__proto__": {"evil": True}}
    (tmp_path / "a.js").write_bytes(script("data/a", data))
    assert read_chunk(tmp_path / "a.js") == data
    text = (tmp_path / "a.js").read_text(encoding="ascii")
    assert not re.search(r"[<>&\x00-\x09\x0b-\x1f]", text)
    assert "'" not in re.sub(r"\\[\\']", "", text)[len("chunk('data/a','") : -len("');\n")]


@pytest.mark.parametrize("kind", list(TYPES.values()))
def test_arrays_keep_their_bits(kind: str) -> None:
    values = np.array([0, 1, 3, 200], kind)
    assert np.array_equal(unpacked(packed(values)), values)
    assert np.array_equal(unpacked(packed(values.astype(values.dtype.newbyteorder(">")))), values)


def test_rows_are_json_without_what_json_has_not() -> None:
    table = pa.table({
        "a": pa.array([0.1, float("nan"), float("inf"), None], pa.float32()),
        "b": pa.array([1 / 3, -2.5e-9, 3e200, 0.0]),
        "c": pa.array([[1.5, float("nan")], None, [], [2.0]], pa.list_(pa.float64())),
        "rle": pa.array([b"0ab", None, b"\xff", b""], pa.binary()), "sha": pa.array([b"\x01\x02", None, b"", b"\xff"]),
        "big": pa.array([2**63, 5, None, 0], pa.uint64()), "word": pa.array([EVIL, None, "", "x"]),
    })  # fmt: skip
    plain = plain_columns(table)
    assert plain["a"] == [0.1, None, None, None]
    assert plain["b"] == pytest.approx([0.3333333, -2.5e-9, 3e200, 0.0], rel=1e-15)
    assert plain["c"] == [[1.5, None], None, [], [2.0]]
    assert plain["rle"] == ["0ab", None, "\xff", ""]
    assert plain["sha"] == ["0102", None, "", "ff"]
    assert plain["big"] == [str(2**63), 5, None, 0]
    json.dumps(plain, allow_nan=False)


def test_every_column_holds_what_duckdb_answers_to_its_expression(tmp_path: Path) -> None:
    """Asked through the door of `select --where`: number by number, word by word."""
    make_toy(tmp_path / "a", range(40), toy_plan())
    tables = open_tables(tmp_path / "a")
    columns = {column.name: column for column in find_columns(tables)}
    wanted = {
        "lum_mean", "phash", "p.sun.elevation_deg", "p.paint.color[3]", "k[9]", "instances count", "count of carton",
        "class", "prim_path", "area_px greatest", "bbox width_px least", "depth_m least", "area share least",
    }  # fmt: skip
    assert wanted <= set(columns)
    with open_index(tmp_path / "a") as index:
        for column, data in values_of(tables, list(columns.values())):
            if data["kind"] == "number":
                values = unpacked(data).astype(np.float64)
                middle = float(np.nanmedian(values))
                condition, expected = f"{data['sql']} <= {middle!r}e0".replace("e0e0", "e0"), values <= middle
            elif data["kind"] == "category":
                codes = unpacked(data)
                condition, expected = f"{data['sql']} = {literal(data['words'][codes[0]])}", codes == codes[0]
            else:
                starts, codes = unpacked(data["starts"]), unpacked(data)
                holds = f"i.frame_id = f.frame_id AND i.{data['sql']} = {literal(data['words'][0])}"
                condition = f"EXISTS (SELECT 1 FROM instances i WHERE {holds})"
                expected = np.array([0 in codes[a:b] for a, b in pairwise(starts)])
            found = np.array([holds for _, holds in frames_where(index, condition, where=column.name)])
            assert np.array_equal(found, expected), column.name


def test_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Pictures of others may have a column `class` of their own."""
    make_toy(tmp_path / "a", range(3), toy_plan())
    path = tmp_path / "a/index/frames.parquet"
    frames = pq.read_table(path)
    pq.write_table(frames.append_column("class", pa.array(["x"] * len(frames))), path)
    names = [column.name for column in find_columns(open_tables(tmp_path / "a"))]
    assert len(set(names)) == len(names)
    assert {"class", "class (instances)"} <= set(names)


@pytest.mark.parametrize("text", ["a;b", "it's; ';", ";", "plain", EVIL.replace("\x00", "")])
def test_words_with_semicolons_are_literals_without_them(text: str) -> None:
    import duckdb

    assert literal(text).count(";") == 0
    assert duckdb.sql(f"SELECT {literal(text)}").fetchall() == [(text,)]


def test_every_frame_is_in_one_chunk_with_its_own_instances(tmp_path: Path) -> None:
    make_toy(tmp_path / "a", range(45), toy_plan(shard_worlds=20, steps=2))
    shown = open_shown(tmp_path / "a")
    index = pq.read_table(tmp_path / "a/index/instances.parquet").to_pylist()
    worlds = {(w["world"], w["step"]): w for w in pq.read_table(tmp_path / "a/index/worlds.parquet").to_pylist()}
    seen = []
    for frames, data in label_chunks(shown):
        assert frames.num_rows <= 16
        for n, frame in enumerate(data["frames"]["frame_id"]):
            begin, end = data["instances"]["of"][n : n + 2]
            columns = data["instances"]["columns"]
            assert columns["inst_id"][begin:end] == [row["inst_id"] for row in index if row["frame_id"] == frame]
            assert all(isinstance(rle, str) for rle in columns["rle"][begin:end])
            place = data["world"][n]
            key = data["worlds"]["world"][place], data["worlds"]["step"][place]
            assert key == (data["frames"]["world"][n], data["frames"]["step"][n])
            assert data["worlds"]["p.sun.elevation_deg"][place] == pytest.approx(worlds[key]["p.sun.elevation_deg"])
            seen.append(frame)
    assert seen == list(range(90))


def test_thumbnails_stand_in_rows_of_ten(tmp_path: Path) -> None:
    """By colour, of JPEG and PNG; without a picture grey; the rest of a sheet has its own height."""
    colors = np.random.default_rng(2).integers(0, 256, (123, 3))
    paths: list[Path | None] = []
    for n, color in enumerate(colors.tolist()):
        paths.append(tmp_path / f"{n}.{'jpg' if n % 2 else 'png'}")
        Image.new("RGB", (640, 480), tuple(color)).save(paths[-1])
    paths[7], colors[7] = None, 96
    sheets = list(draw_sheets(paths, cell_for(640, 480)))
    pictures = [np.asarray(Image.open(io.BytesIO(sheet.jpeg))) for sheet in sheets]
    assert [picture.shape for picture in pictures] == [(960, 1280, 3), (288, 1280, 3)]
    for n, color in enumerate(colors):
        sheet, place = pictures[n // 100], n % 100
        inner = sheet[place // 10 * 96 + 30 : place // 10 * 96 + 66, place % 10 * 128 + 30 : place % 10 * 128 + 90]
        assert np.abs(inner.mean(axis=(0, 1)) - color).max() < 4
    assert np.abs(sheets[1].features[3].reshape(16, 3) * 255 - colors[103]).max() < 3


def test_thumbnails_keep_the_shape_of_pictures(tmp_path: Path) -> None:
    Image.new("L", (30, 90), 255).save(tmp_path / "tall.png")
    (sheet,) = draw_sheets([tmp_path / "tall.png"], Cell(128, 96))
    picture = np.asarray(Image.open(io.BytesIO(sheet.jpeg)).convert("L")).astype(int)
    bright = np.flatnonzero(picture[48, :128] > 200)
    assert (bright.min(), bright.max()) == pytest.approx((48, 79), abs=2)
    assert picture[4, 64] > 200
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match="cannot be read"):
        list(draw_sheets([tmp_path / "bad.jpg"], Cell(128, 96)))


def _looks(random: np.random.Generator, count: int) -> Looks:
    measured = {name: random.normal(size=count) for name in ("lum_mean", "blur_lap")}
    return Looks(
        measured, random.uniform(size=(count, 48)).astype(np.float32), random.integers(0, 2**64, count, np.uint64)
    )


def test_the_nearest_frame_is_the_planted_one() -> None:
    """Each frame's copy with a little noise, shuffled; more frames than are compared at once; others are far."""
    random = np.random.default_rng(8)
    first = _looks(random, 700)
    order = random.permutation(700)
    measured = {name: values[order] + random.normal(0, 0.01, 700) for name, values in first.measured.items()}
    assert first.hashes is not None
    second = Looks(measured, first.colors[order], first.hashes[order] ^ np.uint64(1))
    pairs = nearest(first, second)
    assert np.array_equal(order[pairs.partner], np.arange(700))
    assert pairs.distance is not None
    assert pairs.distance.max() < 0.1
    apart = nearest(first, _looks(random, 700)).distance
    assert apart is not None
    assert apart.min() > 0.5
    itself = nearest(first, first)
    assert np.array_equal(itself.partner, np.arange(700))
    assert itself.distance is not None
    assert itself.distance.max() < 1e-6


def test_distances_are_those_of_the_formula() -> None:
    """Against plain loops, with a value that was not measured in one of the sets."""
    random = np.random.default_rng(1)
    first, second = _looks(random, 5), _looks(random, 7)
    first.measured["lum_mean"][2] = np.nan
    pairs = nearest(first, second)
    assert pairs.distance is not None
    for a in range(5):
        best = np.inf
        for b in range(7):
            means = []
            blocks = [
                (first.colors, second.colors),
                (np.stack(list(first.measured.values()), 1), np.stack(list(second.measured.values()), 1)),
            ]
            for one, other in blocks:
                both = np.concatenate([one, other]).astype(float)
                difference = (np.where(np.isnan(one[a]), np.nanmean(both, 0), one[a]) - other[b]) / np.nanstd(both, 0)
                means.append(float(np.mean(difference**2)))
            assert first.hashes is not None
            assert second.hashes is not None
            share = bin(int(first.hashes[a] ^ second.hashes[b])).count("1") / 64
            best = min(best, float(np.sqrt((sum(means) + 8 * share**2) / 3)))
        assert pairs.distance[a] == pytest.approx(best, rel=1e-5)


def test_versions_are_compared_world_by_world(tmp_path: Path) -> None:
    make_toy(tmp_path / "a", range(6), toy_plan(steps=2))
    make_toy(tmp_path / "b", [1, 3, 4], toy_plan(steps=2))
    pairs = same_frames(open_tables(tmp_path / "a"), open_tables(tmp_path / "b"))
    assert pairs.partner.tolist() == [NONE, NONE, 0, 1, NONE, NONE, 2, 3, 4, 5, NONE, NONE]


def test_depth_has_the_colours_of_its_legend() -> None:
    depth = np.geomspace(2.0, 9.0, 4000).reshape(40, 100)
    span = depth_span(depth)
    assert span == pytest.approx(np.exp(np.percentile(np.log(depth), [2, 98])), rel=1e-4)
    legend = np.array(legend_of_depth(3))
    ends = color_depth(depth)[[0, 39], [0, 99]].astype(int)
    assert np.abs(ends - legend[[0, 2]]).max() <= 1
    assert depth_span(np.zeros((4, 4))) is None


def gallery(tmp_path: Path, name: str, options: Options | None = None) -> Path:
    out = tmp_path / name
    out.mkdir()
    build_gallery(open_shown(tmp_path / "a"), None, out, out, options or Options(), lambda count: None)
    return out


def test_a_gallery_is_the_same_every_time(tmp_path: Path) -> None:
    make_toy(tmp_path / "a", range(20), toy_plan())
    first, second = (gallery(tmp_path, name, Options(previews=("depth",))) for name in ("x", "y"))
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes(), file


@pytest.mark.parametrize("is_embedded", [False, True])
def test_every_address_of_a_gallery_is_a_file(tmp_path: Path, *, is_embedded: bool) -> None:
    """Beside the dataset by relative addresses; embedded, nothing outside of the folder."""
    make_toy(tmp_path / "a", range(20), toy_plan())
    out = gallery(tmp_path, "view", Options(previews=("depth",), is_embedded=is_embedded))
    text = (out / "index.html").read_text(encoding="utf-8")
    named = re.findall(r'(?:src|href)="([^"]*)"', text)
    for number in range(len(list((out / "data/labels").iterdir()))):
        data = read_chunk(out / f"data/labels/{number}.js")
        named += data["pictures"] + [previews["depth"]["src"] for previews in data["previews"]]
    for address in named:
        assert address == "data:," or (out / unquote(address)).is_file(), address
    outside = [address for address in named if address.startswith("..")]
    assert len(outside) == (0 if is_embedded else 20)
    assert "unsafe" not in text
    assert "http" not in re.sub("http-equiv", "", text)


def test_the_command_writes_all_frames_and_leaves_the_dataset_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_toy(tmp_path / "a", range(20), toy_plan())
    assert main(["view", str(tmp_path / "a")]) == 0
    said = capsys.readouterr().out
    assert "20 frames of a; drawn: class_map, depth, instance_map" in said
    head = read_chunk(tmp_path / "a-view/data/head.js")
    assert (head["count"], head["starts"]) == (20, [0, 4, 8, 12, 16])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "a-view"]
    assert verify(tmp_path / "a")[1] == []
    assert main(["view", str(tmp_path / "a"), "--single"]) == 0  # in its place
    assert not (tmp_path / "a-view/data").exists()


def test_a_folder_of_somebody_else_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One named `data` is nothing of ours without our mark; a failure leaves the earlier view whole."""
    make_toy(tmp_path / "a", range(3), toy_plan())
    kept = tmp_path / "out/data/thesis.tex"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    assert main(["view", str(tmp_path / "a"), "--out", str(tmp_path / "out")]) == 2
    assert "holds data, which is no part of a view" in capsys.readouterr().err
    assert kept.read_text() == "mine"
    assert main(["view", str(tmp_path / "a")]) == 0
    before = (tmp_path / "a-view/data/head.js").read_bytes()
    with pytest.raises(FileNotFoundError), replaced(tmp_path / "a-view") as folder:
        (folder / "nothing/index.html").write_text("half")
    assert (tmp_path / "a-view/data/head.js").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "a-view", "out"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--frames", "3"], "--frames belongs to --single"),
        (
            ["--previews", "smell"],
            "--previews smell: no file of these frames; there are: class_map, depth, instance_map",
        ),
        (["--single", "--embed"], "--embed does not go with --single"),
        (["--compare", "nothing"], "nothing is not a dataset of ours"),
    ],
)
def test_wrong_arguments_say_what_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    make_toy(tmp_path / "a", range(2), toy_plan())
    assert main(["view", str(tmp_path / "a"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "a-view").exists()
