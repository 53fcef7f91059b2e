"""How many prims a stage will have, counted in its layers before USD composes them.

USD composes everything when a stage is opened, and a file of a kilobyte can ask for 10^8 prims: eight levels of ten
references. Here prims with the same sources are counted once, so that costs as little as reading the file. What weaker
opinions would change (variants that are not chosen, prims made inactive) is counted too, hence `SLACK`.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pxr import Sdf

from engine.scene.error import SceneError

SLACK = 2  # how far the count may lie above the truth
MAX_NODES = 20_000  # looked at: about 0.3 s; a file that needs more prims than this for a bomb is left to the sandbox
SMALL_BYTES = 1 << 20  # a binary layer without references to others is looked into only below this size
ARCS = (b"references", b"payload", b"inherits", b"specializes")

Site = tuple[int, Sdf.Path]  # a layer stack and a path in it
Node = frozenset[Site]  # all sites that make one prim


def check_unfolding(root: Sdf.Layer, layers: Iterable[Sdf.Layer], path: Path, max_prims: int) -> None:
    """Raise if composing a stage would make far more prims than allowed.

    Args:
        root: Its root layer.
        layers: All layers that it can reach, open.
        path: How to call it.
        max_prims: See `SceneOptions`.
    Raises:
        SceneError: If the layers unfold into more than `SLACK` times that.
    """
    known = {layer.identifier: layer for layer in layers}
    if len(known) < 2 and not _may_refer_to_itself(root):
        return
    count = _Unfolding(known).count(root)
    if count > SLACK * max_prims:
        raise SceneError(
            f"scene '{path}' unfolds into about {count} prims, the limit is {max_prims}; "
            "reference fewer parts, make them instanceable, or raise max_prims"
        )


def _may_refer_to_itself(layer: Sdf.Layer) -> bool:
    file = Path(layer.realPath)
    if layer.GetFileFormat().formatId != "usda":
        return not file.is_file() or file.stat().st_size < SMALL_BYTES
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return any(text.find(word) >= 0 for word in ARCS)


class _Unfolding:
    """Prims of layers, by their sites."""

    def __init__(self, layers: dict[str, Sdf.Layer]) -> None:
        self._layers = layers
        self._stacks: list[list[Sdf.Layer]] = []
        self._stack_of: dict[str, int] = {}
        self._arcs: dict[Site, list[Site]] = {}
        self._instances: set[Node] = set()  # native ones, whose prims are composed once
        self._below: dict[Node, int] = {}  # prims below

    def count(self, root: Sdf.Layer) -> int:
        """Return how many prims are composed; less if there are more than `MAX_NODES` different ones."""
        top: Node = frozenset({(self._stack(root), Sdf.Path.absoluteRootPath)})
        todo = [(top, self._children(top), [0])]
        open_nodes, shared = {top}, 0
        while todo:  # depth first without recursion: prims may be nested thousands deep
            node, children, seen = todo[-1]
            if seen[0] < len(children) and len(self._below) + len(todo) < MAX_NODES:
                child = children[seen[0]]
                seen[0] += 1
                if child not in self._below and child not in open_nodes:  # an open one is a cycle, which USD breaks
                    open_nodes.add(child)
                    todo.append((child, self._children(child), [0]))
                continue
            below = sum(1 + (0 if c in self._instances else self._below.get(c, 0)) for c in children)
            shared += below if node in self._instances else 0
            self._below[node] = below
            open_nodes.discard(node)
            todo.pop()
        return self._below[top] + shared

    def _children(self, node: Node) -> list[Node]:
        names: dict[str, list[Site]] = {}
        for stack, path in node:
            for place in self._places(stack, path):
                for name in self._names(stack, place):
                    names.setdefault(name, []).append((stack, place.AppendChild(name)))
        return [self._prim(sites) for sites in names.values()]

    def _prim(self, sites: list[Site]) -> Node:
        """Return sites and everything that arcs lead to from them; of an instance only the latter, which is shared."""
        found, todo = set(sites), list(sites)
        while todo:
            for site in self._targets(todo.pop()):
                if site not in found:
                    found.add(site)
                    todo.append(site)
        shared = frozenset(found.difference(sites))
        if shared and any(self._is_instanceable(site) for site in found):
            self._instances.add(shared)
            return shared
        return frozenset(found)

    def _is_instanceable(self, site: Site) -> bool:
        specs = (layer.GetPrimAtPath(site[1]) for layer in self._stacks[site[0]])
        return any(spec.instanceable for spec in specs if spec)

    def _names(self, stack: int, place: Sdf.Path) -> set[str]:
        specs = (layer.GetPrimAtPath(place) for layer in self._stacks[stack])
        return {name for spec in specs if spec for name in spec.nameChildren.keys()}  # noqa: SIM118 - no mapping

    def _places(self, stack: int, path: Sdf.Path) -> list[Sdf.Path]:
        """Return a path and the variants in it: the chosen ones, or all where nothing is chosen here."""
        places = [path]
        for layer in self._stacks[stack]:
            spec = layer.GetPrimAtPath(path)
            if not spec or not spec.HasInfo("variantSetNames"):
                continue
            for name, variants in spec.variantSets.items():
                chosen = spec.variantSelections.get(name)
                for variant in variants.variants.keys():  # noqa: SIM118 - no mapping
                    if chosen in (None, variant):
                        places.append(path.AppendVariantSelection(name, variant))
        return places

    def _targets(self, site: Site) -> list[Site]:
        if site not in self._arcs:
            stack, path = site
            self._arcs[site] = [
                target
                for place in self._places(stack, path)
                for layer in self._stacks[stack]
                if (spec := layer.GetPrimAtPath(place))
                for target in self._arcs_of(stack, layer, spec)
            ]
        return self._arcs[site]

    def _arcs_of(self, stack: int, layer: Sdf.Layer, spec: Sdf.PrimSpec) -> Iterator[Site]:
        if spec.hasReferences or spec.hasPayloads:
            for arc in (*_items(spec.referenceList), *_items(spec.payloadList)):
                target = layer if not arc.assetPath else self._layers.get(layer.ComputeAbsolutePath(arc.assetPath))
                if target is None:
                    continue
                inside = arc.primPath or Sdf.Path.absoluteRootPath.AppendChild(target.defaultPrim or "_")
                yield (self._stack(target) if arc.assetPath else stack), inside
        if spec.hasInheritPaths or spec.hasSpecializes:
            for inside in (*_items(spec.inheritPathList), *_items(spec.specializesList)):
                yield stack, inside

    def _stack(self, layer: Sdf.Layer) -> int:
        """Return the number of the stack of a layer and all its sublayers."""
        if layer.identifier not in self._stack_of:
            stack, todo = {layer.identifier: layer}, [layer]
            while todo:
                user = todo.pop()
                for authored in user.subLayerPaths:
                    below = self._layers.get(user.ComputeAbsolutePath(authored)) if authored else None
                    if below is not None and below.identifier not in stack:
                        stack[below.identifier] = below
                        todo.append(below)
            self._stack_of[layer.identifier] = len(self._stacks)
            self._stacks.append(list(stack.values()))
        return self._stack_of[layer.identifier]


def _items(edits: Any) -> list[Any]:
    """Return everything that a list of edits may add."""
    return list(edits.GetAddedOrExplicitItems())
