"""Image files to linear float32 RGBA, each read once."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pxr import Ar, Sdf

from engine.scene.error import SceneError
from engine.scene.model import Texture, Wrap
from engine.scene.usd import OpenStage
from engine.scene.usd_files import check_inside, package_file

WRAPS = {
    "repeat": Wrap.REPEAT,
    "clamp": Wrap.CLAMP,
    "mirror": Wrap.MIRROR,
    "black": Wrap.BLACK,
    "useMetadata": Wrap.REPEAT,  # exporters leave the default and mean repeat
}
ALL_CHANNELS = -1


@dataclass(frozen=True)
class TextureRequest:
    """What decides the pixels of a texture and what it shows outside [0, 1)."""

    resolved: str  # resolved asset path
    color_space: str  # "auto", "raw" or "sRGB"
    wrap_u: Wrap
    wrap_v: Wrap
    channel: int = ALL_CHANNELS  # 0..3: this channel is copied into red, green and blue


@dataclass(frozen=True)
class _Image:
    pixels: NDArray[np.float32]  # [y, x, 4], linear, first row at the bottom
    is_8_bit: bool


class TextureTable:
    """The textures that materials and domes asked for, in that order; equal requests share one entry."""

    def __init__(self, opened: OpenStage) -> None:
        self._opened = opened
        self._index: dict[TextureRequest, int | None] = {}
        self._image: dict[tuple[str, str], _Image | None] = {}
        self.textures: list[Texture] = []
        self.files: set[Path] = set()

    def request(self, request: TextureRequest, user: object) -> int | None:
        """Return the index of a texture, or None with a note when the file cannot be used."""
        if request not in self._index:
            self._index[request] = self._add(request, user)
        return self._index[request]

    def is_8_bit(self, request: TextureRequest) -> bool:
        """Return whether the file of a texture that was loaded holds bytes."""
        image = self._image.get((request.resolved, request.color_space))
        return image is not None and image.is_8_bit

    def dome(self, asset: Sdf.AssetPath, user: object) -> int | None:
        """Return the index of a dome's image: it repeats around and is clamped at the poles."""
        if not asset.resolvedPath:
            self._opened.notes.add("error", user, f"texture '{asset.path}' is missing")
            return None
        return self.request(TextureRequest(asset.resolvedPath, "auto", Wrap.REPEAT, Wrap.CLAMP), user)

    def _add(self, request: TextureRequest, user: object) -> int | None:
        key = (request.resolved, request.color_space)
        if key not in self._image:
            self._image[key] = self._load(request, user)
        image = self._image[key]
        if image is None:
            return None
        pixels = image.pixels
        if request.channel != ALL_CHANNELS:
            pixels = np.repeat(pixels[..., request.channel : request.channel + 1], 4, axis=-1)
        name = os.path.relpath(request.resolved, self._opened.path.parent)
        self.textures.append(Texture(Path(name).as_posix(), pixels, request.wrap_u, request.wrap_v))
        return len(self.textures) - 1

    def _load(self, request: TextureRequest, user: object) -> _Image | None:
        file = package_file(request.resolved)
        check_inside(file, self._opened.roots, f"{user}: texture")
        self.files.add(file)
        try:
            if str(file) == request.resolved:
                return _read_image(request.resolved, request.color_space, self._opened.options.max_texture_px)
            return self._load_packaged(request)
        except OSError as error:
            self._opened.notes.add("error", user, f"texture '{os.path.basename(request.resolved)}': {error}")
            return None

    def _load_packaged(self, request: TextureRequest) -> _Image:
        asset = Ar.GetResolver().OpenAsset(Ar.ResolvedPath(request.resolved))
        if asset is None:
            raise OSError("cannot be read from its package")
        inner = Ar.SplitPackageRelativePathInner(request.resolved)[1]
        with tempfile.NamedTemporaryFile(suffix=Path(inner).suffix) as copy:
            copy.write(asset.GetBuffer())
            copy.flush()
            return _read_image(copy.name, request.color_space, self._opened.options.max_texture_px)


def _read_image(file: str, color_space: str, max_px: int) -> _Image:
    """Return an image file as linear RGBA with its first row at the bottom.

    Raises:
        OSError: If it is no image.
        SceneError: If the header announces more pixels than allowed.
    """
    import OpenImageIO as oiio

    source = oiio.ImageInput.open(file)
    if source is None:
        raise OSError((oiio.geterror() or "not an image").splitlines()[0])
    try:
        spec = source.spec()
        if spec.width * spec.height * max(spec.depth, 1) > max_px:
            raise SceneError(
                f"texture '{file}' is {spec.width}x{spec.height}; the limit is {max_px} pixels, scale it down"
            )
        is_8_bit = spec.format == oiio.UINT8
        pixels = source.read_image(0, 0, 0, min(spec.nchannels, 4), oiio.UINT8 if is_8_bit else oiio.FLOAT)
        if pixels is None:
            raise OSError((source.geterror() or "cannot be decoded").splitlines()[0])
    finally:
        source.close()
    pixels = np.asarray(pixels).reshape(spec.height, spec.width, -1)[::-1]
    decode = color_space == "sRGB" or (color_space == "auto" and is_8_bit and pixels.shape[2] >= 3)
    return _Image(_linear_rgba(pixels, decode), is_8_bit)


def _linear_rgba(pixels: NDArray[Any], decode: bool) -> NDArray[np.float32]:
    """Return [y, x, 4]; grey fills red, green and blue, a missing alpha is 1, alpha is never decoded."""
    height, width, channels = pixels.shape
    out = np.ones((height, width, 4), np.float32)
    has_alpha = channels in (2, 4)
    color = pixels[..., : channels - 1] if has_alpha else pixels
    if pixels.dtype == np.uint8:
        table = np.arange(256, dtype=np.float32) / 255.0
        out[..., :3] = (linear_from_srgb(table) if decode else table)[color]
        if has_alpha:
            out[..., 3] = table[pixels[..., -1]]
        return out
    out[..., :3] = linear_from_srgb(color) if decode else color
    if has_alpha:
        out[..., 3] = pixels[..., -1]
    return out


def linear_from_srgb(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return linear light from sRGB values (IEC 61966-2-1); negative values stay."""
    curve = ((np.maximum(value, 0.0) + 0.055) / 1.055) ** 2.4
    return np.where(value <= 0.04045, value / 12.92, curve).astype(np.float32)


def raw_variant(request: TextureRequest) -> TextureRequest:
    """Return the same request without colour decoding, for data such as normals."""
    return replace(request, color_space="raw")
