"""Folders of images beside a scene, which randomisers choose from: read once, hashed like its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import UserError
from engine.scene.look.image_file import ColorDecoding, linear_from_srgb, read_image
from engine.scene.model import Asset, Texture, Wrap
from engine.scene.store.files import check_inside, digests, scene_roots

SUFFIXES = (".jpg", ".jpeg", ".png")
MOST_IMAGES = 4096  # of a folder
MOST_IMAGE_PX = 64_000_000  # of one image
SRGB = ColorDecoding(linear_from_srgb, None)


@dataclass(frozen=True)
class ImageFolder:
    """The images of a folder in the order of their names; a texture is named `<folder>/<file>`."""

    textures: tuple[Texture, ...]
    assets: tuple[Asset, ...]


def read_image_folder(folder: str, usd: Path, roots: tuple[Path, ...], where: str) -> ImageFolder:
    """Return the JPEG and PNG files of a folder, not of those in it.

    Args:
        folder: Relative to the folder of the USD file, else to one of `roots`.
        usd: The scene's root layer.
        roots: Folders that files of the scene may lie in; none: as `engine.scene.SceneOptions` has it.
        where: The path of the key in the recipe, for errors.
    Raises:
        UserError: If there is no such folder, nothing in it, or an image that cannot be read.
    """
    places = [base / folder for base in (usd.parent, *roots)]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise UserError(f"{where}: there is no folder {' or '.join(map(str, places))}")
    files = sorted((f for f in found.iterdir() if f.suffix.lower() in SUFFIXES), key=lambda file: file.name)
    if not 1 <= len(files) <= MOST_IMAGES:
        raise UserError(f"{where}: {found} holds {len(files)} images ({' '.join(SUFFIXES)}), not 1 to {MOST_IMAGES}")
    allowed = scene_roots(usd, roots)
    for file in files:
        try:
            check_inside(file, allowed, where)
        except UserError as error:
            raise UserError(str(error).replace("add --root", "add to scene.roots")) from None
    facts = digests(files)
    names = [f"{folder}/{file.name}" for file in files]
    assets = tuple(Asset(name, facts[f].sha256, facts[f].bytes) for name, f in zip(names, files, strict=True))
    return ImageFolder(tuple(_texture(*pair, where) for pair in zip(names, files, strict=True)), assets)


def _texture(name: str, file: Path, where: str) -> Texture:
    """Return an image of 8 bits a channel, whose numbers are sRGB whatever the file says."""
    try:
        image = read_image(str(file), lambda _: SRGB, MOST_IMAGE_PX)
    except OSError as error:
        raise UserError(f"{where}: {file} cannot be read: {error}") from None
    if image.byte is None:
        raise UserError(f"{where}: {file} has more than 8 bits a channel; convert it")
    return Texture(name, None, Wrap.REPEAT, Wrap.REPEAT, image.byte, image.linear_of_byte)
