"""Signals of a look to fields and textures of `Material`: constants, affine texture lookups, baked images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pxr import Sdf

from engine.scene.look.bake import bake
from engine.scene.look.expression import (
    IDENTITY,
    Function,
    Image,
    Matrix,
    Primvar,
    Signal,
    Term,
    constant,
    leaves,
    replaced,
    resized,
    values,
)
from engine.scene.look.look import COLORS
from engine.scene.model import TextureInput
from engine.scene.notes import Notes
from engine.scene.usd.drawn.primvar import ST_NAMES
from engine.scene.usd.look.texture import TextureTable

TEXTURED = (  # fields that a texture may drive
    "base_color",
    "metallic",
    "roughness",
    "emission",
    "normal",
    "opacity",
    "specular_color",
    "clearcoat",
    "clearcoat_roughness",
)
DISPLAY = {"base_color": ("displayColor", "uses_display_color"), "opacity": ("displayOpacity", "uses_display_opacity")}


class UvSets:
    """The primvars of texture coordinates of one material, two at most."""

    def __init__(self, notes: Notes, path: Sdf.Path, wanted: set[str | None]) -> None:
        self._notes = notes
        self._path = path
        usual = [name for name in ST_NAMES if name in wanted]
        self._default = usual[0] if usual else None  # what a texture without coordinates reads
        self._names: list[str | None] = [None] if None in wanted and not usual else []

    def index(self, name: str | None) -> int:
        """Return the set of a primvar; a third one is looked up with the first set, with a note."""
        name = self._default if name is None else name
        if name in self._names:
            return self._names.index(name)
        if len(self._names) == 2:
            self._notes.add(
                "approximated", self._path, f"textures read more than two primvars; {self._names[0]} stands for {name}"
            )
            return 0
        self._names.append(name)
        return len(self._names) - 1

    def names(self) -> tuple[str | None, str | None]:
        """Return the primvars of the first and the second set."""
        first, second = (*self._names, None, None)[:2]
        return first, second


class Fields:
    """Reads the signals of one material."""

    def __init__(self, notes: Notes, path: Sdf.Path, textures: TextureTable, sets: UvSets) -> None:
        self._notes = notes
        self._path = path
        self._table = textures
        self._sets = sets
        self.textures: dict[str, TextureInput] = {}
        self.varying: dict[str, Signal] = {}
        self.display: dict[str, Signal] = {}  # what drives a field with displayColor or displayOpacity in it

    def read(self, name: str, signal: Signal, given: dict[str, Any]) -> None:
        """Add what drives a field to `given`, `textures` or `varying`."""
        signal = replaced(resized(signal, 3 if name in COLORS else 1), self._fallback)
        signal = self._without_display(name, signal, given)
        known = values(signal)
        if known is not None:
            if name != "normal":
                given[name] = known if name in COLORS else known[0]
            return
        found = list(leaves(signal))
        if any(isinstance(leaf, Primvar) for leaf in found):
            self._notes.add("converted", self._path, f"{name} comes from primvars of the prims that bind the material")
            self.varying[name] = signal
            return
        images = [leaf for leaf in found if isinstance(leaf, Image)]
        if name not in TEXTURED:
            self._notes.add("approximated", self._path, f"{name} from a texture: its default is used")
        else:
            self.textures[name] = self._affine(name, signal, images) or self._baked(name, signal, images)

    def _fallback(self, leaf: Image | Primvar) -> Signal | None:
        """Return the fallback of an image whose file cannot be used; None for what may stay."""
        if isinstance(leaf, Primvar) or self._table.load(leaf.request, self._path) is not None:
            return None
        return constant(*leaf.fallback)

    def _without_display(self, name: str, signal: Signal, given: dict[str, Any]) -> Signal:
        """Return a signal without displayColor or displayOpacity as a factor, which the mesh supplies."""
        primvar, flag = DISPLAY.get(name, ("", ""))
        if not any(isinstance(leaf, Primvar) and leaf.name == primvar for leaf in leaves(signal)):
            return signal
        rest = [_without_factor(term, primvar, channel) for channel, term in enumerate(signal)]
        if any(term is None for term in rest):
            return signal
        given[flag] = True
        self.display[name] = signal
        return tuple(term for term in rest if term is not None)

    def _affine(self, name: str, signal: Signal, images: list[Image]) -> TextureInput | None:
        """Return the input where every component is an affine function of one channel of one image."""
        if len(images) != 1 or any(len(term.weights) > 1 for term in signal):
            return None
        if any(isinstance(source, Function) for term in signal for source, _, _ in term.weights):
            return None
        image = images[0]
        channels = [term.weights[0][1] if term.weights else index for index, term in enumerate(signal)]
        scale = [term.weights[0][2] if term.weights else 0.0 for term in signal]
        bias = [term.bias for term in signal]
        request = image.request
        if name == "normal" and scale == [1.0] * 3 and bias == [0.0] * 3 and self._is_8_bit(image):
            scale, bias = [2.0] * 3, [-1.0] * 3
            self._notes.add("repaired", self._path, "8-bit normal map without scale and bias: 2 and -1 are used")
        if len(signal) == 1:
            channel = channels[0]
            scale, bias = scale * 4, bias * 4
        else:
            channel = 0
            scale, bias = [*scale, 1.0], [*bias, 0.0]
            if channels != [0, 1, 2]:
                request = replace(request, channels=(channels[0], channels[1], channels[2], 3))
        texture = self._table.request(request, self._path)
        assert texture is not None  # its file was loaded before
        return self._input(image, texture, channel, (scale, bias))

    def _baked(self, name: str, signal: Signal, images: list[Image]) -> TextureInput:
        """Return the input of an image that is computed; of the first image alone where coordinates differ."""
        first = images[0]
        same = [image for image in images if self._place(image) == self._place(first)]
        if len(same) < len(images):
            self._notes.add(
                "approximated",
                self._path,
                f"{name} of images on different coordinates: '{first.authored}' is used, the others at their fallback",
            )
            signal = replaced(signal, lambda leaf: _plain(leaf) if leaf not in same else None)
            kept = [leaf for leaf in leaves(signal) if isinstance(leaf, Image)]
            if len(kept) == 1 and (affine := self._affine(name, signal, kept)) is not None:
                return affine
        pixels = {}
        for image in same:
            loaded = self._table.load(image.request, self._path)
            assert loaded is not None
            pixels[image] = loaded.pixels
        array, scale, bias = bake(signal, pixels)
        self._notes.add("converted", self._path, f"{name} of {len(same)} images is computed as one image")
        texture = self._table.bake(f"{self._path}.{name}", array, first.request)
        return self._input(first, texture, 0, ([scale] * 4, [bias] * 4))

    def _input(
        self, image: Image, texture: int, channel: int, numbers: tuple[list[float], list[float]]
    ) -> TextureInput:
        s, b = numbers
        uv_from_st = composed(self._table.uv_from_uv(image.request), image.uv_from_st)
        return TextureInput(
            texture=texture,
            channel=channel,
            scale=(s[0], s[1], s[2], s[3]),
            bias=(b[0], b[1], b[2], b[3]),
            uv_from_st=uv_from_st,
            uv_set=self._sets.index(image.uv),
        )

    def _place(self, image: Image) -> tuple[object, ...]:
        request = image.request
        return image.uv, image.uv_from_st, self._table.uv_from_uv(request), request.wrap_u, request.wrap_v

    def _is_8_bit(self, image: Image) -> bool:
        loaded = self._table.load(image.request, self._path)
        return loaded is not None and loaded.is_8_bit


def composed(outer: Matrix, inner: Matrix) -> Matrix:
    """Return the affine map that applies `inner`, then `outer`."""
    if outer == IDENTITY:
        return inner
    a, b, c, d, e, f = outer
    p, q, r, s, t, u = inner
    return (a * p + b * s, a * q + b * t, a * r + b * u + c, d * p + e * s, d * q + e * t, d * r + e * u + f)


def _plain(leaf: Image | Primvar) -> Signal | None:
    return constant(*leaf.fallback) if isinstance(leaf, Image) else None


def _without_factor(term: Term, primvar: str, channel: int) -> Term | None:
    """Return a term divided by one channel of a primvar that is its plain factor, else None."""
    if term.bias != 0.0 or len(term.weights) != 1:
        return None
    source, index, weight = term.weights[0]
    if isinstance(source, Primvar):
        return constant(weight)[0] if source.name == primvar and index == channel else None
    if not isinstance(source, Function) or source.name != "multiply":
        return None
    for factor, rest in (source.arguments, source.arguments[::-1]):
        inner = _without_factor(factor, primvar, channel)
        if inner is None or not inner.is_constant:
            continue
        others = {leaf for leaf in leaves((rest,)) if isinstance(leaf, Primvar)}
        if not others:
            scale = weight * inner.bias
            return Term(tuple((s, c, w * scale) for s, c, w in rest.weights), rest.bias * scale)
    return None
