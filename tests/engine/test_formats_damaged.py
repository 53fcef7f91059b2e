"""Readers answer damaged folders with one clear error, whatever is in the files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.errors import UserError
from tests.engine.exporting import exported, read_back
from tests.engine.solid_records import solid_records

FORMATS = ("kitti", "bop", "mot", "nocs", "webdataset", "huggingface", "pointcloud")


def damages(data: bytes) -> Iterator[bytes]:
    """Yield what may become of a file."""
    yield b""
    yield data[: len(data) // 2]
    yield bytes(np.random.default_rng(len(data)).integers(0, 256, 500, np.uint8))
    yield b'[{"0": {"x": []}}, NaN, 1e999]'
    yield data.replace(b"1", b"-9999999999999", 40)
    yield data.replace(b"0", b"nan", 10)


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_an_error_of_the_user_or_none(tmp_path: Path, name: str) -> None:
    """One file of every kind is damaged in turn; what is still read is records, and no other exception comes out."""
    source = solid_records(tmp_path / "source")
    exported(source, name, tmp_path / "good")
    kinds = {path.parent.name + path.suffix + path.name[4:]: path for path in sorted((tmp_path / "good").rglob("*.*"))}
    answers = []
    for path in kinds.values():
        for number, data in enumerate(damages(path.read_bytes())):
            bad = tmp_path / f"{path.name}-{number}"
            shutil.copytree(tmp_path / "good", bad)
            (bad / path.relative_to(tmp_path / "good")).write_bytes(data)
            answers.append(answer(name, bad))
            shutil.rmtree(bad)
    assert "\n" not in "".join(answers)
    assert sum(bool(text) for text in answers) >= 4


def answer(name: str, folder: Path) -> str:
    """Return what a reader complains of; other exceptions pass."""
    try:
        read_back(name, folder)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("nothing")
    with pytest.raises(UserError, match=tmp_path.name):
        read_back(name, tmp_path)


def test_sequences_do_not_lead_out_of_their_folder(tmp_path: Path) -> None:
    exported(solid_records(tmp_path / "source"), "mot", tmp_path / "mot")
    info = tmp_path / "mot/train/w000000_c00/seqinfo.ini"
    info.write_text(info.read_text().replace("imDir=img1", "imDir=../../../source/image"))
    with pytest.raises(UserError, match="not its own"):
        read_back("mot", tmp_path / "mot")


def test_tables_of_other_shapes_are_refused(tmp_path: Path) -> None:
    exported(solid_records(tmp_path / "source"), "bop", tmp_path / "bop")
    for broken in ([1], {"a": {}}, {"1": 3}, "x"):
        (tmp_path / "bop/models/models_info.json").write_text(json.dumps(broken))
        with pytest.raises(UserError, match="models_info"):
            read_back("bop", tmp_path / "bop")
