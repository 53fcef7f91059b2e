"""Progress on standard error: a bar on a terminal, otherwise one plain line every half minute."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import Any, TextIO

PLAIN_PERIOD_S = 30.0  # a day of work is 2,880 lines in a log


@dataclass
class Progress:
    """Counts frames. Use it as a context; `update` may be called from one thread only."""

    total_frames: int = 0
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    period_s: float = PLAIN_PERIOD_S
    _done: int = 0
    _before: int = 0  # frames that were there already: they count as done, but not for the speed
    _begun_s: float = 0.0
    _said_s: float = 0.0
    _bar: Any = None

    def begin(self, total_frames: int, *, done_frames: int = 0) -> None:
        """Start the clock, `done_frames` of `total_frames` being there from an earlier run."""
        self.total_frames, self._done, self._before = total_frames, done_frames, done_frames
        self._begun_s = self._said_s = time.monotonic()
        if self.stream.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total_frames, initial=done_frames, unit="frame", file=self.stream, smoothing=0.05)

    def update(self, frames: int) -> None:
        """Add finished frames."""
        self._done += frames
        if self._bar is not None:
            self._bar.update(frames)
        elif self._begun_s and time.monotonic() - self._said_s >= self.period_s:
            self._said_s = time.monotonic()
            self.stream.write(self.line() + "\n")
            self.stream.flush()

    def say(self, line: str) -> None:
        """Write a line of its own, beside the bar."""
        if self._bar is not None:
            self._bar.write(line, file=self.stream)
        else:
            self.stream.write(line + "\n")
            self.stream.flush()

    def line(self) -> str:
        """Return where the work stands, as one line: count, frames a second, time left."""
        elapsed_s = max(time.monotonic() - self._begun_s, 1.0e-9)
        speed = (self._done - self._before) / elapsed_s
        left = f"{(self.total_frames - self._done) / speed:.0f} s left" if speed > 0.0 else "no frame yet"
        return f"{self._done}/{self.total_frames} frames, {speed:.1f} frames/s, {left}"

    def close(self) -> None:
        """Finish the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
