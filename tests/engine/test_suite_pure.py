"""Pure suites: worlds are looked for, and these alone are made."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as parquet
import pytest

import engine
from engine.errors import UserError
from engine.suite import pure
from engine.suite.__main__ import main
from engine.suite.config import Suite
from engine.suite.pure import most_worlds, scout

SMALL = ("+scene=tabletop", "rig.width=32", "rig.height=24", "rig.spp=1", "device=cpu", "labels.amodal=false")
LONG = '"p.camera.focal_mm" > 31'  # of 26 to 36: half of the worlds
WORLDS = 9


def suite(where: str) -> Suite:
    """Return a suite of the small scene."""
    return Suite("Long lenses.", SMALL, where, 0.1, 4)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an ordinary dataset of the same recipe."""
    recipe, job = engine.compose(*SMALL, f"count={WORLDS}", f"out={tmp_path_factory.mktemp('all') / 'out'}")
    return engine.generate(recipe, job).out


def long_worlds(out: Path) -> list[int]:
    """Return the worlds of a dataset whose lens is long, by a reader that is not DuckDB."""
    table = parquet.read_table(out / "index/worlds.parquet")
    focal_mm = table["p.camera.focal_mm"].to_pylist()
    return [world for world, focal in zip(table["world"].to_pylist(), focal_mm, strict=True) if focal > 31]


def search(where: str, tmp_path: Path, wanted: int, most: int, *overrides: str) -> tuple[int, ...]:
    """Scout the small scene."""
    run = engine.compose(*SMALL, f"out={tmp_path / 'out'}", *overrides)
    return scout("long", suite(where), run, wanted, most, lambda line: None)


def test_the_first_worlds_that_satisfy_a_suite_are_found_whatever_the_batch(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pure, "BATCH_WORLDS", 5)
    expected = long_worlds(reference)
    assert 3 <= len(expected) < WORLDS
    assert search(LONG, tmp_path, 3, WORLDS) == tuple(expected[:3])
    assert not list(tmp_path.iterdir())  # what was tried is gone


def test_a_search_ends_with_one_line_after_as_many_worlds_as_it_may_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pure, "BATCH_WORLDS", 2)
    with pytest.raises(
        UserError, match="long: 0 of the first 3 worlds satisfy it in all their frames, 2 are wanted"
    ) as error:
        search("false", tmp_path, 2, 3)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wanted", "most", "overrides", "message"),
    [
        (0, 4, (), "--pure must be at least 1"),
        (5, 4, (), "at most --most, got 5 and 4"),
        (2, 4, ("worlds=[1,2]",), "leave out worlds="),
        (2, 4, ("workers=2",), "leave out workers="),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(
    tmp_path: Path, wanted: int, most: int, overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        search(LONG, tmp_path, wanted, most, *overrides)


def test_so_many_worlds_are_tried_if_nothing_is_said() -> None:
    assert (most_worlds(1), most_worlds(64)) == (256, 1280)


def test_a_pure_suite_has_only_worlds_that_satisfy_it_and_their_very_bytes(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pure, "BATCH_WORLDS", WORLDS)
    folder = tmp_path / "conf/suite"
    folder.mkdir(parents=True)
    run = "\n".join(f"  - {override}" for override in SMALL)
    (folder / "long.yaml").write_text(f"about: Long lenses.\nrun:\n{run}\nwhere: '{LONG}'\nshare: 0.1\ncount: 4\n")
    out = tmp_path / "out"
    command = ["--config-dir", str(tmp_path / "conf"), "make", "long"]
    assert main([*command, "--pure", "2", f"out={out}"]) == 0
    chosen = long_worlds(reference)[:2]
    said = capsys.readouterr().out
    assert f"worlds=[{chosen[0]},{chosen[1]}]" in said
    assert "holds long: 2 of 2 frames of 2 worlds, 100.0%" in said
    assert parquet.read_table(out / "index/worlds.parquet")["world"].to_pylist() == chosen
    images = parquet.read_table(out / "index/frames.parquet")["image_sha256"].to_pylist()
    table = parquet.read_table(reference / "index/frames.parquet")
    theirs = dict(zip(table["world"].to_pylist(), table["image_sha256"].to_pylist(), strict=True))
    assert images == [theirs[world] for world in chosen]
    assert main([*command, f"out={out}", "--most", "9"]) == 2
    assert "--most is of --pure N" in capsys.readouterr().err


def test_what_no_command_takes_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["list", "out=here"], ["make", "torn_wrap", "--purer", "3"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
        assert "unrecognized arguments" in capsys.readouterr().err
