"""One page of HTML with pictures and labels in it: no server, no network, no other file.

Names come from data and are shown as text alone; the policy in its head lets nothing run but the page's own script.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.formats.record import Amodal, Category, Frame, Instance, Mask
from engine.view.pictures import IMAGE, draw_role, other_roles, picture_of, shrink
from engine.view.sheets import words
from engine.write.contact_sheet import class_color

IMAGE_WIDTH_PX, ROLE_WIDTH_PX = 1280, 640  # of inlined pictures
QUALITY = 85
FEW_COLORS = 256
PARTS = Path(__file__).parent / "page"
IMAGE_LABEL, NO_IMAGE_LABEL = "image", "no image"


def write_page(name: str, categories: tuple[Category, ...], frames: Iterable[Frame]) -> Iterator[bytes]:
    """Yield the page in parts, frame after frame."""
    style, script = (_text(*names) for names in (("page.css",), ("masks.js", "page.js")))
    body = (PARTS / "page.html").read_text(encoding="utf-8")
    policy = f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    yield (
        f"{icon_and_policy(policy)}<title>{escape(name)} - labels</title>\n<style>{style}</style>\n</head>\n{body}\n"
    ).encode()
    by_key = {category.key: index for index, category in enumerate(categories)}
    head = {"name": name, "classes": categories_data(categories)}
    yield f'<script type="application/json" id="head">{_json(head)}</script>\n'.encode()
    for frame in frames:
        yield f'<script type="application/json" class="frame">{_json(frame_data(frame, by_key))}</script>\n'.encode()
        yield f'<script type="application/json" class="pictures">{_json(frame_pictures(frame))}</script>\n'.encode()
    yield f"<script>{script}</script>\n</html>\n".encode()


def icon_and_policy(policy: str) -> str:
    """Return how a page begins that may load what a content security policy names, and nothing else."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}; base-uri 'none'; form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<link rel="icon" href="data:,">\n'
    )


def frame_data(frame: Frame, class_of: dict[str, int]) -> dict[str, Any]:
    """Return a frame as plain data, without its pictures."""
    return {
        "id": frame.id, "world": frame.world, "step": frame.step, "camera": frame.camera,
        "size": [frame.width, frame.height],
        "instances": [_instance(instance, class_of) for instance in frame.instances],
    }  # fmt: skip


def frame_pictures(frame: Frame) -> dict[str, str]:
    """Return the pictures of a frame by name, as data URIs."""
    label = IMAGE_LABEL if IMAGE in frame.files else NO_IMAGE_LABEL
    pictures = {label: inline(shrink(picture_of(frame), IMAGE_WIDTH_PX))}
    return pictures | {words(role): inline(compact(draw_role(frame, role))) for role in other_roles(frame)}


def compact(picture: Image.Image) -> Image.Image:
    """Return a picture of at most a width, with no colours that it did not have: they may stand for ids."""
    factor = -(-picture.width // ROLE_WIDTH_PX)
    return picture.resize((picture.width // factor, picture.height // factor), Image.Resampling.NEAREST)


def categories_data(categories: tuple[Category, ...]) -> list[dict[str, Any]]:
    """Return classes as plain data, with their colours."""
    return [
        {
            "id": category.id, "key": category.key, "name": category.name or category.key,
            "color": list(class_color(category.id)), "keypoints": category.keypoints, "skeleton": category.skeleton,
        } for category in categories
    ]  # fmt: skip


def _instance(instance: Instance, class_of: dict[str, int]) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "id": instance.id, "class": class_of.get(instance.category, -1),
        "box": [_number(value) or 0 for value in instance.box],
        "path": instance.path, "px": instance.visible_px, "depth": _number(instance.depth_m),
    }  # fmt: skip
    if instance.mask is not None:
        plain["mask"] = _mask(instance.mask)
    if instance.amodal is not None:
        plain |= _amodal(instance, instance.amodal)
    if instance.solid is not None:
        plain["corners"] = [[_number(value) for value in corner] for corner in instance.solid.corners_px.tolist()]
        plain["size"] = [_number(value) for value in instance.solid.size_m.tolist()]
    if instance.oriented_box is not None:
        plain["oriented"] = [[_number(value) for value in corner] for corner in instance.oriented_box.tolist()]
    if instance.keypoints is not None:
        plain["points"] = [[_number(value) for value in point] for point in instance.keypoints.tolist()]
    return plain


def _amodal(instance: Instance, amodal: Amodal) -> dict[str, Any]:
    facts: dict[str, Any] = {"occlusion": _number(instance.occlusion), "truncation": _number(instance.truncation)}
    facts |= {"full": amodal.full_px, "occluder": amodal.occluder}
    return facts if amodal.mask is None else facts | {"amodal": _mask(amodal.mask)}


def _mask(mask: Mask) -> list[Any]:
    return [mask.x, mask.y, mask.width, mask.height, mask.counts.decode("latin-1")]


def _number(value: float | None) -> float | None:
    """Return a number with three decimals; JSON has no NaN and no infinity."""
    return None if value is None or not math.isfinite(value) else round(value, 3)


def inline(picture: Image.Image) -> str:
    """Return a picture as a data URI."""
    kind, data = encoded(picture)
    return f"data:image/{kind};base64," + base64.b64encode(data).decode("ascii")


def encoded(picture: Image.Image) -> tuple[str, bytes]:
    """Return a picture as a PNG if it has few colours, as maps of ids have, exactly; otherwise as JPEG."""
    data, kind = io.BytesIO(), "jpeg"
    rgb = picture.convert("RGB")
    colors = rgb.getcolors(FEW_COLORS)
    if colors is not None:
        kind = "png"
        _with_palette(np.asarray(rgb), np.array([color for _, color in colors], np.uint8)).save(data, "PNG")
    else:
        rgb.save(data, "JPEG", quality=QUALITY)
    return kind, data.getvalue()


def _with_palette(rgb: NDArray[np.uint8], used: NDArray[np.uint8]) -> Image.Image:
    """Return a picture of few colours, which are the used ones [color, 3], as indices into them."""
    packed, values = (
        colors[..., 0].astype(np.uint32) << 16 | colors[..., 1].astype(np.uint32) << 8 | colors[..., 2]
        for colors in (rgb, used)
    )
    values.sort()
    index = np.searchsorted(values, packed)  # many times faster than to sort all pixels
    colors = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1).astype(np.uint8)
    picture = Image.fromarray(index.reshape(packed.shape).astype(np.uint8))
    picture.putpalette(colors.tobytes())
    return picture


def _json(data: Any) -> str:
    """Return JSON that no browser takes for markup or an end of a line, whatever names it holds."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)  # ASCII alone: U+2028 is escaped as well
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _text(*parts: str) -> str:
    return "".join((PARTS / part).read_text(encoding="utf-8") for part in parts)


def _hash(text: str) -> str:
    """Return the hash by which a content security policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
