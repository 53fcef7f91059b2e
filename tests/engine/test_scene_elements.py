"""Elements of PointInstancers: their colours, transforms, lights and names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.scene import SceneOptions
from engine.scene.model import Scene
from tests.engine.scene_stage import SQUARE, load_stage, note_texts, only_mesh

COLORS = "[(1, 0, 0), (0, 1, 0), (0, 0, 1)]"
THREE = """
    int[] protoIndices = [0, 0, 0]
    point3f[] positions = [(0, 0, 0), (10, 0, 0), (20, 0, 0)]
"""


def instancer(extra: str = "", prototype: str = "", name: str = "pi", path: str = "") -> str:
    """Return a PointInstancer of three elements of one mesh."""
    mesh = f'def Mesh "m" {{ {SQUARE} {prototype} }}'
    return f'def PointInstancer "{name}" {{ rel prototypes = [<{path}/{name}/m>]\n{THREE} {extra}\n{mesh} }}'


def varying(name: str, values: str) -> str:
    """Return a primvar with a value for each element."""
    kind = "color3f" if "Color" in name else "float"
    return f'{kind}[] primvars:{name} = {values} ( interpolation = "vertex" )'


def colors_of(scene: Scene) -> np.ndarray:
    """Return the placements' colours in the order of their x."""
    assert scene.placements.color is not None
    return scene.placements.color[np.argsort(scene.placements.world_from_mesh[:, 0, 3], kind="stable")]


def test_elements_have_their_own_colour_and_opacity_on_one_mesh(tmp_path: Path) -> None:
    """displayColor and displayOpacity per element go to the placements; the mesh is shared."""
    extra = varying("displayColor", COLORS) + "\n" + varying("displayOpacity", "[1, 0.5, 0.25]")
    scene = load_stage(tmp_path, instancer(extra))
    only_mesh(scene)
    assert colors_of(scene) == pytest.approx(np.array([[1, 0, 0, 1], [0, 1, 0, 0.5], [0, 0, 1, 0.25]]))
    material = scene.materials[scene.placements.slot_material[scene.placements.first_slot[0]]]
    assert material.uses_display_color
    assert material.uses_display_opacity


def test_indexed_element_colours_are_looked_up(tmp_path: Path) -> None:
    """Primvar indices work per element too."""
    extra = 'color3f[] primvars:displayColor = [(1, 0, 0), (0, 0, 1)] ( interpolation = "varying" )\n'
    extra += "int[] primvars:displayColor:indices = [1, 0, 1]"
    assert colors_of(load_stage(tmp_path, instancer(extra)))[:, 0] == pytest.approx([0.0, 1.0, 0.0])


def test_a_prototypes_own_colour_wins(tmp_path: Path) -> None:
    """What the prototype says itself is nearer than what its elements hand down."""
    own = "color3f[] primvars:displayColor = [(0.5, 0.5, 0.5)]"
    colors = colors_of(load_stage(tmp_path, instancer(varying("displayColor", COLORS), own)))
    assert colors[:, :3] == pytest.approx(np.full((3, 3), 0.5))


def test_outer_elements_colour_inner_ones(tmp_path: Path) -> None:
    """Nested instancers: the outer element's colour, unless the inner elements have their own."""
    for inner_extra, expected in (("", 3), (varying("displayColor", "[(0,0,0), (0,0,0), (0,0,0)]"), 0)):
        inner = instancer(inner_extra, name="inner", path="/outer")
        body = f'def PointInstancer "outer" {{ rel prototypes = [</outer/inner>]\n{THREE}\n'
        body += varying("displayColor", COLORS) + f"\n{inner} }}"
        scene = load_stage(tmp_path, body)
        assert len(scene.placements.mesh) == 9
        assert scene.placements.color is not None
        assert scene.placements.color[:, :3].sum() == pytest.approx(3.0 * expected)
        assert len(set(scene.instances.stable_id.tolist())) == 10


def test_colours_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    """Two colours for three elements: a note, and no colour."""
    scene = load_stage(tmp_path, instancer(varying("displayColor", "[(1, 0, 0), (0, 1, 0)]")))
    assert scene.placements.color is None
    assert any("2 values for 3 elements" in text for text in note_texts(scene, "/pi"))


def test_other_primvars_of_elements_are_noted(tmp_path: Path) -> None:
    """What has no place in a placement is skipped with a note."""
    scene = load_stage(tmp_path, instancer('float[] primvars:phase = [1, 2, 3] ( interpolation = "vertex" )'))
    assert "skipped: primvars:phase that varies over the elements" in note_texts(scene, "/pi")


@pytest.mark.parametrize(("hidden", "left"), [("invisibleIds = [1]", [0, 2]), ("", [0, 1])])
def test_masked_elements_are_not_drawn(tmp_path: Path, hidden: str, left: list[int]) -> None:
    """invisibleIds is an attribute, inactiveIds is metadata; the others keep their names."""
    body = instancer(f"int64[] {hidden}" if hidden else "")
    if not hidden:
        body = body.replace('"pi" {', '"pi" (\n inactiveIds = [2]\n) {')
    scene = load_stage(tmp_path, body)
    assert scene.instances.path[1:] == tuple(f"/pi[{i}]" for i in left)


def test_orientations_turn_and_scales_stretch(tmp_path: Path) -> None:
    """orientationsf (w, x, y, z) and scales come before the position: a quarter turn about z, twice as large."""
    half = np.sqrt(0.5)
    extra = f"quatf[] orientationsf = [({half}, 0, 0, {half}), (1, 0, 0, 0), (1, 0, 0, 0)]\n"
    extra += "float3[] scales = [(2, 2, 2), (1, 1, 1), (1, 1, 1)]"
    scene = load_stage(tmp_path, instancer(extra))
    first = scene.placements.world_from_mesh[np.argmin(scene.placements.world_from_mesh[:, 0, 3])]
    assert first == pytest.approx(np.array([[0, -2, 0, 0], [2, 0, 0, 0], [0, 0, 2, 0]]), abs=1e-6)


def test_lights_in_prototypes_shine_from_every_element(tmp_path: Path) -> None:
    """A lamp as a prototype: three lights at the elements' places, named after them."""
    lamp = 'def SphereLight "bulb" { double3 xformOp:translate = (0, 0, 1)\n'
    lamp += 'uniform token[] xformOpOrder = ["xformOp:translate"] }'
    body = f'def PointInstancer "pi" {{ rel prototypes = [</pi/lamp>]\n{THREE}\ndef Xform "lamp" {{ {lamp} }} }}'
    scene = load_stage(tmp_path, body)
    assert [light.name for light in scene.lights] == [f"/pi[{i}]/bulb" for i in range(3)]
    assert np.array([light.world_from_light[:, 3] for light in scene.lights]) == pytest.approx(
        np.array([[0, 0, 1], [10, 0, 1], [20, 0, 1]])
    )


def test_cameras_in_prototypes_are_noted(tmp_path: Path) -> None:
    """A camera in a prototype is no camera of the scene."""
    body = (
        f'def PointInstancer "pi" {{ rel prototypes = [</pi/p>]\n{THREE}\ndef Xform "p" {{ def Camera "c" {{ }} }} }}'
    )
    scene = load_stage(tmp_path, body)
    assert scene.cameras == ()
    assert note_texts(scene, "/pi/p/c") == ["skipped: camera inside a PointInstancer's prototype"]


def test_repeated_ids_become_indices(tmp_path: Path) -> None:
    """ids that name two elements alike cannot be names."""
    scene = load_stage(tmp_path, instancer("int64[] ids = [5, 5, 6]"))
    assert scene.instances.path[1:] == ("/pi[0]", "/pi[1]", "/pi[2]")
    assert any("indices were used" in text for text in note_texts(scene, "/pi"))


def test_a_thousand_elements_share_one_mesh(tmp_path: Path) -> None:
    """Memory does not grow with the elements: one subdivided mesh, a thousand placements."""
    places = ", ".join(f"({i}, 0, 0)" for i in range(1000))
    body = f'def PointInstancer "pi" {{ rel prototypes = [</pi/m>]\nint[] protoIndices = {[0] * 1000}\n'
    mesh = SQUARE.replace('uniform token subdivisionScheme = "none"', "")
    body += f'point3f[] positions = [{places}]\ndef Mesh "m" {{ {mesh} }} }}'
    scene = load_stage(tmp_path, body, SceneOptions(max_placements=1000))
    assert len(only_mesh(scene).triangle) == 2 * 4**3
    assert len(scene.placements.mesh) == 1000
