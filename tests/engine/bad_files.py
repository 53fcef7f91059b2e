"""Every kind of bad file that is known, made on the spot: what it is, and what loading it must answer.

The kinds are those that a census of 2,707 real and hostile files met, and what was found wrong since then.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.engine.scene_stage import SQUARE, write_stage

GOOD = f'#usda 1.0\n(\n    defaultPrim = "m"\n)\ndef Mesh "m" {{\n {SQUARE}\n}}\n'
TEXTURED = """
def Mesh "m" (prepend apiSchemas = ["MaterialBindingAPI"]) {{ {square} rel material:binding = </mat>
    texCoord2f[] primvars:st = [(0, 0), (1, 0), (1, 1), (0, 1)] (interpolation = "vertex") }}
def Material "mat" {{ token outputs:surface.connect = </mat/s.outputs:surface>
    def Shader "s" {{ uniform token info:id = "UsdPreviewSurface"
        color3f inputs:diffuseColor.connect = </mat/t.outputs:rgb>
        token outputs:surface }}
    def Shader "t" {{ uniform token info:id = "UsdUVTexture"
        asset inputs:file = @{file}@
        float3 outputs:rgb }}
}}
"""


@dataclass(frozen=True)
class Bad:
    """A bad file: `error` or `note` say what the answer must contain; with neither, it is drawn like any other."""

    make: Callable[[Path], Path]  # into an empty folder; returns what to load
    error: str = ""  # of the SceneError, a regular expression
    note: str = ""  # of a line of the load report: `level: what`, a regular expression
    meshes: int | None = None  # that are left, where the scene loads


def crate(folder: Path, text: str = GOOD) -> bytes:
    """Return a small binary stage."""
    from pxr import Sdf

    source = folder / "source.usda"
    source.write_text(text)
    target = folder / "source.usdc"
    Sdf.Layer.FindOrOpen(str(source)).Export(str(target))
    return target.read_bytes()


def file(name: str, content: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    """Return what writes a file, from the bytes of a good binary stage."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content(crate(folder)))
        return path

    return make


def stage(body: str, **header: object) -> Callable[[Path], Path]:
    """Return what writes a stage."""
    return lambda folder: write_stage(folder, body, **header)  # type: ignore[arg-type]


def mesh(change: str = "", **replaced: str) -> Callable[[Path], Path]:
    """Return what writes a stage with one mesh: a square with properties replaced or added."""
    lines = {line.split(" = ")[0].split()[-1]: line.strip() for line in SQUARE.strip().splitlines()}
    lines.update(replaced)
    return stage('def Mesh "m" {\n' + "\n".join(lines.values()) + f"\n{change}\n" + "}")


def package(name: str, members: dict[str, bytes], *, compressed: bool = False) -> Callable[[Path], Path]:
    """Return what writes a zip archive, its members aligned to 64 bytes as in a usdz."""

    def make(folder: Path) -> Path:
        path = folder / name
        kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
        with zipfile.ZipFile(path, "w", kind) as archive:
            for member, content in members.items():
                info = zipfile.ZipInfo(member)
                info.compress_type = kind
                begin = archive.fp.tell() + 30 + len(member) + 4  # type: ignore[union-attr]
                padding = -begin % 64
                info.extra = struct.pack("<HH", 0x1986, padding) + b"\0" * padding
                archive.writestr(info, content)
        return path

    return make


def png_header(width: int, height: int) -> bytes:
    """Return a PNG file that announces a size, and has next to nothing in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    )


def textured(name: str, content: bytes | None = None) -> Callable[[Path], Path]:
    """Return what writes a stage whose mesh shows a texture."""

    def make(folder: Path) -> Path:
        if content is not None:
            (folder / name).write_bytes(content)
        return write_stage(folder, TEXTURED.format(square=SQUARE, file=name if name.startswith("/") else f"./{name}"))

    return make


def reference_bomb(*, instanceable: bool, levels: int = 8) -> Callable[[Path], Path]:
    """Return what writes files that refer ten times to the next: 10^levels meshes."""

    def make(folder: Path) -> Path:
        flag = "instanceable = true" if instanceable else ""
        (folder / "c0.usda").write_text(GOOD.replace('"m"', '"c"'))
        for level in range(1, levels + 1):
            arcs = "".join(f'def "i{i}" (\n{flag}\nreferences = @./c{level - 1}.usda@\n) {{\n}}\n' for i in range(10))
            (folder / f"c{level}.usda").write_text(f'#usda 1.0\n(\ndefaultPrim = "c"\n)\ndef Xform "c" {{\n{arcs}}}\n')
        return folder / f"c{levels}.usda"

    return make


def class_bomb(folder: Path) -> Path:
    """Write one file whose classes inherit ten times from each other."""
    body = f'class Xform "c0" {{ def Mesh "m" {{ {SQUARE} }} }}\n'
    for level in range(1, 9):
        inner = "".join(f'def Xform "i{i}" (\ninherits = </c{level - 1}>\n) {{ }}\n' for i in range(10))
        body += f'class Xform "c{level}" {{ {inner} }}\n'
    return write_stage(folder, body + 'def Xform "top" (\ninherits = </c8>\n) { }')


def nested_instancers(folder: Path) -> Path:
    """Write four PointInstancers of a thousand elements inside each other."""
    points = ", ".join(f"({i}, 0, 0)" for i in range(1000))
    indices = ", ".join("0" for _ in range(1000))
    body = f'def Mesh "p0" {{ {SQUARE} }}\n'
    for level in range(1, 5):
        body += f"""def PointInstancer "p{level}" {{ rel prototypes = </p{level - 1}>
            point3f[] positions = [{points}]
            int[] protoIndices = [{indices}] }}\n"""
    return write_stage(folder, body)


def fifo(name: str, body: str) -> Callable[[Path], Path]:
    """Return what writes a stage beside a pipe that nobody writes to."""

    def make(folder: Path) -> Path:
        os.mkfifo(folder / name)
        return write_stage(folder, body)

    return make


def escape(folder: Path) -> Path:
    """Write a stage whose reference leads to a file high above its folder."""
    deep = folder / "a" / "b" / "c" / "d" / "e" / "f"
    deep.mkdir(parents=True)
    (folder / "part.usda").write_text(GOOD)
    return write_stage(deep, 'def Xform "x" (\nreferences = @../../../../../../part.usda@\n) { }')


def mutual(folder: Path) -> Path:
    """Write two files that refer to each other."""
    for name, other in (("scene", "other"), ("other", "scene")):
        (folder / f"{name}.usda").write_text(
            f'#usda 1.0\n(\ndefaultPrim = "x"\n)\ndef Xform "x" (\nreferences = @./{other}.usda@\n) {{\n}}\n'
        )
    return folder / "scene.usda"


def long_array(folder: Path) -> Path:
    """Write a mesh with three million points that no face uses, and one face."""
    from pxr import Sdf, Vt

    path = folder / "scene.usdc"
    layer = Sdf.Layer.CreateNew(str(path))
    prim = Sdf.PrimSpec(layer, "m", Sdf.SpecifierDef, "Mesh")
    values = {
        "points": (Sdf.ValueTypeNames.Point3fArray, Vt.Vec3fArray(3_000_000, (0.5, 0.5, 0.5))),
        "faceVertexCounts": (Sdf.ValueTypeNames.IntArray, Vt.IntArray([3])),
        "faceVertexIndices": (Sdf.ValueTypeNames.IntArray, Vt.IntArray([0, 1, 2_999_999])),
    }
    for name, (kind, value) in values.items():
        Sdf.AttributeSpec(prim, name, kind).default = value
    layer.Save()
    return path


def many_elements(folder: Path) -> Path:
    """Write a PointInstancer with almost as many elements as are allowed: some gigabytes of transforms."""
    from pxr import Sdf, Vt

    path, count = folder / "scene.usdc", 1_900_000
    layer = Sdf.Layer.CreateNew(str(path))
    prim = Sdf.PrimSpec(layer, "p", Sdf.SpecifierDef, "PointInstancer")
    Sdf.PrimSpec(prim, "c", Sdf.SpecifierDef, "Cube")
    Sdf.AttributeSpec(prim, "protoIndices", Sdf.ValueTypeNames.IntArray).default = Vt.IntArray(count, 0)
    Sdf.AttributeSpec(prim, "positions", Sdf.ValueTypeNames.Point3fArray).default = Vt.Vec3fArray(count, (1, 2, 3))
    Sdf.RelationshipSpec(prim, "prototypes").targetPathList.explicitItems = ["/p/c"]
    layer.Save()
    return path


def directory(folder: Path) -> Path:
    """Make a folder with the name of a file."""
    (folder / "scene.usd").mkdir()
    return folder / "scene.usd"


def pipe(folder: Path) -> Path:
    """Make a pipe with the name of a file."""
    os.mkfifo(folder / "scene.usda")
    return folder / "scene.usda"


def link_to_itself(folder: Path) -> Path:
    """Make a link that leads nowhere."""
    (folder / "scene.usda").symlink_to(folder / "scene.usda")
    return folder / "scene.usda"


def float_units(folder: Path) -> Path:
    """Write a binary stage whose metersPerUnit is a float, which USD's own accessor raises for."""
    from pxr import Sdf

    path = folder / "scene.usdc"
    source = write_stage(folder, f'def Mesh "m" {{ {SQUARE} }}', meters_per_unit=2.0)
    Sdf.Layer.FindOrOpen(str(source)).Export(str(path))
    double = struct.pack("<Q", 0x4009 << 48 | 0x40000000)  # "inlined, of type double, 2.0", as a crate stores it
    data = path.read_bytes()
    assert data.count(double) == 1
    path.write_bytes(data.replace(double, struct.pack("<Q", 0x4008 << 48 | 0x40000000)))  # the same of type float
    return path
