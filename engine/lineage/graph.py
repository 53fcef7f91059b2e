"""The lineage of a dataset or a run as a graph: entities, activities and agents of PROV, and how they follow.

Upstream: the recipe with the files of its scene and why it was made, the shards with the program and the machine that
made them, datasets that it was selected, mixed or taken from. Downstream: datasets made of it, exports, trainings that
used it, evaluations of those. Source of the words: W3C PROV-DM, https://www.w3.org/TR/prov-dm/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.collect.intent import DatasetRef, Intent, read_intent, title_of
from engine.collect.reference import reference_of
from engine.dataset.manifest import Manifest, Origin, read_manifest
from engine.errors import UserError
from engine.lineage.ledger import read_entries
from engine.lineage.node import NODE, RunNode, read_node
from engine.lineage.search import Found, FoundExport
from engine.lineage.tamper import COMPLETE
from engine.lineage.verdicts import verdicts
from engine.recipe import Recipe
from engine.write.begin import HEADER, MANIFEST, RECIPE
from engine.write.record import FileFact
from engine.write.recover import CommitLog

Role = Literal["entity", "activity", "agent"]
Relation = Literal["used", "wasGeneratedBy", "wasDerivedFrom", "wasAssociatedWith"]
SHORT = 12  # digits of a hash in an id


@dataclass(frozen=True)
class Node:
    """Something of the lineage. `facts` are plain data, `start` and `end` times where they are known."""

    id: str  # letters, digits, - and _
    role: Role
    kind: str  # one of engine.lineage.tree.SAID
    title: str
    facts: dict[str, Any] = field(default_factory=dict)
    start: str | None = None
    end: str | None = None


@dataclass(frozen=True)
class Edge:
    """`source` was made from, or by, or in `target`: it points back in time."""

    source: str
    relation: Relation
    target: str


@dataclass
class Graph:
    """Nodes by id, in the order in which they were met, and edges, each once."""

    start: str = ""
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[Edge, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, node: Node) -> str:
        """Add a node; the first of an id stays."""
        self.nodes.setdefault(node.id, node)
        return node.id

    def join(self, source: str, relation: Relation, target: str) -> None:
        """Add an edge."""
        self.edges.setdefault(Edge(source, relation, target))

    def behind(self, node: str) -> Iterator[Edge]:
        """Yield the edges to what a node was made from."""
        return (edge for edge in self.edges if edge.source == node)

    def ahead(self, node: str) -> Iterator[Edge]:
        """Yield the edges from what was made of a node."""
        return (edge for edge in self.edges if edge.target == node)


def build(folder: Path, found: Found) -> Graph:
    """Return the graph around a dataset or a run.

    Args:
        folder: Of a complete dataset, or of a run.
        found: What lies around; what the ledgers of datasets name is added to it.
    Raises:
        UserError: If the folder is neither.
    """
    graph = Graph()
    if (folder / HEADER).is_file():
        if not (folder / MANIFEST).is_file():
            raise UserError(f"{folder} is not a complete dataset: it has no {MANIFEST}")
        manifest = read_manifest(folder / MANIFEST)
        found.datasets[manifest.dataset_id] = (folder, manifest)
        _follow_ledgers(found)
        graph.start = _add_dataset(graph, found, manifest.dataset_id)
        _add_downstream(graph, found, manifest.dataset_id)
    elif (folder / NODE).is_file():
        node = read_node(folder)
        _follow_ledgers(found)
        graph.start = _add_run(graph, found, node)
        _add_evaluations(graph, found, node)
    else:
        raise UserError(f"{folder} is neither a dataset nor a run: it has no {HEADER} and no {NODE}")
    _add_verdicts(graph, found)
    graph.notes += found.notes
    return graph


def _follow_ledgers(found: Found) -> None:
    for place, _ in list(found.datasets.values()):
        found.follow_ledger(place)


def _add_dataset(graph: Graph, found: Found, dataset_id: str) -> str:
    """Add a dataset that was found, with all that it was made from."""
    place, manifest = found.datasets[dataset_id]
    if dataset_id in graph.nodes:
        return dataset_id
    node = graph.add(_dataset_node(reference_of(place, manifest), "here"))
    try:
        intent = read_intent(place / RECIPE)
        _add_intent(graph, found, node, intent)
        _add_shards(graph, node, place, manifest)
    except (UserError, OSError) as error:
        graph.notes.append(f"{place}: {error}")
    return node


def _dataset_node(ref: DatasetRef, where: str) -> Node:
    facts = {
        "frames": ref.frames, "origin": ref.origin, "contains_real_imagery": ref.contains_real_imagery,
        "content_root": ref.content_root, "taxonomy_id": ref.taxonomy_id, "where": where,
    }  # fmt: skip
    return Node(ref.dataset_id, "entity", "dataset", ref.name, facts)


def _add_ref(graph: Graph, found: Found, ref: DatasetRef) -> str:
    """Add a dataset by what is known of it; with all that it was made from, if it is around."""
    if ref.dataset_id not in found.datasets:
        return graph.add(_dataset_node(ref, "not found; name its folder with --search"))
    manifest = found.datasets[ref.dataset_id][1]
    if manifest.content_root != ref.content_root:
        graph.notes.append(f"{ref.dataset_id} has another content root here than what was made of it says")
    return _add_dataset(graph, found, ref.dataset_id)


def _add_intent(graph: Graph, found: Found, dataset: str, intent: Intent) -> None:
    facts: dict[str, Any] = {"recipe_id": intent.id, "schema": intent.schema}
    if isinstance(intent, Recipe):
        facts |= {"seed": intent.seed, "quality": intent.rig.quality, "varies": sorted(intent.randomize)}
    else:
        facts |= {key: value for key in ("format", "licence", "source", "where") if (value := getattr(intent, key, ""))}
    recipe = graph.add(Node(f"recipe_{intent.id[:SHORT]}", "entity", "recipe", title_of(intent), facts))
    graph.join(dataset, "wasDerivedFrom", recipe)
    taxonomy = graph.add(Node(intent.taxonomy_id, "entity", "taxonomy", intent.taxonomy_id))
    graph.join(dataset, "wasDerivedFrom", taxonomy)
    if not isinstance(intent, Recipe):
        for ref in intent.parents:
            graph.join(dataset, "wasDerivedFrom", _add_ref(graph, found, ref))
        return
    for asset in intent.assets:
        plain = {"sha256": asset.sha256, "bytes": asset.bytes}
        name = f"asset_{asset.sha256[:SHORT]}"
        graph.join(recipe, "wasDerivedFrom", graph.add(Node(name, "entity", "asset", asset.path, plain)))
    for number, parent in enumerate(intent.parents):
        name = f"reason_{intent.id[:SHORT]}_{number}"
        reason = Node(name, "entity", "reason", f"{parent.kind} {parent.id}", {"why": parent.why})
        graph.join(recipe, "wasDerivedFrom", graph.add(reason))


def _add_shards(graph: Graph, dataset: str, place: Path, manifest: Manifest) -> None:
    """Add an activity for every program and machine that made shards, and the shards."""
    behind = [graph.nodes[edge.target] for edge in graph.behind(dataset)]
    recipe = next(node.id for node in behind if node.kind == "recipe")
    parents = [node.id for node in behind if node.kind == "dataset"]
    done = [entry.time for entry in _entries(place) if entry.event == COMPLETE]
    makers: dict[Origin, str] = {}
    for commit in CommitLog(place).commits():
        origin = Origin(commit.engine, commit.environment)
        if origin not in makers:
            program = _add_program(graph, origin)
            machine = {"device": origin.environment.device, "python": origin.environment.python,
                       "simd": origin.environment.simd, "driver": origin.environment.driver}  # fmt: skip
            facts = {key: value for key, value in machine.items() if value}
            name, end = f"make_{dataset.removeprefix('ds_')}_{len(makers)}", done[0] if done else None
            title = f"made on {origin.environment.device}"
            makers[origin] = graph.add(Node(name, "activity", "make", title, facts, None, end))
            for source in (recipe, *parents):
                graph.join(name, "used", source)
            graph.join(name, "wasAssociatedWith", program)
        worlds = {"first_world": commit.worlds[0], "last_world": commit.worlds[-1], "worlds": len(commit.worlds)}
        counts: dict[str, Any] = {**worlds, "frames": commit.frames, "content_sha256": commit.content_sha256}
        name = f"shard_{dataset.removeprefix('ds_')}_{commit.id}"
        title = f"worlds {commit.worlds[0]} to {commit.worlds[-1]}"
        graph.add(Node(name, "entity", "shard", title, counts))
        graph.join(name, "wasGeneratedBy", makers[origin])
        graph.join(dataset, "wasDerivedFrom", name)


def _entries(place: Path) -> list[Any]:
    try:
        return list(read_entries(place))
    except (ValueError, TypeError, OSError):
        return []  # said by Found.follow_ledger


def _add_program(graph: Graph, origin: Origin) -> str:
    engine = origin.engine
    facts = {"version": engine.version, "source_sha256": engine.source_sha256, "commit": engine.commit,
             "dirty": engine.dirty, "warp": engine.warp, "numpy": engine.numpy}  # fmt: skip
    plain = {key: value for key, value in facts.items() if value is not None}
    return graph.add(
        Node(f"engine_{engine.source_sha256[:SHORT]}", "agent", "program", f"engine {engine.version}", plain)
    )


def _add_downstream(graph: Graph, found: Found, dataset_id: str) -> None:
    """Add what was made of a dataset, and of what was made of it."""
    waiting, seen = [dataset_id], {dataset_id}
    while waiting:
        current = waiting.pop(0)
        for other, (_, manifest) in found.datasets.items():
            if other not in seen and any(ref.dataset_id == current for ref in manifest.parents):
                seen.add(other)
                waiting.append(_add_dataset(graph, found, other))
        for one in found.exports.values():
            if one.dataset_id == current:
                _add_export(graph, one)
        for _, run in found.runs.values():
            if any(ref.dataset_id == current for ref in run.datasets):
                _add_run(graph, found, run)
                _add_evaluations(graph, found, run)


def _add_export(graph: Graph, one: FoundExport) -> None:
    facts = {"format": one.format, "export_sha256": one.sha256}
    title = f"{one.format} in {one.folder.name}"
    name = graph.add(Node(f"export_{one.sha256[:SHORT]}", "entity", "export", title, facts))
    graph.join(name, "wasDerivedFrom", one.dataset_id)


def _add_run(graph: Graph, found: Found, run: RunNode) -> str:
    if run.id in graph.nodes:
        return run.id
    facts: dict[str, Any] = {"state": run.state, "metrics": run.metrics, "settings": run.settings}
    facts |= {"proportions": run.proportions} if run.proportions else {}
    facts |= {"reason": run.reason} if run.reason else {}
    name = graph.add(Node(run.id, "activity", run.kind, run.name, facts, run.started, run.ended))
    for ref in run.datasets:
        graph.join(name, "used", _add_ref(graph, found, ref))
    if run.model is not None:
        trained = found.runs.get(run.model.run_id)
        stub = Node(run.model.run_id, "activity", "training", run.model.name, {"where": "not found"})
        maker = graph.add(stub) if trained is None else _add_run(graph, found, trained[1])
        outputs = [_add_weights(graph, maker, fact) for fact in run.model.outputs]
        for target in outputs:
            graph.join(name, "used", target)
        if not outputs:  # nothing that it made is known: the record itself is what the evaluation names
            record = Node(f"record_{run.model.sha256[:SHORT]}", "entity", "weights", f"what {run.model.name} made")
            graph.join(graph.add(record), "wasGeneratedBy", maker)
            graph.join(name, "used", record.id)
    for fact in run.outputs:
        _add_weights(graph, name, fact, "weights" if run.kind == "training" else "report")
    return name


def _add_weights(graph: Graph, maker: str, fact: FileFact, kind: str = "weights") -> str:
    plain = {"sha256": fact.sha256, "bytes": fact.bytes}
    name = graph.add(Node(f"file_{fact.sha256[:SHORT]}", "entity", kind, fact.path, plain))
    graph.join(name, "wasGeneratedBy", maker)
    return name


def _add_verdicts(graph: Graph, found: Found) -> None:
    """Add what the gate said of the datasets of the graph."""
    for dataset, (place, _) in found.datasets.items():
        for one in verdicts(place) if dataset in graph.nodes else ():
            facts = {"why": one.reasons, "target": one.facts.get("target"), "sha256": one.facts.get("evidence")}
            title = f"{one.verdict} by the gate"
            graph.add(Node(f"verdict_{one.hash[:SHORT]}", "activity", "verdict", title, facts, None, one.time))
            graph.join(f"verdict_{one.hash[:SHORT]}", "used", dataset)


def _add_evaluations(graph: Graph, found: Found, run: RunNode) -> None:
    for _, other in found.runs.values():
        if other.model is not None and other.model.run_id == run.id:
            _add_run(graph, found, other)
