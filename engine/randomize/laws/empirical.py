"""Empirical laws: a column of another dataset, read when a recipe is composed and kept in it as plain numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError, near_matches
from engine.plain import from_plain, to_plain
from engine.randomize.laws.model import Empirical

QUANTILES = 257  # values that a column is kept as: 256 equal shares
MOST_COUNTS = 256  # different whole numbers that are kept with their weights
LEAST_VALUES = 8  # of a column that says anything about a spread


def read_empirical(data: Any, where: str) -> Any:
    """Return plain data with every empirical law that names a dataset replaced by its numbers.

    Raises:
        UserError: If a dataset, table, class or column is not there, or has too few numbers; one line with the path.
    """
    if isinstance(data, Mapping):
        if data.get("law") == "empirical" and data.get("dataset") is not None:
            return to_plain(_read(from_plain(Empirical, data, where), where))
        return {key: read_empirical(item, f"{where}.{key}") for key, item in data.items()}
    if isinstance(data, list):
        return [read_empirical(item, f"{where}[{i}]") for i, item in enumerate(data)]
    return data


def law_of_values(values: NDArray[np.generic], column: str, **origin: Any) -> Empirical:
    """Return the empirical law of finite numbers: weights where they count something, else 257 quantiles."""
    if np.issubdtype(values.dtype, np.integer) or values.dtype == np.bool_:
        counts, number = np.unique(values.astype(np.int64), return_counts=True)
        if len(counts) <= MOST_COUNTS:
            weights = tuple(number.astype(np.float64).tolist())
            return Empirical(column, values=tuple(counts.astype(np.float64).tolist()), weights=weights, **origin)
    found = np.quantile(values.astype(np.float64), np.linspace(0.0, 1.0, QUANTILES))
    return Empirical(column, quantiles=tuple(np.maximum.accumulate(found).tolist()), **origin)


def _read(law: Empirical, where: str) -> Empirical:
    from engine.dataset.contents import read_contents

    assert law.dataset is not None
    if law.of_class is not None and law.table != "instances":
        raise UserError(f"{where}.of_class: only the table instances has classes; write table: instances")
    folder = Path(law.dataset).expanduser().absolute()
    try:
        contents, _ = read_contents(folder)
    except UserError as error:
        raise UserError(f"{where}.dataset: {error}") from error
    rows, manifest = contents.rows, contents.manifest
    if rows is None or manifest is None:
        raise UserError(f"{where}.dataset: {folder} is not complete; `python -m engine.dataset info` says more")
    class_id = None
    if law.of_class is not None:
        ids = {known.key: known.id for known in rows.taxonomy.classes}
        if law.of_class not in ids:
            near = near_matches(law.of_class, tuple(ids))
            raise UserError(f"{where}.of_class: {folder} has no class '{law.of_class}'; it has {near}")
        class_id = ids[law.of_class]
    parts = list(_columns(rows.tables(law.table), law, class_id, where))
    values = np.concatenate(parts) if parts else np.zeros(0)
    if values.dtype.kind not in "iufb":
        raise UserError(f"{where}.column: {law.column} holds no numbers")
    values = values[np.isfinite(values)]
    if len(values) < LEAST_VALUES:
        raise UserError(
            f"{where}.column: {law.column} has {len(values)} numbers in {folder}, fewer than {LEAST_VALUES}"
        )
    origin = {"table": law.table, "of_class": law.of_class, "source": manifest.dataset_id}
    return law_of_values(values, law.column, **origin)


def _columns(tables: Iterator[Any], law: Empirical, class_id: int | None, where: str) -> Iterator[NDArray[np.generic]]:
    """Yield the values of a column, lists taken apart and nulls left out, table after table."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for table in tables:
        if law.column not in table.column_names:
            near = near_matches(law.column, tuple(table.column_names))
            raise UserError(f"{where}.column: the table {law.table} has no column '{law.column}'; it has {near}")
        chosen = table if class_id is None else table.filter(pc.equal(table["class_id"], class_id))
        values = chosen[law.column].combine_chunks()
        while pa.types.is_list(values.type) or pa.types.is_fixed_size_list(values.type):
            values = values.flatten()
        yield values.drop_null().to_numpy(zero_copy_only=False)
