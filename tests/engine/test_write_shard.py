"""The commit protocol: the same bytes however the work is cut, and whole worlds or none after any crash."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.dataset.finalise import finalise
from engine.dataset.verify import verify
from engine.errors import ForeignOutput, WriteFailed
from engine.write.files import host_tag
from engine.write.names import FrameGrid
from engine.write.recover import CommitLog
from engine.write.rows import frame_table, sorted_rows
from engine.write.shard import Outcome, Shard, ShardWriter
from tests.engine.toy_crash import DIED, refuse, run_and_die, run_shaded, start
from tests.engine.toy_dataset import BUILD, make_toy, toy_batch, toy_job, toy_plan

COUNT = 6  # worlds: two cells of 4, the second half full


def tree(out: Path, *, below: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Return every file of a dataset but logs and temporaries."""
    files = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if not name.startswith((".tmp/", "log/")) and (not below or name.startswith(below))
    }


def add_all(
    writer: ShardWriter, worlds: list[int], batches: list[Any], *, then: Callable[[], object] = lambda: None
) -> Shard:
    """Write a shard from batches; `then` is the last that its body does."""
    with writer.shard(worlds) as shard:
        for batch in batches:
            shard.add(*batch)
        then()
    return shard


DATA = ("images/", "depth/", "masks/", "index/", "labels/", "recipe.json", "taxonomy.json", "contact_sheet.png")


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files of an undisturbed run over COUNT worlds."""
    out = tmp_path_factory.mktemp("oracle") / "out"
    make_toy(out, range(COUNT), toy_plan())
    return tree(out)


@pytest.mark.parametrize(("shard_worlds", "batch"), [(1, 1), (4, 1), (4, 64), (16, 7), (3, 2)])
def test_bytes_depend_neither_on_batches_nor_on_shards(
    tmp_path: Path, oracle: dict[str, bytes], shard_worlds: int, batch: int
) -> None:
    """Pictures, maps, index, labels and the dataset's id are the same however the worlds are grouped."""
    manifest = make_toy(tmp_path, range(COUNT), toy_plan(shard_worlds=shard_worlds), batch=batch)
    assert manifest is not None
    assert tree(tmp_path, below=DATA) == {name: data for name, data in oracle.items() if name.startswith(DATA)}
    assert manifest.dataset_id.encode() in oracle["manifest.json"]


def test_worlds_may_come_in_any_order_and_with_worlds_of_other_shards(tmp_path: Path, oracle: dict[str, bytes]) -> None:
    """A batch over all worlds, backwards, feeds every shard."""
    plan = toy_plan()
    with ShardWriter(tmp_path, plan) as writer:
        for members in writer.open_shards(range(COUNT)):
            with writer.shard(members) as shard:
                shard.add(*toy_batch(plan, range(COUNT - 1, -1, -1)))
    finalise(tmp_path, range(COUNT), toy_job(range(COUNT)))
    assert tree(tmp_path) == oracle


def test_a_world_alone_has_the_files_it_has_in_the_whole(tmp_path: Path, oracle: dict[str, bytes]) -> None:
    """worlds=[5] writes images/000/000005.jpg with the bytes of the full run."""
    make_toy(tmp_path, [5], toy_plan())
    alone = tree(tmp_path, below=("images/", "depth/", "masks/"))
    assert sorted(alone) == [
        "depth/000/000005.png",
        "images/000/000005.jpg",
        "masks/000/000005.class.png",
        "masks/000/000005.instance.png",
    ]
    assert alone == {name: oracle[name] for name in alone}


def test_a_larger_count_extends_to_what_it_would_have_been(tmp_path: Path, oracle: dict[str, bytes]) -> None:
    """Three worlds, then six: the data are those of six at once, and the manifest is new."""
    first = make_toy(tmp_path, range(3), toy_plan())
    second = make_toy(tmp_path, range(COUNT), toy_plan())
    assert first is not None
    assert second is not None
    assert (first.counts.worlds, second.counts.worlds) == (3, COUNT)
    assert tree(tmp_path, below=DATA) == {name: data for name, data in oracle.items() if name.startswith(DATA)}
    assert verify(tmp_path)[1] == []


def test_names_tell_steps_and_cameras_only_where_there_are_several(tmp_path: Path) -> None:
    """Frame numbers count (world, step, camera); names grow beyond a thousand and a million worlds."""
    plan = toy_plan(steps=2, cameras=3)
    assert make_toy(tmp_path, range(2), plan) is not None
    names = sorted(path.name for path in (tmp_path / "images" / "000").iterdir())
    assert names == [f"00000{w}_s00{s}_c0{c}.jpg" for w in range(2) for s in range(2) for c in range(3)]
    assert verify(tmp_path)[1] == []
    grid = FrameGrid(2, 3)
    assert [grid.number(w, s, c) for w in range(2) for s in range(2) for c in range(3)] == list(range(12))
    assert FrameGrid(1, 1).stem(123, 0, 0) == "000/000123"
    assert FrameGrid(1, 1).stem(1_234_567, 0, 0) == "1234/1234567"


def test_a_crash_at_any_call_loses_no_committed_world_and_repeats_none(
    tmp_path: Path, oracle: dict[str, bytes]
) -> None:
    """Die before the n-th fsync, rename, link, unlink or mkdir, for n all over the run: the next run ends the same."""
    call, step, crashes = 1, 8, 0
    while True:
        out = tmp_path / str(call)
        process = start(run_and_die, out, COUNT, call)
        process.join(60)
        if process.exitcode == 0:
            break
        assert process.exitcode == DIED
        crashes += 1
        if (out / "dataset.json").is_file():
            assert verify(out, partial=True)[1] == [], f"damaged after a crash at call {call}"
        make_toy(out, range(COUNT), toy_plan())
        assert tree(out) == oracle, f"another dataset after a crash at call {call}"
        assert [path.name for path in (out / ".tmp").iterdir()] in ([], ["finalise.lock"])
        call += step
    assert crashes >= 15


@pytest.mark.parametrize("call", [1, 4, 9, 30, 50, 66, 75, 90, 100, 120])
def test_a_full_disk_is_one_line_and_the_next_run_goes_on(
    tmp_path: Path, oracle: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Whatever call hits the end of the disk, the error names a path and a remedy, and nothing committed is lost."""
    for name in ("fsync", "rename", "link", "unlink", "mkdir"):
        monkeypatch.setattr(os, name, getattr(os, name))  # restored after the test
    refuse(call)
    with pytest.raises(WriteFailed, match=r"cannot write .*: No space left on device; make room") as caught:
        make_toy(tmp_path / "out", range(COUNT), toy_plan())
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 74
    monkeypatch.undo()
    make_toy(tmp_path / "out", range(COUNT), toy_plan())
    assert tree(tmp_path / "out") == oracle


def test_twins_with_the_same_bytes_make_one_dataset(tmp_path: Path, oracle: dict[str, bytes]) -> None:
    """Three processes on one folder at once, all to the end."""
    twins = [start(run_shaded, tmp_path, COUNT, 0) for _ in range(3)]
    for twin in twins:
        twin.join(60)
    assert [twin.exitcode for twin in twins] == [0, 0, 0]
    assert tree(tmp_path) == oracle


def test_twins_with_other_bytes_mix_shards_but_never_files_of_a_shard(tmp_path: Path) -> None:
    """Two kinds of device: each shard is wholly that of one of them, and the loser leaves nothing behind."""
    twins = [start(run_shaded, tmp_path, 12, shade) for shade in (0, 40)]
    for twin in twins:
        twin.join(60)
    assert [twin.exitcode for twin in twins] == [0, 0]
    assert CommitLog(tmp_path).worlds() == set(range(12))
    assert verify(tmp_path)[1] == []
    assert [path.name for path in (tmp_path / ".tmp").iterdir()] == ["finalise.lock"]


def test_who_loses_a_shard_drops_it_and_learns_so(tmp_path: Path) -> None:
    """Another writer commits overlapping worlds while ours are being made."""
    plan = toy_plan()
    with ShardWriter(tmp_path, plan) as ours, ShardWriter(tmp_path, plan) as theirs:
        with ours.shard([0, 1]) as lost:
            with theirs.shard([1, 2, 3]) as won:
                won.add(*toy_batch(plan, [1, 2, 3]))
            lost.add(*toy_batch(plan, [0, 1]))
        assert (won.outcome, lost.outcome) == (Outcome.COMMITTED, Outcome.LOST)
        assert ours.open_shards(range(4)) == [(0,)]
        assert not (tmp_path / "images/000/000000.jpg").exists()
        with ours.shard([0]) as rest:
            rest.add(*toy_batch(plan, [0]))
        assert (rest.outcome, rest.id) == (Outcome.COMMITTED, "00000000-001")
        with ours.shard([1, 2, 3]) as again:
            again.add(*toy_batch(plan, [1, 2, 3]))
        assert again.outcome is Outcome.EQUAL


def test_an_exception_commits_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    """A renderer that fails in the middle of a shard."""
    plan = toy_plan()
    with ShardWriter(tmp_path, plan) as writer:
        with pytest.raises(ZeroDivisionError):
            add_all(writer, [0, 1], [toy_batch(plan, [0])], then=lambda: 1 / 0)
        assert CommitLog(tmp_path).worlds() == set()
        assert list((tmp_path / ".tmp").iterdir()) == []


def test_missing_and_repeated_frames_are_refused(tmp_path: Path) -> None:
    """A shard says which world lacks frames, or came twice."""
    plan = toy_plan()
    with ShardWriter(tmp_path, plan) as writer:
        with pytest.raises(ValueError, match="world 1 lacks 1 of 1 frames"):
            add_all(writer, [0, 1], [toy_batch(plan, [0])])
        with pytest.raises(ValueError, match=r"two rows with {'world': 0"):
            add_all(writer, [0], [toy_batch(plan, [0]), toy_batch(plan, [0])])
        assert CommitLog(tmp_path).worlds() == set()


def test_a_skipped_world_counts_as_made_and_keeps_its_reason(tmp_path: Path) -> None:
    """It has no frames, is not tried again, and the manifest says why."""
    plan = toy_plan()
    with ShardWriter(tmp_path, plan) as writer:
        with writer.shard([0, 1, 2]) as shard:
            shard.add(*toy_batch(plan, [0, 2]))
            shard.skip(1, "no room for the forklift")
        assert writer.open_shards(range(3)) == []
    manifest = finalise(tmp_path, range(3), toy_job(range(3)))
    assert manifest is not None
    assert [(skip.world, skip.reason) for skip in manifest.skips] == [(1, "no room for the forklift")]
    assert (manifest.counts.worlds, manifest.counts.frames) == (2, 2)
    assert verify(tmp_path)[1] == []


def test_another_recipe_or_program_is_refused(tmp_path: Path) -> None:
    """Exit code 3, one line, and the folder is as it was."""
    make_toy(tmp_path, range(2), toy_plan())
    before = tree(tmp_path)
    newer, changed = replace(BUILD, version="0.2.0"), replace(BUILD, source_sha256="ef" * 32)
    for plan, message in (
        (toy_plan(seed=8), r"of recipe .* \(seed is 7 there and 8 here\); choose another out="),
        (toy_plan(build=newer), "begun by engine 0.1.0, this is 0.2.0"),
        (toy_plan(build=changed), r"of other sources \(cdcdcdcd, these are efefefef\); choose another out=, or go on"),
    ):
        with pytest.raises(ForeignOutput, match=message) as caught:
            ShardWriter(tmp_path, plan)
        assert caught.value.exit_code == 3
    assert tree(tmp_path) == before


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    """Nobody's holiday pictures become part of a dataset; logs and temporaries are no obstacle."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(ForeignOutput, match=r"not a dataset and not empty \(it holds holiday.jpg\)"):
        ShardWriter(tmp_path / "mine", toy_plan())
    with pytest.raises(ForeignOutput, match="is a file"):
        ShardWriter(tmp_path / "mine" / "holiday.jpg", toy_plan())
    (tmp_path / "begun" / "log").mkdir(parents=True)
    assert make_toy(tmp_path / "begun", [0], toy_plan()) is not None


def test_only_what_dead_processes_of_this_machine_left_is_removed(tmp_path: Path) -> None:
    """A living process keeps its work in progress, and another machine's processes cannot be asked."""
    dead = start(run_and_die, tmp_path / "elsewhere", 1, 1)
    dead.join(60)
    temporary = tmp_path / ".tmp"
    temporary.mkdir()
    gone, ours, foreign = (
        temporary / f"00000000-000.{host}.{pid}.abcd"
        for host, pid in ((host_tag(), dead.pid), (host_tag(), os.getpid()), ("other-host", dead.pid))
    )
    for folder in (gone, ours, foreign):
        folder.mkdir()
    with ShardWriter(tmp_path, toy_plan()):
        assert (gone.exists(), ours.exists(), foreign.exists()) == (False, True, True)


def test_a_power_cut_cannot_put_torn_files_in_place(tmp_path: Path) -> None:
    """A dead twin's folder with the right name but torn content does not replace or fill in committed files."""
    make_toy(tmp_path, range(2), toy_plan())
    record = next((tmp_path / "commit").glob("*.json"))
    content = verify(tmp_path)[0].commits[0]
    torn = tmp_path / ".tmp" / f"{content.id}-{content.content_sha256[:16]}.other-host.1.abcd"
    picture = tmp_path / "images/000/000000.jpg"
    (torn / "images/000").mkdir(parents=True)
    (torn / "images/000/000000.jpg").write_bytes(bytes(picture.stat().st_size))
    picture.unlink()
    with ShardWriter(tmp_path, toy_plan()):
        assert not picture.exists()
    assert record.is_file()


def test_a_read_only_folder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EROFS of the very first call."""
    monkeypatch.setattr(os, "mkdir", os.mkdir)
    for name in ("fsync", "rename", "link", "unlink"):
        monkeypatch.setattr(os, name, getattr(os, name))
    refuse(1, errno.EROFS)
    with pytest.raises(WriteFailed, match="Read-only file system"):
        ShardWriter(tmp_path / "out", toy_plan())


def test_drawn_values_come_back_from_the_index(tmp_path: Path) -> None:
    """Every drawn value of every (world, step), to the last bit, in columns named after their law."""
    from engine.write.tables import read_parquet

    plan = toy_plan(steps=2)
    make_toy(tmp_path, range(5), plan)
    _, _, drawn = toy_batch(plan, range(5))
    worlds = read_parquet(tmp_path / "index" / "worlds.parquet")
    assert worlds["world"].to_pylist() == drawn.world.tolist()
    assert worlds["step"].to_pylist() == drawn.step.tolist()
    assert worlds["p.sun.elevation_deg"].to_pylist() == drawn.columns["p.sun.elevation_deg"].tolist()
    assert np.array_equal(np.array(worlds["p.paint.color"].to_pylist(), np.float32), drawn.columns["p.paint.color"])


def test_times_and_hosts_are_in_the_log_and_nowhere_else(tmp_path: Path) -> None:
    """One line a commit and one for the dataset; a second run adds none."""
    for _ in range(2):
        make_toy(tmp_path, range(COUNT), toy_plan())
    (log,) = (tmp_path / "log").glob("*.log")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["event"] for event in events] == ["committed", "committed", "complete"]
    assert [event.get("shard") for event in events] == ["00000000-000", "00000004-000", None]
    host = host_tag()
    for name, data in tree(tmp_path).items():
        assert host.encode() not in data, name


def test_a_file_that_a_shard_lacks_is_a_column_of_text_there_too() -> None:
    """Rust is on one world and not on the next: their shards have one schema, and become one index."""
    files = ("effect/000/000000.rust.png", None)
    rows = [
        {"frame_id": world, "world": world, "step": 0, "camera": 0}
        | {"effect_rust": file, "effect_rust_sha256": file and bytes(32), "lum_mean": 0.5}
        for world, file in enumerate(files)
    ]
    tables = [frame_table([row]) for row in rows]
    assert tables[0].schema == tables[1].schema
    assert sorted_rows(tables[::-1], "frames")["effect_rust"].to_pylist() == list(files)
