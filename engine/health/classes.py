"""Checks of classes: which are seen, how often, and together with which."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.health.ask import ask
from engine.health.limits import Limits
from engine.health.model import Check, Classes, judged
from engine.scene.taxonomy import Taxonomy

if TYPE_CHECKING:
    import duckdb

MOST_NAMED = 12
MOST_IN_MATRIX = 40


def count_classes(connection: duckdb.DuckDBPyConnection, surfaces: Collection[str]) -> Classes:
    """Return labels by class, and the matrix of frames with two classes."""
    question = "SELECT class, count(*), count(DISTINCT frame_id) FROM labels GROUP BY class ORDER BY 3 DESC, 1"
    rows = ask(connection, question, where="classes")
    keys = tuple(key for key, _, _ in rows if key not in surfaces)[:MOST_IN_MATRIX]
    place = {key: at for at, key in enumerate(keys)}
    matrix = np.zeros((len(keys), len(keys)), np.int64)
    pairs = ask(
        connection,
        "WITH seen AS (SELECT DISTINCT frame_id, class FROM labels) SELECT a.class, b.class, count(*) "
        "FROM seen a JOIN seen b USING (frame_id) GROUP BY ALL",
        where="co_occurrence",
    )
    for one, other, count in pairs:
        if one in place and other in place:
            matrix[place[one], place[other]] = count
    return Classes(
        {key: int(count) for key, count, _ in rows}, {key: int(count) for key, _, count in rows}, keys,
        tuple(tuple(row) for row in matrix.tolist()),
    )  # fmt: skip


def check_classes(
    classes: Classes, taxonomy: Taxonomy, frames: int, limits: Limits, surfaces: Collection[str]
) -> list[Check]:
    """Return the checks of classes."""
    bounds, rare = limits.bounds, limits.measures.rare
    parents = {c.parent for c in taxonomy.classes}
    unseen = [c.key for c in taxonomy.classes if c.key not in classes.instances and c.key not in parents]
    counts = {key: count for key, count in classes.instances.items() if key not in surfaces}
    few = {key: count for key, count in sorted(counts.items(), key=lambda pair: pair[1]) if count < rare}
    least, most = (min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)) if counts else ("", "")
    several = len(counts) > 1
    phi, together = _most_together(classes, frames, limits.measures.together_frames)
    return [
        judged("unseen_classes", "classes of the taxonomy that no frame has, parents of others aside", "number",
               float(len(unseen)), bounds["unseen_classes"], note=_named(unseen)),
        judged("rare_classes", f"classes with fewer than {rare:g} instances", "number", float(len(few)),
               bounds["rare_classes"], note=_named(f"{key} {count}" for key, count in few.items())),
        judged("class_entropy", "entropy of classes: 1 all equally often, 0 one alone", "number",
               entropy(list(counts.values())) if several else None, bounds["class_entropy"],
               note="" if several else "there are no two classes"),
        judged("imbalance", "instances of the most frequent class for each of the rarest", "number",
               counts[most] / counts[least] if several else None, bounds["imbalance"],
               note=f"{most} {counts[most]}, {least} {counts[least]}" if several else "there are no two classes"),
        judged("co_occurrence", "correlation over frames of the two classes that come together most", "number", phi,
               bounds["co_occurrence"], note=together),
    ]  # fmt: skip


def entropy(counts: list[int]) -> float:
    """Return the entropy of counts over that of as many equal ones."""
    shares = np.array(counts, np.float64) / sum(counts)
    return float(-(shares * np.log(shares)).sum() / math.log(len(counts)))


def correlations(together: NDArray[np.int64], frames: int) -> NDArray[np.float64]:
    """Return phi of all pairs of classes over frames, NaN of a class that is in all or none."""
    seen = np.diag(together).astype(np.float64)
    spread = np.sqrt(seen * (frames - seen))
    with np.errstate(divide="ignore", invalid="ignore"):
        phi: NDArray[np.float64] = (frames * together - np.outer(seen, seen)) / np.outer(spread, spread)
    return phi


def _most_together(classes: Classes, frames: int, least: int) -> tuple[float | None, str]:
    together = np.array(classes.together, np.int64).reshape(len(classes.keys), len(classes.keys))
    seen = np.diag(together)
    usable = (seen >= least) & (frames - seen >= least)
    if usable.sum() < 2:
        return None, f"no two classes are in {least:g} frames and not in {least:g}"
    phi = correlations(together, frames)
    phi[~usable, :] = phi[:, ~usable] = -np.inf
    np.fill_diagonal(phi, -np.inf)
    one, other = np.unravel_index(int(phi.argmax()), phi.shape)
    names = classes.keys[one], classes.keys[other]
    return float(phi[one, other]), f"{names[0]} and {names[1]}: {together[one, other]} frames"


def _named(keys: Iterable[str]) -> str:
    listed = list(keys)
    rest = len(listed) - MOST_NAMED
    return ", ".join(listed[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
