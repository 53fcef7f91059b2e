"""A frame depends on its world alone: not on batch, threads, slices or outputs; and edges are smooth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import engine.render.batch_cpu
import engine.render.renderer
from engine.errors import UserError
from engine.frames import Frames
from engine.recipe import Rig
from engine.render import Outputs, Renderer
from engine.rig import authored_draft
from engine.scene.model import Light, LightKind, Material
from tests.kernels.scenes import (
    ALL,
    EVERYTHING,
    IDENTITY,
    LABELS,
    camera,
    draft_of,
    look_at,
    pose,
    quad,
    render,
    rig,
    scene,
    sphere,
)

LAMP = Light("/lamp", LightKind.RECT, pose(at=(0, 0, 4)), (1.0, 1.0), 0.0, (6.0, 5.0, 4.0))
STAGE = scene(
    [(quad(6.0), IDENTITY), (sphere(0.6), pose(at=(0.3, 0.2, 0.6))), (sphere(0.6), pose(at=(-0.9, 0.1, 0.6)))],
    lights=(LAMP,), materials=(Material("grey", base_color=(0.5, 0.4, 0.3)),),
)  # fmt: skip
CAMERA = camera(look_at((2.0, -3.0, 2.0), (0, 0, 0.4)))
SETUP = rig(size_px=(40, 28))


def frames_of(worlds: list[int], *, threads: int = 1, setup: object = SETUP, seed: int = 0) -> Frames:
    renderer = Renderer(STAGE, setup, ALL, seed=seed, device="cpu", threads=threads)  # type: ignore[arg-type]
    draft = draft_of(STAGE, setup, CAMERA, worlds)  # type: ignore[arg-type]
    for row, world in enumerate(worlds):
        draft.world_from_instance[row, 2, 0, 3] += 0.1 * world
    return renderer.render(draft)


def assert_same(first: object, second: object) -> None:
    assert isinstance(first, np.ndarray)
    assert isinstance(second, np.ndarray)
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("name", ["rgb", "rgb_linear", "depth_m", "normal", "instance"])
def test_a_world_is_the_same_in_any_batch(name: str) -> None:
    together = getattr(frames_of([0, 1, 2, 3, 4]), name)
    for world in (0, 3):
        assert_same(getattr(frames_of([world]), name)[0], together[world])
    assert_same(getattr(frames_of([4, 2]), name)[1], together[2])


@pytest.mark.parametrize("spp", [1, 4])
def test_rays_traced_together_and_alone_show_the_same(spp: int) -> None:
    """In images of 91 pixels groups of eight cross from world to world, where each ray is traced alone."""
    setup = dataclasses.replace(SETUP, width=13, height=7, spp=spp)
    together = frames_of([0, 1, 2, 3, 4], setup=setup)
    for world in range(5):
        alone = frames_of([world], setup=setup)
        for name in ("rgb_linear", "depth_m", "normal", "instance"):
            assert_same(getattr(alone, name)[0], getattr(together, name)[world])


def test_threads_and_slices_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    first = frames_of([0, 1])
    monkeypatch.setattr(engine.render.batch_cpu, "SLICE_PX", 512)
    monkeypatch.setattr(engine.render.batch_cpu, "LEAST_SLICE_PX", 256)
    second = frames_of([0, 1], threads=3)
    for name in ("rgb", "rgb_linear", "depth_m", "normal", "instance"):
        assert_same(getattr(first, name), getattr(second, name))


def test_quality_changes_no_label() -> None:
    direct, labels = frames_of([2]), frames_of([2], setup=dataclasses.replace(SETUP, quality="labels"))
    for name in ("depth_m", "normal", "instance"):
        assert_same(getattr(direct, name), getattr(labels, name))
    assert labels.rgb is None


def test_samples_change_no_label() -> None:
    few, many = frames_of([1]), frames_of([1], setup=dataclasses.replace(SETUP, spp=9))
    assert_same(few.depth_m, many.depth_m)
    assert_same(few.instance, many.instance)


def test_the_seed_changes_the_noise_and_no_label() -> None:
    first, second = frames_of([0]), frames_of([0], seed=1)
    assert first.rgb_linear is not None
    assert second.rgb_linear is not None
    assert not np.array_equal(first.rgb_linear, second.rgb_linear)
    assert np.abs(first.rgb_linear.mean() - second.rgb_linear.mean()) < 0.02 * first.rgb_linear.mean()
    assert_same(first.instance, second.instance)


def test_an_edge_pixel_holds_the_share_that_a_surface_covers() -> None:
    """A bright half plane whose edge crosses pixels at 30 percent of their width."""
    glow = Material("glow", base_color=(0.0,) * 3, emission=(1.0,) * 3)
    half = (quad(40.0), pose(at=(20.0 + 0.3 * 4 / 32, 0, 0)))
    cam = camera(look_at((0, 0, 4), (0, 0, 0), up=(0, 1, 0)))
    frames = render(scene([half], materials=(glow,)), cam, rig(spp=256))
    assert frames.rgb_linear is not None
    row = frames.rgb_linear[0, 16, :, 0]
    assert row[:16] == pytest.approx(np.zeros(16))
    assert row[17:] == pytest.approx(np.ones(15))
    assert row[16] == pytest.approx(0.7, abs=0.02)


def test_one_sample_sees_what_the_label_of_the_pixel_names() -> None:
    """With spp 1 the colour of a pixel is that of the surface at its centre, along edges too."""
    glow = Material("glow", base_color=(0.0,) * 3, emission=(1.0,) * 3)
    axes = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    stage = scene([(quad(1.5), pose(axes=axes))], materials=(glow,))
    frames = render(stage, camera(look_at((0, 0, 3), (0, 0, 0), up=(0, 1, 0))), rig(size_px=(64, 64), spp=1))
    assert frames.rgb_linear is not None
    assert frames.instance is not None
    assert set(np.unique(frames.instance)) == {0, 1}
    assert np.array_equal(frames.rgb_linear[..., 0], frames.instance.astype(np.float32))


def test_srgb_is_the_standard_curve() -> None:
    """IEC 61966-2-1: linear 0.2140 is code 127.5; radiance above 1 is white."""
    codes = []
    for value in (0.0, 0.002, 0.214, 1.0, 7.0):
        glow = Material("glow", base_color=(0.0,) * 3, emission=(value,) * 3)
        cam = camera(look_at((0, 0, 1), (0, 0, 0), up=(0, 1, 0)))
        frames = render(scene([(quad(9.0), IDENTITY)], materials=(glow,)), cam, rig(size_px=(8, 4), spp=1))
        assert frames.rgb is not None
        codes.append(frames.rgb[0, 0, 0].tolist())
    assert codes == [[0] * 3, [7] * 3, [127] * 3, [255] * 3, [255] * 3] or codes[2] == [128] * 3


def test_exposure_doubles_a_stop() -> None:
    glow = Material("glow", base_color=(0.0,) * 3, emission=(0.1,) * 3)
    cam = camera(look_at((0, 0, 1), (0, 0, 0), up=(0, 1, 0)))
    stage = scene([(quad(9.0), IDENTITY)], materials=(glow,))
    brighter = render(stage, cam, dataclasses.replace(rig(size_px=(8, 4)), exposure_ev=1.0))
    twice = render(
        scene([(quad(9.0), IDENTITY)], materials=(dataclasses.replace(glow, emission=(0.2,) * 3),)),
        cam,
        rig(size_px=(8, 4)),
    )
    assert_same(brighter.rgb, twice.rgb)


def test_only_what_was_asked_for_is_returned() -> None:
    frames = render(STAGE, CAMERA, SETUP, outputs=Outputs(False, False, True, False, False))
    assert frames.depth_m is not None
    assert frames.rgb is None
    assert frames.rgb_linear is None
    assert frames.normal is None
    assert frames.instance is None


def test_views_of_one_launch_may_have_their_own_lens() -> None:
    draft = draft_of(STAGE, SETUP, CAMERA, [0, 0])
    draft.focal_px[1] *= 2.0
    frames = Renderer(STAGE, SETUP, LABELS, seed=0, device="cpu", threads=1).render(draft)
    far = render(STAGE, dataclasses.replace(CAMERA, focal_length_mm=48.0), SETUP, outputs=LABELS)
    assert frames.depth_m is not None
    assert far.depth_m is not None
    assert_same(frames.depth_m[1], far.depth_m[0])


def roomy(monkeypatch: pytest.MonkeyPatch, setup: Rig, views: float) -> Renderer:
    """Return a renderer that has room for some views of the stage at a time."""
    renderer = Renderer(STAGE, setup, EVERYTHING, seed=0, device="cpu", threads=1)
    monkeypatch.setattr(renderer, "_largest_px", int(views * renderer._view_px()))
    return renderer


def test_a_view_too_large_for_the_memory_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    draft = draft_of(STAGE, SETUP, CAMERA, [0])
    with pytest.raises(UserError, match=r"a view of 40x28 px needs .* rig\.width") as caught:
        roomy(monkeypatch, SETUP, 0.9).render(draft)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("views", [1, 2, 3, 5])
def test_batches_that_do_not_fit_are_rendered_in_parts(monkeypatch: pytest.MonkeyPatch, views: int) -> None:
    """Rows are parted, and the cameras of a row where even they are too many; nothing shows."""
    aside = dataclasses.replace(CAMERA, world_from_camera=look_at((-2.0, -3.0, 1.0), (0, 0, 0.4)))
    cameras = (CAMERA, aside, dataclasses.replace(CAMERA, focal_length_mm=40.0))
    draft = authored_draft(STAGE, SETUP, cameras, np.arange(3), np.zeros(3, np.int32))
    draft.world_from_instance[:, 2, 0, 3] += (0.0, 0.1, 0.2)
    whole = Renderer(STAGE, SETUP, EVERYTHING, seed=0, device="cpu", threads=1).render(draft)
    parted = roomy(monkeypatch, SETUP, views).render(draft)
    for name in Frames.image_names():
        assert_same(getattr(whole, name), getattr(parted, name))
    assert_same(whole.keys.world_from_camera, parted.keys.world_from_camera)
    with pytest.raises(UserError, match="9 views of 40x28 px do not fit the memory of cpu at once"):
        roomy(monkeypatch, SETUP, views).render_on_device(draft)


def test_frames_never_change_later() -> None:
    """Memory is used again, but not while anybody looks at it."""
    renderer = Renderer(STAGE, SETUP, EVERYTHING, seed=0, device="cpu", threads=2)
    drafts = [draft_of(STAGE, SETUP, CAMERA, [world, world + 1]) for world in range(4)]
    for world, draft in enumerate(drafts):
        draft.world_from_instance[:, 2, 0, 3] += 0.1 * world
    frames = [renderer.render(draft) for draft in drafts]
    rgb = [frame.rgb.copy() for frame in frames if frame.rgb is not None]
    assert len({image.tobytes() for image in rgb}) == 4
    places = set()
    for draft, image in zip(drafts, rgb, strict=True):
        again = renderer.render(draft).rgb
        assert again is not None
        places.add(again.ctypes.data)
        assert_same(again, image)
    assert len(places) <= 2, "memory that nobody looks at is not used again"  # of this turn and of the last
    for frame, image in zip(frames, rgb, strict=True):
        assert_same(frame.rgb, image)


def test_batches_of_other_layouts_take_turns() -> None:
    """More layouts than are kept: rows, equal rows, other cameras."""
    renderer = Renderer(STAGE, SETUP, EVERYTHING, seed=0, device="cpu", threads=1)
    for turn in range(2):
        for count in range(1, engine.render.renderer.KEPT_LAYOUTS + 2):
            draft = draft_of(STAGE, SETUP, CAMERA, list(range(count)))
            draft.world_from_instance[1:, 2, 2, 3] += 0.05 * turn
            alone = Renderer(STAGE, SETUP, EVERYTHING, seed=0, device="cpu", threads=1).render(draft)
            assert_same(renderer.render(draft).rgb_linear, alone.rgb_linear)


def test_frames_on_the_device_are_those_of_the_host_and_open_to_others() -> None:
    """NumPy takes the arrays by DLPack without a copy; they are not written again."""
    renderer = Renderer(STAGE, SETUP, EVERYTHING, seed=0, device="cpu", threads=1)
    drafts = [draft_of(STAGE, SETUP, CAMERA, [world]) for world in (0, 1)]
    drafts[1].world_from_instance[:, 2, 0, 3] += 0.3
    here = [renderer.render_on_device(draft) for draft in drafts]
    for draft, frames in zip(drafts, here, strict=True):
        expected = renderer.render(draft)
        for name in Frames.image_names():
            image = getattr(frames, name)
            other = np.from_dlpack(image)
            assert other.ctypes.data == image.ptr
            assert_same(other, getattr(expected, name))


def test_an_orthographic_camera_has_parallel_rays() -> None:
    """A camera 4 m wide sees a square of 2 m over half of its image, near or far."""
    widths = []
    for height in (1.0, 30.0):
        cam = dataclasses.replace(camera(look_at((0, 0, height), (0, 0, 0), up=(0, 1, 0))), orthographic=True)
        cam = dataclasses.replace(cam, horizontal_aperture_mm=4000.0, vertical_aperture_mm=4000.0)
        frames = render(scene([(quad(2.0), IDENTITY)]), cam, rig(), outputs=LABELS)
        assert frames.instance is not None
        assert frames.depth_m is not None
        widths.append(int(frames.instance[0, 16].sum()))
        assert frames.depth_m[0, 16, 16] == pytest.approx(height, rel=1e-6)
    assert widths == [16, 16]
