"""The versioned list of classes. Ids are never reused and never depend on the order of first sight."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import rfc8785


@dataclass(frozen=True)
class ObjectClass:
    """One class of the taxonomy; ids start at 1, 0 means unlabelled."""

    id: int
    key: str
    name: str
    parent: str = ""
    definition: str = ""


@dataclass(frozen=True)
class Taxonomy:
    """Classes sorted by id."""

    version: str
    classes: tuple[ObjectClass, ...]

    @property
    def id(self) -> str:
        """Content id, `tax_` and 16 hex digits of the sha256 of the canonical JSON (RFC 8785)."""
        return "tax_" + hashlib.sha256(rfc8785.dumps(self.to_json())).hexdigest()[:16]

    def to_json(self) -> dict[str, object]:
        """Return the plain-data form, without the id."""
        classes = [
            {"id": c.id, "key": c.key, "name": c.name, "parent": c.parent, "definition": c.definition}
            for c in self.classes
        ]
        return {"schema": "taxonomy/1", "version": self.version, "classes": classes}
