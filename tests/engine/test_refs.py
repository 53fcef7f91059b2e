"""Refs: a version means one dataset for ever, whoever writes at the same time, and stands for it in every command."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from engine.collect.refs import add_ref, dataset_path, list_refs, resolve_ref
from engine.dataset.__main__ import main, named_datasets, resolve_names
from engine.dataset.manifest import read_manifest
from engine.errors import UserError
from tests.engine.toy_dataset import make_toy, toy_plan


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return two complete datasets, `one` and `two`."""
    root = tmp_path_factory.mktemp("made")
    make_toy(root / "one", range(1), toy_plan())
    make_toy(root / "two", range(2), toy_plan())
    return root


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the store that commands find, which is not there yet."""
    monkeypatch.setenv("OMMATIDIA_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


def test_versions_count_on_and_the_latest_moves(made: Path, store: Path) -> None:
    """`refs.json` holds names and ids alone; where datasets lie is in a file beside it."""
    first, second = (read_manifest(made / name / "manifest.json").dataset_id for name in ("one", "two"))
    assert str(add_ref(store, "toy", made / "one")) == "toy@v1"
    assert str(add_ref(store, "toy", made / "two")) == "toy@v2"
    refs = json.loads((store / "datasets/toy/refs.json").read_text())
    assert refs == {"v1": first, "v2": second, "latest": "v2"}
    assert resolve_ref(store, "toy@v1").place == made / "one"
    assert resolve_ref(store, "toy").place == resolve_ref(store, "toy@latest").place == made / "two"
    assert [(str(ref), ref.is_latest) for ref in list_refs(store)] == [("toy@v1", False), ("toy@v2", True)]


def test_the_same_dataset_keeps_its_version(made: Path, store: Path) -> None:
    """Adding it again says where it is now, and moves nothing else."""
    add_ref(store, "toy", made / "one")
    add_ref(store, "toy", made / "two")
    shutil.copytree(made / "one", store.parent / "moved")
    assert str(add_ref(store, "toy", store.parent / "moved")) == "toy@v1"
    assert resolve_ref(store, "toy@v1").place == store.parent / "moved"
    assert resolve_ref(store, "toy").version == "v2"


def test_a_version_is_never_another_dataset(made: Path, store: Path) -> None:
    add_ref(store, "toy", made / "one", "2026-11")
    with pytest.raises(UserError, match=r"toy@2026-11 is ds_.* and stays that"):
        add_ref(store, "toy", made / "two", "2026-11")
    assert resolve_ref(store, "toy@2026-11").place == made / "one"


def test_a_store_moves_with_its_datasets(made: Path, store: Path) -> None:
    """What lies beside it is found from it."""
    shutil.copytree(made / "one", store.parent / "one")
    add_ref(store, "toy", store.parent / "one")
    moved = store.parent.with_name("elsewhere")
    shutil.rmtree(moved, ignore_errors=True)
    store.parent.rename(moved)
    assert resolve_ref(moved / "store", "toy").place == moved / "one"


def test_two_writers_lose_nothing(made: Path, store: Path) -> None:
    """Two processes that add twenty versions each at once: all forty are there."""
    script = (
        "import sys; from pathlib import Path; from engine.collect.refs import add_ref\n"
        "for n in range(20): add_ref(Path(sys.argv[1]), 'toy', Path(sys.argv[2]), f'{sys.argv[3]}{n}')"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(store), str(made / name), name]) for name in ("one", "two")
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    assert {str(ref) for ref in list_refs(store)} == {f"toy@{name}{n}" for name in ("one", "two") for n in range(20)}
    assert [path.name for path in (store / ".tmp").iterdir()] == []


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", ".hidden", "a b", "a@b", "x" * 65, "trailing.", "ünder"])
def test_a_name_is_one_plain_word(made: Path, store: Path, name: str) -> None:
    """Nothing is written outside of the store, nor inside."""
    with pytest.raises(UserError, match="is no name of a"):
        add_ref(store, name, made / "one")
    with pytest.raises(UserError, match="is no name of a"):
        add_ref(store, "toy", made / "one", name)
    assert not store.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("toi@v1", "has no dataset 'toi'; near: toy"),
        ("toy@v7", "toy has no version 'v7'; there are v1, v2, latest"),
        ("../toy@v1", "'../toy' is no name of a dataset"),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(made: Path, store: Path, text: str, message: str) -> None:
    add_ref(store, "toy", made / "one")
    add_ref(store, "toy", made / "two")
    with pytest.raises(UserError) as error:
        resolve_ref(store, text)
    assert message in str(error.value)


def test_a_dataset_that_is_gone_or_another_one_is_not_resolved(made: Path, store: Path) -> None:
    """The id in the manifest decides, not the folder's name."""
    place = Path(shutil.copytree(made / "one", store.parent / "there"))
    add_ref(store, "toy", place)
    shutil.rmtree(place)
    with pytest.raises(UserError, match=r"no longer at .*there \(there is nothing\); `refs add toy DIR --as v1`"):
        resolve_ref(store, "toy")
    shutil.copytree(made / "two", place)
    with pytest.raises(UserError, match=r"there is ds_"):
        resolve_ref(store, "toy")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("refs.json", '{"v1": "ds_../../etc"}'),
        ("refs.json", '{"latest": "v9"}'),
        ("refs.json", "[1]"),
        ("refs.json", "{"),
        ("places.json", '{"v1": "/etc"}'),
    ],
)
def test_a_damaged_store_is_said_not_believed(made: Path, store: Path, file: str, text: str) -> None:
    add_ref(store, "toy", made / "one")
    (store / "datasets/toy" / file).write_text(text)
    with pytest.raises(UserError, match=file):
        resolve_ref(store, "toy")


def test_commands_take_names(made: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a dataset is asked for; a folder of that name wins, and what is written is never one."""
    assert main(["refs", "add", "toy", str(made / "one")]) == 0
    assert main(["refs", "add", "toy", str(made / "two")]) == 0
    capsys.readouterr()
    assert main(["info", "toy@v1"]) == 0
    assert capsys.readouterr().out.startswith(f"folder      {made / 'one'}\n")
    assert main(["select", "toy@latest", "--where", "world = 1", "--out", str(tmp_path / "chosen")]) == 0
    assert main(["diff", "toy@v1", "toy@v2"]) == 1
    assert main(["refs", "resolve", "toy"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(made / "two")
    assert main(["info", "toy@v3"]) == 2
    assert main(["--store", str(tmp_path / "none"), "info", "toy@v1"]) == 2
    assert "`refs add NAME DIR` gives a dataset a name" in capsys.readouterr().err


def test_a_folder_that_looks_like_a_version_is_a_folder(
    made: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_ref(store, "toy", made / "one")
    monkeypatch.chdir(tmp_path)
    assert dataset_path(Path("toy@v1")) == made / "one"
    (tmp_path / "toy@v1").mkdir()
    assert dataset_path(Path("toy@v1")) == Path("toy@v1")
    assert dataset_path(Path("some/toy@v9")) == Path("some/toy@v9")


def test_a_listing_says_what_is_gone(made: Path, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and as JSON."""
    place = Path(shutil.copytree(made / "one", store.parent / "there"))
    add_ref(store, "toy", place)
    assert main(["refs", "list"]) == 0
    shutil.rmtree(place)
    assert main(["refs", "list"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("latest  NOT THERE")
    assert main(["refs", "list", "--json", "--store", str(store)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "refs/1"
    assert [(row["version"], row["latest"], row["there"]) for row in found["refs"]] == [("v1", True, False)]


def test_only_complete_datasets_have_names(store: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is not a complete dataset"):
        add_ref(store, "toy", tmp_path / "empty")


@pytest.mark.parametrize(
    ("name", "words", "option"),
    [
        ("shift", ["A", "--real", "toy@v1"], "real"),
        ("card", ["A", "--since", "toy@v1"], "since"),
        ("view", ["A", "--compare", "toy@v1"], "compare"),
        ("duplicates", ["A", "--holdout", "toy@v1"], "holdout"),
    ],
)
def test_options_that_name_a_dataset_take_a_version(
    made: Path, store: Path, name: str, words: list[str], option: str
) -> None:
    add_ref(store, "toy", made / "one")
    parser = argparse.ArgumentParser()
    module = import_module(f"engine.dataset.{name}")
    module.add_arguments(parser)
    chosen = parser.parse_args(words)
    chosen.named, chosen.store = named_datasets(parser), store
    resolve_names(chosen)
    assert getattr(chosen, option) == made / "one"
