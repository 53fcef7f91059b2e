"""Worlds without a disk: the same bits as the dataset's, whatever the batch, the rank and who else asks."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import pytest

import engine
from engine.errors import UserError
from engine.frames import Frames
from engine.online import Batch, Stream
from engine.recipe import Job, Recipe

SMALL = ("rig.width=48", "rig.height=32", "rig.spp=1", "device=cpu")


def composed(*more: str) -> tuple[Recipe, Job]:
    return engine.compose("+scene=tabletop", *SMALL, *more)


def by_world(batches: list[Batch]) -> dict[int, list[bytes]]:
    """Return the images of every world."""
    out: dict[int, list[bytes]] = {}
    for batch in batches:
        for name in Frames.image_names():
            image = getattr(batch.frames, name)
            if image is not None:
                for view, world in enumerate(batch.keys.world):
                    out.setdefault(int(world), []).append(image.numpy()[view].tobytes())
    return out


@pytest.fixture(scope="module")
def whole() -> list[Batch]:
    with engine.stream(*composed(), batch=3, worlds=range(5, 13)) as batches:
        return list(batches)


def test_batches_hold_the_worlds_in_order(whole: list[Batch]) -> None:
    assert [batch.drawn.world.tolist() for batch in whole] == [[5, 6, 7], [8, 9, 10], [11, 12]]
    assert all(batch.frames.rgb.shape == (len(batch.keys.world), 32, 48, 3) for batch in whole)
    first = whole[0]
    assert first.labels is not None
    assert len(first.labels.rle) == len(first.labels.view) > 0
    assert any(name.startswith("p.") for name in first.drawn.columns)
    assert all(len(values) == 3 for values in first.drawn.columns.values())


def test_ranks_and_batches_share_the_worlds_and_change_nothing(whole: list[Batch]) -> None:
    parts = []
    for rank in range(2):
        with engine.stream(*composed(), batch=2, worlds=range(5, 13), rank=rank, ranks=2, labels=False) as batches:
            found = list(batches)
        assert all(batch.labels is None for batch in found)
        assert {int(world) % 2 for batch in found for world in batch.drawn.world} == {(5 + rank) % 2}
        parts += found
    assert by_world(parts) == by_world(whole)


def test_a_stream_without_an_end_ends_when_closed() -> None:
    """Also while its thread waits for room."""
    before = threading.active_count()
    with engine.stream(*composed(), batch=1, labels=False) as batches:
        assert next(batches).drawn.world.tolist() == [0]
        time.sleep(0.2)
    assert threading.active_count() <= before
    with pytest.raises(StopIteration):
        next(batches)


def test_a_stream_that_nobody_closes_ends_with_its_last_reader() -> None:
    before = threading.active_count()
    batches = engine.stream(*composed(), batch=1, labels=False)
    next(batches)
    assert threading.active_count() > before
    del batches
    gc.collect()
    assert threading.active_count() == before


def test_closing_wakes_a_reader_that_waits() -> None:
    batches = engine.stream(*composed(), batch=1, labels=False)
    ended = threading.Event()

    def read() -> None:
        for _ in batches:
            pass
        ended.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    time.sleep(0.2)
    batches.close()
    assert ended.wait(5.0)
    reader.join(5.0)


def test_batches_made_by_who_takes_them_are_the_same(whole: list[Batch], monkeypatch: pytest.MonkeyPatch) -> None:
    """As on CUDA, where no thread stands between."""
    monkeypatch.setattr("engine.online.makes_in_a_thread", lambda device: False)
    before = threading.active_count()
    with engine.stream(*composed(), batch=3, worlds=range(5, 13)) as batches:
        first = next(batches)
        assert by_world([first, *batches]) == by_world(whole)
        with pytest.raises(StopIteration):
            next(batches)
    with engine.stream(*composed(), batch=1) as endless:
        next(endless)
    with pytest.raises(StopIteration):
        next(endless)
    assert threading.active_count() == before


def test_the_dataset_holds_the_same_pixels_and_labels(tmp_path: Path) -> None:
    recipe, job = composed("count=3", f"out={tmp_path / 'ds'}", "write.images.format=png")
    engine.generate(recipe, job)
    images = sorted((tmp_path / "ds").rglob("*.png"))
    rgb = [iio.imread(path) for path in images if "images" in str(path.parent)]
    with engine.stream(recipe, job, batch=3, worlds=range(3)) as batches:
        (batch,) = batches
    assert len(rgb) == 3
    for view, image in enumerate(rgb):
        assert (batch.frames.rgb.numpy()[view] == image).all()


def test_a_recipe_alone_finds_a_shipped_scene() -> None:
    recipe, _ = composed()
    with engine.stream(recipe, batch=1, worlds=range(1), labels=False) as batches:
        assert len(list(batches)) == 1
        assert isinstance(batches, Stream)
        assert len(batches.class_id) == len(batches.scene.instances.path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"batch": 1, "rank": 2, "ranks": 2}, r"rank must be in 0..1 \(ranks=2\), got 2"),
        ({"batch": 1, "worlds": range(0)}, r"worlds must be some of 0..4294967295, got range\(0, 0\)"),
        ({"batch": 1, "worlds": range(2**32 - 1, 2**32 + 1)}, "worlds must be some of 0..4294967295"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        engine.stream(*composed(), **arguments)


def test_what_stops_the_making_is_raised_where_it_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise UserError("no more worlds")

    monkeypatch.setattr("engine.factory.Factory.make_on_device", broken)
    with engine.stream(*composed(), batch=1) as batches, pytest.raises(UserError, match="no more worlds"):
        next(batches)
