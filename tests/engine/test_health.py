"""Health of datasets: a clean one breaks no limit, and each planted fault breaks the one that is about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy

from engine.dataset.__main__ import main
from engine.errors import UserError
from engine.health.classes import correlations, entropy
from engine.health.inspect import inspect
from engine.health.limits import BOUNDS, Limits, Measures, read_limits
from engine.health.model import Check
from engine.health.near import near_duplicates
from tests.engine.index_tables import Columns, as_defects, clean_frames, clean_instances, edited, put, write_index
from tests.engine.toy_dataset import make_toy, toy_plan

FRAMES = 120
LIMITS = (
    "limits: {empty_frames: 0.1, unseen_classes: 0, rare_classes: 0, image_sizes: 1, null_columns: 0, "
    "labelled_pixels: 0.005}\n"
)
Tables = tuple[Columns, Columns]


def clean() -> Tables:
    return clean_frames(FRAMES), clean_instances(FRAMES)


def checks(folder: Path, tables: Tables, limits: str = LIMITS) -> dict[str, Check]:
    (folder / "limits.yaml").write_text(limits)
    out = write_index(folder / "data", *tables, options={"groups": ["surface"]})
    return {check.name: check for check in inspect(out, read_limits(folder / "limits.yaml")).checks}


@pytest.fixture
def folder(tmp_path: Path, template: Path) -> Path:
    (tmp_path / ".template").symlink_to(template)
    return tmp_path


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("template") / "toy"
    make_toy(out, range(1), toy_plan())
    return out


def test_a_clean_dataset_breaks_no_limit(folder: Path) -> None:
    found = checks(folder, clean())
    assert {name: check.verdict for name, check in found.items()} == dict.fromkeys(BOUNDS, "ok")


def frames_with(**values: Callable[[object], object]) -> Callable[[], Tables]:
    return lambda: (edited(clean_frames(FRAMES), **values), clean_instances(FRAMES))


def things(of: Columns) -> list[int]:
    return [row for row, key in enumerate(of["class"]) if key != "floor"]


def things_with(share: float, **values: object) -> Callable[[], Tables]:
    """Return a plant that gives the first things these values: so large a share of all of them."""

    def plant() -> Tables:
        instances = clean_instances(FRAMES)
        rows = things(instances)
        rows = rows[: int(np.ceil(share * len(rows)))]
        return clean_frames(FRAMES), edited(instances, **{name: put(rows, value) for name, value in values.items()})

    return plant


def without(keep: Callable[[int, str], bool]) -> Callable[[], Tables]:
    """Return a plant that keeps the instances of which `keep(frame, class)` holds."""

    def plant() -> Tables:
        instances = clean_instances(FRAMES)
        rows = [row for row, pair in enumerate(zip(instances["frame_id"], instances["class"])) if keep(*pair)]
        return clean_frames(FRAMES), {name: [values[row] for row in rows] for name, values in instances.items()}

    return plant


def always_together() -> Tables:
    """Return pallets exactly where forklifts are."""
    frames, instances = clean()
    has = {frame for frame, key in zip(instances["frame_id"], instances["class"]) if key == "forklift"}
    rows = [
        row for row, pair in enumerate(zip(instances["frame_id"], instances["class"]))
        if pair[1] != "pallet"
    ]  # fmt: skip
    kept = {name: [values[row] for row in rows] for name, values in instances.items()}
    for frame in sorted(has):
        new = {"frame_id": frame, "world": frame, "step": 0, "camera": 0, "inst_id": 9, "class_id": 4,
               "class": "pallet", "prim_path": "/p", "bbox": [9.0, 9.0, 30.0, 30.0], "area_px": 700,
               "truncation": 0.0, "edge_dist_px": 9}  # fmt: skip
        for name, value in new.items():
            kept[name].append(value)
    return frames, kept


def crowd() -> Tables:
    """Return 1100 cartons in frame 7."""
    frames, instances = clean()
    boxes = [[5.0 + x, 5.0 + y, 12.0, 12.0] for x in range(50) for y in range(22)]
    for number, box in enumerate(boxes):
        new = {"frame_id": 7, "world": 7, "step": 0, "camera": 0, "inst_id": 100 + number, "class_id": 3,
               "class": "carton", "prim_path": "/c", "bbox": box, "area_px": 144, "truncation": 0.0,
               "edge_dist_px": 5}  # fmt: skip
        for name, value in new.items():
            instances[name].append(value)
    return frames, instances


def repeated(column: list[object]) -> list[object]:
    """Return the value of frame 1 in frame 7 as well."""
    return put([7], column[1])(column)


def near(column: np.ndarray) -> np.ndarray:
    """Return frames 90 to 98, of which each is that of surface 0 to 8, but for three bits."""
    out = np.array(column)
    out[90:99] = out[0:54:6] ^ np.uint64(0b10000000000000000000000000010001)
    return out


PLANTS: dict[str, tuple[Callable[[], Tables], int | None]] = {
    "empty_frames": (without(lambda frame, key: not 7 <= frame < 25), 7),
    "tiny_boxes": (things_with(0.3, area_px=12), 0),
    "undersized": (without(lambda frame, key: True), None),  # set below
    "truncated_boxes": (things_with(0.3, truncation=0.9), 0),
    "border_boxes": (things_with(0.6, edge_dist_px=0), 0),
    "large_boxes": (things_with(0.06, bbox=[1.0, 1.0, 630.0, 470.0]), 0),
    "broken_boxes": (things_with(0.001, bbox=[600.0, 10.0, 90.0, 20.0]), 0),
    "double_labels": (things_with(0.0, area_px=1), None),  # set below
    "byte_duplicates": (frames_with(image_sha256=repeated), 7),
    "near_duplicates": (frames_with(phash=near), 90),
    "dark_frames": (frames_with(lum_mean=put(list(range(7, 14)), 0.01)), 7),
    "bright_frames": (frames_with(lum_mean=put(list(range(7, 14)), 0.99)), 7),
    "saturated_frames": (frames_with(sat_frac=put(list(range(7, 14)), 0.6)), 7),
    "flat_frames": (frames_with(lum_std=put([7], 0.0)), 7),
    "blur_outliers": (frames_with(blur_lap=put([7, 8, 9], 1e-6)), 7),
    "noise_outliers": (frames_with(noise_sigma=put([7, 8, 9], 0.5)), 7),
    "small_frames": (frames_with(width=put([7], 40)), 7),
    "unmeasured_frames": (frames_with(noise_sigma=put([7], None)), 7),
    "unlabelled_instances": (things_with(0.2, class_id=0), None),
    "labelled_pixels": (things_with(1.0, area_px=200), None),
    "unseen_classes": (without(lambda frame, key: key != "pallet"), None),
    "rare_classes": (without(lambda frame, key: key != "pallet" or frame < 9), None),
    "class_entropy": (without(lambda frame, key: key in ("floor", "carton") or frame < 2), None),
    "imbalance": (without(lambda frame, key: True), None),  # with a limit of 1.01
    "co_occurrence": (always_together, None),
    "most_instances": (crowd, 7),
    "image_sizes": (frames_with(width=put([7], 641)), None),
    "null_columns": (frames_with(lum_p05=lambda column: [None] * len(column)), None),
}  # fmt: skip


def undersized() -> Tables:
    frames, instances = clean()
    row = next(row for row in things(instances) if instances["class"][row] == "carton")
    return frames, edited(instances, area_px=put([row], 99))


def doubled() -> Tables:
    """Return two cartons labelled twice."""
    frames, instances = clean()
    for row in things(instances)[:4]:
        for name, values in instances.items():
            values.append(77 if name == "inst_id" else values[row])
    return frames, instances


PLANTS["undersized"] = (undersized, None)
PLANTS["double_labels"] = (doubled, 0)
EXTRA = {"imbalance": "{imbalance: 1.01}", "labelled_pixels": "{labelled_pixels: 0.45}"}


def test_every_check_has_a_planted_fault() -> None:
    assert set(PLANTS) == set(BOUNDS)


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_fault_is_found_by_name(folder: Path, name: str) -> None:
    """The frame that is to blame comes first, where the check names frames."""
    plant, frame = PLANTS[name]
    found = checks(folder, plant(), f"limits: {EXTRA[name]}\n" if name in EXTRA else LIMITS)
    assert found[name].verdict == "broken"
    if frame is not None:
        assert found[name].offenders[0].path == f"images/000/{frame:06d}.jpg"
    others = {other for other, check in found.items() if check.verdict == "broken"} - {name}
    assert others <= ALSO.get(name, set())


ALSO = {  # what a fault is beside
    "tiny_boxes": {"undersized"}, "truncated_boxes": set(), "large_boxes": {"double_labels"},
    "unmeasured_frames": set(), "labelled_pixels": set(), "unseen_classes": set(), "rare_classes": set(),
    "class_entropy": {"rare_classes"}, "broken_boxes": set(), "null_columns": {"unmeasured_frames"},
    "small_frames": {"image_sizes", "broken_boxes", "border_boxes", "large_boxes"}, "flat_frames": set(),
    "most_instances": {"imbalance"}, "image_sizes": set(),
}  # fmt: skip


def test_defects_are_checked_as_instances_are(folder: Path) -> None:
    """The same boxes as defects: tiny ones are found, those on the border by their place; near-misses are nobody's."""
    frames, instances = things_with(0.3, area_px=12)()
    bearers, defects = as_defects(instances)
    out = write_index(folder / "data", frames, bearers, defects=defects)
    found = {check.name: check for check in inspect(out, Limits()).checks}
    tiny, boxes = found["tiny_boxes"], len(defects["frame_id"])
    assert (tiny.verdict, tiny.of, found["border_boxes"].count) == ("broken", boxes, 0)
    assert found["class_entropy"].value == pytest.approx(1.0, abs=0.01)
    near_misses = write_index(folder / "other", frames, bearers, defects=defects | {"near_miss": [True] * boxes})
    assert {check.name: check for check in inspect(near_misses, Limits()).checks}["tiny_boxes"].value is None


def test_classes_that_are_to_be_ignored_break_no_limit_of_boxes(folder: Path) -> None:
    frames, instances = clean()
    rows = [row for row, key in enumerate(instances["class"]) if key == "pallet"]
    belt = edited(instances, bbox=put(rows, [0.0, 0.0, 640.0, 480.0]))
    assert checks(folder, (frames, belt))["large_boxes"].verdict == "broken"
    (folder / "ignore.yaml").write_text("ignore: [pallet]\n")
    report = inspect(folder / "data", read_limits(folder / "ignore.yaml"))
    assert {check.name: check for check in report.checks}["large_boxes"].value == 0.0
    assert "pallet" not in report.classes.keys


def test_frames_of_one_group_may_look_alike(folder: Path) -> None:
    """Six exposures of a surface have one hash; of another surface the same hash is a near duplicate."""
    frames = edited(clean_frames(FRAMES), phash=lambda column: np.repeat(column[::6], 6))
    found = checks(folder, (frames, clean_instances(FRAMES)))
    assert found["near_duplicates"].count == 0
    assert "of another surface" in found["near_duplicates"].about


@pytest.mark.parametrize("bits", [0, 1, 3, 6])
def test_near_duplicates_are_those_that_holding_all_against_all_finds(bits: int) -> None:
    random = np.random.default_rng(bits)
    base = random.integers(0, 2**64, 60, dtype=np.uint64)
    one, three = np.uint64(1), np.uint64(0b1011)
    close = [base[:40] ^ (one << random.integers(0, 64, 40, dtype=np.uint64)), base[:20]]
    phash = np.concatenate([base, *close, base[:30] ^ (three << random.integers(0, 60, 30, dtype=np.uint64))])
    phash, group = random.permutation(phash), random.integers(0, 80, len(phash))
    found = near_duplicates(phash, group, bits)
    distance = np.bitwise_count(phash[:, None] ^ phash[None, :])
    for at in range(len(phash)):
        near_ones = [i for i in range(at) if distance[i, at] <= bits and group[i] != group[at]]
        assert found.earlier[at] == (near_ones[0] if near_ones else -1)
        assert found.bits[at] == (distance[near_ones[0], at] if near_ones else 0)


def test_hashes_of_100_000_frames_are_held_against_few_others() -> None:
    """All pairs would be 5e9; a planted one among random hashes is found."""
    phash = np.random.default_rng(0).integers(0, 2**64, 100_000, dtype=np.uint64)
    phash[-1] = phash[5] ^ np.uint64(0b111)
    assert near_duplicates(phash, np.arange(len(phash)), 3).found.tolist() == [99_999]


def test_entropy_and_correlation_are_those_of_others() -> None:
    counts = [5, 40, 9]
    assert entropy(counts) == pytest.approx(scipy_entropy(counts) / np.log(3))
    random = np.random.default_rng(0)
    has = random.random((200, 3)) < 0.5
    has[:, 2] = has[:, 0] ^ (random.random(200) < 0.2)
    together = has.T.astype(np.int64) @ has.astype(np.int64)
    np.testing.assert_allclose(correlations(together, 200), np.corrcoef(has.T), atol=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("limits: {empty_frame: 0.1}", "there is no check 'empty_frame'; near: empty_frames"),
        ("limits: {empty_frames: soon}", "limits.empty_frames: expected a mapping with keys least, most"),
        ("measures: {tiny_area: 3}", "measures: unknown key 'tiny_area'"),
        ("measures: {near_bits: 40}", "near_bits must be at most 16"),
        ("limit: {}", "unknown key 'limit'; known keys: measures, limits, ignore"),
        ("- 1", "expected a mapping"),
    ],
)
def test_limits_that_cannot_be_meant_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_limits(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_limits_are_defaults_with_what_a_file_says(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text("measures: {dark: 0.1}\nlimits: {tiny_boxes: null, class_entropy: 0.5, imbalance: {least: 1}}\n")
    limits = read_limits(path)
    assert limits.measures == Measures(dark=0.1)
    assert (limits.bounds["tiny_boxes"].most, limits.bounds["class_entropy"].least) == (None, 0.5)
    assert read_limits(None) == Limits()


def test_the_command_says_it_with_files_and_exit_codes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = write_index(folder / "data", *PLANTS["byte_duplicates"][0]())
    report, page = folder / "health.json", folder / "health.html"
    assert main(["health", str(out), "--json", str(report), "--html", str(page)]) == 1
    said = capsys.readouterr().out
    assert "images/000/000007.jpg: as images/000/000001.jpg" in said
    plain = json.loads(report.read_text())
    assert plain["schema"] == "health/1"
    assert [check["name"] for check in plain["checks"] if check["verdict"] == "broken"] == ["byte_duplicates"]
    assert "1 limit is broken" in page.read_text()
    (folder / "limits.yaml").write_text("limits: {byte_duplicates: 0.1}\n")
    assert main(["health", str(out), "--limits", str(folder / "limits.yaml")]) == 0
    assert main(["health", str(out), "--json", str(out / "health.json")]) == 2
    assert "lies in the dataset" in capsys.readouterr().err
    assert main(["health", str(folder / "none")]) == 2


def test_a_page_shows_the_pictures_that_are_to_blame_and_runs_nothing(tmp_path: Path) -> None:
    """Pictures of the toy are flat where nothing is: they stand on the page as data, and names as text."""
    make_toy(tmp_path / "a<b>", range(4), toy_plan())
    page = tmp_path / "health.html"
    assert main(["health", str(tmp_path / "a<b>"), "--html", str(page)]) == 1
    text = page.read_text()
    assert text.count("data:image/jpeg;base64,") >= 1
    assert "a&lt;b&gt;" in text
    assert "<script" not in text
