"""Conventions of kernels/, read from its source: short signatures, typed, outputs last, nothing hidden in a launch."""

from __future__ import annotations

import ast
from dataclasses import dataclass

import pytest

from tests.contract.source import Source, sources

MAX_PARAMETERS = 7
MAX_KERNEL_LINES = 80
FLOAT_TYPES = ("float", "wp.float32", "wp.float64", "wp.float16", "wp.vec2", "wp.vec3", "wp.vec4")
OWN_COUNTERS = ("overflow", "out_overflow", "open_rays")  # every thread of the CPU has its own
HOST_CALLS = ("numpy", "list", "synchronize", "synchronize_device", "synchronize_stream")


@dataclass(frozen=True)
class Kernel:
    """A function decorated with wp.kernel."""

    source: Source
    node: ast.FunctionDef
    options: dict[str, str]  # of the decorator, as written

    @property
    def where(self) -> str:
        """File, line and name, for messages."""
        return f"{self.source.path}:{self.node.lineno} {self.node.name}"

    @property
    def parameters(self) -> list[ast.arg]:
        """Every parameter, in order."""
        arguments = self.node.args
        return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def decorated(source: Source, decorator: str) -> list[tuple[ast.FunctionDef, dict[str, str]]]:
    """Return the functions with a decorator such as `wp.kernel`, called or not, and its keyword arguments."""
    found = []
    for node in ast.walk(source.tree):
        for used in node.decorator_list if isinstance(node, ast.FunctionDef) else []:
            call = used if isinstance(used, ast.Call) else None
            if ast.unparse(call.func if call else used) == decorator:
                options = {word.arg or "**": ast.unparse(word.value) for word in (call.keywords if call else [])}
                found.append((node, options))
    return found


def kernels() -> list[Kernel]:
    return [Kernel(source, *function) for source in sources("kernels") for function in decorated(source, "wp.kernel")]


def written_names(function: ast.FunctionDef) -> set[str]:
    """Return the roots of everything that is stored into: `out` for `out.depth_m[view, y, x] = 1.0`."""
    stores: list[ast.expr] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            stores += [target for target in node.targets if isinstance(target, ast.Subscript)]
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Subscript):
            stores.append(node.target)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("wp.atomic_"):
            stores.append(node.args[0])
    return {root(store) for store in stores}


def root(node: ast.expr) -> str:
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def assert_none(problems: list[str]) -> None:
    assert not problems, "\n".join(problems)


def test_every_kernel_is_found() -> None:
    """The other tests here look at all of them: as many as the text of kernels/ has decorators."""
    decorators = sum(source.text.count("@wp.kernel") for source in sources("kernels"))
    assert len(kernels()) == decorators > 0


def test_a_kernel_takes_at_most_seven_parameters() -> None:
    """More than seven means that a struct is missing."""
    assert_none(
        [
            f"{kernel.where}: {len(kernel.parameters)} parameters"
            for kernel in kernels()
            if len(kernel.parameters) > MAX_PARAMETERS
        ]
    )


def test_a_kernel_fits_a_screen() -> None:
    """A kernel is at most 80 lines from its `def` to its end."""
    lengths = {kernel.where: (kernel.node.end_lineno or 0) - kernel.node.lineno + 1 for kernel in kernels()}
    assert_none([f"{where}: {lines} lines" for where, lines in lengths.items() if lines > MAX_KERNEL_LINES])


def test_every_parameter_of_device_code_has_a_type() -> None:
    """Warp would make an untyped kernel generic, and compile it anew for each launch."""
    problems = []
    for source in sources("kernels"):
        for function, _ in [*decorated(source, "wp.kernel"), *decorated(source, "wp.func")]:
            arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            bare = [argument.arg for argument in arguments if argument.annotation is None]
            problems += [f"{source.path}:{function.lineno} {function.name}: {name} has no type" for name in bare]
    assert_none(problems)


def test_outputs_come_last_and_say_so() -> None:
    """What a kernel stores into begins with `out_`, and no input follows an output."""
    problems = []
    for kernel in kernels():
        names = [parameter.arg for parameter in kernel.parameters]
        is_output = [name.startswith("out_") for name in names]
        if is_output != sorted(is_output):
            problems.append(f"{kernel.where}: an input follows an output")
        stored = sorted(name for name in written_names(kernel.node) & set(names) if not name.startswith("out_"))
        problems += [f"{kernel.where}: writes into the input {name}" for name in stored]
    assert_none(problems)


def test_no_kernel_has_an_adjoint() -> None:
    """Backward code is never used and would double compilation time and register pressure."""
    assert_none(
        [
            f"{kernel.where}: needs enable_backward=False"
            for kernel in kernels()
            if kernel.options.get("enable_backward") != "False" and not module_disables_backward(kernel.source)
        ]
    )


def module_disables_backward(source: Source) -> bool:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "wp.set_module_options" and node.args:
            return ast.unparse(node.args[0]).replace('"', "'") == "{'enable_backward': False}"
    return False


def test_no_float_is_added_atomically() -> None:
    """Float sums depend on their order, and a world must be the same in every batch."""
    problems = []
    for kernel in kernels():
        types = {parameter.arg: ast.unparse(parameter.annotation or parameter) for parameter in kernel.parameters}
        for node in ast.walk(kernel.node):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("wp.atomic_add", "wp.atomic_sub"):
                element = types.get(root(node.args[0]), "")
                if any(f"[{kind}]" in element or f"dtype={kind})" in element for kind in FLOAT_TYPES):
                    problems.append(f"{kernel.source.path}:{node.lineno}: atomic sum of floats in {element}")
    assert_none(problems)


def test_what_threads_of_the_cpu_share_is_not_left_to_atomics_of_warp() -> None:
    """There they are an ordinary load and an ordinary store: of two threads' results one may be lost."""
    problems = []
    for source in sources("kernels"):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("wp.atomic_"):
                target = ast.unparse(node.args[0])
                if target.rpartition(".")[2] not in OWN_COUNTERS:
                    problems.append(f"{source.path}:{node.lineno}: {ast.unparse(node.func)} on {target}")
    assert_none(problems)


def test_kernels_neither_synchronise_nor_copy_to_the_host() -> None:
    """A launch returns at once; the stage that reads a result decides when to wait."""
    problems = []
    for source in sources("kernels"):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in HOST_CALLS:
                problems.append(f"{source.path}:{node.lineno}: {ast.unparse(node.func)}()")
    assert_none(problems)


@pytest.mark.parametrize(
    ("code", "stored"),
    [
        ("def k(a, b):\n    b[0] = a[0]", {"b"}),
        ("def k(a, b):\n    b.field[0, 1] += a[0]", {"b"}),
        ("def k(a):\n    wp.atomic_max(a.overflow, 0, 1)", {"a"}),
        ("def k(a):\n    c = a[0]\n    c = c + 1", set()),
    ],
)
def test_stores_are_recognised(code: str, stored: set[str]) -> None:
    """The rule about outputs sees plain, augmented and atomic stores, and no local variables."""
    (function,) = ast.parse(code).body
    assert isinstance(function, ast.FunctionDef)
    assert written_names(function) == stored
