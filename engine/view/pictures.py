"""The pictures of a frame: its image, and every other file that can be shown."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from engine.formats.record import Frame
from engine.view.color import PICTURES, colorize, draw_wheel, read_values

IMAGE = "image"
GREY = (96, 96, 96)
WHEEL_SHARE = 0.16  # of a picture's height


def picture_of(frame: Frame) -> Image.Image:
    """Return the image of a frame, or plain grey where there is none."""
    if IMAGE not in frame.files:
        return Image.new("RGB", (frame.width, frame.height), GREY)
    return Image.fromarray(colorize(IMAGE, read_values(frame.files[IMAGE])))


def other_roles(frame: Frame) -> Iterator[str]:
    """Yield the roles of a frame's files that can be shown beside its image."""
    for role in sorted(frame.files):
        if role != IMAGE and frame.files[role].suffix in PICTURES:
            yield role


def draw_role(frame: Frame, role: str) -> Image.Image:
    """Return a file of a frame in colours; flow has its wheel in the corner."""
    picture = Image.fromarray(colorize(role, read_values(frame.files[role])))
    if "flow" in role and not role.startswith("scene") and not role.endswith("state"):
        size = max(16, round(WHEEL_SHARE * picture.height))
        picture.paste(Image.fromarray(draw_wheel(size)), (picture.width - size - 4, picture.height - size - 4))
    return picture


def shrink(picture: Image.Image, width: int) -> Image.Image:
    """Return a picture of at most a width."""
    if picture.width <= width:
        return picture
    height = max(1, round(width * picture.height / picture.width))
    return picture.resize((width, height), Image.Resampling.LANCZOS)
