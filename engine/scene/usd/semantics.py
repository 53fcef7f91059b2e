"""Labels of prims by the five rules, and the classes that they make.

Rules, first that speaks wins; 1 to 3 look at the prim, then at its ancestors, nearest first:
1 `mapping`: the class map; 2 `labels_api`: `semantics:labels:<taxonomy>`, taxonomy `class` before any other;
3 `semantics`: the older `semantic:<name>:params:semanticType|semanticData`, read by attribute name, because USD drops
an applied schema that it does not know; `user`: custom properties as Blender and Maya export them, `userProperties:`;
4 `asset`: assetInfo of the nearest component; 5 `name`: the component's name without its number.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pxr import Usd

from engine.scene.class_map import ClassMap
from engine.scene.error import SceneError
from engine.scene.model import NO_INSTANCE
from engine.scene.options import SceneOptions
from engine.scene.taxonomy import ObjectClass, Taxonomy, taxonomy_from_json

PREFERRED = "class"
USER = "userProperties:"
USER_NAMES = (  # of custom properties that hold a class, in any case; most usual first
    *("class", "class_name", "classname", "semantic_class", "semantic_label", "semantics", "semantic"),
    *("category", "category_name", "label", "object_class"),
)
UNLABELLED = 0


@dataclass(frozen=True)
class Label:
    """A class as a prim states it, with the rule that found it; `tags` are all its labels."""

    key: str
    source: str
    tags: tuple[str, ...]


def may_label(name: str) -> bool:
    """Return whether `direct_label` may read the property of a name."""
    return name.startswith("semantic") or (name.startswith(USER) and _user_rank(name) is not None)


def direct_label(
    prim: Usd.Prim, path: str, names: Sequence[str], time: Usd.TimeCode, class_map: ClassMap
) -> Label | None:
    """Return the label that a prim itself carries; `names` are its authored properties."""
    tags: list[str] = []
    found: tuple[str, str] | None = None
    if class_map and (mapped := class_map.find(path)) is not None:
        found = (mapped, "mapping")  # an empty one takes the class away
        tags += [mapped] if mapped else []
    by_taxonomy: dict[str, list[str]] = {}
    legacy: dict[str, list[str]] = {}
    for name in names:
        if name.startswith("semantics:labels:"):
            labels = [label for label in _texts(prim, name, time) if label]
            if labels:
                by_taxonomy[name.removeprefix("semantics:labels:")] = labels
        elif name.startswith("semantic:") and name.endswith(":params:semanticData"):
            kind = _texts(prim, name.removesuffix("Data") + "Type", time) or [PREFERRED]
            legacy.setdefault(kind[0], []).extend(_texts(prim, name, time))
    user = {PREFERRED: _user_labels(prim, names, time)}
    for source, table in (("labels_api", by_taxonomy), ("semantics", legacy), ("user", user)):
        filled = {key: labels for key, labels in table.items() if labels}
        if filled:
            chosen = PREFERRED if PREFERRED in filled else min(filled)
            found = found or (filled[chosen][0], source)
            tags.extend(label for key in sorted(filled) for label in filled[key])
    return Label(found[0], found[1], tuple(dict.fromkeys(tags))) if found else None


NUMBER = re.compile(r"[_\-\s]*\d+$")
_asset_info = Usd.Prim.GetAssetInfo  # looked up once: through a prim it takes twice as long


@functools.lru_cache(1024)
def _named(key: str) -> Label:
    """Return the label of rule 5; one for all components of a name."""
    return Label(key, "name", ())


def component_label(prim: Usd.Prim) -> Label | None:
    """Return the class that a component's assetInfo or name suggests (rules 4 and 5)."""
    info = _asset_info(prim)
    name = info.get("name")
    if isinstance(name, str) and name.strip():
        return Label(name.strip(), "asset", ())
    identifier = info.get("identifier")
    text = Path(getattr(identifier, "path", "")).stem if identifier else ""
    if text:
        return Label(text, "asset", ())
    return _named(NUMBER.sub("", prim.GetName()) or prim.GetName())


def _user_labels(prim: Usd.Prim, names: Sequence[str], time: Usd.TimeCode) -> list[str]:
    """Return the classes in custom properties, the most usual name first."""
    ranked = sorted((rank, name) for name in names if (rank := _user_rank(name)) is not None)
    return [text for _, name in ranked for text in _texts(prim, name, time) if text]


def _user_rank(name: str) -> int | None:
    """Return how usual a custom property is as the place of a class; None for any other property."""
    if not name.startswith(USER):
        return None
    plain = name.removeprefix(USER).rpartition(":")[2].lower().replace(" ", "_")
    return USER_NAMES.index(plain) if plain in USER_NAMES else None


def _texts(prim: Usd.Prim, name: str, time: Usd.TimeCode) -> list[str]:
    """Return a string, token or array of them as stripped texts; anything else as none."""
    attribute = prim.GetAttribute(name)
    value = attribute.Get(time) if attribute else None
    if isinstance(value, str):
        value = [value]
    try:
        return [item.strip() for item in value or [] if isinstance(item, str)]
    except TypeError:
        return []


def read_taxonomy(options: SceneOptions, scene: Path) -> Taxonomy | None:
    """Return the taxonomy of the options or of `taxonomy.json` beside the scene, if there is one.

    Raises:
        SceneError: If the file is missing, is not JSON, or is not a taxonomy.
    """
    path = options.taxonomy or scene.parent / "taxonomy.json"
    if options.taxonomy is None and not path.is_file():
        return None
    try:
        return taxonomy_from_json(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise SceneError(f"taxonomy '{path}' cannot be used: {error}") from None


def taxonomy_of_classes(keys: Iterable[str]) -> Taxonomy:
    """Return the taxonomy `auto`: the sorted class keys, numbered from 1."""
    classes = (ObjectClass(i, key, key) for i, key in enumerate(sorted(set(keys)), start=NO_INSTANCE + 1))
    return Taxonomy("auto", tuple(classes))
