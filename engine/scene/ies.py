"""IES files (ANSI/IES LM-63, all editions) to `IesProfile`.

Directions of our profiles: the vertical angle is 0 along the light's axis (the nadir of a luminaire), the horizontal
one runs over a full turn. That is photometry of type C. Types A and B have their 0, 0 on the same axis and are
resampled: A about an upright polar axis, B about a horizontal one (EN 13032-1, planes A, B and C).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.scene.model import IesProfile

Array = NDArray[np.float64]

MAX_BYTES = 8_000_000  # a profile at every half degree has 2 MB
MAX_ANGLES = 7_201  # every twentieth of a degree
TYPE_C, TYPE_B, TYPE_A = 1, 2, 3
SAME_DEG = 1.0e-3  # angles that differ by less are the same
RESAMPLED_DEG = 1.0  # grid of a profile that was measured in other planes
WORST_CANDELA = 1.0e10  # more than any searchlight has


@dataclass(frozen=True)
class _Web:
    """Intensities over angles as the file has them."""

    kind: int
    horizontal_deg: Array
    vertical_deg: Array
    candela: Array  # [horizontal, vertical]


def parse_ies(data: bytes, name: str) -> tuple[IesProfile, str]:
    """Return the profile of a file's bytes, its intensities in candela, and its photometric type: A, B or C.

    Raises:
        ValueError: If the file is no IES file, or not a usable one; the message says why.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has {len(data)} bytes, the limit is {MAX_BYTES}")
    web = _web(data.decode("latin-1"))
    kind = "CBA"[web.kind - 1]
    if web.kind != TYPE_C:
        web = _resampled(web)
    web = _full_turn(web)
    profile = IesProfile(
        name,
        np.radians(web.horizontal_deg).astype(np.float32),
        np.radians(web.vertical_deg).astype(np.float32),
        web.candela.astype(np.float32),
    )
    return profile, kind


def mean_intensity(profile: IesProfile) -> float:
    """Return the mean intensity over the half or the whole sphere that a profile covers.

    Dividing by it keeps the power of a light whatever its profile is; what covers a hemisphere is what spans at most 90
    degrees, as in OpenUSD's reference renderer (pxrIES.cpp), which agrees with Karma and RenderMan.
    """
    horizontal, vertical = profile.horizontal_rad.astype(np.float64), profile.vertical_rad.astype(np.float64)
    center = (profile.intensity[:, :-1] + profile.intensity[:, 1:]) / 2.0
    center = (center[:-1] + center[1:]) / 2.0
    solid = np.diff(horizontal)[:, None] * -np.diff(np.cos(vertical))[None]
    is_sphere = vertical[-1] - vertical[0] > np.pi / 2.0 + 0.1
    return float((center * solid).sum() / (np.pi * (4.0 if is_sphere else 2.0)))


def shaped_profile(profile: IesProfile, *, angle_scale: float, normalize: bool) -> IesProfile:
    """Return a profile with UsdLux's `ies:angleScale` and `ies:normalize` in it.

    A positive scale stretches the vertical angles from 0 on, a negative one from pi on; 0 leaves them.
    Source: https://openusd.org/release/user_guides/schemas/usdLux/ShapingAPI.html
    """
    vertical = profile.vertical_rad.astype(np.float64)
    if angle_scale > 0.0:
        vertical = vertical * angle_scale
    elif angle_scale < 0.0:
        vertical = (vertical - np.pi) * -angle_scale + np.pi
    factor = 1.0
    if normalize:
        mean = mean_intensity(profile)
        factor = 1.0 / mean if mean > 0.0 else 0.0
    return replace(profile, vertical_rad=vertical.astype(np.float32), intensity=profile.intensity * np.float32(factor))


def _web(text: str) -> _Web:
    match = re.search(r"^[ \t]*TILT[ \t]*=[ \t]*(\S*)[^\n]*$", text, re.MULTILINE | re.IGNORECASE)
    if match is None:
        raise ValueError("it has no TILT line, so it is no IES file")
    numbers = _Numbers(text[match.end() :])
    if match.group(1).upper() == "INCLUDE":
        numbers.take(1)  # how the lamp lies in the luminaire
        numbers.take(2 * numbers.count("tilt angles"))
    _, _, multiplier = numbers.take(3)  # lamps, lumens of a lamp
    vertical_count, horizontal_count = numbers.count("vertical angles"), numbers.count("horizontal angles")
    kind, _, _, _, _ = numbers.take(5)  # and units, width, length and height of the luminous opening
    ballast, lamp_factor, _ = numbers.take(3)  # and input watts
    if kind not in (TYPE_A, TYPE_B, TYPE_C):
        raise ValueError(f"its photometric type is {kind:g}, not 1 (C), 2 (B) or 3 (A)")
    if vertical_count < 2 or horizontal_count < 1:
        raise ValueError(f"it has {vertical_count} vertical and {horizontal_count} horizontal angles")
    vertical, horizontal = numbers.take(vertical_count), numbers.take(horizontal_count)
    candela = numbers.take(vertical_count * horizontal_count).reshape(horizontal_count, vertical_count)
    for angles, what in ((vertical, "vertical"), (horizontal, "horizontal")):
        if (np.diff(angles) <= 0.0).any() or np.abs(angles).max() > 360.0:
            raise ValueError(f"its {what} angles do not ascend within 360 degrees")
    candela = candela * (multiplier * ballast * lamp_factor)
    if not (candela >= 0.0).all() or candela.max() > WORST_CANDELA:
        raise ValueError("it has intensities that are negative or beyond all measure")
    return _Web(int(kind), horizontal, vertical, candela)


class _Numbers:
    """The numbers of a text, one after the other."""

    def __init__(self, text: str) -> None:
        words = text.replace(",", " ").split()
        self._next = 0
        values = []
        for word in words:
            try:
                values.append(float(word))
            except ValueError:
                break  # remarks after the last intensity
        self._values = np.array(values, np.float64)

    def take(self, count: int) -> Array:
        part = self._values[self._next : self._next + count]
        if len(part) < count or not np.isfinite(part).all():
            raise ValueError(f"it ends after {len(self._values)} numbers, or has one that is not finite")
        self._next += count
        return part

    def count(self, what: str) -> int:
        value = float(self.take(1)[0])
        if value != int(value) or not 0 <= value <= MAX_ANGLES:
            raise ValueError(f"it announces {value:g} {what}; the limit is {MAX_ANGLES}")
        return int(value)


def _full_turn(web: _Web) -> _Web:
    """Return the web over 0 .. 360 degrees: LM-63 leaves out what symmetry says."""
    angles, rows = web.horizontal_deg, web.candela
    if len(angles) == 1:
        return replace(web, horizontal_deg=np.array([0.0, 360.0]), candela=np.concatenate([rows, rows]))
    if abs(angles[-1] - angles[0] - 90.0) < SAME_DEG and abs(angles[0]) < SAME_DEG:
        angles, rows = _mirrored(angles, rows, 90.0)
    if abs(angles[-1] - angles[0] - 180.0) < SAME_DEG:
        angles, rows = _mirrored(angles, rows, float(angles[-1]))
    gap = 360.0 - (angles[-1] - angles[0])
    if gap < -SAME_DEG:
        raise ValueError("its horizontal angles go around more than once")
    if gap > SAME_DEG:  # some files leave out the last plane, which is the first
        angles, rows = np.append(angles, angles[0] + 360.0), np.concatenate([rows, rows[:1]])
    return _started_at_zero(replace(web, horizontal_deg=angles, candela=rows))


def _mirrored(angles: Array, rows: Array, about_deg: float) -> tuple[Array, Array]:
    """Return planes and their mirror images about the last one."""
    return np.concatenate([angles, 2.0 * about_deg - angles[-2::-1]]), np.concatenate([rows, rows[-2::-1]])


def _started_at_zero(web: _Web) -> _Web:
    """Return a full turn that begins at any angle as one from 0 to 360 degrees."""
    first = float(web.horizontal_deg[0])
    if abs(first) < SAME_DEG:
        return web
    angles = np.mod(web.horizontal_deg[:-1], 360.0)
    order = np.argsort(angles)
    angles, rows = angles[order], web.candela[:-1][order]
    share = (360.0 - angles[-1]) / (360.0 - angles[-1] + angles[0])
    seam = rows[-1] * (1.0 - share) + rows[0] * share
    if angles[0] < SAME_DEG:
        return replace(web, horizontal_deg=np.append(angles, 360.0), candela=np.concatenate([rows, rows[:1]]))
    return replace(
        web,
        horizontal_deg=np.concatenate([[0.0], angles, [360.0]]),
        candela=np.concatenate([seam[None], rows, seam[None]]),
    )


def _resampled(web: _Web) -> _Web:
    """Return a web of type A or B on the planes of type C, bilinear in its own angles; 0 beyond them.

    Forward (horizontal 0, vertical 0) is the light's axis, a positive horizontal angle turns towards plane 0, a
    positive vertical one towards plane 90.
    """
    horizontal, candela = web.horizontal_deg, web.candela
    if horizontal[0] >= -SAME_DEG and len(horizontal) > 1:  # one half stands for both, in either angle
        horizontal = np.concatenate([-horizontal[:0:-1], horizontal])
        candela = np.concatenate([candela[:0:-1], candela])
    vertical = web.vertical_deg
    if vertical[0] >= -SAME_DEG:
        vertical = np.concatenate([-vertical[:0:-1], vertical])
        candela = np.concatenate([candela[:, :0:-1], candela], axis=1)
    turn = np.arange(0.0, 360.0 + RESAMPLED_DEG / 2, RESAMPLED_DEG)
    polar = np.arange(0.0, 180.0 + RESAMPLED_DEG / 2, RESAMPLED_DEG)
    phi, theta = np.radians(turn)[:, None], np.radians(polar)[None]
    right, up, forward = np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta) + 0.0 * phi
    if web.kind == TYPE_A:
        h, v = np.degrees(np.arctan2(right, forward)), np.degrees(np.arcsin(np.clip(up, -1.0, 1.0)))
    else:
        h, v = np.degrees(np.arcsin(np.clip(right, -1.0, 1.0))), np.degrees(np.arctan2(up, forward))
    return _Web(TYPE_C, turn, polar, _bilinear(horizontal, vertical, candela, h, v))


def _bilinear(horizontal: Array, vertical: Array, candela: Array, h: Array, v: Array) -> Array:
    """Return intensities between the angles of a web, 0 outside."""
    if len(horizontal) == 1:
        horizontal = np.array([-180.0, 180.0])
        candela = np.concatenate([candela, candela])
    inside = (h >= horizontal[0] - SAME_DEG) & (h <= horizontal[-1] + SAME_DEG)
    inside &= (v >= vertical[0] - SAME_DEG) & (v <= vertical[-1] + SAME_DEG)
    i = np.clip(np.searchsorted(horizontal, h, side="right") - 1, 0, len(horizontal) - 2)
    j = np.clip(np.searchsorted(vertical, v, side="right") - 1, 0, len(vertical) - 2)
    x = np.clip((h - horizontal[i]) / (horizontal[i + 1] - horizontal[i]), 0.0, 1.0)
    y = np.clip((v - vertical[j]) / (vertical[j + 1] - vertical[j]), 0.0, 1.0)
    low = candela[i, j] * (1.0 - y) + candela[i, j + 1] * y
    high = candela[i + 1, j] * (1.0 - y) + candela[i + 1, j + 1] * y
    found: Array = np.where(inside, low * (1.0 - x) + high * x, 0.0)
    return found
