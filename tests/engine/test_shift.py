"""The command `shift`: real against real is not told apart; artefacts are found where planted, and only there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from engine.dataset.__main__ import main
from engine.shift import compare, scores
from engine.shift.artefacts import clean_edges, look_at, narrow_light_priors, repeating_textures
from engine.shift.crops import CropPlan, cut_crops
from engine.shift.pictures import open_pictures
from tests.engine.picture_sets import CRACK, picture_set, surface_picture

SURFACES = 20
SIDE = 96
BLUR = 1.2


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many trees and halves as plain differences need."""
    monkeypatch.setattr(scores, "TREES", 5)
    monkeypatch.setattr(compare, "HALVES", 2)


def with_defect(random: np.random.Generator, *, pasted: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture with a dark patch, and its mask: seen through the lens, or cut out and put on afterwards."""
    clean = surface_picture(random, SIDE, noise=0.0, blur=0.0)
    mask = np.zeros((SIDE, SIDE), bool)
    y, x = random.integers(20, SIDE - 40, 2)
    mask[y : y + random.integers(10, 18), x : x + random.integers(10, 18)] = True
    before = clean - 0.25 * mask
    seen = gaussian_filter(clean, BLUR) - 0.25 * mask if pasted else gaussian_filter(before, BLUR)
    return seen + 0.01 * random.normal(size=clean.shape), mask


def of_defects(out: Path, seed: int, *, pasted: bool = False) -> Path:
    random = np.random.default_rng(seed)
    pairs = [with_defect(random, pasted=pasted) for _ in range(SURFACES)]
    return picture_set(out, [p for p, _ in pairs], [*range(SURFACES)], [m for _, m in pairs])


def of_surfaces(out: Path, seed: int, change: object = None, *, surfaces: int = SURFACES) -> Path:
    random = np.random.default_rng(seed)
    pictures = [surface_picture(random, SIDE) for _ in range(surfaces)]
    if change is not None:
        pictures = [change(index, picture) for index, picture in enumerate(pictures)]
    return picture_set(out, pictures, [*range(seed * 1000, seed * 1000 + surfaces)])


def test_pasted_defects_have_clean_edges_and_seen_ones_do_not(tmp_path: Path) -> None:
    """The same patches behind the same lens, or put on without blending; the sharpest frames come first."""
    real, seen = of_defects(tmp_path / "real", 1), of_defects(tmp_path / "seen", 2)
    pasted = of_defects(tmp_path / "pasted", 3, pasted=True)
    reference, clean, planted = (look_at(open_pictures(path), 0) for path in (real, seen, pasted))
    found = clean_edges(planted, reference, 0)
    assert found.found
    assert found.statistic > found.null_high + 0.3
    assert len(found.worst) == 6
    assert found.worst[0].value == max(worst.value for worst in found.worst)
    negative = clean_edges(clean, reference, 0)
    assert (negative.found, negative.power) == (False, True)
    assert "no power" in clean_edges(planted, reference[:3], 0).words


def test_tiled_pictures_repeat_and_others_do_not(tmp_path: Path) -> None:
    """A texture of 24 x 24 px laid four times four is found inside pictures."""

    def tiled(_: int, picture: np.ndarray) -> np.ndarray:
        return np.tile(picture[:24, :24], (4, 4)) + 0.01 * np.random.default_rng(0).normal(size=(SIDE, SIDE))

    reference, clean, planted = (
        look_at(open_pictures(of_surfaces(tmp_path / name, seed, change)), 0)
        for name, seed, change in (("real", 1, None), ("clean", 2, None), ("tiled", 3, tiled))
    )
    found = repeating_textures(planted, reference, 0)
    assert found.found
    assert "inside pictures" in found.words
    assert found.statistic > 0.5
    assert not repeating_textures(clean, reference, 0).found


def test_a_patch_that_many_pictures_share_is_found_wherever_it_lies(tmp_path: Path) -> None:
    """One piece of ground in different places of different surfaces, each with noise of its own."""
    piece = surface_picture(np.random.default_rng(99), 48, noise=0.0)
    piece[10:30, 14:34] += 0.25

    def stamped(index: int, picture: np.ndarray) -> np.ndarray:
        y, x = np.random.default_rng(index).integers(0, SIDE - 48, 2)
        picture = picture.copy()
        picture[y : y + 48, x : x + 48] = piece + 0.02 * np.random.default_rng(index).normal(size=piece.shape)
        return picture

    reference = look_at(open_pictures(of_surfaces(tmp_path / "real", 1)), 0)
    planted = look_at(open_pictures(of_surfaces(tmp_path / "stamped", 3, stamped)), 0)
    found = repeating_textures(planted, reference, 0)
    assert found.found
    assert "across pictures" in found.words
    assert all(worst.box is not None for worst in found.worst)


def test_light_that_hardly_varies_is_narrow(tmp_path: Path) -> None:
    """Pictures of one exposure, against those of a reference whose exposure varies by a third."""

    def exposed(index: int, picture: np.ndarray) -> np.ndarray:
        return picture * np.random.default_rng(index + 50).uniform(0.5, 1.2)

    def even(_: int, picture: np.ndarray) -> np.ndarray:
        return picture * 0.5 / picture.mean()

    reference, clean, planted = (
        look_at(open_pictures(of_surfaces(tmp_path / name, seed, change)), 0)
        for name, seed, change in (("real", 1, exposed), ("clean", 2, exposed), ("even", 3, even))
    )
    found = narrow_light_priors(planted, reference, 0)
    assert found.found
    assert "exposure" in found.words
    assert found.statistic < 0.2
    assert not narrow_light_priors(clean, reference, 0).found


def test_the_command_says_what_tells_apart_and_never_vetoes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Noisier pictures: exit code 1 with --fail-above alone; JSON, and a page without scripts."""

    def noisier(index: int, picture: np.ndarray) -> np.ndarray:
        return picture + 0.05 * np.random.default_rng(index).normal(size=picture.shape)

    real, noisy = of_surfaces(tmp_path / "real", 1), of_surfaces(tmp_path / "noisy", 2, noisier)
    command = ["shift", str(noisy), "--real", str(real), "--crops", "random", "--n", "60", "--side", "48"]
    assert (
        main([*command, "--json", str(tmp_path / "r.json"), "--html", str(tmp_path / "r.html"), "--fail-above", "0.8"])
        == 1
    )
    said = capsys.readouterr().out
    assert "  told apart by noise (" in said
    assert "realistic" not in said
    assert "column noise_sigma differs" in said
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["schema"] == "shift/1"
    assert report["dataset"]["group_by"] == "surface"
    assert [artefact["name"] for artefact in report["artefacts"]] == [
        "clean_edges", "repeating_textures", "narrow_light_priors",
    ]  # fmt: skip
    page = (tmp_path / "r.html").read_text()
    assert "<script" not in page
    assert "data:image/jpeg" in page
    instances = [word if word != "random" else "instance" for word in command]
    assert main([*instances, "--no-artefacts"]) == 0
    assert "no class has instances in both" in capsys.readouterr().out


def test_real_against_real_is_not_told_apart(tmp_path: Path) -> None:
    """Two sets of other surfaces of one kind, by any cue."""
    one, two = (open_pictures(of_surfaces(tmp_path / name, seed)) for name, seed in (("one", 4), ("two", 5)))
    crops = cut_crops(one, CropPlan("random", 60, 48, 0))
    pool = cut_crops(two, CropPlan("random", 120, 48, 0))
    found = compare.compare_crops("random", crops, pool, 0, halves=8)
    assert not any(cue.verdict == "told apart" for cue in found.cues)
    assert any(cue.verdict == "not told apart" for cue in found.cues)  # and not for want of power
    assert all(cue.auc.value >= 0.5 for cue in found.cues)


def test_crops_depend_on_dataset_and_seed_alone_and_lie_on_instances(tmp_path: Path) -> None:
    """Groups and frames are kept; every crop around an instance shows a pixel of its mask."""
    pictures = open_pictures(of_defects(tmp_path / "real", 1))
    plan = CropPlan("instance", 30, 32, 0)
    crops, again = cut_crops(pictures, plan), cut_crops(pictures, plan)
    assert np.array_equal(crops.luma, again.luma)
    assert not np.array_equal(crops.luma, cut_crops(pictures, CropPlan("instance", 30, 32, 1)).luma)
    assert crops.by_class == {CRACK: 30}
    group_of = dict(zip(pictures.frame_id.tolist(), pictures.group.tolist(), strict=True))
    assert [group_of[frame] for frame in crops.frame_id.tolist()] == crops.group.tolist()
    assert (crops.luma.min(axis=(1, 2)) < crops.luma.mean(axis=(1, 2)) - 0.1).all()  # the dark patch
    assert len(cut_crops(pictures, CropPlan("random", 30, 200, 0))) == 0  # no picture is so large


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--group", "nonsense"], "no dataset has such a column"),
        (["--n", "3"], "compare at least"),
        (["--side", "500"], "no picture of 500 px"),
        (["--fail-above", "2"], "between 0.5 and 1"),
        (["--json", "real/index/r.json"], "choose a place beside it"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    real = of_surfaces(tmp_path / "real", 1, surfaces=2)
    monkeypatch.chdir(tmp_path)
    assert main(["shift", str(real), "--real", str(real), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
