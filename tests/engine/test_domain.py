"""Domains, choices of lights, splits of assets and textures from folders: one of several, by name, and nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from engine.errors import UserError
from engine.randomize.asset_split import without_held_out
from engine.randomize.kinds import randomizer
from engine.randomize.look.texture import with_texture_choices
from engine.randomize.prepare import prepared_scene
from engine.scene.image_folder import read_image_folder
from engine.scene.model import Keypoints, Scene
from tests.engine.randomize_scene import anchor, at, box_scene, randomized, recipe_of

PATHS = ("/Back_A", "/Back_B", "/Item_1", "/Item_2", "/Item_3")
SCENE = box_scene(
    {path: ((3.0 * i, 0, 0), (1, 1, 1)) for i, path in enumerate(PATHS)},
    anchor("/Floor", "floor", at(0, 10, 0), (20, 20, 1)),
)
GROUPS = {"sun": "/Lights/Sun", "lamp": "/Lights/LampA", "both": ["/Lights/LampA", "/Lights/LampB"]}
DOMAINS = {
    "field": {"show": "/Back_A", "lights": "/Lights/Sun"},
    "hall": {"show": "/Back_B", "lights": ["/Lights/LampA"], "wear": {"/Mat/Red": "/Item_*"}},
    "void": {},
}
SCATTER = {"kind": "scatter", "items": "/Item_*", "anchors": "floor", "count": 3, "yaw_deg": 0, "gap_m": 0.1,
           "avoid": None, "tries": 32}  # fmt: skip


def test_one_group_of_lights_shines_and_its_share_is_the_asked_one():
    """By chi-square; what is in no other group stays on, members of several are on with any of them."""
    entry = {"kind": "light_choice", "groups": GROUPS, "weights": [1, 2, 1]}  # both, lamp, sun
    draft = randomized(SCENE, {"light": entry}, range(400))
    chosen = draft.drawn["p.light.group"]
    counts = [(chosen == name).sum() for name in ("both", "lamp", "sun")]
    assert stats.chisquare(counts, [100, 200, 100]).pvalue > 1e-3
    on = draft.radiance.any(axis=2)  # Sun, LampA, LampB
    for name, expected in (("sun", [1, 0, 0]), ("lamp", [0, 1, 0]), ("both", [0, 1, 1])):
        assert (on[chosen == name] == expected).all()


def test_a_domain_shows_lights_and_paints_what_is_its_own():
    entry = {"kind": "domain", "domains": DOMAINS, "weights": [2, 1, 1]}  # field, hall, void
    draft = randomized(SCENE, {"place": entry}, range(400))
    chosen = draft.drawn["p.place.domain"]
    counts = [(chosen == name).sum() for name in ("field", "hall", "void")]
    assert stats.chisquare(counts, [200, 100, 100]).pvalue > 1e-3
    expected = {"field": ([1, 0], [1, 0]), "hall": ([0, 1], [0, 1]), "void": ([0, 0], [0, 0])}
    for name, (backs, lights) in expected.items():
        rows = chosen == name
        assert (draft.visible[rows, 1:3] == backs).all()
        assert draft.visible[rows, 3:].all()
        assert (draft.radiance[rows, :2].any(axis=2) == lights).all()
        assert draft.radiance[rows, 2].all()  # LampB is in no domain
        assert (draft.material[rows, 3:] == (1 if name == "hall" else -1)).all()


def test_a_dataset_of_one_split_never_shows_what_is_held_out():
    """Not even to placement: the other set's instances are not there at all, and globs go on working."""
    entry = {"kind": "asset_split", "sets": {"train": ["/Item_1", "/Item_3"], "test": "/Item_2"}, "use": "train"}
    seen = {}
    for use in ("train", "test"):
        recipe = recipe_of({"split": {**entry, "use": use}, "throw": SCATTER})
        scene = prepared_scene(recipe, SCENE, Path("boxes.usda"), (), lambda _: SCENE)
        draft = randomized(scene, recipe.randomize, range(20))
        shown = draft.visible.any(axis=0)
        seen[use] = {path for path, is_shown in zip(scene.instances.path, shown) if is_shown and "Item" in path}
        assert set(draft.drawn["p.split.split"]) == {use}
    assert seen == {"train": {"/Item_1", "/Item_3"}, "test": {"/Item_2"}}


def test_what_stays_after_a_split_is_as_it_was():
    """Meshes, poses, keypoints and stable ids of the instances that are left."""
    keypoints = Keypoints(np.array([3, 4, 5], np.int32), np.zeros(3, np.int32), np.eye(3), np.zeros(3, np.float32))
    before = dataclasses.replace(SCENE, keypoints=keypoints)
    params = randomizer("s", {"kind": "asset_split", "sets": {"a": "/Item_1", "b": "/Item_2"}, "use": "b"}).params
    after = without_held_out(before, params, "randomize.s")
    assert after.instances.path == tuple(path for path in before.instances.path if path != "/Item_1")
    assert after.keypoints.instance.tolist() == [3, 4]
    np.testing.assert_array_equal(after.keypoints.position_m, np.eye(3)[1:])
    for index, path in enumerate(after.instances.path[1:], start=1):
        old = before.instances.path.index(path)
        assert after.instances.stable_id[index] == before.instances.stable_id[old]
        (own,) = np.flatnonzero(after.placements.instance == index)
        (was,) = np.flatnonzero(before.placements.instance == old)
        assert after.meshes[after.placements.mesh[own]] is before.meshes[before.placements.mesh[was]]
        np.testing.assert_array_equal(after.placements.world_from_mesh[own], before.placements.world_from_mesh[was])


@pytest.mark.parametrize(("sets", "use", "said"), [
    ({"a": "/Item_*", "b": "/Item_2"}, "a", r"/Item_2 is in a and in b; an asset has one split"),
    ({"a": "/Nothing", "b": "/Item_2"}, "a", r"randomize\.split\.sets\.a: '/Nothing' matches no instance"),
    ({"a": "/Item_1"}, "c", r"use must be one of the sets a, got 'c'"),
])  # fmt: skip
def test_a_split_that_is_none_is_refused(sets: dict[str, str], use: str, said: str):
    recipe = recipe_of({"split": {"kind": "asset_split", "sets": sets, "use": use}})
    with pytest.raises(UserError, match=said):
        prepared_scene(recipe, SCENE, Path("boxes.usda"), (), lambda _: SCENE)


def textured(tmp_path: Path, **entry: Any) -> tuple[Scene, dict[str, Any]]:
    """Return the scene with three images to wear, and the entry."""
    from PIL import Image

    (tmp_path / "cloth").mkdir()
    for name, color in (("a.png", (255, 0, 0)), ("b.jpg", (0, 255, 0)), ("c.png", (0, 0, 255))):
        Image.new("RGB", (8, 4), color).save(tmp_path / "cloth" / name)
    data = {"kind": "texture", "instances": "/Item_*", "material": "/Mat/Blue", "folder": "cloth", "weights": None,
            "probability": 1, "together": False, **entry}  # fmt: skip
    images = read_image_folder("cloth", tmp_path / "scene.usda", (), "randomize.cloth.folder").textures
    return with_texture_choices(SCENE, randomizer("cloth", data).params, images, "randomize.cloth"), data


def test_textures_of_a_folder_become_materials_and_each_instance_wears_one(tmp_path: Path):
    """What is recorded is the file's name; the material is the named one with the image as its base colour."""
    scene, data = textured(tmp_path)
    draft = randomized(scene, {"cloth": data}, range(200))
    names = draft.drawn["p.cloth.image"]
    assert stats.chisquare([(names == name).sum() for name in ("a.png", "b.jpg", "c.png")]).pvalue > 1e-3
    for row, column in np.ndindex(names.shape):
        worn = scene.materials[draft.material[row, 3 + column]]
        texture = scene.textures[worn.textures["base_color"].texture]
        assert worn.name == f"/Mat/Blue@cloth/{names[row, column]}"
        assert texture.name == f"cloth/{names[row, column]}"
        assert int(texture.pixels[0, 0, :3].argmax()) == "abc".index(names[row, column][0])
    assert (draft.material[:, :3] == -1).all()


def test_weights_of_textures_are_those_of_the_files_in_order(tmp_path: Path):
    scene, data = textured(tmp_path, weights=[0, 1, 0], together=True)
    assert set(randomized(scene, {"cloth": data}, range(20)).drawn["p.cloth.image"]) == {"b.jpg"}
    with pytest.raises(UserError, match=r"randomize\.cloth\.weights: 3 values but 2 weights"):
        randomized(scene, {"cloth": {**data, "weights": [1, 1]}}, [0])
