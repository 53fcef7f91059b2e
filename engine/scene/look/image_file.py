"""Image files to linear float32 RGBA: header first, then pixels, then colour.

USD's own rules: three or four channels are sRGB if they are bytes or the file says so, unless the scene says otherwise;
everything else is linear. Alpha is straight (not multiplied in) and never decoded; grey fills red, green and blue.
Source: UsdUVTexture, https://openusd.org/release/spec_usdpreviewsurface.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.scene.error import SceneError
from engine.scene.model import Wrap, linear_pixels

ALL_CHANNELS = (0, 1, 2, 3)
ALPHA = 3
EXIF_SRGB = 1
PNG_SIGNATURE = b"\x89PNG"
PNG_HEAD_BYTES = 1 << 16  # chunks before the pixels
MAX_HALF = 65504.0  # the largest number that a half can hold: what infinity in an EXR means


@dataclass(frozen=True)
class TextureRequest:
    """What decides the pixels of a texture and what it shows outside [0, 1)."""

    resolved: str  # resolved asset path; a set of UDIM tiles keeps its <UDIM>
    color_space: str  # "auto", "raw", "sRGB" or a name that `Gf.ColorSpace` knows
    wrap_u: Wrap
    wrap_v: Wrap
    channels: tuple[int, int, int, int] = ALL_CHANNELS  # which channel of the file red, green, blue and alpha show


@dataclass(frozen=True)
class ColorDecoding:
    """From the numbers of a file to linear Rec. 709."""

    curve: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None  # None: linear already
    rec709_from_rgb: NDArray[np.float32] | None  # [3, 3]; None: the primaries are those of Rec. 709


LINEAR = ColorDecoding(None, None)
Decoder: TypeAlias = Callable[[bool], ColorDecoding]  # from "is sRGB where nobody says otherwise"


@dataclass(frozen=True)
class ImageFile:
    """A decoded file."""

    linear: NDArray[np.float32] | None  # [y, x, 4], first row at the bottom; None: bytes
    is_8_bit: bool
    byte: NDArray[np.uint8] | None = None  # [y, x, 4]; see `Texture`
    linear_of_byte: NDArray[np.float32] | None = None  # [256]

    @property
    def pixels(self) -> NDArray[np.float32]:
        """The image as linear RGBA, [y, x, 4]."""
        return linear_pixels(self.linear, self.byte, self.linear_of_byte)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        image = self.byte if self.linear is None else self.linear
        return (0, 0) if image is None else (image.shape[1], image.shape[0])


def read_image(file: str, decoder: Decoder, max_px: int) -> ImageFile:
    """Return an image file as linear RGBA with its first row at the bottom.

    Raises:
        OSError: If it is no image, or ends too early.
        SceneError: If the header announces more pixels than allowed; nothing was decoded then.
    """
    import OpenImageIO as oiio

    hints = oiio.ImageSpec()
    hints.attribute("oiio:UnassociatedAlpha", 1)  # or colours come multiplied by alpha
    source = oiio.ImageInput.open(file, hints)
    if source is None:
        raise OSError(_reason(oiio.geterror(), "not an image"))
    try:
        spec = source.spec()
        if spec.width * spec.height * max(spec.depth, 1) > max_px:
            raise SceneError(
                f"texture '{file}' is {spec.width}x{spec.height}; the limit is {max_px} pixels, scale it down"
            )
        is_8_bit = spec.format == oiio.UINT8
        channels = min(spec.nchannels, 4)
        pixels = source.read_image(0, 0, 0, channels, oiio.UINT8 if is_8_bit else oiio.FLOAT)
        if pixels is None:
            raise OSError(_reason(source.geterror(), "cannot be decoded"))
    finally:
        source.close()
    pixels = np.asarray(pixels).reshape(spec.height, spec.width, -1)[::-1]
    is_srgb = channels >= 3 and (is_8_bit or _says_srgb(file, spec))
    decoding = decoder(is_srgb)
    if is_8_bit and decoding.rec709_from_rgb is None:
        return ImageFile(None, is_8_bit, _byte_rgba(pixels), _byte_table(decoding))
    return ImageFile(_linear_rgba(pixels, decoding), is_8_bit)


def _says_srgb(file: str, spec: Any) -> bool:
    """Return whether the file itself says that its colours are sRGB; OpenImageIO assumes so of every PNG."""
    if "sRGB" in str(spec.getattribute("ICCProfile:profile_description") or ""):
        return True
    if spec.getattribute("Exif:ColorSpace") == EXIF_SRGB:
        return True
    with Path(file).open("rb") as stream:
        head = stream.read(PNG_HEAD_BYTES)
    return head.startswith(PNG_SIGNATURE) and b"sRGB" in head.partition(b"IDAT")[0]


def _reason(text: str, default: str) -> str:
    return (text or default).splitlines()[0]


def _byte_rgba(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return [y, x, 4]; grey fills red, green and blue, a missing alpha is 255."""
    height, width, channels = pixels.shape
    out = np.full((height, width, 4), 255, np.uint8)
    has_alpha = channels in (2, 4)
    out[..., :3] = pixels[..., : channels - 1] if has_alpha else pixels
    if has_alpha:
        out[..., 3] = pixels[..., -1]
    return out


def _byte_table(decoding: ColorDecoding) -> NDArray[np.float32]:
    """Return the linear value [256] of every byte."""
    table = np.arange(256, dtype=np.float32) / np.float32(255.0)
    return decoding.curve(table) if decoding.curve else table


def _linear_rgba(pixels: NDArray[Any], decoding: ColorDecoding) -> NDArray[np.float32]:
    """Return [y, x, 4]; grey fills red, green and blue, a missing alpha is 1."""
    height, width, channels = pixels.shape
    out = np.ones((height, width, 4), np.float32)
    has_alpha = channels in (2, 4)
    color = pixels[..., : channels - 1] if has_alpha else pixels
    if pixels.dtype == np.uint8:
        out[..., :3] = _byte_table(decoding)[color]
        if has_alpha:
            out[..., 3] = pixels[..., -1] * np.float32(1.0 / 255.0)
    else:
        color = np.nan_to_num(color, nan=0.0, posinf=MAX_HALF, neginf=0.0)
        out[..., :3] = decoding.curve(color) if decoding.curve else color
        if has_alpha:
            out[..., 3] = np.nan_to_num(pixels[..., -1], nan=1.0, posinf=1.0, neginf=0.0)
    if decoding.rec709_from_rgb is not None:
        out[..., :3] = out[..., :3] @ decoding.rec709_from_rgb.T
    return out


def linear_from_srgb(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return linear light from sRGB values (IEC 61966-2-1); negative values stay."""
    return linear_from_curve(value, 2.4, 0.055)


def linear_from_curve(value: NDArray[np.float32], gamma: float, linear_bias: float) -> NDArray[np.float32]:
    """Return linear light from a power curve that begins with a straight line, or is a plain power without bias.

    Source: the transfer functions of nanocolor, which `Gf.ColorSpace` describes by these two numbers; where the line
    meets the curve, value and slope agree.
    """
    value = np.minimum(value, MAX_HALF)  # or the power overflows
    if linear_bias <= 0.0:
        return (np.sign(value) * np.abs(value) ** gamma).astype(np.float32)
    start = linear_bias / (gamma - 1.0)
    slope = start / ((start + linear_bias) / (1.0 + linear_bias)) ** gamma
    if abs(gamma - 2.4) < 1e-3 and abs(linear_bias - 0.055) < 1e-4:
        start, slope = 0.04045, 12.92  # the standard's own rounding
    curve = ((np.maximum(value, 0.0) + linear_bias) / (1.0 + linear_bias)) ** gamma
    return np.where(value <= start, value / slope, curve).astype(np.float32)
