"""Every kernel compiles to machine code of an A100 (sm_80) and an H100 (sm_90), without a GPU and within bounds.

NVRTC comes with Warp. More registers mean fewer threads at a time, and a frame that grows is registers that spill:
kernel_ceilings.json holds what every kernel may need. `python -m tests.contract.cubin` records it anew.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.contract.cubin import ARCHES, CEILINGS, Needs, compiled, needs
from tests.contract.test_kernels import kernels

ELF_MAGIC = b"\x7fELF"
EM_CUDA = 190  # e_machine of a cubin
KERNEL_MODULES = sorted({kernel.source.module.removeprefix("kernels.") for kernel in kernels()})
MOST_REGISTERS = {
    "trace": 64,
    "sample": 64,
    "shadow": 64,
    "passage": 64,
    "shadow_passage": 64,
    "annotate_shadow": 64,
    "annotate_shadow_passage": 64,
    "canvas_passage": 64,
    "keypoint": 64,
    "keypoint_passage": 64,
    "annotate": 64,
    "masks": 64,
    "canvas": 96,
    "cones": 96,
    "shade": 96,
    "point": 96,
    "annotate_surface": 96,
    "pattern": 128,
    "path_pattern": 128,
    "annotate_pattern": 128,
    "defect": 128,
    "path_defect": 128,
    "annotate_defect": 128,
    "annotate_marked": 128,
    "place": 192,  # bodies in float64; a thread is a world
    "lidar": 128,
    "outline": 128,
    "flow": 128,  # a traversal, and points in float64
    "flow_passage": 128,
}
PATTERN_MODULES = ("pattern", "path_pattern", "annotate_pattern", "defect", "path_defect", "annotate_marked")
PATTERN_FRAME_BYTES = (
    2560  # ten finishes, layers and defects in one kernel: what does not fit registers; only where used
)
TRAVERSAL_FRAME_BYTES = 192 * 8 + 384  # the stack of traverse.cpp, and the ray in both frames with what spills


@pytest.fixture(scope="module")
def cubins(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, int], Future[bytes]]]:
    """Machine code of the modules that are asked for, compiled by a process a core: NVRTC uses one."""
    calls = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    jobs = [(call.params["name"], call.params["arch"]) for call in calls if call is not None]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield {job: pool.submit(compiled, *job, tmp_path_factory.mktemp("cubin")) for job in jobs}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("name", KERNEL_MODULES)
def test_kernels_compile_and_need_no_more_than_recorded(
    name: str, arch: int, cubins: dict[tuple[str, int], Future[bytes]]
) -> None:
    """The result is an ELF file for CUDA that holds every kernel of the module."""
    cubin = cubins[name, arch].result()
    assert cubin[:4] == ELF_MAGIC
    assert struct.unpack_from("<H", cubin, 18) == (EM_CUDA,)
    found = needs(cubin)
    assert set(found) == {kernel.node.name for kernel in kernels() if kernel.source.module == f"kernels.{name}"}
    ceilings = json.loads(CEILINGS.read_text(encoding="utf-8"))[f"sm_{arch}"]
    for kernel, need in found.items():
        ceiling = Needs(**ceilings[f"{name}.{kernel}"])
        for field in ("registers", "frame_bytes", "shared_bytes"):
            assert getattr(need, field) <= getattr(ceiling, field), f"{name}.{kernel}: {field}; {need}"


def test_recorded_ceilings_are_within_the_design() -> None:
    """Registers decide how many rays are under way; beyond its stack a traversal keeps everything in them."""
    for arch, table in json.loads(CEILINGS.read_text(encoding="utf-8")).items():
        for kernel, row in table.items():
            module = kernel.partition(".")[0]
            assert row["registers"] <= MOST_REGISTERS.get(module, 96), f"{arch} {kernel}"
            if module in PATTERN_MODULES:
                assert row["frame_bytes"] <= PATTERN_FRAME_BYTES, f"{arch} {kernel}"
            elif row["frame_bytes"] > 512:
                assert row["frame_bytes"] <= TRAVERSAL_FRAME_BYTES, f"{arch} {kernel}"
