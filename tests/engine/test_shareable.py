"""`export --shareable` refuses real pixels, copies of them, and assets that nobody licensed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.collect.intent import DatasetRef
from engine.dataset.__main__ import main
from engine.dataset.manifest import manifest_bytes, read_manifest
from engine.errors import UserError
from engine.sharing.assets import LICENCES, asset_table, read_licences
from tests.engine.picture_sets import picture_set, surface_picture
from tests.engine.toy_dataset import make_toy, toy_plan

ASSET = b"#usda 1.0\n"  # of the toy, as a file that a test writes


def toy(out: Path) -> Path:
    make_toy(out, range(4), toy_plan())
    return out


def scenes(folder: Path, licences: str | None, data: bytes = ASSET) -> Path:
    """Return a folder of scenes with the toy's asset."""
    folder.mkdir()
    (folder / "toy.usda").write_bytes(data)
    if licences is not None:
        (folder / LICENCES).write_text(licences)
    return folder


@pytest.fixture
def toy_asset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the toy be rendered from the bytes that `scenes` writes."""
    from engine.recipe import AssetRef
    from tests.engine import toy_dataset

    reference = AssetRef("toy.usda", hashlib.sha256(ASSET).hexdigest(), len(ASSET))
    recipe = toy_dataset.toy_recipe
    monkeypatch.setattr(toy_dataset, "toy_recipe", lambda **given: replace(recipe(**given), assets=(reference,)))


def export(dataset: Path, out: Path, *more: str) -> int:
    return main(["export", str(dataset), "--format", "coco", "--out", str(out), "--shareable", *more])


OPEN = '- {path: "*", licence: CC0-1.0, provenance: "made here"}\n'


@pytest.mark.usefixtures("toy_asset")
def test_a_rendered_dataset_of_licensed_assets_is_shared_and_says_so(tmp_path: Path) -> None:
    """export.json has the table; without --shareable it has none."""
    dataset, folder = toy(tmp_path / "toy"), scenes(tmp_path / "scenes", OPEN)
    assert export(dataset, tmp_path / "out", "--scenes", str(folder)) == 0
    said = json.loads((tmp_path / "out/export.json").read_text())["shareable"]
    assert said["contains_real_imagery"] is False
    assert [(row["path"], row["licence"], row["provenance"]) for row in said["assets"]] == [
        ("toy.usda", "CC0-1.0", "made here")
    ]
    assert main(["export", str(dataset), "--format", "coco", "--out", str(tmp_path / "plain")]) == 0
    assert "shareable" not in json.loads((tmp_path / "plain/export.json").read_text())


@pytest.mark.usefixtures("toy_asset")
@pytest.mark.parametrize(
    ("licences", "data", "reason"),
    [
        (None, ASSET, "no LICENCES.yaml names it"),
        ('- {path: "other/*", licence: CC0-1.0, provenance: "made here"}\n', ASSET, "no LICENCES.yaml names it"),
        (OPEN, b"#usda 1.0 other\n", "has other bytes now"),
    ],
)
def test_assets_of_unknown_licence_are_refused_unless_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], licences: str | None, data: bytes, reason: str
) -> None:
    """What a LICENCES.yaml says holds for the bytes that were rendered, and no others."""
    dataset, folder = toy(tmp_path / "toy"), scenes(tmp_path / "scenes", licences, data)
    assert export(dataset, tmp_path / "out", "--scenes", str(folder)) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["assets", str(dataset), "--scenes", str(folder)]) == 1
    assert "licence unknown" in capsys.readouterr().out
    assert export(dataset, tmp_path / "out", "--scenes", str(folder), "--accept-unknown-licences") == 0
    said = json.loads((tmp_path / "out/export.json").read_text())["shareable"]
    assert said["accepted_unknown_licences"] == ["toy.usda"]


@pytest.mark.usefixtures("toy_asset")
def test_a_photograph_among_the_assets_is_refused_unless_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = toy(tmp_path / "toy")
    folder = scenes(tmp_path / "scenes", OPEN.replace("}", ", photograph: true}"))
    assert export(dataset, tmp_path / "out", "--scenes", str(folder)) == 2
    assert "is a photograph" in capsys.readouterr().err
    assert export(dataset, tmp_path / "out", "--scenes", str(folder), "--accept-photographs") == 0


def test_real_pictures_are_refused_with_the_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where the manifest says that all is synthetic: rows decide as well."""
    real = picture_set(tmp_path / "real", [surface_picture(np.random.default_rng(0))] * 2, [0, 1])
    assert export(real, tmp_path / "out") == 2
    assert "frame 0 is real" in capsys.readouterr().err
    manifest = read_manifest(real / "manifest.json")
    lying = replace(manifest, origin="synthetic", contains_real_imagery=False)
    (real / "manifest.json").write_bytes(manifest_bytes(lying))
    assert export(real, tmp_path / "out") == 2
    assert "frame 0 is real" in capsys.readouterr().err


def test_a_mixture_is_refused_with_the_parent_that_is_real(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = toy(tmp_path / "toy")
    manifest = read_manifest(dataset / "manifest.json")
    ref = DatasetRef("ds_aaaa", "", "", "", "real", True, 4, "street photographs")
    other = DatasetRef("ds_bbbb", "", "", "", "synthetic", False, 4, "rendered")
    mixed = replace(manifest, origin="mixed", contains_real_imagery=True, parents=(other, ref))
    (dataset / "manifest.json").write_bytes(manifest_bytes(mixed))
    assert export(dataset, tmp_path / "out", "--accept-unknown-licences") == 2
    error = capsys.readouterr().err
    assert "street photographs (ds_aaaa)" in error
    assert "ds_bbbb" not in error


@pytest.mark.usefixtures("toy_asset")
def test_pixels_of_a_real_set_that_leaked_are_refused_with_both_frames(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real set that holds a rendered picture stands for a render that shows a real one."""
    dataset, folder = toy(tmp_path / "toy"), scenes(tmp_path / "scenes", OPEN)
    shown = [path for path in sorted((dataset / "images").rglob("*.jpg")) if np.asarray(Image.open(path)).std() > 10]
    leaked = np.asarray(Image.open(shown[0]).convert("L"))
    own = [surface_picture(np.random.default_rng(seed)) for seed in range(3)]
    clean = picture_set(tmp_path / "clean", own, [0, 1, 2])
    real = picture_set(tmp_path / "real", [*own, leaked], [0, 1, 2, 3])
    command = (dataset, tmp_path / "out", "--scenes", str(folder), "--against")
    assert export(*command, str(real)) == 2
    error = capsys.readouterr().err
    assert f"frame {int(shown[0].stem)} is frame 3 of real" in error
    assert export(*command, str(clean)) == 0
    against = json.loads((tmp_path / "out/export.json").read_text())["shareable"]["against"]
    assert [entry["name"] for entry in against] == ["clean"]


@pytest.mark.usefixtures("toy_asset")
def test_the_nearest_licence_file_decides_and_the_first_entry_that_fits(tmp_path: Path) -> None:
    """Below the folder of scenes alone; a path that leads out of it is not followed."""
    (tmp_path / LICENCES).write_text('- {path: "*", licence: not-ours, provenance: "outside"}\n')
    dataset = toy(tmp_path / "toy")
    folder = scenes(tmp_path / "scenes", '- {path: "toy.*", licence: MIT, provenance: "first"}\n' + OPEN)
    (row,) = asset_table(dataset, (folder,)).rows
    assert (row.licence, row.provenance, row.said_by) == ("MIT", "first", LICENCES)
    (folder / LICENCES).unlink()
    assert asset_table(dataset, (folder,)).rows[0].licence == ""


def test_a_licence_file_that_says_nothing_is_an_error(tmp_path: Path) -> None:
    for text in ("licence: MIT\n", '- {path: "*", licence: "", provenance: x}\n', "- {path: x}\n", "- [\n"):
        (tmp_path / LICENCES).write_text(text)
        with pytest.raises(UserError, match=LICENCES):
            read_licences(tmp_path / LICENCES)


def test_the_shipped_scenes_are_licensed(tmp_path: Path) -> None:
    """Every file that a recipe may name lies below the one file that says it."""
    from engine._layout import scenes_folder

    assert read_licences(scenes_folder() / LICENCES)[0].path == "*"


def test_options_of_sharing_need_shareable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = toy(tmp_path / "toy")
    assert main(["export", str(dataset), "--format", "coco", "--accept-photographs"]) == 2
    assert "belong to --shareable" in capsys.readouterr().err
