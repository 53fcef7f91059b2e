"""Launches recorded once and run again and again; the structs they were given may change in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import warp as wp


class Program:
    """Launches and other steps in the order they run.

    A recorded launch keeps the structs it was given: what is changed in one of them counts from the next run on.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._steps: list[Any] = []  # wp.Launch, or a function without arguments

    def launch(self, kernel: Any, dim: int | Sequence[int], arguments: list[Any], *, block_dim: int = 256) -> None:
        """Record a launch."""
        command = wp.launch(kernel, dim, arguments, device=self.device, record_cmd=True, block_dim=block_dim)
        if command is not None:  # None: a launch of nothing
            self._steps.append(command)

    def call(self, step: Callable[[], Any]) -> None:
        """Record a call."""
        self._steps.append(step)

    def run(self) -> None:
        """Run all steps."""
        for step in self._steps:
            if isinstance(step, wp.Launch):
                step.launch()
            else:
                step()
