"""Figures as dots on their intervals: SVG for the pages of evaluations and gates, styled by their page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BAR_PX, HEIGHT_PX = 140, 14


def bar(figure: Mapping[str, Any], low: float, high: float) -> str:
    """Return a figure as a dot on its interval, on an axis from `low` to `high`, and in numbers."""
    value = figure["value"]
    if value is None:
        return '<span class="insufficient">unknown</span>'
    middle = HEIGHT_PX / 2.0
    known = figure["low"] is not None
    spread = ""
    if known:
        first, last = (_at(figure[end], low, high) for end in ("low", "high"))
        spread = f'<path class="spread" d="M{first:.1f} {middle}H{max(last, first + 1.0):.1f}"/>'
    zero = f'<path class="axis" d="M{_at(0.0, low, high):.1f} 1V{HEIGHT_PX - 1}"/>' if low < 0.0 else ""
    reach = f"{figure['low']:.3f} to {figure['high']:.3f}" if known else "interval unknown"
    return (
        f'<svg class="bar" width="{BAR_PX}" height="{HEIGHT_PX}"><path class="axis" d="M0 {middle}H{BAR_PX}"/>{zero}'
        f'{spread}<circle class="value" cx="{_at(value, low, high):.1f}" cy="{middle}" r="3.5"/></svg>'
        f'{value:.3f} <span class="range">{reach}</span> '
    )


def _at(value: float, low: float, high: float) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    return 4.0 + (BAR_PX - 8.0) * min(max(share, 0.0), 1.0)
