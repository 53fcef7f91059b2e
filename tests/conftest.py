"""What every test may ask for: the shared data, and the rules about what may be skipped.

`CI=true` and `OMMATIDIA_STRICT=1` (set by .ci/run and `make judge`) turn missing data and missing judges into failures.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Scenes are read here and now: a child process each would take minutes, a cache would hide what is tested. The tests of
# both ask for them.
os.environ["OMMATIDIA_SANDBOX"] = "false"
os.environ["OMMATIDIA_CACHE"] = ""
# Threads of OpenMP and BLAS wait for each other, which small data and busy cores make the most of the work.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def is_strict() -> bool:
    """Whether a missing precondition is a failure here and not a reason to skip."""
    return "1" in (os.environ.get("OMMATIDIA_STRICT"), os.environ.get("CI")) or os.environ.get("CI") == "true"


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of test data beside the checkout, named by OMMATIDIA_SHARED."""
    named = os.environ.get("OMMATIDIA_SHARED")
    folder = Path(named) if named else ROOT.parent / "shared"
    if not folder.is_dir():
        message = f"no test data at {folder}; set OMMATIDIA_SHARED to the folder that holds usd/ and referee/"
        pytest.fail(message) if is_strict() or named else pytest.skip(message)
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a CUDA device where there is none, which is the one thing that may be missing anywhere."""
    wants_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if wants_gpu and not _has_cuda():
        for item in wants_gpu:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def _has_cuda() -> bool:
    import warp as wp

    wp.init()
    return bool(wp.get_cuda_device_count())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped judge into a failed one: a comparison that did not happen proves nothing."""
    report = yield
    if report.skipped and is_strict() and item.get_closest_marker("judge") and not item.get_closest_marker("gpu"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"a judge may not be skipped: {reason}"
    return report
