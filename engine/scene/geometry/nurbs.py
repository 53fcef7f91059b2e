"""NURBS curves as samples of their control points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.scene.geometry.curves import Samples

MAX_ORDER = 16


def sample_nurbs(
    counts: NDArray[np.int64],
    order: NDArray[np.integer] | None,
    knots: NDArray[np.floating] | None,
    weights: NDArray[np.floating] | None,
    pieces: int,
) -> Samples | None:
    """Return `pieces` samples of each knot span and the curve's end, or None where the arrays do not fit together.

    Rational weights are part of the samples' weights, so that every vertex value is carried like the points.
    """
    total = int(counts.sum())
    if order is None or knots is None or len(order) != len(counts) or len(knots) != int((counts + order).sum()):
        return None
    rational = np.ones(total) if weights is None or len(weights) != total else np.asarray(weights, np.float64)
    if order.min() < 2 or order.max() > MAX_ORDER or not np.isfinite(knots).all() or (rational <= 0.0).any():
        return None
    terms = int(order.max())
    parts: list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]] = []
    first, first_knot = 0, 0
    for count, degree_plus_one in zip(counts.tolist(), order.tolist(), strict=True):
        knot = np.asarray(knots[first_knot : first_knot + count + degree_plus_one], np.float64)
        part = _sample_one(count, degree_plus_one, knot, rational[first : first + count], pieces)
        if part is None:
            return None
        vertex, weight, along = part
        padding = ((0, 0), (0, terms - degree_plus_one))
        parts.append((np.pad(vertex + first, padding, mode="edge"), np.pad(weight, padding), along))
        first += count
        first_knot += count + degree_plus_one
    sizes = np.array([len(along) for _, _, along in parts])
    along = np.concatenate([part[2] for part in parts])
    curve = np.repeat(np.arange(len(counts)), sizes)
    return Samples(
        count=sizes,
        curve=curve,
        closed=False,
        vertex=np.concatenate([part[0] for part in parts]),
        vertex_weight=np.concatenate([part[1] for part in parts]),
        varying=np.stack([2 * curve, 2 * curve + 1], axis=-1),  # a value at each end
        varying_weight=np.stack([1.0 - along, along], axis=-1),
        along=along,
        phantom=np.zeros((0, 2), np.int64),
        varying_count=2 * len(counts),
    )


def _sample_one(
    count: int, order: int, knot: NDArray[np.float64], weight: NDArray[np.float64], pieces: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]] | None:
    """Return control points [sample, order], their weights and the place along the curve of one curve's samples."""
    from scipy.interpolate import BSpline  # takes a second or two to import, and NURBS are rare

    if count < order:
        return np.zeros((0, order), np.int64), np.zeros((0, order)), np.zeros(0)
    if (np.diff(knot) < 0.0).any() or not knot[count] > knot[order - 1]:
        return None
    span = np.unique(knot[order - 1 : count + 1])
    inner = span[:-1, None] + np.diff(span)[:, None] * (np.arange(pieces) / pieces)
    at = np.append(inner.ravel(), span[-1])
    matrix = BSpline.design_matrix(at, knot, order - 1)
    vertex = matrix.indices.reshape(len(at), order).astype(np.int64)
    values = matrix.data.reshape(len(at), order) * weight[vertex]
    return vertex, values / values.sum(axis=1, keepdims=True), (at - span[0]) / (span[-1] - span[0])
