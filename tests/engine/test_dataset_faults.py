"""Damaged files and wrong arguments end in faults and one-line errors, never in a traceback."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.dataset import regenerate as regeneration
from engine.dataset.__main__ import main
from engine.dataset.contents import read_contents
from engine.dataset.regenerate import compare
from engine.dataset.verify import verify
from engine.errors import UserError
from engine.validate.coco import check_coco
from engine.write.encode import encode_jpeg
from tests.engine.toy_dataset import make_toy, toy_plan


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished dataset; tests that change it work on copies."""
    out = tmp_path_factory.mktemp("faults") / "out"
    make_toy(out, range(3), toy_plan())
    return out


@pytest.fixture
def out(pristine: Path, tmp_path: Path) -> Path:
    """Return a copy to be damaged."""
    return Path(shutil.copytree(pristine, tmp_path / "copy"))


Change = Callable[[dict[str, Any]], object]


def malformed() -> dict[str, tuple[Change, str]]:
    """Return what is done to a sound COCO file, and what the check must say."""

    def of(name: str, **values: Any) -> Change:
        return lambda coco: coco[name][0].update(values)

    def drop(name: str, key: str) -> Change:
        return lambda coco: coco[name][0].pop(key)

    def put(name: str, value: Any) -> Change:
        return lambda coco: coco[name].__setitem__(0, value)

    def keypoints(names: Any, points: Any) -> Change:
        def change(coco: dict[str, Any]) -> None:
            for category in coco["categories"]:
                category["keypoints"] = names
            coco["annotations"][0]["keypoints"] = points

        return change

    size = {"size": [32, 48]}
    return {
        "lists are no lists": (lambda coco: coco.update(annotations=5), "coco-lists"),
        "image is a number": (put("images", 1), "images[0]: item-not-object"),
        "annotation is a list": (put("annotations", [1]), "annotations[0]: item-not-object"),
        "category is null": (put("categories", None), "categories[0]: item-not-object"),
        "id is a list": (of("images", id=[1]), "images[0]: id-not-integer"),
        "id is missing": (drop("annotations", "id"), "annotations[0]: id-not-integer"),
        "id is huge": (of("annotations", id=10**400), "id-not-integer"),
        "image_id is a list": (of("annotations", image_id=[1]), "image-id-unknown, [1]"),
        "category_id is an object": (of("annotations", category_id={}), "category-id-unknown, {}"),
        "category has no name": (drop("categories", "name"), "category-name-invalid"),
        "width is text": (of("images", width="48"), "image-size-invalid"),
        "height is missing": (drop("images", "height"), "image-size-invalid"),
        "width is below 1": (of("images", width=0), "image-size-invalid"),
        "file_name is missing": (drop("images", "file_name"), "file-name-invalid"),
        "area is huge": (of("annotations", area=10**400), "area-invalid"),
        "bbox holds text": (of("annotations", bbox=["1", 2, 3, 4]), "box-invalid"),
        "bbox is missing": (drop("annotations", "bbox"), "box-invalid"),
        "segmentation is a number": (of("annotations", segmentation=3), "segmentation-invalid"),
        "polygon is a number": (of("annotations", segmentation=[3]), "segmentation-invalid"),
        "polygon holds text": (of("annotations", segmentation=[["1"] * 6]), "value-not-number"),
        "polygon is huge": (of("annotations", segmentation=[[1, 1, 1e15, 1, 5, 5]]), "polygon-outside"),
        "counts hold text": (
            of("annotations", segmentation={**size, "counts": ["1"]}),
            "rle-counts-invalid",
        ),
        "counts are negative": (of("annotations", segmentation={**size, "counts": [-1, 1537]}), "rle-counts-invalid"),
        "counts are missing": (of("annotations", segmentation=size), "rle-counts-invalid"),
        "size is missing": (of("annotations", segmentation={"counts": "0"}), "rle-size-wrong"),
        "keypoint names are a number": (keypoints(3, [1, 1, 2]), "keypoint-names-invalid"),
        "keypoints are a number": (keypoints(["tip"], 3), "keypoints-length"),
        "keypoints are text": (keypoints(["tip"], ["1", "1", "2"]), "value-not-number"),
    }


@pytest.mark.parametrize("damage", malformed())
def test_a_malformed_coco_file_is_a_fault_beside_the_others(
    out: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    """What else is wrong is said as well: here, a picture that does not belong."""
    change, message = malformed()[damage]
    path = out / "labels/coco.json"
    coco = json.loads(path.read_bytes())
    change(coco)
    (out / "images/extra.jpg").write_bytes(b"x")
    path.write_text(json.dumps(coco))
    assert main(["verify", str(out)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("FAULT labels/coco.json") and message in line for line in lines), lines
    assert any(line.startswith("FAULT images/extra.jpg") for line in lines), lines
    assert max(map(len, lines)) < 400


def test_one_damaged_item_does_not_hide_the_others(pristine: Path) -> None:
    """The rest of the file is checked as before."""
    coco = json.loads((pristine / "labels/coco.json").read_bytes())
    sizes = {image["file_name"]: (image["width"], image["height"]) for image in coco["images"]}
    coco["annotations"][0] = 5
    coco["annotations"][1]["area"] += 1
    rules = [finding.rule for finding in check_coco(coco, "coco.json", sizes.get)]
    assert rules == ["item-not-object", "area-not-mask"]


def test_faults_are_told_when_they_are_found(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those before an error in a later check are not lost."""

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    (out / "images/extra.jpg").write_bytes(b"x")
    monkeypatch.setattr("engine.dataset.verify.check_pixels", fail)
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        verify(out, say=lambda fault: told.append(fault.file))
    assert told == ["images/extra.jpg"]


def test_symbolic_links_are_named(out: Path, tmp_path: Path) -> None:
    """To a file of equal bytes, to a folder, to nothing, and among what is otherwise left alone."""
    (out / "images/000/000001.jpg").rename(tmp_path / "elsewhere.jpg")
    (out / "images/000/000001.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    (out / "depth/000").rename(tmp_path / "depth")
    (out / "depth/000").symlink_to(tmp_path / "depth")
    (out / "log/old").symlink_to(tmp_path / "nothing")
    named = [fault.file for fault in verify(out)[1] if "is a symbolic link" in fault.what]
    assert named == ["depth/000", "images/000/000001.jpg", "log/old"]
    assert not [fault for fault in verify(out)[1] if fault.what == "is missing"]


def test_files_are_hashed_by_as_many_threads_as_processors_may_be_used(
    pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that was given three of a machine's processors; the same for the encoders."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5, 7})
    counts: list[int | None] = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, workers: int | None = None, **options: Any) -> None:
            counts.append(workers)
            super().__init__(workers, **options)

    for module in ("engine.dataset.check_files", "engine.write.shard"):
        monkeypatch.setattr(f"{module}.ThreadPoolExecutor", Pool)
    assert verify(pristine)[1] == []
    make_toy(tmp_path / "more", [0], toy_plan())
    assert counts == [3, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--regenerate", "-3"], "--regenerate -3: name a number of worlds"),
        (["--regenerate", "1", "--device", "foo"], "device must be auto, cpu, all or cuda:N, got 'foo'"),
        (["--regenerate", "1", "--usd", "no.usda"], "--usd no.usda: there is no such file"),
        (["--regenerate", "1"], "toy.usda; name it with --usd FILE, or the run's --config-dir DIR"),
    ],
)
def test_wrong_arguments_of_regenerate_are_one_line(
    pristine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Exit code 2, no traceback."""
    if "foo" in arguments:
        (tmp_path / "toy.usda").write_text("#usda 1.0\n")
        arguments = [*arguments, "--usd", str(tmp_path / "toy.usda")]
    assert main(["verify", str(pristine), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_the_scene_is_found_beside_the_configuration_of_the_run(
    pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--config-dir` as the run had it."""
    (tmp_path / "scene").mkdir()
    (tmp_path / "scene/toy.yaml").write_text("scene: {}\n")
    (tmp_path / "scene/toy.usda").write_text("#usda 1.0\n")
    rendered: list[Path] = []

    def render(*_: object, usd: Path, **__: object) -> None:
        rendered.append(usd)
        raise UserError("far enough")

    monkeypatch.setattr(regeneration, "_render", render)
    assert main(["verify", str(pristine), "--regenerate", "1", "--config-dir", str(tmp_path)]) == 2
    assert rendered == [tmp_path / "scene/toy.usda"]
    away = tmp_path / "stages"
    away.mkdir()
    (tmp_path / "scene/toy.usda").rename(away / "toy.usda")
    for said in ("../stages/toy.usda", str(away / "toy.usda")):  # the recipe knows its name alone
        (tmp_path / "scene/toy.yaml").write_text(f"name: toy\nusd: {said}\n")
        assert main(["verify", str(pristine), "--regenerate", "1", "--config-dir", str(tmp_path)]) == 2
        assert rendered.pop() == away / "toy.usda"


def test_pictures_of_other_writers_are_compared_by_bytes(pristine: Path, tmp_path: Path) -> None:
    """No tolerance is stated for a suffix that is not ours: equal bytes are fine, others are a fault that says so."""
    path, other = tmp_path / "a.webp", tmp_path / "b.webp"
    path.write_bytes(encode_jpeg(np.zeros((4, 4, 3), np.uint8), quality=90))
    shutil.copy(path, other)
    assert regeneration._compare_pictures(path, other) == (0, [])
    other.write_bytes(b"other")
    assert "is stated for .png, .jpg only" in regeneration._compare_pictures(path, other)[1][0]
    contents = read_contents(pristine)[0]
    assert compare(contents, contents, (0, 1, 2)).faults == ()
