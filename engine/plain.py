"""Plain data (what JSON and YAML hold) to frozen dataclasses and back, strictly, with errors that name the path.

Understood types: bool, int, float, str, Literal, Any, `X | None`, tuple[X, ...], tuple[X, Y], dict[str, X],
dataclasses, and unions of *tagged* dataclasses. A dataclass is tagged by a class variable `TAG = ("law", "uniform")`:
its plain form holds `law: uniform`. One member of a union may also declare `BARE = "value"`: then a bare number stands
for `{value: number}`.
A `__post_init__` that raises ValueError is reported with the path.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union

from engine.errors import UserError

T = TypeVar("T")

MAX_INTEGER = 2**53 - 1  # the largest that JSON numbers carry exactly (RFC 8785, section 3.2.2.3)


def from_plain(kind: type[T], data: object, where: str) -> T:
    """Return `data` as a `kind`; `where` is the dotted path that errors begin with.

    Raises:
        UserError: One line: the path, what was found, and what is known or expected there.
    """
    return typing.cast(T, _convert(kind, data, where))


def to_plain(value: object) -> Any:
    """Return the plain form of a dataclass tree; tuples become lists, a bare constant becomes its number."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        bare = getattr(value, "BARE", None)
        if bare is not None:
            return to_plain(getattr(value, bare))
        tag = getattr(value, "TAG", None)
        fields = {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return fields if tag is None else {tag[0]: tag[1], **fields}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    return value


def known_keys(kind: type) -> tuple[str, ...]:
    """Return the keys that the plain form of a dataclass may have."""
    tag = getattr(kind, "TAG", None)
    names = tuple(f.name for f in dataclasses.fields(kind))
    return names if tag is None else (tag[0], *names)


def _convert(kind: Any, data: object, where: str) -> object:
    origin = typing.get_origin(kind)
    if kind is Any:
        return data
    if origin in (Union, types.UnionType):
        return _convert_union(kind, data, where)
    if origin is Literal:
        if data not in typing.get_args(kind) or isinstance(data, bool):
            choices = ", ".join(str(choice) for choice in typing.get_args(kind))
            raise UserError(f"{where}: {_show(data)} is not one of: {choices}")
        return data
    if origin is tuple:
        return _convert_tuple(kind, data, where)
    if origin is dict:
        if not isinstance(data, Mapping):
            raise UserError(f"{where}: expected a mapping, got {_show(data)}")
        value_kind = typing.get_args(kind)[1]
        return {_key(key, where): _convert(value_kind, item, f"{where}.{key}") for key, item in data.items()}
    if dataclasses.is_dataclass(kind):
        return _convert_dataclass(typing.cast(type, kind), data, where)
    return _convert_scalar(kind, data, where)


def _convert_scalar(kind: Any, data: object, where: str) -> object:
    if kind is bool and isinstance(data, bool):
        return data
    if kind is str and isinstance(data, str):
        return data
    if kind is int and isinstance(data, int) and not isinstance(data, bool):
        if abs(data) > MAX_INTEGER:
            raise UserError(f"{where}: {data} is beyond 2^53 - 1, the largest integer that JSON keeps exactly")
        return data
    if kind is float and isinstance(data, int | float) and not isinstance(data, bool):
        if not math.isfinite(data):
            raise UserError(f"{where}: {data} is not a finite number")
        return float(data)
    names = {bool: "true or false", str: "text", int: "a whole number", float: "a number"}
    if kind not in names:
        raise TypeError(f"{where}: engine.plain does not know the type {kind!r}")
    raise UserError(f"{where}: expected {names[kind]}, got {_show(data)}")


def _convert_tuple(kind: Any, data: object, where: str) -> tuple[object, ...]:
    arguments = typing.get_args(kind)
    if not isinstance(data, list | tuple):
        raise UserError(f"{where}: expected a list, got {_show(data)}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_convert(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(data))
    if len(data) != len(arguments):
        raise UserError(f"{where}: expected {len(arguments)} values, got {len(data)}")
    return tuple(_convert(arguments[i], item, f"{where}[{i}]") for i, item in enumerate(data))


def _convert_union(kind: Any, data: object, where: str) -> object:
    members = typing.get_args(kind)
    if data is None and types.NoneType in members:
        return None
    rest = [member for member in members if member is not types.NoneType]
    tagged = {member.TAG[1]: member for member in rest if hasattr(member, "TAG")}
    if tagged and isinstance(data, Mapping):
        key = next(iter(tagged.values())).TAG[0]
        if key not in data:
            raise UserError(f"{where}: needs a key '{key}', one of: {', '.join(sorted(tagged))}")
        if data[key] not in tagged:
            raise UserError(f"{where}: unknown {key} {_show(data[key])}; known: {', '.join(sorted(tagged))}")
        return _convert_dataclass(tagged[typing.cast(str, data[key])], data, where)
    for member in rest:
        bare = getattr(member, "BARE", None)
        if bare is not None and not isinstance(data, list | tuple):
            return _convert_dataclass(member, {member.TAG[0]: member.TAG[1], bare: data}, where)
    if len(rest) == 1:
        return _convert(rest[0], data, where)
    reasons = []
    for member in rest:
        try:
            return _convert(member, data, where)
        except UserError as error:
            reasons.append(str(error).removeprefix(f"{where}: "))
    raise UserError(f"{where}: {'; or '.join(reasons)}")


def _convert_dataclass(kind: type, data: object, where: str) -> object:
    if isinstance(data, kind):
        return data
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: expected a mapping with keys {', '.join(known_keys(kind))}; got {_show(data)}")
    tag = getattr(kind, "TAG", None)
    known = known_keys(kind)
    for key in data:
        if key not in known:
            raise UserError(f"{where}: unknown key '{key}'; known keys: {', '.join(known) or 'none'}")
    hints = _hints(kind)
    values: dict[str, object] = {}
    for field in dataclasses.fields(kind):
        if field.name in data:
            values[field.name] = _convert(hints[field.name], data[field.name], f"{where}.{field.name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise UserError(f"{where}: missing key '{field.name}'; known keys: {', '.join(known)}")
    if tag is not None and data.get(tag[0], tag[1]) != tag[1]:
        raise UserError(f"{where}.{tag[0]}: expected {tag[1]}, got {_show(data[tag[0]])}")
    try:
        return kind(**values)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise UserError(f"{where}: the key {_show(key)} is not text; write it in quotes")
    return key


def _show(data: object) -> str:
    text = repr(data)
    return text if len(text) <= 60 else text[:57] + "..."
