"""Which frame of another dataset stands beside a frame: of the same world, or the one that looks most like it.

The distance d of two frames is the root of the mean of three parts: the mean square of the differences of the measured
columns that both have, the mean square of those of the colours of 4x4 pixels, each column divided by its standard
deviation over both datasets, and 8 h^2 for the share h of bits in which their hashes differ (unrelated ones: h = 1/2).
Each part is about 2 for two frames that have nothing to do with each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import duckdb

MEASURED = ("lum_mean", "lum_p05", "lum_std", "sat_frac", "blur_lap", "noise_sigma")
SPANNING_DECADES = ("blur_lap", "noise_sigma")  # compared by their logarithms
SMALLEST = 1.0e-6  # of those
BLOCK = 256  # frames that are compared with all others at once
HASH_WEIGHT = 8.0
NONE = -1


@dataclass(frozen=True)
class Looks:
    """What frames are compared by, in the order of the index."""

    measured: dict[str, NDArray[np.float64]]  # [frame], NaN: not measured
    colors: NDArray[np.float32]  # [frame, 48]
    hashes: NDArray[np.uint64] | None  # [frame]


@dataclass(frozen=True)
class Pairs:
    """Of every frame of one dataset its partner in the other, `NONE`: there is none, and how far they are apart."""

    partner: NDArray[np.int32]
    distance: NDArray[np.float32] | None
    used: tuple[str, ...]  # columns that distances are made of


def looks_of(connection: duckdb.DuckDBPyConnection, colors: NDArray[np.float32]) -> Looks:
    """Return what the index and the thumbnails tell of the looks of frames."""
    table = connection.sql("SELECT * FROM frames LIMIT 0").columns
    names = [name for name in MEASURED if name in table]
    wanted = ", ".join([*names, *(["phash"] if "phash" in table else []), "frame_id"])
    rows = connection.sql(f"SELECT {wanted} FROM frames ORDER BY frame_id").to_arrow_table()  # noqa: S608
    measured = {name: rows[name].to_numpy().astype(np.float64) for name in names}
    for name in SPANNING_DECADES:
        if name in measured:
            measured[name] = np.log10(np.maximum(measured[name], SMALLEST))
    hashes = rows["phash"].fill_null(0).to_numpy() if "phash" in table else None
    return Looks(measured, colors, hashes)


def nearest(first: Looks, second: Looks) -> Pairs:
    """Return for every frame of the first dataset the frame of the second that looks most like it.

    The first such frame where several are as near. Memory: 256 frames of the first against all of the second.
    """
    names = tuple(name for name in first.measured if name in second.measured)
    measured = [np.stack([looks.measured[n] for n in names], 1) if names else None for looks in (first, second)]
    parts = [(first.colors.astype(np.float64), second.colors.astype(np.float64))]
    if names:
        parts.append((measured[0], measured[1]))  # type: ignore[arg-type]
    scaled = [_standardised(*pair) for pair in parts]
    count = len(first.colors)
    has_hashes = first.hashes is not None and second.hashes is not None
    partner, distance = np.zeros(count, np.int32), np.zeros(count, np.float32)
    for begin in range(0, count, BLOCK):
        rows = slice(begin, begin + BLOCK)
        total = sum(_mean_square(one[rows], other) for one, other in scaled)
        if has_hashes:
            differing = np.bitwise_count(first.hashes[rows, None] ^ second.hashes[None])  # type: ignore[index]
            total = total + HASH_WEIGHT * (differing / 64.0) ** 2
        total = np.asarray(total) / (len(scaled) + has_hashes)
        partner[rows] = total.argmin(axis=1)
        distance[rows] = np.sqrt(total.min(axis=1))
    return Pairs(partner, distance, (*names, "colours of 4x4 pixels", *(("phash",) if has_hashes else ())))


def same_frames(first: duckdb.DuckDBPyConnection, second: duckdb.DuckDBPyConnection) -> Pairs:
    """Return for every frame the one of the same world, step and camera in the other dataset."""
    query = "SELECT world, step, camera FROM frames ORDER BY frame_id"
    keys: list[list[Any]] = [connection.execute(query).fetchall() for connection in (first, second)]
    place = {key: index for index, key in enumerate(keys[1])}
    return Pairs(np.array([place.get(key, NONE) for key in keys[0]], np.int32), None, ())


def _standardised(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return columns with mean 0 and deviation 1 over both; what is not measured is the mean."""
    both = np.concatenate([first, second])
    known = np.isfinite(both)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, both, 0.0).sum(axis=0) / count
    deviation = np.sqrt((np.where(known, both - mean, 0.0) ** 2).sum(axis=0) / count)
    deviation[deviation == 0] = 1.0
    return tuple(np.where(np.isfinite(x), (x - mean) / deviation, 0.0) for x in (first, second))  # type: ignore[return-value]


def _mean_square(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean square of the differences of all rows of one with all of the other."""
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None] - 2.0 * first @ second.T
    return np.maximum(squares, 0.0) / first.shape[1]
