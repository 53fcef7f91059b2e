"""Merging: shards of one recipe are what one run makes, others a mixture; what cannot be put together is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.collect.ingest import IngestRequest, ingest
from engine.collect.merge import Merged, merge
from engine.collect.mixture import MixRequest
from engine.collect.select import SelectRequest, select
from engine.collect.unify import conform, unify_columns, unify_taxonomies, unify_types
from engine.dataset.__main__ import main
from engine.dataset.manifest import read_manifest
from engine.dataset.verify import verify
from engine.errors import UserError
from engine.formats.coco import read_coco_file
from engine.formats.registry import Records
from engine.scene.taxonomy import ObjectClass, Taxonomy
from tests.engine.toy_dataset import BUILD, TAXONOMY, make_toy, toy_batch, toy_plan
from tests.engine.toy_materials import make_materials


@pytest.fixture(autouse=True)
def own_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's file of allowed folders out of it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return worlds 0..5 and 6..11 of one recipe, and all of them by one run; cells of four worlds overlap."""
    root, plan = tmp_path_factory.mktemp("shards"), toy_plan()
    for name, worlds in (("first", range(6)), ("second", range(6, 12)), ("whole", range(12))):
        make_toy(root / name, worlds, plan)
    return root


def join(out: Path, *folders: Path, drop: tuple[str, ...] = ()) -> Merged:
    return merge(folders, MixRequest(out, "mixed", drop), lambda _: None)


def index(out: Path, name: str) -> pa.Table:
    return pq.read_table(out / f"index/{name}.parquet")


def test_shards_of_a_recipe_are_the_dataset_that_one_run_makes(shards: Path, tmp_path: Path) -> None:
    """The same id and the same bytes, whatever the order; a cell of two shards has two commits."""
    for name, order in (("one", ("first", "second")), ("two", ("second", "first"))):
        merged = join(tmp_path / name, *(shards / shard for shard in order))
        whole = read_manifest(shards / "whole/manifest.json")
        assert merged.is_joined
        assert merged.manifest.dataset_id == whole.dataset_id
        assert (merged.manifest.counts, merged.manifest.health) == (whole.counts, whole.health)
        for file in ("index/frames.parquet", "index/instances.parquet", "index/worlds.parquet", "labels/coco.json"):
            assert (tmp_path / name / file).read_bytes() == (shards / "whole" / file).read_bytes()
        assert [shard.id for shard in merged.manifest.shards] == [
            "00000000-000", "00000004-000", "00000004-001", "00000008-000"
        ]  # fmt: skip
        assert verify(tmp_path / name)[1] == []


def test_cells_of_another_size_are_cut_anew(shards: Path, tmp_path: Path) -> None:
    make_toy(tmp_path / "second", range(6, 12), toy_plan(shard_worlds=5))
    merged = join(tmp_path / "out", shards / "first", tmp_path / "second")
    assert merged.manifest.dataset_id == read_manifest(shards / "whole/manifest.json").dataset_id
    assert verify(tmp_path / "out")[1] == []


def test_worlds_of_both_have_to_be_equal(shards: Path, tmp_path: Path) -> None:
    """Equal ones count once; one changed picture is enough to refuse, with the world named."""
    make_toy(tmp_path / "equal", range(4, 12), toy_plan())
    merged = join(tmp_path / "out", shards / "first", tmp_path / "equal")
    assert merged.manifest.dataset_id == read_manifest(shards / "whole/manifest.json").dataset_id
    make_shaded(tmp_path / "odd", range(5, 12))
    with pytest.raises(UserError, match=r"world 5 of .*odd is not the same .* nor are 0 more"):
        join(tmp_path / "none", shards / "first", tmp_path / "odd")
    assert not (tmp_path / "none/manifest.json").exists()


def make_shaded(out: Path, worlds: range) -> None:
    """Write worlds whose pictures are brighter by two levels, as another device might make them."""
    from engine.dataset.finalise import finalise
    from engine.write.shard import ShardWriter
    from tests.engine.toy_dataset import toy_job

    plan = toy_plan()
    with ShardWriter(out, plan) as writer:
        for members in writer.open_shards(worlds):
            with writer.shard(members) as shard:
                shard.add(*toy_batch(plan, members, shade=2))
    finalise(out, worlds, toy_job(worlds))


def test_a_stopped_merge_goes_on(shards: Path, tmp_path: Path) -> None:
    calls = iter(range(2))
    folders = (shards / "first", shards / "second")
    with pytest.raises(StopIteration):
        merge(folders, MixRequest(tmp_path / "out", "x"), lambda _: next(calls) and None)
    merged = join(tmp_path / "out", *folders)
    assert merged.manifest.dataset_id == read_manifest(shards / "whole/manifest.json").dataset_id


def test_worlds_that_were_skipped_stay_skipped(tmp_path: Path) -> None:
    """With their reasons, also where a commit has no frames at all."""
    from engine.dataset.finalise import finalise
    from engine.write.shard import ShardWriter
    from tests.engine.toy_dataset import toy_job

    plan = toy_plan()
    with ShardWriter(tmp_path / "skips", plan) as writer:
        for members in writer.open_shards(range(8, 13)):
            with writer.shard(members) as shard:
                for world in members:
                    if world >= 11:
                        shard.skip(world, f"no room in {world}")
                made = [world for world in members if world < 11]
                if made:
                    shard.add(*toy_batch(plan, made))
    finalise(tmp_path / "skips", range(8, 13), toy_job(range(8, 13)))
    make_toy(tmp_path / "rest", range(8), plan)
    merged = join(tmp_path / "out", tmp_path / "rest", tmp_path / "skips")
    assert {(skip.world, skip.reason) for skip in merged.manifest.skips} == {
        (11, "no room in 11"), (12, "no room in 12")
    }  # fmt: skip
    assert merged.manifest.counts.worlds == 11
    assert verify(tmp_path / "out")[1] == []


def test_a_mixture_says_where_every_frame_comes_from(shards: Path, tmp_path: Path) -> None:
    """Worlds are counted on, in cells of one parent; ids, columns, files and labels follow."""
    make_toy(tmp_path / "tall", range(5), toy_plan(cameras=2, steps=3, seed=8))
    merged = join(tmp_path / "out", shards / "first", tmp_path / "tall")
    assert not merged.is_joined
    assert merged.notes == ("a mixture: first and tall have different recipes",)
    parents = [read_manifest(path / "manifest.json") for path in (shards / "first", tmp_path / "tall")]
    assert [ref.dataset_id for ref in merged.manifest.parents] == [own.dataset_id for own in parents]
    assert merged.manifest.origin == "synthetic"
    rows = index(tmp_path / "out", "frames").to_pylist()
    assert [row["world"] for row in rows] == [*range(6), *(8 + world for world in range(5) for _ in range(6))]
    before = [index(path, "frames").to_pylist() for path in (shards / "first", tmp_path / "tall")]
    for row, (number, old) in zip(rows, [(n, old) for n in (0, 1) for old in before[n]], strict=True):
        assert (row["parent"], row["parent_frame_id"]) == (parents[number].dataset_id, old["frame_id"])
        assert row["frame_id"] == (row["world"] * 3 + row["step"]) * 2 + row["camera"]
        assert row["image"] == f"{parents[number].dataset_id}/{old['image']}"
        assert row["image_sha256"] == old["image_sha256"]
        assert row["origin"] == "synthetic"
    assert verify(tmp_path / "out")[1] == []
    assert merged.manifest.counts.frames == 36


def test_real_and_rendered_pictures_mix(shards: Path, tmp_path: Path) -> None:
    """Null where nobody knows, `mixed` as origin, and every export that needs no space can be made."""
    make_real(shards / "first", tmp_path / "real")
    merged = join(tmp_path / "out", tmp_path / "real", shards / "second")
    assert (merged.manifest.origin, merged.manifest.contains_real_imagery) == ("mixed", True)
    rows = index(tmp_path / "out", "frames").to_pylist()
    assert [row["origin"] for row in rows] == ["real"] * 6 + ["synthetic"] * 6
    assert [row["world"] for row in rows] == [*range(6), *range(258, 264)]  # its cells: 256 worlds
    assert [row["depth"] is None for row in rows] == [True] * 6 + [False] * 6
    assert index(tmp_path / "out", "instances").schema.field("bbox").type == pa.list_(pa.float64(), 4)
    for path in (*(tmp_path / "out/index").iterdir(), *(tmp_path / "out/commit").glob("*.parquet")):
        table = pq.read_table(path)  # Arrow 25 and older cannot, if a list of a fixed size is null
        fixed = [field.name for field in table.schema if pa.types.is_fixed_size_list(field.type)]
        assert [name for name in fixed if table[name].null_count] == []
    assert verify(tmp_path / "out")[1] == []
    for name in ("coco", "yolo-detect", "webdataset", "huggingface"):
        assert main(["export", str(tmp_path / "out"), "--format", name, "--out", str(tmp_path / name)]) == 0
    assert main(["view", str(tmp_path / "out"), "--out", str(tmp_path / "view")]) == 0
    chosen = select(SelectRequest(tmp_path / "out", tmp_path / "chosen", "origin = 'real'", "r"), lambda _: None)
    assert (chosen.counts.frames, verify(tmp_path / "chosen")[1]) == (6, [])


def test_exports_of_a_mixture_say_which_pictures_are_real(shards: Path, tmp_path: Path) -> None:
    """Whichever come first; depth, lens and what kind of depth it is are null where nobody knows them."""
    make_real(shards / "first", tmp_path / "real")
    join(tmp_path / "out", shards / "second", tmp_path / "real")
    for name in ("coco", "huggingface"):
        assert main(["export", str(tmp_path / "out"), "--format", name, "--out", str(tmp_path / name)]) == 0
    (shard,) = (tmp_path / "huggingface/data").iterdir()
    rows = pq.read_table(shard, columns=["origin", "depth", "depth_kind", "lens_model"]).to_pylist()
    assert [row["origin"] for row in rows] == ["synthetic"] * 6 + ["real"] * 6
    for name in ("depth", "depth_kind", "lens_model"):
        assert [row[name] is None for row in rows] == [False] * 6 + [True] * 6
    card = (tmp_path / "huggingface/README.md").read_text(encoding="utf-8")
    assert "Real and synthetic pictures" in card
    images = json.loads((tmp_path / "coco/annotations/instances_train.json").read_bytes())["images"]
    assert [image["origin"] for image in images] == ["synthetic"] * 6 + ["real"] * 6
    assert {image["parent"] for image in images} == {
        read_manifest(path / "manifest.json").dataset_id for path in (shards / "second", tmp_path / "real")
    }


def test_a_mixture_is_split_by_the_groups_of_its_real_pictures(shards: Path, tmp_path: Path) -> None:
    """Rendered pictures are of no surface: those of a world stay together."""
    make_real(shards / "first", tmp_path / "real", surface=r"([0-9])[_.]")
    join(tmp_path / "out", tmp_path / "real", shards / "second")
    words = ("export", str(tmp_path / "out"), "--format", "coco", "--split", "train=0.5,val=0.5")
    assert main([*words, "--out", str(tmp_path / "coco")]) == 0
    split_of: dict[object, set[str]] = {}
    for split in ("train", "val"):
        for image in json.loads((tmp_path / f"coco/annotations/instances_{split}.json").read_bytes())["images"]:
            split_of.setdefault(image.get("surface", f"world {image['world']}"), set()).add(split)
    surfaces = index(tmp_path / "real", "frames")["surface"].to_pylist()
    assert set(split_of) == {*surfaces, *(f"world {world}" for world in range(258, 264))}
    assert len(set(surfaces)) > 1
    assert all(len(splits) == 1 for splits in split_of.values())


def make_real(source: Path, out: Path, **groups: str) -> None:
    """Take the pictures of a toy dataset in as if others had made them."""
    categories, frames = read_coco_file(source / "labels/coco.json", source)
    request = IngestRequest(out, "coco", TAXONOMY, "real", groups=groups)
    ingest(Records("real", categories, tuple(frames)), request, lambda _: None)


def test_mixtures_mix_again(shards: Path, tmp_path: Path) -> None:
    """Origin is kept, the parent is the one that was mixed in, and files lie one folder deeper."""
    make_real(shards / "first", tmp_path / "real")
    join(tmp_path / "inner", tmp_path / "real", shards / "second")
    make_toy(tmp_path / "third", range(3), toy_plan(seed=9))
    merged = join(tmp_path / "outer", tmp_path / "third", tmp_path / "inner")
    rows = index(tmp_path / "outer", "frames").to_pylist()
    inner = read_manifest(tmp_path / "inner/manifest.json").dataset_id
    assert [row["origin"] for row in rows] == ["synthetic"] * 3 + ["real"] * 6 + ["synthetic"] * 6
    assert {row["parent"] for row in rows[3:]} == {inner}
    assert rows[3]["image"].startswith(f"{inner}/ds_")
    assert merged.manifest.origin == "mixed"
    assert verify(tmp_path / "outer")[1] == []


def test_maps_of_one_scene_are_left_out_of_a_mixture_of_two(tmp_path: Path) -> None:
    """And kept where the tables are the same; the report says so."""
    make_materials(tmp_path / "a", range(3), "steel")
    make_materials(tmp_path / "b", range(3), "steel", seed=8)
    make_materials(tmp_path / "c", range(3), "wood", seed=9)
    same = join(tmp_path / "same", tmp_path / "a", tmp_path / "b")
    assert "material_map" in index(tmp_path / "same", "frames").column_names
    assert (tmp_path / "same/index/materials.parquet").is_file()
    other = join(tmp_path / "other", tmp_path / "a", tmp_path / "c")
    assert "material_map" not in index(tmp_path / "other", "frames").column_names
    assert not list((tmp_path / "other").rglob("materials*"))
    assert [len(merged.notes) for merged in (same, other)] == [1, 2]
    assert other.notes[1].startswith("left out material_map: its numbers are those of index/materials.parquet")
    assert [verify(tmp_path / name)[1] for name in ("same", "other")] == [[], []]


def test_another_program_makes_a_mixture_of_one_recipe(shards: Path, tmp_path: Path) -> None:
    make_toy(tmp_path / "other", range(6, 12), toy_plan(build=replace(BUILD, source_sha256="ef" * 32)))
    merged = join(tmp_path / "out", shards / "first", tmp_path / "other")
    assert "made by different programs" in merged.notes[0]


def test_columns_can_be_left_out(shards: Path, tmp_path: Path) -> None:
    """A column that names files goes with them."""
    make_toy(tmp_path / "b", range(3), toy_plan(seed=8))
    join(tmp_path / "out", shards / "first", tmp_path / "b", drop=("frames.depth", "worlds.p.paint.color"))
    assert {"depth", "depth_sha256"}.isdisjoint(index(tmp_path / "out", "frames").column_names)
    assert index(tmp_path / "out", "worlds").column_names == ["world", "step", "p.sun.elevation_deg"]
    assert not list((tmp_path / "out").rglob("depth"))
    assert verify(tmp_path / "out")[1] == []


@pytest.mark.parametrize(
    ("folders", "more", "message"),
    [
        (("first",), (), "name two or more datasets"),
        (("first", "whole", "first"), (), ""),
        (("b", "first", "b"), (), "is the same dataset as"),
        (("first", "b"), ("--drop", "frames.dept"), "--drop frames.dept: no dataset has it; near: frames.depth"),
        (("first", "b"), ("--drop", "frames.width"), "--drop frames.width: no dataset can be without it"),
    ],
)
def test_what_cannot_be_merged_is_said_in_a_line(
    shards: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    folders: tuple[str, ...],
    more: tuple[str, ...],
    message: str,
) -> None:
    make_toy(tmp_path / "b", range(3), toy_plan(seed=8))
    places = [str(tmp_path / name if name == "b" else shards / name) for name in folders]
    code = main(["merge", *places, "--out", str(tmp_path / "out"), *more])
    error = capsys.readouterr().err
    if message:
        assert (code, error.count("\n")) == (2, 1)
        assert message in error
        assert not (tmp_path / "out").exists()
    else:
        assert (code, error) == (0, "")  # overlapping worlds of one recipe, all equal


CLASH = [
    (ObjectClass(1, "box", "Box"), "class id 1 is 'carton' in a and 'box' in b"),
    (ObjectClass(2, "carton", "Carton"), "class 'carton' has id 1 in a and id 2 in b"),
    (ObjectClass(1, "carton", "Carton", keypoints=("top",)), "class 'carton' has other keypoints in b than in a"),
]


@pytest.mark.parametrize(("odd", "message"), CLASH)
def test_a_class_means_one_thing(odd: ObjectClass, message: str) -> None:
    with pytest.raises(UserError, match="--taxonomy or --classes") as error:
        unify_taxonomies([("a", TAXONOMY), ("b", Taxonomy("1.0.0", (odd,)))])
    assert message in str(error.value)


def test_classes_of_all_are_those_of_the_mixture() -> None:
    """In the order of ids; the first one's words; the versions of all."""
    new = Taxonomy("2.0.0", (ObjectClass(1, "carton", "Box of card"), ObjectClass(2, "drum", "Drum")))
    both = unify_taxonomies([("a", TAXONOMY), ("b", new)])
    assert [(c.id, c.name) for c in both.classes] == [(1, "Carton"), (2, "Drum"), (3, "Pallet")]
    assert both.version == "1.0.0+2.0.0"
    assert unify_taxonomies([("a", TAXONOMY), ("b", TAXONOMY)]) is TAXONOMY


@pytest.mark.parametrize(
    ("one", "two", "both"),
    [
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.int32(), pa.float32(), pa.float64()),
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.uint64(), pa.uint64(), pa.uint64()),
        (pa.uint64(), pa.int64(), None),
        (pa.uint64(), pa.float32(), None),
        (pa.uint32(), pa.int32(), pa.int64()),
        (pa.string(), pa.float32(), None),
        (pa.bool_(), pa.int32(), None),
        (pa.null(), pa.string(), pa.string()),
        (pa.list_(pa.int64()), pa.list_(pa.float32()), pa.list_(pa.float64())),
        (pa.list_(pa.float32(), 4), pa.list_(pa.float64(), 4), pa.list_(pa.float64(), 4)),
        (pa.list_(pa.float32(), 3), pa.list_(pa.float32(), 4), pa.list_(pa.float32())),
        (pa.list_(pa.float32()), pa.float32(), None),
        (pa.dictionary(pa.int8(), pa.string()), pa.string(), pa.string()),
    ],
    ids=str,
)
def test_a_column_has_a_type_that_holds_both(one: pa.DataType, two: pa.DataType, both: pa.DataType | None) -> None:
    """In either order, and the values of both are exactly the same in it."""
    assert unify_types(one, two) == unify_types(two, one) == both


def test_columns_that_fit_no_type_are_named_with_the_repair() -> None:
    schemas = [("a", pa.schema([("p.x", pa.string())])), ("b", pa.schema([("p.x", pa.float32()), ("p.y", pa.int8())]))]
    with pytest.raises(UserError, match=r"worlds\.p\.x is string in a and float in b.*--drop worlds\.p\.x"):
        unify_columns("worlds", schemas)
    assert unify_columns("worlds", schemas, ("worlds.p.x",)).names == ["p.y"]


def test_lists_that_a_dataset_has_not_can_be_null() -> None:
    """Lists of a fixed size cannot in files that Arrow 25 and older read."""
    both, one = pa.field("p.x", pa.list_(pa.float32(), 2)), pa.field("p.y", pa.list_(pa.float32(), 2))
    made = unify_columns("worlds", [("a", pa.schema([both, one])), ("b", pa.schema([both]))])
    assert made == pa.schema([both, ("p.y", pa.list_(pa.float32()))])


def test_rows_keep_their_values_in_wider_columns() -> None:
    schema = pa.schema([("a", pa.list_(pa.float64(), 2)), ("b", pa.float64()), ("c", pa.string())])
    table = pa.table(
        {"b": pa.array([3, None], pa.int32()), "a": pa.array([[0.1, 2.0], None], pa.list_(pa.float32(), 2))}
    )
    narrow = table["a"].to_pylist()
    assert conform(table, schema).to_pylist() == [
        {"a": narrow[0], "b": 3.0, "c": None},
        {"a": None, "b": None, "c": None},
    ]
