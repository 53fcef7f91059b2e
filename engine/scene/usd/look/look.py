"""The look of a USD material: which of its surface shaders is read, and what that one means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pxr import UsdShade

from engine.scene.look.expression import Signal
from engine.scene.look.look import Look
from engine.scene.usd.look.materialx_nodes import read_materialx_node
from engine.scene.usd.look.mdl import mdl_surface, read_mdl_node
from engine.scene.usd.look.network import MAX_DEPTH, Network, Node, shader_id
from engine.scene.usd.look.nodes import read_preview_node
from engine.scene.usd.look.surfaces import surface_entry
from engine.scene.usd.stage import OpenStage

ORDER = ("preview", "materialx", "mdl", "vendor")  # which description of a material is read first


@dataclass(frozen=True)
class FoundLook:
    """What a material means, and whether nothing outside of it had a say."""

    look: Look | None
    is_self_contained: bool


def find_look(opened: OpenStage, material: UsdShade.Material, files: set[Path]) -> FoundLook:
    """Return the look of a material, or none with a note that says what it has instead of a known shader.

    A material may have one surface shader for each kind of renderer; the first of `ORDER` that is known counts.
    """
    network = Network(opened, material.GetPath(), read_node)
    shaders = list(_shaders(network, material))
    known = sorted(
        (ORDER.index(_group(shader)), place) for place, shader in enumerate(shaders) if _group(shader) in ORDER
    )
    for _, place in known:
        look = _read(opened, network, shaders[place], files)
        if look is not None:
            _note_displacement(network, material)
            return FoundLook(look, network.is_self_contained)
    names = sorted({shader_id(shader) for shader in shaders})
    if names:
        network.note("skipped", f"surface shader {', '.join(names)} is not supported; displayColor is used")
    else:
        network.note("skipped", "material without a surface shader; displayColor is used")
    return FoundLook(None, network.is_self_contained)


def read_node(node: Node) -> Signal | None:
    """Return the signal of any node."""
    if node.kind.startswith("ND_"):
        return read_materialx_node(node)
    if node.kind.startswith("MDL "):
        return read_mdl_node(node)
    return read_preview_node(node)


def _shaders(network: Network, material: UsdShade.Material) -> Iterator[UsdShade.Shader]:
    """Yield the shader of every surface output that is connected; a mix of two stands for the stronger one."""
    for output in material.GetSurfaceOutputs():
        if not output.HasConnectedSource():
            continue
        context = ":".join(str(output.GetAttr().GetName()).split(":")[1:-1])  # none in outputs:surface
        shader = material.ComputeSurfaceSource(context)[0]
        for _ in range(MAX_DEPTH):
            if not shader or not shader_id(shader).startswith("ND_mix_surfaceshader"):
                break
            node = Node(network, shader, shader_id(shader), "out")
            side = "fg" if node.number("mix", 0.0) >= 0.5 else "bg"
            network.note("approximated", f"a mix of two surface shaders shows its {side} alone")
            given = shader.GetInput(side)
            sources = given.GetValueProducingAttributes() if given else []
            shader = UsdShade.Shader(sources[0].GetPrim()) if sources else UsdShade.Shader()
        if shader:
            yield shader


def _group(shader: UsdShade.Shader) -> str:
    kind = shader_id(shader)
    entry = surface_entry(kind)
    if entry is not None:
        return entry[0]
    return "mdl" if kind.startswith("MDL ") else ""


def _read(opened: OpenStage, network: Network, shader: UsdShade.Shader, files: set[Path]) -> Look | None:
    node = Node(network, shader, shader_id(shader), "surface")
    try:
        entry = surface_entry(node.kind)
        return mdl_surface(node, opened, files) if entry is None else entry[1](node)
    except OverflowError as error:
        network.note("error", f"{node.kind}: {error}")
        return None


def _note_displacement(network: Network, material: UsdShade.Material) -> None:
    if any(output.HasConnectedSource() for output in material.GetDisplacementOutputs()):
        network.note("skipped", "displacement is not applied to the mesh")
