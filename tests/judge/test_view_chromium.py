"""The page of labels in a real browser: everything works by mouse and keyboard, and names of data stay text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from engine.dataset.view import view
from tests.engine.view_records import CATEGORIES, EVIL, HEIGHT, WIDTH, view_frames
from tests.judge.browser import Browser

pytestmark = pytest.mark.judge
FRAMES = 5


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("view")
    view(f"toy {EVIL}", CATEGORIES, lambda: view_frames(folder / "pictures", FRAMES), folder / "out")
    with Browser() as window:
        window.open(folder / "out/index.html")
        yield window


@pytest.fixture(autouse=True)
def _first_frame(browser: Browser) -> Iterator[None]:
    """Begin every test at the first frame with all labels; end it without a word on the console."""
    browser.run("state.on = new Set(['masks', 'boxes', 'points', 'names']); state.picture = 'image'; fillOverlays()")
    browser.press("Escape", "a", "Home")
    browser.wait("image && image.complete && layers")
    yield
    assert browser.messages() == []
    assert browser.run("return window.evil === undefined")


def canvas_of(browser: Browser) -> str:
    """Return what the canvas shows, as a hash."""
    return str(browser.run("let h = 0; for (const c of canvas.toDataURL()) h = h * 31 + c.charCodeAt(0) | 0; return h"))


def text_of(browser: Browser, name: str) -> str:
    return str(browser.run(f"return document.getElementById('{name}').textContent"))


def test_every_kind_of_label_has_a_switch_that_changes_the_picture_and_back(browser: Browser) -> None:
    kinds = browser.run("return [...document.querySelectorAll('#overlays button')].map((b) => b.dataset.overlay)")
    assert kinds == ["masks", "amodal", "boxes", "oriented", "solids", "points", "names"]
    browser.run("state.on.clear(); fillOverlays(); draw()")
    bare = canvas_of(browser)
    seen = {bare}
    for number, kind in enumerate(kinds):
        browser.click(f"#overlays button[data-overlay={kind}]")
        seen.add(canvas_of(browser))
        assert browser.run(f"return document.querySelector('[data-overlay={kind}]').ariaPressed") == "true"
        browser.press(str(number + 1))
        assert canvas_of(browser) == bare, kind
    assert len(seen) == 1 + len(kinds)


def test_the_keyboard_walks_through_the_frames_and_stops_at_the_ends(browser: Browser) -> None:
    first = canvas_of(browser)
    for keys, number in ((("ArrowLeft",), 1), (("ArrowRight", "ArrowRight"), 3), (("End", "ArrowRight"), FRAMES)):
        browser.press(*keys)
        browser.wait("image.complete && layers")
        assert text_of(browser, "count") == f"{number} / {FRAMES}"
    assert browser.run("return frame.instances.length") == 0  # the last is empty and has no picture
    browser.press("Home")
    browser.wait("image.complete && layers")
    assert canvas_of(browser) == first


def test_pictures_of_other_files_are_shown(browser: Browser) -> None:
    names = browser.run("return [...document.querySelectorAll('#pictures button')].map((b) => b.textContent)")
    assert names == ["image", "depth", "flow forward"]
    shown = []
    for _ in range(4):
        shown.append(canvas_of(browser))
        browser.press("p")
        browser.wait("drawn === image")
    assert len(set(shown[:3])) == 3
    assert shown[3] == shown[0]


def test_classes_are_filtered_and_the_table_says_so(browser: Browser) -> None:
    everything = canvas_of(browser)
    count = browser.run("return frame.instances.filter((i) => i.class === 0).length")
    browser.click("#classes button[data-class='0']")
    assert browser.run("return document.querySelectorAll('#rows tr.off').length") == count > 0
    assert canvas_of(browser) != everything
    browser.press("a")
    assert canvas_of(browser) == everything


def test_an_object_is_held_by_its_row_and_by_a_click_on_it(browser: Browser) -> None:
    everything = canvas_of(browser)
    browser.click("#rows tr:nth-child(2)")
    assert browser.run("return state.held === frame.instances[1]")
    assert canvas_of(browser) != everything
    browser.press("Escape")
    place = browser.run("return decode(frame.instances[3].mask).indexOf(1)")
    x, y = place // HEIGHT, place % HEIGHT
    assert browser.run(f"return objectAt({x} + 0.5, {y} + 0.5) === frame.instances[3]")
    assert browser.run("return objectAt(-5, -5)") is None


def test_masks_are_decoded_as_by_pycocotools(browser: Browser, tmp_path: Path) -> None:
    """Of every instance: its mask, and its silhouette on a canvas of its own."""
    frame = next(view_frames(tmp_path, FRAMES))
    for name in ("mask", "amodal"):
        found = browser.run(f"return frame.instances.map((i) => Array.from(decode(i.{name})).join(''))")
        masks = [i.mask if name == "mask" else i.amodal.mask for i in frame.instances if i.amodal]
        for text, mask in zip(found, masks, strict=True):
            assert mask is not None
            wanted = coco_mask.decode({"size": [mask.height, mask.width], "counts": mask.counts})
            assert np.array_equal(np.array(list(text), np.uint8).reshape(wanted.T.shape).T, wanted)


def test_names_are_text_whatever_they_hold(browser: Browser) -> None:
    """A script and an image as the name of a class, of a dataset and of a prim."""
    assert text_of(browser, "title") == f"toy {EVIL}"
    assert browser.run("return document.querySelectorAll('img, #rows script, aside script').length") == 0
    assert EVIL in browser.run("return document.querySelector('#classes').textContent")
    assert browser.run("return document.querySelector('#rows tr:nth-child(3)').title") == f"/World/{EVIL}"


def test_nothing_but_the_script_of_the_page_may_run_or_load(browser: Browser) -> None:
    """The policy refuses a script and a picture of the network that are put into the page."""
    browser.run(
        "const s = document.createElement('script'); s.textContent = 'window.evil = 3'; document.body.append(s)"
    )
    browser.run("const i = new Image(); i.src = 'http://127.0.0.1:9/a.png'; document.body.append(i)")
    browser.wait("true")
    said = browser.messages()
    assert sum("Content Security Policy" in line for line in said) >= 2, said
    assert browser.run(
        "document.body.lastChild.remove(); document.body.lastChild.remove(); return window.evil === undefined"
    )


def test_the_page_fits_wide_and_narrow_windows(browser: Browser, tmp_path: Path) -> None:
    """The canvas keeps the frame's shape and the page does not scroll sideways."""
    browser.screenshot(tmp_path / "wide.png")
    assert np.array(Image.open(tmp_path / "wide.png").convert("L")).std() > 10
    box = browser.run("const b = canvas.getBoundingClientRect(); return [b.width / b.height, b.right, innerWidth]")
    assert box[0] == pytest.approx(WIDTH / HEIGHT, rel=0.01)
    assert box[1] <= box[2]
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")


def test_arrows_on_the_slider_of_opacity_move_it_and_not_the_frame(browser: Browser) -> None:
    browser.run("element('opacity').focus()")
    browser.press("ArrowRight")
    assert browser.run("return [state.index, element('opacity').value]") == [0, "41"]
    browser.run("element('opacity').value = 40; element('opacity').blur()")
    browser.press("ArrowRight")
    assert browser.run("return state.index") == 1


def test_a_switch_keeps_the_keyboard_when_it_is_pressed(browser: Browser) -> None:
    browser.run("document.querySelector('[data-overlay=boxes]').focus()")
    browser.press(" ", " ", " ")
    state = "return [document.activeElement.dataset.overlay, document.activeElement.getAttribute('aria-pressed')]"
    assert browser.run(state) == ["boxes", "false"]
