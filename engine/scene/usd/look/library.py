"""Materials that nothing binds: a randomiser may put them onto what is drawn."""

from __future__ import annotations

import math

from pxr import Usd, UsdShade

from engine.scene.usd.look.material import MaterialTable
from engine.scene.usd.look.texture import TextureTable
from engine.scene.usd.stage import OpenStage

MAX_TEXELS = 1 << 25  # 128 MiB of bytes, 512 MiB of floats: a scene may stand in front of a whole library


def read_library(
    opened: OpenStage, prims: list[Usd.Prim], materials: MaterialTable, textures: TextureTable
) -> dict[str, int]:
    """Read the Material prims that were not read yet; return the index of every one by its path, see `Scene`.

    Of native instances the first one's paths stand for all. Materials that depend on the prim they are bound to have
    no index of their own.
    """
    known = len(textures.textures)
    index_of: dict[str, int] = {}
    seen = set()
    for prim in prims:
        path = (prim.GetPrimInPrototype() if prim.IsInstanceProxy() else prim).GetPath()
        if path in seen:
            continue
        seen.add(path)
        material = UsdShade.Material(prim)
        texels = sum(math.prod(texture.size_px) for texture in textures.textures[known:])
        if texels > MAX_TEXELS and not materials.is_read(material):
            opened.notes.add(
                "skipped", prim.GetPath(), f"nothing binds it, and such materials fill {MAX_TEXELS} texels"
            )
            continue
        surface = materials.surface(material)
        if surface is not None and not surface.varying:
            index_of[str(prim.GetPath())] = surface.index
    return index_of
