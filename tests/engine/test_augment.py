"""Augmentation: pictures change as NumPy and SciPy change them; labels do not, and nothing hangs on batches."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image
from scipy import stats
from scipy.ndimage import gaussian_filter

from engine.config import compose
from engine.errors import UserError
from engine.factory import Factory, build_factory, generate, load_recipe_scene
from engine.randomize.kinds import checked_randomizers, randomizer
from engine.recipe import Recipe, without_assets
from engine.scene.model import Scene

SIZE = ("rig.width=64", "rig.height=48", "rig.spp=1")
KEYS = {"per": "world", "cameras": "*", "probability": 1}
BLUR = {"kind": "augment_blur", **KEYS, "sigma_px": 1.7}
AS_IS = {"gain": 1, "red": 1, "blue": 1, "gamma": 1, "hue_deg": 0, "saturation": 1}
COLOR = {"kind": "augment_color", **KEYS, **AS_IS}
NOISE = {"kind": "augment_noise", **KEYS, "std_dn": 5}
BEHIND = {"kind": "augment_background", **KEYS, "instances": None, "folder": None, "weights": None, "zoom": 1,
          "cell_px": 8}  # fmt: skip


def override(name: str, entry: dict[str, Any]) -> str:
    """Return what adds a randomiser on the command line."""

    def text(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ",".join(f"{key}:{text(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return str(value)
        return "null" if value is None else f"'{value}'" if isinstance(value, str) else str(value)

    return f"+randomize.{name}={text(entry)}"


@cache
def tabletop() -> tuple[Recipe, Scene]:
    return load_recipe_scene(*compose("+scene=tabletop", *SIZE, "labels.margin=0.2"))


def factory(*, threads: int = 1, **entries: dict[str, Any]) -> Factory:
    recipe, scene = tabletop()
    recipe = dataclasses.replace(recipe, randomize={**recipe.randomize, **checked_randomizers(entries)})
    return build_factory(recipe, scene, device="cpu", threads=threads)


@pytest.fixture(scope="module")
def plain() -> Any:
    """Return draft, frames and labels of three worlds as they are rendered."""
    return factory().make([0, 1, 2])


def test_labels_are_the_same_bit_for_bit_and_the_picture_is_not(plain: Any) -> None:
    """Ids, depths, masks and all that is said of instances."""
    _, before, before_labels = plain
    _, after, labels = factory(a=BLUR, b={**COLOR, "gain": 1.3}, c=NOISE, d=BEHIND).make([0, 1, 2])
    assert np.array_equal(before.instance, after.instance)
    assert np.array_equal(before.depth_m, after.depth_m)
    assert labels.rle == before_labels.rle
    assert labels.amodal is not None
    assert labels.amodal.rle == before_labels.amodal.rle
    assert not np.array_equal(before.rgb, after.rgb)


def test_an_entry_that_never_applies_leaves_every_byte(plain: Any) -> None:
    never = {"probability": 0}
    made = factory(a={**BLUR, **never}, b={**COLOR, "gain": 2, **never}, c={**NOISE, **never}, d={**BEHIND, **never})
    draft, frames, _ = made.make([0, 1, 2])
    assert np.array_equal(frames.rgb, plain[1].rgb)
    assert not draft.drawn["p.a.applied"].any()


@pytest.mark.parametrize("sigma_px", [0.4, 1.7, 8.0])
def test_a_blur_is_that_of_scipy(plain: Any, sigma_px: float) -> None:
    """At most one code off, where the two round a sum to either side."""
    _, frames, _ = factory(a={**BLUR, "sigma_px": sigma_px}).make([0, 1, 2])
    for before, after in zip(plain[1].rgb, frames.rgb, strict=True):
        sigma = (sigma_px, sigma_px, 0.0)
        expected = gaussian_filter(before.astype(np.float64), sigma, mode="nearest", truncate=3.0)
        assert np.abs(after - expected).max() < 0.501


def test_colours_follow_the_written_formulas(plain: Any) -> None:
    """Hue is a turn about grey, saturation keeps luminance, gains multiply, the exponent comes last; in float64."""
    value = {"gain": 1.1, "red": 1.2, "blue": 0.8, "gamma": 1.4, "hue_deg": 50, "saturation": 0.6}
    _, frames, _ = factory(b={**COLOR, **value}).make([0, 1, 2])
    axis, angle = np.full(3, 3.0**-0.5), np.deg2rad(50.0)
    code = plain[1].rgb.astype(np.float64)
    turned = code * np.cos(angle) + np.cross(axis, code) * np.sin(angle)
    turned += axis * (code @ axis)[..., None] * (1.0 - np.cos(angle))
    grey = (turned @ np.array([0.2126, 0.7152, 0.0722]))[..., None]
    gained = np.clip((grey + 0.6 * (turned - grey)) * 1.1 * np.array([1.2, 1.0, 0.8]) / 255.0, 0.0, 1.0)
    assert np.abs(frames.rgb - 255.0 * gained**1.4).max() < 0.502


def test_a_third_of_a_turn_takes_red_to_green() -> None:
    _, frames, _ = factory(b={**COLOR, "hue_deg": 120}).make([0])
    _, before, _ = factory().make([0])
    assert np.abs(frames.rgb[..., (1, 2, 0)].astype(int) - before.rgb).max() <= 1


def test_noise_is_normal_of_the_drawn_size_and_independent(plain: Any) -> None:
    """Where no code is cut off; the histogram of what was added is that of a rounded normal number (chi-square)."""
    _, frames, _ = factory(c=NOISE).make([0, 1, 2])
    before = plain[1].rgb.astype(int)
    free = (before > 25) & (before < 230)
    added = (frames.rgb.astype(int) - before)[free]
    edges = np.concatenate([[-np.inf], np.arange(-12, 14) - 0.5, [np.inf]])
    expected = np.diff(stats.norm.cdf(edges, scale=5.0)) * len(added)
    assert stats.chisquare(np.histogram(added, edges)[0], expected).pvalue > 1.0e-3
    whole = np.where(free, frames.rgb.astype(int) - before, 0)
    for other in (np.roll(whole, 1, axis=0), np.roll(whole, 1, axis=2), np.roll(whole, 1, axis=3)):
        assert abs((whole * other).mean()) / 25.0 < 0.03


def test_batches_and_threads_change_nothing() -> None:
    """Every drawn value and every pixel is that of (seed, world, step, camera)."""
    sigma = {"law": "uniform", "low": 0, "high": 3}
    entries = {"a": {**BLUR, "sigma_px": sigma, "probability": 0.5}, "c": NOISE, "d": BEHIND}
    together, drawn = factory(threads=2, **entries), []
    draft, frames, _ = together.make([0, 1, 2, 3])
    lone = factory(**entries)
    for world in range(4):
        one, alone, _ = lone.make([world])
        assert np.array_equal(alone.rgb[0], frames.rgb[world])
        drawn.append(one.drawn["p.a.sigma_px"][0])
    assert np.array_equal(drawn, draft.drawn["p.a.sigma_px"])
    assert 0 < draft.drawn["p.a.applied"].sum() < 4


def test_only_the_background_is_replaced(plain: Any) -> None:
    """Patches are where nothing is hit, or the instances that were named; all else is as it was."""
    name = next(path for path in factory().scene.instances.path if path.endswith("Bench"))
    made = factory(d={**BEHIND, "instances": name})
    _, frames, _ = made.make([0, 1, 2])
    behind = (frames.instance == 0) | (frames.instance == made.scene.instances.path.index(name))
    assert 0.05 < behind.mean() < 0.95
    assert np.array_equal(frames.rgb[~behind], plain[1].rgb[~behind])
    for view in range(3):
        for y, x in zip(*np.nonzero(behind[view]), strict=True):
            first = np.argwhere(behind[view, y // 8 * 8 : y // 8 * 8 + 8, x // 8 * 8 : x // 8 * 8 + 8])[0]
            own = frames.rgb[view, y // 8 * 8 + first[0], x // 8 * 8 + first[1]]
            assert np.array_equal(frames.rgb[view, y, x], own)


def own_scene(folder: Path) -> tuple[str, ...]:
    """Write a scene of a cube before nothing, and images beside it; return its overrides."""
    (folder / "conf/scene").mkdir(parents=True)
    (folder / "conf/scene/mine.yaml").write_text("usd: mine.usda\nrig: {ambient_radiance: [1, 1, 1]}\n")
    (folder / "conf/scene/mine.usda").write_text(
        '#usda 1.0\n(upAxis = "Z"\nmetersPerUnit = 1)\ndef Cube "Box" {}\n'
        'def Camera "Eye" {\n float focalLength = 20\n double3 xformOp:translate = (0, 0, 6)\n'
        '\n uniform token[] xformOpOrder = ["xformOp:translate"]\n}\n'
    )
    (folder / "conf/scene/photos").mkdir()
    rng = np.random.default_rng(0)
    for name, size in (("a.png", (64, 48)), ("b.png", (128, 96)), ("notes.txt", None)):
        file = folder / "conf/scene/photos" / name
        if size is None:
            file.write_text("no image")
        else:
            Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).save(file)
    return ("+scene=mine", *SIZE)


def photos(place: Path, **entry: Any) -> tuple[Any, Any, tuple[Any, ...]]:
    """Return the recipe, the scene and what four worlds before photographs are."""
    data = {**BEHIND, "folder": "photos", **entry}
    recipe, job = compose(*own_scene_overrides(place), override("d", data), config_dir=place / "conf")
    recipe, scene = load_recipe_scene(recipe, job)
    return recipe, scene, build_factory(recipe, scene, device="cpu", threads=1).make(range(6))


def own_scene_overrides(folder: Path) -> tuple[str, ...]:
    return ("+scene=mine", *SIZE) if (folder / "conf").exists() else own_scene(folder)


def test_images_of_a_folder_stand_behind_the_scene(tmp_path: Path) -> None:
    """Pixel for pixel where they have the size of the frame, mirrored or not, as the columns say."""
    recipe, _, (draft, frames, _) = photos(tmp_path, weights=[1, 0])
    with Image.open(tmp_path / "conf/scene/photos/a.png") as image:
        photo = np.asarray(image)
    mirrored = draft.drawn["p.d.mirrored"]
    assert 0 < mirrored.sum() < 6
    assert set(draft.drawn["p.d.image"]) == {"photos/a.png"}
    for view in range(6):
        behind = frames.instance[view] == 0
        assert 0.1 < behind.mean() < 0.95
        shown = photo[:, ::-1] if mirrored[view] else photo
        assert np.array_equal(frames.rgb[view][behind], shown[behind])
    assert {asset.path for asset in recipe.assets} >= {"photos/a.png", "photos/b.png"}


def test_another_image_is_another_recipe(tmp_path: Path) -> None:
    """Content hashes of the folder are part of the id, and a recipe refuses images that are not its own."""
    before, _, _ = photos(tmp_path)
    Image.new("RGB", (64, 48), (9, 9, 9)).save(tmp_path / "conf/scene/photos/a.png")
    after, _, _ = photos(tmp_path)
    assert before.id != after.id
    assert without_assets(before).id == without_assets(after).id
    _, job = compose(*own_scene_overrides(tmp_path), config_dir=tmp_path / "conf")
    with pytest.raises(UserError, match=r"photos/a\.png is not the file of the recipe"):
        load_recipe_scene(before, job)


def test_a_folder_never_leads_out_of_the_scenes_own(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must be a relative path with / and without \.\."):
        randomizer("d", {**BEHIND, "folder": "../photos"})
    own_scene(tmp_path)
    with pytest.raises(UserError, match=r"randomize\.d\.folder: there is no folder"):
        photos(tmp_path, folder="nowhere")
    (tmp_path / "conf/scene/photos/c.png").symlink_to("/proc/version")
    with pytest.raises(UserError, match=r"randomize\.d\.folder asks for .*outside the scene's folder"):
        photos(tmp_path)


def test_what_was_drawn_is_in_the_index(tmp_path: Path) -> None:
    """A column for every value; those of a frame's own have one value for each camera."""
    entries = [override("a", BLUR), override("b", COLOR), override("c", NOISE), override("d", BEHIND)]
    recipe, job = compose("+scene=tabletop", *SIZE, *entries, "count=2", "device=cpu", f"out={tmp_path}/set")
    generate(recipe, job)
    names = parquet.read_table(f"{tmp_path}/set/index/worlds.parquet").column_names
    wanted = {"a.sigma_px", "a.applied", *(f"b.{key}" for key in AS_IS), "c.std_dn", "c.applied", "d.applied"}
    assert {f"p.{name}" for name in wanted} <= set(names)
