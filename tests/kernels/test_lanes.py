"""Functions over lanes agree with NumPy, and a transposed load is one."""

from __future__ import annotations

import numpy as np
import pytest
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.render.buffers import LANES

COUNT = 1 << 16
RESULTS = ("sine", "cosine", "atan2", "acos", "asin", "log2", "exp2", "pow", "unit")


@wp.func_native(
    gpu.native_source.native("lanes")
    + """
    const int i = group * OMM_WIDTH;
    const F a = omm::load(x.data + i), b = omm::load(y.data + i);
    F s, c;
    omm::sincos(a, s, c);
    const V3 n = omm::unit({a, b, a * b});
    const F all[9] = {s, c, omm::atan2(a, b), omm::acos(c), omm::asin(s), omm::log2(omm::abs(a)), omm::exp2(a),
                      omm::pow(omm::abs(a), b * 0.1f), omm::dot(n, n)};
    for (int k = 0; k < 9; ++k) omm::store(out.data + k * x.shape[0] + i, all[k]);
"""
)
def compute(x: wp.array[float], y: wp.array[float], group: int, out: wp.array[float]):
    """Write every function of a group of numbers."""


@wp.kernel(enable_backward=False)
def compute_all(x: wp.array[float], y: wp.array[float], out: wp.array[float]):
    """Write every function of all numbers."""
    compute(x, y, wp.tid(), out)


@wp.func_native(
    gpu.native_source.native("lanes")
    + """
    const float* p[OMM_WIDTH];
    for (int l = 0; l < OMM_WIDTH; ++l) p[l] = x.data + 11 * l + 3;
    F r[8];
    omm::records(p, r);
    for (int k = 0; k < 8; ++k) omm::store(out.data + k * OMM_WIDTH, r[k]);
"""
)
def transpose(x: wp.array[float], out: wp.array[float]):
    """Write field after field of records of eleven floats, from the fourth on."""


@wp.kernel(enable_backward=False)
def transpose_one(x: wp.array[float], out: wp.array[float]):
    """Write the fields of a group of records."""
    transpose(x, out)


@pytest.fixture(scope="module")
def numbers() -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Return arguments a and b, and what the device makes of them."""
    rng = np.random.default_rng(0)
    a = np.concatenate([rng.uniform(-1.5, 1.5, COUNT // 2), rng.uniform(-100.0, 100.0, COUNT // 2)]).astype(np.float32)
    b = rng.normal(size=COUNT).astype(np.float32)
    out = wp.empty((len(RESULTS), COUNT), dtype=float, device="cpu")
    inputs = [wp.array(values, dtype=float, device="cpu") for values in (a, b)]
    wp.launch(compute_all, COUNT // LANES, [*inputs, out.flatten()], device="cpu")
    return a.astype(np.float64), b.astype(np.float64), dict(zip(RESULTS, out.numpy().astype(np.float64), strict=True))


def test_angles_are_exact_to_a_few_units_of_float32(numbers: tuple) -> None:  # type: ignore[type-arg]
    """Sine and cosine of turns to 2e-7, inverse functions to 4e-7 rad."""
    a, b, found = numbers
    assert np.abs(found["sine"] - np.sin(2.0 * np.pi * a)).max() < 2e-7
    assert np.abs(found["cosine"] - np.cos(2.0 * np.pi * a)).max() < 2e-7
    assert np.abs(found["atan2"] - np.arctan2(a, b)).max() < 4e-7
    assert np.abs(found["acos"] - np.arccos(np.clip(found["cosine"], -1, 1))).max() < 4e-7
    assert np.abs(found["asin"] - np.arcsin(np.clip(found["sine"], -1, 1))).max() < 4e-7


def test_powers_are_exact_to_a_few_units_of_float32(numbers: tuple) -> None:  # type: ignore[type-arg]
    """Logarithms to 3e-7 of the larger of 1 and the result, powers of two to 3e-7 of the result, also below 2^-100."""
    a, b, found = numbers
    log2 = np.log2(np.abs(a))
    assert (np.abs(found["log2"] - log2) / np.maximum(np.abs(log2), 1.0)).max() < 3e-7
    assert np.abs(found["exp2"] / np.exp2(a) - 1.0).max() < 3e-7
    assert np.abs(found["pow"] / np.abs(a) ** (b * 0.1) - 1.0).max() < 3e-6
    assert np.abs(found["unit"] - 1.0).max() < 1e-6


def test_records_are_transposed() -> None:
    """Lane l of field k is float k of record l."""
    table = np.arange(11 * LANES, dtype=np.float32)
    out = wp.empty(8 * LANES, dtype=float, device="cpu")
    wp.launch(transpose_one, 1, [wp.array(table, dtype=float, device="cpu"), out], device="cpu")
    assert np.array_equal(out.numpy().reshape(8, LANES), table.reshape(LANES, 11)[:, 3:11].T)
