"""Depth cameras on flat scenes, whose errors have closed forms."""

from __future__ import annotations

import dataclasses
import math
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.frames import Frames
from engine.render import Renderer
from engine.scene.model import Material, Scene
from engine.sensors.depth import LIGHT_M_S, DepthSensor, StereoSensor, StructuredLightSensor, TimeOfFlightSensor
from tests.kernels.alone import assert_same
from tests.kernels.scenes import IMAGES, LABELS, camera, draft_of, pose, quad, rig, scene

SIZE_PX = (128, 96)
FOCAL_PX = 128.0  # width times 24 mm over 24 mm
MATTE = Material("matte", base_color=(0.5, 0.5, 0.5), roughness=1.0, ior=1.0)  # all of it is Lambert's
STEREO = StereoSensor(
    baseline_m=0.2, disparity_sigma_px=0.1, disparity_step_px=0.0, disparity_px=(0.0, 1000.0), lateral_sigma_px=0.0,
    window_px=1, least_contrast=0.0, mirror_roughness=0.0, largest_incidence_deg=90.0, lost_share=0.0,
)  # fmt: skip
PROJECTOR = StructuredLightSensor(
    baseline_m=0.2, disparity_sigma_px=0.0, disparity_step_px=0.0, disparity_px=(0.0, 1000.0), lateral_sigma_px=0.0,
    lateral_growth_px=0.0, largest_range_m=100.0, target_reflectance=0.5, threshold_ratio=1e6,
    largest_incidence_deg=90.0, lost_share=0.0,
)  # fmt: skip
FLIGHT = TimeOfFlightSensor(
    modulation_hz=20e6, periods=1, electrons=2e5, ambient_electrons=1e4, read_electrons=0.0, full_well_electrons=1e9,
    contrast=0.5, least_electrons=0.0, blur_px=0.0, multipath_share=0.0, multipath_m=0.0, range_m=(0.0, 1e5),
    step_m=0.0, lost_share=0.0,
)  # fmt: skip


def plane(depth_m: float, *, size_m: float = 400.0, material: Material = MATTE) -> Scene:
    """Return a wall that faces the camera."""
    return scene([(quad(size_m), pose(at=(0, 0, -depth_m)))], materials=(material,))


def step_scene(near_m: float, far_m: float) -> Scene:
    """Return a wall, and in front of it one from the image's middle to the right."""
    return scene([(quad(400.0), pose(at=(0, 0, -far_m))), (quad(100.0), pose(at=(50, 0, -near_m)))], materials=(MATTE,))


def sense(stage: Scene, sensor: DepthSensor, *, worlds: int = 1, threads: int = 1, **changed: Any) -> Frames:
    """Return what a camera at the origin that looks along -Z sees."""
    outputs = dataclasses.replace(LABELS, depth_sensor=dataclasses.replace(sensor, **changed))
    setup = rig(size_px=SIZE_PX, quality="labels")
    with closing(Renderer(stage, setup, outputs, seed=3, device="cpu", threads=threads)) as renderer:
        return renderer.render(draft_of(stage, setup, camera(pose()), list(range(worlds))))


def measured(frames: Frames) -> NDArray[np.float32]:
    """Return what was measured, without the columns that the second camera does not see."""
    assert frames.depth_sensor_m is not None
    return frames.depth_sensor_m[:, :, 40:]


def slope_of_range() -> NDArray[np.float64]:
    """Return range over planar depth, [y, x]."""
    x, y = np.arange(SIZE_PX[0]) + 0.5 - SIZE_PX[0] / 2, np.arange(SIZE_PX[1]) + 0.5 - SIZE_PX[1] / 2
    out: NDArray[np.float64] = np.sqrt(1.0 + (x[None] / FOCAL_PX) ** 2 + (y[:, None] / FOCAL_PX) ** 2)
    return out


@pytest.mark.parametrize("depth_m", [1.0, 2.0, 4.0])
def test_stereo_noise_grows_with_the_square_of_depth(depth_m: float) -> None:
    """sigma_z = z^2 sigma_d / (f b), and in disparity the noise is sigma_d at every depth."""
    values = measured(sense(plane(depth_m), STEREO, worlds=4)).astype(np.float64)
    disparity = FOCAL_PX * STEREO.baseline_m / values
    count = values.size
    assert disparity.std() == pytest.approx(0.1, rel=4.0 / math.sqrt(2 * count))
    assert disparity.mean() == pytest.approx(FOCAL_PX * STEREO.baseline_m / depth_m, abs=4 * 0.1 / math.sqrt(count))
    assert values.std() == pytest.approx(depth_m**2 * 0.1 / (FOCAL_PX * STEREO.baseline_m), rel=0.03)


def test_disparity_comes_in_steps() -> None:
    """Every measured disparity is a whole number of steps, and several are met."""
    values = measured(sense(plane(3.0), STEREO, disparity_step_px=0.125)).astype(np.float64)
    steps = FOCAL_PX * STEREO.baseline_m / values / 0.125
    assert np.abs(steps - np.rint(steps)).max() < 1e-4
    assert len(np.unique(np.rint(steps))) >= 4


@pytest.mark.parametrize(("baseline_m", "side"), [(0.2, -1), (-0.2, 1)])
@pytest.mark.parametrize("sensor", [STEREO, PROJECTOR])
def test_the_shadow_lies_on_the_side_away_from_the_second_camera(
    sensor: DepthSensor, baseline_m: float, side: int
) -> None:
    """Beside a near edge the far wall is hidden over f b (1 / near - 1 / far) pixels, on one side only."""
    near_m, far_m = 1.0, 4.0
    stage = scene([(quad(400.0), pose(at=(0, 0, -far_m))), (quad(0.25), pose(at=(0, 0, -near_m)))], materials=(MATTE,))
    frames = sense(stage, sensor, baseline_m=baseline_m, disparity_sigma_px=0.0)
    assert frames.depth_sensor_m is not None
    row = frames.depth_sensor_m[0, SIZE_PX[1] // 2]
    width_px = FOCAL_PX * 0.2 * (1 / near_m - 1 / far_m)
    left, right = 64 - 16, 64 + 16  # of the near wall: 0.25 m at 1 m are 32 px
    assert row[left:right] == pytest.approx(near_m, rel=1e-5)
    hidden = np.flatnonzero(row[12:-12] == 0.0) + 12  # beyond, the second camera's frame ends
    first = left - width_px if side < 0 else right
    expected = [x for x in range(SIZE_PX[0]) if first < x + 0.5 < first + width_px]
    assert hidden.tolist() == expected


def test_the_second_camera_sees_no_more_than_its_frame() -> None:
    """On a plane the columns within one disparity of the left border have no match."""
    frames = sense(plane(2.0), STEREO, disparity_sigma_px=0.0)
    assert frames.depth_sensor_m is not None
    disparity_px = FOCAL_PX * STEREO.baseline_m / 2.0
    lost = (frames.depth_sensor_m[0] == 0.0).all(axis=0)
    assert lost.tolist() == [x + 0.5 < disparity_px for x in range(SIZE_PX[0])]


def test_nothing_is_matched_outside_the_search_range() -> None:
    """The largest disparity sets the least depth, f b / d."""
    least_m = FOCAL_PX * STEREO.baseline_m / 10.0
    for depth_m, there in ((0.95 * least_m, False), (1.05 * least_m, True)):
        values = measured(sense(plane(depth_m), STEREO, disparity_sigma_px=0.0, disparity_px=(0.0, 10.0)))
        assert set((values > 0.0).ravel()) == {there}


def test_edges_have_flying_pixels_where_matches_stray() -> None:
    """Lateral noise leaves planes alone, and makes depths between both walls at the edge and only there."""
    near_m, far_m = 2.0, 3.0
    changed = {"baseline_m": -0.2, "disparity_sigma_px": 0.0, "lateral_sigma_px": 0.7}
    frames = sense(step_scene(near_m, far_m), STEREO, worlds=4, **changed)
    assert frames.depth_sensor_m is not None
    values = frames.depth_sensor_m[:, :, :100]
    between = (values > near_m * 1.001) & (values < far_m * 0.999)
    columns = np.flatnonzero(between.any(axis=(0, 1)))
    assert columns.min() >= 64 - 3
    assert columns.max() <= 64 + 2
    assert between[:, :, 63:65].mean() > 0.3
    flat = np.concatenate([values[:, :, :60].ravel() - far_m, values[:, :, 68:].ravel() - near_m])
    assert np.abs(flat[flat > -1.0]).max() < 1e-5


def test_flat_colour_has_no_match_without_a_projector() -> None:
    """Contrast is asked of passive stereo; at an edge of brightness there is some."""
    dark, bright = (
        Material(name, base_color=(c, c, c), roughness=1.0, ior=1.0) for name, c in (("d", 0.2), ("b", 0.8))
    )
    stage = scene(
        [(quad(400.0), pose(at=(0, 0, -2))), (quad(400.0), pose(at=(200, 0, -1.9999)))], materials=(dark, bright)
    )
    slots = {"first_slot": np.array([0, 1], np.int32), "slot_material": np.array([0, 1], np.int32)}
    stage = dataclasses.replace(stage, placements=dataclasses.replace(stage.placements, **slots))
    frames = sense(stage, STEREO, window_px=5, least_contrast=0.1)
    assert frames.depth_sensor_m is not None
    there = (frames.depth_sensor_m[0] > 0.0).any(axis=0)
    assert np.flatnonzero(there).tolist() == [62, 63, 64, 65]


def test_structured_light_reaches_as_far_as_reflectance_allows() -> None:
    """A target that faces the camera is found up to a range that goes with the root of its reflectance."""
    centre = np.s_[0, SIZE_PX[1] // 2, SIZE_PX[0] // 2]
    for reflectance in (0.5, 0.125):
        material = Material("m", base_color=(reflectance,) * 3, roughness=1.0, ior=1.0)
        reach_m = 6.0 * math.sqrt(reflectance / 0.5)
        for share, there in ((0.97, True), (1.03, False)):
            stage = plane(share * reach_m, material=material)
            frames = sense(stage, PROJECTOR, largest_range_m=6.0, baseline_m=0.01)
            assert frames.depth_sensor_m is not None
            assert (frames.depth_sensor_m[centre] > 0.0) == there


def test_half_of_what_is_at_the_threshold_is_found() -> None:
    """Detection is a normal distribution of the signal with the stated ratio to noise."""
    reach_m, ratio = 5.0, 4.0
    stage = plane(4.8)
    values = sense(stage, PROJECTOR, worlds=8, largest_range_m=reach_m, threshold_ratio=ratio, baseline_m=0.01)
    assert values.depth_sensor_m is not None
    found = (values.depth_sensor_m[:, :, 1:] > 0.0).mean(axis=0)
    stretch = slope_of_range()[:, 1:]
    signal = (1 / stretch) / (4.8 * stretch) ** 2 * reach_m**2  # cosine over squared range, relative to the threshold
    expected = 0.5 * (1 + np.vectorize(math.erf)((signal - 1.0) * ratio / math.sqrt(2.0)))
    assert found.mean() == pytest.approx(expected.mean(), abs=4 * 0.5 / math.sqrt(8 * found.size))
    near = signal > 0.8
    assert found[near].mean() == pytest.approx(expected[near].mean(), abs=4 * 0.5 / math.sqrt(8 * near.sum()))


def test_time_of_flight_noise_is_that_of_the_electrons() -> None:
    """sigma_r = c / (4 pi f) sqrt((N + A) / 2) / (N k / 2), with N of albedo, cosine and squared range."""
    depth_m, worlds = 3.0, 40
    frames = sense(plane(depth_m), FLIGHT, worlds=worlds)
    assert frames.depth_sensor_m is not None
    stretch = slope_of_range()
    electrons = FLIGHT.electrons * 0.5 / stretch / (depth_m * stretch) ** 2
    sigma_m = LIGHT_M_S / (4 * math.pi * 20e6) * np.sqrt((electrons + 1e4) / 2) / (electrons * 0.5 / 2)
    error = (frames.depth_sensor_m * stretch - depth_m * stretch) / sigma_m
    assert error.std() == pytest.approx(1.0, abs=4 / math.sqrt(2 * error.size))
    assert error.mean() == pytest.approx(0.0, abs=4 / math.sqrt(error.size))
    corner = error[:, :20, :20]
    assert corner.std() == pytest.approx(1.0, abs=4 / math.sqrt(2 * corner.size))


@pytest.mark.parametrize("periods", [1, 2])
def test_ranges_beyond_the_last_period_fold_back(periods: int) -> None:
    """c / 2f is 7.49 m at 20 MHz; 17 m are measured as what is left after whole periods."""
    frames = sense(plane(17.0), FLIGHT, electrons=1e9, periods=periods)
    assert frames.depth_sensor_m is not None
    stretch = slope_of_range()
    expected = np.mod(17.0 * stretch, periods * LIGHT_M_S / 40e6) / stretch
    assert frames.depth_sensor_m[0] == pytest.approx(expected, abs=0.02)


def test_flying_pixels_of_time_of_flight_are_the_phase_of_a_sum() -> None:
    """Across an edge a pixel adds the light of both walls; its phase is that of the sum, by NumPy in float64."""
    near_m, far_m, blur_px = 2.0, 3.0, 0.5
    frames = sense(step_scene(near_m, far_m), FLIGHT, electrons=1e9, ambient_electrons=0.0, blur_px=blur_px)
    assert frames.depth_sensor_m is not None
    assert frames.depth_m is not None
    stretch = slope_of_range()
    range_m = frames.depth_m[0].astype(np.float64) * stretch
    light = 0.5 / stretch / range_m**2 * np.exp(2j * np.pi * range_m * 40e6 / LIGHT_M_S)
    side = math.exp(-0.5 / blur_px**2)
    weights = np.outer([side, 1, side], [side, 1, side])
    inner = sum(
        weights[i, j] * light[i : i + SIZE_PX[1] - 2, j : j + SIZE_PX[0] - 2] for i in range(3) for j in range(3)
    )
    expected = np.angle(inner) / (2 * np.pi) * LIGHT_M_S / 40e6 / stretch[1:-1, 1:-1]
    result = frames.depth_sensor_m[0, 1:-1, 1:-1]
    assert np.abs(result - expected).max() < 2e-3
    assert ((result[:, 62:64] > near_m + 0.04) & (result[:, 62:64] < far_m - 0.04)).all()


def test_late_light_makes_ranges_too_long() -> None:
    """One late path adds a phasor: the bias is the phase of 1 + s exp(i 2 pi f d / c)."""
    share, late_m = 0.1, 1.5
    frames = sense(plane(2.0), FLIGHT, electrons=1e9, multipath_share=share, multipath_m=late_m)
    assert frames.depth_sensor_m is not None
    phase = np.angle(1 + share * np.exp(2j * np.pi * 20e6 * late_m / LIGHT_M_S))
    bias_m = phase * LIGHT_M_S / (4 * np.pi * 20e6)
    assert bias_m > 0.05
    error = (frames.depth_sensor_m[0] - 2.0) * slope_of_range()
    assert error.mean() == pytest.approx(bias_m, abs=1e-4)


def test_too_little_and_too_much_light_is_no_measurement() -> None:
    """A white wall near the sensor fills the wells, a far one does not reach the least electrons."""
    changed = {"full_well_electrons": 1e5, "least_electrons": 200.0, "ambient_electrons": 0.0, "electrons": 1e5}
    there = {d: (sense(plane(d), FLIGHT, **changed).depth_sensor_m > 0.0)[0, 48, 64] for d in (0.3, 2.0, 40.0)}  # type: ignore[operator]
    assert there == {0.3: False, 2.0: True, 40.0: False}


@pytest.mark.parametrize("sensor", [STEREO, PROJECTOR, FLIGHT])
def test_measurements_do_not_depend_on_batch_or_threads(sensor: DepthSensor) -> None:
    """World 2 is the same alone, among others and on two threads, and differs from world 1."""
    changed = {"lost_share": 0.1}
    stage = step_scene(1.0, 3.0)
    many = sense(stage, sensor, worlds=3, **changed).depth_sensor_m
    threaded = sense(stage, sensor, worlds=3, threads=2, **changed).depth_sensor_m
    assert many is not None
    assert threaded is not None
    assert (many == threaded).all()
    outputs = dataclasses.replace(LABELS, depth_sensor=dataclasses.replace(sensor, **changed))
    setup = rig(size_px=SIZE_PX, quality="labels")
    with closing(Renderer(stage, setup, outputs, seed=3, device="cpu", threads=1)) as renderer:
        alone = renderer.render(draft_of(stage, setup, camera(pose()), [2])).depth_sensor_m
    assert alone is not None
    assert (alone[0] == many[2]).all()
    assert (many[1] != many[2]).any()


def test_a_depth_camera_leaves_all_other_images_as_they_are() -> None:
    """Bit for bit, with light and silhouettes."""
    stage, setup = step_scene(1.0, 3.0), rig(size_px=(64, 48))
    images = []
    for sensor in (None, STEREO, FLIGHT):
        outputs = dataclasses.replace(IMAGES, depth_sensor=sensor)
        with closing(Renderer(stage, setup, outputs, seed=3, device="cpu")) as renderer:
            images.append(renderer.render(draft_of(stage, setup, camera(pose()), [0, 1])))
    for name in ("rgb", "rgb_linear", "depth_m", "normal", "instance"):
        first, *others = (getattr(frames, name) for frames in images)
        assert all((first == other).all() for other in others), name
    for frames in images[1:]:
        assert_same(frames.labels, images[0].labels)
