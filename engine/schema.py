"""The typed schema that Hydra composes against, made from the dataclasses of engine/recipe.py: one list of keys.

Every field is mandatory in the schema, because values live in conf/. Ranges and names are checked after composition by
the dataclasses themselves; here only keys and basic types are.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, Literal, Union

from omegaconf import MISSING

from engine.recipe import Breadth, Job, Parent, Rig, SceneConfig

NOT_CONFIGURED = ("usd", "overrides")  # fields of Job that are worked out
# Keys of `rig` that may be null, which means: as `scene.rig` says.
RIG_FROM_SCENE = ("cameras", "exposure_ev", "ambient_radiance", "ambient_reach_m")


def config_schema() -> type:
    """Return the structured config of a whole run."""
    rig = _fields(Rig)
    scene_rig = _schema("SceneRig", {name: rig[name] for name in RIG_FROM_SCENE})
    scene = _schema("Scene", {**_fields(SceneConfig), "randomize": dict[str, Any], "rig": scene_rig})
    optional_rig = {name: kind | None if name in RIG_FROM_SCENE else kind for name, kind in rig.items()}
    return _schema(
        "Config",
        {
            "scene": scene,
            "rig": _schema("Rig", optional_rig),
            "randomize": dict[str, Any],
            "dr": _schema("Dr", _fields(Breadth)),
            "outputs": list[str] | None,
            "write": dict[str, Any],
            "seed": int,
            "parents": list[_schema("Parent", _fields(Parent))],  # type: ignore[misc]
            **{name: kind for name, kind in _fields(Job).items() if name not in NOT_CONFIGURED},
        },
    )


def _fields(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: _omegaconf_type(hints[field.name]) for field in dataclasses.fields(kind)}


def _omegaconf_type(hint: Any) -> Any:
    """Return the nearest type that OmegaConf 2.3 knows: Literal and Path are text, a tuple is a list."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is Literal or (isinstance(hint, type) and hint.__name__ == "Path"):
        return str
    if origin is tuple:
        return list[_omegaconf_type(arguments[0])]  # type: ignore[misc]
    if origin in (Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not types.NoneType)
        return _omegaconf_type(inner) | None
    return hint


def _schema(name: str, fields: dict[str, Any]) -> type:
    entries = [(key, kind, _nothing(kind)) for key, kind in fields.items()]
    return dataclasses.make_dataclass(name, entries)


def _nothing(kind: Any) -> Any:
    """Return the state of a key that no file in conf/ sets: absent, or no entries where entries are free."""
    return dataclasses.field(default_factory=dict) if kind == dict[str, Any] else dataclasses.field(default=MISSING)
