"""MOT sequences follow objects over the steps of a world."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.formats.record import Instance
from tests.engine.exporting import exported, read_back
from tests.engine.toy_records import toy_records


def test_a_world_s_steps_are_a_sequence_with_lasting_ids(tmp_path: Path) -> None:
    """Every row is an object of its frame: number from 1, amodal box from pixel 1, class, visible share of it all."""
    source = toy_records(tmp_path / "source", worlds=2, steps=4)
    exported(source, "mot", tmp_path / "mot")
    keys = [category.key for category in source.categories]
    for world in (0, 1):
        text = (tmp_path / f"mot/train/w{world:06d}_c00/gt/gt.txt").read_text()
        rows = [[float(word) for word in line.split(",")] for line in text.splitlines()]
        expected = [
            [frame.step + 1, i.id, i.amodal.box[0] + 1, i.amodal.box[1] + 1, i.amodal.box[2], i.amodal.box[3], 1,
             keys.index(i.category) + 1, pytest.approx(i.visible_px / i.amodal.full_px, abs=1e-6)]
            for frame in source.frames() if frame.world == world for i in frame.instances
        ]  # fmt: skip
        assert rows == expected
    assert len({row[1] for row in rows if row[0] == 1} & {row[1] for row in rows if row[0] == 4}) == len(
        {row[1] for row in rows if row[0] == 1}
    )


@pytest.mark.parametrize("box", ["amodal", "visible"])
@pytest.mark.parametrize("first_pixel", [0, 1])
def test_reading_gives_back_boxes_whatever_the_first_pixel_is(tmp_path: Path, box: str, first_pixel: int) -> None:
    source = toy_records(tmp_path / "source", worlds=3, steps=2)
    exported(source, "mot", tmp_path / "mot", box=box, first_pixel=first_pixel, val=(4, 5))
    for frame, found in zip(source.frames(), read_back("mot", tmp_path / "mot"), strict=True):
        assert found.row["split"] == ("val" if frame.world == 2 else "train")
        assert (found.step, found.width, found.height) == (frame.step, frame.width, frame.height)
        boxes = [(i.id, i.category, i.box if box == "visible" else tuple(i.amodal.box)) for i in frame.instances]
        assert [(i.id, i.category, i.box) for i in found.instances] == boxes


def test_a_split_that_tears_a_sequence_is_refused(tmp_path: Path) -> None:
    source = toy_records(tmp_path / "source", worlds=2, steps=2)
    with pytest.raises(UserError, match="split by world"):
        exported(source, "mot", tmp_path / "mot", val=(1,))


def test_rows_that_are_none_are_refused_with_their_line(tmp_path: Path) -> None:
    exported(toy_records(tmp_path / "source", worlds=1), "mot", tmp_path / "mot")
    path = tmp_path / "mot/train/w000000_c00/gt/gt.txt"
    good = path.read_text()
    for bad in ("1,2,3\n", "1,1,x,2,3,4,1,1,1\n"):
        path.write_text(good + bad)
        with pytest.raises(UserError, match=f"line {len(good.splitlines()) + 1}"):
            read_back("mot", tmp_path / "mot")
    path.write_text(good)
    (path.parents[1] / "seqinfo.ini").write_text("[Sequence]\nseqLength=many\n")
    with pytest.raises(UserError, match="seqinfo"):
        read_back("mot", tmp_path / "mot")


def test_defects_are_tracks_with_visible_boxes_and_counted_out_with_whole_ones(tmp_path: Path) -> None:
    """They lie on others and have no whole silhouette, whatever the dataset was made with."""
    source = toy_records(tmp_path / "source", worlds=1, steps=2)
    frames = tuple(
        replace(frame, instances=(*frame.instances, Instance(99, "carton", (3.0, 4.0, 5.0, 6.0), 9, lies_on=1)))
        for frame in source.frames()
    )
    marked = replace(source, records=frames)
    for box, dropped in (("visible", 0), ("amodal", 2)):
        assert sum(exported(marked, "mot", tmp_path / box, box=box).values()) == dropped
        found = [seen for frame in read_back("mot", tmp_path / box) for seen in frame.instances if seen.id == 99]
        assert [seen.box for seen in found] == [(3.0, 4.0, 5.0, 6.0)] * (2 - dropped)
