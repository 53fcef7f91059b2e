"""The bench of the eye measures what it says: the peers' scene, turns, and no number where nothing was compared."""

from __future__ import annotations

import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import warp as wp

from bench import eye_clock
from bench.eye import images_of
from bench.eye_clock import Timing, Turn, clocked, logged_launches, take_turns
from bench.eye_growth import Eye, _array_bytes
from bench.eye_scene import comparison_subject, draft_of, eye_rig, own_subject, peers_scene_module
from bench.peers import PROGRAMS, Images, Peer, PeerMissingError, Program, Work, differences, start_peer
from engine.render.inputs import Inputs, field

WORK = Work("cpu", 1, 8, 4, 1)


def test_worlds_of_the_comparison_scene_are_those_of_the_peers(shared_dir: Path) -> None:
    """Every corner of every instance lies where the peers' own flattening puts it, in the second world too."""
    folder = shared_dir / "peers"
    peers = peers_scene_module(folder)
    made = peers.make_scene(2, 20, 600)
    subject = comparison_subject(folder, 2, boxes=20, detail_triangles=600)
    points, triangles, owner, uv, _ = peers.flatten(made, 1)
    draft = draft_of(subject, eye_rig(8, 8), [1])
    ours = []
    for mesh, instance in zip(subject.scene.placements.mesh, subject.scene.placements.instance, strict=True):
        pose, shape = draft.world_from_instance[0, instance], subject.scene.meshes[mesh]
        ours.append(shape.points_m[shape.triangle] @ pose[:, :3].T + pose[:, 3])
    assert np.concatenate(ours) == pytest.approx(points[triangles], abs=1e-5)
    assert np.bincount(owner).tolist() == [len(corners) for corners in ours]
    corner_uv = [subject.scene.meshes[m].uv for m in subject.scene.placements.mesh]
    assert np.concatenate(corner_uv) == pytest.approx(uv[triangles])  # type: ignore[arg-type]


def test_rays_of_the_comparison_scene_are_those_of_the_peers(shared_dir: Path) -> None:
    """Points seen by our renderer, at the depth it says, lie on the rays that the peers cast."""
    folder = shared_dir / "peers"
    peers = peers_scene_module(folder)
    subject = comparison_subject(folder, 1, boxes=20, detail_triangles=600)
    origin, direction = peers.camera_rays(peers.make_scene(1, 20, 600), 0, 32, 24)
    with closing(Eye(subject, (32, 24), quality="labels", device="cpu", threads=1)) as eye:
        draft = eye.draft([0])
        seen = images_of(eye.renderer.render(draft), draft)
    floor = (seen.ids[0] == 0) & (seen.depth_m[0] > 0)
    assert floor.sum() > 50
    points = origin + direction * seen.depth_m[0][..., None]
    assert np.abs(points[floor][:, 2]).max() < 1e-4


def test_our_own_scene_has_the_statistics_of_the_comparison_scene() -> None:
    """About 250 instances, 83 thousand triangles, two suns, four textures, and worlds that differ."""
    subject = own_subject(3)
    assert subject.instance_count == 250
    assert subject.triangle_count == pytest.approx(83_000, rel=0.03)
    assert (len(subject.scene.lights), len(subject.scene.textures)) == (2, 4)
    poses = subject.world_from_instance
    assert not np.array_equal(poses[0], poses[1])
    assert subject.scene.instances.world_from_instance[1:] == pytest.approx(poses[0])
    lengths = np.linalg.norm(subject.light_direction, axis=-1)
    assert lengths == pytest.approx(np.ones((3, 2)))


@pytest.mark.parametrize(("instances", "triangles"), [(16, 1_000), (4096, 1_000), (16, 100_000)])
def test_our_own_scene_grows_as_asked(instances: int, triangles: int) -> None:
    subject = own_subject(1, instances=instances, detail_triangles=triangles)
    assert subject.instance_count == instances
    assert len(subject.scene.meshes[2].triangle) == pytest.approx(triangles, rel=0.05)


def test_closed_meshes_of_our_own_scene_face_outwards() -> None:
    """The signed volume of the crate is one cubic metre, that of the ball positive, and normals agree with faces."""
    for mesh, volume in zip(own_subject(1, detail_triangles=2_000).scene.meshes[1:], (1.0, 3.0), strict=True):
        a, b, c = np.moveaxis(mesh.points_m[mesh.triangle].astype(np.float64), 1, 0)
        assert (a * np.cross(b, c)).sum() / 6.0 == pytest.approx(volume, rel=0.1)
        assert mesh.normal is not None
        towards = (np.cross(b - a, c - a)[:, None] * mesh.normal).sum(axis=-1)
        assert (towards > 0).mean() > 0.99


def test_contestants_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A B A B, at least as often as asked, and each keeps its own times."""
    monkeypatch.setattr(eye_clock, "TURN_S", 0.0)
    order: list[str] = []

    def step(name: str, wall_s: float) -> Turn:
        order.append(name)
        return Turn(wall_s, 2 * wall_s)

    found = take_turns({"a": lambda: step("a", 1.0), "b": lambda: step("b", 3.0)}, rounds=3, budget_s=0.0)
    assert order == ["a", "b"] * 3
    assert (found["a"].best_s, found["b"].median_s, found["b"].cpu_s) == (1.0, 3.0, 6.0)


def test_a_turn_is_the_mean_of_as_many_runs_as_fill_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eye_clock, "TURN_S", 0.02)
    walls = iter([1.0, 2.0, 6.0])

    def step() -> Turn:
        time.sleep(0.008)
        return Turn(next(walls), 0.5)

    (turn,) = take_turns({"a": step}, rounds=1, budget_s=0.0)["a"].turns
    assert turn == Turn(3.0, 0.5)


def test_sleep_costs_no_processor_time() -> None:
    turn = clocked(lambda: time.sleep(0.05))
    assert turn.wall_s >= 0.05
    assert turn.cpu_s < 0.04


def test_the_log_holds_every_launch_of_a_render() -> None:
    """World and pixel kernels are there, their times are within the render's, and launches are restored after."""
    launch = wp.launch
    with closing(Eye(own_subject(1, instances=16, detail_triangles=200), (16, 16), quality="labels", device="cpu",
                     threads=1)) as eye:  # fmt: skip
        draft = eye.draft([0])
        with logged_launches() as log:
            turn = clocked(lambda: eye.renderer.render(draft))
    assert wp.launch is launch
    names = {one.kernel.partition(".")[0] for one in log.launches}
    assert {"geometry", "trace", "resolve"} <= names
    assert 0.0 < log.pixels().wall_s < turn.wall_s


def test_shared_rows_count_once() -> None:
    equal, different = np.zeros((5, 3), np.float32), np.arange(15, dtype=np.float32).reshape(5, 3)
    fields = [field(str(i), wp.float32, values, may_share=True) for i, values in enumerate((equal, different))]
    inputs = Inputs(fields, "cpu")
    assert _array_bytes(inputs.array("0")) == 3 * 4
    assert _array_bytes(inputs.array("1")) == 5 * 3 * 4


def images(*, far_m: float = 2.0) -> Images:
    depth = np.full((1, 40, 40), far_m, np.float32)
    depth[:, :10] = 0.0
    ids = np.where(depth > 0, 3, -1).astype(np.int32)
    return Images(depth, ids, np.tile(np.float32([0, 0, 1]), (1, 40, 40, 1)))


def test_equal_images_have_no_differences() -> None:
    assert differences(images(), images(), PROGRAMS["newton"]) == []


def test_differences_are_named() -> None:
    """One pixel at a silhouette is let through; two, a millimetre and more, or turned normals are not."""
    ours = images()
    nicked = images()
    nicked.depth_m[0, 10, 5], nicked.ids[0, 10, 5] = 0.0, -1
    assert differences(ours, nicked, PROGRAMS["open3d"]) == []
    nicked.depth_m[0, 10, 6], nicked.ids[0, 10, 6] = 0.0, -1
    assert "hit" in differences(ours, nicked, PROGRAMS["open3d"])[0]
    renamed = images()
    renamed.ids[0, 20] = 4
    assert "id" in differences(ours, renamed, PROGRAMS["open3d"])[0]
    assert "depth" in differences(ours, images(far_m=2.0002), PROGRAMS["open3d"])[0]
    turned = images()
    assert turned.normal is not None
    turned.normal[..., :] = (0, 1, 0)
    assert "normals" in differences(ours, turned, PROGRAMS["newton"])[0]
    assert differences(ours, turned, PROGRAMS["open3d"]) == []


@pytest.fixture
def toy_folder(tmp_path: Path) -> Path:
    """A folder with a peer whose step sleeps, in the form of the real programs."""
    (tmp_path / "bench_common.py").write_text("def timeit(*_):\n    raise SystemExit('not served')\n")
    (tmp_path / "toy.py").write_text(
        textwrap.dedent(
            """
            import os, sys, time
            import numpy as np
            from bench_common import *
            print("chatter on standard output")
            median, best, count = timeit(lambda: time.sleep(0.02), lambda: None, 3, 2.0)
            assert count == 3 and best >= 0.02, (count, best)
            out = os.path.join(os.environ["PEERS_OUT"], "toy_1_8x4.npz")
            np.savez(out, depth=np.ones((1, 4, 8), np.float32), ids=np.zeros((1, 4, 8), np.int32))
            """
        )
    )
    return tmp_path


def test_a_peer_steps_when_told_and_saves_in_the_end(toy_folder: Path) -> None:
    with Peer(Program("toy", "toy.py", "toy"), WORK, python=Path(sys.executable), folder=toy_folder) as peer:
        peer.wait_ready()
        timing = Timing(tuple(peer.step() for _ in range(3)))
        seen = peer.finish()
    assert 0.02 <= timing.best_s < 1.0
    assert timing.cpu_s < 0.02
    assert seen.depth_m.shape == (1, 4, 8)
    assert seen.normal is None


def test_a_peer_that_fails_says_its_last_words(toy_folder: Path) -> None:
    (toy_folder / "toy.py").write_text("raise RuntimeError('no such shape')\n")
    toy = Program("toy", "toy.py", "toy")
    with (
        Peer(toy, WORK, python=Path(sys.executable), folder=toy_folder) as peer,
        pytest.raises(PeerMissingError, match="no such shape"),
    ):
        peer.wait_ready()


def test_what_is_not_here_is_not_measured(toy_folder: Path) -> None:
    """No programs, no Python, no package: each is told apart, and none becomes a number."""
    python = Path(sys.executable)
    with pytest.raises(PeerMissingError, match="OMMATIDIA_SHARED"):
        start_peer("newton", WORK, python=python, folder=None)
    (toy_folder / "bench_newton.py").write_text("")
    with pytest.raises(PeerMissingError, match="peers-python"):
        start_peer("newton", WORK, python=None, folder=toy_folder)
    (toy_folder / "bench_mjwarp.py").write_text("")
    with pytest.raises(PeerMissingError, match="not installed"):
        start_peer("mujoco_warp", WORK, python=python, folder=toy_folder)
