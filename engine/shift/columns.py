"""Measured columns of two datasets: do their values come from one distribution?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engine.compare.statistics import holm
from engine.shift.pictures import Pictures, column_names, read_columns
from engine.shift.report import ColumnResult

Array = NDArray[np.float64]

FRAME_COLUMNS = ("lum_mean", "lum_std", "sat_frac", "blur_lap", "noise_sigma")
AREA_SHARE = "area_share"  # of an instance or defect in its frame: `area_share.<class>`
SIGNIFICANCE = 0.05  # after Holm


def compare_columns(dataset: Pictures, reference: Pictures) -> tuple[ColumnResult, ...]:
    """Return for every column that both datasets have whether its distributions differ.

    Frames of a group are one observation, so what is compared are means of groups; p-values are those of
    Kolmogorov-Smirnov, adjusted for the number of columns by Holm.
    """
    from scipy.stats import ks_2samp

    own, other = _values(dataset), _values(reference)
    pairs = {name: (values, other[name]) for name, values in own.items() if name in other}
    tests = {name: ks_2samp(one, two) for name, (one, two) in pairs.items()}
    adjusted = holm(np.array([test.pvalue for test in tests.values()])).tolist()
    return tuple(
        ColumnResult(
            name,
            float(test.statistic),
            p,
            p < SIGNIFICANCE,
            float(np.median(pairs[name][0])),
            float(np.median(pairs[name][1])),
            len(pairs[name][0]),
            len(pairs[name][1]),
        )
        for (name, test), p in zip(tests.items(), adjusted, strict=True)
    )


def _values(pictures: Pictures) -> dict[str, Array]:
    """Return means of groups by column."""
    table = read_columns(pictures.out, "frames", FRAME_COLUMNS)
    found = {
        name: _group_means(table[name].to_numpy().astype(np.float64), pictures.group) for name in table.column_names
    }
    of_class: dict[str, list[tuple[Array, NDArray[np.int64]]]] = {}
    for kind in ("instances", "defects"):
        if "area_px" in column_names(pictures.out, kind):
            for name, share, at in _area_shares(pictures, kind):
                of_class.setdefault(name, []).append((share, pictures.group[at]))
    for name, parts in of_class.items():
        shares, groups = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        found[f"{AREA_SHARE}.{name}"] = _group_means(shares, groups)
    return {name: values for name, values in found.items() if len(values) > 1}


def _area_shares(pictures: Pictures, table: str) -> Iterator[tuple[str, Array, NDArray[np.int64]]]:
    """Yield for every class the shares of its instances in their frames, and the row of the frame of each."""
    rows = read_columns(pictures.out, table, ("frame_id", "class_id", "class", "area_px", "near_miss"))
    keep = rows["class_id"].to_numpy() != 0
    if "near_miss" in rows.column_names:
        keep &= ~rows["near_miss"].to_numpy(zero_copy_only=False)
    rows = rows.filter(keep)
    at = np.searchsorted(pictures.frame_id, rows["frame_id"].to_numpy())
    share = rows["area_px"].to_numpy() / pictures.size[at].prod(axis=1)
    names = np.array(rows["class"].to_pylist(), np.str_)
    for name in np.unique(names).tolist():
        yield name, share[names == name], at[names == name]


def _group_means(values: Array, group: NDArray[np.int64]) -> Array:
    known = np.isfinite(values)
    names, number = np.unique(group[known], return_inverse=True)
    return np.bincount(number, values[known], len(names)) / np.maximum(np.bincount(number, minlength=len(names)), 1)
