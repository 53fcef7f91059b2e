"""Tuning: a search of at most thirty trials, then the winner and the untuned recipe measured again with new seeds.

The best of thirty noisy trials is partly the luckiest, so its value flatters. What is reported is what new seeds say of
it, with a Student interval over seeds, and its difference to the untuned recipe on the same seeds.

Sources: the tree-structured Parzen estimator, Bergstra et al., Algorithms for hyper-parameter optimization, NIPS 2011,
by Optuna, Akiba et al., KDD 2019. The winner's curse: Smith and Winkler, The optimizer's curse, Management Science 52,
2006.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.budget.history import Gain
from engine.budget.objective import Objective
from engine.budget.trials import Kind, Trial, TrialLog
from engine.budget.tuning import MOST_TRIALS, Range, Tuning
from engine.errors import UserError

if TYPE_CHECKING:
    import optuna

FIRST_AT_RANDOM = 10  # trials before there is anything to learn from
LEVEL = 0.9
MOST_FAILURES = 3  # in a row: then something is wrong that further trials do not mend
NO_TRIAL = -1


@dataclass(frozen=True)
class Search:
    """How the search goes."""

    trials: int
    again: int  # new seeds for the winner
    seed: int

    def __post_init__(self) -> None:
        if not 1 <= self.trials <= MOST_TRIALS:
            raise UserError(
                f"--trials must be in 1..{MOST_TRIALS}, got {self.trials}: more looks at one set fit its noise"
            )
        if self.again < 2 or self.seed < 0:
            raise UserError(f"--again must be at least 2, --seed 0 or more; got {self.again}, {self.seed}")

    @property
    def new_seeds(self) -> range:
        """Seeds that the search has not seen."""
        return range(self.seed + 1, self.seed + 1 + self.again)


@dataclass(frozen=True)
class Tuned:
    """The winner, what the search thought of it, and what new seeds say."""

    best: Trial
    failed: int
    winner: tuple[float, ...]  # by new seed
    baseline: tuple[float, ...]  # the recipe without overrides, on the same seeds

    @property
    def gain(self) -> Gain:
        """Winner minus baseline, in pairs."""
        return student(np.subtract(self.winner, self.baseline).tolist())

    def verdict(self, sign: float) -> str:
        """Return better, worse or open: whether the interval of the gain lies on one side of 0."""
        low, high = sorted((sign * self.gain.low, sign * self.gain.high))
        return "better" if low > 0.0 else "worse" if high < 0.0 else "open"


def tune(tuning: Tuning, objective: Objective, search: Search, log: TrialLog, say: Callable[[str], None]) -> Tuned:
    """Search, then measure the winner again; what the log has is not run again.

    Raises:
        UserError: If Optuna is not installed, or the objective keeps failing.
    """
    if len(log.searched) < search.trials:
        check_optuna()
    runs = _Runs(tuning, objective, log, say)
    failures = 0
    for number in range(len(log.searched), search.trials):
        values = suggest(tuning, log.searched, search.seed)
        trial = runs.make("trial", number, search.seed, values)
        failures = 0 if trial.value is not None else failures + 1
        if failures == MOST_FAILURES:
            raise UserError(
                f"{failures} trials in a row failed, the last one so: {trial.error}; see {runs.folder(trial)}"
            )
    known = [one for one in log.searched[: search.trials] if one.value is not None]
    if not known:
        raise UserError("no trial gave a value; see the command.log of each")
    best = max(known, key=lambda one: (tuning.sign * (one.value or 0.0), -one.trial))
    winner = tuple(runs.value("winner", best.trial, seed, best.parameters) for seed in search.new_seeds)
    baseline = tuple(runs.value("baseline", NO_TRIAL, seed, {}) for seed in search.new_seeds)
    return Tuned(best, search.trials - len(known), winner, baseline)


def suggest(tuning: Tuning, done: Sequence[Trial], seed: int) -> dict[str, float]:
    """Return the parameters of the next trial: a function of the trials so far and the seed, and of nothing else."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spread = {key: _distribution(one) for key, one in tuning.parameters.items()}
    number = hashlib.sha256(f"{seed}|{len(done)}".encode()).digest()
    sampler = optuna.samplers.TPESampler(seed=int.from_bytes(number[:4], "big"), n_startup_trials=FIRST_AT_RANDOM)
    study = optuna.create_study(direction="maximize" if tuning.sign > 0.0 else "minimize", sampler=sampler)
    complete, fail = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.FAIL
    for one in done:
        values = {key: int(v) if tuning.parameters[key].integer else v for key, v in one.parameters.items()}
        state = fail if one.value is None else complete
        study.add_trial(optuna.trial.create_trial(state=state, params=values, distributions=spread, value=one.value))
    return dict(study.ask(spread).params)


def student(values: Sequence[float]) -> Gain:
    """Return the mean of values with its 90 % interval over them, by Student's t."""
    from scipy.stats import t

    mean, count = float(np.mean(values)), len(values)
    half = float(t.ppf((1.0 + LEVEL) / 2.0, count - 1)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Gain(mean, mean - half, mean + half)


def check_optuna() -> None:
    """Refuse to begin where Optuna is not installed.

    Raises:
        UserError: If it is not.
    """
    if importlib.util.find_spec("optuna") is None:
        raise UserError("tuning needs Optuna: pip install 'ommatidia[tune]'")


class _Runs:
    """Runs of the objective, logged as they end."""

    def __init__(self, tuning: Tuning, objective: Objective, log: TrialLog, say: Callable[[str], None]) -> None:
        self._tuning, self._objective, self._log, self._say = tuning, objective, log, say

    def folder(self, trial: Trial) -> Path:
        """Return the folder of a run."""
        return self._folder(trial.kind, trial.trial, trial.seed)

    def value(self, kind: Kind, number: int, seed: int, values: dict[str, float]) -> float:
        """Return the value of a run that may not fail; one that was made is not made again."""
        found = self._log.find(kind, number, seed) or self.make(kind, number, seed, values)
        if found.value is None:
            raise UserError(
                f"{self._folder(kind, number, seed)}: {found.error}; a seed that is left out would flatter, so it must "
                "run: repair it and give the same command again"
            )
        return found.value

    def make(self, kind: Kind, number: int, seed: int, values: dict[str, float]) -> Trial:
        """Run the objective and log what came out."""
        overrides = tuple(self._tuning.overrides(values))
        begin = time.perf_counter()
        value, error = self._objective.measure(self._folder(kind, number, seed), overrides, seed)
        wall_s = round(time.perf_counter() - begin, 3)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        trial = Trial(kind, number, seed, dict(values), overrides, value, error, wall_s, now)
        self._log.append(trial)
        name = f"{kind} {number}" if number != NO_TRIAL else kind
        where = ", ".join(f"{key}={own:.4g}" for key, own in values.items()) or "as it is"
        self._say(f"{name} seed {seed}: {error if value is None else f'{value:.6g}'}  ({where}; {wall_s:.1f} s)")
        return trial

    @staticmethod
    def _name(kind: str, number: int, seed: int) -> str:
        return f"{kind}-seed-{seed}" if number == NO_TRIAL else f"{kind}-{number:02d}-seed-{seed}"

    def _folder(self, kind: str, number: int, seed: int) -> Path:
        return self._log.out / "runs" / self._name(kind, number, seed)


def _distribution(own: Range) -> optuna.distributions.BaseDistribution:
    import optuna

    if own.integer:
        return optuna.distributions.IntDistribution(int(own.low), int(own.high), log=own.log)
    return optuna.distributions.FloatDistribution(own.low, own.high, log=own.log)


def plain_tuned(tuning: Tuning, tuned: Tuned, search: Search, words: Sequence[str]) -> dict[str, Any]:
    """Return what came out as plain data; see docs/budget.md."""
    from engine.plain import to_plain

    winner, baseline = student(tuned.winner), student(tuned.baseline)
    assert tuned.best.value is not None
    return {
        "schema": "tuned/1", "tuning": to_plain(tuning), "command": list(words), "seed": search.seed,
        "trials": search.trials, "failed": tuned.failed,
        "best": {
            "trial": tuned.best.trial, "parameters": tuned.best.parameters, "overrides": list(tuned.best.overrides),
            "value": tuned.best.value,
        },
        "new_seeds": list(search.new_seeds),
        "winner": {"values": list(tuned.winner), **to_plain(winner)},
        "baseline": {"values": list(tuned.baseline), **to_plain(baseline)},
        "flattered_by": tuning.sign * (tuned.best.value - winner.value),
        "gain": {**to_plain(tuned.gain), "verdict": tuned.verdict(tuning.sign)},
    }  # fmt: skip
