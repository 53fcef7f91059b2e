"""Prims of a stage that take opinions from other prims of it, and how they are kept from what is authored there.

A layer may reference its own prims, as Houdini's prototypes of instancers do, or its prims may inherit a class.
What a world authors on such a source would reach every user of it, though the world changed the source alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pxr import Sdf, Usd

from engine.scene.usd.override.edits import Edits

EVERYTHING = Usd.TraverseInstanceProxies(Usd.PrimIsActive & Usd.PrimIsLoaded)


@dataclass(frozen=True)
class Arc:
    """A prim with opinions of another prim of the stage."""

    source: Sdf.Path
    user: Usd.Prim


def inner_arcs(stage: Usd.Stage) -> list[Arc]:
    """Return the references, inherits and specializes within the stage's own layers."""
    return [arc for prim in Usd.PrimRange.Stage(stage, EVERYTHING) for arc in _arcs_of(prim)]


def _arcs_of(prim: Usd.Prim) -> Iterator[Arc]:
    if not (prim.HasAuthoredReferences() or prim.HasAuthoredInherits() or prim.HasAuthoredSpecializes()):
        return
    root = prim.GetPrimIndex().rootNode
    for arc in Usd.PrimCompositionQuery(prim).GetCompositionArcs():
        node = arc.GetTargetNode()
        if node.layerStack == root.layerStack and node.path != root.path and node.path != prim.GetPath():
            yield Arc(node.path, prim)


def shield(arcs: list[Arc], edits: Edits, time: Usd.TimeCode) -> None:
    """Author, on prims that use an edited one, what they had before; what they were given themselves stays."""
    for source in sorted(edits.prims):
        for arc in arcs:
            if not source.HasPrefix(arc.source) or source.HasPrefix(arc.user.GetPath()):
                continue
            user = arc.user.GetStage().GetPrimAtPath(source.ReplacePrefix(arc.source, arc.user.GetPath()))
            if user:
                _restore(user, source, edits, time)


def _restore(user: Usd.Prim, source: Sdf.Path, edits: Edits, time: Usd.TimeCode) -> None:
    given, kept = edits.prims[source], edits.of(user)
    for name, made in given.attributes.items():
        attribute = user.GetAttribute(name)
        if name in kept.attributes:
            continue
        value = attribute.Get(time) if attribute else None
        sources = attribute.GetConnections() if attribute else []
        kept.set(
            name,
            made.kind,
            Sdf.ValueBlock() if value is None else value,
            uniform=made.variability == Sdf.VariabilityUniform,
            disconnect=made.disconnect and not sources,
            connect=sources[0] if sources else None,
        )
    for name in given.relationships:
        if name not in kept.relationships:
            relationship = user.GetRelationship(name)
            kept.targets(name, relationship.GetTargets() if relationship else [])
    if given.instanceable is not None and kept.instanceable is None:
        kept.instanceable = user.IsInstanceable()
