"""The project's source, parsed, for tests that are sentences about it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Import:
    """One imported module, absolute; `from engine import gpu` counts as `engine` and, if it is one, `engine.gpu`."""

    target: str
    line: int
    at_module_level: bool  # not inside a function, and not under `if TYPE_CHECKING:`
    for_types_only: bool  # under `if TYPE_CHECKING:`


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: Path  # relative to the checkout
    module: str
    text: str
    tree: ast.Module
    imports: tuple[Import, ...]

    @property
    def line_count(self) -> int:
        """Number of lines, as an editor counts them."""
        return len(self.text.splitlines())


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Return every Python file below these folders of the checkout, sorted by path."""
    files = sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return tuple(_read(file.relative_to(ROOT)) for file in files)


@cache
def _read(path: Path) -> Source:
    text = (ROOT / path).read_text(encoding="utf-8")
    tree = ast.parse(text, str(path))
    parts = path.with_suffix("").parts
    is_package = parts[-1] == "__init__"
    module = ".".join(parts[:-1] if is_package else parts)
    package = module if is_package else module.rpartition(".")[0]
    return Source(path, module, text, tree, tuple(_imports(tree, package)))


def _imports(tree: ast.Module, package: str) -> list[Import]:
    found: list[Import] = []

    def visit(node: ast.AST, in_function: bool, for_types: bool) -> None:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            at_module_level = not (in_function or for_types)
            found.extend(Import(name, node.lineno, at_module_level, for_types) for name in _targets(node, package))
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for child in node.body:
                visit(child, in_function, True)
            for child in node.orelse:
                visit(child, in_function, for_types)
            return
        in_function |= isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            visit(child, in_function, for_types)

    visit(tree, False, False)
    return found


def _targets(node: ast.Import | ast.ImportFrom, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    start = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        start = ".".join([*above, start] if start else above)
    members = [f"{start}.{alias.name}" for alias in node.names]
    return [start, *(member for member in members if _is_module(member))]


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def within(module: str, packages: tuple[str, ...]) -> bool:
    """Whether a module is one of these packages or lies in one."""
    return any(module == package or module.startswith(package + ".") for package in packages)
