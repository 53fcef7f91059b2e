"""The arms of the proof: who is trained on what, one repetition at a time, with every result kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.tile_data import Tile, few_of, pasted, turned_masks
from bench.tile_learner import Features, Scores, TestSet, train
from bench.tile_render import Shot, transferred

ARMS = ("real", "copypaste", "hybrid", "transfer", "placebo", "only", "all")
FEW_ARMS = ("real", "copypaste", "hybrid", "transfer", "placebo")  # that see k real images of each class
RIVALS = ("real", "copypaste")  # that gains are over
SIDE_ARMS = ("transfer", "placebo", "all")  # that the claim does not rest on: the first repetitions alone
SIDE_SEEDS = 5
PASTED = 240  # images of an arm that pastes
FIRST_SEED = 1000  # of the choice of real images
CACHE_VERSION = 1  # of what decides a result beside its name


@dataclass(frozen=True)
class Material:
    """What the arms are made of."""

    defects: list[Tile]  # real, to train on
    normals: list[Tile]  # real and free of defects
    test: TestSet
    synthetic: list[Tile]
    pairs: list[Shot]  # rendered with and without defects; none: nothing is transferred
    features: Features


@dataclass(frozen=True)
class Run:
    """One repetition of one arm."""

    arm: str
    few: int  # real images of each class; 0: the arm takes none, or all
    seed: int

    @property
    def name(self) -> str:
        """Name of the arm with its number of images."""
        return f"{self.arm}@{self.few}" if self.few else self.arm


def runs_of(arms: Sequence[str], counts: Sequence[int], seeds: Sequence[int]) -> list[Run]:
    """Return all repetitions, seed by seed, so that a stopped proof has whole seeds; few of the arms at the side."""
    return [
        Run(arm, k, seed)
        for number, seed in enumerate(seeds)
        for arm in arms
        if number < SIDE_SEEDS or arm not in SIDE_ARMS
        for k in (counts if arm in FEW_ARMS else (0,))
    ]


def scores_of(run: Run, material: Material, cache: Path, facts: str) -> Scores:
    """Return the scores of a repetition; `facts` names the data, results of which are read from the cache."""
    key = f"{CACHE_VERSION} {facts} {run.name} {run.seed}"
    file = cache / f"{run.name.replace('@', '_')}_{run.seed}_{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
    if file.exists():
        with np.load(file, allow_pickle=False) as kept:
            return Scores(kept["positive"], kept["negative"], kept["highest"])
    scores = material.test.score(_trained(run, material))
    part = file.with_suffix(".part.npz")
    np.savez_compressed(part, positive=scores.positive, negative=scores.negative, highest=scores.highest)
    part.rename(file)
    return scores


def _trained(run: Run, material: Material) -> object:
    random = np.random.RandomState(FIRST_SEED + run.seed)
    few = few_of(material.defects, run.few, random) if run.few else []
    normals, synthetic = material.normals, material.synthetic
    recipes: dict[str, Callable[[], tuple[list[tuple[float, list[Tile]]], list[Tile]]]] = {
        "real": lambda: ([(1.0, few)], normals),
        "copypaste": lambda: ([(0.5, few), (0.5, pasted(few, normals, PASTED, random))], normals),
        "hybrid": lambda: ([(0.5, few), (0.5, synthetic)], normals),
        "transfer": lambda: ([(0.5, few), (0.5, transferred(material.pairs, normals, PASTED, random))], normals),
        "placebo": lambda: ([(0.5, few), (0.5, turned_masks(synthetic))], normals),
        "only": lambda: ([(1.0, synthetic)], synthetic),
        "all": lambda: ([(1.0, material.defects)], normals),
    }
    sets, calm = recipes[run.arm]()
    return train(sets, calm, run.seed, material.features)
