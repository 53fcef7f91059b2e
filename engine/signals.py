"""Stop signals: TERM, INT and USR2 raise a flag that the work looks at between shards; a second INT interrupts at once.

Only the standard library, because the handlers must stand before anything slow is imported. A process has one set of
signal handlers, so the flag is the process's too: the one piece of global state in the engine.

Inside submitit nothing is installed: its own handlers queue the job again, and a shard that they cut short is simply
made again. Any other handler that was there is called after the flag is raised.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)

_stop = threading.Event()


def install() -> None:
    """Let the stop signals raise the flag; call it once, in the main thread."""
    if in_submitit():
        return
    for number in STOP_SIGNALS:
        previous = signal.getsignal(number)

        def handle(number: int, frame: FrameType | None, previous: object = previous) -> None:
            again = _stop.is_set()
            _stop.set()
            if number == signal.SIGINT:
                if again:
                    raise KeyboardInterrupt
            elif callable(previous):
                previous(number, frame)

        signal.signal(number, handle)


def in_submitit() -> bool:
    """Return whether this process is a job that submitit started."""
    return "SUBMITIT_EXECUTOR" in os.environ


def stop_requested() -> bool:
    """Return whether a stop signal has come."""
    return _stop.is_set()


def request_stop() -> None:
    """Raise the flag without a signal."""
    _stop.set()
