"""Annotators of geometry, held against float64: the ray of every pixel, closed forms of boxes and quads, planes."""

from __future__ import annotations

import dataclasses
from contextlib import closing

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine import gpu
from engine.annotators import EdgeBit
from engine.draft import Draft
from engine.frames import Frames
from engine.lens import lens_of, unproject
from engine.optics import LensConfig
from engine.recipe import Rig
from engine.render import Renderer
from engine.render.annotations import GEOMETRY_IMAGES
from engine.scene.bounds import Shapes
from engine.scene.model import Material, Scene
from tests.kernels.scenes import LABELS, box, camera, draft_of, look_at, mesh, pose, quad, rig, scene, sphere

Floats = NDArray[np.float64]
EVERY = dataclasses.replace(LABELS, annotations=GEOMETRY_IMAGES)
SIZE_PX = (64, 48)
BARREL = LensConfig("brown_conrady", (-0.28, 0.09, 0.0006, -0.0004, -0.013), fov_deg=104.0)
FISHEYE = LensConfig("kannala_brandt", (-0.018, 0.004, -0.0021, 0.0003), fov_deg=220.0, max_fov_deg=220.0)
WHOLE = LensConfig("equirectangular", (), fov_deg=360.0)
RELATIVE = 2e-6  # of float32, some roundings of it
FAR = look_at((9.0, -4.0, 7.0), (0.2, 0.1, 0.3))


def rendered(stage: Scene, setup: Rig, draft: Draft, *, threads: int = 1) -> Frames:
    """Return all images of a draft but rgb."""
    with closing(Renderer(stage, setup, EVERY, seed=0, device="cpu", threads=threads)) as renderer:
        return renderer.render(draft)


def some_scene() -> Scene:
    """Return a turned box, a sphere and a floor in the distance, which fills the image only in part."""
    turned = look_at((0, 0, 0), (3, 2, 1))
    return scene([(box(2), turned), (sphere(1.0), pose(at=(2.5, 2.0, 0.5))), (quad(9.0), pose(at=(0, 0, -2)))])


def camera_points(frames: Frames) -> Floats:
    """Return what depth means in the camera's frame, [y, x, 3], NaN where there is nothing."""
    assert frames.depth_m is not None
    depth_m = frames.depth_m[0]
    y, x = np.indices(depth_m.shape) + 0.5
    finite = np.where(np.isfinite(depth_m), depth_m, np.nan)
    return unproject(lens_of(frames.keys, 0), np.stack([x, y], axis=-1), finite)


@pytest.mark.parametrize("lens", [None, "orthographic", BARREL, FISHEYE, WHOLE], ids=lambda x: getattr(x, "model", x))
def test_range_and_position_are_depth_along_the_ray(lens: LensConfig | str | None) -> None:
    """Unprojected in float64 by the lens and put into the world by the pose; the normal turns by the same pose."""
    setup = rig(size_px=SIZE_PX, quality="labels")
    cam = camera(FAR, focal_mm=14.0)
    if isinstance(lens, LensConfig):
        setup = dataclasses.replace(setup, lens=lens)
    elif lens:
        cam = dataclasses.replace(cam, orthographic=True, horizontal_aperture_mm=8000.0, vertical_aperture_mm=8000.0)
    stage = some_scene()
    frames = rendered(stage, setup, draft_of(stage, setup, cam, [0]))
    images = {name: image[0].astype(np.float64) for name, image in frames.annotations.items()}
    assert frames.instance is not None
    assert frames.normal is not None
    hit = frames.instance[0] > 0
    assert 0.01 < hit.mean() < 1.0
    points_m = camera_points(frames)
    size_m = np.linalg.norm(points_m, axis=-1)
    slack = RELATIVE if lens is None or lens == "orthographic" else 3e-5  # of directions that a float32 lens bends
    assert (np.abs(images["range_m"] - size_m)[hit] <= slack * size_m[hit]).all()
    world = points_m @ FAR[:, :3].T + FAR[:, 3]
    off_m = np.linalg.norm(images["position"] - world, axis=-1)
    assert (off_m[hit] <= slack * (size_m[hit] + np.linalg.norm(FAR[:, 3]))).all()
    turned = frames.normal[0].astype(np.float64) @ FAR[:, :3]
    assert np.abs(images["normal_camera"] - turned)[hit].max() < 1e-6
    assert np.isposinf(images["range_m"][~hit]).all()
    assert (images["normal_camera"][~hit] == 0.0).all()
    assert all(np.isnan(images[name][~hit]).all() for name in ("position", "uv", "nocs"))
    assert all((images[name][~hit] == -1).all() for name in ("part", "material"))


def test_a_rolling_shutter_counts_from_where_the_camera_is_at_the_row() -> None:
    """The camera shifts and spins while rows are read: every row has a pose of its own, places stay in the world."""
    readout_s, velocity_m_s, spin_rad_s = 0.04, np.array([20.0, -8.0, 5.0]), np.array([0.5, 3.0, -2.0])
    setup = dataclasses.replace(rig(size_px=SIZE_PX, quality="labels"), readout_s=readout_s)
    stage = some_scene()
    draft = draft_of(stage, setup, camera(FAR, focal_mm=14.0), [0])
    draft.camera_velocity_m_s[:], draft.camera_spin_rad_s[:] = velocity_m_s, spin_rad_s
    frames = rendered(stage, setup, draft)
    assert frames.normal is not None
    time_s = ((np.arange(SIZE_PX[1]) + 0.5) / SIZE_PX[1] - 0.5) * readout_s
    axes = Rotation.from_rotvec(spin_rad_s * time_s[:, None]).as_matrix() @ FAR[:, :3]
    points_m = camera_points(frames)
    world = np.einsum("yij,yxj->yxi", axes, points_m) + FAR[:, 3] + (velocity_m_s * time_s[:, None])[:, None]
    hit = np.isfinite(points_m).all(axis=-1)
    assert np.linalg.norm(frames.annotations["position"][0] - world, axis=-1)[hit].max() < 1e-4
    still = points_m @ FAR[:, :3].T + FAR[:, 3]
    assert np.linalg.norm(world - still, axis=-1)[hit].max() > 0.3  # it matters
    assert np.abs(frames.annotations["range_m"][0] - np.linalg.norm(points_m, axis=-1))[hit].max() < 1e-4
    turned = np.einsum("yji,yxj->yxi", axes, frames.normal[0].astype(np.float64))
    assert np.abs(frames.annotations["normal_camera"][0] - turned)[hit].max() < 1e-5


def test_nocs_of_a_moving_box_follow_it_by_one_similarity() -> None:
    """At every row, world = origin + R (nocs - 1/2) diagonal, of a turned and stretched box that moves."""
    readout_s, moments, speed_m_s = 0.03, 5, np.array([12.0, 0.0, 4.0])
    setup = dataclasses.replace(
        rig(size_px=SIZE_PX, quality="labels"), readout_s=readout_s, shutter_samples=moments
    )  # fmt: skip
    turn, scale = look_at((0, 0, 0), (3, 2, 1))[:, :3], np.array([0.5, 1.0, 2.0])
    stage = scene([(box(2), pose(at=(0.1, 0.2, 0.3), axes=turn * scale))])
    draft = draft_of(stage, setup, camera(FAR), [0])
    draft.instance_velocity_m_s[:, 1] = speed_m_s
    frames = rendered(stage, setup, draft)
    share = (np.arange(SIZE_PX[1]) + 0.5) / SIZE_PX[1]
    time_s = ((np.floor(share * moments) + 0.5) / moments - 0.5) * readout_s
    middle = np.array([0.1, 0.2, 0.3]) + speed_m_s * time_s[:, None]
    nocs = frames.annotations["nocs"][0].astype(np.float64)
    world = middle[:, None] + (nocs - 0.5) @ turn.T * (2.0 * np.linalg.norm(scale))
    hit = np.isfinite(nocs).all(axis=-1)
    assert hit.mean() > 0.05
    assert np.linalg.norm(frames.annotations["position"][0] - world, axis=-1)[hit].max() < 5e-6
    faces = np.abs(nocs[hit] - 0.5).max(axis=-1)  # the largest is that of a face, half its size of the diagonal
    assert np.abs(faces[:, None] - 0.5 * scale / np.linalg.norm(scale)).min(axis=1).max() < 0.15
    assert (np.linalg.norm(nocs[hit] - 0.5, axis=-1) <= 0.5 + 1e-6).all()


def test_corners_of_a_cube_have_the_coordinates_of_the_definition() -> None:
    """(1/2 +- 1/2 / sqrt 3) on every axis: looked at along a diagonal, the nearest corner is in the image's middle."""
    stage = scene([(box(2), pose())])
    setup = rig(size_px=(65, 65), quality="labels")
    frames = rendered(stage, setup, draft_of(stage, setup, camera(look_at((4, 4, 4), (0, 0, 0))), [0]))
    assert frames.annotations["nocs"][0][32, 32] == pytest.approx([0.5 + 0.5 / 3**0.5] * 3, abs=1e-6)


def test_boxes_are_tight_around_all_points_of_an_instance() -> None:
    """Two placements of one instance, one of them turned: the bounds of all their points in the instance's frame."""
    ball, turn = sphere(0.5), Rotation.from_rotvec([0.3, -0.8, 0.5]).as_matrix()
    stage = scene([(ball, pose(at=(5, 5, 5))), (box(2), pose(at=(7, 5, 5), axes=turn))])
    placements = dataclasses.replace(stage.placements, instance=np.array([1, 1], np.int32))
    low, high = Shapes(dataclasses.replace(stage, placements=placements)).bounds_m
    points = np.concatenate([ball.points_m, box(2).points_m @ turn.T + [2, 0, 0]])
    assert low[1] == pytest.approx(points.min(axis=0), abs=1e-6)
    assert high[1] == pytest.approx(points.max(axis=0), abs=1e-6)
    assert not low[2].any()
    assert not high[2].any()  # nothing is left of it


def test_uv_of_a_quad_are_those_of_its_points_and_finer_than_16_bits() -> None:
    """A floor of 100 m with coordinates from 0 to 1: each is (x + 50) / 100 to a fifth of a step of 16 bits."""
    stage = scene([(quad(100.0), pose())])
    setup = rig(size_px=(160, 120), quality="labels")
    eye = look_at((1.0, -3.0, 4.0), (0.5, 6.0, 0.0))
    frames = rendered(stage, setup, draft_of(stage, setup, camera(eye), [0]))
    points_m = camera_points(frames) @ eye[:, :3].T + eye[:, 3]
    hit = np.isfinite(points_m).all(axis=-1)
    expected = points_m[..., :2] / 100.0 + 0.5
    off = np.abs(frames.annotations["uv"][0] - expected)[hit].max()
    assert off < 0.2 / 65535


def test_parts_and_materials_are_those_of_the_hit_after_randomisation() -> None:
    """Two slots on one box; one world puts another material on the whole instance."""
    cube = dataclasses.replace(box(1), slot=(np.arange(12, dtype=np.int32) // 6))
    stage = scene([(quad(9.0), pose(at=(0, 0, -0.5))), (cube, pose())], materials=tuple(map(Material, "abcd")))
    placed = dataclasses.replace(
        stage.placements, first_slot=np.array([0, 1], np.int32), slot_material=np.array([0, 1, 2], np.int32)
    )
    stage = dataclasses.replace(stage, placements=placed)
    setup = rig(size_px=SIZE_PX, quality="labels")
    draft = draft_of(stage, setup, camera(look_at((2, 3, 2), (0, 0, 0))), [0, 1])
    draft.material[1, 2] = 3
    frames = rendered(stage, setup, draft)
    assert frames.instance is not None
    part, material = frames.annotations["part"], frames.annotations["material"]
    assert np.array_equal(part, frames.instance - 1)  # one placement an instance, in the same order
    assert set(np.unique(material[0][part[0] == 1])) == {1, 2}
    assert set(np.unique(material[1][part[1] == 1])) == {3}
    assert set(np.unique(material[:, :][part == 0])) == {0}
    assert np.isfinite(frames.annotations["uv"][part == 0]).all()
    assert np.isnan(frames.annotations["uv"][part == 1]).all()  # the box has no texture coordinates


def steps() -> Scene:
    """Return one instance of two squares: x in [-2, 0] at z = 0, and x in [0, 2] at z = -1."""
    left = [(-2, -2, 0), (0, -2, 0), (0, 2, 0), (-2, 2, 0)]
    right = [(0, -2, -1), (2, -2, -1), (2, 2, -1), (0, 2, -1)]
    return scene([(mesh(left + right, [(0, 1, 2), (0, 2, 3), (4, 5, 6), (4, 6, 7)]), pose())])


def edges_of(stage: Scene, eye: Floats, size_px: tuple[int, int] = (64, 64)) -> NDArray[np.uint8]:
    """Return the edges that a camera sees."""
    setup = rig(size_px=size_px, quality="labels")
    edge: NDArray[np.uint8] = rendered(stage, setup, draft_of(stage, setup, camera(eye), [0])).annotations["edge"][0]
    return edge


def test_a_step_inside_an_instance_is_an_occlusion_and_a_fold_a_crease() -> None:
    """Two squares one behind the other have a depth edge of two pixels between them; folded paper has a crease."""
    middle = edges_of(steps(), look_at((0, 0, 3), (0, 0, 0), up=(0, 1, 0)))[20:44]
    assert (middle[:, 31:33] == EdgeBit.DEPTH).all()
    assert not middle[:, 10:31].any()
    paper = [(-2, -2, -1), (0, -2, 0), (0, 2, 0), (-2, 2, -1), (2, -2, -1), (2, 2, -1)]
    fold = scene([(mesh(paper, [(0, 1, 2), (0, 2, 3), (1, 4, 5), (1, 5, 2)]), pose())])
    middle = edges_of(fold, look_at((0, 0, 3), (0, 0, 0), up=(0, 1, 0)))[20:44]
    assert (middle[:, 31:33] == EdgeBit.CREASE).all()
    assert not middle[:, 18:31].any()
    valley = dataclasses.replace(fold, meshes=(dataclasses.replace(fold.meshes[0], points_m=-fold.meshes[0].points_m),))
    assert (edges_of(valley, look_at((0, 0, 3), (0, 0, 0), up=(0, 1, 0)))[20:44, 31:33] == EdgeBit.CREASE).all()


@pytest.mark.parametrize("eye", [(0.2, 0.3, 6.0), (8.0, 0.5, 0.9), (3.0, -4.0, 2.0)])
def test_a_smooth_or_closed_convex_body_has_no_occlusion_of_its_own(eye: tuple[float, float, float]) -> None:
    """However grazing: a sphere and a box show edges of instances and creases, never a depth edge."""
    stage = scene([(sphere(1.0, rings=40), pose(at=(0, -1.5, 0))), (box(2), pose(at=(0, 1.5, 0)))])
    edge = edges_of(stage, look_at(eye, (0, 0, 0), up=(0, 1, 0.1)), (96, 96))
    assert ((edge & EdgeBit.INSTANCE) != 0).any()
    assert not (edge & EdgeBit.DEPTH).any()


def test_edges_follow_from_the_other_images_by_the_stated_rule() -> None:
    """A NumPy float64 reading of the rule, on faceted meshes: ids, normals, places and rays of neighbours."""
    parts = [(box(2), look_at((0, 0, 0), (3, 2, 1))), (quad(6.0), pose(at=(0, 0, -1.2))), (box(1), pose(at=(2, 0, 0)))]
    stage = scene(parts)
    joined = dataclasses.replace(stage.placements, instance=np.array([1, 2, 1], np.int32))
    stage = dataclasses.replace(stage, placements=joined)
    setup = rig(size_px=(72, 56), quality="labels")
    frames = rendered(stage, setup, draft_of(stage, setup, camera(look_at((5, 3, 4), (0.8, 0, 0))), [0]))
    found = frames.annotations["edge"][0]
    expected = expected_edges(frames, np.array([5.0, 3.0, 4.0]), setup)
    assert np.array_equal(found, expected)
    assert {int(bit) for bit in EdgeBit if (found & bit).any()} == {1, 2, 4}


def expected_edges(frames: Frames, eye_m: Floats, setup: Rig) -> NDArray[np.uint8]:
    """Return the rule of docs/formats.md for a pinhole, pixel by pixel."""
    assert frames.instance is not None
    assert frames.normal is not None
    ids, normal = frames.instance[0], frames.normal[0].astype(np.float64)
    ray = frames.annotations["position"][0].astype(np.float64) - eye_m
    width = 1.0 / frames.keys.k[0, 0, 0]
    out = np.zeros(ids.shape, np.uint8)

    def lead(a: tuple[int, int], b: tuple[int, int]) -> float:
        """Inverse distance of a's plane along b's ray, over that of what b sees, less 1."""
        return float(normal[a] @ ray[b] / (normal[a] @ ray[a]) - 1.0)

    for y, x in np.ndindex(ids.shape):
        for y2, x2 in ((y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)):
            if not (0 <= y2 < setup.height and 0 <= x2 < setup.width):
                continue
            a, b = (y, x), (y2, x2)
            if ids[a] != ids[b]:
                out[a] |= EdgeBit.INSTANCE
            elif ids[a]:
                here, there = -lead(b, a), lead(a, b)
                if here * there > 0.0 and min(abs(here), abs(there)) > width:
                    out[a] |= EdgeBit.DEPTH
                elif normal[a] @ normal[b] < np.cos(np.radians(30.0)):
                    out[a] |= EdgeBit.CREASE
    return out


def test_edge_bits_have_the_same_numbers_on_both_sides() -> None:
    """The host's names are the kernel's."""
    assert {bit.name: int(bit) for bit in EdgeBit} == {bit.name: int(bit) for bit in gpu.outline.EdgeBit}


@pytest.mark.parametrize("size_px", [(64, 48), (61, 47)])
def test_annotators_depend_on_nothing_but_their_view(size_px: tuple[int, int]) -> None:
    """Worlds alone on one thread, in a batch on three, clipped from 0 to infinity, and each image alone: equal bits."""
    setup = rig(size_px=size_px, quality="labels")
    stage = some_scene()

    def draft(worlds: list[int]) -> Draft:
        out = draft_of(stage, setup, camera(FAR), worlds)
        out.world_from_instance[:, 1, :, 3] += np.array(worlds)[:, None] * 0.3
        return out

    together = rendered(stage, setup, draft([0, 1, 2]), threads=3)
    clipped = rendered(stage, dataclasses.replace(setup, clip=True), draft([0, 1, 2]))
    for world in range(3):
        alone = rendered(stage, setup, draft([world]))
        for name, image in alone.annotations.items():
            assert image[0].tobytes() == together.annotations[name][world].tobytes(), name
            assert image[0].tobytes() == clipped.annotations[name][world].tobytes(), name
    for name in GEOMETRY_IMAGES:
        only = dataclasses.replace(LABELS, normal=False, annotations=(name,))
        with closing(Renderer(stage, setup, only, seed=0, device="cpu", threads=2)) as renderer:
            frames = renderer.render(draft([2]))
        assert frames.annotations[name].tobytes() == together.annotations[name][2:].tobytes(), name
        assert frames.normal is None


def test_what_nobody_asks_for_is_not_there_and_changes_nothing() -> None:
    """Depth, normals and ids have the same bits with and without annotators."""
    stage, setup = some_scene(), rig(size_px=SIZE_PX, quality="labels")
    draft = draft_of(stage, setup, camera(FAR), [0])
    with closing(Renderer(stage, setup, LABELS, seed=0, device="cpu", threads=1)) as renderer:
        plain = renderer.render(draft)
    full = rendered(stage, setup, draft)
    assert not plain.annotations
    for name in ("depth_m", "normal", "instance"):
        assert getattr(plain, name).tobytes() == getattr(full, name).tobytes()


def test_a_deformed_mesh_has_the_box_of_its_present_points() -> None:
    """After a scene has moved, images are those of a renderer that never knew another scene."""
    stage, setup = some_scene(), rig(size_px=SIZE_PX, quality="labels")
    squeezed = dataclasses.replace(stage.meshes[1], points_m=stage.meshes[1].points_m * np.float32([1.0, 1.0, 0.4]))
    later = dataclasses.replace(stage, meshes=(stage.meshes[0], squeezed, stage.meshes[2]))
    cam = camera(FAR, focal_mm=14.0)
    with closing(Renderer(stage, setup, EVERY, seed=0, device="cpu", threads=1)) as renderer:
        before = renderer.render(draft_of(stage, setup, cam, [0])).annotations
        renderer.move(later)
        moved = renderer.render(draft_of(later, setup, cam, [0])).annotations
    fresh = rendered(later, setup, draft_of(later, setup, cam, [0])).annotations
    assert all(moved[name].tobytes() == fresh[name].tobytes() for name in GEOMETRY_IMAGES)
    assert moved["nocs"].tobytes() != before["nocs"].tobytes()


def test_shaded_frames_have_the_annotators_of_labels_alone() -> None:
    """Whatever the quality and the samples, and whatever else needs materials."""
    stage, cam = some_scene(), camera(FAR, focal_mm=14.0)
    labels = rig(size_px=SIZE_PX, quality="labels")
    alone = rendered(stage, labels, draft_of(stage, labels, cam, [0])).annotations
    for spp in (1, 2):
        setup = rig(size_px=SIZE_PX, quality="direct", spp=spp)
        outputs = dataclasses.replace(EVERY, rgb=True, normal=False)
        with closing(Renderer(stage, setup, outputs, seed=0, device="cpu", threads=2)) as renderer:
            shaded = renderer.render(draft_of(stage, setup, cam, [0])).annotations
        assert all(shaded[name].tobytes() == alone[name].tobytes() for name in GEOMETRY_IMAGES)
