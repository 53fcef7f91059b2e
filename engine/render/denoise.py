"""Denoising by Open Image Denoise, where it is installed: the package `oidn`, or the library of the system.

The library's C interface is called directly: the package's own lacks the switch for high dynamic range.
Source: Open Image Denoise API, https://www.openimagedenoise.org/documentation.html
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import UserError
from engine.recipe import Rig

CPU_DEVICE, FLOAT3 = 1, 3  # of the library's enums
MIDDLE_GREY, DARKEST = 0.18, 1.0e-4
HOW = "pip install 'ommatidia[denoise]', or take rig.denoise=false"


class Denoiser:
    """The library, ready for images of any size."""

    def __init__(self) -> None:
        """Open the library.

        Raises:
            UserError: If it is not there.
        """
        self._library = _library()
        pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
        for name, result, arguments in (
            ("oidnNewDevice", pointer, (ctypes.c_int,)),
            ("oidnCommitDevice", None, (pointer,)),
            ("oidnGetDeviceError", ctypes.c_int, (pointer, ctypes.POINTER(text))),
            ("oidnNewFilter", pointer, (pointer, text)),
            ("oidnSetSharedFilterImage", None, (pointer, text, pointer, ctypes.c_int, *(size,) * 5)),
            ("oidnSetFilter1b", None, (pointer, text, ctypes.c_bool)),
            ("oidnSetFilter1f", None, (pointer, text, ctypes.c_float)),
            ("oidnCommitFilter", None, (pointer,)),
            ("oidnExecuteFilter", None, (pointer,)),
            ("oidnReleaseFilter", None, (pointer,)),
        ):
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments
        self._device = self._library.oidnNewDevice(CPU_DEVICE)
        self._library.oidnCommitDevice(self._device)
        self._check()

    def denoise(self, light: NDArray[np.float32], albedo: NDArray[np.float32], normal: NDArray[np.float32]) -> None:
        """Denoise an image in place.

        Args:
            light: Radiance [y, x, 3].
            albedo: Of what is seen, [y, x, 3], 0..1.
            normal: Of what is seen, [y, x, 3], 0 where nothing is.
        """
        height, width, _ = light.shape
        handle = self._library.oidnNewFilter(self._device, b"RT")
        shape = (FLOAT3, width, height, 0, 0, 0)
        for name, image in ((b"color", light), (b"albedo", albedo), (b"normal", normal), (b"output", light)):
            self._library.oidnSetSharedFilterImage(handle, name, image.ctypes.data, *shape)
        self._library.oidnSetFilter1b(handle, b"hdr", True)
        self._library.oidnSetFilter1f(handle, b"inputScale", _input_scale(light))
        self._library.oidnCommitFilter(handle)
        self._library.oidnExecuteFilter(handle)
        self._library.oidnReleaseFilter(handle)
        self._check()

    def _check(self) -> None:
        message = ctypes.c_char_p()
        if self._library.oidnGetDeviceError(self._device, ctypes.byref(message)):
            reason = (message.value or b"no reason given").decode(errors="replace")
            raise UserError(f"Open Image Denoise failed: {reason}; take rig.denoise=false")


def _input_scale(light: NDArray[np.float32]) -> float:
    """Return the factor that brings the image's key to middle grey; the library's own sum depends on its threads."""
    luminance = np.maximum(light.astype(np.float64).mean(axis=-1), 0.0)
    return float(MIDDLE_GREY / np.exp(np.log(luminance + DARKEST).mean()))


def denoiser_of(rig: Rig, device: str) -> Denoiser | None:
    """Return the denoiser that a rig asks for.

    Raises:
        UserError: If it is not installed, or the device is not the CPU.
    """
    if not rig.denoise:
        return None
    if device != "cpu":
        raise UserError(f"rig.denoise works with device=cpu, not {device}; take rig.denoise=false or more rig.spp")
    return Denoiser()


def _library() -> Any:
    """Return the shared library.

    Raises:
        UserError: If there is none.
    """
    spec = importlib.util.find_spec("oidn")
    folders = [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or []]
    for file in (file for folder in folders for file in sorted(folder.glob("lib.linux*/libOpenImageDenoise.so*"))):
        for threads in sorted(file.parent.glob("libtbb.so*")):  # which the loader does not look for beside it
            ctypes.CDLL(str(threads), mode=ctypes.RTLD_GLOBAL)
        return ctypes.CDLL(str(file))
    if name := ctypes.util.find_library("OpenImageDenoise"):
        return ctypes.CDLL(name)
    raise UserError(f"rig.denoise: Open Image Denoise is not installed; {HOW}")
