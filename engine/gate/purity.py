"""G3: is the batch what was asked for: frames of the target, and parameters as their laws say?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.dataset.contents import read_contents
from engine.dataset.laws import read_asked, read_worlds
from engine.evaluate.intervals import wilson
from engine.evaluate.slices import Slice, SliceReader
from engine.evaluate.truth import read_truth
from engine.gate.check import Check
from engine.randomize.laws.compare import compare

LEAST_PURE = 0.8
SHOWN = 5


def check_purity(batch: Path, name: str, own: Slice, base_share: float = 0.0) -> Check:
    """Return whether frames of the batch are of the target slice.

    A frame counts that is of the slice, or shows an instance of it. Of a batch that keeps part of the base law on
    purpose, the share is that of the rest, if none of the base's worlds were of the target: the least that it can be
    is (share - base share) / (1 - base share), the most share / (1 - base share); the latter is what is asked.

    Args:
        batch: The folder.
        name: Of the target.
        own: The target.
        base_share: Share of the batch's worlds that the recipe leaves to the base law.
    """
    truth = read_truth(batch, None)
    truth = truth.in_order(np.array(sorted(truth.annotation), np.int64))
    part, of_instances = SliceReader(batch, truth).part(name, own)
    groups, index = np.unique(truth.group, return_inverse=True)
    by_group = np.bincount(index, part.image) / np.bincount(index)
    share = float(by_group.mean())
    low, high = wilson(float(by_group.sum()), len(groups))
    targeted = [min(value / (1.0 - base_share), 1.0) for value in (share, low, high)]
    facts = {
        "target": name, "where": own.where, "of": "instances" if of_instances else "images", "frames": len(part.image),
        "groups": len(groups), "group_by": truth.group_by, "share": share, "low": low, "high": high,
        "base_share": base_share, "targeted": dict(zip(("value", "low", "high"), targeted, strict=True)),
        "least": LEAST_PURE,
    }  # fmt: skip
    of = f" of the targeted {1.0 - base_share:.0%}" if base_share else ""
    words = f"{targeted[0]:.0%} [{targeted[1]:.0%}, {targeted[2]:.0%}]{of} are of {name}; asked are {LEAST_PURE:.0%}"
    return Check("G3", "purity", "pass" if targeted[0] >= LEAST_PURE else "fail", True, words, facts)


def check_coverage(batch: Path, wanted: Mapping[str, Any] | None = None) -> Check:
    """Return whether what was drawn follows what was asked, column by column.

    Args:
        batch: The folder.
        wanted: Laws of `laws.reweight` that a proposal asks for; None: whatever the recipe says.
    """
    contents, _ = read_contents(batch)
    if contents.recipe is None:
        return Check("G3", "coverage", "skipped", True, "the batch has no recipe of its own that asks for parameters")
    missing = sorted(key for key in wanted or {} if not _has(contents.recipe.laws.reweight, key))
    if missing:
        words = f"the proposal re-weights {', '.join(missing[:SHOWN])}, which the recipe of the batch does not"
        return Check("G3", "coverage", "fail", True, words, {"missing": missing})
    found = compare(read_asked(contents), read_worlds(contents))
    tested = [one.column for one in found if one.verdict in ("agrees", "differs")]
    differs = [one for one in found if one.verdict == "differs"]
    facts = {
        "tested": len(tested), "columns": len(found), "reweighted": sorted(contents.recipe.laws.reweight),
        "differs": [{"column": one.column, "test": one.test, "p": one.p, "note": one.note} for one in differs],
    }  # fmt: skip
    if differs:
        words = f"{len(differs)} of {len(tested)} columns differ from their law, such as {differs[0].column}"
        return Check("G3", "coverage", "fail", True, words, facts)
    return Check("G3", "coverage", "pass", True, f"{len(tested)} columns were drawn as their laws ask", facts)


def _has(reweighted: Mapping[str, Any], key: str) -> bool:
    return key in reweighted or key.removeprefix("p.") in {name.removeprefix("p.") for name in reweighted}
