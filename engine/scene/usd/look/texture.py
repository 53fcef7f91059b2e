"""The textures of a scene: each file read once, sets of UDIM tiles as one image, baked networks beside them."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pxr import Ar, Gf, Sdf

from engine.scene.look.expression import IDENTITY, Matrix
from engine.scene.look.image_file import (
    ALL_CHANNELS,
    ALPHA,
    LINEAR,
    ColorDecoding,
    ImageFile,
    TextureRequest,
    linear_from_curve,
    linear_from_srgb,
    read_image,
)
from engine.scene.look.udim import UDIM, assemble, tile_number, tile_paths
from engine.scene.model import Texture, Wrap
from engine.scene.usd.files import check_inside, package_file
from engine.scene.usd.stage import OpenStage

__all__ = ["WRAPS", "TextureRequest", "TextureTable", "color_decoding", "color_space_named"]

WRAPS = {
    "repeat": Wrap.REPEAT,
    "clamp": Wrap.CLAMP,
    "mirror": Wrap.MIRROR,
    "black": Wrap.BLACK,
    "useMetadata": Wrap.REPEAT,  # exporters leave the default and mean repeat
}
SRGB = ColorDecoding(linear_from_srgb, None)
COLOR_SPACES = {  # names that files use, beside those of `Gf.ColorSpace`
    "srgb": "sRGB",
    "srgb_texture": "sRGB",
    "srgb_rec709_scene": "sRGB",
    "srgb_rec709_display": "sRGB",
    "utility - srgb - texture": "sRGB",
    "raw": "raw",
    "data": "raw",
    "utility - raw": "raw",
    "linear": "raw",
    "none": "raw",
    "lin_rec709": "raw",
    "lin_rec709_scene": "raw",
    "lin_srgb": "raw",
    "scene-linear rec.709-srgb": "raw",
    "utility - linear - srgb": "raw",
    "acescg": "lin_ap1_scene",
    "lin_ap1": "lin_ap1_scene",
    "aces2065-1": "lin_ap0_scene",
    "lin_rec2020": "lin_rec2020_scene",
    "lin_displayp3": "lin_p3d65_scene",
    "srgb_displayp3": "srgb_p3d65_scene",
    "lin_adobergb": "lin_adobergb_scene",
    "adobergb": "g22_adobergb_scene",
    "gamma22": "g22_rec709_scene",
    "g22_rec709": "g22_rec709_scene",
    "gamma18": "g18_rec709_scene",
    "g18_rec709": "g18_rec709_scene",
    "gamma24": "g24_rec709_scene",
    "rec709_display": "g24_rec709_scene",
    "g22_ap1": "g22_ap1_scene",
    "": "auto",
    "auto": "auto",
}


def color_space_named(name: str) -> str | None:
    """Return `auto`, `raw`, `sRGB` or a name that `Gf.ColorSpace` knows; None for a name that nobody knows."""
    known = COLOR_SPACES.get(name.lower())
    if known is None and Gf.ColorSpace.IsValid(name):
        return name
    return known


def color_decoding(space: str, *, is_srgb: bool) -> ColorDecoding:
    """Return how numbers of a colour space become linear Rec. 709."""
    if space == "sRGB" or (space == "auto" and is_srgb):
        return SRGB
    if space in ("auto", "raw"):
        return LINEAR
    known = Gf.ColorSpace(space)
    if known.IsData():
        return LINEAR
    gamma, bias = known.GetGamma(), known.GetLinearBias()
    to_xyz = np.array(known.GetRGBToXYZ(), np.float64)  # of a column
    from_xyz = np.linalg.inv(np.array(Gf.ColorSpace("lin_rec709_scene").GetRGBToXYZ(), np.float64))
    matrix = (from_xyz @ to_xyz).astype(np.float32)
    same = bool(np.abs(matrix - np.eye(3)).max() < 1e-4)
    return ColorDecoding(
        None if gamma == 1.0 else lambda value: linear_from_curve(value, gamma, bias), None if same else matrix
    )


@dataclass(frozen=True)
class _Loaded:
    image: ImageFile
    uv_from_uv: Matrix  # from the coordinates of a request to those of the image; not the identity for UDIM tiles


def _texture(name: str, image: ImageFile, request: TextureRequest) -> Texture:
    """Return a file with the channels and the wrapping that were asked for."""
    linear, byte = image.linear, image.byte
    if request.channels != ALL_CHANNELS:
        chosen = list(request.channels)
        if byte is not None and len({channel == ALPHA for channel in chosen[:3]}) == 1 and chosen[ALPHA] == ALPHA:
            curved = chosen[0] != ALPHA
            table = image.linear_of_byte if curved else np.arange(256, dtype=np.float32) / np.float32(255.0)
            byte = np.ascontiguousarray(byte[..., chosen])
            return Texture(name, None, request.wrap_u, request.wrap_v, byte, table)
        linear, byte = np.ascontiguousarray(image.pixels[..., chosen]), None
    return Texture(name, linear, request.wrap_u, request.wrap_v, byte, image.linear_of_byte if linear is None else None)


class TextureTable:
    """The textures that materials and lights asked for, in that order; equal requests share one entry."""

    def __init__(self, opened: OpenStage) -> None:
        self._opened = opened
        self._index: dict[TextureRequest, int | None] = {}
        self._image: dict[tuple[str, str], _Loaded | None] = {}
        self.textures: list[Texture] = []
        self.files: set[Path] = set()

    def request(self, request: TextureRequest, user: object) -> int | None:
        """Return the index of a texture, or None with a note when the file cannot be used."""
        if request not in self._index:
            self._index[request] = self._add(request, user)
        return self._index[request]

    def load(self, request: TextureRequest, user: object) -> ImageFile | None:
        """Return the decoded file of a request, or None with a note when it cannot be used."""
        loaded = self._loaded(request, user)
        return None if loaded is None else loaded.image

    def uv_from_uv(self, request: TextureRequest) -> Matrix:
        """Return what turns the coordinates of a loaded request into those of its texture."""
        loaded = self._image.get((request.resolved, request.color_space))
        return IDENTITY if loaded is None else loaded.uv_from_uv

    def bake(self, name: str, pixels: NDArray[np.float32], like: TextureRequest) -> int:
        """Return the index of a texture that was computed, and wraps as a request does."""
        self.textures.append(Texture(name, pixels, like.wrap_u, like.wrap_v))
        return len(self.textures) - 1

    def dome(self, asset: Sdf.AssetPath, user: object) -> int | None:
        """Return the index of a dome's image: it repeats around and is clamped at the poles."""
        if not asset.resolvedPath:
            self._opened.files.missing(asset.path)
            self._opened.notes.add("error", user, f"texture '{asset.path}' is missing")
            return None
        return self.request(TextureRequest(asset.resolvedPath, "auto", Wrap.REPEAT, Wrap.CLAMP), user)

    def _add(self, request: TextureRequest, user: object) -> int | None:
        loaded = self._loaded(request, user)
        if loaded is None:
            return None
        name = Path(os.path.relpath(request.resolved, self._opened.path.parent)).as_posix()
        self.textures.append(_texture(name, loaded.image, request))
        return len(self.textures) - 1

    def _loaded(self, request: TextureRequest, user: object) -> _Loaded | None:
        key = (request.resolved, request.color_space)
        if key not in self._image:
            try:
                tiled = UDIM in request.resolved
                self._image[key] = self._tiles(request, user) if tiled else _Loaded(self._file(request, user), IDENTITY)
            except OSError as error:
                self._opened.notes.add("error", user, f"texture '{os.path.basename(request.resolved)}': {error}")
                self._image[key] = None
        return self._image[key]

    def _file(self, request: TextureRequest, user: object) -> ImageFile:
        file = package_file(request.resolved)
        check_inside(file, self._opened.roots, f"{user}: texture")
        self.files.add(file)
        self._opened.files.read(file)

        def decoding(is_srgb: bool) -> ColorDecoding:
            return color_decoding(request.color_space, is_srgb=is_srgb)

        limit = self._opened.options.max_texture_px
        if str(file) == request.resolved:
            return read_image(request.resolved, decoding, limit)
        asset = Ar.GetResolver().OpenAsset(Ar.ResolvedPath(request.resolved))
        if asset is None:
            raise OSError("cannot be read from its package")
        inner = Ar.SplitPackageRelativePathInner(request.resolved)[1]
        with tempfile.NamedTemporaryFile(suffix=Path(inner).suffix) as copy:  # OpenImageIO's wheel reads files only
            copy.write(asset.GetBuffer())
            copy.flush()
            return read_image(copy.name, decoding, limit)

    def _tiles(self, request: TextureRequest, user: object) -> _Loaded:
        tiles: dict[int, ImageFile] = {}
        self._opened.files.missing(request.resolved)  # a tile that is added later is a change
        for path in tile_paths(request.resolved):
            try:
                tiles[tile_number(request.resolved, path)] = self._file(replace(request, resolved=path), user)
            except OSError as error:
                self._opened.notes.add("error", user, f"tile '{os.path.basename(path)}': {error}; it is black")
        if not tiles:
            raise OSError("has no readable tile")
        image, uv_from_uv, shrunk = assemble(tiles, self._opened.options.max_texture_px)
        what = f"{len(tiles)} tiles of '{os.path.basename(request.resolved)}' are one image"
        if shrunk:
            self._opened.notes.add("approximated", user, f"{what}, at a lower resolution")
        else:
            self._opened.notes.add("converted", user, what)
        return _Loaded(image, uv_from_uv)
