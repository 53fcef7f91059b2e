"""`python -m engine.audit`: the planted neighbour is the nearest, of other groups alone, and verdicts go stale."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.audit import hints as hint_module
from engine.audit.__main__ import main
from engine.audit.cut import NAMED, Cuts, Place
from engine.audit.hints import hints
from engine.audit.nearest import Yardstick, nearest
from engine.audit.standing import standings
from engine.evaluate.__main__ import main as evaluate
from engine.lineage.ledger import read_entries
from engine.shift import scores
from engine.shift.cues import CUES, measure_cues
from engine.write.record import read_json
from tests.engine.picture_sets import CRACK, picture_set, surface_picture

SIDE, SURFACES = 80, 12
EVIL = "<img src=x onerror=alert(1)>"


def scene(random: np.random.Generator, *, noise: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of rough ground with a dark patch, and the patch."""
    picture = surface_picture(random, SIDE, noise=noise)
    mask = np.zeros((SIDE, SIDE), bool)
    y, x = random.integers(30, 44, 2)
    mask[y : y + random.integers(6, 12), x : x + random.integers(6, 12)] = True
    return picture - 0.2 * mask, mask


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real pictures of surfaces, two of each; `drawn` ones like them, of which one is a copy of a real one.

    The real ones of surface 3 are far noisier than anything that was drawn. Nothing is found in surfaces 0 and 3, and a
    false alarm is made on surface 5.
    """
    folder = tmp_path_factory.mktemp("audit")
    random = np.random.default_rng(1)
    real = [scene(random, noise=0.2 if n // 2 == 3 else 0.01) for n in range(2 * SURFACES)]
    pair = real[1][0] + random.normal(0.0, 0.002, (SIDE, SIDE)), real[1][1]
    real[0] = pair  # the other picture of its surface is its twin, and does not count
    drawn = [scene(random) for _ in range(25)]
    drawn[17] = real[0][0] + random.normal(0.0, 0.002, (SIDE, SIDE)), real[0][1]
    surfaces = [n // 2 for n in range(2 * SURFACES)]
    picture_set(folder / "real", [p for p, _ in real], surfaces, [m for _, m in real])
    picture_set(folder / "drawn", [p for p, _ in drawn], [100 + n for n in range(25)], [m for _, m in drawn])
    labels = read_json(folder / "real/labels/coco.json")
    found = [
        {key: one[key] for key in ("image_id", "category_id", "bbox")} | {"score": 0.9}
        for one in labels["annotations"]
        if one["image_id"] - 1 not in (0, 6, 7)
    ]
    found.append({"image_id": 11, "category_id": 1, "bbox": [2, 60, 8, 8], "score": 0.8})
    (folder / "found.json").write_text(json.dumps(found))
    words = [str(folder / "real"), str(folder / "found.json"), "--out", str(folder / "report"), "--replicates", "50"]
    assert evaluate(words) == 0
    with pytest.MonkeyPatch.context() as patch:
        hint_little(patch)
        assert make(folder, folder / "page") == 0
    return folder


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hints are not what these tests are about; see `test_a_hint_names_the_cue_and_its_direction`."""
    hint_little(monkeypatch)


def hint_little(patch: pytest.MonkeyPatch) -> None:
    """Leave most of the time to the rest."""
    patch.setattr(scores, "TREES", 1)
    patch.setattr(hint_module, "HALVES", 2)
    patch.setattr(hint_module, "REPEATS", 1)


def make(folder: Path, out: Path, *more: str) -> int:
    """Run the command."""
    words = ["page", str(folder / "report"), "--synthetic", str(folder / "drawn"), "--out", str(out), "--side", "32"]
    return main([*words, *more])


def rows_of(out: Path) -> dict[str, Any]:
    return {one["id"]: one for one in read_json(out / "audit.json")["failures"]}


def test_misses_and_false_alarms_are_there(folder: Path) -> None:
    """Two misses and an alarm of three groups; the second picture of surface 3 is missed as well."""
    rows = rows_of(folder / "page")
    assert set(rows) == {"missed-0-1", "missed-6-1", "missed-7-1", "alarm-10-2"}
    plain = read_json(folder / "page/audit.json")
    assert (plain["schema"], plain["missed"], plain["false_alarms"]) == ("audit/1", 3, 1)
    assert rows["alarm-10-2"]["around"]["box"] == [2.0, 60.0, 8.0, 8.0]


@pytest.mark.parametrize("level", ["around", "whole"])
def test_the_planted_picture_is_the_nearest(folder: Path, level: str) -> None:
    """By far, around the patch and as a whole picture."""
    first, second, _ = rows_of(folder / "page")["missed-0-1"][level]["synthetic"]
    assert first["frame_id"] == 17
    assert first["distance"] < 0.5 * second["distance"]
    assert first["farthest"] == max(first["by_cue"], key=first["by_cue"].get)
    assert first["distance"] == pytest.approx(np.sqrt(np.mean(np.square([*first["by_cue"].values()]))), abs=1e-5)


def test_pictures_of_the_own_group_do_not_count(folder: Path) -> None:
    """Frame 1 is the twin of frame 0 on the same surface."""
    for level in ("around", "whole"):
        real = rows_of(folder / "page")["missed-0-1"][level]["real"]
        assert {one["frame_id"] // 2 for one in real}.isdisjoint({0})
        assert len({one["frame_id"] // 2 for one in real}) == 3


def test_a_copy_of_the_same_picture_in_another_set_does_not_count(folder: Path, tmp_path: Path) -> None:
    """The report's own pictures, taken in once more without their groups, would be their own neighbours."""
    from PIL import Image

    pictures = [np.asarray(Image.open(path)) for path in sorted((folder / "real-pictures").iterdir())]
    again = picture_set(tmp_path / "again", pictures, [200 + n for n in range(len(pictures))])
    assert make(folder, tmp_path / "page", "--real", str(again)) == 0
    found = {
        name: [one["frame_id"] for one in row["whole"]["real"]] for name, row in rows_of(tmp_path / "page").items()
    }
    assert found["missed-0-1"][0] == 1
    assert 0 not in found["missed-0-1"]


def test_what_the_synthetic_has_not_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Noise of surface 3; nothing of surface 0 lies outside."""
    rows = rows_of(folder / "page")
    outside = {one["column"]: one["outside"] for one in rows["missed-6-1"]["around"]["columns"] if one["outside"]}
    assert outside["crop.noise"] == "above"
    whole = {one["column"]: one for one in rows["missed-6-1"]["whole"]["columns"]}
    assert (whole["noise_sigma"]["outside"], whole["noise_sigma"]["percentile"]) == ("above", 100.0)
    assert whole["noise_sigma"]["real_percentile"] == 100.0
    assert any(re.match("noise_sigma .* is above all synth", line) for line in rows["missed-6-1"]["whole"]["reading"])
    assert "the synthetic has less" in rows["missed-6-1"]["whole"]["reading"][0]
    page = (folder / "page/audit.html").read_text()
    assert re.search(r"noise_sigma above all synthetic values: 2 failures", page)
    usual = {one["column"]: one["outside"] for one in rows["missed-0-1"]["whole"]["columns"]}
    assert usual["noise_sigma"] is None


def test_percentiles_are_shares_below_with_ties_halved() -> None:
    """Against a count by hand, NaN left out, the own group not counted."""
    places = tuple(Place(n) for n in range(30))
    values = np.array([0.0] * 10 + [1.0] * 10 + [2.0] * 9 + [np.nan])
    cuts = Cuts(places, np.arange(30), {}, {"x": values})
    (one,) = standings({"x": 1.0, "y": 3.0, "z": np.nan}, cuts, cuts, np.arange(30) < 20)
    assert (one.percentile, one.count, one.outside) == (pytest.approx(100 * 15 / 29), 29, "")
    assert one.real_percentile == 0.0
    (far,) = standings({"x": 2.5}, cuts, cuts, np.zeros(30, bool))
    assert (far.outside, far.percentile) == ("above", 100.0)
    few = Cuts(places[:5], np.arange(5), {}, {"x": values[:5]})
    (near,) = standings({"x": 2.5}, few, cuts, np.zeros(30, bool))
    assert near.outside == ""


def test_distances_are_those_of_plain_numpy() -> None:
    """In the mean spread within pools; of each group the nearest alone."""
    random = np.random.default_rng(0)
    pools = [measure_cues(random.random((8, 32, 32)).astype(np.float32) * scale) for scale in (1.0, 0.5)]
    cuts = [Cuts(tuple(Place(n) for n in range(8)), np.arange(8) // 2, cues, {}) for cues in pools]
    yardstick = Yardstick.of(cuts)
    one = {cue: values[0] for cue, values in pools[0].items()}
    found = nearest(yardstick, one, cuts[1], count=8, without=np.arange(8) < 2)
    table = []
    for cue in CUES:
        spread = np.sqrt((pools[0][cue].var(axis=0) + pools[1][cue].var(axis=0)) / 2)
        spread[spread <= 1e-9] = 1.0
        table.append(np.sqrt((((pools[1][cue] - one[cue]) / spread) ** 2).mean(axis=1)))
    total = np.sqrt((np.array(table) ** 2).mean(axis=0))
    wanted = sorted(min((total[row], row) for row in (first, first + 1)) for first in (2, 4, 6))
    assert [(pytest.approx(distance), row) for distance, row in wanted] == [(f.distance, f.row) for f in found]
    assert {cue for cue, _ in NAMED.values()} < set(CUES)


def test_a_hint_names_the_cue_and_its_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops that differ in one number of the noise; nothing is said of as many groups as have no power."""
    monkeypatch.setattr(scores, "TREES", 5)
    monkeypatch.setattr(hint_module, "HALVES", 4)
    random = np.random.default_rng(3)
    widths = {cue: values.shape[1] for cue, values in measure_cues(np.zeros((1, 32, 32), np.float32)).items()}
    cuts = []
    for shift, groups in ((-2.0, 20), (0.0, 40)):
        cues = {cue: random.normal(size=(4 * groups, width)) for cue, width in widths.items()}
        cues["noise"][:, 0] += shift
        cuts.append(Cuts(tuple(Place(n) for n in range(4 * groups)), np.arange(4 * groups) // 4, cues, {}))
    told = {hint.cue: hint for hint in hints("instances", cuts[0], cuts[1], 0)}
    assert [cue for cue, hint in told.items() if hint.verdict == "told apart"] == ["noise"]
    assert re.fullmatch(
        r"told apart by noise: 0\.[89]\d \(real against real 0\.5\d to 0\.\d\d\), synthetic has less noise",
        told["noise"].words,
    )
    few = [cut.take(np.arange(24)) for cut in cuts]
    assert {hint.verdict for hint in hints("instances", few[0], few[1], 0)} == {"no power"}


def test_the_same_question_has_the_same_page(folder: Path, tmp_path: Path) -> None:
    assert make(folder, tmp_path / "page") == 0
    for name in ("audit.html", "audit.json"):
        assert (tmp_path / "page" / name).read_bytes() == (folder / "page" / name).read_bytes()


def test_one_group_does_not_fill_the_page(folder: Path, tmp_path: Path) -> None:
    assert make(folder, tmp_path / "page", "--per-group", "1", "--most", "3", "--pool", "6") == 0
    assert len({one["frame_id"] // 2 for one in rows_of(tmp_path / "page").values()}) == 3


def test_words_of_data_are_text(folder: Path, tmp_path: Path) -> None:
    """A script in the name of a folder; a page has no script and loads nothing."""
    for name in ("report", "drawn"):
        shutil.copytree(folder / name, tmp_path / f"{name} {EVIL.replace('/', '')}")
    report, drawn = (str(tmp_path / f"{name} {EVIL}") for name in ("report", "drawn"))
    assert (
        main(["page", report, "--synthetic", drawn, "--out", str(tmp_path / "page"), "--side", "32", "--pool", "6"])
        == 0
    )
    page = (tmp_path / "page/audit.html").read_text()
    assert EVIL not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "realistic" not in page.lower()


def places(folder: Path) -> list[str]:
    """Say where things lie that were somewhere else when the page was made."""
    where = {"report": "report", "dataset": "real", "synthetic": "drawn"}
    return [word for name, place in where.items() for word in (f"--{name}", str(folder / place))]


def judge(folder: Path, *more: str, verdict: str = "unfit") -> int:
    said = ["--by", "Ada", "--verdict", verdict, "--why", "too little noise"]
    return main(["verdict", str(folder / "page"), *said, *places(folder), *more])


def show(folder: Path, *more: str) -> int:
    return main(["show", str(folder / "page"), *places(folder), *more])


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A copy that may be spoiled."""
    for name in ("report", "drawn", "real", "page"):
        shutil.copytree(folder / name, tmp_path / name)
    return tmp_path


def test_verdicts_are_kept_and_noted(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two, one after the other; the ledger of the synthetic dataset has both."""
    assert judge(own, "--failure", "missed-6-1=no sensor is that noisy") == 0
    assert judge(own, verdict="unsure") == 0
    plain = read_json(own / "page/verdict.json")
    assert plain["schema"] == "audit-verdict/1"
    first, second = plain["verdicts"]
    assert (first["by"], first["verdict"], first["failures"]) == (
        "Ada",
        "unfit",
        {"missed-6-1": "no sensor is that noisy"},
    )
    assert second["previous"] == first["hash"] != second["hash"]
    assert first["time"] <= second["time"]
    noted = [entry.facts for entry in read_entries(own / "drawn") if entry.event == "audit.verdict"]
    assert [one["hash"] for one in noted] == [first["hash"], second["hash"]]
    capsys.readouterr()
    assert show(own, "--check") == 0
    told = capsys.readouterr().out
    assert "Ada: unfit\n" in told
    assert "missed-6-1: no sensor is that noisy" in told
    assert "stale" not in told


@pytest.mark.parametrize(
    ("path", "what"),
    [("drawn/manifest.json", "synthetic dataset"), ("real/CHECKSUMS.sha256", "report dataset"),
     ("report/matches.parquet", "report matches.parquet"), ("page/audit.html", "page")],
)  # fmt: skip
def test_a_verdict_is_stale_once_something_changed(
    own: Path, capsys: pytest.CaptureFixture[str], path: str, what: str
) -> None:
    """It is said, stays, and no new one is taken before somebody looked again."""
    assert judge(own) == 0
    (own / path).write_bytes((own / path).read_bytes() + b" ")
    capsys.readouterr()
    assert show(own) == 0
    assert show(own, "--check") == 1
    assert re.search(f"Ada: unfit, stale: .*{what} changed", capsys.readouterr().out)
    assert judge(own) == 2
    assert f"{what} is not what the page shows" in capsys.readouterr().err
    assert len(read_json(own / "page/verdict.json")["verdicts"]) == 1


def test_a_verdict_that_was_changed_is_missed(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge(own) == 0
    assert judge(own) == 0
    path = own / "page/verdict.json"
    whole = path.read_text()
    path.write_text(whole.replace("too little noise", "all is well", 1))
    assert show(own) == 2
    data = json.loads(whole)
    path.write_text(json.dumps(data | {"verdicts": data["verdicts"][1:]}))
    assert show(own) == 2
    assert "was changed, or one before it left out" in capsys.readouterr().err


def test_no_verdict_does_not_hold(folder: Path) -> None:
    assert main(["show", str(folder / "page")]) == 0
    assert main(["show", str(folder / "page"), "--check"]) == 1


def test_bad_input_is_one_clear_error(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, one line, and nothing is written."""
    cases = [
        (["page", str(tmp_path), "--synthetic", str(folder / "drawn"), "--out", str(tmp_path / "x")], "evaluation."),
        (["page", str(folder / "report"), "--synthetic", str(tmp_path), "--out", str(folder / "x")], "dataset.json"),
        (["page", str(folder / "report"), "--synthetic", str(folder / "drawn"), "--out", str(tmp_path / "x"),
          "--side", "200"], "lower --side"),
        (["page", str(folder / "report"), "--synthetic", str(folder / "drawn"), "--out", str(tmp_path / "x"),
          "--most", "0"], "--most must be in 1..200"),
        (["show", str(tmp_path)], "audit.json"),
        (["verdict", str(folder / "page"), "--by", "A", "--verdict", "fit", "--why", " "], "--why"),
        (["verdict", str(folder / "page"), "--by", "A", "--verdict", "fit", "--why", "x", "--failure", "missed-0"],
         "ID=TEXT"),
        (["verdict", str(folder / "page"), "--by", "A", "--verdict", "fit", "--why", "x", "--failure", "missed-0-2=y"],
         "near: missed-0-1"),
    ]  # fmt: skip
    for words, what in cases:
        assert main(words) == 2
        told = capsys.readouterr().err
        assert what in told
        assert told.count("\n") == 1
    assert not (tmp_path / "x").exists()
    assert not (folder / "x").exists()
    assert not (folder / "page/verdict.json").exists()


def test_an_audit_does_not_go_into_a_dataset(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make(folder, folder / "drawn/log/page") == 2
    assert "audits go beside it" in capsys.readouterr().err
    assert CRACK in {one["class"] for one in rows_of(folder / "page").values()}
