"""What prims pass down to those below them: primvars and material bindings, looked up only where something asks."""

from __future__ import annotations

from pxr import Usd


class Chain:
    """A prim with opinions of one kind, and the chain of such prims above it."""

    __slots__ = ("above", "names", "prim")

    def __init__(self, above: Chain | None, prim: Usd.Prim, names: tuple[str, ...]) -> None:
        """Extend a chain downwards; `names` are the authored properties of `prim`."""
        self.above = above
        self.prim = prim
        self.names = names


def chain_above(prim: Usd.Prim, prefix: str) -> Chain | None:
    """Return the chain of the ancestors of a prim that author a property whose name begins with `prefix`."""
    parents = []
    while (prim := prim.GetParent()) and not prim.IsPseudoRoot():
        parents.append(prim)
    chain = None
    for parent in reversed(parents):
        names = tuple(parent.GetAuthoredPropertyNames())
        if any(name.startswith(prefix) for name in names):
            chain = Chain(chain, parent, names)
    return chain


def inherited_primvar(chain: Chain | None, attribute: str) -> Usd.Prim | None:
    """Return the nearest prim of a chain that authors a constant primvar (such as `primvars:st`).

    A nearer one that is not constant hides it, as UsdGeomPrimvarsAPI has it.
    """
    while chain is not None:
        if attribute in chain.names:
            found = chain.prim.GetAttribute(attribute)
            if found.HasAuthoredValue():
                constant = found.GetMetadata("interpolation") in (None, "constant")
                return chain.prim if constant else None
        chain = chain.above
    return None
