"""Whether a model passes a suite: its loss against the blessed model, with an interval over independent groups.

This is a test of non-inferiority: it passes if the interval of the gain lies above what may be lost, fails if it lies
below, and is open in between. The interval is the central 90 % of a paired bootstrap over groups, so each of the two
answers is wrong with a probability of at most about 5 %, at a loss of just what is allowed.
Source: Piaggio et al., Reporting of noninferiority and equivalence randomized trials, JAMA 308, 2012.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.evaluate.board import Judged
from engine.evaluate.evaluate import RULE_OF_THREE, Figure
from engine.evaluate.intervals import interval, wilson
from engine.suite.config import Metric
from engine.suite.pinned import FEWER_IS_BETTER, Rule

Word = Literal["pass", "open", "insufficient", "fail"]
WORDS: tuple[Word, ...] = ("pass", "open", "insufficient", "fail")  # the best first
EXIT_CODES: dict[Word, int] = {"pass": 0, "open": 3, "insufficient": 3, "fail": 1}
OF_PICTURES = (FEWER_IS_BETTER, "AUROC")  # figures that count pictures, not instances
OF_SHARES = ("recall", "precision", "AP", "AP50")  # of which all or nothing has Wilson's interval, as in reports


@dataclass(frozen=True)
class Verdict:
    """The answer and what it rests on."""

    word: Word
    why: str
    value: Figure | None  # of this model; None: insufficient
    blessed: Figure | None  # of the blessed model
    gain: Figure | None  # of this model over the blessed one; more is better, for false alarms too
    images: int
    groups: int
    instances: int


def worst(words: list[Word]) -> Word:
    """Return the worst of some answers."""
    return max(words, key=WORDS.index)


def judge(rule: Rule, found: Judged, blessed: Judged | None, *, is_same: bool = False) -> Verdict:
    """Return the answer of a suite.

    Args:
        rule: What passes.
        found: The model's figures, on the frames and instances that are judged.
        blessed: Those of the blessed model on the same draws; None: there is a limit alone.
        is_same: Whether both models said exactly the same, so that there is nothing to lose.
    """
    sizes = (found.images, found.groups, found.instances)
    if found.groups < rule.min_support:
        why = f"{found.groups} groups, fewer than min_support {rule.min_support}"
        return Verdict("insufficient", why, None, None, None, *sizes)
    value = figure_of(rule.metric, found)
    theirs = None if blessed is None else figure_of(rule.metric, blessed)
    if math.isnan(value.value) and (theirs is None or math.isnan(theirs.value)):
        return Verdict("insufficient", f"there is no {rule.metric} to measure", None, None, None, *sizes)
    if math.isnan(value.value):
        why = f"this model has no {rule.metric}: it says nothing; the blessed model does"
        return Verdict("fail", why, None, theirs, None, *sizes)
    parts: list[tuple[Word, str]] = []
    gain = None
    if blessed is not None and theirs is not None:
        if math.isnan(theirs.value):
            parts.append(("pass", f"the blessed model has no {rule.metric}: it says nothing"))
        else:
            gain = _gain(rule, found, blessed, is_same=is_same)
            parts.append(_against(rule, gain))
    if rule.limit is not None:
        parts.append(_by_limit(rule, value))
    if not parts:
        parts.append(("pass", f"{rule.metric} {value.value:.3f}; there is nothing to compare with"))
    word = worst([part[0] for part in parts])
    why = "; ".join(text for own, text in parts if own == word)
    return Verdict(word, why, value, theirs, gain, *sizes)


def _gain(rule: Rule, found: Judged, blessed: Judged, *, is_same: bool) -> Figure:
    """Return the gain with its interval.

    Draws without spread say that no group differs in what was measured, not that none can: as if one instance (or
    picture) of one group had changed, the loss is with 95 % no more than 3 of them. Source of the rule of three: see
    engine.evaluate.evaluate.
    """
    sign = _sign(rule)
    value = sign * (found.value(rule.metric) - blessed.value(rule.metric))
    if is_same:
        return Figure(0.0, 0.0, 0.0)
    draws = sign * (found.draws(rule.metric) - blessed.draws(rule.metric))
    known = draws[np.isfinite(draws)]
    if known.size and known.max() - known.min() > 1e-12:
        return Figure(value, *interval(draws))
    count = found.images if rule.metric in OF_PICTURES else found.instances
    reach = RULE_OF_THREE / max(count, 1)
    return Figure(value, value - reach, value + reach)


def _against(rule: Rule, gain: Figure) -> tuple[Word, str]:
    """Return the answer by the blessed model."""
    words = f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] against the blessed model, allowed {-rule.allow:+g}"
    if math.isnan(gain.low):
        return "insufficient", f"{words}: no interval"
    return _answer(rule, gain.low, gain.high, -rule.allow), words


def _by_limit(rule: Rule, value: Figure) -> tuple[Word, str]:
    """Return the answer by the figure itself."""
    assert rule.limit is not None
    sign = _sign(rule)
    low, high = sorted((sign * value.low, sign * value.high))
    side = "at most" if sign < 0 else "at least"
    words = f"{rule.metric} {value.value:.3f} [{value.low:.3f}, {value.high:.3f}], must be {side} {rule.limit:g}"
    if math.isnan(low):
        return "insufficient", f"{words}: no interval"
    return _answer(rule, low, high, sign * rule.limit), words


def _answer(rule: Rule, low: float, high: float, threshold: float) -> Word:
    if low >= threshold:
        return "pass"
    return "fail" if high < threshold else rule.open


def figure_of(metric: Metric, judged: Judged) -> Figure:
    """Return the metric with its interval, by the rules of a report; see docs/evaluate.md."""
    value = judged.value(metric)
    if metric == FEWER_IS_BETTER and value == 0.0:
        return Figure(0.0, 0.0, RULE_OF_THREE / judged.groups)
    if metric in OF_SHARES and value in (0.0, 1.0):
        most = min(judged.instances, judged.groups)
        return Figure(value, *wilson(value * most, most))
    return Figure(value, *interval(judged.draws(metric)))


def _sign(rule: Rule) -> float:
    return -1.0 if rule.metric == FEWER_IS_BETTER else 1.0
