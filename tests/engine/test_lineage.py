"""The lineage of a small story: rendered and real pictures become a mixture, which is exported and trained on."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import uuid
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime
from itertools import pairwise, product
from pathlib import Path

import pytest

from engine.dataset.__main__ import main
from engine.lineage.drawing import draw
from engine.lineage.graph import Graph, Node, build
from engine.lineage.layout import BOX_HEIGHT, BOX_WIDTH, lay_out, layers, reduced
from engine.lineage.node import dataset_ref
from engine.lineage.prov import ENDS, openlineage_events, prov_json
from engine.lineage.search import search
from engine.lineage.tree import MOST_ALIKE, tree_lines
from engine.recipe import AssetRef
from engine.write.begin import LOG
from tests.engine.lineage_story import WHY, Story, tell
from tests.engine.toy_dataset import make_toy, toy_plan


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return tell(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def graph(story: Story) -> Graph:
    return build(story.mixed, search([story.root]))


def walk(graph: Graph, start: str, *, ahead: bool = False) -> set[str]:
    """Return all that a node was made from, or all that was made of it, by plain search."""
    seen, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        for edge in graph.edges:
            one, other = (edge.target, edge.source) if ahead else (edge.source, edge.target)
            if one == name and other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def test_an_evaluation_leads_back_to_the_recipe_its_assets_and_why_it_was_made(story: Story, graph: Graph) -> None:
    """Evaluation, weights, training, mixture, rendered dataset, shards, program, recipe, reason."""
    behind = [graph.nodes[name] for name in walk(graph, story.evaluation.id)]
    titles = {(node.kind, node.title) for node in behind}
    assert {
        ("weights", "weights.pt"), ("training", "a"), ("dataset", "mixed"), ("dataset", "rendered"),
        ("dataset", "real"), ("recipe", "toy"), ("recipe", "photos"), ("asset", "toy.usda"),
        ("reason", "slice_report ev_77"),
        ("shard", "worlds 0 to 3"), ("shard", "worlds 4 to 5"), ("program", "engine 0.1.0"),
    } <= titles  # fmt: skip
    (reason,) = (node for node in behind if node.kind == "reason")
    assert reason.facts["why"] == WHY
    (asset,) = (node for node in behind if node.kind == "asset")
    assert asset.facts["sha256"] == "ab" * 32


def test_a_dataset_leads_on_to_what_was_made_of_it(story: Story) -> None:
    """From the rendered dataset on: the mixture, its export, the training and its evaluation."""
    graph = build(story.rendered, search([story.root]))
    ahead = {graph.nodes[name].kind for name in walk(graph, graph.start, ahead=True)}
    assert ahead >= {"dataset", "export", "training", "weights", "evaluation"}
    assert story.evaluation.id in walk(graph, graph.start, ahead=True)


def test_runs_and_exports_elsewhere_are_found_by_the_ledger(story: Story, tmp_path: Path) -> None:
    """The folder beside the dataset knows nothing of them; a dataset whose log is gone does not, either."""
    alone = tmp_path / "alone"
    shutil.copytree(story.mixed, alone)
    graph = build(alone, search([tmp_path]))
    assert {node.kind for node in graph.nodes.values()} >= {"export", "training"}
    shutil.rmtree(alone / LOG)
    graph = build(alone, search([tmp_path]))
    assert not {"export", "training", "evaluation"} & {node.kind for node in graph.nodes.values()}


def test_a_parent_that_is_not_around_is_a_node_with_what_is_known_of_it(story: Story, tmp_path: Path) -> None:
    """Its content root stands in the manifest of what was made of it."""
    shutil.copytree(story.mixed, tmp_path / "mixed")
    graph = build(tmp_path / "mixed", search([tmp_path]))
    ref = dataset_ref(story.rendered)
    stub = graph.nodes[ref.dataset_id]
    assert stub.facts["content_root"] == ref.content_root
    assert stub.facts["where"].startswith("not found")
    assert list(graph.behind(ref.dataset_id)) == []


def test_prov_json_has_the_shape_of_the_submission(graph: Graph) -> None:
    """Every relation joins declared things of the right kind, names have the declared prefix, values are scalars."""
    plain = json.loads(json.dumps(prov_json(graph)))
    assert set(plain) == {"prefix", "entity", "activity", "agent", *ENDS}
    roles = {name: role for role in ("entity", "activity", "agent") for name in plain[role]}
    wanted = {"prov:entity": "entity", "prov:activity": "activity", "prov:agent": "agent",
              "prov:generatedEntity": "entity", "prov:usedEntity": "entity"}  # fmt: skip
    for relation, ends in ENDS.items():
        for name, said in plain[relation].items():
            assert name.startswith("_:")
            assert set(said) == set(ends)
            assert [roles[said[end]] for end in ends] == [wanted[end] for end in ends]
    for name, role in roles.items():
        assert re.fullmatch(r"om:[A-Za-z0-9_-]+", name)
        for key, value in plain[role][name].items():
            assert key.split(":")[0] in ("om", "prov")
            assert isinstance(value, bool | int | float | str) or key == "prov:type"
    assert sum(len(plain[relation]) for relation in ENDS) == len(graph.edges)


def test_openlineage_events_have_the_fields_that_its_schema_requires(story: Story, graph: Graph) -> None:
    """RunEvent: eventTime, run with a UUID, job, producer, schemaURL; facets name producer and schema."""
    events = openlineage_events(graph)
    by_job = {event["job"]["name"]: event for event in events}
    assert len(events) == sum(node.role == "activity" for node in graph.nodes.values())
    for event in events:
        assert event["eventType"] in ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER")
        assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
        assert str(uuid.UUID(event["run"]["runId"])) == event["run"]["runId"]
        for dataset in (*event["inputs"], *event["outputs"]):
            assert dataset["namespace"] == "ommatidia"
            assert all({"_producer", "_schemaURL"} <= facet.keys() for facet in dataset["facets"].values())
    training = by_job["training.a"]
    ref = dataset_ref(story.mixed)
    assert [one["name"] for one in training["inputs"]] == [ref.dataset_id]
    assert training["inputs"][0]["facets"]["version"]["datasetVersion"] == ref.content_root
    assert [one["facets"]["ommatidia"]["title"] for one in training["outputs"]] == ["weights.pt"]
    made = next(event for event in events if [one["name"] for one in event["outputs"]] == [ref.dataset_id])
    assert {one["facets"]["ommatidia"]["kind"] for one in made["inputs"]} == {"recipe", "dataset"}


def test_a_run_that_was_killed_is_no_complete_event() -> None:
    """START and FAIL are said as they are."""
    nodes = {
        state: Node(f"run_{state}", "activity", "training", state, {"state": state}) for state in ("started", "failed")
    }
    graph = Graph("run_started", {node.id: node for node in nodes.values()})
    assert {event["job"]["name"]: event["eventType"] for event in openlineage_events(graph)} == {
        "training.started": "START",
        "training.failed": "FAIL",
    }


def test_the_drawing_is_xml_with_a_box_for_everything(graph: Graph) -> None:
    """Nothing is grouped in so small a story; boxes do not overlap, arrows go to the right."""
    root = ET.fromstring(draw(graph))
    space = "{http://www.w3.org/2000/svg}"
    boxes = [box.find(f"{space}rect") for box in root.iter(f"{space}g") if box.get("class") == "box"]
    places = [(float(box.get("x", "")), float(box.get("y", ""))) for box in boxes if box is not None]
    assert len(places) == len(graph.nodes)
    for one, other in product(range(len(places)), repeat=2):
        if one < other:
            (x0, y0), (x1, y1) = places[one], places[other]
            assert abs(x0 - x1) >= BOX_WIDTH or abs(y0 - y1) >= BOX_HEIGHT
    for path in root.iter(f"{space}path"):
        if path.get("class") == "edge":
            numbers = [float(text) for text in re.findall(r"-?[\d.]+", path.get("d", ""))]
            assert numbers[0] < numbers[-2]


def test_names_from_data_stay_text_in_the_drawing() -> None:
    """Tags, quotes and signs that turn text around."""
    node = Node("x", "entity", "dataset", "<script>\u202e\"'&", {"frames": 1, "note": "</title><b>"})
    drawing = draw(Graph("x", {"x": node}))
    assert ET.fromstring(drawing) is not None
    assert "<script>" not in drawing
    assert "<b>" not in drawing
    assert "\u202e" not in drawing


def test_many_shards_and_files_are_one_box_and_counted_in_the_tree(tmp_path: Path) -> None:
    """Ten shards, twelve files of the scene."""
    plan = toy_plan(shard_worlds=1)
    assets = tuple(AssetRef(f"a{i}.usda", hashlib.sha256(bytes([i])).hexdigest(), i) for i in range(12))
    recipe = replace(plan.recipe, assets=assets)
    make_toy(
        tmp_path / "toy", range(10), replace(plan, recipe=recipe, header=replace(plan.header, recipe_id=recipe.id))
    )
    graph = build(tmp_path / "toy", search([]))
    drawing = draw(graph)
    assert "12 of kind asset" in drawing
    assert "10 of kind shard" in drawing
    lines = list(tree_lines(graph))
    assert any(f"and {12 - MOST_ALIKE} more of kind asset" in line for line in lines)
    assert any(f"and {10 - MOST_ALIKE} more of kind shard" in line for line in lines)


def test_layers_and_the_transitive_reduction_are_those_of_the_definition() -> None:
    """A diamond with a shortcut: the shortcut goes, every edge that stays leads from a lower layer to a higher one."""
    names = ["old", "left", "right", "new", "tip"]
    edges = [("left", "old"), ("right", "old"), ("new", "left"), ("new", "right"), ("new", "old"), ("tip", "new")]
    kept = reduced(names, edges)
    assert sorted(kept) == sorted(set(edges) - {("new", "old")})
    layer = layers(names, kept)
    assert layer == {"old": 0, "left": 1, "right": 1, "new": 2, "tip": 3}
    long = lay_out(["a", "b", "c", "d"], [("b", "a"), ("c", "b"), ("d", "c"), ("d", "a"), ("c", "d")])
    assert max(len(route) for route in long.routes.values()) <= 3  # a circle, which no lineage has, ends


def test_a_long_edge_has_a_waypoint_in_every_layer_between() -> None:
    """So that it goes around boxes, not through them."""
    layout = lay_out(["a", "b", "c", "d", "e"], [("b", "a"), ("c", "b"), ("d", "c"), ("d", "e"), ("e", "a")])
    for (newer, older), route in layout.routes.items():
        crossed = [point.layer for point in route]
        assert crossed == list(range(layout.boxes[older].layer + 1, layout.boxes[newer].layer))
    assert any(layout.routes.values())
    for layer in range(4):
        points = [item for route in layout.routes.values() for item in route]
        column = [item for item in (*layout.boxes.values(), *points) if item.layer == layer]
        column.sort(key=lambda item: item.y)
        assert all(b.y - a.y >= (a.height + b.height) / 2 for a, b in pairwise(column))


def test_the_command_prints_and_writes_what_was_asked(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run as the start; a file inside of a dataset is refused; what is neither is one line, exit code 2."""
    files = [tmp_path / name for name in ("prov.json", "graph.svg", "page.html", "events.json")]
    start = [str(story.root / "runs/e"), "--search", str(story.root)]
    assert main(["lineage", *start, "--json", str(files[0]), "--svg", str(files[1]), "--html", str(files[2])]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"evaluation e {story.evaluation.id} (state finished, metrics recall 0.75)")
    assert "reason slice_report ev_77" in said
    assert main(["lineage", *start, "--json", str(files[3]), "--format", "openlineage"]) == 0
    assert isinstance(json.loads(files[3].read_text()), list)
    assert "entity" in json.loads(files[0].read_text())
    assert files[2].read_text().count("<svg") == 1
    capsys.readouterr()
    assert main(["lineage", str(story.mixed), "--svg", str(story.mixed / "graph.svg")]) == 2
    assert "lies in the dataset" in capsys.readouterr().err
    assert main(["lineage", str(tmp_path)]) == 2
    assert "neither a dataset nor a run" in capsys.readouterr().err


def test_damaged_things_around_are_notes(story: Story, tmp_path: Path) -> None:
    """A run that was edited and an export that is no JSON do not stop the lineage of a dataset."""
    shutil.copytree(story.rendered, tmp_path / "toy")
    shutil.copytree(story.root / "runs/a", tmp_path / "run")
    node = tmp_path / "run/lineage.json"
    node.write_text(node.read_text().replace("0.61", "0.99"))
    (tmp_path / "export").mkdir()
    (tmp_path / "export/export.json").write_text("{")
    (tmp_path / "toy/log/ledger.jsonl").write_text("no ledger\n")
    graph = build(tmp_path / "toy", search([tmp_path]))
    notes = "\n".join(graph.notes)
    assert "was changed after it was written" in notes
    assert "export.json is not JSON" in notes
    assert "its ledger cannot be read" in notes


def test_what_uses_a_dataset_is_said_once(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """Not again by the shards of what was mixed of it; and a folder that is not there is named itself."""
    assert main(["lineage", str(story.rendered)]) == 0
    after = capsys.readouterr().out.split("used by\n")[1]
    assert after.count("dataset mixed") == 1
    assert "shard" not in after
    assert main(["lineage", str(story.root / "none/a")]) == 2
    assert "none/a is not a folder; name a dataset or a run" in capsys.readouterr().err
