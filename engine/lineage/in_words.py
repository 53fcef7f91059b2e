"""Laws and randomisers of a recipe in words, as they stand in recipe.json, without importing what they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

LONGEST = 160  # characters of a value
HEAD = ("kind", "per")  # keys of an entry that are said before the others


def number(value: Any) -> str:
    """Return a number as people write it, lists and mappings without their brackets, all of it short."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        text = ", ".join(f"{key} {_inner(item)}" for key, item in value.items() if item is not None)
    elif isinstance(value, list | tuple):
        text = ", ".join(map(_inner, value))
    else:
        text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _inner(value: Any) -> str:
    return f"({number(value)})" if isinstance(value, Mapping | list | tuple) else number(value)


def law_in_words(value: Any) -> str:
    """Return what a law says: "uniform from 1 to 8"; a plain value is said as it is."""
    if not isinstance(value, Mapping) or "law" not in value:
        return number(value)
    words = LAWS.get(str(value["law"]))
    if words is not None:
        try:
            return words(value)
        except (KeyError, TypeError, IndexError, AttributeError):
            pass  # of another version: said as it is
    rest = ", ".join(f"{key} {law_in_words(item)}" for key, item in value.items() if key != "law" and item is not None)
    return f"{value['law']} ({rest})" if rest else str(value["law"])


def entry_in_words(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the keys of a randomiser that vary, with their laws, then the constants in one line."""
    constants = []
    for key, value in sorted(entry.items()):
        if key in HEAD or value is None:
            continue
        if _varies(value):
            yield key, "; ".join(_laws(value))
        else:
            constants.append(f"{key} {number(value)}")
    if constants:
        yield "fixed", ", ".join(constants)


def _varies(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "law" in value or any(map(_varies, value.values()))
    return isinstance(value, list) and any(map(_varies, value))


def _laws(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, Mapping) and "law" not in value:
        for key, item in value.items():
            if item is not None:
                yield from _laws(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and _varies(value):
        for index, item in enumerate(value):
            yield from _laws(item, f"{name}[{index}]")
    else:
        yield f"{name}: {law_in_words(value)}" if name else law_in_words(value)


def _span(law: Mapping[str, Any]) -> str:
    return f"from {number(law['low'])} to {number(law['high'])}"


def _choice(law: Mapping[str, Any]) -> str:
    values, weights = law["values"], law.get("weights")
    if weights is None:
        return f"one of {', '.join(map(number, values))}"
    total = sum(weights)
    shares = (f"{number(v)} ({100 * w / total:.3g} %)" for v, w in zip(values, weights, strict=True))
    return f"one of {', '.join(shares)}"


def _mixture(law: Mapping[str, Any]) -> str:
    total = sum(part["weight"] for part in law["parts"])
    return "; ".join(f"{100 * p['weight'] / total:.3g} %: {law_in_words(p['law'])}" for p in law["parts"])


def _include(law: Mapping[str, Any]) -> str:
    ends = (
        number(law[key]) if law.get(key) is not None else word
        for key, word in (("low", "its low end"), ("high", "its high end"))
    )
    return f"{law_in_words(law['of'])}, with {100 * law['share']:.3g} % from {' to '.join(ends)}"


def _case(case: Mapping[str, Any]) -> str:
    if case.get("names") is not None:
        return f"if {', '.join(case['names'])}: {law_in_words(case['then'])}"
    low, high = case.get("low"), case.get("high")
    ends = [f"at least {number(low)}"] * (low is not None) + [f"below {number(high)}"] * (high is not None)
    return f"if {' and '.join(ends)}: {law_in_words(case['then'])}"


def _empirical(law: Mapping[str, Any]) -> str:
    of_class = f" of class {law['of_class']}" if law.get("of_class") else ""
    source = f" in {law['source']}" if law.get("source") else ""
    return f"as measured in column {law['column']}{of_class}{source}"


LAWS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "constant": lambda law: number(law["value"]),
    "uniform": lambda law: f"uniform {_span(law)}",
    "log_uniform": lambda law: f"log-uniform {_span(law)}",
    "integer": lambda law: f"whole numbers {_span(law)}",
    "normal": lambda law: f"normal, mean {number(law['mean'])}, deviation {number(law['std'])}",
    "truncated_normal": lambda law: (
        f"normal, mean {number(law['mean'])}, deviation {number(law['std'])}, cut off {_span(law)}"
    ),
    "beta": lambda law: f"beta({number(law['alpha'])}, {number(law['beta'])}) {_span(law)}",
    "choice": _choice,
    "histogram": lambda law: f"histogram from {number(law['edges'][0])} to {number(law['edges'][-1])}",
    "empirical": _empirical,
    "mixture": _mixture,
    "include": _include,
    "conditional": lambda law: (
        f"by {law['by']}: {'; '.join(map(_case, law['cases']))}; otherwise {law_in_words(law['otherwise'])}"
    ),
}
