"""Places for the boxes of a layered drawing: layers from left to right, long edges led around boxes.

Layers by the longest path; a long edge gets a waypoint in every layer that it crosses; the order in a layer is that of
the mean place of the neighbours, swept to and fro; heights are pulled to the neighbours as far as the order lets them.
Source: Sugiyama, Tagawa, Toda, Methods for visual understanding of hierarchical system structures, 1981.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y = 196, 50, 72, 18  # [px]
POINT_HEIGHT = 8  # of a waypoint [px]
SWEEPS = 12


@dataclass
class Item:
    """A box, or a waypoint of an edge. `y` is its middle [px]."""

    layer: int
    height: float
    near: list[Item] = field(default_factory=list)
    y: float = 0.0

    @property
    def x(self) -> float:
        """Its left side [px]."""
        return self.layer * (BOX_WIDTH + GAP_X)


@dataclass(frozen=True)
class Layout:
    """Boxes by name, every edge (newer, older) with its waypoints from the older to the newer; sizes [px]."""

    boxes: dict[str, Item]
    routes: dict[tuple[str, str], list[Item]]
    width: float
    height: float


def lay_out(names: Sequence[str], edges: Iterable[tuple[str, str]]) -> Layout:
    """Return places; an edge is (newer, older). Edges that only say again what others lead to are left out."""
    kept = reduced(names, list(dict.fromkeys(edge for edge in edges if edge[0] != edge[1])))
    layer_of = layers(names, kept)
    boxes = {name: Item(layer_of[name], BOX_HEIGHT) for name in names}
    columns: list[list[Item]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for box in boxes.values():
        columns[box.layer].append(box)
    routes = {}
    for newer, older in kept:
        route = [Item(layer, POINT_HEIGHT) for layer in range(layer_of[older] + 1, layer_of[newer])]
        for point in route:
            columns[point.layer].append(point)
        chain = [boxes[older], *route, boxes[newer]]
        for one, other in pairwise(chain):
            one.near.append(other)
            other.near.append(one)
        routes[newer, older] = route
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            _order(column)
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            _pull(column)
    items = [item for column in columns for item in column]
    top = min(item.y - item.height / 2 for item in items)
    for item in items:
        item.y -= top
    height = max(item.y + item.height / 2 for item in items)
    return Layout(boxes, routes, len(columns) * (BOX_WIDTH + GAP_X) - GAP_X, height)


def reduced(names: Sequence[str], edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the edges without those whose ends are joined by a longer path, too (the transitive reduction)."""
    behind: dict[str, list[str]] = {name: [] for name in names}
    for newer, older in edges:
        behind[newer].append(older)
    return [(newer, older) for newer, older in edges if not _leads(behind, newer, older)]


def layers(names: Sequence[str], edges: list[tuple[str, str]]) -> dict[str, int]:
    """Return the layer of every name: right of all that it points to, and as near as can be to what points to it."""
    layer = dict.fromkeys(names, 0)
    for _ in names:  # a longest path has at most as many steps; a circle, which no lineage has, ends here, too
        late = [(newer, older) for newer, older in edges if layer[newer] <= layer[older]]
        if not late:
            break
        for newer, older in late:
            layer[newer] = max(layer[newer], layer[older] + 1)
    for name in sorted(names, key=lambda name: -layer[name]):
        ahead = [layer[newer] for newer, older in edges if older == name]
        if ahead:
            layer[name] = max(layer[name], min(ahead) - 1)
    lowest = min(layer.values())
    return {name: number - lowest for name, number in layer.items()}


def _leads(behind: dict[str, list[str]], start: str, end: str) -> bool:
    """Return whether a path of two steps or more leads from one to the other."""
    waiting = [name for name in behind[start] if name != end]
    seen = set(waiting)
    while waiting:
        for name in behind[waiting.pop()]:
            if name == end:
                return True
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return False


def _order(column: list[Item]) -> None:
    """Sort a column by the mean height of its neighbours and stack it around 0."""
    column.sort(key=lambda item: sum(other.y for other in item.near) / len(item.near) if item.near else item.y)
    y = -sum(item.height + GAP_Y for item in column) / 2
    for item in column:
        item.y = y + (item.height + GAP_Y) / 2
        y += item.height + GAP_Y


def _pull(column: list[Item]) -> None:
    """Move every item to its neighbours' mean height, and the whole so that gaps stay: forth, back, and between."""
    wanted = [sum(other.y for other in item.near) / len(item.near) if item.near else item.y for item in column]
    room = [(a.height + b.height) / 2 + GAP_Y for a, b in pairwise(column)]
    down, up = wanted[:], wanted[:]
    for i, gap in enumerate(room):
        down[i + 1] = max(down[i + 1], down[i] + gap)
    for i, gap in reversed(list(enumerate(room))):
        up[i] = min(up[i], up[i + 1] - gap)
    for item, one, other in zip(column, down, up):
        item.y = (one + other) / 2
