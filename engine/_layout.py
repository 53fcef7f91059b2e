"""Where kernels/, conf/ and scenes_usd/ lie: beside engine/ in a checkout, inside it in an installed wheel.

`kernels` and `conf` are also other people's top-level packages (Hugging Face's `kernels` is common in the environments
we are installed into), so neither is ever imported by that name: the kernel folder is the one module `engine.kernels`.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

KERNELS_MODULE = "engine.kernels"


def data_root() -> Path:
    """Return the folder that holds kernels/, conf/ and scenes_usd/.

    The installed package is asked first: a foreign `kernels` may lie beside it in site-packages.

    Raises:
        FileNotFoundError: If neither layout is there, which means a broken installation.
    """
    package = Path(__file__).resolve().parent
    if (package / "kernels" / "__init__.py").is_file():
        return package
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "kernels" / "__init__.py").is_file():
        return checkout
    raise FileNotFoundError(f"no kernels/ inside or beside {package}; install ommatidia again")


def kernels_folder() -> Path:
    """Return the folder of the device code."""
    return data_root() / "kernels"


def conf_folder() -> Path:
    """Return the folder of the shipped configuration."""
    return data_root() / "conf"


def scenes_folder() -> Path:
    """Return the folder of the shipped USD scenes."""
    return data_root() / "scenes_usd"


def load_kernels() -> ModuleType:
    """Return the kernel folder as the module `engine.kernels`, imported once however often this is called.

    Its submodules are then ordinary imports (`engine.kernels.trace`), and Warp finds their source files. Only
    engine/gpu.py calls this.
    """
    loaded = sys.modules.get(KERNELS_MODULE)
    if loaded is not None:
        return loaded
    folder = kernels_folder()
    spec = importlib.util.spec_from_file_location(
        KERNELS_MODULE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {folder / '__init__.py'}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[KERNELS_MODULE] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[KERNELS_MODULE]
        raise
    return module
