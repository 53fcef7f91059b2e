"""What the gate asks before any model: parameters, proposals, licences, classes, worlds; and its command line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from engine.dataset.__main__ import main as dataset_main
from engine.errors import UserError
from engine.evaluate.slices import Slice
from engine.gate import purity
from engine.gate.__main__ import main
from engine.gate.arms import settings_of
from engine.gate.check import EXIT_CODES
from engine.gate.integrity import check_licences, check_privacy, check_taxonomy
from engine.gate.parts import parts_of
from engine.gate.proposal import read_proposal
from engine.gate.purity import check_coverage, check_purity
from engine.gate.repeats import PixelHashes, check_judges, check_known
from engine.gate.request import Accepted, Request, Utility
from engine.lineage.ledger import read_entries
from engine.recipe import Parent
from engine.shift.pictures import open_pictures
from engine.write.plan import Provenance, plan_dataset
from tests.engine.gate_toys import Toy, make_toys
from tests.engine.test_dataset_laws import SUN, toy
from tests.engine.toy_dataset import BUILD, ENVIRONMENT, make_toy, toy_recipe, toy_scene

HIGH = {**SUN, "elevation_deg": {"law": "uniform", "low": 45, "high": 90}}
DARK = "lum_mean < 0.35"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with a recipe, which its draws follow."""
    return toy(tmp_path_factory.mktemp("checks") / "rendered", SUN)


def proposal(folder: Path, batch: str, column: str, verdict: str = "proposed") -> Path:
    """Write what the gate reads of a proposal."""
    folder.mkdir()
    one = {"name": "dark", "where": DARK, "verdict": verdict, "columns": [{"column": column}], "base_share": 0.25}
    data = {"schema": "proposal/1", "proposals": [{**one, "batch": f"/somewhere/{batch}"}]}
    (folder / "proposal.json").write_text(json.dumps(data))
    return folder


def test_parameters_that_do_not_follow_their_law_stop_a_batch(rendered: Path, tmp_path: Path) -> None:
    """Drawn from 0 to 90 degrees; one recipe asks for that, the other for 45 to 90."""
    followed = check_coverage(parts_of(rendered))
    assert (followed.verdict, followed.facts["tested"]) == ("pass", 1)
    differing = check_coverage(parts_of(toy(tmp_path / "other", HIGH)))
    assert differing.stops
    assert "p.sun.elevation_deg" in differing.words


@pytest.mark.parametrize(("p", "stops"), [(3.4e-5, True), (3.4e-3, False)])
def test_a_column_that_may_be_chance_is_noted_and_a_sure_one_refused(
    p: float, stops: bool, rendered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch with 1 column tested: 3.4e-5 comes by chance less than once in 10,000 sound batches."""
    real = purity.compare

    def unlike(*args: Any) -> tuple[Any, ...]:
        return tuple(
            dataclasses.replace(one, p=p, verdict="differs") if one.verdict == "agrees" else one for one in real(*args)
        )

    monkeypatch.setattr(purity, "compare", unlike)
    check = check_coverage(parts_of(rendered))
    assert check.stops is stops
    assert "p.sun.elevation_deg" in check.words
    assert [one["column"] for one in check.facts["differs" if stops else "chance"]] == ["p.sun.elevation_deg"]


def test_laws_that_a_proposal_asks_for_must_be_in_the_recipe(rendered: Path, tmp_path: Path) -> None:
    asked = read_proposal(proposal(tmp_path / "p", "rendered", "p.sun.elevation_deg"), "all")
    check = check_coverage(parts_of(rendered), asked)
    assert check.stops
    assert check.facts["missing"] == ["p.sun.elevation_deg"]


def test_of_a_mixture_the_targeted_part_must_be_pure(tmp_path: Path) -> None:
    """Half of the frames keep what was covered, on purpose; the rest is dark."""
    make_toys(tmp_path / "targeted", 10, 1, Toy(dark=1.0))
    make_toys(tmp_path / "base", 10, 2, Toy())
    parts = [str(tmp_path / name) for name in ("base", "targeted")]
    assert dataset_main(["merge", *parts, "--out", str(tmp_path / "batch")]) == 0
    asked = read_proposal(proposal(tmp_path / "p", "targeted", "p.sun.power"), "dark")
    assert check_purity(tmp_path / "batch", "dark", Slice(DARK)).stops
    pure = check_purity(tmp_path / "batch", "dark", Slice(DARK), asked)
    assert (pure.verdict, pure.facts["share"], pure.facts["targeted_frames"]) == ("pass", 1.0, 10)
    assert {place.name for place in parts_of(tmp_path / "batch").found} == {"base", "targeted"}


def test_the_targeted_part_is_known_by_its_recipe_wherever_it_was_rendered(tmp_path: Path) -> None:
    """The folder is called otherwise than the proposal said; the recipe names the report, and has its laws."""
    laws = dataclasses.replace(toy_recipe().laws, reweight={"sun.elevation_deg": SUN["elevation_deg"]})
    parents = (Parent("evaluation", "5eed"),)
    drawn = dataclasses.replace(toy_recipe(), randomize={"sun": SUN}, laws=laws, parents=parents)
    for name, recipe, count in (("mine", drawn, 6), ("mine_base", toy_recipe(), 3)):
        plan = plan_dataset(recipe, toy_scene(), ("/World/Camera_0",), Provenance(BUILD, ENVIRONMENT), shard_worlds=64)
        assert make_toy(tmp_path / name, range(count), plan, batch=8) is not None
    parts = [str(tmp_path / name) for name in ("mine", "mine_base")]
    assert dataset_main(["merge", *parts, "--out", str(tmp_path / "batch")]) == 0
    folder = proposal(tmp_path / "p", "towards_dark", "p.sun.elevation_deg")
    asked = read_proposal(folder, "dark")
    everything = check_purity(tmp_path / "batch", "dark", Slice(DARK), asked).facts["frames"]
    data = json.loads((folder / "proposal.json").read_text())
    (folder / "proposal.json").write_text(json.dumps(data | {"report": {"sha256": "5eed"}}))
    check = check_purity(tmp_path / "batch", "dark", Slice(DARK), read_proposal(folder, "dark"))
    assert (check.facts["targeted_frames"] * 3, check.facts["frames"]) == (everything * 2, everything)


def test_proposals_that_say_nothing_of_the_target_are_refused(tmp_path: Path) -> None:
    made = proposal(tmp_path / "p", "b", "p.sun.power")
    with pytest.raises(UserError, match="proposes nothing for bright, but for dark"):
        read_proposal(made, "bright")
    with pytest.raises(UserError, match="but for nothing"):
        read_proposal(proposal(tmp_path / "q", "b", "p.sun.power", "refused"), "dark")
    with pytest.raises(UserError, match=r"holds no proposal\.json"):
        read_proposal(tmp_path, "dark")


def test_rendered_pictures_are_private_and_their_assets_need_a_licence(rendered: Path) -> None:
    assert check_privacy(rendered, Accepted()).verdict == "pass"
    refused = check_licences(parts_of(rendered), (), Accepted())
    assert refused.stops
    assert "toy.usda (not found below" in refused.words
    assert check_licences(parts_of(rendered), (), Accepted(unknown_licences=True)).verdict == "pass"


def test_an_id_with_two_meanings_stops_a_batch(rendered: Path, tmp_path: Path) -> None:
    other = make_toys(tmp_path / "nails", 4, 1, Toy())
    check = check_taxonomy(rendered, (other,))
    assert check.stops
    assert "class id 1 is 'nail' in nails and 'carton' in rendered" in check.words


def test_worlds_of_the_same_laws_and_seed_are_no_new_ones(rendered: Path, tmp_path: Path) -> None:
    again = toy(tmp_path / "again", SUN)
    check = check_known(open_pictures(again), [rendered], 0.1, PixelHashes())
    assert check.stops
    assert check.facts["rendered"]["shared_worlds"] == check.facts["rendered"]["worlds"] == 64
    other = toy(tmp_path / "other", HIGH)
    assert check_known(open_pictures(other), [rendered], 1.0, PixelHashes()).facts["rendered"]["shared_worlds"] == 0


def test_worlds_of_a_holdout_are_a_leak(rendered: Path, tmp_path: Path) -> None:
    """Rendered again with the same laws and seed: every world is one of the holdout's."""
    again = toy(tmp_path / "again", SUN)
    check = check_judges(open_pictures(again), [("holdout", open_pictures(rendered))], PixelHashes())
    assert check.stops
    assert "64 worlds of the holdout rendered" in check.words


def test_both_arms_sample_as_much(tmp_path: Path) -> None:
    """Without the batch, the parts of the others fill its place."""
    folder = make_toys(tmp_path / "toys", 4, 1, Toy())
    utility = Utility(settings={"batch_share": 0.4})
    request = Request(folder, (folder, folder), folder, tmp_path / "out", utility=utility)
    shares = [settings_of(request, name)["shares"] for name in ("with", "without")]
    assert shares == [pytest.approx([0.3, 0.3, 0.4]), pytest.approx([0.5, 0.5])]
    assert sum(shares[0]) == pytest.approx(sum(shares[1]))


def test_the_command_answers_by_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half of the batch is not dark: it is rejected before anything is trained."""
    sets = (("batch", 8, Toy(dark=0.5)), ("base", 8, Toy()), ("real", 12, Toy(dark=0.5)))
    for seed, (name, number, toys) in enumerate(sets):
        make_toys(tmp_path / name, number, seed, toys)
    (tmp_path / "slices.yaml").write_text(f'dark: {{where: "{DARK}"}}\n')
    line = [str(tmp_path / "batch"), "--against", str(tmp_path / "base"), "--holdout", str(tmp_path / "real")]
    line += [
        "--slices",
        str(tmp_path / "slices.yaml"),
        "--target",
        "dark",
        "--trainer",
        "never",
        "--task",
        "bbox",
        "--crops",
        "0",
    ]
    assert dataset_main(["lock", str(tmp_path / "real"), "--as", "validation"]) == 0
    accepted = ["--accept-real-imagery", "--accept-unknown-licences"]
    assert main([*line, *accepted]) == EXIT_CODES["reject"] == 4
    assert "G3 purity: fail, 50%" in capsys.readouterr().out
    report = json.loads((tmp_path / "batch-gate/gate.json").read_text())
    assert report["verdict"] == "reject"
    assert report["holdout"]["benchmark"].startswith("bm_")
    assert "holdout.read" in [entry.event for entry in read_entries(tmp_path / "real")]
    for more, said in (
        (["--metric", "AP60"], "--metric AP60 is not known; near: AP50"),
        (["--seeds", "2"], "--seeds 2: at least 5"),
        (["--set", "shares=[1]"], "--batch-share S says the batch's"),
        (["--batch-share", "2"], "--batch-share 2"),
        (["--out", str(tmp_path / "base/gate")], "lies in the dataset"),
    ):
        assert main([*line, *accepted, *more]) == 2
        assert said in capsys.readouterr().err
    assert (EXIT_CODES["admit"], EXIT_CODES["hold"]) == (0, 3)
