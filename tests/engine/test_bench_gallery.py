"""The script of the gallery makes pictures and a page that says how."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from bench.gallery import __main__ as gallery
from bench.gallery.sheet import depth_colors, id_colors, tiled
from bench.gallery.still_life import ball_mesh, pawn_mesh, ring_mesh
from engine.render.opacity import is_closed

ROOT = Path(__file__).resolve().parents[2]


def test_sheets_are_made_and_a_page_keeps_those_that_were_there(tmp_path: Path) -> None:
    """Made one at a time, in any order, the page has both, with the command line that makes the second."""
    for name in ("surround", "balls"):
        assert gallery.main(["--quick", "--out", str(tmp_path), "--only", name]) == 0
    sections = gallery.sections_of(tmp_path / "README.md")
    assert list(sections) == ["balls", "surround"]
    assert "python -m engine.run +scene=warehouse" in sections["surround"]
    for name in sections:
        picture = np.asarray(Image.open(tmp_path / f"{name}.jpg")).astype(float)
        assert picture.std() > 10.0, f"{name} shows nothing"


def test_the_page_in_docs_has_every_sheet_and_is_small() -> None:
    folder = ROOT / "docs" / "gallery"
    assert list(gallery.sections_of(folder / "README.md")) == list(gallery.SHEETS)
    assert {path.stem for path in folder.glob("*.jpg")} == set(gallery.SHEETS)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000


def test_turned_shapes_are_closed_bodies() -> None:
    """Glass bends light only in these."""
    assert [is_closed(mesh) for mesh in (ball_mesh(0.1), ring_mesh(0.1, 0.02), pawn_mesh())] == [True] * 3


def test_false_colours_show_what_is_not_there_as_black() -> None:
    depth = np.array([[np.inf, 0.0, 1.0, 9.0]], np.float32)
    colors = depth_colors(depth, low_m=1.0, high_m=10.0)
    assert colors[0, :2].tolist() == [[0, 0, 0]] * 2
    assert colors[0, 2, 0] > colors[0, 2, 2]  # near is red
    assert colors[0, 3, 2] > colors[0, 3, 0]  # far is blue


def test_neighbouring_ids_have_different_colours() -> None:
    colors = id_colors(np.arange(64, dtype=np.int32)).astype(int)
    assert np.abs(np.diff(colors, axis=0)).sum(axis=1).min() > 60


def test_tiles_keep_their_pixels() -> None:
    picture = np.full((20, 30, 3), 200, np.uint8)
    assert (tiled([("one", picture), ("two", picture)], columns=2) == 200).all(axis=-1).sum() >= 2 * 600
