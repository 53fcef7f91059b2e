"""The material library: UsdPreviewSurface networks, colours given as sRGB bytes and written as linear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade

from scenes_usd.author.stage import LIBRARY, save


@dataclass(frozen=True)
class Finish:
    """One material. A texture replaces the constant of its input; ``tile_m`` is the width of one texture tile."""

    srgb: tuple[int, int, int] = (128, 128, 128)
    roughness: float = 0.5
    metallic: float = 0.0
    clearcoat: float = 0.0
    emission: float | tuple[float, float, float] = 0.0  # radiance; one number is grey
    ior: float = 1.5
    opacity: float = 1.0
    color_texture: str = ""
    roughness_texture: str = ""
    normal_texture: str = ""
    tile_m: tuple[float, float] = (1.0, 1.0)


def _carton(name: str) -> Finish:
    return Finish(color_texture=name, roughness_texture="carton_roughness", roughness=0.8)


def _wood(name: str) -> Finish:
    return Finish(color_texture=name, roughness=0.78, tile_m=(0.5, 0.5))


def _concrete(name: str) -> Finish:
    return Finish(color_texture=name, roughness_texture="concrete_roughness", tile_m=(4.0, 4.0))


def _coated(red: int, green: int, blue: int, roughness: float = 0.38) -> Finish:
    return Finish((red, green, blue), roughness=roughness)


def _metal(red: int, green: int, blue: int, roughness: float) -> Finish:
    return Finish((red, green, blue), roughness=roughness, metallic=1.0)


CAR_COLORS = (
    (28, 30, 34),
    (222, 222, 218),
    (122, 126, 130),
    (168, 172, 176),
    (34, 52, 92),
    (136, 26, 28),
    (64, 70, 64),
    (196, 186, 164),
)  # sRGB bytes: what cars are painted in, before a world draws its own
FACADE_COLORS = (
    (206, 192, 166), (158, 92, 70), (188, 184, 178), (214, 204, 190),
    (172, 150, 116), (132, 128, 126), (196, 160, 140), (146, 112, 92),
)  # fmt: skip


FINISHES: dict[str, Finish] = {
    # Cartons: atlas of board, print, tape and labels (textures.carton_atlas).
    "CartonKraft": _carton("carton_kraft"),
    "CartonWhite": _carton("carton_white"),
    "CartonDark": _carton("carton_dark"),
    "CartonGloss": Finish(color_texture="carton_white", roughness=0.3, clearcoat=0.8),  # printed and varnished
    "LabelPaper": Finish(color_texture="shipping_labels", roughness=0.45),
    # Several layers of stretch film: more than half opaque, so that it is labelled and not what is behind it.
    "StretchFilm": Finish(
        color_texture="stretch_film",
        normal_texture="stretch_film_normal",
        roughness=0.2,
        opacity=0.52,
        tile_m=(0.8, 0.8),
    ),
    "GoodsBlue": Finish((30, 70, 150), roughness=0.3, clearcoat=0.5),
    "GoodsRed": Finish((182, 40, 36), roughness=0.3, clearcoat=0.5),
    "GoodsGreen": Finish((40, 130, 70), roughness=0.35, clearcoat=0.3),
    "WoodLight": _wood("wood_light"),
    "WoodDark": _wood("wood_dark"),
    "ConcreteClean": _concrete("concrete_clean"),
    "ConcreteStained": _concrete("concrete_stained"),
    "PaintYellow": Finish(color_texture="paint_yellow", roughness=0.5, tile_m=(1.2, 0.3)),
    "PaintWhite": Finish(color_texture="paint_white", roughness=0.5, tile_m=(1.2, 0.3)),
    "HazardStripes": Finish(color_texture="hazard_stripes", roughness=0.45, tile_m=(0.4, 0.4)),
    # Powder coats of racks and machines.
    "CoatBlue": _coated(32, 74, 140),
    "CoatOrange": _coated(226, 98, 24),
    "CoatGrey": _coated(132, 136, 140),
    "CoatGreen": _coated(34, 104, 76),
    "CoatYellow": Finish((238, 172, 18), roughness=0.32, clearcoat=0.4),
    "CoatRed": Finish((186, 34, 30), roughness=0.32, clearcoat=0.4),
    "CoatBlack": _coated(30, 31, 33, 0.42),
    "Galvanized": _metal(176, 180, 184, 0.46),
    "SteelWorn": _metal(128, 126, 124, 0.36),
    "Chrome": _metal(214, 216, 218, 0.2),
    "Rubber": Finish((30, 30, 31), roughness=0.82),
    "Polyurethane": Finish((196, 142, 62), roughness=0.45),
    "PlasticBlack": Finish((34, 35, 37), roughness=0.5),
    "Vinyl": Finish((38, 38, 42), roughness=0.6),
    "LampGlass": Finish((240, 240, 240), roughness=0.2, emission=1.5),
    "TailLamp": Finish((150, 16, 14), roughness=0.15),
    "Beacon": Finish((240, 120, 10), roughness=0.15, emission=0.4),
    # Building.
    "PanelWhite": _coated(206, 208, 208, 0.5),
    "PanelGrey": _coated(150, 156, 162, 0.5),
    "DoorGrey": _coated(176, 180, 184, 0.45),
    "TrussGrey": _coated(112, 116, 122, 0.5),
    "RoofDeck": _coated(168, 170, 172, 0.6),
    "Plinth": Finish((126, 124, 120), roughness=0.8),
    "LampDiffuser": Finish((250, 250, 250), roughness=0.6, emission=4.0),
    "Skylight": Finish((200, 214, 230), roughness=0.4, emission=(0.5, 0.62, 0.78)),
    "RingDiffuser": Finish((245, 245, 245), roughness=0.6, emission=1.0),
    "SignBlue": _coated(18, 66, 140, 0.35),
    "SignWhite": _coated(232, 232, 230, 0.4),
    # People and cones.
    "VestYellow": Finish((214, 232, 30), roughness=0.85),
    "VestOrange": Finish((255, 104, 20), roughness=0.85),
    "Reflective": Finish((206, 208, 210), roughness=0.34, metallic=0.35),
    "FabricNavy": Finish((36, 44, 66), roughness=0.92),
    "FabricGrey": Finish((84, 88, 94), roughness=0.92),
    "Skin": Finish((198, 156, 128), roughness=0.55),
    "HelmetWhite": Finish((232, 232, 228), roughness=0.28, clearcoat=0.3),
    "HelmetYellow": Finish((240, 190, 20), roughness=0.28, clearcoat=0.3),
    "Leather": Finish((44, 34, 28), roughness=0.62),
    "ConeOrange": Finish((240, 78, 18), roughness=0.5),
    # Parts and bins.
    "Zinc": _metal(196, 198, 202, 0.42),
    "BlackOxide": _metal(54, 54, 58, 0.4),
    "Brass": _metal(222, 184, 96, 0.38),
    "Aluminium": _metal(214, 216, 218, 0.38),
    "BearingSteel": _metal(206, 206, 208, 0.3),
    "ToteBlue": Finish((28, 82, 160), roughness=0.48),
    "ToteGrey": Finish((120, 124, 130), roughness=0.48),
    "ToteRed": Finish((170, 36, 34), roughness=0.48),
    "Laminate": Finish((188, 190, 192), roughness=0.42),
    # Inspection: brushed along u, one tile is 50 mm.
    "BrushedSteel": Finish(
        color_texture="brushed_color",
        roughness_texture="brushed_roughness",
        normal_texture="brushed_normal",
        metallic=1.0,
        tile_m=(0.05, 0.05),
    ),
    "BrushedAluminium": Finish(
        (226, 228, 230), roughness=0.34, metallic=1.0, normal_texture="brushed_normal", tile_m=(0.05, 0.05)
    ),
    "GroundSteel": Finish(
        (186, 186, 188), roughness=0.24, metallic=1.0, normal_texture="brushed_normal", tile_m=(0.03, 0.03)
    ),
    "FixtureGrey": _coated(118, 124, 130, 0.55),
    "Anodized": _metal(40, 41, 44, 0.36),
    # Street.
    **{f"CarPaint{k}": Finish(c, roughness=0.32, clearcoat=1.0) for k, c in enumerate(CAR_COLORS)},
    "CarGlass": Finish((14, 17, 20), roughness=0.06),
    "HeadLamp": Finish((214, 218, 222), roughness=0.12, emission=0.2),
    "RearLamp": Finish((150, 12, 12), roughness=0.18, emission=(0.02, 0.0006, 0.0006)),
    "Rim": _metal(150, 152, 156, 0.32),
    "CargoBox": Finish((226, 228, 228), roughness=0.45),
    **{f"Facade{k}": Finish(c, roughness=0.86) for k, c in enumerate(FACADE_COLORS)},
    "FacadeTrim": Finish((198, 194, 186), roughness=0.8),
    "ShopFront": Finish((52, 60, 58), roughness=0.45),
    "WindowGlass": Finish((24, 29, 34), roughness=0.05),
    "WindowLit": Finish((60, 52, 40), roughness=0.3, emission=(0.007, 0.005, 0.0026)),
    "RoofTile": Finish((112, 58, 44), roughness=0.85),
    "RoofFlat": Finish((96, 94, 92), roughness=0.9),
    "Asphalt": Finish((72, 72, 74), roughness=0.88),
    "CycleAsphalt": Finish((112, 62, 54), roughness=0.88),
    "RoadPaint": Finish((216, 216, 210), roughness=0.6),
    "Paving": Finish((142, 138, 132), roughness=0.9),
    "KerbStone": Finish((164, 162, 156), roughness=0.85),
    "Grass": Finish((84, 104, 52), roughness=0.95),
    "Leaf0": Finish((66, 92, 38), roughness=0.8),
    "Leaf1": Finish((88, 108, 48), roughness=0.8),
    "Leaf2": Finish((52, 78, 44), roughness=0.8),
    "Bark": Finish((84, 68, 54), roughness=0.95),
    "SignRed": _coated(176, 24, 28, 0.35),
    "SignYellow": _coated(236, 186, 20, 0.35),
    "SignalRed": Finish((120, 10, 10), roughness=0.3, emission=(0.6, 0.015, 0.01)),
    "SignalGreen": Finish((10, 110, 70), roughness=0.3, emission=(0.01, 0.45, 0.25)),
    "SignalDark": Finish((26, 22, 18), roughness=0.3),
    "Denim": Finish((58, 76, 108), roughness=0.92),
    "FabricBlack": Finish((30, 30, 33), roughness=0.92),
    "FabricRed": Finish((150, 40, 42), roughness=0.92),
    "FabricBeige": Finish((186, 168, 138), roughness=0.92),
    "FabricWhite": Finish((216, 216, 212), roughness=0.92),
    "FabricGreen": Finish((70, 92, 66), roughness=0.92),
    "HairDark": Finish((38, 28, 22), roughness=0.7),
    "HairFair": Finish((150, 116, 70), roughness=0.7),
    # Magnet line.
    "Ferrite": _metal(128, 128, 130, 0.5),
    "BeltRubber": Finish((40, 40, 41), roughness=0.9),
}


def linear(srgb: tuple[int, int, int]) -> Gf.Vec3f:
    """Return linear colour from sRGB bytes (IEC 61966-2-1)."""
    values = (c / 255.0 for c in srgb)
    return Gf.Vec3f(*(round(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4, 4) for c in values))


def write_library(root: Path) -> None:
    """Write ``materials/library.usda`` with every finish below ``/Library``."""
    comment = "Material library; referenced one material at a time. Written by author/materials.py."
    write_finishes(root, LIBRARY, FINISHES, comment)


def write_finishes(root: Path, library: str, finishes: Mapping[str, Finish], comment: str) -> None:
    """Write finishes below ``/Library`` of a file."""
    path = root / library
    path.parent.mkdir(parents=True, exist_ok=True)
    layer = Sdf.Layer.Find(str(path))
    if layer:
        layer.Clear()
    else:
        path.unlink(missing_ok=True)
    stage = Usd.Stage.Open(layer) if layer else Usd.Stage.CreateNew(str(path))
    stage.GetRootLayer().comment = comment
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetDefaultPrim(UsdGeom.Scope.Define(stage, "/Library").GetPrim())
    for name, finish in finishes.items():
        _write_material(stage, f"/Library/{name}", finish)
    save(stage)


def _write_material(stage: Usd.Stage, path: str, finish: Finish) -> None:
    material = UsdShade.Material.Define(stage, path)
    surface = UsdShade.Shader.Define(stage, f"{path}/Surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    material.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    color = surface.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f)
    roughness = surface.CreateInput("roughness", Sdf.ValueTypeNames.Float)
    surface.CreateInput("metallic", Sdf.ValueTypeNames.Float).Set(finish.metallic)
    color.Set(linear(finish.srgb))
    roughness.Set(finish.roughness)
    if finish.clearcoat:
        surface.CreateInput("clearcoat", Sdf.ValueTypeNames.Float).Set(finish.clearcoat)
        surface.CreateInput("clearcoatRoughness", Sdf.ValueTypeNames.Float).Set(0.1)
    if finish.emission:
        surface.CreateInput("emissiveColor", Sdf.ValueTypeNames.Color3f).Set(Gf.Vec3f(finish.emission))
    if finish.opacity < 1.0:
        surface.CreateInput("opacity", Sdf.ValueTypeNames.Float).Set(finish.opacity)
    if not (finish.color_texture or finish.roughness_texture or finish.normal_texture):
        return
    st = _coordinates(stage, path, finish.tile_m)
    if finish.color_texture:
        texture = _texture(stage, f"{path}/ColorTexture", finish.color_texture, "sRGB", st)
        color.ConnectToSource(texture.ConnectableAPI(), "rgb")
    if finish.roughness_texture:
        texture = _texture(stage, f"{path}/RoughnessTexture", finish.roughness_texture, "raw", st)
        roughness.ConnectToSource(texture.ConnectableAPI(), "r")
    if finish.normal_texture:
        texture = _texture(stage, f"{path}/NormalTexture", finish.normal_texture, "raw", st)
        texture.CreateInput("scale", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(2, 2, 2, 1))
        texture.CreateInput("bias", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(-1, -1, -1, 0))
        surface.CreateInput("normal", Sdf.ValueTypeNames.Normal3f).ConnectToSource(texture.ConnectableAPI(), "rgb")


def _coordinates(stage: Usd.Stage, path: str, tile_m: tuple[float, float]) -> UsdShade.Shader:
    """Return the node whose ``result`` is st in tiles."""
    reader = UsdShade.Shader.Define(stage, f"{path}/Reader")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("st")
    reader.CreateOutput("result", Sdf.ValueTypeNames.Float2)
    if tile_m == (1.0, 1.0):
        return reader
    transform = UsdShade.Shader.Define(stage, f"{path}/Tiles")
    transform.CreateIdAttr("UsdTransform2d")
    transform.CreateInput("in", Sdf.ValueTypeNames.Float2).ConnectToSource(reader.ConnectableAPI(), "result")
    transform.CreateInput("scale", Sdf.ValueTypeNames.Float2).Set(Gf.Vec2f(1.0 / tile_m[0], 1.0 / tile_m[1]))
    transform.CreateOutput("result", Sdf.ValueTypeNames.Float2)
    return transform


def _texture(stage: Usd.Stage, path: str, name: str, space: str, st: UsdShade.Shader) -> UsdShade.Shader:
    """Return a repeating texture lookup with its outputs declared."""
    texture = UsdShade.Shader.Define(stage, path)
    texture.CreateIdAttr("UsdUVTexture")
    texture.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(Sdf.AssetPath(f"./textures/{name}.png"))
    texture.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set(space)
    texture.CreateInput("wrapS", Sdf.ValueTypeNames.Token).Set("repeat")
    texture.CreateInput("wrapT", Sdf.ValueTypeNames.Token).Set("repeat")
    texture.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(st.ConnectableAPI(), "result")
    texture.CreateOutput("rgb", Sdf.ValueTypeNames.Float3)
    texture.CreateOutput("r", Sdf.ValueTypeNames.Float)
    return texture
