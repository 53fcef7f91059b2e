"""The child process of `engine.scene.store.sandbox`: `python -m engine.scene.store.child FOLDER`.

FOLDER holds `request.json` and gets `scene.safetensors`; the answer is one line of JSON on standard output. What is
not foreseen here ends the process, and its last words on standard error are the reason.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.scene.error import SceneError
from engine.scene.load import read_scene
from engine.scene.options import SceneOptions
from engine.scene.store.arrays import plain_reader
from engine.scene.store.cache import pack
from engine.scene.store.confine import Limits, limit_process, restrict_files
from engine.scene.store.files import scene_roots, taxonomy_file
from engine.scene.store.tensor_file import write_tensors

REQUEST = "request.json"
SCENE = "scene.safetensors"
OK, ERROR, MEMORY = "ok", "error", "memory"  # keys of the answer


def main() -> int:
    """Read the scene that the request names, inside the limits that it names."""
    folder = Path(sys.argv[1])
    request: dict[str, Any] = json.loads((folder / REQUEST).read_text("utf-8"))
    path, options = Path(request["path"]), options_from_json(request["options"])
    limit_process(Limits(**request["limits"]))
    os.umask(0o077)
    try:
        import engine.scene.usd.scene  # noqa: F401 - while libraries may still lie anywhere

        readable = (*scene_roots(path, options.roots), taxonomy_file(options.taxonomy, path))
        confined = restrict_files(readable, folder)
        scene, files = read_scene(path, options)
        write_tensors(folder / SCENE, *pack(scene, path, files))
        answer: dict[str, Any] = {OK: True, "confined": confined}
    except SceneError as error:
        answer = {ERROR: str(error)}
    except MemoryError:
        answer = {MEMORY: True}
    except OSError as error:
        repair = "; set TMPDIR to a larger disk" if error.errno == errno.ENOSPC else ""
        answer = {ERROR: f"scene '{path}': {error.filename or 'a file'}: {error.strerror}{repair}"}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    os._exit(0)  # USD's and Python's own cleaning up takes longer than a page fault, and nothing needs it


def options_to_json(options: dict[str, object]) -> dict[str, object]:
    """Return options by name as JSON; paths become absolute."""
    return {name: json.loads(json.dumps(value, default=_absolute)) for name, value in options.items()}


def options_from_json(data: dict[str, Any]) -> SceneOptions:
    """Return the options that `options_to_json` was given."""
    hints = typing.get_type_hints(SceneOptions)
    return SceneOptions(**{name: _reader(hints[name])(value) for name, value in data.items()})


def _reader(hint: Any) -> Callable[[Any], Any]:
    """Return what reads an option; mappings may hold dataclasses."""
    inner = typing.get_args(hint)[1:]
    if typing.get_origin(hint) is not dict or not dataclasses.is_dataclass(inner[0]):
        return plain_reader(hint)
    kind = typing.cast(type, inner[0])
    hints = {name: str if typing.get_origin(each) is typing.Literal else each
             for name, each in typing.get_type_hints(kind).items()}  # fmt: skip
    readers = {name: plain_reader(each) for name, each in hints.items()}
    return lambda value: {
        key: kind(**{name: readers[name](part) for name, part in entry.items()}) for key, entry in value.items()
    }


def _absolute(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    assert isinstance(value, Path)
    return str(value.absolute())


if __name__ == "__main__":
    sys.exit(main())
