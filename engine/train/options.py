"""Whole numbers as options of commands say them: `1,3,10` or `0..4`."""

from __future__ import annotations

from engine.errors import UserError


def numbers(text: str, option: str, least: int, most: int = 1000) -> tuple[int, ...]:
    """Return the whole numbers of `1,3,10` or `0..4`, each once, in order.

    Args:
        text: What was typed.
        option: Its name, for errors.
        least: That a number may be.
        most: Numbers that there may be.
    Raises:
        UserError: If it is neither.
    """
    first, dots, last = text.partition("..")
    try:
        found = range(int(first), int(last) + 1) if dots else [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"{option} {text}: expected whole numbers such as 1,3,10 or 0..4") from None
    if not found or min(found) < least or len(found) > most:
        raise UserError(f"{option} {text}: expected 1 to {most} numbers of at least {least}")
    return tuple(sorted(set(found)))
