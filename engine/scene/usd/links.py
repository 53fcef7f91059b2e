"""Light and shadow linking: which placements a light lights, and which cast its shadows.

Source: the collections lightLink and shadowLink of UsdLuxLightAPI, which decide by prim path, also of instance proxies,
https://openusd.org/release/user_guides/schemas/usdLux/overview.html. The elements of a PointInstancer follow its path,
and that of what a prototype draws where it lies below the instancer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pxr import Sdf, Tf, Usd

from engine.scene.model import Placements
from engine.scene.usd.stage import OpenStage

LIGHT_LINK = "lightLink"
SHADOW_LINK = "shadowLink"


class LinkTable:
    """Sets of placements that lights are linked to; equal sets share a row."""

    def __init__(self, opened: OpenStage, placements: Placements, owner_paths: list[str]) -> None:
        """Take placements whose instances are indices into `owner_paths`."""
        self._opened = opened
        self._placements = placements
        self._owner_paths = owner_paths
        self._row_of_query: dict[Usd.UsdCollectionMembershipQuery, int | None] = {}
        self._row_of_members: dict[bytes, int] = {}
        self._rows: list[NDArray[np.bool_]] = []

    def row(self, light: Usd.Prim, collection: str) -> int | None:
        """Return the row of a light's set; None: it is linked to everything."""
        prefix = f"collection:{collection}:"
        if not any(name.startswith(prefix) for name in light.GetAuthoredPropertyNames()):
            return None
        try:
            query = Usd.CollectionAPI(light, collection).ComputeMembershipQuery()
            if query not in self._row_of_query:
                self._row_of_query[query] = self._add(query, light, collection)
        except Tf.ErrorException as error:
            text = " ".join(item.commentary for item in error.args)
            self._opened.notes.add(
                "error", light.GetPath(), f"{collection} cannot be read, all is linked: {text}"[:200]
            )
            return None
        return self._row_of_query[query]

    def sets(self) -> NDArray[np.bool_] | None:
        """Return all rows [set, placement]; None without any."""
        return np.stack(self._rows) if self._rows else None

    @cached_property
    def _places(self) -> tuple[list[tuple[Sdf.Path, Sdf.Path]], NDArray[np.int64]]:
        """The different pairs of a drawn prim and its outermost instancer, and the pair of every placement."""
        paths = self._owner_paths
        pairs = [
            (prim, paths[owner].partition("[")[0] if "[" in paths[owner] else prim)
            for prim, owner in zip(self._placements.prim, self._placements.instance.tolist(), strict=True)
        ]
        number = {pair: index for index, pair in enumerate(dict.fromkeys(pairs))}
        different = [(Sdf.Path(prim), Sdf.Path(instancer)) for prim, instancer in number]
        return different, np.array([number[pair] for pair in pairs], np.int64)

    def _add(self, query: Usd.UsdCollectionMembershipQuery, light: Usd.Prim, collection: str) -> int | None:
        pairs, pair_of_placement = self._places
        member = np.array([_is_linked(query.IsPathIncluded, *pair) for pair in pairs], np.bool_)
        members = member[pair_of_placement]
        if members.all():
            return None
        if not members.any():
            self._opened.notes.add("converted", light.GetPath(), f"{collection} holds nothing that is drawn")
        key = members.tobytes()
        if key not in self._row_of_members:
            self._row_of_members[key] = len(self._rows)
            self._rows.append(members)
        return self._row_of_members[key]


def _is_linked(has: Callable[[Sdf.Path], bool], prim: Sdf.Path, instancer: Sdf.Path) -> bool:
    """Return whether a drawn prim, or an element of an instancer, is a member."""
    if not has(instancer):
        return False
    return prim == instancer or not prim.HasPrefix(instancer) or has(prim)
