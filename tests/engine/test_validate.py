"""The command on whole folders: exit codes, output, formats; and that nothing that is broken breaks the check."""

from __future__ import annotations

import copy
import json
import random
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.dataset.__main__ import main
from engine.validate.detect import check, formats_of
from engine.validate.folder import Folder
from engine.validate.rules import RULES
from tests.engine.toy_dataset import make_toy, toy_plan
from tests.engine.validate_samples import write_bop, write_coco, write_kitti, write_panoptic, write_yolo

WRITERS: dict[str, Callable[[Path], Path]] = {
    "coco": write_coco, "yolo": write_yolo, "kitti": write_kitti, "bop": write_bop, "panoptic": write_panoptic,
}  # fmt: skip
STRANGE: list[Any] = [
    None, True, -1, 0, 1.5, 10**400, float("nan"), float("inf"), "", "x" * 5000, "\u202e\x1b[31m", [], {}, [[]], [None],
    {"counts": "0", "size": [1, 1]}, [1e308] * 6, [-(2**63)] * 4, "../../../etc/passwd", "\0",
]  # fmt: skip


def test_a_clean_folder_gives_exit_code_0_and_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("coco", "yolo", "kitti", "bop"):
        WRITERS[name](tmp_path / name)
        assert main(["validate", str(tmp_path / name), "--ap"]) == 0
        assert capsys.readouterr().out == f"ok: {name}\n"


def test_several_formats_in_one_folder_are_all_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("coco", "kitti", "bop"):
        WRITERS[name](tmp_path)
    assert formats_of(Folder(tmp_path)) == ("coco", "kitti", "bop")
    (tmp_path / "calib/000000.txt").unlink()
    assert main(["validate", str(tmp_path)]) == 1
    assert "calib-missing" in capsys.readouterr().out
    assert main(["validate", str(tmp_path), "--format", "coco"]) == 0


def test_warnings_count_only_when_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_yolo(tmp_path)
    (tmp_path / "labels/val/c.txt").unlink()
    assert main(["validate", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("WARNING images/val/c.png: image-without-label")
    assert main(["validate", str(tmp_path), "--strict"]) == 1


def test_findings_are_said_as_json_and_limited_by_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    label = write_yolo(tmp_path)
    label.write_text("\n".join(f"{number + 9} 0.5 0.5 0.2 0.2" for number in range(50)))
    assert main(["validate", str(tmp_path), "--json", "--max", "3"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["errors"], said["counts"], len(said["findings"])) == (50, {"class-out-of-range": 50}, 3)
    assert said["findings"][0] == {
        "file": "labels/train/a.txt", "where": "line 1", "rule": "class-out-of-range", "value": "'9'",
        "expected": "a class from 0 to 1", "severity": "error", "meaning": RULES["class-out-of-range"].meaning,
    }  # fmt: skip
    assert main(["validate", str(tmp_path), "--max", "3"]) == 1
    assert "47 more of class-out-of-range" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--format", "kitti"], ["--max", "-1"], ["--images", "no"]])
def test_what_is_no_dataset_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    (tmp_path / "a.txt").write_text("hello")
    assert main(["validate", str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert main(["validate", str(tmp_path / "a.txt")]) == 2


def test_a_dataset_of_ours_is_checked_by_verify_and_as_coco(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed file is named once, by its hash and by what it contradicts."""
    make_toy(tmp_path / "out", range(3), toy_plan())
    out = tmp_path / "out"
    assert main(["validate", str(out), "--ap"]) == 0
    assert capsys.readouterr().out == "ok: ommatidia\n"
    data = json.loads((out / "labels/coco.json").read_bytes())
    data["annotations"][0]["area"] += 1
    (out / "labels/coco.json").write_text(json.dumps(data))
    assert main(["validate", str(out), "--json"]) == 1
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert counts["area-not-mask"] == 1
    assert counts["dataset-fault"] >= 2  # the hash, and the row


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Links out of it are named, not followed; also those of a label file, of images and of a folder."""
    secret = tmp_path / "secret"
    write_yolo(secret)
    (secret / "labels/train/a.txt").write_text("s3cret 1 2 3 4")
    root = tmp_path / "data"
    write_yolo(root)
    (root / "labels/train/a.txt").unlink()
    (root / "labels/train/a.txt").symlink_to(secret / "labels/train/a.txt")
    (root / "images/more").symlink_to(secret / "images/train")
    assert main(["validate", str(root)]) == 1
    said = capsys.readouterr().out
    assert "labels/train/a.txt: path-outside" in said
    assert "images/more: path-outside" in said
    assert "s3cret" not in said


def test_control_characters_of_names_do_not_reach_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_yolo(tmp_path)
    (tmp_path / "labels/train/\x1b[31mred\n.txt").write_text("")
    assert main(["validate", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert len(said.splitlines()) == 2


def test_every_rule_has_a_line_in_the_documentation(root: Path) -> None:
    """Under the heading of each of its formats, with its meaning."""
    text = (root / "docs/validate.md").read_text()
    for name, rule in RULES.items():
        mark = "" if rule.severity.value == "error" else " (warning)"
        assert f"| `{name}`{mark} | {rule.meaning}" in text, name


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_bytes_never_break_the_check(tmp_path: Path, name: str) -> None:
    """Flipped bits, cut files, and bytes of nobody in any file: findings, never an exception."""
    WRITERS[name](tmp_path / "clean")
    chance = random.Random(11)
    files = sorted(path.relative_to(tmp_path / "clean") for path in (tmp_path / "clean").rglob("*") if path.is_file())
    texts = [path for path in files if path.suffix in (".json", ".txt", ".yaml")]
    for turn in range(30):
        place = tmp_path / "damaged"
        shutil.copytree(tmp_path / "clean", place)
        path = place / chance.choice(texts if turn % 3 else files)
        data = bytearray(path.read_bytes())
        if turn % 4 == 0:
            data = data[: chance.randrange(len(data) + 1)]
        for _ in range(0 if turn % 4 == 0 else chance.choice((1, 3, 20))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(data))
        consume(place)
        shutil.rmtree(place)


@pytest.mark.parametrize("name", ["coco", "bop", "panoptic"])
def test_values_of_any_type_never_break_the_check(tmp_path: Path, name: str) -> None:
    """Every value of every JSON file is replaced by each of some strange ones, at random."""
    WRITERS[name](tmp_path)
    chance = random.Random(12)
    for path in sorted(tmp_path.rglob("*.json")):
        text = path.read_text()
        for _ in range(120 // len(list(tmp_path.rglob("*.json")))):
            data = json.loads(text)
            for _ in range(chance.choice((1, 1, 4))):
                replace_somewhere(data, chance)
            path.write_text(json.dumps(data))
            consume(tmp_path)
        path.write_text(text)


def replace_somewhere(data: Any, chance: random.Random) -> None:
    """Walk down at random and put a strange value."""
    while True:
        keys = list(data) if isinstance(data, dict) else list(range(len(data)))
        if not keys:
            return
        key = chance.choice(keys)
        below = data[key]
        if isinstance(below, dict | list) and below and chance.random() < 0.85:
            data = below
            continue
        data[key] = copy.deepcopy(chance.choice(STRANGE))
        return


@pytest.mark.parametrize("name", ["yolo", "kitti"])
def test_words_of_any_kind_never_break_the_check(tmp_path: Path, name: str) -> None:
    chance = random.Random(13)
    label = WRITERS[name](tmp_path)
    words = [
        "nan",
        "-inf",
        "1e400",
        "-0",
        "1_0",
        "\u0661",
        "0x1",
        "",
        "1e308",
        "-1e308",
        "9" * 5000,
        "Car",
        "\x00",
        "1.5",
    ]
    sound = label.read_text().split("\n")
    for _ in range(80):
        lines = [line.split(" ") for line in sound]
        for _ in range(chance.choice((1, 4))):
            line = chance.choice(lines)
            line[chance.randrange(len(line))] = chance.choice(words)
        label.write_text("\n".join(" ".join(line) for line in lines))
        consume(tmp_path)


def test_deep_and_huge_files_are_findings(tmp_path: Path) -> None:
    for number, text in enumerate(("[" * 200_000, '{"a":' * 50_000, "1" * 10_000, '"\\ud800"', "[1e999999]", "")):
        root = tmp_path / str(number)
        path = write_coco(root)
        path.write_text(text)
        assert {f.rule for f in check(Folder(root), ("coco",))} <= {"file-unreadable", "coco-lists"}, text[:20]
        scene = write_bop(root / "bop")
        (scene / "scene_gt.json").write_text(text)
        consume(root / "bop")
        write_yolo(root / "yolo")
        (root / "yolo/data.yaml").write_text("names: [a]\ntrain: images\nx: " + text)
        consume(root / "yolo")


def test_an_image_that_claims_to_be_huge_is_not_decoded(tmp_path: Path) -> None:
    """Only headers are read for sizes, and masks of too many pixels are refused."""
    scene = write_bop(tmp_path)
    path = scene / "mask_visib/000000_000000.png"
    data = bytearray(path.read_bytes())
    data[16:24] = (13_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(bytes(data))
    assert {f.rule for f in check(Folder(tmp_path), ("bop",))} == {"mask-size"}
    for picture in scene.glob("rgb/*"):
        picture.unlink()
    (scene / "rgb").rmdir()
    (finding,) = check(Folder(tmp_path), ("bop",))
    assert (finding.rule, finding.value) == ("image-unreadable", "13000x13000 pixels are too many")


def test_a_hundred_thousand_annotations_are_checked_batch_by_batch(tmp_path: Path) -> None:
    """Here a tenth of them; every planted fault is found and the limit of what is kept holds."""
    path = write_coco(tmp_path)
    data = json.loads(path.read_text())
    mask = data["annotations"][2]
    data["annotations"] = [mask | {"id": i + 1, "occluder": i, "image_id": 1} for i in range(10_000)]
    for i in range(0, 10_000, 100):
        data["annotations"][i]["area"] = 1
    path.write_text(json.dumps(data))
    found = [finding.rule for finding in check(Folder(tmp_path), ("coco",))]
    assert found.count("area-not-mask") == 100
    assert np.unique(found).tolist() == ["area-not-mask", "row-duplicate"]


def consume(root: Path) -> None:
    """Check a folder by every format that it seems to hold, and by all of its own; every rule must be known."""
    folder = Folder(root)
    for finding in check(folder, tuple({*formats_of(folder), "coco", "yolo", "kitti", "bop"})):
        assert finding.rule in RULES
        assert str(finding).isprintable()
        assert len(str(finding)) < 1000


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_that_cannot_be_read_is_a_finding(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels that were not looked at are not sound; tests may run as root, whom nothing is closed to."""
    WRITERS[name](tmp_path)
    found = formats_of(Folder(tmp_path))
    listed = Path.iterdir

    def closed(path: Path) -> Iterator[Path]:
        if path.name in ("annotations", "label_2", "train"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", closed)
    named = [(finding.rule, finding.value) for finding in check(Folder(tmp_path), found)]
    assert ("file-unreadable", "Permission denied") in named
