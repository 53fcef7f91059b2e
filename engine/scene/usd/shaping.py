"""UsdLux ShapingAPI and ShadowAPI: where a light sends how much, and what its shadows are like."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from pxr import Ar, Sdf

from engine.scene.ies import MAX_BYTES, parse_ies, shaped_profile
from engine.scene.model import IesProfile
from engine.scene.usd.files import check_inside, package_file
from engine.scene.usd.look.texture import TextureTable
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.value import Values

LEAST_GAMMA = 1.0e-3  # of a shadow's falloff; its inverse is used


@dataclass(frozen=True)
class Shaping:
    """Fields of `Light` of the same names."""

    cone_cos: float
    cone_softness: float
    focus: float
    focus_tint: tuple[float, float, float]
    ies: int | None


@dataclass(frozen=True)
class Shadow:
    """Fields of `Light` of the same names."""

    casts_shadow: bool
    shadow_color: tuple[float, float, float]
    shadow_distance_m: float
    shadow_falloff_m: float
    shadow_falloff_gamma: float


class ProfileTable:
    """The photometric profiles that lights asked for; equal requests share one entry."""

    def __init__(self, opened: OpenStage, textures: TextureTable) -> None:
        """Files that are read are added to those of `textures`."""
        self._opened = opened
        self._files = textures.files
        self._index: dict[tuple[str, float, bool], int | None] = {}
        self._read: dict[str, IesProfile | None] = {}
        self.profiles: list[IesProfile] = []

    def request(self, asset: Sdf.AssetPath, values: Values, user: object) -> int | None:
        """Return the index of a light's profile, or None with a note when its file cannot be used."""
        notes = self._opened.notes
        if not asset.resolvedPath:
            self._opened.files.missing(asset.path)
            notes.add("error", user, f"IES profile '{asset.path}' is missing; the light shines without it")
            return None
        scale = values.number("shaping:ies:angleScale", 0.0)
        normalize = values.flag("shaping:ies:normalize", default=False)
        key = (asset.resolvedPath, scale, normalize)
        if key not in self._index:
            profile = self._profile(asset.resolvedPath, user)
            self._index[key] = None
            if profile is not None:
                self._index[key] = len(self.profiles)
                self.profiles.append(shaped_profile(profile, angle_scale=scale, normalize=normalize))
        return self._index[key]

    def _profile(self, resolved: str, user: object) -> IesProfile | None:
        if resolved in self._read:
            return self._read[resolved]
        name = os.path.basename(resolved)
        self._read[resolved] = None
        file = package_file(resolved)
        check_inside(file, self._opened.roots, f"{user}: IES profile")
        self._files.add(file)
        self._opened.files.read(file)
        try:
            self._read[resolved], kind = parse_ies(_bytes_of(resolved), name)
            if kind != "C":
                text = f"IES profile '{name}' of type {kind} was resampled to type C"
                self._opened.notes.add("converted", user, text)
        except (OSError, ValueError) as error:
            self._opened.notes.add("error", user, f"IES profile '{name}': {error}; the light shines without it")
        return self._read[resolved]


def _bytes_of(resolved: str) -> bytes:
    asset = Ar.GetResolver().OpenAsset(Ar.ResolvedPath(resolved))
    if asset is None:
        raise OSError("cannot be read")
    if asset.GetSize() > MAX_BYTES:
        raise ValueError(f"it has {asset.GetSize()} bytes, the limit is {MAX_BYTES}")
    return bytes(asset.GetBuffer())


def read_shaping(values: Values, profiles: ProfileTable, user: object) -> Shaping:
    """Return how a light is shaped.

    Only an authored cone cuts: its fallback of 90 degrees would darken the back of every sphere that has a focus or a
    profile, and the schema says that those shine backwards too until the angle is set.
    """
    softness = min(max(values.number("shaping:cone:softness", 0.0), 0.0), 1.0)
    is_cut = softness > 0.0 or values.is_authored("shaping:cone:angle")
    angle_deg = min(max(values.number("shaping:cone:angle", 90.0), 0.0), 180.0) if is_cut else 180.0
    asset = values.asset("shaping:ies:file")
    return Shaping(
        cone_cos=math.cos(math.radians(angle_deg)),
        cone_softness=softness,
        focus=max(values.number("shaping:focus", 0.0), 0.0),
        focus_tint=values.triple("shaping:focusTint", (0.0, 0.0, 0.0)),
        ies=None if asset is None else profiles.request(asset, values, user),
    )


def read_shadow(values: Values, meters_per_unit: float) -> Shadow:
    """Return a light's shadows; a negative distance means no limit, a falloff that is not positive no fading."""
    distance = values.number("shadow:distance", -1.0)
    falloff = max(values.number("shadow:falloff", -1.0), 0.0)
    red, green, blue = (min(max(share, 0.0), 1.0) for share in values.triple("shadow:color", (0.0, 0.0, 0.0)))
    return Shadow(
        casts_shadow=values.flag("shadow:enable", default=True) and distance != 0.0,
        shadow_color=(red, green, blue),
        shadow_distance_m=distance * meters_per_unit if distance > 0.0 else math.inf,
        shadow_falloff_m=min(falloff, distance) * meters_per_unit if distance > 0.0 else 0.0,
        shadow_falloff_gamma=max(values.number("shadow:falloffGamma", 1.0), LEAST_GAMMA),
    )
