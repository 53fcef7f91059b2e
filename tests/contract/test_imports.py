"""The direction of the project: kernels <- gpu <- worlds, render, labels, sensors <- factory <- run.

Everything else runs on the host, without Warp. Each test collects all violations, so that one run shows them all.
"""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter

from tests.contract.source import ROOT, Import, Source, sources, within

MAX_FILE_LINES = 400
VAGUE_NAMES = {"utils", "util", "common", "manager", "base", "handler", "helpers", "misc"}

# What reaches the device, lowest first; a module may use its own rank and those below. All other modules of engine/ are
# host modules and may import none of these.
DEVICE_RANKS: tuple[tuple[str, ...], ...] = (
    ("engine.gpu",),
    (
        "engine.render",
        "engine.sensors",
        "engine.labels",
    ),
    ("engine.factory",),
    ("engine.online",),
    ("engine.workers", "engine.run", "engine.preview", "engine.warm"),
    ("engine.suite.__main__", "engine.suite.pure"),
)
# Host modules that are also command lines or public names, and what they may import inside a function.
LAZY_DOORS = {
    "engine.dataset": ("engine.factory",),
    "engine.randomize.place.throwing": ("engine.gpu",),  # placing launches a kernel, only when a job places things
}
# Data classes in device packages, free of Warp: what the host sees of a stage.
HOST_TYPES = (
    *(
        "engine.labels",
        "engine.labels.config",
        "engine.labels.keypoints",
        "engine.labels.model",
        "engine.labels.rectangle",
        "engine.labels.rle",
        "engine.labels.sight",
        "engine.labels.solid",
        "engine.sensors",
        "engine.sensors.check",
        "engine.sensors.depth",
    ),
    *("engine.sensors.lidar", "engine.sensors.sweep", "engine.sensors.model", "engine.sensors.settings"),
    *("engine.sensors.color", "engine.sensors.change"),
)

KERNEL_IMPORTS = ("__future__", "dataclasses", "enum", "math", "pathlib", "typing", "warp")  # pathlib: native sources
HEAVY = {"numpy", "warp", "pxr", "pyarrow", "hydra", "omegaconf", "pydantic", "PIL", "imageio", "scipy", "OpenImageIO"}

OWN_PACKAGES = ("engine", "kernels")
# Of an extra that need not be installed here.
EXTRA_PROVIDERS = {"cupy": "cupy-cuda13x", "MaterialX": "materialx", "sklearn": "scikit-learn", "torch": "torch"}

FORBIDDEN_MODULES = ("pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib")
FORBIDDEN_CALLS = {"eval", "exec", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"}
FORBIDDEN_SUFFIXES = ("instantiate", "get_method", "get_class")  # of hydra.utils


def rank(module: str) -> int:
    """Return the device rank of a module of engine/, or -1 for a host module."""
    if module in HOST_TYPES:
        return -1
    return next((index for index, packages in enumerate(DEVICE_RANKS) if within(module, packages)), -1)


def assert_none(found: list[tuple[Source, int, str]]) -> None:
    assert not found, "\n".join(f"{source.path}:{line}: {what}" for source, line, what in found)


def imports_of(*folders: str) -> list[tuple[Source, Import]]:
    return [(source, item) for source in sources(*folders) for item in source.imports]


def test_only_gpu_reaches_the_kernels() -> None:
    """Two copies of a wp.struct are two types, so the kernel folder has one door and one name."""
    found = [
        (source, item.line, f"imports {item.target}; use engine.gpu")
        for source, item in imports_of("engine", "tests", "bench", "scenes_usd")
        if within(item.target, ("kernels", "engine.kernels")) and source.module != "engine.gpu"
    ]
    assert_none(found)


def test_the_door_imports_the_kernels_by_name_for_type_checkers_only() -> None:
    """At run time the top-level name `kernels` may be somebody else's package."""
    (door,) = (source for source in sources("engine") if source.module == "engine.gpu")
    found = [item for item in door.imports if within(item.target, ("kernels",)) and not item.for_types_only]
    assert found == []


def test_the_door_lists_every_kernel_module_for_type_checkers() -> None:
    """An editor follows `gpu.trace` only if the TYPE_CHECKING block names it."""
    (door,) = (source for source in sources("engine") if source.module == "engine.gpu")
    listed = {item.target for item in door.imports if item.target.startswith("kernels.")}
    top_level = {source.module for source in sources("kernels") if source.module.count(".") == 1}
    assert listed == top_level


def test_no_stage_reaches_back() -> None:
    """A device module imports its own rank and lower ones; a host module imports none of them."""
    found = []
    for source, item in imports_of("engine"):
        lazy = next((to for package, to in LAZY_DOORS.items() if within(source.module, (package,))), ())
        if item.for_types_only or (not item.at_module_level and within(item.target, lazy)):
            continue
        if rank(item.target) > rank(source.module):
            found.append((source, item.line, f"imports {item.target}, a later stage"))
    assert_none(found)


def test_host_modules_do_not_load_warp() -> None:
    """Recipes, datasets and reports are read on machines and in moments that have no use for a device."""
    graph = module_level_graph()
    found = []
    for source in sources("engine"):
        path = path_to(graph, source.module, "warp") if rank(source.module) < 0 else []
        if path:
            found.append((source, 1, f"loads Warp: {' -> '.join(path)}"))
    assert_none(found)


def test_only_the_usd_files_import_pxr() -> None:
    """Everything behind `load_scene` works without OpenUSD."""
    found = [
        (source, item.line, "imports pxr")
        for source, item in imports_of("engine", "kernels")
        if within(item.target, ("pxr",)) and not source.path.is_relative_to("engine/scene/usd")
    ]
    assert_none(found)


def test_kernels_import_warp_and_themselves_only() -> None:
    """Device maths stands alone: no NumPy, nothing of engine/, and its own modules relatively."""
    found = [
        (source, item.line, f"imports {item.target}")
        for source, item in imports_of("kernels")
        if not within(item.target, (*KERNEL_IMPORTS, "kernels"))
    ]
    for source in sources("kernels"):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and within(node.module or "", ("kernels",)):
                found.append((source, node.lineno, "imports kernels absolutely; write `from .x import y`"))
    assert_none(found)


def test_modules_of_the_engine_do_not_import_each_other_in_a_circle() -> None:
    """One direction: every file can be read knowing only the files above it."""
    names = {source.module for source in sources("engine")}
    edges = {
        source.module: {item.target for item in source.imports if item.at_module_level and item.target in names}
        - {source.module, source.module.rpartition(".")[0]}
        for source in sources("engine")
    }
    try:
        circle: list[str] = []
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        circle = error.args[1]
    assert circle == []


def test_import_engine_loads_nothing_heavy() -> None:
    """`import engine` costs milliseconds: only the standard library and the package itself are loaded."""
    loaded = modules_after("import engine; dir(engine)")
    foreign = {name for name in loaded if "." not in name} - set(sys.stdlib_module_names) - modules_after("pass")
    assert foreign == {"engine"}


def test_reading_recipes_and_datasets_loads_no_warp_and_no_usd() -> None:
    """What the import rule promises is so in a running interpreter."""
    loaded = modules_after("import engine.recipe, engine.config, engine.write, engine.dataset, engine.randomize")
    assert loaded & {"warp", "pxr", "cupy", "torch"} == set()


def modules_after(code: str) -> set[str]:
    """Return the names of the modules that a fresh interpreter holds after running `code` in the checkout."""
    show = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", show], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_every_imported_package_is_a_declared_dependency() -> None:
    """A clean installation has what the engine imports; what comes with a dependency by chance is not relied on."""
    declared = {normal(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in declared_requirements()}
    providers = importlib.metadata.packages_distributions()
    found = []
    for source, item in imports_of("engine", "kernels"):
        package = item.target.partition(".")[0]
        if package in sys.stdlib_module_names or package in OWN_PACKAGES or item.for_types_only:
            continue
        names = {normal(name) for name in providers.get(package, [EXTRA_PROVIDERS.get(package, package)])}
        if not names & declared:
            found.append((source, item.line, f"imports {package}, which pyproject.toml does not list"))
    assert_none(found)


def declared_requirements() -> list[str]:
    """Return the requirements of running: the dependencies and the extras that the engine imports."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [
        *project["dependencies"],
        *extras["cuda12"],
        *extras["cuda13"],
        *extras["slurm"],
        *extras["materialx"],
        *extras["settle"],
        *extras["train"],
        *extras["shift"],
        *extras["tune"],
    ]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_data_is_never_executed() -> None:
    """Nothing unpickles, evaluates or instantiates what it reads, starts a shell, or listens on every address."""
    found = [
        (source, item.line, f"imports {item.target}")
        for source, item in imports_of("engine", "kernels", "scenes_usd", "bench")
        if within(item.target, FORBIDDEN_MODULES)
    ]
    for source in sources("engine", "kernels", "scenes_usd", "bench"):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call):
                found += [(source, node.lineno, reason) for reason in unsafe(node)]
            elif isinstance(node, ast.Constant) and node.value == "0.0.0.0":
                found.append((source, node.lineno, "listens on every address"))
    assert_none(found)


def unsafe(call: ast.Call) -> list[str]:
    """Return why a call would run data as code."""
    name = ast.unparse(call.func)
    reasons = []
    if name in FORBIDDEN_CALLS or name.rpartition(".")[2] in FORBIDDEN_SUFFIXES:
        reasons.append(f"calls {name}")
    for keyword in call.keywords:
        if keyword.arg in ("shell", "allow_pickle") and not is_false(keyword.value):
            reasons.append(f"{keyword.arg}={ast.unparse(keyword.value)}")
    if name in ("np.load", "numpy.load") and "allow_pickle" not in {keyword.arg for keyword in call.keywords}:
        reasons.append("np.load without allow_pickle=False")
    return reasons


def is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_a_file_is_one_idea() -> None:
    """No file is longer than 400 lines, and none has a name that says nothing."""
    found = []
    for source in sources("engine", "kernels", "scenes_usd", "tests", "bench"):
        if source.line_count > MAX_FILE_LINES:
            found.append((source, source.line_count, f"more than {MAX_FILE_LINES} lines"))
        if source.path.stem in VAGUE_NAMES:
            found.append((source, 1, f"the name '{source.path.stem}' says nothing"))
    assert_none(found)


def module_level_graph() -> dict[str, set[str]]:
    """Return what importing each module of engine/ imports, its parent packages included."""
    graph: dict[str, set[str]] = {}
    for source in sources("engine"):
        targets = {item.target for item in source.imports if item.at_module_level}
        graph[source.module] = {name for target in targets for name in with_parents(target)}
    return graph


def with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def path_to(graph: dict[str, set[str]], start: str, goal: str) -> list[str]:
    """Return one chain of imports from `start` to `goal`, or an empty list."""
    chains = [[module] for module in with_parents(start)]
    seen = {chain[-1] for chain in chains}
    while chains:
        chain = chains.pop()
        if chain[-1] == goal:
            return chain
        for target in graph.get(chain[-1], set()) - seen:
            seen.add(target)
            chains.append([*chain, target])
    return []
