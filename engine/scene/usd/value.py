"""Single values of attributes, checked: a file may hold any type under any name."""

from __future__ import annotations

import math
from typing import Any

from pxr import Sdf, Usd

from engine.scene.usd.stage import OpenStage


class Values:
    """Reads attributes of one prim; what has the wrong type or is not finite gives the default and a note."""

    def __init__(self, opened: OpenStage, prim: Usd.Prim, *, prefix: str = "") -> None:
        """Read from `prim`; with a prefix such as `inputs:`, `prefix + name` goes before the bare name."""
        self._opened = opened
        self._prim = prim
        self._prefix = prefix

    def raw(self, name: str) -> Any:
        """Return the value, authored or the schema's; None where there is none."""
        attribute = self._prim.GetAttribute(self._prefix + name)
        bare = self._prim.GetAttribute(name) if self._prefix else None
        if bare and bare.HasAuthoredValue() and not (attribute and attribute.HasAuthoredValue()):
            attribute = bare
        return attribute.Get(self._opened.time) if attribute else None

    def is_authored(self, name: str) -> bool:
        """Return whether a file says a value, under the name with the prefix or the bare one."""
        names = {self._prefix + name, name}
        return any(attribute.HasAuthoredValue() for n in names if (attribute := self._prim.GetAttribute(n)))

    def number(self, name: str, default: float) -> float:
        """Return a finite number."""
        value = self.raw(name)
        if value is None:
            return default
        if isinstance(value, bool | int | float) and math.isfinite(value):
            return float(value)
        return self._unusable(name, default)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a truth value."""
        value = self.raw(name)
        if value is None:
            return default
        return bool(value) if isinstance(value, bool | int) else self._unusable(name, default)

    def triple(self, name: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return three finite numbers, such as a colour."""
        value = self.raw(name)
        if value is None:
            return default
        return three(value) or self._unusable(name, default)

    def text(self, name: str, default: str) -> str:
        """Return a string or token."""
        value = self.raw(name)
        if value is None:
            return default
        return value if isinstance(value, str) else self._unusable(name, default)

    def asset(self, name: str) -> Sdf.AssetPath | None:
        """Return an asset path that is not empty."""
        value = self.raw(name)
        return value if isinstance(value, Sdf.AssetPath) and value.path else None

    def _unusable(self, name: str, default: Any) -> Any:
        self._opened.notes.add("repaired", self._prim.GetPath(), f"{name} has an unusable value; {default} was used")
        return default


def three(value: Any) -> tuple[float, float, float] | None:
    """Return the first three entries as finite numbers, or None."""
    try:
        numbers = float(value[0]), float(value[1]), float(value[2])
    except (TypeError, ValueError, IndexError, KeyError):
        return None
    return numbers if all(math.isfinite(number) for number in numbers) else None
