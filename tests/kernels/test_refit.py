"""Meshes that move: refitted trees equal built ones, and a renderer that moved shows what a new one does."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine import gpu
from engine.errors import UserError
from engine.frames import Frames
from engine.render import Renderer
from engine.render.geometry import geometry_on_device
from engine.render.motion import Motion
from engine.render.refit import Refit
from engine.render.tree import build_mesh_trees
from engine.rig import authored_draft, rig_cameras
from engine.scene import Scene, load_frames
from engine.scene.model import Light, LightKind, Material, Mesh, Texture, Wrap
from tests.kernels.scenes import (
    EVERYTHING,
    camera,
    draft_of,
    look_at,
    mesh,
    pose,
    quad,
    rig,
    scene,
    sphere,
    with_ambient,
)

LAMP = Light("/lamp", LightKind.RECT, pose(at=(0, 0, 4)), (1.0, 1.0), 0.0, (6.0, 5.0, 4.0))
BALL, TALL, FLOOR, CHIP = sphere(0.6), sphere(0.5, rings=9), quad(6.0), mesh(np.eye(3), [(0, 1, 2)])
STAGE = scene(
    [(FLOOR, pose()), (BALL, pose(at=(0.3, 0.2, 0.6))), (TALL, pose(at=(-0.9, 0.1, 0.6))),
     (BALL, pose(at=(-0.5, -1.2, 0.7), axes=0.5 * np.eye(3))), (CHIP, pose(at=(1.0, -0.5, 0.2)))],
    lights=(LAMP,), materials=(Material("/grey", base_color=(0.5, 0.4, 0.3)),),
    textures=(Texture("/image", np.ones((1, 1, 4), np.float32), Wrap.REPEAT, Wrap.REPEAT),),
)  # fmt: skip
CAMERA, SETUP = camera(look_at((2.0, -3.0, 2.0), (0, 0, 0.4))), rig(size_px=(40, 28))


def with_mesh(stage: Scene, old: Mesh, **changes: object) -> Scene:
    """Return a scene with another mesh in place of one."""
    new = dataclasses.replace(old, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(stage, meshes=tuple(new if item is old else item for item in stage.meshes))


def bent(old: Mesh, strength: float, stage: Scene = STAGE) -> Scene:
    """Return the scene with a mesh twisted about z and stretched, smooth where it was faceted."""
    x, y, z = old.points_m.astype(np.float64).T
    c, s = np.cos(strength * z), np.sin(strength * z)
    points = np.stack([c * x - s * y, s * x + c * y, (1.0 + 0.2 * strength) * z + 0.1 * strength], axis=1)
    normal = points - points.mean(axis=0)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    moved = points.astype(np.float32)
    return with_mesh(stage, old, points_m=moved, normal=normal[old.triangle].astype(np.float32))


def scrambled(old: Mesh, stage: Scene = STAGE) -> Scene:
    """Return the scene with a mesh whose points have changed places."""
    return with_mesh(stage, old, points_m=np.random.default_rng(0).permutation(old.points_m))


def renderer_of(stage: Scene, setup: Any = SETUP) -> Renderer:
    return Renderer(stage, setup, EVERYTHING, seed=0, device="cpu", threads=1)


def frames_of(renderer: Renderer, stage: Scene) -> Frames:
    """Return three worlds, in each of which something else has moved."""
    draft = draft_of(stage, SETUP, CAMERA, [0, 1, 2])
    draft.world_from_instance[:, 2, 0, 3] += (0.0, 0.1, 0.3)
    draft.visible[2, 3] = False
    return renderer.render(draft)


def assert_same_frames(first: Frames, second: Frames) -> None:
    for name in Frames.image_names():
        if name == "keypoint" and first.keypoint is second.keypoint is None:
            continue  # a stage without any
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes(), name


def assert_shows(renderer: Renderer, stage: Scene) -> None:
    """Assert that a renderer shows a scene as a new one does."""
    assert_same_frames(frames_of(renderer, stage), frames_of(renderer_of(stage), stage))


def arrays_of(renderer: Renderer) -> dict[str, NDArray[np.uint32]]:
    """Return copies of what a move may write, as bits."""
    geometry = renderer._stages.base.geometry
    names = ("triangle", "low_m", "high_m", "instance_from_mesh")
    arrays = {name: getattr(geometry, name) for name in names}
    values = {name: array.numpy() for name, array in arrays.items()} | {"block": geometry.trees.block.numpy()}
    values["node"] = geometry.trees.node.numpy().reshape(-1, 8, gpu.bvh.CPU_LANES)[:, :7]  # the rest holds nothing
    return {name: value.copy().view(np.uint32) for name, value in values.items()}


@pytest.mark.parametrize("lanes", [4, 8])
def test_a_refit_to_the_same_points_leaves_every_bit(lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes, triangles and bounds, with eight children as on the CPU and four as on CUDA; also there and back."""
    monkeypatch.setattr("engine.render.refit.lanes_of", lambda _: lanes)
    trees = build_mesh_trees(STAGE.meshes, lanes)
    geometry = geometry_on_device(STAGE, trees, "cpu")
    refit = Refit(STAGE, geometry, trees.spans, range(len(STAGE.meshes)))

    def bits() -> list[bytes]:
        arrays = (geometry.trees.node, geometry.trees.block, geometry.triangle, geometry.low_m, geometry.high_m)
        return [array.numpy().tobytes() for array in arrays]

    built = bits()
    refit.move(STAGE)
    assert bits() == built
    refit.move(bent(BALL, 1.0))
    assert bits() != built
    refit.move(STAGE)
    assert bits() == built


@pytest.mark.parametrize("lanes", [4, 8])
def test_boxes_are_those_of_what_is_below_them(lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every box of a refitted tree is exactly that of the triangles that the walk from it comes to."""
    monkeypatch.setattr("engine.render.refit.lanes_of", lambda _: lanes)
    stage, after = scene([(BALL, pose())]), bent(BALL, 2.0, scene([(BALL, pose())]))
    trees = build_mesh_trees(stage.meshes, lanes)
    geometry = geometry_on_device(stage, trees, "cpu")
    Refit(stage, geometry, trees.spans, [0]).move(after)
    node, block = geometry.trees.node.numpy().reshape(-1, 8, lanes), geometry.trees.block.numpy().reshape(-1, 40)
    codes, names = node[:, 6].copy().view(np.int32), block[:, 36:].copy().view(np.int32)
    corner = after.meshes[0].points_m[after.meshes[0].triangle]
    met = []

    def check(index: int) -> NDArray[np.int64]:
        below = []
        for lane, code in enumerate(codes[index]):
            if code != 0:
                leaf = names[~code >> 3 : (~code >> 3) + (~code & 7) + 1]
                own = check(code) if code > 0 else leaf[leaf >= 0]
                assert (node[index, 0:3, lane] == corner[own].min(axis=(0, 1))).all()
                assert (node[index, 3:6, lane] == corner[own].max(axis=(0, 1))).all()
                below.append(own)
        met.append(index)
        return np.concatenate(below)

    assert sorted(check(0)) == list(range(len(corner)))
    assert len(met) == len(node)


def test_a_scene_that_moves_looks_as_a_new_renderer_shows_it() -> None:
    """One mesh of two placements, then two meshes, then back: labels and colours of three worlds to the bit."""
    renderer = renderer_of(STAGE)
    first = frames_of(renderer, STAGE)
    for stage, moved in ((bent(BALL, 0.5), (1,)), (bent(TALL, 0.4, bent(BALL, 0.3)), (1, 2)), (STAGE, (1, 2))):
        assert renderer.move(stage) == Motion(refitted=moved, rebuilt=())
        assert_shows(renderer, stage)
        assert (frames_of(renderer, stage).depth_m != first.depth_m).any() == (stage is not STAGE)
    assert_same_frames(frames_of(renderer, STAGE), first)
    assert renderer.move(STAGE) == Motion((), ())


def test_what_is_kept_for_batches_stays() -> None:
    """The same memory and recorded launches go on; no array of the scene changes its place."""
    renderer = renderer_of(STAGE)
    frames_of(renderer, STAGE)
    (batch,), geometry = renderer._cpu.values(), renderer._stages.base.geometry
    for strength in (0.2, 0.4):
        renderer.move(bent(BALL, strength))
        frames_of(renderer, STAGE)
        assert list(renderer._cpu.values()) == [batch]
        assert renderer._stages.base.geometry is geometry


def test_a_worn_tree_is_built_anew() -> None:
    """Of a mesh whose points change places, once; other trees are kept, refitted."""
    renderer = renderer_of(STAGE)
    frames_of(renderer, STAGE)
    stage = scrambled(BALL, bent(TALL, 0.3))
    assert renderer.move(stage) == Motion(refitted=(2,), rebuilt=(1,))
    assert not renderer._cpu
    assert_shows(renderer, stage)
    ball = stage.meshes[1]
    again = with_mesh(stage, ball, points_m=ball.points_m * np.float32(1.1))
    assert renderer.move(again) == Motion(refitted=(1,), rebuilt=())
    assert_shows(renderer, again)


@pytest.mark.parametrize("rough_m", [0.1, 3.0])
def test_a_tree_of_tangled_points_is_built_anew_once_they_are_in_order(rough_m: float) -> None:
    """Whether its boxes are then less than half of those in the tangle or, beside a smaller whole, more than twice."""
    ball = sphere(0.6, rings=100)
    tangle = ball.points_m + rough_m * np.random.default_rng(0).normal(size=ball.points_m.shape)
    stage = scene([(ball, pose(at=(0, 0, 0.5)))], lights=(LAMP,))
    setup = dataclasses.replace(SETUP, quality="labels")
    renderer = renderer_of(with_mesh(stage, ball, points_m=tangle.astype(np.float32)), setup)
    assert renderer.move(stage) == Motion(refitted=(), rebuilt=(0,))
    again = with_mesh(stage, ball, points_m=2.0 * ball.points_m)
    assert renderer.move(again) == Motion(refitted=(0,), rebuilt=())


def test_a_built_tree_is_that_of_a_new_renderer() -> None:
    renderer = renderer_of(STAGE)
    stage = scrambled(BALL)
    renderer.move(stage)
    new = renderer_of(stage)
    assert renderer._stages.base.stack_entries == new._stages.base.stack_entries
    for name, bits in arrays_of(renderer).items():
        assert (bits == arrays_of(new)[name]).all(), name


def test_other_triangles_are_built_and_others_refitted_at_once() -> None:
    """A mesh gets more triangles, then fewer, while another one bends; a mesh may also lose its points to another."""
    renderer = renderer_of(STAGE)
    fine, coarse = sphere(0.6, rings=30), sphere(0.55, rings=5)
    renderer.move(bent(BALL, 0.2, bent(TALL, 0.2)))
    for shape in (fine, coarse, CHIP):
        changes = {name: getattr(shape, name) for name in ("points_m", "triangle", "slot")}
        stage = bent(TALL, 0.1 + 0.01 * len(shape.triangle) ** 0.5, with_mesh(STAGE, BALL, **changes))
        assert renderer.move(stage) == Motion(refitted=(2,), rebuilt=(1,))
        assert_shows(renderer, stage)


def test_parts_of_an_instance_move_without_their_meshes() -> None:
    """Two placements of one instance, of which one turns: no mesh has changed."""
    placements = dataclasses.replace(STAGE.placements, instance=np.array([1, 2, 2, 3, 4], np.int32))
    stage = dataclasses.replace(STAGE, placements=placements)
    renderer = renderer_of(stage)
    poses = placements.world_from_mesh.copy()
    poses[2, :, 3] += (0.2, -0.3, 0.4)
    turned = dataclasses.replace(stage, placements=dataclasses.replace(placements, world_from_mesh=poses))
    before = frames_of(renderer, stage)
    assert renderer.move(turned) == Motion((), ())
    assert_shows(renderer, turned)
    assert (frames_of(renderer, turned).instance != before.instance).any()


def test_what_a_draft_brings_may_change_with_time() -> None:
    """Where lights are and how bright, and the constants of materials that drafts hold."""
    light = dataclasses.replace(LAMP, world_from_light=pose(at=(1, 0, 3)), radiance=(1.0, 2.0, 9.0))
    material = dataclasses.replace(STAGE.materials[0], base_color=(0.1, 0.8, 0.1), roughness=0.2)
    stage = dataclasses.replace(bent(BALL, 0.3), lights=(light,), materials=(material,))
    renderer = renderer_of(STAGE)
    renderer.move(stage)
    assert_shows(renderer, stage)


OTHER_PLACEMENTS = dataclasses.replace(STAGE.placements, color=np.array([[0.5, 0.5, 0.5, 1.0]] * 5, np.float32))
REFUSED = {
    r"holds other lights \(/lamp\); only meshes": {"lights": (dataclasses.replace(LAMP, size_m=(2.0, 1.0)),)},
    r"holds other lights; only": {"lights": (LAMP, LAMP)},
    r"materials \(/grey\)": {"materials": (dataclasses.replace(STAGE.materials[0], opacity=0.5),)},
    r"textures \(/image\)": {
        "textures": (dataclasses.replace(STAGE.textures[0], linear=np.zeros((1, 1, 4), np.float32)),)
    },
    r"colours of placements": {"placements": OTHER_PLACEMENTS},
    r"instances": {"instances": dataclasses.replace(STAGE.instances, stable_id=np.arange(1, 7, dtype=np.uint64))},
    r"number of meshes": {"meshes": (*STAGE.meshes, CHIP)},
    r"opacity of meshes": {
        "meshes": (dataclasses.replace(FLOOR, opacity=np.full((2, 3), 0.5, np.float32)), *STAGE.meshes[1:])
    },
    r"colours of placements, lights \(/lamp\)": {
        "placements": OTHER_PLACEMENTS,
        "lights": (dataclasses.replace(LAMP, casts_shadow=False),),
    },
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_a_renderer_cannot_show_later_is_refused_by_name(message: str) -> None:
    """Nothing has moved then."""
    renderer = renderer_of(STAGE)
    before = arrays_of(renderer)
    with pytest.raises(UserError, match=message):
        renderer.move(dataclasses.replace(bent(BALL, 0.5), **REFUSED[message]))
    for name, bits in arrays_of(renderer).items():
        assert (bits == before[name]).all()


def test_a_built_tree_too_deep_for_the_stack_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = scene([(CHIP, pose())])
    renderer = renderer_of(stage)
    monkeypatch.setattr(gpu.bvh, "STACK_ENTRIES", 4)  # as many as one triangle needs, and one more
    frames_of_one = renderer.render(draft_of(stage, SETUP, CAMERA, [0]))
    assert frames_of_one.instance is not None
    changes = {name: getattr(BALL, name) for name in ("points_m", "triangle", "slot")}
    assert renderer.move(with_mesh(stage, CHIP, **changes)).rebuilt == (0,)
    with pytest.raises(UserError, match="stack entries"):
        renderer.render(draft_of(stage, SETUP, CAMERA, [0]))


def test_the_kernels_are_loaded_when_something_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting takes no longer for them."""
    loaded: list[str] = []
    load = gpu.load
    monkeypatch.setattr(gpu, "load", lambda names, **options: (loaded.extend(names), load(names, **options)))
    renderer = renderer_of(STAGE)
    frames_of(renderer, STAGE)
    renderer.move(STAGE)
    assert "refit" not in loaded
    renderer.move(bent(BALL, 0.1))
    renderer.move(bent(BALL, 0.2))
    assert loaded.count("refit") == 1


def test_a_walking_man_is_refitted_from_time_to_time(shared_dir: Path) -> None:
    """CesiumMan through one renderer, out of order, equals new renderers to the bit; no tree wears."""
    setup = dataclasses.replace(with_ambient(rig(size_px=(48, 64), spp=1), 0.5, 1.0), cameras=("auto",))
    renderer: Renderer | None = None
    for stage in load_frames(shared_dir / "usd/04_CesiumMan/CesiumMan.usdz", [1.0, 24.0, 11.0, 12.5]):
        draft = authored_draft(stage, setup, rig_cameras(stage, setup), np.zeros(1, np.int64), np.zeros(1, np.int32))
        new = renderer_of(stage, setup)
        if renderer is None:
            renderer = new
        else:
            assert renderer.move(stage) == Motion(refitted=(0,), rebuilt=())
        assert_same_frames(renderer.render(draft), new.render(draft))
