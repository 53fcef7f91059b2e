"""The wheel, the editable installation and the bare checkout hold the same program, beside a foreign `kernels` package.

Hugging Face's `kernels` sits in many of our users' environments; a stand-in for it lies in each environment made here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.source import ROOT

pytestmark = pytest.mark.slow

FOREIGN_KERNELS = "FOREIGN = True\n\n\ndef get_kernel(name):\n    raise RuntimeError('somebody else')\n"
DESCRIBE = """
import json, sys
import kernels
import engine
from engine import _layout, gpu
from engine.gpu import trace
print(json.dumps({
    "engine": engine.__file__,
    "version": engine.__version__,
    "trace": trace.__file__,
    "one_module": gpu.trace is trace is sys.modules["engine.kernels.trace"],
    "conf": str(_layout.conf_folder()),
    "scenes": str(_layout.scenes_folder()),
    "foreign": getattr(kernels, "FOREIGN", False),
}))
"""


@dataclass(frozen=True)
class Installation:
    """An environment that holds the project in one way, and the folder that must then hold its data."""

    python: Path
    data: Path

    def run(self, *arguments: str, cwd: Path) -> str:
        """Return what a command of this environment's Python prints; it must succeed."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "OMMATIDIA_"))}
        done = subprocess.run([self.python, *arguments], check=False, cwd=cwd, env=kept, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def new_environment(folder: Path) -> tuple[Path, Path]:
    """Return Python and site-packages of an environment that sees our dependencies, but not our own installation.

    A path in a .pth file is searched, but the .pth files in it, such as an editable installation's, are not read.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (site / "kernels").mkdir()
    (site / "kernels" / "__init__.py").write_text(FOREIGN_KERNELS)
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python, site


def pip_install(python: Path, *what: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install"]
    subprocess.run([*command, "--quiet", "--no-deps", "--no-index", *what], check=True, cwd=ROOT)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module", params=["wheel", "editable"])
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    python, site = new_environment(tmp_path_factory.mktemp(request.param) / "environment")
    if request.param == "wheel":
        pip_install(python, str(request.getfixturevalue("wheel")))
        return Installation(python, site / "engine")
    pip_install(python, "--no-build-isolation", "--editable", str(ROOT))
    return Installation(python, ROOT)


def test_the_project_works_beside_a_foreign_kernels_package(installation: Installation, tmp_path: Path) -> None:
    """From another folder, `import kernels` is the stranger and `engine.gpu` reaches our own, once."""
    found = json.loads(installation.run("-c", DESCRIBE, cwd=tmp_path).splitlines()[-1])
    data = installation.data.resolve()
    assert found["foreign"]
    assert found["one_module"]
    assert Path(found["trace"]) == data / "kernels" / "trace.py"
    assert Path(found["conf"]) == data / "conf"
    assert Path(found["scenes"]) == data / "scenes_usd"


def test_the_command_composes_a_shipped_scene(installation: Installation, tmp_path: Path) -> None:
    """The configuration is found from another folder, and the command writes nothing just to print it."""
    printed = installation.run("-m", "engine.run", "--cfg", "job", "+scene=warehouse", cwd=tmp_path)
    assert "warehouse.usda" in printed
    assert list(tmp_path.iterdir()) == []


def test_the_command_makes_a_dataset(installation: Installation, tmp_path: Path) -> None:
    """Two small worlds are rendered, labelled, written and verified from another folder."""
    job = ("+scene=warehouse", "debug=tiny", "count=2", "out=data", "device=cpu")
    installation.run("-m", "engine.run", *job, cwd=tmp_path)
    installation.run("-m", "engine.dataset", "verify", "data", cwd=tmp_path)


def test_the_bare_checkout_needs_no_installation(tmp_path: Path) -> None:
    """A clone runs as it is, from its own folder, with the dependencies at hand."""
    python, _ = new_environment(tmp_path / "environment")
    printed = Installation(python, ROOT).run("-m", "engine.run", "--cfg", "job", "+scene=warehouse", cwd=ROOT)
    assert "warehouse.usda" in printed
    code = "import engine, engine.gpu as gpu; print(engine.__file__); print(gpu.trace.__file__)"
    places = Installation(python, ROOT).run("-c", code, cwd=ROOT).split("\n")
    assert {str(ROOT / "engine" / "__init__.py"), str(ROOT / "kernels" / "trace.py")} <= set(places)


def test_the_wheel_holds_one_package_with_all_that_running_needs(wheel: Path) -> None:
    """Kernels, their native sources, configuration, scenes and the page are inside `engine`; nothing lies beside it."""
    import zipfile

    names = zipfile.ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"engine"}
    shipped = {
        f"engine/{file.relative_to(ROOT)}"
        for folder in ("kernels", "conf", "scenes_usd")
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and not (folder == "scenes_usd" and file.suffix == ".py")
    }
    shipped |= {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "engine").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {"engine/view/page/page.html", "engine/view/gallery/page/page.html"} <= shipped
    assert shipped - set(names) == set()
