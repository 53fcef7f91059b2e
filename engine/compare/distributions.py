"""Which columns of two datasets are spread differently: of frames, of what was drawn, and of instances by class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.collect.parent import HASH_SUFFIX
from engine.compare.columns import LARGEST_LIST, Column, Index, Values, shared_columns
from engine.compare.model import Difference
from engine.compare.statistics import LEAST_ROWS, Sample, Test, compare_categories, compare_numbers, holm

LEVEL_OF_TEST = 0.05  # of all tests together
MOST_WORDS = 1000  # different words of a column that is compared; more are names of things
MOST_NAMES = 12  # columns that a line names
MOST_SHOWN = 3  # words that a line names
OF_CLASS = ("instances", "defects")  # tables whose columns are compared class by class
LATER_PARTS = frozenset({*(f"[{i}]" for i in range(1, LARGEST_LIST)), "y", "z", "height", "aspect"})
KNOWN = "known"  # the part of a column that says whether there is a value at all


@dataclass(frozen=True)
class Tested:
    """A column of both datasets, and how it differs."""

    subject: str
    test: Test
    said: str  # of both values, for people
    facts: dict[str, Any]


@dataclass(frozen=True)
class Tests:
    """All columns that were compared."""

    tested: tuple[Tested, ...]
    adjusted: tuple[float, ...]  # p-values after Holm
    too_few: tuple[str, ...]  # columns with fewer than LEAST_ROWS rows on a side
    groups: tuple[str, str]  # what groups are, in either dataset

    def differences(self) -> list[Difference]:
        """Return the columns that differ beyond chance."""
        return [
            Difference("distribution", "changed", one.subject, _text(one, p), one.test.effect, _facts(one, p))
            for one, p in zip(self.tested, self.adjusted, strict=True)
            if p < LEVEL_OF_TEST
        ]

    def to_json(self) -> list[dict[str, Any]]:
        """Return all tests as plain data."""
        return [{"subject": one.subject, **_facts(one, p)} for one, p in zip(self.tested, self.adjusted, strict=True)]


def compare_distributions(one: Index, two: Index) -> Tests:
    """Return the tests of every column that both datasets have; one column is in memory at a time."""
    tested: list[Tested] = []
    too_few: list[str] = []
    for table in ("frames", "worlds", *OF_CLASS):
        if one.schema(table) is None or two.schema(table) is None:
            continue
        groups = one.groups(table), two.groups(table)
        parts = list(_classes(one, two, table))
        for column in shared_columns(one, two, table):
            is_share = table in OF_CLASS and column.name == "class"  # shares of classes, over all of them
            parts_of = [("", None, None)] if is_share else parts
            values = one.values(column), two.values(column)
            for label, *rows in parts_of:
                name = f"{column}{f' of {label}' if label else ''}"
                known = None if column.part in LATER_PARTS else _known(values, rows, groups)
                found = _compare(column, name, _chosen(values, rows, groups), known)
                tested += found
                if not any(each.subject == name for each in found):
                    too_few.append(name)
    adjusted = holm(np.array([each.test.p for each in tested]))
    return Tests(tuple(tested), tuple(adjusted.tolist()), tuple(too_few), (one.group_name, two.group_name))


def compare_names(one: Index, two: Index) -> list[Difference]:
    """Return which columns one dataset alone has, a line a table and side."""
    found = []
    for table in ("frames", "worlds", *OF_CLASS):
        names = [set() if (schema := index.schema(table)) is None else set(schema.names) for index in (one, two)]
        for change, alone in (("removed", names[0] - names[1]), ("added", names[1] - names[0])):
            own = sorted(name for name in alone if not name.endswith(HASH_SUFFIX))
            if own:
                more = f" and {len(own) - MOST_NAMES} more" if len(own) > MOST_NAMES else ""
                text = f"{len(own)} column{'s' if len(own) > 1 else ''} {change}: {', '.join(own[:MOST_NAMES])}{more}"
                found.append(Difference("distribution", change, table, text, -1.0, {"columns": own}))
    return found


def _classes(one: Index, two: Index, table: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield classes that both have with which rows are of them; a table without classes is one part, all rows."""
    if table not in OF_CLASS:
        yield "", None, None
        return
    words = [index.read(table, "class").to_numpy() for index in (one, two)]
    for key in sorted(set(words[0].tolist()) & set(words[1].tolist())):
        yield key or "no class", words[0] == key, words[1] == key


def _chosen(
    values: tuple[Values, Values], rows: list[Any], groups: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> tuple[tuple[NDArray[Any], NDArray[np.int64]], ...]:
    """Return values and groups of both datasets, of the rows of a class."""
    chosen = []
    for own, mask, group in zip(values, rows, groups, strict=True):
        keep = slice(None) if mask is None else mask[own.rows]
        chosen.append((own.values[keep], np.unique(group[own.rows[keep]], return_inverse=True)[1].astype(np.int64)))
    return tuple(chosen)


def _known(
    values: tuple[Values, Values], rows: list[Any], groups: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> tuple[Sample, Sample] | None:
    """Return which rows have a value, as samples of 0 and 1; None where all have one, in both."""
    samples = []
    for own, mask, group in zip(values, rows, groups, strict=True):
        has = np.zeros(len(group), np.float64)
        has[own.rows] = 1.0
        keep = slice(None) if mask is None else mask
        samples.append(Sample(has[keep], np.unique(group[keep], return_inverse=True)[1].astype(np.int64)))
    return None if all(sample.values.all() for sample in samples) else (samples[0], samples[1])


def _compare(column: Column, name: str, chosen: Any, known: tuple[Sample, Sample] | None) -> list[Tested]:
    """Return the tests of a column: of its values, and of whether it has some."""
    found = []
    if all(len(values) >= LEAST_ROWS for values, _ in chosen):
        if column.is_number:
            found.append(_numbers(name, Sample(*chosen[0]), Sample(*chosen[1])))
        elif (words := _words(name, *chosen)) is not None:
            found.append(words)
    if known is not None and min(len(sample.values) for sample in known) >= LEAST_ROWS:
        test = compare_categories(*known)
        if test is not None:
            shares = [float(sample.values.mean()) for sample in known]
            said = f"known of {shares[0]:.1%} -> {shares[1]:.1%} of rows"
            subject = f"{column.table}.{column.name}{name.removeprefix(str(column))} ({KNOWN})"
            found.append(Tested(subject, test, said, _figures(known, {"known": shares})))
    return found


def _numbers(name: str, one: Sample, two: Sample) -> Tested:
    test = compare_numbers(one, two)
    means, spreads = [float(s.values.mean()) for s in (one, two)], [float(s.values.std()) for s in (one, two)]
    said = f"{means[0]:.4g} ± {spreads[0]:.2g} -> {means[1]:.4g} ± {spreads[1]:.2g}"
    return Tested(name, test, said, _figures((one, two), {"mean": means, "std": spreads}))


def _words(name: str, one: Any, two: Any) -> Tested | None:
    """Return the test of two columns of words; None if they are names of things, or one and the same."""
    words, codes = np.unique(np.concatenate([one[0], two[0]]).astype(str), return_inverse=True)
    if len(words) > MOST_WORDS or len(words) < 2:
        return None
    samples = Sample(codes[: len(one[0])].astype(float), one[1]), Sample(codes[len(one[0]) :].astype(float), two[1])
    test = compare_categories(*samples)
    if test is None:
        return None
    shares = [np.bincount(s.values.astype(int), minlength=len(words)) / len(s.values) for s in samples]
    most = np.argsort(-np.abs(shares[1] - shares[0]), kind="stable")[:MOST_SHOWN].tolist()
    said = ", ".join(f"{words[i] or '(none)'} {shares[0][i]:.1%} -> {shares[1][i]:.1%}" for i in most)
    facts = {"share": {str(words[i]): [float(share[i]) for share in shares] for i in most}}
    return Tested(name, test, said, _figures(samples, facts))


def _figures(samples: tuple[Sample, Sample], facts: dict[str, Any]) -> dict[str, Any]:
    return {**facts, "rows": [len(s.values) for s in samples], "groups": [s.groups for s in samples]}


def _facts(one: Tested, p: float) -> dict[str, Any]:
    test = one.test
    return {
        "test": test.kind, "statistic": test.statistic, "effect": test.effect, "p": test.p, "p_holm": p,
        "effective_rows": list(test.effective), **one.facts,
    }  # fmt: skip


def _text(one: Tested, p: float) -> str:
    test, rows, groups = one.test, one.facts["rows"], one.facts["groups"]
    effect = f"{test.effect:.2f} sd apart" if test.kind == "ks" else f"V {test.effect:.2f}"
    counted = f"{rows[0]}/{rows[1]} rows of {groups[0]}/{groups[1]} groups"
    return f"{one.said}; {effect}, p {_probability(p)}, {counted}"


def _probability(p: float) -> str:
    return "< 1e-12" if p < 1.0e-12 else f"{p:.2g}"
