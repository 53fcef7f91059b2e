"""Metres, Z up, and where things stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.scene.camera import intrinsics
from tests.engine.scene_stage import SQUARE, load_stage, note_texts, only_mesh


@pytest.mark.parametrize("meters_per_unit", [1.0, 0.01, 0.0254])
def test_a_unit_square_measures_one_stage_unit(tmp_path: Path, meters_per_unit: float) -> None:
    """The world area of a 1 x 1 square is the square of metersPerUnit, and its centre lies where it is put."""
    body = f'def Mesh "m" {{ {SQUARE} double3 xformOp:translate = (10, 20, 30)\n'
    body += 'uniform token[] xformOpOrder = ["xformOp:translate"] }'
    scene = load_stage(tmp_path, body, meters_per_unit=meters_per_unit)
    pose = scene.placements.world_from_mesh[0]
    world = only_mesh(scene).points_m @ pose[:, :3].T + pose[:, 3]
    assert np.ptp(world, axis=0) == pytest.approx([meters_per_unit, meters_per_unit, 0.0])
    assert world.min(axis=0) == pytest.approx(np.array([10.0, 20.0, 30.0]) * meters_per_unit)


def test_up_of_a_y_up_stage_becomes_z(tmp_path: Path) -> None:
    """What lies along +Y of the stage lies along +Z of the scene, and nothing is mirrored."""
    body = f'def Mesh "m" {{ {SQUARE} double3 xformOp:translate = (1, 2, 3)\n'
    body += 'uniform token[] xformOpOrder = ["xformOp:translate"] }'
    scene = load_stage(tmp_path, body, up="Y")
    pose = scene.placements.world_from_mesh[0]
    assert pose[:, 3] == pytest.approx([1.0, -3.0, 2.0])
    assert np.linalg.det(pose[:, :3]) == pytest.approx(1.0)


def test_unauthored_units_are_centimetres_and_y_up(tmp_path: Path) -> None:
    """USD's own fallbacks hold: 0.01 m a unit, Y up."""
    path = tmp_path / "bare.usda"
    path.write_text('#usda 1.0\ndef Cube "c" {\n double size = 100\n}')
    from engine.scene import load_scene

    scene = load_scene(path)
    assert np.ptp(only_mesh(scene).points_m, axis=0) == pytest.approx([1.0, 1.0, 1.0])
    assert scene.placements.world_from_mesh[0][:, :3] @ [0, 1, 0] == pytest.approx([0.0, 0.0, 1.0])


def test_a_mirrored_mesh_keeps_its_negative_determinant(tmp_path: Path) -> None:
    """Negative scale is a fact of the placement; the mesh itself is not touched."""
    body = f'def Mesh "m" {{ {SQUARE} float3 xformOp:scale = (-2, 1, 1)\n'
    scene = load_stage(tmp_path, body + 'uniform token[] xformOpOrder = ["xformOp:scale"] }')
    assert np.linalg.det(scene.placements.world_from_mesh[0][:, :3]) == pytest.approx(-2.0)


def test_reset_xform_stack_leaves_the_parents_behind(tmp_path: Path) -> None:
    """A prim that resets the stack stands where its own ops put it."""
    child = f'def Mesh "m" {{ {SQUARE} double3 xformOp:translate = (0, 0, 1)\n'
    child += 'uniform token[] xformOpOrder = ["!resetXformStack!", "xformOp:translate"] }'
    body = 'def Xform "x" { double3 xformOp:translate = (5, 5, 5)\n'
    scene = load_stage(tmp_path, body + f'uniform token[] xformOpOrder = ["xformOp:translate"]\n{child} }}')
    assert scene.placements.world_from_mesh[0][:, 3] == pytest.approx([0.0, 0.0, 1.0])


def test_a_singular_placement_is_left_out_with_a_note(tmp_path: Path) -> None:
    """A mesh squeezed flat by its transform is not drawn, and the report says so."""
    body = f'def Mesh "m" {{ {SQUARE} float3 xformOp:scale = (1, 1, 0)\n'
    scene = load_stage(tmp_path, body + 'uniform token[] xformOpOrder = ["xformOp:scale"] }')
    assert len(scene.placements.mesh) == 0
    assert note_texts(scene, "/m") == ["skipped: its transform is singular or not finite"]


def test_a_broken_op_order_costs_only_its_prim(tmp_path: Path) -> None:
    """xformOpOrder that names a missing op leaves that prim out; the others load."""
    broken = f'def Mesh "bad" {{ {SQUARE} uniform token[] xformOpOrder = ["xformOp:nothing"] }}\n'
    scene = load_stage(tmp_path, broken + f'def Mesh "good" {{ {SQUARE} }}')
    assert [path for path in scene.instances.path if path] == ["/good"]
    assert note_texts(scene, "/bad") == ["error: xformOpOrder names an op that does not exist; prim left out"]


CAMERA = """
def Camera "c" {
    float focalLength = 50
    float horizontalAperture = 20
    float verticalAperture = 15
    float horizontalApertureOffset = 2
    float verticalApertureOffset = -1
}
"""


@pytest.mark.parametrize("meters_per_unit", [1.0, 0.01])
def test_intrinsics_follow_from_the_apertures(tmp_path: Path, meters_per_unit: float) -> None:
    """fx = f / aperture * width; the offsets move the principal point; none of it depends on the units."""
    (camera,) = load_stage(tmp_path, CAMERA, meters_per_unit=meters_per_unit).cameras
    k = intrinsics(camera, 640, 480)
    assert k == pytest.approx(np.array([[1600.0, 0.0, 320.0 - 64.0], [0.0, 1600.0, 240.0 - 32.0], [0.0, 0.0, 1.0]]))
    assert camera.focal_length_mm == pytest.approx(5000.0 * meters_per_unit)  # 50 tenths of a unit


def test_an_orthographic_camera_maps_metres_to_pixels(tmp_path: Path) -> None:
    """20 tenths of a unit across 640 pixels are 320 pixels a unit."""
    (camera,) = load_stage(
        tmp_path, 'def Camera "c" { token projection = "orthographic"\nfloat horizontalAperture = 20 }'
    ).cameras
    assert camera.orthographic
    assert intrinsics(camera, 640, 480)[0, 0] == pytest.approx(320.0)


def test_a_scaled_camera_looks_the_same_way_with_unit_axes(tmp_path: Path) -> None:
    """Scale in a camera's transform changes no ray: its axes come out orthonormal."""
    body = 'def Camera "c" { float3 xformOp:scale = (3, 3, 3)\nfloat3 xformOp:rotateXYZ = (90, 0, 0)\n'
    body += 'uniform token[] xformOpOrder = ["xformOp:rotateXYZ", "xformOp:scale"] }'
    (camera,) = load_stage(tmp_path, body).cameras
    rotation = camera.world_from_camera[:, :3]
    assert rotation.T @ rotation == pytest.approx(np.eye(3), abs=1e-12)
    assert rotation @ [0, 0, -1] == pytest.approx([0.0, 1.0, 0.0])


def test_anchors_carry_their_box_and_support(tmp_path: Path) -> None:
    """Kind, size in metres with the scale in it, pose and support of an authored anchor."""
    body = """
    def Xform "shelf" { token ommatidia:anchor = "shelf" }
    def Xform "slot" {
        token ommatidia:anchor = "slot"
        float3 ommatidia:size = (100, 50, 20)
        rel ommatidia:support = </shelf>
        float3 xformOp:scale = (2, 1, 1)
        uniform token[] xformOpOrder = ["xformOp:scale"]
    }
    """
    shelf, slot = load_stage(tmp_path, body, meters_per_unit=0.01).anchors
    assert (shelf.kind, shelf.size_m, slot.kind, slot.support) == ("shelf", (0.0, 0.0, 0.0), "slot", ("/shelf",))
    assert slot.size_m == pytest.approx((2.0, 0.5, 0.2))
    assert slot.world_from_anchor == pytest.approx(np.eye(3, 4))
