"""A lineage as PROV-JSON and as run events of OpenLineage, for tools of others.

Sources: https://www.w3.org/submissions/prov-json/ and https://openlineage.io/spec/2-0-2/OpenLineage.json
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

from engine import __version__
from engine.lineage.graph import Edge, Graph, Node

NAMESPACE = "urn:ommatidia:lineage:"
PREFIX = "om"
PRODUCER = f"urn:ommatidia:engine:{__version__}"
EVENT_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
VERSION_SCHEMA = "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json"
ERROR_SCHEMA = "https://openlineage.io/spec/facets/1-0-1/ErrorMessageRunFacet.json"
ENDS = {  # relation -> the two roles of PROV-JSON, of source and target
    "used": ("prov:activity", "prov:entity"),
    "wasGeneratedBy": ("prov:entity", "prov:activity"),
    "wasDerivedFrom": ("prov:generatedEntity", "prov:usedEntity"),
    "wasAssociatedWith": ("prov:activity", "prov:agent"),
}
STATES = {"finished": "COMPLETE", "failed": "FAIL", "started": "START"}
UNKNOWN_TIME = "1970-01-01T00:00:00.000+00:00"  # events must have one


def prov_json(graph: Graph) -> dict[str, Any]:
    """Return the graph as PROV-JSON; ids are `om:` and the node's id."""
    plain: dict[str, Any] = {"prefix": {PREFIX: NAMESPACE}}
    for node in graph.nodes.values():
        said = {
            "prov:type": {"$": f"{PREFIX}:{node.kind}", "type": "prov:QUALIFIED_NAME"}, "prov:label": node.title,
            **{f"{PREFIX}:{key}": _scalar(value) for key, value in node.facts.items() if value is not None},
        }  # fmt: skip
        if node.role == "activity":
            times = {"prov:startTime": node.start, "prov:endTime": node.end}
            said |= {key: time for key, time in times.items() if time is not None}
        plain.setdefault(node.role, {})[_name(node.id)] = said
    for number, edge in enumerate(graph.edges):
        first, second = ENDS[edge.relation]
        ends = {first: _name(edge.source), second: _name(edge.target)}
        plain.setdefault(edge.relation, {})[f"_:{edge.relation}{number}"] = ends
    return plain


def openlineage_events(graph: Graph) -> list[dict[str, Any]]:
    """Return an event for every activity of the graph, in the order of their times; one without says 1970."""
    events = [_event(graph, node) for node in graph.nodes.values() if node.role == "activity"]
    return sorted(events, key=lambda event: str(event["eventTime"]))


def _event(graph: Graph, node: Node) -> dict[str, Any]:
    facets: dict[str, Any] = {"ommatidia": _facet("RunFacet", {"id": node.id, "kind": node.kind, **node.facts})}
    if node.facts.get("state") == "failed":
        message = {"message": str(node.facts.get("reason", "")), "programmingLanguage": "Python"}
        facets["errorMessage"] = {"_producer": PRODUCER, "_schemaURL": ERROR_SCHEMA, **message}
    return {
        "eventType": STATES.get(str(node.facts.get("state", "finished")), "OTHER"),
        "eventTime": node.end or node.start or UNKNOWN_TIME,
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, NAMESPACE + node.id)), "facets": facets},
        "job": {"namespace": "ommatidia", "name": f"{node.kind}.{node.title}", "facets": {}},
        "inputs": [_dataset(graph.nodes[end]) for end in _inputs(graph, node)],
        "outputs": [_dataset(graph.nodes[end]) for end in _outputs(graph, node)],
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
    }


def _inputs(graph: Graph, node: Node) -> Iterator[str]:
    return (edge.target for edge in graph.behind(node.id) if edge.relation == "used")


def _outputs(graph: Graph, node: Node) -> Iterator[str]:
    """Yield what an activity made; instead of shards, the dataset that they became, once."""
    seen: set[str] = set()
    for edge in graph.ahead(node.id):
        if edge.relation != "wasGeneratedBy":
            continue
        whole = [_whole(graph, other) for other in graph.ahead(edge.source)] if _is_shard(graph, edge.source) else []
        for end in filter(None, whole or [edge.source]):
            if end not in seen:
                seen.add(end)
                yield end


def _is_shard(graph: Graph, node: str) -> bool:
    return graph.nodes[node].kind == "shard"


def _whole(graph: Graph, edge: Edge) -> str | None:
    return edge.source if graph.nodes[edge.source].kind == "dataset" else None


def _dataset(node: Node) -> dict[str, Any]:
    facets: dict[str, Any] = {
        "ommatidia": _facet("DatasetFacet", {"kind": node.kind, "title": node.title, **node.facts})
    }
    version = node.facts.get("content_root") or node.facts.get("sha256") or node.facts.get("recipe_id")
    if version:
        facets["version"] = {"_producer": PRODUCER, "_schemaURL": VERSION_SCHEMA, "datasetVersion": version}
    return {"namespace": "ommatidia", "name": node.id, "facets": facets}


def _facet(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    known = {key: value for key, value in facts.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": f"{NAMESPACE}{name}", **known}


def _name(node: str) -> str:
    return f"{PREFIX}:{node}"


def _scalar(value: Any) -> Any:
    """Return a value that PROV-JSON has room for: lists and mappings as JSON text."""
    return (
        value if isinstance(value, bool | int | float | str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    )
