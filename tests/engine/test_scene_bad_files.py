"""Bad files end in one clear error or a reported repair, in bounded time; see `bad_cases` for every kind."""

from __future__ import annotations

import random
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine.scene import Scene, SceneError, SceneOptions, load_scene
from tests.engine.bad_cases import CASES
from tests.engine.bad_files import Bad, crate

CHILD = SceneOptions(sandbox="true", sandbox_seconds=60.0)
IN_CHILD = ("truncated", "reference to /etc/passwd", "eight levels of ten references", "points nan", "texture missing")


def answer(path: Path, options: SceneOptions) -> Scene | str:
    """Return the scene, or the one line that is said instead."""
    try:
        return load_scene(path, options)
    except SceneError as error:
        return str(error)


def check(bad: Bad, found: Scene | str) -> None:
    """Assert that a file is answered as its row says, and that nothing unusable is left in the scene."""
    if isinstance(found, str):
        assert bad.error, found
        assert re.search(bad.error, found), found
        assert "\n" not in found
        return
    lines = [f"{note.level}: {note.what}" for note in found.notes]
    assert not bad.error, lines
    assert not bad.note or any(re.search(bad.note, line) for line in lines), lines
    assert bad.meshes in (None, len(found.meshes))
    for mesh in found.meshes:
        assert np.isfinite(mesh.points_m).all()
        assert mesh.triangle.size == 0 or 0 <= mesh.triangle.min() <= mesh.triangle.max() < len(mesh.points_m)
    assert np.isfinite(found.placements.world_from_mesh).all()


@pytest.mark.parametrize("name", CASES)
def test_a_bad_file_is_one_line_or_a_reported_repair(tmp_path: Path, name: str) -> None:
    """Every row of the table, read in this process: no exception of another kind, no endless wait."""
    check(CASES[name], answer(CASES[name].make(tmp_path), SceneOptions()))


@pytest.mark.parametrize("name", IN_CHILD)
def test_a_child_process_answers_alike(tmp_path: Path, name: str) -> None:
    """The line or the load report is the same, whoever read the file."""
    path = CASES[name].make(tmp_path)
    here, there = answer(path, SceneOptions()), answer(path, CHILD)
    if isinstance(here, str):
        assert there == here
    else:
        assert isinstance(there, Scene)
        assert there.notes == here.notes


@pytest.mark.slow
def test_damaged_binary_files_never_end_the_program(tmp_path: Path) -> None:
    """Bits turned over and ends cut off at random places: USD itself aborts on some, this process on none."""
    data, draw, files = crate(tmp_path), random.Random(5), []
    for number in range(24):
        damaged = bytearray(data)
        for _ in range(draw.choice((1, 2, 16))):
            damaged[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path = tmp_path / f"{number}.usdc"
        path.write_bytes(damaged if number % 4 else damaged[: draw.randrange(len(data))])
        files.append(path)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda path: answer(path, CHILD), files))
    for path, each in zip(files, found, strict=True):
        assert isinstance(each, Scene) or (path.name in each and "\n" not in each)
    assert sum(isinstance(each, str) for each in found) > len(files) // 2  # most damage is noticed


def test_the_manual_lists_every_kind(root: Path) -> None:
    """docs/safety.md has a row for each bad file, and none for another."""
    text = (root / "docs" / "safety.md").read_text("utf-8")
    section = text.split("## Bad files", 1)[1].split("\n## ", 1)[0]
    rows = {line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")}
    assert rows - {"file", "---"} == set(CASES)
