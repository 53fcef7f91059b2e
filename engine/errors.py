"""Errors that a person can act on: one line each, with the exit code that the command line gives them."""

from __future__ import annotations


class UserError(Exception):
    """Something the caller wrote cannot be done; the message is one line that says what to change."""

    exit_code = 2


class ForeignOutput(UserError):  # noqa: N818 - named after what happened, as are the others here
    """`out` holds a dataset of another recipe or of other sources of the program; nothing was written."""

    exit_code = 3


class WriteFailed(Exception):  # noqa: N818
    """The disk refused (full, read-only, gone); what was committed is intact."""

    exit_code = 74  # EX_IOERR of sysexits.h


class Stopped(Exception):  # noqa: N818
    """A signal asked to stop; the work stands at a shard boundary and the same command goes on from there."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h


class WorkersFailed(Exception):  # noqa: N818
    """Some worker processes failed, each with a line of its own; the others went on."""

    exit_code = 1


def near_matches(word: str, known: tuple[str, ...], *, limit: int = 8) -> str:
    """Return the known words that look most like `word`, nearest first, as text for a one-line error."""
    import difflib

    near = difflib.get_close_matches(word, known, n=limit, cutoff=0.4) or list(known[:limit])
    rest = len(known) - len(near)
    return (", ".join(near) or "none") + (f" and {rest} more" if rest > 0 else "")
