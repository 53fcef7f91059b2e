"""The page of ten thousand frames in a real browser, opened from the disk: filters, thumbnails, labels, keyboard."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.query import frames_where, open_index
from engine.view.gallery.build import Options, build_gallery
from engine.view.gallery.source import Shown
from tests.judge.browser import Browser
from tests.judge.many_frames import EVIL, HEIGHT, WIDTH, box_of, many_frames

pytestmark = pytest.mark.judge
FRAMES = 10_000
MOST_NODES = 1_200  # of which the columns' names are some; all frames would be 30,000


@dataclass(frozen=True)
class Gallery:
    shown: Shown
    page: Path


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    folder = tmp_path_factory.mktemp("gallery")
    shown = many_frames(folder / "set", FRAMES)
    return Gallery(shown, build(shown, None, folder / "view"))


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.fixture
def browser(window: Browser, gallery: Gallery) -> Iterator[Browser]:
    """The page as it is opened first; the console stays empty, and nothing but files is loaded."""
    open_page(window, gallery.page)
    window.messages()
    yield window
    assert window.messages() == []
    assert window.run("return window.evil === undefined")
    loaded = window.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert [name for name in loaded if not name.startswith(("file:", "data:"))] == []


def build(shown: Shown, other: Shown | None, out: Path, options: Options | None = None) -> Path:
    out.mkdir()
    build_gallery(shown, other, out, out, options or Options(), lambda count: None)
    return out / "index.html"


def open_page(window: Browser, page: Path, said: dict[str, Any] | None = None) -> None:
    window.open(Path("/dev/null"))  # another address: only the part behind # would change
    fragment = "" if said is None else "#" + "".join(f"%{byte:02x}" for byte in json.dumps(said).encode())
    window.open(page, fragment)
    window.run("return ready")


def order_of(browser: Browser) -> list[int]:
    found: list[int] = browser.run("return [...chosen.order]")
    return found


def selected_by_duckdb(shown: Shown, condition: str) -> list[int]:
    with open_index(shown.out) as connection:
        holds = frames_where(connection, condition, where="test")
    return [frame for frame, (_, is_true) in enumerate(holds) if is_true]


def test_ten_thousand_frames_scroll_with_few_elements(browser: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    """From the first frame to the last; times are said, not judged."""
    opened = browser.run("return performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert browser.run("return element('counts').textContent") == "10,000 frames"
    seen = browser.run("""return new Promise((done) => {
        const room = element('grid'), deltas = []; let last = performance.now(), nodes = 0, n = 0;
        const step = (now) => {
            deltas.push(now - last); last = now;
            nodes = Math.max(nodes, document.querySelectorAll('*').length);
            room.scrollTop = (room.scrollHeight - room.clientHeight) * ++n / 240;
            if (n < 240) requestAnimationFrame(step); else requestAnimationFrame(() => done([nodes, deltas.slice(1)]));
        };
        requestAnimationFrame(step);
    })""")
    nodes, deltas_ms = seen[0], np.array(seen[1])
    with capsys.disabled():
        print(
            f"\nopen {opened:.0f} ms; {nodes} elements at most; scrolling 10,000 frames in 240 steps: median "
            f"{np.median(deltas_ms):.1f} ms, 95th percentile {np.percentile(deltas_ms, 95):.1f} ms, "
            f"longest {deltas_ms.max():.1f} ms"
        )
    assert nodes < MOST_NODES
    labels = browser.run(
        "return grid.cells.filter((c) => !c.cell.hidden).map((c) => c.cell.getAttribute('aria-label'))"
    )
    assert f"frame {FRAMES - 1}" in labels
    shown = browser.run("return grid.cells.find((c) => c.frame === 9999).picture.style.backgroundImage")
    assert shown == 'url("data/thumbs/0099.jpg")'


CASES = [
    {"lum_mean": {"range": [0.25, 0.3]}},
    {"lum_mean": {"range": [0.25, 0.3], "not": True}},
    {"p.lamp.power": {"range": [4.0, 6.0]}},
    {"p.lamp.power": {"missing": True}},
    {"p.lamp.power": {"range": [4.0, 6.0], "missing": True, "not": True}},
    {"p.lamp.tried": {"range": [2, 5]}},
    {"p.lamp.tried": {"missing": True, "not": True}},
    {"p.paint.color[2]": {"range": [0.0, 0.1]}},
    {"p.name.word": {"values": [EVIL, "two;three"]}},
    {"p.name.word": {"values": ["it's", None]}},
    {"p.name.word": {"values": [None], "not": True}},
    {"p.name.word": {"text": "T'S"}},
    {"class": {"values": ["pallet"]}},
    {"class": {"values": [EVIL], "not": True}},
    {"prim_path": {"text": "box_3"}},
    {"depth_m least": {"range": [2.0, 3.0]}, "class": {"values": ["carton"]}},
    {"count of carton": {"range": [1, 1]}, "lum_mean": {"range": [0.5, 1.0]}, "phash": {"text": "77"}},
    {"visible share least": {"range": [0.0, 0.2]}},
    {"area share greatest": {"range": [0.04, 0.05]}},
]


@pytest.mark.parametrize("said", CASES, ids=" ".join)
def test_a_filter_shows_the_frames_that_duckdb_selects(window: Browser, gallery: Gallery, said: dict[str, Any]) -> None:
    """By the condition that the page copies; some frames are in and some are out."""
    open_page(window, gallery.page, {"f": said})
    shown, condition = order_of(window), window.run("return condition()")
    assert 0 < len(shown) < FRAMES
    assert shown == selected_by_duckdb(gallery.shown, condition)


def test_search_is_a_condition_as_well(browser: Browser, gallery: Gallery) -> None:
    browser.run("element('search').focus()")
    browser.press(*"pall")
    browser.wait("chosen.needle === 'pall'")
    shown = order_of(browser)
    assert shown == selected_by_duckdb(gallery.shown, browser.run("return condition()"))
    assert shown == [frame for frame in range(FRAMES) if frame % 4 == 3]
    assert browser.run("return element('counts').textContent") == "2,500 of 10,000 frames"


def test_frames_are_sorted_by_a_column_and_what_is_missing_comes_last(browser: Browser, gallery: Gallery) -> None:
    power = gallery.shown.rows.whole["worlds"]["p.lamp.power"].to_numpy()  # type: ignore[attr-defined]
    for is_down in (False, True):
        browser.run(f"chosen.sort = 'p.lamp.power'; chosen.down = {str(is_down).lower()}; return refresh()")
        wanted = sorted(range(FRAMES), key=lambda i: (np.isnan(power[i]), (-power[i] if is_down else power[i]), i))
        known = int((~np.isnan(power)).sum())
        found = order_of(browser)
        assert found[:known] == wanted[:known]
        assert found[known:] == np.flatnonzero(np.isnan(power)).tolist()


def test_a_range_is_brushed_with_the_pointer_and_moved_with_the_keys(browser: Browser) -> None:
    plot = "document.querySelector('[data-column=lum_mean] canvas')"
    left, top = browser.run(f"const b = {plot}.getBoundingClientRect(); return [b.left, b.top]")
    browser.drag((left + 70, top + 30), (left + 130, top + 40))
    browser.wait("filters.has('lum_mean')")
    low, high = browser.run("return filters.get('lum_mean').range")
    assert 0.25 <= low < 0.27
    assert 0.49 < high <= 0.51
    browser.run(f"{plot}.focus()")
    browser.press("ArrowRight", "ArrowRight")
    browser.wait(f"Math.abs(filters.get('lum_mean').range[0] - {low + 0.05}) < 0.002")
    browser.run("return ready")
    browser.press("Delete")
    browser.wait("!filters.has('lum_mean') && chosen.order.length === main.count")


def test_a_link_shows_the_same_frames_and_the_same_frame(browser: Browser, gallery: Gallery, window: Browser) -> None:
    browser.run("filters.set('lum_mean', {range: [0.1, 0.2]}); chosen.sort = 'blur_lap'; return refresh()")
    before = order_of(browser)
    browser.run(f"return openFrame({before[3]})")
    fragment = browser.run("return location.hash")
    window.open(Path("/dev/null"))
    window.open(gallery.page, fragment)
    window.run("return ready")
    assert order_of(window) == before
    assert window.run("return [stage.index, element('place').textContent]") == [before[3], f"4 / {len(before)}"]


@pytest.mark.parametrize("fragment", ["#rubbish", "#%7B", "#%22a%22", "#null", "#%7B%22f%22:%7B%22lum_mean%22:3%7D%7D"])
def test_an_address_that_is_none_of_ours_shows_everything(window: Browser, gallery: Gallery, fragment: str) -> None:
    window.open(Path("/dev/null"))
    window.open(gallery.page, fragment)
    window.run("return ready")
    assert window.run("return chosen.order.length") == FRAMES


def pixels_at(browser: Browser, places: list[tuple[float, float]]) -> list[list[int]]:
    """Return colours of the labels' canvas at places of the frame [px]."""
    found: list[list[int]] = browser.run(f"""
        const pane = stage.panes[0], at = pane.at(), ratio = devicePixelRatio;
        const copy = new OffscreenCanvas(pane.canvas.width, pane.canvas.height);
        const pen = copy.getContext("2d", {{willReadFrequently: true}}); pen.drawImage(pane.canvas, 0, 0);
        return {json.dumps(places)}.map(([x, y]) => [...pen.getImageData(
            Math.floor((at.x + x * at.scale) * ratio), Math.floor((at.y + y * at.scale) * ratio), 1, 1).data]);""")
    return found


def test_labels_are_drawn_where_they_are(browser: Browser) -> None:
    """Inside of a mask its tint, on the border of its box the colour of its class, elsewhere nothing."""
    frame = 4_003
    browser.run(f"return openFrame({frame})")
    browser.run("marks.on = new Set(['masks']); drawPanes()")
    boxes = [box_of(frame, number) for number in range(3)]
    colors = browser.run("return main.head.classes.map((c) => c.color)")
    for (x, y, width, height), color in zip(boxes, colors, strict=True):
        inside, left, below = pixels_at(
            browser, [(x + width / 2, y + height / 2), (x - 0.5, y + 2), (x + 2, y + height + 0.5)]
        )
        assert inside[3] == pytest.approx(102, abs=2)
        assert np.abs(np.array(inside[:3]) - color).max() <= 3
        assert left[3] == below[3] == 0
    browser.run("marks.on = new Set(['boxes']); drawPanes()")
    for (x, y, width, height), color in zip(boxes, colors, strict=True):
        edges = [(x, y + height / 2), (x + width, y + height / 2), (x + width / 2, y), (x + width / 2, y + height)]
        for pixel in pixels_at(browser, edges):  # lines are 1.6 pixels wide
            assert np.abs(np.array(pixel[:3]) - color).max() <= 4
            assert pixel[3] >= 100
        assert pixels_at(browser, [(x + width / 2, y + height / 2)])[0][3] == 0
    browser.run("marks.on = new Set(['points']); drawPanes()")
    x, y, *_ = boxes[1]
    seen, hidden = pixels_at(browser, [(x + 2, y + 2), (x + 6, y + 10)])
    assert np.abs(np.array(seen) - [*colors[1], 255]).max() <= 3
    assert hidden == [0, 0, 0, 255]


def test_zoom_keeps_the_labels_on_the_picture(browser: Browser) -> None:
    frame = 4_003
    browser.run(f"return openFrame({frame})")
    browser.run("marks.on = new Set(['masks']); zoomBy(4); eye.x = 0.4; eye.y = 0.4; drawPanes()")
    x, y, width, height = box_of(frame, 1)
    inside, outside = pixels_at(browser, [(x + width - 1.5, y + height / 2), (x + width + 0.3, y + height / 2)])
    assert inside[3] > 0
    assert outside[3] == 0
    shape = browser.run("const b = stage.panes[0].picture.getBoundingClientRect(); return b.width / b.height")
    assert shape == pytest.approx(WIDTH / HEIGHT, rel=1e-3)


def test_everything_works_by_the_keyboard(browser: Browser) -> None:
    """Tab goes through the controls to the thumbnails; arrows, Enter and Escape there; ? shows the keys."""
    browser.run("document.activeElement.blur()")
    reached = []
    for _ in range(60):
        browser.press("Tab")
        reached.append(browser.run("const a = document.activeElement; return a.id || a.className || a.tagName"))
        visible = browser.run("return getComputedStyle(document.activeElement).outlineStyle")
        assert visible != "none", reached[-1]
        if reached[-1] == "grid":
            break
    assert {"search", "sort", "direction", "show-sql", "column-search", "name", "grid"} <= set(reached)
    columns = browser.run("return grid.columns")
    browser.press("ArrowRight", "ArrowDown", "Enter")
    browser.wait("stage.frame")
    assert browser.run("return [stage.index, document.activeElement.id]") == [columns + 1, "close"]
    browser.press("ArrowRight", "ArrowRight", "ArrowLeft")
    browser.wait(f"stage.frame.index === {columns + 2}")
    browser.press("End")
    browser.wait(f"stage.frame.index === {FRAMES - 1}")
    browser.press("?")
    assert browser.run("return element('help').open")
    browser.press("Escape")
    assert browser.run("return [element('help').open, stage.index]") == [False, FRAMES - 1]
    before = browser.run("return [...marks.on].includes('masks')")
    browser.press("1")
    assert browser.run("return [...marks.on].includes('masks')") is not before
    browser.press("Escape")
    state = "return [stage.index, element('view').hidden, document.activeElement.id, grid.active]"
    assert browser.run(state) == [None, True, "grid", FRAMES - 1]
    browser.press("Home", "/")
    assert browser.run("return document.activeElement.id") == "search"


def test_things_are_pointed_at_and_held_and_their_columns_shown(browser: Browser) -> None:
    frame = 4_003
    browser.run(f"return openFrame({frame})")
    x, y, width, height = box_of(frame, 2)
    left, top = browser.run(f"""const b = stage.panes[0].room.getBoundingClientRect(), at = stage.panes[0].at();
        return [b.left + at.x + {x + width / 2} * at.scale, b.top + at.y + {y + height / 2} * at.scale]""")
    browser.drag((left, top), (left, top))
    assert browser.run("return stage.held.row.inst_id") == 3
    assert "Pallet" in browser.run("return element('thing-title').textContent")
    names = browser.run("return [...element('thing').querySelectorAll('th')].map((e) => e.textContent)")
    assert {"inst_id", "prim_path", "bbox", "area_px", "depth_m", "occlusion"} <= set(names)
    assert {"lum_mean", "phash", "p.lamp.power", "p.paint.color"} <= set(
        browser.run("return [...element('facts').querySelectorAll('th')].map((e) => e.textContent)")
    )
    browser.press("Escape")
    assert browser.run("return [stage.held, stage.index]") == [None, frame]
    browser.click("#classes button[data-class='3']")
    assert browser.run("return stage.frame.things.filter(isShown).length") == 2
    browser.press("a")
    assert browser.run("return stage.frame.things.filter(isShown).length") == 3


def test_names_are_text_wherever_they_appear(browser: Browser) -> None:
    """A script in names of a dataset, a class, a prim and a drawn word; every column open, the SQL shown."""
    browser.run("return (async () => { for (const c of main.head.columns) await toggleColumn(c.name, true); })()")
    assert EVIL in browser.run("return itemOf('class').textContent")
    assert EVIL in browser.run("return itemOf('p.name.word').textContent")
    assert browser.run("return element('title').textContent") == f"many {EVIL}"
    browser.run(
        "const word = main.columns.get('p.name.word').words.find((w) => w.includes('evil'));"
        "return setFilter('p.name.word', {values: [word]})"
    )
    browser.run("return showCondition()")
    assert "evil=3" in browser.run("return element('condition').value")
    browser.press("Escape")
    browser.run("return openFrame(4)")
    browser.run("return openFrame(4002)")
    assert EVIL in browser.run("return element('view').textContent")
    assert browser.run(
        "return [document.querySelectorAll('img').length, document.querySelectorAll('#columns script').length]"
    ) == [2, 0]
    browser.wait("stage.panes[0].picture.naturalWidth === 64")  # whose name must be quoted in an address


def test_the_policy_lets_nothing_in(window: Browser, gallery: Gallery) -> None:
    open_page(window, gallery.page)
    window.messages()
    window.run("const s = document.createElement('script'); s.textContent = 'window.evil = 3'; document.body.append(s)")
    window.run("const i = new Image(); i.src = 'http://127.0.0.1:9/a.png'; document.body.append(i)")
    window.run("document.body.setAttribute('onclick', 'window.evil = 4'); document.body.click()")
    window.wait("true")
    said = window.messages()
    assert sum("Content Security Policy" in line for line in said) >= 3, said
    assert window.run("return window.evil === undefined")


def test_a_data_file_that_is_gone_is_said(window: Browser, tmp_path: Path) -> None:
    shown = many_frames(tmp_path / "set", 40)
    page = build(shown, None, tmp_path / "view")
    shutil.rmtree(tmp_path / "view/data/labels")
    open_page(window, page)
    window.run("openFrame(3)")
    window.wait("element('status').textContent.includes('labels/0.js is not there')")
    window.messages()


def test_two_versions_of_a_world_stand_side_by_side(window: Browser, tmp_path: Path) -> None:
    """Zoom is shared; the difference of equal pictures is black, that of others is not."""
    first, second = many_frames(tmp_path / "a", 30), many_frames(tmp_path / "b", 25)
    Image.new("RGB", (WIDTH, HEIGHT), (255, 255, 255)).save(next((second.out / "images").glob("003*")))
    open_page(window, build(first, second, tmp_path / "view"))
    window.messages()
    window.run("marks.on.clear(); return openFrame(2)")
    assert window.run("return stage.panes.map((p) => p.frame.row.world)") == [2, 2]
    window.run("zoomBy(3); shift(0.2, 0)")
    assert window.run("const [a, b] = stage.panes.map((p) => p.at()); return a.scale === b.scale && a.x === b.x")
    window.run("zoomBy(0)")
    window.press("d")
    dark = []
    for frame in (2, 3):
        window.run(f"return openFrame({frame})")
        window.wait("[stage.panes[0].picture, stage.panes[0].under].every((i) => i.complete)")
        window.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        window.screenshot(tmp_path / "window.png")
        x, y = window.run(
            "const b = stage.panes[0].room.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]"
        )
        dark.append(np.array(Image.open(tmp_path / "window.png").convert("RGB"))[round(y), round(x)].max())
    assert dark[0] == 0
    assert dark[1] > 60
    window.press("f", "f")
    assert window.run("return [stage.mode, stage.mix]") == ["blend", 1]
    window.run("return openFrame(27)")
    assert window.run("return stage.partner") is None
    window.run("return toggleColumn('lum_mean', true)")
    assert window.messages() == []


def test_a_real_frame_stands_beside_its_nearest_synthetic_one(window: Browser, tmp_path: Path) -> None:
    real, drawn = many_frames(tmp_path / "a", 20, origin="real"), many_frames(tmp_path / "b", 30)
    open_page(window, build(real, drawn, tmp_path / "view"))
    window.run("return openFrame(7)")
    title = window.run("return stage.panes[1].title.textContent")
    assert "nearest, distance" in title
    assert window.run("return stage.partner.index") == window.run("return partners.partner[7]")
    window.run("return setFilter('distance to the nearest', {range: [0, partners.distance.toSorted()[4]]})")
    shown = order_of(window)
    assert len(shown) == 5
    assert shown == selected_by_duckdb(real, window.run("return condition()"))
