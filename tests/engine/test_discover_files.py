"""`python -m engine.discover`: what it writes is measured by `engine.evaluate` as it is, whatever columns hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from engine.discover.__main__ import main
from engine.discover.bins import as_compared, literal, readable_edges
from engine.discover.discover import where_of
from engine.discover.rows import Options, Rows, read_rows
from engine.evaluate.__main__ import main as evaluate_main
from engine.evaluate.slices import Slice, SliceReader, read_slices
from engine.evaluate.stored import read_report
from engine.evaluate.truth import read_truth
from tests.engine.test_mix import make_real

COUNT = (
    240  # pictures of a world each: a nail, which is an instance, and in every third a screw, which is a defect here
)
NAMES = ("o'clock; late", 'a "noon"', "früh")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real pictures with columns of every kind, NULL, NaN and infinity in them; index and labels are written anew."""
    out = make_real(tmp_path_factory.mktemp("discover") / "real", COUNT)
    random = np.random.default_rng(0)
    add(out, "worlds", {
        "p.sun.power": pa.array(random.random(COUNT)),
        "p.sun.name": pa.array([NAMES[n] for n in random.integers(0, 3, COUNT)]),
        "p.tint.color": pa.FixedSizeListArray.from_arrays(pa.array(random.random(3 * COUNT), pa.float32()), 3),
        "p.many.x_m": pa.FixedSizeListArray.from_arrays(pa.array(random.random(9 * COUNT)), 9),
        "p.sun.seed": pa.array(random.integers(0, 2**32, COUNT)),
        "p.sun.on": pa.array([None if r < 0.1 else r < 0.5 for r in random.random(COUNT)]),
    })  # fmt: skip
    steps = np.array([0.1, 0.2, 0.3, 0.7, 0.9], np.float32)[random.integers(0, 5, COUNT)]
    holes = random.random(COUNT).astype(np.float32)
    holes[::7], holes[1::7] = np.nan, np.inf
    sums = np.array([0.1, 0.2, 0.1 + 0.2, 0.30000000000000004 + 1e-9])[random.integers(0, 4, COUNT)]
    add(out, "frames", {
        "steps": pa.array(steps), "holes": pa.array(holes), "sums": pa.array(sums),
        "Upper Case": pa.array([None if n % 5 == 0 else int(n % 11) for n in range(COUNT)]),
        "gone": pa.nulls(COUNT, pa.float64()), "semi;colon": pa.array(random.random(COUNT)),
    })  # fmt: skip
    split_defects(out, random)
    return out


def add(out: Path, table: str, columns: dict[str, pa.Array]) -> None:
    path = out / "index" / f"{table}.parquet"
    rows = pq.read_table(path)
    for name, values in columns.items():
        rows = rows.append_column(name, values)
    pq.write_table(rows, path)


def split_defects(out: Path, random: np.random.Generator) -> None:
    path = out / "index/instances.parquet"
    rows = pq.read_table(path)
    is_screw = pc.equal(rows["class"], "screw")
    defects = rows.filter(is_screw).rename_columns([n.replace("inst_id", "defect_id") for n in rows.column_names])
    contrast = random.random(len(defects)).astype(np.float32)
    contrast[::5] = np.nan
    kept = ("frame_id", "world", "step", "camera", "defect_id", "class_id", "class", "bbox", "area_px")
    told = defects.select(kept).append_column("cnr", pa.array(contrast))
    told = told.append_column("near_miss", pa.array([False] * len(told)))
    pq.write_table(told, out / "index/defects.parquet")
    pq.write_table(rows.filter(pc.invert(is_screw)), path)
    labels = json.loads((out / "labels/coco.json").read_text())
    screws = {one["id"] for one in labels["categories"] if one["name"] == "screw"}
    for one in labels["annotations"]:
        if one["category_id"] in screws:
            one["handling_step"] = ""
    (out / "labels/coco.json").write_text(json.dumps(labels))


def columns_of(dataset: Path) -> dict[int, dict[str, Any]]:
    """Return what frames and worlds say, by image id."""
    frames, worlds = (pq.read_table(dataset / f"index/{name}.parquet").to_pylist() for name in ("frames", "worlds"))
    return {f["frame_id"] + 1: f | w for f, w in zip(frames, worlds, strict=True)}


def report_of(
    dataset: Path, folder: Path, chance: Any, alarms: Any = lambda f: 0.0, score: Any = lambda f: 0.9
) -> Path:
    """Evaluate predictions that miss instances, make false alarms and have scores by rules over the columns."""
    random = np.random.default_rng(1)
    facts = columns_of(dataset)
    found = []
    for one in json.loads((dataset / "labels/coco.json").read_text())["annotations"]:
        frame = facts[one["image_id"]]
        if random.random() >= chance(frame, one):
            found.append({name: one[name] for name in ("image_id", "category_id", "bbox")} | {"score": score(frame)})
    for number, frame in facts.items():
        if random.random() < alarms(frame):
            found.append({"image_id": number, "category_id": 1, "bbox": [30, 20, 4, 4], "score": 0.8})
    (folder / "found.json").write_text(json.dumps(found))
    assert evaluate(dataset, folder) == 0
    return folder / "found-report"


def evaluate(dataset: Path, folder: Path, *more: str) -> int:
    return evaluate_main([str(dataset), str(folder / "found.json"), "--replicates", "50", "--worst", "0", *more])


def read(report: Path, **options: Any) -> Rows:
    return read_rows(read_report(report), Options(**options))


def test_every_predicate_means_to_duckdb_what_it_means_to_the_search(dataset: Path, tmp_path: Path) -> None:
    """All ranges of all columns: the same instances, in the same pictures, with the same misses."""
    report = report_of(dataset, tmp_path, lambda frame, one: 0.3)
    rows = read(report)
    matches = read_report(report).matches()
    missed = {tuple(key): not found for *key, found in zip(
        *(matches[name].to_pylist() for name in ("frame_id", "is_defect", "truth_id")), matches["found"].to_pylist(),
        strict=True,
    )}  # fmt: skip
    truth = read_truth(dataset, None)
    truth = truth.in_order(np.array(sorted(truth.annotation)))
    reader = SliceReader(dataset, truth)
    tried = 0
    for number, column in enumerate(rows.columns):
        for codes in column.ranges():
            held = (column.codes >= codes[0]) & (column.codes < codes[1])
            expected = sorted(zip(rows.group[held].tolist(), (rows.outcome[held] > 0).tolist(), strict=True))
            where = where_of(rows, ((number, *codes),))
            part, _ = reader.part("x", Slice(where))
            chosen = [key for key, own in zip(truth.instance, part.truth, strict=True) if own]
            shown = set(truth.frame_id[part.image].tolist())
            found = sorted((key[0], missed[key]) for key in chosen if key[0] in shown)
            assert found == expected, where
            tried += 1
    assert tried > 80
    labels = {column.place.label for column in rows.columns}
    assert labels >= {
        "i.class", "i.area_px", "i.cnr", "lum_mean", "steps", "holes", "sums", "Upper Case", "p.sun.power",
        "p.sun.name", "p.sun.on", "p.tint.color[1]", "p.tint.color[3]", "i.bbox_width",
    }  # fmt: skip
    assert any("isnan" in where_of(rows, ((n, *codes),)) for n, c in enumerate(rows.columns) for codes in c.ranges())


def test_what_is_left_out_is_said_with_the_reason(dataset: Path, tmp_path: Path) -> None:
    rows = read(report_of(dataset, tmp_path, lambda frame, one: 0.3))
    why = {left.label: left.why for left in rows.left}
    for name in ("frame_id", "i.inst_id", "phash", "p.sun.seed", "i.class_id"):
        assert why[name].startswith("names or numbers a row")
    assert why["image"] == "a path"
    assert why["gone"] == "not known of any row"
    assert why["semi;colon"] == "a condition cannot have the ';' of its name"
    assert why["p.many.x_m"].startswith("a list")
    assert why["i.is_defect"] == "the same rows as i.class"
    assert why["i.is_crowd"] == "part of the label"
    assert why["camera"] == "one value"
    assert why["world"] == "the groups themselves"
    assert not {column.place.label for column in rows.columns} & set(why)


@pytest.mark.parametrize(
    ("chance", "where"),
    [
        (lambda f, a: 0.9 if f["p.sun.power"] < 0.3 else 0.05, r'w\."p\.sun\.power" < 0\.\d+'),
        (lambda f, a: 0.9 if f["p.sun.name"] == NAMES[0] else 0.05,
         r"w\.\"p\.sun\.name\" = \('o''clock' \|\| chr\(59\) \|\| ' late'\)"),
        (lambda f, a: 0.9 if a["category_id"] == 2 else 0.05, r"i\.class = 'screw'"),
    ],
)  # fmt: skip
def test_slices_are_measured_as_they_are(dataset: Path, tmp_path: Path, chance: Any, where: str) -> None:
    """The file goes to `engine.evaluate --slices`, which counts the instances and misses that the search counted."""
    report = report_of(dataset, tmp_path, chance)
    assert main([str(report), "--out", str(tmp_path / "found")]) == 0
    plain = json.loads((tmp_path / "found/discovery.json").read_text())
    slices = read_slices(tmp_path / "found/discovered.yaml")
    confirmed = [one for one in plain["slices"] if one["confirmed"]]
    assert [one["name"] for one in confirmed] == list(slices)
    assert re.fullmatch(where, confirmed[0]["where"])
    assert all(re.fullmatch(r"[a-z0-9_]{1,80}", name) for name in slices)
    again = ("--slices", str(tmp_path / "found/discovered.yaml"), "--out", str(tmp_path / "again"))
    assert evaluate(dataset, tmp_path, *again) == 0
    told = {one["name"]: one for one in json.loads((tmp_path / "again/evaluation.json").read_text())["slices"]}
    for one in confirmed:
        halves = one["discovery"], one["confirmation"]
        assert told[one["name"]]["instances"] == sum(half["rows"] for half in halves)
        assert told[one["name"]]["missed"] == sum(half["failures"] for half in halves)
        assert told[one["name"]]["groups"] == sum(half["groups"] for half in halves)
        assert told[one["name"]]["verdict"] is None


def test_false_alarms_are_counted_by_picture(dataset: Path, tmp_path: Path) -> None:
    report = report_of(dataset, tmp_path, lambda f, a: 0.1, alarms=lambda f: 0.9 if f["p.sun.power"] > 0.6 else 0.05)
    assert main([str(report), "--of", "alarms", "--most", "1"]) == 0
    plain = json.loads((report / "discovery.json").read_text())
    (one,) = [one for one in plain["slices"] if one["confirmed"]]
    assert one["columns"] == ["p.sun.power"]
    assert (
        evaluate(dataset, tmp_path, "--slices", str(report / "discovered.yaml"), "--out", str(tmp_path / "again")) == 0
    )
    told = json.loads((tmp_path / "again/evaluation.json").read_text())["slices"][1]
    halves = one["discovery"], one["confirmation"]
    assert told["images"] == sum(half["rows"] for half in halves)
    alarms = sum(half["failures"] for half in halves)
    assert told["figures"]["false_alarms"]["value"] == pytest.approx(alarms / told["images"], abs=1e-6)
    assert {column["column"].split(".")[0] for column in plain["searched"]["columns"]}.isdisjoint({"i"})


def test_low_scores_are_a_trigger_like_misses(dataset: Path, tmp_path: Path) -> None:
    """Everything is found, and with a score of 0.4 where the step is above a half: recall says nothing of it."""
    score = lambda f: 0.4 if f["steps"] > 0.5 else 0.9  # noqa: E731
    report = report_of(dataset, tmp_path, lambda f, a: 0.0, score=score)
    assert main([str(report), "--of", "low_confidence", "--most", "1"]) == 0
    plain = json.loads((report / "discovery.json").read_text())
    assert plain["low_score"] == 0.4
    assert [one["where"] for one in plain["slices"] if one["confirmed"]] == ["f.steps >= 0.7"]
    assert main([str(report), "--of", "low_confidence", "--below", "0.3"]) == 0
    plain = json.loads((report / "discovery.json").read_text())
    assert plain["note"].startswith("nothing to tell apart: in the discovery half every row has the outcome 0")
    assert not (report / "discovered.yaml").exists()  # that of the earlier search is gone


def test_a_search_that_finds_nothing_writes_no_slices(dataset: Path, tmp_path: Path, capsys) -> None:
    report = report_of(dataset, tmp_path, lambda f, a: 0.3)
    assert main([str(report), "--columns", "p.sun.*", "i.class"]) == 0
    assert "no slice is confirmed" in capsys.readouterr().out
    assert not (report / "discovered.yaml").exists()
    plain = json.loads((report / "discovery.json").read_text())
    assert {one["column"] for one in plain["searched"]["columns"]} == {
        "p.sun.power",
        "p.sun.name",
        "p.sun.on",
        "i.class",
    }
    page = (report / "discovery.html").read_text()
    assert "<script" not in page
    assert "o&#x27;clock; late" in page
    assert "not asked for" in page


def test_the_same_search_writes_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    report = report_of(dataset, tmp_path, lambda f, a: 0.9 if f["p.sun.power"] < 0.3 else 0.05)
    for name in ("a", "b"):
        assert main([str(report), "--out", str(tmp_path / name)]) == 0
    for name in ("discovered.yaml", "discovery.json", "discovery.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--columns", "lum_meen"], "--columns lum_meen: no column that can be searched; near: lum_mean"),
        (["--most", "4"], "--most must be 1, 2 or 3"),
        (["--support", "2"], "--support must be at least 5 groups"),
        (["--rate", "0.9"], "--rate must be above 0"),
        (["--seed", "-1"], "--seed must be 0 or more"),
    ],
)
def test_what_does_not_fit_is_named(dataset: Path, tmp_path: Path, capsys, more: list[str], message: str) -> None:
    report = report_of(dataset, tmp_path, lambda f, a: 0.3)
    assert main([str(report), *more]) == 2
    assert message in capsys.readouterr().err
    assert main([str(tmp_path)]) == 2
    assert "holds no evaluation.json" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_an_edge_is_compared_as_duckdb_does(kind: type) -> None:
    """Values on both sides of edges and on them, of many sizes; DuckDB rounds the literal to the column's type."""
    random = np.random.default_rng(3)
    size = np.dtype(kind).itemsize * 8
    for scale in (1e-6, 1e-3, 1.0, 1e3, 1e7):
        texts = readable_edges(random.random(400) * scale, 20, size)
        edges = np.array([as_compared(text, size) for text in texts])
        exact = np.array([float(text) for text in texts])
        values = np.concatenate([edges, exact, np.nextafter(edges.astype(kind), kind(0)), random.random(50) * scale])
        connection = duckdb.connect(":memory:")
        connection.register("t", pa.table({"x": values.astype(kind)}))
        asked = ", ".join(f"x >= {text}" for text in texts)
        found = np.stack(list(connection.sql(f"SELECT {asked} FROM t").fetchnumpy().values()))
        assert (found == (values.astype(kind).astype(np.float64) >= edges[:, None])).all()


def test_words_are_quoted_for_sql_and_for_slices() -> None:
    assert literal("it's") == "'it''s'"
    assert literal("a;b") == "('a' || chr(59) || 'b')"
    assert literal(True) == "true"
    assert yaml.safe_load(yaml.safe_dump({"where": literal("a: 'b'\n")})) == {"where": literal("a: 'b'\n")}
