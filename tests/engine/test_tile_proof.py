"""The proof on photographs of tiles: figures of closed forms, data as the folder has them, arms that are honest."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
pytest.importorskip("sklearn")

from bench.tile_arms import Run, runs_of  # noqa: E402
from bench.tile_data import few_of, load_real, load_tiles, mask_of, pasted, turned_masks  # noqa: E402
from bench.tile_learner import Scores, average_precision, figures, gain_draws, interval, mean_draws  # noqa: E402
from bench.tile_measure import measures  # noqa: E402
from bench.tile_proof import gains_of, main, prove, together  # noqa: E402
from bench.tile_render import _annotation, as_drawn, cut_of  # noqa: E402
from bench.tile_split import split  # noqa: E402
from engine.errors import UserError  # noqa: E402


def write_folder(folder: Path, surfaces: range, *, spot: float = 0.3) -> Path:
    """Write a small COCO folder: each surface grey and grained, three of four with a dark spot of a class."""
    random = np.random.RandomState(surfaces.start)
    labels = ("blowhole", "break", "crack", "free")
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number, surface in enumerate(surfaces):
        gray = np.clip(random.normal(0.5, 0.02, (72, 64)), 0, 1)
        label = labels[number % 4]
        mask = np.zeros(gray.shape, bool)
        if label != "free":
            y, x = random.randint(10, 50, 2)
            mask[y : y + 12, x : x + 10] = True
            gray[mask] *= spot
        name = f"images/{surface}.png"
        cv2.imwrite(str(folder / name), (gray * 255).astype(np.uint8))
        own = {"label": label, "surface": surface, "exposure": 2, "clean_surface": label == "free"}
        images.append({"id": number, "file_name": name, "width": 64, "height": 72, **own})
        if mask.any():
            annotations.append(_annotation(mask, number, labels.index(label) + 1, len(annotations) + 1))
    categories = [{"id": k + 1, "name": label} for k, label in enumerate(labels[:3])]
    data = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(data))
    return folder


def test_average_precision_is_that_of_its_definition():
    """Scores 3, 2, 1 with a hit, a miss, a hit: precision 1 at recall 1/2 and 2/3 at recall 1, so (1 + 2/3) / 2."""
    positive, negative = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 0])
    precision, best = average_precision(positive, negative)
    assert precision == pytest.approx((1.0 + 2.0 / 3.0) / 2.0)
    assert best == pytest.approx(2 * (2 / 3) / (2 / 3 + 1))  # at the lowest threshold: precision 2/3, recall 1


def test_average_precision_agrees_with_scikit_learn():
    from sklearn.metrics import average_precision_score

    random = np.random.RandomState(1)
    truth, bins = random.rand(5000) < 0.1, random.randint(0, 64, 5000)
    bins[truth] += 8
    counts = (np.bincount(bins[wanted], minlength=80) for wanted in (truth, ~truth))
    assert average_precision(*counts)[0] == pytest.approx(average_precision_score(truth, bins), abs=1e-12)


def test_image_figures_agree_with_closed_forms(tmp_path: Path):
    """Alarms at 2 and 4, calm images at 1, 2, 3: AUROC is (1.5 + 3) / 3 / 2, and R5 counts those above 2.9."""
    tiles = [replace(tile, label=label) for tile, label in zip(
        load_tiles(write_folder(tmp_path / "a", range(5))), ["crack", "crack", "free", "free", "free"], strict=True
    )]  # fmt: skip
    empty = np.zeros((5, 4), np.int64)
    found = figures(Scores(empty, empty, np.array([2.0, 4.0, 1.0, 2.0, 3.0])), tiles)
    assert found["crack"]["AUROC"] == pytest.approx((1.5 + 3.0) / 3.0 / 2.0)
    assert found["crack"]["R5"] == 0.5
    assert found["macro"] == found["crack"]  # the one class that is there


def test_a_paired_gain_of_nothing_is_nothing_and_of_something_is_above_it(tmp_path: Path):
    tiles = load_tiles(write_folder(tmp_path / "a", range(16)))
    free = np.array([tile.label == "free" for tile in tiles])
    none = np.zeros((16, 4), np.int64)
    low = Scores(none, none, np.linspace(0, 1, 16))
    high = Scores(none, none, np.where(free, 0.0, 1.0))
    before = dict.fromkeys(range(3), low)
    same = interval(gain_draws(before, before, tiles, draws=20))
    assert same["AUROC"] == [0.0, 0.0, 0.0]
    better = interval(gain_draws(before, dict.fromkeys(range(3), high), tiles, draws=20))
    assert better["AUROC"][1] > 0.1


def test_the_mean_gain_of_two_directions_is_drawn_as_two_that_know_nothing_of_each_other():
    """Of normal gains: the mean of their means, and a standard deviation of the root of both variances, halved."""
    random = np.random.RandomState(5)
    one, other = random.normal(0.02, 0.03, 900), random.normal(0.06, 0.04, 700)
    found = mean_draws({"AUROC": np.sort(one)}, {"AUROC": np.sort(other)})["AUROC"]
    assert len(found) == 900 * 700
    assert found.mean() == pytest.approx((one.mean() + other.mean()) / 2.0)
    assert found.std() == pytest.approx(np.hypot(one.std(), other.std()) / 2.0)


def test_a_gain_without_any_draw_is_an_error_that_says_what_is_missing():
    with pytest.raises(UserError, match="more surfaces"):
        interval({"AUROC": np.zeros(0)})


def test_segmentations_come_back_as_the_mask_that_was_written():
    mask = np.zeros((7, 5), bool)
    mask[2:5, 1:3] = True
    mask[0, 0] = True
    written = _annotation(mask, 1, 1, 1)
    assert np.array_equal(mask_of(written["segmentation"], mask.shape), mask)
    assert written["area"] == mask.sum()
    square = mask_of([[1, 1, 3, 1, 3, 3, 1, 3]], (6, 6))
    assert square.sum() == 9


def test_real_images_of_one_surface_are_never_on_both_sides(tmp_path: Path):
    train, test = write_folder(tmp_path / "a", range(8)), write_folder(tmp_path / "b", range(7, 12))
    with pytest.raises(UserError, match=r"surfaces \[7\]"):
        load_real(train, test)


def test_names_of_images_cannot_leave_their_folder(tmp_path: Path):
    folder = write_folder(tmp_path / "a", range(4))
    data = json.loads((folder / "annotations.json").read_text())
    data["images"][0]["file_name"] = "../secret.png"
    (folder / "annotations.json").write_text(json.dumps(data))
    with pytest.raises(UserError, match="secret"):
        load_tiles(folder)


def test_a_few_images_are_of_as_many_surfaces_as_there_are(tmp_path: Path):
    tiles = load_tiles(write_folder(tmp_path / "a", range(24)))
    few = few_of([tile for tile in tiles if tile.label != "free"], 3, np.random.RandomState(0))
    assert len(few) == 9
    assert len({tile.surface for tile in few}) == 9


def test_pasting_darkens_only_under_the_mask_and_the_placebo_turns_masks_alone(tmp_path: Path):
    tiles = load_tiles(write_folder(tmp_path / "a", range(8)))
    defects, normals = [t for t in tiles if t.label != "free"], [t for t in tiles if t.label == "free"]
    for tile in pasted(defects, normals, 5, np.random.RandomState(0)):
        source = next(normal for normal in normals if normal.surface == tile.surface)
        near = cv2.dilate(tile.mask.astype(np.uint8), np.ones((13, 13))) > 0
        assert np.array_equal(tile.gray[~near], source.gray[~near])
        assert tile.gray[tile.mask].mean() < 0.7 * tile.gray[~near].mean()
    for before, after in zip(defects, turned_masks(defects), strict=True):
        assert after.gray is before.gray
        assert np.array_equal(after.mask, np.rot90(before.mask, 2))


def test_cuts_hold_the_segment_and_little_else():
    tile = np.zeros((300, 200), bool)
    tile[40:260, 30:170] = True
    inwards, outwards = (-11, -4) * 2, (4, 11) * 2
    for seed in range(20):
        rows, columns = cut_of(tile, np.random.RandomState(seed))
        found = [rows.start - 40, rows.stop - 260, columns.start - 30, columns.stop - 170]
        assert all(low <= out <= high for low, out, high in zip(inwards, found, outwards, strict=True)), found
    assert cut_of(np.zeros((300, 200), bool), np.random.RandomState(0)) is None


def test_every_arm_is_repeated_for_every_seed_and_amount():
    assert runs_of(["real", "only"], [1, 3], [0, 1]) == [
        Run("real", 1, 0), Run("real", 3, 0), Run("only", 0, 0),
        Run("real", 1, 1), Run("real", 3, 1), Run("only", 0, 1),
    ]  # fmt: skip


def test_arms_at_the_side_have_the_first_repetitions_alone():
    found = runs_of(["hybrid", "placebo"], [1], list(range(10)))
    assert [run.seed for run in found if run.arm == "hybrid"] == list(range(10))
    assert [run.seed for run in found if run.arm == "placebo"] == list(range(5))


def test_gains_are_of_the_repetitions_that_both_arms_have(tmp_path: Path):
    tiles = load_tiles(write_folder(tmp_path / "a", range(16)))
    none, random = np.zeros((16, 4), np.int64), np.random.RandomState(3)
    before = {seed: Scores(none, none, random.rand(16)) for seed in range(4)}
    after = {seed: Scores(none, none, random.rand(16)) for seed in range(2)}
    known: dict = {}
    gain_draws(before, dict.fromkeys(range(4), after[0]), tiles, draws=20, known=known)
    found = gain_draws(before, after, tiles, draws=20, known=known)
    wanted = gain_draws({seed: before[seed] for seed in after}, after, tiles, draws=20)
    assert {metric: list(row) for metric, row in found.items()} == {metric: list(row) for metric, row in wanted.items()}


def test_the_proof_of_fake_tiles_finds_what_is_there_and_keeps_its_results(tmp_path: Path):
    """Synthetic spots like the real ones help alone; a second proof only reads what the first left."""
    train, test = write_folder(tmp_path / "a", range(16)), write_folder(tmp_path / "b", range(100, 116))
    synthetic = write_folder(tmp_path / "s", range(200, 216))
    arguments = argparse.Namespace(
        train=train, test=test, k=[1], seeds=[0, 1], arms=["real", "hybrid", "only", "placebo"],
        cache=tmp_path / "cache", synthetic=synthetic, set=[],
    )  # fmt: skip
    said: list[str] = []
    result, _ = prove(arguments, tell=said.append)
    assert result["only_ap"] > 0.5
    assert result["arms"]["placebo@1"]["macro"]["AP"][0] < result["arms"]["hybrid@1"]["macro"]["AP"][0]
    assert set(result["gain_vs_real"]["hybrid"]["1"]) == {"AP", "AUROC", "R5"}
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").glob("*.npz")}
    assert len(kept) == 2 * 4
    assert prove(arguments, tell=said.append)[0] == result
    assert kept == {file: file.stat().st_mtime_ns for file in (tmp_path / "cache").glob("*.npz")}


def test_drawn_masks_of_lines_are_as_wide_as_a_brush_and_wide_ones_grow_by_a_pixel():
    for width, wanted in ((1, 7), (3, 7), (12, 14)):
        mask = np.zeros((60, 60), bool)
        mask[10:50, 20 : 20 + width] = True
        assert as_drawn(mask)[30].sum() == wanted


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--train", "none", "--test", "none"], "none/annotations.json is no COCO file"),
        (["--train", "a", "--test", "a", "--k", "0"], ""),
        (["--train", "a", "--test", "a", "--seeds", "1,x"], ""),
    ],
)
def test_bad_arguments_of_the_proof_give_one_clear_error(
    words: list[str], error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as raised:
        main(words)
    assert error in str(raised.value) if error else raised.value.code == 2


def test_a_split_deals_out_surfaces_so_that_each_kind_of_defect_is_on_both_sides(tmp_path: Path):
    source = write_folder(tmp_path / "all", range(32))
    counts = split(source, tmp_path / "two", 7)
    sides = [load_tiles(tmp_path / "two" / side) for side in ("a", "b")]
    assert [len(side) for side in sides] == list(counts.values())
    surfaces = [{tile.surface for tile in side} for side in sides]
    assert not surfaces[0] & surfaces[1]
    assert surfaces[0] | surfaces[1] == set(range(32))
    for side in sides:
        kinds = [tile.label for tile in side]
        assert {kind: kinds.count(kind) for kind in kinds} == dict.fromkeys(("blowhole", "break", "crack", "free"), 4)
    split(source, tmp_path / "again", 7)
    assert (tmp_path / "again" / "a" / "annotations.json").read_bytes() == (
        tmp_path / "two" / "a" / "annotations.json"
    ).read_bytes()
    with pytest.raises(UserError, match="is there already"):
        split(source, tmp_path / "two", 7)


@pytest.mark.parametrize("name", ["../secret.png", "images/gone.png"])
def test_a_split_that_cannot_copy_an_image_leaves_no_folder(name: str, tmp_path: Path):
    folder = write_folder(tmp_path / "all", range(8))
    data = json.loads((folder / "annotations.json").read_text())
    data["images"][0]["file_name"] = name
    (folder / "annotations.json").write_text(json.dumps(data))
    with pytest.raises(UserError, match=Path(name).name):
        split(folder, tmp_path / "two", 7)
    assert [path.name for path in tmp_path.iterdir()] == ["all"]


def test_a_split_copies_no_file_from_elsewhere_and_spares_what_lies_beside(tmp_path: Path):
    folder, secret = write_folder(tmp_path / "all", range(8)), tmp_path / "secret.txt"
    secret.write_text("not yours")
    (tmp_path / "two.part").mkdir()
    (tmp_path / "two.part" / "mine.txt").write_text("kept")
    (folder / "images" / "1.png").unlink()
    (folder / "images" / "1.png").symlink_to(secret)
    with pytest.raises(UserError, match=r"1\.png.*leads to no image of this folder"):
        split(folder, tmp_path / "two", 7)
    assert {path.name for path in tmp_path.iterdir()} == {"all", "secret.txt", "two.part"}
    assert (tmp_path / "two.part" / "mine.txt").read_text() == "kept"


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda data: data.pop("annotations"), "annotations"),
        (lambda data: data["images"][0].pop("file_name"), "file_name"),
        (lambda data: data["images"][0].pop("surface"), "surface"),
        (lambda data: data["annotations"][0].pop("image_id"), "image_id"),
        (lambda data: data["images"][1].update(label="rust"), "'rust' is on surface 1 alone"),
    ],
)
def test_what_cannot_be_split_is_named(broken: Callable[[dict[str, Any]], object], words: str, tmp_path: Path):
    folder = write_folder(tmp_path / "all", range(12))
    data = json.loads((folder / "annotations.json").read_text())
    broken(data)
    (folder / "annotations.json").write_text(json.dumps(data))
    with pytest.raises(UserError, match=words):
        split(folder, tmp_path / "two", 7)
    assert [path.name for path in tmp_path.iterdir()] == ["all"]


def test_masks_travel_and_an_odd_surface_goes_to_one_side(tmp_path: Path):
    folder = write_folder(tmp_path / "all", range(12))  # three surfaces of each kind
    data = json.loads((folder / "annotations.json").read_text())
    data["images"][0]["mask_file"] = "masks/0.png"
    (folder / "masks").mkdir()
    (folder / "masks" / "0.png").write_bytes(b"mask")
    (folder / "annotations.json").write_text(json.dumps(data))
    counts = split(folder, tmp_path / "two", 7)
    assert sum(counts.values()) == 12
    assert len(list((tmp_path / "two").rglob("masks/0.png"))) == 1
    for side in ("a", "b"):
        images = json.loads((tmp_path / "two" / side / "annotations.json").read_text())["images"]
        kinds = [image["label"] for image in images]
        assert {kinds.count(kind) for kind in ("blowhole", "break", "crack", "free")} <= {1, 2}


def test_the_command_judges_both_directions_writes_its_page_and_ends_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    train, test = write_folder(tmp_path / "a", range(16)), write_folder(tmp_path / "b", range(100, 116))
    synthetic, page = write_folder(tmp_path / "s", range(200, 216)), tmp_path / "page.md"
    main([
        *("--train", str(train), "--test", str(test), "--synthetic", str(synthetic), "--cache", str(tmp_path / "c")),
        *("--k", "1", "--seeds", "0", "--arms", "real,copypaste,hybrid,only", "--reverse", "--page", str(page)),
    ])  # fmt: skip
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    for part in (result, result["reverse"], result["both"]):
        for rival in ("real", "copypaste"):
            median, low, high = part[f"gain_vs_{rival}"]["1"]["AP"]
            assert low <= median <= high
    assert result["only_ap"] == result["arms"]["only"]["macro"]["AP"][0]
    text = page.read_text()
    assert text.index("## Figures") < text.index("## The other way round") < text.index("## Both directions together")
    assert "## Ablation" not in text


def test_measures_are_those_of_light_that_is_known():
    """Columns from 0.3 at the sides to 0.6 in the middle, rows alike, and no grain: ratios by hand."""
    columns = 0.6 - 0.3 * np.abs(np.linspace(-1.0, 1.0, 200, dtype=np.float32))
    found = measures(np.tile(columns, (120, 1)))
    assert found["side"] == pytest.approx((0.3 + 0.3 * 0.25) / 0.45, rel=0.02)  # bands 1 to 3 lie at 0.125 of the way
    assert found["end"] == pytest.approx(1.0)
    assert found["span"] == pytest.approx(0.6 / 0.345, rel=0.03)
    random = np.random.RandomState(0)
    rough = measures(np.clip(np.tile(columns, (120, 1)) * random.normal(1.0, 0.2, (120, 200)), 0, 1).astype(np.float32))
    assert rough["grain"] > found["grain"] + 0.03


def test_a_segment_has_each_of_its_six_exposures_once():
    """Also when all the laws of the scene are re-read, and without the randomiser that has the exposures."""
    from engine.config import compose

    recipe, _ = compose("+scene=tile")
    assert recipe.rig.steps == 6
    assert recipe.laws.groups["six_exposures"]["keys"] == ["exposures.stops"]
    assert len(recipe.randomize["exposures"]["stops"]["values"]) == 6
    bare, _ = compose("+scene=tile", "+randomize={exposures:null}", "rig.steps=1")
    assert bare.rig.steps == 1
    assert not bare.laws.groups


def test_gains_of_both_directions_are_of_arms_and_amounts_that_both_judged():
    row = {"AUROC": np.array([0.0, 0.1])}
    one = {"real": {"hybrid": {"1": row, "3": row}, "placebo": {"1": row}}, "copypaste": {}}
    found = gains_of(together(one, {"real": {"hybrid": {"1": row}}, "copypaste": {}}))
    assert set(found["gain_vs_real"]) == {"hybrid"}
    assert found["gain_vs_real"]["hybrid"]["1"]["AUROC"][0] == pytest.approx(0.05)
    assert set(found["gain_vs_real"]["hybrid"]) == {"1"}
    assert found["gain_vs_copypaste"] == {}
