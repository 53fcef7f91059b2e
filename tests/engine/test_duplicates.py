"""Near duplicates: copies are found however they were changed, and flat pictures are not all copies of each other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.dataset.__main__ import main
from engine.shift.duplicates import find_duplicates, similarity
from engine.shift.pictures import open_pictures
from tests.engine.picture_sets import picture_set, surface_picture


def surfaces(seed: int, count: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [surface_picture(random, noise=0.01) for _ in range(count)]


def changed(picture: np.ndarray, seed: int) -> np.ndarray:
    """Return a picture scaled, darker and noisier: a copy that has no byte in common."""
    levels = Image.fromarray(np.clip(picture * 200, 0, 255).astype(np.uint8))
    small = np.asarray(levels.resize((80, 80), Image.Resampling.BILINEAR), np.float64) / 255
    return small + 0.01 * np.random.default_rng(seed).normal(size=small.shape)


def test_changed_copies_across_sets_are_leaks_and_others_are_none(tmp_path: Path) -> None:
    """Three copies of pictures of the holdout among pictures of one's own: those three pairs, and exit code 1."""
    ours, theirs = surfaces(1, 12), surfaces(2, 12)
    clean = picture_set(tmp_path / "clean", ours, [*range(12)])
    leaky = picture_set(tmp_path / "leaky", ours[:9] + [changed(theirs[i], i) for i in (2, 5, 7)], [*range(12)])
    holdout = picture_set(tmp_path / "holdout", theirs, [*range(12)])
    report = find_duplicates([open_pictures(leaky)], open_pictures(holdout), 8)
    assert sorted((pair.first_frame, pair.second_frame) for pair in report.pairs) == [(9, 2), (10, 5), (11, 7)]
    assert (report.leaks, report.holdout) == (3, "holdout")
    command = ["duplicates", str(leaky), "--holdout", str(holdout), "--threshold", "8"]
    assert main([*command, "--json", str(tmp_path / "d.json"), "--html", str(tmp_path / "d.html")]) == 1
    assert len(json.loads((tmp_path / "d.json").read_text())["pairs"]) == 3
    assert (tmp_path / "d.html").read_text().count("<img") == 6
    assert main(["duplicates", str(clean), "--holdout", str(holdout), "--threshold", "8"]) == 0


def test_pairs_within_a_set_are_listed_and_no_leak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = surfaces(3, 5)
    out = picture_set(tmp_path / "set", [*pictures, pictures[1]], [*range(6)])
    assert main(["duplicates", str(out)]) == 0
    said = capsys.readouterr().out
    assert "within set: 1 near duplicates" in said
    assert "set frame 1 - set frame 5: 0 bits, detail 1.00" in said


def test_pairs_of_one_surface_are_counted_and_not_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two exposures of a surface are alike by nature; the copy on another surface is what a split would leak."""
    pictures = surfaces(3, 5)
    out = picture_set(tmp_path / "set", [*pictures, pictures[1], pictures[2]], [0, 1, 2, 3, 4, 1, 9])
    assert main(["duplicates", str(out), "--json", str(tmp_path / "d.json")]) == 0
    said = capsys.readouterr().out
    assert "set frame 2 - set frame 6" in said
    assert "set frame 1 - set frame 5" not in said
    assert "1 pairs of one group" in said
    pairs = json.loads((tmp_path / "d.json").read_text())["pairs"]
    assert [(pair["first_frame"], pair["one_group"]) for pair in pairs] == [(2, False), (1, True)]


def test_flat_pictures_are_not_copies_of_each_other(tmp_path: Path) -> None:
    """Grey ones with the same shading and other exposures have near hashes, and nothing that could be compared."""
    shade = np.linspace(0.4, 0.6, 96)[None] * np.ones((96, 1))
    flat = [shade * (1.0 - 0.05 * step) for step in range(8)]
    report = find_duplicates([open_pictures(picture_set(tmp_path / "flat", flat, [*range(8)]))], None, 8)
    assert report.pairs == ()
    assert report.searched[0].undecided == report.searched[0].compared > 0


def test_similarity_is_blind_to_brightness_and_contrast_and_not_to_detail() -> None:
    random = np.random.default_rng(4)
    one, other = random.integers(60, 200, (2, 64, 64)).astype(np.uint8)
    assert similarity(one, (one // 2 + 30).astype(np.uint8)) == pytest.approx(1.0, abs=0.01)
    assert similarity(one, other) == 0.0
    assert similarity(one, one[:, ::-1].copy()) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--threshold", "40"], "to 16 bits"), (["--holdout", "set"], "is named twice")]
)
def test_what_cannot_be_searched_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], message: str,
) -> None:  # fmt: skip
    out = picture_set(tmp_path / "set", surfaces(5, 2), [0, 1])
    monkeypatch.chdir(tmp_path)
    assert main(["duplicates", str(out), *arguments]) == 2
    assert message in capsys.readouterr().err
