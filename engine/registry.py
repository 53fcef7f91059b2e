"""`kind: name` -> our own callables. Config names a kind; nothing in a config is ever imported or executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Entry:
    """A registered callable and the dataclass that its configuration must fit."""

    kind: str
    params: type
    function: Callable[..., Any]


class Registry:
    """Kinds of one group, such as randomisers; open to plug-in modules that the command line names."""

    def __init__(self, group: str) -> None:
        self.group = group
        self._entries: dict[str, Entry] = {}

    def register(self, kind: str, params: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return a decorator that makes a callable known as `kind`, with `params` as its schema.

        Raises:
            ValueError: If the kind is taken.
        """

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            if kind in self._entries:
                raise ValueError(f"{self.group} kind '{kind}' is registered twice")
            self._entries[kind] = Entry(kind, params, function)
            return function

        return decorate

    def get(self, kind: str) -> Entry:
        """Return the entry of a kind.

        Raises:
            ValueError: If the kind is unknown; the message lists the known ones.
        """
        if kind not in self._entries:
            raise ValueError(f"unknown {self.group} kind '{kind}'; known kinds: {', '.join(sorted(self._entries))}")
        return self._entries[kind]

    def kinds(self) -> tuple[str, ...]:
        """Return the known kinds, sorted."""
        return tuple(sorted(self._entries))


RANDOMIZERS = Registry("randomizer")
WRITERS = Registry("writer")
