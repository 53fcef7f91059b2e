"""What `engine.propose` asked a batch to be: the slice, the laws, and how much of it stays as it was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import UserError
from engine.evaluate.slices import ALL
from engine.write.record import read_stored

PROPOSAL, SCHEMA = "proposal.json", "proposal/1"


@dataclass(frozen=True)
class Asked:
    """One proposal."""

    name: str  # of the slice
    where: str | None  # its condition; None: it has none
    columns: tuple[str, ...]  # that have new laws
    base_share: float  # of the batch that is drawn by the recipe as it was
    targeted: str  # folder of the part that is drawn by the new laws, its last name
    report: str = ""  # sha256 of the evaluation that it came from, which the new recipe names as a parent


def read_proposal(folder: Path, target: str) -> Asked:
    """Return what was proposed for a target; of one proposal alone for `all`, that one.

    Raises:
        UserError: If there is none.
    """
    path = folder / PROPOSAL if folder.is_dir() else folder
    data = read_stored(path, SCHEMA, "python -m engine.propose")
    try:
        made = [one for one in data["proposals"] if one["verdict"] == "proposed"]
        wanted = made if target == ALL and len(made) == 1 else [one for one in made if one["name"] == target]
        if not wanted:
            names = ", ".join(str(one["name"]) for one in made) or "nothing"
            raise UserError(f"{path} proposes nothing for {target}, but for {names}; say which with --target")
        one = wanted[0]
        return Asked(
            str(one["name"]), None if one["where"] is None else str(one["where"]),
            tuple(str(column["column"]) for column in one["columns"]), float(one["base_share"] or 0.0),
            Path(str(one["batch"] or "")).name, str(data.get("report", {}).get("sha256", "")),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged: {type(error).__name__}: {error}; make it again") from error
