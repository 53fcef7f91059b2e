"""MDL materials as looks: OmniPBR and its relatives, glTF, and modules that call one of them.

Source: the parameters and formulas of OmniPBR, OmniGlass and OmniSurface,
https://docs.omniverse.nvidia.com/materials-and-rendering/latest/templates/OmniPBR.html. MDL itself is not executed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from pxr import Sdf

from engine.scene.error import SceneError
from engine.scene.look.expression import (
    Primvar,
    Signal,
    Term,
    added,
    complement,
    constant,
    mixed,
    of_source,
    product,
    resized,
    scaled,
    total,
    values,
)
from engine.scene.look.look import Look
from engine.scene.look.mdl_text import MAX_BYTES, MdlCall, MdlTexture, read_call
from engine.scene.model import Wrap
from engine.scene.usd.files import check_inside
from engine.scene.usd.look.network import ST, ImageLook, Node
from engine.scene.usd.look.nodes import rotated, unsupported
from engine.scene.usd.look.surfaces import reflectance
from engine.scene.usd.stage import OpenStage

BLACK = (0.0, 0.0, 0.0, 1.0)
WHITE = (1.0, 1.0, 1.0)
WRAPS = {0: Wrap.CLAMP, 1: Wrap.REPEAT, 2: Wrap.MIRROR, 3: Wrap.BLACK}  # ::tex::wrap_mode


class Inputs:
    """The inputs of an MDL shader: authored ones, then what its module passes, then the defaults asked with."""

    def __init__(self, node: Node, call: MdlCall | None, folder: Path | None) -> None:
        self._node = node
        self._call = call or MdlCall("")
        self._folder = folder

    def _name(self, name: str) -> str:
        return self._call.parameters.get(name, name)

    def signal(self, name: str, *default: float) -> Signal:
        """Return what drives an input."""
        value = self._call.arguments.get(name)
        if isinstance(value, float):
            default = (value,) * len(default)
        elif isinstance(value, tuple):
            default = value
        return self._node.signal(self._name(name), *default)

    def number(self, name: str, default: float) -> float:
        """Return a constant number."""
        found = values(self.signal(name, default))
        return found[0] if found else default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a truth value."""
        return bool(self.number(name, float(default)))

    def numbers(self, name: str, *default: float) -> tuple[float, ...]:
        """Return constant numbers."""
        return values(resized(self.signal(name, *default), len(default))) or default

    def texture(self, name: str, st: Signal | None, space: str | None = None) -> Signal | None:
        """Return the texture of an input, or what is connected to it; None where it names no file."""
        node, given = self._node, self._node.shader.GetInput(self._name(name))
        look = ImageLook(st, Wrap.REPEAT, Wrap.REPEAT, space, BLACK)
        if node.has_file(self._name(name)):
            return node.network.image(node.shader, self._name(name), look)
        if given and given.HasConnectedSource():
            found = node.network.input(node.shader, self._name(name))
            return None if found is None else resized(found, 4)
        value = self._call.arguments.get(name)
        if isinstance(value, MdlTexture) and self._folder is not None:
            look = ImageLook(st, Wrap.REPEAT, Wrap.REPEAT, space or value.gamma, BLACK)
            return node.network.image_file(str(self._folder / value.path.lstrip("/")), look)
        return None


def _coordinates(node: Node, inputs: Inputs) -> Signal | None:
    """Return OmniPBR's texture coordinates: scaled, turned, moved."""
    if inputs.flag("project_uvw"):
        node.network.note("approximated", "project_uvw: textures lie on the texture coordinates, not on world axes")
    index = round(inputs.number("uv_space_index", 0.0))
    scale = inputs.numbers("texture_scale", 1.0, 1.0)
    angle = math.radians(inputs.number("texture_rotate", 0.0))
    shift = inputs.numbers("texture_translate", 0.0, 0.0)
    if index == 0 and scale == (1.0, 1.0) and angle == 0.0 and shift == (0.0, 0.0):
        return None
    st = of_source(Primvar(f"st{index}") if index else ST, 2)
    return total(rotated(product(st, constant(*scale)), angle), constant(*shift))


def _mean(signal: Signal) -> Signal:
    """Return the mean of red, green and blue, which is what MDL's `mono_average` is."""
    out = Term()
    for term in signal[:3]:
        out = added(out, scaled(term, 1.0 / 3.0))
    return (out,)


def omni_pbr(node: Node, inputs: Inputs) -> Look:
    """Return OmniPBR."""
    st = _coordinates(node, inputs)
    color = inputs.texture("diffuse_texture", st)
    if color is None:
        color = inputs.signal("diffuse_color_constant", 0.2, 0.2, 0.2)
    else:
        color = total(product(color[:3], inputs.signal("albedo_brightness", 1.0)), inputs.signal("albedo_add", 0.0))
        gray = inputs.signal("albedo_desaturation", 0.0)
        if values(gray) != (0.0,):
            color = mixed(color, _mean(color) * 3, gray)
    fields = {
        "base_color": product(resized(color, 3), inputs.signal("diffuse_tint", *WHITE)),
        "roughness": inputs.signal("reflection_roughness_constant", 0.5),
        "metallic": inputs.signal("metallic_constant", 0.0),
    }
    packed = inputs.texture("ORM_texture", st, "raw") if inputs.flag("enable_ORM_texture") else None
    for field, own, channel in (("roughness", "reflectionroughness_texture", 1), ("metallic", "metallic_texture", 2)):
        name = "reflection_roughness" if field == "roughness" else "metallic"
        texture = None if packed is not None else inputs.texture(own, st, "raw")
        influence = inputs.signal(f"{name}_texture_influence", 0.0)
        if packed is not None:
            fields[field] = mixed(fields[field], packed[channel : channel + 1], influence)
        elif texture is not None:
            fields[field] = mixed(fields[field], texture[:1], influence)
    fields |= reflectance(
        node,
        product(inputs.signal("specular_level", 0.5), constant(2.0)),
        constant(*WHITE),
        constant(1.5),
        constant(0.0),
    )
    _omni_normal(inputs, st, fields)
    _omni_emission(inputs, st, fields)
    if inputs.flag("enable_clearcoat"):
        fields["clearcoat"] = inputs.signal("clearcoat_weight", 1.0)
        fields["clearcoat_roughness"] = inputs.signal("clearcoat_reflection_roughness", 0.0)
    _omni_opacity(inputs, st, fields)
    return Look(fields, presence=True)


def _omni_normal(inputs: Inputs, st: Signal | None, fields: dict[str, Signal]) -> None:
    """Add the normal map: slopes times the bump factor; its green points down unless `flip_tangent_v` is off."""
    texture = inputs.texture("normalmap_texture", st, "raw")
    if texture is None:
        return
    bump = inputs.number("bump_factor", 1.0)
    x = -bump if inputs.flag("flip_tangent_u") else bump
    y = -bump if inputs.flag("flip_tangent_v", default=True) else bump
    fields["normal"] = total(product(texture[:3], constant(2.0 * x, 2.0 * y, 2.0)), constant(-x, -y, -1.0))


def _omni_emission(inputs: Inputs, st: Signal | None, fields: dict[str, Signal]) -> None:
    """Add the emission; MDL's intensity of a diffuse emitter is its exitance, which is pi times its radiance."""
    if not inputs.flag("enable_emission"):
        return
    color = inputs.texture("emissive_color_texture", st)
    color = inputs.signal("emissive_color", 1.0, 0.1, 0.1) if color is None else color[:3]
    mask = inputs.texture("emissive_mask_texture", st)
    if mask is not None:
        color = product(resized(color, 3), mask[:3])
    intensity = product(inputs.signal("emissive_intensity", 40.0), constant(1.0 / math.pi))
    fields["emission"] = product(resized(color, 3), intensity)


def _omni_opacity(inputs: Inputs, st: Signal | None, fields: dict[str, Signal]) -> None:
    """Add the cut-out opacity."""
    if not inputs.flag("enable_opacity"):
        return
    fields["opacity"] = inputs.signal("opacity_constant", 1.0)
    texture = inputs.texture("opacity_texture", st) if inputs.flag("enable_opacity_texture") else None
    if texture is not None:
        alpha = round(inputs.number("opacity_mode", 1.0)) == 0
        fields["opacity"] = product(fields["opacity"], texture[3:] if alpha else _mean(texture))
    fields["opacity_threshold"] = inputs.signal("opacity_threshold", 0.0)


def omni_glass(node: Node, inputs: Inputs) -> Look:
    """Return OmniGlass: a clear dielectric that lets light straight through."""
    node.network.note("approximated", "glass is straight through, without refraction or tint")
    roughness = inputs.texture("frosting_roughness_texture", None, "raw") or inputs.texture(
        "roughness_texture", None, "raw"
    )
    fields = {
        "base_color": inputs.signal("glass_color", *WHITE),
        "roughness": inputs.signal("frosting_roughness", 0.0) if roughness is None else roughness[:1],
        "ior": inputs.signal("glass_ior", 1.491),
        "opacity": constant(0.0),
    }
    return Look(fields)


def omni_surface(node: Node, inputs: Inputs) -> Look:
    """Return OmniSurface: the lobes that a UsdPreviewSurface has."""

    def either(name: str, *default: float, space: str | None = None) -> Signal:
        texture = inputs.texture(f"{name}_image", None, space)
        return inputs.signal(name, *default) if texture is None else texture[: len(default)]

    weight = inputs.signal("diffuse_reflection_weight", 0.8)
    metallic = either("metalness", 0.0, space="raw")
    fields = {
        "base_color": product(either("diffuse_reflection_color", *WHITE), weight),
        "metallic": metallic,
        "roughness": either("specular_reflection_roughness", 0.2, space="raw"),
        "clearcoat": inputs.signal("coat_weight", 0.0),
        "clearcoat_roughness": inputs.signal("coat_roughness", 0.1),
        "emission": product(inputs.signal("emission_color", *WHITE), inputs.signal("emission_weight", 0.0)),
    }
    fields["emission"] = product(
        fields["emission"], product(inputs.signal("emission_intensity", 1.0), constant(1 / math.pi))
    )
    fields |= reflectance(
        node,
        inputs.signal("specular_reflection_weight", 1.0),
        inputs.signal("specular_reflection_color", *WHITE),
        inputs.signal("specular_reflection_ior", 1.5),
        metallic,
    )
    normal = inputs.texture("geometry_normal_image", None, "raw")
    if normal is not None:
        fields["normal"] = total(product(normal[:3], constant(2.0, 2.0, 2.0)), constant(-1.0, -1.0, -1.0))
    transmission = inputs.signal("specular_transmission_weight", 0.0)
    if inputs.flag("enable_opacity"):
        fields["opacity"] = either("geometry_opacity", 1.0, space="raw")
        fields["opacity_threshold"] = inputs.signal("geometry_opacity_threshold", 0.0)
    if inputs.flag("enable_specular_transmission") or values(transmission) != (0.0,):
        node.network.note("approximated", "transmission is straight through, without refraction or tint")
        fields["opacity"] = product(fields.get("opacity", constant(1.0)), complement(transmission))
        return Look(fields)
    return Look(fields, presence=True)


def gltf_material(node: Node, inputs: Inputs) -> Look:
    """Return the glTF material of gltf/pbr.mdl: factors times textures, roughness in green, metallic in blue."""
    color = inputs.signal("base_color_factor", *WHITE)
    alpha = inputs.signal("base_alpha", 1.0)
    texture = inputs.texture("base_color_texture", None)
    if texture is not None:
        color, alpha = product(resized(color, 3), texture[:3]), product(alpha, texture[3:])
    roughness, metallic = inputs.signal("roughness_factor", 1.0), inputs.signal("metallic_factor", 1.0)
    packed = inputs.texture("metallic_roughness_texture", None, "raw")
    if packed is not None:
        roughness, metallic = product(roughness, packed[1:2]), product(metallic, packed[2:3])
    emission = product(inputs.signal("emissive_factor", 0.0, 0.0, 0.0), inputs.signal("emissive_strength", 1.0))
    glow = inputs.texture("emissive_texture", None)
    fields = {
        "base_color": color,
        "roughness": roughness,
        "metallic": metallic,
        "emission": emission if glow is None else product(resized(emission, 3), glow[:3]),
    }
    normal = inputs.texture("normal_texture", None, "raw")
    if normal is not None:
        x = inputs.number("normal_scale_factor", 1.0)
        fields["normal"] = total(product(normal[:3], constant(2.0 * x, 2.0 * x, 2.0)), constant(-x, -x, -1.0))
    mode = round(inputs.number("alpha_mode", 0.0))
    if mode:
        fields["opacity"] = alpha
    if mode == 1:
        fields["opacity_threshold"] = inputs.signal("alpha_cutoff", 0.5)
    return Look(fields, presence=True)


def any_material(node: Node, inputs: Inputs) -> Look | None:
    """Return what the usual names of an unknown material say: OmniPBR's, OmniSurface's or glTF's; None without any."""
    known = {"diffuse_color_constant": omni_pbr, "diffuse_texture": omni_pbr, "ORM_texture": omni_pbr,
             "diffuse_reflection_color": omni_surface, "base_color_factor": gltf_material}  # fmt: skip
    for name, reader in known.items():
        if node.has(name):
            node.network.note("approximated", f"{node.kind} is not known: its inputs are read as those of a usual one")
            return reader(node, inputs)
    for name in ("diffuse_color", "base_color", "BaseColor", "Base_Color", "color", "tint"):
        if node.has(name):
            node.network.note("approximated", f"{node.kind} is not known: its {name} alone is used")
            return Look({"base_color": resized(node.signal(name, 0.5, 0.5, 0.5), 3)})
    return None


MATERIALS: dict[str, Callable[[Node, Inputs], Look]] = {
    "OmniPBR": omni_pbr,
    "OmniPBR_Opacity": omni_pbr,
    "OmniPBR_ClearCoat": omni_pbr,
    "OmniPBR_ClearCoat_Opacity": omni_pbr,
    "OmniGlass": omni_glass,
    "OmniGlass_Opacity": omni_glass,
    "OmniSurface": omni_surface,
    "OmniSurfaceBase": omni_surface,
    "OmniSurfaceLite": omni_surface,
    "OmniSurfaceLiteBase": omni_surface,
    "gltf_material": gltf_material,
}


def mdl_surface(node: Node, opened: OpenStage, files: set[Path]) -> Look | None:
    """Return an MDL material, or None with a note; the module is read where it is a file beside the scene."""
    name = node.kind.removeprefix("MDL ").split("(")[0]
    if name in MATERIALS:
        return MATERIALS[name](node, Inputs(node, None, None))
    call, folder = _module(node, name, opened, files)
    if call is not None and call.base in MATERIALS:
        return MATERIALS[call.base](node, Inputs(node, call, folder))
    return any_material(node, Inputs(node, None, None))


def _module(node: Node, name: str, opened: OpenStage, files: set[Path]) -> tuple[MdlCall | None, Path | None]:
    attribute = node.shader.GetPrim().GetAttribute("info:mdl:sourceAsset")
    asset = attribute.Get() if attribute else None
    if not isinstance(asset, Sdf.AssetPath) or not asset.resolvedPath:
        if isinstance(asset, Sdf.AssetPath) and asset.path:
            opened.files.missing(asset.path)
        return None, None
    path = Path(asset.resolvedPath)
    try:
        check_inside(path, opened.roots, str(node.network.path))
        opened.files.read(path)
        if path.stat().st_size > MAX_BYTES:
            return None, None
        text = path.read_text(encoding="utf-8", errors="replace")
    except (OSError, SceneError) as error:
        node.network.note("error", f"MDL module: {error}")
        return None, None
    files.add(path)
    return read_call(text, name), path.parent


def read_mdl_node(node: Node) -> Signal | None:
    """Return the texture that an MDL lookup function reads."""
    for name in ("texture", "tex", "file"):
        if node.has_file(name):
            look = ImageLook(None, Wrap.REPEAT, Wrap.REPEAT, None, BLACK)
            return node.network.image(node.shader, name, look)
    return unsupported(node)
