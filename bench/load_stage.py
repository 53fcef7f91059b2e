"""A stage of many small meshes, as exporters write it: the subject of `bench.load`."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Kind, Sdf, Usd, UsdGeom, UsdShade, Vt

GROUPS = 98  # with the root, the scope of materials, and 50 materials of two prims: 200
MATERIALS = 50


def unit_box(divisions: int) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Return the points, the quads [quad, 4] and the normals [quad, 3] of a box from 0 to 1."""
    number: dict[tuple[int, ...], int] = {}
    quads, normals = [], []
    for axis in range(3):
        for side in (0, divisions):
            normal = [0, 0, 0]
            normal[axis] = 1 if side else -1
            for u, v in np.ndindex(divisions, divisions):
                quad = []
                around = [(u, v), (u + 1, v), (u + 1, v + 1), (u, v + 1)]
                for a, b in around if side else around[::-1]:
                    place = [0, 0, 0]
                    place[axis], place[(axis + 1) % 3], place[(axis + 2) % 3] = side, a, b
                    quad.append(number.setdefault(tuple(place), len(number)))
                quads.append(quad)
                normals.append(normal)
    points = np.array(list(number), np.float32) / divisions
    return points, np.array(quads, np.int32), np.array(normals, np.float32)


def write_stage(path: Path, mesh_count: int, quad_count: int) -> None:
    """Write boxes under Xforms, each of a size of its own, with normals, texture coordinates and a bound material."""
    layer = Sdf.Layer.CreateNew(str(path))
    stage = Usd.Stage.Open(layer)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/World").GetPrim())
    UsdGeom.Scope.Define(stage, "/World/Looks")
    for index in range(MATERIALS):
        material = UsdShade.Material.Define(stage, f"/World/Looks/Material_{index}")
        shader = UsdShade.Shader.Define(stage, f"/World/Looks/Material_{index}/Surface")
        shader.CreateIdAttr("UsdPreviewSurface")
        shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).Set(Gf.Vec3f(index / MATERIALS, 0.5, 0.5))
        material.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    points, quads, normals = unit_box(max(round(math.sqrt(quad_count / 6)), 1))
    shared = {
        "faceVertexCounts": ("int[]", Vt.IntArray.FromNumpy(np.full(len(quads), 4, np.int32))),
        "faceVertexIndices": ("int[]", Vt.IntArray.FromNumpy(quads.ravel())),
        "normals": ("normal3f[]", Vt.Vec3fArray.FromNumpy(np.repeat(normals, 4, axis=0))),
        "primvars:st": (
            "texCoord2f[]",
            Vt.Vec2fArray.FromNumpy(np.tile(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32), (len(quads), 1))),
        ),
        "doubleSided": ("bool", False),
        "subdivisionScheme": ("token", "none"),
    }
    rng = np.random.default_rng(0)
    with Sdf.ChangeBlock():
        world = layer.GetPrimAtPath("/World")
        groups = [_prim(world, f"Group_{index}", "Xform") for index in range(GROUPS)]
        for index in range(mesh_count):
            item = _prim(groups[index % GROUPS], f"Object_{index}", "Xform")
            item.kind = Kind.Tokens.component
            _attribute(item, "xformOp:translate", "double3", Gf.Vec3d(*rng.uniform(-50.0, 50.0, 3).tolist()))
            _attribute(item, "xformOp:rotateXYZ", "float3", Gf.Vec3f(0.0, 0.0, float(rng.uniform(0.0, 360.0))))
            _attribute(item, "xformOpOrder", "token[]", Vt.TokenArray(["xformOp:translate", "xformOp:rotateXYZ"]))
            part = _prim(item, "Part", "Xform")
            _attribute(part, "xformOp:scale", "float3", Gf.Vec3f(0.5))
            _attribute(part, "xformOpOrder", "token[]", Vt.TokenArray(["xformOp:scale"]))
            mesh = _prim(_prim(part, "Geometry", "Scope"), "Mesh", "Mesh")
            mesh.SetInfo("apiSchemas", Sdf.TokenListOp.Create(prependedItems=["MaterialBindingAPI"]))
            box = points * rng.uniform(0.2, 2.0, 3).astype(np.float32)
            _attribute(mesh, "points", "point3f[]", Vt.Vec3fArray.FromNumpy(box))
            _attribute(
                mesh, "extent", "float3[]", Vt.Vec3fArray.FromNumpy(np.stack([box.min(axis=0), box.max(axis=0)]))
            )
            for name, (kind, value) in shared.items():
                _attribute(mesh, name, kind, value)
            for name in ("normals", "primvars:st"):
                layer.GetAttributeAtPath(mesh.path.AppendProperty(name)).SetInfo("interpolation", "faceVarying")
            binding = Sdf.RelationshipSpec(mesh, "material:binding", False)
            binding.targetPathList.explicitItems = [f"/World/Looks/Material_{index % MATERIALS}"]
    layer.Save()


def _prim(parent: Sdf.PrimSpec, name: str, kind: str) -> Sdf.PrimSpec:
    return Sdf.PrimSpec(parent, name, Sdf.SpecifierDef, kind)


def _attribute(owner: Sdf.PrimSpec, name: str, kind: str, value: object) -> None:
    uniform = name in ("xformOpOrder", "subdivisionScheme", "doubleSided")
    variability = Sdf.VariabilityUniform if uniform else Sdf.VariabilityVarying
    Sdf.AttributeSpec(owner, name, Sdf.ValueTypeNames.Find(kind), variability).default = value
