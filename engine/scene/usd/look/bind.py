"""What each drawn prim is bound to. Prims with the same bindings, at and above them, are asked about once."""

from __future__ import annotations

from collections.abc import Hashable

from pxr import Usd, UsdShade

from engine.scene.usd.inherit import Chain
from engine.scene.usd.look.material import MaterialTable
from engine.scene.usd.stage import OpenStage
from engine.scene.usd.walk import Leaf

DIRECT = ("material:binding", "material:binding:full", "material:binding:preview")
_relationship, _targets = Usd.Prim.GetRelationship, Usd.Relationship.GetTargets


class Bindings:
    """Finds the materials of drawn prims, as UsdShade resolves inheritance, collections and strength."""

    def __init__(self, opened: OpenStage, materials: MaterialTable) -> None:
        self._opened = opened
        self._materials = materials
        self._of_chain: dict[Chain, Hashable | None] = {}
        self._direct_names: dict[tuple[str, ...], tuple[str, ...] | None] = {}

    def bound(self, leaves: list[Leaf]) -> list[UsdShade.Material | None]:
        """Return what each prim is bound to; None: nothing."""
        keys = [self._key_of_leaf(leaf) for leaf in leaves]
        first: dict[Hashable, Usd.Prim] = {}
        for key, leaf in zip(keys, leaves, strict=True):
            if key is not None:
                first.setdefault(key, leaf.prim)
        bound = self._materials.bound(list(first.values()))
        material_of: dict[Hashable, UsdShade.Material | None] = {None: None, **dict(zip(first, bound, strict=True))}
        missing = {key for key, material in material_of.items() if material is not None and not material}
        for key, leaf in zip(keys, leaves, strict=True) if missing else ():
            if key in missing and "material:binding" in leaf.names:
                self._opened.notes.add("error", leaf.path, "its material does not exist; displayColor is used")
        return [material_of[key] for key in keys]

    def _key_of_leaf(self, leaf: Leaf) -> Hashable | None:
        """Return something that prims with the same material have in common; None: bound to nothing."""
        above = leaf.state.binding
        own = self._direct(leaf.names)
        if above is None and not own and own is not None:
            return None
        outer = None if above is None else self._key_of_chain(above)
        if own is None or (above is not None and outer is None):
            return leaf.path  # collections pick prims by path
        return (outer, *self._opinions(leaf.prim, own, strength=above is not None)) if own else outer

    def _key_of_chain(self, chain: Chain) -> Hashable | None:
        """Return the same for the prims of a chain; None where a collection takes part."""
        if chain not in self._of_chain:
            own = self._direct(chain.names)
            outer = None if chain.above is None else self._key_of_chain(chain.above)
            opaque = own is None or (chain.above is not None and outer is None)
            self._of_chain[chain] = None if opaque else (outer, *self._opinions(chain.prim, own or (), strength=True))
        return self._of_chain[chain]

    def _direct(self, names: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the direct bindings among authored names; None where there are collections too."""
        if names not in self._direct_names:
            binding = tuple(name for name in names if name.startswith("material:binding"))
            self._direct_names[names] = binding if set(binding) <= set(DIRECT) else None
        return self._direct_names[names]

    def _opinions(self, prim: Usd.Prim, names: tuple[str, ...], *, strength: bool) -> list[Hashable]:
        found: list[Hashable] = []
        for name in names:
            relationship = _relationship(prim, name)
            found += [name, *_targets(relationship)]
            if strength:
                found.append(relationship.GetMetadata("bindMaterialAs"))
        return found
