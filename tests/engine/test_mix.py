"""Mixing: which frames an epoch has, what came out, and what users are told when a plan does not fit."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from engine.collect.classes import taxonomy_of
from engine.collect.ingest import IngestRequest, ingest
from engine.dataset.__main__ import main
from engine.dataset.manifest import read_manifest
from engine.errors import UserError
from engine.formats.masks import encode
from engine.formats.record import Category, Frame, Instance
from engine.formats.registry import Records
from engine.mix.draw import Draws, Sequences, draw_epoch, interleave, quotas, systematic_counts
from engine.mix.mixed import Mixed
from engine.mix.plan import plan_of
from engine.mix.store import LabelStore
from tests.engine.toy_dataset import make_toy, toy_plan

CLASSES = (Category(1, "nail", "nail"), Category(2, "screw", "screw"))
SIZE = (40, 30)


def make_real(out: Path, count: int) -> Path:
    """Take in pictures with a nail each; every third shows a screw as well, with a box alone."""
    pictures = out.with_name(f"{out.name}-pictures")
    pictures.mkdir(parents=True)
    frames = []
    for number in range(count):
        rgb = np.full((*SIZE[::-1], 3), number, np.uint8)
        Image.fromarray(rgb).save(pictures / f"{number}.png")
        mask = np.zeros(SIZE[::-1], np.bool_)
        mask[5:9, 2 : 4 + number % 7] = True
        box = (2.0, 5.0, 2.0 + number % 7, 4.0)
        seen = [Instance(1, "nail", box, int(mask.sum()), encode(mask))]
        if number % 3 == 0:
            seen.append(Instance(2, "screw", (10.0, 10.0, 5.0, 6.0)))
        frames.append(Frame(number, *SIZE, tuple(seen), {"image": pictures / f"{number}.png"}))
    request = IngestRequest(out, "coco", taxonomy_of(CLASSES), out.name)
    ingest(Records(out.name, CLASSES, tuple(frames)), request, lambda _: None)
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two datasets: 30 real frames, and 12 rendered ones whose classes are box and wall."""
    folder = tmp_path_factory.mktemp("mix")
    make_real(folder / "real", 30)
    make_toy(folder / "toy", range(3), toy_plan())
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def mix(folder: Path, **more: object) -> Mixed:
    sources = {"real": {"dataset": "real", "share": 1}, "toy": {"dataset": "toy", "share": 3}}
    return Mixed(plan_of({"sources": sources, "epoch_frames": 40} | more, folder))


@pytest.mark.parametrize("counts", [(20, 20), (30, 10), (12, 12, 12)])
@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_every_rank_has_the_shares_of_the_epoch_all_along(counts: tuple[int, ...], ranks: int) -> None:
    """Two equal sources alternate: every second frame would be of one of them alone."""
    source = interleave(np.array(counts))
    draws = Draws(source, np.arange(len(source)))
    parts = [draws.of_rank(rank, ranks) for rank in range(ranks)]
    kept = len(source) - len(source) % ranks
    assert sorted(np.concatenate([part.frame for part in parts]).tolist()) == list(range(kept))
    shares = np.array(counts) / sum(counts)
    for part in parts:
        assert (np.diff(part.frame) > 0).all()
        for end in range(1, len(part.source) + 1):
            seen = np.bincount(part.source[:end], minlength=len(counts))
            assert (np.abs(seen - shares * end) <= 2.0).all()


def test_systematic_counts_add_up_and_are_right_on_average() -> None:
    weights = np.array([1.0, 0.25, 4.0, 2.5, 1.0])
    all_counts = np.array([systematic_counts(weights, offset) for offset in (np.arange(2000) + 0.5) / 2000])
    expected = weights / weights.sum() * 5
    assert (all_counts.sum(axis=1) == 5).all()
    assert (np.abs(all_counts - expected) < 1.0).all()
    np.testing.assert_allclose(all_counts.mean(axis=0), expected, atol=2e-3)


def test_equal_weights_show_every_frame_once_a_cycle() -> None:
    sequences = Sequences([np.ones(7)], seed=5)
    drawn = sequences.take(0, 0, 21).reshape(3, 7)
    assert [sorted(cycle) for cycle in drawn.tolist()] == [list(range(7))] * 3
    assert len({tuple(cycle) for cycle in drawn.tolist()}) > 1


def test_a_sequence_is_the_same_in_any_pieces() -> None:
    weights = [np.array([1.0, 5.0, 1.0]), np.ones(4)]
    whole = Sequences(weights, seed=1).take(0, 0, 30)
    again = Sequences(weights, seed=1)
    pieces = [again.take(0, first, 7 if first < 28 else 2) for first in (28, 14, 0, 21, 7)]
    np.testing.assert_array_equal(whole, np.concatenate([pieces[k] for k in (2, 4, 1, 3, 0)]))
    assert not np.array_equal(whole, Sequences(weights, seed=2).take(0, 0, 30))


def test_quotas_are_largest_remainders() -> None:
    assert quotas(np.array([1.0, 1.0, 1.0]), 10).tolist() == [4, 3, 3]
    assert quotas(np.array([0.2, 0.8]), 5).tolist() == [1, 4]
    assert quotas(np.array([0.0, 1.0]), 3).tolist() == [0, 3]


@pytest.mark.parametrize("counts", [(3, 9), (1, 1, 1), (0, 5), (17, 4, 9)])
def test_every_stretch_from_the_start_has_the_asked_shares(counts: tuple[int, ...]) -> None:
    order = interleave(np.array(counts))
    taken = np.cumsum(order[:, None] == np.arange(len(counts)), axis=0)
    wanted = np.arange(1, len(order) + 1)[:, None] * np.array(counts) / sum(counts)
    assert np.abs(taken - wanted).max() <= 1.0
    assert Counter(order.tolist()) == Counter({k: n for k, n in enumerate(counts) if n})


def test_ranks_share_an_epoch_without_overlap() -> None:
    sequences, counts = Sequences([np.ones(50), np.ones(9)], 3), [np.array([31, 9])] * 4
    whole = draw_epoch(sequences, counts, 3)
    parts = [whole.of_rank(rank, 3) for rank in range(3)]
    assert [len(part.frame) for part in parts] == [13, 13, 13]
    dealt = [pair for part in parts for pair in zip(part.source.tolist(), part.frame.tolist(), strict=True)]
    assert Counter(dealt) == Counter(zip(whole.source[:39].tolist(), whole.frame[:39].tolist(), strict=True))


def test_epochs_go_on_where_the_last_ended(folder: Path) -> None:
    """20 real frames an epoch of 30: three epochs show every frame exactly twice."""
    mixed = mix(folder, epoch_frames=80)
    frames = [draws.frame[draws.source == 0] for draws in map(mixed.epoch, range(3))]
    assert [len(own) for own in frames] == [20, 20, 20]
    assert Counter(np.concatenate(frames).tolist()) == dict.fromkeys(range(30), 2)


def test_an_epoch_does_not_depend_on_those_asked_before(folder: Path) -> None:
    late, in_turn = mix(folder).epoch(5), mix(folder)
    for epoch in range(5):
        in_turn.epoch(epoch)
    np.testing.assert_array_equal(in_turn.numbers(in_turn.epoch(5)), in_turn.numbers(late))


def test_proportions_are_those_of_a_count_by_hand(folder: Path) -> None:
    mixed = mix(folder)
    draws = mixed.epoch(0)
    said = mixed.proportions(draws)
    samples = [mixed.sample(number, masks=False) for number in mixed.numbers(draws).tolist()]
    assert said["frames"] == 40 == len(samples)
    assert said["real"] == sum(sample.is_real for sample in samples) == 10
    assert said["sources"] == {"real": 10, "toy": 30} == Counter(sample.source for sample in samples)
    shown = Counter(name for s in samples for name in {mixed.classes[label - 1] for label in s.label.tolist()})
    assert {name: count for name, count in said["classes"].items() if count} == dict(shown)


def test_the_schedule_anneals_to_real(folder: Path) -> None:
    mixed = mix(folder, real={0: 0.0, 4: 1.0})
    shares = [mixed.proportions(mixed.epoch(epoch))["real_share"] for epoch in range(6)]
    assert shares == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


def test_weights_draw_what_they_name_more_often(folder: Path) -> None:
    sources = {"real": {"dataset": "real", "slices": {"lum_mean < 0.02": 3.0}}}
    mixed = mix(folder, sources=sources, class_weights={"screw": 2.0}, epoch_frames=3000)
    said = mixed.proportions(mixed.epoch(0))
    numbers = np.arange(30)
    weight = np.where(numbers % 3 == 0, 2.0, 1.0) * np.where(numbers / 255 < 0.02, 3.0, 1.0)
    expected = 3000 * weight / weight.sum()
    assert said["classes"]["screw"] == pytest.approx(expected[numbers % 3 == 0].sum(), rel=0.02)
    assert said["slices"] == {"real: lum_mean < 0.02": pytest.approx(expected[numbers / 255 < 0.02].sum(), rel=0.02)}


def test_a_sample_is_the_picture_and_labels_of_its_frame(folder: Path) -> None:
    sample = mix(folder).sample(6)
    assert (sample.image == 6).all()
    assert sample.image.shape == (30, 40, 3)
    assert sample.box_px.tolist() == [[2, 5, 10, 9], [10, 10, 15, 16]]
    mask = np.zeros((30, 40), np.uint8)
    mask[5:9, 2:10] = 1
    np.testing.assert_array_equal(sample.masks[0], mask)
    assert sample.masks[1].sum() == 30  # a box alone, filled
    assert [mix(folder).classes[label - 1] for label in sample.label.tolist()] == ["nail", "screw"]
    assert sample.frame_id == 6
    assert sample.is_real


def test_classes_are_mapped_and_dropped(folder: Path) -> None:
    sources = {"real": {"dataset": "real", "classes": {"nail": "fastener", "screw": None}}}
    mixed = mix(folder, sources=sources)
    assert mixed.classes == ("fastener",)
    assert mixed.sample(0).label.tolist() == [1]


def test_labels_are_read_from_the_cache_and_made_anew_without_it(folder: Path, tmp_path: Path) -> None:
    store = LabelStore(folder / "real")
    made = list((tmp_path / "cache/ommatidia/labels").glob("[0-9a-f]*"))
    assert [path.name for path in made] == [read_manifest(folder / "real/manifest.json").sha256]
    assert len(LabelStore(folder / "real")) == len(store) == 30
    (made[0] / "frames.arrow").write_bytes(b"torn")
    with pytest.raises(UserError, match="delete it, it is made anew"):
        LabelStore(folder / "real")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sources": {}}, "sources is empty"),
        ({"sources": {"a": {"dataset": "nowhere"}}}, "no complete dataset"),
        ({"sources": {"a": {"dataset": "real", "share": 0}}}, "share: 0 must be above 0"),
        ({"sources": {"a": {"dataset": "real", "slices": {"lum_meen < 1": 2}}}}, "lum_meen"),
        ({"sources": {"a": {"dataset": "real", "classes": {"nail": "x"}}}}, "does not say what becomes of screw"),
        ({"class_weights": {"nial": 2}}, "class_weights.nial: no source shows it"),
        ({"classes": ["nail"]}, "which `classes` does not name"),
        ({"real": {"soon": 0.5}}, "expected a whole epoch and a share"),
        ({"sources": {"a": {"dataset": "real"}}, "real": {0: 0.5}}, "every source here is real"),
        ({"sauces": {}}, "sauces"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(folder: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        mix(folder, **change)


def test_a_picture_that_is_gone_is_named(folder: Path) -> None:
    mixed = mix(folder)
    path = mixed.stores[0].image(3)
    moved = path.rename(path.with_suffix(".away"))
    try:
        with pytest.raises(UserError, match=r"000003\.png cannot be read"):
            mixed.sample(3)
    finally:
        moved.rename(path)


def write_plan(folder: Path) -> Path:
    path = folder / "mix.yaml"
    sources = {"real": {"dataset": "real", "share": 1}, "toy": {"dataset": "toy", "share": 1}}
    path.write_text(yaml.safe_dump({"sources": sources, "epoch_frames": 20}))
    return path


def test_the_command_says_proportions_and_writes_a_stream(folder: Path, tmp_path: Path, capsys) -> None:
    plan, tar = write_plan(folder), tmp_path / "epoch.tar"
    assert main(["mix", str(plan), "--epochs", "2", "--json"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["epoch"], one["real"], one["synthetic"]) for one in said] == [(0, 10, 10), (1, 10, 10)]
    assert main(["mix", str(plan), "--tar", str(tar)]) == 0
    mixed = Mixed(plan_of(yaml.safe_load(plan.read_text()), folder))
    with tarfile.open(tar) as file:
        labels = [json.load(file.extractfile(member)) for member in file if member.name.endswith(".json")]
    wanted = [mixed.sample(number, masks=False) for number in mixed.numbers(mixed.epoch(0)).tolist()]
    told = [(one["mix"]["source"], one["mix"]["frame_id"]) for one in labels]
    assert told == [(sample.source, sample.frame_id) for sample in wanted]
    assert [[o["category"] for o in one["objects"]] for one in labels] == [s.label.tolist() for s in wanted]
    first = tar.read_bytes()
    assert main(["mix", str(plan), "--tar", str(tar)]) == 0
    assert tar.read_bytes() == first


def test_an_epoch_becomes_a_folder_of_a_format(folder: Path, tmp_path: Path) -> None:
    assert main(["mix", str(write_plan(folder)), "--out", str(tmp_path / "hf")]) == 0
    report = json.loads((tmp_path / "hf/export.json").read_text())
    assert report["frames"] == {"train": 20}
    assert report["mix"]["proportions"]["real"] == 10
