"""Contact sheets of a dataset, one a kind of label or file."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from engine.formats.record import Category, Frame
from engine.view.overlay import HAS, draw_overlay
from engine.view.pictures import draw_role, other_roles, picture_of
from engine.write.contact_sheet import TILE_WIDTH_PX, Tile, lay_out


def draw_sheets(frames: list[Frame], categories: tuple[Category, ...], name: str) -> Iterator[tuple[str, bytes]]:
    """Yield (kind, PNG) for every kind of label and every kind of file that some frame has."""
    by_key = {category.key: category for category in categories}
    for kind in kinds_of(frames):
        tiles = [_tile(frame, draw_overlay(kind, frame, _fitted(picture_of(frame), frame), by_key)) for frame in frames]
        yield kind, lay_out(tiles, f"{name}: {words(kind)}")
    for role in roles_of(frames):
        tiles = [_tile(frame, _fitted(draw_role(frame, role), frame)) for frame in frames if role in frame.files]
        yield role, lay_out(tiles, f"{name}: {words(role)}")


def kinds_of(frames: list[Frame]) -> list[str]:
    """Return the kinds of labels that some frame has."""
    return [kind for kind, has in HAS.items() if any(has(i) for frame in frames for i in frame.instances)]


def roles_of(frames: list[Frame]) -> list[str]:
    """Return the files beside the image that some frame has."""
    return sorted({role for frame in frames for role in other_roles(frame)})


def words(name: str) -> str:
    """Return the name of a kind or role as words."""
    return name.replace("_", " ")


def _tile(frame: Frame, picture: Image.Image) -> Tile:
    return Tile(picture, f"world {frame.world}  step {frame.step}  camera {frame.camera}")


def _fitted(picture: Image.Image, frame: Frame) -> Image.Image:
    height = max(1, round(TILE_WIDTH_PX * frame.height / frame.width))
    return picture.resize((TILE_WIDTH_PX, height), Image.Resampling.LANCZOS)
