"""G6: what pinned suites say of the models that were trained with the batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from engine.errors import UserError
from engine.gate.arms import Arm
from engine.gate.check import Check, Passed
from engine.suite.bless import find_blessing
from engine.suite.pinned import find_suite, read_pinned
from engine.suite.runs import Bench, judge_on


def open_suites(store: Path, names: Sequence[str]) -> list[Bench]:
    """Return pinned suites whose data are what was pinned.

    Raises:
        UserError: If one is not pinned, has changed, or has neither a blessed model nor a limit.
    """
    benches = []
    for name in names:
        place = find_suite(store, name)
        pinned = read_pinned(place)
        if find_blessing(place, pinned) is None and pinned.rule.limit is None:
            raise UserError(f"--suite {name}: no model is blessed, so that there is nothing to compare with")
        benches.append(Bench(place))
    return benches


def check_suite(bench: Bench, arms: Sequence[Arm], number: int) -> Check:
    """Return what a suite says of the models of all seeds: what most of them say; `open` where none has most.

    Args:
        bench: The suite.
        arms: With the batch, one a seed.
        number: Of the suite's predictions in an arm.
    """
    blessed = find_blessing(bench.place, bench.pinned)
    verdicts = [judge_on(bench, arm.predictions(number), blessed) for arm in arms]
    counted = Counter(verdict.word for verdict in verdicts)
    word, most = counted.most_common(1)[0]
    said = word if 2 * most > len(verdicts) else "open"
    words = f"{bench.place}: {', '.join(f'{count} {one}' for one, count in sorted(counted.items()))}; {verdicts[0].why}"
    facts = {
        "suite": str(bench.place), "suite_id": bench.pinned.suite_id, "word": said, "metric": bench.pinned.rule.metric,
        "by_seed": [{"seed": arm.seed, "verdict": one.word, "why": one.why}
                    for arm, one in zip(arms, verdicts, strict=True)],
    }  # fmt: skip
    verdict: Passed = "pass" if said == "pass" else "fail" if said == "fail" else "note"
    return Check("G6", "suite", verdict, True, words, facts)
