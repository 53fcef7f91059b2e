"""LiDAR sweeps of simple scenes, against closed forms in float64."""

from __future__ import annotations

import dataclasses
import math
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.draft import Draft
from engine.frames import Frames
from engine.render import Renderer
from engine.rig import authored_draft
from engine.scene.model import Material, Scene, Texture, TextureInput, Wrap
from engine.sensors.lidar import (
    Lidar,
    LidarBeam,
    LidarDetector,
    LidarMotion,
    LidarMount,
    RasterLidar,
    RosetteLidar,
    SpinningLidar,
)
from engine.sensors.sweep import NO_RETURN, points_of, sweep_of
from tests.kernels.alone import assert_same
from tests.kernels.scenes import IMAGES, LABELS, camera, draft_of, look_at, pose, quad, rig, scene, sphere

MATTE = Material("matte", base_color=(0.5, 0.5, 0.5), roughness=1.0, ior=1.0)  # all of it is Lambert's
MOUNT = LidarMount("auto", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), upright=False)
PENCIL = LidarBeam((0.0, 0.0), 1)
IDEAL = LidarDetector("strongest", 0.5, (0.0, 1e4), 0.0, 0.1, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0)
STILL = LidarMotion((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), "none")
SPINNING = SpinningLidar(MOUNT, PENCIL, IDEAL, STILL, 16, (-15.0, 15.0), (), (), 2e-6, 10.0, True, 360, 180.0)
ROSETTE = RosetteLidar(MOUNT, PENCIL, IDEAL, STILL, (121.57, -77.73), (9.6, 9.6), 20_000.0, 0.1)
RASTER = RasterLidar(MOUNT, PENCIL, IDEAL, STILL, (400.0, 20.0), (60.0, 20.0), "sawtooth", 40_000.0, 0.05)
FORWARD = look_at((0, 0, 0), (1, 0, 0))  # the sensor's axes are then the world's
TOWARDS = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])  # of a quad that faces along x


def wall(distance_m: float, *, size_m: float = 1000.0, material: Material = MATTE) -> Scene:
    """Return a wall x = distance."""
    return scene([(quad(size_m), pose(at=(distance_m, 0, 0), axes=TOWARDS))], materials=(material,))


def scanned(
    stage: Scene, lidar: Lidar, *, at: Any = FORWARD, worlds: int = 1, threads: int = 1, step: int = 0
) -> Frames:
    """Return the sweeps of a LiDAR at a camera."""
    setup, outputs = rig(size_px=(8, 4), quality="labels"), dataclasses.replace(LABELS, lidar=lidar)
    draft = draft_of(stage, setup, camera(at), list(range(worlds)))
    draft.step[:] = step
    with closing(Renderer(stage, setup, outputs, seed=5, device="cpu", threads=threads)) as renderer:
        return renderer.render(draft)


def table(stage: Scene, lidar: Lidar, **given: Any) -> Any:
    """Return the returns of the first world."""
    return points_of(sweep_of(lidar, scanned(stage, lidar, **given), 0), stage.instances.class_id)


def xyz(points: Any) -> NDArray[np.float64]:
    """Return the coordinates of points, [point, 3]."""
    return np.stack([points[name] for name in "xyz"], axis=1).astype(np.float64)


def with_detector(lidar: Lidar, **changed: Any) -> Lidar:
    """Return a LiDAR with another detector."""
    return dataclasses.replace(lidar, detector=dataclasses.replace(lidar.detector, **changed))


def exponential(twist: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the exponential of a small matrix by its series."""
    out = term = np.eye(4)
    for k in range(1, 25):
        term = term @ twist / k
        out = out + term
    return out


def test_spinning_beams_have_the_stated_angles_and_times() -> None:
    """Inside a sphere every beam returns: elevation by channel, azimuth by the time of firing, clockwise."""
    stage = scene([(sphere(10.0), pose())], materials=(MATTE,))
    points = table(stage, SPINNING)
    assert len(points) == 16 * 360
    firing, channel = np.divmod(np.arange(len(points)), 16)
    time_s = firing / 3600.0 + channel * 2e-6
    azimuth = np.radians(180.0 - 3600.0 * time_s)
    elevation = np.radians(-15.0 + 2.0 * channel)
    assert (points["channel"] == channel).all()
    assert points["time_s"] == pytest.approx(time_s, abs=1e-8)
    assert np.abs(np.exp(1j * points["azimuth_rad"]) - np.exp(1j * azimuth)).max() < 2e-6
    flat = np.cos(elevation)
    direction = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)], axis=1)
    assert np.abs(xyz(points) / points["range_m"][:, None] - direction).max() < 2e-6


def test_rosettes_add_the_deflections_of_two_prisms() -> None:
    """The angle from the axis is a sum of two circles whose phases are drawn for a world."""
    frames = scanned(wall(5.0), ROSETTE)
    sweep = sweep_of(ROSETTE, frames, 0)
    point = sweep.value[:, 0, :3].astype(np.float64)
    bend = np.arctan2(np.hypot(point[:, 1], point[:, 2]), point[:, 0])
    found = bend * np.exp(1j * np.arctan2(point[:, 2], point[:, 1]))
    time_s = np.arange(2000) / 20_000.0
    turns = np.exp(2j * np.pi * np.outer(time_s, ROSETTE.prism_hz)) * np.radians(9.6)
    phase, *_ = np.linalg.lstsq(turns, found, rcond=None)  # two unknown numbers explain 2000 angles
    assert np.abs(phase) == pytest.approx(1.0, abs=1e-5)
    assert np.abs(turns @ phase - found).max() < 1e-5


def test_a_later_step_goes_on_where_the_pattern_was() -> None:
    """Step 1 begins at the phases that step 0 ends with, so that sweeps of a rosette do not repeat."""
    first, second = (sweep_of(ROSETTE, scanned(wall(5.0), ROSETTE, step=step), 0).value for step in (0, 1))
    longer = dataclasses.replace(ROSETTE, sweep_s=0.2)
    both = sweep_of(longer, scanned(wall(5.0), longer), 0).value
    joined = np.concatenate([first, second])[..., :3]
    assert np.abs(joined - both[..., :3]).max() < 1e-4
    assert np.abs(first - second)[..., :3].max() > 1.0


@pytest.mark.parametrize("slow", ["sawtooth", "sine"])
def test_mirrors_swing_within_the_field(slow: Any) -> None:
    """Azimuth is a sine of 60 degrees in all; elevation a sawtooth, or another sine, of 20."""
    lidar = dataclasses.replace(RASTER, slow=slow)
    point = sweep_of(lidar, scanned(wall(5.0), lidar), 0).value[:, 0].astype(np.float64)
    elevation = np.degrees(np.arctan2(point[:, 2], np.hypot(point[:, 0], point[:, 1])))
    azimuth, time_s = np.degrees(point[:, 6]), np.arange(2000) / 40_000.0
    waves = np.stack([f(2 * np.pi * 400.0 * time_s) for f in (np.sin, np.cos)], axis=1)
    share, *_ = np.linalg.lstsq(waves, azimuth, rcond=None)
    assert np.hypot(*share) == pytest.approx(30.0, abs=1e-3)
    assert np.abs(waves @ share - azimuth).max() < 1e-3
    if slow == "sawtooth":
        rise = np.diff(elevation)
        assert np.median(rise) == pytest.approx(20.0 * 20.0 / 40_000.0, rel=1e-3)
        assert (rise < -19.0).sum() == 1
    else:
        waves = np.stack([f(2 * np.pi * 20.0 * time_s) for f in (np.sin, np.cos)], axis=1)
        share, *_ = np.linalg.lstsq(waves, elevation, rcond=None)
        assert np.hypot(*share) == pytest.approx(10.0, abs=1e-3)
        assert np.abs(waves @ share - elevation).max() < 1e-3


def test_ranges_to_a_wall_and_a_sphere_are_exact() -> None:
    """Distance over cosine to a plane; the quadratic's root to a sphere, up to its triangles."""
    points = table(wall(7.0), SPINNING)
    assert len(points) > 2000
    off = np.abs(points["x"] - 7.0)
    assert off[points["range_m"] < 20.0].max() < 5e-5
    assert (off < 2e-5 * points["range_m"]).all()
    ball = scene([(sphere(1.0, rings=200), pose(at=(5, 0, 0)))], materials=(MATTE,))
    points = table(ball, dataclasses.replace(RASTER, field_deg=(12.0, 12.0)))
    away = np.linalg.norm(xyz(points) - [5, 0, 0], axis=1)
    assert len(points) > 500
    assert np.abs(away - 1.0).max() < 2e-4  # the sagitta of a triangle's edge: (pi / 200)^2 / 2


def test_the_mount_moves_and_turns_the_sensor() -> None:
    """Offset in the sensor's axes, then yaw; upright takes out the camera's tilt."""
    mount = LidarMount("auto", (1.0, 2.0, 3.0), (0.0, 0.0, 90.0), upright=True)
    lidar = dataclasses.replace(SPINNING, mount=mount)
    tilted = look_at((0, 0, 0), (1, 0, -0.7))
    sweep = sweep_of(lidar, scanned(wall(7.0), lidar, at=tilted), 0)
    expected = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3]]
    assert np.abs(sweep.world_from_sensor - expected).max() < 1e-12
    points = points_of(sweep, np.zeros(2, np.int32))
    assert np.abs(points["y"] + 6.0)[points["range_m"] < 20.0].max() < 1e-4  # the wall is to the right now


def test_intensity_falls_with_cosine_and_squared_range() -> None:
    """A Lambert wall gives albedo cos / r^2 in every direction, and a quarter of it at twice the distance."""
    for distance_m in (4.0, 8.0):
        points = table(wall(distance_m), SPINNING)
        near = points[points["range_m"] < 30.0]
        cosine = distance_m / near["range_m"].astype(np.float64)
        assert near["intensity"] == pytest.approx(0.5 * cosine / near["range_m"] ** 2, rel=1e-4)


def test_reflectance_is_the_luminance_of_texture_tint_and_what_is_not_metal() -> None:
    """A wall whose image is red to the right and green to the left, tinted, and half of metal."""
    pixels = np.zeros((8, 8, 4), np.float32)
    pixels[:, :4], pixels[:, 4:] = (0.8, 0.0, 0.0, 1.0), (0.0, 0.4, 0.0, 1.0)
    textures = (Texture("halves", pixels, Wrap.CLAMP, Wrap.CLAMP),)
    driven = {"base_color": TextureInput(0, 0, (1.0,) * 4, (0.0,) * 4, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))}
    material = Material("m", base_color=(1.0, 1.0, 1.0), roughness=1.0, ior=1.0, textures=driven)
    stage = scene([(quad(40.0), pose(at=(5, 0, 0), axes=TOWARDS))], materials=(material,), textures=textures)
    setup, outputs = rig(size_px=(8, 4), quality="labels"), dataclasses.replace(LABELS, lidar=SPINNING)
    draft = draft_of(stage, setup, camera(FORWARD), [0])
    draft.tint[:] = (0.5, 0.25, 1.0)
    with closing(Renderer(stage, setup, outputs, seed=5, device="cpu")) as renderer:
        plain = points_of(sweep_of(SPINNING, renderer.render(draft), 0), stage.instances.class_id)
        draft.metallic[:] = 0.5
        metal = points_of(sweep_of(SPINNING, renderer.render(draft), 0), stage.instances.class_id)
    albedo = plain["intensity"] * plain["range_m"].astype(np.float64) ** 3 / 5.0
    aside = np.abs(plain["y"]) > 5.0  # where no texel of the other half is interpolated
    expected = np.where(plain["y"] < 0.0, 0.2126 * 0.8 * 0.5, 0.7152 * 0.4 * 0.25)
    assert aside.sum() > 100
    assert albedo[aside] == pytest.approx(expected[aside], rel=1e-3)
    # Of alpha 1 the GGX lobe of the metal's half is F0 / 4 in every direction.
    cosine = 5.0 / plain["range_m"][aside]
    half = 0.5 * expected[aside] * (1.0 + 0.25 / cosine)
    assert (metal["intensity"] / plain["intensity"])[aside] * expected[aside] == pytest.approx(half, rel=2e-3)


def test_gloss_answers_where_the_beam_meets_it_head_on() -> None:
    """At normal incidence the GGX lobe adds F0 / (4 alpha^2) to the albedo."""
    material = Material("gloss", base_color=(0.3, 0.3, 0.3), roughness=0.5, ior=1.5)
    points = table(wall(3.0, material=material), dataclasses.replace(SPINNING, channels=1, elevation_deg=(0.0, 0.0)))
    straight = points[np.argmin(points["range_m"])]
    assert straight["range_m"] == pytest.approx(3.0, abs=1e-5)
    assert straight["intensity"] * 9.0 == pytest.approx(0.3 + 0.04 / (4 * 0.25**2), rel=1e-3)


def test_range_noise_has_the_stated_deviation_and_steps() -> None:
    """4 % of a metre, rounded to 1 cm; the walk adds what a pulse is near the threshold."""
    lidar = with_detector(RASTER, range_sigma_m=0.04, range_step_m=0.01)
    clean, noisy = table(wall(7.0), RASTER), table(wall(7.0), lidar)
    error = noisy["range_m"].astype(np.float64) - clean["range_m"]
    sigma = math.hypot(0.04, 0.01 / math.sqrt(12.0))
    assert error.std() == pytest.approx(sigma, rel=4 / math.sqrt(2 * len(error)))
    assert error.mean() == pytest.approx(0.0, abs=4 * sigma / math.sqrt(len(error)))
    assert np.abs(noisy["range_m"] * 100.0 - np.rint(noisy["range_m"] * 100.0)).max() < 1e-3
    walk = {"largest_range_m": 20.0, "target_reflectance": 0.5, "threshold_ratio": 1e6, "range_walk_m": 0.1}
    late = table(wall(7.0), with_detector(RASTER, **walk))["range_m"] - clean["range_m"]
    assert late == pytest.approx(0.1 * (0.5 / 400.0) / clean["intensity"], abs=2e-6)


def test_dark_walls_are_lost_beyond_the_stated_range_and_some_beams_anyway() -> None:
    """Signal at the threshold is found half the time; `lost_share` of beams never."""
    reach = {"largest_range_m": 10.0, "target_reflectance": 0.5}
    narrow = dataclasses.replace(RASTER, field_deg=(2.0, 2.0))  # nearly head on
    found = [
        len(table(wall(d), with_detector(narrow, **reach, threshold_ratio=10.0))) / 2000 for d in (8.0, 10.0, 13.0)
    ]
    assert found[0] > 0.999
    assert found[1] == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(2000))
    assert found[2] < 0.001
    lost = 1 - len(table(wall(5.0), with_detector(narrow, lost_share=0.1))) / 2000
    assert lost == pytest.approx(0.1, abs=4 * 0.3 / math.sqrt(2000))
    assert len(table(wall(5.0), with_detector(narrow, range_m=(0.0, 4.9)))) == 0
    assert len(table(wall(5.0), with_detector(narrow, range_m=(5.1, 99.0)))) == 0


def test_wide_beams_at_an_edge_have_two_returns() -> None:
    """Half the beam on a near wall, half on the far one: both ranges, each with its share of the light."""
    stage = scene(
        [(quad(100.0), pose(at=(8, 0, 0), axes=TOWARDS)), (quad(100.0), pose(at=(4, 50.0, 0), axes=TOWARDS))],
        materials=(MATTE,),
    )
    beam = LidarBeam((20.0, 20.0), 61)
    lidar = dataclasses.replace(SPINNING, beam=beam, channels=1, elevation_deg=(0.0, 0.0), start_deg=0.0, firings=3600)
    lidar = with_detector(lidar, returns="dual")
    sweep = sweep_of(lidar, scanned(stage, lidar), 0)
    ahead, instance = sweep.value[0], sweep.id[0, :, 0]
    assert sorted(ahead[:, 3].tolist()) == pytest.approx([4.0, 8.0], rel=1e-4)
    assert instance[np.argsort(ahead[:, 3])].tolist() == [2, 1]
    light = {round(float(r)): float(i) for r, i in ahead[:, 3:5]}
    assert light[4] * 16 + light[8] * 64 == pytest.approx(0.5, rel=1e-3)  # together they are one target
    assert 0.4 < light[4] * 16 / 0.5 < 0.6
    assert light[4] > light[8]
    assert ahead[0, 3] == pytest.approx(4.0, rel=1e-4)  # the strongest comes first
    last = with_detector(lidar, returns="last")
    assert sweep_of(last, scanned(stage, last), 0).value[0, 0, 3] == pytest.approx(8.0, rel=1e-4)
    coarse = with_detector(lidar, resolution_m=5.0)
    merged = sweep_of(coarse, scanned(stage, coarse), 0)
    assert merged.id[0, 1, 0] == NO_RETURN
    assert 4.0 < merged.value[0, 0, 3] < 8.0
    beside = sweep.id[1800]  # behind there is nothing
    assert (beside[:, 0] == NO_RETURN).all()


def test_glass_is_passed_by_the_share_that_it_lets_through() -> None:
    """A quarter of opacity stops a quarter of the sub-rays; the wall behind gets the others."""
    pane = Material("pane", base_color=(0.5, 0.5, 0.5), roughness=1.0, ior=1.0, opacity=0.25)
    stage = scene(
        [(quad(100.0), pose(at=(4, 0, 0), axes=TOWARDS)), (quad(100.0), pose(at=(8, 0, 0), axes=TOWARDS))],
        materials=(pane, MATTE),
    )
    slots = {"first_slot": np.array([0, 1], np.int32), "slot_material": np.array([0, 1], np.int32)}
    stage = dataclasses.replace(stage, placements=dataclasses.replace(stage.placements, **slots))
    points = table(stage, dataclasses.replace(RASTER, field_deg=(10.0, 10.0)))
    assert len(points) == 2000
    assert (points["instance"] == 1).mean() == pytest.approx(0.25, abs=4 * 0.433 / math.sqrt(2000))


def test_a_moving_sensor_distorts_the_cloud_as_it_should() -> None:
    """Past a wall: at time t the sensor is v t nearer, so that the raw cloud has x = d - v t."""
    moving = LidarMotion((3.0, 0.0, 0.0), (0.0, 0.0, 0.0), "none")
    points = table(wall(7.0), dataclasses.replace(SPINNING, motion=moving))
    near = points[points["range_m"] < 30.0]
    assert near["x"] == pytest.approx(7.0 - 3.0 * near["time_s"].astype(np.float64), abs=1e-4)
    assert near["x"].max() - near["x"].min() > 0.1


@pytest.mark.parametrize("moment", ["start", "middle"])
def test_compensation_gives_the_cloud_of_one_moment(moment: Any) -> None:
    """With velocity and rotation the wall is a plane again, seen from where the sensor is at that moment."""
    velocity, spin_deg_s = (3.0, -2.0, 1.0), (20.0, 40.0, 120.0)
    lidar = dataclasses.replace(SPINNING, motion=LidarMotion(velocity, spin_deg_s, moment))
    points = table(wall(7.0), lidar)
    x, y, z = np.radians(spin_deg_s)
    twist = np.zeros((4, 4))
    twist[:3, :3] = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
    twist[:3, 3] = velocity
    pose_then = exponential(twist * (0.05 if moment == "middle" else 0.0))
    near = points[points["range_m"] < 30.0]
    world = xyz(near) @ pose_then[:3, :3].T + pose_then[:3, 3]
    assert np.abs(world[:, 0] - 7.0).max() < 1e-4
    raw = table(wall(7.0), dataclasses.replace(lidar, motion=LidarMotion(velocity, spin_deg_s, "none")))
    each = np.stack([exponential(twist * t) for t in raw["time_s"].astype(np.float64)])
    moved = np.einsum("nij,nj->ni", each[:, :3, :3], xyz(raw)) + each[:, :3, 3]
    assert np.abs(moved[:, 0] - 7.0)[raw["range_m"] < 30.0].max() < 1e-4
    assert np.abs(xyz(raw) - xyz(points)).max() > 0.1


@pytest.mark.parametrize("lidar", [SPINNING, ROSETTE, RASTER])
def test_sweeps_do_not_depend_on_batch_or_threads(lidar: Lidar) -> None:
    """World 2 is the same alone, among others and on two threads, and its noise is not that of world 1."""
    noisy = dataclasses.replace(lidar, beam=LidarBeam((5.0, 5.0), 7))
    noisy = with_detector(noisy, range_sigma_m=0.03, lost_share=0.1, returns="dual", intensity_sigma=0.1)
    stage = scene([(quad(1000.0), pose(at=(7, 0, 0), axes=TOWARDS)), (sphere(1.0), pose(at=(4, 0, 0)))])
    many, threaded = (scanned(stage, noisy, worlds=3, threads=threads) for threads in (1, 2))
    setup, outputs = rig(size_px=(8, 4), quality="labels"), dataclasses.replace(LABELS, lidar=noisy)
    with closing(Renderer(stage, setup, outputs, seed=5, device="cpu", threads=1)) as renderer:
        alone = renderer.render(draft_of(stage, setup, camera(FORWARD), [2]))
    for name in ("lidar_value", "lidar_id"):
        values = getattr(many, name)
        assert (values == getattr(threaded, name)).all()
        assert (values[2] == getattr(alone, name)[0]).all()
        assert (values[1] != values[2]).any()


def test_a_sweep_is_made_once_for_all_cameras_and_parts() -> None:
    """With two cameras, and drafts parted down to single views, there is one sweep a row, from the second camera."""
    stage, setup = wall(7.0), rig(size_px=(8, 4), quality="labels")
    outputs = dataclasses.replace(LABELS, lidar=with_detector(SPINNING, range_sigma_m=0.01), lidar_camera=1)
    cameras = (camera(look_at((0, 0, 0), (0, 1, 0))), camera(FORWARD))
    draft: Draft = authored_draft(stage, setup, cameras, np.arange(3), np.zeros(3, np.int32))
    with closing(Renderer(stage, setup, outputs, seed=5, device="cpu")) as renderer:
        whole = renderer.render(draft)
        renderer._largest_px = renderer._view_px()
        parted = renderer.render(draft)
    assert whole.lidar_value is not None
    assert whole.lidar_value.shape == (3, SPINNING.beams, 1, 7)
    assert (whole.lidar_value == parted.lidar_value).all()
    assert (whole.lidar_id == parted.lidar_id).all()
    there = whole.lidar_id[..., 0] != NO_RETURN  # type: ignore[index]
    ahead = whole.lidar_value[there][:, 0]
    assert np.abs(ahead - 7.0).max() < 0.06 / np.cos(np.radians(15.0)) + 0.01


def test_a_lidar_leaves_all_images_as_they_are() -> None:
    """Bit for bit, with light and silhouettes."""
    stage, setup = wall(7.0), rig(size_px=(32, 16))
    images = []
    for lidar in (None, SPINNING):
        outputs = dataclasses.replace(IMAGES, lidar=lidar)
        with closing(Renderer(stage, setup, outputs, seed=3, device="cpu")) as renderer:
            images.append(renderer.render(draft_of(stage, setup, camera(FORWARD), [0, 1])))
    for name in ("rgb", "rgb_linear", "depth_m", "normal", "instance"):
        assert (getattr(images[0], name) == getattr(images[1], name)).all(), name
    assert_same(images[1].labels, images[0].labels)
