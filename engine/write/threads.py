"""How many threads help with work that is not rendering."""

from __future__ import annotations

import os


def thread_count() -> int:
    """Return the number of processors that this process may use; a job of a cluster often has few of the machine's."""
    return len(os.sched_getaffinity(0))
