"""The tree over a row's placements: complete, nested, within its bounds, and as good as Warp's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.render.program import Program
from engine.render.tree import record_top_build, top_build

Boxes = NDArray[np.float32]
COUNTS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 20, 100, 1000)


def built(low: Boxes, high: Boxes, lanes: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Return the nodes [row, node, float] and the stack entries [row] of boxes [row, placement, 3]."""
    rows, count = low.shape[:2]
    nodes = gpu.top.top_nodes(count, lanes)
    corners = [wp.array(side, dtype=wp.vec3, device="cpu") for side in (low, high)]
    job = top_build(*corners, wp.empty(rows * nodes * 8 * lanes, dtype=float, device="cpu"), lanes)
    need = wp.empty(rows, dtype=int, device="cpu")
    program = Program("cpu")
    record_top_build(job, need, program)
    program.run()
    return job.node.numpy().reshape(rows, nodes, 8 * lanes), need.numpy()


def walk(nodes: NDArray[np.float32], lanes: int) -> tuple[dict[int, Boxes], float, int]:
    """Return the box of every placement, the summed surface of the inner boxes, and the number of nodes."""
    found: dict[int, Boxes] = {}
    surface, count = 0.0, 0
    todo: list[tuple[int, Any]] = [(0, None)]
    while todo:
        index, outer = todo.pop()
        count += 1
        box = nodes[index, : 6 * lanes].reshape(2, 3, lanes)
        code = nodes[index, 6 * lanes : 7 * lanes].view(np.int32)
        for lane in np.flatnonzero(box[0, 0] <= box[1, 0]):
            inner = box[:, :, lane]
            assert outer is None or ((inner[0] >= outer[0]).all() and (inner[1] <= outer[1]).all())
            if code[lane] < 0:
                assert ~code[lane] not in found
                found[~code[lane]] = inner
            else:
                x, y, z = inner[1] - inner[0]
                surface += float(x * y + y * z + z * x)
                todo.append((code[lane], inner))
    return found, surface, count


def boxes(kind: str, rows: int, count: int) -> tuple[Boxes, Boxes]:
    """Return random boxes [row, placement, 3] that a builder may stumble over."""
    rng = np.random.default_rng(count)
    center, size = rng.normal(size=(rows, count, 3)) * 10.0, rng.exponential(size=(rows, count, 3))
    if kind == "same_place":
        center[:] = 0.0
    elif kind == "grid":
        center, size[:] = np.floor(center / 5.0), 0.1
    elif kind == "every_scale":
        center = np.exp(center * 0.8)
    elif kind == "line":
        center[..., 1:], size[:, : count // 3] = 0.0, size[:, : count // 3] * 100.0
    low, high = (center - size).astype(np.float32), (center + size).astype(np.float32)
    if kind == "hidden":
        low[:, ::3], high[:, ::3] = 1.0, -1.0
    return low, high


@pytest.mark.parametrize("lanes", [4, 8])
@pytest.mark.parametrize("kind", ["spread", "hidden", "same_place", "grid", "every_scale", "line"])
def test_every_visible_placement_is_in_one_leaf_and_the_bounds_hold(kind: str, lanes: int) -> None:
    """Whatever lies where, nothing is lost or twice, and node count and stack need stay below what is reserved."""
    for count in COUNTS:
        low, high = boxes(kind, 2, count)
        nodes, need = built(low, high, lanes)
        assert need.max() <= gpu.top.top_stack_entries(count, lanes)
        for row in range(2):
            found, _, used = walk(nodes[row], lanes)
            assert sorted(found) == np.flatnonzero(low[row, :, 0] <= high[row, :, 0]).tolist()
            assert all((box == (low[row, p], high[row, p])).all() for p, box in found.items())
            assert used <= gpu.top.top_nodes(count, lanes)


def surface_of_sweep(low: Boxes, high: Boxes, lanes: int) -> float:
    """Return the summed surface of the inner boxes of a tree whose splits are the best of all planes."""

    def area(chosen: Any) -> float:
        x, y, z = high[chosen].max(axis=0) - low[chosen].min(axis=0)
        return float(x * y + y * z + z * x)

    def halves(part: Any) -> tuple[Any, Any]:
        best: Any = (np.inf, 0, None)
        for axis in range(3):
            order = part[np.argsort(low[part, axis] + high[part, axis], kind="stable")]
            costs = []
            for turn in (order, order[::-1]):
                size = np.maximum.accumulate(high[turn]) - np.minimum.accumulate(low[turn])
                costs.append((size * np.roll(size, -1, axis=1)).sum(axis=1) * np.arange(1, len(turn) + 1))
            cost = costs[0][:-1] + costs[1][::-1][1:]
            if cost.min() < best[0]:
                best = (cost.min(), int(cost.argmin()) + 1, order)
        return best[2][: best[1]], best[2][best[1] :]

    total, todo = 0.0, [np.arange(len(low))]
    while todo:
        parts = [todo.pop()]
        while len(parts) < lanes and max(map(len, parts)) > 1:
            largest = max((i for i, part in enumerate(parts) if len(part) > 1), key=lambda i: area(parts[i]))
            parts += halves(parts.pop(largest))
        inner = [part for part in parts if len(part) > 1]
        total += sum(map(area, inner))
        todo += inner
    return total


@pytest.mark.parametrize("lanes", [4, 8])
def test_the_tree_is_about_as_good_as_one_by_the_full_surface_heuristic(lanes: int) -> None:
    """The summed surface of the inner boxes is what a ray pays for; bins cost a few percent of it."""
    low, high = boxes("spread", 1, 1000)
    ours = walk(built(low, high, lanes)[0][0], lanes)[1]
    assert ours < 1.1 * surface_of_sweep(low[0].astype(np.float64), high[0].astype(np.float64), lanes)


def test_a_rows_tree_does_not_depend_on_the_other_rows() -> None:
    low, high = boxes("spread", 3, 200)
    together = built(low, high, 8)[0]
    for row in range(3):
        alone = walk(built(low[row : row + 1], high[row : row + 1], 8)[0][0], 8)
        assert str(alone) == str(walk(together[row], 8))
