"""What a circle found, as plain data (`loop/1`): verdict, the planted weakness, before and after, gate, times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine import __version__
from engine.gate.rule import DELTA
from engine.loop.circle import Circle
from engine.loop.runner import FAILED, Ended
from engine.loop.state import Past, State
from engine.write.record import read_json

SCHEMA = "loop/1"
FIGURES = ("recall", "precision", "AP50", "false_alarms")
BETTER, NOT_WORSE, WORSE, OPEN = "better", "not worse", "worse", "open"
CLOSED, NOT_BETTER = "closed", "not better"
DECIDES = "AP50"  # of the figures, as for the gate


def plain_loop(circle: Circle, ended: Ended, state: State) -> dict[str, Any]:
    """Return the report of a circle, of as much as there is; what is not known is null."""
    done = frozenset(ended.names)
    target = circle.target() if "propose" in done or ("discover" in done and circle.confirmed()) else None
    slices = _slices(circle) if "evaluate-test-after" in done else None
    verdict, words = ended.answer, _words(circle, ended, done)
    if ended.is_closed and slices is not None and target is not None:
        verdict, words = outcome(slices, target)
    control = _control(circle) if "evaluate-test-control" in done else None
    if control is not None and target is not None:
        words += beyond_number(control, target)
    return {
        "schema": SCHEMA, "engine": __version__, "verdict": verdict, "words": words, "stage": ended.stage,
        "target": target,
        "planted": _planted(circle) if target is not None and circle.planted is not None else None,
        "where": circle.where() if target is not None else None,
        "proposal": _proposal(circle) if "propose" in done else None,
        "budget": _of(circle, "budget", "slices") if "budget" in done else None,
        "gate": _gate(circle) if "gate" in done else None,
        "slices": slices,
        "control": control,
        "delta": DELTA,
        "suite": state.stages["suite"].answer if "suite" in done else None,
        "stages": [_stage(name, past, name in done) for name, past in state.stages.items()],
        "wall_s": round(sum(past.wall_s for past in state.stages.values()), 1),
        "cpu_s": round(sum(past.cpu_s for past in state.stages.values()), 1),
    }  # fmt: skip


def judged(before: Mapping[str, Any], after: Mapping[str, Any], delta: float = DELTA) -> list[dict[str, Any]]:
    """Return every slice of two evaluations with what became of it.

    The interval of a difference is a central one of 90 %, so its lower end is a lower bound of 95 %: a figure is not
    worse if that bound is above -delta (non-inferiority), worse if the upper one is below it, and else open.
    """
    first = {one["name"]: one for one in before["slices"]}
    differences = {one["slice"]: one for one in after["against"]}
    rows = []
    for one in after["slices"]:
        other, name = first[one["name"]], one["name"]
        known = one["figures"] and other["figures"] and name in differences
        rows.append({
            "name": name, "where": one["where"],
            **{key: one[key] for key in ("images", "groups", "instances")},
            "figures": {
                figure: {"before": other["figures"][figure], "after": one["figures"][figure],
                         "difference": differences[name][figure],
                         "verdict": verdict_of(differences[name][figure], figure, delta)}
                for figure in FIGURES if known and figure in differences[name]
            },
        })  # fmt: skip
    return rows


def outcome(rows: Sequence[Mapping[str, Any]], target: str) -> tuple[str, str]:
    """Return the verdict of a circle that came round, and its words: closed only if the target is better on the test.

    What decides is the figure that the gate judges by; what became worse by any other is named.
    """
    own = next((one["figures"].get(DECIDES) for one in rows if one["name"] == target), None)
    if own is None:
        return NOT_BETTER, f"The batch was admitted; the test has too few groups of {target} to say what came of it."
    worse = {
        figure: [one["name"] for one in rows if one["figures"].get(figure, {}).get("verdict") == WORSE]
        for figure in FIGURES
    }
    values = f"{own['before']['value']:.3f} to {own['after']['value']:.3f}"
    span = f"{own['difference']['value']:+.3f} [{own['difference']['low']:+.3f}, {own['difference']['high']:+.3f}]"
    words = f"The batch was admitted. On the test, {DECIDES} of {target} goes from {values}: {span}, {own['verdict']}. "
    named = "; ".join(f"{figure.replace('_', ' ')} of {', '.join(names)}" for figure, names in worse.items() if names)
    words += f"Worse: {named}." if named else "Nothing is worse."
    return (CLOSED if own["verdict"] == BETTER and not worse[DECIDES] else NOT_BETTER), words


def verdict_of(difference: Mapping[str, Any], figure: str, delta: float) -> str:
    """Return better, not worse, worse or open; fewer false alarms are better."""
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return OPEN
    if figure == "false_alarms":
        low, high = -high, -low
    if low > 0.0:
        return BETTER
    if low > -delta:
        return NOT_WORSE
    return WORSE if high < -delta else OPEN


def _words(circle: Circle, ended: Ended, done: frozenset[str]) -> str:
    if ended.answer == FAILED:
        return f"The circle is not closed. {ended.words}"
    if not ended.is_closed:
        why = ended.words
        if ended.stage == "gate":
            why = "; ".join(read_json(circle.at("gate") / "gate.json")["reasons"])
        if ended.stage == "propose":
            why = str(circle.proposal()["reason"])
        return f"The circle ends at {ended.stage}: {ended.answer}. {why}".strip()
    return "The circle is closed."


def _planted(circle: Circle) -> dict[str, Any]:
    """Return how much of the slice that was found is what the first model never saw."""
    from engine.evaluate.slices import Slice, SliceReader
    from engine.evaluate.truth import read_truth

    assert circle.planted is not None
    own, *others = circle.confirmed()
    truth = read_truth(circle.at("validation").absolute(), None)
    reader = SliceReader(truth.dataset, truth)
    slice_, _ = reader.part("found", Slice(circle.where()))
    planted, _ = reader.part("planted", Slice(circle.planted))
    both = slice_.image & planted.image
    return {
        "where": circle.planted, "found": circle.where(), "of": own["of"], "lacking": own["share"],
        "confirmation": own["confirmation"], "p_holm": own["p_holm"],
        "images": int(slice_.image.sum()), "of_planted": int(both.sum()),
        "share": float(both.sum() / max(slice_.image.sum(), 1)), "share_of_all": float(planted.image.mean()),
        "others": [
            {key: one[key] for key in ("name", "where", "of", "share")} for one in others
        ],
    }  # fmt: skip


def _proposal(circle: Circle) -> dict[str, Any]:
    own = circle.proposal()
    keys = (
        "name",
        "where",
        "verdict",
        "reason",
        "auc",
        "columns",
        "base_share",
        "effective_worlds",
        "purity",
        "command",
    )
    return {key: own.get(key) for key in keys}


def _gate(circle: Circle) -> dict[str, Any]:
    report = read_json(circle.at("gate") / "gate.json")
    keys = (
        "verdict",
        "reasons",
        "needed",
        "figure",
        "delta",
        "seeds",
        "target",
        "protected",
        "gains",
        "slices",
        "seconds",
    )
    kept = {key: report.get(key) for key in keys}
    return kept | {"checks": [{k: one[k] for k in ("gate", "name", "verdict", "words")} for one in report["checks"]]}


def _slices(circle: Circle) -> list[dict[str, Any]]:
    before, after = (read_json(circle.at(name) / "evaluation.json") for name in ("test-before", "test-after"))
    return judged(before, after)


def _control(circle: Circle) -> list[dict[str, Any]]:
    """Return what the second model has over one that learned from as many pictures of the old laws."""
    report = read_json(circle.at("test-control") / "evaluation.json")
    groups = {one["name"]: one["groups"] for one in report["slices"]}
    return [
        {"name": one["slice"], "groups": groups[one["slice"]], "figures": {
            figure: {"difference": one[figure], "verdict": verdict_of(one[figure], figure, DELTA)}
            for figure in FIGURES if figure in one
        }}
        for one in report["against"]
    ]  # fmt: skip


def beyond_number(control: Sequence[Mapping[str, Any]], target: str) -> str:
    """Return in words what the target gained that is not the number of pictures; nothing where it is not known."""
    own = next((one["figures"].get(DECIDES) for one in control if one["name"] == target), None)
    if own is None:
        return ""
    span = f"{own['difference']['value']:+.3f} [{own['difference']['low']:+.3f}, {own['difference']['high']:+.3f}]"
    return f" Over as many pictures that nobody asked for: {span}, {own['verdict']}."


def _of(circle: Circle, name: str, key: str) -> Any:
    return read_json(circle.at(name) / f"{name}.json")[key]


def _stage(name: str, past: Past, is_done: bool) -> dict[str, Any]:
    return {
        "name": name, "answer": past.answer or None, "done": is_done, "starts": past.starts,
        "wall_s": round(past.wall_s, 1), "cpu_s": round(past.cpu_s, 1), "commands": list(past.commands),
    }  # fmt: skip


def drawing_of(path: Path) -> str:
    """Return the drawing of the lineage; nothing if there is none."""
    return path.read_text("utf-8") if path.is_file() else ""
