"""Every factor that varies, measured in small rendered datasets, in index and pixels: the proofs of docs/factors.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import stats
from scipy.spatial import ConvexHull

from engine.config import compose
from engine.factory import Factory, build_factory, generate, load_recipe_scene

LEAST_P = 1.0e-3  # draws are fixed by the seed: a test that passes once always passes
WIDTH, HEIGHT = 80, 60
SIZE = (f"rig.width={WIDTH}", f"rig.height={HEIGHT}", "rig.spp=2", "labels.amodal=false")
MATERIAL = """
    def Material "{name}" {{
        token outputs:surface.connect = </Studio/Looks/{name}/S.outputs:surface>
        def Shader "S" {{
            uniform token info:id = "UsdPreviewSurface"
            color3f inputs:diffuseColor = {color}
            color3f inputs:emissiveColor = {emission}
            float inputs:roughness = 1
            token outputs:surface
        }}
    }}
"""
CUBE = """
    def Cube "{name}" (prepend apiSchemas = ["MaterialBindingAPI", "SemanticsLabelsAPI:class"]) {{
        double size = 1
        token[] semantics:labels:class = ["{label}"]
        rel material:binding = </Studio/Looks/{look}>
        double3 xformOp:translate = {at}
        float3 xformOp:scale = {size}
        uniform token[] xformOpOrder = ["xformOp:translate", "xformOp:scale"]
    }}
"""


def studio() -> str:
    """Return a floor under a camera that looks down from 6 m, five items, three backdrops, three lights and a bar."""
    looks = {"Grey": (0.5, 0.5, 0.5), "Red": (0.8, 0.02, 0.02), "Blue": (0.02, 0.02, 0.8)}
    text = '#usda 1.0\n(upAxis = "Z"\nmetersPerUnit = 1)\ndef Xform "Studio" {\ndef Scope "Looks" {\n'
    text += "".join(MATERIAL.format(name=n, color=c, emission=(0, 0, 0)) for n, c in looks.items())
    text += MATERIAL.format(name="Glow", color=(0, 0, 0), emission=(0.4, 0.4, 0.4)) + "}\n"
    boxes = [
        ("Floor", "floor", "Grey", (0, 0, -0.05), (12, 12, 0.1)),
        ("Bar", "bar", "Glow", (0, 0, 3), (0.5, 40, 0.01)),
    ]
    boxes += [("Ball", "ball", "Grey", (0.3, 0.2, 0.5), (0.2, 0.2, 0.2))]
    boxes += [(f"Item_{i}", "item", "Grey", (i - 2.0, 0, 0.2), (0.5, 0.3, 0.4)) for i in range(5)]
    boxes += [(f"Back_{n}", "back", "Grey", (0, 2.2, 0.1), (4, 0.3, 0.2)) for n in ("Dock", "Field", "Hall")]
    text += "".join(CUBE.format(name=n, label=c, look=k, at=at, size=size) for n, c, k, at, size in boxes)
    text += (
        'def Xform "Area" {\n custom token ommatidia:anchor = "floor"\n custom float3 ommatidia:size = (4, 3, 1)\n}\n'
    )
    text += 'def DistantLight "Sun" {\n float inputs:intensity = 5000\n float inputs:angle = 1\n}\n'
    text += 'def DomeLight "Dome" {\n float inputs:intensity = 0.3\n}\n'
    text += 'def RectLight "Panel" {\n float inputs:intensity = 4\n float inputs:width = 2\n float inputs:height = 2\n'
    text += ' double3 xformOp:translate = (0, 0, 5)\n uniform token[] xformOpOrder = ["xformOp:translate"]\n}\n'
    text += 'def Camera "Eye" {\n float focalLength = 0.2\n float horizontalAperture = 0.24\n'
    text += " float verticalAperture = 0.18\n"
    text += ' double3 xformOp:translate = (0, 0, 6)\n uniform token[] xformOpOrder = ["xformOp:translate"]\n}\n}\n'
    return text


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a configuration folder with the scene `studio`."""
    folder = tmp_path_factory.mktemp("factors")
    (folder / "scene").mkdir()
    (folder / "scene/studio.usda").write_text(studio())
    (folder / "scene/studio.yaml").write_text("usd: studio.usda\n")
    return folder


HIDE_BAR = "+randomize.bar={kind: domain, domains: {off: {}, on: {show: /Studio/Bar}}, weights: [1, 0]}"
DARK = "+randomize.dark={kind: light_scale, lights: '*', stops: -60, together: true}"
EMPTY = HIDE_BAR.replace("show: /Studio/Bar", "show: ['/Studio/*', '!/Studio/Floor']")
BACKS = "dock: {show: /Studio/Back_Dock}, field: {show: /Studio/Back_Field}, hall: {show: /Studio/Back_Hall}"
LAYOUT = (
    f"+randomize.place={{kind: domain, domains: {{{BACKS}}}, weights: [2, 1, 1]}}",
    "+randomize.light={kind: light_choice, groups: {area: /Studio/Panel, dome: /Studio/Dome, sun: /Studio/Sun}, "
    "weights: null}",
    "+randomize.crowd={kind: scatter, items: /Studio/Item_*, anchors: floor, count: {law: integer, low: 0, high: 5}, "
    "yaw_deg: {law: uniform, low: -90, high: 90}, gap_m: 0.05, avoid: null, tries: 64}",
    "+randomize.paint={kind: material_swap, instances: /Studio/Item_*, materials: [/Studio/Looks/Red, "
    "/Studio/Looks/Blue], weights: [1, 1], probability: 1}",
    HIDE_BAR,
)
ORBIT = (
    "+randomize.eye={kind: camera_orbit, cameras: '*', around: /Studio/Ball, roll_deg: 0, "
    "distance_m: {law: uniform, low: 2, high: 4}, azimuth_deg: {law: uniform, low: -180, high: 180}, "
    "elevation_deg: {law: uniform, low: 20, high: 60}, focal_mm: {law: choice, values: [15, 45]}, "
    "clear: {clearance_m: 0.2, tries: 16, inside: '/Studio/*'}}",
    HIDE_BAR,
    "rig.spp=1",
)
WORLDS = 48


class Made:
    """A dataset: its tables as columns, and its pictures."""

    def __init__(self, conf: Path, *overrides: str) -> None:
        out = conf / f"out{len(list(conf.iterdir()))}"
        all_of = ("+scene=studio", *SIZE, *overrides, f"count={WORLDS}", "device=cpu", f"out={out}",
                  "write.images.format=png")  # fmt: skip
        generate(*compose(*all_of, config_dir=conf))
        self.worlds, self.frames, self.instances = (
            _columns(out / f"index/{name}.parquet") for name in ("worlds", "frames", "instances")
        )
        self.picture = [np.asarray(Image.open(out / path)) for path in self.frames["image"]]
        self.ids = [np.asarray(Image.open(out / path)) for path in self.frames["instance_map"]]

    def of(self, key: str, value: str) -> dict[str, NDArray[Any]]:
        """Return the rows of instances whose column has a value."""
        rows = self.instances[key] == value
        return {name: column[rows] for name, column in self.instances.items()}

    def mask(self, world: int, instance: int) -> NDArray[np.bool_]:
        """Return the pixels of an instance."""
        return np.asarray(self.ids[world] == instance)


def _columns(file: Path) -> dict[str, NDArray[Any]]:
    table = parquet.read_table(file)
    kept = [name for name in table.column_names if name not in ("keypoints",)]
    return {name: np.array(table[name].to_pylist()) for name in kept}


@pytest.fixture(scope="module")
def layout(conf: Path) -> Made:
    return Made(conf, *LAYOUT)


@pytest.fixture(scope="module")
def orbit(conf: Path) -> Made:
    return Made(conf, *ORBIT)


def factory(conf: Path, *overrides: str) -> Factory:
    recipe, scene = load_recipe_scene(*compose("+scene=studio", *SIZE, *overrides, config_dir=conf))
    return build_factory(recipe, scene, device="cpu", threads=1)


def linear(code: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return linear values of sRGB codes (IEC 61966-2-1)."""
    share = code / 255.0
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def center_of(polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centroid of a polygon [corner, 2] by the shoelace formula."""
    after = np.roll(polygon, -1, axis=0)
    twice = polygon[:, 0] * after[:, 1] - after[:, 0] * polygon[:, 1]
    return np.asarray(((polygon + after) * twice[:, None]).sum(axis=0) / (3.0 * twice.sum()))


def test_camera_poses_in_the_index_have_the_declared_laws(orbit: Made) -> None:
    """Distance, azimuth and elevation, from the matrices of the frames (KS)."""
    pose = orbit.frames["world_from_camera"].reshape(-1, 4, 4)
    offset = pose[:, :3, 3] - np.array([0.3, 0.2, 0.5])
    distance = np.linalg.norm(offset, axis=1)
    azimuth = np.degrees(np.arctan2(offset[:, 1], offset[:, 0]))
    elevation = np.degrees(np.arcsin(offset[:, 2] / distance))
    for values, low, high in ((distance, 2, 4), (azimuth, -180, 180), (elevation, 20, 60)):
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > LEAST_P


def test_intrinsics_say_where_things_are_at_both_focal_lengths(orbit: Made) -> None:
    """The middle of a cube's mask is where K and pose of the index put that of its corners' hull, to half a pixel."""
    focal_mm = orbit.worlds["p.eye.focal_mm"]
    k = orbit.frames["k"].reshape(-1, 3, 3)
    assert k[:, 0, 0] == pytest.approx(focal_mm / 24.0 * WIDTH)
    found = {15.0: 0, 45.0: 0}
    ball = orbit.of("class", "ball")
    for world, instance in zip(ball["world"], ball["inst_id"], strict=True):
        pose = orbit.frames["world_from_camera"][world].reshape(4, 4)
        corner = np.array([0.3, 0.2, 0.5]) + 0.1 * (2.0 * np.indices((2, 2, 2)).reshape(3, -1).T - 1.0)
        eye = np.linalg.inv(pose) @ np.column_stack([corner, np.ones(8)]).T
        image = k[world] @ (eye[:3] * [[1.0], [-1.0], [-1.0]])
        hull = image[:2].T / image[2][:, None]
        hull = hull[ConvexHull(hull).vertices]
        mask = orbit.mask(world, instance)
        if mask.sum() >= 6:
            middle = np.argwhere(mask)[:, ::-1].mean(axis=0) + 0.5
            assert np.linalg.norm(middle - center_of(hull)) < 0.5
            found[float(focal_mm[world])] += 1
    assert min(found.values()) > 10


def test_a_stop_of_exposure_doubles_linear_light(conf: Path) -> None:
    """Wherever neither picture is clipped, to the rounding of eight bits."""
    pictures = []
    for stops in (-2.0, -1.0):
        entry = f"+randomize.stops={{kind: camera_exposure, cameras: '*', stops: {stops}}}"
        draft, frames, _ = factory(conf, entry, EMPTY).make([0])
        assert draft.drawn["p.stops.stops"] == stops
        pictures.append(linear(frames.rgb[0]))
    dark, light = pictures
    free = (light < 0.9) & (dark > 0.05)
    assert free.mean() > 0.2
    assert (light[free] / dark[free]).mean() == pytest.approx(2.0, abs=0.01)
    assert np.abs(light[free] / dark[free] - 2.0).max() < 0.1


def test_the_length_of_motion_blur_is_speed_times_shutter(conf: Path) -> None:
    """The edge of a bar before the camera is smeared over f v t / z pixels: f 20 mm of 24, z 3 m; four speeds."""
    go = "+randomize.go={kind: camera_motion, cameras: '*', right_m_s: {law: uniform, low: 3, high: 8}, up_m_s: 0, "
    go += "back_m_s: 0, pan_deg_s: 0, tilt_deg_s: 0, roll_deg_s: 0}"
    shut = "+randomize.shut={kind: camera_shutter, cameras: '*', exposure_s: {law: uniform, low: 0.04, high: 0.1}}"
    draft, frames, _ = factory(conf, go, shut, DARK, "rig.motion_blur=true", "rig.spp=64").make(range(4))
    focal_px, depth_m = 20.0 / 24.0 * WIDTH, 6.0 - 3.005
    length_px = draft.drawn["p.go.right_m_s"] * draft.drawn["p.shut.exposure_s"] * focal_px / depth_m
    assert np.ptp(length_px) > 3.0
    bar_px = 0.5 * focal_px / depth_m
    for picture, expected in zip(frames.rgb, length_px, strict=True):
        profile = linear(picture).mean(axis=(0, 2))
        x = np.arange(WIDTH) + 0.5
        middle = (profile * x).sum() / profile.sum()
        variance = (
            profile * (x - middle) ** 2
        ).sum() / profile.sum()  # of a box of the bar's width and one of the blur's
        assert 12.0 * variance - bar_px**2 - 1.0 == pytest.approx(expected**2, rel=0.05, abs=1.0)


def test_three_types_of_light_are_recorded_and_light_the_scene(layout: Made) -> None:
    """Each share is the asked one; pictures of one type have one brightness of the floor, and the types differ."""
    group = layout.worlds["p.light.group"]
    counts = [(group == name).sum() for name in ("area", "dome", "sun")]
    assert stats.chisquare(counts).pvalue > LEAST_P
    (floor,) = set(layout.of("class", "floor")["inst_id"].tolist())
    pairs = zip(layout.picture, layout.ids, strict=True)
    brightness = np.array([np.median(linear(picture)[ids == floor].mean(axis=-1)) for picture, ids in pairs])
    levels = {name: brightness[group == name] for name in ("area", "dome", "sun")}
    for values in levels.values():
        assert np.ptp(values) < 0.05 * np.median(values) + 0.01
    middles = sorted(float(np.median(values)) for values in levels.values())
    assert min(np.diff(middles)) > 0.03


def test_the_material_of_every_instance_is_recorded_and_seen(layout: Made) -> None:
    """The column of the index names what was drawn, and the pixels of a mask have its colour."""
    items = layout.of("class", "item")
    assert set(items["material"]) == {"/Studio/Looks/Red", "/Studio/Looks/Blue"}
    assert stats.binomtest(int((items["material"] == "/Studio/Looks/Red").sum()), len(items["world"])).pvalue > LEAST_P
    for world, instance, path, material in zip(*(items[n] for n in ("world", "inst_id", "prim_path", "material"))):
        drawn = layout.worlds["p.paint.material"][world][int(path[-1])]
        assert material == drawn
        color = layout.picture[world][layout.mask(world, instance)].astype(int).mean(axis=0)
        assert (color[0] > color[2]) == drawn.endswith("Red")
    assert set(layout.of("class", "floor")["material"]) == {"/Studio/Looks/Grey"}


def test_the_count_of_clutter_follows_its_setting(layout: Made) -> None:
    """As many items are in the index of a frame as were asked for; the count has its law (chi-square)."""
    asked = layout.worlds["p.crowd.count"].astype(int)
    seen = np.bincount(layout.of("class", "item")["world"], minlength=WORLDS)
    np.testing.assert_array_equal(seen, asked)
    assert stats.chisquare(np.bincount(asked, minlength=6)).pvalue > LEAST_P


def test_background_domains_have_their_shares_and_are_seen(layout: Made) -> None:
    """Three by name; the backdrop of a frame's domain is in its index, and no other."""
    domain = layout.worlds["p.place.domain"]
    counts = [(domain == name).sum() for name in ("dock", "field", "hall")]
    assert stats.chisquare(counts, np.array([2, 1, 1]) * WORLDS / 4).pvalue > LEAST_P
    backs = layout.of("class", "back")
    assert [path.rpartition("_")[2].lower() for path in backs["prim_path"]] == domain[backs["world"]].tolist()
    assert len(backs["world"]) == WORLDS


def test_poses_of_objects_in_the_index_have_the_declared_law(layout: Made) -> None:
    """The yaw of every item, from its matrix (KS), and no two of a world interpenetrate."""
    items = layout.of("class", "item")
    pose = items["world_from_object"].reshape(len(items["world"]), -1, 4)
    yaw = np.degrees(np.arctan2(pose[:, 1, 0], pose[:, 0, 0]))
    assert stats.kstest(yaw, stats.uniform(-90, 180).cdf).pvalue > LEAST_P
    for world in range(WORLDS):
        center = pose[items["world"] == world, :2, 3]
        gap = np.linalg.norm(center[:, None] - center, axis=-1) + 9.0 * np.eye(len(center))
        assert gap.min(initial=9.0) > 0.3  # the shorter side of an item


def test_noise_grows_with_the_drawn_speed_of_the_sensor(conf: Path) -> None:
    """The noise of an evenly lit surface has the order of the drawn ISO; test_sensor_noise.py has the curve itself."""
    iso = "+randomize.chip={kind: sensor, cameras: '*', iso: {law: log_uniform, low: 100, high: 6400}}"
    even = ("rig.ambient_radiance=[0.5,0.5,0.5]", DARK)  # light without noise of its own
    draft, frames, _ = factory(conf, "sensor=industrial", "sensor.exposure.mode=rig", iso, EMPTY, *even).make(range(12))
    assert len(np.unique(frames.instance)) == 1  # one flat surface
    noise = np.diff(linear(frames.rgb[..., 1]), axis=2).var(axis=(1, 2))
    assert stats.spearmanr(noise, draft.drawn["p.chip.iso"]).statistic > 0.9
