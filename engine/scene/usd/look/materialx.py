"""MaterialX files as layers: usd-core cannot read `.mtlx`, so a document becomes an anonymous layer in its place.

The prims are those that OpenUSD's own plugin makes, so that references to </MaterialX/Materials> and below find them:
a Material for every material node, under it its surface shader and the nodes that this reaches, ND_* each, in the
render context `mtlx`; and every node graph under </MaterialX/NodeGraphs>. Nodes with an implementation as a graph that
`usd_materialx_nodes` does not know are expanded into that graph first.
Source: OpenUSD pxr/usd/usdMtlx, MaterialX specification 1.39. The `MaterialX` package is an optional extra.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from pxr import Ar, Sdf, Tf, Usd, UsdShade, Vt

from engine.scene.notes import Notes
from engine.scene.store.files import FileLedger, check_inside

SUFFIX = ".mtlx"
FILES_KEY = "ommatidia:files"  # in customLayerData: the files that the layer was made from
MAX_BYTES = 64 << 20
MAX_FILES = 1_000  # a document with its includes
MAX_NODES = 20_000  # of one document, after graphs are expanded
INCLUDE = re.compile(rb"""<\s*(?:\w+:)?include\b[^>]*?\bhref\s*=\s*["']([^"']*)["']""")
LIBRARIES = ["libraries/stdlib", "libraries/pbrlib", "libraries/bxdf"]
TYPES = {
    "float": Sdf.ValueTypeNames.Float,
    "integer": Sdf.ValueTypeNames.Int,
    "boolean": Sdf.ValueTypeNames.Bool,
    "color3": Sdf.ValueTypeNames.Color3f,
    "color4": Sdf.ValueTypeNames.Color4f,
    "vector2": Sdf.ValueTypeNames.Float2,
    "vector3": Sdf.ValueTypeNames.Float3,
    "vector4": Sdf.ValueTypeNames.Float4,
    "string": Sdf.ValueTypeNames.String,
    "filename": Sdf.ValueTypeNames.Asset,
}
MISSING = "MaterialX file cannot be read: the optional package is not installed; run pip install 'ommatidia[materialx]'"


class MaterialXImporter:
    """Makes layers of the MaterialX files of one stage, each once."""

    def __init__(self, roots: tuple[Path, ...], notes: Notes, files: FileLedger) -> None:
        self._roots = roots
        self._notes = notes
        self._files = files
        self._layers: dict[str, Sdf.Layer | None] = {}
        self._library: Any = None

    def redirect(self, layer: Sdf.Layer, authored: str, resolved: str) -> Sdf.Layer | None:
        """Return what stands for a MaterialX file, after `layer` was made to refer to it, in memory only."""
        if resolved not in self._layers:
            self._layers[resolved] = self._converted(resolved)
        made = self._layers[resolved]
        if made is not None:
            layer.UpdateCompositionAssetDependency(authored, made.identifier)
        return made

    def _converted(self, resolved: str) -> Sdf.Layer | None:
        name = os.path.basename(resolved.rstrip("]"))
        try:
            import MaterialX as mx
        except ImportError:
            self._notes.add("error", name, MISSING)
            return None
        try:
            files = self._checked(resolved)
            document = self._document(mx, resolved, files)
            layer = Sdf.Layer.CreateAnonymous(f"{name}.usda")
            skipped = _Author(mx, Usd.Stage.Open(layer), resolved).document(document)
        except (
            OSError,
            LookupError,
            OverflowError,
            mx.Exception,
            mx.ExceptionFileMissing,
            mx.ExceptionFoundCycle,
            mx.ExceptionOrphanedElement,
            mx.ExceptionParseError,
        ) as error:
            self._notes.add("error", name, f"MaterialX file cannot be read: {error}"[:200])
            return None
        for what in skipped:
            self._notes.add("skipped", name, what)
        layer.customLayerData = {FILES_KEY: Vt.StringArray([str(file) for file in files])}
        self._notes.add("converted", name, "MaterialX document read into the stage")
        return layer

    def _checked(self, resolved: str) -> list[Path]:
        """Return a document and what it includes, each checked before it is read.

        Raises:
            SceneError: If one lies outside the roots or is not a regular file.
            OverflowError: If one is too large, or there are too many.
        """
        package = str(Ar.SplitPackageRelativePathOuter(resolved)[0])
        found, todo = [], [Path(package or resolved)]
        while todo:
            file = todo.pop()
            check_inside(file, self._roots, f"MaterialX file '{os.path.basename(resolved)}'")
            if file in found:
                continue
            self._files.read(file)
            found.append(file)
            if file.suffix.lower() != SUFFIX:  # a package, whose members include nothing
                continue
            if file.stat().st_size > MAX_BYTES or len(found) > MAX_FILES:
                raise OverflowError(f"more than {MAX_BYTES >> 20} MiB in a file, or {MAX_FILES} files")
            for match in INCLUDE.finditer(file.read_bytes()):
                included = file.parent / match.group(1).decode("utf-8", "replace")
                if included.exists():
                    todo.append(included)
        return found

    def _document(self, mx: Any, resolved: str, files: list[Path]) -> Any:
        document = mx.createDocument()
        if files[0].suffix.lower() == SUFFIX:
            mx.readFromXmlFile(document, resolved, mx.FileSearchPath(str(files[0].parent)))
        else:
            asset = Ar.GetResolver().OpenAsset(Ar.ResolvedPath(resolved))
            if asset is None:
                raise OSError("it is not in its package")
            text = bytes(asset.GetBuffer()).decode("utf-8", "replace")
            options = mx.XmlReadOptions()
            options.readXIncludeFunction = None
            mx.readFromXmlString(document, text, mx.FileSearchPath(), options)
        if self._library is None:
            self._library = mx.createDocument()
            mx.loadLibraries(LIBRARIES, mx.getDefaultDataSearchPath(), self._library)
        document.setDataLibrary(self._library)
        for graph in (document, *document.getNodeGraphs()):
            if graph is document or not graph.getNodeDef():  # the graphs of definitions are templates
                graph.flattenSubgraphs("", _is_expanded)
        return document


def _is_expanded(node: Any) -> bool:
    from engine.scene.usd.look.materialx_nodes import NODES  # these read open stages; this module helps to open one
    from engine.scene.usd.look.surfaces import SURFACES

    category = str(node.getCategory())
    return category not in NODES and f"ND_{category}" not in SURFACES and category not in ("surfacematerial", "mix")


class _Author:
    """Writes the prims of one document."""

    def __init__(self, mx: Any, stage: Usd.Stage, resolved: str) -> None:
        self._mx = mx
        self._stage = stage
        self._resolved = resolved
        self._count = 0

    def document(self, document: Any) -> list[str]:
        """Write every material and node graph, and return what was left out."""
        for path in ("/MaterialX", "/MaterialX/Materials"):
            self._stage.DefinePrim(path)
        self._stage.SetDefaultPrim(self._stage.GetPrimAtPath("/MaterialX"))
        for material in document.getMaterialNodes():
            path = Sdf.Path("/MaterialX/Materials").AppendChild(_identifier(material.getName()))
            self._material(UsdShade.Material.Define(self._stage, path), material)
        graphs = [graph for graph in document.getNodeGraphs() if not graph.getNodeDef()]
        if graphs:
            self._stage.DefinePrim("/MaterialX/NodeGraphs")
        for graph in graphs:
            path = Sdf.Path("/MaterialX/NodeGraphs").AppendChild(_identifier(graph.getName()))
            self._graph(UsdShade.NodeGraph.Define(self._stage, path), graph)
        looks = [look.getName() for look in document.getLooks() if look.getMaterialAssigns()]
        return [f"material assignments of look {', '.join(looks)}: bind the materials in USD"] if looks else []

    def _material(self, prim: UsdShade.Material, material: Any) -> None:
        for shader in self._mx.getShaderNodes(material, self._mx.SURFACE_SHADER_TYPE_STRING)[:1]:
            made = self._node(prim.GetPath(), shader)
            for given in shader.getInputs():  # so that a stronger layer may set them on the material
                own = made.GetInput(given.getName())
                if own and not own.HasConnectedSource():
                    public = prim.CreateInput(given.getName(), own.GetTypeName())
                    public.Set(own.Get())
                    if own.GetAttr().HasColorSpace():
                        public.GetAttr().SetColorSpace(own.GetAttr().GetColorSpace())
                    own.GetAttr().Clear()
                    own.ConnectToSource(public)
            prim.CreateSurfaceOutput("mtlx").ConnectToSource(made.ConnectableAPI(), "surface")
        for _ in self._mx.getShaderNodes(material, "displacementshader")[:1]:
            prim.CreateDisplacementOutput("mtlx").ConnectToSource(prim.CreateInput("displacement", TYPES["float"]))

    def _graph(self, prim: UsdShade.NodeGraph, graph: Any) -> None:
        for output in graph.getOutputs():
            node = output.getConnectedNode()
            if node is not None and output.getType() in TYPES:
                made = self._node(prim.GetPath(), node)
                public = prim.CreateOutput(output.getName(), TYPES[output.getType()])
                public.ConnectToSource(made.ConnectableAPI(), _output_name(output, node))

    def _node(self, parent: Sdf.Path, top: Any) -> UsdShade.Shader:
        """Write a node and every node behind it under a prim, and return it."""
        first = self._path(parent, top)
        todo = [(top, first)]
        while todo:
            node, path = todo.pop()
            if UsdShade.Shader.Get(self._stage, path):
                continue
            self._count += 1
            if self._count > MAX_NODES:
                raise OverflowError(f"more than {MAX_NODES} nodes")
            shader = UsdShade.Shader.Define(self._stage, path)
            definition = node.getNodeDef()
            kind = definition.getName() if definition else f"ND_{node.getCategory()}_{node.getType()}"
            shader.CreateIdAttr(kind)
            self._outputs(shader, node, definition)
            for given in node.getInputs():
                source, name = _source(given)
                if source is None:
                    self._value(shader, given)
                    continue
                place = self._path(parent, source)
                todo.append((source, place))
                made = shader.CreateInput(given.getName(), TYPES.get(given.getType(), Sdf.ValueTypeNames.Token))
                made.GetAttr().AddConnection(place.AppendProperty(f"outputs:{name}"))
        return UsdShade.Shader(self._stage.GetPrimAtPath(first))

    def _path(self, parent: Sdf.Path, node: Any) -> Sdf.Path:
        names = [_identifier(name) for name in str(node.getNamePath()).split("/")]
        if parent.name == names[0] and len(names) > 1:  # a node graph under its own name
            names = names[1:]
        for name in names[:-1]:
            parent = parent.AppendChild(name)
            UsdShade.NodeGraph.Define(self._stage, parent)
        return parent.AppendChild(names[-1])

    def _outputs(self, shader: UsdShade.Shader, node: Any, definition: Any) -> None:
        if node.getType() == self._mx.SURFACE_SHADER_TYPE_STRING:
            shader.CreateOutput("surface", Sdf.ValueTypeNames.Token)
            return
        outputs = definition.getActiveOutputs() if definition else []
        for output in outputs:
            if output.getType() in TYPES:
                shader.CreateOutput(output.getName(), TYPES[output.getType()])
        if not outputs and node.getType() in TYPES:
            shader.CreateOutput("out", TYPES[node.getType()])

    def _value(self, shader: UsdShade.Shader, given: Any) -> None:
        """Write the constant of an input, that of the graph's own input where it is connected to one."""
        kind = TYPES.get(given.getType())
        public = given.getInterfaceInput() if given.hasInterfaceName() else None
        owner = public if public is not None and public.hasValueString() else given
        if kind is None or not owner.hasValueString():
            return
        made = shader.CreateInput(given.getName(), kind)
        if kind == Sdf.ValueTypeNames.Asset:
            made.Set(Sdf.AssetPath(self._file(str(owner.getResolvedValueString()))))
        else:
            value = owner.getValue()
            made.Set(tuple(value) if hasattr(value, "__getitem__") and not isinstance(value, str) else value)
        space = str(owner.getActiveColorSpace())
        if given.getType() in ("color3", "color4", "filename"):
            made.GetAttr().SetColorSpace(space or "raw")  # no colour space means no conversion

    def _file(self, name: str) -> str:
        """Return the absolute path of a file that the document names."""
        if not name:
            return ""
        package, inner = Ar.SplitPackageRelativePathOuter(self._resolved)
        place = os.path.normpath(Path(inner or self._resolved).parent / name)
        return str(Ar.JoinPackageRelativePath(package, place)) if inner else place


def _source(given: Any) -> tuple[Any, str]:
    """Return the node behind an input and the output of it that is meant, through node graphs; else None."""
    if given.hasInterfaceName():
        public = given.getInterfaceInput()
        if public is None:
            return None, ""
        given = public
    node = given.getConnectedNode()
    if node is None:
        return None, ""
    port = given.getConnectedOutput()
    if port is not None and port.getConnectedNode() is not None:  # of a node graph
        return node, _output_name(port, node)
    return node, _output_name(given, node)


def _output_name(port: Any, node: Any) -> str:
    return str(port.getOutputString()) or (str(node.getOutputs()[0].getName()) if node.getOutputs() else "out")


def _identifier(name: str) -> str:
    return str(Tf.MakeValidIdentifier(name))


def is_materialx(resolved: str) -> bool:
    """Return whether a resolved path is a MaterialX document, in a package or not."""
    return resolved.rstrip("]").lower().endswith(SUFFIX)


def imported_files(layer: Sdf.Layer) -> list[Path]:
    """Return the files that a layer of this module was made from; none for any other layer."""
    return [Path(name) for name in layer.customLayerData.get(FILES_KEY, [])] if layer.anonymous else []
