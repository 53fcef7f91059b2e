"""Pinned suites: frozen data by which a model is held to a blessed one, and what refuses to run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.collect.classes import taxonomy_of
from engine.collect.holdout import READ, find_lock
from engine.collect.ingest import IngestRequest, ingest
from engine.collect.refs import add_ref
from engine.dataset.manifest import read_manifest
from engine.evaluate.board import Board
from engine.evaluate.evaluate import Measurement
from engine.formats.record import Category, Frame, Instance
from engine.formats.registry import Records
from engine.lineage.ledger import read_entries
from engine.lineage.runs import training_run
from engine.suite.__main__ import main
from engine.suite.pinned import find_suite, read_pinned

CLASSES = (Category(1, "nail", "nail"), Category(2, "screw", "screw"))
DARK = "lum_mean < 0.2"
IS_DARK = 40  # luma below which a picture is dark
SIZE = (40, 30)
Entry = dict[str, Any]


def make_pictures(out: Path, lumas: Sequence[int]) -> Path:
    """Take in a picture of every luma, with two nails each and a screw in every third."""
    pictures = out.with_name(f"{out.name}-pictures")
    pictures.mkdir(parents=True)
    frames = []
    for number, luma in enumerate(lumas):
        Image.fromarray(np.full((*SIZE[::-1], 3), luma, np.uint8)).save(pictures / f"{number}.png")
        boxes = [("nail", (2.0, 5.0, 6.0, 4.0)), ("nail", (20.0, 5.0, 6.0, 4.0)), ("screw", (10.0, 15.0, 5.0, 6.0))]
        seen = tuple(Instance(n + 1, name, box) for n, (name, box) in enumerate(boxes[: 3 if number % 3 == 0 else 2]))
        frames.append(Frame(number, *SIZE, seen, {"image": pictures / f"{number}.png"}))
    request = IngestRequest(out, "coco", taxonomy_of(CLASSES), out.name)
    ingest(Records(out.name, CLASSES, tuple(frames)), request, lambda _: None)
    return out


def answers(dataset: Path, keep: Callable[[Entry, int], bool] = lambda entry, luma: True) -> list[Entry]:
    """Return the ground truth as predictions, of those annotations that `keep` says; it is given the luma, too."""
    labels = json.loads((dataset / "labels/coco.json").read_text())
    luma = {one["id"]: int(np.asarray(Image.open(dataset / one["file_name"]))[0, 0, 0]) for one in labels["images"]}
    kept = [one for one in labels["annotations"] if keep(one, luma[one["image_id"]])]
    return [{key: one[key] for key in ("image_id", "category_id", "bbox")} | {"score": 0.9} for one in kept]


def half_blind(entry: Entry, luma: int) -> bool:
    """In the dark, of two nails one is not found."""
    return luma >= IS_DARK or entry["bbox"][0] != 20.0


class Team:
    """A store, datasets and the command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.dark = make_pictures(folder / "dark", range(36))
        self.bright = make_pictures(folder / "bright", range(100, 136))

    def copy(self, folder: Path) -> Team:
        """Return a team of its own with the same data and suites."""
        shutil.copytree(self.folder, folder)
        other = Team.__new__(Team)
        other.folder, other.store = folder, folder / "store"
        other.dark, other.bright = folder / "dark", folder / "bright"
        return other

    def file(self, name: str, entries: list[Entry]) -> Path:
        path = self.folder / name
        path.write_text(json.dumps(entries))
        return path

    def __call__(self, command: str, *words: object) -> int:
        return main([command, "--store", str(self.store), *map(str, words)])

    def pin(self, name: str, dataset: Path, *words: object) -> int:
        return self("pin", name, dataset, "--replicates", 100, *words)

    def bless(self, name: str, entries: list[Entry], *words: object) -> int:
        return self("bless", name, "--predictions", self.file(f"{name}-good.json", entries), "--why", "good", *words)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Team:
    """Two suites with a blessed model: dark pictures and bright ones."""
    team = Team(tmp_path_factory.mktemp("team"))
    for name, dataset, where in (("dark", team.dark, DARK), ("bright", team.bright, "lum_mean > 0.2")):
        assert team.pin(name, dataset, "--where", where, "--share", 1) == 0
        assert team.bless(name, answers(dataset)) == 0
    return team


@pytest.fixture
def team(made: Team, tmp_path: Path) -> Team:
    """Return a copy, to break."""
    return made.copy(tmp_path / "copy")


def test_a_model_degraded_in_one_condition_fails_its_suite_while_its_overall_figure_hardly_moves(
    team: Team, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In general, one picture of 100 is dark: recall and AP move by less than one point."""
    general = make_pictures(tmp_path / "general", [20, *range(100, 199)])
    board = Board(general, {}, Measurement(replicates=60))
    good, bad = (
        board.judge(team.file(f"general-{name}.json", found))["all"]
        for name, found in (("good", answers(general)), ("bad", answers(general, half_blind)))
    )
    for figure in ("recall", "AP", "AP50"):
        assert 0.0 < good.value(figure) - bad.value(figure) < 0.01
    folder = tmp_path / "found"
    folder.mkdir()
    for name, dataset in (("dark", team.dark), ("bright", team.bright)):
        (folder / f"{name}.json").write_text(json.dumps(answers(dataset, half_blind)))
    assert team("run", "dark", "bright", "--predictions", folder) == 1
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told] == ["FAIL", "PASS"]
    assert "dark@v1" in told[0]
    assert team("run", "bright", "--predictions", folder) == 0


def test_the_same_predictions_twice_give_the_same_answer_and_an_equal_model_passes(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    some = answers(team.dark, lambda entry, luma: luma != 7)
    for entries in (some, list(reversed(answers(team.dark)))):
        path = team.file("found.json", entries)
        capsys.readouterr()
        codes = [team("run", "dark", "--predictions", path, "--json") for _ in range(2)]
        first, second = capsys.readouterr().out.split('{\n "schema"')[1:]
        assert first == second
    assert codes == [0, 0]  # the last, which says what the blessed model says in another order
    report = json.loads('{"schema"' + first)["suites"][0]
    assert report["gain"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert (report["images"], report["groups"], report["instances"]) == (36, 36, 84)
    assert report["dataset_id"] == read_manifest(team.dark / "manifest.json").dataset_id


def test_what_cannot_be_told_is_open_and_what_is_too_small_insufficient(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    one_less = team.file("found.json", answers(team.dark, lambda entry, luma: luma != 7))
    assert team("run", "dark", "--predictions", one_less) == 3
    assert capsys.readouterr().out.startswith("OPEN         dark@v1")
    for name, more in (("lenient", ("--open", "pass")), ("small", ("--min-support", 40))):
        assert team.pin(name, team.dark, "--where", DARK, *more) == 0
        assert team.bless(name, answers(team.dark)) == 0
    assert "it will say insufficient" in capsys.readouterr().out
    assert team("run", "lenient", "--predictions", one_less) == 0
    assert team("run", "small", "--predictions", one_less) == 3
    told = capsys.readouterr().out
    assert "INSUFFICIENT small@v1: 36 groups, fewer than min_support 40; 36 pictures" in told
    assert "[" not in told.splitlines()[-1]


def test_the_worst_answer_of_several_suites_is_the_exit_code(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    found = {
        "dark": team.file("a.json", answers(team.dark, lambda entry, luma: luma != 7)),
        "bright": team.file("b.json", answers(team.bright)),
    }
    words = [word for name, path in found.items() for word in ("--predictions", f"{name}={path}")]
    assert team("run", "--all", *words) == 3
    assert team("run", "--all", *words[:-1], f"bright={team.file('c.json', [])}") == 1
    capsys.readouterr()
    assert team("run", "--all", "--predictions", found["dark"]) == 2
    assert "each needs a file of its own: bright=FILE" in capsys.readouterr().err


@pytest.mark.parametrize("limit", [0.7, 0.999])
def test_a_limit_holds_without_a_blessed_model(team: Team, limit: float, capsys: pytest.CaptureFixture[str]) -> None:
    assert team.pin("limited", team.dark, "--where", DARK, "--limit", limit) == 0
    path = team.file("found.json", answers(team.dark, lambda entry, luma: luma % 9 != 0))
    assert team("run", "limited", "--predictions", path) == (0 if limit == 0.7 else 1)
    assert f"must be at least {limit:g}" in capsys.readouterr().out


def test_more_false_alarms_are_a_loss(team: Team) -> None:
    assert team.pin("calm", team.dark, "--where", DARK, "--metric", "false_alarms", "--allow", 0.1) == 0
    good = answers(team.dark)
    assert team.bless("calm", good) == 0
    alarms = [{"image_id": n, "category_id": 1, "bbox": [30, 20, 5, 5], "score": 0.9} for n in range(1, 20)]
    assert team("run", "calm", "--predictions", team.file("more.json", good + alarms)) == 1
    assert team("run", "calm", "--predictions", team.file("same.json", good)) == 0
    assert team.bless("calm", good + alarms) == 2  # it fails against the model that is blessed
    assert team.bless("calm", good + alarms, "--worse") == 0
    assert team("run", "calm", "--predictions", team.file("same.json", good)) == 0  # fewer alarms


def test_only_the_instances_that_are_asked_for_are_judged(team: Team) -> None:
    """Nails are found badly, screws well: of screws the model is as good as it was."""
    assert team.pin("screws", team.dark, "--where", DARK, "--instances", "i.class = 'screw'", "--allow", 0.3) == 0
    pinned = read_pinned(find_suite(team.store, "screws"))
    assert (pinned.frames, pinned.instances) == (12, 12)
    assert team.pin("screws", team.dark, "--where", DARK, "--instances", "i.class = 'bolt'") == 2
    assert team.pin("screws", team.dark, "--where", DARK, "--instances", "i.clazz = 'screw'") == 2


def _flip(path: Path, at: int = -20) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.unlink()  # it may be linked
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("dark/images/000/000007.png", "images/000/000007.png has changed"),
        ("dark/labels/coco.json", "labels/coco.json has changed"),
        ("store/suites/dark/v1/blessed", "blessed predictions"),
        ("store/suites/dark/v1/blessed.json", "is not what the history says was blessed"),
    ],
)
@pytest.mark.parametrize("is_locked", [True, False])
def test_one_changed_byte_refuses_to_run(
    team: Team, what: str, message: str, is_locked: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the data, whether they are a locked holdout or not, and of what was blessed."""
    path = team.file("found.json", answers(team.dark))
    if not is_locked:
        shutil.rmtree(team.dark / "log")
    place = team.folder / what
    _flip(place if place.is_file() else next(place.iterdir()))
    capsys.readouterr()
    assert team("run", "dark", "--predictions", path) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.startswith("error: dark@v1 does not run: ")
    assert told.count("\n") == 1


def test_a_suite_and_a_history_that_were_edited_are_told(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    history = team.store / "suites/dark/history.jsonl"
    assert team("history", "dark") == 0
    history.write_text(history.read_text().replace('"why":"good"', '"why":"best"'))
    assert team("history", "dark") == 1
    assert "history.jsonl line 2 was changed" in capsys.readouterr().out
    path = team.store / "suites/dark/v1/suite.json"
    path.write_text(path.read_text().replace('"allow": 0.02', '"allow": 0.2'))
    assert team("run", "dark", "--predictions", team.file("found.json", [])) == 2
    assert "was changed after it was pinned" in capsys.readouterr().err


def test_predictions_of_another_dataset_are_refused(
    team: Team, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_pictures(tmp_path / "other", range(60))
    assert team("run", "dark", "--predictions", team.file("other.json", answers(other))) == 2
    told = capsys.readouterr().err
    assert "image_id 37 is no picture of the dataset" in told
    assert f"The predictions must be of {read_manifest(team.dark / 'manifest.json').dataset_id}, {team.dark}" in told
    assert told.count("\n") == 1


def test_every_run_is_in_the_history_and_reads_of_the_data_are_noted(
    team: Team, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = tmp_path / "training"
    run = training_run(training, datasets=[team.bright], settings={"epochs": 2})
    number = run.finish().id
    path = team.file("found.json", answers(team.dark, half_blind))
    assert team("run", "dark", "--predictions", path, "--out", team.dark / "report") == 2
    assert not (team.dark / "report").exists()
    assert team("run", "dark", "--predictions", path, "--run", training, "--out", tmp_path / "out") == 1
    capsys.readouterr()
    assert team("history", "dark", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["suite.pin", "suite.bless", "suite.run"]
    assert (lines[2]["run"], lines[2]["verdict"]) == (number, "fail")
    assert lines[2]["gain"]["value"] == pytest.approx(-36 / 84, abs=1e-6)
    assert team("history", "dark") == 0
    assert "fail recall 0.571" in capsys.readouterr().out
    assert find_lock(team.dark) is not None
    assert any(entry.event == READ for entry in read_entries(team.dark))
    report = json.loads((tmp_path / "out/suites.json").read_text())
    assert report["suites"][0]["verdict"] == report["verdict"] == "fail"
    page = json.loads((tmp_path / "out/dark/evaluation.json").read_text())
    assert {one["slice"] for one in page["against"]} == {"all", "dark"}
    assert (tmp_path / "out/dark/evaluation.html").is_file()


def test_other_content_is_another_suite_and_a_bridge_joins_them(
    team: Team, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same model finds nine of ten instances on the old pictures, and all on the new ones."""
    first = read_pinned(find_suite(team.store, "dark"))
    assert team.pin("dark", team.dark, "--where", DARK, "--share", 1) == 0
    assert "dark@v1 is this suite already" in capsys.readouterr().out
    new = make_pictures(tmp_path / "new", range(2, 32))
    assert add_ref(team.store, "darker", new).version == "v1"
    assert team.pin("dark", "darker@latest", "--where", DARK, "--bridges", "dark") == 0
    second = read_pinned(find_suite(team.store, "dark@v2"))
    assert second.bridges == "dark@v1"
    assert second.dataset == "darker@v1"
    assert first.suite_id != second.suite_id
    old = team.file("old.json", answers(team.dark, lambda entry, luma: luma % 12 != 5))
    path = team.file("new.json", answers(new))
    assert team("bridge", "dark@v2", "--predictions", path, "--old", old) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[-2].startswith("recall of one model: dark@v1 0.9")
    assert told[-1].startswith("step +0.0")
    assert team("history", "dark") == 0
    assert "bridge  dark@v2 from dark@v1" in capsys.readouterr().out.splitlines()[-1]
    assert team("bridge", "dark@v1", "--predictions", path) == 2
    assert team("run", "dark@v1", "--predictions", team.file("all.json", answers(team.dark))) == 0
    assert team("run", "dark", "--predictions", path) == 2  # v2 has no blessed model yet
    assert "dark@v2: no model is blessed" in capsys.readouterr().err


def test_a_bridge_is_of_one_model(team: Team, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = []
    for seed in (1, 2):
        run = training_run(tmp_path / f"run-{seed}", datasets=[team.bright], settings={"seed": seed})
        run.finish()
        runs.append(tmp_path / f"run-{seed}")
    assert team.bless("dark", answers(team.dark), "--run", runs[0]) == 0
    assert team.pin("night", team.bright, "--where", "true", "--bridges", "dark") == 0
    path = team.file("new.json", answers(team.bright))
    assert team("bridge", "night", "--predictions", path, "--run", runs[1]) == 2
    assert "a bridge is one model on both" in capsys.readouterr().err
    assert team("bridge", "night", "--predictions", path, "--run", runs[0]) == 0


def test_a_training_on_the_suites_own_dataset_is_said(
    team: Team, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training_run(tmp_path / "run", datasets=[team.dark]).finish()
    path = team.file("found.json", answers(team.dark))
    assert team("run", "dark", "--predictions", path, "--run", tmp_path / "run") == 0
    assert "its training lists the suite's dataset" in capsys.readouterr().out


def test_a_dataset_that_is_not_what_a_suite_says_is_not_pinned(team: Team, capsys: pytest.CaptureFixture[str]) -> None:
    assert team.pin("gloomy", team.bright, "--where", DARK, "--share", 0.5) == 1
    assert "FAILS gloomy: 0 of 36 frames" in capsys.readouterr().out
    assert not (team.store / "suites/gloomy").exists()
    assert team.pin("gloomy", team.dark, "--where", "lum_meen < 0.2") == 2
    assert 'Candidate bindings: "lum_mean"' in capsys.readouterr().err
    _flip(team.bright / "images/000/000003.png")
    assert team.pin("gloomy", team.bright, "--where", "true") == 2
    assert "000003.png was changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "drak", "--predictions", "x.json"), "has no pinned suite 'drak'; pinned are dark"),
        (("run", "dark@v7", "--predictions", "x.json"), "dark has no version 'v7'; there are v1"),
        (("run", "dark", "--predictions", "nowhere.json"), "nowhere.json are not a file"),
        (("run", "--predictions", "x.json"), "name pinned suites, or give --all"),
        (("pin", "../x", ".", "--where", "true"), "is no name of a suite"),
        (("pin", "x", ".", "--where", "true", "--allow", "-1"), "allow must be in 0.."),
        (("pin", "x", "nowhere", "--where", "true"), "is no complete dataset"),
        (("pin", "nothing", "."), "there is no suite 'nothing'"),
        (("history", "nothing"), "has no pinned suite 'nothing'"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    made: Team, words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert made(*words) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
