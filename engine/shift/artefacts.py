"""Three artefacts of synthesis by name: clean edges, repeating textures, narrow priors of light.

Each has a statistic of the dataset, that of halves of the reference by group, and the frames in which it shows most.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.shift.compare import DEVIATIONS, FEWEST_GROUPS, HALVES
from engine.shift.crops import generator
from engine.shift.edges import BorderFact, measure_borders
from engine.shift.light import NAMES, measure_light, narrowest
from engine.shift.pictures import Pictures, read_frames, read_luma
from engine.shift.repeats import Patches, Shared, corner_patches, self_similarity, shared_patches
from engine.shift.report import ArtefactResult, Worst

Array = NDArray[np.float64]

FRAMES = 120  # of each dataset that are looked at
SHOWN = 6  # worst frames
SMALLEST_PX = 48  # a side below which a picture is not looked at
SHARPER = 0.1  # in log sharpness: beyond halves of the reference by this
MORE_ALIKE = 0.05  # likewise, of self-similarity and of the share of pictures with a shared patch
NARROW = 0.6  # a spread below this share of the reference's


@dataclass(frozen=True)
class FrameFacts:
    """What one picture tells."""

    frame_id: int
    group: int
    borders: list[BorderFact]
    similarity: float
    patches: Patches
    light: tuple[float, ...]


def look_at(
    pictures: Pictures,
    seed: int,
    update: Callable[[int], None] = lambda _: None,
    *,
    frames: int = FRAMES,
    classes: Collection[str] | None = None,
) -> list[FrameFacts]:
    """Return facts of some pictures, spread over the groups; of borders of these classes, None: of all."""
    random = generator(pictures.dataset_id, seed, "artefacts")
    large = np.flatnonzero(pictures.size.min(axis=1) >= SMALLEST_PX)
    order = random.permutation(large)
    _, turn = np.unique(pictures.group[order], return_inverse=True)
    seen: dict[int, int] = {}
    rounds = []
    for group in turn.tolist():  # the n-th picture of its group comes in the n-th round
        rounds.append(seen.get(group, 0))
        seen[group] = rounds[-1] + 1
    chosen = order[np.argsort(rounds, kind="stable")[:frames]]
    group_of = dict(zip(pictures.frame_id[chosen].tolist(), pictures.group[chosen].tolist(), strict=True))
    facts = []
    for frame in read_frames(pictures, group_of):
        luma = read_luma(frame)
        if classes is not None:
            frame = replace(frame, instances=tuple(i for i in frame.instances if i.category in classes))  # noqa: PLW2901
        own = generator(pictures.dataset_id, seed, f"edges {frame.id}")
        facts.append(FrameFacts(
            frame.id, group_of[frame.id], measure_borders(frame, luma, own), self_similarity(luma),
            corner_patches(luma), measure_light(luma),
        ))  # fmt: skip
        update(1)
    return facts


def artefacts(dataset: list[FrameFacts], reference: list[FrameFacts], seed: int) -> tuple[ArtefactResult, ...]:
    """Return the three tests."""
    return (
        clean_edges(dataset, reference, seed),
        repeating_textures(dataset, reference, seed),
        narrow_light_priors(dataset, reference, seed),
    )


def clean_edges(dataset: list[FrameFacts], reference: list[FrameFacts], seed: int) -> ArtefactResult:
    """Return whether borders of labels are sharper, beside the picture's other edges, than those of the reference."""
    own = [fact for fact in dataset if fact.borders]
    other = [fact for fact in reference if fact.borders]
    name = "clean_edges"
    if len(own) < FEWEST_GROUPS:
        return _nothing(name, f"no power: {len(own)} pictures of the dataset have borders that rise above the noise")
    statistic = _border_sharpness(own)
    null = [_border_sharpness(half) for halves in _halves(other, seed) for half in halves]
    worst = sorted(own, key=lambda fact: -_sharpest(fact).log_ratio)[:SHOWN]
    shown = tuple(Worst(fact.frame_id, _sharpest(fact).log_ratio, _sharpest(fact).box) for fact in worst)
    if len(null) < 2:
        words = f"no power: the reference has too few borders; here they are {np.exp(statistic):.2f} times as sharp as "
        return _nothing(name, words + "other edges of the same pictures", statistic, shown)
    limit = _limit(null) + SHARPER
    text = (
        f"borders of labels are {np.exp(statistic):.2f} times as sharp as other edges of the same pictures; "
        f"real against real {np.exp(min(null)):.2f}-{np.exp(max(null)):.2f}"
    )
    found = statistic > limit
    return ArtefactResult(
        name, found, True, statistic, min(null), max(null), f"{'found' if found else 'not found'}: {text}", shown
    )


def repeating_textures(dataset: list[FrameFacts], reference: list[FrameFacts], seed: int) -> ArtefactResult:
    """Return whether pictures repeat themselves, or patches of others, more than those of the reference."""
    name = "repeating_textures"
    halves = _halves(reference, seed)
    if len(dataset) < FEWEST_GROUPS or not halves:
        return _nothing(name, f"no power: {len(dataset)} pictures, and {len(reference)} of the reference")
    size = len(halves[0][0])
    inside, across = _similarity(dataset), _share_sharing(dataset[:: max(1, len(dataset) // size)][:size])
    null_inside = [_similarity(half) for pair in halves for half in pair]
    null_across = [_share_sharing(half) for pair in halves for half in pair]
    found_inside = inside > _limit(null_inside) + MORE_ALIKE
    found_across = across > _limit(null_across) + MORE_ALIKE
    shared = _shared(dataset)

    def key(index: int) -> float:
        alike = dataset[index].similarity if found_inside or not found_across else 0.0
        return -max(alike, shared[index].correlation if index in shared and found_across else 0.0)

    worst = [
        Worst(dataset[index].frame_id, -key(index), shared[index].box if index in shared and found_across else None)
        for index in sorted(range(len(dataset)), key=key)[:SHOWN]
    ]
    text = (
        f"pictures match themselves shifted to {inside:.2f} (real against real {min(null_inside):.2f}-"
        f"{max(null_inside):.2f}); {across:.0%} share a patch with one of another group "
        f"({min(null_across):.0%}-{max(null_across):.0%})"
    )
    found = found_inside or found_across
    where = " and ".join([*["inside pictures"] * found_inside, *["across pictures"] * found_across])
    return ArtefactResult(
        name, found, True, inside if found_inside or not found_across else across,
        min(null_inside if found_inside or not found_across else null_across),
        max(null_inside if found_inside or not found_across else null_across),
        f"{f'found {where}' if found else 'not found'}: {text}", tuple(worst),
    )  # fmt: skip


def narrow_light_priors(dataset: list[FrameFacts], reference: list[FrameFacts], seed: int) -> ArtefactResult:
    """Return whether light varies less than in the reference."""
    name = "narrow_light_priors"
    halves = _halves(reference, seed)
    if len(dataset) < FEWEST_GROUPS or not halves:
        return _nothing(name, f"no power: {len(dataset)} pictures, and {len(reference)} of the reference")
    light, other = _light(dataset), _light(reference)
    which, ratio = narrowest(light, other)
    both_ways = [pair for halved in halves for pair in (halved, halved[::-1])]
    null = [narrowest(_light(one), _light(two))[1] for one, two in both_ways]
    limit = min(NARROW, *null)
    found = ratio < limit
    shown: tuple[Worst, ...] = ()
    if which in NAMES:  # those nearest to what all have
        column = light[:, NAMES.index(which)]
        order = np.argsort(np.abs(column - np.median(column)), kind="stable")[:SHOWN]
        shown = tuple(Worst(dataset[index].frame_id, float(column[index])) for index in order.tolist())
    else:
        shown = tuple(Worst(fact.frame_id, float(np.arctan2(fact.light[3], fact.light[2]))) for fact in dataset[:SHOWN])
    text = (
        f"the narrowest is {which}, with {ratio:.2f} of the reference's spread; real against real "
        f"{min(null):.2f}-{max(null):.2f}"
    )
    return ArtefactResult(
        name, found, True, ratio, min(null), max(null), f"{'found' if found else 'not found'}: {text}", shown
    )


def _nothing(name: str, words: str, statistic: float | None = None, shown: tuple[Worst, ...] = ()) -> ArtefactResult:
    return ArtefactResult(name, False, False, statistic, None, None, words, shown)


def _halves(facts: list[FrameFacts], seed: int) -> list[tuple[list[FrameFacts], list[FrameFacts]]]:
    """Return splits in two by group; none where a half has too few groups."""
    groups = np.unique([fact.group for fact in facts])
    if len(groups) < 2 * FEWEST_GROUPS:
        return []
    random = np.random.default_rng([seed, 3])
    splits = []
    for _ in range(HALVES):
        chosen = set(random.permutation(groups)[: len(groups) // 2].tolist())
        splits.append(([f for f in facts if f.group in chosen], [f for f in facts if f.group not in chosen]))
    return splits


def _limit(null: list[float]) -> float:
    return max(*null, float(np.mean(null)) + DEVIATIONS * float(np.std(null, ddof=1)))


def _sharpest(fact: FrameFacts) -> BorderFact:
    return max(fact.borders, key=lambda border: border.log_ratio)


def _border_sharpness(facts: list[FrameFacts]) -> float:
    """Return the mean over groups of the median over borders."""
    return _mean_of_groups([(fact.group, border.log_ratio) for fact in facts for border in fact.borders])


def _similarity(facts: list[FrameFacts]) -> float:
    return _mean_of_groups([(fact.group, fact.similarity) for fact in facts])


def _mean_of_groups(pairs: list[tuple[int, float]]) -> float:
    of_group: dict[int, list[float]] = {}
    for group, value in pairs:
        of_group.setdefault(group, []).append(value)
    return float(np.mean([np.median(values) for values in of_group.values()]))


def _shared(facts: list[FrameFacts]) -> dict[int, Shared]:
    return shared_patches([fact.patches for fact in facts], np.array([fact.group for fact in facts], np.int64))


def _share_sharing(facts: list[FrameFacts]) -> float:
    return len(_shared(facts)) / max(len(facts), 1)


def _light(facts: list[FrameFacts]) -> Array:
    return np.array([fact.light for fact in facts], np.float64)
