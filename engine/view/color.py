"""Files of a frame as colours to look at: depth, normals, flow on its wheel, ids, and whatever else there is."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.write.contact_sheet import GOLDEN_RATIO, class_color

PICTURES = (".png", ".npy", ".flo", ".jpg", ".exr", ".tif")
BACKGROUND = (18, 20, 24)
FLO_MAGIC = 202021.25  # of Middlebury's .flo: https://vision.middlebury.edu/flow/code/flow-code/README.txt
FLO_UNKNOWN = 1.0e9  # from here on there is no flow, by the same source
KITTI_FLOW_ZERO, KITTI_FLOW_STEPS = 2**15, 64.0  # png16 = v * 64 + 2^15
MAX_PIXELS = 2**27
_LOW, _HIGH = 2.0, 98.0  # percentiles of depth that span the colours
_STILL_PX = 0.1  # flow of full colour is at least so long: what stays would show nothing but roundings
_DISPLAY_GAMMA = 2.2
_COLD, _WARM = 0.08, 0.9  # of the colour map, whose ends are both dark

Rgb = NDArray[np.uint8]


def colorize(role: str, values: NDArray[Any]) -> Rgb:
    """Return the values of a file [y, x(, c)] as colours [y, x, 3]; `role` decides how they are meant."""
    if "flow" in role and values.ndim == 3 and values.shape[2] >= 2 and not role.startswith("scene"):
        return color_flow(_flow_px(values))
    if role == "hdr":
        return color_radiance(values)
    if role == "class_map":
        return _palette([BACKGROUND, *(class_color(i) for i in range(1, int(values.max(initial=0)) + 1))])[values]
    if _is_index(role, values):
        return color_ids(values)
    if values.ndim == 2 and ("depth" in role or "range" in role):
        return color_depth(values)
    if values.ndim == 3 and values.shape[2] == 2:
        values = np.concatenate([values, np.zeros_like(values[..., :1])], axis=2)
    if values.ndim == 3 and values.shape[2] > 3:
        values = values[..., :3]
    signed = "normal" in role and values.dtype.kind == "f"
    return _stretch(values * 0.5 + 0.5 if signed else values, is_share=signed or "nocs" in role)


def read_values(path: Path) -> NDArray[Any]:
    """Return what a file of a frame holds, [y, x] or [y, x, c].

    Raises:
        UserError: If it cannot be read.
    """
    try:
        if path.suffix == ".npy":
            values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        elif path.suffix == ".flo":
            values = _read_flo(path)
        else:
            values = _read_image(path)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim not in (2, 3) or values.dtype.kind not in "uifb" or values.size > 4 * MAX_PIXELS:
        raise UserError(f"{path} is not an image: an array {values.shape} of {values.dtype}")
    return np.asarray(values)


def color_depth(depth: NDArray[Any]) -> Rgb:
    """Return near as warm and far as cold, by the logarithm; 0 and infinity are background."""
    known = np.isfinite(depth) & (depth > 0)
    out = np.full((*depth.shape, 3), BACKGROUND, np.uint8)
    if known.any():
        logs = np.log(depth[known].astype(np.float64))
        low, high = _span(logs)
        out[known] = _turbo(_WARM - (_WARM - _COLD) * np.clip((logs - low) / max(high - low, 1.0e-9), 0.0, 1.0))
    return out


def depth_span(depth: NDArray[Any]) -> tuple[float, float] | None:
    """Return the depths [their unit] at the warm and at the cold end of the colours; None: nothing is known."""
    known = depth[np.isfinite(depth) & (depth > 0)] if depth.ndim == 2 else depth[:0]
    if not known.size:
        return None
    low, high = np.exp(_span(np.log(known.astype(np.float64))))
    return float(f"{low:.6g}"), float(f"{high:.6g}")


def legend_of_depth(count: int) -> list[list[int]]:
    """Return colours from near to far, in equal steps of the logarithm."""
    steps = _WARM - (_WARM - _COLD) * np.linspace(0.0, 1.0, count)
    return [list(color) for color in _turbo(steps).tolist()]


def color_ids(ids: NDArray[Any]) -> Rgb:
    """Return ids as colours far apart in hue; 0 and below are background."""
    values, inverse = np.unique(ids, return_inverse=True)
    colors = []
    for value in values.tolist():
        hue = value * GOLDEN_RATIO % 1.0
        red, green, blue = colorsys.hsv_to_rgb(hue, 0.55 + 0.35 * (value * 0.37 % 1.0), 0.95)
        colors.append(BACKGROUND if value <= 0 else (round(255 * red), round(255 * green), round(255 * blue)))
    return _palette(colors)[inverse.reshape(ids.shape)]


def color_flow(flow_px: NDArray[Any]) -> Rgb:
    """Return a flow [y, x, 2] on the wheel: hue is direction, right is red; strong is bright. NaN: background."""
    known = np.isfinite(flow_px).all(axis=2)
    out = np.full((*known.shape, 3), BACKGROUND, np.uint8)
    if known.any():
        x, y = flow_px[known].astype(np.float64).T
        speed = np.hypot(x, y)
        strength = np.clip(speed / max(float(np.percentile(speed, _HIGH)), _STILL_PX), 0.0, 1.0)
        out[known] = _wheel(np.arctan2(y, x) / (2.0 * np.pi) % 1.0, strength)
    return out


def color_radiance(radiance: NDArray[Any]) -> Rgb:
    """Return radiance [y, x, 3] as a display shows it: white from the 98th percentile of the brightest channels on."""
    bright = np.nan_to_num(radiance[..., :3].astype(np.float64))
    white = max(float(np.percentile(bright.max(axis=2), _HIGH)), 1.0e-9)
    return np.rint(255.0 * np.clip(bright / white, 0.0, 1.0) ** (1.0 / _DISPLAY_GAMMA)).astype(np.uint8)


def draw_wheel(size_px: int) -> Rgb:
    """Return the wheel itself, the key to pictures of flow."""
    place = (np.arange(size_px) + 0.5) / size_px * 2.0 - 1.0
    x, y = np.meshgrid(place, place)
    radius = np.hypot(x, y)
    out = _wheel((np.arctan2(y, x) / (2.0 * np.pi) % 1.0).ravel(), np.clip(radius, 0, 1).ravel())
    out = out.reshape(size_px, size_px, 3)
    out[radius > 1.0] = BACKGROUND
    return out


def _span(logs: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(logs, [_LOW, _HIGH]).tolist()
    return low, high


def _wheel(hue: NDArray[np.float64], strength: NDArray[np.float64]) -> Rgb:
    """Return colours of hues in [0, 1): white where the strength is 0, full where it is 1."""
    sector = hue[:, None] * 6.0 + np.array([0.0, 4.0, 2.0])
    pure = np.clip(np.abs(sector % 6.0 - 3.0) - 1.0, 0.0, 1.0)
    return np.rint(255.0 * (1.0 - strength[:, None] * (1.0 - pure))).astype(np.uint8)


def _turbo(t: NDArray[np.float64]) -> Rgb:
    """Return colours of numbers in [0, 1].

    Source: A. Mikhailov, Turbo, https://gist.github.com/mikhailov-work/0d177465a8151eb6ede1768d51d476c7
    """
    red = (0.13572138, 4.61539260, -42.66032258, 132.13108234, -152.94239396, 59.28637943)
    green = (0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604)
    blue = (0.10667330, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973)
    channels = [sum(c * t**i for i, c in enumerate(polynomial)) for polynomial in (red, green, blue)]
    return np.rint(255.0 * np.clip(np.stack(channels, axis=-1), 0.0, 1.0)).astype(np.uint8)


def _is_index(role: str, values: NDArray[Any]) -> bool:
    """Return whether an image holds numbers of things and not amounts."""
    is_named = role in ("instance_map", "part", "material") or role.endswith(("_state", "_map"))
    return values.ndim == 2 and values.dtype.kind in "ui" and is_named


def _flow_px(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype != np.uint16:
        return values[..., :2]
    flow = (values[..., :2].astype(np.float64) - KITTI_FLOW_ZERO) / KITTI_FLOW_STEPS
    if values.shape[2] > 2:
        flow[values[..., 2] == 0] = np.nan
    return flow


def _stretch(values: NDArray[Any], *, is_share: bool) -> Rgb:
    """Return numbers as brightness: whole ones by their type's range, shares by 1, others by what there is."""
    if values.dtype.kind == "b":
        bright = values.astype(np.float64)
    elif values.dtype == np.uint16:
        bright = values / 65535.0
    elif values.dtype == np.uint8:
        bright = values / (255.0 if values.max(initial=0) > 8 else max(1.0, float(values.max(initial=0))))
    else:
        known = np.isfinite(values)
        low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 1.0)
        low, high = (0.0, 1.0) if is_share or (low >= 0.0 and high <= 1.0) else (low, max(high, low + 1.0e-9))
        bright = np.where(known, (values - low) / (high - low), 0.0)
    rgb = np.rint(255.0 * np.clip(bright, 0.0, 1.0)).astype(np.uint8)
    return rgb if rgb.ndim == 3 else np.repeat(rgb[..., None], 3, axis=2)


def _palette(colors: list[tuple[int, int, int]]) -> Rgb:
    return np.array(colors, np.uint8).reshape(-1, 3)


def _read_image(path: Path) -> NDArray[Any]:
    import OpenImageIO as oiio  # Pillow reads 16-bit colours as 8 bits

    source = oiio.ImageInput.open(str(path))
    if source is None:
        raise ValueError(oiio.geterror() or "not an image")
    spec = source.spec()
    if spec.width * spec.height > MAX_PIXELS:
        raise ValueError(f"{spec.width}x{spec.height} pixels are too many")
    pixels = source.read_image(spec.format)
    source.close()
    if pixels is None:
        raise ValueError("it is damaged")
    return np.asarray(pixels)


def _read_flo(path: Path) -> NDArray[np.float32]:
    with path.open("rb") as file:
        head = np.fromfile(file, "<f4", 1)
        size = np.fromfile(file, "<i4", 2)
        if head.size < 1 or head[0] != FLO_MAGIC or size.size < 2 or not 0 < int(size[0]) * int(size[1]) < MAX_PIXELS:
            raise ValueError("not a .flo")
        flow = np.fromfile(file, "<f4", 2 * int(size[0]) * int(size[1]))
    return np.where(np.abs(flow) > FLO_UNKNOWN, np.float32(np.nan), flow).reshape(int(size[1]), int(size[0]), 2)
