"""Writing shapes, materials, anchors and labels as compact USD text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pxr import Gf, Kind, Sdf, Usd, UsdGeom, UsdSemantics, UsdShade, Vt

from scenes_usd.author.shape import Floats, Shape

POINT_DECIMALS = 5  # 0.01 mm
COARSE_DECIMALS = 4  # 0.1 mm, for what is larger than a hand
NORMAL_DECIMALS = 3
UV_DECIMALS = 4  # 0.1 mm of surface
LIBRARY = "materials/library.usda"


def new_stage(path: Path, root: str, *, kind: str, comment: str) -> Usd.Stage:
    """Return an empty stage, Z up and in metres, whose default prim is ``/root``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    layer = Sdf.Layer.Find(str(path))
    if layer:
        layer.Clear()
        stage = Usd.Stage.Open(layer)
    else:
        path.unlink(missing_ok=True)
        stage = Usd.Stage.CreateNew(str(path))
    layer = stage.GetRootLayer()
    layer.comment = comment
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    prim = UsdGeom.Xform.Define(stage, f"/{root}").GetPrim()
    stage.SetDefaultPrim(prim)
    if kind:
        Usd.ModelAPI(prim).SetKind(kind)
    return stage


def save(stage: Usd.Stage) -> None:
    """Write the root layer as text."""
    stage.GetRootLayer().Save()


def group(stage: Usd.Stage, path: str, *, kind: str = Kind.Tokens.group) -> Usd.Prim:
    """Return an Xform; pass an empty ``kind`` for one that is not part of the model hierarchy."""
    prim = UsdGeom.Xform.Define(stage, path).GetPrim()
    if kind:
        Usd.ModelAPI(prim).SetKind(kind)
    return prim


def label(prim: Usd.Prim, name: str) -> None:
    """Give the prim one label of the taxonomy ``class``."""
    UsdSemantics.LabelsAPI.Apply(prim, "class").CreateLabelsAttr([name])


def place(prim: Usd.Prim, position_m: Sequence[float], *, yaw_deg: float = 0.0) -> None:
    """Put a prim somewhere, turned about z; the ops are authored even where they do nothing, for overrides."""
    xform = UsdGeom.XformCommonAPI(prim)
    xform.SetTranslate(Gf.Vec3d(*(_short(x) for x in position_m)))
    xform.SetRotate(Gf.Vec3f(0.0, 0.0, _short(yaw_deg)))


def aim(prim: Usd.Prim, eye_m: Sequence[float], target_m: Sequence[float]) -> None:
    """Put a camera or light at ``eye_m`` so that it looks along -z towards ``target_m``, y up as far as possible."""
    world_from_eye = Gf.Matrix4d().SetLookAt(Gf.Vec3d(*eye_m), Gf.Vec3d(*target_m), _up(eye_m, target_m)).GetInverse()
    rows = np.round(np.array(world_from_eye), 6) + 0.0
    UsdGeom.Xformable(prim).AddTransformOp().Set(Gf.Matrix4d(rows.tolist()))


def _up(eye_m: Sequence[float], target_m: Sequence[float]) -> Gf.Vec3d:
    ahead = np.array(target_m) - np.array(eye_m)
    return Gf.Vec3d(0, 1, 0) if np.hypot(ahead[0], ahead[1]) < 1e-3 * abs(ahead[2]) else Gf.Vec3d(0, 0, 1)


def _short(value: float) -> float:
    return round(float(value), POINT_DECIMALS) + 0.0


def reference_material(stage: Usd.Stage, scope: str, name: str, library: str) -> UsdShade.Material:
    """Return the material of the library referenced into ``scope``."""
    path = f"{scope}/{name}"
    if not stage.GetPrimAtPath(path):
        if not stage.GetPrimAtPath(scope):
            UsdGeom.Scope.Define(stage, scope)
        stage.DefinePrim(path, "Material").GetReferences().AddReference(library, f"/Library/{name}")
    return UsdShade.Material(stage.GetPrimAtPath(path))


def write_mesh(
    stage: Usd.Stage,
    path: str,
    shape: Shape,
    materials: Mapping[str, UsdShade.Material | None],
    *,
    decimals: int = COARSE_DECIMALS,
) -> Usd.Prim:
    """Write one mesh; several materials become a family of GeomSubsets. ``None`` leaves the binding to a variant."""
    mesh = UsdGeom.Mesh.Define(stage, path)
    points = _floats(shape.points_m, decimals)
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(shape.count.astype(np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(shape.index.astype(np.int32)))
    mesh.CreateExtentAttr([Gf.Vec3f(*points.min(axis=0).tolist()), Gf.Vec3f(*points.max(axis=0).tolist())])
    primvars = UsdGeom.PrimvarsAPI(mesh)
    _write_primvar(primvars, "normals", Sdf.ValueTypeNames.Normal3fArray, _floats(shape.normal, NORMAL_DECIMALS), shape)
    _write_primvar(primvars, "st", Sdf.ValueTypeNames.TexCoord2fArray, _floats(shape.uv_m, UV_DECIMALS), shape)
    used = [(name, np.flatnonzero(shape.material == k)) for k, name in enumerate(shape.materials)]
    used = [(name, faces) for name, faces in used if len(faces)]
    binding = UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim())
    if len(used) == 1:
        bind(mesh.GetPrim(), materials[used[0][0]])
        return mesh.GetPrim()
    for name, faces in used:
        subset = binding.CreateMaterialBindSubset(name, Vt.IntArray.FromNumpy(faces.astype(np.int32)))
        bind(subset.GetPrim(), materials[name])
    binding.SetMaterialBindSubsetsFamilyType(UsdGeom.Tokens.partition)
    return mesh.GetPrim()


def bind(prim: Usd.Prim, material: UsdShade.Material | None) -> None:
    """Bind a material; ``None`` leaves that to a variant."""
    if material is not None:
        UsdShade.MaterialBindingAPI.Apply(prim).Bind(material)


def material_variants(stage: Usd.Stage, name: str, choices: Mapping[str, Mapping[str, str]]) -> None:
    """Author a variant set on the default prim: choice -> prim below it -> material; the first is selected."""
    root = stage.GetDefaultPrim()
    variants = root.GetVariantSets().AddVariantSet(name)
    for choice, bindings in choices.items():
        variants.AddVariant(choice)
        variants.SetVariantSelection(choice)
        for relative, material in bindings.items():
            bound = reference_material(stage, f"{root.GetPath()}/Materials", material, f"../{LIBRARY}")
            with variants.GetVariantEditContext():
                bind(stage.OverridePrim(f"{root.GetPath()}/{relative}"), bound)
    variants.SetVariantSelection(next(iter(choices)))


def _floats(values: Floats, decimals: int) -> np.ndarray:
    return (np.round(values, decimals) + 0.0).astype(np.float32)


def _write_primvar(
    primvars: UsdGeom.PrimvarsAPI, name: str, kind: Sdf.ValueTypeName, values: np.ndarray, shape: Shape
) -> None:
    """Write corner values per point where every point has only one, else as an indexed face-varying primvar."""
    per_point = np.zeros((len(shape.points_m), values.shape[1]), dtype=np.float32)
    per_point[shape.index] = values
    array = Vt.Vec3fArray if values.shape[1] == 3 else Vt.Vec2fArray
    if np.array_equal(per_point[shape.index], values):
        primvars.CreatePrimvar(name, kind, UsdGeom.Tokens.vertex).Set(array.FromNumpy(per_point))
        return
    unique, index = np.unique(values, axis=0, return_inverse=True)
    primvar = primvars.CreatePrimvar(name, kind, UsdGeom.Tokens.faceVarying)
    primvar.Set(array.FromNumpy(unique))
    primvar.SetIndices(Vt.IntArray.FromNumpy(index.reshape(-1).astype(np.int32)))


def write_asset(
    root: Path, name: str, parts: Mapping[str, Shape], *, semantic: str, comment: str, decimals: int = COARSE_DECIMALS
) -> Path:
    """Write ``assets/<snake name>.usda``: one component with its meshes, materials and label; return the path."""
    path = root / "assets" / f"{snake(name)}.usda"
    stage = new_stage(path, name, kind=Kind.Tokens.component, comment=comment)
    describe(stage, name, path, semantic)
    write_parts(stage, f"/{name}/Geometry", parts, scope=f"/{name}/Materials", decimals=decimals)
    save(stage)
    return path


def describe(stage: Usd.Stage, name: str, path: Path, semantic: str) -> None:
    """Give the default prim its label and asset information."""
    prim = stage.GetDefaultPrim()
    label(prim, semantic)
    model = Usd.ModelAPI(prim)
    model.SetAssetName(name)
    model.SetAssetIdentifier(Sdf.AssetPath(f"./{path.name}"))


def write_parts(
    stage: Usd.Stage, geometry: str, parts: Mapping[str, Shape], *, scope: str, decimals: int = COARSE_DECIMALS
) -> None:
    """Write several meshes below the scope ``geometry``, their materials referenced into ``scope``."""
    UsdGeom.Scope.Define(stage, geometry)
    names = dict.fromkeys(name for shape in parts.values() for name in shape.materials)
    materials = {name: reference_material(stage, scope, name, f"../{LIBRARY}") for name in names}
    for part, shape in parts.items():
        write_mesh(stage, f"{geometry}/{part}", shape, materials, decimals=decimals)


def snake(name: str) -> str:
    """Return ``PalletJack`` as ``pallet_jack``."""
    return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))


def write_instance(stage: Usd.Stage, path: str, asset: str, *, variants: Mapping[str, str] | None = None) -> Usd.Prim:
    """Return a native instance of ``assets/<asset>.usda`` as a component of the scene."""
    prim = stage.DefinePrim(path, "Xform")
    prim.GetReferences().AddReference(f"./assets/{asset}.usda")
    for name, choice in (variants or {}).items():
        prim.GetVariantSets().GetVariantSet(name).SetVariantSelection(choice)
    prim.SetInstanceable(True)
    return prim


def write_anchor(
    stage: Usd.Stage,
    path: str,
    kind: str,
    position_m: Sequence[float],
    size_m: Sequence[float],
    *,
    yaw_deg: float = 0.0,
) -> Usd.Prim:
    """Return an anchor: its box spans +-size/2 in x and y, and 0..size in z of its frame."""
    prim = UsdGeom.Xform.Define(stage, path).GetPrim()
    prim.CreateAttribute("ommatidia:anchor", Sdf.ValueTypeNames.Token, True, Sdf.VariabilityUniform).Set(kind)
    size = Gf.Vec3f(*(_short(x) for x in size_m))
    prim.CreateAttribute("ommatidia:size", Sdf.ValueTypeNames.Float3, True, Sdf.VariabilityUniform).Set(size)
    UsdGeom.Xformable(prim).AddTranslateOp().Set(Gf.Vec3d(*(_short(x) for x in position_m)))
    if yaw_deg:
        UsdGeom.Xformable(prim).AddRotateZOp().Set(_short(yaw_deg))
    return prim


def write_keypoint(stage: Usd.Stage, path: str, name: str, position_m: Sequence[float], *, depth_m: float) -> None:
    """Write a keypoint that lies so deep below the surface."""
    prim = UsdGeom.Xform.Define(stage, path).GetPrim()
    prim.CreateAttribute("ommatidia:keypoint", Sdf.ValueTypeNames.Token, True, Sdf.VariabilityUniform).Set(name)
    prim.CreateAttribute("ommatidia:depth", Sdf.ValueTypeNames.Float, True, Sdf.VariabilityUniform).Set(_short(depth_m))
    UsdGeom.Xformable(prim).AddTranslateOp().Set(Gf.Vec3d(*(_short(x) for x in position_m)))


def support(prim: Usd.Prim, below: Sequence[str]) -> None:
    """Say which anchors must be filled before this one."""
    prim.CreateRelationship("ommatidia:support", True).SetTargets([Sdf.Path(path) for path in below])


def write_camera(
    stage: Usd.Stage,
    path: str,
    eye_m: Sequence[float],
    target_m: Sequence[float],
    *,
    focal_mm: float,
    focus: bool = False,
) -> UsdGeom.Camera:
    """Return a pinhole camera with a Super 35 gate (20.955 mm wide, 4:3) looking at ``target_m``.

    Apertures and focal lengths are tenths of a stage unit in USD, so in a stage in metres 1 mm is written 0.01.
    """
    camera = UsdGeom.Camera.Define(stage, path)
    camera.CreateHorizontalApertureAttr(_short(20.955 * MM))
    camera.CreateVerticalApertureAttr(_short(20.955 * 0.75 * MM))
    camera.CreateFocalLengthAttr(_short(focal_mm * MM))
    camera.CreateClippingRangeAttr(Gf.Vec2f(0.01, 1000.0))
    if focus:
        distance = float(np.linalg.norm(np.array(target_m) - np.array(eye_m)))
        camera.CreateFocusDistanceAttr(round(distance, 4))
    aim(camera.GetPrim(), eye_m, target_m)
    return camera


MM = 0.01  # one millimetre in tenths of a metre
