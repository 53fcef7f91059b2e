"""G3: is the batch what was asked for: frames of the target, and parameters as their laws say?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.collect.intent import parents_of, read_intent
from engine.dataset.contents import read_contents
from engine.dataset.laws import read_asked, read_worlds
from engine.evaluate.intervals import wilson
from engine.evaluate.slices import Slice, SliceReader
from engine.evaluate.truth import read_truth
from engine.gate.check import Check
from engine.gate.parts import Parts
from engine.gate.proposal import Asked
from engine.lineage.search import search
from engine.query import open_index
from engine.randomize.laws.compare import compare
from engine.recipe import Recipe
from engine.write.begin import RECIPE

LEAST_PURE = 0.8
CHANCE = 1.0e-4  # that a batch which follows its laws is refused
SHOWN = 5


def check_purity(batch: Path, name: str, own: Slice, asked: Asked | None = None) -> Check:
    """Return whether frames of the batch are of the target slice.

    A frame counts that is of the slice, or shows an instance of it. Where a proposal says which part of a mixture was
    drawn by new laws, the frames of that part are asked; the rest keeps what was covered, on purpose.

    Args:
        batch: The folder.
        name: Of the target.
        own: The target.
        asked: What a proposal asked for.
    """
    truth = read_truth(batch, None)
    truth = truth.in_order(np.array(sorted(truth.annotation), np.int64))
    part, of_instances = SliceReader(batch, truth).part(name, own)
    targeted = _targeted(batch, truth.frame_id, asked)
    groups, index = np.unique(truth.group[targeted], return_inverse=True)
    by_group = np.bincount(index, part.image[targeted]) / np.bincount(index)
    share = float(by_group.mean())
    low, high = wilson(float(by_group.sum()), len(groups))
    facts = {
        "target": name, "where": own.where, "of": "instances" if of_instances else "images", "frames": len(part.image),
        "targeted_frames": int(targeted.sum()), "groups": len(groups), "group_by": truth.group_by,
        "share": share, "low": low, "high": high, "least": LEAST_PURE,
    }  # fmt: skip
    of = "" if targeted.all() else f" of the {int(targeted.sum())} targeted frames"
    words = f"{share:.0%} [{low:.0%}, {high:.0%}]{of} are of {name}; asked are {LEAST_PURE:.0%}"
    return Check("G3", "purity", "pass" if share >= LEAST_PURE else "fail", True, words, facts)


def check_coverage(parts: Parts, asked: Asked | None = None) -> Check:
    """Return whether what was drawn follows what was asked, column by column.

    `engine.dataset laws` reports one of a hundred sound datasets, to be looked at; nobody looks here, so a column that
    may be chance is noted and only a sure one refused (Bonferroni over all columns of the batch).

    Args:
        parts: What the batch was rendered as.
        asked: What a proposal asked for: a part must have all of its laws.
    """
    if not parts.rendered:
        return Check("G3", "coverage", "skipped", True, "no recipe is here that asks for parameters")
    facts: dict[str, Any] = {"parts": [place.name for place in parts.rendered], "reweighted": []}
    unlike: list[dict[str, Any]] = []
    tested = 0
    for place in parts.rendered:
        contents, _ = read_contents(place)
        found = compare(read_asked(contents), read_worlds(contents))
        tested += sum(one.verdict in ("agrees", "differs") for one in found)
        unlike += [
            {"part": place.name, "column": one.column, "test": one.test, "p": one.p, "note": one.note}
            for one in found
            if one.verdict == "differs"
        ]
        if contents.recipe is not None:
            facts["reweighted"] += sorted(f"p.{key.removeprefix('p.')}" for key in contents.recipe.laws.reweight)
    facts["tested"] = tested
    facts["chance"] = [one for one in unlike if one["p"] * tested >= CHANCE]
    facts["differs"] = [one for one in unlike if one not in facts["chance"]]
    missing = sorted(set(asked.columns) - set(facts["reweighted"])) if asked is not None else []
    if missing:
        words = f"the proposal re-weights {', '.join(missing[:SHOWN])}, which no recipe of the batch does"
        return Check("G3", "coverage", "fail", True, words, facts | {"missing": missing})
    if facts["differs"]:
        words = f"{len(facts['differs'])} of {tested} columns differ from their law: {facts['differs'][0]['column']}"
        return Check("G3", "coverage", "fail", True, words, facts)
    words = f"{tested} columns were drawn as their laws ask"
    if facts["chance"]:
        words += f"; {facts['chance'][0]['column']} is unusual (p {facts['chance'][0]['p']:.0e}), which may be chance"
    return Check("G3", "coverage", "pass", True, words, facts)


def _targeted(batch: Path, frame_id: NDArray[np.int64], asked: Asked | None) -> NDArray[np.bool_]:
    """Return which frames were drawn by the laws of a proposal: all, but of a mixture that has a part of them.

    A part is known by its recipe, wherever it was rendered; where that does not lie beside the batch, by its name.
    """
    everything = np.ones(len(frame_id), np.bool_)
    parents = parents_of(read_intent(batch / RECIPE))
    if asked is None or len(parents) < 2:
        return everything
    places = search([batch.parent]).datasets
    beside = [one.dataset_id for one in parents if one.dataset_id in places]
    own = [dataset_id for dataset_id in beside if _is_asked(places[dataset_id][0], asked)]
    own = own or [one.dataset_id for one in parents if one.name == asked.targeted]
    sql = "SELECT frame_id FROM frames WHERE list_contains(?, parent)"
    rows = open_index(batch, "gate").execute(sql, [own]).fetchnumpy()
    found: NDArray[np.bool_] = np.isin(frame_id, rows["frame_id"])
    return found if found.any() else everything


def _is_asked(place: Path, asked: Asked) -> bool:
    """Return whether a dataset was drawn by the laws of a proposal: its recipe names the report, and has its laws."""
    recipe = read_intent(place / RECIPE)
    if not isinstance(recipe, Recipe) or not asked.report:
        return False
    laws = {f"p.{key.removeprefix('p.')}" for key in recipe.laws.reweight}
    return asked.report in {one.id for one in recipe.parents} and laws >= set(asked.columns)
