"""A `Scene` as a flat dictionary of plain arrays, and back.

Nothing here lists the fields of `engine.scene.model`: types are read from the dataclasses, so a new field is stored the
day it is added, and one of a type that is not understood raises instead of being forgotten. Values of all objects of
one kind stand together, as columns. The name of a column is the path of the field (`scene.meshes[].points_m`):

- arrays: the distinct ones of a column, one after another along their first axis; `/end` says where each ends,
  `/of` which one belongs to which object (-1: None). Arrays of different shapes lie flat, with their `/shape`;
- a tuple or dictionary of dataclasses: `/count` per owner (and `/keys`), then the columns of what is in it;
- everything else: the column as JSON, in bytes.

So 20,000 meshes are a handful of long arrays, and reading them back makes views: nothing is copied.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from engine.scene.model import Scene

Arrays = dict[str, NDArray[Any]]
SHARED = "/of"
ENDS = "/end"
SHAPES = "/shape"
COUNTS = "/count"
KEYS = "/keys"


class ArraysError(ValueError):
    """Arrays that no scene was written to; the message names the column."""


def scene_to_arrays(scene: Scene) -> Arrays:
    """Return every field of a scene as named, contiguous arrays.

    Raises:
        TypeError: If the model has a field of a type that this file does not understand, or a value does not have the
            type that its field declares.
    """
    arrays: Arrays = {}
    _put(arrays, "scene", Scene, [scene])
    return arrays


def scene_from_arrays(arrays: Arrays) -> Scene:
    """Return the scene that `scene_to_arrays` was given, equal bit for bit; its arrays are views.

    Types, shapes and ranges of the columns themselves are checked, what they mean is not: see `checks.py`.

    Raises:
        ArraysError: If a column is missing or does not fit the others.
    """
    (scene,) = _get(arrays, "scene", Scene, 1)
    return typing.cast(Scene, scene)


def _put(arrays: Arrays, name: str, kind: Any, values: Sequence[Any]) -> None:
    inner = _member(kind)
    if inner is not None:
        arrays[name + COUNTS] = np.array([len(value) for value in values], np.int64)
        if typing.get_origin(kind) is dict:
            arrays[name + KEYS] = _json([list(value) for value in values])
            _put(arrays, name + "[]", inner, [item for value in values for item in value.values()])
        else:
            _put(arrays, name + "[]", inner, [item for value in values for item in value])
    elif dataclasses.is_dataclass(kind):
        for field, hint in _hints(typing.cast(type, kind)):
            _put(arrays, f"{name}.{field}", hint, [getattr(value, field) for value in values])
    elif (dtype := _dtype(kind)) is not None:
        _put_arrays(arrays, name, dtype, values, optional=_is_optional(kind))
    else:
        plain_reader(kind)  # raises for a type that could not be read back
        arrays[name] = _json(values)


def _get(arrays: Arrays, name: str, kind: Any, count: int) -> list[Any]:
    inner = _member(kind)
    if inner is not None:
        lengths = _counts(arrays, name, count)
        items = iter(_get(arrays, name + "[]", inner, sum(lengths)))
        if typing.get_origin(kind) is dict:
            keys = _plain(arrays, name + KEYS, list[str], count)
            if [len(each) for each in keys] != lengths or any(len(set(each)) != len(each) for each in keys):
                raise ArraysError(f"{name}: keys do not fit the counts")
            return [dict(zip(each, items)) for each in keys]
        return [tuple(next(items) for _ in range(length)) for length in lengths]
    if dataclasses.is_dataclass(kind):
        columns = [_get(arrays, f"{name}.{field}", hint, count) for field, hint in _hints(typing.cast(type, kind))]
        return list(map(typing.cast(Callable[..., Any], kind), *columns))
    dtype = _dtype(kind)
    if dtype is not None:
        return _get_arrays(arrays, name, dtype, count, optional=_is_optional(kind))
    return _plain(arrays, name, kind, count)


# Columns of arrays.


def _put_arrays(arrays: Arrays, name: str, dtype: np.dtype[Any], values: Sequence[Any], *, optional: bool) -> None:
    index: dict[int, int] = {}
    distinct: list[NDArray[Any]] = []
    of = np.empty(len(values), np.int32)
    for row, value in enumerate(values):
        if value is None:
            if not optional:
                raise TypeError(f"{name}: is None, which its type does not allow")
            of[row] = -1
            continue
        known = index.setdefault(id(value), len(distinct))  # `values` keeps them alive: ids are not used again
        if known == len(distinct):
            if value.dtype != dtype or value.ndim == 0:
                raise TypeError(f"{name}: {value.dtype} with {value.ndim} axes, its type says {dtype}")
            distinct.append(value)
        of[row] = known
    rows = np.array([len(value) for value in distinct], np.int64)
    if len({value.shape[1:] for value in distinct}) > 1:
        ndims = {value.ndim for value in distinct}
        if len(ndims) > 1:
            raise TypeError(f"{name}: arrays of {sorted(ndims)} axes in one column")
        arrays[name + SHAPES] = np.array([value.shape for value in distinct], np.int64)
        rows = np.array([value.size for value in distinct], np.int64)
        distinct = [value.reshape(-1) for value in distinct]
    arrays[name] = np.concatenate(distinct) if distinct else np.zeros(0, dtype)
    arrays[name + ENDS] = np.cumsum(rows)
    arrays[name + SHARED] = of


def _get_arrays(arrays: Arrays, name: str, dtype: np.dtype[Any], count: int, *, optional: bool) -> list[Any]:
    data, of = _column(arrays, name, dtype), _column(arrays, name + SHARED, "int32")
    end = _integers(arrays, name + ENDS)
    edges = np.concatenate([np.zeros(1, np.int64), end])
    if (np.diff(edges) < 0).any() or edges[-1] != len(data):
        raise ArraysError(f"{name}: its ends do not divide it")
    if of.shape != (count,) or (count and not (-1 if optional else 0) <= of.min() <= of.max() < len(end)):
        raise ArraysError(f"{name}: refers to arrays that it does not have")
    bounds = edges.tolist()
    views: list[Any] = [data[bounds[i] : bounds[i + 1]] for i in range(len(end))]
    if name + SHAPES in arrays:
        shapes = arrays[name + SHAPES]
        if shapes.dtype != np.int64 or shapes.ndim != 2 or len(shapes) != len(end) or (shapes < 0).any():
            raise ArraysError(f"{name}: its shapes are unusable")
        rows = [tuple(shape) for shape in shapes.tolist()]
        if any(math.prod(shape) != len(view) for shape, view in zip(rows, views, strict=True)):
            raise ArraysError(f"{name}: its shapes do not fit its ends")
        views = [view.reshape(shape) for shape, view in zip(rows, views, strict=True)]
    views.append(None)  # what -1 means
    return [views[i] for i in of.tolist()]


def _column(arrays: Arrays, name: str, dtype: np.dtype[Any] | str) -> NDArray[Any]:
    found = arrays.get(name)
    if found is None or found.dtype != dtype or found.ndim == 0:
        raise ArraysError(f"{name}: missing, or not {dtype}")
    return found


def _integers(arrays: Arrays, name: str) -> NDArray[np.int64]:
    found = _column(arrays, name, "int64")
    if found.ndim != 1:
        raise ArraysError(f"{name}: has {found.ndim} axes")
    return found


def _counts(arrays: Arrays, name: str, count: int) -> list[int]:
    found = _integers(arrays, name + COUNTS)
    if len(found) != count or (found < 0).any() or (found > 2**40).any():
        raise ArraysError(f"{name}: its counts are unusable")
    lengths: list[int] = found.tolist()
    return lengths


# Columns of plain values.


def _json(values: Sequence[Any]) -> NDArray[np.uint8]:
    text = json.dumps(values, default=_plain_value, separators=(",", ":"))
    return np.frombuffer(text.encode("ascii"), np.uint8)


def _plain_value(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value)} is no plain value")


def _plain(arrays: Arrays, name: str, kind: Any, count: int) -> list[Any]:
    try:
        values = json.loads(_column(arrays, name, "uint8").tobytes())
    except (ValueError, RecursionError) as error:
        raise ArraysError(f"{name}: is not JSON") from error
    if not isinstance(values, list) or len(values) != count:
        raise ArraysError(f"{name}: has not {count} values")
    read = plain_reader(kind)
    try:
        return [read(value) for value in values]
    except (TypeError, ValueError) as error:
        raise ArraysError(f"{name}: {error}") from error


@functools.cache
def plain_reader(kind: Any) -> Callable[[Any], Any]:
    """Return what turns JSON into a plain type, and raises ValueError for anything else.

    Raises:
        TypeError: If the type is not plain.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in (str, bool, int):
        return functools.partial(_exactly, kind)
    if kind is float:
        return _float
    if kind is Path:
        return lambda value: Path(_exactly(str, value))
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return kind
    if _is_optional(kind):
        (some,) = (plain_reader(argument) for argument in arguments if argument is not types.NoneType)
        return lambda value: None if value is None else some(value)
    if origin is list or (origin is tuple and arguments[1:] == (...,)):
        each = plain_reader(arguments[0])
        return lambda value: origin(map(each, _exactly(list, value)))
    if origin is tuple:
        return functools.partial(_tuple, tuple(plain_reader(argument) for argument in arguments))
    if origin is dict and arguments[0] is str:
        each = plain_reader(arguments[1])
        return lambda value: {key: each(item) for key, item in _exactly(dict, value).items()}
    raise TypeError(f"{kind} cannot be stored; teach engine/scene/store/arrays.py")


def _exactly(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ValueError(f"expected {kind.__name__}, got {type(value).__name__}")
    return value


def _float(value: Any) -> float:
    if type(value) not in (float, int):
        raise ValueError(f"expected float, got {type(value).__name__}")
    return float(value)


def _tuple(readers: tuple[Callable[[Any], Any], ...], value: Any) -> tuple[Any, ...]:
    return tuple(read(item) for read, item in zip(readers, _exactly(list, value), strict=True))


# Types.


@functools.cache
def _hints(kind: type) -> tuple[tuple[str, Any], ...]:
    hints = typing.get_type_hints(kind)
    return tuple((field.name, hints[field.name]) for field in dataclasses.fields(kind))


def _member(kind: Any) -> Any:
    """Return the dataclass that a tuple or dictionary holds; None for any other type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    holds = arguments[0] if origin is tuple and arguments[1:] == (...,) else arguments[1] if origin is dict else None
    return holds if holds is not None and dataclasses.is_dataclass(holds) else None


def _is_optional(kind: Any) -> bool:
    return typing.get_origin(kind) in (Union, types.UnionType) and types.NoneType in typing.get_args(kind)


@functools.cache
def _without_alias(kind: Any) -> Any:
    """Return the type that a generic alias stands for: NumPy 2.5 declares `NDArray` by a `type` statement."""
    origin = typing.get_origin(kind)
    return origin.__value__[typing.get_args(kind)] if hasattr(origin, "__value__") else kind


def _dtype(kind: Any) -> np.dtype[Any] | None:
    """Return the element type of `NDArray[...]`, optional or not; None for any other type."""
    candidates: Iterable[Any] = typing.get_args(kind) if _is_optional(kind) else (kind,)
    for candidate in map(_without_alias, candidates):
        if typing.get_origin(candidate) is np.ndarray:
            return np.dtype(typing.get_args(typing.get_args(candidate)[1])[0])
    return None
