"""Paths that were read from a dataset lead into it: a record, row or label file cannot name anything else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from engine.dataset.check_pixels import check_pixels, image_size
from engine.dataset.finalise import find_complete
from engine.dataset.manifest import Export, read_manifest
from engine.dataset.regenerate import compare
from engine.dataset.verify import verify
from engine.errors import UserError
from engine.validate.coco import check_coco
from engine.write.contact_sheet import draw_contact_sheet
from engine.write.files import inside
from engine.write.merge import MergedRows
from engine.write.readback import read_instance_map
from engine.write.record import FileFact, read_commit
from engine.write.recover import misplaced_files, recover
from engine.write.tables import parquet_bytes, read_parquet
from tests.engine.toy_dataset import make_toy, toy_plan

ESCAPES = ("/etc/passwd", "../payload", "images/../../payload", "", "images\\..\\payload")
SHA256 = "ab" * 32


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished dataset of two worlds in one commit; tests work on copies."""
    out = tmp_path_factory.mktemp("paths") / "out"
    make_toy(out, range(2), toy_plan())
    return out


@pytest.fixture
def out(pristine: Path, tmp_path: Path) -> Path:
    """Return a copy to be damaged."""
    return Path(shutil.copytree(pristine, tmp_path / "copy"))


@pytest.mark.parametrize("path", ESCAPES)
def test_a_path_out_of_the_dataset_is_refused(tmp_path: Path, path: str) -> None:
    """By the facts of bookkeeping files, and by the function that all readers of rows ask."""
    with pytest.raises(ValueError, match="must be a relative path"):
        FileFact(path, SHA256, 1)
    with pytest.raises(ValueError, match="must be a relative path"):
        Export("coco", path, SHA256, "t")
    with pytest.raises(UserError, match="names a file that is not its own"):
        inside(tmp_path, path)


def test_a_link_out_of_the_dataset_is_refused(tmp_path: Path) -> None:
    """Whatever part of the path is the link; one that stays inside is not an escape, nor is a value that is no text."""
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    (out / "images").mkdir(parents=True)
    elsewhere.mkdir()
    (out / "images/000").symlink_to(elsewhere)
    (out / "near").symlink_to(out / "images")
    for path in ("images/000/a.jpg", "near/000/a.jpg"):
        with pytest.raises(UserError, match="leads out of it through a link"):
            inside(out, path)
    assert inside(out, "near/a.jpg") == out / "near/a.jpg"
    for value in (3, None, "a\0b"):
        with pytest.raises(UserError, match="names a file that is not its own"):
            inside(out, value)


def rename_in_record(out: Path, name: str) -> Path:
    """Let the record name `name` instead of world 1's picture; return the temporary folder that recovery would use."""
    record = next((out / "commit").glob("*.json"))
    data = json.loads(record.read_bytes())
    fact = next(fact for fact in data["files"] if fact["path"].endswith("000001.jpg"))
    fact["path"] = name
    record.write_text(json.dumps(data))
    return out / ".tmp" / f"{data['id']}-{data['content_sha256'][:16]}.elsewhere.1.abcd"


def test_recovery_moves_nothing_out_of_the_dataset(out: Path) -> None:
    """A record that names `images/../../payload`, and the folder in `.tmp` that would be rolled forward."""
    picture = (out / "images/000/000001.jpg").read_bytes()
    folder = rename_in_record(out, "images/../../payload")
    (folder / "images").mkdir(parents=True)
    (folder.parent / "payload").write_bytes(picture)
    with pytest.raises(UserError, match=r"'images/../../payload' must be a relative path"):
        recover(out)
    assert not (out.parent / "payload").exists()
    assert "commit/00000000-000.json" in {fault.file for fault in verify(out)[1]}


def test_recovery_moves_nothing_through_a_link(out: Path, tmp_path: Path) -> None:
    """A folder of pictures that leads elsewhere stays empty, and says so wherever its files are looked up."""
    commit = read_commit(out / "commit/00000000-000.json")
    folder = out / ".tmp" / f"{commit.id}-{commit.content_sha256[:16]}.elsewhere.1.abcd"
    shutil.copytree(out / "images", folder / "images")
    shutil.rmtree(out / "images/000")
    (tmp_path / "elsewhere").mkdir()
    (out / "images/000").symlink_to(tmp_path / "elsewhere")
    for reader in (lambda: recover(out), lambda: misplaced_files(out, [commit])):
        with pytest.raises(UserError, match="leads out of it through a link"):
            reader()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", ["../00000000-000", "00000000-000/../x", "00000000-001"])
def test_the_id_of_a_record_is_the_name_of_its_file(out: Path, name: str) -> None:
    """It becomes part of the paths of rows."""
    record = out / "commit/00000000-000.json"
    record.write_text(json.dumps({**json.loads(record.read_bytes()), "id": name}))
    with pytest.raises(UserError, match="commit"):
        read_commit(record)


def test_a_manifest_that_names_other_peoples_files_is_not_read(out: Path) -> None:
    """In its index, its exports and its checksums; such a dataset is not complete."""
    original = json.loads((out / "manifest.json").read_bytes())
    for change in (
        {"index": [{"path": "../x", "sha256": SHA256, "bytes": 1}]},
        {"checksums": {"path": "/x", "sha256": SHA256, "bytes": 1}},
        {"exports": [{**original["exports"][0], "path": "labels/../../x"}]},
    ):
        (out / "manifest.json").write_text(json.dumps({**original, **change}))
        with pytest.raises(UserError, match="must be a relative path"):
            read_manifest(out / "manifest.json")
        assert find_complete(out, range(2)) is None


def change_rows(rows: MergedRows, column: str, change: Callable[[str], str]) -> None:
    path = rows.out / "commit/00000000-000.frames.parquet"
    table = read_parquet(path)
    values = pa.array([change(value) for value in table[column].to_pylist()], pa.string())
    path.write_bytes(parquet_bytes(table.set_column(table.column_names.index(column), column, values)))


@pytest.mark.parametrize("column", ["image", "depth", "instance_map", "class_map"])
def test_rows_that_name_other_peoples_files_are_faults(out: Path, tmp_path: Path, column: str) -> None:
    """The files exist and are sound, but they are not the dataset's."""
    contents = verify(out)[0]
    rows = contents.rows
    assert rows is not None
    for path in filter(Path.is_file, out.rglob("0000*")):
        shutil.copy(path, tmp_path)
    change_rows(rows, column, lambda value: f"images/../../{Path(value).name}")
    whats = [fault.what for fault in check_pixels(rows)]
    assert len(whats) == 2
    assert all("names a file that is not its own" in what for what in whats)


def test_readers_of_rows_do_not_follow_them_out_of_the_dataset(out: Path) -> None:
    """The contact sheet, the comparison of pictures, and whoever reads an id map or its table."""
    contents = verify(out)[0]
    rows = contents.rows
    assert rows is not None
    change_rows(rows, "image", lambda value: f"../{value}")
    for reader in (
        lambda: draw_contact_sheet(rows, "toy"),
        lambda: compare(contents, contents, (0, 1)),
        lambda: read_instance_map(out, {"instance_map": "../000000.instance.png"}),
        lambda: read_instance_map(out, {"instance_map": "masks/000/000000.instance.png", "instance_ids": "/etc/x"}),
    ):
        with pytest.raises(UserError, match="names a file that is not its own"):
            reader()


def test_coco_files_that_name_other_peoples_files_are_faults(out: Path) -> None:
    """`file_name` is not followed out of the dataset."""
    coco = json.loads((out / "labels/coco.json").read_bytes())
    shutil.copy(out / "images/000/000000.jpg", out.parent / "payload.jpg")
    coco["images"][0]["file_name"] = "images/../../payload.jpg"
    (out / "labels/coco.json").write_text(json.dumps(coco))
    faults = list(check_coco(coco, "coco.json", lambda name: image_size(inside(out, name))))
    assert [finding.rule for finding in faults] == ["path-outside"]
    whats = [fault.what for fault in verify(out)[1] if fault.file == "labels/coco.json"]
    assert any("image 1: path-outside" in what for what in whats), whats
