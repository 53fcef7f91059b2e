"""Files of optical flow as OpenCV and torchvision read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.write.flow_files import encode_flo, encode_kitti_flow
from tests.judge.readers import read_with

pytestmark = pytest.mark.judge


def test_opencv_and_torchvision_read_what_was_written(tmp_path: Path) -> None:
    """`.flo` exactly, unknown beyond 1e9; KITTI's PNG to a 128th of a pixel, unknown not valid."""
    rng = np.random.default_rng(0)
    flow = rng.uniform(-500.0, 500.0, (29, 41, 2)).astype(np.float32)
    flow[rng.uniform(size=(29, 41)) < 0.2] = np.nan
    known = np.isfinite(flow).all(axis=-1)
    (tmp_path / "a.flo").write_bytes(encode_flo(flow))
    (tmp_path / "a.png").write_bytes(encode_kitti_flow(flow))
    assert read_with("flow.py", tmp_path) == {"shape": [2, 29, 41]}
    for reader in ("opencv", "torchvision"):
        found = np.load(tmp_path / f"{reader}.npy", allow_pickle=False)
        assert np.array_equal(found[known], flow[known])
        assert (found[~known] > 1.0e9).all()
    kitti = np.load(tmp_path / "kitti.npy", allow_pickle=False)
    assert (kitti[..., 2].astype(bool) == known).all()
    assert np.abs(kitti[..., :2] - flow)[known].max() <= 1.0 / 128.0
