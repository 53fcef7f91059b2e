"""Depth and ids agree with Embree, through Open3D's ray casting: random scenes, rays along axes, the comparison scene.

Instances differ only where two surfaces are as near as float32 can tell, which is a tie and anyone's, or within 0.01 px
of a silhouette, where Embree sees what we see.
"""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.eye_scene import comparison_subject, eye_rig
from bench.eye_scene import draft_of as draft_of_subject
from engine.draft import Draft
from engine.render import Renderer
from engine.scene.model import Scene
from tests.judge.embree import Judge, Seen
from tests.kernels.hard_scenes import TINY, lattice_scene, random_scene
from tests.kernels.scenes import LABELS, camera, draft_of, look_at, rig

pytestmark = pytest.mark.judge

HIT_SHARE = 1e-6  # of the rays may meet something in one program and nothing in the other
ID_SHARE = 1e-5  # of the rays may meet another instance
DEPTH_M = 1e-4
GRAZED_M = 1e-6  # across a surface: two roundings of a corner at 10 m, 1e-4 m along a ray at 0.6 degrees to it


def seen_by_both(stage: Scene, draft: Draft, size_px: tuple[int, int]) -> tuple[Judge, Seen]:
    """Return Embree, and what it and we see of the first world of a draft."""
    with closing(Renderer(stage, rig(size_px=size_px, quality="labels"), LABELS, seed=0, device="cpu")) as renderer:
        frames = renderer.render(draft)
    judge = Judge(stage, draft)
    return judge, judge.seen(frames)


def apart(seen: Seen, judge: Judge) -> NDArray[np.int64]:
    """Return the pixels with different instances or with depths further apart, across the surface, than rounding."""
    limit_m = judge.rounding_m(judge.rays(seen.x_px, seen.y_px), seen.judge_instance, seen.judge_triangle)
    return np.flatnonzero(seen.differs | (seen.plane_error_m > limit_m))


def test_the_comparison_scene_agrees_with_embree(shared_dir: Path) -> None:
    """Over twelve million rays: hits to 1e-6, instances to 1e-5 of them, depths to 1e-4 m, but for silhouettes.

    A surface at less than 0.6 degrees to the ray may be off by more: there, the distance across it is below 1e-6 m.
    """
    worlds, size_px = 16, (1024, 768)
    subject = comparison_subject(shared_dir / "peers", worlds)
    setup = eye_rig(*size_px, quality="labels")
    rays = hits_differ = differ = grazed = 0
    with closing(Renderer(subject.scene, setup, LABELS, seed=0, device="cpu")) as renderer:
        for world in range(worlds):
            draft = draft_of_subject(subject, setup, [world])
            judge = Judge(subject.scene, draft)
            seen = judge.seen(renderer.render(draft))
            deep = seen.error_m > DEPTH_M
            pixels = np.flatnonzero(seen.differs | (deep & (seen.plane_error_m > GRAZED_M)))
            assert judge.is_by_an_edge(seen, pixels).all(), pixels
            assert (seen.judge_instance > 0).mean() > 0.5
            rays += len(seen.depth_m)
            hits_differ += np.count_nonzero(seen.hits_differ)
            differ += np.count_nonzero(seen.differs)
            grazed += np.count_nonzero(deep)
    assert rays > 12_000_000
    assert hits_differ <= HIT_SHARE * rays
    assert differ <= ID_SHARE * rays
    assert grazed <= ID_SHARE * rays


@pytest.mark.parametrize("seed", range(4))
def test_random_scenes_agree_with_embree(seed: int) -> None:
    """Degenerate, tiny, huge, coplanar, mirrored and stretched: a million rays each."""
    stage, size_px = random_scene(seed), (1024, 1024)
    draft = draft_of(stage, rig(size_px=size_px), camera(look_at((0, 0, 0), (-7, 6, -4))), [0])
    judge, seen = seen_by_both(stage, draft, size_px)
    pixels = apart(seen, judge)
    others = pixels[~judge.is_a_tie(seen, pixels)]
    assert judge.is_by_an_edge(seen, others).all(), others
    assert len(others) <= ID_SHARE * len(seen.depth_m)
    assert np.count_nonzero(seen.hits_differ) <= HIT_SHARE * len(seen.depth_m)
    assert len(np.unique(seen.judge_instance)) > 120
    assert np.isin(seen.instance - 1, TINY).sum() > 10_000
    assert len(pixels) > len(others) + 1000  # there are ties


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("side", [-1, 1])
def test_rays_along_axes_agree_with_embree(axis: int, side: int) -> None:
    """An orthographic camera whose pixel centres lie on edges and corners that triangles, or tiles, share."""
    stage, size_px = lattice_scene(), (512, 512)
    eye = 40.0 * side * np.eye(3)[axis]
    cam = dataclasses.replace(camera(look_at(eye, (0, 0, 0), up=np.eye(3)[axis - 1])), orthographic=True)
    draft = draft_of(stage, rig(size_px=size_px), cam, [0])
    draft.focal_px[:] = 16.0  # per metre
    draft.center_px[:] = 256.5
    judge, seen = seen_by_both(stage, draft, size_px)
    pixels = apart(seen, judge)
    others = pixels[~judge.is_a_tie(seen, pixels)]
    assert judge.is_by_an_edge(seen, others).all(), others
    assert (seen.judge_instance > 0).mean() > 0.2
    if axis == 2:  # but for two borders, the image shows the floor: no tile, and no border of two, lets a ray through
        assert (seen.instance > 0)[(seen.x_px > 1) & (seen.y_px > 1)].all()
