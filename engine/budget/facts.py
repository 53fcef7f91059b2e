"""Facts in a JSON file that somebody else wrote, checked one by one; errors name file, key, value and repair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.write.record import read_json


@dataclass(frozen=True)
class Facts:
    """A mapping in a file; `where` is the dotted path of its own keys, empty at the top."""

    path: Path
    data: Mapping[str, Any]
    repair: str
    where: str = ""

    def refuse(self, key: str, expected: str) -> UserError:
        """Return the error about a key that is missing or holds something else."""
        found = f"got {_show(self.data[key])}" if key in self.data else "it is missing"
        return UserError(f"{self.path}: {self._name(key)}: expected {expected}, {found}; {self.repair}")

    def facts(self, key: str) -> Facts:
        """Return a mapping below."""
        value = self.data.get(key)
        if not isinstance(value, dict):
            raise self.refuse(key, "a mapping")
        return Facts(self.path, value, self.repair, self._name(key))

    def items(self, key: str) -> list[Facts]:
        """Return the mappings of a list below."""
        value = self.data.get(key)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.refuse(key, "a list of mappings")
        return [Facts(self.path, one, self.repair, f"{self._name(key)}[{i}]") for i, one in enumerate(value)]

    def text(self, key: str, known: Sequence[str] = ()) -> str:
        """Return text, one of `known` where there are some."""
        value = self.data.get(key)
        if not isinstance(value, str) or not value or (known and value not in known):
            raise self.refuse(key, f"one of {', '.join(known)}" if known else "text")
        return value

    def number(self, key: str) -> float:
        """Return a finite number."""
        value = self.data.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.refuse(key, "a finite number")
        return float(value)

    def number_or_none(self, key: str) -> float | None:
        """Return a finite number, or None for null; the key must be there."""
        if key in self.data and self.data[key] is None:
            return None
        return self.number(key)

    def count(self, key: str, least: int = 0) -> int:
        """Return a whole number."""
        value = self.data.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.refuse(key, f"a whole number of at least {least}")
        return value

    def _name(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key


def read_facts(path: Path, schema: str, made_by: str) -> Facts:
    """Return what a JSON file of a schema holds; `made_by` is the command that makes it again.

    Raises:
        UserError: If it is not there, not JSON, or of another schema.
    """
    if not path.is_file():
        raise UserError(f"there is no {path}; {made_by} makes it")
    facts = Facts(path, {}, f"make it again with {made_by}")
    data = read_json(path)
    if not isinstance(data, dict):
        raise UserError(f"{path} is not a mapping but {_show(data)}; {facts.repair}")
    facts = Facts(path, data, facts.repair)
    facts.text("schema", (schema,))
    return facts


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
