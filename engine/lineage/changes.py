"""What changed from one dataset to another, in a few lines: recipe, taxonomy, program, counts.

It looks at bookkeeping alone; how columns are spread and which files differ, the command `diff` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.collect.intent import Intent, read_intent
from engine.dataset.manifest import Manifest, read_manifest
from engine.errors import UserError
from engine.lineage.in_words import law_in_words
from engine.write.begin import MANIFEST, RECIPE

MOST_KEYS = 24  # of a recipe that are named


@dataclass(frozen=True)
class Version:
    """A complete dataset and what it was meant to be."""

    folder: Path
    manifest: Manifest
    intent: Intent


def read_version(folder: Path) -> Version:
    """Return a complete dataset.

    Raises:
        UserError: If it is not complete.
    """
    if not (folder / MANIFEST).is_file():
        raise UserError(f"{folder} is not a complete dataset: it has no {MANIFEST}")
    return Version(folder, read_manifest(folder / MANIFEST), read_intent(folder / RECIPE))


def changes(before: Version, after: Version) -> Iterator[str]:
    """Yield what changed, a line each."""
    old, new = before.manifest, after.manifest
    if old.recipe_id == new.recipe_id:
        yield "recipe: the same"
    elif before.intent.schema != after.intent.schema:
        yield f"recipe: another kind, {before.intent.schema} -> {after.intent.schema}"
    else:
        found = list(_differences(before.intent.to_json(), after.intent.to_json()))
        yield from (f"recipe: {line}" for line in found[:MOST_KEYS])
        if len(found) > MOST_KEYS:
            yield f"recipe: and {len(found) - MOST_KEYS} more keys"
    if old.taxonomy_id != new.taxonomy_id:
        yield f"taxonomy: {old.taxonomy_id} -> {new.taxonomy_id}"
    for name, one, other in (
        ("engine", old.engine.version, new.engine.version),
        ("sources of the program", old.engine.source_sha256[:12], new.engine.source_sha256[:12]),
        ("origin", old.origin, new.origin),
        ("worlds", old.counts.worlds, new.counts.worlds),
        ("frames", old.counts.frames, new.counts.frames),
        ("instances", old.counts.instances, new.counts.instances),
        ("content root", old.content_root[:12], new.content_root[:12]),
    ):
        if one != other:
            yield f"{name}: {one} -> {other}"
    for key in sorted(old.counts.by_class.keys() | new.counts.by_class.keys()):
        one, other = old.counts.by_class.get(key, 0), new.counts.by_class.get(key, 0)
        if one != other:
            yield f"instances of {key}: {one} -> {other}"


def _differences(old: Any, new: Any, where: str = "") -> Iterator[str]:
    """Yield keys that were added, removed or changed; laws in words, before and after."""
    if isinstance(old, dict) and isinstance(new, dict) and not any("law" in side for side in (old, new)):
        for key in sorted(old.keys() | new.keys()):
            path = f"{where}.{key}" if where else key
            if key not in old:
                yield f"{path} added: {_said(new[key])}"
            elif key not in new:
                yield f"{path} removed: {_said(old[key])}"
            else:
                yield from _differences(old[key], new[key], path)
    elif old != new:
        yield f"{where}: {_said(old)} -> {_said(new)}"


def _said(value: Any) -> str:
    return law_in_words(value) or "none"
