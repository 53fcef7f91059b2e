"""Lenses in the kernels: rays, cones, depth and labels against the float64 models of engine/lens."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import warp as wp
from numpy.typing import NDArray

from engine import gpu
from engine.draft import Draft
from engine.lens import Lens, LensModel, lens_of, project, ray_directions, unproject
from engine.mounts import mounted
from engine.optics import LensConfig, Mount
from engine.recipe import Rig
from engine.render import Renderer
from engine.render.inputs import Inputs
from engine.render.keys import frame_keys
from engine.render.views import view_fields, views_of
from engine.rig import authored_draft
from engine.scene.model import Light, LightKind
from tests.kernels.scenes import ALL, LABELS, box, camera, draft_of, look_at, pose, quad, rig, scene, sphere

Views = gpu.camera.Views
SIZE_PX = (64, 48)
LENSES = {
    "pinhole": LensConfig("pinhole", (), fov_deg=100.0),
    "barrel": LensConfig("brown_conrady", (-0.28, 0.09, 0.0006, -0.0004, -0.013), fov_deg=104.0),
    "rational": LensConfig("brown_conrady", (0.42, -0.11, 0.0005, 0.0011, 0.004, 0.71, -0.05, 0.006), fov_deg=90.0),
    "prism": LensConfig(
        "brown_conrady",
        (-0.2, 0.05, 0.0013, -0.0008, 0.0, 0.02, 0.003, 0.0, 0.002, -0.0003, -0.002, 0.0002),
        fov_deg=80.0,
    ),
    "folding": LensConfig("brown_conrady", (-0.3, 0.0, 0.0, 0.0), focal_px=(32.0, 32.0)),
    "fisheye": LensConfig("kannala_brandt", (-0.018, 0.004, -0.0021, 0.0003), fov_deg=220.0, max_fov_deg=220.0),
    "whole": LensConfig("equirectangular", (), fov_deg=360.0),
    "f_theta": LensConfig("f_theta", (0.0, 5.4e-4, 2.0e-9, 1.3e-11), calibrated_width_px=3848.0, max_fov_deg=150.0),
}


@wp.kernel(enable_backward=False)
def write_rays(views: Views, x_px: wp.array[float], y_px: wp.array[float], out_ray: wp.array2d[float]):
    """Write the direction and spread of the rays of view 0."""
    i = wp.tid()
    ray = gpu.camera.camera_ray(views, 0, x_px[i], y_px[i])
    for axis in range(3):
        out_ray[i, axis] = ray.direction[axis]
    out_ray[i, 3] = ray.spread


def lens_rig(lens: LensConfig, *, size_px: tuple[int, int] = SIZE_PX, quality: str = "labels") -> Rig:
    return dataclasses.replace(rig(size_px=size_px, quality=quality), lens=lens)


def pixels_of(size_px: tuple[int, int]) -> NDArray[np.float64]:
    """Return the centres of all pixels, [y, x, 2]."""
    x, y = np.meshgrid(np.arange(size_px[0]) + 0.5, np.arange(size_px[1]) + 0.5)
    return np.stack([x, y], axis=-1)


def kernel_rays(draft: Draft, setup: Rig, pixels: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    """Return directions and spreads that the kernels give points of the image."""
    fields = view_fields(draft, setup)
    inputs = Inputs(fields, "cpu")
    inputs.write(fields)
    views = views_of(fields, inputs, setup, "cpu", shaded=False)
    flat = pixels.reshape(-1, 2).astype(np.float32)
    out = wp.empty((len(flat), 4), dtype=float, device="cpu")
    points = [wp.array(np.ascontiguousarray(flat[:, axis]), dtype=float, device="cpu") for axis in range(2)]
    wp.launch(write_rays, len(flat), [views, *points, out], device="cpu")
    found = out.numpy().astype(np.float64).reshape(*pixels.shape[:-1], 4)
    return found[..., :3], found[..., 3]


def lens_in(draft: Draft) -> Lens:
    return lens_of(frame_keys(draft, rig()), 0)


def test_the_models_have_the_same_numbers_on_both_sides() -> None:
    """A draft goes to the kernels as it is."""
    assert {m.name: m.value for m in LensModel} == {m.name: m.value for m in gpu.camera.LensModel}


@pytest.mark.parametrize("name", LENSES)
def test_rays_are_those_of_the_model(name: str) -> None:
    """Directions agree with float64 to 1e-5, and no ray goes where the model has none."""
    setup = lens_rig(LENSES[name])
    draft = draft_of(scene([]), setup, camera(pose()), [0])
    pixels = pixels_of(SIZE_PX)
    expected = ray_directions(lens_in(draft), pixels)
    found, _ = kernel_rays(draft, setup, pixels)
    is_none = np.isnan(expected[..., 0])
    assert ((found == 0.0).all(axis=-1) == is_none).all()
    assert is_none.any() == (name not in ("pinhole", "prism"))  # corners, where the others fold or end
    assert np.abs(found - expected)[~is_none].max() < 1.0e-5


@pytest.mark.parametrize("name", LENSES)
def test_a_cone_is_as_wide_as_its_pixel(name: str) -> None:
    """The spread is the square root of the area between neighbouring rays, within 20 percent, but where images fold."""
    setup = lens_rig(LENSES[name])
    draft = draft_of(scene([]), setup, camera(pose()), [0])
    pixels, step_px = pixels_of(SIZE_PX), 1.0e-3
    here = ray_directions(lens_in(draft), pixels)
    along = [(ray_directions(lens_in(draft), pixels + step_px * axis) - here) / step_px for axis in np.eye(2)]
    area = np.linalg.norm(np.cross(*along), axis=-1)
    _, spread = kernel_rays(draft, setup, pixels)
    share = spread / np.sqrt(area)
    inside = np.isfinite(share) & (spread < 3.0 / draft.focal_px[0, 0, 0])
    assert inside.sum() > 800
    assert np.abs(share[inside] - 1.0).max() < 0.2


@pytest.mark.parametrize("name", LENSES)
def test_unprojected_depth_lies_on_the_surface(name: str) -> None:
    """The walls of a cube around an eye off its middle are recovered: wrong directions would miss them."""
    center = np.array([0.7, -0.4, 0.9])
    stage, setup = scene([(box(6), pose(at=center))]), lens_rig(LENSES[name])
    draft = draft_of(stage, setup, camera(pose()), [0])
    frames = Renderer(stage, setup, LABELS, seed=0, device="cpu", threads=1).render(draft)
    points = unproject(lens_of(frames.keys, 0), pixels_of(SIZE_PX), frames.depth_m[0])
    seen = frames.instance[0] == 1
    assert seen.sum() > 800
    assert (np.isinf(frames.depth_m[0]) == ~seen).all()
    assert np.abs(points[seen] - center).max(axis=-1) == pytest.approx(3.0, abs=1.0e-4)


def test_nothing_is_seen_outside_the_image_circle_not_even_a_dome() -> None:
    """Without a ray there is no background: rgb is black there, and the dome's elsewhere."""
    lens = LensConfig("kannala_brandt", (0.0, 0.0, 0.0, 0.0), fov_deg=200.0, max_fov_deg=160.0)
    dome = Light("/dome", LightKind.DOME, np.eye(3, 4), (0.0, 0.0), 0.0, (0.5, 0.5, 0.5))
    setup = lens_rig(lens, quality="direct")
    stage = scene([(quad(0.1), pose(at=(0, 0, -4)))], lights=(dome,))
    draft = draft_of(stage, setup, camera(pose()), [0])
    frames = Renderer(stage, setup, ALL, seed=0, device="cpu", threads=1).render(draft)
    angle = np.hypot(*np.moveaxis(pixels_of(SIZE_PX)[..., :] - [32.0, 24.0], -1, 0)) / draft.focal_px[0, 0, 0]
    outside, background = angle > np.radians(80.5), (angle < np.radians(78.0)) & (frames.instance[0] == 0)
    assert outside.any()
    assert (frames.rgb[0][outside] == 0).all()
    assert (frames.depth_m[0][outside] == np.inf).all()
    assert (frames.instance[0][outside] == 0).all()
    assert frames.rgb_linear[0][background] == pytest.approx(0.5, rel=1.0e-5)


def test_lenses_share_a_launch() -> None:
    """Views with different lenses in one launch are those of a launch each, to the bit, in any batch."""
    stage = scene([(box(2), pose(at=(0.4, 0.2, -3))), (sphere(1.0), pose(at=(-1.5, 0, -4)))])
    setup = rig(size_px=SIZE_PX, quality="labels")
    singles = [draft_of(stage, dataclasses.replace(setup, lens=lens), camera(pose()), [0]) for lens in LENSES.values()]
    plain = draft_of(stage, setup, camera(pose()), [0])
    joined = joined_drafts([*singles, plain])
    renderer = Renderer(stage, setup, LABELS, seed=0, device="cpu", threads=2)
    together = renderer.render(joined)
    for view, single in enumerate([*singles, plain]):
        alone = renderer.render(single)
        for name in ("depth_m", "instance", "normal"):
            assert getattr(together, name)[view].tobytes() == getattr(alone, name)[0].tobytes(), (view, name)


def joined_drafts(drafts: list[Draft]) -> Draft:
    """Return the rows of all drafts as one; each row is a world of its own."""
    parts: dict[str, Any] = {
        field.name: np.concatenate([getattr(draft, field.name) for draft in drafts])
        for field in dataclasses.fields(Draft)
        if field.name != "drawn"
    }
    return dataclasses.replace(drafts[0], **parts)


def test_the_box_of_a_cube_in_a_fisheye_is_that_of_its_pixels() -> None:
    """Edges are curves there: the cube's projected vertices lie in the box of the pixels seen, or within one of it."""
    stage = scene([(box(1), pose(at=(2.0, 1.0, -1.2)))])
    setup = lens_rig(LENSES["fisheye"], size_px=(160, 120))
    draft = draft_of(stage, setup, camera(pose()), [0])
    frames = Renderer(stage, setup, LABELS, seed=0, device="cpu", threads=1).render(draft)
    y, x = np.nonzero(frames.instance[0] == 1)
    corners = np.array(np.meshgrid(*[(-0.5, 0.5)] * 3)).reshape(3, -1).T + np.array([2.0, 1.0, -1.2])
    pixels, seen = project(lens_of(frames.keys, 0), corners)
    assert seen.all()
    low, high = np.array([x.min(), y.min()]), np.array([x.max(), y.max()]) + 1
    assert (pixels >= low - 1).all()
    assert (pixels <= high + 1).all()
    assert (high - low >= np.ptp(pixels, axis=0) - 2).all()


def test_stereo_disparity_is_focal_length_times_baseline_over_depth() -> None:
    """A point 4 m ahead, and a square there, whose columns in the right image are those of the left, shifted."""
    mounts = {"left": Mount(-0.06, 0.0, 0.0, 0.0, 0.0, 0.0), "right": Mount(0.06, 0.0, 0.0, 0.0, 0.0, 0.0)}
    stage = scene([(quad(1.0), pose(at=(0, 0, -4)))])
    setup = dataclasses.replace(rig(size_px=(400, 40), quality="labels"), mounts=mounts)
    eye = look_at((1.0, 2.0, 0.5), (0.0, 0.0, -4.0), up=(0, 1, 0))
    for base in (pose(), eye):
        draft = mounted(
            authored_draft(stage, setup, (camera(base),), np.zeros(1, np.int64), np.zeros(1, np.int32)), setup
        )
        keys = frame_keys(draft, setup)
        ahead = base[:, :3] @ [0.3, -0.2, -4.0] + base[:, 3]
        seen = []
        for view in range(2):
            inside = (ahead - draft.world_from_camera[0, view, :, 3]) @ draft.world_from_camera[0, view, :, :3]
            seen.append(project(lens_of(keys, view), inside)[0])
        disparity_px = draft.focal_px[0, 0, 0] * 0.12 / 4.0
        assert seen[0] - seen[1] == pytest.approx([disparity_px, 0.0], abs=1e-9)
    frames = Renderer(stage, setup, LABELS, seed=0, device="cpu", threads=1).render(
        mounted(draft_of(stage, setup, camera(pose()), [0]), setup)
    )
    assert pytest.approx(12.0) == 400 * 0.12 / 4.0
    assert (frames.instance[0][:, 12:] == frames.instance[1][:, :-12]).all()
    assert frames.instance[0].any()


@pytest.mark.parametrize("name", LENSES)
def test_rays_do_not_depend_on_their_neighbours(name: str) -> None:
    """Worlds alone and together, to the bit, where groups of eight pixels cross from one to the next."""
    setup = lens_rig(LENSES[name], size_px=(37, 29))
    stage = scene([(quad(40.0), pose(at=(0, 0, -5)))])
    draft = draft_of(stage, setup, camera(pose()), [0, 1, 2])
    together = Renderer(stage, setup, LABELS, seed=0, device="cpu", threads=2).render(draft)
    alone = Renderer(stage, setup, LABELS, seed=0, device="cpu", threads=1).render(
        draft_of(stage, setup, camera(pose()), [1])
    )
    assert together.depth_m is not None
    assert alone.depth_m is not None
    assert together.depth_m[1].tobytes() == alone.depth_m[0].tobytes()
