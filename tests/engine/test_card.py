"""The card of a dataset: what it says, that it is the same wherever it is written, and that data stay text in it."""

from __future__ import annotations

import html.parser
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.collect.intent import Ingest
from engine.config import compose
from engine.dataset.__main__ import main
from engine.dataset.manifest import read_manifest
from engine.dataset.verify import verify
from engine.lineage.card import CARD, EVIDENCE
from engine.lineage.document import Heading, Paragraph, Picture, Points, Table, markdown, page
from engine.lineage.in_words import entry_in_words, law_in_words
from engine.lineage.measures import measure
from engine.plain import to_plain
from engine.scene.taxonomy import ObjectClass, Taxonomy
from tests.engine.lineage_story import collect, tell
from tests.engine.toy_dataset import TAXONOMY, make_toy, toy_plan

NASTY = "<script>alert(1)</script> | `x` [a](b) *c* _d_ \u202e\nnext"
UNIT = {"law": "uniform", "low": 0, "high": 1}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("card") / "toy"
    make_toy(out, range(6), toy_plan())
    return out


def test_a_complete_dataset_has_a_card_that_checksums_name(dataset: Path) -> None:
    """With its ids, its root, and that the root alone is no evidence; `verify` finds a changed one."""
    card, manifest = (dataset / CARD).read_text(), read_manifest(dataset / "manifest.json")
    assert card.startswith(f"# toy: {manifest.dataset_id}\n")
    assert f"Content root: {manifest.content_root}" in card
    assert EVIDENCE in card
    assert "It contains no real imagery." in card
    assert f"  {CARD}\n" in (dataset / "CHECKSUMS.sha256").read_text()
    assert verify(dataset)[1] == []


def test_a_changed_card_is_a_fault_of_a_view(tmp_path: Path) -> None:
    """Made anew from the shards; the root does not depend on it."""
    manifest = make_toy(tmp_path, range(2), toy_plan())
    before = (tmp_path / CARD).read_bytes()
    (tmp_path / CARD).write_text("nothing")
    (fault,) = verify(tmp_path)[1]
    assert (fault.file, fault.repair.startswith("delete manifest.json")) == (CARD, True)
    (tmp_path / "manifest.json").unlink()
    assert make_toy(tmp_path, range(2), toy_plan()) == manifest
    assert (tmp_path / CARD).read_bytes() == before


def test_cards_do_not_depend_on_workers_or_batches(tmp_path: Path) -> None:
    """Nor on the folder."""
    make_toy(tmp_path / "a", range(6), toy_plan(), batch=1)
    make_toy(tmp_path / "b", range(6), toy_plan(), batch=4)
    for name in (CARD, "croissant.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_measures_are_those_of_the_index(dataset: Path) -> None:
    """Counted again by plain NumPy: sizes by class, light, saturated pictures."""
    measures = measure(dataset)
    rows = pq.read_table(dataset / "index/instances.parquet", columns=["class", "area_px"]).to_pylist()
    for name, sizes in measures.sizes.items():
        areas = np.array([row["area_px"] for row in rows if (row["class"] or "") == name])
        assert sizes == (np.sum(areas < 1024), np.sum((areas >= 1024) & (areas < 9216)), np.sum(areas >= 9216))
    assert sum(map(sum, measures.sizes.values())) == len(rows)
    light = pq.read_table(dataset / "index/frames.parquet")["lum_mean"].to_numpy()
    assert measures.lights == tuple(np.histogram(light, [0, 0.1, 0.25, 0.5, 0.75, 1.01])[0])
    assert f"| {np.sum((light >= 0.1) & (light < 0.25))} |" in (dataset / CARD).read_text()


@pytest.mark.parametrize(
    ("law", "words"),
    [
        ({"law": "uniform", "low": 1, "high": 8.5}, "uniform from 1 to 8.5"),
        ({"law": "log_uniform", "low": 0.001, "high": 1}, "log-uniform from 0.001 to 1"),
        ({"law": "integer", "low": 1, "high": 3}, "whole numbers from 1 to 3"),
        ({"law": "normal", "mean": 90, "std": 25}, "normal, mean 90, deviation 25"),
        ({"law": "choice", "values": [1, 2], "weights": [3, 1]}, "one of 1 (75 %), 2 (25 %)"),
        ({"law": "constant", "value": 4}, "4"),
        (
            {"law": "mixture", "parts": [{"weight": 1, "law": 2}, {"weight": 3, "law": UNIT}]},
            "25 %: 2; 75 %: uniform from 0 to 1",
        ),
        (
            {"law": "conditional", "by": "sun.high", "otherwise": 3, "cases": [{"then": 1, "low": None, "high": 5}]},
            "by sun.high: if below 5: 1; otherwise 3",
        ),
        ({"law": "of_tomorrow", "depth": 3, "none": None}, "of_tomorrow (depth 3)"),
        ({"law": "uniform", "lo": 1}, "uniform (lo 1)"),
    ],
)  # fmt: skip
def test_laws_are_said_in_words(law: dict[str, object], words: str) -> None:
    """Unknown ones, and ones of another shape, as they stand."""
    assert law_in_words(law) == words


def test_all_randomisers_of_shipped_scenes_can_be_said() -> None:
    """No law of them falls back to its raw form."""
    scenes = ("tile", "warehouse")
    for scene in scenes:
        recipe, _ = compose(f"+scene={scene}")
        for entry in to_plain(recipe)["randomize"].values():
            said = dict(entry_in_words(entry))
            assert said
            assert not any("law " in words or "(low" in words for words in said.values())


def test_a_card_of_real_pictures_says_licence_and_source(tmp_path: Path) -> None:
    """And of a mixture, its parents with their roots; the command adds what changed since them."""
    story = tell(tmp_path)
    card = (story.real / CARD).read_text()
    assert "Pictures: CC-BY-4.0. Source: https://e.org." in card
    assert "It contains real imagery." in card
    assert "none is rendered" in card
    parent = read_manifest(story.rendered / "manifest.json")
    assert parent.content_root in (story.mixed / CARD).read_text()


def test_the_command_says_what_changed_and_makes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Recipe key by key, counts before and after; the page takes in the contact sheet and loads nothing."""
    make_toy(tmp_path / "v1", range(2), toy_plan())
    make_toy(tmp_path / "v2", range(6), toy_plan(seed=8))
    assert main(["card", str(tmp_path / "v2"), "--since", str(tmp_path / "v1")]) == 0
    said = capsys.readouterr().out
    assert "What changed since v1" in said
    assert "- recipe: seed: 7 -\\> 8" in said
    assert "- frames: 2 -\\> 6" in said
    target = tmp_path / "card.html"
    assert main(["card", str(tmp_path / "v2"), "--html", str(target)]) == 0
    text = target.read_text()
    assert 'src="data:image/png;base64,' in text
    assert "default-src 'none'" in text
    assert main(["card", str(tmp_path / "v2"), "--html", str(tmp_path / "v2/card.html")]) == 2
    assert main(["card", str(tmp_path)]) == 2


def test_names_from_data_stay_text_in_a_card(tmp_path: Path) -> None:
    """A hostile class name, licence and source; the table keeps its columns."""
    taxonomy = Taxonomy("1", (ObjectClass(1, "a", NASTY, "", NASTY),))
    out = collect(tmp_path / "nasty", Ingest("n", TAXONOMY.id, (), True, "coco", "ab" * 32, NASTY, NASTY))
    card = (out / CARD).read_text()
    assert "<script>" not in card
    assert "\u202e" not in card
    blocks = [
        Heading(NASTY),
        Paragraph(NASTY),
        Points([NASTY]),
        Table(("a|b", "c"), [(NASTY, taxonomy.classes[0].name)]),
    ]
    text = markdown(blocks)
    assert "<script>" not in text
    row = text.strip().splitlines()[-1]
    assert row.replace("\\|", "").count("|") == 3
    assert "[a](b)" not in text


class _Tags(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.tags.append(tag)


def test_names_from_data_stay_text_on_a_page() -> None:
    """The tags are those of the page, whatever the text says."""
    blocks = [Heading(NASTY), Points([NASTY]), Table(("a", "b"), [(NASTY, "1")]), Picture('x"><b>', NASTY)]
    plain = [replace(Heading("t")), Points(["t"]), Table(("a", "b"), [("t", "1")]), Picture("x", "t")]
    assert _Tags(page(NASTY, blocks)).tags == _Tags(page("t", plain)).tags


def test_a_table_of_numbers_is_aligned_and_one_of_words_is_not() -> None:
    """A column counts as numbers when all of its cells are."""
    assert page("t", [Table(("n",), [("1",), ("2.5 %",)])]).count('class="number"') == 3
    assert 'class="number"' not in page("t", [Table(("n",), [("1",), ("two",)])])


def test_the_card_of_a_mixture_names_parents_origins_and_licences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From its own files; the command adds the source of parents that it finds."""
    make_toy(tmp_path / "toy", range(4), toy_plan())
    make_toy(tmp_path / "rendered", range(6), toy_plan(seed=3))
    assert main(["export", str(tmp_path / "toy"), "--format", "coco", "--out", str(tmp_path / "photos")]) == 0
    said = ("--licence", "CC-BY-4.0", "--source", "https://e.org", "--taxonomy", str(tmp_path / "toy/taxonomy.json"))
    real = tmp_path / "real"
    assert main(["ingest", str(tmp_path / "photos"), "--format", "coco", *said, "--out", str(real)]) == 0
    assert main(["merge", str(real), str(tmp_path / "rendered"), "--out", str(tmp_path / "mixed")]) == 0
    ids = [read_manifest(path / "manifest.json").dataset_id for path in (real, tmp_path / "rendered")]
    card = (tmp_path / "mixed" / CARD).read_text()
    assert f"| real | {ids[0]} | real | CC-BY-4.0 | 4 |" in card
    assert f"| rendered | {ids[1]} | synthetic | that of its assets | 6 |" in card
    assert "It contains real imagery." in card
    capsys.readouterr()
    assert main(["card", str(tmp_path / "mixed")]) == 0
    assert "- pictures of real: CC-BY-4.0; source https://e.org" in capsys.readouterr().out
