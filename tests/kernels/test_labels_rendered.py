"""Labels come with the frames where they are asked for, the same in parts and from images."""

from __future__ import annotations

import dataclasses
from contextlib import closing

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.draft import Draft
from engine.errors import UserError
from engine.frames import Frames
from engine.labels.config import LabelConfig
from engine.labels.extract import labels_from_frames
from engine.render import Outputs, Renderer
from tests.kernels.alone import assert_same
from tests.kernels.scenes import LABELS, draft_of
from tests.kernels.test_canvas import CAMERA, SETUP, crowd

WHOLE = dataclasses.replace(LABELS, labels=LabelConfig())
VISIBLE = dataclasses.replace(LABELS, labels=LabelConfig(amodal=False))


def drafts(worlds: int = 4) -> Draft:
    draft = draft_of(crowd(), SETUP, CAMERA, list(range(worlds)))
    draft.world_from_instance[1:, 1:, :, 3] += np.random.default_rng(0).uniform(-1, 1, (worlds - 1, 30, 3))
    draft.world_from_camera[2, 0, 2, 3] = 90.0  # a view of nothing
    return draft


def rendered(outputs: Outputs, *, room_px: int | None = None) -> Frames:
    with closing(Renderer(crowd(), SETUP, outputs, seed=0, device="cpu", threads=2)) as renderer:
        if room_px is not None:
            renderer._largest_px = room_px
        return renderer.render(drafts())


def test_a_draft_that_is_rendered_in_parts_has_the_labels_of_the_whole() -> None:
    """Also where a part sees nothing."""
    whole, parts = rendered(WHOLE), rendered(WHOLE, room_px=2 * SETUP.width * SETUP.height)
    assert_same(whole.labels, parts.labels)
    assert whole.labels is not None
    assert sorted(set(whole.labels.view.tolist())) == [0, 1, 3]


@pytest.mark.parametrize("depth", [True, False])
def test_labels_do_not_depend_on_which_images_leave_the_renderer(depth: bool) -> None:
    """Depth and ids are there for them all the same."""
    bare = rendered(dataclasses.replace(WHOLE, depth=depth, normal=False, instance=False))
    assert bare.instance is None
    assert_same(bare.labels, rendered(WHOLE).labels)


def test_visible_labels_are_those_that_numpy_makes_of_the_images() -> None:
    frames = rendered(VISIBLE)
    class_id: NDArray[np.int32] = crowd().instances.class_id
    by_numpy = labels_from_frames(dataclasses.replace(frames, labels=None), class_id)
    reduced = labels_from_frames(frames, class_id)
    assert reduced.amodal is None
    for name in ("view", "instance", "class_id", "visible_px", "box_px", "distance_m", "rle"):
        assert np.array_equal(getattr(reduced, name), getattr(by_numpy, name)), name


def test_labels_come_only_when_asked_for() -> None:
    """And not with images that stay on the device alone."""
    assert rendered(LABELS).labels is None
    with closing(Renderer(crowd(), SETUP, WHOLE, seed=0, device="cpu", threads=1)) as renderer:
        frames, pending = renderer.render_on_both(drafts(), ())
        assert_same(pending.wait().labels, rendered(WHOLE).labels)
        alone = renderer.render_on_device(drafts())
        assert (alone.instance.numpy() == frames.instance.numpy()).all()


def test_a_window_whose_pixels_cannot_be_numbered_is_refused() -> None:
    outputs = dataclasses.replace(LABELS, labels=LabelConfig(margin=8.0))
    setup = dataclasses.replace(SETUP, width=16_384, height=16_384)
    with (
        closing(Renderer(crowd(), setup, outputs, seed=0, device="cpu", threads=1)) as renderer,
        pytest.raises(UserError, match=r"smaller labels\.margin"),
    ):
        renderer.render(draft_of(crowd(), setup, CAMERA, [0]))
