"""What the README says is true: its tutorial runs, and its commands and pictures exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from engine.randomize.kinds import checked_randomizers
from tests.contract.source import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"\]\(([^)#]+)\)")


def block(language: str, *, after: str) -> str:
    """Return the first code block of a language below a heading."""
    text = README[README.index(after) :]
    return text.split(f"```{language}\n", 1)[1].split("```", 1)[0]


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path) -> None:
    """As a program of its own, in an empty folder."""
    program = tmp_path / "tutorial.py"
    program.write_text(block("python", after="## Tutorial"), encoding="utf-8")
    code = [line for line in program.read_text().splitlines() if line.strip()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, program.name], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(code) <= 20
    assert re.search(r"^ds_[0-9a-f]{16} ", done.stdout)
    assert re.search(r"^\d+ drawn columns, such as \['p\.", done.stdout, re.MULTILINE)


def test_the_stream_runs(tmp_path: Path) -> None:
    program = tmp_path / "stream.py"
    program.write_text(block("python", after="## Training without a disk"), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, program.name], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"\(16, 64, 96, 3\) \d+ instances seen \d+$", done.stdout, re.MULTILINE)) == 4


def test_files_that_the_documents_link_to_exist() -> None:
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for target in LINK.findall(document.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.relative_to(ROOT)} links to {target}"


def test_every_folder_has_a_line_in_the_concepts() -> None:
    concepts = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    named_elsewhere = (".", "docs", "requirements")
    folders = {path.split("/")[0] for path in tracked if "/" in path and not path.startswith(named_elsewhere)}
    assert {folder for folder in folders if f"`{folder}/`" not in concepts} == set()


def randomizers_of(text: str) -> dict[str, dict[str, object]]:
    """Return the entries of the YAML blocks of a document that are a randomiser as a whole, by name."""
    blocks = [yaml.safe_load(source) for source in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    return {name: entry for block in blocks for name, entry in block.items() if "kind" in entry}


@pytest.mark.parametrize("document", ["placement", "factors"])
def test_randomisers_in_the_documents_are_complete(document: str) -> None:
    """As a person would copy them into a scene's yaml."""
    entries = randomizers_of((ROOT / "docs" / f"{document}.md").read_text(encoding="utf-8"))
    assert len(entries) >= 2
    checked_randomizers(entries)
