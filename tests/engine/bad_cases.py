"""The table of bad files: one row per kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.engine import bad_files
from tests.engine.bad_files import GOOD, Bad, fifo, file, mesh, package, png_header, reference_bomb, stage, textured
from tests.engine.scene_stage import SQUARE

DRAWN = f'def Mesh "m" {{ {SQUARE} }}'
INSTANCER = """
def PointInstancer "p" {{ rel prototypes = </p/m>
    point3f[] positions = {positions}
    int[] protoIndices = {indices}
    {more}
    def Mesh "m" {{ {square} }} }}
"""
SUBSET = 'def GeomSubset "s" (prepend apiSchemas = ["MaterialBindingAPI"]) { uniform token elementType = "face"\n'
CLIPS = """
def Xform "x" ( clips = {{ dictionary default = {{ asset[] assetPaths = [@{file}@]
    string primPath = "/x"
    double2[] active = [(0, 0)]
    double2[] times = [(0, 0)] }} }}
) {{ def Mesh "m" {{ {square} }} }}
"""


def reference(target: str) -> str:
    """Return a prim that refers to a file, beside a good mesh."""
    return f'def Xform "x" (\nreferences = @{target}@\n) {{ }}\n{DRAWN}'


def material_loop() -> str:
    """Return a mesh whose material's nodes are connected in a circle."""
    return (
        f'def Mesh "m" (prepend apiSchemas = ["MaterialBindingAPI"]) {{ {SQUARE} rel material:binding = </mat> }}\n'
        'def Material "mat" { token outputs:surface.connect = </mat/g.outputs:surface>\n'
        'def NodeGraph "g" { token outputs:surface.connect = </mat.outputs:surface> } }'
    )


def moved(op: str) -> Callable[[Path], Path]:
    """Return what writes a mesh with one transform, `type xformOp:name = value`."""
    name = op.split(" = ", maxsplit=1)[0].rsplit(maxsplit=1)[-1]
    return stage(f'def Mesh "m" {{ {SQUARE} {op}\nuniform token[] xformOpOrder = ["{name}"] }}')


def outward() -> str:
    """Return a stage that refers to a file two folders above it."""
    return '#usda 1.0\ndef "x" (\nreferences = @../../evil.usda@\n) {\n}\n'


def instancer(
    positions: str = "[(0, 0, 0), (2, 0, 0)]", indices: str = "[0, 0]", more: str = ""
) -> Callable[[Path], Path]:
    """Return what writes a PointInstancer of squares."""
    return stage(INSTANCER.format(positions=positions, indices=indices, more=more, square=SQUARE))


def cut(path: Path) -> Path:
    """Cut a file in two and return the first half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def pipe_texture(folder: Path) -> Path:
    """Write a stage whose texture is a pipe."""
    path = textured("pipe.png")(folder)
    os.mkfifo(folder / "pipe.png")
    return path


def flipped(data: bytes) -> bytes:
    """Return data with one bit of each 16 bytes turned over, beyond the header."""
    return bytes(byte ^ (4 if i > 88 and i % 16 == 3 else 0) for i, byte in enumerate(data))


FILES = {
    "empty file": Bad(file("a.usd", lambda data: b""), r"a\.usd"),
    "empty binary file": Bad(file("a.usdc", lambda data: b""), r"a\.usdc"),
    "noise": Bad(file("a.usd", lambda data: b"\x00\xff" * 500), r"a\.usd"),
    "another format's name": Bad(file("a.png", lambda data: data), "is not a USD file name"),
    "text in a binary file's name": Bad(file("a.usdc", lambda data: GOOD.encode()), r"a\.usdc"),
    "binary in a text file's name": Bad(file("a.usda", lambda data: data), r"a\.usda"),
    "syntax error": Bad(file("a.usda", lambda data: GOOD.replace("}", "").encode()), r"a\.usda"),
    "truncated": Bad(file("a.usdc", lambda data: data[: len(data) // 2]), r"a\.usdc"),
    "only a header": Bad(file("a.usdc", lambda data: data[:64]), r"a\.usdc"),
    "bits turned over": Bad(file("a.usdc", flipped), r"a\.usdc"),
    "table of contents outside": Bad(file("a.usdc", lambda data: data[:16] + b"\xff" * 6 + data[22:]), r"a\.usdc"),
    "version of the future": Bad(file("a.usdc", lambda data: data[:8] + b"\x00\x63\x00" + data[11:]), r"a\.usdc"),
    "version before 0.4.0": Bad(file("a.usdc", lambda data: data[:8] + b"\0\0\1" + data[11:]), "too old"),
    "package of noise": Bad(file("a.usdz", lambda data: b"PK\x03\x04" + b"x" * 200), r"a\.usdz"),
    "package cut off": Bad(lambda folder: cut(package("a.usdz", {"a.usda": GOOD.encode()})(folder)), r"a\.usdz"),
    "package compressed": Bad(package("a.usdz", {"a.usda": GOOD.encode() * 9}, compressed=True), r"a\.usdz"),
    "package without a stage": Bad(package("a.usdz", {"a.txt": b"hello"}), r"a\.usdz"),
    "package whose stage is noise": Bad(package("a.usdz", {"a.usdc": b"\xff" * 300}), r"a\.usdz"),
    "package with a member outside": Bad(
        package("a.usdz", {"a.usda": outward().encode(), "../../evil.usda": GOOD.encode()}), meshes=1
    ),
    "folder": Bad(bad_files.directory, "not a regular file"),
    "pipe": Bad(bad_files.pipe, "not a regular file"),
    "link to itself": Bad(bad_files.link_to_itself, "does not exist|cannot be read"),
}

ARCS = {
    "missing reference": Bad(stage(reference("./gone.usda")), note="error: .*gone.usda", meshes=1),
    "reference to itself": Bad(
        stage(f'def "x" (\nreferences = @./scene.usda@</x>\n) {{ }}\n{DRAWN}'), note="error: .*[Cc]ycle"
    ),
    "two files that refer to each other": Bad(bad_files.mutual, note="error: .*[Cc]ycle"),
    "sublayer that is itself": Bad(
        stage(DRAWN, extra="subLayers = [@./scene.usda@]"), note="error: .*[Cc]ycle", meshes=1
    ),
    "inheriting in a circle": Bad(
        stage(f'def "a" (\ninherits = </b>\n) {{ }}\ndef "b" (\ninherits = </a>\n) {{ }}\n{DRAWN}'),
        note="error: .*[Cc]ycle",
        meshes=1,
    ),
    "reference to a web page": Bad(
        stage(reference("https://example.com/a.usd")), note="error: .*example.com", meshes=1
    ),
    "reference to /etc/passwd": Bad(stage(reference("/etc/passwd")), "outside the scene's folder"),
    "reference to /dev/zero": Bad(stage(reference("/dev/zero")), "outside the scene's folder"),
    "reference to a pipe": Bad(fifo("pipe.usda", reference("./pipe.usda")), "not a regular file"),
    "reference to a folder": Bad(stage(reference("./")), "not a regular file"),
    "reference out of the roots": Bad(bad_files.escape, "outside the scene's folder"),
    "clips out of the roots": Bad(stage(CLIPS.format(file="/etc/passwd", square=SQUARE)), "outside the scene's folder"),
    "clips in a pipe": Bad(fifo("pipe.usda", CLIPS.format(file="./pipe.usda", square=SQUARE)), "not a regular file"),
    "eight levels of ten references": Bad(reference_bomb(instanceable=False), "unfolds into about"),
    "eight levels of ten instances": Bad(reference_bomb(instanceable=True), "unfolds into"),
    "eight levels of ten classes": Bad(bad_files.class_bomb, "unfolds into about"),
    "PointInstancers of 10^12 elements": Bad(bad_files.nested_instancers, "unfold into 1001001001001 placements"),
    "PointInstancer in itself": Bad(
        stage(
            'def PointInstancer "p" { rel prototypes = </p>\n'
            "point3f[] positions = [(0, 0, 0)]\nint[] protoIndices = [0] }"
        ),
        "contains itself",
    ),
    "5,000 nested prims": Bad(stage('def Xform "x" { ' * 5000 + DRAWN + "}" * 5000), meshes=1),
    "default prim that is not there": Bad(stage(DRAWN, extra='defaultPrim = "gone"'), meshes=1),
}

VALUES = {
    "zero metersPerUnit": Bad(stage(DRAWN, meters_per_unit=0.0), "metersPerUnit is 0; author a positive number"),
    "negative metersPerUnit": Bad(stage(DRAWN, meters_per_unit=-1.0), "metersPerUnit is -1"),
    "metersPerUnit nan": Bad(stage(DRAWN, meters_per_unit=float("nan")), "metersPerUnit is nan"),
    "metersPerUnit as a float": Bad(bad_files.float_units, note="repaired: metersPerUnit is not a double", meshes=1),
    "metersPerUnit as a text": Bad(
        file("a.usda", lambda data: GOOD.replace("(\n", '(\nmetersPerUnit = "x"\n', 1).encode()), "a.usda"
    ),
    "an up axis that there is not": Bad(stage(DRAWN, up="Q"), note="repaired: upAxis"),
    "framesPerSecond zero": Bad(stage(DRAWN, extra="framesPerSecond = 0"), r"scene\.usda"),
    "time code nan": Bad(stage(DRAWN, extra="startTimeCode = nan\nendTimeCode = nan"), note="repaired: startTimeCode"),
    "index out of range": Bad(
        mesh(faceVertexIndices="int[] faceVertexIndices = [0, 1, 2, 9]"), note="faceVertexIndices outside the 4 points"
    ),
    "negative index": Bad(
        mesh(faceVertexIndices="int[] faceVertexIndices = [0, 1, 2, -1]"), note="faceVertexIndices outside the 4 points"
    ),
    "negative count": Bad(
        mesh(faceVertexCounts="int[] faceVertexCounts = [-4]"), note="error: faceVertexCounts holds negative"
    ),
    "counts beyond the indices": Bad(
        mesh(faceVertexCounts="int[] faceVertexCounts = [2000000000, 2000000000]"),
        note="error: faceVertexCounts add up to",
    ),
    "points nan": Bad(
        mesh(points="point3f[] points = [(nan, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]"),
        note="points are not finite",
    ),
    "points infinite": Bad(
        mesh(points="point3f[] points = [(inf, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]"),
        note="points are not finite",
    ),
    "points absurdly far": Bad(
        mesh(points="point3f[] points = [(3e38, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)]"),
        note="points are not finite or absurdly far",
    ),
    "points of no area": Bad(
        mesh(points="point3f[] points = [(1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1)]"),
        meshes=1,
    ),
    "points as text": Bad(mesh(points='string points = "here"'), note="error: .*wrong type"),
    "counts as decimals": Bad(mesh(faceVertexCounts="float[] faceVertexCounts = [4.0]"), note="error: .*wrong type"),
    "uv of a wrong length": Bad(
        mesh('texCoord2f[] primvars:st = [(0, 0), (1, 0), (1, 1)] (interpolation = "vertex")'),
        note="skipped: primvars:st has 3 values",
        meshes=1,
    ),
    "colours of a wrong length": Bad(
        mesh('color3f[] primvars:displayColor = [(0, 0, 0), (1, 0, 0)] (interpolation = "vertex")'),
        note="skipped: primvars:displayColor has 2 values",
        meshes=1,
    ),
    "primvar indices out of range": Bad(
        mesh(
            'color3f[] primvars:displayColor = [(0, 0, 0)] (interpolation = "vertex")\n'
            "int[] primvars:displayColor:indices = [0, 7, 0, -2]"
        ),
        note="skipped: .*indices point outside",
        meshes=1,
    ),
    "normals nan": Bad(
        mesh('normal3f[] normals = [(nan, 0, 0), (0, 0, 1), (0, 0, 1), (0, 0, 1)] (interpolation = "vertex")'),
        note="repaired: normals holds",
        meshes=1,
    ),
    "subset of faces that there are not": Bad(
        mesh(SUBSET + "int[] indices = [0, 99, -3]\nrel material:binding = </mat> }"),
        note="repaired: faces of a GeomSubset",
        meshes=1,
    ),
    "creases beside the points": Bad(
        mesh(
            "int[] creaseIndices = [0, 99]\nint[] creaseLengths = [2]\nfloat[] creaseSharpnesses = [1]",
            subdivisionScheme='uniform token subdivisionScheme = "catmullClark"',
        ),
        note="repaired: creases do not fit",
        meshes=1,
    ),
    "singular matrix": Bad(
        moved("double3 xformOp:scale = (0, 0, 0)"),
        note="skipped: .*singular",
        meshes=0,
    ),
    "matrix nan": Bad(
        moved("double3 xformOp:translate = (nan, 0, 0)"),
        note="skipped: .*not finite",
        meshes=0,
    ),
    "transforms that there are not": Bad(
        stage(f'def Mesh "m" {{ {SQUARE} uniform token[] xformOpOrder = ["xformOp:bogus"] }}'),
        note="error: xformOpOrder",
        meshes=0,
    ),
    "visibility as a number": Bad(mesh("int visibility = 3"), meshes=1),
    "material in a circle": Bad(stage(material_loop()), note="skipped: material without a surface", meshes=1),
    "light of infinite power": Bad(
        stage('def SphereLight "l" { float inputs:intensity = inf }'), note="intensity has an unusable"
    ),
    "camera without an aperture": Bad(
        stage('def Camera "c" { float horizontalAperture = 0 }'), note="camera without a positive"
    ),
    "more indices than positions": Bad(instancer(indices="[0, 0, 0]"), note="error: .*do not fit", meshes=0),
    "prototype that there is not": Bad(instancer(indices="[0, 7]"), note="repaired: .*proto", meshes=1),
    "positions nan": Bad(instancer(positions="[(nan, 0, 0), (2, 0, 0)]"), note="skipped: .*not finite", meshes=1),
    "orientations of a wrong length": Bad(
        instancer(more="quath[] orientations = [(1, 0, 0, 0)]"), note="error: .*do not fit", meshes=0
    ),
    "three million elements": Bad(
        instancer("[" + "(0, 0, 0)," * 3 + "]", "[" + "0," * 2_100_000 + "0]"), "has 2100001 elements, the limit is"
    ),
    "three million points": Bad(bad_files.long_array, meshes=1),
}

TEXTURES = {
    "texture missing": Bad(textured("gone.png"), note="error: .*gone.png", meshes=1),
    "texture out of the roots": Bad(textured("/etc/passwd"), "outside the scene's folder"),
    "texture without an end": Bad(textured("/dev/zero"), "outside the scene's folder"),
    "texture in a pipe": Bad(pipe_texture, "not a regular file"),
    "texture of noise": Bad(textured("a.png", b"\x89PNG" + b"\xff" * 99), note="error: .*a.png", meshes=1),
    "texture cut off": Bad(textured("a.png", png_header(64, 64)), note="error: .*a.png", meshes=1),
    "texture of 60,000 x 60,000": Bad(
        textured("a.png", png_header(60_000, 60_000)), note="error: .*(limit|malicious)", meshes=1
    ),
    "texture of no pixels": Bad(textured("a.png", png_header(0, 0)), note="error: .*a.png", meshes=1),
}
CASES = {**FILES, **ARCS, **VALUES, **TEXTURES}
