"""How pictures come into a dataset, what a kill leaves, and locked holdouts."""

from __future__ import annotations

import ast
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.collect.holdout import find_lock
from engine.dataset.__main__ import COMMANDS
from engine.dataset.manifest import read_manifest
from engine.errors import UserError
from engine.formats.index import open_dataset
from engine.lineage.ledger import read_entries
from engine.query import open_index
from tests.contract.source import ROOT, sources
from tests.engine.ingest_samples import coco_folder, command, picture, take_in
from tests.engine.test_crash import tree
from tests.engine.toy_dataset import make_toy, toy_plan


@pytest.fixture(autouse=True)
def _own_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's file of allowed folders is one of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("OMMATIDIA_REFERENCES", raising=False)


def test_pictures_are_linked_and_never_changed(tmp_path: Path) -> None:
    """One file under two names, and the bytes of the source are what they were."""
    source = coco_folder(tmp_path / "in")
    before = {path: path.read_bytes() for path in source.rglob("*.png")}
    assert take_in(source, tmp_path / "out") == 0
    assert (tmp_path / "out/images/000/000000.png").stat().st_ino == (source / "s1/a_01.png").stat().st_ino
    assert before == {path: path.read_bytes() for path in source.rglob("*.png")}
    assert take_in(source, tmp_path / "copy", "--images", "copy") == 0
    assert (tmp_path / "copy/images/000/000000.png").stat().st_ino != (source / "s1/a_01.png").stat().st_ino


def test_on_another_disk_pictures_are_referred_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        if target.suffix == ".png":
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(self))
        os.link(target, self)

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert take_in(coco_folder(tmp_path / "in"), tmp_path / "out") == 0
    assert (tmp_path / "out/images/000/000000.png").readlink() == (tmp_path / "in/s1/a_01.png").resolve()
    assert command("verify", tmp_path / "out") == 0


def test_references_that_are_not_allowed_here_are_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dataset of a stranger does not say where links may lead."""
    out = tmp_path / "out"
    assert take_in(coco_folder(tmp_path / "in"), out, "--images", "reference") == 0
    assert command("export", out, "--format", "coco", "--out", tmp_path / "fine") == 0
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    assert command("export", out, "--format", "coco", "--out", tmp_path / "back") == 2
    told = capsys.readouterr().err
    assert "leads out of it through a link; OMMATIDIA_REFERENCES=FOLDER allows" in told
    assert told.count("\n") == 1
    monkeypatch.setenv("OMMATIDIA_REFERENCES", str(tmp_path / "in"))
    assert command("export", out, "--format", "coco", "--out", tmp_path / "back") == 0


def test_a_killed_ingest_goes_on_where_it_stood(tmp_path: Path) -> None:
    """After the first commit of three; meanwhile nothing looks complete, and the end is that of one run."""
    for number in range(520):
        picture(tmp_path / f"in/{number:03d}.png", seed=number, size=(8, 6))
    words = [sys.executable, "-m", "engine.dataset", "ingest", str(tmp_path / "in"), "--format", "folder"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = tmp_path / "out"
    process = subprocess.Popen([*words, "--out", str(out)], env=environment, stdout=subprocess.DEVNULL)
    while not (out / "commit/00000000-000.json").is_file() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "manifest.json").exists()
    done = {path.name: path.stat().st_mtime_ns for path in (out / "commit").glob("*.json")}
    assert 1 <= len(done) < 3
    assert take_in(tmp_path / "in", out, file_format="folder") == 0
    assert done.items() <= {path.name: path.stat().st_mtime_ns for path in (out / "commit").glob("*.json")}.items()
    assert take_in(tmp_path / "in", tmp_path / "whole", file_format="folder") == 0
    assert tree(out) == tree(tmp_path / "whole")


def test_other_pictures_do_not_go_into_the_same_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = coco_folder(tmp_path / "in")
    assert take_in(source, tmp_path / "out") == 0
    picture(source / "s1/a_01.png", seed=50)
    assert take_in(source, tmp_path / "out") == 3
    assert "sources_sha256" in capsys.readouterr().err


def locked(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    assert take_in(coco_folder(tmp_path / "in"), out, "--images", "copy") == 0
    assert command("lock", out, "--as", "holdout", "--why", "final test") == 0
    return out


def test_reads_of_a_holdout_are_on_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = locked(tmp_path)
    assert command("export", out, "--format", "coco", "--out", tmp_path / "back") == 0
    open_index(out, "slices of recall")
    events = [(e.event, e.facts.get("why")) for e in read_entries(out) if e.event.startswith("holdout.")]
    assert events == [
        ("holdout.lock", "final test"),
        ("holdout.read", f"export as coco to {tmp_path / 'back'}"),
        ("holdout.read", "slices of recall"),
    ]
    assert command("lock", out, "--show") == 0
    assert "slices of recall" in capsys.readouterr().out
    assert command("verify", out) == 0


@pytest.mark.parametrize("name", ["images/000/000001.png", "labels/coco.json", "index/frames.parquet", "manifest.json",
                                  "commit/00000000-000.instances.parquet", "CHECKSUMS.sha256"])  # fmt: skip
def test_a_changed_holdout_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """One bit of a picture, of a label, of the bookkeeping."""
    out = locked(tmp_path)
    data = bytearray((out / name).read_bytes())
    data[len(data) // 2] ^= 1
    (out / name).write_bytes(bytes(data))
    assert command("export", out, "--format", "coco", "--out", tmp_path / "back") == 2
    told = capsys.readouterr().err
    assert "unlock with a reason" in told
    assert told.count("\n") == 1
    with pytest.raises(UserError, match="unlock with a reason"):
        open_index(out)


def test_a_lock_that_is_removed_is_missed(tmp_path: Path) -> None:
    out = locked(tmp_path)
    (out / "log/holdout.json").unlink()
    with pytest.raises(UserError, match=r"is locked as bm_[0-9a-f]{16}, and log/holdout.json is gone"):
        open_dataset(out)


def test_a_ledger_that_is_removed_is_missed(tmp_path: Path) -> None:
    out = locked(tmp_path)
    (out / "log/ledger.jsonl").unlink()
    with pytest.raises(UserError, match="the ledger has no line of it"):
        open_dataset(out)


def test_unlocking_needs_a_reason_and_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = locked(tmp_path)
    assert command("lock", out, "--as", "again") == 2
    assert command("lock", out, "--unlock") == 2
    assert "--why" in capsys.readouterr().err
    assert command("lock", out, "--unlock", "--why", "labels were wrong") == 0
    assert find_lock(out) is None
    assert [entry.event for entry in read_entries(out)] == ["complete", "holdout.lock", "holdout.unlock"]
    assert command("lock", out, "--show") == 1
    assert command("lock", out, "--as", "holdout") == 0


def test_other_content_is_another_benchmark(tmp_path: Path) -> None:
    """The same content under the same name is the same one, wherever it lies."""
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        picture(tmp_path / name / "in/x.png", seed=seed)
        assert take_in(tmp_path / name / "in", tmp_path / name / "out", file_format="folder") == 0
        assert command("lock", tmp_path / name / "out", "--as", "holdout") == 0
        held = find_lock(tmp_path / name / "out")
        assert held is not None
        found.append(held.benchmark_id)
    assert found[0] == found[1] != found[2]


def test_a_dataset_that_is_damaged_cannot_be_locked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert take_in(coco_folder(tmp_path / "in"), tmp_path / "out", "--images", "copy") == 0
    (tmp_path / "out/images/000/000001.png").write_bytes(b"x")
    assert command("lock", tmp_path / "out", "--as", "holdout") == 2
    assert "images/000/000001.png has changed" in capsys.readouterr().err


# Commands that show nothing of pictures or labels, and why.
WITHOUT_A_READ = {
    "assets": "lists the files of the scene in the recipe",
    "info": "says counts of the manifest",
    "ingest": "makes a dataset",
    "lineage": "follows ids in recipes, manifests and ledgers",
    "lock": "is the lock",
    "refs": "names versions",
    "tamper-check": "checks hashes",
    "taxonomy": "says classes; its conversions and drifts come by the doors, below",
    "validate": "checks labels by arithmetic and names faults alone",
    "verify": "checks hashes and names faults alone",
    "world": "draws a world again from its recipe",
}
ARGUMENTS = {
    "balance": ("{toy}", "--spec", "{spec}"),
    "coverage": ("{toy}", "--require", "{require}"),
    "diff": ("{toy}", "{other}"),
    "export": ("{toy}", "--format", "coco", "--out", "{out}"),
    "laws": ("{toy}", "--json"),
    "merge": ("{toy}", "{other}", "--out", "{out}"),
    "mix": ("{mix}",),
    "select": ("{toy}", "--where", "true", "--out", "{out}"),
    "shift": ("{toy}", "--real", "{toy}", "--n", "20", "--crops", "random", "--side", "16"),
    "view": ("{toy}", "--out", "{out}"),
}


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - set(WITHOUT_A_READ)))
def test_no_command_reads_a_holdout_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A new command is run here as `COMMAND DIR`; it stands in ARGUMENTS if it needs more, or says why it reads not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    make_toy(tmp_path / "toy", range(2), toy_plan())
    make_toy(tmp_path / "other", range(2), toy_plan(seed=8))
    assert command("lock", tmp_path / "toy", "--as", "holdout") == 0
    written = {
        "spec": "axes: {size: {of: width, bins: [0, 10000], targets: even, tolerance: 0.5}}\n",
        "require": "slices: {all: {where: 'true', count: 1}}\n",
        "mix": "sources: {toy: {dataset: toy}}\n",
    }
    places = {what: tmp_path / f"{what}.yaml" for what in written}
    for what, path in places.items():
        path.write_text(written[what])
    words = ARGUMENTS.get(name, ("{toy}",))
    known = {"toy": tmp_path / "toy", "other": tmp_path / "other", "out": tmp_path / "result", **places}
    assert command(name, *[word.format(**known) for word in words]) in (0, 1)
    assert "holdout.read" in [entry.event for entry in read_entries(tmp_path / "toy")]


READERS = {"read_parquet", "ParquetFile", "read_table", "MergedRows"}
DOORS = {"open_dataset", "open_index", "opened"}
BELOW = {  # modules that read tables for others, who came by a door, that write them, or that name faults alone
    "engine/write/merge.py", "engine/write/tables.py", "engine/write/coco.py", "engine/write/contact_sheet.py",
    "engine/write/view.py", "engine/dataset/contents.py", "engine/dataset/finalise.py", "engine/dataset/health.py",
    "engine/dataset/check_pixels.py", "engine/dataset/check_rows.py", "engine/dataset/check_defects.py",
    "engine/dataset/check_geometry.py", "engine/dataset/regenerate.py", "engine/dataset/verify.py",
    "engine/dataset/ingest.py", "engine/formats/huggingface.py", "engine/collect/merge.py",
    "engine/compare/columns.py", "engine/lineage/measures.py", "engine/sharing/shareable.py",
    "engine/view/gallery/columns.py", "engine/evaluate/stored.py",
}  # fmt: skip


def test_no_module_reads_tables_of_datasets_beside_the_doors() -> None:
    """Who reads Parquet calls open_dataset, open_index or opened, or stands in BELOW with those who may."""
    found = []
    for source in sources("engine"):
        names = {
            node.id if isinstance(node, ast.Name) else node.attr
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Name | ast.Attribute)
        }
        relative = source.path.as_posix()
        if names & READERS and not names & DOORS and relative not in BELOW:
            found.append(f"{relative} uses {', '.join(sorted(names & READERS))}")
    assert found == []


def test_the_manifest_of_real_pictures_says_so(tmp_path: Path) -> None:
    """Licence, source, groups and origin stand in recipe.json and in the manifest."""
    facts = ("--licence", "CC0-1.0", "--source", "https://example.org", "--group", "surface=surface")
    assert take_in(coco_folder(tmp_path / "in"), tmp_path / "out", *facts) == 0
    recipe = json.loads((tmp_path / "out/recipe.json").read_text())
    assert (recipe["licence"], recipe["source"]) == ("CC0-1.0", "https://example.org")
    assert recipe["options"]["groups"] == ["surface"]
    assert read_manifest(tmp_path / "out/manifest.json").contains_real_imagery
