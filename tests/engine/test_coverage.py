"""Required slices: what is there, what is missing, and that the command which is said makes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import binom

from engine._layout import data_root
from engine.config import compose
from engine.dataset.__main__ import main
from engine.dataset.manifest import manifest_bytes, read_manifest
from engine.health.balance import read_balance
from engine.health.coverage import cover, read_requirements
from engine.health.limits import Measures, read_limits
from engine.health.missing import worlds_needed
from tests.engine.index_tables import clean_frames, clean_instances, edited, write_index
from tests.engine.test_run import STAGE

FRAMES = 60


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 60 frames of ten surfaces, of which the first 18 are dark."""
    frames = edited(clean_frames(FRAMES), lum_mean=lambda _: np.where(np.arange(FRAMES) < 18, 0.1, 0.6))
    out = tmp_path_factory.mktemp("coverage") / "data"
    return write_index(out, frames, clean_instances(FRAMES), options={"groups": ["surface"]})


def written(path: Path, requirements: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(requirements, sort_keys=False))
    return path


def test_slices_are_counted_in_frames_and_groups(dataset: Path, tmp_path: Path) -> None:
    slices = {
        "dark": {"where": "lum_mean < 0.2", "count": 18, "min_groups": 3},
        "darker": {"where": "lum_mean < 0.2", "count": 30, "min_groups": 5},
        "by_world": {"where": "lum_mean < 0.2", "count": 0, "min_groups": 19, "group": "world"},
    }
    file = written(tmp_path / "require.yaml", {"slices": slices})
    dark, darker, by_world = cover([dataset], read_requirements(file), str(file))
    assert (dark.have, dark.groups, dark.met) == (18, 3, True)
    assert (darker.missing, darker.missing_groups, darker.met) == (12, 2, False)
    assert (by_world.groups, by_world.missing_groups) == (18, 1)


def test_datasets_are_counted_together_and_those_that_cannot_be_asked_say_so(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One has no column of glare: it has none of such frames. If none can be asked, the condition is wrong."""
    frames = clean_frames(12)
    other = write_index(tmp_path / "other", frames | {"glare": np.ones(12)}, clean_instances(12))
    manifest = replace(read_manifest(other / "manifest.json"), recipe_id="ff" * 32, dataset_id="ds_other")
    (other / "manifest.json").write_bytes(manifest_bytes(manifest))
    file = written(tmp_path / "r.yaml", {"slices": {"glare": {"where": "glare > 0.5", "count": 10}}})
    assert main(["coverage", str(dataset), str(other), "--require", str(file)]) == 0
    said = capsys.readouterr().out
    assert "met     glare: 12 of 10 frames" in said
    assert "data: not asked: " in said
    occluded = "EXISTS (SELECT 1 FROM instances i WHERE i.frame_id = f.frame_id AND i.oclusion > 0)"
    wrong = written(tmp_path / "w.yaml", {"slices": {"a": {"where": occluded, "count": 1}}})
    assert main(["coverage", str(dataset), "--require", str(wrong)]) == 2
    assert "there is no column 'oclusion'; near: " in capsys.readouterr().err
    assert main(["coverage", str(dataset), "--require", str(file)]) == 2
    assert "there is no column 'glare'" in capsys.readouterr().err
    assert main(["coverage", str(dataset), str(dataset), "--require", str(file)]) == 2
    assert "their worlds are the same; name one" in capsys.readouterr().err


def test_what_is_missing_comes_with_the_command_of_its_suite(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slices = {
        "scratches": {"suite": "low_contrast_scratches", "where": "lum_mean > 2", "count": 8},
        "dark": {"where": "lum_mean < 0.2", "count": 30},
        "again": {"suite": "low_contrast_scratches", "where": "lum_mean > 3", "count": 4},
    }
    file, report = written(tmp_path / "r.yaml", {"slices": slices, "run": ["rig.width=64"]}), tmp_path / "c.json"
    code = main(["coverage", str(dataset), "--require", str(file), "--json", str(report), "--out", str(tmp_path / "o")])
    said = capsys.readouterr().out
    assert code == 1
    assert "no command: no suite or run says how to make it" in said
    assert "share of new frames: 80%, stated" in said
    (command,) = json.loads(report.read_text())["commands"]  # both slices are of one recipe: one run serves them
    assert command["slices"] == ["scratches", "again"]
    words = command["command"]
    assert words[:4] == ["python", "-m", "engine.run", "+scene=machined"]
    assert f"count={worlds_needed(8, 0.8)}" in words
    assert "rig.width=64" in words
    assert f"out={tmp_path / 'o/scratches'}" in words


@pytest.mark.parametrize(("successes", "share"), [(1, 0.5), (8, 0.8), (40, 0.03), (200, 1.0), (0, 0.1)])
def test_so_many_worlds_are_enough_with_a_chance_of_90_percent(successes: int, share: float) -> None:
    worlds = worlds_needed(successes, share)
    assert binom.sf(successes - 1, worlds, share) >= 0.9
    if worlds:
        assert binom.sf(successes - 1, worlds - 1, share) < 0.9


def test_the_doubt_about_a_measured_share_asks_for_more_worlds() -> None:
    """Drawn anew: a share of which 9 of 16 worlds tell, then worlds; 5 succeed nine times of ten."""
    worlds, random = worlds_needed(5, 9.5 / 17, 16), np.random.default_rng(0)
    chance = random.beta(9.5, 7.5, 100_000)
    assert (random.binomial(worlds, chance) >= 5).mean() >= 0.9 - 4 * np.sqrt(0.09 / 1e5)
    assert (random.binomial(worlds - 1, chance) >= 5).mean() < 0.9 + 4 * np.sqrt(0.09 / 1e5)
    assert worlds_needed(5, 9.5 / 17) < worlds


@pytest.mark.parametrize(
    ("requirements", "message"),
    [
        ({"slices": {"a": {"count": 1}}}, "slices.a: needs where, a condition, or suite, whose condition it is"),
        ({"slices": {"a": {"count": -1, "where": "true"}}}, "count and min_groups must be at least 0"),
        ({"slices": {}}, "slices must name at least one"),
        ({"slices": {"a": {"count": 1, "suite": "torn_warp"}}}, "there is no suite 'torn_warp'; there are torn_wrap"),
        ({"slices": {"a": {"count": 1, "where": "lum_meen < 1"}}}, "where: there is no column 'lum_meen'; near: lum_mean"),  # noqa: E501
        ({"slices": {"a": {"count": 99, "where": "true", "run": ["+scene=warehuose"]}}}, "slices.a: run: "),
    ],
)  # fmt: skip
def test_requirements_that_cannot_be_meant_are_refused(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], requirements: dict[str, Any], message: str
) -> None:
    file = written(tmp_path / "r.yaml", requirements)
    assert main(["coverage", str(dataset), "--require", str(file)]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_the_examples_of_the_documentation_are_what_commands_read(tmp_path: Path) -> None:
    """Limits, balance and requirements of docs/health.md, in this order; the slices can be composed."""
    text = (data_root() / "docs/health.md").read_text(encoding="utf-8")
    files = [tmp_path / f"{at}.yaml" for at in range(3)]
    for file, block in zip(files, text.split("```yaml\n")[1:], strict=True):
        file.write_text(block.split("```")[0])
    assert read_limits(files[0]).measures == Measures()
    assert read_balance(files[1]).axes["exposure"].labels == ("[0, 0.2)", "[0.2, 0.35)", "[0.35, 1]")
    for wanted in read_requirements(files[2]).values():
        assert compose(*wanted.run)[0].rig.width == 640


SCENE = """usd: mine.usda
randomize:
  exposure:
    kind: camera_exposure
    cameras: "*"
    stops: {law: uniform, low: -6, high: 0}
"""


@pytest.mark.slow
def test_the_command_that_is_said_makes_what_is_missing(tmp_path: Path) -> None:
    """Four worlds of a scene of one's own are too few; the same dataset goes on to as many as are reckoned with."""
    scene = tmp_path / "conf/scene"
    scene.mkdir(parents=True)
    (scene / "mine.yaml").write_text(SCENE)
    (scene / "mine.usda").write_text(STAGE)
    small = ["+scene=mine", "rig.width=32", "rig.height=24", "rig.spp=1", "device=cpu"]
    slices = {"dim": {"where": '"p.exposure.stops" < -3', "count": 5, "run": small, "share": 0.5}}
    require = written(tmp_path / "require.yaml", {"slices": slices})
    folder = ["--config-dir", str(tmp_path / "conf")]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, "PYTHONPATH": str(data_root())}
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=tmp_path, env=variables, text=True, capture_output=True, check=False)

    assert run("-m", "engine.run", *folder, *small, "seed=3", "count=4", "out=first").returncode == 0
    report = ["coverage", str(tmp_path / "first"), "--require", str(require), *folder]
    assert main([*report, "--json", str(tmp_path / "before.json")]) == 1
    before = json.loads((tmp_path / "before.json").read_text())
    (command,) = before["commands"]
    words = command["command"]
    assert words[-3:] == ["seed=3", f"count={4 + command['worlds']}", f"out={tmp_path / 'first'}"]
    made = run(*words[1:])
    assert made.returncode == 0, made.stderr
    assert main([*report, "--json", str(tmp_path / "after.json")]) == 0
    after = json.loads((tmp_path / "after.json").read_text())
    assert after["slices"][0]["have"] >= 5
    assert after["commands"] == []
    assert 0 < after["slices"][0]["purity"]["have"] <= after["slices"][0]["purity"]["frames"] == 4 + command["worlds"]
