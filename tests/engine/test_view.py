"""Contact sheets and the page of labels: what they show follows from the labels, and they need nothing else."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from engine.dataset.__main__ import main
from engine.dataset.verify import verify
from engine.dataset.view import view
from engine.errors import UserError
from engine.formats.record import Frame
from engine.view.color import color_depth, color_flow, color_ids, colorize, draw_wheel, read_values
from engine.view.overlay import decode_mask, draw_overlay, outline_of
from engine.view.page import frame_pictures, inline, write_page
from engine.write.contact_sheet import class_color
from engine.write.encode import encode_png
from tests.engine.toy_dataset import make_toy, toy_plan
from tests.engine.view_records import CATEGORIES, EVIL, HEIGHT, WIDTH, view_frames

BY_KEY = {category.key: category for category in CATEGORIES}
KINDS = ("boxes", "oriented_boxes", "boxes_3d", "masks", "amodal", "keypoints")


def test_a_dataset_is_viewed_beside_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The dataset's own folder stays as it was; a second time replaces the files."""
    make_toy(tmp_path / "out", range(3), toy_plan())
    for _ in range(2):
        assert main(["view", str(tmp_path / "out"), "--single", "--frames", "2"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"look at {tmp_path / 'out-view/index.html'}"
    names = sorted(path.name for path in (tmp_path / "out-view").iterdir())
    sheets = [f"sheet_{kind}.png" for kind in ("boxes", "class_map", "depth", "instance_map", "masks")]
    assert names == ["index.html", *sheets]
    assert verify(tmp_path / "out")[1] == []


def test_a_damaged_dataset_is_one_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture that is gone, and then the rows of a shard."""
    make_toy(tmp_path / "out", range(3), toy_plan())
    for pattern in ("images/*/000001.jpg", "commit/*.instances.parquet"):
        next((tmp_path / "out").glob(pattern)).unlink()
        assert main(["view", str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        assert not (tmp_path / "out-view/index.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--frames", "0"], "--frames 0: name a number"), (["--out", "out/view"], "lies in the dataset")],
)
def test_wrong_arguments_are_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["view", "out", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert main(["view", "nothing"]) == 2


def test_only_an_earlier_view_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with anything else stays as it is, its `.tmp` too; a sheet that is no longer made goes."""
    make_toy(tmp_path / "data", range(2), toy_plan())
    foreign = tmp_path / "out"
    (foreign / ".tmp").mkdir(parents=True)
    kept = [foreign / "thesis.tex", foreign / "index.html", foreign / ".tmp/notes"]
    for file in kept:
        file.write_text("mine")
    assert main(["view", str(tmp_path / "data"), "--out", str(foreign)]) == 2
    assert "holds thesis.tex" in capsys.readouterr().err
    assert [file.read_text() for file in kept] == ["mine"] * 3
    ours = tmp_path / "data-view"
    ours.mkdir()
    (ours / "sheet_flow_forward.png").write_bytes(b"old")
    assert main(["view", str(tmp_path / "data")]) == 0
    assert not (ours / "sheet_flow_forward.png").exists()


def test_every_kind_of_label_has_a_sheet_of_its_own(tmp_path: Path) -> None:
    written = view("toy", CATEGORIES, lambda: view_frames(tmp_path / "p", 5), tmp_path / "out")
    assert written == (*(f"sheet_{kind}.png" for kind in (*KINDS, "depth", "flow_forward")), "index.html")
    sheets = [np.array(Image.open(tmp_path / "out" / name)) for name in written[:-1]]
    assert len({sheet.tobytes() for sheet in sheets}) == len(sheets)


def test_the_page_names_nothing_outside_of_itself(tmp_path: Path) -> None:
    """No address, no other file, no markup from names; every picture is inlined; the data are those of the records."""
    view(EVIL, CATEGORIES, lambda: view_frames(tmp_path / "p", 3), tmp_path / "out")
    text = (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert not re.findall(r"https?://", text)
    assert set(re.findall(r'(?:src|href)="([^"]*)"', text)) == {"data:,"}
    assert "<script>window" not in text
    assert "onerror" not in re.sub(r"\\u003c.*?\\u003e|&lt;.*?&gt;", "", text)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "default-src 'none'; img-src data:;" in policy.group(1)
    assert "unsafe" not in policy.group(1)
    blocks = re.findall(r'<script type="application/json" class="(frame|pictures)">(.*?)</script>', text)
    frames = [json.loads(data) for kind, data in blocks if kind == "frame"]
    assert [len(frame["instances"]) for frame in frames] == [len(f.instances) for f in view_frames(tmp_path / "p", 3)]
    assert frames[0]["instances"][0]["path"] == f"/World/{EVIL}"
    pictures = [json.loads(data) for kind, data in blocks if kind == "pictures"]
    assert list(pictures[0]) == ["image", "depth", "flow forward"]
    assert all(re.match("data:image/(jpeg|png);base64,", uri) for frame in pictures for uri in frame.values())


def test_two_hundred_frames_are_written_frame_by_frame(tmp_path: Path) -> None:
    """No more than one frame of the page is held at a time."""
    frame = next(view_frames(tmp_path / "p", 2))
    alive = 0

    def frames() -> Iterator[Frame]:
        nonlocal alive
        for _ in range(200):
            alive += 1
            yield frame

    parts = write_page("toy", CATEGORIES, frames())
    for _ in range(4):
        next(parts)
    assert alive == 1


def test_a_box_is_drawn_on_its_border_and_nowhere_else(tmp_path: Path) -> None:
    """At the frame's own size: the first and last row and column of the half-open box, and the name in it."""
    frame = next(view_frames(tmp_path, 2))
    black = Image.new("RGB", (WIDTH, HEIGHT))
    for instance in frame.instances:
        alone = type(frame)(frame.id, WIDTH, HEIGHT, (instance,), {})
        pixels = np.array(draw_overlay("boxes", alone, black, BY_KEY)).any(axis=2)
        x, y, width, height = (round(value) for value in instance.box)
        expected = np.zeros_like(pixels)
        expected[y : y + height, x : x + width] = True
        inner = np.zeros_like(pixels)
        inner[y + 1 : y + height - 1, x + 1 : x + width - 1] = True
        assert not (pixels & ~expected).any()
        assert pixels[expected & ~inner].all()


def test_a_mask_is_tinted_on_its_pixels_alone(tmp_path: Path) -> None:
    frame = next(view_frames(tmp_path, 2))
    for instance in frame.instances:
        assert instance.mask is not None
        mask = decode_mask(instance.mask)
        wanted = coco_mask.decode({"size": [HEIGHT, WIDTH], "counts": instance.mask.counts}) > 0
        assert np.array_equal(mask, wanted)
        alone = type(frame)(frame.id, WIDTH, HEIGHT, (instance,), {})
        pixels = np.array(draw_overlay("masks", alone, Image.new("RGB", (WIDTH, HEIGHT)), BY_KEY))
        assert np.array_equal(pixels.any(axis=2), mask)
        color = class_color(BY_KEY[instance.category].id)
        assert (pixels[outline_of(mask)] == color).all()


def test_depth_is_warm_where_near_and_paper_where_nothing_is() -> None:
    depth_m = np.array([[1.0, 8.0, np.inf, 0.0, np.nan]], np.float32)
    near, far, nothing, zero, unknown = color_depth(depth_m)[0].astype(int)
    assert near[0] > near[2]
    assert far[2] > far[0]
    assert (nothing == zero).all()
    assert (nothing == unknown).all()


def test_flow_to_the_right_is_red_and_no_flow_is_white() -> None:
    flow_px = np.array([[[5.0, 0.0], [0.0, 0.0], [-5.0, 0.0], [np.nan, 0.0]]])
    right, still, left, unknown = color_flow(flow_px)[0].tolist()
    assert right == [255, 0, 0]
    assert still == [255, 255, 255]
    assert left == [0, 255, 255]
    assert unknown == [18, 20, 24]
    wheel = draw_wheel(65)
    assert np.abs(wheel[32, 64].astype(int) - right).max() < 6
    assert np.abs(wheel[32, 0].astype(int) - left).max() < 6


def test_what_stays_is_white_whatever_its_roundings() -> None:
    """Steps in which nothing moves have flow of some 1e-5 px."""
    roundings_px = np.random.default_rng(3).normal(0.0, 1.0e-5, (8, 8, 2))
    assert (color_flow(roundings_px) == 255).all()


def test_one_lamp_does_not_make_all_other_radiance_black() -> None:
    """Radiance has no upper end: a grey room with a lamp in it looks grey, whatever the lamp's strength."""
    radiance = np.full((10, 10, 3), 0.2, np.float32)
    radiance[0, 0] = 60000.0
    picture = colorize("hdr", radiance)
    assert picture.min() > 200
    assert np.array_equal(picture, colorize("hdr", radiance * np.float32(0.5)))


def test_files_of_frames_are_read_as_they_are(tmp_path: Path) -> None:
    """16-bit colours keep their bits; KITTI's flow and Middlebury's are the same flow."""
    random = np.random.default_rng(1)
    deep = random.integers(0, 65536, (6, 5, 3)).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(encode_png(deep))
    assert np.array_equal(read_values(tmp_path / "a.png"), deep)
    flow = (random.integers(-200, 200, (6, 5, 2)) / 64.0).astype(np.float32)
    kitti = np.concatenate([flow * 64 + 2**15, np.ones((6, 5, 1))], axis=2).astype(np.uint16)
    (tmp_path / "b.png").write_bytes(encode_png(kitti))
    head = np.array([202021.25], "<f4").tobytes() + np.array([5, 6], "<i4").tobytes()
    (tmp_path / "c.flo").write_bytes(head + flow.astype("<f4").tobytes())
    pictures = [colorize("flow_forward", read_values(tmp_path / name)) for name in ("b.png", "c.flo")]
    assert np.array_equal(*pictures)
    assert np.array_equal(pictures[0], color_flow(flow))
    ids = np.array([[0, 3], [3, 70000]], np.int32)
    np.save(tmp_path / "d.npy", ids)
    colors = color_ids(read_values(tmp_path / "d.npy"))
    assert colors[0, 0].tolist() == [18, 20, 24]
    assert colors[0, 1].tolist() == colors[1, 0].tolist() != colors[1, 1].tolist()


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\nrubbish", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, data: bytes) -> None:
    for suffix in (".png", ".npy", ".flo"):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(data)
        with pytest.raises(UserError, match="cannot be read"):
            read_values(path)


def test_maps_of_ids_are_inlined_with_their_very_colours() -> None:
    """Few colours become a palette, so that neighbours do not bleed into each other."""
    colors = color_ids(np.random.default_rng(4).integers(0, 200, (30, 40)).astype(np.int32))
    uri = inline(Image.fromarray(colors))
    assert uri.startswith("data:image/png;base64,")
    again = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB")
    assert np.array_equal(np.array(again), colors)


def test_a_frame_without_a_picture_says_so(tmp_path: Path) -> None:
    """Labels are drawn over plain grey, which is not called the image."""
    first, *_, last = view_frames(tmp_path, 3)
    assert next(iter(frame_pictures(first))) == "image"
    assert list(frame_pictures(last)) == ["no image"]
