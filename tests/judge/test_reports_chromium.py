"""Pages of evaluations and audits in a real browser: what is drawn lies where it is, and words of data stay words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.audit.__main__ import main as audit
from engine.evaluate.__main__ import main as evaluate
from engine.write.record import read_json
from tests.engine.picture_sets import picture_set, surface_picture
from tests.judge.browser import Browser

pytestmark = pytest.mark.judge
SIDE, COUNT = 96, 16
EVIL = "<img src=x onerror='window.evil=1'>"
PATCH = (40, 30, 20, 14)  # of every picture: x, y, width and height


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets of bright patches; of the real ones, those of surface 2 are missed, and one alarm is made."""
    folder = tmp_path_factory.mktemp("reports")
    random = np.random.default_rng(2)
    x, y, width, height = PATCH
    mask = np.zeros((SIDE, SIDE), bool)
    mask[y : y + height, x : x + width] = True
    for name in ("real", "drawn"):
        pictures = [np.where(mask, 0.95, 0.4 * surface_picture(random, SIDE)) for _ in range(COUNT)]
        picture_set(folder / name, pictures, [n // 2 for n in range(COUNT)], [mask] * COUNT)
    labels = read_json(folder / "real/labels/coco.json")["annotations"]
    found = [
        {key: one[key] for key in ("image_id", "category_id", "bbox")} | {"score": 0.9}
        for one in labels
        if one["image_id"] not in (5, 6)
    ]
    found.append({"image_id": 9, "category_id": 1, "bbox": [4, 70, 12, 12], "score": 0.7})
    name = f"found {EVIL.replace('/', '')}.json"
    (folder / name).write_text(json.dumps(found))
    slices = {f"dark {EVIL}": {"where": "lum_mean < 0.9", "about": EVIL, "min_support": 2}}
    slices["rare"] = {"where": "i.area_px < 3"}
    (folder / "slices.yaml").write_text(json.dumps(slices))
    words = [str(folder / "real"), str(folder / name), "--slices", str(folder / "slices.yaml"), "--replicates", "50"]
    assert evaluate([*words, "--against", str(folder / name), "--out", str(folder / "report")]) == 0
    shutil.copytree(folder / "drawn", folder / f"drawn {EVIL}")
    words = ["page", str(folder / "report"), "--synthetic", str(folder / f"drawn {EVIL}"), "--side", "32"]
    assert audit([*words, "--out", str(folder / "audit")]) == 0
    return folder


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.fixture(params=["report/evaluation.html", "audit/audit.html"])
def page(request: pytest.FixtureRequest, window: Browser, folder: Path) -> Iterator[Browser]:
    """Each page as it is opened first; the console stays empty, and nothing is loaded beside it."""
    window.open(Path("/dev/null"))
    window.messages()
    window.open(folder / request.param)
    yield window
    assert window.messages() == []


def test_words_of_data_stay_words(page: Browser) -> None:
    """No script of theirs runs, no picture of theirs is made, and they are read as they are written."""
    assert page.run("return window.evil === undefined")
    assert page.run("return document.scripts.length") == 0
    assert page.run("return [...document.images].every((i) => i.src.startsWith('data:') && i.naturalWidth > 0)")
    assert "onerror='window.evil=1'" in page.run("return document.body.textContent")
    loaded = page.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert [name for name in loaded if not name.startswith(("file:", "data:"))] == []


def test_the_page_fits_the_window(page: Browser) -> None:
    """Nothing is scrolled sideways but tables in a frame of their own, at the width of a desk and of a telephone."""
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")
    page.run("document.body.style.width = '400px'")  # a style of ours: the policy is about what the page brings
    wide = page.run(
        "return [...document.querySelectorAll('figure')].filter((f) => f.scrollWidth > f.clientWidth).length"
    )
    assert wide == 0


def test_intervals_are_drawn_where_they_are(window: Browser, folder: Path) -> None:
    """Recall and its bar against the report, by the places of the elements."""
    window.open(folder / "report/evaluation.html")
    figure = read_json(folder / "report/evaluation.json")["slices"][0]["figures"]["recall"]
    left, right, dot, start, width = window.run("""
        const svg = document.querySelector('table.slices svg.bar'), at = (e) => e.getBoundingClientRect();
        const bar = at(svg.querySelector('.spread')), dot = at(svg.querySelector('.value'));
        return [bar.left, bar.right, (dot.left + dot.right) / 2, at(svg).left, at(svg).width];""")
    for place, value in ((left, figure["low"]), (right, figure["high"]), (dot, figure["value"])):
        assert (place - start - 4) / (width - 8) == pytest.approx(value, abs=0.02)
    assert window.run("return document.querySelector('td.insufficient').textContent").startswith("insufficient: ")
    assert window.run("return [...document.querySelectorAll('span.open')].length") > 0


def test_worst_pictures_have_their_marks(window: Browser, folder: Path, tmp_path: Path) -> None:
    """The box of a miss is where the bright patch is; all pictures with a miss or an alarm are there."""
    window.open(folder / "report/evaluation.html")
    assert window.run("return document.querySelectorAll('.worst figure').length") == 3
    share = patch_share(window, tmp_path, ".worst figure .picture", ".shape.missed")
    assert share > 0.9
    kinds = window.run("return [...document.querySelectorAll('.worst figure')].map((f) => f.textContent)")
    assert sum("1 missed, 0 false alarms" in one for one in kinds) == 2
    assert sum("0 missed, 1 false alarms" in one for one in kinds) == 1


def test_failures_of_an_audit_have_neighbours_and_labels(window: Browser, folder: Path, tmp_path: Path) -> None:
    """Three synthetic and three real ones at either level; a label is drawn where the patch is, and goes away."""
    window.open(folder / "audit/audit.html")
    plain = read_json(folder / "audit/audit.json")
    ids = window.run("return [...document.querySelectorAll('section')].map((s) => s.id)")
    assert ids == [one["id"] for one in plain["failures"]]
    assert sorted(ids) == ["alarm-8-2", "missed-4-1", "missed-5-1"]
    counts = window.run("return [...document.querySelectorAll('.row > .lane > .row')].map((r) => r.children.length)")
    assert counts == [1, 3, 3] * 6
    assert patch_share(window, tmp_path, "section figure.failure .picture", ".o-failed") > 0.9
    titles = window.run("return [...document.querySelectorAll('.o-own title')].map((t) => t.textContent)")
    assert set(titles) == {"crack"}
    shown = window.run("return getComputedStyle(document.querySelector('figure.failure svg')).opacity")
    place = window.run("const b = document.querySelector('figure.failure .picture').getBoundingClientRect();"
                       "return [b.left + 20, b.top + 20]")  # fmt: skip
    window.drag(place, place)
    assert (shown, window.run("return getComputedStyle(document.querySelector('figure.failure svg')).opacity")) == (
        "1",
        "0",
    )


def test_columns_open_and_failures_are_linked(window: Browser, folder: Path) -> None:
    """Without a script: by the browser alone."""
    window.open(folder / "audit/audit.html")
    assert not window.run("return document.querySelector('details').open")
    window.click("summary")
    assert window.run("return document.querySelector('details').open")
    names = window.run(
        "return [...document.querySelectorAll('details table tr td:first-child')].map((t) => t.textContent)"
    )
    assert {"crop.noise", "ring_cnr", "lum_mean", "area_px"} <= set(names)
    links = window.run("return [...document.querySelectorAll('li a')].map((a) => a.getAttribute('href'))")
    assert all(window.run(f"return document.getElementById({json.dumps(one[1:])}) !== null") for one in links)


def patch_share(window: Browser, tmp_path: Path, picture: str, shape: str) -> float:
    """Return how much of a shape on the first such picture is bright on the screen, its line left out."""
    window.run(f"document.querySelector({json.dumps(picture)}).scrollIntoView()")
    left, top, right, bottom = window.run(f"""
        const room = document.querySelector({json.dumps(picture)});
        const b = room.querySelector({json.dumps(shape)}).getBoundingClientRect();
        return [b.left, b.top, b.right, b.bottom];""")
    window.screenshot(tmp_path / "window.png")
    pixels = np.asarray(Image.open(tmp_path / "window.png").convert("L"))
    inside = pixels[round(top) + 4 : round(bottom) - 4, round(left) + 4 : round(right) - 4]
    assert inside.size > 400
    return float((inside > 180).mean())
