"""Lights: shaping, photometric profiles, shadows, images and linking arrive as UsdLux says."""

from __future__ import annotations

import math
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from numpy.typing import NDArray

from engine.scene import Scene, SceneOptions
from engine.scene.error import SceneError
from engine.scene.ies import mean_intensity, parse_ies, shaped_profile
from engine.scene.look.latlong import to_latlong
from engine.scene.model import Light, LightKind
from tests.engine.scene_stage import SQUARE, load_stage, note_texts

Array = NDArray[np.float64]


def only_light(folder: Path, kind: str, content: str, **header: float | str) -> tuple[Light, Scene]:
    """Return the light of a stage that has one, and the scene."""
    scene = load_stage(folder, f'def {kind} "l" {{ {content} }}', **header)
    (light,) = scene.lights
    return light, scene


def ies_text(kind: int, vertical: list[float], horizontal: list[float], candela: object, *, tilt: str = "NONE") -> str:
    """Return an IES file with a multiplier of 2 and a ballast factor of 0.5."""
    rows = "\n".join(" ".join(f"{value:g}" for value in row) for row in np.asarray(candela))
    angles = "\n".join(" ".join(f"{value:g}" for value in values) for values in (vertical, horizontal))
    head = f"IESNA:LM-63-2002\n[TEST] ours\nTILT={tilt}\n"
    return f"{head}1 1000 2 {len(vertical)} {len(horizontal)} {kind} 2 0 0 0\n0.5 1 100\n{angles}\n{rows}\n"


def intensity(text: str, horizontal_deg: float, vertical_deg: float) -> float:
    """Return the intensity of a file at angles that its profile has."""
    profile, _ = parse_ies(text.encode(), "x")
    h = int(np.abs(profile.horizontal_rad - math.radians(horizontal_deg)).argmin())
    v = int(np.abs(profile.vertical_rad - math.radians(vertical_deg)).argmin())
    assert math.degrees(profile.horizontal_rad[h]) == pytest.approx(horizontal_deg, abs=1e-3)
    assert math.degrees(profile.vertical_rad[v]) == pytest.approx(vertical_deg, abs=1e-3)
    return float(profile.intensity[h, v])


def test_one_plane_of_a_profile_stands_for_a_full_turn() -> None:
    profile, kind = parse_ies(ies_text(1, [0, 90], [0], [[300, 100]]).encode(), "lamp.ies")
    assert kind == "C"
    assert np.degrees(profile.horizontal_rad) == pytest.approx([0.0, 360.0])
    assert profile.intensity == pytest.approx(np.array([[300.0, 100.0]] * 2))


@pytest.mark.parametrize(
    ("horizontal", "angle", "same_as"),
    [
        ([0, 45, 90], 315.0, 45.0),  # a quadrant stands for all four
        ([0, 45, 90], 135.0, 45.0),
        ([0, 90, 180], 270.0, 90.0),  # a half for both
        ([90, 180, 270], 0.0, 180.0),  # also where the plane of symmetry is the other one
        ([-180, -90, 0, 90, 180], 270.0, 270.0),
    ],
)
def test_planes_that_a_profile_leaves_out_follow_from_symmetry(
    horizontal: list[float], angle: float, same_as: float
) -> None:
    candela = [[10.0 + h % 360, 1.0] for h in horizontal]
    text = ies_text(1, [0, 90], horizontal, candela)
    assert intensity(text, angle, 0.0) == pytest.approx(10.0 + same_as, rel=1e-5)
    assert intensity(text, 360.0, 0.0) == pytest.approx(intensity(text, 0.0, 0.0))


def test_the_tilt_of_a_lamp_is_read_over() -> None:
    text = ies_text(1, [0, 90], [0], [[3, 1]], tilt="INCLUDE\n1\n2\n0 90\n1 0.8")
    assert intensity(text, 0.0, 90.0) == pytest.approx(1.0)


@pytest.mark.parametrize(("kind", "letter"), [(3, "A"), (2, "B")])
def test_a_profile_of_type_a_or_b_is_turned_to_its_axis(kind: int, letter: str) -> None:
    """A beam at horizontal 30, vertical 0 lies 30 degrees off the axis in plane 0, one at vertical 20 in plane 90."""
    horizontal, vertical = [-90.0, 0.0, 30.0, 60.0, 90.0], [-90.0, 0.0, 20.0, 90.0]
    candela = np.zeros((5, 4))
    candela[2, 1], candela[1, 2] = 100.0, 70.0
    text = ies_text(kind, vertical, horizontal, candela)
    assert parse_ies(text.encode(), "x")[1] == letter
    assert intensity(text, 0.0, 30.0) == pytest.approx(100.0, rel=1e-4)
    assert intensity(text, 90.0, 20.0) == pytest.approx(70.0, rel=1e-4)
    assert intensity(text, 0.0, 150.0) == 0.0  # behind


@pytest.mark.parametrize(
    "text", ["", "IESNA91\nTILT=NONE\n1 2", "TILT=NONE\n1 1 1 1e9 1 1 2 0 0 0 1 1 1", "\x00\xff" * 9]
)
def test_a_broken_profile_is_an_error_not_a_crash(text: str) -> None:
    with pytest.raises(ValueError, match="it "):
        parse_ies(text.encode("latin-1"), "x")


@pytest.mark.parametrize("bad", ["-5", "nan", "1e30"])
def test_intensities_must_be_possible(bad: str) -> None:
    with pytest.raises(ValueError, match="it "):
        parse_ies(ies_text(1, [0, 90], [0], [[1, 2]]).replace("\n1 2\n", f"\n1 {bad}\n").encode(), "x")


def test_normalising_keeps_the_power_of_an_even_profile() -> None:
    """The mean of a constant profile is the constant, over a hemisphere or a sphere: normalised it changes nothing."""
    for vertical in ([0, 30, 60, 90], [0, 60, 120, 180]):
        profile, _ = parse_ies(ies_text(1, vertical, [0, 90], [[7.0] * 4] * 2).encode(), "x")
        assert mean_intensity(profile) == pytest.approx(7.0, rel=1e-6)
        assert shaped_profile(profile, angle_scale=0.0, normalize=True).intensity == pytest.approx(1.0)


def test_the_angle_scale_stretches_from_either_pole() -> None:
    """UsdLux: theta_ies = theta / s for s > 0 and (theta - pi) / -s + pi for s < 0."""
    profile, _ = parse_ies(ies_text(1, [0, 60, 180], [0], [[1, 2, 3]]).encode(), "x")
    degrees = [np.degrees(shaped_profile(profile, angle_scale=s, normalize=False).vertical_rad) for s in (0.5, -0.5, 0)]
    assert degrees[0] == pytest.approx([0.0, 30.0, 90.0])
    assert degrees[1] == pytest.approx([90.0, 120.0, 180.0])
    assert degrees[2] == pytest.approx([0.0, 60.0, 180.0])


def test_a_profile_is_read_from_its_file_and_is_part_of_the_scene(tmp_path: Path) -> None:
    (tmp_path / "lamp.ies").write_text(ies_text(1, [0, 90], [0], [[4, 2]]))
    light, scene = only_light(tmp_path, "SphereLight", "asset inputs:shaping:ies:file = @lamp.ies@")
    assert light.ies == 0
    assert scene.ies[0].intensity == pytest.approx(np.array([[4.0, 2.0]] * 2))
    assert "lamp.ies" in {asset.path for asset in scene.assets}


def test_a_profile_that_is_missing_or_broken_leaves_the_light(tmp_path: Path) -> None:
    light, scene = only_light(tmp_path, "SphereLight", "asset inputs:shaping:ies:file = @none.ies@")
    assert (light.ies, scene.ies) == (None, ())
    assert note_texts(scene, "/l") == ["error: IES profile 'none.ies' is missing; the light shines without it"]
    (tmp_path / "bad.ies").write_text("not a profile")
    light, scene = only_light(tmp_path, "SphereLight", "asset inputs:shaping:ies:file = @bad.ies@")
    assert light.ies is None
    assert "no TILT line" in note_texts(scene, "/l")[0]


def test_a_profile_may_not_lie_anywhere(tmp_path: Path) -> None:
    content = f"asset inputs:shaping:ies:file = @{Path('/etc/hostname')}@"
    with pytest.raises(SceneError, match="outside the scene's folder"):
        only_light(tmp_path, "SphereLight", content)


def test_focus_multipliers_and_shadow_attributes_arrive(tmp_path: Path) -> None:
    content = """
    float inputs:shaping:focus = 3
    color3f inputs:shaping:focusTint = (0.5, 0, 0)
    float inputs:diffuse = 0.25
    float inputs:specular = 2
    color3f inputs:shadow:color = (0, 0, 0.5)
    float inputs:shadow:distance = 200
    float inputs:shadow:falloff = 500
    float inputs:shadow:falloffGamma = 2
    """
    light, _ = only_light(tmp_path, "DiskLight", content, meters_per_unit=0.01)
    assert (light.focus, light.focus_tint) == (3.0, (0.5, 0.0, 0.0))
    assert (light.diffuse, light.specular, light.radiance) == (0.25, 2.0, (1.0, 1.0, 1.0))
    assert light.shadow_color == (0.0, 0.0, 0.5)
    assert light.shadow_distance_m == pytest.approx(2.0)
    assert light.shadow_falloff_m == pytest.approx(2.0)  # not longer than the distance
    assert light.shadow_falloff_gamma == 2.0


def test_without_shadow_attributes_shadows_are_black_and_reach_everywhere(tmp_path: Path) -> None:
    light, _ = only_light(tmp_path, "DiskLight", "")
    assert (light.casts_shadow, light.shadow_color, light.shadow_distance_m) == (True, (0.0, 0.0, 0.0), math.inf)


def test_a_stretched_light_keeps_its_surface(tmp_path: Path) -> None:
    """A disk scaled (4, 1) is an ellipse of the area of one scaled 2, and normalised it has the power of any other."""
    body = (
        'float3 xformOp:scale = (4, 1, 1)\nuniform token[] xformOpOrder = ["xformOp:scale"]\nbool inputs:normalize = 1'
    )
    light, scene = only_light(tmp_path, "DiskLight", f"{body}\nfloat inputs:radius = 0.5")
    assert light.size_m[0] == pytest.approx(1.0)
    assert light.radiance[0] * math.pi * light.size_m[0] ** 2 == pytest.approx(1.0)
    assert note_texts(scene, "/l") == [
        "approximated: uneven scale of the light: a round one of the same surface is used"
    ]


def test_a_mirrored_light_shows_its_image_mirrored(tmp_path: Path) -> None:
    """A dome scaled by -1 along x, as environments are turned over, has what was at +X at -X."""
    body = 'float3 xformOp:scale = (-1, 1, 1)\nuniform token[] xformOpOrder = ["xformOp:scale"]'
    plain = only_light(tmp_path, "DomeLight", "")[0].world_from_light[:, :3]
    mirrored = only_light(tmp_path, "DomeLight", body)[0].world_from_light[:, :3]
    assert mirrored == pytest.approx(np.diag([-1.0, 1.0, 1.0]) @ plain)


@pytest.mark.parametrize(
    ("content", "radiance"),
    [("float inputs:intensity = -3", 0.0), ("float inputs:intensity = 1e30\nfloat inputs:exposure = 100", 1e20)],
)
def test_an_impossible_radiance_is_repaired(tmp_path: Path, content: str, radiance: float) -> None:
    light, scene = only_light(tmp_path, "SphereLight", content)
    assert light.radiance == (radiance,) * 3
    assert note_texts(scene, "/l")[0].startswith("repaired: its radiance (")


def test_a_light_beyond_all_measure_is_left_out(tmp_path: Path) -> None:
    far = 'double3 xformOp:translate = (1e200, 0, 0)\nuniform token[] xformOpOrder = ["xformOp:translate"]'
    scene = load_stage(tmp_path, f'def SphereLight "a" {{ {far} }}\ndef SphereLight "b" {{ float radius = 1e30 }}')
    assert scene.lights == ()
    assert [text.partition(":")[0] for prim in ("/a", "/b") for text in note_texts(scene, prim)] == ["skipped"] * 2


def test_a_rect_light_has_its_image(tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "screen.png", np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8))
    light, scene = only_light(tmp_path, "RectLight", "asset inputs:texture:file = @screen.png@")
    assert light.texture is not None
    assert scene.textures[light.texture].pixels[0, :, :3] == pytest.approx(np.array([[1.0, 0, 0], [0, 0, 1.0]]))


DIRECTIONS = {  # in the frame of an upright dome; and where a latitude-longitude image shows them (u, v)
    "front": ((0.0, 0.0, 1.0), (0.5, 0.5)),
    "left": ((1.0, 0.0, 0.0), (0.25, 0.5)),
    "right": ((-1.0, 0.0, 0.0), (0.75, 0.5)),
    "top": ((0.0, 1.0, 0.0), (0.5, 0.999)),
    "oblique": ((0.48, -0.6, 0.64), (0.5 - math.atan2(0.48, 0.64) / (2 * math.pi), 0.5 - math.asin(0.6) / math.pi)),
}


@pytest.mark.parametrize("place", DIRECTIONS)
@pytest.mark.parametrize("layout", ["angular", "mirroredBall", "cubeMapVerticalCross"])
def test_other_layouts_of_a_dome_show_the_same_surroundings(layout: str, place: str) -> None:
    """An image whose colours are the directions themselves still has them after resampling."""
    size = 300
    if layout == "cubeMapVerticalCross":
        pixels = cross_of_directions(size // 3)
    else:
        y, x = (np.mgrid[:size, :size] + 0.5) / size * 2.0 - 1.0
        radius = np.minimum(np.hypot(x, y), 1.0)
        angle = radius * math.pi if layout == "angular" else 2.0 * np.arcsin(radius)
        across = np.maximum(np.hypot(x, y), 1e-9)
        pixels = np.stack([np.sin(angle) * x / across, np.sin(angle) * y / across, np.cos(angle)], axis=-1)
    found = to_latlong(pixels.astype(np.float32), layout)
    direction, (u, v) = DIRECTIONS[place]
    texel = found[int(v * found.shape[0]), int(u * found.shape[1])]
    assert texel == pytest.approx(direction, abs=0.03)


def cross_of_directions(face: int) -> Array:
    """Return a vertical cross, first row at the bottom, that shows what someone inside sees who looks along +Z.

    The middle is ahead, +X is to the left; the face above is reached by tilting up, the lowest by tilting down twice.
    """
    t = (np.arange(face) + 0.5) / face * 2.0 - 1.0
    right, up = np.meshgrid(t, t)
    one = np.ones_like(right)
    faces = {  # (column, row from the bottom): x, y, z
        (1, 2): (-right, up, one),
        (0, 2): (one, up, right),
        (2, 2): (-one, up, -right),
        (1, 3): (-right, one, -up),
        (1, 1): (-right, -one, up),
        (1, 0): (-right, -up, -one),
    }
    out = np.zeros((4 * face, 3 * face, 3))
    for (column, row), parts in faces.items():
        direction = np.stack(parts, axis=-1)
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        out[row * face : (row + 1) * face, column * face : (column + 1) * face] = direction
    return out


def test_a_dome_image_in_another_layout_is_converted_with_a_note(tmp_path: Path) -> None:
    iio.imwrite(tmp_path / "probe.png", np.full((32, 32, 3), 128, np.uint8))
    content = 'asset inputs:texture:file = @probe.png@\ntoken inputs:texture:format = "angular"'
    light, scene = only_light(tmp_path, "DomeLight", content)
    assert light.texture is not None
    assert scene.textures[light.texture].pixels.shape == (32, 64, 4)
    assert note_texts(scene, "/l") == ["converted: dome image in the layout angular was resampled to latlong"]


def test_lights_that_are_not_rendered_are_named(tmp_path: Path) -> None:
    body = f"""
    def PortalLight "portal" {{ }}
    def Mesh "glow" ( prepend apiSchemas = ["MeshLightAPI"] ) {{ {SQUARE} }}
    def RodFilter "rod" {{ }}
    def LightFilter "gobo" {{ }}
    def SphereLight "lamp" {{ rel light:filters = </gobo>\ncolor3f inputs:color.connect = </x.outputs:y> }}
    """
    scene = load_stage(tmp_path, body)
    assert note_texts(scene, "/portal")[0].startswith("skipped: portal")
    assert note_texts(scene, "/glow")[0].startswith("approximated: mesh light")
    assert note_texts(scene, "/gobo") == ["skipped: light filter"]
    assert note_texts(scene, "/lamp") == [
        "approximated: the light shines without its filters /gobo",
        "approximated: inputs:color is connected; its own value is used",
    ]


def test_attributes_of_a_light_are_read_at_the_time(tmp_path: Path) -> None:
    body = 'def SphereLight "l" { float inputs:intensity.timeSamples = { 0: 1, 10: 3 } }'
    scene = load_stage(tmp_path, body, SceneOptions(time=5.0))
    assert scene.lights[0].radiance[0] == pytest.approx(2.0)


LINKED = f"""
def Xform "room" {{
    def Mesh "a" {{ {SQUARE} }}
    def Mesh "b" {{ {SQUARE} }}
    def PointInstancer "grass" {{
        rel prototypes = </protos/blade>
        int[] protoIndices = [0, 0]
        point3f[] positions = [(0, 0, 0), (5, 0, 0)]
    }}
}}
over "protos" {{ def Mesh "blade" {{ {SQUARE} }} }}
"""


def members(scene: Scene, row: int | None) -> set[str]:
    """Return the instances that a set of placements belongs to."""
    assert row is not None
    assert scene.link_sets is not None
    return {scene.instances.path[i] for i in scene.placements.instance[scene.link_sets[row]]}


def test_links_become_sets_of_placements(tmp_path: Path) -> None:
    lights = """
    def SphereLight "all" { }
    def SphereLight "not_a" { rel collection:lightLink:excludes = </room/a> }
    def SphereLight "only_b" {
        uniform bool collection:lightLink:includeRoot = 0
        rel collection:lightLink:includes = </room/b>
        rel collection:shadowLink:excludes = </room/a>
    }
    def SphereLight "no_grass" { rel collection:shadowLink:excludes = </room/grass> }
    """
    scene = load_stage(tmp_path, LINKED + lights)
    light = {entry.name[1:]: entry for entry in scene.lights}
    assert (light["all"].lit, light["all"].shading) == (None, None)
    assert members(scene, light["not_a"].lit) == {"/room/b", "/room/grass[0]", "/room/grass[1]"}
    assert members(scene, light["only_b"].lit) == {"/room/b"}
    assert light["only_b"].shading == light["not_a"].lit  # the same set, once
    assert members(scene, light["no_grass"].shading) == {"/room/a", "/room/b"}
    assert scene.link_sets is not None
    assert len(scene.link_sets) == 3


def test_a_link_to_an_instance_holds_its_proxies(tmp_path: Path) -> None:
    body = f"""
    def Xform "proto" {{ def Mesh "part" {{ {SQUARE} }} }}
    def "one" ( instanceable = true\nprepend references = </proto> ) {{ }}
    def "two" ( instanceable = true\nprepend references = </proto> ) {{ }}
    def SphereLight "l" {{ rel collection:lightLink:excludes = </two> }}
    """
    scene = load_stage(tmp_path, body)
    assert members(scene, scene.lights[0].lit) == {"/one", "/proto"}


def test_a_light_inside_a_native_instance_stands_where_each_instance_does(tmp_path: Path) -> None:
    def instance(name: str, x: int) -> str:
        head = f'def "{name}" ( instanceable = true\nprepend references = </fixture> )'
        move = f'double3 xformOp:translate = ({x}, 0, 0)\nuniform token[] xformOpOrder = ["xformOp:translate"]'
        return f"{head} {{ {move} }}\n"

    body = 'def Xform "fixture" { def RectLight "tube" { } }\n' + instance("p", 3) + instance("q", 5)
    scene = load_stage(tmp_path, body)
    places = {light.name: light.world_from_light[0, 3] for light in scene.lights}
    assert places == {"/fixture/tube": 0.0, "/p/tube": 3.0, "/q/tube": 5.0}
    assert {light.kind for light in scene.lights} == {LightKind.RECT}
