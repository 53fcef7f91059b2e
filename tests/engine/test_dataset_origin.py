"""Which program made a dataset: the hash of its sources, and what follows for extending and for rendering again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine._layout import data_root, kernels_folder
from engine.dataset.contents import read_contents
from engine.dataset.regenerate import compare
from engine.errors import ForeignOutput
from engine.provenance import hash_sources, source_sha256
from engine.write.begin import HEADER, check_same, first_difference
from engine.write.plan import Provenance
from engine.write.record import Build, read_header
from tests.engine.toy_dataset import BUILD, ENVIRONMENT, make_toy, toy_plan

ENGINE = Path(__file__).parents[2] / "engine"


def test_the_sources_of_a_wheel_are_those_of_its_checkout(tmp_path: Path) -> None:
    """kernels/, conf/ and scenes_usd/ lie inside engine/ there, bytecode and native libraries beside their sources."""
    shutil.copytree(ENGINE, tmp_path / "engine")
    for name in ("kernels", "conf", "scenes_usd"):
        shutil.copytree(data_root() / name, tmp_path / "engine" / name)
    (tmp_path / "engine/kernels/native/traverse.o").write_bytes(b"built")
    assert hash_sources(tmp_path / "engine", tmp_path / "engine/kernels") == source_sha256()


@pytest.mark.parametrize("name", ["kernels/native/traverse.cpp", "kernels/shade.py", "engine/randomize/law.py"])
def test_any_change_of_a_source_is_another_program(tmp_path: Path, name: str) -> None:
    """A byte in device code, native or not, or on the host; and a file that moves."""
    shutil.copytree(ENGINE, tmp_path / "engine")
    shutil.copytree(kernels_folder(), tmp_path / "kernels")
    folders = tmp_path / "engine", tmp_path / "kernels"
    assert hash_sources(*folders) == source_sha256()
    path = tmp_path / name
    path.write_bytes(path.read_bytes() + b"\n")
    changed = hash_sources(*folders)
    path.rename(path.with_stem("moved"))
    assert len({source_sha256(), changed, hash_sources(*folders)}) == 3


def test_a_finished_dataset_of_other_sources_is_not_ours(tmp_path: Path) -> None:
    """The running sources are compared, as a run does before it loads anything; exit code 3."""
    make_toy(tmp_path, range(2), toy_plan())
    header = read_header(tmp_path / HEADER)
    with pytest.raises(
        ForeignOutput, match=rf"\(cdcdcdcd, these are {source_sha256()[:8]}\); choose another"
    ) as caught:
        check_same(tmp_path, header, recipe_id=header.recipe_id, engine_version=header.engine_version)
    assert caught.value.exit_code == 3
    ours = replace(header, source_sha256=source_sha256())
    check_same(tmp_path, ours, recipe_id=header.recipe_id, engine_version=header.engine_version)


def test_the_first_different_key_of_two_recipes_is_named() -> None:
    """In sorted order, with both values, shortened."""
    there = {"rig": {"spp": 4, "width": 48}, "seed": 7, "write": {}}
    assert first_difference(there, there) == ""
    assert first_difference(there, {**there, "seed": 8, "write": 1}) == "seed is 7 there and 8 here"
    here = {**there, "rig": {"spp": 4}, "seed": 8}
    assert first_difference(there, here) == "rig.width is 48 there and absent here"
    assert len(first_difference({"assets": ["a" * 999]}, {"assets": []})) < 100


@pytest.mark.parametrize(
    "build",
    [replace(BUILD, source_sha256="ef" * 32), replace(BUILD, warp="1.20.0"), replace(BUILD, numpy="2.4.0")],
    ids=["sources", "warp", "numpy"],
)
def test_bytes_are_compared_only_where_the_same_program_ran(tmp_path: Path, build: Build) -> None:
    """Other sources are no fault of the dataset; another commit or Python with the same sources is the same program."""
    make_toy(tmp_path / "one", range(2), toy_plan())
    make_toy(tmp_path / "other", range(2), toy_plan(build=build))
    again = compare(read_contents(tmp_path / "one")[0], read_contents(tmp_path / "other")[0], (0, 1))
    assert (again.same_machine, again.faults) == (False, ())
    assert again.same_sources == (build.source_sha256 == BUILD.source_sha256)
    assert ("other sources" in str(again)) != again.same_sources
    plan = toy_plan(build=replace(BUILD, commit="ffff", dirty=True))
    plan = replace(plan, provenance=Provenance(plan.provenance.build, replace(ENVIRONMENT, python="3.12.1")))
    make_toy(tmp_path / "same", range(2), plan)
    assert compare(read_contents(tmp_path / "one")[0], read_contents(tmp_path / "same")[0], (0, 1)).same_machine
