"""What was worked out for a topology, kept in the process so that frames and scenes with the same one share it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Protocol, TypeVar


class Sized(Protocol):
    """Something that knows its size."""

    def byte_count(self) -> int:
        """Return about how much memory it takes."""


T = TypeVar("T", bound=Sized)


class TopologyCache:
    """The most recently used values, at most so many bytes of them."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._values: OrderedDict[tuple[type, bytes], Sized] = OrderedDict()
        self._lock = Lock()

    def get(self, kind: type[T], key: bytes, make: Callable[[], T]) -> T:
        """Return the value of a key; made, and kept if it fits, when it is not there."""
        with self._lock:
            known = self._values.get((kind, key))
            if known is not None:
                self._values.move_to_end((kind, key))
        if isinstance(known, kind):
            return known
        value = make()
        size = value.byte_count()
        with self._lock:
            if size <= self._max_bytes and (kind, key) not in self._values:
                self._values[kind, key] = value
                self._bytes += size
            while self._bytes > self._max_bytes:
                self._bytes -= self._values.popitem(last=False)[1].byte_count()
        return value
