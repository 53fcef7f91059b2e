"""Do rendered defects help a learner on real photographs of magnetic tiles?

    python -m bench.tile_proof --train DIR --test DIR --k 1,3 --seeds 0,1,2,3,4,5,6,7,8,9

DIR are COCO folders of the data of Huang, Qiu and Yuan, "Surface defect saliency of magnetic tile", The Visual Computer
36, 2020, split by surface. The synthetic set is rendered by the engine (`+scene=tile`) and kept while its recipes stay.
The last line is one JSON object: `arms`, `gain_vs_real`, `gain_vs_copypaste` (by k, then metric: median, low, high of
90 %), `only_ap`; with --reverse also `reverse`, the same the other way round, and `both`, the mean gains of the two.
Needs: pip install 'ommatidia[proof]'.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from engine.errors import UserError

WORKERS = 2  # repetitions at a time, each on one thread
REVERSE_ARMS = ("real", "copypaste", "hybrid", "only", "all")  # that the other way round is judged by
METRICS_SHOWN = ("AP", "AUROC", "R5", "R10", "F1")

Draws = dict[str, dict[str, dict[str, dict[str, Any]]]]  # by rival, arm, k and metric: gains, [draw]


def say(text: str) -> None:
    """Print a line of progress at once."""
    print(text, flush=True)


def digest_of(*folders: Path) -> str:
    """Return a hash of the annotations of folders, which name their images and their hashes."""
    return hashlib.sha256(b"".join((folder / "annotations.json").read_bytes() for folder in folders)).hexdigest()[:16]


def prove(
    arguments: argparse.Namespace, extra: Sequence[str] = (), tell: Callable[[str], None] = say
) -> tuple[dict[str, Any], Draws]:
    """Return all figures of the arms that the arguments ask for, and draws of their gains.

    `extra` are overrides of the synthetic recipes, beside those of the arguments.
    """
    from bench.tile_arms import FEW_ARMS, RIVALS, Material, Run, runs_of, scores_of
    from bench.tile_data import load_real, load_tiles
    from bench.tile_learner import Features, Scores, TestSet, figures, gain_draws
    from bench.tile_render import paired_shots, synthetic_folder

    arms, counts, seeds, extra = arguments.arms, arguments.k, arguments.seeds, (*arguments.set, *extra)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    defects, normals, tested = load_real(arguments.train, arguments.test)
    folder = arguments.synthetic or synthetic_folder(arguments.cache, extra, tell)
    synthetic = load_tiles(folder)
    pairs = paired_shots(arguments.cache, extra, tell) if "transfer" in arms else []
    features = Features(arguments.cache / "features", [*defects, *normals, *tested, *synthetic])
    material = Material(defects, normals, TestSet(tested, features), synthetic, pairs, features)
    tell(f"{len(defects)} real defects, {len(normals)} defect-free; test {len(tested)}; synthetic {len(synthetic)}")
    real, made = digest_of(arguments.train, arguments.test), digest_of(folder)
    scores: dict[str, dict[int, Any]] = {}

    def judged(run: Run) -> tuple[Scores, float]:
        began = time.monotonic()
        facts = real if run.arm in ("real", "copypaste", "all") else f"{real} {made}"
        return scores_of(run, material, arguments.cache, facts), time.monotonic() - began

    runs = runs_of(arms, counts, seeds)
    with ThreadPoolExecutor(WORKERS) as pool:
        for run, (found, seconds) in zip(runs, pool.map(judged, runs), strict=True):
            scores.setdefault(run.name, {})[run.seed] = found
            row = figures(found, tested)
            short = " ".join(f"{metric} {row['macro'][metric]:.3f}" for metric in ("AP", "AUROC", "R5"))
            each = " ".join(f"{name} {row[name]['AP']:.2f}/{row[name]['AUROC']:.2f}" for name in row if name != "macro")
            tell(f"{run.name:12s} seed {run.seed}: {short} | {each} | {seconds:.0f} s")
    result: dict[str, Any] = {"arms": {name: mean_figures(rows, tested) for name, rows in scores.items()}}
    known: dict[tuple[int, int, int], dict[str, float]] = {}
    draws = {
        rival: {
            arm: {
                str(k): gain_draws(scores[f"{rival}@{k}"], scores[f"{arm}@{k}"], tested, known=known)
                for k in counts if {f"{rival}@{k}", f"{arm}@{k}"} <= set(scores)
            }
            for arm in FEW_ARMS if arm not in (rival, "real") and arm in arms
        }
        for rival in RIVALS
    }  # fmt: skip
    result |= gains_of(draws)
    result["only_ap"] = result["arms"]["only"]["macro"]["AP"][0] if "only" in scores else None
    result["facts"] = {
        "real_defects": len(defects), "normals": len(normals), "test": len(tested), "synthetic": len(synthetic),
        "surfaces": len({tile.surface for tile in tested}), "k": list(counts), "seeds": list(seeds),
        "recipes": json.loads((folder / "annotations.json").read_text(encoding="utf-8")).get("info", {}).get("recipes"),
    }  # fmt: skip
    return result, draws


def gains_of(draws: Draws) -> dict[str, Any]:
    """Return `gain_vs_real` and `gain_vs_copypaste`: median and bounds by arm, k and metric."""
    from bench.tile_learner import interval

    return {
        f"gain_vs_{rival}": {arm: {k: interval(row) for k, row in by_k.items()} for arm, by_k in by_arm.items()}
        for rival, by_arm in draws.items()
    }


def together(one: Draws, other: Draws) -> Draws:
    """Return the draws of the mean gain of both directions, for arms and k that both have."""
    from bench.tile_learner import mean_draws

    return {
        rival: {
            arm: {k: mean_draws(row, other[rival][arm][k]) for k, row in by_k.items() if k in other[rival][arm]}
            for arm, by_k in by_arm.items() if arm in other[rival]
        }
        for rival, by_arm in one.items()
    }  # fmt: skip


def mean_figures(rows: Mapping[int, Any], tested: Sequence[Any]) -> dict[str, dict[str, list[float]]]:
    """Return mean and standard deviation over seeds of every figure of every class and of their macro mean."""
    import numpy as np

    from bench.tile_learner import figures

    made = [figures(scores, tested) for scores in rows.values()]
    out: dict[str, dict[str, list[float]]] = {}
    for name in made[0]:
        values = {metric: [row[name][metric] for row in made] for metric in METRICS_SHOWN}
        out[name] = {metric: [float(np.mean(v)), float(np.std(v))] for metric, v in values.items()}
    return out


def numbers(text: str) -> list[int]:
    """Return the whole numbers of `1,3`, each once."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"'{text}' must be whole numbers with commas between, such as 1,3")
    return list(dict.fromkeys(int(part) for part in parts))


def amounts(text: str) -> list[int]:
    """Return the whole numbers of `1,3`, none of them 0."""
    values = numbers(text)
    if 0 in values:
        raise argparse.ArgumentTypeError(f"'{text}' must be at least 1 each")
    return values


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments of a command line."""
    from bench.tile_arms import ARMS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="COCO folder: real images to train on")
    parser.add_argument("--test", type=Path, required=True, help="COCO folder: real images of other surfaces")
    parser.add_argument("--k", type=amounts, default=[1, 3], help="real images of each class")
    parser.add_argument("--seeds", type=numbers, default=list(range(10)))
    parser.add_argument("--arms", type=lambda text: text.split(","), default=list(ARMS), help=",".join(ARMS))
    parser.add_argument("--synthetic", type=Path, help="a COCO folder instead of the one that is rendered")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="overrides of the scene: seed=1")
    parser.add_argument("--cache", type=Path, default=Path("out/tile_proof"), help="rendered sets and results")
    parser.add_argument("--page", type=Path, help="write the page here, such as docs/tile_proof.md")
    parser.add_argument("--reverse", action="store_true", help="also the other way round: train on --test, main arms")
    parser.add_argument("--ablation", action="store_true", help="also render and judge variants of the recipes")
    found = parser.parse_args(words)
    unknown = [arm for arm in found.arms if arm not in ARMS]
    if unknown:
        parser.error(f"unknown arm '{unknown[0]}'; known: {', '.join(ARMS)}")
    return found


def main(words: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    for name, value in (("OMP_NUM_THREADS", 1), ("OPENBLAS_NUM_THREADS", 1), ("OMP_WAIT_POLICY", "passive")):
        os.environ.setdefault(name, str(value))  # before anything loads OpenMP
    arguments = parsed(words)
    import cv2

    from bench.tile_page import flat, write_page

    cv2.setNumThreads(1)
    try:
        result, draws = prove(arguments)
        if arguments.reverse:
            say("the other way round")
            own = [arm for arm in arguments.arms if arm in REVERSE_ARMS]
            turned = {"train": arguments.test, "test": arguments.train, "arms": own}
            result["reverse"], others = prove(argparse.Namespace(**{**vars(arguments), **turned}))
            result["both"] = gains_of(together(draws, others))
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    if arguments.ablation:
        from bench.tile_ablation import ablation

        result["ablation"] = ablation(arguments, say)
    if arguments.page:
        write_page(arguments.page, result)
    print(json.dumps(flat(result)), flush=True)


if __name__ == "__main__":
    main()
