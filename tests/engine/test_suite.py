"""Suites: conditions in SQL over the index, the share that satisfies them, and what a file may not say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import binomtest

from engine.config import compose
from engine.errors import UserError
from engine.evaluate.slices import SEEN_DEFECTS
from engine.query import connect, frames_where, open_index
from engine.suite.__main__ import main
from engine.suite.check import check_suite, wilson
from engine.suite.config import Suite, read_suite, suite_names
from engine.suite.pinned import Judged

FRAMES = pa.table({
    "frame_id": [0, 1, 2, 3], "world": [0, 0, 1, 1], "step": [0, 0, 0, 0], "lum_mean": [0.1, 0.5, 0.2, None],
})  # fmt: skip
WORLDS = pa.table({"world": [0, 1], "step": [0, 0], "p.lamp.stops": [-2.0, 1.0]})
INSTANCES = pa.table({
    "frame_id": [0, 0, 2], "inst_id": [1, 2, 1], "class": ["person", "forklift", "person"], "occluder": [2, 0, 0],
    "occlusion": [0.6, 0.0, 0.0],
})  # fmt: skip
BEHIND = """EXISTS (SELECT 1 FROM instances i JOIN instances o ON o.frame_id = i.frame_id AND o.inst_id = i.occluder
    WHERE i.frame_id = f.frame_id AND i.class = 'person' AND o.class = 'forklift' AND i.occlusion > 0.4)"""


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Return the index of four frames of two worlds."""
    (tmp_path / "index").mkdir()
    for name, table in (("frames", FRAMES), ("worlds", WORLDS), ("instances", INSTANCES)):
        pq.write_table(table, tmp_path / "index" / f"{name}.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("lum_mean < 0.25", [True, False, True, False]),  # unknown: not satisfied
        ('"p.lamp.stops" < 0', [True, True, False, False]),
        (BEHIND, [True, False, False, False]),
    ],
)
def test_a_condition_is_asked_of_every_frame_with_its_world(
    dataset: Path, condition: str, expected: list[bool]
) -> None:
    rows = frames_where(open_index(dataset), condition, where="here")
    assert rows == list(zip([0, 0, 1, 1], expected, strict=True))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            "brightness <\n  0.25",
            "here: 'brightness < 0.25' cannot be asked: Binder Error: Referenced column \"brightness\" not found",
        ),
        ("lum_meen < 0.25", 'Candidate bindings: "lum_mean"'),
        (
            "EXISTS (SELECT 1 FROM defects d WHERE d.frame_id = f.frame_id)",
            "the dataset has no index/defects.parquet: its recipe has no defects",
        ),
        ("true; DROP TABLE frames", "a condition is one expression, without ';'"),
        ("EXISTS (SELECT 1 FROM read_csv('/etc/hostname'))", "cannot be asked: Permission Error"),
        ("EXISTS (SELECT 1 FROM '/etc/hostname.csv')", "cannot be asked"),
        ("getenv('HOME') = 'x'", "cannot be asked"),
    ],
)
def test_a_condition_reaches_nothing_but_the_index(dataset: Path, condition: str, message: str) -> None:
    with pytest.raises(UserError, match="here") as error:
        frames_where(open_index(dataset), condition, where="here")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("folder", ["plain", "with[brackets]"])
@pytest.mark.parametrize("condition", ["isnan(x)", "x IS NULL OR isnan(x)", "NOT (x <= 500)", "x = 'nan'::DOUBLE"])
def test_what_is_no_number_is_found_in_files_as_in_memory(tmp_path: Path, folder: str, condition: str) -> None:
    """Minima and maxima in a Parquet file leave NaN out, and must not decide what a filter looks at."""
    x = np.arange(100.0)
    x[::7] = np.nan
    keys = {"world": np.arange(100), "step": np.zeros(100, np.int32)}
    tables = {"worlds": pa.table(keys), "frames": pa.table({"frame_id": np.arange(100), **keys, "x": x})}
    index = tmp_path / folder / "index"
    index.mkdir(parents=True)
    for name, table in tables.items():
        pq.write_table(table, index / f"{name}.parquet")
    wanted = [holds for _, holds in frames_where(connect(tables), condition, where="here")]
    assert wanted == np.isnan(x).tolist()
    assert [holds for _, holds in frames_where(open_index(tmp_path / folder), condition, where="here")] == wanted


def test_configuration_of_the_connection_stays_locked() -> None:
    import duckdb

    connection = connect({"frames": FRAMES})
    with pytest.raises(duckdb.Error):
        connection.execute("SET enable_external_access = true")


@pytest.mark.parametrize(("successes", "count"), [(0, 5), (3, 10), (64, 64), (47, 200)])
def test_intervals_are_those_of_wilson(successes: int, count: int) -> None:
    theirs = binomtest(successes, count).proportion_ci(confidence_level=0.9, method="wilson")
    assert wilson(successes, count) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_a_suite_holds_if_enough_frames_are_what_it_says(dataset: Path) -> None:
    suite = Suite("Dark.", ("+scene=warehouse",), "lum_mean < 0.25", 0.5, 4)
    found = check_suite("dark", suite, dataset)
    assert (found.frames, found.worlds, found.satisfied, found.holds) == (4, 2, 2, True)
    assert str(found).startswith("holds dark: 2 of 4 frames of 2 worlds, 50.0% [")
    strict = Suite("Dark.", ("+scene=warehouse",), "lum_mean < 0.25", 0.75, 4)
    assert not check_suite("dark", strict, dataset).holds


def test_the_command_fails_for_a_dataset_that_is_not_what_it_says(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "conf"
    (own / "suite").mkdir(parents=True)
    text = "about: Dark pictures.\nrun: [+scene=warehouse]\nwhere: lum_mean < 0.25\nshare: 0.9\ncount: 4\n"
    (own / "suite/dark.yaml").write_text(text)
    assert main(["--config-dir", str(own), "check", "dark", str(dataset)]) == 1
    assert capsys.readouterr().out.startswith("FAILS dark: 2 of 4 frames")
    assert main(["--config-dir", str(own), "check", "drak", str(dataset)]) == 2
    assert "there is no suite 'drak'; there are dark" in capsys.readouterr().err


def _empty(**kinds: pa.DataType) -> pa.Table:
    return pa.schema(kinds).empty_table()


@pytest.mark.parametrize("name", suite_names())
def test_what_a_shipped_suite_judges_can_be_asked_of_an_index(name: str) -> None:
    """Of columns that docs/formats.md names; empty tables are enough for DuckDB to refuse what is not there."""
    whole, number, text, flag = pa.int64(), pa.float64(), pa.string(), pa.bool_()
    place = {"frame_id": whole, "world": whole, "step": pa.int32(), "camera": pa.int32()}
    seen = {"class": text, "prim_path": text, "inst_id": pa.int32(), "area_px": pa.int32()}
    measured = {"lum_mean": number, "lum_p05": number, "sat_frac": number, "camera_blur_px": number}
    drawn = {"p.person_to_forklift.distance_m": number, "p.person_to_forklift.of": whole}
    connection = connect({
        "frames": _empty(**place, width=whole, height=whole, **measured),
        "worlds": _empty(world=whole, step=pa.int32(), **drawn, **{"p.daylight.elevation_deg": number}),
        "instances": _empty(
            **place, **seen, occluder=pa.int32(), occlusion=number, in_frame_px=whole,
            world_from_object=pa.list_(number, 12),
        ),
        "defects": _empty(**place, **seen, defect_id=pa.int32(), near_miss=flag, cnr=number),
    })  # fmt: skip
    connection.execute(SEEN_DEFECTS)
    suite = read_suite(name)
    judged = Judged(suite.where, suite.instances, "world", 0.0, 500, 0)
    joined = "SELECT i.truth_id FROM frames f JOIN worlds w USING (world, step) JOIN seen i ON i.frame_id = f.frame_id"
    assert connection.execute(f"{joined} WHERE ({judged.slice.where})").fetchall() == []


@pytest.mark.parametrize("name", suite_names())
def test_every_shipped_suite_is_a_recipe_that_can_be_composed(name: str) -> None:
    suite = read_suite(name)
    recipe, _ = compose(*suite.run, f"count={suite.count}")
    assert recipe.randomize
