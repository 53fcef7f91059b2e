"""Inputs of a batch: what is written is what the device reads, shared rows included."""

from __future__ import annotations

import numpy as np
import warp as wp

from engine import gpu
from engine.render.inputs import Field, Inputs, field, layout_of


def test_values_arrive_where_the_device_looks_for_them() -> None:
    """Converted, aligned, in records with columns that nobody writes, and with rows that are all equal stored once."""
    rng = np.random.default_rng(0)
    poses, colors = rng.normal(size=(3, 5, 3, 4)), rng.random((3, 2, 3), np.float32)
    same = np.repeat(rng.random((1, 7), np.float32), 3, axis=0)
    start = np.arange(8, dtype=np.float32).reshape(2, 4)
    fields = [
        field("pose", gpu.transform.mat34, poses, may_share=True),
        field("same", wp.float32, same, may_share=True),
        field("own", wp.float32, same),
        Field("record", wp.float32, (3, 2, 4), np.float32, (((..., slice(0, 3)), colors),), start, may_share=True),
        field("none", wp.vec3, np.zeros((3, 0, 3), np.float32)),
    ]
    inputs = Inputs(fields, "cpu")
    inputs.write(fields)
    inputs.upload()
    assert (inputs.array("pose").numpy() == poses.astype(np.float32)).all()
    assert (inputs.array("same").numpy() == same).all()
    assert inputs.array("same").strides[0] == 0
    assert inputs.array("own").strides[0] == 28
    record = inputs.array("record").numpy()
    assert (record[..., :3] == colors).all()
    assert (record[..., 3] == start[:, 3]).all()
    assert inputs.array("none").shape == (3, 0)
    assert all(inputs.array(each.name).ptr % 64 == 0 for each in fields[:4])


def test_a_layout_says_whether_rows_are_equal() -> None:
    """Of one row there is nothing to share; a difference in the last row alone counts."""
    values = np.ones((4, 3), np.float32)
    shared = layout_of([field("a", wp.float32, values, may_share=True)])
    values[3, 2] = 2.0
    assert layout_of([field("a", wp.float32, values, may_share=True)]) != shared
    assert not field("a", wp.float32, values[:1], may_share=True).is_shared
    assert not field("a", wp.float32, np.ones((4, 3)), may_share=False).is_shared
