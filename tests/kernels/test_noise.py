"""Noise is what a float64 reference makes of the same formulas, has the moments it claims, and fades as a box does."""

from __future__ import annotations

import numpy as np
import pytest
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.render.buffers import LANES
from tests.kernels import noise_reference as reference

KIND = gpu.noise.NoiseKind
AXIS = np.array([0.6, 0.0, 0.8])
SEED, OCTAVES, STRETCH = 77, 4, 6.0
COUNT = 1 << 15
DIRECTIONS = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 1, 1), (1, -1, 1)]


def evaluated(kind: int, p: NDArray[np.float64], *, footprint: float = 0.0, octaves: int = OCTAVES) -> NDArray:  # type: ignore[type-arg]
    """Return value, gradient and hidden variance, [5, point], of the kernels."""
    request = gpu.noise.NoiseRequest()
    request.kind, request.seed, request.octaves = int(kind), SEED, octaves
    request.stretch, request.axis, request.footprint = STRETCH, wp.vec3(*AXIS), footprint
    out = wp.empty((5, len(p)), dtype=float, device="cpu")
    points = wp.array(p.astype(np.float32), dtype=wp.vec3, device="cpu")
    wp.launch(gpu.noise.evaluate_noise, len(p) // LANES, [request, points, out.flatten()], device="cpu")
    return out.numpy().astype(np.float64)


def expected(kind: int, p: NDArray[np.float64], octaves: int = OCTAVES) -> NDArray[np.float64]:
    """Return the reference's values."""
    if kind == KIND.VALUE:
        return reference.value_noise(p, SEED)
    if kind == KIND.GRADIENT:
        return reference.gradient_noise(p, SEED)
    if kind == KIND.STREAKS:
        return reference.streaks(p, AXIS, STRETCH, SEED, octaves)
    if kind in (KIND.NEAREST, KIND.SECOND):
        first, second = reference.nearest_points(p, SEED)
        if kind == KIND.NEAREST:
            return (first - reference.NEAREST_MEAN) / reference.NEAREST_STD
        return (second - reference.SECOND_MEAN) / reference.SECOND_STD
    fold = {KIND.FBM: 0.0, KIND.RIDGED: -1.0, KIND.TURBULENCE: 1.0}[KIND(kind)]
    return reference.octave_noise(p, SEED, octaves, fold=fold)


def points(count: int = COUNT, *, size: float = 200.0) -> NDArray[np.float64]:
    """Return random points on both sides of the origin that float32 holds exactly."""
    p = np.random.default_rng(3).uniform(-size, size, (count, 3))
    return p.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("kind", list(KIND))
def test_noise_is_that_of_the_reference(kind: int) -> None:
    """To what float32 keeps at 200 cells, which are 1600 in the last octave, and to 1e-5 near the origin."""
    p = points(4096)
    assert np.abs(evaluated(kind, p)[0] - expected(kind, p)).max() < 5e-4
    near = points(4096, size=4.0)
    assert np.abs(evaluated(kind, near)[0] - expected(kind, near)).max() < 1e-5


@pytest.mark.parametrize("kind", [k for k in KIND if k != KIND.SECOND])
def test_the_gradient_is_that_of_the_values(kind: int) -> None:
    """Central differences of the float64 reference; at creases of folds and cells they do not exist."""
    p, step = points(2048, size=4.0), 1.0e-5
    found = evaluated(kind, p)[1:4].T
    differences = [(expected(kind, p + d) - expected(kind, p - d)) / (2 * step) for d in step * np.eye(3)]
    error = np.linalg.norm(found - np.stack(differences, axis=-1), axis=1) / (1.0 + np.linalg.norm(found, axis=1))
    assert np.quantile(error, 0.995) < 2e-3
    assert (error < 2e-3).mean() > 0.99


@pytest.mark.parametrize("kind", list(KIND))
def test_noise_has_mean_0_and_variance_1(kind: int) -> None:
    p = points(1 << 17, size=3000.0)
    value = evaluated(kind, p)[0]
    assert value.mean() == pytest.approx(0.0, abs=0.02)
    assert value.std() == pytest.approx(1.0, abs=0.01)


def test_gradient_noise_knows_no_direction() -> None:
    """Over half a cell it changes as much along a diagonal as along an axis, to 4 %."""
    p = points(1 << 16)
    start = evaluated(KIND.GRADIENT, p)[0]
    change = []
    for direction in DIRECTIONS:
        step = 0.5 * np.array(direction) / np.linalg.norm(direction)
        change.append(((evaluated(KIND.GRADIENT, p + step)[0] - start) ** 2).mean())
    assert np.array(change) == pytest.approx(np.full(len(change), np.mean(change)), rel=0.04)


def test_streaks_are_as_long_as_they_are_said_to_be() -> None:
    """The slope along the axis is the slope across it over the stretch, to 3 %."""
    slope = evaluated(KIND.STREAKS, points())[1:4].T
    along = slope @ AXIS
    across = slope @ np.array([0.0, 1.0, 0.0])
    assert across.std() / along.std() == pytest.approx(STRETCH, rel=0.03)


@pytest.mark.parametrize("footprint", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("octaves", [1, 4])
def test_a_footprint_takes_away_what_a_box_filter_does(footprint: float, octaves: int) -> None:
    """The deviation over random slices is that of 256 samples a pixel of the reference, to 0.07 of the whole."""
    rng = np.random.default_rng(5)
    p = points(1024)
    along = rng.normal(size=p.shape)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(along, rng.normal(size=p.shape))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    at = footprint * ((np.arange(16) + 0.5) / 16 - 0.5)
    samples = p[:, None, None] + along[:, None, None] * at[None, :, None, None] + across[:, None, None] * at[:, None]
    brute = expected(KIND.FBM, samples.reshape(-1, 3), octaves).reshape(len(p), -1).mean(axis=1)
    value, hidden = evaluated(KIND.FBM, points(), footprint=footprint, octaves=octaves)[[0, 4]]
    assert value.std() == pytest.approx(brute.std(), abs=0.07)
    assert value.var() + hidden.mean() == pytest.approx(1.0, abs=0.03)


def test_what_a_pixel_cannot_show_is_not_there() -> None:
    """Beyond ten cells a pixel nothing is left, and all variance is accounted for as hidden."""
    value, _, _, _, hidden = evaluated(KIND.FBM, points(1024), footprint=12.0)
    assert not value.any()
    assert hidden == pytest.approx(np.ones(1024), abs=1e-6)
