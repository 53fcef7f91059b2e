"""What compiled kernels need of a GPU, read from their cubins: registers, stack frame, shared memory.

`python -m tests.contract.cubin` records the present needs as the ceilings that test_cubin.py holds kernels to.
"""

from __future__ import annotations

import importlib
import json
import struct
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

import warp as wp

from engine import gpu

ARCHES = (80, 90)  # sm_80: A100, sm_90: H100, H200
CEILINGS = Path(__file__).with_name("kernel_ceilings.json")
REGISTER_COUNT, FRAME_SIZE = 0x2F, 0x11  # attributes of a .nv.info section whose value is (symbol, number)
WORD_ATTRIBUTES, SIZED_ATTRIBUTE = (
    (1, 2, 3),
    4,
)  # formats: 0 to 2 bytes in place of a size, or a size and that many bytes
ELF_HEADER, ELF_SECTION, ELF_SYMBOL = (
    struct.Struct("<40xQ10xHHH"),
    struct.Struct("<II8x8xQQII16x"),
    struct.Struct("<I20x"),
)


@dataclass(frozen=True)
class Needs:
    """Of one kernel."""

    registers: int  # of a thread
    frame_bytes: int  # of a thread in local memory: arrays and spilled registers
    shared_bytes: int  # of a block


def kernel_module(name: str) -> ModuleType:
    """Return a kernel module by its name below kernels/."""
    return getattr(gpu, name) if "." not in name else importlib.import_module(f"engine.kernels.{name}")


def compiled(name: str, arch: int, folder: Path) -> bytes:
    """Return the cubin of a kernel module."""
    (path,) = wp.compile_aot_module(kernel_module(name), arch=arch, use_ptx=False, module_dir=folder)
    return path.read_bytes()


def needs(cubin: bytes) -> dict[str, Needs]:
    """Return what every kernel of a cubin needs, by its name in Python.

    A cubin is an ELF file (System V ABI, 64 bits). `.nv.info` holds attributes by symbol, `.nv.shared.<kernel>` is as
    large as the kernel's shared memory: https://docs.nvidia.com/cuda/cuda-binary-utilities, whose
    cuobjdump --dump-resource-usage shows the same.
    """
    offset, size, count, names = ELF_HEADER.unpack_from(cubin)
    sections = [ELF_SECTION.unpack_from(cubin, offset + i * size) for i in range(count)]
    text = _text(cubin, sections[names][2])
    by_name = {text(section[0]): section for section in sections}
    symbols, strings = by_name[".symtab"], _text(cubin, by_name[".strtab"][2])
    symbol = [strings(ELF_SYMBOL.unpack_from(cubin, symbols[2] + at)[0]) for at in range(0, symbols[3], 24)]
    found: dict[int, dict[str, int]] = {REGISTER_COUNT: {}, FRAME_SIZE: {}}
    at, end = by_name[".nv.info"][2], sum(by_name[".nv.info"][2:4])
    while at < end:
        form, attribute, length = struct.unpack_from("<BBH", cubin, at)
        at += 4
        if form == SIZED_ATTRIBUTE:
            if attribute in found:
                index, value = struct.unpack_from("<II", cubin, at)
                found[attribute][symbol[index]] = value
            at += length
        elif form not in WORD_ATTRIBUTES:
            raise ValueError(f".nv.info holds an attribute of the unknown format {form}")
    kernels = {name.removeprefix(".text.") for name in by_name if name.startswith(".text.")}
    return {
        _python_name(kernel): Needs(
            found[REGISTER_COUNT][kernel],
            found[FRAME_SIZE].get(kernel, 0),
            by_name.get(f".nv.shared.{kernel}", (0, 0, 0, 0))[3],
        )
        for kernel in sorted(kernels)
        if kernel.endswith("_cuda_kernel_forward")
    }


def _text(cubin: bytes, first: int):  # type: ignore[no-untyped-def]
    return lambda at: cubin[first + at : cubin.index(b"\0", first + at)].decode()


def _python_name(symbol: str) -> str:
    """Return `trace_primary` for `trace_primary_3ab75228_cuda_kernel_forward`."""
    return symbol.removesuffix("_cuda_kernel_forward").rpartition("_")[0]


def record(modules: list[str]) -> None:
    """Write the present needs as ceilings."""

    def of(job: tuple[str, int]) -> dict[str, Needs]:
        with tempfile.TemporaryDirectory() as folder:
            return needs(compiled(*job, Path(folder)))

    with ThreadPoolExecutor(1) as pool:
        table = {
            f"sm_{arch}": {
                f"{module}.{kernel}": asdict(need)
                for module, found in zip(modules, pool.map(of, [(name, arch) for name in modules]), strict=True)
                for kernel, need in found.items()
            }
            for arch in ARCHES
        }
    lines = [f' "{arch}": {{\n' + ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in rows.items()) + "\n }"
             for arch, rows in table.items()]  # fmt: skip
    CEILINGS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    from tests.contract.test_kernels import kernels

    record(sorted({kernel.source.module.removeprefix("kernels.") for kernel in kernels()}))
