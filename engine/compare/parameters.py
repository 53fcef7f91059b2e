"""What was meant: keys of two recipes that were added, removed or changed, laws in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from engine.collect.intent import DatasetRef, Intent, Selection, parents_of, title_of
from engine.compare.model import Difference

LONGEST = 80  # characters of a value
ABSENT = object()
NAMED_BY = ("path", "dataset_id", "name")  # a list of mappings is compared by the first of them that all entries have
SAID_ELSEWHERE = frozenset({"taxonomy_id"})  # the level of taxonomies says how they differ
KIND_NAMES = {"recipe/1": "rendered", "ingest/1": "taken in", "selection/1": "selected", "mixture/1": "mixed"}
# What changes a dataset most stands first: its pictures' content, then how they are taken, then bookkeeping.
WEIGHTS = {"scene": 6.0, "assets": 5.0, "where": 5.0, "parents": 5.0, "options": 5.0, "randomize": 4.0, "laws": 4.0,
           "dr": 4.0, "rig": 3.0, "sensor": 3.0, "lidar": 3.0, "outputs": 2.0, "write": 2.0}  # fmt: skip


def compare_parameters(one: Intent, two: Intent, *, parent: str = "") -> list[Difference]:
    """Return how two recipes differ; if the datasets are not made in the same way, that alone.

    Args:
        one: That of the earlier dataset.
        two: That of the later one.
        parent: The id of the earlier dataset, so that what was made from it can be told.
    """
    if made := next((ref for ref in parents_of(two) if ref.dataset_id == parent), None):
        return [Difference("parameter", "derived", "parents", _derived(two, made), 9.0, {"after": two.to_json()})]
    if one.schema != two.schema:
        names = [f"{KIND_NAMES[intent.schema]} ({title_of(intent)})" for intent in (one, two)]
        facts = {"before": one.schema, "after": two.schema}
        return [Difference("parameter", "changed", "schema", " -> ".join(names), 9.0, facts)]
    return [
        _difference(path, before, after)
        for path, before, after in differences(one.to_json(), two.to_json())
        if path not in SAID_ELSEWHERE
    ]


def differences(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield path and both values of every key in which two trees of plain data differ; ABSENT where there is none.

    A law, which is a mapping with `law`, is one value if its kind changes; otherwise its parameters are compared.
    """
    before, after = _named(before), _named(after)
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.get("law") == after.get("law"):
        for key in sorted(before.keys() | after.keys()):
            where = f"{path}.{key}" if path else key
            yield from differences(before.get(key, ABSENT), after.get(key, ABSENT), where)
    elif before is ABSENT or after is ABSENT or before != after:
        yield path, before, after


def say(value: Any) -> str:
    """Return a value in a few words; a law as its name with its parameters."""
    if isinstance(value, Mapping) and "law" in value:
        rest = ", ".join(f"{key} {say(item)}" for key, item in value.items() if key != "law" and item is not None)
        text = f"{value['law']}({rest})"
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _derived(two: Intent, made: DatasetRef) -> str:
    """Return how a dataset was made from another."""
    if isinstance(two, Selection):
        drawn = "" if two.limit is None else f", {two.limit} drawn with seed {two.seed}"
        return f"the later one was selected from the earlier where {two.where}{drawn}"
    others = ", ".join(ref.name for ref in parents_of(two) if ref is not made)
    return f"the later one was {KIND_NAMES[two.schema]} from the earlier" + (f" and {others}" if others else "")


def _difference(path: str, before: Any, after: Any) -> Difference:
    weight = WEIGHTS.get(path.partition(".")[0].partition("[")[0], 1.0)
    if before is ABSENT:
        return Difference("parameter", "added", path, f"added, {say(after)}", weight, {"after": after})
    if after is ABSENT:
        return Difference("parameter", "removed", path, f"removed, was {say(before)}", weight, {"before": before})
    text = f"{say(before)} -> {say(after)}"
    return Difference("parameter", "changed", path, text, weight, {"before": before, "after": after})


def _named(value: Any) -> Any:
    """Return a list of mappings that have names as a mapping by name, so that order and length do not matter."""
    if not isinstance(value, list) or not value or not all(isinstance(item, Mapping) for item in value):
        return value
    for key in NAMED_BY:
        names = [item.get(key) for item in value]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return {f"[{name}]": item for name, item in zip(names, value, strict=True)}
    return value
