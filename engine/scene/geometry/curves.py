"""Cubic and linear curves as samples: which control points make each sample, with which weights.

Bases and wraps: UsdGeomBasisCurves, https://openusd.org/release/api/class_usd_geom_basis_curves.html
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Rows: control points; columns: coefficients of 1, t, t^2, t^3.
BASES = {
    "bezier": np.array([[1, -3, 3, -1], [0, 3, -6, 3], [0, 0, 3, -3], [0, 0, 0, 1]], float),
    "bspline": np.array([[1, -3, 3, -1], [4, 0, -6, 3], [1, 3, 3, -3], [0, 0, 0, 1]], float) / 6.0,
    "catmullRom": np.array([[0, -1, 2, -1], [2, 0, -5, 3], [0, 1, 4, -3], [0, 0, -1, 1]], float) / 2.0,
}
BASES["centripetalCatmullRom"] = BASES["catmullRom"]


@dataclass(frozen=True)
class CurveKind:
    """How all curves of a prim are made from their control points."""

    basis: str  # linear, or a key of `BASES`
    wrap: str  # nonperiodic, periodic, pinned
    pieces: int  # samples for each segment; 1 for linear curves


@dataclass(frozen=True)
class Samples:
    """Points along curves, curve after curve. A periodic curve does not repeat its first sample."""

    count: NDArray[np.int64]  # [curve], samples of each; 0 where a curve has too few control points
    curve: NDArray[np.int64]  # [sample]
    closed: bool
    vertex: NDArray[np.int64]  # [sample, term], control point (or phantom point, see `at_vertices`)
    vertex_weight: NDArray[np.float64]  # [sample, term]
    varying: NDArray[np.int64]  # [sample, 2], varying value
    varying_weight: NDArray[np.float64]  # [sample, 2]
    along: NDArray[np.float64]  # [sample], 0 at the curve's beginning, 1 at its end
    phantom: NDArray[np.int64]  # [phantom, 2]: value 2 a - b of control points (a, b), for pinned curves
    varying_count: int  # values that a varying primvar must have

    def at_vertices(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return [sample, component] of values [control point, component]."""
        values = np.asarray(values, np.float64)
        if len(self.phantom):
            values = np.concatenate([values, 2.0 * values[self.phantom[:, 0]] - values[self.phantom[:, 1]]])
        return np.einsum("st,stc->sc", self.vertex_weight, values[self.vertex])

    def at_varying(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return [sample, component] of values [varying value, component]."""
        return np.einsum("st,stc->sc", self.varying_weight, np.asarray(values, np.float64)[self.varying])


def sample_curves(counts: NDArray[np.int64], kind: CurveKind) -> Samples:
    """Return the samples of curves with `counts` control points each."""
    closed, linear = kind.wrap == "periodic", kind.basis == "linear"
    phantoms = kind.wrap == "pinned" and kind.basis in ("bspline", "catmullRom", "centripetalCatmullRom")
    step = 3 if kind.basis == "bezier" else 1
    first = np.cumsum(counts) - counts
    segments = _segment_count(counts, kind, phantoms=phantoms)
    pieces = 1 if linear else kind.pieces
    curve = np.repeat(np.arange(len(counts)), segments)
    begin = np.cumsum(segments) - segments
    within = np.arange(len(curve)) - begin[curve]  # segment within its curve
    per_segment = np.tile(np.arange(pieces) / pieces, len(curve))
    segment = np.repeat(np.arange(len(curve)), pieces)
    if not closed:  # the end of the last segment
        last = np.flatnonzero(np.append(curve[1:] != curve[:-1], True)) if len(curve) else np.zeros(0, np.int64)
        place = (last + 1) * pieces
        segment, per_segment = np.insert(segment, place, last), np.insert(per_segment, place, 1.0)
    owner = curve[segment]
    terms = np.arange(2 if linear else 4)
    local = within[segment, None] * step + terms - (1 if phantoms else 0)
    size = counts[owner, None]
    if closed:
        local %= size
    vertex = first[owner, None] + local
    phantom = np.zeros((0, 2), np.int64)
    if phantoms:
        used = np.flatnonzero(segments > 0)
        ends = first[used] + counts[used] - 1
        phantom = np.concatenate(
            [np.stack([first[used], first[used] + 1], axis=-1), np.stack([ends, ends - 1], axis=-1)]
        )
        rank = np.zeros(len(counts), np.int64)
        rank[used] = np.arange(len(used))
        total = int(counts.sum())
        vertex = np.where(local < 0, total + rank[owner, None], vertex)
        vertex = np.where(local >= size, total + len(used) + rank[owner, None], vertex)
    t = per_segment[:, None]
    weight = np.concatenate([1.0 - t, t], axis=-1) if linear else t ** np.arange(4) @ BASES[kind.basis].T
    values = segments if closed else np.where(segments > 0, segments + 1, 0)
    varying_first = (np.cumsum(values) - values)[owner]
    here = within[segment]
    after = (here + 1) % np.maximum(segments[owner], 1) if closed else here + 1
    return Samples(
        count=np.bincount(owner, minlength=len(counts)),
        curve=owner,
        closed=closed,
        vertex=vertex,
        vertex_weight=weight,
        varying=varying_first[:, None] + np.stack([here, after], axis=-1),
        varying_weight=np.concatenate([1.0 - t, t], axis=-1),
        along=(here + per_segment) / np.maximum(segments[owner], 1),
        phantom=phantom,
        varying_count=int(values.sum()),
    )


def _segment_count(counts: NDArray[np.int64], kind: CurveKind, *, phantoms: bool) -> NDArray[np.int64]:
    if kind.wrap == "periodic":
        step = 3 if kind.basis == "bezier" else 1
        segments = np.where(counts >= 3, counts // step, 0)
    elif kind.basis == "linear" or phantoms:
        segments = np.where(counts >= 2, counts - 1, 0)
    elif kind.basis == "bezier":
        segments = np.where(counts >= 4, (counts - 4) // 3 + 1, 0)
    else:
        segments = np.where(counts >= 4, counts - 3, 0)
    whole: NDArray[np.int64] = segments.astype(np.int64)
    return whole
