"""The bench of labels measures the frame that its targets speak of."""

from __future__ import annotations

import pytest

from bench import labels


def test_labels_are_measured_beside_the_frame_they_belong_to() -> None:
    found = labels.measure("cpu", budget_s=0.0)
    assert found["instances"] >= labels.LEAST_INSTANCES
    assert found["full_mpx"] > 0.640 * 0.480
    for suffix in ("", "_median", "_cpu"):
        amodal_s = found[f"amodal_s{suffix}"] - found[f"frame_s{suffix}"]
        assert found[f"amodal_over_frame{suffix}"] == pytest.approx(amodal_s / found[f"frame_s{suffix}"])
        assert found[f"blenderproc_over_amodal{suffix}"] == pytest.approx(labels.BLENDERPROC_S / amodal_s)
    assert {"masks.count_runs", "canvas.cover_words", "trace.trace_primary"} <= found["launches_s"].keys()
