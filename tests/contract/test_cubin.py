"""Every kernel compiles to machine code of an H100 (sm_90), on a machine without a GPU: NVRTC comes with Warp."""

from __future__ import annotations

import importlib
import struct
from pathlib import Path

import pytest
import warp as wp

from engine import gpu
from tests.contract.test_kernels import kernels

SM = 90
ELF_MAGIC = b"\x7fELF"
EM_CUDA = 190  # e_machine of a cubin
KERNEL_MODULES = sorted({kernel.source.module.removeprefix("kernels.") for kernel in kernels()})


@pytest.mark.parametrize("name", KERNEL_MODULES)
def test_kernels_compile_for_sm_90(name: str, tmp_path: Path) -> None:
    """The result is an ELF file for CUDA that holds every kernel of the module."""
    module = getattr(gpu, name) if "." not in name else importlib.import_module(f"engine.kernels.{name}")
    (path,) = wp.compile_aot_module(module, arch=SM, use_ptx=False, module_dir=tmp_path)
    cubin = path.read_bytes()
    assert path.suffix == ".cubin"
    assert cubin[:4] == ELF_MAGIC
    assert struct.unpack_from("<H", cubin, 18) == (EM_CUDA,)
    expected = {kernel.node.name for kernel in kernels() if kernel.source.module == f"kernels.{name}"}
    assert {kernel for kernel in expected if f".text.{kernel}_".encode() not in cubin} == set()
