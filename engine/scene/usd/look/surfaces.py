"""Surface shaders as looks: UsdPreviewSurface as it is, the layered models by tables of what corresponds to it.

Sources: UsdPreviewSurface, https://openusd.org/release/spec_usdpreviewsurface.html; Autodesk Standard Surface, OpenPBR
Surface and glTF PBR as in MaterialX 1.39, libraries/bxdf.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from engine.scene.look.expression import (
    Image,
    Signal,
    complement,
    constant,
    leaves,
    mixed,
    product,
    resized,
    values,
)
from engine.scene.look.look import Look
from engine.scene.usd.look.network import Node

Roles: TypeAlias = dict[str, tuple[str, tuple[float, ...]]]  # what it is for us -> input and its default
ONE: tuple[float, ...] = (1.0,)
ZERO: tuple[float, ...] = (0.0,)
WHITE: tuple[float, ...] = (1.0, 1.0, 1.0)

PREVIEW_FIELDS = {
    "diffuseColor": "base_color",
    "emissiveColor": "emission",
    "metallic": "metallic",
    "roughness": "roughness",
    "ior": "ior",
    "opacity": "opacity",
    "opacityThreshold": "opacity_threshold",
    "clearcoat": "clearcoat",
    "clearcoatRoughness": "clearcoat_roughness",
    "normal": "normal",
}
STANDARD_SURFACE: Roles = {
    "weight": ("base", ONE),
    "color": ("base_color", (0.8, 0.8, 0.8)),
    "metallic": ("metalness", ZERO),
    "roughness": ("specular_roughness", (0.2,)),
    "specular": ("specular", ONE),
    "tint": ("specular_color", WHITE),
    "ior": ("specular_IOR", (1.5,)),
    "coat": ("coat", ZERO),
    "coat_roughness": ("coat_roughness", (0.1,)),
    "emission": ("emission", ZERO),
    "emission_color": ("emission_color", WHITE),
    "opacity": ("opacity", WHITE),
    "transmission": ("transmission", ZERO),
    "subsurface": ("subsurface", ZERO),
    "subsurface_color": ("subsurface_color", WHITE),
    "normal": ("normal", ()),
}
OPEN_PBR: Roles = {
    "weight": ("base_weight", ONE),
    "color": ("base_color", (0.8, 0.8, 0.8)),
    "metallic": ("base_metalness", ZERO),
    "roughness": ("specular_roughness", (0.3,)),
    "specular": ("specular_weight", ONE),
    "tint": ("specular_color", WHITE),
    "ior": ("specular_ior", (1.5,)),
    "coat": ("coat_weight", ZERO),
    "coat_roughness": ("coat_roughness", ZERO),
    "emission": ("emission_luminance", ZERO),
    "emission_color": ("emission_color", WHITE),
    "opacity": ("geometry_opacity", ONE),
    "transmission": ("transmission_weight", ZERO),
    "subsurface": ("subsurface_weight", ZERO),
    "subsurface_color": ("subsurface_color", (0.8, 0.8, 0.8)),
    "normal": ("geometry_normal", ()),
}
GLTF_PBR: Roles = {
    "color": ("base_color", WHITE),
    "metallic": ("metallic", ONE),
    "roughness": ("roughness", ONE),
    "specular": ("specular", ONE),
    "tint": ("specular_color", WHITE),
    "ior": ("ior", (1.5,)),
    "coat": ("clearcoat", ZERO),
    "coat_roughness": ("clearcoat_roughness", ZERO),
    "emission": ("emissive_strength", ONE),
    "emission_color": ("emissive", (0.0, 0.0, 0.0)),
    "opacity": ("alpha", ONE),
    "transmission": ("transmission", ZERO),
    "normal": ("normal", ()),
}
DISNEY: Roles = {
    "color": ("baseColor", (0.16, 0.16, 0.16)),
    "metallic": ("metallic", ZERO),
    "roughness": ("roughness", (0.5,)),
    "ior": ("ior", (1.5,)),
    "coat": ("clearcoat", ZERO),
    "transmission": ("specTrans", ZERO),
    "emission_color": ("emitColor", (0.0, 0.0, 0.0)),  # PxrDisneyBsdf
}
PIXAR: Roles = {
    "weight": ("diffuseGain", ONE),
    "color": ("diffuseColor", (0.18, 0.18, 0.18)),
    "roughness": ("specularRoughness", (0.2,)),
    "emission": ("glowGain", ZERO),
    "emission_color": ("glowColor", WHITE),
    "opacity": ("presence", ONE),
}
LEFT_OUT = (  # inputs without a counterpart, of all the models; what they add is left out with one note
    "sheen",
    "sheen_color",
    "fuzz_weight",
    "specular_anisotropy",
    "specular_roughness_anisotropy",
    "anisotropic",
    "anisotropy_strength",
    "thin_film_thickness",
    "thin_film_weight",
    "iridescence",
)


def preview_surface(node: Node) -> Look:
    """Return UsdPreviewSurface."""
    given = {field: node.network.input(node.shader, name) for name, field in PREVIEW_FIELDS.items()}
    fields = {field: signal for field, signal in given.items() if signal}
    if node.number("useSpecularWorkflow", 0.0):
        fields.pop("metallic", None)
        fields["specular_color"] = node.signal("specularColor", 0.0, 0.0, 0.0)
    for name in ("displacement", "occlusion"):
        unused = node.shader.GetInput(name)
        if unused and unused.HasConnectedSource():
            node.network.note("skipped", f"{name} of UsdPreviewSurface is not used by a ray caster")
    mode = node.text("opacityMode", "")
    has_threshold = "opacity_threshold" in fields
    if (
        is_cutout := not mode
        and not has_threshold
        and any(isinstance(leaf, Image) for leaf in leaves(fields.get("opacity") or ()))
    ):
        node.network.note(
            "converted", "opacity is an image and opacityMode is not authored: where it is 0 nothing is there"
        )
    return Look({field: signal for field, signal in fields.items() if signal}, mode == "presence" or is_cutout)


def layered(roles: Roles) -> Callable[[Node], Look]:
    """Return the reader of a layered surface model with these inputs."""

    def read(node: Node) -> Look:
        def role(name: str, *default: float) -> Signal:
            given, stated = roles.get(name, ("", default))
            return node.signal(given, *stated) if given else constant(*stated)

        subsurface = role("subsurface", 0.0)
        color = product(role("color", *WHITE), role("weight", 1.0))
        if values(subsurface) != ZERO:
            node.network.note("approximated", "subsurface scattering is shown as diffuse reflection")
            color = mixed(color, role("subsurface_color", *WHITE), subsurface)
        fields = {
            "base_color": resized(color, 3),
            "metallic": role("metallic", 0.0),
            "roughness": role("roughness", 0.5),
            "clearcoat": role("coat", 0.0),
            "clearcoat_roughness": role("coat_roughness", 0.01),
            "emission": product(role("emission_color", *WHITE), role("emission", 1.0)),
        }
        fields |= reflectance(node, role("specular", 1.0), role("tint", *WHITE), role("ior", 1.5), fields["metallic"])
        if "normal" in roles and node.has(roles["normal"][0]):
            fields["normal"] = node.signal(roles["normal"][0])
        _note_left_out(node)
        return _with_opacity(node, fields, role("opacity", 1.0), role("transmission", 0.0))

    return read


def _with_opacity(node: Node, fields: dict[str, Signal], opacity: Signal, transmission: Signal) -> Look:
    fields = {name: signal for name, signal in fields.items() if signal}
    if len(set(opacity)) > 1:
        node.network.note("approximated", "opacity of each colour: that of red is used")
    opacity = opacity[:1]
    if values(transmission) == ZERO:
        return Look(fields | {"opacity": opacity}, presence=True)
    node.network.note("approximated", "transmission is straight through, without refraction or tint")
    return Look(fields | {"opacity": product(opacity, complement(transmission[:1]))})


def reflectance(node: Node, weight: Signal, tint: Signal, ior: Signal, metallic: Signal) -> dict[str, Signal]:
    """Return the index or specular colour that reflects as much at normal incidence as a weighted, tinted index."""
    amount, color, index, metal = values(weight), values(resized(tint, 3)), values(ior), values(metallic)
    if amount is None or color is None or index is None:
        if amount != ONE or color != WHITE:
            node.network.note("approximated", "specular weight or colour that varies; full white reflection is used")
        return {"ior": ior}
    f0 = min(amount[0] * ((index[0] - 1.0) / (index[0] + 1.0)) ** 2, 0.999) if index[0] > -1.0 else 0.04
    if color != WHITE and metal == ZERO:
        return {"specular_color": constant(*(f0 * part for part in color))}
    if color != WHITE:
        node.network.note("approximated", "specular colour of a metal; white reflection is used")
    if amount == ONE:
        return {"ior": ior}
    root = max(f0, 0.0) ** 0.5
    return {"ior": constant((1.0 + root) / (1.0 - root))}


def _note_left_out(node: Node) -> None:
    found = []
    for name in LEFT_OUT:
        if node.has(name) and any(values(node.signal(name, 0.0)) or (1.0,)):
            found.append(name)
    if found:
        node.network.note("approximated", f"{', '.join(found)} left out")


def gltf_surface(node: Node) -> Look:
    """Return glTF PBR: alpha is ignored, cut or blended by its mode."""
    look = layered(GLTF_PBR)(node)
    mode = round(node.number("alpha_mode", 0.0))
    if mode == 0 and values(node.signal("transmission", 0.0)) == ZERO:
        return Look({name: signal for name, signal in look.fields.items() if name != "opacity"})
    if mode == 1:
        return Look(look.fields | {"opacity_threshold": node.signal("alpha_cutoff", 0.5)}, look.presence)
    return look


def disney_surface(node: Node) -> Look:
    """Return the Disney principled model: `specular` 0.5 reflects 4 %, gloss is the opposite of roughness."""
    look = layered(DISNEY)(node)
    fields = dict(look.fields)
    if node.has("specular") and not node.has("ior"):
        fields |= reflectance(
            node, product(node.signal("specular", 0.5), constant(2.0)), constant(*WHITE), constant(1.5), constant(0.0)
        )
    fields["clearcoat_roughness"] = complement(node.signal("clearcoatGloss", 1.0))
    return Look(fields, look.presence)


def unlit_surface(node: Node) -> Look:
    """Return `surface_unlit`: a black body that emits."""
    emission = product(node.signal("emission_color", *WHITE), node.signal("emission", 1.0))
    fields = {"base_color": constant(0.0, 0.0, 0.0), "specular_color": constant(0.0, 0.0, 0.0), "emission": emission}
    opacity = node.signal("opacity", 1.0)[:1]
    return Look(fields | {"opacity": product(opacity, complement(node.signal("transmission", 0.0)[:1]))}, presence=True)


def pixar_surface(node: Node) -> Look:
    """Return PxrSurface: its diffuse lobe, and the face colour of its specular one."""
    look = layered(PIXAR)(node)
    fields = dict(look.fields)
    fields["specular_color"] = node.signal("specularFaceColor", 0.0, 0.0, 0.0)
    if not node.has("glowGain"):
        del fields["emission"]
    return Look(fields, look.presence)


def vendor(read: Callable[[Node], Look]) -> Callable[[Node], Look]:
    """Return a reader that says that a renderer's own shader was read by its names only."""

    def noted(node: Node) -> Look:
        node.network.note("approximated", f"surface shader {node.kind}: the inputs with a counterpart are used")
        return read(node)

    return noted


SURFACES: dict[str, tuple[str, Callable[[Node], Look]]] = {  # identifier -> group, reader
    "UsdPreviewSurface": ("preview", preview_surface),
    "ND_UsdPreviewSurface": ("preview", preview_surface),
    "ND_standard_surface": ("materialx", layered(STANDARD_SURFACE)),
    "ND_open_pbr_surface": ("materialx", layered(OPEN_PBR)),
    "ND_gltf_pbr": ("materialx", gltf_surface),
    "ND_disney_principled": ("materialx", disney_surface),
    "ND_surface_unlit": ("materialx", unlit_surface),
    "arnold:standard_surface": ("vendor", vendor(layered(STANDARD_SURFACE))),
    "standard_surface": ("vendor", vendor(layered(STANDARD_SURFACE))),
    "arnold:openpbr_surface": ("vendor", vendor(layered(OPEN_PBR))),
    "PxrDisney": ("vendor", vendor(disney_surface)),
    "PxrDisneyBsdf": ("vendor", vendor(disney_surface)),
    "PxrSurface": ("vendor", vendor(pixar_surface)),
}


def surface_entry(kind: str) -> tuple[str, Callable[[Node], Look]] | None:
    """Return the group and the reader of a surface shader; None where nobody knows it."""
    if kind in SURFACES:
        return SURFACES[kind]
    if kind.startswith("ND_"):
        return next((entry for name, entry in SURFACES.items() if kind.startswith(f"{name}_")), None)
    return None
