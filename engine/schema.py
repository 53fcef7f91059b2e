"""The typed schema that Hydra composes against, made from the dataclasses of engine/recipe.py: one list of keys.

Every field is mandatory in the schema, because values live in conf/. Ranges and names are checked after composition by
the dataclasses themselves; here only keys and basic types are. The classes stand in the module, so that a configuration
can be sent to another process.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any, Literal, Union

from omegaconf import MISSING

from engine.labels.config import LabelConfig
from engine.recipe import Breadth, Job, Laws, Loading, Parent, Rig, SceneConfig
from engine.sensors.model import Chip, Development, Exposure, Lens

NOT_CONFIGURED = ("usd", "overrides", "loading")  # fields of Job that are worked out, or stand below `scene`
# Keys of `rig` that may be null, which means: as `scene.rig` says.
RIG_FROM_SCENE = ("cameras", "steps", "exposure_ev", "ambient_radiance", "ambient_reach_m")


def _fields(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: _omegaconf_type(hints[field.name]) for field in dataclasses.fields(kind)}


def _omegaconf_type(hint: Any) -> Any:
    """Return the nearest type that OmegaConf 2.3 knows: Literal and Path are text, a tuple is a list."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is Literal or (isinstance(hint, type) and hint.__name__ == "Path"):
        return str
    if origin is tuple and typing.get_origin(arguments[0]) is tuple:
        return list[Any]  # a matrix: OmegaConf would refuse the whole numbers in one of floats
    if origin is tuple:
        return list[_omegaconf_type(arguments[0])]  # type: ignore[misc]
    if origin in (Union, types.UnionType):
        inner = next(argument for argument in arguments if argument is not types.NoneType)
        if dataclasses.is_dataclass((inner, *typing.get_args(inner))[-1]):
            return Any  # a mapping over null is more than OmegaConf merges; what is in it is checked after composition
        return _omegaconf_type(inner) | None
    return hint


def _schema(name: str, fields: dict[str, Any]) -> type:
    entries = [(key, kind, _nothing(kind)) for key, kind in fields.items()]
    made = dataclasses.make_dataclass(name, entries)
    made.__module__ = __name__
    return made


def _nothing(kind: Any) -> Any:
    """Return the state of a key that no file in conf/ sets: absent, or no entries where entries are free."""
    return dataclasses.field(default_factory=dict) if kind == dict[str, Any] else dataclasses.field(default=MISSING)


_RIG = _fields(Rig)

ParentConfig = _schema("ParentConfig", _fields(Parent))
BreadthConfig = _schema("BreadthConfig", _fields(Breadth))
LawsConfig = _schema("LawsConfig", _fields(Laws))
LabelsConfig = _schema("LabelsConfig", _fields(LabelConfig))
RigConfig = _schema("RigConfig", {key: kind | None if key in RIG_FROM_SCENE else kind for key, kind in _RIG.items()})
SceneRigConfig = _schema("SceneRigConfig", {key: _RIG[key] for key in RIG_FROM_SCENE})
SensorParts = {"lens": Lens, "exposure": Exposure, "chip": Chip, "develop": Development}
LensConfig, ExposureConfig, ChipConfig, DevelopConfig = (
    _schema(f"{name.capitalize()}Config", _fields(kind)) for name, kind in SensorParts.items()
)
SensorConfig = _schema(
    "SensorConfig", dict(zip(SensorParts, (LensConfig, ExposureConfig, ChipConfig, DevelopConfig), strict=True))
)
SceneGroupConfig = _schema(
    "SceneGroupConfig",
    {
        **_fields(SceneConfig),
        **_fields(Loading),
        "class_map_file": str | None,
        "randomize": dict[str, Any],
        "groups": dict[str, Any],
        "rig": SceneRigConfig,
    },
)
RunConfig = _schema(
    "RunConfig",
    {
        "scene": SceneGroupConfig,
        "rig": RigConfig,
        "randomize": dict[str, Any],
        "sensor": SensorConfig,
        "dr": BreadthConfig,
        "laws": LawsConfig,
        "labels": LabelsConfig,
        "outputs": list[str] | None,
        "write": dict[str, Any],
        "seed": int,
        "parents": list[ParentConfig],  # type: ignore[valid-type]
        **{key: kind for key, kind in _fields(Job).items() if key not in NOT_CONFIGURED},
        "depth_sensor": dict[str, Any],
        "lidar": dict[str, Any],
    },
)
