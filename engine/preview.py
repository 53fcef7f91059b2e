"""One frame of any stage, or of many: `python -m engine.preview FILE.usd [FILE.usd | FOLDER ...] --out DIR`.

Files in DIR: `rgb.png` (sRGB), `rgb_linear.npy` (float32 [y, x, 3]), `depth.npy` (planar, metres, float32, +inf where
nothing was hit), `normal.npy` (float32 [y, x, 3], world, towards the camera), `instance.npy` (int32, 0 = background),
`ids.json` (instance -> prim path, class, rule that labelled it), `notes.json` (what was not taken over exactly, per
prim), `report.txt` (the load report as a table) and, last of all, `camera.json`: where it is, everything is. With
`--quality labels` there is no rgb. Of several files, or a folder, each gets a folder in DIR, which then also holds
`contact_sheet.png` (all of them) and `summary.txt` (one line a file); a file that cannot be loaded is a line of it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError, near_matches
from engine.frames import Frames
from engine.preview_sheet import Look, draw_sheet, look_of, summary_table
from engine.scene import SceneOptions, load_scene, summary
from engine.scene.class_map import read_class_map
from engine.scene.defaults import lit_scene
from engine.scene.model import Camera, Scene
from engine.scene.store.files import EXTENSIONS

if TYPE_CHECKING:
    from engine.recipe import Rig

SPP = 16  # one frame: smoother than a dataset's, still about a second
LABEL_OPACITY = 0.5  # as in conf/rig/default.yaml
NO_AMBIENT = (0.0, 0.0, 0.0)  # the lights of the stage, or the default ones, and nothing else
COMPLETE = "camera.json"  # moved into place last


@dataclass(frozen=True)
class PreviewOptions:
    """What the command line chooses."""

    width: int = 640
    height: int = 480
    camera: str | None = None  # prim path; None: the first one of the stage, or one that frames everything
    quality: str = "direct"
    device: str = "auto"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code. Every mistake of the caller is one line on stderr."""
    parsed = _parser().parse_args(arguments)
    try:
        options = _options(parsed)
        loading = _loading(parsed)
        if len(parsed.file) > 1 or parsed.file[0].is_dir():
            return _preview_many(parsed.file, loading, options, parsed.out)
        _, shown = _preview_one(parsed.file[0], loading, options, parsed.out)
    except UserError as error:
        sys.stderr.write(f"ommatidia: {error}\n")
        return error.exit_code
    except OSError as error:
        name = error.filename or parsed.out
        sys.stderr.write(f"ommatidia: cannot write {name}: {error.strerror}; choose another --out\n")
        return os.EX_IOERR
    sys.stdout.write(f"look at {shown}\n")
    return 0


def _preview_one(file: Path, loading: SceneOptions, options: PreviewOptions, out: Path) -> tuple[Look, Path]:
    """Load, say what was loaded, render and write; return what the sheet shows of it, and the picture's path."""
    begun_s = time.monotonic()
    scene = lit_scene(load_scene(file, loading))
    seconds = time.monotonic() - begun_s
    sys.stdout.write(summary(scene) + "\n")
    frames, camera = preview(scene, options)
    write_preview(out, scene, frames, camera)
    picture = _normals_as_colors(frames) if frames.rgb is None else frames.rgb[0]
    return look_of(file.name, seconds, scene, picture), out / ("normal.npy" if frames.rgb is None else "rgb.png")


def _preview_many(places: Sequence[Path], loading: SceneOptions, options: PreviewOptions, out: Path) -> int:
    """Preview every USD file of some files and folders; return the exit code: 0 if all could be loaded.

    Raises:
        UserError: If there is none.
    """
    files = [file for place in places for file in _usd_files(place)]
    if not files:
        raise UserError(f"there is no USD file in {places[0]}")
    above = Path(os.path.commonpath([file.absolute().parent for file in files]))
    looks = []
    for file in files:
        name = file.absolute().relative_to(above).as_posix()
        sys.stdout.write(f"\n{name}\n")
        begun_s = time.monotonic()
        try:
            look, _ = _preview_one(file, loading, options, out / name.replace("/", "__"))
            looks.append(replace(look, name=name))
        except UserError as error:
            sys.stdout.write(f"{error}\n")
            looks.append(Look(name, time.monotonic() - begun_s, {}, error=str(error)))
    table = summary_table(looks)
    (out / "summary.txt").write_text(table + "\n", encoding="utf-8")
    (out / "contact_sheet.png").write_bytes(draw_sheet(looks, f"{above.name}: {len(looks)} files"))
    sys.stdout.write(f"\n{table}\nlook at {out / 'contact_sheet.png'}\n")
    return 1 if any(look.error for look in looks) else 0


def _usd_files(place: Path) -> list[Path]:
    """Return a file, or the USD files in a folder and all below it."""
    if not place.is_dir():
        return [place]
    return sorted(path for path in place.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file())


def _normals_as_colors(frames: Frames) -> NDArray[np.uint8] | None:
    if frames.normal is None:
        return None
    return np.rint((frames.normal[0] * 0.5 + 0.5) * 255.0).astype(np.uint8)


def preview(scene: Scene, options: PreviewOptions) -> tuple[Frames, Camera]:
    """Return one frame of a scene and the camera that saw it; without lights of its own it gets the default ones.

    Raises:
        UserError: If the camera or device does not exist, or the size is not possible.
    """
    from engine.device import resolve_device

    device = resolve_device(options.device)  # first: it silences Warp's banner
    from engine.render import Outputs, Renderer
    from engine.rig import authored_draft, rig_cameras

    if options.camera is not None and options.camera not in {camera.name for camera in scene.cameras}:
        names = tuple(camera.name for camera in scene.cameras)
        raise UserError(f"--camera: no camera '{options.camera}'; the stage has {near_matches(options.camera, names)}")
    rig = _rig(options)
    lit = lit_scene(scene)
    shaded = rig.quality != "labels"
    outputs = Outputs(rgb=shaded, rgb_linear=shaded, depth=True, normal=True, instance=True)
    cameras = rig_cameras(lit, rig)[:1]
    draft = authored_draft(lit, rig, cameras, np.zeros(1, np.int64), np.zeros(1, np.int32))
    renderer = Renderer(lit, rig, outputs, seed=0, device=device, say=_say)
    try:
        return renderer.render(draft), cameras[0]
    finally:
        renderer.close()


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _loading(parsed: argparse.Namespace) -> SceneOptions:
    """Return how scenes are loaded.

    Raises:
        UserError: If the class map cannot be used.
    """
    return SceneOptions(
        time=parsed.time,
        class_map=read_class_map(parsed.class_map) if parsed.class_map else {},
        taxonomy=parsed.taxonomy,
        roots=tuple(parsed.root),
        sandbox=parsed.sandbox,
        trusted_roots=tuple(parsed.trust),
        cache=not parsed.no_cache,
    )


def _options(parsed: argparse.Namespace) -> PreviewOptions:
    """Return what the command line chooses, checked as far as it can be without the stage, which may take minutes.

    Raises:
        UserError: If a value is not possible, or the device is not there.
    """
    from engine.device import resolve_device

    if parsed.time is not None and not math.isfinite(parsed.time):
        raise UserError(f"--time: {parsed.time} is not a time code; give a finite number")
    width, height = _size(parsed.size)
    options = PreviewOptions(width, height, parsed.camera, parsed.quality, parsed.device)
    _rig(options)
    return replace(options, device=resolve_device(options.device))


def _rig(options: PreviewOptions) -> Rig:
    from engine.recipe import Rig
    from engine.rig import AUTO

    try:
        return Rig(
            cameras=(options.camera or AUTO,),
            width=options.width,
            height=options.height,
            steps=1,
            spp=SPP,
            quality="labels" if options.quality == "labels" else "direct",
            exposure_ev=0.0,
            ambient_radiance=NO_AMBIENT,
            ambient_reach_m=0.0,
            label_opacity=LABEL_OPACITY,
            clip=False,
        )
    except ValueError as error:
        raise UserError(f"--size: {error}") from None


def write_preview(out: Path, scene: Scene, frames: Frames, camera: Camera) -> None:
    """Write the files of the first view; they are complete once `camera.json` is there."""
    from engine.write.encode import encode_npy, encode_png

    images = {
        "rgb_linear": frames.rgb_linear,
        "depth": frames.depth_m,
        "normal": frames.normal,
        "instance": frames.instance,
    }
    files = {f"{name}.npy": encode_npy(image[0]) for name, image in images.items() if image is not None}
    if frames.rgb is not None:
        files["rgb.png"] = encode_png(frames.rgb[0])
    files["ids.json"] = _json(_ids(scene))
    files["report.txt"] = f"{summary(scene)}\n".encode()
    files["notes.json"] = _json([{"level": n.level, "prim": n.prim, "what": n.what} for n in scene.notes])
    files[COMPLETE] = _json(_camera(frames, camera))
    out.mkdir(parents=True, exist_ok=True)
    stale = (COMPLETE, "rgb.png", "rgb_linear.npy")
    for name in stale:
        (out / name).unlink(missing_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".preview-", dir=out))
    try:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        for name in files:
            (folder / name).replace(out / name)
    finally:
        shutil.rmtree(folder)


def _ids(scene: Scene) -> dict[str, dict[str, Any]]:
    key_of = {entry.id: entry.key for entry in scene.taxonomy.classes}
    rows = scene.instances
    return {
        str(index): {
            "path": rows.path[index],
            "class": key_of.get(int(rows.class_id[index]), ""),
            "class_id": int(rows.class_id[index]),
            "label_source": rows.label_source[index],
            "tags": list(rows.tags[index]),
            "stable_id": f"{int(rows.stable_id[index]):016x}",
        }
        for index in range(1, len(rows.path))
    }


def _camera(frames: Frames, camera: Camera) -> dict[str, Any]:
    image = next(i for i in (frames.depth_m, frames.instance) if i is not None)
    return {
        "camera": camera.name,
        "width": int(image.shape[2]),
        "height": int(image.shape[1]),
        "k": frames.keys.k[0].tolist(),
        "pixels": "origin at the top-left corner of pixel (0, 0), x right, y down",
        "world_from_camera": [*frames.keys.world_from_camera[0].tolist(), [0.0, 0.0, 0.0, 1.0]],
        "axes": "camera: x right, y up, looks along -z; world: metres, z up",
        "orthographic": camera.orthographic,
    }


def _json(data: object) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise UserError(f"--size: '{text}' is not WIDTHxHEIGHT, such as 640x480")
    return int(width), int(height)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine.preview", description="Render one frame of a USD stage.")
    parser.add_argument("file", type=Path, nargs="+", help="USD file, or a folder: every USD file in it")
    parser.add_argument("--camera", metavar="PRIM", help="camera prim; default: the first one, or one that frames all")
    parser.add_argument("--time", type=float, metavar="T", help="time code; default: the start of the stage")
    parser.add_argument("--size", default="640x480", metavar="WxH", help="pixels (default: %(default)s)")
    parser.add_argument("--quality", choices=("labels", "direct"), default="direct", help="labels: without rgb")
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu or cuda:N (default: %(default)s)")
    parser.add_argument("--root", type=Path, action="append", default=[], metavar="DIR", help="folder to trust as well")
    parser.add_argument("--sandbox", choices=("auto", "true", "false"), default="auto", help="load in a child process")
    parser.add_argument("--trust", type=Path, action="append", default=[], metavar="DIR", help="not sandboxed by auto")
    parser.add_argument("--no-cache", action="store_true", help="neither take the scene from the cache nor keep it")
    parser.add_argument("--class-map", type=Path, metavar="YAML", help="prim paths to classes")
    parser.add_argument("--taxonomy", type=Path, metavar="JSON", help="class list with fixed ids")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
