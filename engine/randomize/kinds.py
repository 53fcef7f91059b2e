"""Randomisers by kind: every entry `randomize.<name>: {kind, per, ...}` checked against the dataclass of its kind."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from engine.errors import UserError
from engine.plain import from_plain, known_keys, to_plain
from engine.registry import RANDOMIZERS, Entry

Per = Literal["world", "step"]
DAYLIGHT_KINDS = ("sun_sky", "sun_sky_at")  # they need a scene with a sun and a sky: engine.scene.defaults.daylit_scene


@dataclass(frozen=True)
class Randomizer:
    """An entry of a recipe, ready to run."""

    name: str  # the first part of its streams' names
    entry: Entry
    params: Any  # an instance of entry.params
    per: Per  # how often values are drawn anew

    @property
    def stage(self) -> int:
        """When it runs; see engine.randomize.stage."""
        stage: int = self.entry.params.STAGE  # type: ignore[attr-defined]
        return stage


def randomizer(name: str, data: object) -> Randomizer:
    """Return one entry, checked.

    Raises:
        UserError: One line: the path, and the known kinds or keys.
    """
    _load()
    where = f"randomize.{name}"
    if not isinstance(data, Mapping) or not isinstance(data.get("kind"), str):
        raise UserError(f"{where}: needs a mapping with a kind, one of: {', '.join(RANDOMIZERS.kinds())}")
    if data["kind"] not in RANDOMIZERS.kinds():
        raise UserError(f"{where}: unknown kind '{data['kind']}'; known kinds: {', '.join(RANDOMIZERS.kinds())}")
    entry = RANDOMIZERS.get(data["kind"])
    for key in data:
        if key not in ("kind", "per", *known_keys(entry.params)):
            known = ", ".join(("kind", "per", *known_keys(entry.params)))
            raise UserError(f"{where}: unknown key '{key}'; known keys of {data['kind']}: {known}")
    per = data.get("per", "world")
    if per not in ("world", "step"):
        raise UserError(f"{where}.per: {per!r} is not one of: world, step")
    own = {key: value for key, value in data.items() if key not in ("kind", "per")}
    return Randomizer(name, entry, from_plain(entry.params, own, where), per)


def _load() -> None:
    """Import every module of the package, so that it registers its kinds."""
    package = import_module("engine.randomize")
    for module in pkgutil.walk_packages(package.__path__, "engine.randomize."):
        import_module(module.name)


def checked_randomizers(entries: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    """Return the entries as a recipe stores them: checked, with every key written out.

    Raises:
        UserError: One line: the path, and the known kinds or keys.
    """
    checked = (randomizer(name, data) for name, data in entries.items())
    return {r.name: {"kind": r.entry.kind, "per": r.per, **to_plain(r.params)} for r in checked}
