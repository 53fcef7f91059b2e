"""The bench of streams reads the files that a dataset has."""

from __future__ import annotations

import json
import sys

import pytest

from bench import stream


def test_the_stream_is_measured_beside_the_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.stream", "--worlds", "4", "--batch", "2", "--size", "32", "24"])
    stream.main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["stream_over_disk"] == pytest.approx(found["stream_images_per_s"] / found["disk_images_per_s"])
    assert found["stream_with_labels_images_per_s"] > 0
