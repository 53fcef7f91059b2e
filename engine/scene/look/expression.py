"""What drives an input of a surface shader: sums of texture channels and primvars, folded while they are built.

A `Signal` has one `Term` per component. A term is a weighted sum of source channels plus a constant, so that scale,
bias, mixing by a constant and affine texture coordinates stay exact; every other operation is a `Function` of terms,
which is computed at once when its arguments are constant, and by texel (`bake.py`) where they are images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.scene.look.image_file import TextureRequest

Matrix: TypeAlias = tuple[float, float, float, float, float, float]
IDENTITY: Matrix = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
MAX_TERMS = 64  # sources of one term; more come from a network that was made to explode


@dataclass(frozen=True)
class Image:
    """A texture lookup; its components are red, green, blue and alpha."""

    request: TextureRequest
    authored: str  # the path as the file has it
    uv: str | None  # primvar of the coordinates; None: the mesh's own
    uv_from_st: Matrix  # row-major 2x3
    fallback: tuple[float, float, float, float]


@dataclass(frozen=True)
class Primvar:
    """A primvar read at the surface point."""

    name: str | None  # None: the mesh's own texture coordinates
    fallback: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class Function:
    """An operation that is not affine; equal only to itself, so that shared results are computed once."""

    name: str  # key of `FUNCTIONS`
    arguments: tuple[Term, ...]


Source: TypeAlias = Image | Primvar | Function


@dataclass(frozen=True)
class Term:
    """`sum(weight * source[channel]) + bias`."""

    weights: tuple[tuple[Source, int, float], ...] = ()
    bias: float = 0.0

    @property
    def is_constant(self) -> bool:
        """Whether no source is left."""
        return not self.weights


Signal: TypeAlias = tuple[Term, ...]
Arrays: TypeAlias = tuple[NDArray[np.float32], ...]


def constant(*values: float) -> Signal:
    """Return a signal without sources."""
    return tuple(Term((), float(value)) for value in values)


def of_source(source: Source, count: int) -> Signal:
    """Return the first `count` components of a source."""
    return tuple(Term(((source, channel, 1.0),)) for channel in range(count))


def values(signal: Signal) -> tuple[float, ...] | None:
    """Return the components of a constant signal, else None."""
    return tuple(term.bias for term in signal) if all(term.is_constant for term in signal) else None


def resized(signal: Signal, count: int) -> Signal:
    """Return `count` components: one is repeated, missing ones are 0 but alpha is 1, surplus ones are dropped."""
    if len(signal) == 1:
        signal = signal * min(count, 3)
    return (signal + constant(0.0, 0.0, 1.0)[: max(3 - len(signal), 0)] + constant(1.0))[:count]


def scaled(term: Term, factor: float) -> Term:
    """Return a term times a number."""
    if factor == 0.0:
        return Term()
    return Term(
        tuple((source, channel, weight * factor) for source, channel, weight in term.weights), term.bias * factor
    )


def added(first: Term, second: Term) -> Term:
    """Return the sum of two terms."""
    total: dict[tuple[Source, int], float] = {}
    for source, channel, weight in first.weights + second.weights:
        total[source, channel] = total.get((source, channel), 0.0) + weight
    if len(total) > MAX_TERMS:
        raise OverflowError("a sum of too many sources")
    weights = tuple((source, channel, weight) for (source, channel), weight in total.items() if weight != 0.0)
    return Term(weights, first.bias + second.bias)


def multiplied(first: Term, second: Term) -> Term:
    """Return the product of two terms."""
    return applied("multiply", (first, second))[0]


def applied(name: str, arguments: tuple[Term, ...]) -> Signal:
    """Return what a function of `FUNCTIONS` gives, folded where the result is constant or affine."""
    function, count = FUNCTIONS[name]
    if name == "multiply" and arguments[0].is_constant:
        return (scaled(arguments[1], arguments[0].bias),)
    if name == "multiply" and arguments[1].is_constant:
        return (scaled(arguments[0], arguments[1].bias),)
    if name == "divide" and arguments[1].is_constant:
        return (scaled(arguments[0], 1.0 / arguments[1].bias if arguments[1].bias else 0.0),)
    if all(term.is_constant for term in arguments):
        with np.errstate(all="ignore"):  # what is not finite becomes 0
            result = function(*(np.array(term.bias) for term in arguments))
        return constant(*(_finite(float(value)) for value in result))
    return of_source(Function(name, arguments), count)


def componentwise(operation: Callable[[Term, Term], Term], first: Signal, second: Signal) -> Signal:
    """Return an operation of two signals; one component goes with every one of the other."""
    count = max(len(first), len(second))
    first, second = (signal * count if len(signal) == 1 else resized(signal, count) for signal in (first, second))
    return tuple(operation(a, b) for a, b in zip(first, second, strict=True))


def product(first: Signal, second: Signal) -> Signal:
    """Return two signals multiplied by component."""
    return componentwise(multiplied, first, second)


def total(first: Signal, second: Signal) -> Signal:
    """Return two signals added by component."""
    return componentwise(added, first, second)


def mixed(background: Signal, foreground: Signal, amount: Signal) -> Signal:
    """Return `background + amount * (foreground - background)`."""
    return total(background, product(amount, total(foreground, product(constant(-1.0), background))))


def complement(signal: Signal) -> Signal:
    """Return one minus a signal."""
    return total(constant(1.0), product(constant(-1.0), signal))


def leaves(signal: Signal) -> Iterator[Image | Primvar]:
    """Yield every image and primvar that a signal reads, in order, each once."""
    seen: set[Source] = set()
    todo = [source for term in reversed(signal) for source, _, _ in reversed(term.weights)]
    while todo:
        source = todo.pop()
        if source in seen:
            continue
        seen.add(source)
        if isinstance(source, Function):
            todo += [inner for term in reversed(source.arguments) for inner, _, _ in reversed(term.weights)]
        else:
            yield source


def replaced(signal: Signal, chosen: Callable[[Image | Primvar], Signal | None]) -> Signal:
    """Return a signal with leaves exchanged for what `chosen` gives (None: kept) and everything folded again."""
    rebuild = _Rebuild(chosen)
    return tuple(rebuild.term(term) for term in signal)


def evaluated(signal: Signal, pixels: dict[Image, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return [..., component] for images given as [..., 4] of one shape."""
    evaluation = _Evaluation(pixels)
    return np.stack([evaluation.term(term) for term in signal], axis=-1)


class _Rebuild:
    """Exchanges leaves; a class because functions that call themselves through a closure are freed late."""

    def __init__(self, chosen: Callable[[Image | Primvar], Signal | None]) -> None:
        self._chosen = chosen
        self._known: dict[Source, Signal | None] = {}

    def term(self, term: Term) -> Term:
        out = Term((), term.bias)
        for source, channel, weight in term.weights:
            new = self._source(source)
            part = Term(((source, channel, 1.0),)) if new is None else resized(new, channel + 1)[channel]
            out = added(out, scaled(part, weight))
        return out

    def _source(self, source: Source) -> Signal | None:
        if source not in self._known:
            if isinstance(source, Function):
                arguments = tuple(self.term(term) for term in source.arguments)
                self._known[source] = None if arguments == source.arguments else applied(source.name, arguments)
            else:
                self._known[source] = self._chosen(source)
        return self._known[source]


class _Evaluation:
    """Computes terms texel by texel."""

    def __init__(self, pixels: dict[Image, NDArray[np.float32]]) -> None:
        self._pixels = pixels
        self._shape = next(iter(pixels.values())).shape[:-1]
        self._known: dict[Function, Arrays] = {}

    def term(self, term: Term) -> NDArray[np.float32]:
        out = np.full(self._shape, term.bias, np.float32)
        for source, channel, weight in term.weights:
            out += np.float32(weight) * self._source(source, channel)
        return out

    def _source(self, source: Source, channel: int) -> NDArray[np.float32]:
        if isinstance(source, Image):
            return self._pixels[source][..., channel]
        if isinstance(source, Primvar):
            raise TypeError("a primvar cannot be computed texel by texel")
        if source not in self._known:
            arguments = [self.term(term) for term in source.arguments]
            with np.errstate(all="ignore"):  # what is not finite becomes 0
                result = FUNCTIONS[source.name][0](*arguments)
            self._known[source] = tuple(
                np.nan_to_num(part, posinf=0.0, neginf=0.0).astype(np.float32) for part in result
            )
        return self._known[source][channel]


def _finite(value: float) -> float:
    return value if np.isfinite(value) else 0.0


def _divide(a: NDArray[np.float32], b: NDArray[np.float32]) -> Arrays:
    safe = np.where(b == 0.0, 1.0, b)
    return (np.asarray(np.where(b == 0.0, 0.0, a / safe), np.float32),)


def _power(a: NDArray[np.float32], b: NDArray[np.float32]) -> Arrays:
    return (np.asarray(np.sign(a) * np.abs(a) ** b, np.float32),)


def _smoothstep(value: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32]) -> Arrays:
    t = np.clip((value - low) / np.where(high == low, 1.0, high - low), 0.0, 1.0)
    return (np.asarray(t * t * (3.0 - 2.0 * t), np.float32),)


def _hsv_from_rgb(r: NDArray[np.float32], g: NDArray[np.float32], b: NDArray[np.float32]) -> Arrays:
    high, low = np.maximum(np.maximum(r, g), b), np.minimum(np.minimum(r, g), b)
    span = np.where(high == low, 1.0, high - low)
    sector = np.where(high == r, (g - b) / span, np.where(high == g, 2.0 + (b - r) / span, 4.0 + (r - g) / span))
    hue = np.where(high == low, 0.0, (sector / 6.0) % 1.0)
    return hue, np.where(high > 0.0, (high - low) / np.where(high > 0.0, high, 1.0), 0.0), high


def _rgb_from_hsv(h: NDArray[np.float32], s: NDArray[np.float32], v: NDArray[np.float32]) -> Arrays:
    def channel(shift: float) -> NDArray[np.float32]:
        k = (shift + 6.0 * (h % 1.0)) % 6.0
        return np.asarray(v - v * s * np.clip(np.minimum(k, 4.0 - k), 0.0, 1.0))

    return channel(5.0), channel(3.0), channel(1.0)


def _normalize(*parts: NDArray[np.float32]) -> Arrays:
    length = np.sqrt(sum(part * part for part in parts))
    return tuple(np.asarray(part / np.where(length == 0.0, 1.0, length), np.float32) for part in parts)


FUNCTIONS: dict[str, tuple[Callable[..., Arrays], int]] = {  # name -> function of arrays, how many components it gives
    "multiply": (lambda a, b: (a * b,), 1),
    "divide": (_divide, 1),
    "modulo": (lambda a, b: (np.where(b == 0.0, 0.0, a - np.where(b == 0.0, 1.0, b) * np.floor(_divide(a, b)[0])),), 1),
    "power": (_power, 1),
    "min": (lambda a, b: (np.minimum(a, b),), 1),
    "max": (lambda a, b: (np.maximum(a, b),), 1),
    "absval": (lambda a: (np.abs(a),), 1),
    "sign": (lambda a: (np.sign(a),), 1),
    "floor": (lambda a: (np.floor(a),), 1),
    "ceil": (lambda a: (np.ceil(a),), 1),
    "round": (lambda a: (np.floor(a + 0.5),), 1),
    "sqrt": (lambda a: (np.sqrt(np.maximum(a, 0.0)),), 1),
    "ln": (lambda a: (np.log(np.maximum(a, 1e-12)),), 1),
    "exp": (lambda a: (np.exp(np.minimum(a, 80.0)),), 1),
    "sin": (lambda a: (np.sin(a),), 1),
    "cos": (lambda a: (np.cos(a),), 1),
    "tan": (lambda a: (np.tan(a),), 1),
    "greater": (lambda a, b: ((a > b) * np.float32(1.0),), 1),
    "greater_or_equal": (lambda a, b: ((a >= b) * np.float32(1.0),), 1),
    "equal": (lambda a, b: ((a == b) * np.float32(1.0),), 1),
    "smoothstep": (_smoothstep, 1),
    "rgbtohsv": (_hsv_from_rgb, 3),
    "hsvtorgb": (_rgb_from_hsv, 3),
    "normalize2": (_normalize, 2),
    "normalize3": (_normalize, 3),
}
