"""Writers of how surfaces and light look: base colour, roughness, metal, effects, shadows, deep and linear colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from engine.annotators import EFFECTS
from engine.registry import WRITERS
from engine.write.encode import encode_npy, encode_png
from engine.write.exr import encode_exr
from engine.write.srgb import encode_srgb
from engine.write.view import FrameFile, FrameParams, View

Encoding = Literal["png8", "npy"]


@dataclass(frozen=True)
class Albedo(FrameParams):
    """Base colour of what is seen, before any light."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("albedo",)
    encoding: Encoding


@dataclass(frozen=True)
class Roughness(FrameParams):
    """Roughness of what is seen."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("roughness",)
    encoding: Encoding


@dataclass(frozen=True)
class Metallic(FrameParams):
    """Share of metal of what is seen."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("metallic",)
    encoding: Encoding


@dataclass(frozen=True)
class Shadow(FrameParams):
    """Share of the light of lights that is blocked, and where any could arrive."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("shadow",)
    encoding: Encoding


@dataclass(frozen=True)
class Effect(FrameParams):
    """What patterns and their layers cover."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("effect",)
    MISSING: ClassVar[tuple[str, ...]] = ("effect", *(f"effect_{name}" for name in EFFECTS))
    encoding: Encoding


@dataclass(frozen=True)
class DeepImages(FrameParams):
    """Pictures of 16 bits, sRGB."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("rgb_linear",)
    IDEAL_SENSOR: ClassVar[bool] = True


@dataclass(frozen=True)
class LinearImages(FrameParams):
    """Radiance, scene-linear."""

    OUTPUTS: ClassVar[tuple[str, ...]] = ("rgb_linear",)
    encoding: Literal["exr16", "exr32", "npy"]


@WRITERS.register("albedo", Albedo)
def write_albedo(params: Albedo, view: View) -> list[FrameFile]:
    """Return the albedo of a frame: sRGB codes, or float32 linear."""
    return [_file("albedo", params.encoding, view, view.annotations["albedo"], lambda it: encode_srgb(it, bits=8))]


@WRITERS.register("roughness", Roughness)
def write_roughness(params: Roughness, view: View) -> list[FrameFile]:
    """Return the roughness of a frame: round(255 value), or float32."""
    return [_file("roughness", params.encoding, view, view.annotations["roughness"], share_codes)]


@WRITERS.register("metallic", Metallic)
def write_metallic(params: Metallic, view: View) -> list[FrameFile]:
    """Return the metal of a frame: round(255 value), or float32."""
    return [_file("metallic", params.encoding, view, view.annotations["metallic"], share_codes)]


@WRITERS.register("shadow", Shadow)
def write_shadow(params: Shadow, view: View) -> list[FrameFile]:
    """Return the shadow of a frame as round(255 share) or float32, and 255 where some light could arrive, else 0."""
    shadow, lit = view.annotations["shadow"], view.annotations["shadow_lit"]
    mask = FrameFile("shadow_lit", f"shadow/{view.stem}.lit.png", encode_png(lit * np.uint8(255)))
    return [_file("shadow", params.encoding, view, shadow, share_codes), mask]


@WRITERS.register("effect", Effect)
def write_effect(params: Effect, view: View) -> list[FrameFile]:
    """Return the effects of a frame: a PNG for each that is somewhere in it, or uint8 [y, x, effect]."""
    effect = view.annotations["effect"]
    if params.encoding == "npy":
        return [FrameFile("effect", f"effect/{view.stem}.npy", encode_npy(effect))]
    return [
        FrameFile(f"effect_{name}", f"effect/{view.stem}.{name}.png", encode_png(effect[..., channel]))
        for channel, name in enumerate(EFFECTS)
        if effect[..., channel].any()
    ]


@WRITERS.register("rgb16", DeepImages)
def write_rgb16(params: DeepImages, view: View) -> list[FrameFile]:
    """Return the picture of a frame with 16 bits a channel, encoded from linear light as `rgb` is."""
    assert view.rgb_linear is not None
    exposed = view.rgb_linear * np.float32(view.exposure)
    return [FrameFile("rgb16", f"rgb16/{view.stem}.png", encode_png(encode_srgb(exposed, bits=16)))]


@WRITERS.register("hdr", LinearImages)
def write_hdr(params: LinearImages, view: View) -> list[FrameFile]:
    """Return the radiance of a frame, before exposure."""
    assert view.rgb_linear is not None
    if params.encoding == "npy":
        return [FrameFile("hdr", f"hdr/{view.stem}.npy", encode_npy(view.rgb_linear))]
    data = encode_exr(view.rgb_linear, half=params.encoding == "exr16")
    return [FrameFile("hdr", f"hdr/{view.stem}.exr", data)]


def share_codes(share: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return round(255 share); what is not 0 stays so."""
    codes = np.rint(np.clip(share, 0.0, 1.0) * np.float32(255.0))
    return np.where(share > 0.0, np.maximum(codes, 1.0), 0.0).astype(np.uint8)


def _file(
    name: str, encoding: Encoding, view: View, image: NDArray[np.float32], codes: Callable[[NDArray[np.float32]], Any]
) -> FrameFile:
    """Return an image as a file of its name."""
    if encoding == "npy":
        return FrameFile(name, f"{name}/{view.stem}.npy", encode_npy(image))
    return FrameFile(name, f"{name}/{view.stem}.png", encode_png(codes(image)))
